"""Signatures, scripts and T-SQL of procedures, and the values that cross."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys
from decimal import Decimal

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlexec.data.literals import text_literal
from sqlexec.errors import ConfigurationError
from sqlexec.procedures.kinds import KINDS
from sqlexec.procedures.render import quote_procedure, render_procedure
from sqlexec.procedures.script import stored_script
from sqlexec.procedures.signature import signature_of
from sqlexec.runner.script_values import as_json, to_sql_frame
from tests.bundle.scriptdom import unavailable


def total(
    rows: pandas.DataFrame,
    a: int,
    b: float = -0.5,
    c: str | None = "it's",
    d: bytes = b"\0",
    e: datetime.date = datetime.date(2013, 1, 2),
    f: datetime.datetime | None = None,
    g: Decimal = Decimal("1.5"),
    h: bool = True,
) -> tuple[int, pandas.DataFrame]:
    return a, rows


def rendered(function, **options):
    return render_procedure("my schema.[it's]]]", function, **options)


def test_parameters_with_their_defaults():
    text = rendered(total, columns={"x": int})
    head = text[: text.index("\nAS\n")]
    assert head.splitlines() == [
        "CREATE OR ALTER PROCEDURE [my schema].[it's]]]",
        "    @a bigint,",
        "    @b float = -0.5E0,",
        "    @c nvarchar(max) = N'it''s',",
        "    @d varbinary(max) = 0x00,",
        "    @e date = '2013-01-02',",
        "    @f datetime2(6) = NULL,",
        "    @g decimal(38, 10) = 1.5,",
        "    @h bit = 1,",
        "    @input_query nvarchar(max),",
        "    @result_1 bigint = NULL OUTPUT",
    ]


def test_t_sql_keeps_the_conventions(tmp_path):
    if unavailable():
        pytest.skip(unavailable())
    fixed = {"columns": {"a]b'": str}, "input_query": "SELECT '$(x)' AS x"}
    files = [tmp_path / "one.sql", tmp_path / "two.sql"]
    for file, options in zip(files, ({"columns": {"x": int}}, fixed), strict=True):
        file.write_text(rendered(total, **options))
    command = [sys.executable, "-m", "tests.bundle.conventions", "--json", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for report in json.loads(done.stdout).values():
        assert report["statements"] > 5
        findings = [message for _, message in report["findings"]]
        assert [each for each in findings if "no line Licence" not in each] == []  # the user's


def bad_default(x: int = "a") -> None: ...  # type: ignore[assignment]
def no_types(x, *more): ...
def odd_types(x: list[int], y: pandas.DataFrame | None) -> complex: ...
def two_frames(x: pandas.DataFrame, y: pandas.DataFrame) -> None: ...
def twice(x: int, X: int) -> None: ...  # noqa: N803
def reserved(script: str, sqlexec_x: int) -> None: ...
def same(result: int) -> str: ...
def frame() -> pandas.DataFrame: ...
def plain() -> None: ...
def unknown(x: Nowhere) -> None: ...  # noqa: F821
async def waits() -> None: ...
def foreign(ä: int) -> None: ...  # noqa: PLC2401


@pytest.mark.parametrize(
    ("function", "options", "messages"),
    [
        (bad_default, {}, ["its default 'a' is not of its type"]),
        (
            no_types,
            {},
            ["parameter x needs a type", r"\*more cannot be given", "result needs a type"],
        ),
        (odd_types, {}, ["parameter x needs", "y: a DataFrame takes neither", "result cannot be"]),
        (two_frames, {}, ["more than one parameter is a DataFrame"]),
        (twice, {}, ["@x and @X would be one"]),
        (reserved, {}, ["name script is needed", "name sqlexec_x is needed"]),
        (same, {}, ["the parameter and the output result are of different types"]),
        (frame, {}, ["must tell the columns"]),
        (frame, {"columns": {"x": bytes}}, ["column x of its result cannot be"]),
        (plain, {"columns": {"x": int}}, ["gives no DataFrame"]),
        (plain, {"input_query": "SELECT 1"}, ["takes no input_query"]),
        (plain, {"decimal_scale": 39}, ["from 0 to 38"]),
        (unknown, {}, ["annotations mean nothing here"]),
        (waits, {}, ["no plain Python function"]),
        (foreign, {}, ["no name of a T-SQL variable"]),
    ],
)
def test_functions_that_make_no_procedure(function, options, messages):
    with pytest.raises(ConfigurationError) as failed:
        rendered(function, **options)
    for each in messages:
        assert re.search(each, str(failed.value))


@pytest.mark.parametrize("name", ["", "a.b.c", "a..b", "[a"])
def test_names_that_are_none(name):
    with pytest.raises(ConfigurationError):
        quote_procedure(name)


def read_literal(text):
    """What SQL Server and sqlcmd read: literals joined, line continuations and doubled quotes."""
    assert not re.search(r"\$\(|^\s*GO\s*$", text, re.MULTILINE | re.IGNORECASE)
    parts = re.findall(r"N'((?:[^']|'')*)'", text)
    return "".join(re.sub(r"\\\r?\n", "", part).replace("''", "'") for part in parts)


@given(st.text(st.sampled_from("a'\\\n\r$(GgOo \t")))
def test_literals_are_read_as_they_are(text):
    assert read_literal(text_literal(text)) == text


VALUES = {
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False, places=10),
    str: st.text(),
    bytes: st.binary(),
    datetime.date: st.dates(),
    datetime.datetime: st.datetimes(),
}


@pytest.mark.parametrize("type", KINDS)
def test_every_value_survives_json(type):
    kind = KINDS[type]

    @given(st.none() | VALUES[type])
    def check_one(value):
        text = json.loads(json.dumps(kind.give(value)))
        if type is bytes and text is not None:
            assert bytes.fromhex(text) == value  # CONVERT(varbinary(max), ..., 2)
        elif type is datetime.datetime and text is not None:
            assert datetime.datetime.fromisoformat(text) == value
            assert kind.read(str(value)) == value
        else:
            assert kind.read(text) == value

    check_one()


@pytest.mark.parametrize(
    ("type", "value"),
    [
        (int, 1.5),
        (int, "1"),
        (str, 1),
        (bytes, "a"),
        (datetime.datetime, datetime.datetime(2013, 1, 1, tzinfo=datetime.timezone.utc)),
    ],
)
def test_results_of_another_type(type, value):
    with pytest.raises(TypeError):
        KINDS[type].give(value)


def test_numbers_that_t_sql_lacks():
    give = KINDS[float].give
    assert [give(each) for each in (float("nan"), float("inf"), None, 1)] == [None, None, None, 1.0]
    assert as_json([float("nan"), -float("inf"), {1: {2}}]) == [None, None, {"1": [2]}]


def test_a_frame_without_a_column():
    with pytest.raises(KeyError, match="no column y, z"):
        to_sql_frame(pandas.DataFrame({"x": [1]}), [(name, str) for name in "xyz"])


def test_a_stored_script_runs_by_itself():
    def f(a: int, b: Decimal | None = None, c=3):
        return [a, b, c]

    names = {"args_json": '{"a": 9007199254740993, "b": "1.10"}', "InputDataSet": None}
    exec(stored_script(f, signature_of(f, typed=False)), names)
    assert names["result_json"] == '{"result": [9007199254740993, "1.10", 3]}'
