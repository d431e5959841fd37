"""The tokens of an answer (MS-TDS 2.2.7): one function a token, each returns its bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache

from sqlexec.embedded.results import Column
from sqlexec.embedded.sqltypes import MAX, SqlType
from sqlexec.embedded.tds.encode import Cell, encode_utf16, encoder, is_plp, type_info
from sqlexec.embedded.tds.types import COLLATION
from sqlexec.embedded.tsql.errors import Message, SqlError

# Token types
RETURN_STATUS, COL_METADATA, ERROR, INFO, RETURN_VALUE = 0x79, 0x81, 0xAA, 0xAB, 0xAC
LOGIN_ACK, FEATURE_EXT_ACK, ROW, NBC_ROW, ENV_CHANGE = 0xAD, 0xAE, 0xD1, 0xD2, 0xE3
DONE, DONE_PROC, DONE_IN_PROC = 0xFD, 0xFE, 0xFF

# Status of DONE (2.2.7.6)
MORE, DONE_ERROR, COUNT, ATTENTION = 0x0001, 0x0002, 0x0010, 0x0020

# Types of ENVCHANGE (2.2.7.9)
DATABASE, LANGUAGE, PACKET_SIZE, SQL_COLLATION = 1, 2, 4, 7
BEGIN_TRANSACTION, COMMIT_TRANSACTION, ROLLBACK_TRANSACTION, RESET_ACK = 8, 9, 10, 18

SELECT_COMMAND = 0xC1
_DONE = struct.Struct("<BHHQ")
_MESSAGE_CUT = 30_000  # UTF-16 bytes of a message; its token has a 16 bit length
VERSION = (16, 0, 1000)  # SQL Server 2022 RTM
PRODUCT = "Microsoft SQL Server"


def done(status: int = 0, rows: int = 0, *, command: int = 0, token: int = DONE) -> bytes:
    """DONE, DONEPROC or DONEINPROC."""
    return _DONE.pack(token, status, command, rows)


def login_ack() -> bytes:
    """Interface 1 (T-SQL), TDS 7.4 (big endian), product and its version."""
    major, minor, build = VERSION
    name = _b_varchar(PRODUCT)
    body = b"\x01\x74\x00\x00\x04" + name + struct.pack(">BBH", major, minor, build)
    return struct.pack("<BH", LOGIN_ACK, len(body)) + body


def env_change(kind: int, new: bytes, old: bytes = b"\x00") -> bytes:
    """`new` and `old` with their lengths before them."""
    body = bytes([kind]) + new + old
    return struct.pack("<BH", ENV_CHANGE, len(body)) + body


def env_change_text(kind: int, new: str, old: str = "") -> bytes:
    return env_change(kind, _b_varchar(new), _b_varchar(old))


def env_change_collation() -> bytes:
    return env_change(SQL_COLLATION, bytes([len(COLLATION)]) + COLLATION)


def transaction_began(descriptor: int) -> bytes:
    return env_change(BEGIN_TRANSACTION, struct.pack("<BQ", 8, descriptor))


def transaction_ended(descriptor: int, *, committed: bool) -> bytes:
    kind = COMMIT_TRANSACTION if committed else ROLLBACK_TRANSACTION
    return env_change(kind, b"\x00", struct.pack("<BQ", 8, descriptor))


def reset_ack() -> bytes:
    return env_change(RESET_ACK, b"\x00")


def error(problem: SqlError, server: str) -> bytes:
    return _message(
        ERROR,
        problem.number,
        problem.state,
        problem.severity,
        _cut(problem.message),
        server,
        problem.procedure,
        problem.line,
    )


def info(message: Message, server: str) -> bytes:
    """INFO; a long text becomes several of them, none is lost."""
    return b"".join(
        _message(
            INFO,
            message.number,
            message.state,
            message.severity,
            part,
            server,
            message.procedure,
            message.line,
        )
        for part in _parts(message.text)
    )


def _message(
    token: int,
    number: int,
    state: int,
    severity: int,
    text: bytes,
    server: str,
    procedure: str,
    line: int,
) -> bytes:
    body = struct.pack("<iBB", number, max(0, min(state, 255)), severity)
    body += struct.pack("<H", len(text) // 2) + text
    body += _b_varchar(server) + _b_varchar(procedure) + struct.pack("<I", max(0, line))
    return struct.pack("<BH", token, len(body)) + body


def _cut(text: str) -> bytes:
    """An error's text, both ends of it when it is too long (a traceback's end tells most)."""
    if len(text) * 2 <= _MESSAGE_CUT and len(data := encode_utf16(text)) <= _MESSAGE_CUT:
        return data
    half = _MESSAGE_CUT // 5
    return encode_utf16(f"{text[:half]}\n[...]\n{text[-half:]}")


def _parts(text: str) -> list[bytes]:
    size = _MESSAGE_CUT // 4  # characters; each takes 4 bytes at most
    return [encode_utf16(text[at : at + size]) for at in range(0, len(text), size)] or [b""]


def _b_varchar(text: str) -> bytes:
    data = encode_utf16(text)[: 2 * 255]
    return bytes([len(data) // 2]) + data


# --- results -------------------------------------------------------------------------------


def column_metadata(columns: Sequence[Column]) -> bytes:
    """COLMETADATA (2.2.7.4)."""
    return struct.pack("<BH", COL_METADATA, len(columns)) + b"".join(map(_column, columns))


@lru_cache(maxsize=1024)
def _column(column: Column) -> bytes:
    flags = 0x0009 if column.nullable else 0x0008  # updatability unknown
    return struct.pack("<IH", 0, flags) + type_info(column.type) + _b_varchar(column.name[:128])


def return_status(value: int) -> bytes:
    return struct.pack("<Bi", RETURN_STATUS, value)


def return_value(ordinal: int, name: str, kind: SqlType, value: object) -> tuple[bytes, Cell]:
    """RETURNVALUE (2.2.7.19): what stands before the value, and the value.

    The client's type is widened where the value is longer than the client declared.
    """
    kind = _widened(kind, value)
    head = struct.pack("<BH", RETURN_VALUE, ordinal) + _b_varchar(name)
    return head + struct.pack("<BIH", 1, 0, 0) + type_info(kind), encoder(kind)(value)


def _widened(kind: SqlType, value: object) -> SqlType:
    if value is None or kind.length is None or is_plp(kind):
        return kind
    units = len(encode_utf16(value)) // 2 if kind.is_text else len(value)  # type: ignore[arg-type]
    if units <= kind.length:
        return kind
    return SqlType({"char": "varchar", "nchar": "nvarchar", "binary": "varbinary"}.get(
        kind.name, kind.name), MAX)  # fmt: skip
