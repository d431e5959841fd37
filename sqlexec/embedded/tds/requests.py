"""What a client asks for: PRELOGIN, LOGIN7, SQL batches, RPCs, transaction manager requests.

Each function reads one message off a `MessageReader` and returns a value object.  Bytes that
are no TDS raise `ProtocolError`; nothing is trusted, every offset and length is checked.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from sqlexec.embedded.results import Argument
from sqlexec.embedded.tds import packets
from sqlexec.embedded.tds.packets import MessageReader, ProtocolError, decode_utf16
from sqlexec.embedded.tds.types import UnsupportedType, read_type

MAX_PARAMETERS = 2100  # of one procedure call, as SQL Server has it
MAX_CALLS = 100_000  # procedure calls of one message

# --- PRELOGIN (MS-TDS 2.2.6.5) -------------------------------------------------------------

VERSION, ENCRYPTION, INSTANCE, THREAD_ID, MARS, TRACE_ID, TERMINATOR = 0, 1, 2, 3, 4, 5, 0xFF
ENCRYPT_OFF, ENCRYPT_ON, ENCRYPT_NOT_SUPPORTED, ENCRYPT_REQUIRED = 0, 1, 2, 3


def parse_prelogin(data: bytes) -> dict[int, bytes]:
    """The options of a PRELOGIN message by their token."""
    options: dict[int, bytes] = {}
    position = 0
    while True:
        if position >= len(data):
            raise ProtocolError("A PRELOGIN message has no terminator.")
        if data[position] == TERMINATOR:
            return options
        if position + 5 > len(data):
            raise ProtocolError("A PRELOGIN option is cut.")
        token, offset, length = struct.unpack_from(">BHH", data, position)
        if offset + length > len(data):
            raise ProtocolError("A PRELOGIN option lies outside of its message.")
        options[token] = data[offset : offset + length]
        position += 5


def build_prelogin(options: dict[int, bytes]) -> bytes:
    """The opposite of `parse_prelogin`."""
    offset = 5 * len(options) + 1
    table, values = bytearray(), bytearray()
    for token, value in options.items():
        table += struct.pack(">BHH", token, offset + len(values), len(value))
        values += value
    return bytes(table + bytes([TERMINATOR]) + values)


def answered_encryption(asked: int) -> int:
    """What to answer to the client's encryption byte: as little as it can live with.

    00 (login only) stays 00, 02 (none) stays 02, the rest gets TLS throughout.
    """
    return asked if asked in (ENCRYPT_OFF, ENCRYPT_NOT_SUPPORTED) else ENCRYPT_ON


# --- LOGIN7 (2.2.6.4) ----------------------------------------------------------------------

_LOGIN_FIXED = 94
_LOGIN_STRINGS = {
    "host_name": 36,
    "user": 40,
    "password": 44,
    "application_name": 48,
    "server_name": 52,
    "library": 60,
    "language": 64,
    "database": 68,
}


@dataclass(frozen=True, slots=True)
class Login:
    """A LOGIN7 message."""

    user: str
    password: str = field(repr=False)
    database: str
    host_name: str
    application_name: str
    server_name: str
    library: str
    language: str
    packet_size: int  # 0 for the server's default
    tds_version: int
    integrated: bool  # Windows authentication asked for
    features: dict[int, bytes] = field(default_factory=dict)


def parse_login(data: bytes) -> Login:
    """Read a LOGIN7 message."""
    if len(data) < _LOGIN_FIXED or struct.unpack_from("<I", data)[0] != len(data):
        raise ProtocolError("A LOGIN7 message has a wrong length.")
    version, packet_size = struct.unpack_from("<II", data, 4)
    flags2, flags3 = data[25], data[27]
    texts = {name: _login_text(data, at) for name, at in _LOGIN_STRINGS.items()}
    texts["password"] = _clear_password(_login_bytes(data, 44, 2))
    return Login(
        **texts,
        packet_size=packet_size,
        tds_version=version,
        integrated=bool(flags2 & 0x80),
        features=_features(data) if flags3 & 0x10 else {},
    )


def _login_bytes(data: bytes, at: int, unit: int) -> bytes:
    offset, length = struct.unpack_from("<HH", data, at)
    if length and offset + length * unit > len(data):
        raise ProtocolError("A field of LOGIN7 lies outside of its message.")
    return data[offset : offset + length * unit]


def _login_text(data: bytes, at: int) -> str:
    return decode_utf16(_login_bytes(data, at, 2))


def _clear_password(data: bytes) -> str:
    """Undo the obfuscation: XOR A5, then the halves of each byte swapped."""
    return decode_utf16(bytes((b >> 4 | b << 4) & 0xFF for b in (each ^ 0xA5 for each in data)))


def obfuscated(password: str) -> bytes:
    """What a client does to its password (2.2.6.4)."""
    data = password.encode("utf-16-le")
    return bytes(((b >> 4 | b << 4) & 0xFF) ^ 0xA5 for b in data)


def _features(data: bytes) -> dict[int, bytes]:
    """The FeatureExt block, behind an offset that stands at the Extension field's offset."""
    pointer = _login_bytes(data, 56, 1)
    if len(pointer) < 4:
        raise ProtocolError("LOGIN7 has no place for its extension.")
    position = struct.unpack_from("<I", pointer)[0]
    features: dict[int, bytes] = {}
    while True:
        if position >= len(data):
            raise ProtocolError("The features of LOGIN7 have no terminator.")
        kind = data[position]
        if kind == TERMINATOR:
            return features
        if position + 5 > len(data):
            raise ProtocolError("A feature of LOGIN7 is cut.")
        length = struct.unpack_from("<I", data, position + 1)[0]
        if position + 5 + length > len(data):
            raise ProtocolError("A feature of LOGIN7 lies outside of its message.")
        features[kind] = data[position + 5 : position + 5 + length]
        position += 5 + length


