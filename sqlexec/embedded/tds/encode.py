"""T-SQL types and values to the wire: TYPE_INFO and TYPE_VARBYTE (MS-TDS 2.2.5.4 to 2.2.5.6).

`type_info(type)` gives the bytes of a type, `encoder(type)` a function from a value to its
bytes, NULL included.  Every type is sent in its nullable form.  A long (max) value is not
copied into bytes: it becomes a `LargeCell` that the writer sends in place.
"""

from __future__ import annotations

import datetime as dt
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from sqlexec.embedded.sqltypes import MAX, SqlType
from sqlexec.embedded.tds import types as wire
from sqlexec.embedded.tds.packets import Buffer
from sqlexec.embedded.tsql.errors import SqlError

LARGE = 1 << 15  # bytes from which a (max) value is sent in place

_NULL_BYTE = b"\x00"
_NULL_U16 = b"\xff\xff"
_NULL_PLP = b"\xff" * 8
_PLP_HEAD = struct.Struct("<QI")  # total length, length of the only chunk
_PLP_TAIL = bytes(4)
_EMPTY_PLP = bytes(12)
_U16 = struct.Struct("<H")
_EPOCH_1900 = dt.date(1900, 1, 1).toordinal()
_UTC = dt.timezone.utc


@dataclass(frozen=True, slots=True)
class LargeCell:
    """A (max) value too long to be copied."""

    data: memoryview

    @property
    def head(self) -> bytes:
        return _PLP_HEAD.pack(len(self.data), len(self.data))

    tail = _PLP_TAIL


Cell = bytes | LargeCell
Encoder = Callable[[object], Cell]


def is_plp(kind: SqlType) -> bool:
    """Whether values of the type are sent partially length-prefixed."""
    return kind.length == MAX or kind.name == "xml"


# --- TYPE_INFO -----------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def type_info(kind: SqlType) -> bytes:
    """The TYPE_INFO of a type, nullable.

    Example
    -------
    >>> type_info(SqlType("int")).hex()
    '2604'
    """
    name, length = kind.name, kind.length or 1
    if name in _SIZED:
        return bytes(_SIZED[name])
    if name == "date":
        return bytes([wire.DATEN])
    if name in _SCALED:
        return bytes([_SCALED[name], _scale(kind)])
    if name == "decimal":
        precision = kind.precision or 18
        return bytes([wire.NUMERICN, 17, precision, kind.scale or 0])
    if name in ("varbinary", "binary"):
        token = wire.BIGVARBIN if name == "varbinary" else wire.BIGBINARY
        return bytes([token]) + (_NULL_U16 if length == MAX else _U16.pack(length))
    if name == "timestamp":
        return bytes([wire.BIGBINARY]) + _U16.pack(8)
    if name == "xml":
        return bytes([wire.XML, 0])
    if name == "sql_variant":
        return bytes([wire.SSVARIANT]) + struct.pack("<I", 8009)
    size = length if length == MAX or name in ("varchar", "char") else 2 * length
    return bytes([_TEXT[name]]) + (_NULL_U16 if size == MAX else _U16.pack(size)) + wire.COLLATION


def _scale(kind: SqlType) -> int:
    return 7 if kind.scale is None else kind.scale


_SIZED = {
    "bit": (wire.BITN, 1),
    "tinyint": (wire.INTN, 1),
    "smallint": (wire.INTN, 2),
    "int": (wire.INTN, 4),
    "bigint": (wire.INTN, 8),
    "real": (wire.FLTN, 4),
    "float": (wire.FLTN, 8),
    "smallmoney": (wire.MONEYN, 4),
    "money": (wire.MONEYN, 8),
    "smalldatetime": (wire.DATETIMN, 4),
    "datetime": (wire.DATETIMN, 8),
    "uniqueidentifier": (wire.GUID, 16),
}
_SCALED = {
    "time": wire.TIMEN,
    "datetime2": wire.DATETIME2N,
    "datetimeoffset": wire.DATETIMEOFFSETN,
}
_TEXT = {
    "varchar": wire.BIGVARCHR,
    "char": wire.BIGCHAR,
    "nvarchar": wire.NVARCHAR,
    "nchar": wire.NCHAR,
}


