"""The listening socket inside the server process: a thread and a session id a client."""

from __future__ import annotations

import contextlib
import socket
import threading

from sqlexec.embedded.session import ClientConnection, Host
from sqlexec.embedded.tds.stream import Stream

_FIRST_SESSION_ID = 51  # the ids below belong to the system
_MAX_CONNECTIONS = 1000
_GRACE = 10.0  # seconds for connections to end in `stop`


class Listener:
    """Accepts clients on 127.0.0.1.

    Parameters
    ----------
    host : Host
        What each connection needs.
    port : int, default 0
        0 for any free one; see `port`.
    """

    def __init__(self, host: Host, port: int = 0) -> None:
        self._host = host
        self._socket = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        self._lock = threading.Lock()
        self._connections: dict[int, tuple[ClientConnection, threading.Thread]] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._accept, name="listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, cancel and end all connections."""
        with self._lock:
            self._stopping = True
            connections = list(self._connections.values())
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes accept() on Linux
        self._socket.close()
        for connection, _ in connections:
            connection.close()
        for _, thread in connections:
            thread.join(_GRACE)

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._socket.accept()
            except OSError:
                if self._stopping:
                    return
                continue  # the client gave up while it waited
            with self._lock:
                if self._stopping or len(self._connections) >= _MAX_CONNECTIONS:
                    accepted.close()
                    continue
                session_id = self._free_id()
                connection = ClientConnection(Stream(accepted), self._host, session_id)
                thread = threading.Thread(
                    target=self._serve,
                    args=(connection, session_id),
                    name=f"reader {session_id}",
                    daemon=True,
                )
                self._connections[session_id] = connection, thread
            thread.start()

    def _serve(self, connection: ClientConnection, session_id: int) -> None:
        try:
            connection.run()
        finally:
            with self._lock:
                del self._connections[session_id]

    def _free_id(self) -> int:
        session_id = _FIRST_SESSION_ID
        while session_id in self._connections:
            session_id += 1
        return session_id
