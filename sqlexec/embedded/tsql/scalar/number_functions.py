"""Functions of numbers: ABS, ROUND, POWER, LOG, RAND ..."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from sqlexec.embedded.sqltypes import BIGINT, FLOAT, INT, SqlType
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.scalar.builtins import integer
from sqlexec.embedded.tsql.scalar.conversions import convert
from sqlexec.embedded.tsql.scalar.facts import INTEGER_RANGES
from sqlexec.embedded.tsql.scalar.registry import Typed, builtin


def _numeric(argument: Typed) -> Typed:
    """A number as it is; text as float; bit as int."""
    value, type = argument
    if type.is_text:
        return convert(value, type, FLOAT), FLOAT
    if type.name == "bit":
        return (None if value is None else int(bool(value))), INT
    return value, type


@builtin("ABS")
def _abs(argument: Typed) -> Typed:
    value, type = _numeric(argument)
    return (None if value is None else convert(abs(value), None, type)), type  # type: ignore[arg-type]


@builtin("SIGN")
def _sign(argument: Typed) -> Typed:
    value, type = _numeric(argument)
    if value is None:
        return None, type
    return convert((value > 0) - (value < 0), INT, type), type  # type: ignore[operator]


def _rounding(name: str, mode: str, whole: Callable[[float], int]) -> None:
    def function(argument: Typed) -> Typed:
        value, type = _numeric(argument)
        kind = SqlType("decimal", None, type.precision, 0) if type.name == "decimal" else type
        if isinstance(value, Decimal):
            return value.to_integral_value(mode), kind
        return (float(whole(value)) if isinstance(value, float) else value), kind

    builtin(name)(function)


@builtin("ROUND")
def _round(number: Typed, length: Typed, cut: Typed = (0, INT)) -> Typed:
    value, type = _numeric(number)
    places = integer(length)
    if value is None or places is None:
        return None, type
    mode = ROUND_DOWN if integer(cut) else ROUND_HALF_UP
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)  # type: ignore[arg-type]
    places = min(places, 30)
    if exact.is_finite() and -places <= exact.adjusted() + 1:
        exact = exact.quantize(Decimal(1).scaleb(-places), mode)
    elif exact.is_finite():
        exact = Decimal(0)
    return convert(exact, SqlType("decimal", None, 38, 30), type), type


def _float_function(name: str, compute: Callable[[float], float]) -> None:
    def function(argument: Typed) -> Typed:
        value = convert(argument[0], argument[1], FLOAT)
        if not isinstance(value, float):
            return None, FLOAT
        try:
            return compute(value), FLOAT
        except (ValueError, OverflowError):
            raise SqlError(3623, "An invalid floating point operation occurred.") from None

    builtin(name)(function)


@builtin("LOG")
def _log(number: Typed, base: Typed = (math.e, FLOAT)) -> Typed:
    value, root = convert(number[0], number[1], FLOAT), convert(base[0], base[1], FLOAT)
    if not isinstance(value, float) or not isinstance(root, float):
        return None, FLOAT
    try:
        return (math.log(value) if root == math.e else math.log(value, root)), FLOAT
    except (ValueError, ZeroDivisionError):
        raise SqlError(3623, "An invalid floating point operation occurred.") from None


@builtin("PI")
def _pi() -> Typed:
    return math.pi, FLOAT


@builtin("POWER")
def _power(number: Typed, exponent: Typed) -> Typed:
    value, type = _numeric(number)
    power = convert(exponent[0], exponent[1], FLOAT)
    if value is None or not isinstance(power, float):
        return None, type
    try:
        if isinstance(value, int) and power >= 0 and power.is_integer() and power < 1024:
            result: object = value ** int(power)
        else:
            result = math.pow(float(value), power)  # type: ignore[arg-type]
    except (ValueError, ZeroDivisionError):
        raise SqlError(3623, "An invalid floating point operation occurred.") from None
    except OverflowError:
        raise SqlError.of(8115, "expression", type.name, state=2) from None
    if isinstance(result, int):
        if type.is_integer:
            low, high = INTEGER_RANGES[type.name]
            if not low <= result <= high:
                raise SqlError.of(8115, "expression", type.name, state=2)
        return convert(result, BIGINT, type), type
    return convert(result, FLOAT, type), type


@builtin("RAND")
def _rand(seed: Typed = (None, INT)) -> Typed:
    value = integer(seed)
    return (random.Random(value).random() if value is not None else random.random()), FLOAT  # noqa: S311


@builtin("ISNUMERIC")
def _isnumeric(argument: Typed) -> Typed:
    try:
        return int(convert(argument[0], argument[1], FLOAT) is not None), INT
    except SqlError:
        return 0, INT


_rounding("FLOOR", ROUND_FLOOR, math.floor)
_rounding("CEILING", ROUND_CEILING, math.ceil)


for _name, _compute in {
    "SQRT": math.sqrt, "EXP": math.exp, "LOG10": math.log10, "SIN": math.sin, "COS": math.cos,
    "TAN": math.tan, "SQUARE": lambda x: x * x,
}.items():  # fmt: skip
    _float_function(_name, _compute)
