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
from sqlexec.embedded.catalog.view_texts import VIEWS
from sqlexec.embedded.catalog.views import column_type
from sqlexec.embedded.catalog.visibility import restricted
from sqlexec.embedded.engine import quote, sql_type
from sqlexec.embedded.sqltypes import MAX, SqlType
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.scalar import typing_rules
from sqlexec.embedded.tsql.translate import (
    catalog_lookups,
    dynamic_views,
    session_values,
    transforms,
)
from sqlexec.embedded.tsql.translate.casts import cast
from sqlexec.embedded.tsql.translate.dialect import declared_type, duckdb_cast, parse, template
from sqlexec.embedded.tsql.translate.functions import AGGREGATE_CASTS, DATE_PART_FIRST, TRANSLATIONS
from sqlexec.embedded.tsql.translate.scopes import Output, Scope, Source
from sqlexec.embedded.tsql.translate.views import view_query

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session

_COMPATIBILITY_VIEWS = {"sysobjects", "systypes", "syscolumns", "sysusers", "sysdatabases"}
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
    volatile : the text holds values of this moment and must not be kept.
    """

    session: Session
    parameters: list[Parameter] = field(default_factory=list)
    reads: list[DatabaseObject] = field(default_factory=list)
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
                ctes[name] = _renamed(probe.query(first, parent, ctes), names)
            ctes[name] = _renamed(self.query(body, parent, ctes), names)

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
            outputs.append(Output(name, type, nullable))
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
            scope.sources.append(Source(join.this.alias, _renamed(columns, names)))
        else:
            self._source(join.this, scope, ctes)
        if join.args.get("on") is not None:
            self.expression(join.args["on"], scope, ctes)

    def _source(
        self, tree: exp.Expression, scope: Scope, ctes: dict[str, list[Output] | None]
    ) -> None:
        joins = tree.args.get("joins") or ()
        if isinstance(tree, exp.Table):
            self.table(tree, scope, ctes)
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
            scope.sources.append(Source(tree.alias, _renamed(columns, names)))
        else:
            raise unsupported(f"{tree.key.upper()} in FROM")
        for join in joins:
            self._join(join, scope, ctes)

    def table(
        self, tree: exp.Table, scope: Scope, ctes: dict[str, list[Output] | None]
    ) -> DatabaseObject | None:
        """Bind a table in FROM; returns the catalog's object where it is one."""
        for key in ("hints", "sample"):
            tree.set(key, None)
        if tree.args.get("pivots"):
            raise unsupported("PIVOT and UNPIVOT")
        if tree.this is None:
            raise unsupported("ROWS FROM")
        if isinstance(tree.this, exp.Anonymous):
            self._table_function(tree, scope, ctes)
            return None
        schema, database = tree.db, tree.catalog
        name = table_name(tree)
        alias = tree.alias or name
        if not schema and not database and name.lower() in ctes:
            scope.sources.append(Source(alias, ctes[name.lower()]))
            return None
        if name.startswith(("@", "#")):
            storage, columns = self._session_table(name)
            _store(tree, None, storage, alias)
            scope.sources.append(Source(alias, columns))
            return None
        if self._system_view(tree, scope, schema, database, name, alias):
            return None
        found = self.find(tree)
        if found.type == "V":
            self._view(tree, found, scope, alias)
        else:
            _store(tree, f"{found.database}.{found.schema}", found.name, alias)
            columns = [Output(c.name, c.type, c.nullable) for c in found.columns]
            scope.sources.append(Source(alias, columns, found.schema))
        if not self.views or not _same_owner(self.views[-1], found):
            self.reads.append(found)  # behind a view: where ownership chaining does not cover it
        return found

    def find(self, tree: exp.Table) -> DatabaseObject:
        """The table or view of that name; 208 with the name as it was written."""
        name = table_name(tree)
        session = self.session
        inside = self.views[-1] if self.views else None
        database = tree.catalog or (inside.database if inside else None)
        schema = tree.db or (inside.schema if inside else None)
        if database is None and session.frames and session.frame.database and session.frame.owner:
            database = session.frame.database
        found = session.instance.catalog.find_object(session, database, schema, name)
        if found is None or found.type not in ("U", "V"):
            raise SqlError.of(208, ".".join(p for p in (tree.catalog, tree.db, name) if p))
        return found

    def _session_table(self, name: str) -> tuple[str, list[Output]]:
        session = self.session
        if name.startswith("@"):
            found = session.frame.tables.get(name.lower())
            if found is None:
                raise SqlError(1087, f'Must declare the table variable "{name}".', 15)
        else:
            found = session.temporary_tables.get(name.lower())
            if found is None:
                raise SqlError.of(208, name)
        return found.storage, [Output(c.name, c.type, c.nullable) for c in found.columns]

    def _system_view(
        self, tree: exp.Table, scope: Scope, schema: str, database: str, name: str, alias: str
    ) -> bool:
        lowered = name.lower()
        if not schema and lowered in _COMPATIBILITY_VIEWS:
            schema = "sys"
        if schema.lower() in ("dbo", "") and lowered in _COMPATIBILITY_VIEWS:
            schema = "sys"
        if schema.lower() not in ("sys", "information_schema"):
            return False
        schema = "sys" if schema.lower() == "sys" else "INFORMATION_SCHEMA"
        if schema == "sys" and lowered in dynamic_views.VIEWS:
            subquery, columns = dynamic_views.build(self.session, lowered, alias)
            tree.replace(subquery)
            scope.sources.append(Source(alias, columns, schema))
            self.volatile = True
            return True
        key = next((key for key in VIEWS if key.lower() == f"{schema}.{name}".lower()), None)
        if key is None:
            raise SqlError.of(208, ".".join(p for p in (database, schema, name) if p))
        catalog = self.session.instance.catalog
        image = catalog.image(self.session, database or None)
        principal = catalog.principal_in(self.session.principal, image.name, self.session)
        actual = key.split(".")[1]
        _store(tree, f"{image.name}.{schema}", actual, alias)
        columns = system_columns(self.session, f"{image.name}.{schema}", actual)
        scope.sources.append(Source(alias, columns, schema))
        names = [column.name for column in columns]
        view = f"{quote(f'{image.name}.{schema}')}.{quote(actual)}"
        query = restricted(catalog.snapshot(self.session), image, principal, view, names)
        if query is not None:
            joins = tree.args.get("joins")
            subquery = exp.Subquery(this=template(query), alias=tree.args["alias"], joins=joins)
            tree.replace(subquery)
        return True

    def _view(self, tree: exp.Table, found: DatabaseObject, scope: Scope, alias: str) -> None:
        if len(self.views) >= 32 or found in self.views:
            raise SqlError.of(217)
        body, names = view_query(found)
        self.views.append(found)
        try:
            columns = self.query(body)
        finally:
            self.views.pop()
        alias_tree = exp.TableAlias(
            this=exp.to_identifier(alias, quoted=True),
            columns=[exp.to_identifier(name, quoted=True) for name in names],
        )
        tree.replace(exp.Subquery(this=body, alias=alias_tree, joins=tree.args.get("joins")))
        scope.sources.append(Source(alias, _renamed(columns, names), found.schema))

    def _table_function(
        self, tree: exp.Table, scope: Scope, ctes: dict[str, list[Output] | None]
    ) -> None:
        call = tree.this
        name = call.name.lower()
        if name not in transforms.TABLE_FUNCTIONS:
            raise SqlError.of(208, call.name)
        for argument in list(call.expressions):
            if not (isinstance(argument, exp.Column) and argument.name.lower() == "default"):
                self.expression(argument, scope, ctes)
        subquery, columns = transforms.TABLE_FUNCTIONS[name](list(call.expressions))
        alias = tree.alias or call.name
        tree.replace(
            exp.Subquery(this=subquery, alias=exp.TableAlias(this=exp.to_identifier(alias)))
        )
        scope.sources.append(Source(alias, columns))

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