# --- values --------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def encoder(kind: SqlType) -> Encoder:
    """The function that encodes values of a type.

    It raises `SqlError` 8115 or 8152 when a value does not fit the type it is said to have.
    """
    name = kind.name
    if is_plp(kind):
        return _plp_binary if kind.is_binary else _plp_text(name)
    if kind.is_text:
        return _short_text(kind)
    if kind.is_binary:
        return _short_binary(kind)
    if name == "sql_variant":
        return _variant
    return _with_length(kind, raw_encoder(kind))


@lru_cache(maxsize=1024)
def raw_encoder(kind: SqlType) -> Callable[[object], bytes]:
    """Encodes a value that is not NULL, without its length."""
    name = kind.name
    if name in _PACK:
        return _PACK[name]
    if name == "decimal":
        return _decimal(kind.scale or 0, 4 * (_decimal_size(kind) // 4))
    return {
        "money": _money,
        "smallmoney": lambda value: struct.pack("<i", _scaled(value, 4)),
        "date": _date_bytes,
        "time": lambda value: _time_bytes(value, _scale(kind)),
        "datetime": _datetime,
        "smalldatetime": _smalldatetime,
        "datetime2": lambda value: _datetime2(value, _scale(kind)),
        "datetimeoffset": lambda value: _datetimeoffset(value, _scale(kind)),
        "uniqueidentifier": _guid,
    }[name]


def _decimal_size(kind: SqlType) -> int:
    precision = kind.precision or 18
    return 5 if precision <= 9 else 9 if precision <= 19 else 13 if precision <= 28 else 17


def _with_length(kind: SqlType, encode: Callable[[object], bytes]) -> Encoder:
    def encode_nullable(value: object) -> bytes:
        if value is None:
            return _NULL_BYTE
        try:
            data = encode(value)
        except (struct.error, ValueError, OverflowError, ArithmeticError):
            raise SqlError.of(8115, "expression", kind) from None
        return bytes((len(data),)) + data

    return encode_nullable


def _packer(format_: str) -> Callable[[object], bytes]:
    return struct.Struct(format_).pack


_PACK: dict[str, Callable[[object], bytes]] = {
    "bit": lambda value: b"\x01" if value else b"\x00",
    "tinyint": _packer("<B"),
    "smallint": _packer("<h"),
    "int": _packer("<i"),
    "bigint": _packer("<q"),
    "real": _packer("<f"),
    "float": _packer("<d"),
}


def _scaled(value: object, scale: int) -> int:
    """A number as an integer of its last digit."""
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    shifted = wire.DECIMALS.scaleb(number, scale)
    return int(shifted.to_integral_value(ROUND_HALF_UP, wire.DECIMALS))


def _decimal(scale: int, size: int) -> Callable[[object], bytes]:
    def encode(value: object) -> bytes:
        number = _scaled(value, scale)
        sign = b"\x01" if number >= 0 else b"\x00"
        return sign + abs(number).to_bytes(size, "little")

    return encode


def _money(value: object) -> bytes:
    number = _scaled(value, 4)
    return struct.pack("<iI", number >> 32, number & 0xFFFFFFFF)


def _guid(value: object) -> bytes:
    return (value if isinstance(value, uuid.UUID) else uuid.UUID(str(value))).bytes_le


def _date_bytes(value: object) -> bytes:
    assert isinstance(value, dt.date)
    return (value.toordinal() - 1).to_bytes(3, "little")


def _micros(value: dt.time | dt.datetime) -> int:
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return seconds * 1_000_000 + value.microsecond


def _time_bytes(value: object, scale: int) -> bytes:
    assert isinstance(value, (dt.time, dt.datetime))
    ticks: int = _micros(value) * 10 // 10 ** (7 - scale)
    return ticks.to_bytes(wire.time_size(scale), "little")


def _datetime2(value: object, scale: int) -> bytes:
    value = _as_datetime(value)
    return _time_bytes(value, scale) + _date_bytes(value)


def _datetimeoffset(value: object, scale: int) -> bytes:
    value = _as_datetime(value)
    offset = value.utcoffset() or dt.timedelta()
    utc = (value - offset).replace(tzinfo=None)
    minutes = offset // dt.timedelta(minutes=1)
    return _datetime2(utc, scale) + struct.pack("<h", minutes)


def _as_datetime(value: object) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return value
    assert isinstance(value, dt.date)
    return dt.datetime(value.year, value.month, value.day)


def _datetime(value: object) -> bytes:
    value = _as_datetime(value)
    ticks = (_micros(value) * 3 + 5000) // 10000
    days, ticks = divmod(ticks, 300 * 86400)
    return struct.pack("<iI", value.toordinal() - _EPOCH_1900 + days, ticks)


def _smalldatetime(value: object) -> bytes:
    value = _as_datetime(value)
    days, minutes = divmod((_micros(value) + 30_001_000) // 60_000_000, 1440)  # 29.999 s go up
    return struct.pack("<HH", value.toordinal() - _EPOCH_1900 + days, minutes)


# --- text and bytes ------------------------------------------------------------------------


def encode_utf16(value: object) -> bytes:
    return str(value).encode("utf-16-le", "surrogatepass")


def encode_cp1252(value: object) -> bytes:
    """What code page 1252 lacks becomes '?', as in a real server."""
    text = str(value)
    try:
        return text.encode("cp1252")
    except UnicodeEncodeError:
        return b"".join(_CP1252.get(each) or each.encode("cp1252", "replace") for each in text)


# The five code points that Windows maps onto the holes of the code page
_CP1252 = {chr(byte): bytes([byte]) for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}


def _short_text(kind: SqlType) -> Encoder:
    wide = kind.name in ("nvarchar", "nchar")
    encode = encode_utf16 if wide else encode_cp1252
    limit = (kind.length or 1) * (2 if wide else 1)

    def encode_nullable(value: object) -> bytes:
        if value is None:
            return _NULL_U16
        data = encode(value)
        if len(data) > limit:
            raise SqlError.of(8152)
        return _U16.pack(len(data)) + data

    return encode_nullable


def _short_binary(kind: SqlType) -> Encoder:
    limit = 8 if kind.name == "timestamp" else kind.length or 1

    def encode_nullable(value: object) -> bytes:
        if value is None:
            return _NULL_U16
        data = bytes(value)  # type: ignore[call-overload]
        if len(data) > limit:
            raise SqlError.of(8152)
        return bytes(_U16.pack(len(data)) + data)

    return encode_nullable


def _plp_text(name: str) -> Encoder:
    encode = encode_cp1252 if name == "varchar" else encode_utf16
    return lambda value: _NULL_PLP if value is None else plp(encode(value))


def _plp_binary(value: object) -> Cell:
    return _NULL_PLP if value is None else plp(value)  # type: ignore[arg-type]


def plp(data: Buffer) -> Cell:
    """Bytes with the lengths of a (max) value: one chunk (MS-TDS 2.2.5.2.3)."""
    size = len(data) if isinstance(data, (bytes, bytearray)) else data.nbytes
    if size >= LARGE:
        return LargeCell(memoryview(data).cast("B"))
    return _PLP_HEAD.pack(size, size) + bytes(data) + _PLP_TAIL if size else _EMPTY_PLP


# --- sql_variant ---------------------------------------------------------------------------


def _variant(value: object) -> bytes:
    """A value with its own type before it (MS-TDS 2.2.5.5.4)."""
    if value is None:
        return bytes(4)
    token, properties, data = _variant_parts(value)
    body = bytes([token, len(properties)]) + properties + data
    return struct.pack("<I", len(body)) + body


def _variant_parts(value: object) -> tuple[int, bytes, bytes]:
    if isinstance(value, bool):
        return wire.BIT, b"", _PACK["bit"](value)
    if isinstance(value, int):
        small = -(1 << 31) <= value < 1 << 31
        return (wire.INT4, b"", _PACK["int"](value)) if small else (
            wire.INT8, b"", _PACK["bigint"](value))  # fmt: skip
    if isinstance(value, float):
        return wire.FLT8, b"", _PACK["float"](value)
    if isinstance(value, Decimal):
        scale = max(0, -int(value.as_tuple().exponent))
        return wire.NUMERICN, bytes([38, scale]), _decimal(scale, 16)(value)
    if isinstance(value, dt.datetime):
        return wire.DATETIME2N, b"\x07", _datetime2(value.replace(tzinfo=None), 7)
    if isinstance(value, dt.date):
        return wire.DATEN, b"", _date_bytes(value)
    if isinstance(value, uuid.UUID):
        return wire.GUID, b"", value.bytes_le
    if isinstance(value, (bytes, bytearray, memoryview)):
        return wire.BIGVARBIN, _U16.pack(8000), bytes(value)[:8000]
    return wire.NVARCHAR, wire.COLLATION + _U16.pack(8000), encode_utf16(value)[:8000]
