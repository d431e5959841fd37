"""Facts about types and values that conversions and operators share."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Context, Decimal

from sqlexec.embedded.sqltypes import MAX, SqlType
from sqlexec.embedded.tsql.errors import SqlError

INTEGER_RANGES = {
    "tinyint": (0, 255),
    "smallint": (-(2**15), 2**15 - 1),
    "int": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}


INTEGER_DIGITS = {"bit": 1, "tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}


DATE_TYPES = frozenset({"date", "time", "datetime", "smalldatetime", "datetime2", "datetimeoffset"})


EXACT = Context(prec=100)  # wide enough for any product of two decimals


Bytes = (bytes, bytearray, memoryview)


def type_name(type: SqlType) -> str:
    """A type's name as error texts spell it."""
    return "numeric" if type.name == "decimal" else type.name


def literal_type(value: object) -> SqlType:
    """The T-SQL type that a bare Python value stands for."""
    if isinstance(value, bool):
        return SqlType("bit")
    if isinstance(value, int):
        return SqlType("int") if -(2**31) <= value < 2**31 else SqlType("bigint")
    if isinstance(value, float):
        return SqlType("float")
    if isinstance(value, Decimal):
        return decimal_type(value)
    if isinstance(value, str):
        return SqlType("nvarchar", max(len(value), 1) if len(value) <= 4000 else MAX)
    if isinstance(value, Bytes):
        return SqlType("varbinary", max(len(value), 1) if len(value) <= 8000 else MAX)
    if isinstance(value, dt.datetime):
        return SqlType("datetimeoffset" if value.tzinfo else "datetime2", None, None, 7)
    if isinstance(value, dt.date):
        return SqlType("date")
    if isinstance(value, dt.time):
        return SqlType("time", None, None, 7)
    if isinstance(value, uuid.UUID):
        return SqlType("uniqueidentifier")
    return SqlType("int")  # NULL


def decimal_type(value: Decimal) -> SqlType:
    """The smallest decimal type that holds a value."""
    _, digits, exponent = value.as_tuple()
    scale = max(-int(exponent), 0)
    whole = max(len(digits) + int(exponent), 0)
    return SqlType("decimal", None, min(max(whole + scale, 1), 38), min(scale, 38))


def clash(source: SqlType, target: SqlType) -> SqlError:
    return SqlError(
        206,
        f"Operand type clash: {type_name(source)} is incompatible with {type_name(target)}",
        state=2,
    )


def refused(source: SqlType, target: SqlType) -> SqlError:
    return SqlError(
        529,
        f"Explicit conversion from data type {type_name(source)} to {type_name(target)} is not "
        "allowed.",
    )
