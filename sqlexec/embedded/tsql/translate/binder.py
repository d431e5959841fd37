"""Names and types: a parsed query becomes one that DuckDB can run.

    tree (T-SQL) -> Binder.query -> the same tree with DuckDB's names, functions and casts
                                    + output columns, tables read, parameters needed

One walk, from the sources (FROM) to the expressions, since T-SQL's meaning hangs on types: `+`
adds or concatenates, `/` divides integers or decimals.  Each rule of that kind is a small function
in transforms.py, casts.py or functions.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlexec.embedded.catalog import DatabaseObject
from sqlexec.embedded.sqltypes import MAX, SqlType
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.scalar import typing_rules
from sqlexec.embedded.tsql.translate import (
    catalog_lookups,
    session_values,
    transforms,
)
from sqlexec.embedded.tsql.translate.casts import cast
from sqlexec.embedded.tsql.translate.dialect import declared_type, duckdb_cast
from sqlexec.embedded.tsql.translate.functions import AGGREGATE_CASTS, DATE_PART_FIRST, TRANSLATIONS
from sqlexec.embedded.tsql.translate.scopes import Output, Scope, Source
from sqlexec.embedded.tsql.translate.sources import bind_table, derived, renamed

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session

NO_PARENTHESES = {"CURRENT_TIMESTAMP", "CURRENT_USER", "SESSION_USER", "SYSTEM_USER", "USER"}
ROWID = "$rowid"  # stands for DuckDB's rowid of a table; never a name in T-SQL


@dataclass(slots=True)
class Parameter:
    """A value that the DuckDB statement needs: a variable, or a call the session answers."""

    name: str  # '@x', '@@ROWCOUNT' or 'SUSER_SNAME'
    type: SqlType
    arguments: tuple[object, ...] = ()
    call: bool = False


@dataclass(slots=True)
class Binder:
    """What binding one statement finds out.

    reads : objects whose rows are read (SELECT permission), without those behind views.
    locked : those among them that a hint (UPDLOCK) asks to lock.
    volatile : the text holds values of this moment and must not be kept.
    """

    session: Session
    parameters: list[Parameter] = field(default_factory=list)
    reads: list[DatabaseObject] = field(default_factory=list)
    locked: list[DatabaseObject] = field(default_factory=list)
    volatile: bool = False
    views: list[DatabaseObject] = field(default_factory=list)  # that we are inside of

    # --- queries --------------------------------------------------------------------------

    def query(
        self,
        tree: exp.Expression,
        parent: Scope | None = None,
        ctes: dict[str, list[Output] | None] | None = None,
    ) -> list[Output] | None:
        """Bind a query in place; returns its columns, None where they cannot be known."""
        ctes = dict(ctes or {})
        with_ = tree.args.get("with_")
        if with_ is not None:
            self._common_tables(with_, parent, ctes)
        if isinstance(tree, exp.Subquery):
            return self.query(tree.this, parent, ctes)
        if isinstance(tree, exp.SetOperation):
            left = self.query(tree.this, parent, ctes)
            right = self.query(tree.expression, parent, ctes)
            outputs = _union(left, right)
            transforms.order_by_outputs(tree)
            self._ordering(tree, Scope(parent, [Source("", outputs)], outputs or []))
            return outputs
        if isinstance(tree, exp.Select):
            return self._select(tree, parent, ctes)
        if isinstance(tree, exp.Values):
            return self._values(tree, parent, ctes)
        raise unsupported(f"{tree.key.upper()} inside a query")

    def _common_tables(
        self, with_: exp.Expression, parent: Scope | None, ctes: dict[str, list[Output] | None]
    ) -> None:
        for cte in with_.expressions:
            name = cte.alias.lower()
            names = [column.name for column in cte.args["alias"].columns]
            body = cte.this
            if isinstance(body, exp.SetOperation) and _mentions(body, name):
                # recursive: the first branch tells the columns
                with_.set("recursive", True)
                first = body.this.copy()
                probe = Binder(self.session, views=self.views)
                ctes[name] = renamed(probe.query(first, parent, ctes), names)
            ctes[name] = derived(self.query(body, parent, ctes), names, cte.alias)

    def _select(
        self, tree: exp.Select, parent: Scope | None, ctes: dict[str, list[Output] | None]
    ) -> list[Output] | None:
        transforms.refuse_clauses(tree)
        scope = Scope(parent)
        if tree.args.get("from_") is not None:
            self._source(tree.args["from_"].this, scope, ctes)
        for join in tree.args.get("joins") or ():
            self._join(join, scope, ctes)
        for key in ("where", "group", "having"):
            if tree.args.get(key) is not None:
                self._children(tree.args[key], scope, ctes)
        outputs = self._select_list(tree, scope, ctes)
        scope.outputs = outputs or []
        self._ordering(tree, scope, ctes)
        return outputs

    def _ordering(
        self,
        tree: exp.Expression,
        scope: Scope,
        ctes: dict[str, list[Output] | None] | None = None,
    ) -> None:
        transforms.limit(tree)
        for key in ("order", "limit", "offset"):
            if tree.args.get(key) is not None:
                self._children(tree.args[key], scope, ctes or {})

    def _select_list(
        self, tree: exp.Select, scope: Scope, ctes: dict[str, list[Output] | None]
    ) -> list[Output] | None:
        outputs: list[Output] = []
        known = True
        for item in list(tree.expressions):
            star = isinstance(item, exp.Star)
            if star or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
                table = "" if star else item.table
                matched = [
                    s for s in scope.sources if not table or s.alias.lower() == table.lower()
                ]
                if not matched:
                    raise SqlError(
                        4104, f'The multi-part identifier "{table or "*"}" could not be bound.'
                    )
                known = known and all(source.columns is not None for source in matched)
                for source in matched:
                    outputs += source.columns or ()
                if not star:
                    item.set("table", exp.to_identifier(table, quoted=True))
                    item.set("db", None)
                continue
            name = item.alias or (item.name if isinstance(item, exp.Column) else "")
            type, nullable = self._typed(item, scope, ctes)
            outputs.append(Output(name, type, nullable, isinstance(item.unalias(), exp.Null)))
        return outputs if known else None

    def _typed(
        self, item: exp.Expression, scope: Scope, ctes: dict[str, list[Output] | None]
    ) -> tuple[SqlType | None, bool]:
        inner = item.this if isinstance(item, exp.Alias) else item
        if (
            isinstance(inner, exp.Column)
            and inner.name != ROWID
            and not inner.table.startswith("$")
            and inner.name.upper() not in NO_PARENTHESES
        ):
            _, column = scope.resolve(inner.name, inner.table, inner.db)
            return self.expression(inner, scope, ctes), column.nullable
        if isinstance(inner, exp.Null):
            return SqlType("int"), True
        declared = isinstance(inner, exp.Cast | exp.Convert | exp.Parameter | exp.Query)
        literal = isinstance(inner, exp.Literal | exp.National)
        type = self.expression(inner, scope, ctes)
        if type is not None and type.is_text and type.length == MAX and not declared:
            type = None  # of open length: the result tells
        return type, not literal

    def _values(
        self, tree: exp.Values, parent: Scope | None, ctes: dict[str, list[Output] | None]
    ) -> list[Output]:
        scope = Scope(parent)
        columns: list[SqlType | None] = []
        for number, row in enumerate(tree.expressions):
            cells = row.expressions if isinstance(row, exp.Tuple) else [row]
            types = [self.expression(cell, scope, ctes) for cell in list(cells)]
            if number == 0:
                columns = types
            else:
                pairs = zip(columns, types, strict=False)
                columns = [typing_rules.common_type(a, b) for a, b in pairs]
        alias = tree.args.get("alias")
        names = [column.name for column in alias.columns] if alias is not None else []
        names += [f"col{number}" for number in range(len(names), len(columns))]
        return [Output(name, type) for name, type in zip(names, columns, strict=False)]

    # --- sources --------------------------------------------------------------------------

    def _join(self, join: exp.Join, scope: Scope, ctes: dict[str, list[Output] | None]) -> None:
        join.set("hint", None)
        if isinstance(join.this, exp.Lateral):
            columns = self.query(join.this.this, scope, ctes)
            transforms.apply(join)
            alias = join.this.args.get("alias")
            names = [column.name for column in alias.columns] if alias is not None else []
            scope.sources.append(Source(join.this.alias, derived(columns, names, join.this.alias)))
        else:
            self._source(join.this, scope, ctes)
        if join.args.get("on") is not None:
            self.expression(join.args["on"], scope, ctes)

    def _source(
        self, tree: exp.Expression, scope: Scope, ctes: dict[str, list[Output] | None]
    ) -> None:
        joins = tree.args.get("joins") or ()
        if isinstance(tree, exp.Table):
            bind_table(self, tree, scope, ctes)
        elif isinstance(tree, exp.Subquery) and isinstance(tree.this, exp.Table):
            self._source(tree.this, scope, ctes)  # FROM (a JOIN b ON ...)
        elif isinstance(tree, exp.Subquery | exp.Values):
            columns = (
                self._values(tree, scope.parent, ctes)
                if isinstance(tree, exp.Values)
                else self.query(tree.this, scope.parent, ctes)
            )
            alias = tree.args.get("alias")
            names = [column.name for column in alias.columns] if alias is not None else []
            scope.sources.append(Source(tree.alias, derived(columns, names, tree.alias)))
        else:
            raise unsupported(f"{tree.key.upper()} in FROM")
        for join in joins:
            self._join(join, scope, ctes)

    # --- expressions ----------------------------------------------------------------------

    def _children(
        self, tree: exp.Expression, scope: Scope, ctes: dict[str, list[Output] | None]
    ) -> None:
        for child in list(tree.iter_expressions()):
            self.expression(child, scope, ctes)

    def expression(
        self, tree: exp.Expression, scope: Scope, ctes: dict[str, list[Output] | None]
    ) -> SqlType | None:
        """Bind one expression in place (it must have a parent); returns its type."""
        if isinstance(tree, exp.Query):
            columns = self.query(tree, scope, ctes)
            return columns[0].type if columns else None
        if isinstance(tree, exp.Column):
            return self._column(tree, scope, ctes)
        if isinstance(tree, exp.Parameter):
            return self._parameter(tree)
        if isinstance(tree, exp.Cast | exp.Convert):
            return self._cast(tree, scope, ctes)
        if isinstance(tree, exp.Anonymous):
            return self._call(tree, scope, ctes)
        if isinstance(tree, exp.Window | exp.WithinGroup):
            return self._window(tree, scope, ctes)
        if isinstance(tree, exp.Dot):
            raise SqlError(4121, f'Cannot find the user-defined function "{tree.sql("tsql")}".')
        if isinstance(tree, exp.Case):
            self._children(tree, scope, ctes)
            return self._case(tree)
        before = list(tree.iter_expressions())
        types = [self.expression(child, scope, ctes) for child in before]
        replacement, type = transforms.operator(tree, types)
        if replacement is not tree:
            tree.replace(replacement)
        replacement.meta["sql_type"] = type
        return type

    def _column(
        self, tree: exp.Column, scope: Scope, ctes: dict[str, list[Output] | None]
    ) -> SqlType | None:
        if isinstance(tree.this, exp.Star):
            return None
        if tree.table.startswith("$"):  # money literal: $1.5 is read as a column
            amount = exp.Literal.number(f"{tree.table[1:] or 0}.{tree.name}")
            tree.replace(duckdb_cast(amount, SqlType("money")))
            return SqlType("money")
        if not tree.table and not tree.this.args.get("quoted"):
            call = tree.name.upper()
            if call in NO_PARENTHESES:
                anonymous = exp.Anonymous(this=call)
                tree.replace(anonymous)
                return self._call(anonymous, scope, ctes)
        if not tree.table and any(o.name.lower() == tree.name.lower() for o in scope.outputs):
            in_sources = any(source.find(tree.name) for source in scope.sources)
            if not in_sources or tree.find_ancestor(exp.Order, exp.Select) is None:
                tree.this.set("quoted", True)
                return next(o.type for o in scope.outputs if o.name.lower() == tree.name.lower())
        if tree.name == ROWID:
            tree.set("this", exp.to_identifier("rowid"))
            tree.set("table", exp.to_identifier(tree.table, quoted=True) if tree.table else None)
            return SqlType("bigint")
        source, column = scope.resolve(tree.name, tree.table, tree.db)
        tree.this.set("quoted", True)
        if source is not None and source.alias:
            tree.set("table", exp.to_identifier(source.alias, quoted=True))
        tree.set("db", None)
        tree.set("catalog", None)
        tree.meta["sql_type"] = column.type
        return column.type

    def _parameter(self, tree: exp.Parameter) -> SqlType:
        system = isinstance(tree.this, exp.Parameter)
        name = ("@@" if system else "@") + (tree.this.name)
        if system:
            type = session_values.call(self.session, name.upper(), ())[1]
            return self._place(tree, Parameter(name.upper(), type, call=True))
        type = self.session.frame.variable(name).type
        return self._place(tree, Parameter(name, type))

    def _place(self, tree: exp.Expression, parameter: Parameter) -> SqlType:
        self.parameters.append(parameter)
        place = exp.Parameter(this=exp.Literal.number(len(self.parameters)))
        replacement = duckdb_cast(place, parameter.type)
        replacement.meta["sql_type"] = parameter.type
        tree.replace(replacement)
        return parameter.type

    def _cast(
        self, tree: exp.Expression, scope: Scope, ctes: dict[str, list[Output] | None]
    ) -> SqlType:
        converts = isinstance(tree, exp.Convert)
        kind = tree.this if converts else tree.args["to"]
        operand = tree.expression if converts else tree.this
        style = tree.args.get("style") if converts else None
        target = declared_type(kind)
        holder = exp.Paren(this=operand.copy())
        source = self.expression(holder.this, scope, ctes)
        number = None
        if style is not None:
            if not style.is_int:
                raise unsupported("a style of CONVERT that is no literal")
            number = int(style.to_py())
        safe = isinstance(tree, exp.TryCast) or bool(tree.args.get("safe"))
        tree.replace(cast(holder.this, source, target, safe=safe, style=number))
        return target

    def _call(
        self, tree: exp.Anonymous, scope: Scope, ctes: dict[str, list[Output] | None]
    ) -> SqlType | None:
        name = tree.name.upper()
        translation = TRANSLATIONS.get(name)
        if translation is None:
            constants = session_values.constants(self.session, tree.expressions)
            if constants is None and name in catalog_lookups.LOOKUPS:
                for argument in list(tree.expressions):
                    self.expression(argument, scope, ctes)
                found, answer = catalog_lookups.translate(self.session, name, tree.expressions)
                tree.replace(found)
                return answer
            if constants is None or not session_values.known(name):
                raise SqlError(
                    195, f"'{tree.name}' is not a recognized built-in function name.", 15
                )
            answer = session_values.call(self.session, name, constants)[1]
            return self._place(tree, Parameter(name, answer, tuple(constants), call=True))
        arguments = list(tree.expressions)
        first = 1 if name in DATE_PART_FIRST else 0
        types: list[SqlType | None] = [None] * first
        for argument in arguments[first:]:
            if isinstance(argument, exp.Star):
                types.append(None)
            elif isinstance(argument, exp.Distinct):
                types.append(self.expression(argument.expressions[0], scope, ctes))
            else:
                types.append(self.expression(argument, scope, ctes))
        replacement, type = translation(list(tree.expressions), types)
        inside = isinstance(tree.parent, exp.Window | exp.WithinGroup)
        if name in AGGREGATE_CASTS and type is not None and not inside:
            replacement = transforms.aggregate_cast(name, replacement, type)
        replacement.meta["sql_type"] = type
        tree.replace(replacement)
        return type

    def _window(
        self, tree: exp.Expression, scope: Scope, ctes: dict[str, list[Output] | None]
    ) -> SqlType | None:
        name = tree.this.name.upper() if isinstance(tree.this, exp.Anonymous) else ""
        type = self.expression(tree.this, scope, ctes)
        for key in ("partition_by", "order", "expression"):
            value = tree.args.get(key)
            for part in value if isinstance(value, list) else [value] if value else []:
                if isinstance(part, exp.Order):
                    self._children(part, scope, ctes)
                else:
                    self.expression(part, scope, ctes)
        if isinstance(tree, exp.WithinGroup):
            transforms.within_group(tree)
        elif name in AGGREGATE_CASTS and type is not None:
            tree.replace(transforms.aggregate_cast(name, tree.copy(), type))
        return type

    def _case(self, tree: exp.Case) -> SqlType | None:
        results = [branch.args["true"] for branch in tree.args["ifs"]]
        if tree.args.get("default") is not None:
            results.append(tree.args["default"])
        return transforms.branches_type(results)


def _union(left: list[Output] | None, right: list[Output] | None) -> list[Output] | None:
    if left is None or right is None:
        return None
    if len(left) != len(right):
        raise SqlError(
            205, "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an "
            "equal number of expressions in their target lists.",
        )  # fmt: skip
    return [_either(a, b) for a, b in zip(left, right, strict=True)]


def _either(left: Output, right: Output) -> Output:
    if left.is_null or right.is_null:
        return Output(left.name, right.type if left.is_null else left.type, True, right.is_null)
    type = typing_rules.common_type(left.type, right.type)
    return Output(left.name, type, left.nullable or right.nullable)


def _mentions(tree: exp.Expression, name: str) -> bool:
    return any(table.name.lower() == name and not table.db for table in tree.find_all(exp.Table))
