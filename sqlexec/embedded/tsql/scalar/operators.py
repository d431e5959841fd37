"""Operators on T-SQL values: arithmetic with its result types, concatenation, comparison.

Texts are compared by code point, with trailing blanks ignored: the stand-in's one collation is
Latin1_General_100_BIN2 (SERVERPROPERTY('Collation') says so), where a real server's default
ignores case.

Result types: learn.microsoft.com/sql/t-sql/data-types/precision-scale-and-length-transact-sql
"""

from __future__ import annotations

import datetime as dt
import operator
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlexec.embedded.sqltypes import MAX, SqlType
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.scalar.conversions import convert, truncate
from sqlexec.embedded.tsql.scalar.facts import (
    DATE_TYPES,
    EXACT,
    INTEGER_DIGITS,
    INTEGER_RANGES,
    Bytes,
    clash,
)
from sqlexec.embedded.tsql.scalar.registry import Typed
from sqlexec.embedded.tsql.scalar.typing_rules import common_type, decimal_result

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip
_BITS: dict[str, Callable[[int, int], int]] = {
    "&": operator.and_, "|": operator.or_, "^": operator.xor,
}  # fmt: skip
_NAMES = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "modulo"}


def binary(sign: str, left: Typed, right: Typed) -> Typed:
    """Apply + - * / % & | ^; NULL in, NULL out.

    Raises
    ------
    SqlError
        8115 (overflow), 8134 (division by zero), 402, 8117 (types that do not fit), 245, 8114.

    Example
    -------
    >>> binary("/", (7, SqlType("int")), (2, SqlType("int")))
    (3, SqlType(name='int', length=None, precision=None, scale=None))
    """
    left_type, right_type = left[1], right[1]
    if sign == "+":
        if left_type.is_text and right_type.is_text:
            return _concatenate(left, right)
        if left_type.is_binary and right_type.is_binary:
            return _concatenate_bytes(left, right)
    if left_type.name in DATE_TYPES or right_type.name in DATE_TYPES:
        return _date_arithmetic(sign, left, right)
    kind = common_type(left_type, right_type)
    if kind.name == "bit":
        kind = SqlType("int")
    if kind.is_text or kind.is_binary or kind.name in ("uniqueidentifier", "xml"):
        raise SqlError(
            8117 if left_type == right_type else 402,
            f"The data types {left_type.name} and {right_type.name} are incompatible in the "
            f"{_NAMES.get(sign, 'boolean')} operator.",
        )
    if kind.name == "decimal":
        return _decimal_arithmetic(sign, _as_decimal(left, kind), _as_decimal(right, kind))
    a = convert(left[0], left_type, kind)
    b = convert(right[0], right_type, kind)
    if a is None or b is None:
        return None, kind
    if kind.name in ("float", "real"):
        return convert(_float(sign, a, b), SqlType("float"), kind), kind
    if kind.name in ("money", "smallmoney"):
        value, _ = _decimal_arithmetic(sign, (a, _MONEY), (b, _MONEY))
        return convert(value, None, kind), kind
    return _integer(sign, a, b, kind), kind


def _integer(sign: str, a: Any, b: Any, kind: SqlType) -> int:
    if sign in _BITS:
        return _BITS[sign](a, b)
    if sign in "/%":
        if b == 0:
            raise SqlError.of(8134)
        quotient = abs(a) // abs(b)
        quotient = quotient if (a < 0) == (b < 0) else -quotient  # towards zero
        result = quotient if sign == "/" else a - b * quotient
    else:
        result = a + b if sign == "+" else a - b if sign == "-" else a * b
    low, high = INTEGER_RANGES[kind.name]
    if not low <= result <= high:
        raise SqlError.of(8115, "expression", kind.name, state=2)
    return int(result)


def _float(sign: str, a: Any, b: Any) -> float:
    if sign in "/%" and b == 0:
        raise SqlError.of(8134)
    try:
        if sign in "+-*/":
            result: float = {
                "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv
            }[sign](a, b)  # fmt: skip
            if result in (float("inf"), float("-inf")):
                raise OverflowError
            return result
    except OverflowError:
        raise SqlError.of(8115, "expression", "float", state=2) from None
    raise SqlError(402, f"The data types float and float are incompatible in the {sign} operator.")


_MONEY = SqlType("decimal", None, 19, 4)


def _as_decimal(typed: Typed, kind: SqlType) -> Typed:
    value, type = typed
    if type.name in INTEGER_DIGITS:
        exact = SqlType("decimal", None, INTEGER_DIGITS[type.name], 0)
    elif type.name == "decimal":
        return typed
    elif type.name in ("money", "smallmoney"):
        exact = _MONEY
    else:
        exact = kind
    return convert(value, type, exact), exact


