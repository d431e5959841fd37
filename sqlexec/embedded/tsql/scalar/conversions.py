"""Conversion of values between T-SQL types, as CAST and assignment to a variable do it.

`convert` is the one way in.  By the family of the target it goes to one small function:

    value --> bit, integers, decimal and money, float | text | binary | dates | uniqueidentifier

Rules: learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql and "Data type
conversion"; numbers and texts of errors as sys.messages has them.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal

from sqlexec.embedded.sqltypes import MAX, SqlType
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.scalar.dates import to_date_type
from sqlexec.embedded.tsql.scalar.facts import (
    DATE_TYPES,
    EXACT,
    INTEGER_DIGITS,
    Bytes,
    clash,
    literal_type,
    refused,
)
from sqlexec.embedded.tsql.scalar.number_conversions import (
    to_bit,
    to_decimal,
    to_float,
    to_integer,
)
from sqlexec.embedded.tsql.scalar.text_conversions import to_binary, to_text


def convert(
    value: object,
    source: SqlType | None,
    target: SqlType,
    style: int = 0,
    *,
    implicit: bool = False,
) -> object:
    """Convert a value to a T-SQL type.

    Parameters
    ----------
    value : object
        As `sqltypes` describes values; None stays None.
    source : SqlType or None
        Its type, None for "what `literal_type` says".
    target : SqlType
    style : int, default 0
        CONVERT's third argument.
    implicit : bool, default False
        Whether this is an assignment or an operand, where T-SQL refuses some conversions that
        CAST makes (257, 206).

    Raises
    ------
    SqlError
        245, 248, 8114 (text that is no number), 220, 8115 (overflow), 241, 242 (dates), 8169
        (uniqueidentifier), 257, 206, 529 (no such conversion).

    Example
    -------
    >>> convert("42", None, SqlType("int")), convert("abcdef", None, SqlType("varchar", 3))
    (42, 'abc')
    """
    if value is None:
        return None
    if source is None:
        source = literal_type(value)
    if source == target and not style:
        return value
    family = _FAMILIES.get(target.name)
    if family is None:
        if target.name == "sql_variant":
            return value
        raise SqlError(243, f"Type {target.name} is not a defined system type.")
    if implicit:
        _check_implicit(source, target)
    return family(value, source, target, style)


def _check_implicit(source: SqlType, target: SqlType) -> None:
    if source.is_text and target.is_binary and target.name != "timestamp":
        raise SqlError(
            257,
            f"Implicit conversion from data type {source.name} to {target.name} is not allowed. "
            "Use the CONVERT function to run this query.",
            state=3,
        )
    number = source.name in INTEGER_DIGITS or source.name in ("decimal", "float", "real", "money")
    if number and target.name in ("date", "time", "datetime2", "datetimeoffset"):
        raise clash(source, target)


# --- numbers -----------------------------------------------------------------------------


# --- text and bytes ----------------------------------------------------------------------


# --- dates and uniqueidentifier ----------------------------------------------------------


def _to_date(value: object, source: SqlType, target: SqlType, style: int) -> object:
    if isinstance(value, (bool, int, float, Decimal)):
        if target.name not in ("datetime", "smalldatetime"):
            raise clash(source, target)
        try:
            since = dt.timedelta(days=float(value))
            value = dt.datetime(1900, 1, 1) + since
        except OverflowError:
            raise SqlError.of(8115, "expression", target.name, state=2) from None
        source = SqlType("datetime")
    if isinstance(value, (str, dt.date, dt.time)):
        return to_date_type(value, source, target, style)
    raise refused(source, target)


def _to_uuid(value: object, source: SqlType, target: SqlType, style: int) -> object:
    if isinstance(value, uuid.UUID):
        return value
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("{") and text[37:38] == "}":
            text = text[1:37]
        text = text[:36]
        try:
            if len(text) != 36 or [text[i] for i in (8, 13, 18, 23)] != ["-"] * 4:
                raise ValueError
            return uuid.UUID(text)
        except ValueError:
            raise SqlError.of(8169, state=2) from None
    if isinstance(value, Bytes):
        return uuid.UUID(bytes_le=bytes(value[:16]).ljust(16, b"\0"))
    raise clash(source, target)


_Converter = Callable[[object, SqlType, SqlType, int], object]
_FAMILIES: dict[str, _Converter] = {
    "bit": to_bit,
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), to_integer),
    **dict.fromkeys(("decimal", "money", "smallmoney"), to_decimal),
    **dict.fromkeys(("float", "real"), to_float),
    **dict.fromkeys(("char", "varchar", "nchar", "nvarchar", "xml"), to_text),
    **dict.fromkeys(("binary", "varbinary", "timestamp"), to_binary),
    **dict.fromkeys(DATE_TYPES, _to_date),
    "uniqueidentifier": _to_uuid,
}


def truncate(number: Decimal, scale: int) -> Decimal:
    """Cut a decimal to a scale, as division of decimals does."""
    return number.quantize(Decimal(1).scaleb(-scale), ROUND_DOWN, EXACT)


def assign(value: object, source: SqlType, target: SqlType) -> object:
    """Convert for SET @v = value; a value of a (max) type into a (max) variable is not touched."""
    if value is None or source == target:
        return value
    if source.name == target.name and target.length == MAX:
        return value
    return convert(value, source, target, implicit=True)
