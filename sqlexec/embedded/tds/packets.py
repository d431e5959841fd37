"""TDS packets: messages in, messages out (MS-TDS 2.2.3).

    socket bytes --receive()--> MessageReader --read(n), chunk(n)--> parser of a request
    tokens --write(), write_large()--> MessageWriter --send([buffers])--> socket

A message is one or more packets of the same type; the last has status bit 01.  The reader hands
payload bytes out as they arrive, so that a parameter of 2 GB is copied once, from the receive
buffer to its value.  The writer sends large values in place, as slices between packet headers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

Buffer = bytes | bytearray | memoryview

# Types of packet (MS-TDS 2.2.3.1.1)
SQL_BATCH = 0x01
RPC = 0x03
RESPONSE = 0x04
ATTENTION = 0x06
BULK_LOAD = 0x07
TRANSACTION = 0x0E
LOGIN7 = 0x10
PRELOGIN = 0x12

# Status bits (MS-TDS 2.2.3.1.2)
END_OF_MESSAGE = 0x01
IGNORE = 0x02
RESET_CONNECTION = 0x08
RESET_CONNECTION_KEEP_TRANSACTION = 0x10

HEADER = struct.Struct(">BBHHBB")  # type, status, length, spid, packet id, window
MAX_PACKET = 32767
MIN_PACKET = 512

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_KEEP = 1 << 17  # bytes collected before full packets are sent
_VECTOR = 128  # buffers in one vectored write


class ProtocolError(Exception):
    """The peer sent bytes that are no TDS; the connection has to end."""


class MessageReader:
    """Hands out the payload of one message after the other.

    Parameters
    ----------
    receive : callable
        Returns the next bytes of the stream, empty at its end.  What it returns is used up
        before the next call, so that it may reuse one buffer.
    limit : int
        Bytes that a message may have; an attribute, raised after the login.

    Example
    -------
    >>> packets = iter([HEADER.pack(1, 1, 10, 0, 1, 0) + b"hi", b""])
    >>> reader = MessageReader(lambda: next(packets), limit=100)
    >>> reader.next_message() == SQL_BATCH, reader.read(2), reader.at_end()
    (True, b'hi', True)
    """

    def __init__(self, receive: Callable[[], Buffer], limit: int) -> None:
        self._receive = receive
        self.limit = limit
        self.status = 0
        self.ignored = False
        self._kind = 0
        self._data = memoryview(b"")
        self._position = 0
        self._left = 0  # payload bytes of the current packet that are still to come
        self._last = True
        self._size = 0

    def next_message(self) -> int | None:
        """Go to the next message: its type, None when the peer closed between messages."""
        if self._position == len(self._data) and not self._fill():
            return None
        self._size = 0
        self._last = False
        self.ignored = False
        self._kind = 0
        self._next_packet()
        return self._kind

    def at_end(self) -> bool:
        """Whether the message has no more payload."""
        while not self._left:
            if self._last:
                return True
            self._next_packet()
        return False

    def read(self, count: int) -> bytes:
        """Exactly so many bytes of the message."""
        position = self._position
        end = position + count
        if count <= self._left and end <= len(self._data):  # nearly always
            self._position = end
            self._left -= count
            return bytes(self._data[position:end])
        parts = bytearray()
        self.read_into(parts, count)
        return bytes(parts)

    def read_into(self, target: bytearray, count: int) -> None:
        """Append exactly so many bytes of the message to `target`."""
        while count:
            part = self.chunk(count)
            target += part
            count -= len(part)

    def chunk(self, count: int) -> memoryview:
        """At least one and at most `count` bytes; valid until the next call."""
        if self.at_end():
            raise ProtocolError("The message ended unexpectedly.")
        if self._position == len(self._data) and not self._fill():
            raise ProtocolError("The connection ended within a message.")
        start = self._position
        end = min(start + min(count, self._left), len(self._data))
        self._position = end
        self._left -= end - start
        return self._data[start:end]

    def rest(self) -> bytes:
        """All that is left of the message."""
        parts = bytearray()
        while not self.at_end():
            parts += self.chunk(self._left)
        return bytes(parts)

    def drain(self) -> None:
        """Skip what is left of the message."""
        while not self.at_end():
            self.chunk(self._left)

    def u8(self) -> int:
        return self.read(1)[0]

    def u16(self) -> int:
        return int(_U16.unpack(self.read(2))[0])

    def u32(self) -> int:
        return int(_U32.unpack(self.read(4))[0])

    def u64(self) -> int:
        return int(_U64.unpack(self.read(8))[0])

    def text(self, characters: int) -> str:
        """UTF-16 text of so many code units."""
        return decode_utf16(self.read(2 * characters))

    def unread(self) -> bytes:
        """Bytes received behind the message (TLS records behind the handshake)."""
        rest = bytes(self._data[self._position :])
        self._position = len(self._data)
        return rest

    def _fill(self) -> bool:
        self._data = memoryview(self._receive())
        self._position = 0
        return len(self._data) > 0

    def _next_packet(self) -> None:
        header = bytearray()
        while len(header) < HEADER.size:
            if self._position == len(self._data) and not self._fill():
                raise ProtocolError("The connection ended within a packet header.")
            end = min(self._position + HEADER.size - len(header), len(self._data))
            header += self._data[self._position : end]
            self._position = end
        kind, status, length, _, _, _ = HEADER.unpack(header)
        if not HEADER.size <= length <= MAX_PACKET:
            raise ProtocolError(f"A packet of {length} bytes is not allowed.")
        if not self._kind:
            self._kind, self.status = kind, status
        elif kind != self._kind:
            raise ProtocolError(f"A packet of type {kind} within a message of type {self._kind}.")
        self._left = length - HEADER.size
        self._last = bool(status & END_OF_MESSAGE)
        self.ignored = bool(status & IGNORE)
        self._size += self._left
        if self._size > self.limit:
            raise ProtocolError(f"A message of more than {self.limit} bytes is not allowed.")


class MessageWriter:
    """Collects the tokens of a message and sends them in packets.

    Parameters
    ----------
    send : callable
        Sends a list of buffers, in order and whole.
    packet_size : int
        Bytes of a packet with its header.
    session_id : int
        The spid, written into each header.
    """

    def __init__(
        self, send: Callable[[list[Buffer]], None], packet_size: int, session_id: int = 0
    ) -> None:
        self._send = send
        self.packet_size = packet_size
        self.session_id = session_id
        self._pending = bytearray()
        self._packet_id = 0

    def write(self, data: Buffer) -> None:
        """Add bytes to the message."""
        self._pending += data
        if len(self._pending) >= _KEEP:
            self._send_pending(partial=False)

    def write_large(self, data: Buffer) -> None:
        """Add many bytes; they are sent before the call returns and not copied."""
        view = memoryview(data).cast("B")
        payload = self.packet_size - HEADER.size
        self._send_pending(partial=False)
        start = payload - len(self._pending)
        if len(view) < start:
            self._pending += view
            return
        buffers: list[Buffer] = [self._header(0, payload), self._pending, view[:start]]
        while start + payload <= len(view):
            if len(buffers) >= _VECTOR:
                self._send(buffers)
                buffers = []
            buffers += (self._header(0, payload), view[start : start + payload])
            start += payload
        self._send(buffers)
        self._pending = bytearray(view[start:])

    def flush(self) -> None:
        """Send what is there; the message goes on."""
        if self._pending:
            self._send_pending(partial=True)

    def end(self, kind: int = RESPONSE) -> None:
        """Send the rest and end the message."""
        pending, payload = self._pending, self.packet_size - HEADER.size
        if len(pending) > payload:
            self._send_pending(partial=False)
            pending = self._pending
        self._send([self._header(END_OF_MESSAGE, len(pending), kind) + pending])
        self._pending = bytearray()
        self._packet_id = 0

    def _send_pending(self, *, partial: bool) -> None:
        """Send the full packets, and with `partial` a last one that is not full."""
        payload = self.packet_size - HEADER.size
        total = len(self._pending)
        end = total if partial else total - total % payload
        if not end:
            return
        view = memoryview(self._pending)
        buffers: list[Buffer] = []
        for start in range(0, end, payload):
            part = view[start : min(start + payload, end)]
            buffers += (self._header(0, len(part)), part)
        for first in range(0, len(buffers), _VECTOR):
            self._send(buffers[first : first + _VECTOR])
        self._pending = bytearray(view[end:])

    def _header(self, status: int, size: int, kind: int = RESPONSE) -> bytes:
        self._packet_id = (self._packet_id + 1) & 0xFF
        return HEADER.pack(kind, status, size + HEADER.size, self.session_id, self._packet_id, 0)


def decode_utf16(data: Buffer) -> str:
    """UTF-16 as SQL Server takes it: lone surrogates are kept, an odd byte is an error."""
    if len(data) % 2:
        raise ProtocolError("Text of an odd number of bytes is not UTF-16.")
    return str(data, "utf-16-le", "surrogatepass")
