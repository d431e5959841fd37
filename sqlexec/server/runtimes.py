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


def known_version(connection: Connection, package: str) -> str | None:
    """Version of a package on that server; None if it is not there, or nobody knows yet."""
    runtime = _RUNTIMES.get(connection, {})
    version: str | None = runtime.get("packages", {}).get(package)
    return version


def forget(connection: Connection) -> None:
    """The server is not what it was."""
    _RUNTIMES.pop(connection, None)
