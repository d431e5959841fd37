"""ALTER TABLE: the changed definition, and the table made anew by it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb

from sqlexec.embedded.catalog import DatabaseImage, DatabaseObject, TableColumn, tables
from sqlexec.embedded.engine import quote
from sqlexec.embedded.tsql.definitions.catalog_rows import (
    add_columns,
    add_constraints,
    add_index,
    forget_definition,
)
from sqlexec.embedded.tsql.definitions.indexes import index_name
from sqlexec.embedded.tsql.definitions.storage import (
    Check,
    ForeignKey,
    Key,
    TableDefinition,
    create_storage,
    drop_storage,
    sequence_name,
)
from sqlexec.embedded.tsql.definitions.table_text import read_element, read_type
from sqlexec.embedded.tsql.definitions.targets import find_target
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.syntax import clauses, lexer
from sqlexec.embedded.tsql.syntax.clauses import Cutter
from sqlexec.embedded.tsql.syntax.names import last_part
from sqlexec.embedded.tsql.translate.assignment import default_value
from sqlexec.embedded.tsql.translate.binder import Binder
from sqlexec.embedded.tsql.translate.dialect import duckdb_text
from sqlexec.embedded.tsql.translate.running import values

if TYPE_CHECKING:
    from sqlexec.embedded.engine import Connection
    from sqlexec.embedded.tsql.state import Session
from sqlexec.embedded.tsql.definitions.tables import find_referenced


def alter_table(session: Session, cutter: Cutter, text: str) -> None:
    """ALTER TABLE t ADD ... | DROP COLUMN/CONSTRAINT ... | ALTER COLUMN c type [NULL].

    The DuckDB table is made anew and filled from the old one: its ALTER cannot change constraints.
    """
    name = cutter.name()
    target = find_target(session, name)
    if target.found is None:
        raise unsupported("ALTER TABLE of a temporary table")
    found, catalog = target.found, session.instance.catalog
    catalog.check_permission(session, "ALTER", found.object_id, database=found.database)
    table = current_definition(session, found)
    if cutter.take("WITH"):  # WITH [NO]CHECK ADD CONSTRAINT
        cutter.take("CHECK", "NOCHECK")
    if cutter.take("ADD"):
        before = len(table.columns)
        for part in clauses.split(text[cutter.token.start :].rstrip().rstrip(";")):
            _add_element(part, found.name, table)
        for column in table.columns[before:]:
            if not column.nullable and column.default is None and column.identity is None:
                _refuse_not_null(session, found, column)
    elif cutter.take("DROP"):
        _drop_parts(cutter, text, table)
    elif cutter.take("ALTER"):
        cutter.take("COLUMN")
        _alter_column(cutter, target.column(last_part(cutter.name())), table)
    elif cutter.token.upper in (
        "CHECK",
        "NOCHECK",
        "ENABLE",
        "DISABLE",
        "SET",
        "SWITCH",
        "REBUILD",
    ):
        raise unsupported(f"ALTER TABLE ... {cutter.token.upper}")
    else:
        raise SqlError.of(102, cutter.token.text or "TABLE")
    _rebuild(session, found, table.settled())


def _add_element(part: str, name: str, table: TableDefinition) -> None:
    """ADD [CONSTRAINT n] DEFAULT x FOR c, or a column or constraint as in CREATE TABLE."""
    cutter = Cutter(part)
    given = last_part(cutter.name()) if cutter.take("CONSTRAINT") else ""
    if not cutter.take("DEFAULT"):
        read_element(part, name, table)
        return
    default = cutter.until("FOR")
    if not cutter.take("FOR"):
        raise SqlError.of(102, "DEFAULT")
    column = last_part(cutter.name())
    table.default_names[column.lower()] = given
    table.columns = [
        replace(c, default=default) if c.name.lower() == column.lower() else c
        for c in table.columns
    ]


def _refuse_not_null(session: Session, found: DatabaseObject, column: TableColumn) -> None:
    rows = session.connection.execute(f"SELECT 1 FROM {found.storage} LIMIT 1").fetchall()
    if rows:
        raise SqlError(
            4901, "ALTER TABLE only allows columns to be added that can contain nulls, or have a "
            "DEFAULT definition specified, or the column being added is an identity or timestamp "
            "column, or alternatively if none of the previous conditions are satisfied the table "
            "must be empty to allow addition of this column. Column "
            f"'{column.name}' cannot be added to non-empty table '{found.name}' because it does "
            "not satisfy these conditions.",
        )  # fmt: skip


def _drop_parts(cutter: Cutter, text: str, table: TableDefinition) -> set[str]:
    kind = "COLUMN" if cutter.take("COLUMN") else "CONSTRAINT"
    cutter.take("CONSTRAINT")
    quiet = cutter.take("IF") and cutter.take("EXISTS")
    names = {
        name.lower() for name in clauses.names(text[cutter.token.start :].rstrip().rstrip(";"))
    }
    before = _parts(table)
    if kind == "COLUMN":
        uses = [(k.name, k.columns) for k in table.keys]
        uses += [(k.name, k.columns) for k in table.foreign_keys]
        used = [name for name, columns in uses if names & {column.lower() for column in columns}]
        if used:
            raise SqlError(5074, f"The object '{used[0]}' is dependent on column.")
        table.columns = [c for c in table.columns if c.name.lower() not in names]
        if not table.columns:
            raise SqlError(4923, "ALTER TABLE DROP COLUMN failed because the column is the only "
                           "data column in the table.")  # fmt: skip
    else:
        table.keys = [k for k in table.keys if k.name.lower() not in names]
        table.checks = [c for c in table.checks if c.name.lower() not in names]
        table.foreign_keys = [k for k in table.foreign_keys if k.name.lower() not in names]
        dropped = {c for c, name in table.default_names.items() if name.lower() in names}
        table.columns = [
            replace(c, default=None, default_id=0) if c.name.lower() in dropped else c
            for c in table.columns
        ]
    missing = names if not quiet and _parts(table) == before else set()
    if missing:
        raise SqlError(3728, f"'{missing.pop()}' is not a constraint.")
    return names


def _parts(table: TableDefinition) -> tuple[Any, ...]:
    return (len(table.columns), len(table.keys), len(table.checks), len(table.foreign_keys),
            sum(column.default is not None for column in table.columns))  # fmt: skip


def _alter_column(cutter: Cutter, column: TableColumn, table: TableDefinition) -> None:
    type = read_type(cutter)
    if cutter.take("COLLATE"):
        cutter.name()
    nullable = not cutter.take("NOT")
    changed = replace(column, type=type, nullable=nullable)
    table.columns = [changed if c.name == column.name else c for c in table.columns]


def current_definition(session: Session, found: DatabaseObject) -> TableDefinition:
    """What CREATE TABLE would say for a table of the catalog."""
    catalog = session.instance.catalog
    by_id = catalog.image(session, found.database).by_id
    table = TableDefinition(list(found.columns))
    table.keys = [
        Key(index.name, list(index.columns), index.primary)
        for index in found.indexes
        if index.constraint_id
    ]
    for child in by_id.values():
        if child.parent_id == found.object_id and child.type == "C":
            table.checks.append(Check(child.name, child.definition or "1 = 1"))
    for column in found.columns:
        if column.default_id in by_id:
            table.default_names[column.name.lower()] = by_id[column.default_id].name
    table.foreign_keys = _foreign_keys(session, found)
    return table


def _foreign_keys(session: Session, found: DatabaseObject) -> list[ForeignKey]:
    catalog = session.instance.catalog
    image = catalog.image(session, found.database)
    rows = session.connection.execute(
        "SELECT constraint_object_id, parent_column_id, referenced_object_id, referenced_column_id"
        f" FROM {tables.SCHEMA}.foreign_key_columns WHERE database_id = $1"
        " AND parent_object_id = $2 ORDER BY constraint_object_id, constraint_column_id",
        [image.id, found.object_id],
    ).fetchall()
    keys: dict[int, ForeignKey] = {}
    own = {column.id: column.name for column in found.columns}
    for constraint, column, referenced, other in rows:
        target = image.by_id[referenced]
        names = {c.id: c.name for c in target.columns}
        key = keys.setdefault(
            constraint,
            ForeignKey(image.by_id[constraint].name, [],
                       f"{lexer.quote_name(target.schema)}.{lexer.quote_name(target.name)}", []),
        )  # fmt: skip
        key.columns.append(own[column])
        key.referenced.append(names[other])
    return list(keys.values())


def _rebuild(session: Session, found: DatabaseObject, table: TableDefinition) -> None:
    """Make the table anew by its changed definition and carry rows, ids and indexes over."""
    catalog = session.instance.catalog
    image = catalog.image(session, found.database)
    schema_id = image.schemas[found.schema.lower()][0]
    old = {column.name.lower(): column for column in found.columns}
    kept = [column for column in table.columns if column.name.lower() in old]
    plain = [index for index in found.indexes if not index.constraint_id]
    with catalog.changing(session) as connection:
        connection.lock(found.full_name, session)
        referenced = [find_referenced(session, image, key) for key in table.foreign_keys]
        rows = "SELECT " + ", ".join(quote(column.name) for column in kept)
        connection.execute(f'CREATE TEMP TABLE "$rebuild" AS {rows} FROM {found.storage}')
        last = {
            column.name: connection.execute(
                "SELECT last_value FROM duckdb_sequences() WHERE schema_name = $1"
                " AND sequence_name = $2",
                [f"{found.database}.{found.schema}", f"{found.name}${column.name}"],
            ).fetchall()
            for column in kept
            if column.identity is not None
        }
        try:
            drop_storage(connection, found.storage, found.columns)
        except duckdb.CatalogException as error:
            raise unsupported("ALTER TABLE of a table that foreign keys refer to") from error
        create_storage(session, found.storage, table, [target.storage for target in referenced])
        _refill(session, connection, found, table, kept)
        for name, value in last.items():
            if value and value[0][0] is not None:
                sequence = sequence_name(found.storage, name).replace("'", "''")
                moved = f"SELECT setval('{sequence}', {int(value[0][0])})"
                connection.execute(moved).fetchall()
        forget_definition(connection, image, found)
        add_columns(session, connection, image, found.object_id, schema_id, found.name, table)
        fresh = replace_constraints_image(image, found)
        add_constraints(session, connection, fresh, found.object_id, schema_id, table, referenced)
        numbers = {column.name.lower(): n for n, column in enumerate(table.columns, 1)}
        for index in plain:
            if any(column.lower() not in numbers for column in index.columns):
                raise SqlError(5074, f"The index '{index.name}' is dependent on column.")
            add_index(connection, image.id, found.object_id, index.id, index.name,
                      [(numbers[c.lower()], False) for c in index.columns], [],
                      unique=index.unique)  # fmt: skip
            if index.unique:
                listed = ", ".join(map(quote, index.columns))
                connection.execute(f"CREATE UNIQUE INDEX {quote(index_name(found, index.name))}"
                                   f" ON {found.storage} ({listed})")  # fmt: skip
        connection.execute('DROP TABLE temp."$rebuild"')


def _refill(
    session: Session, connection: Connection, found: DatabaseObject, table: TableDefinition,
    kept: list[TableColumn],
) -> None:  # fmt: skip
    binder = Binder(session)
    names = [column.name for column in kept]
    items = [quote(name) for name in names]
    known = {name.lower() for name in names}
    for column in table.columns:
        if column.name.lower() not in known and column.default is not None and not column.nullable:
            names.append(column.name)
            items.append(duckdb_text(default_value(binder, column)))
    connection.execute(
        f"INSERT INTO {found.storage} ({', '.join(map(quote, names))})"
        f' SELECT {", ".join(items)} FROM temp."$rebuild"',
        values(session, binder.parameters),
    )


def replace_constraints_image(image: DatabaseImage, found: DatabaseObject) -> DatabaseImage:
    """The image without the table's constraints, whose names are free again while it is rebuilt."""
    rest = {i: o for i, o in image.by_id.items() if o.parent_id != found.object_id}
    return replace(image, by_id=rest)
