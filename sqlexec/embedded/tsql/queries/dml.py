"""INSERT, UPDATE, DELETE, TRUNCATE and SELECT INTO as plans: the way in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlexec.embedded.tsql.definitions import definitions
from sqlexec.embedded.tsql.definitions.storage import restart_sequence
from sqlexec.embedded.tsql.definitions.targets import find_target
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.queries.changes import Change
from sqlexec.embedded.tsql.queries.inserts import insert_plan, written
from sqlexec.embedded.tsql.queries.plans import Plan, Step, bind_steps
from sqlexec.embedded.tsql.syntax import clauses
from sqlexec.embedded.tsql.syntax.lexer import quote_name
from sqlexec.embedded.tsql.translate.binder import Binder
from sqlexec.embedded.tsql.translate.dialect import duckdb_text
from sqlexec.embedded.tsql.translate.running import running, values
from sqlexec.embedded.tsql.translate.sources import table_name

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session


def plan(session: Session, keyword: str, text: str, line: int) -> Plan:
    """The plan of a writing statement."""
    if keyword == "TRUNCATE":
        return _truncate(session, text)
    cut = clauses.cut(text, keyword)
    if keyword == "INSERT":
        return insert_plan(session, cut, line)
    return Change(session, cut, keyword, line).plan()


def _truncate(session: Session, text: str) -> Plan:
    cutter = clauses.Cutter(text)
    cutter.take("TRUNCATE")
    if not cutter.take("TABLE"):
        raise SqlError.of(102, cutter.token.text)
    target = find_target(session, cutter.name())
    steps = [Step(f"DELETE FROM {target.storage}")]
    if target.identity is not None and target.identity.identity is not None:
        # numbering begins anew, as TRUNCATE TABLE has it
        steps.append(Step(restart_sequence(target.storage, target.identity)))
    return Plan("write", steps, writes=written(target, "ALTER"), counted=False)


# --- SELECT INTO -------------------------------------------------------------------------


def select_into(session: Session, tree: exp.Expression) -> Plan:
    """SELECT ... INTO t: the table is made with the query's types, then filled."""
    into = tree.args["into"].this
    tree.set("into", None)
    name = ".".join(quote_name(part) for part in (into.catalog, into.db, table_name(into)) if part)
    binder = Binder(session)
    outputs = binder.query(tree)
    step = Step(duckdb_text(tree), bind_steps(binder))
    with running(session):
        described = session.connection.execute(
            f"DESCRIBE {step.sql}", values(session, step.parameters)
        ).fetchall()
    columns = definitions.columns_of_query(outputs, described)
    target = definitions.create_table_as(session, name, columns)
    plan = Plan("write", [Step(f"INSERT INTO {target.storage} {step.sql}", step.parameters)],
                reads=binder.reads, volatile=True)  # fmt: skip
    return plan
