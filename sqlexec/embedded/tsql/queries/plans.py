"""Plans: a T-SQL statement made ready for DuckDB once, and run many times.

    text + what its meaning hangs on --> Plan (DuckDB text, parameters, columns, permissions)

A plan is kept under its text, the database, the state of the catalog, and the types of the
variables and session tables at hand; so nothing is parsed on the hot path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlexec.embedded.catalog import DatabaseObject
from sqlexec.embedded.tsql.translate.binder import Binder, Parameter
from sqlexec.embedded.tsql.translate.scopes import Output

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session, TableVariable

_LIMIT = 2000  # plans kept; then all are dropped


@dataclass(slots=True)
class Step:
    """One DuckDB statement of a plan.

    row : an INSERT of one row once more, as a SELECT that a FROM may follow.
    """

    sql: str
    parameters: list[Parameter] = field(default_factory=list)
    row: str = ""


@dataclass(slots=True)
class Plan:
    """A statement made ready.

    kind : 'rows' (a result set), 'assign' (SELECT @v = ...), 'accumulate' (row by row), 'write'.
    steps : run in order; the last one's rows or count are the outcome.
    locked : tables that a SELECT with UPDLOCK keeps from other writers.
    writes : (table, permission); locked before the first step.
    """

    kind: str
    steps: list[Step]
    outputs: list[Output] | None = None
    reads: list[DatabaseObject] = field(default_factory=list)
    locked: list[DatabaseObject] = field(default_factory=list)
    writes: list[tuple[DatabaseObject, str]] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    identity: str | None = None  # sequence of the target's identity column
    returns_rows: bool = False  # the last step's rows go to the client (OUTPUT)
    volatile: bool = False
    into: str = ""  # where OUTPUT ... INTO puts the last step's rows: "t (a, b)"
    counted: bool = True  # the number of rows is told


def cached(session: Session, text: str, make: Callable[[], Plan]) -> Plan:
    """The plan of a text in this session, made when there is none yet."""
    engine = session.instance.engine
    frame = session.frames[-1] if session.frames else None
    key = (
        text,
        session.database,
        session.principal.default_schema,
        # What others see of the system views is written into their plans.
        None if session.principal.sysadmin else (session.principal.sid, session.principal.user_id),
        session.instance.catalog.snapshot(session).generation,
        frame.database if frame else "",
        tuple((name, v.type) for name, v in frame.variables.items()) if frame else (),
        _tables(frame.tables) if frame and frame.tables else (),
        _tables(session.temporary_tables) if session.temporary_tables else (),
        session.options.identity_insert,
    )
    found = engine.plans.get(key)
    if found is None:
        found = make()
        if not found.volatile:
            if len(engine.plans) >= _LIMIT:
                engine.plans.clear()
            engine.plans[key] = found
    return found


def _tables(tables: Mapping[str, TableVariable]) -> tuple[object, ...]:
    return tuple((name, t.storage, tuple(t.columns)) for name, t in tables.items())


def check(session: Session, plan: Plan) -> None:
    """Raise 229 when the user may not read or write what the plan reads or writes."""
    principal = session.principal
    if principal.sysadmin:
        return
    catalog = session.instance.catalog
    for found in plan.reads:
        if not session.chained(found):
            catalog.check_permission(session, "SELECT", found.object_id, database=found.database)
    for found, permission in plan.writes:
        if permission == "ALTER" or not session.chained(found):  # chains cover no DDL
            catalog.check_permission(session, permission, found.object_id, database=found.database)


def bind_steps(binder: Binder) -> list[Parameter]:
    """The parameters found since the last call (each DuckDB statement numbers its own)."""
    found, binder.parameters = binder.parameters, []
    return found
