"""Types on the wire: the TYPE_INFO rule and the values of parameters (MS-TDS 2.2.5.4 to 2.2.5.6).

`read_type` reads a TYPE_INFO and gives the T-SQL type with the function that reads its values;
`encode.py` is the other direction.  Values are those of `sqltypes`.
"""

from __future__ import annotations

import datetime as dt
import struct
import uuid
from collections.abc import Callable
from decimal import Context, Decimal
from functools import lru_cache

from sqlexec.embedded.sqltypes import MAX, SqlType
from sqlexec.embedded.tds.packets import Buffer, MessageReader, ProtocolError, decode_utf16

Read = Callable[[MessageReader], object]
Decode = Callable[[bytes], object]

# Type tokens (MS-TDS 2.2.5.4)
NULL, INT1, BIT, INT2, INT4, DATETIM4, FLT4 = 0x1F, 0x30, 0x32, 0x34, 0x38, 0x3A, 0x3B
MONEY, DATETIME, FLT8, MONEY4, INT8 = 0x3C, 0x3D, 0x3E, 0x7A, 0x7F
GUID, INTN, BITN, DECIMALN, NUMERICN = 0x24, 0x26, 0x68, 0x6A, 0x6C
FLTN, MONEYN, DATETIMN = 0x6D, 0x6E, 0x6F
DATEN, TIMEN, DATETIME2N, DATETIMEOFFSETN = 0x28, 0x29, 0x2A, 0x2B
BIGVARBIN, BIGVARCHR, BIGBINARY, BIGCHAR, NVARCHAR, NCHAR = 0xA5, 0xA7, 0xAD, 0xAF, 0xE7, 0xEF
TEXT, IMAGE, NTEXT, XML, SSVARIANT, UDT, TABLE = 0x23, 0x22, 0x63, 0xF1, 0x62, 0xF0, 0xF3

# Collation of the server: LCID 0409, flags 00D0, SortId 52 (SQL_Latin1_General_CP1_CI_AS is the
# one that every client knows how to decode); varchar is code page 1252.
COLLATION = bytes.fromhex("0904D00034")

MAX_VALUE = (1 << 31) - 1  # bytes of a (max) value
VIEW_FROM = 1 << 16  # bytes of a binary value from which it is handed on as a memoryview

_PLP_NULL = (1 << 64) - 1
_PLP_UNKNOWN = (1 << 64) - 2
_NULL_U16 = 0xFFFF
_NULL_U32 = 0xFFFFFFFF
_EPOCH_1900 = dt.datetime(1900, 1, 1)
DECIMALS = Context(prec=76)


class UnsupportedType(Exception):
    """A type that SQL Server knows and the stand-in does not; the rest of the message is unread."""


# --- TYPE_INFO -----------------------------------------------------------------------------


def read_type(reader: MessageReader) -> tuple[SqlType, Read]:
    """Read a TYPE_INFO: the T-SQL type, and the function that reads a value of it."""
    token = reader.u8()
    if token in _FIXED:
        return _FIXED[token]
    if token in (INTN, BITN, FLTN, MONEYN, DATETIMN, GUID):
        return _sized(token, reader.u8())
    if token == DATEN:
        return _DATE
    if token in (TIMEN, DATETIME2N, DATETIMEOFFSETN):
        return _scaled(token, reader.u8())
    if token in (DECIMALN, NUMERICN):
        size, precision, scale = reader.read(3)
        return _decimal(size, precision, scale)
    if token in (BIGVARBIN, BIGBINARY):
        return _binary(token, reader.u16())
    if token in (BIGVARCHR, BIGCHAR, NVARCHAR, NCHAR):
        return _text(token, reader.u16(), reader.read(5))
    if token in (TEXT, NTEXT):
        reader.u32()
        return _long_text(token, reader.read(5))
    if token == IMAGE:
        reader.u32()
        return _IMAGE
    if token == XML:
        if reader.u8():
            raise UnsupportedType("xml parameters with a schema collection")
        return _XML
    known = {
        SSVARIANT: "sql_variant parameters",
        UDT: "CLR types",
        TABLE: "table-valued parameters",
    }
    if token in known:
        raise UnsupportedType(known[token])
    raise ProtocolError(f"0x{token:02X} is not a data type.")


@lru_cache(maxsize=64)
def _sized(token: int, size: int) -> tuple[SqlType, Read]:
    try:
        name = _SIZED[token, size]
    except KeyError:
        raise ProtocolError(f"Data type 0x{token:02X} has no length of {size} bytes.") from None
    decoders = {each: _DECODE[name] for (kind, each), name in _SIZED.items() if kind == token}
    return SqlType(name), _nullable(decoders)


@lru_cache(maxsize=64)
def _scaled(token: int, scale: int) -> tuple[SqlType, Read]:
    if scale > 7:
        raise ProtocolError(f"A time of scale {scale} is not allowed.")
    size = time_size(scale)
    if token == TIMEN:
        return SqlType("time", scale=scale), _nullable({size: lambda data: _time(data, scale)})
    if token == DATETIME2N:
        decoder: Decode = lambda data: _datetime2(data, scale)  # noqa: E731
        return SqlType("datetime2", scale=scale), _nullable({size + 3: decoder})
    decoder = lambda data: _datetimeoffset(data, scale)  # noqa: E731
    return SqlType("datetimeoffset", scale=scale), _nullable({size + 5: decoder})