# --- requests ------------------------------------------------------------------------------

# Well-known procedures (2.2.6.6)
PROCEDURES = {
    "sp_cursor": 1,
    "sp_cursoropen": 2,
    "sp_cursorprepare": 3,
    "sp_cursorexecute": 4,
    "sp_cursorprepexec": 5,
    "sp_cursorunprepare": 6,
    "sp_cursorfetch": 7,
    "sp_cursoroption": 8,
    "sp_cursorclose": 9,
    "sp_executesql": 10,
    "sp_prepare": 11,
    "sp_execute": 12,
    "sp_prepexec": 13,
    "sp_prepexecrpc": 14,
    "sp_unprepare": 15,
}
_NAMES = {number: name for name, number in PROCEDURES.items()}

# Requests to the transaction manager (2.2.6.9)
TM_BEGIN, TM_COMMIT, TM_ROLLBACK, TM_SAVE = 5, 7, 8, 9


@dataclass(frozen=True, slots=True)
class Batch:
    """A SQL batch."""

    text: str
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One procedure call of an RPC message; a well-known procedure has its plain name."""

    procedure: str
    arguments: list[Argument]


@dataclass(frozen=True, slots=True)
class Rpc:
    """An RPC message: procedure calls, to be carried out in order."""

    calls: list[Call]
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction manager request.

    `begins`: a new transaction begins, by itself or behind a COMMIT or ROLLBACK; `isolation`
    is its level (0 for unchanged, 1 read uncommitted .. 5 snapshot).
    """

    kind: int
    begins: bool
    isolation: int
    name: str = ""
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Attention:
    """Cancel what is running."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A well-formed request for something that the stand-in lacks."""

    what: str
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Ignored:
    """A request that the client took back while it sent it (status bit IGNORE)."""


Request = Batch | Rpc | Transaction | Attention | Refused | Ignored


def read_request(reader: MessageReader, kind: int) -> Request:
    """Read the message that `reader.next_message()` has begun, to its end."""
    resets = packets.RESET_CONNECTION | packets.RESET_CONNECTION_KEEP_TRANSACTION
    reset = bool(reader.status & resets)
    try:
        request = _read(reader, kind, reset)
    except UnsupportedType as problem:
        request = Refused(str(problem), reset)
    except ProtocolError:
        if not reader.ignored:
            raise
        return Ignored()  # a message that is taken back may stop anywhere
    reader.drain()
    return Ignored() if reader.ignored else request


