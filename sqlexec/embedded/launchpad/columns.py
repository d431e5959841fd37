"""Arrow columns into a shared file, and a script's OutputDataSet out of one.

    Arrow stream -- batch by batch --> one region a column --> InputDataSet (dataframes.py)
    rows <- Arrow arrays over the mapping <-- buffers       <-- OutputDataSet

A column's values lie as numpy reads them: numbers in their own width, bit as bytes, date as
days (int32), datetime as milliseconds (int64), text as numbers of the different strings.  NULLs
are a mask of bytes in a region of its own, sparse where there are none.

Types: Microsoft's "Data type mappings between Python and SQL Server".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from sqlexec.embedded.launchpad.shared import SharedFile
from sqlexec.embedded.results import Column
from sqlexec.embedded.sqltypes import MAX, SqlType

if TYPE_CHECKING:
    from collections.abc import Iterable

_T = TypeVar("_T")

# T-SQL type: kind of the column in the satellite, the Arrow type that has its bytes
_KINDS: dict[str, tuple[str, pa.DataType]] = {
    "tinyint": ("uint8", pa.uint8()),
    "smallint": ("int16", pa.int16()),
    "int": ("int32", pa.int32()),
    "bigint": ("int64", pa.int64()),
    "real": ("float32", pa.float32()),
    "float": ("float64", pa.float64()),
    "decimal": ("float64", pa.float64()),
    "money": ("float64", pa.float64()),
    "smallmoney": ("float64", pa.float64()),
    "bit": ("bool", pa.uint8()),
    "date": ("date", pa.date32()),
    "datetime": ("datetime", pa.timestamp("ms")),
    "smalldatetime": ("datetime", pa.timestamp("ms")),
}
_TEXT = {"char", "varchar", "nchar", "nvarchar", "uniqueidentifier"}


def is_supported(type: SqlType) -> bool:
    """Whether an input column of this type reaches a script (39017 if not)."""
    return type.name in _KINDS or type.name in _TEXT


def write_columns(
    file: SharedFile, columns: Sequence[Column], batches: Iterable[pa.RecordBatch]
) -> dict[str, Any]:
    """Write a stream of rows; returns the description that `dataframes.read_frame` reads.

    `columns` are the T-SQL columns of `batches`, by position.  Errors of the stream pass through.
    """
    writers = [_writer(file, column) for column in columns]
    rows = 0
    for batch in batches:
        for writer, values in zip(writers, batch.columns, strict=True):
            writer.append(values, rows)
        rows += batch.num_rows
    described = [writer.describe(rows) for writer in writers]
    file.extend(max((writer.end(rows) for writer in writers), default=0))
    return {"rows": rows, "columns": described}


def _writer(file: SharedFile, column: Column) -> _Fixed | _Text:
    if column.type.name in _TEXT:
        return _Text(file, column)
    return _Fixed(file, column)


class _Fixed:
    """A column of values of one width."""

    def __init__(self, file: SharedFile, column: Column) -> None:
        self._name = column.name
        self._kind, self._arrow = _KINDS[column.type.name]
        self._values = file.region()
        self._nulls = file.region()
        self._has_nulls = False

    def append(self, values: pa.Array, rows: int) -> None:
        """Append the values of one batch; `rows` is how many there are already."""
        if values.type != self._arrow:
            values = values.cast(self._arrow, safe=False)
        if values.null_count:
            self._has_nulls = True
            self._nulls.write(rows, _bytes(values.is_null().cast(pa.uint8())))
        if len(values):
            self._values.append(_bytes(values))

    def describe(self, rows: int) -> dict[str, Any]:
        nulls = self._nulls.start if self._has_nulls else None
        return {"name": self._name, "kind": self._kind, "at": self._values.start, "nulls": nulls}

    def end(self, rows: int) -> int:
        """Where the file must reach to for the column to be read."""
        return self._nulls.start + rows if self._has_nulls else 0


class _Text:
    """A column of strings: the different strings of each batch, and their numbers.

    Strings that come again in another batch are listed again: batches are large, and a global
    table would cost more than it saves.
    """

    def __init__(self, file: SharedFile, column: Column) -> None:
        self._name = column.name
        self._upper = column.type.name == "uniqueidentifier"  # as SQL Server spells it
        self._codes, self._text, self._lengths = (file.region() for _ in range(3))
        self._count = 0

    def append(self, values: pa.Array, rows: int) -> None:
        encoded = values.cast(pa.large_string()).dictionary_encode()
        strings = encoded.dictionary
        if self._upper:
            strings = pc.ascii_upper(strings)
        codes = pc.add(encoded.indices.cast(pa.int32()), pa.scalar(self._count, pa.int32()))
        if codes.null_count:
            codes = codes.fill_null(-1)
        if len(codes):
            self._codes.append(_bytes(codes))
        if len(strings):
            self._append_strings(strings)

    def _append_strings(self, strings: pa.LargeStringArray) -> None:
        _validity, offsets, data = strings.buffers()
        ends = memoryview(offsets).cast("q")
        start, end = ends[strings.offset], ends[strings.offset + len(strings)]
        if data is not None:
            self._text.append(memoryview(data)[start:end])
        self._lengths.append(_bytes(pc.utf8_length(strings).cast(pa.int32())))
        self._count += len(strings)

    def describe(self, rows: int) -> dict[str, Any]:
        return {
            "name": self._name,
            "kind": "text",
            "at": self._codes.start,
            "text": self._text.start,
            "size": self._text.size,
            "lengths": self._lengths.start,
            "count": self._count,
        }

    def end(self, rows: int) -> int:
        return 0


def _bytes(values: pa.Array) -> memoryview:
    """The buffer of a fixed-width array, without a copy."""
    width = values.type.bit_width // 8
    buffer = values.buffers()[1]
    return memoryview(buffer)[values.offset * width : (values.offset + len(values)) * width]


# --- out ---------------------------------------------------------------------------------


class FrameError(ValueError):
    """What a satellite says about its OutputDataSet does not fit the bytes that it wrote."""


# dtype: T-SQL type, Arrow type of the bytes
_DTYPES: dict[str, tuple[SqlType, pa.DataType]] = {
    "bool": (SqlType("bit"), pa.uint8()),
    "uint8": (SqlType("tinyint"), pa.uint8()),
    "int16": (SqlType("smallint"), pa.int16()),
    "int32": (SqlType("int"), pa.int32()),
    "int64": (SqlType("bigint"), pa.int64()),
    "float32": (SqlType("real"), pa.float32()),
    "float64": (SqlType("float"), pa.float64()),
    "datetime64[ns]": (SqlType("datetime2", None, None, 7), pa.int64()),
}
_NVARCHAR_MAX = SqlType("nvarchar", MAX)
_NAT = -(1 << 63)
_MAX_COLUMNS = 4096  # of a SELECT in SQL Server
_MAX_ROWS = 1 << 40


def read_columns(frame: object, view: memoryview) -> tuple[list[Column], pa.RecordBatch]:
    """OutputDataSet as its T-SQL columns and one Arrow batch over `view`.

    `frame` is the satellite's own description (`dataframes.write_frame`): nothing in it is
    believed.  FrameError where it does not fit `view`.
    """
    described = _get(frame, "columns", list)
    rows = _number(frame, "rows", _MAX_ROWS)
    if len(described) > _MAX_COLUMNS:
        raise FrameError(f"more than {_MAX_COLUMNS} columns")
    read = [_read_column(column, rows, view) for column in described]
    arrays = [array for _column, array in read]
    names = [f"c{number}" for number in range(len(read))]
    return [column for column, _array in read], pa.RecordBatch.from_arrays(arrays, names)


def _read_column(described: object, rows: int, view: memoryview) -> tuple[Column, pa.Array]:
    name = _get(described, "name", str).encode("utf-8", "replace").decode()
    kind = _get(described, "kind", str)
    if kind == "object":
        return Column(name, _NVARCHAR_MAX), _strings(described, rows, view)
    if kind not in _DTYPES:
        raise FrameError(f"unknown dtype {kind[:50]!r}")
    type, arrow = _DTYPES[kind]
    data = _slice(view, _number(described, "at"), rows * arrow.bit_width // 8)
    values = pa.Array.from_buffers(arrow, rows, [None, pa.py_buffer(data)])
    return Column(name, type), _AS_SQL.get(kind, lambda values: values)(values)


def _finite(values: pa.Array) -> pa.Array:
    """NaN and infinities are NULL."""
    finite = pc.is_finite(values)
    if pc.all(finite).as_py() is not False:
        return values
    return pc.if_else(finite, values, pa.scalar(None, values.type))


def _timestamps(values: pa.Array) -> pa.Array:
    """Nanoseconds -> microseconds, NaT -> NULL."""
    values = pc.if_else(pc.equal(values, _NAT), pa.scalar(None, pa.int64()), values)
    return values.cast(pa.timestamp("ns")).cast(pa.timestamp("us"), safe=False)


_AS_SQL: dict[str, Callable[[pa.Array], pa.Array]] = {
    "bool": lambda values: values.cast(pa.bool_()),
    "float32": _finite,
    "float64": _finite,
    "datetime64[ns]": _timestamps,
}


def _strings(described: object, rows: int, view: memoryview) -> pa.Array:
    """Cells as UTF-8 one after the other, and their lengths (-1 for NULL)."""
    data = _slice(view, _number(described, "at"), _number(described, "size"))
    at = _number(described, "lengths")
    buffer = pa.py_buffer(_slice(view, at, rows * 8))
    lengths = pa.Array.from_buffers(pa.int64(), rows, [None, buffer])
    nulls = pc.equal(lengths, -1)
    lengths = pc.if_else(nulls, pa.scalar(0, pa.int64()), lengths)
    if rows and pc.min(lengths).as_py() < 0:
        raise FrameError("a cell of negative length")
    try:
        ends = pc.cumulative_sum_checked(lengths)
    except pa.ArrowInvalid as error:
        raise FrameError(str(error)) from None
    if rows and ends[-1].as_py() != len(data):
        raise FrameError("cells that do not fill their column")
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), ends])
    valid = pc.invert(nulls)
    array = pa.Array.from_buffers(
        pa.large_string(),
        rows,
        [valid.buffers()[1], offsets.buffers()[1], pa.py_buffer(data)],
    )
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        raise FrameError("a cell that is not UTF-8") from None
    return array.cast(pa.string()) if len(data) < 1 << 31 else array


def _slice(view: memoryview, at: int, size: int) -> memoryview:
    if at + size > len(view):
        raise FrameError("a value outside the shared file")
    return view[at : at + size]


def _get(container: object, key: str, kind: type[_T]) -> _T:
    value = container.get(key) if isinstance(container, dict) else None
    if not isinstance(value, kind):
        raise FrameError(f"no {key} of type {kind.__name__}")
    return value


def _number(container: object, key: str, limit: int = 1 << 62) -> int:
    value = _get(container, key, int)
    if isinstance(value, bool) or not 0 <= value <= limit:
        raise FrameError(f"{key} out of range")
    return value
