"""The server under examination: its session, and what the checks have learnt so far."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlexec.errors import ConnectionFailed, ExecutionTimeout, OperationCancelled
from sqlexec.server.connection import Connection
from sqlexec.server.session import Session

if TYPE_CHECKING:
    from sqlexec.contexts.sql_server import RxInSqlServer

PATIENCE = 60.0  # seconds for one statement: Launchpad itself gives up after as long


@dataclass
class Examination:
    """What the checks share.

    Parameters
    ----------
    compute_context : RxInSqlServer
        Whose server is examined.

    Attributes
    ----------
    connection : Connection
        Where to; read by the check of the driver.
    database, user, login : str
        As the server calls them, once the login succeeded.
    server_version : str
        @@VERSION.
    python : dict
        What the server's Python told of itself.
    launch_seconds : float
        How long one call with an empty script took.
    """

    compute_context: RxInSqlServer
    database: str = ""
    user: str = ""
    login: str = ""
    server_version: str = ""
    python: dict[str, Any] = field(default_factory=dict)
    launch_seconds: float = 0.0
    _session: Session | None = None

    @cached_property
    def connection(self) -> Connection:
        return Connection.of(self.compute_context.connection_string)

    @cached_property
    def refusal(self) -> ConnectionFailed | None:
        """Why there is no session with the server, None where there is one."""
        try:
            self._session = Session(self.connection)
        except ConnectionFailed as error:
            return error
        return None

    def execute(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement in the session that all checks share; gives its first set of rows.

        Raises
        ------
        ExecutionTimeout
            There was no answer in PATIENCE seconds; the next statement has a new session.
        """
        if self._session is None or not self._session.usable:
            self._session = Session(self.connection)
        return patiently(self._session, sql, *parameters)

    def close(self) -> None:
        if self._session is not None:
            self._session.close()


def patiently(session: Session, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Run a statement for PATIENCE seconds at most."""
    clock = threading.Timer(PATIENCE, session.cancel)
    clock.start()
    try:
        return session.execute(sql, *parameters)
    except OperationCancelled:
        raise ExecutionTimeout(f"The server gave no answer in {PATIENCE:.0f} s.") from None
    finally:
        clock.cancel()


def bracketed(name: str) -> str:
    """A name as T-SQL quotes it: [a]]b] for a]b."""
    return "[" + name.replace("]", "]]") + "]"
