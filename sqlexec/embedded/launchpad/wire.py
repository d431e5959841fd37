"""Messages between the stand-in and its script processes: JSON, with file descriptors beside it.

    4 bytes, little-endian: length | JSON object        file descriptors by SCM_RIGHTS

JSON, since what a process that ran a user's script sends is not to be trusted: it is parsed with
a bound on its size and nothing in it can name code.  Values too big for a message lie in shared
files whose descriptors go along (see `shared.py`).

Runs on both sides, so it keeps to the standard library and the syntax of Python 3.6.
"""

import array
import json
import os
import socket
import struct
from typing import Any, Dict, List, Sequence, Tuple

_LENGTH = struct.Struct("<I")
MAX_DESCRIPTORS = 8

Message = Dict[str, Any]


def send(connection: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """Send one message; OSError (a broken pipe, say) where the other side is gone."""
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    data = memoryview(_LENGTH.pack(len(body)) + body)
    rights: List[Tuple[int, int, array.array[int]]] = []
    if descriptors:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
    sent = connection.sendmsg([data], rights)
    if sent < len(data):  # an empty sendall() would fail if the other side is through already
        connection.sendall(data[sent:])


def receive(connection: socket.socket, max_size: int) -> Message:
    """Read one message that carries no descriptors; the kernel drops any that come along.

    EOFError at the end of the stream, ValueError for anything but a JSON object of at most
    `max_size` bytes.
    """
    return _parse(connection, connection.recv(_LENGTH.size), max_size)


def receive_with_descriptors(connection: socket.socket, max_size: int) -> Tuple[Message, List[int]]:
    """Read one message and its file descriptors, which the caller closes; errors as `receive`."""
    integer = array.array("i").itemsize
    head, ancillary, _flags, _address = connection.recvmsg(
        _LENGTH.size, socket.CMSG_SPACE(MAX_DESCRIPTORS * integer)
    )
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % integer])
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return _parse(connection, head, max_size), list(descriptors)


def _parse(connection: socket.socket, head: bytes, max_size: int) -> Message:
    if not head:
        raise EOFError("the other side closed the connection")
    head += _exactly(connection, _LENGTH.size - len(head))
    size = _LENGTH.unpack(head)[0]
    if size > max_size:
        raise ValueError("a message of {} bytes exceeds the limit of {}".format(size, max_size))
    try:
        message = json.loads(_exactly(connection, size).decode("utf-8"))
    except RecursionError:
        raise ValueError("a message is nested too deeply") from None
    if not isinstance(message, dict):
        raise ValueError("a message is no JSON object")  # noqa: TRY004 - of the input, not of a type
    return message


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            raise EOFError("the other side closed the connection within a message")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
