"""INSERT, UPDATE, DELETE, TRUNCATE and SELECT INTO as DuckDB statements.

An UPDATE or DELETE with FROM, TOP or OUTPUT becomes a SELECT of the rows to change (their rowid,
the new values, what OUTPUT wants), which is kept for a moment and then applied:

    SELECT rowid, new values, output ... INTO temp."$changes"  ->  UPDATE ... FROM "$changes"
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from sqlexec.embedded.catalog import TableColumn
from sqlexec.embedded.engine import arrow_type, quote
from sqlexec.embedded.results import ResultSet
from sqlexec.embedded.sqltypes import MAX, SqlType
from sqlexec.embedded.tsql.definitions.targets import Target, find_target
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.queries.constraint_errors import constraint_error
from sqlexec.embedded.tsql.queries.plans import Plan, Step, bind_steps, running, values
from sqlexec.embedded.tsql.scalar.conversions import convert
from sqlexec.embedded.tsql.syntax import clauses
from sqlexec.embedded.tsql.syntax.clauses import Clauses
from sqlexec.embedded.tsql.translate.binder import ROWID, Binder
from sqlexec.embedded.tsql.translate.casts import cast
from sqlexec.embedded.tsql.translate.dialect import duckdb_text, parse
from sqlexec.embedded.tsql.translate.scopes import Output, Scope, Source

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session

_CHANGES = 'temp."$changes"'
_ROW = "$row"


def plan(session: Session, keyword: str, text: str, line: int) -> Plan:
    """The plan of a writing statement."""
    if keyword == "TRUNCATE":
        return _truncate(session, text)
    cut = clauses.cut(text, keyword)
    if keyword == "INSERT":
        return _insert(session, cut, line)
    return _Change(session, cut, keyword, line).plan()


def _truncate(session: Session, text: str) -> Plan:
    cutter = clauses.Cutter(text)
    cutter.take("TRUNCATE")
    if not cutter.take("TABLE"):
        raise SqlError.of(102, cutter.token.text)
    target = find_target(session, cutter.name())
    steps = [Step(f"DELETE FROM {target.storage}")]
    if target.identity is not None and target.identity.identity is not None:
        # numbering begins anew, as TRUNCATE TABLE has it
        from sqlexec.embedded.tsql.definitions.storage import restart_sequence

        steps.append(Step(restart_sequence(target.storage, target.identity)))
        return Plan("write", steps, writes=_writes(target, "ALTER"), variables=["$none"])
    return Plan("write", steps, writes=_writes(target, "ALTER"), variables=["$none"])


def _writes(target: Target, permission: str) -> list[tuple[Any, str]]:
    return [(target.found, permission)] if target.found is not None else []


# --- INSERT ------------------------------------------------------------------------------


def _insert(session: Session, cut: Clauses, line: int) -> Plan:
    target = find_target(session, cut.target)
    columns = _insert_columns(session, target, cut.columns)
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
    if not columns:
        body = "DEFAULT VALUES"
    else:
        tree = parse(f"{cut.with_} {cut.source}", line)
        if isinstance(tree, exp.Values):
            body = _insert_values(binder, tree, columns, defaults, explicit=explicit)
        else:
            body = _insert_query(binder, tree, columns, defaults, explicit=explicit)
    names = ", ".join(quote(column.name) for column in (*columns, *defaults)) if columns else ""
    into = f"INSERT INTO {target.storage} {f'({names}) ' if names else ''}{body}"
    found = Plan("write", [], reads=binder.reads, writes=_writes(target, "INSERT"),
                 volatile=binder.volatile)  # fmt: skip
    identity = target.identity
    if identity is not None:
        found.identity = identity.name
    if cut.output:
        text, found.outputs = _output_list(session, binder, cut.output, {"inserted": target})
        text = f"{text}, {quote(identity.name)}" if identity is not None else text
        into += f" RETURNING {text}"
        found.returns_rows = not cut.output_into
        found.cleanup = _into_target(cut)
    elif identity is not None and not body.startswith(("SELECT", "WITH", "(")):
        into += f" RETURNING {quote(identity.name)}"
    elif identity is not None:
        found.steps.append(Step(f"SELECT currval({_sequence(target, identity)})"))
    found.steps.insert(0, Step(into, bind_steps(binder)))
    if identity is not None and any(column.name == identity.name for column in columns):
        from sqlexec.embedded.tsql.definitions.storage import raise_sequence

        found.steps = [found.steps[0], Step(raise_sequence(target.storage, identity))]
    return found


def _sequence(target: Target, identity: TableColumn) -> str:
    from sqlexec.embedded.tsql.definitions.storage import sequence_name

    return "'" + sequence_name(target.storage, identity.name).replace("'", "''") + "'"


def _into_target(cut: Clauses) -> str:
    """OUTPUT ... INTO t (a, b), kept in the plan as 'INTO t (a, b)'."""
    if not cut.output_into:
        return ""
    names = ", ".join("[" + name.replace("]", "]]") + "]" for name in cut.output_columns or ())
    return f"INTO {cut.output_into}" + (f" ({names})" if names else "")


def _insert_columns(session: Session, target: Target, names: list[str] | None) -> list[TableColumn]:
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


def default_value(binder: Binder, column: TableColumn) -> exp.Expression:
    """The value of a column that gets none: its DEFAULT, else NULL."""
    if column.default is None:
        return exp.Null()
    holder = exp.Paren(this=parse(f"SELECT {column.default}").expressions[0].copy())
    source = binder.expression(holder.this, Scope(), {})
    return assign(holder.this, source, column)


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


def assign(value: exp.Expression, source: SqlType | None, column: TableColumn) -> exp.Expression:
    """The value as the column takes it; lengths are checked by the table itself (2628)."""
    type = column.type
    if isinstance(value, exp.Null) or source is None or source == type:
        return value
    if type.is_binary and (source.is_text):
        raise SqlError(
            257, f"Implicit conversion from data type {source.name} to {type.name} is not allowed. "
            "Use the CONVERT function to run this query.",
        )  # fmt: skip
    if type.length is not None:  # do not cut
        if source.is_text == type.is_text and source.is_binary == type.is_binary:
            return value
        return cast(value, source, SqlType(type.name, MAX))
    if source.name == type.name and type.name != "decimal":
        return value
    return cast(value, source, type)


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


# --- UPDATE and DELETE -------------------------------------------------------------------


class _Change:
    """The making of one UPDATE's or DELETE's plan."""

    def __init__(self, session: Session, cut: Clauses, keyword: str, line: int) -> None:
        self.session, self.cut, self.keyword, self.line = session, cut, keyword, line
        self.alias, self.target = self._find_target()
        self.binder = Binder(session)
        self.assigned = [(a, self.target.column(a.column)) for a in cut.assignments if a.column]
        for _, column in self.assigned:
            if column.identity:
                raise SqlError(8102, f"Cannot update identity column '{column.name}'.")

    def _find_target(self) -> tuple[str, Target]:
        """The target's alias in FROM and the table: UPDATE a ... FROM t AS a means t."""
        name = self.cut.target
        if self.cut.from_:
            tree = parse(f"SELECT 1 FROM {self.cut.from_}", self.line)
            wanted = name.split(".")[-1].strip('[]"').lower()
            for table in tree.find_all(exp.Table):
                if table.alias.lower() == wanted and "." not in name:
                    table.set("alias", None)
                    table.set("joins", None)
                    table.set("hints", None)
                    return wanted, find_target(self.session, table.sql("tsql"))
        target = find_target(self.session, name)
        return target.name, target

    def plan(self) -> Plan:
        cut = self.cut
        variables = [a.variable for a in cut.assignments if a.variable]
        simple = not (cut.from_ or cut.top or cut.output or cut.with_ or variables)
        found = self._direct() if simple else self._by_rows(variables)
        found.reads = self._reads()
        found.writes = _writes(self.target, self.keyword)
        found.volatile = self.binder.volatile
        return found

    def _reads(self) -> list[Any]:
        target = self.target.found
        reads = self.binder.reads
        if not self.cut.where and not self.cut.from_ and not self.cut.output:
            used = any(a.value and parse(f"SELECT {a.value}").find(exp.Column) for a in
                       self.cut.assignments)  # fmt: skip
            if not used:
                return [found for found in reads if found is not target]
        return reads

    def _select(self, extra: list[str], rowid: bool) -> tuple[exp.Expression, list[Output]]:
        """The bound SELECT of the rows to change."""
        cut = self.cut
        alias = "[" + self.alias.replace("]", "]]") + "]"
        items = [f"{alias}.[{ROWID}] AS [{_ROW}]"] if rowid else []
        items += [f"{a.value} AS [${n}]" for n, a in enumerate(cut.assignments)]
        items += extra
        from_ = cut.from_ or f"{cut.target}"
        if cut.from_ and not self._target_in_from():
            from_ = f"{cut.target}, {cut.from_}"
        text = (
            f"{cut.with_} SELECT {'TOP ' + cut.top if cut.top else ''} {', '.join(items) or '1'}"
            f" FROM {from_}{' WHERE ' + cut.where if cut.where else ''}"
        )
        tree = parse(text, self.line)
        outputs = self.binder.query(tree)
        return tree, outputs or []

    def _target_in_from(self) -> bool:
        tree = parse(f"SELECT 1 FROM {self.cut.from_}", self.line)
        wanted = self.cut.target.split(".")[-1].strip('[]"').lower()
        return any(
            (table.alias or table.name).lower() in (self.alias.lower(), wanted)
            or table.name.lower() == wanted
            for table in tree.find_all(exp.Table)
        )

    def _direct(self) -> Plan:
        tree, outputs = self._select([], rowid=False)
        where = tree.args.get("where")
        table = duckdb_text(tree.args["from_"].this)
        tail = f" {duckdb_text(where)}" if where is not None else ""
        if self.keyword == "DELETE":
            sql = f"DELETE FROM {table}{tail}"
        else:
            parts = []
            pairs = zip(tree.expressions, outputs, self.assigned, strict=True)
            for item, output, (_, column) in pairs:
                value = assign(item.this, output.type, column)
                parts.append(f"{quote(column.name)} = {duckdb_text(value)}")
            sql = f"UPDATE {table} SET {', '.join(parts)}{tail}"
        return Plan("write", [Step(sql, bind_steps(self.binder))])

    def _by_rows(self, variables: list[str]) -> Plan:
        extra, outputs = self._output_items()
        tree, all_outputs = self._select(extra, rowid=True)
        values_at = 1
        for number, assignment in enumerate(self.cut.assignments):
            item = tree.expressions[values_at + number]
            if assignment.column:
                column = self.target.column(assignment.column)
                item.set("this", assign(item.this, all_outputs[values_at + number].type, column))
        body = duckdb_text(tree)
        one_each = f'SELECT DISTINCT ON ("{_ROW}") * FROM ({body})'
        if not self.cut.from_:
            one_each = body
        if not self.cut.output and not variables:
            return Plan("write", [Step(self._apply(f"({one_each})"), bind_steps(self.binder))])
        steps = [
            Step(f'CREATE OR REPLACE TEMP TABLE "$changes" AS {one_each}', bind_steps(self.binder)),
            Step(self._apply(_CHANGES)),
        ]
        plan = Plan(
            "write", steps, all_outputs[len(all_outputs) - len(outputs) :] if outputs else None
        )
        if self.cut.output:
            plan.returns_rows = not self.cut.output_into
            plan.cleanup = _into_target(self.cut)
            names = [f'"$o{number}"' for number in range(len(outputs))]
            steps.append(Step(f"SELECT {', '.join(names)} FROM {_CHANGES}"))
            for output, name in zip(plan.outputs or (), outputs, strict=True):
                output.name = name
        if variables:
            plan.variables = variables
            names = [f'"${n}"' for n, a in enumerate(self.cut.assignments) if a.variable]
            steps.append(Step(f"SELECT {', '.join(names)} FROM {_CHANGES}"))
        return plan

    def _apply(self, rows: str) -> str:
        storage = self.target.storage
        if self.keyword == "DELETE":
            return f'DELETE FROM {storage} WHERE rowid IN (SELECT "{_ROW}" FROM {rows} AS s)'
        sets = ", ".join(
            f'{quote(column.name)} = s."${number}"'
            for number, a in enumerate(self.cut.assignments)
            if a.column
            for column in [self.target.column(a.column)]
        )
        return f'UPDATE {storage} AS t SET {sets} FROM {rows} AS s WHERE t.rowid = s."{_ROW}"'

    def _output_items(self) -> tuple[list[str], list[str]]:
        """OUTPUT's items as items of the SELECT: inserted.x is the new value or the old one."""
        if not self.cut.output:
            return [], []
        new = {column.name.lower(): a.value for a, column in self.assigned}
        items: list[str] = []
        names: list[str] = []
        tree = parse(f"SELECT {self.cut.output}", self.line)
        for item in list(tree.expressions):
            if isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
                for column in self.target.columns:
                    names.append(column.name)
                    items.append(self._pseudo(item.table, column.name, new))
                continue
            inner = item.this if isinstance(item, exp.Alias) else item
            names.append(item.alias or (inner.name if isinstance(inner, exp.Column) else ""))
            holder = exp.Paren(this=inner.copy())
            for used in list(holder.find_all(exp.Column)):
                if used.table.lower() in ("inserted", "deleted"):
                    text = self._pseudo(used.table, used.name, new)
                    used.replace(exp.paren(parse(f"SELECT {text}").expressions[0]))
            items.append(holder.this.sql("tsql", normalize_functions=False))
        return [f"{item} AS [$o{number}]" for number, item in enumerate(items)], names

    def _pseudo(self, table: str, column: str, new: dict[str, str]) -> str:
        found = self.target.column(column)
        if table.lower() == "inserted":
            if self.keyword == "DELETE":
                raise SqlError(
                    4104, f'The multi-part identifier "inserted.{column}" could not be bound.'
                )
            if found.name.lower() in new:
                return f"CAST({new[found.name.lower()]} AS {found.type})"
        alias = "[" + self.alias.replace("]", "]]") + "]"
        return f"{alias}.[{found.name}]"


