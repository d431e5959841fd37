"""Rows into a script's InputDataSet and OutputDataSet back, through a real satellite."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from sqlexec.embedded.launchpad import Launchpad, ScriptRequest, ScriptResult
from sqlexec.embedded.launchpad.columns import FrameError, is_supported, read_columns
from sqlexec.embedded.results import Column
from sqlexec.embedded.sqltypes import SqlType

PANDAS_3 = int(pd.__version__.split(".")[0]) >= 3
DATETIME = "datetime64[us]" if PANDAS_3 else "datetime64[ns]"


@pytest.fixture(scope="module")
def launchpad() -> Iterator[Launchpad]:
    launchpad = Launchpad()
    yield launchpad
    launchpad.close()


def send(
    launchpad: Launchpad, types: dict[str, str], query: str, script: str, batch_rows: int = 2048
) -> ScriptResult:
    """Run `script` over the rows of a DuckDB query whose columns have these T-SQL types."""
    columns = [Column(name, SqlType.parse(type)) for name, type in types.items()]
    with duckdb.connect() as connection:
        reader = connection.sql(query).to_arrow_reader(batch_rows)
        return launchpad.run(ScriptRequest(script, input=reader, input_columns=columns))


def show(launchpad: Launchpad, type: str, *values: str, duckdb_type: str) -> tuple[str, list[Any]]:
    """dtype and values of a column 'x' with these DuckDB literals."""
    rows = ", ".join(f"(({value})::{duckdb_type})" for value in values)
    query = f"SELECT x FROM (VALUES {rows}) AS t(x)"
    if not values:
        query = f"SELECT NULL::{duckdb_type} AS x WHERE false"
    script = "import datetime\nprint(repr((str(InputDataSet.x.dtype), list(InputDataSet.x))))"
    result = send(launchpad, {"x": type}, query, script)
    assert result.error is None, result.error
    names = {"datetime": dt, "nan": float("nan"), "Timestamp": pd.Timestamp, "NaT": pd.NaT}
    shown: tuple[str, list[Any]] = eval(result.stdout, names)
    return shown


INPUTS: list[tuple[str, str, list[str], str, list[Any]]] = [
    ("tinyint", "UTINYINT", ["0", "255"], "uint8", [0, 255]),
    ("smallint", "SMALLINT", ["-32768"], "int16", [-32768]),
    ("int", "INTEGER", ["1", "-5"], "int32", [1, -5]),
    ("bigint", "BIGINT", ["9223372036854775807"], "int64", [2**63 - 1]),
    ("int", "INTEGER", ["1", "NULL", "3"], "float64", [1.0, None, 3.0]),
    ("bigint", "BIGINT", ["NULL"], "float64", [None]),
    ("real", "FLOAT", ["0.5"], "float32", [0.5]),
    ("real", "FLOAT", ["0.5", "NULL"], "float64", [0.5, None]),
    ("float", "DOUBLE", ["0.1", "NULL"], "float64", [0.1, None]),
    ("decimal(9,2)", "DECIMAL(9,2)", ["1.25", "-0.5"], "float64", [1.25, -0.5]),
    ("money", "DECIMAL(19,4)", ["1.0001", "NULL"], "float64", [1.0001, None]),
    ("bit", "BOOLEAN", ["true", "false"], "bool", [True, False]),
    ("bit", "BOOLEAN", ["true", "NULL"], "object", [True, None]),
    ("varchar(20)", "VARCHAR", ["'a'", "NULL", "'Zürich €😀'", "''"], "object",
     ["a", None, "Zürich €😀", ""]),
    ("nvarchar(max)", "VARCHAR", ["NULL"], "object", [None]),
    ("uniqueidentifier", "UUID", ["'0a0b0c0d-0000-0000-0000-00000000000f'"], "object",
     ["0A0B0C0D-0000-0000-0000-00000000000F"]),
    ("date", "DATE", ["'2020-02-29'", "NULL", "'0001-01-01'"], "object",
     [dt.date(2020, 2, 29), None, dt.date(1, 1, 1)]),
    ("datetime", "TIMESTAMP_MS", ["'2020-02-29 12:30:00.997'"], DATETIME,
     [pd.Timestamp("2020-02-29 12:30:00.997")]),
    ("datetime", "TIMESTAMP_MS", ["'2020-02-29'", "NULL"], DATETIME,
     [pd.Timestamp("2020-02-29"), None]),
    ("datetime", "TIMESTAMP_MS", ["NULL"], "object", [None]),
    ("smalldatetime", "TIMESTAMP_S", ["'1999-12-31 23:59:00'"], DATETIME,
     [pd.Timestamp("1999-12-31 23:59")]),
    ("int", "INTEGER", [], "int32", []),
    ("bit", "BOOLEAN", [], "bool", []),
    ("varchar(5)", "VARCHAR", [], "object", []),
    ("date", "DATE", [], "object", []),
    ("datetime", "TIMESTAMP_MS", [], "object", []),
]  # fmt: skip


@pytest.mark.parametrize(("type", "duckdb_type", "literals", "dtype", "expected"), INPUTS)
def test_input_types(
    launchpad: Launchpad,
    type: str,
    duckdb_type: str,
    literals: list[str],
    dtype: str,
    expected: list[Any],
) -> None:
    found, values = show(launchpad, type, *literals, duckdb_type=duckdb_type)
    assert found == dtype
    assert [None if v is not None and pd.isna(v) else v for v in values] == expected


def test_unsupported_input_types() -> None:
    refused = [
        "binary(5)",
        "varbinary(max)",
        "datetime2",
        "datetimeoffset",
        "time",
        "xml",
        "timestamp",
        "sql_variant",
    ]
    assert not any(is_supported(SqlType.parse(type)) for type in refused)


def test_every_value_of_many_batches_arrives(launchpad: Launchpad) -> None:
    """NULLs that begin late, strings that come again, dates: compared with DuckDB's own frame."""
    query = (
        "SELECT i::INTEGER AS i, CASE WHEN i < 9000 THEN i::INTEGER END AS late, "
        "i / 3.0::DOUBLE AS f, "
        "'carrier ' || (i % 16) AS few, CASE WHEN i % 5 = 0 THEN NULL ELSE 'ü' || i END AS many, "
        "(i % 3 = 0) AS b, DATE '2000-01-01' + (i % 700)::INTEGER AS d "
        "FROM range(10000) AS t(i) ORDER BY i"
    )
    kinds = ["int", "int", "float", "varchar(20)", "nvarchar(20)", "bit", "date"]
    types = dict(zip(["i", "late", "f", "few", "many", "b", "d"], kinds, strict=True))
    script = (
        "i = np.arange(10000)\n"
        "d = InputDataSet\n"
        "assert (d.i == i).all() and d.late.isna().sum() == 1000\n"
        "assert (d.late[:9000] == i[:9000]).all()\n"
        "assert (abs(d.f - i / 3) < 1e-6).all() and (d.b == (i % 3 == 0)).all()\n"
        "assert list(d.few) == ['carrier %d' % (n % 16) for n in i]\n"
        "assert list(d.many) == [None if n % 5 == 0 else 'ü%d' % n for n in i]\n"
        "from datetime import date, timedelta\n"
        "assert list(d.d) == [date(2000, 1, 1) + timedelta(int(n % 700)) for n in i]\n"
    )
    assert send(launchpad, types, query, script).error is None


