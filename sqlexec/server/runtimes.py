"""What each server's Python is, as its last result told: the next call is packed for it.

No call asks for it: the first one carries what any runtime needs.
"""

from __future__ import annotations

from typing import Any

from sqlexec.server.connection import Connection

_RUNTIMES: dict[Connection, dict[str, Any]] = {}  # reads and writes of a dict are atomic


def remember(connection: Connection, runtime: dict[str, Any]) -> None:
    """Keep what a result told of its process."""
    _RUNTIMES[connection] = runtime


def known(connection: Connection) -> dict[str, Any] | None:
    """What that server's Python was when it last answered; None if nobody knows yet."""
    return _RUNTIMES.get(connection)


def forget(connection: Connection) -> None:
    """The server is not what it was."""
    _RUNTIMES.pop(connection, None)