def _read(reader: MessageReader, kind: int, reset: bool) -> Request:
    if kind == packets.SQL_BATCH:
        _skip_headers(reader)
        return Batch(decode_utf16(reader.rest()), reset)
    if kind == packets.RPC:
        _skip_headers(reader)
        return Rpc(_read_calls(reader), reset)
    if kind == packets.TRANSACTION:
        _skip_headers(reader)
        return _read_transaction(reader, reset)
    if kind == packets.ATTENTION:
        reader.drain()
        return Attention()
    if kind == packets.BULK_LOAD:
        reader.drain()
        return Refused("bulk load (INSERT BULK)", reset)
    raise ProtocolError(f"A message of type {kind} is not expected here.")


def _skip_headers(reader: MessageReader) -> None:
    """ALL_HEADERS (2.2.5.3): the transaction descriptor is the session's own anyway."""
    total = reader.u32()
    if not 4 <= total <= 1 << 16:
        raise ProtocolError("ALL_HEADERS has a wrong length.")
    data = reader.read(total - 4)
    position = 0
    while position < len(data):
        length = struct.unpack_from("<I", data, position)[0] if position + 4 <= len(data) else 0
        if length < 6 or position + length > len(data):
            raise ProtocolError("A header of ALL_HEADERS has a wrong length.")
        position += length


def _read_calls(reader: MessageReader) -> list[Call]:
    calls = []
    while True:
        call, more = _read_call(reader)
        calls.append(call)
        if not more or reader.at_end():
            return calls
        if len(calls) >= MAX_CALLS:
            raise ProtocolError("An RPC message has too many procedure calls.")


def _read_call(reader: MessageReader) -> tuple[Call, bool]:
    length = reader.u16()
    if length == 0xFFFF:
        number = reader.u16()
        if number not in _NAMES:
            raise UnsupportedType(f"the procedure with ProcID {number}")
        name = _NAMES[number]
    else:
        name = _plain_name(reader.text(length))
    reader.u16()  # option flags: recompile, no metadata (sent anyway)
    arguments: list[Argument] = []
    while not reader.at_end():
        size = reader.u8()
        if size in (0xFF, 0xFE, 0x80):  # BatchFlag, NoExecFlag, BatchFlag of TDS 7.1
            return Call(name, arguments), True
        if len(arguments) >= MAX_PARAMETERS:
            raise ProtocolError(f"A procedure call has more than {MAX_PARAMETERS} parameters.")
        argument_name = reader.text(size)
        flags = reader.u8()
        kind, read_value = read_type(reader)
        if flags & 0x08:
            raise UnsupportedType("encrypted parameters (Always Encrypted)")
        arguments.append(
            Argument(
                argument_name,
                kind,
                read_value(reader),
                output=bool(flags & 1),
                default=bool(flags & 2),
            )
        )
    return Call(name, arguments), False


def _plain_name(name: str) -> str:
    """'[sys].sp_executesql' is the well-known procedure, too."""
    last = name.lower().replace("[", "").replace("]", "").rpartition(".")
    known = last[2] in PROCEDURES and last[0] in ("", "sys", "dbo", "master", "master.dbo", ".")
    return last[2] if known else name


def _read_transaction(reader: MessageReader, reset: bool) -> Request:
    kind = reader.u16()
    if kind == TM_BEGIN:
        isolation = reader.u8()
        return Transaction(kind, True, _isolation(isolation), _name(reader), reset)
    if kind in (TM_COMMIT, TM_ROLLBACK):
        name = _name(reader)
        begins = not reader.at_end() and bool(reader.u8() & 1)
        if not begins:
            return Transaction(kind, False, 0, name, reset)
        isolation = reader.u8()
        _name(reader)
        return Transaction(kind, True, _isolation(isolation), name, reset)
    if kind == TM_SAVE:
        return Transaction(kind, False, 0, _name(reader), reset)
    return Refused(f"transaction manager request {kind} (distributed transactions)", reset)


def _isolation(level: int) -> int:
    if level > 5:
        raise ProtocolError(f"There is no isolation level {level}.")
    return level


def _name(reader: MessageReader) -> str:
    """A B_VARBYTE that holds UTF-16."""
    return decode_utf16(reader.read(reader.u8())) if not reader.at_end() else ""
