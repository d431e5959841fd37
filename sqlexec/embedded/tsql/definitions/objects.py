"""Views, schemas, databases; dropping procedures."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlexec.embedded.catalog import tables
from sqlexec.embedded.catalog.types import describe
from sqlexec.embedded.catalog.views import create_views
from sqlexec.embedded.engine import quote
from sqlexec.embedded.sqltypes import NVARCHAR_MAX
from sqlexec.embedded.tsql.definitions.catalog_rows import forget
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.syntax import clauses
from sqlexec.embedded.tsql.syntax.clauses import Cutter
from sqlexec.embedded.tsql.syntax.names import last_part, three_parts
from sqlexec.embedded.tsql.translate.binder import Binder
from sqlexec.embedded.tsql.translate.dialect import parse
from sqlexec.embedded.tsql.translate.views import split_view

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session


def _view(mode: str) -> Callable[[Session, Cutter, str], None]:
    def statement(session: Session, cutter: Cutter, text: str) -> None:
        database, schema, name = three_parts(cutter.name())
        query, names = split_view(text)
        outputs = Binder(session).query(parse(query)) or []
        columns = list(names) or [output.name for output in outputs]
        if not all(columns):
            raise SqlError(4511, "Create View or Function failed because no column name was "
                           f"specified for column {columns.index('') + 1}.")  # fmt: skip
        catalog = session.instance.catalog
        with session.connection.transaction():
            found = catalog.create_module(session, database, schema, name, "V", text, mode)
            image = catalog.image(session, database)
            with catalog.changing(session) as connection:
                rows: list[dict[str, object]] = []
                for number, (column, output) in enumerate(zip(columns, outputs, strict=False), 1):
                    type = output.type or NVARCHAR_MAX
                    rows.append({
                        "database_id": image.id, "object_id": found.object_id,
                        "column_id": number, "name": column, "declared": str(type),
                        "is_nullable": output.nullable, "is_identity": False, **describe(type),
                    })  # fmt: skip
                tables.insert_rows(connection, "columns", rows)

    return statement


def _drop(kind: str, word: str) -> Callable[[Session, Cutter, str], None]:
    def statement(session: Session, cutter: Cutter, text: str) -> None:
        quiet = cutter.take("IF") and cutter.take("EXISTS")
        catalog = session.instance.catalog
        for name in clauses.split(text[cutter.token.start :].rstrip().rstrip(";")):
            database, schema, last = three_parts(name)
            found = catalog.find_object(session, database, schema, last)
            if found is None or found.type != kind:
                if quiet:
                    continue
                raise SqlError.of(3701, word, name)
            may = catalog.has_permission(
                session, "CONTROL", found.object_id, database=found.database
            ) or catalog.has_permission(
                session, "ALTER", schema=found.schema, database=found.database
            )
            if not may:
                raise SqlError.of(3701, word, name)
            with catalog.changing(session) as connection:
                forget(connection, catalog.image(session, found.database), found.object_id)

    return statement


def create_schema(session: Session, cutter: Cutter, text: str) -> None:
    """CREATE SCHEMA name [AUTHORIZATION owner]."""
    name = "" if cutter.token.upper == "AUTHORIZATION" else last_part(cutter.name())
    owner = last_part(cutter.name()) if cutter.take("AUTHORIZATION") else ""
    if not cutter.at_end():
        raise unsupported("CREATE SCHEMA with objects in it")
    name = name or owner
    catalog = session.instance.catalog
    image = catalog.image(session)
    catalog.check_permission(session, "CREATE SCHEMA")
    if name.lower() in image.schemas:
        raise SqlError.of(2714, name)
    if owner and owner.lower() not in image.principals:
        raise SqlError.of(15151, "user", owner)
    number = image.principals[owner.lower()][0] if owner else session.principal.user_id
    with catalog.changing(session) as connection:
        ids = [schema_id for schema_id, _, _ in image.schemas.values()]
        tables.add_schema(connection, image.id, image.name, max([4, *ids]) + 1, name, number)


def drop_schema(session: Session, cutter: Cutter, text: str) -> None:
    """DROP SCHEMA [IF EXISTS] name: an empty one."""
    quiet = cutter.take("IF") and cutter.take("EXISTS")
    name = last_part(cutter.name())
    catalog = session.instance.catalog
    image = catalog.image(session)
    found = image.schemas.get(name.lower())
    if found is None or found[0] <= 4:
        if quiet and found is None:
            return
        raise SqlError.of(15151, "schema", name)
    inside = next((o for (schema, _), o in image.objects.items() if schema == name.lower()), None)
    if inside is not None:
        raise SqlError(3729, f"Cannot drop schema '{name}' because it is being referenced by "
                       f"object '{inside.name}'.")  # fmt: skip
    if not catalog.has_permission(session, "CONTROL", schema=name) and not catalog.has_permission(
        session, "ALTER ANY SCHEMA"
    ):
        raise SqlError.of(15151, "schema", name)
    with catalog.changing(session) as connection:
        connection.execute(f"DROP SCHEMA {quote(f'{image.name}.{found[1]}')}")
        tables.delete(connection, "schemas", database_id=image.id, schema_id=found[0])
        place = {"database_id": image.id, "class": 3, "major_id": found[0]}
        tables.delete(connection, "permissions", **place)


def create_database(session: Session, cutter: Cutter, text: str) -> None:
    """CREATE DATABASE name; options are not known."""
    name = last_part(cutter.name())
    if not cutter.at_end() and not cutter.take("COLLATE"):
        raise unsupported("options of CREATE DATABASE")
    catalog = session.instance.catalog
    if session.transaction_count:
        raise SqlError(226, "CREATE DATABASE statement not allowed within multi-statement "
                       "transaction.")  # fmt: skip
    if not (catalog.has_server_permission(session, "CREATE ANY DATABASE")
            or catalog.is_server_member(session, "dbcreator")):  # fmt: skip
        raise SqlError.of(262, "CREATE DATABASE", "master")
    if name.lower() in catalog.snapshot(session).databases:
        raise SqlError(1801, f"Database '{name}' already exists. Choose a different database name.")
    with catalog.changing(session) as connection:
        number = catalog.new_database_id()
        tables.add_database(connection, number, name, session.principal.sid)
        create_views(connection, number, name)


def drop_database(session: Session, cutter: Cutter, text: str) -> None:
    """DROP DATABASE [IF EXISTS] name."""
    quiet = cutter.take("IF") and cutter.take("EXISTS")
    name = last_part(cutter.name())
    catalog = session.instance.catalog
    image = catalog.snapshot(session).databases.get(name.lower())
    if image is None:
        if quiet:
            return
        raise SqlError.of(3701, "database", name)
    if image.id <= 4:
        raise SqlError(3708, f"Cannot drop the database '{name}' because it is a system database.")
    if image.owner_sid != session.principal.sid and not session.principal.sysadmin:
        raise SqlError.of(3701, "database", name)
    if any(s.database.lower() == name.lower() for s in session.instance.sessions.values()):
        raise SqlError(3702, f'Cannot drop database "{image.name}" because it is currently in use.')
    with catalog.changing(session) as connection:
        for _, schema, _ in image.schemas.values():
            connection.execute(f"DROP SCHEMA {quote(f'{image.name}.{schema}')} CASCADE")
        for table, columns in tables.TABLES.items():
            if "database_id" in columns.split(",", 1)[0]:
                tables.delete(connection, table, database_id=image.id)


STATEMENTS = {
    "CREATE VIEW": _view("CREATE"),
    "ALTER VIEW": _view("ALTER"),
    "CREATE OR ALTER VIEW": _view("CREATE OR ALTER"),
    "DROP VIEW": _drop("V", "view"),
    "DROP PROCEDURE": _drop("P", "procedure"),
    "CREATE SCHEMA": create_schema,
    "DROP SCHEMA": drop_schema,
    "CREATE DATABASE": create_database,
    "DROP DATABASE": drop_database,
}
