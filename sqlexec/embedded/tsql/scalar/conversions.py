"""Conversion of values between T-SQL types, as CAST and assignment to a variable do it.

`convert` is the one way in.  By the family of the target it goes to one small function:

    value --> bit, integers, decimal and money, float | text | binary | dates | uniqueidentifier

Rules: learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql and "Data type
conversion"; numbers and texts of errors as sys.messages has them.
"""

from __future__ import annotations

import datetime as dt
import math
import uuid
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, InvalidOperation

from sqlexec.embedded.sqltypes import MAX, SqlType
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.scalar.dates import format_date, to_date_type

# Highest first: an operator converts its operand of lower precedence to the other's type.
# learn.microsoft.com/sql/t-sql/data-types/data-type-precedence-transact-sql
_PRECEDENCE = (
    "sql_variant", "xml", "datetimeoffset", "datetime2", "datetime", "smalldatetime", "date",
    "time", "float", "real", "decimal", "money", "smallmoney", "bigint", "int", "smallint",
    "tinyint", "bit", "timestamp", "uniqueidentifier", "nvarchar", "nchar", "varchar", "char",
    "varbinary", "binary",
)  # fmt: skip
PRECEDENCE = {name: len(_PRECEDENCE) - i for i, name in enumerate(_PRECEDENCE)}
INTEGER_RANGES = {
    "tinyint": (0, 255),
    "smallint": (-(2**15), 2**15 - 1),
    "int": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}
INTEGER_DIGITS = {"bit": 1, "tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}
_MONEY_LIMIT = {"money": Decimal(2**63) / 10000, "smallmoney": Decimal(2**31) / 10000}
DATE_TYPES = frozenset({"date", "time", "datetime", "smalldatetime", "datetime2", "datetimeoffset"})
EXACT = Context(prec=100)  # wide enough for any product of two decimals
_ZERO_PADDED = {"char", "nchar"}

Bytes = (bytes, bytearray, memoryview)


def type_name(type: SqlType) -> str:
    """A type's name as error texts spell it."""
    return "numeric" if type.name == "decimal" else type.name


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


def common_type(left: SqlType, right: SqlType) -> SqlType:
    """The type of the higher precedence, wide enough for both."""
    high, low = (left, right) if PRECEDENCE[left.name] >= PRECEDENCE[right.name] else (right, left)
    if high.name == "decimal" and (low.name == "decimal" or low.name in INTEGER_DIGITS):
        low_scale = low.scale or 0
        low_whole = INTEGER_DIGITS.get(low.name, (low.precision or 0) - low_scale)
        scale = max(high.scale or 0, low_scale)
        whole = max((high.precision or 0) - (high.scale or 0), low_whole)
        return SqlType("decimal", None, min(whole + scale, 38), min(scale, 38))
    if high.length is not None and low.length is not None:
        longest = MAX if MAX in (high.length, low.length) else max(high.length, low.length)
        return SqlType(high.name, longest)
    return high


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


def clash(source: SqlType, target: SqlType) -> SqlError:
    return SqlError(
        206,
        f"Operand type clash: {type_name(source)} is incompatible with {type_name(target)}",
        state=2,
    )


def _refused(source: SqlType, target: SqlType) -> SqlError:
    return SqlError(
        529,
        f"Explicit conversion from data type {type_name(source)} to {type_name(target)} is not "
        "allowed.",
    )


# --- numbers -----------------------------------------------------------------------------


def _to_bit(value: object, source: SqlType, target: SqlType, style: int) -> object:
    if isinstance(value, str):
        text = value.strip().lower()
        if text in ("true", "false"):
            return text == "true"
        return _to_integer(value, source, target, style) != 0
    if isinstance(value, Bytes):
        return any(value[-1:])
    if isinstance(value, (int, float, Decimal)):
        return value != 0
    raise _refused(source, target)


def _to_integer(value: object, source: SqlType, target: SqlType, style: int) -> object:
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
        raise _refused(source, target)
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


def _to_decimal(value: object, source: SqlType, target: SqlType, style: int) -> object:
    number = _decimal_of(value, source, target)
    money = target.name in _MONEY_LIMIT
    scale = 4 if money else target.scale or 0
    try:
        rounded = number.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, EXACT)
    except InvalidOperation:
        raise _decimal_overflow(source, target) from None
    limit = (
        _MONEY_LIMIT[target.name] if money else Decimal(10) ** ((target.precision or 18) - scale)
    )
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
        if target.name in _MONEY_LIMIT:
            text = text.replace(",", "").replace("$", "") or "0"
        try:
            if "e" in text.lower() or "_" in text or not text:
                raise InvalidOperation
            number = Decimal(text)
        except InvalidOperation:
            if target.name in _MONEY_LIMIT:
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
    if isinstance(value, Bytes) and target.name in _MONEY_LIMIT:
        return Decimal(int.from_bytes(bytes(value[-8:]), "big", signed=True)).scaleb(-4)
    raise _refused(source, target)


def _to_float(value: object, source: SqlType, target: SqlType, style: int) -> object:
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
        raise _refused(source, target)
    if target.name == "real" and math.isfinite(number):
        if abs(number) > 3.4028235677973366e38:
            raise SqlError(232, f"Arithmetic overflow error for type real, value = {number:f}.")
        return single(number)
    return number


