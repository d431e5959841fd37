"""Values convert between T-SQL types as SQL Server documents it."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.scalar.conversions import convert
from sqlexec.embedded.tsql.scalar.facts import literal_type
from sqlexec.embedded.tsql.scalar.operators import binary, compare

UUID = uuid.UUID("6F9619FF-8B86-D011-B42D-00C04FC964FF")
MOMENT = dt.datetime(2024, 2, 29, 13, 4, 5, 678901)


def cast(value: object, target: str, style: int = 0, source: str | None = None) -> object:
    return convert(value, SqlType.parse(source) if source else None, SqlType.parse(target), style)


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (" 42 ", "varchar(9)", "int", 42),
        ("-7", "varchar(9)", "bigint", -7),
        ("", "varchar(9)", "int", 0),
        (Decimal("-2.9"), "decimal(3,1)", "int", -2),
        (Decimal("2.5"), "money", "int", 3),
        (2.99, "float", "tinyint", 2),
        (5, "int", "bit", True),
        ("true", "varchar(5)", "bit", True),
        (True, "bit", "int", 1),
        (b"\x01\x02", "varbinary(2)", "int", 258),
        (b"\xff\xff\xff\xff", "varbinary(4)", "int", -1),
        ("12.345", "varchar(9)", "decimal(5,2)", Decimal("12.35")),
        (Decimal("1.005"), "decimal(4,3)", "decimal(4,2)", Decimal("1.01")),
        (0.1, "float", "decimal(20,10)", Decimal("0.1000000000")),
        ("$1,234.5", "varchar(9)", "money", Decimal("1234.5000")),
        (1, "int", "float", 1.0),
        ("1e3", "varchar(9)", "float", 1000.0),
        ("abcdef", "varchar(6)", "varchar(3)", "abc"),
        ("ab", "varchar(2)", "char(4)", "ab  "),
        (12345, "int", "varchar(3)", "*"),
        (1.5, "float", "varchar(30)", "1.5"),
        (1234567.0, "float", "varchar(30)", "1.23457e+006"),
        (Decimal("1.50"), "decimal(3,2)", "varchar(9)", "1.50"),
        (Decimal("1.5000"), "money", "varchar(9)", "1.50"),
        (True, "bit", "varchar(9)", "1"),
        (UUID, "uniqueidentifier", "varchar(36)", str(UUID).upper()),
        (str(UUID), "varchar(36)", "uniqueidentifier", UUID),
        (UUID, "uniqueidentifier", "varbinary(16)", UUID.bytes_le),
        (258, "int", "varbinary(max)", b"\0\0\1\2"),
        (258, "int", "binary(2)", b"\1\2"),
        ("é", "varchar(1)", "varbinary(9)", b"\xe9"),
        ("é", "nvarchar(1)", "varbinary(9)", b"\xe9\0"),
        (b"abcdef", "varbinary(6)", "varbinary(3)", b"abc"),
        (b"ab", "varbinary(2)", "binary(4)", b"ab\0\0"),
        ("2024-02-29", "varchar(10)", "date", dt.date(2024, 2, 29)),
        ("20240229 13:04", "varchar(20)", "datetime", dt.datetime(2024, 2, 29, 13, 4)),
        ("2/29/2024 1:04 PM", "varchar(20)", "datetime2", dt.datetime(2024, 2, 29, 13, 4)),
        ("Feb 29 2024", "varchar(20)", "date", dt.date(2024, 2, 29)),
        ("13:04:05.5", "varchar(20)", "time(3)", dt.time(13, 4, 5, 500000)),
        (MOMENT, "datetime2(7)", "date", dt.date(2024, 2, 29)),
        (MOMENT, "datetime2(7)", "datetime", dt.datetime(2024, 2, 29, 13, 4, 5, 680000)),
        (MOMENT, "datetime2(7)", "smalldatetime", dt.datetime(2024, 2, 29, 13, 4)),
        (MOMENT, "datetime2(7)", "datetime2(3)", dt.datetime(2024, 2, 29, 13, 4, 5, 679000)),
        (dt.date(2024, 2, 29), "date", "datetime", dt.datetime(2024, 2, 29)),
        (0, "int", "datetime", dt.datetime(1900, 1, 1)),
        (MOMENT, "datetime2(7)", "varchar(40)", "2024-02-29 13:04:05.6789010"),
        (dt.datetime(2024, 2, 9, 13, 4), "datetime", "varchar(40)", "Feb  9 2024  1:04PM"),
    ],
)
def test_conversions(value: object, source: str, target: str, expected: object) -> None:
    found = cast(value, target, source=source)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "source", "target", "style", "expected"),
    [
        (b"\x01\xab", "varbinary(2)", "varchar(9)", 1, "0x01AB"),
        (b"\x01\xab", "varbinary(2)", "varchar(9)", 2, "01AB"),
        ("0x01AB", "varchar(9)", "varbinary(9)", 1, b"\x01\xab"),
        ("01AB", "varchar(9)", "varbinary(9)", 2, b"\x01\xab"),
        (MOMENT, "datetime", "varchar(40)", 120, "2024-02-29 13:04:05"),
        (MOMENT, "datetime", "varchar(40)", 121, "2024-02-29 13:04:05.678"),
        (MOMENT, "datetime", "varchar(40)", 126, "2024-02-29T13:04:05.678"),
        (MOMENT, "datetime", "varchar(8)", 112, "20240229"),
        ("29/02/2024", "varchar(10)", "date", 103, dt.date(2024, 2, 29)),
    ],
)
def test_styles(value: object, source: str, target: str, style: int, expected: object) -> None:
    assert cast(value, target, style, source) == expected


@pytest.mark.parametrize(
    ("value", "source", "target", "number"),
    [
        ("abc", "varchar(3)", "int", 245),
        ("1.5", "varchar(3)", "int", 245),
        ("abc", "varchar(3)", "bigint", 8114),
        ("abc", "varchar(3)", "decimal(5,2)", 8114),
        ("abc", "varchar(3)", "float", 8114),
        ("nan", "varchar(3)", "float", 8114),
        ("99999999999", "varchar(20)", "int", 248),
        ("300", "varchar(20)", "tinyint", 244),
        (300, "int", "tinyint", 220),
        (2**31, "bigint", "int", 8115),
        (1e300, "float", "int", 8115),
        (Decimal(1000), "decimal(4,0)", "decimal(5,3)", 8115),
        (Decimal("123.45"), "decimal(5,2)", "varchar(3)", 8115),
        ("2024-02-30", "varchar(10)", "date", 242),
        ("nonsense", "varchar(10)", "datetime", 241),
        (dt.datetime(1600, 1, 1), "datetime2(7)", "datetime", 242),
        ("x", "varchar(10)", "uniqueidentifier", 8169),
        ("0xZZ", "varchar(10)", "varbinary(9)", 8114),
        (1, "int", "date", 206),
        (UUID, "uniqueidentifier", "int", 529),
    ],
)
def test_errors(value: object, source: str, target: str, number: int) -> None:
    with pytest.raises(SqlError) as caught:
        cast(value, target, 1 if target.startswith("varbinary") else 0, source)
    assert caught.value.number == number


def test_null_and_implicit() -> None:
    assert convert(None, None, SqlType("int")) is None
    with pytest.raises(SqlError, match="Implicit conversion"):
        convert("a", None, SqlType("varbinary", 9), implicit=True)


def test_big_values_are_not_copied() -> None:
    view = memoryview(bytes(1000))
    assert convert(view, literal_type(view), SqlType("varbinary", -1)) is view


@given(st.datetimes(min_value=dt.datetime(1753, 1, 1), max_value=dt.datetime(9999, 12, 30)))
def test_datetime_ticks(moment: dt.datetime) -> None:
    """datetime ends in .000, .003 or .007 and is at most half a tick away; it stays what it is."""
    found = convert(moment, SqlType.parse("datetime2"), SqlType("datetime"))
    assert isinstance(found, dt.datetime)
    assert found.microsecond // 1000 % 10 in (0, 3, 7)
    assert abs(found - moment) <= dt.timedelta(microseconds=2001)
    assert convert(found, SqlType.parse("datetime2"), SqlType("datetime")) == found


@given(st.decimals(min_value=-(10**15), max_value=10**15, places=4))
def test_text_of_numbers_reads_back(number: Decimal) -> None:
    kind = SqlType("decimal", None, 20, 4)
    text = convert(number, kind, SqlType("varchar", 40))
    assert convert(text, SqlType("varchar", 40), kind) == number


@pytest.mark.parametrize(
    ("left", "sign", "right", "value", "kind"),
    [
        ((7, "int"), "/", (2, "int"), 3, "int"),
        ((-7, "int"), "/", (2, "int"), -3, "int"),
        ((-7, "int"), "%", (2, "int"), -1, "int"),
        ((5, "tinyint"), "+", (300, "int"), 305, "int"),
        ((1, "int"), "+", (1.5, "float"), 2.5, "float"),
        ((Decimal("1.5"), "decimal(2,1)"), "*", (Decimal("2.5"), "decimal(2,1)"),
         Decimal("3.75"), "decimal(5,2)"),
        ((Decimal("2.0"), "decimal(2,1)"), "/", (Decimal(3), "decimal(1,0)"),
         Decimal("0.666666"), "decimal(7,6)"),
        ((Decimal("1.5"), "decimal(2,1)"), "+", (1, "int"), Decimal("2.5"), "decimal(12,1)"),
        (("a", "varchar(1)"), "+", ("b", "nvarchar(2)"), "ab", "nvarchar(3)"),
        (("a", "varchar(1)"), "+", (None, "varchar(2)"), None, "varchar(3)"),
        (("1", "varchar(1)"), "+", (2, "int"), 3, "int"),
        ((b"a", "varbinary(1)"), "+", (b"b", "varbinary(1)"), b"ab", "varbinary(2)"),
        ((6, "int"), "&", (3, "int"), 2, "int"),
        ((dt.datetime(2024, 1, 1), "datetime"), "+", (1, "int"), dt.datetime(2024, 1, 2),
         "datetime"),
    ],
)  # fmt: skip
def test_arithmetic(
    left: tuple[object, str], sign: str, right: tuple[object, str], value: object, kind: str
) -> None:
    found = binary(sign, (left[0], SqlType.parse(left[1])), (right[0], SqlType.parse(right[1])))
    assert found == (value, SqlType.parse(kind))


@pytest.mark.parametrize(
    ("left", "sign", "right", "number"),
    [
        ((1, "int"), "/", (0, "int"), 8134),
        ((2**31 - 1, "int"), "+", (1, "int"), 8115),
        ((255, "tinyint"), "+", (1, "tinyint"), 8115),
        (("a", "varchar(1)"), "-", ("b", "varchar(1)"), 8117),
        (("a", "varchar(1)"), "+", (1, "int"), 245),
        ((dt.date(2024, 1, 1), "date"), "+", (1, "int"), 206),
    ],
)
def test_arithmetic_errors(
    left: tuple[object, str], sign: str, right: tuple[object, str], number: int
) -> None:
    with pytest.raises(SqlError) as caught:
        binary(sign, (left[0], SqlType.parse(left[1])), (right[0], SqlType.parse(right[1])))
    assert caught.value.number == number


def test_comparison() -> None:
    text, fixed, whole = SqlType("varchar", 3), SqlType("char", 5), SqlType("int")
    assert compare("=", ("U", text), ("U    ", fixed)) is True
    assert compare("=", ("u", text), ("U", text)) is False
    assert compare("=", ("5", text), (5, whole)) is True
    assert compare("<>", (None, whole), (5, whole)) is None
    assert compare("<", (dt.date(2024, 1, 1), SqlType("date")),
                   ("2024-01-02", SqlType("varchar", 10))) is True  # fmt: skip