def test_frames_are_writable_and_their_changes_private(launchpad: Launchpad) -> None:
    query = "SELECT i::INTEGER AS i, i::DOUBLE AS f FROM range(100000) AS t(i)"
    script = "InputDataSet['i'] += 1\nInputDataSet.loc[0, 'f'] = -1.0\nprint(InputDataSet.i.sum())"
    result = send(launchpad, {"i": "int", "f": "float"}, query, script)
    assert result.error is None
    assert result.stdout == "5000050000\n"


def test_equal_names_collapse_to_the_last(launchpad: Launchpad) -> None:
    columns = [Column("a", SqlType("int")), Column("a", SqlType("int"))]
    batch = pa.RecordBatch.from_arrays(
        [pa.array([1], pa.int32()), pa.array([2], pa.int32())], ["a", "a"]
    )
    reader = pa.RecordBatchReader.from_batches(batch.schema, [batch])
    script = "print(list(InputDataSet.columns), InputDataSet.a[0])"
    result = launchpad.run(ScriptRequest(script, input=reader, input_columns=columns))
    assert result.stdout == "['a'] 2\n"


def test_an_error_of_the_stream_passes_through(launchpad: Launchpad) -> None:
    query = (
        "SELECT CASE WHEN i < 9000 THEN i ELSE error('broken') END::INTEGER AS i "
        "FROM range(10000) AS t(i)"
    )
    with pytest.raises(Exception, match="broken"):
        send(launchpad, {"i": "int"}, query, "pass")
    assert launchpad.run(ScriptRequest("print(1)")).stdout == "1\n"


