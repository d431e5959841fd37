"""The server under examination: its session, and what the checks have learnt so far."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from sqlexec.errors import ConnectionFailed, ExecutionTimeout, OperationCancelled
from sqlexec.server.connection import Connection
from sqlexec.server.reach import address, knock
from sqlexec.server.session import Session

if TYPE_CHECKING:
    from sqlexec.contexts.sql_server import RxInSqlServer

T = TypeVar("T")
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
    instance : str or None
        Name of the instance; None for the default one.
    python : dict
        What the server's Python told of itself.
    """

    compute_context: RxInSqlServer
    database: str = ""
    user: str = ""
    login: str = ""
    server_version: str = ""
    instance: str | None = None
    python: dict[str, Any] = field(default_factory=dict)
    _session: Session | None = None
    _lost: ConnectionFailed | None = None

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
        ConnectionFailed
            The server is there no more.
        """
        return patiently(self._usable_session(), lambda session: session.execute(sql, *parameters))

    def row(self, sql: str) -> dict[str, Any]:
        """The first row of a query, by column name; errors as for `execute`."""

        def read(session: Session) -> dict[str, Any]:
            with closing(session.read(sql, 1)) as batches:
                description, rows = next(batches)
            return dict(zip([column[0] for column in description], rows[0], strict=True))

        return patiently(self._usable_session(), read)

    def _usable_session(self) -> Session:
        """The session of all checks, a new one where that broke; only one attempt at a new one."""
        if self._session is not None and self._session.usable:
            return self._session
        if self._lost is not None:
            raise self._lost
        try:
            if address(self.connection.server):
                knock(self.connection.server)  # the driver would wait longer for nobody
            self._session = Session(self.connection)
        except ConnectionFailed as error:
            self._lost = error
            raise
        return self._session

    def close(self) -> None:
        if self._session is not None:
            self._session.close()


def patiently(session: Session, call: Callable[[Session], T]) -> T:
    """Call something with a session, for PATIENCE seconds at most."""
    clock = threading.Timer(PATIENCE, session.cancel)
    clock.start()
    try:
        return call(session)
    except OperationCancelled:
        raise ExecutionTimeout(f"The server gave no answer in {PATIENCE:.0f} s.") from None
    finally:
        clock.cancel()


def bracketed(name: str) -> str:
    """A name as T-SQL quotes it: [a]]b] for a]b."""
    return "[" + name.replace("]", "]]") + "]"