def single(number: float) -> float:
    """The nearest single-precision value."""
    import struct

    return float(struct.unpack("f", struct.pack("f", number))[0])


def _days_since_1900(value: dt.datetime) -> Decimal:
    since = value - dt.datetime(1900, 1, 1)
    return Decimal(since // dt.timedelta(microseconds=1)) / Decimal(86_400_000_000)


# --- text and bytes ----------------------------------------------------------------------


def _to_text(value: object, source: SqlType, target: SqlType, style: int) -> object:
    text = value if isinstance(value, str) else text_of(value, source, style)
    limit = target.length
    if limit is None or limit == MAX:
        return text
    if len(text) > limit:
        if not isinstance(value, (str, *Bytes)) and source.name not in DATE_TYPES:
            return _number_too_long(value, source, target)
        text = text[:limit]
    return text.ljust(limit) if target.name in _ZERO_PADDED else text


def _number_too_long(value: object, source: SqlType, target: SqlType) -> str:
    if source.name == "uniqueidentifier":
        raise SqlError(
            8170, "Insufficient result space to convert uniqueidentifier value to char.", state=2
        )
    if source.is_integer and target.name in ("char", "varchar"):
        return "*"  # T-SQL's way to tell an integer that does not fit
    what = "expression" if source.is_integer else type_name(source)
    raise SqlError.of(8115, what, target.name, state=5)


def text_of(value: object, source: SqlType, style: int = 0) -> str:
    """The text of a value, as CAST(value AS varchar(max)) gives it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _text_of_float(value, style)
    if isinstance(value, Decimal):
        if source.name in _MONEY_LIMIT:
            number = value.quantize(Decimal("0.0001" if style == 2 else "0.01"), ROUND_HALF_UP)
            return f"{number:,f}" if style == 1 else f"{number:f}"
        return f"{value:f}"
    if isinstance(value, Bytes):
        data = bytes(value)
        if style in (1, 2):
            return ("0x" if style == 1 else "") + data.hex().upper()
        return data.decode("cp1252", "replace")
    if isinstance(value, uuid.UUID):
        return str(value).upper()
    if isinstance(value, (dt.date, dt.time)):
        return format_date(value, source, style)
    raise SqlError(529, f"Explicit conversion from data type {source.name} to text is not allowed.")


def _text_of_float(value: float, style: int) -> str:
    if style in (1, 2, 3):
        digits = {1: 7, 2: 15, 3: 16}[style]
        mantissa, exponent = f"{value:.{digits}e}".split("e")
        return f"{mantissa}e{int(exponent):+04d}"
    text = f"{value:.6g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        return f"{mantissa}e{int(exponent):+04d}"
    return "0" if text == "-0" else text


def _to_binary(value: object, source: SqlType, target: SqlType, style: int) -> object:
    data: bytes | bytearray | memoryview
    if isinstance(value, Bytes):
        data = value
        limit = target.length
        if limit is not None and limit != MAX:
            data = data[:limit] if len(data) > limit else data
            if target.name == "binary" and len(data) < limit:
                data = bytes(data).ljust(limit, b"\0")
        return data
    if isinstance(value, str):
        data = _bytes_of_text(value, source, target, style)
        return _to_binary(data, source, target, 0)
    limit = target.length
    if isinstance(value, bool):
        data = bytes([value])
    elif isinstance(value, int):
        size = {"tinyint": 1, "smallint": 2, "int": 4}.get(source.name, 8)
        data = value.to_bytes(size, "big", signed=source.name != "tinyint")
    elif isinstance(value, uuid.UUID):
        data = value.bytes_le
    elif isinstance(value, float):
        import struct

        data = struct.pack(">f" if source.name == "real" else ">d", value)
    else:
        raise _refused(source, target)
    if limit is not None and limit != MAX and not isinstance(value, (uuid.UUID, float)):
        # numbers keep their low bytes and are padded on the left
        data = data[-limit:] if target.name != "binary" else data[-limit:].rjust(limit, b"\0")
        return data
    return _to_binary(data, source, target, 0)


def _bytes_of_text(text: str, source: SqlType, target: SqlType, style: int) -> bytes:
    if style in (1, 2):
        digits = text
        try:
            if style == 1:
                if text[:2].lower() != "0x":
                    raise ValueError
                digits = text[2:]
            if not digits.isascii() or any(character.isspace() for character in digits):
                raise ValueError
            return bytes.fromhex(digits)
        except ValueError:
            raise SqlError.of(8114, source.name, target.name, state=5) from None
    if source.name in ("nvarchar", "nchar", "xml"):
        return text.encode("utf-16-le", "surrogatepass")
    return text.encode("cp1252", "replace")


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
    raise _refused(source, target)


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
    "bit": _to_bit,
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), _to_integer),
    **dict.fromkeys(("decimal", "money", "smallmoney"), _to_decimal),
    **dict.fromkeys(("float", "real"), _to_float),
    **dict.fromkeys(("char", "varchar", "nchar", "nvarchar", "xml"), _to_text),
    **dict.fromkeys(("binary", "varbinary", "timestamp"), _to_binary),
    **dict.fromkeys(DATE_TYPES, _to_date),
    "uniqueidentifier": _to_uuid,
}


def truncate(number: Decimal, scale: int) -> Decimal:
    """Cut a decimal to a scale, as division of decimals does."""
    return number.quantize(Decimal(1).scaleb(-scale), ROUND_DOWN, EXACT)
