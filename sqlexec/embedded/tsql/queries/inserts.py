"""The plan of an INSERT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from sqlexec.embedded.catalog import TableColumn
from sqlexec.embedded.engine import quote
from sqlexec.embedded.tsql.definitions.storage import raise_sequence, sequence_name
from sqlexec.embedded.tsql.definitions.targets import Target, find_target
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.queries.plans import Plan, Step, bind_steps
from sqlexec.embedded.tsql.syntax.clauses import Clauses
from sqlexec.embedded.tsql.syntax.lexer import quote_name
from sqlexec.embedded.tsql.translate.assignment import assign, default_value
from sqlexec.embedded.tsql.translate.binder import Binder
from sqlexec.embedded.tsql.translate.dialect import duckdb_text, parse
from sqlexec.embedded.tsql.translate.scopes import Output, Scope, Source

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session


def written(target: Target, permission: str) -> list[tuple[Any, str]]:
    return [(target.found, permission)] if target.found is not None else []


def insert_plan(session: Session, cut: Clauses, line: int) -> Plan:
    target = find_target(session, cut.target)
    columns = insert_columns(session, target, cut.columns)
    binder = Binder(session)
    if cut.top:
        raise unsupported("INSERT TOP")
    if cut.source.upper().split() == ["DEFAULT", "VALUES"]:
        columns = [c for c in target.columns if not c.identity and c.type.name != "timestamp"]
        row = ", ".join("DEFAULT" for _ in columns)
        cut.source = f"VALUES ({row})" if columns else "DEFAULT VALUES"
    given = {column.name for column in columns}
    defaults = [c for c in target.columns if c.default is not None and c.name not in given]
    explicit = cut.columns is not None
    row = ""
    if not columns:
        body = "DEFAULT VALUES"
    else:
        tree = parse(f"{cut.with_} {cut.source}", line)
        if isinstance(tree, exp.Values):
            body = _insert_values(binder, tree, columns, defaults, explicit=explicit)
            if len(tree.expressions) == 1 and isinstance(tree.expressions[0], exp.Tuple):
                row = "SELECT " + ", ".join(map(duckdb_text, tree.expressions[0].expressions))
        else:
            body = _insert_query(binder, tree, columns, defaults, explicit=explicit)
    names = ", ".join(quote(column.name) for column in (*columns, *defaults)) if columns else ""
    into = f"INSERT INTO {target.storage} {f'({names}) ' if names else ''}"
    row = row and into + row
    into += body
    found = Plan("write", [], reads=binder.reads, writes=written(target, "INSERT"),
                 volatile=binder.volatile)  # fmt: skip
    identity = target.identity
    if identity is not None:
        found.identity = identity.name
    if cut.output:
        text, found.outputs = _output_list(session, binder, cut.output, {"inserted": target})
        text = f"{text}, {quote(identity.name)}" if identity is not None else text
        into += f" RETURNING {text}"
        found.returns_rows = not cut.output_into
        found.into = into_target(cut)
    elif identity is not None and not body.startswith(("SELECT", "WITH", "(")):
        into += f" RETURNING {quote(identity.name)}"
    elif identity is not None:
        found.steps.append(Step(f"SELECT currval({_sequence(target, identity)})"))
    row = "" if " RETURNING " in into else row
    found.steps.insert(0, Step(into, bind_steps(binder), row))
    if identity is not None and any(column.name == identity.name for column in columns):
        found.steps = [found.steps[0], Step(raise_sequence(target.storage, identity))]
    return found


def _sequence(target: Target, identity: TableColumn) -> str:
    return "'" + sequence_name(target.storage, identity.name).replace("'", "''") + "'"


def into_target(cut: Clauses) -> str:
    """The target of OUTPUT ... INTO t (a, b)."""
    if not cut.output_into:
        return ""
    names = ", ".join(map(quote_name, cut.output_columns or ()))
    return cut.output_into + (f" ({names})" if names else "")


def insert_columns(session: Session, target: Target, names: list[str] | None) -> list[TableColumn]:
    explicit = target.found is not None and (
        session.options.identity_insert == target.found.full_name.lower()
    )
    if names is None:
        return [
            c for c in target.columns if (not c.identity or explicit) and c.type.name != "timestamp"
        ]
    columns = [target.column(name) for name in names]
    if any(column.identity for column in columns) and not explicit:
        raise SqlError(
            544, f"Cannot insert explicit value for identity column in table '{target.name}' when "
            "IDENTITY_INSERT is set to OFF.",
        )  # fmt: skip
    return columns


def _insert_values(
    binder: Binder,
    tree: exp.Values,
    columns: list[TableColumn],
    defaults: list[TableColumn],
    *,
    explicit: bool,
) -> str:
    scope = Scope()
    for row in tree.expressions:
        cells = row.expressions if isinstance(row, exp.Tuple) else [row]
        _check_count(len(cells), len(columns), explicit=explicit)
        for cell, column in zip(list(cells), columns, strict=True):
            if isinstance(cell, exp.Var) and cell.name.upper() == "DEFAULT":
                cell.replace(default_value(binder, column))
                continue
            holder = exp.Paren(this=cell.copy())
            source = binder.expression(holder.this, scope, {})
            cell.replace(assign(holder.this, source, column))
        if defaults:
            row.set(
                "expressions", [*row.expressions, *(default_value(binder, c) for c in defaults)]
            )
    return duckdb_text(tree)


def _insert_query(
    binder: Binder,
    tree: exp.Expression,
    columns: list[TableColumn],
    defaults: list[TableColumn],
    *,
    explicit: bool,
) -> str:
    outputs = binder.query(tree)
    body = duckdb_text(tree)
    if outputs is None:
        if defaults:
            raise unsupported("INSERT from a query whose columns are not known")
        return body
    _check_count(len(outputs), len(columns), explicit=explicit, query=True)
    names = [f"c{number}" for number in range(len(columns))]
    converted = [
        duckdb_text(assign(exp.column(name, quoted=True), output.type, column))
        for name, output, column in zip(names, outputs, columns, strict=True)
    ]
    if not defaults and converted == [quote(name) for name in names]:
        return body
    converted += [duckdb_text(default_value(binder, column)) for column in defaults]
    return f"SELECT {', '.join(converted)} FROM ({body}) AS s({', '.join(map(quote, names))})"


def _check_count(given: int, wanted: int, *, explicit: bool, query: bool = False) -> None:
    if given == wanted:
        return
    if not explicit:
        raise SqlError.of(213)
    few = given < wanted
    if query:
        items = "fewer" if few else "more"
        raise SqlError(
            120 if few else 121, f"The select list for the INSERT statement contains {items} items "
            "than the insert list. The number of SELECT values must match the number of INSERT "
            "columns.", 15,
        )  # fmt: skip
    columns = "more" if few else "fewer"
    raise SqlError(
        109 if few else 110, f"There are {columns} columns in the INSERT statement than values "
        "specified in the VALUES clause. The number of values in the VALUES clause must match the "
        "number of columns specified in the INSERT statement.", 15,
    )  # fmt: skip


def _output_list(
    session: Session, binder: Binder, text: str, sources: dict[str, Target]
) -> tuple[str, list[Output]]:
    """OUTPUT's list for RETURNING: inserted.x is plain x there."""
    tree = parse(f"SELECT {text}")
    scope = Scope(None, [Source(name, target.outputs) for name, target in sources.items()])
    outputs: list[Output] = []
    parts: list[str] = []
    for item in list(tree.expressions):
        if isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
            target = sources.get(item.table.lower())
            if target is None:
                raise SqlError(
                    4104, f'The multi-part identifier "{item.table}.*" could not be bound.'
                )
            outputs += target.outputs
            parts += [quote(column.name) for column in target.columns]
            continue
        inner = item.this if isinstance(item, exp.Alias) else item
        name = item.alias or (inner.name if isinstance(inner, exp.Column) else "")
        holder = exp.Paren(this=inner.copy())
        type = binder.expression(holder.this, scope, {})
        for column in holder.find_all(exp.Column):
            column.set("table", None)
        outputs.append(Output(name, type))
        parts.append(duckdb_text(holder.this))
    return ", ".join(parts), outputs
