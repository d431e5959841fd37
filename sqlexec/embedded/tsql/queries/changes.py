"""The plan of an UPDATE or DELETE.

One with other tables in FROM, with TOP or OUTPUT becomes a SELECT of the rows to change (their
rowid, the new values, what OUTPUT wants), which is kept for a moment and then applied:

    SELECT rowid, new values, output ... INTO temp."$changes"  ->  UPDATE ... FROM "$changes"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from sqlexec.embedded.engine import quote
from sqlexec.embedded.tsql.definitions.targets import Target, find_target
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.queries.inserts import into_target, written
from sqlexec.embedded.tsql.queries.plans import Plan, Step, bind_steps
from sqlexec.embedded.tsql.syntax.clauses import Clauses
from sqlexec.embedded.tsql.syntax.lexer import quote_name
from sqlexec.embedded.tsql.translate.assignment import assign
from sqlexec.embedded.tsql.translate.binder import ROWID, Binder
from sqlexec.embedded.tsql.translate.dialect import duckdb_text, parse
from sqlexec.embedded.tsql.translate.scopes import Output

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session


_CHANGES = 'temp."$changes"'


_ROW = "$row"


class Change:
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
        simple = not (cut.top or cut.output or cut.with_ or variables) and self._alone()
        found = self._direct() if simple else self._by_rows(variables)
        found.reads = self._reads()
        found.writes = written(self.target, self.keyword)
        found.volatile = self.binder.volatile
        return found

    def _alone(self) -> bool:
        """Whether FROM names the target and nothing else."""
        if not self.cut.from_:
            return True
        tree = parse(f"SELECT 1 FROM {self.cut.from_}", self.line)
        tables = list(tree.find_all(exp.Table, exp.Subquery))
        return len(tables) == 1 and self._target_in_from()

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
        alias = quote_name(self.alias)
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
            plan.into = into_target(self.cut)
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
        alias = quote_name(self.alias)
        return f"{alias}.[{found.name}]"
