"""A TDS client of a few lines that can also misbehave: clear text, bytes in, bytes out."""

from __future__ import annotations

import socket
import struct
from typing import Any

from sqlexec.embedded.tds import packets, requests

ALL_HEADERS = struct.pack("<IIHQI", 22, 18, 2, 0, 1)


def packet(kind: int, payload: bytes, status: int = 1) -> bytes:
    return packets.HEADER.pack(kind, status, len(payload) + 8, 0, 1, 0) + payload


def login_message(user: str, password: str, database: str = "master", **changes: Any) -> bytes:
    """A LOGIN7 message as a client writes it."""
    strings = ["host", user, password, "app", "server", "", "library", "", database]
    offset = 94
    table, data = b"", b""
    for number, text in enumerate(strings):
        raw = requests.obfuscated(text) if number == 2 else text.encode("utf-16-le")
        table += struct.pack("<HH", offset + len(data), len(raw) // 2)
        data += raw
    table += bytes(6) + struct.pack("<HHHHHHI", offset, 0, offset, 0, offset, 0, 0)
    flags = bytes([0xE0, changes.get("flags2", 3), 0, 0])
    fixed = struct.pack("<IIIII", 0x74000004, changes.get("packet_size", 0), 7, 1, 0)
    fixed += flags + struct.pack("<iI", 0, 0x409)
    return struct.pack("<I", offset + len(data)) + fixed + table + data


class RawClient:
    """Speaks clear TDS to a port; `login` and then `send` and `receive`."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self._rest = b""

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def login(self, password: str, **changes: Any) -> bytes:
        options = {requests.VERSION: bytes(6), requests.ENCRYPTION: b"\x02"}
        self.send(packets.PRELOGIN, requests.build_prelogin(options))
        answer = requests.parse_prelogin(self.receive())
        assert answer[requests.ENCRYPTION] == b"\x02"
        self.send(packets.LOGIN7, login_message("sa", password, **changes))
        return self.receive()

    def batch(self, text: str, status: int = 1) -> bytes:
        self.send(packets.SQL_BATCH, ALL_HEADERS + text.encode("utf-16-le"), status)
        return self.receive()

    def send(self, kind: int, payload: bytes, status: int = 1) -> None:
        self.socket.sendall(packet(kind, payload, status))

    def receive(self) -> bytes:
        """The payload of the next message; b'' when the server has closed."""
        payload = bytearray()
        while True:
            header = self._exactly(8)
            if not header:
                return b""
            _, status, length, _, _, _ = packets.HEADER.unpack(header)
            payload += self._exactly(length - 8)
            if status & packets.END_OF_MESSAGE:
                return bytes(payload)

    def closed(self) -> bool:
        """Whether the server ends the connection (after what it still sends)."""
        try:
            while self.socket.recv(1 << 16):
                pass
        except ConnectionResetError:
            pass
        return True

    def _exactly(self, count: int) -> bytes:
        while len(self._rest) < count:
            data = self.socket.recv(1 << 18)
            if not data:
                return b""
            self._rest += data
        data, self._rest = self._rest[:count], self._rest[count:]
        return data
