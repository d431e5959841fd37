"""Scalar expressions evaluate in Python with T-SQL's values and types."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pytest

from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.run.evaluation import evaluate, test
from sqlexec.embedded.tsql.scalar.builtins import format_message
from sqlexec.embedded.tsql.scalar.patterns import like_pattern
from sqlexec.embedded.tsql.state import Frame, Variable
from sqlexec.embedded.tsql.syntax.expressions import ExpressionReader

test.__test__ = False  # type: ignore[attr-defined]


class Scope:
    """What the evaluator needs of a session: its frames."""

    def __init__(self, **variables: tuple[str, object]) -> None:
        self.frames = [
            Frame({
                f"@{name}": Variable(SqlType.parse(kind), value)
                for name, (kind, value) in variables.items()
            })
        ]  # fmt: skip


def value(text: str, **variables: tuple[str, object]) -> Any:
    return evaluate(Scope(**variables), ExpressionReader(text).scalar())[0]  # type: ignore[arg-type]


def kind(text: str, **variables: tuple[str, object]) -> str:
    return str(evaluate(Scope(**variables), ExpressionReader(text).scalar())[1])  # type: ignore[arg-type]


def truth(text: str, **variables: tuple[str, object]) -> bool | None:
    return test(Scope(**variables), ExpressionReader(text).condition())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3 - -4", 11),
        ("(1 + 2) * 3 % 5", 4),
        ("~5 & 7 | 8", 10),
        ("'a' + N'b' + NULL", None),
        ("CASE WHEN 1 = 2 THEN 'x' ELSE 'y' END", "y"),
        ("CASE 3 WHEN 1 THEN 'x' WHEN 3 THEN 'z' END", "z"),
        ("CASE WHEN NULL = NULL THEN 1 END", None),
        ("IIF(1 > 2 OR 'a' = 'a ', 10, 20)", 10),
        ("COALESCE(NULL, NULL, 5, 1 / 0)", 5),
        ("ISNULL(NULL, 'abc')", "abc"),
        ("NULLIF(1, 1)", None),
        ("CHOOSE(2, 'a', 'b')", "b"),
        ("CAST('12' AS int) + 1", 13),
        ("TRY_CAST('x' AS int)", None),
        ("CONVERT(varchar(10), 0x01AB, 2)", "01AB"),
        ("TRY_CONVERT(date, '2024-02-30')", None),
        ("LEN('abc  ')", 3),
        ("DATALENGTH(N'abc')", 6),
        ("DATALENGTH(0x010203)", 3),
        ("SUBSTRING('abcdef', 2, 3)", "bcd"),
        ("SUBSTRING('abcdef', 0, 3)", "ab"),
        ("SUBSTRING(0x010203, 2, 5)", b"\x02\x03"),
        ("LEFT('abc', 2) + RIGHT('abc', 1)", "abc"),
        ("UPPER(LTRIM(RTRIM('  a  ')))", "A"),
        ("REPLACE('aXbX', 'X', '--')", "a--b--"),
        ("CHARINDEX('c', 'abcabc', 4)", 6),
        ("CONCAT('a', NULL, 1, 2.50)", "a12.50"),
        ("CONCAT_WS('-', 'a', NULL, 'b')", "a-b"),
        ("STUFF('abcdef', 2, 3, 'X')", "aXef"),
        ("REPLICATE('ab', 3)", "ababab"),
        ("REVERSE('abc')", "cba"),
        ("QUOTENAME('a]b')", "[a]]b]"),
        ("QUOTENAME('a', '''')", "'a'"),
        ("PARSENAME('a.b.c', 2)", "b"),
        ("STR(3.14159, 6, 2)", "  3.14"),
        ("FORMATMESSAGE('%s is %d', 'x', 5)", "x is 5"),
        ("ABS(-5) + SIGN(-2)", 4),
        ("ROUND(2.345, 2)", Decimal("2.350")),
        ("ROUND(1234, -2)", 1200),
        ("FLOOR(-1.5)", Decimal(-2)),
        ("CEILING(1.2)", Decimal(2)),
        ("POWER(2, 10)", 1024),
        ("SQRT(16)", 4.0),
        ("DATEADD(month, 1, '2024-01-31')", dt.datetime(2024, 2, 29)),
        ("DATEADD(DAY, -1, CAST('2024-03-01' AS date))", dt.date(2024, 2, 29)),
        ("DATEDIFF(year, '2023-12-31', '2024-01-01')", 1),
        ("DATEDIFF(MILLISECOND, '2024-01-01', '2024-01-01T00:00:01')", 1000),
        ("DATEPART(dw, '2024-02-29')", 5),
        ("DATENAME(month, '2024-02-29')", "February"),
        ("YEAR('2024-02-29') * 100 + MONTH('2024-02-29')", 202402),
        ("EOMONTH('2024-02-01')", dt.date(2024, 2, 29)),
        ("DATEFROMPARTS(2024, 2, 29)", dt.date(2024, 2, 29)),
        ("CONVERT(varchar(30), HASHBYTES('SHA2_256', 'abc'), 2)", "BA7816BF8F01CFEA414140DE5DAE22"),
        ("ISJSON('{\"a\": 1}') + ISNUMERIC('x')", 1),
        ("-2147483648", -2147483648),
        ("5000000000", Decimal(5000000000)),
        ("$1.5", Decimal("1.5")),
        ("0x", b""),
    ],
)
def test_values(text: str, expected: object) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", "int"),
        ("5000000000", "decimal(10,0)"),
        ("1.50", "decimal(3,2)"),
        ("1e0", "float"),
        ("'abc'", "varchar(3)"),
        ("N'abc'", "nvarchar(3)"),
        ("''", "varchar(1)"),
        ("0x0102", "varbinary(2)"),
        ("CAST('a' AS varchar)", "varchar(30)"),
        ("CAST('a' AS nvarchar(max))", "nvarchar(max)"),
        ("CASE WHEN 1 = 1 THEN 1 ELSE 2.5 END", "decimal(11,1)"),
        ("ISNULL(CAST(NULL AS varchar(5)), 'abcdefgh')", "varchar(5)"),
        ("GETDATE()", "datetime"),
        ("SYSUTCDATETIME()", "datetime2(7)"),
        ("NEWID()", "uniqueidentifier"),
        ("LEN(N'a')", "int"),
        ("DATALENGTH(CAST(0x01 AS varbinary(max)))", "bigint"),
    ],
)
def test_types(text: str, expected: str) -> None:
    assert kind(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 = 1 AND NOT 2 = 1", True),
        ("NULL = 1", None),
        ("NULL = 1 OR 1 = 1", True),
        ("NULL = 1 AND 1 = 2", False),
        ("NOT NULL = 1", None),
        ("5 BETWEEN 1 AND 5", True),
        ("5 NOT BETWEEN 1 AND 5", False),
        ("5 IN (1, NULL)", None),
        ("5 NOT IN (1, 2)", True),
        ("'abc' LIKE 'a%c'", True),
        ("'abc' LIKE '_[a-c]_'", True),
        ("'abc' NOT LIKE '[^a]%'", True),
        ("'50%' LIKE '50!%' ESCAPE '!'", True),
        ("NULL IS NULL AND 1 IS NOT NULL", True),
        ("(1 = 1 OR 1 / 0 = 1)", True),
        ("'a' COLLATE Latin1_General_BIN2 = 'A'", False),
    ],
)
def test_conditions(text: str, expected: bool | None) -> None:
    assert truth(text) is expected


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("@missing", 137),
        ("nowhere", 207),
        ("LEN(1, 2)", 174),
        ("ISNULL(1)", 174),
        ("1 / 0", 8134),
        ("CAST('x' AS int)", 245),
        ("DATEADD(nonsense, 1, '2024-01-01')", 155),
        ("SUBSTRING('a', 1, -1)", 537),
    ],
)
def test_errors(text: str, number: int) -> None:
    with pytest.raises(SqlError) as caught:
        value(text)
    assert caught.value.number == number


def test_big_variables_are_passed_on_untouched() -> None:
    data = memoryview(bytes(100_000))
    assert value("@r", r=("varbinary(max)", data)) is data
    assert value("DATALENGTH(@r)", r=("varbinary(max)", data)) == 100_000


def test_uniqueidentifiers_are_fresh() -> None:
    assert isinstance(value("NEWID()"), uuid.UUID)
    assert value("NEWID()") != value("NEWID()")


def test_patterns_are_taken_literally() -> None:
    assert like_pattern("a.c").fullmatch("abc") is None
    assert like_pattern("a[.]c").fullmatch("a.c")
    assert like_pattern(r"a[\d]").fullmatch("a5") is None


@pytest.mark.parametrize(
    ("template", "values", "expected"),
    [
        ("%s|%5s|%-5s|%.2s", ["a", "b", "c", "defg"], "a|    b|c    |de"),
        ("%d %i %05d %x", [1, 2, 3, 255], "1 2 00003 ff"),
        ("%d%% of %s", [50], "50% of (null)"),
        ("100% sure", [], "100% sure"),
        ("%*d", [5, 42], "   42"),
    ],
)
def test_messages(template: str, values: list[object], expected: str) -> None:
    assert format_message(template, values) == expected
