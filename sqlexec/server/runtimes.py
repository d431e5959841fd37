"""What each server's Python is, as its answers told: the next call is packed for it.

No call asks for it: the first one carries what any runtime needs.
"""

from __future__ import annotations

from typing import Any

from sqlexec.server.connection import Connection

_RUNTIMES: dict[Connection, dict[str, Any]] = {}  # reads and writes of a dict are atomic
_WHOLE: dict[Connection, bool] = {}  # does an OUTPUT value of any length arrive whole?
_LAUNCH: dict[Connection, float] = {}  # seconds


def remember(connection: Connection, runtime: dict[str, Any]) -> None:
    """Keep what a result told of its process."""
    _RUNTIMES[connection] = runtime


def known(connection: Connection) -> dict[str, Any] | None:
    """What that server's Python was when it last answered; None if nobody knows yet."""
    return _RUNTIMES.get(connection)


def learn_whole(connection: Connection, whole: bool) -> None:
    """Keep whether long OUTPUT values arrive whole from that server."""
    _WHOLE[connection] = whole


def way_out(connection: Connection) -> str:
    """How the next result shall leave that server; see runner/way_out.py.

    "probe" while nobody knows; "rows" where OUTPUT values are cut or slow; else "output".
    """
    runtime, whole = _RUNTIMES.get(connection), _WHOLE.get(connection)
    if runtime is None or whole is None:
        return "probe"
    return "output" if whole and not runtime.get("slow_output") else "rows"


def learn_launch(connection: Connection, seconds: float) -> None:
    """Keep what a call took besides its tasks, if none took less."""
    _LAUNCH[connection] = min(max(0.0, seconds), _LAUNCH.get(connection, seconds))


def launch(connection: Connection) -> float:
    """Seconds that a call takes besides its tasks; 0 while nobody knows."""
    return _LAUNCH.get(connection, 0.0)


def forget(connection: Connection) -> None:
    """The server is not what it was."""
    _RUNTIMES.pop(connection, None)
    _WHOLE.pop(connection, None)
    _LAUNCH.pop(connection, None)
