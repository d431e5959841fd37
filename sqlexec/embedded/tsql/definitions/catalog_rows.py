"""What CREATE, ALTER and DROP write into the catalog: rows for columns, constraints, indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlexec.embedded.catalog import DatabaseImage, DatabaseObject, add_object, tables
from sqlexec.embedded.catalog.types import describe
from sqlexec.embedded.tsql.definitions.storage import (
    ForeignKey,
    TableDefinition,
)
from sqlexec.embedded.tsql.definitions.table_text import (
    new_name,
)
from sqlexec.embedded.tsql.errors import SqlError

if TYPE_CHECKING:
    from sqlexec.embedded.engine import Connection
    from sqlexec.embedded.tsql.state import Session


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
    rows: list[dict[str, object]] = []
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
        rows.append({
            "database_id": image.id, "object_id": object_id, "column_id": number,
            "name": column.name, "declared": str(column.type), "is_nullable": column.nullable,
            "is_identity": column.identity is not None, "seed": seed, "increment": increment,
            "default_object_id": default_id,
            "default_definition": None if column.default is None else _wrapped(column.default),
            **describe(column.type),
        })  # fmt: skip
    tables.insert_rows(connection, "columns", rows)


def _wrapped(text: str) -> str:
    return text if text.startswith("(") and text.endswith(")") else f"({text})"


def add_constraints(
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
                  key.name, [(numbers[known_column(numbers, c)], False) for c in key.columns], [],
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


def known_column(numbers: dict[str, int], column: str) -> str:
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
    rows = [
        {
            "database_id": image.id, "constraint_object_id": constraint,
            "constraint_column_id": place, "parent_object_id": object_id,
            "parent_column_id": numbers[known_column(numbers, own)],
            "referenced_object_id": target.object_id, "referenced_column_id": ids[other.lower()],
        }
        for place, (own, other) in enumerate(zip(key.columns, key.referenced, strict=True), 1)
    ]  # fmt: skip
    tables.insert_rows(connection, "foreign_key_columns", rows)


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
    rows = [
        {
            "database_id": database_id, "object_id": object_id, "index_id": index_id,
            "index_column_id": place, "column_id": column, "key_ordinal": ordinal,
            "is_descending_key": down, "is_included_column": ordinal == 0,
        }
        for place, (column, ordinal, down) in enumerate(columns, 1)
    ]  # fmt: skip
    tables.insert_rows(connection, "index_columns", rows)


def forget(connection: Connection, image: DatabaseImage, object_id: int) -> None:
    """Take an object with all that hangs on it out of the catalog."""
    for table in ("columns", "parameters", "indexes", "index_columns", "objects"):
        tables.delete(connection, table, database_id=image.id, object_id=object_id)
    for table in ("objects", "foreign_keys", "foreign_key_columns"):
        tables.delete(connection, table, database_id=image.id, parent_object_id=object_id)
    for table in ("permissions", "extended_properties"):
        place = {"database_id": image.id, "class": 1, "major_id": object_id}
        tables.delete(connection, table, **place)


def forget_index(
    connection: Connection, database_id: int, found: DatabaseObject, index_id: int
) -> None:
    for kind in ("indexes", "index_columns"):
        place = {"database_id": database_id, "object_id": found.object_id, "index_id": index_id}
        tables.delete(connection, kind, **place)


def forget_definition(connection: Connection, image: DatabaseImage, found: DatabaseObject) -> None:
    """Columns, indexes and constraints out of the catalog; defaults that stay keep their ids."""
    for table in ("columns", "indexes", "index_columns"):
        tables.delete(connection, table, database_id=image.id, object_id=found.object_id)
    children = {"database_id": image.id, "parent_object_id": found.object_id}
    for table in ("foreign_keys", "foreign_key_columns"):
        tables.delete(connection, table, **children)
    tables.delete(connection, "objects", **children, type=["PK", "UQ", "C", "F"])