def table_name(tree: exp.Table) -> str:
    """The name of a table as T-SQL has it, with # or @."""
    identifier = tree.this
    if isinstance(identifier, exp.Parameter):
        return f"@{identifier.name}"
    if identifier.args.get("temporary"):
        return f"#{identifier.name}"
    return f"##{identifier.name}" if identifier.args.get("global_") else str(identifier.name)


def system_columns(session: Session, schema: str, view: str) -> list[Output]:
    """The columns of a system view."""
    rows = session.connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns()"
        " WHERE schema_name = $1 AND table_name = $2 ORDER BY column_index",
        [schema, view],
    ).fetchall()
    return [Output(name, column_type(view, name, sql_type(type))) for name, type in rows]


def _same_owner(view: DatabaseObject, found: DatabaseObject) -> bool:
    return (view.owner, view.database) == (found.owner, found.database)


def _store(tree: exp.Table, schema: str | None, name: str, alias: str) -> None:
    tree.set("this", exp.to_identifier(name, quoted=True))
    tree.set("db", exp.to_identifier(schema, quoted=True) if schema else None)
    tree.set("catalog", None)
    tree.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))


def _renamed(columns: list[Output] | None, names: list[str]) -> list[Output] | None:
    if columns is None or not names:
        return columns
    return [
        Output(name, column.type, column.nullable)
        for name, column in zip(names, columns, strict=False)
    ]


def _union(left: list[Output] | None, right: list[Output] | None) -> list[Output] | None:
    if left is None or right is None:
        return None
    if len(left) != len(right):
        raise SqlError(
            205, "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an "
            "equal number of expressions in their target lists.",
        )  # fmt: skip
    return [
        Output(a.name, typing_rules.common_type(a.type, b.type), a.nullable or b.nullable)
        for a, b in zip(left, right, strict=True)
    ]


def _mentions(tree: exp.Expression, name: str) -> bool:
    return any(table.name.lower() == name and not table.db for table in tree.find_all(exp.Table))


__all__ = ["ROWID", "Binder", "Parameter", "duckdb_cast", "parse", "quote", "table_name"]
