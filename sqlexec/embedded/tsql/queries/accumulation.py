"""SELECT @v = @v + x FROM t: a variable built up row by row (drivers' bulk copy relies on it).

The rows of what the expressions need are fetched first; then each expression is evaluated once a
row, with the variables as they stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.queries.plans import Plan, Step, bind_steps
from sqlexec.embedded.tsql.scalar.conversions import convert
from sqlexec.embedded.tsql.state import Variable
from sqlexec.embedded.tsql.translate.binder import Binder
from sqlexec.embedded.tsql.translate.dialect import duckdb_text, parse
from sqlexec.embedded.tsql.translate.running import running, values
from sqlexec.embedded.tsql.translate.scopes import Output

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session

_COLUMN = "@$"  # variables that stand for the columns of the row at hand: no T-SQL name


def plan(session: Session, tree: exp.Expression, names: list[str]) -> Plan:
    """The first step fetches the columns that are used; the others are the expressions."""
    assert isinstance(tree, exp.Select)  # only a SELECT assigns
    columns: dict[str, exp.Expression] = {}
    expressions: list[str] = []
    for item in tree.expressions:
        holder = exp.Paren(this=item.copy())
        for column in list(holder.find_all(exp.Column)):
            place = f"{_COLUMN}{len(columns)}"
            columns[place] = column.copy()
            column.replace(exp.Parameter(this=exp.Var(this=place[1:])))
        expressions.append(holder.this.sql("tsql", normalize_functions=False))
    tree.set("expressions", list(columns.values()) or [exp.Literal.number(1)])
    binder = Binder(session)
    outputs = binder.query(tree) or []
    steps = [Step(duckdb_text(tree), bind_steps(binder))]
    frame = session.frame
    kept = dict(frame.variables)
    try:
        for place, output in zip(columns, outputs, strict=False):
            frame.variables[place] = Variable(convert_type(output))
        results: list[Output] = []
        for text in expressions:
            value = parse(f"SELECT {text}")
            results += binder.query(value) or []
            steps.append(Step(duckdb_text(value), bind_steps(binder)))
    finally:
        frame.variables.clear()
        frame.variables.update(kept)
    return Plan("accumulate", steps, [*outputs[: len(columns)], *results], binder.reads,
                variables=names, volatile=binder.volatile)  # fmt: skip


def convert_type(output: Output) -> SqlType:
    """The type of a column that binding could not tell: text of any length."""
    return output.type or SqlType("nvarchar", -1)


def run(session: Session, found: Plan) -> int:
    """Assign row by row; returns the number of rows."""
    frame = session.frame
    fetch, *steps = found.steps
    outputs = found.outputs or []
    width = len(outputs) - len(steps)
    with running(session):
        rows = session.connection.execute(fetch.sql, values(session, fetch.parameters)).fetchall()
        try:
            for row in rows:
                for number in range(width):
                    type = convert_type(outputs[number])
                    frame.variables[f"{_COLUMN}{number}"] = Variable(type, row[number])
                for name, step, output in zip(found.variables, steps, outputs[width:], strict=True):
                    connection = session.connection.execute(
                        step.sql, values(session, step.parameters)
                    )
                    actual = connection.types()[0][1]
                    variable = frame.variable(name)
                    value = connection.fetchall()[0][0]
                    variable.value = convert(value, output.type or actual, variable.type)
        finally:
            for number in range(width):
                frame.variables.pop(f"{_COLUMN}{number}", None)
    return len(rows)
