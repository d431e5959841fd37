"""Sessions kept warm between calls, so that rx_exec pays TLS and login once, not each time.

A session is lent to one worker at a time.  Broken ones are dropped, those that were idle for
a while are asked whether they live, a forked child never touches its parent's, and all are
closed when the interpreter ends.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Iterator

from sqlexec.server.connection import Connection
from sqlexec.server.session import Session

MAX_IDLE = 16  # sessions kept for all connection strings together
TRUSTED_SECONDS = 1.0  # idle for less than this: used again without asking
KEPT_SECONDS = 300.0  # idle for longer than this: closed


class SessionPool:
    """Sessions that wait for their next call, by connection string.

    Example
    -------
    >>> pool = SessionPool()
    >>> session = pool.take(Connection.of("Server=db1;..."))   # doctest: +SKIP
    >>> pool.give_back(session)                                # doctest: +SKIP
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: deque[tuple[float, Session]] = deque()  # the longest idle first

    def take(self, connection: Connection) -> Session:
        """A warm session, or a new one. Raises ConnectionFailed."""
        while found := self._pop(connection):
            since, session = found
            if time.monotonic() - since < TRUSTED_SECONDS or session.alive():
                return session
            session.close()
        return Session(connection)

    def give_back(self, session: Session) -> None:
        """Keep the session for the next call, if it is still good."""
        if not session.usable:
            session.close()
            return
        with self._lock:
            self._idle.append((time.monotonic(), session))
        self._trim()

    @contextlib.contextmanager
    def lend(self, connection: Connection) -> Iterator[Session]:
        """A session for the length of a block. Raises ConnectionFailed."""
        session = self.take(connection)
        try:
            yield session
        finally:
            self.give_back(session)

    def close(self, connection: Connection | None = None) -> None:
        """Close the idle sessions, of one connection string or of all."""
        with self._lock:
            closing = [each for _, each in self._idle if connection in (None, each.connection)]
            self._idle = deque(item for item in self._idle if item[1] not in closing)
        for session in closing:
            session.close()

    def forget(self) -> None:
        """Leave all idle sessions to the parent of this forked process."""
        self._lock = threading.Lock()  # another thread may have held it when the process forked
        for _, session in self._idle:
            session.forget()
        self._idle.clear()

    def _pop(self, connection: Connection) -> tuple[float, Session] | None:
        with self._lock:
            for place in range(len(self._idle) - 1, -1, -1):
                if self._idle[place][1].connection == connection:
                    found = self._idle[place]
                    del self._idle[place]
                    return found
        return None

    def _trim(self) -> None:
        now, closing = time.monotonic(), []
        with self._lock:
            while self._idle and (
                len(self._idle) > MAX_IDLE or now - self._idle[0][0] > KEPT_SECONDS
            ):
                closing.append(self._idle.popleft()[1])
        for session in closing:
            session.close()


POOL = SessionPool()
atexit.register(POOL.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.forget)
