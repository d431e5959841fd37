"""Where the catalog lives: DuckDB tables in the schema "$catalog", and what a new file holds.

The sys.* views read these tables; so names and columns follow SQL Server's where both have them.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlexec.embedded.engine import Connection

SCHEMA = '"$catalog"'

_TYPE = (
    "type_name VARCHAR, system_type_id INTEGER, max_length INTEGER, precision INTEGER,"
    " scale INTEGER"
)
TABLES = {
    "databases": "database_id INTEGER, name VARCHAR, owner_sid BLOB, create_date TIMESTAMP_MS",
    "schemas": "database_id INTEGER, schema_id INTEGER, name VARCHAR, principal_id INTEGER",
    "objects": "database_id INTEGER, object_id INTEGER, schema_id INTEGER,"
    " parent_object_id INTEGER, name VARCHAR, type VARCHAR, definition VARCHAR,"
    " is_system_named BOOLEAN, create_date TIMESTAMP_MS, modify_date TIMESTAMP_MS",
    "columns": "database_id INTEGER, object_id INTEGER, column_id INTEGER, name VARCHAR,"
    " declared VARCHAR, is_nullable BOOLEAN, is_identity BOOLEAN, seed BIGINT, increment BIGINT,"
    " default_object_id INTEGER, default_definition VARCHAR, " + _TYPE,
    "parameters": "database_id INTEGER, object_id INTEGER, parameter_id INTEGER, name VARCHAR,"
    " declared VARCHAR, is_output BOOLEAN, has_default_value BOOLEAN, " + _TYPE,
    "indexes": "database_id INTEGER, object_id INTEGER, index_id INTEGER, name VARCHAR,"
    " type TINYINT, is_unique BOOLEAN, is_primary_key BOOLEAN, is_unique_constraint BOOLEAN,"
    " constraint_id INTEGER, filter_definition VARCHAR",
    "index_columns": "database_id INTEGER, object_id INTEGER, index_id INTEGER,"
    " index_column_id INTEGER, column_id INTEGER, key_ordinal INTEGER, is_descending_key BOOLEAN,"
    " is_included_column BOOLEAN",
    "foreign_keys": "database_id INTEGER, object_id INTEGER, parent_object_id INTEGER,"
    " referenced_object_id INTEGER, key_index_id INTEGER, delete_action INTEGER,"
    " update_action INTEGER",
    "foreign_key_columns": "database_id INTEGER, constraint_object_id INTEGER,"
    " constraint_column_id INTEGER, parent_object_id INTEGER, parent_column_id INTEGER,"
    " referenced_object_id INTEGER, referenced_column_id INTEGER",
    "server_principals": "principal_id INTEGER, name VARCHAR, sid BLOB, type VARCHAR,"
    " is_disabled BOOLEAN, password_hash VARCHAR, default_database VARCHAR,"
    " create_date TIMESTAMP_MS, modify_date TIMESTAMP_MS",
    "server_role_members": "role_principal_id INTEGER, member_principal_id INTEGER",
    "principals": "database_id INTEGER, principal_id INTEGER, name VARCHAR, type VARCHAR,"
    " sid BLOB, default_schema VARCHAR, owning_principal_id INTEGER, is_fixed_role BOOLEAN,"
    " create_date TIMESTAMP_MS, modify_date TIMESTAMP_MS",
    "role_members": "database_id INTEGER, role_principal_id INTEGER, member_principal_id INTEGER",
    # database_id 0 holds the permissions of the server; class as in sys.database_permissions:
    # 0 database, 1 object, 3 schema, 4 principal, 100 server; state G, W (with grant option), D
    "permissions": "database_id INTEGER, class INTEGER, major_id INTEGER,"
    " grantee_principal_id INTEGER, grantor_principal_id INTEGER, permission_name VARCHAR,"
    " state VARCHAR",
    "extended_properties": "database_id INTEGER, class INTEGER, major_id INTEGER,"
    " minor_id INTEGER, name VARCHAR, value VARCHAR",
}

SYSTEM_DATABASES = ("master", "tempdb", "model", "msdb")
SERVER_ROLES = {
    2: "public",
    3: "sysadmin",
    4: "securityadmin",
    5: "serveradmin",
    6: "setupadmin",
    7: "processadmin",
    8: "diskadmin",
    9: "dbcreator",
    10: "bulkadmin",
}
DATABASE_ROLES = {
    0: "public",
    16384: "db_owner",
    16385: "db_accessadmin",
    16386: "db_securityadmin",
    16387: "db_ddladmin",
    16389: "db_backupoperator",
    16390: "db_datareader",
    16391: "db_datawriter",
    16392: "db_denydatareader",
    16393: "db_denydatawriter",
}
_FIRST_USERS = ("dbo", "guest", "INFORMATION_SCHEMA", "sys")  # numbers 1 to 4, as their schemas
SA_SID = b"\x01"


# --- every change of the catalog goes through these, which note what table was changed ------


def insert(connection: Connection, table: str, **values: object) -> None:
    """Add one row to a table of the catalog."""
    insert_rows(connection, table, [values])


def insert_rows(connection: Connection, table: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Add rows that have the same columns, in one statement: each costs DuckDB a millisecond."""
    if not rows:
        return
    numbers = itertools.count(1)
    places = ", ".join(f"({', '.join(f'${next(numbers)}' for _ in row)})" for row in rows)
    connection.execute(
        f"INSERT INTO {SCHEMA}.{table} ({', '.join(rows[0])}) VALUES {places}",
        [value for row in rows for value in row.values()],
    )
    connection.catalog_written(table)


