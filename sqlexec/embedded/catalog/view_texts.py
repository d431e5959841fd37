"""The texts of the system views; see views.py for the places in braces."""

from __future__ import annotations

_KINDS = (
    "CASE o.type WHEN 'U' THEN 'USER_TABLE' WHEN 'V' THEN 'VIEW' WHEN 'P' THEN"
    " 'SQL_STORED_PROCEDURE' WHEN 'PK' THEN 'PRIMARY_KEY_CONSTRAINT' WHEN 'UQ' THEN"
    " 'UNIQUE_CONSTRAINT' WHEN 'F' THEN 'FOREIGN_KEY_CONSTRAINT' WHEN 'C' THEN"
    " 'CHECK_CONSTRAINT' WHEN 'D' THEN 'DEFAULT_CONSTRAINT' END"
)
_OBJECT = (
    "o.name, o.object_id, CAST(NULL AS INTEGER) AS principal_id, o.schema_id, o.parent_object_id,"
    f" o.type, {_KINDS} AS type_desc, o.create_date, o.modify_date, false AS is_ms_shipped,"
    " false AS is_published, false AS is_schema_published"
)
_FROM = " FROM {c}.objects AS o WHERE o.database_id = {id}"
_SYSTEM_VIEWS = (
    "SELECT w.name, w.object_id, CAST(NULL AS INTEGER) AS principal_id, 4 AS schema_id,"
    " 0 AS parent_object_id, 'V' AS type, 'VIEW' AS type_desc,"
    " TIMESTAMP_MS '2022-10-08 06:30:00' AS create_date,"
    " TIMESTAMP_MS '2022-10-08 06:30:00' AS modify_date, true AS is_ms_shipped,"
    " false AS is_published, false AS is_schema_published FROM ("
    "SELECT view_name AS name, CAST(-hash(view_name) % 1000000000 AS INTEGER) AS object_id"
    " FROM duckdb_views() WHERE schema_name = '{name}.sys' UNION ALL"
    " SELECT column0, column1 FROM (VALUES ('dm_exec_sessions', -10001),"
    " ('dm_exec_requests', -10002), ('dm_exec_connections', -10003), ('configurations', -10004))"
    ") AS w"
)

VIEWS: dict[str, str] = {
    "sys.schemas": "SELECT name, schema_id, principal_id FROM {c}.schemas WHERE database_id = {id}",
    "sys.objects": f"SELECT {_OBJECT}{_FROM}",
}
