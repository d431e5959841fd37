"""CREATE, ALTER and DROP TABLE, CREATE and DROP INDEX."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import duckdb

from sqlexec.embedded.catalog import DatabaseImage, DatabaseObject, TableColumn, add_object, tables
from sqlexec.embedded.catalog.types import describe
from sqlexec.embedded.engine import quote, storage_name
from sqlexec.embedded.results import Column
from sqlexec.embedded.tsql.definitions.storage import (
    Check,
    ForeignKey,
    Key,
    TableDefinition,
    create_storage,
    drop_storage,
    sequence_name,
)
from sqlexec.embedded.tsql.definitions.table_text import (
    key_column,
    last_part,
    new_name,
    read_element,
    read_table,
    read_type,
)
from sqlexec.embedded.tsql.definitions.targets import find_target
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.state import TableVariable
from sqlexec.embedded.tsql.syntax import clauses, lexer
from sqlexec.embedded.tsql.syntax.clauses import Cutter
from sqlexec.embedded.tsql.syntax.names import three_parts

if TYPE_CHECKING:
    from sqlexec.embedded.engine import Connection
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
            _known(dict.fromkeys(lowered, 0), column_name)
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
        referenced = [_referenced(session, image, key) for key in table.foreign_keys]
        storage = storage_name(image.name, schema_name, name)
        create_storage(session, storage, table, [found.storage for found in referenced])
        add_object(connection, image.id, object_id, schema_id, name, "U")
        add_columns(session, connection, image, object_id, schema_id, name, table)
        _add_constraints(session, connection, image, object_id, schema_id, table, referenced)


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


def _referenced(session: Session, image: DatabaseImage, key: ForeignKey) -> DatabaseObject:
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


def add_columns(
    session: Session,
    connection: Connection,
    image: DatabaseImage,
    object_id: int,
    schema_id: int,
    name: str,
    table: TableDefinition,
) -> None:
    """Write the columns (and the objects of their defaults) into the catalog."""
    for number, column in enumerate(table.columns, 1):
        default_id = column.default_id or None
        if column.default is not None and default_id is None:
            default_id = session.instance.catalog.new_id()
            given = table.default_names.get(column.name.lower())
            add_object(
                connection, image.id, default_id, schema_id, given or new_name("DF", name), "D",
                _wrapped(column.default), object_id, system_named=not given,
            )  # fmt: skip
        seed, increment = column.identity or (None, None)
        tables.insert(
            connection, "columns", database_id=image.id, object_id=object_id, column_id=number,
            name=column.name, declared=str(column.type), is_nullable=column.nullable,
            is_identity=column.identity is not None, seed=seed, increment=increment,
            default_object_id=default_id,
            default_definition=None if column.default is None else _wrapped(column.default),
            **describe(column.type),
        )  # fmt: skip


def _wrapped(text: str) -> str:
    return text if text.startswith("(") and text.endswith(")") else f"({text})"


def _add_constraints(
    session: Session,
    connection: Connection,
    image: DatabaseImage,
    object_id: int,
    schema_id: int,
    table: TableDefinition,
    referenced: list[DatabaseObject],
) -> None:
    numbers = {column.name.lower(): number for number, column in enumerate(table.columns, 1)}
    for index_id, key in enumerate(sorted(table.keys, key=lambda key: not key.primary), 1):
        kind = "PK" if key.primary else "UQ"
        constraint = session.instance.catalog.new_id()
        _refuse_known(image, key.name)
        add_object(connection, image.id, constraint, schema_id, key.name, kind, None, object_id,
                   system_named=key.system_named)  # fmt: skip
        add_index(connection, image.id, object_id, index_id if key.primary else index_id + 1,
                  key.name, [(numbers[_known(numbers, c)], False) for c in key.columns], [],
                  unique=True, primary=key.primary, constraint_id=constraint)  # fmt: skip
    for check in table.checks:
        _refuse_known(image, check.name)
        add_object(
            connection,
            image.id,
            session.instance.catalog.new_id(),
            schema_id,
            check.name,
            "C",
            _wrapped(check.text),
            object_id,
            system_named=check.system_named,
        )
    for foreign, target in zip(table.foreign_keys, referenced, strict=True):
        _refuse_known(image, foreign.name)
        _add_foreign_key(session, connection, image, object_id, schema_id, foreign, target, numbers)


def _known(numbers: dict[str, int], column: str) -> str:
    if column.lower() not in numbers:
        raise SqlError(1911, f"Column name '{column}' does not exist in the target table or view.")
    return column.lower()


def _refuse_known(image: DatabaseImage, name: str) -> None:
    if any(found.name.lower() == name.lower() for found in image.by_id.values()):
        raise SqlError.of(2714, name)


def _add_foreign_key(
    session: Session, connection: Connection, image: DatabaseImage, object_id: int, schema_id: int,
    key: ForeignKey, target: DatabaseObject, numbers: dict[str, int],
) -> None:  # fmt: skip
    constraint = session.instance.catalog.new_id()
    add_object(connection, image.id, constraint, schema_id, key.name, "F", None, object_id,
               system_named=key.system_named)  # fmt: skip
    wanted = {name.lower() for name in key.referenced}
    index = next((i for i in target.indexes if {c.lower() for c in i.columns} == wanted), None)
    tables.insert(
        connection, "foreign_keys", database_id=image.id, object_id=constraint,
        parent_object_id=object_id, referenced_object_id=target.object_id,
        key_index_id=index.id if index else 1, delete_action=key.on_delete,
        update_action=key.on_update,
    )  # fmt: skip
    ids = {column.name.lower(): column.id for column in target.columns}
    for place, (own, other) in enumerate(zip(key.columns, key.referenced, strict=True), 1):
        tables.insert(
            connection, "foreign_key_columns", database_id=image.id,
            constraint_object_id=constraint, constraint_column_id=place,
            parent_object_id=object_id, parent_column_id=numbers[_known(numbers, own)],
            referenced_object_id=target.object_id, referenced_column_id=ids[other.lower()],
        )  # fmt: skip


def add_index(
    connection: Connection, database_id: int, object_id: int, index_id: int, name: str,
    keys: list[tuple[int, bool]], included: list[int], *, unique: bool, primary: bool = False,
    constraint_id: int | None = None, filter_definition: str | None = None,
) -> None:  # fmt: skip
    """Write an index into the catalog; `keys` are (column id, descending)."""
    tables.insert(
        connection, "indexes", database_id=database_id, object_id=object_id, index_id=index_id,
        name=name, type=1 if primary else 2, is_unique=unique, is_primary_key=primary,
        is_unique_constraint=constraint_id is not None and not primary,
        constraint_id=constraint_id, filter_definition=filter_definition,
    )  # fmt: skip
    columns = [(column, place, down) for place, (column, down) in enumerate(keys, 1)]
    columns += [(column, 0, False) for column in included]
    for place, (column, ordinal, down) in enumerate(columns, 1):
        tables.insert(
            connection, "index_columns", database_id=database_id, object_id=object_id,
            index_id=index_id, index_column_id=place, column_id=column, key_ordinal=ordinal,
            is_descending_key=down, is_included_column=ordinal == 0,
        )  # fmt: skip


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


def forget(connection: Connection, image: DatabaseImage, object_id: int) -> None:
    """Take an object with all that hangs on it out of the catalog."""
    for table in ("columns", "parameters", "indexes", "index_columns", "objects"):
        connection.execute(
            f"DELETE FROM {tables.SCHEMA}.{table} WHERE database_id = $1 AND object_id = $2",
            [image.id, object_id],
        )
    for table, column in (
        ("objects", "parent_object_id"), ("foreign_keys", "parent_object_id"),
        ("foreign_key_columns", "parent_object_id"),
    ):  # fmt: skip
        connection.execute(
            f"DELETE FROM {tables.SCHEMA}.{table} WHERE database_id = $1 AND {column} = $2",
            [image.id, object_id],
        )
    for table in ("permissions", "extended_properties"):
        connection.execute(
            f"DELETE FROM {tables.SCHEMA}.{table}"
            " WHERE database_id = $1 AND class = 1 AND major_id = $2",
            [image.id, object_id],
        )


# --- indexes -----------------------------------------------------------------------------


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
                    f"CREATE UNIQUE INDEX {quote(_index_name(found, name))}"
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


def _index_name(found: DatabaseObject, name: str) -> str:
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
            connection.execute(f"DROP INDEX {schema}.{quote(_index_name(found, index.name))}")
        _forget_index(connection, catalog.image(session, found.database).id, found, index.id)


def _forget_index(
    connection: Connection, database_id: int, found: DatabaseObject, index_id: int
) -> None:
    for kind in ("indexes", "index_columns"):
        connection.execute(
            f"DELETE FROM {tables.SCHEMA}.{kind}"
            " WHERE database_id = $1 AND object_id = $2 AND index_id = $3",
            [database_id, found.object_id, index_id],
        )


# --- ALTER TABLE -------------------------------------------------------------------------


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
        referenced = [_referenced(session, image, key) for key in table.foreign_keys]
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
        _forget_definition(connection, image, found)
        add_columns(session, connection, image, found.object_id, schema_id, found.name, table)
        fresh = replace_constraints_image(image, found)
        _add_constraints(session, connection, fresh, found.object_id, schema_id, table, referenced)
        numbers = {column.name.lower(): n for n, column in enumerate(table.columns, 1)}
        for index in plain:
            if any(column.lower() not in numbers for column in index.columns):
                raise SqlError(5074, f"The index '{index.name}' is dependent on column.")
            add_index(connection, image.id, found.object_id, index.id, index.name,
                      [(numbers[c.lower()], False) for c in index.columns], [],
                      unique=index.unique)  # fmt: skip
            if index.unique:
                listed = ", ".join(map(quote, index.columns))
                connection.execute(f"CREATE UNIQUE INDEX {quote(_index_name(found, index.name))}"
                                   f" ON {found.storage} ({listed})")  # fmt: skip
        connection.execute('DROP TABLE temp."$rebuild"')


def _refill(
    session: Session, connection: Connection, found: DatabaseObject, table: TableDefinition,
    kept: list[TableColumn],
) -> None:  # fmt: skip
    from sqlexec.embedded.tsql.queries.dml import default_value
    from sqlexec.embedded.tsql.queries.plans import values
    from sqlexec.embedded.tsql.translate.binder import Binder
    from sqlexec.embedded.tsql.translate.dialect import duckdb_text

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


def _forget_definition(connection: Connection, image: DatabaseImage, found: DatabaseObject) -> None:
    """Columns, indexes and constraints out of the catalog; defaults that stay keep their ids."""
    for table in ("columns", "indexes", "index_columns"):
        connection.execute(
            f"DELETE FROM {tables.SCHEMA}.{table} WHERE database_id = $1 AND object_id = $2",
            [image.id, found.object_id],
        )
    for table in ("foreign_keys", "foreign_key_columns"):
        connection.execute(
            f"DELETE FROM {tables.SCHEMA}.{table} WHERE database_id = $1 AND parent_object_id = $2",
            [image.id, found.object_id],
        )
    connection.execute(
        f"DELETE FROM {tables.SCHEMA}.objects WHERE database_id = $1 AND parent_object_id = $2"
        " AND type <> 'D'",
        [image.id, found.object_id],
    )


def replace_constraints_image(image: DatabaseImage, found: DatabaseObject) -> DatabaseImage:
    """The image without the table's constraints, whose names are free again while it is rebuilt."""
    rest = {i: o for i, o in image.by_id.items() if o.parent_id != found.object_id}
    return replace(image, by_id=rest)