def _decimal_arithmetic(sign: str, left: Typed, right: Typed) -> Typed:
    (a, t1), (b, t2) = left, right
    kind = decimal_result(sign, t1, t2)
    if not isinstance(a, Decimal) or not isinstance(b, Decimal):
        return None, kind
    scale = kind.scale or 0
    if sign in "/%":
        if b == 0:
            raise SqlError.of(8134)
        result = truncate(EXACT.divide(a, b), scale) if sign == "/" else EXACT.remainder(a, b)
    elif sign in "+-*":
        operation = {"+": EXACT.add, "-": EXACT.subtract, "*": EXACT.multiply}[sign]
        result = operation(a, b)
    else:
        raise SqlError(
            402, f"The data types numeric and numeric are incompatible in the {sign} operator."
        )
    return convert(result, None, kind), kind


def _concatenate(left: Typed, right: Typed) -> Typed:
    (a, t1), (b, t2) = left, right
    national = "n" in (t1.name[0], t2.name[0])
    fixed = t1.name in ("char", "nchar") and t2.name in ("char", "nchar")
    name = ("n" if national else "") + ("char" if fixed else "varchar")
    if MAX in (t1.length, t2.length):
        kind = SqlType(("n" if national else "") + "varchar", MAX)
    else:
        limit = 4000 if national else 8000
        kind = SqlType(name, min((t1.length or 0) + (t2.length or 0), limit))
    if a is None or b is None:
        return None, kind
    text = str(a) + str(b)
    return (text if kind.length == MAX else text[: kind.length]), kind


def _concatenate_bytes(left: Typed, right: Typed) -> Typed:
    (a, t1), (b, t2) = left, right
    if MAX in (t1.length, t2.length):
        kind = SqlType("varbinary", MAX)
    else:
        kind = SqlType("varbinary", min((t1.length or 8) + (t2.length or 8), 8000))
    if not isinstance(a, Bytes) or not isinstance(b, Bytes):
        return None, kind
    data = bytes(a) + bytes(b)
    return (data if kind.length == MAX else data[: kind.length]), kind


def _date_arithmetic(sign: str, left: Typed, right: Typed) -> Typed:
    """datetime and smalldatetime can be added to and subtracted from; the other types cannot."""
    for _, kind in (left, right):
        if kind.name in DATE_TYPES - {"datetime", "smalldatetime"}:
            other = right[1] if kind is left[1] else left[1]
            if other.name in INTEGER_DIGITS:
                raise clash(kind, other)
            raise SqlError(
                402,
                f"The data types {left[1].name} and {right[1].name} are incompatible in the "
                f"{_NAMES.get(sign, 'boolean')} operator.",
            )
    if sign not in "+-":
        raise SqlError(8117, f"Operand data type datetime is invalid for {_NAMES.get(sign, sign)} "
                             "operator.")  # fmt: skip
    kind = SqlType("datetime")
    a, b = (convert(value, type, kind) for value, type in (left, right))
    if not isinstance(a, dt.datetime) or not isinstance(b, dt.datetime):
        return None, kind
    zero = dt.datetime(1900, 1, 1)
    try:
        result = zero + ((a - zero) + (b - zero) if sign == "+" else a - b)
    except OverflowError:
        raise SqlError.of(8115, "expression", "datetime", state=2) from None
    return convert(result, SqlType("datetime2", None, None, 7), kind), kind


def compare(sign: str, left: Typed, right: Typed) -> bool | None:
    """Compare two values; None (unknown) if one is NULL.

    Example
    -------
    >>> compare("=", ("U", SqlType("varchar", 1)), ("U ", SqlType("char", 2)))
    True
    """
    (a, t1), (b, t2) = left, right
    if a is None or b is None:
        return None
    if t1 != t2:
        kind = common_type(t1, t2)
        a = convert(a, t1, kind, implicit=True)
        b = convert(b, t2, kind, implicit=True)
    if isinstance(a, str) and isinstance(b, str):
        a, b = a.rstrip(" "), b.rstrip(" ")
    elif isinstance(a, Bytes) and isinstance(b, Bytes):
        a, b = bytes(a).rstrip(b"\0"), bytes(b).rstrip(b"\0")
    elif isinstance(a, (dt.datetime, dt.date)) and type(a) is not type(b):
        raise clash(t1, t2)
    elif isinstance(a, uuid.UUID) and isinstance(b, uuid.UUID):
        a, b = _uuid_order(a), _uuid_order(b)
    return _COMPARE[sign](a, b)


def _uuid_order(value: uuid.UUID) -> bytes:
    """SQL Server compares the last six bytes of a uniqueidentifier first."""
    raw = value.bytes_le
    return raw[10:] + raw[8:10] + raw[6:8] + raw[4:6] + raw[:4]