@lru_cache(maxsize=256)
def _decimal(size: int, precision: int, scale: int) -> tuple[SqlType, Read]:
    if not (1 <= precision <= 38 and scale <= precision and 2 <= size <= 17):
        raise ProtocolError(f"decimal({precision},{scale}) is not allowed.")

    def decode(data: bytes) -> Decimal:
        magnitude = int.from_bytes(data[1:], "little")
        return DECIMALS.scaleb(Decimal(magnitude if data[0] else -magnitude), -scale)

    # FreeTDS sends as many bytes as the precision needs, others 5, 9, 13 or 17.
    decoders: dict[int, Decode] = dict.fromkeys(range(2, 18), decode)
    return SqlType("decimal", None, precision, scale), _nullable(decoders)


@lru_cache(maxsize=64)
def _binary(token: int, size: int) -> tuple[SqlType, Read]:
    if size == _NULL_U16 and token == BIGVARBIN:
        return SqlType("varbinary", MAX), lambda reader: _bytes(_plp(reader))
    name = "varbinary" if token == BIGVARBIN else "binary"
    return SqlType(name, _length(size)), lambda reader: _short(reader, size)


@lru_cache(maxsize=256)
def _text(token: int, size: int, collation: bytes) -> tuple[SqlType, Read]:
    wide = token in (NVARCHAR, NCHAR)
    decode = decode_utf16 if wide else decoder_of(collation)
    name = {NVARCHAR: "nvarchar", NCHAR: "nchar", BIGVARCHR: "varchar", BIGCHAR: "char"}[token]
    if size == _NULL_U16 and token in (NVARCHAR, BIGVARCHR):
        return SqlType(name, MAX), lambda reader: _decoded(_plp(reader), decode)
    length = _length(size) // 2 if wide else _length(size)
    return SqlType(name, max(length, 1)), lambda reader: _decoded(_short(reader, size), decode)


@lru_cache(maxsize=64)
def _long_text(token: int, collation: bytes) -> tuple[SqlType, Read]:
    wide = token == NTEXT
    decode = decode_utf16 if wide else decoder_of(collation)
    kind = SqlType("nvarchar" if wide else "varchar", MAX)
    return kind, lambda reader: _decoded(_long(reader), decode)


def _length(size: int) -> int:
    if size > 8000:
        raise ProtocolError(f"A declared length of {size} bytes is not allowed.")
    return max(size, 1)


# --- values --------------------------------------------------------------------------------


def _bytes(data: bytearray | None) -> object:
    """A binary value: bytes, or a memoryview when it is long, which saves a copy."""
    if data is None or len(data) < VIEW_FROM:
        return None if data is None else bytes(data)
    return memoryview(data).toreadonly()


def _plp(reader: MessageReader) -> bytearray | None:
    """Partially length-prefixed bytes: total length, chunks, an empty chunk (2.2.5.2.3)."""
    total = reader.u64()
    if total == _PLP_NULL:
        return None
    if total != _PLP_UNKNOWN and total > MAX_VALUE:
        raise ProtocolError(f"A value of {total} bytes is not allowed.")
    data = bytearray()
    while left := reader.u32():
        if len(data) + left > MAX_VALUE:
            raise ProtocolError("A value of more than 2 GB is not allowed.")
        reader.read_into(data, left)
    if total not in (_PLP_UNKNOWN, len(data)):
        raise ProtocolError("The chunks of a value do not have the length it announces.")
    return data


def _short(reader: MessageReader, limit: int) -> bytes | None:
    size = reader.u16()
    if size == _NULL_U16:
        return None
    if size > limit:
        raise ProtocolError(f"A value of {size} bytes is longer than its type allows.")
    return reader.read(size)


def _long(reader: MessageReader) -> bytearray | None:
    """text, ntext and image: a length of four bytes."""
    size = reader.u32()
    if size == _NULL_U32:
        return None
    if size > MAX_VALUE:
        raise ProtocolError(f"A value of {size} bytes is not allowed.")
    data = bytearray()
    reader.read_into(data, size)
    return data


def _decoded(data: Buffer | None, decode: Callable[[Buffer], str]) -> str | None:
    return None if data is None else decode(data)


def _nullable(decoders: dict[int, Decode]) -> Read:
    """Values with one length byte, of which 0 means NULL."""

    def read(reader: MessageReader) -> object:
        size = reader.u8()
        if not size:
            return None
        try:
            return decoders[size](reader.read(size))
        except KeyError:
            raise ProtocolError(f"A value of {size} bytes does not fit its type.") from None
        except (ValueError, OverflowError) as error:
            raise ProtocolError(f"A value is out of the range of its type: {error}") from None

    return read


