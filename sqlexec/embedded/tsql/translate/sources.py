"""What stands in FROM under a name: tables, views, system views, the session's own, functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlexec.embedded.catalog import DatabaseObject
from sqlexec.embedded.catalog.view_texts import VIEWS
from sqlexec.embedded.catalog.views import column_type
from sqlexec.embedded.catalog.visibility import restricted
from sqlexec.embedded.engine import quote, sql_type
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.translate import (
    dynamic_views,
    transforms,
)
from sqlexec.embedded.tsql.translate.dialect import template
from sqlexec.embedded.tsql.translate.scopes import Output, Scope, Source
from sqlexec.embedded.tsql.translate.views import view_query

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session
    from sqlexec.embedded.tsql.translate.binder import Binder

_LOCKING_HINTS = {"UPDLOCK", "XLOCK", "TABLOCKX"}
_COMPATIBILITY_VIEWS = {"sysobjects", "systypes", "syscolumns", "sysusers", "sysdatabases"}


def bind_table(
    binder: Binder, tree: exp.Table, scope: Scope, ctes: dict[str, list[Output] | None]
) -> DatabaseObject | None:
    """Bind a table in FROM; returns the catalog's object where it is one."""
    locks = _locks(tree)
    for key in ("hints", "sample"):
        tree.set(key, None)
    if tree.args.get("pivots"):
        raise unsupported("PIVOT and UNPIVOT")
    if tree.this is None:
        raise unsupported("ROWS FROM")
    if isinstance(tree.this, exp.Anonymous):
        _table_function(binder, tree, scope, ctes)
        return None
    schema, database = tree.db, tree.catalog
    name = table_name(tree)
    alias = tree.alias or name
    if not schema and not database and name.lower() in ctes:
        scope.sources.append(Source(alias, ctes[name.lower()]))
        return None
    if name.startswith(("@", "#")):
        storage, columns = _session_table(binder, name)
        _store(tree, None, storage, alias)
        scope.sources.append(Source(alias, columns))
        return None
    if _system_view(binder, tree, scope, schema, database, name, alias):
        return None
    found = find_table(binder, tree)
    if found.type == "V":
        _view(binder, tree, found, scope, alias)
    else:
        _store(tree, f"{found.database}.{found.schema}", found.name, alias)
        columns = [Output(c.name, c.type, c.nullable) for c in found.columns]
        scope.sources.append(Source(alias, columns, found.schema))
    if not binder.views or not _same_owner(binder.views[-1], found):
        binder.reads.append(found)  # behind a view: where ownership chaining does not cover it
    if locks:
        binder.locked.append(found)
    return found


def _locks(tree: exp.Table) -> bool:
    """Whether a hint asks for locks that exclude other writers; all other hints have no effect."""
    hints = [each for hint in tree.args.get("hints") or () for each in hint.expressions]
    return any(hint.name.upper() in _LOCKING_HINTS for hint in hints)


def find_table(binder: Binder, tree: exp.Table) -> DatabaseObject:
    """The table or view of that name; 208 with the name as it was written."""
    name = table_name(tree)
    session = binder.session
    inside = binder.views[-1] if binder.views else None
    database = tree.catalog or (inside.database if inside else None)
    schema = tree.db or (inside.schema if inside else None)
    if database is None and session.frames and session.frame.database and session.frame.owner:
        database = session.frame.database
    found = session.instance.catalog.find_object(session, database, schema, name)
    if found is None or found.type not in ("U", "V"):
        raise SqlError.of(208, ".".join(p for p in (tree.catalog, tree.db, name) if p))
    return found


def _session_table(binder: Binder, name: str) -> tuple[str, list[Output]]:
    session = binder.session
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
    binder: Binder, tree: exp.Table, scope: Scope, schema: str, database: str, name: str, alias: str
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
        subquery, columns = dynamic_views.build(binder.session, lowered, alias)
        tree.replace(subquery)
        scope.sources.append(Source(alias, columns, schema))
        binder.volatile = True
        return True
    key = next((key for key in VIEWS if key.lower() == f"{schema}.{name}".lower()), None)
    if key is None:
        raise SqlError.of(208, ".".join(p for p in (database, schema, name) if p))
    catalog = binder.session.instance.catalog
    image = catalog.image(binder.session, database or None)
    principal = catalog.principal_in(binder.session.principal, image.name, binder.session)
    actual = key.split(".")[1]
    _store(tree, f"{image.name}.{schema}", actual, alias)
    columns = system_columns(binder.session, f"{image.name}.{schema}", actual)
    scope.sources.append(Source(alias, columns, schema))
    names = [column.name for column in columns]
    view = f"{quote(f'{image.name}.{schema}')}.{quote(actual)}"
    query = restricted(catalog.snapshot(binder.session), image, principal, view, names)
    if query is not None:
        joins = tree.args.get("joins")
        subquery = exp.Subquery(this=template(query), alias=tree.args["alias"], joins=joins)
        tree.replace(subquery)
    return True


def _view(binder: Binder, tree: exp.Table, found: DatabaseObject, scope: Scope, alias: str) -> None:
    if len(binder.views) >= 32 or found in binder.views:
        raise SqlError.of(217)
    body, names = view_query(found)
    binder.views.append(found)
    try:
        columns = binder.query(body)
    finally:
        binder.views.pop()
    alias_tree = exp.TableAlias(
        this=exp.to_identifier(alias, quoted=True),
        columns=[exp.to_identifier(name, quoted=True) for name in names],
    )
    tree.replace(exp.Subquery(this=body, alias=alias_tree, joins=tree.args.get("joins")))
    scope.sources.append(Source(alias, renamed(columns, names), found.schema))


def _table_function(
    binder: Binder, tree: exp.Table, scope: Scope, ctes: dict[str, list[Output] | None]
) -> None:
    call = tree.this
    name = call.name.lower()
    if name not in transforms.TABLE_FUNCTIONS:
        raise SqlError.of(208, call.name)
    for argument in list(call.expressions):
        if not (isinstance(argument, exp.Column) and argument.name.lower() == "default"):
            binder.expression(argument, scope, ctes)
    subquery, columns = transforms.TABLE_FUNCTIONS[name](list(call.expressions))
    alias = tree.alias or call.name
    tree.replace(exp.Subquery(this=subquery, alias=exp.TableAlias(this=exp.to_identifier(alias))))
    scope.sources.append(Source(alias, columns))


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


def derived(columns: list[Output] | None, names: list[str], alias: str) -> list[Output] | None:
    """The columns of a derived table or common table expression, renamed.

    Raises SqlError 8155 where one has no name, 8156 where two have the same.
    """
    found = renamed(columns, names)
    seen: set[str] = set()
    for number, column in enumerate(found or (), 1):
        if not column.name:
            raise SqlError.of(8155, number, alias)
        if column.name.lower() in seen:
            raise SqlError.of(8156, column.name, alias)
        seen.add(column.name.lower())
    return found


def renamed(columns: list[Output] | None, names: list[str]) -> list[Output] | None:
    """The columns under other names, if there are any."""
    if columns is None or not names:
        return columns
    return [
        Output(name, column.type, column.nullable)
        for name, column in zip(names, columns, strict=False)
    ]
