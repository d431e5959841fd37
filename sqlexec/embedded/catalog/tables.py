"""Where the catalog lives: DuckDB tables in the schema "$catalog", and what a new file holds.

The sys.* views read these tables; so names and columns follow SQL Server's where both have them.
"""

from __future__ import annotations

import os
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
SA_SID = b"\x01"
_NOW = "CAST(now() AS TIMESTAMP_MS)"


def insert(connection: Connection, table: str, **values: object) -> None:
    """Add one row to a table of the catalog."""
    places = ", ".join(f"${number + 1}" for number in range(len(values)))
    connection.execute(
        f"INSERT INTO {SCHEMA}.{table} ({', '.join(values)}) VALUES ({places})",
        list(values.values()),
    )


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
    connection.execute(
        f"INSERT INTO {SCHEMA}.server_principals VALUES"
        f" ($1, $2, $3, $4, false, $5, $6, {_NOW}, {_NOW})",
        [number, name, sid or os.urandom(16), kind, password_hash, default_database],
    )


def add_database(connection: Connection, number: int, name: str, owner: bytes) -> None:
    """Add a database with its schemas and fixed principals."""
    connection.execute(
        f"INSERT INTO {SCHEMA}.databases VALUES ($1, $2, $3, {_NOW})", [number, name, owner]
    )
    for role, title in DATABASE_ROLES.items():
        add_principal(connection, number, role, title, "R", fixed=role != 0)
    for principal, title in enumerate(("dbo", "guest", "INFORMATION_SCHEMA", "sys"), 1):
        add_principal(connection, number, principal, title, "S", owner if principal == 1 else None)
        add_schema(connection, number, name, principal, title, principal)
    if name in ("master", "tempdb", "msdb"):  # everyone may use these
        add_permission(connection, number, 0, 0, 2, "CONNECT", "G")


def add_principal(
    connection: Connection,
    database_id: int,
    number: int,
    name: str,
    kind: str,
    sid: bytes | None = None,
    *,
    default_schema: str | None = None,
    fixed: bool = False,
) -> None:
    """Add a user (kind 'S') or a role ('R') of a database."""
    default = default_schema or ("dbo" if kind == "S" else None)
    connection.execute(
        f"INSERT INTO {SCHEMA}.principals VALUES ($1, $2, $3, $4, $5, $6, 1, $7, {_NOW}, {_NOW})",
        [database_id, number, name, kind, sid, default, fixed],
    )


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


def add_permission(
    connection: Connection,
    database_id: int,
    kind: int,
    major_id: int,
    grantee: int,
    permission: str,
    state: str,
) -> None:
    """Add one permission row; see TABLES for the codes."""
    insert(
        connection, "permissions",
        database_id=database_id, **{"class": kind}, major_id=major_id,
        grantee_principal_id=grantee, grantor_principal_id=1,
        permission_name=permission, state=state,
    )  # fmt: skip
