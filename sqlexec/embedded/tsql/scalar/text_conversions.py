"""To text and to bytes."""

from __future__ import annotations

import datetime as dt
import struct
import uuid
from decimal import ROUND_HALF_UP, Decimal

from sqlexec.embedded.sqltypes import MAX, SqlType
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.scalar.dates import format_date
from sqlexec.embedded.tsql.scalar.facts import (
    DATE_TYPES,
    Bytes,
    refused,
    type_name,
)
from sqlexec.embedded.tsql.scalar.number_conversions import (
    MONEY_LIMIT,
)

_ZERO_PADDED = {"char", "nchar"}


def to_text(value: object, source: SqlType, target: SqlType, style: int) -> object:
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
        if source.name in MONEY_LIMIT:
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


def to_binary(value: object, source: SqlType, target: SqlType, style: int) -> object:
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
        return to_binary(data, source, target, 0)
    limit = target.length
    if isinstance(value, bool):
        data = bytes([value])
    elif isinstance(value, int):
        size = {"tinyint": 1, "smallint": 2, "int": 4}.get(source.name, 8)
        data = value.to_bytes(size, "big", signed=source.name != "tinyint")
    elif isinstance(value, uuid.UUID):
        data = value.bytes_le
    elif isinstance(value, float):
        data = struct.pack(">f" if source.name == "real" else ">d", value)
    else:
        raise refused(source, target)
    if limit is not None and limit != MAX and not isinstance(value, (uuid.UUID, float)):
        # numbers keep their low bytes and are padded on the left
        data = data[-limit:] if target.name != "binary" else data[-limit:].rjust(limit, b"\0")
        return data
    return to_binary(data, source, target, 0)


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