def update(
    connection: Connection, table: str, changes: Mapping[str, object], **where: object
) -> None:
    """Change the rows whose columns have the values of `where`."""
    assignments = ", ".join(f"{column} = ${n}" for n, column in enumerate(changes, 1))
    connection.execute(
        f"UPDATE {SCHEMA}.{table} SET {assignments} WHERE {_condition(where, len(changes) + 1)}",
        [*changes.values(), *where.values()],
    )
    connection.catalog_written(table)


def delete(connection: Connection, table: str, **where: object) -> None:
    """Remove the rows whose columns have these values; a list has several for one column."""
    connection.execute(
        f"DELETE FROM {SCHEMA}.{table} WHERE {_condition(where)}", list(where.values())
    )
    connection.catalog_written(table)


def _condition(where: Mapping[str, object], first: int = 1) -> str:
    return " AND ".join(
        f"{column} = ANY(${n})" if isinstance(value, list) else f"{column} = ${n}"
        for n, (column, value) in enumerate(where.items(), first)
    )


def now() -> datetime:
    """The time for create_date and modify_date."""
    return datetime.now(timezone.utc).replace(tzinfo=None)


# --- what a new file holds ----------------------------------------------------------------


def create(connection: Connection) -> bool:
    """Make the catalog's tables and first rows; False when the file has them already."""
    known = connection.execute(
        "SELECT 1 FROM duckdb_schemas() WHERE schema_name = '$catalog'"
    ).fetchall()
    if known:
        return False
    connection.execute(f"CREATE SCHEMA {SCHEMA}")
    for name, columns in TABLES.items():
        connection.execute(f"CREATE TABLE {SCHEMA}.{name} ({columns})")
    for number, name in SERVER_ROLES.items():
        add_server_principal(connection, number, name, "R", bytes([number]))
    add_server_principal(connection, 1, "sa", "S", SA_SID)
    insert(connection, "server_role_members", role_principal_id=3, member_principal_id=1)
    for number, name in enumerate(SYSTEM_DATABASES, 1):
        add_database(connection, number, name, SA_SID)
    return True


def add_server_principal(
    connection: Connection,
    number: int,
    name: str,
    kind: str,
    sid: bytes | None = None,
    password_hash: str | None = None,
    default_database: str = "master",
) -> None:
    """Add a login (kind 'S') or a server role ('R')."""
    at = now()
    insert(
        connection, "server_principals", principal_id=number, name=name,
        sid=sid or os.urandom(16), type=kind, is_disabled=False, password_hash=password_hash,
        default_database=default_database, create_date=at, modify_date=at,
    )  # fmt: skip


def add_database(connection: Connection, number: int, name: str, owner: bytes) -> None:
    """Add a database with its schemas and fixed principals."""
    insert(
        connection, "databases", database_id=number, name=name, owner_sid=owner, create_date=now()
    )
    roles = [
        _principal(number, role, title, "R", fixed=role != 0)
        for role, title in DATABASE_ROLES.items()
    ]
    users = [
        _principal(number, principal, title, "S", owner if principal == 1 else None)
        for principal, title in enumerate(_FIRST_USERS, 1)
    ]
    insert_rows(connection, "principals", roles + users)
    for principal, title in enumerate(_FIRST_USERS, 1):
        add_schema(connection, number, name, principal, title, principal)
    if name in ("master", "tempdb", "msdb"):  # everyone may use these
        add_permissions(connection, number, 0, 0, 2, ["CONNECT"], "G")


def add_principal(
    connection: Connection,
    database_id: int,
    number: int,
    name: str,
    kind: str,
    sid: bytes | None = None,
    *,
    default_schema: str | None = None,
) -> None:
    """Add a user (kind 'S') or a role ('R') of a database."""
    row = _principal(database_id, number, name, kind, sid, default_schema)
    insert(connection, "principals", **row)


def _principal(
    database_id: int, number: int, name: str, kind: str, sid: bytes | None = None,
    default_schema: str | None = None, *, fixed: bool = False,
) -> dict[str, object]:  # fmt: skip
    at = now()
    default = default_schema or ("dbo" if kind == "S" else None)
    return {
        "database_id": database_id, "principal_id": number, "name": name, "type": kind,
        "sid": sid, "default_schema": default, "owning_principal_id": 1, "is_fixed_role": fixed,
        "create_date": at, "modify_date": at,
    }  # fmt: skip


def add_schema(
    connection: Connection, database_id: int, database: str, number: int, name: str, owner: int
) -> None:
    """Add a T-SQL schema, and the DuckDB schema that holds its objects."""
    from sqlexec.embedded.engine import quote

    insert(
        connection, "schemas",
        database_id=database_id, schema_id=number, name=name, principal_id=owner,
    )  # fmt: skip
    connection.execute(f"CREATE SCHEMA {quote(f'{database}.{name}')}")


def add_permissions(
    connection: Connection,
    database_id: int,
    kind: int,
    major_id: int,
    grantee: int,
    permissions: Sequence[str],
    state: str,
) -> None:
    """Add permission rows; see TABLES for the codes."""
    rows = [
        {
            "database_id": database_id, "class": kind, "major_id": major_id,
            "grantee_principal_id": grantee, "grantor_principal_id": 1,
            "permission_name": permission, "state": state,
        }
        for permission in permissions
    ]  # fmt: skip
    insert_rows(connection, "permissions", rows)
