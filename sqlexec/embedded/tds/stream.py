"""The bytes under the packets: a socket, in clear or in TLS.

TDS 7.4 shakes hands inside packets of type 12 and goes on in raw TLS (MS-TDS 2.2.6.5, 3.3.5.2):

    client                          server
    PRELOGIN (clear)        -->
                            <--     PRELOGIN answer: encryption on | login only | none
    packet 12 [ClientHello] -->
                            <--     packet 12 [ServerHello .. Done]
    packet 12 [.. Finished] -->
                            <--     packet 12 [Finished]
    TLS [packets]          <-->     until the end, or until LOGIN7 has come (login only)

TDS 8.0 (Encrypt=strict) begins with a bare ClientHello instead.  OpenSSL works on memory
buffers, since a thread reads while another writes; a lock guards it.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable

from sqlexec.embedded.tds.packets import Buffer, ProtocolError

_RECEIVE = 1 << 18
_RECORD = 1 << 14  # plain text of a TLS record
_MAX_RECORD = _RECORD + 2048  # RFC 5246 6.2.3: cipher text may be so much longer


class Stream:
    """A connected socket that can go into TLS and out of it again.

    One thread may call `receive` while another calls `send`.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connection
        self._buffer = bytearray(_RECEIVE)
        self._view = memoryview(self._buffer)
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._lock = threading.Lock()  # of the TLS object
        self._by_record = False
        self._deadline: float | None = None

    # --- bytes ----------------------------------------------------------------------------

    def receive(self) -> Buffer:
        """The next bytes, empty when the peer has closed; valid until the next call."""
        if self._tls is None:
            return self._view[: self._receive_raw(self._view)]
        while True:
            size = self._decrypt(self._tls)
            if size:
                return self._view[:size]
            data = self._receive_record() if self._by_record else self._socket_bytes()
            if not data:
                return b""
            with self._lock:
                self._incoming.write(data)

    def send(self, buffers: list[Buffer]) -> None:
        """Send all buffers, in order."""
        if self._tls is not None:
            with self._lock:
                self._tls.write(buffers[0] if len(buffers) == 1 else b"".join(buffers))
                data = self._outgoing.read()
            self._socket.sendall(data)
        elif len(buffers) == 1:
            self._socket.sendall(buffers[0])
        else:
            _send_vector(self._socket, buffers)

    def close(self) -> None:
        """Close the socket; a thread that waits in `receive` or `send` is woken."""
        with contextlib.suppress(OSError):  # the peer was faster
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def set_deadline(self, seconds: float | None) -> None:
        """From now on so many seconds are left for all that is received or sent; None for any."""
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._socket.settimeout(seconds)

    def _check_deadline(self) -> None:
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("The client took too long.")
            self._socket.settimeout(left)

    def starts_with_tls(self) -> bool:
        """Whether the first byte is that of a TLS handshake record (TDS 8.0)."""
        return self._socket.recv(1, socket.MSG_PEEK) == b"\x16"

    # --- TLS ------------------------------------------------------------------------------

    def start_tls(
        self,
        context: ssl.SSLContext,
        exchange: Callable[[bytes], bytes] | None = None,
        *,
        login_only: bool = False,
    ) -> None:
        """Shake hands as the server.

        Parameters
        ----------
        context : ssl.SSLContext
            With the certificate.
        exchange : callable, optional
            Sends the bytes it is given (if any) to the client and, given none, returns the
            client's next ones: the packets of type 12.  Without it the handshake is bare.
        login_only : bool
            The client leaves TLS after one message; nothing behind it may be read as TLS.
        """
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        exchange = exchange or self._bare_exchange
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                if self._outgoing.pending:
                    exchange(self._outgoing.read())
                data = exchange(b"")
                if not data:
                    raise ProtocolError("The client left the TLS handshake.") from None
                self._incoming.write(data)
            except ssl.SSLError as error:
                if self._outgoing.pending:  # the alert that tells the client why
                    exchange(self._outgoing.read())
                raise ProtocolError(f"TLS handshake failed: {error.reason}") from None
        if self._outgoing.pending:
            exchange(self._outgoing.read())
        self._by_record = login_only
        self._tls = tls

    def feed(self, data: bytes) -> None:
        """Give bytes back that were received behind the handshake."""
        self._incoming.write(data)

    def stop_tls(self) -> None:
        """Go on in clear; TDS sends no close_notify (MS-TDS 2.2.6.5: login-only encryption)."""
        self._tls = None
        self._by_record = False

    def _bare_exchange(self, data: bytes) -> bytes:
        if data:
            self._socket.sendall(data)
            return b""
        return bytes(self._socket_bytes())

    def _decrypt(self, tls: ssl.SSLObject) -> int:
        """Fill the buffer with whole records, as far as they are there."""
        size = 0
        with self._lock:
            while len(self._buffer) - size >= _RECORD:
                try:
                    count = tls.read(_RECORD, self._view[size : size + _RECORD])
                except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                    break
                except ssl.SSLError as error:
                    raise ProtocolError(f"TLS failed: {error.reason}") from None
                if not count:
                    break
                size += int(count)
        return size

    def _receive_raw(self, view: memoryview) -> int:
        self._check_deadline()
        try:
            return self._socket.recv_into(view)
        except ConnectionError:
            return 0

    def _socket_bytes(self) -> Buffer:
        return self._view[: self._receive_raw(self._view)]

    def _receive_record(self) -> bytes:
        """One TLS record: type, version, length and content (RFC 5246 6.2.1)."""
        header = self._receive_exactly(5)
        length = int.from_bytes(header[3:5], "big")
        if length > _MAX_RECORD:
            raise ProtocolError("A TLS record is too long.")
        return header + self._receive_exactly(length)

    def _receive_exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            self._check_deadline()
            part = self._socket.recv(count - len(data))
            if not part:
                return b""
            data += part
        return bytes(data)


def _send_vector(connection: socket.socket, buffers: list[Buffer]) -> None:
    """sendmsg until everything is sent; it may take only a part."""
    if not hasattr(connection, "sendmsg"):  # Windows
        connection.sendall(b"".join(buffers))
        return
    views = [memoryview(buffer) for buffer in buffers]
    while views:
        sent = connection.sendmsg(views)
        first = 0
        while first < len(views) and sent >= len(views[first]):
            sent -= len(views[first])
            first += 1
        del views[:first]
        if views:
            views[0] = views[0][sent:]
