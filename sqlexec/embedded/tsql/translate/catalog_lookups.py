"""SCHEMA_NAME(schema_id), OBJECT_NAME(object_id), ... over columns: looked up inside DuckDB.

With constant arguments the session answers them (session_values.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlexec.embedded.catalog.tables import SCHEMA
from sqlexec.embedded.catalog.types import SYSTEM_TYPES
from sqlexec.embedded.sqltypes import INT, SYSNAME, SqlType
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.translate.dialect import template

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session

_TYPE_CASES = " ".join(
    f"WHEN {row.user_type_id} THEN '{row.name}'" for row in SYSTEM_TYPES.values()
)
# {id} is the number of the session's database
LOOKUPS: dict[str, tuple[str, SqlType]] = {
    "SCHEMA_NAME": (
        f"(SELECT any_value(z.name) FROM {SCHEMA}.schemas AS z"
        " WHERE z.database_id = {id} AND z.schema_id = $1)",
        SYSNAME,
    ),
    "OBJECT_NAME": (
        f"(SELECT any_value(z.name) FROM {SCHEMA}.objects AS z"
        " WHERE z.database_id = {id} AND z.object_id = $1)",
        SYSNAME,
    ),
    "OBJECT_SCHEMA_NAME": (
        f"(SELECT any_value(y.name) FROM {SCHEMA}.objects AS z JOIN {SCHEMA}.schemas AS y"
        " ON y.database_id = z.database_id AND y.schema_id = z.schema_id"
        " WHERE z.database_id = {id} AND z.object_id = $1)",
        SYSNAME,
    ),
    "OBJECT_DEFINITION": (
        f"(SELECT any_value(z.definition) FROM {SCHEMA}.objects AS z"
        " WHERE z.database_id = {id} AND z.object_id = $1)",
        SqlType("nvarchar", -1),
    ),
    "USER_NAME": (
        f"(SELECT any_value(z.name) FROM {SCHEMA}.principals AS z"
        " WHERE z.database_id = {id} AND z.principal_id = $1)",
        SYSNAME,
    ),
    "DB_NAME": (
        f"(SELECT any_value(z.name) FROM {SCHEMA}.databases AS z WHERE z.database_id = $1)",
        SYSNAME,
    ),
    "DB_ID": (
        f"(SELECT any_value(z.database_id) FROM {SCHEMA}.databases AS z"
        " WHERE lower(z.name) = lower($1))",
        INT,
    ),
    "SUSER_SNAME": (
        f"(SELECT any_value(z.name) FROM {SCHEMA}.server_principals AS z WHERE z.sid = $1)",
        SYSNAME,
    ),
    "TYPE_NAME": (f"CASE $1 {_TYPE_CASES} END", SYSNAME),
}  # fmt: skip


def translate(
    session: Session, name: str, arguments: list[exp.Expression]
) -> tuple[exp.Expression, SqlType]:
    """The look-up as a DuckDB expression, with its type."""
    if len(arguments) != 1:
        raise SqlError(174, f"The {name.lower()} function requires 1 argument(s).", 15)
    text, type = LOOKUPS[name]
    return template(text.replace("{id}", str(session.instance.catalog.image(session).id)),
                    *arguments), type  # fmt: skip