# --- SELECT INTO -------------------------------------------------------------------------


def select_into(session: Session, tree: exp.Expression) -> Plan:
    """SELECT ... INTO t: the table is made with the query's types, then filled."""
    from sqlexec.embedded.tsql.definitions import definitions
    from sqlexec.embedded.tsql.translate.binder import table_name

    into = tree.args["into"].this
    tree.set("into", None)
    name = ".".join(
        "[" + part.replace("]", "]]") + "]"
        for part in (into.catalog, into.db, table_name(into))
        if part
    )
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


# --- running -----------------------------------------------------------------------------


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
                if len(plan.steps) == 1 and not plan.cleanup:
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
        connection = session.connection.execute(step.sql, values(session, step.parameters))
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
        elif plan.variables and step is plan.steps[-1] and plan.variables != ["$none"]:
            _set_variables(session, plan.variables, rows, types_now)
        elif word == "SELECT":
            kept, types = rows, types_now
    if plan.variables == ["$none"]:
        count = None
    if plan.cleanup.startswith("INTO "):
        names = [column.name for column in plan.outputs or ()]
        from sqlexec.embedded.results import Column

        columns = [Column(n, o.type or t) for n, o, (_, t) in
                   zip(names, plan.outputs or (), types, strict=False)]  # fmt: skip
        insert_rows(session, plan.cleanup[5:], [ResultSet(columns, rows=kept)])
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
    columns = _insert_columns(session, target, names)
    plan = Plan("write", [], writes=_writes(target, "INSERT"))
    from sqlexec.embedded.tsql.queries.plans import check

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
