"""To bit, integers, decimal, money and float."""

from __future__ import annotations

import datetime as dt
import math
import struct
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.scalar.facts import (
    EXACT,
    INTEGER_RANGES,
    Bytes,
    refused,
    type_name,
)

MONEY_LIMIT = {"money": Decimal(2**63) / 10000, "smallmoney": Decimal(2**31) / 10000}


def to_bit(value: object, source: SqlType, target: SqlType, style: int) -> object:
    if isinstance(value, str):
        text = value.strip().lower()
        if text in ("true", "false"):
            return text == "true"
        return to_integer(value, source, target, style) != 0
    if isinstance(value, Bytes):
        return any(value[-1:])
    if isinstance(value, (int, float, Decimal)):
        return value != 0
    raise refused(source, target)


def to_integer(value: object, source: SqlType, target: SqlType, style: int) -> object:
    if isinstance(value, str):
        number = _integer_of_text(value, source, target)
    elif isinstance(value, (int, float, Decimal)):
        if isinstance(value, float) and not math.isfinite(value):
            raise SqlError.of(8115, "expression", target.name, state=2)
        number = int(value)  # towards zero, as T-SQL does
        if source.name in ("money", "smallmoney"):
            number = int(Decimal(value).to_integral_value(ROUND_HALF_UP))
    elif isinstance(value, Bytes):
        size = {"tinyint": 1, "smallint": 2, "int": 4, "bigint": 8}[target.name]
        number = int.from_bytes(bytes(value[-size:]).rjust(size, b"\0"), "big")
        if target.name != "tinyint" and number >= 1 << (8 * size - 1):
            number -= 1 << (8 * size)
    elif isinstance(value, dt.datetime) and source.name in ("datetime", "smalldatetime"):
        number = int(_days_since_1900(value) + Decimal("0.5"))
    else:
        raise refused(source, target)
    low, high = INTEGER_RANGES.get(target.name, (-(2**63), 2**63 - 1))
    if low <= number <= high:
        return number
    raise _integer_overflow(value, number, source, target)


def _integer_of_text(text: str, source: SqlType, target: SqlType) -> int:
    stripped = text.strip(" \t\r\n")
    if not stripped:
        return 0
    unsigned = stripped[1:].lstrip() if stripped[0] in "+-" else stripped
    if unsigned.isascii() and unsigned.isdigit():
        return -int(unsigned) if stripped[0] == "-" else int(unsigned)
    if target.name == "bigint":
        raise SqlError.of(8114, source.name, "bigint", state=5)
    raise SqlError.of(245, source.name, text[:2000], target.name)


def _integer_overflow(value: object, number: int, source: SqlType, target: SqlType) -> SqlError:
    if isinstance(value, str):
        if target.name == "int":
            return SqlError(
                248,
                f"The conversion of the {source.name} value '{value}' overflowed an int column.",
            )
        if target.name in ("tinyint", "smallint"):
            size = {"tinyint": "INT1", "smallint": "INT2"}[target.name]
            return SqlError(
                244,
                f"The conversion of the {source.name} value '{value}' overflowed an {size} column. "
                "Use a larger integer column.",
                state=1 if size == "INT1" else 2,
            )
    if target.name in ("tinyint", "smallint") and isinstance(value, int):
        return SqlError.of(220, target.name, str(number), state=2)
    return SqlError.of(8115, "expression", target.name, state=2)


def to_decimal(value: object, source: SqlType, target: SqlType, style: int) -> object:
    number = _decimal_of(value, source, target)
    money = target.name in MONEY_LIMIT
    scale = 4 if money else target.scale or 0
    try:
        rounded = number.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, EXACT)
    except InvalidOperation:
        raise _decimal_overflow(source, target) from None
    limit = MONEY_LIMIT[target.name] if money else Decimal(10) ** ((target.precision or 18) - scale)
    if abs(rounded) >= limit and not (money and rounded == -limit):
        raise _decimal_overflow(source, target)
    return rounded


def _decimal_overflow(source: SqlType, target: SqlType) -> SqlError:
    return SqlError.of(8115, type_name(source), type_name(target), state=8)


def _decimal_of(value: object, source: SqlType, target: SqlType) -> Decimal:
    if isinstance(value, (bool, int, Decimal)):
        return Decimal(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _decimal_overflow(source, target)
        # 15 digits are what a float is good for; SQL Server stops there too
        return Decimal(f"{value:.15g}") if abs(value) < 1e15 else Decimal(value)
    if isinstance(value, str):
        text = value.strip(" \t\r\n")
        if target.name in MONEY_LIMIT:
            text = text.replace(",", "").replace("$", "") or "0"
        try:
            if "e" in text.lower() or "_" in text or not text:
                raise InvalidOperation
            number = Decimal(text)
        except InvalidOperation:
            if target.name in MONEY_LIMIT:
                raise SqlError(
                    235,
                    "Cannot convert a char value to money. The char value has incorrect syntax.",
                ) from None
            raise SqlError.of(8114, source.name, "numeric", state=5) from None
        if number.is_finite():
            return number
        raise SqlError.of(8114, source.name, type_name(target), state=5)
    if isinstance(value, dt.datetime) and source.name in ("datetime", "smalldatetime"):
        return _days_since_1900(value)
    if isinstance(value, Bytes) and target.name in MONEY_LIMIT:
        return Decimal(int.from_bytes(bytes(value[-8:]), "big", signed=True)).scaleb(-4)
    raise refused(source, target)


def to_float(value: object, source: SqlType, target: SqlType, style: int) -> object:
    if isinstance(value, str):
        text = value.strip(" \t\r\n")
        try:
            if "_" in text or text.lower().strip("+-") in ("nan", "inf", "infinity"):
                raise ValueError
            number = float(text) if text else 0.0
        except ValueError:
            raise SqlError.of(8114, source.name, target.name, state=5) from None
    elif isinstance(value, (int, float, Decimal)):
        number = float(value)
    elif isinstance(value, dt.datetime) and source.name in ("datetime", "smalldatetime"):
        number = float(_days_since_1900(value))
    else:
        raise refused(source, target)
    if target.name == "real" and math.isfinite(number):
        if abs(number) > 3.4028235677973366e38:
            raise SqlError(232, f"Arithmetic overflow error for type real, value = {number:f}.")
        return single(number)
    return number


def single(number: float) -> float:
    """The nearest single-precision value."""
    return float(struct.unpack("f", struct.pack("f", number))[0])


def _days_since_1900(value: dt.datetime) -> Decimal:
    since = value - dt.datetime(1900, 1, 1)
    return Decimal(since // dt.timedelta(microseconds=1)) / Decimal(86_400_000_000)
