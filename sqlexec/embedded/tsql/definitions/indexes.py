"""CREATE INDEX and DROP INDEX."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from sqlexec.embedded.catalog import DatabaseObject
from sqlexec.embedded.engine import quote
from sqlexec.embedded.tsql.definitions.catalog_rows import (
    add_index,
    forget_index,
)
from sqlexec.embedded.tsql.definitions.table_text import key_column
from sqlexec.embedded.tsql.definitions.targets import find_target
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.syntax import clauses
from sqlexec.embedded.tsql.syntax.clauses import Cutter
from sqlexec.embedded.tsql.syntax.names import last_part

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session


def create_index(session: Session, cutter: Cutter, text: str) -> None:
    """CREATE [UNIQUE] INDEX name ON t (a, b DESC) [INCLUDE (c)] [WHERE ...] [WITH (...)].

    Only unique indexes without a filter exist in DuckDB (they constrain); the others are kept in
    the catalog alone, since DuckDB's scans need none.
    """
    words = [token.upper for token in cutter.tokens[: cutter.position]]
    if "COLUMNSTORE" in words:
        raise unsupported("columnstore indexes")
    unique = "UNIQUE" in words
    name = last_part(cutter.name())
    if not cutter.take("ON"):
        raise SqlError.of(102, cutter.token.text)
    target = find_target(session, cutter.name())
    keys = [key_column(part) for part in clauses.split(cutter.parenthesized())]
    included = clauses.names(cutter.parenthesized()) if cutter.take("INCLUDE") else []
    filtered = cutter.until("WITH", "ON") if cutter.take("WHERE") else None
    if unique and filtered:
        raise unsupported("unique indexes with a filter")
    listed = ", ".join(quote(target.column(column).name) for column, _ in keys)
    if target.found is None:
        if unique:
            session.connection.execute(
                f"CREATE UNIQUE INDEX {quote(name)} ON {target.storage} ({listed})"
            )
        return
    found, catalog = target.found, session.instance.catalog
    catalog.check_permission(session, "ALTER", found.object_id, database=found.database)
    if any(index.name.lower() == name.lower() for index in found.indexes):
        raise SqlError(1913, f"The operation failed because an index or statistics with name "
                       f"'{name}' already exists on table '{found.name}'.")  # fmt: skip
    with catalog.changing(session) as connection:
        connection.lock(found.full_name, session)
        if unique:
            try:
                connection.execute(
                    f"CREATE UNIQUE INDEX {quote(index_name(found, name))}"
                    f" ON {found.storage} ({listed})"
                )
            except duckdb.ConstraintException as error:
                raise SqlError(
                    1505,
                    "The CREATE UNIQUE INDEX statement terminated because a "
                    f"duplicate key was found for the object name '{found.schema}."
                    f"{found.name}' and the index name '{name}'.",
                ) from error
        image = catalog.image(session, found.database)
        add_index(
            connection, image.id, found.object_id,
            max([index.id for index in found.indexes] or [1]) + 1, name,
            [(target.column(column).id, down) for column, down in keys],
            [target.column(column).id for column in included],
            unique=unique, filter_definition=filtered and f"({filtered})",
        )  # fmt: skip


def index_name(found: DatabaseObject, name: str) -> str:
    return f"{found.name}.{name}"  # DuckDB's index names are unique in a schema, T-SQL's in a table


def drop_index(session: Session, cutter: Cutter, text: str) -> None:
    """DROP INDEX [IF EXISTS] name ON t."""
    quiet = cutter.take("IF") and cutter.take("EXISTS")
    name = last_part(cutter.name())
    if not cutter.take("ON"):
        raise SqlError.of(102, cutter.token.text or "DROP")
    table = cutter.name()
    target = find_target(session, table)
    if target.found is None:
        session.connection.execute(f"DROP INDEX IF EXISTS temp.{quote(name)}")
        return
    found, catalog = target.found, session.instance.catalog
    index = next((i for i in found.indexes if i.name.lower() == name.lower()), None)
    if index is None:
        if quiet:
            return
        raise SqlError.of(3701, "index", f"{table}.{name}")
    if index.constraint_id:
        raise SqlError(3723, f"An explicit DROP INDEX is not allowed on index '{table}.{name}'. It "
                       "is being used for constraint enforcement.")  # fmt: skip
    catalog.check_permission(session, "ALTER", found.object_id, database=found.database)
    with catalog.changing(session) as connection:
        if index.unique:
            schema = quote(f"{found.database}.{found.schema}")
            connection.execute(f"DROP INDEX {schema}.{quote(index_name(found, index.name))}")
        forget_index(connection, catalog.image(session, found.database).id, found, index.id)
