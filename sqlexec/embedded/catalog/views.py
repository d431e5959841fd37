"""sys.* and INFORMATION_SCHEMA.*: one DuckDB view each in every database.

Columns: those that drivers, SQLAlchemy and DBAs' checks read, in SQL Server's order, with its
values.  {id} is the database's number, {sys} its schema "X.sys" quoted, {c} the catalog.
What only Python knows (sessions, settings) is not here: see tsql/dynamic_views.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlexec.embedded.catalog.tables import SCHEMA
from sqlexec.embedded.catalog.types import COLLATION, SYSTEM_TYPES
from sqlexec.embedded.catalog.view_texts import VIEWS
from sqlexec.embedded.engine import quote
from sqlexec.embedded.sqltypes import SqlType

if TYPE_CHECKING:
    from sqlexec.embedded.engine import Connection


_WIDTHS_OF_TYPE = {
    "database_principals": 1,
    "server_principals": 1,
    "sql_logins": 1,
    "database_permissions": 4,
    "server_permissions": 4,
}


def create_views(connection: Connection, database_id: int, database: str) -> None:
    """Make the system views of a database (they are temporary to no one: part of the file)."""
    script = []
    for name, text in VIEWS.items():
        schema, view = name.split(".")
        script.append(
            f"CREATE OR REPLACE VIEW {quote(f'{database}.{schema}')}.{quote(view)} AS "
            + text.format(
                id=database_id,
                sys=quote(f"{database}.sys"),
                c=SCHEMA,
                name=database.replace("'", "''"),
                collation=COLLATION,
                types=_types(),
            )
        )
    connection.run_script(";\n".join(script))


def _types() -> str:
    """sys.types as a VALUES list."""
    collations = {True: f"'{COLLATION}'", False: "NULL"}
    rows = (
        f"('{t.name}', {t.system_type_id}, {t.user_type_id}, 4, {t.max_length}, {t.precision},"
        f" {t.scale}, {collations[t.collated]}, {t.name != 'timestamp'})"
        for t in SYSTEM_TYPES.values()
    )
    return ", ".join(rows)


def column_type(view: str, column: str, fallback: SqlType) -> SqlType:
    """The declared type of a system view's column where DuckDB's own type does not tell it.

    Names are sysname (nvarchar(128)), `type` is char(2); other text is nvarchar(4000), or (max)
    for definitions.
    """
    if not fallback.is_text:
        return fallback
    lowered = column.lower()
    if lowered == "type":
        return SqlType("char", _WIDTHS_OF_TYPE.get(view.lower(), 2))
    if lowered in ("definition", "value"):
        return SqlType("nvarchar", -1)
    if lowered.endswith("_definition"):  # INFORMATION_SCHEMA: the first 4000 characters
        return SqlType("nvarchar", 4000)
    if lowered.endswith("_desc"):
        return SqlType("nvarchar", 60)
    if lowered in ("table_type", "is_nullable", "yes_no"):
        return SqlType("varchar", 10)
    return SqlType("nvarchar", 128)