def test_rows_need_pandas_and_say_so(tmp_path: Any) -> None:
    import venv

    venv.create(tmp_path / "bare", symlinks=True)
    launchpad = Launchpad(tmp_path / "bare" / "bin" / "python", pool=1)
    try:
        result = send(launchpad, {"x": "int"}, "SELECT 1::INTEGER AS x", "pass")
        assert "needs numpy and pandas" in (result.error or "")
        assert "must be a pandas DataFrame" in (
            launchpad.run(ScriptRequest("OutputDataSet = 7")).error or ""
        )
    finally:
        launchpad.close()


def test_other_names_for_the_data_sets(launchpad: Launchpad) -> None:
    columns = [Column("x", SqlType("int"))]
    with duckdb.connect() as connection:
        request = ScriptRequest(
            "mine_out = mine_in * 2",
            input=connection.sql("SELECT 21::INTEGER AS x").to_arrow_reader(10),
            input_columns=columns,
            input_name="mine_in",
            output_name="mine_out",
        )
        assert launchpad.run(request).rows == [(42,)]


# --- out -----------------------------------------------------------------------------------

OUTPUTS: list[tuple[str, str, list[Any]]] = [
    ("np.array([True, False])", "bit", [True, False]),
    ("np.array([0, 255], 'uint8')", "tinyint", [0, 255]),
    ("np.array([-1], 'int16')", "smallint", [-1]),
    ("np.array([-1], 'int32')", "int", [-1]),
    ("np.arange(6)[::2]", "bigint", [0, 2, 4]),
    ("np.array([0.5, np.nan, np.inf, -np.inf], 'float32')", "real", [0.5, None, None, None]),
    ("[0.1, None]", "float", [0.1, None]),
    ("np.array(['2020-02-29T12:30:00.123456789', 'NaT'], 'M8[ns]')", "datetime2(7)",
     [dt.datetime(2020, 2, 29, 12, 30, 0, 123456), None]),
    ("np.array(['a', None, 'Zürich €😀', ''], object)", "nvarchar(max)",
     ["a", None, "Zürich €😀", ""]),
    ("np.array([1, 2.5, True, np.nan], object)", "nvarchar(max)", ["1", "2.5", "True", "nan"]),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "type", "expected"), OUTPUTS)
def test_output_types(
    launchpad: Launchpad, expression: str, type: str, expected: list[Any]
) -> None:
    script = (
        f"values = {expression}\n"
        "import pandas\n"
        "dtype = object if getattr(values, 'dtype', None) == object else None\n"
        "OutputDataSet = DataFrame({'c': pandas.Series(values, dtype=dtype)}, index=None)\n"
    )
    result = launchpad.run(ScriptRequest(script))
    assert result.error is None
    assert result.columns == [Column("c", SqlType.parse(type))]
    assert result.rows == [(value,) for value in expected]


@pytest.mark.parametrize(
    "expression",
    [
        "np.array([1], 'int8')",
        "np.array([1], 'uint16')",
        "np.array([1], 'float16')",
        "np.array([1], '>i4')",
        "np.array([1j])",
        "pandas.Categorical(['a'])",
        "pandas.array([1, None], dtype='Int64')",
        "pandas.to_timedelta([1])",
        "pandas.to_datetime(['2020-01-01']).tz_localize('UTC')",
        "np.array([b'bytes'], object)",
    ],
)
def test_unsupported_output_types(launchpad: Launchpad, expression: str) -> None:
    script = f"import pandas\nOutputDataSet = DataFrame({{'c': pandas.Series({expression})}})"
    assert "Unsupported data type" in (launchpad.run(ScriptRequest(script)).error or "")


