"""Writing plans run: locks, steps in one transaction, identity, OUTPUT ... INTO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from sqlexec.embedded.engine import arrow_type, quote
from sqlexec.embedded.results import Column, ResultSet
from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.definitions.targets import find_target
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.queries.constraint_errors import constraint_error
from sqlexec.embedded.tsql.queries.inserts import insert_columns, written
from sqlexec.embedded.tsql.queries.long_values import placed
from sqlexec.embedded.tsql.queries.plans import Plan, Step, check
from sqlexec.embedded.tsql.scalar.conversions import convert
from sqlexec.embedded.tsql.syntax import clauses
from sqlexec.embedded.tsql.translate.running import running

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session


def execute(
    session: Session, plan: Plan
) -> tuple[int | None, list[tuple[Any, ...]], list[tuple[str, SqlType]]]:
    """Run the steps under the tables' locks; (rows affected, rows, their columns)."""
    connection = session.connection
    try:
        for found, permission in plan.writes:
            shared = permission == "INSERT" or connection.engine.locks.holds(
                connection, found.full_name.lower()
            )
            # a transaction that has inserted updates under its shared lock: to make it exclusive
            # would deadlock any two of them; DuckDB then tells conflicts apart row by row
            connection.lock(found.full_name, session, exclusive=not shared)
        with running(session):
            try:
                if len(plan.steps) == 1 and not plan.into:
                    return _steps(session, plan)
                with connection.transaction():
                    return _steps(session, plan)
            except duckdb.ConstraintException as error:
                raise constraint_error(session, plan, error) from error
    finally:
        connection.release_locks()


def _steps(
    session: Session, plan: Plan
) -> tuple[int | None, list[tuple[Any, ...]], list[tuple[str, SqlType]]]:
    count: int | None = None
    kept: list[tuple[Any, ...]] = []
    types: list[tuple[str, SqlType]] = []
    for step in plan.steps:
        if step.sql.startswith("SELECT currval") and not count:
            continue  # no row, no identity: the engine would refuse to tell the last one
        connection = session.connection
        with placed(session, step) as (text, given):
            connection.execute(text, given)
            types_now = connection.types()
            rows = connection.fetchall()
        word = step.sql.lstrip("(").split(None, 1)[0]
        if word in ("INSERT", "UPDATE", "DELETE"):
            returning = (
                word == "INSERT"
                and " RETURNING " in step.sql
                and bool(plan.outputs or plan.identity)
            )
            count = len(rows) if returning else int(rows[0][0])
            if returning:
                kept = _returned(session, plan, rows)
                types = types_now[: len(plan.outputs or ())]
        elif step.sql.startswith("SELECT currval") or step.sql.startswith("SELECT setval"):
            if rows and rows[0][0] is not None and count:
                session.last_identity = int(rows[0][0])
        elif plan.variables and step is plan.steps[-1]:
            _set_variables(session, plan.variables, rows, types_now)
        elif word == "SELECT":
            kept, types = rows, types_now
    if not plan.counted:
        count = None
    if plan.into:
        names = [column.name for column in plan.outputs or ()]
        columns = [Column(n, o.type or t) for n, o, (_, t) in
                   zip(names, plan.outputs or (), types, strict=False)]  # fmt: skip
        insert_rows(session, plan.into, [ResultSet(columns, rows=kept)])
    return count, kept, types


def _returned(session: Session, plan: Plan, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """RETURNING's rows without the identity column that was asked for beside OUTPUT's."""
    if plan.identity is None:
        return rows
    if rows:
        session.last_identity = int(rows[-1][-1])
    return [row[:-1] for row in rows]


def _set_variables(
    session: Session,
    names: list[str],
    rows: list[tuple[Any, ...]],
    types: list[tuple[str, SqlType]],
) -> None:
    if rows:
        for name, value, (_, type) in zip(names, rows[-1], types, strict=True):
            variable = session.frame.variable(name)
            variable.value = convert(value, type, variable.type)


def insert_rows(
    session: Session, target_text: str, results: Sequence[ResultSet], line: int = 1
) -> int:
    """Put rows held in Python into a table: INSERT ... EXECUTE and OUTPUT ... INTO."""
    cutter = clauses.Cutter(target_text)
    cutter.take("INSERT")
    cutter.take("INTO")
    target = find_target(session, cutter.name())
    names = clauses.names(cutter.parenthesized()) if cutter.token.text == "(" else None
    columns = insert_columns(session, target, names)
    plan = Plan("write", [], writes=written(target, "INSERT"))
    check(session, plan)
    total = 0
    for result in results:
        rows = [tuple(row) for row in result.rows or ()]
        if result.columns and len(result.columns) != len(columns):
            raise SqlError.of(213)
        arrays = []
        for number, column in enumerate(columns):
            source = result.columns[number].type
            cells = [_arrow_value(convert(row[number], source, column.type)) for row in rows]
            arrays.append(pa.array(cells, arrow_type(column.type)))
        if not rows:
            continue
        total += len(rows)
        table = pa.table(arrays, names=[f"c{number}" for number in range(len(columns))])
        listed = ", ".join(quote(column.name) for column in columns)
        plan.steps = [Step(f'INSERT INTO {target.storage} ({listed}) SELECT * FROM "$rows"')]
        with session.connection.registered("$rows", table):
            execute(session, plan)
    return total


def _arrow_value(value: object) -> object:
    if isinstance(value, memoryview):
        return bytes(value)
    return str(value) if type(value).__name__ == "UUID" else value
