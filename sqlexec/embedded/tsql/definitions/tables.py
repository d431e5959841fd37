"""CREATE TABLE and DROP TABLE."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from sqlexec.embedded.catalog import DatabaseImage, DatabaseObject, add_object
from sqlexec.embedded.engine import quote, storage_name
from sqlexec.embedded.results import Column
from sqlexec.embedded.tsql.definitions.catalog_rows import (
    add_columns,
    add_constraints,
    forget,
    known_column,
)
from sqlexec.embedded.tsql.definitions.storage import (
    ForeignKey,
    TableDefinition,
    create_storage,
    drop_storage,
)
from sqlexec.embedded.tsql.definitions.table_text import (
    read_table,
)
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.state import TableVariable
from sqlexec.embedded.tsql.syntax import clauses
from sqlexec.embedded.tsql.syntax.clauses import Cutter
from sqlexec.embedded.tsql.syntax.names import three_parts

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session


def create_table(session: Session, cutter: Cutter, text: str) -> None:
    """CREATE TABLE name (...)."""
    name = cutter.name()
    create(session, name, read_table(cutter.parenthesized(), three_parts(name)[2]))


def create(session: Session, text: str, table: TableDefinition) -> None:
    """Make a table of the catalog, or a #temporary one."""
    database, schema, name = three_parts(text)
    lowered = [column.name.lower() for column in table.columns]
    for column in table.columns:
        if lowered.count(column.name.lower()) > 1:
            raise SqlError(
                2705, "Column names in each table must be unique. Column name "
                f"'{column.name}' in table '{name}' is specified more than once.",
            )  # fmt: skip
    for key in table.keys:
        for column_name in key.columns:
            known_column(dict.fromkeys(lowered, 0), column_name)
    if name.startswith("##"):
        raise unsupported("global temporary tables")
    if name.startswith("#"):
        _create_temporary(session, name, table)
        return
    catalog = session.instance.catalog
    image = catalog.image(session, database)
    schema_id, schema_name = catalog.schema_for_new(session, image, schema)
    catalog.check_create(session, "CREATE TABLE", image, schema_name)
    if (schema_name.lower(), name.lower()) in image.objects:
        raise SqlError.of(2714, name)
    with catalog.changing(session) as connection:
        object_id = catalog.new_id()
        referenced = [find_referenced(session, image, key) for key in table.foreign_keys]
        storage = storage_name(image.name, schema_name, name)
        create_storage(session, storage, table, [found.storage for found in referenced])
        add_object(connection, image.id, object_id, schema_id, name, "U")
        add_columns(session, connection, image, object_id, schema_id, name, table)
        add_constraints(session, connection, image, object_id, schema_id, table, referenced)


def _create_temporary(session: Session, name: str, table: TableDefinition) -> None:
    known = session.temporary_tables.get(name.lower())
    if known is not None:
        rows = session.connection.execute(
            "SELECT 1 FROM duckdb_tables() WHERE temporary AND table_name = $1", [known.storage]
        ).fetchall()
        if rows:
            raise SqlError.of(2714, name)
    create_storage(session, quote(name.lower()), table, temporary=True)
    columns = [Column(c.name, c.type, c.nullable) for c in table.columns]
    session.temporary_tables[name.lower()] = TableVariable(name.lower(), columns, table.columns)


def find_referenced(session: Session, image: DatabaseImage, key: ForeignKey) -> DatabaseObject:
    database, schema, name = three_parts(key.references)
    found = session.instance.catalog.find_object(session, database or image.name, schema, name)
    if found is None or found.type != "U":
        raise SqlError(
            1767, f"Foreign key '{key.name}' references invalid table '{key.references}'."
        )
    if not key.referenced:
        primary = next((index for index in found.indexes if index.primary), None)
        if primary is None:
            raise SqlError(
                1773,
                f"Foreign key '{key.name}' has implicit reference to object "
                f"'{key.references}' which does not have a primary key defined on it.",
            )
        key.referenced = list(primary.columns)
    return found


# --- DROP --------------------------------------------------------------------------------


def drop_table(session: Session, cutter: Cutter, text: str) -> None:
    """DROP TABLE [IF EXISTS] a, b."""
    quiet = cutter.take("IF") and cutter.take("EXISTS")
    for name in clauses.split(text[cutter.token.start :].rstrip().rstrip(";")):
        _drop(session, name, quiet=quiet)


def _drop(session: Session, text: str, *, quiet: bool) -> None:
    database, schema, name = three_parts(text)
    if name.startswith("#"):
        temporary = session.temporary_tables.pop(name.lower(), None)
        if temporary is not None:
            drop_storage(session.connection, f"temp.{quote(temporary.storage)}", temporary.details)
        elif not quiet:
            raise SqlError.of(3701, "table", text)
        return
    catalog = session.instance.catalog
    found = catalog.find_object(session, database, schema, name)
    if found is None or found.type != "U":
        if quiet:
            return
        raise SqlError.of(3701, "table", text)
    may = catalog.has_permission(session, "CONTROL", found.object_id, database=found.database)
    if not may and not catalog.has_permission(
        session, "ALTER", schema=found.schema, database=found.database
    ):
        raise SqlError.of(3701, "table", text)
    with catalog.changing(session) as connection:
        connection.lock(found.full_name, session)
        try:
            drop_storage(connection, found.storage, found.columns)
        except duckdb.CatalogException as error:
            raise SqlError(3726, f"Could not drop object '{text}' because it is referenced by a "
                           "FOREIGN KEY constraint.") from error  # fmt: skip
        image = catalog.image(session, found.database)
        forget(connection, image, found.object_id)


# --- indexes -----------------------------------------------------------------------------


# --- ALTER TABLE -------------------------------------------------------------------------