@pytest.mark.skipif(not PANDAS_3, reason="strings and datetimes of pandas 3")
def test_the_types_of_pandas_3_are_refused_with_a_hint(launchpad: Launchpad) -> None:
    result = launchpad.run(ScriptRequest("OutputDataSet = DataFrame({'c': ['a']})"))
    assert 'astype("object")' in (result.error or "")


def test_index_and_names_of_an_output_frame(launchpad: Launchpad) -> None:
    script = (
        "OutputDataSet = DataFrame([[1, 2], [3, 4]], index=[7, 9], columns=['a b\"c', 'a b\"c'])"
    )
    result = launchpad.run(ScriptRequest(script))
    assert result.columns is not None
    assert [column.name for column in result.columns] == ['a b"c', 'a b"c']
    assert result.rows == [(1, 2), (3, 4)]


@pytest.mark.parametrize(
    ("script", "columns"),
    [("pass", None), ("OutputDataSet = None", None), ("del OutputDataSet", None)],
)
def test_no_output_frame(launchpad: Launchpad, script: str, columns: object) -> None:
    result = launchpad.run(ScriptRequest(script))
    assert result.error is None
    assert result.columns is columns


def test_an_output_frame_without_rows(launchpad: Launchpad) -> None:
    script = (
        "OutputDataSet = DataFrame({'a': np.array([], 'int32'), 'b': np.array([], object)})\n"
        "OutputDataSet = OutputDataSet.astype({'b': object})"
    )
    result = launchpad.run(ScriptRequest(script))
    assert result.error is None
    assert result.columns is not None
    assert [column.type.name for column in result.columns] == ["int", "nvarchar"]
    assert result.rows == []


def test_a_cell_of_a_hundred_megabytes(launchpad: Launchpad) -> None:
    script = "OutputDataSet = DataFrame({'c': ['x' * 100_000_000]}, dtype=object)"
    result = launchpad.run(ScriptRequest(script))
    assert result.error is None
    assert len(result.rows[0][0]) == 100_000_000  # type: ignore[arg-type]


def test_through_and_back(launchpad: Launchpad) -> None:
    query = "SELECT 1::INTEGER AS i, 'a' AS s, true AS b, 2.5::DECIMAL(5,1) AS d"
    types = {"i": "int", "s": "varchar(5)", "b": "bit", "d": "decimal(5,1)"}
    result = send(launchpad, types, query, "OutputDataSet = InputDataSet")
    assert result.error is None
    assert result.rows == [(1, "a", True, 2.5)]
    assert Decimal("2.5") == result.rows[0][3]


# --- what a lying satellite says of its frame ------------------------------------------------

BYTES = memoryview(bytes(range(64)))
CELL = {"name": "x", "kind": "object", "lengths": 0, "at": 16, "size": 4}


@pytest.mark.parametrize(
    "frame",
    [
        None,
        {},
        {"rows": True, "columns": []},
        {"rows": 1, "columns": [7]},
        {"rows": 1, "columns": [{"name": "x", "kind": "int128", "at": 0}]},
        {"rows": 9, "columns": [{"name": "x", "kind": "int64", "at": 0}]},
        {"rows": 1, "columns": [{"name": "x", "kind": "int64", "at": -8}]},
        {"rows": 1, "columns": [{"name": "x", "kind": "int64", "at": 1 << 70}]},
        {"rows": 1, "columns": [{"name": "x", "kind": "int64", "at": 0}] * 5000},
        {"rows": 1, "columns": [CELL]},
        {"rows": 1, "columns": [{**CELL, "lengths": 60}]},
        {"rows": 2, "columns": [{**CELL, "size": "4"}]},
    ],
)
def test_a_frame_that_does_not_fit_is_refused(frame: object) -> None:
    with pytest.raises(FrameError):
        read_columns(frame, BYTES)


@pytest.mark.parametrize("lengths", [[-2, 6], [2**63 - 1, 2**63 - 1], [5, 0], [1, 2], [2, 2]])
def test_cells_that_do_not_fit_are_refused(lengths: list[int]) -> None:
    view = memoryview(pa.array(lengths, pa.int64()).buffers()[1])[:16].tobytes() + b"\xffabc"
    frame = {"rows": 2, "columns": [CELL]}
    with pytest.raises(FrameError):
        read_columns(frame, memoryview(view))