def decoder_of(collation: bytes) -> Callable[[Buffer], str]:
    """How varchar bytes of a collation are read: UTF-8 if its flag says so, else code page 1252."""
    if collation[3] & 0x04:  # fUTF8 (MS-TDS 2.2.5.1.2)
        return lambda data: str(data, "utf-8", "replace")
    return decode_cp1252


def decode_cp1252(data: Buffer) -> str:
    """Code page 1252 as Windows has it: the five holes are control characters."""
    try:
        return str(data, "cp1252")
    except UnicodeDecodeError:
        return "".join(_CP1252[byte] for byte in bytes(data))


_CP1252 = [bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(256)]


def time_size(scale: int) -> int:
    """Bytes of a time of that scale (MS-TDS 2.2.5.5.1.8)."""
    return 3 if scale < 3 else 4 if scale < 5 else 5


def _unpack(format_: str) -> Decode:
    unpack = struct.Struct(format_).unpack
    return lambda data: unpack(data)[0]


def _money(data: bytes) -> Decimal:
    high, low = struct.unpack("<iI", data)
    return DECIMALS.scaleb(Decimal((high << 32) + low), -4)


def _datetime(data: bytes) -> dt.datetime:
    days, ticks = struct.unpack("<iI", data)  # ticks of 1/300 s
    if ticks >= 300 * 86400:
        raise ValueError("no such time of day")
    return _EPOCH_1900 + dt.timedelta(days=days, milliseconds=(ticks * 10 + 1) // 3)


def _smalldatetime(data: bytes) -> dt.datetime:
    days, minutes = struct.unpack("<HH", data)
    return _EPOCH_1900 + dt.timedelta(days=days, minutes=minutes)


def _date(data: bytes) -> dt.date:
    return dt.date.fromordinal(int.from_bytes(data, "little") + 1)


def _time(data: bytes, scale: int) -> dt.time:
    # Python knows microseconds: the seventh digit of scale 7 is cut.
    micros = int.from_bytes(data, "little") * 10**7 // 10**scale // 10
    seconds, micros = divmod(micros, 1_000_000)
    return dt.time(seconds // 3600, seconds // 60 % 60, seconds % 60, micros)


def _datetime2(data: bytes, scale: int) -> dt.datetime:
    return dt.datetime.combine(_date(data[-3:]), _time(data[:-3], scale))


def _datetimeoffset(data: bytes, scale: int) -> dt.datetime:
    utc = _datetime2(data[:-2], scale)
    minutes = int.from_bytes(data[-2:], "little", signed=True)
    zone = dt.timezone(dt.timedelta(minutes=minutes))
    return utc.replace(tzinfo=dt.timezone.utc).astimezone(zone)


_SIZED = {
    (INTN, 1): "tinyint",
    (INTN, 2): "smallint",
    (INTN, 4): "int",
    (INTN, 8): "bigint",
    (BITN, 1): "bit",
    (FLTN, 4): "real",
    (FLTN, 8): "float",
    (MONEYN, 4): "smallmoney",
    (MONEYN, 8): "money",
    (DATETIMN, 4): "smalldatetime",
    (DATETIMN, 8): "datetime",
    (GUID, 16): "uniqueidentifier",
}
_DECODE: dict[str, Decode] = {
    "tinyint": _unpack("<B"),
    "smallint": _unpack("<h"),
    "int": _unpack("<i"),
    "bigint": _unpack("<q"),
    "bit": lambda data: data[0] != 0,
    "real": _unpack("<f"),
    "float": _unpack("<d"),
    "smallmoney": lambda data: DECIMALS.scaleb(Decimal(struct.unpack("<i", data)[0]), -4),
    "money": _money,
    "smalldatetime": _smalldatetime,
    "datetime": _datetime,
    "uniqueidentifier": lambda data: uuid.UUID(bytes_le=data),
}


def _fixed(name: str, size: int) -> tuple[SqlType, Read]:
    decode = _DECODE[name]

    def read(reader: MessageReader) -> object:
        try:
            return decode(reader.read(size))
        except (ValueError, OverflowError) as error:
            raise ProtocolError(f"A value is out of the range of its type: {error}") from None

    return SqlType(name), read


_FIXED: dict[int, tuple[SqlType, Read]] = {
    NULL: (SqlType("int"), lambda reader: None),
    INT1: _fixed("tinyint", 1),
    BIT: _fixed("bit", 1),
    INT2: _fixed("smallint", 2),
    INT4: _fixed("int", 4),
    INT8: _fixed("bigint", 8),
    FLT4: _fixed("real", 4),
    FLT8: _fixed("float", 8),
    MONEY4: _fixed("smallmoney", 4),
    MONEY: _fixed("money", 8),
    DATETIM4: _fixed("smalldatetime", 4),
    DATETIME: _fixed("datetime", 8),
}
_DATE = (SqlType("date"), _nullable({3: _date}))
_IMAGE: tuple[SqlType, Read] = (SqlType("varbinary", MAX), lambda reader: _bytes(_long(reader)))
_XML: tuple[SqlType, Read] = (
    SqlType("xml"),
    lambda reader: _decoded(_plp(reader), decode_utf16),
)
