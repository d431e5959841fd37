"""What one session knows while it runs T-SQL: who, where, options, transaction, variables.

Instance   one a server: engine, catalog, launchpad, all sessions
  Session  one a connection: database, principal, SET options, transaction count, temp tables
    Frame  one a batch or procedure call: variables, procedure name, caller's rights
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.errors import SqlError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlexec.embedded.catalog import Catalog, DatabaseObject, Principal, TableColumn
    from sqlexec.embedded.engine import Connection, Engine
    from sqlexec.embedded.launchpad import Launchpad
    from sqlexec.embedded.results import Column, Sink


@dataclass(slots=True)
class Variable:
    """A T-SQL variable: its declared type and its value (None for NULL)."""

    type: SqlType
    value: object = None


@dataclass(slots=True)
class TableVariable:
    """A DECLAREd @table: the DuckDB temporary table that holds it, and its columns."""

    storage: str
    columns: list[Column]
    details: list[TableColumn] = field(default_factory=list)  # with identity and defaults


@dataclass(slots=True)
class Frame:
    """One batch, or one call of a procedure.

    `variables` and `tables` are keyed by the lower-case name with its @.  `object_id` and
    `owner` are those of the running procedure (0 and '' in a batch): objects of the same owner
    need no permission of the caller (ownership chaining); dynamic SQL runs in a frame without.
    """

    variables: dict[str, Variable] = field(default_factory=dict)
    tables: dict[str, TableVariable] = field(default_factory=dict)
    procedure: str = ""
    object_id: int = 0
    owner: str = ""
    database: str = ""  # of the running procedure
    caught: list[SqlError] = field(default_factory=list)  # errors of the CATCH blocks around
    return_status: int = 0

    def variable(self, name: str) -> Variable:
        try:
            return self.variables[name.lower()]
        except KeyError:
            raise SqlError.of(137, name) from None


@dataclass(slots=True)
class Options:
    """SET options that change what the stand-in does; all else is accepted and has no effect."""

    nocount: bool = False
    xact_abort: bool = False
    implicit_transactions: bool = False
    fmtonly: bool = False
    quoted_identifier: bool = True
    isolation_level: int = 2  # as sys.dm_exec_sessions tells it: READ COMMITTED
    lock_timeout: float = -1.0  # seconds, -1 for no limit
    textsize: int = 2147483647
    identity_insert: str = ""  # 'database.schema.table' in lower case


class Agent(Protocol):
    """SQL Server Agent, as T-SQL speaks to it."""

    def start(self, job_id: str, name: str, user: str) -> None:
        """Run a job in the background."""

    def stop(self, job_id: str, name: str, user: str) -> None:
        """Cancel the running step of a job; its later ones do not begin."""

    def forget(self, job_id: str) -> None:
        """A job is deleted: stop it, if it runs."""


@dataclass(slots=True)
class Instance:
    """One server: what its sessions share."""

    engine: Engine
    catalog: Catalog
    launchpad: Launchpad
    name: str = "SQLEXEC"
    agent: Agent | None = None  # None: it is not started
    sessions: dict[int, Session] = field(default_factory=dict)  # by session id (spid)
    configuration: dict[str, int] = field(
        default_factory=lambda: {"external scripts enabled": 1, "show advanced options": 0}
    )


@dataclass(slots=True)
class Session:
    """One connection's state.

    `cancelled` is set by an ATTENTION or a disconnect; whatever blocks (a query, WAITFOR, an
    external script) also puts a function into `on_cancel` that ends its waiting at once.
    """

    instance: Instance
    connection: Connection  # DuckDB
    principal: Principal  # the login, and its user in the current database
    database: str
    session_id: int
    application_name: str = ""
    host_name: str = ""
    options: Options = field(default_factory=Options)
    frames: list[Frame] = field(default_factory=list)
    sink: Sink | None = None  # of the request that runs
    transaction_count: int = 0
    transaction_doomed: bool = False
    transaction_descriptor: int = 0
    row_count: int = 0
    error_number: int = 0  # @@ERROR
    last_identity: int | None = None
    context: dict[str, object] = field(default_factory=dict)  # SESSION_CONTEXT, lower-case keys
    context_info: bytes | None = None
    temporary_tables: dict[str, TableVariable] = field(default_factory=dict)  # '#name' lower case
    impersonated: list[Principal] = field(default_factory=list)  # EXECUTE AS: who it was before
    disconnect: Callable[[], None] | None = None  # ends the connection, for KILL
    cancelled: threading.Event = field(default_factory=threading.Event)
    on_cancel: list[Callable[[], None]] = field(default_factory=list)

    @property
    def frame(self) -> Frame:
        return self.frames[-1]

    def chained(self, found: DatabaseObject) -> bool:
        """Whether ownership chaining spares the check: the running procedure has the same owner."""
        frame = self.frames[-1] if self.frames else None
        return (
            frame is not None
            and bool(frame.owner)
            and (frame.owner == found.owner and frame.database.lower() == found.database.lower())
        )

    def cancel(self) -> None:
        """End what this session is doing; called from another thread."""
        self.cancelled.set()
        for stop in list(self.on_cancel):
            stop()
