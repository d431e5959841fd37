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
_SYSTEM_TIME = "TIMESTAMP_MS '2022-10-08 06:30:00'"
_SYSTEM_VIEWS = (
    "SELECT w.name, w.object_id, CAST(NULL AS INTEGER) AS principal_id, w.schema_id,"
    " 0 AS parent_object_id, 'V' AS type, 'VIEW' AS type_desc,"
    f" {_SYSTEM_TIME} AS create_date, {_SYSTEM_TIME} AS modify_date, true AS is_ms_shipped,"
    " false AS is_published, false AS is_schema_published FROM ("
    "SELECT view_name AS name, -CAST(hash(schema_name, view_name) % 1000000000 AS INTEGER)"
    " AS object_id, CASE WHEN schema_name = '{name}.sys' THEN 4 ELSE 3 END AS schema_id"
    " FROM duckdb_views() WHERE schema_name IN ('{name}.sys', '{name}.INFORMATION_SCHEMA')"
    " UNION ALL SELECT d.name, d.object_id, 4 FROM (VALUES ('dm_exec_sessions', -10001),"
    " ('dm_exec_requests', -10002), ('dm_exec_connections', -10003), ('configurations', -10004),"
    " ('user_token', -10005))"
    " AS d(name, object_id)) AS w"
)
_TYPED = (
    "CAST(x.system_type_id AS UTINYINT) AS system_type_id, x.system_type_id AS user_type_id,"
    " CAST(x.max_length AS SMALLINT) AS max_length, CAST(x.precision AS UTINYINT) AS precision,"
    " CAST(x.scale AS UTINYINT) AS scale"
)
_COLLATION = (
    "CASE WHEN x.system_type_id IN (35, 99, 167, 175, 231, 239) THEN '{collation}' END"
    " AS collation_name"
)
_COLUMNS = (
    f"SELECT x.object_id, x.name, x.column_id, {_TYPED}, {_COLLATION}, x.is_nullable,"
    " true AS is_ansi_padded, false AS is_rowguidcol, x.is_identity, false AS is_computed,"
    " false AS is_filestream, false AS is_xml_document,"
    " coalesce(x.default_object_id, 0) AS default_object_id, 0 AS rule_object_id,"
    " false AS is_sparse, false AS is_hidden, CAST(NULL AS INTEGER) AS graph_type,"
    " 0 AS generated_always_type, false AS is_masked, CAST(NULL AS INTEGER) AS encryption_type"
    " FROM {c}.columns AS x WHERE x.database_id = {id}"
)
_ACTION = (
    "CASE {} WHEN 1 THEN 'CASCADE' WHEN 2 THEN 'SET{}NULL' WHEN 3 THEN 'SET{}DEFAULT'"
    " ELSE 'NO{}ACTION' END"
)
_PRINCIPAL_TYPE = "CASE p.type WHEN 'S' THEN 'SQL_USER' ELSE 'DATABASE_ROLE' END"
_CLASS = (
    "CASE g.class WHEN 0 THEN 'DATABASE' WHEN 1 THEN 'OBJECT_OR_COLUMN' WHEN 3 THEN 'SCHEMA'"
    " WHEN 4 THEN 'DATABASE_PRINCIPAL' ELSE 'SERVER' END"
)
_STATE = (
    "CASE g.state WHEN 'G' THEN 'GRANT' WHEN 'D' THEN 'DENY' ELSE 'GRANT_WITH_GRANT_OPTION' END"
)
# sys.database_permissions.type: four letters; those in common use, else the initials
_CODE = (
    "CASE g.permission_name WHEN 'EXECUTE' THEN 'EX' WHEN 'SELECT' THEN 'SL' WHEN 'INSERT' THEN"
    " 'IN' WHEN 'UPDATE' THEN 'UP' WHEN 'DELETE' THEN 'DL' WHEN 'CONNECT' THEN 'CO' WHEN 'CONTROL'"
    " THEN 'CL' WHEN 'REFERENCES' THEN 'RF' WHEN 'ALTER' THEN 'AL' WHEN 'VIEW DEFINITION' THEN 'VW'"
    " WHEN 'EXECUTE ANY EXTERNAL SCRIPT' THEN 'EAES' ELSE left(g.permission_name, 4) END"
)
_DATA_TYPE = (
    "CASE x.type_name WHEN 'timestamp' THEN 'timestamp' ELSE x.type_name END AS \"DATA_TYPE\","
    " CASE WHEN x.max_length = -1 THEN -1 WHEN x.system_type_id IN (231, 239) THEN x.max_length"
    " // 2 WHEN x.system_type_id IN (167, 175, 165, 173) THEN x.max_length END"
    ' AS "CHARACTER_MAXIMUM_LENGTH", CASE WHEN x.system_type_id IN (231, 239, 167, 175, 165, 173)'
    ' THEN x.max_length END AS "CHARACTER_OCTET_LENGTH", CAST(CASE WHEN x.system_type_id IN (48,'
    " 52, 56, 127, 60, 122, 106, 62, 59) THEN x.precision END AS UTINYINT)"
    ' AS "NUMERIC_PRECISION", CAST(CASE WHEN x.system_type_id IN (62, 59) THEN 2 WHEN'
    " x.system_type_id IN (48, 52, 56, 127, 60, 122, 106) THEN 10 END AS SMALLINT)"
    ' AS "NUMERIC_PRECISION_RADIX", CASE WHEN x.system_type_id IN (48, 52, 56, 127, 60, 122, 106)'
    ' THEN x.scale END AS "NUMERIC_SCALE", CAST(CASE WHEN x.system_type_id = 40 THEN 0 WHEN'
    " x.system_type_id IN (41, 42, 43, 58, 61) THEN x.scale END AS SMALLINT)"
    ' AS "DATETIME_PRECISION"'
)
_CONSTRAINED = (
    " FROM {c}.indexes AS i JOIN {c}.objects AS k ON k.database_id = i.database_id AND"
    " k.object_id = i.constraint_id JOIN {c}.objects AS t ON t.database_id = i.database_id AND"
    " t.object_id = i.object_id JOIN {c}.schemas AS s ON s.database_id = t.database_id AND"
    " s.schema_id = t.schema_id"
)
_KEY_COLUMNS = (
    " JOIN {c}.index_columns AS ic ON ic.database_id = i.database_id AND ic.object_id ="
    " i.object_id AND ic.index_id = i.index_id JOIN {c}.columns AS x ON x.database_id ="
    " i.database_id AND x.object_id = i.object_id AND x.column_id = ic.column_id"
)
_FOREIGN = (
    " FROM {c}.foreign_keys AS f JOIN {c}.objects AS k ON k.database_id = f.database_id AND"
    " k.object_id = f.object_id JOIN {c}.objects AS t ON t.database_id = f.database_id AND"
    " t.object_id = f.parent_object_id JOIN {c}.schemas AS s ON s.database_id = t.database_id AND"
    " s.schema_id = t.schema_id"
)
_FOREIGN_COLUMNS = (
    " JOIN {c}.foreign_key_columns AS fc ON fc.database_id = f.database_id AND"
    " fc.constraint_object_id = f.object_id JOIN {c}.columns AS x ON x.database_id ="
    " f.database_id AND x.object_id = f.parent_object_id AND x.column_id = fc.parent_column_id"
)
_TABLE_OF = 's.name AS "TABLE_SCHEMA", t.name AS "TABLE_NAME"'
_NAMED = (
    '\'{name}\' AS "CONSTRAINT_CATALOG", s.name AS "CONSTRAINT_SCHEMA", k.name AS "CONSTRAINT_NAME"'
)

VIEWS: dict[str, str] = {
    "sys.databases": "SELECT d.name, d.database_id, CAST(NULL AS INTEGER) AS source_database_id,"
    " d.owner_sid, d.create_date, CAST(160 AS UTINYINT) AS compatibility_level,"
    " '{collation}' AS collation_name, CAST(0 AS UTINYINT) AS user_access,"
    " 'MULTI_USER' AS user_access_desc, false AS is_read_only, false AS is_auto_close_on,"
    " CAST(0 AS UTINYINT) AS state, 'ONLINE' AS state_desc, false AS is_in_standby,"
    " CAST(1 AS UTINYINT) AS snapshot_isolation_state, true AS is_read_committed_snapshot_on,"
    " CAST(3 AS UTINYINT) AS recovery_model, 'SIMPLE' AS recovery_model_desc,"
    " false AS is_trustworthy_on, false AS is_broker_enabled FROM {c}.databases AS d",
    "sys.schemas": "SELECT name, schema_id, principal_id FROM {c}.schemas WHERE database_id = {id}",
    "sys.objects": f"SELECT {_OBJECT}{_FROM}",
    "sys.all_objects": f"SELECT {_OBJECT}{_FROM} UNION ALL {_SYSTEM_VIEWS}",
    "sys.tables": f"SELECT {_OBJECT}, CAST(0 AS UTINYINT) AS temporal_type,"
    f" false AS is_external, false AS is_memory_optimized{_FROM} AND o.type = 'U'",
    "sys.views": f"SELECT {_OBJECT}{_FROM} AND o.type = 'V'",
    "sys.all_views": f"SELECT {_OBJECT}{_FROM} AND o.type = 'V' UNION ALL {_SYSTEM_VIEWS}",
    "sys.system_views": _SYSTEM_VIEWS,
    "sys.procedures": f"SELECT {_OBJECT}{_FROM} AND o.type = 'P'",
    "sys.columns": _COLUMNS,
    "sys.all_columns": _COLUMNS,
    "sys.types": "SELECT * FROM (VALUES {types}) AS t(name, system_type_id, user_type_id,"
    " schema_id, max_length, precision, scale, collation_name, is_nullable)",
    "sys.parameters": f"SELECT x.object_id, x.name, x.parameter_id, {_TYPED}, x.is_output,"
    " false AS is_cursor_ref, x.has_default_value, false AS is_xml_document,"
    " CAST(NULL AS VARCHAR) AS default_value, false AS is_readonly, true AS is_nullable"
    " FROM {c}.parameters AS x WHERE x.database_id = {id}",
    "sys.sql_modules": "SELECT o.object_id, o.definition, true AS uses_ansi_nulls,"
    " true AS uses_quoted_identifier, false AS is_schema_bound,"
    " CAST(NULL AS INTEGER) AS execute_as_principal_id FROM {c}.objects AS o"
    " WHERE o.database_id = {id} AND o.type IN ('P', 'V')",
    "sys.indexes": "SELECT i.object_id, i.name, i.index_id, CAST(i.type AS UTINYINT) AS type,"
    " CASE i.type WHEN 1 THEN 'CLUSTERED' ELSE 'NONCLUSTERED' END AS type_desc, i.is_unique,"
    " 1 AS data_space_id, false AS ignore_dup_key, i.is_primary_key, i.is_unique_constraint,"
    " CAST(0 AS UTINYINT) AS fill_factor, false AS is_padded, false AS is_disabled,"
    " false AS is_hypothetical, i.filter_definition IS NOT NULL AS has_filter,"
    " i.filter_definition FROM {c}.indexes AS i WHERE i.database_id = {id}"
    " UNION ALL SELECT o.object_id, NULL, 0, 0, 'HEAP', false, 1, false, false, false, 0, false,"
    " false, false, false, NULL FROM {c}.objects AS o WHERE o.database_id = {id} AND o.type = 'U'"
    " AND NOT EXISTS (SELECT 1 FROM {c}.indexes AS i WHERE i.database_id = {id} AND i.object_id ="
    " o.object_id AND i.type = 1)",
    "sys.index_columns": "SELECT object_id, index_id, index_column_id, column_id,"
    " CAST(key_ordinal AS UTINYINT) AS key_ordinal, CAST(0 AS UTINYINT) AS partition_ordinal,"
    " is_descending_key, is_included_column FROM {c}.index_columns WHERE database_id = {id}",
    "sys.key_constraints": f"SELECT {_OBJECT}, i.index_id AS unique_index_id, o.is_system_named,"
    " true AS is_enforced FROM {c}.objects AS o JOIN {c}.indexes AS i ON i.database_id ="
    " o.database_id AND i.constraint_id = o.object_id WHERE o.database_id = {id}",
    "sys.foreign_keys": f"SELECT {_OBJECT}, f.referenced_object_id, f.key_index_id,"
    " false AS is_disabled, false AS is_not_trusted, CAST(f.delete_action AS UTINYINT)"
    f" AS delete_referential_action, {_ACTION.format('f.delete_action', '_', '_', '_')}"
    " AS delete_referential_action_desc, CAST(f.update_action AS UTINYINT)"
    f" AS update_referential_action, {_ACTION.format('f.update_action', '_', '_', '_')}"
    " AS update_referential_action_desc, o.is_system_named FROM {c}.objects AS o JOIN"
    " {c}.foreign_keys AS f ON f.database_id = o.database_id AND f.object_id = o.object_id"
    " WHERE o.database_id = {id}",
    "sys.foreign_key_columns": "SELECT constraint_object_id, constraint_column_id,"
    " parent_object_id, parent_column_id, referenced_object_id, referenced_column_id"
    " FROM {c}.foreign_key_columns WHERE database_id = {id}",
    "sys.check_constraints": f"SELECT {_OBJECT}, o.definition, false AS is_disabled,"
    f" false AS is_not_trusted, 0 AS parent_column_id, o.is_system_named{_FROM} AND o.type = 'C'",
    "sys.default_constraints": f"SELECT {_OBJECT}, x.column_id AS parent_column_id, o.definition,"
    " o.is_system_named FROM {c}.objects AS o JOIN {c}.columns AS x ON x.database_id ="
    " o.database_id AND x.default_object_id = o.object_id WHERE o.database_id = {id}"
    " AND o.type = 'D'",
    "sys.computed_columns": "SELECT x.object_id, x.name, x.column_id, CAST(NULL AS VARCHAR)"
    " AS definition, false AS is_persisted, true AS is_computed FROM {c}.columns AS x WHERE false",
    "sys.identity_columns": "SELECT x.object_id, x.name, x.column_id, CAST(x.system_type_id AS"
    " UTINYINT) AS system_type_id, x.is_identity, x.seed AS seed_value, x.increment AS"
    " increment_value, CAST(NULL AS BIGINT) AS last_value FROM {c}.columns AS x WHERE"
    " x.database_id = {id} AND x.is_identity",
    "sys.extended_properties": "SELECT CAST(class AS UTINYINT) AS class, 'OBJECT_OR_COLUMN' AS"
    " class_desc, major_id, minor_id, name, value FROM {c}.extended_properties"
    " WHERE database_id = {id}",
    "sys.partitions": "SELECT CAST(o.object_id AS BIGINT) AS partition_id, o.object_id,"
    " coalesce(i.index_id, 0) AS index_id, 1 AS partition_number, CAST(o.object_id AS BIGINT) AS"
    " hobt_id, coalesce(t.estimated_size, 0) AS rows FROM {c}.objects AS o JOIN {c}.schemas AS s"
    " ON s.database_id = o.database_id AND s.schema_id = o.schema_id LEFT JOIN {c}.indexes AS i ON"
    " i.database_id = o.database_id AND i.object_id = o.object_id AND i.type = 1 LEFT JOIN"
    " duckdb_tables() AS t ON t.schema_name = '{name}.' || s.name AND t.table_name = o.name"
    " WHERE o.database_id = {id} AND o.type = 'U'",
    "sys.database_principals": "SELECT p.name, p.principal_id, p.type,"
    f" {_PRINCIPAL_TYPE} AS type_desc, p.default_schema AS default_schema_name, p.create_date,"
    " p.modify_date, p.owning_principal_id, p.sid, p.is_fixed_role, CASE WHEN p.type = 'S' AND"
    " p.sid IS NOT NULL THEN 1 ELSE 0 END AS authentication_type FROM {c}.principals AS p"
    " WHERE p.database_id = {id}",
    "sys.database_role_members": "SELECT role_principal_id, member_principal_id"
    " FROM {c}.role_members WHERE database_id = {id}",
    "sys.database_permissions": f"SELECT CAST(g.class AS UTINYINT) AS class, {_CLASS} AS"
    " class_desc, g.major_id, 0 AS minor_id, g.grantee_principal_id, g.grantor_principal_id,"
    f" {_CODE} AS type, g.permission_name, g.state, {_STATE} AS state_desc"
    " FROM {c}.permissions AS g WHERE g.database_id = {id}",
    "sys.server_principals": "SELECT p.name, p.principal_id, p.sid, p.type, CASE p.type WHEN 'S'"
    " THEN 'SQL_LOGIN' ELSE 'SERVER_ROLE' END AS type_desc, p.is_disabled, p.create_date,"
    " p.modify_date, p.default_database AS default_database_name FROM {c}.server_principals AS p",
    "sys.sql_logins": "SELECT p.name, p.principal_id, p.sid, p.type, 'SQL_LOGIN' AS type_desc,"
    " p.is_disabled, p.create_date, p.modify_date, p.default_database AS default_database_name"
    " FROM {c}.server_principals AS p WHERE p.type = 'S'",
    "sys.server_role_members": "SELECT role_principal_id, member_principal_id"
    " FROM {c}.server_role_members",
    "sys.server_permissions": f"SELECT CAST(g.class AS UTINYINT) AS class, {_CLASS} AS class_desc,"
    f" g.major_id, 0 AS minor_id, g.grantee_principal_id, g.grantor_principal_id, {_CODE} AS type,"
    f" g.permission_name, g.state, {_STATE} AS state_desc FROM {{c}}.permissions AS g"
    " WHERE g.database_id = 0",
    "sys.sysobjects": f"SELECT o.name, o.object_id AS id, o.type AS xtype, o.schema_id AS uid,"
    f" o.parent_object_id AS parent_obj, o.create_date AS crdate, o.type{_FROM}",
    "sys.sysusers": "SELECT p.principal_id AS uid, p.name, p.sid FROM {c}.principals AS p"
    " WHERE p.database_id = {id}",
    "sys.sysdatabases": "SELECT d.name, d.database_id AS dbid FROM {c}.databases AS d",
    "sys.syscolumns": "SELECT x.name, x.object_id AS id, x.column_id AS colid, x.system_type_id AS"
    " xtype, x.max_length AS length FROM {c}.columns AS x WHERE x.database_id = {id}",
    "sys.systypes": "SELECT t.name, t.system_type_id AS xtype, t.user_type_id AS xusertype,"
    " t.max_length AS length, t.user_type_id AS usertype, t.system_type_id AS type FROM (VALUES"
    " {types}) AS t(name, system_type_id, user_type_id, schema_id, max_length, precision, scale,"
    " collation_name, is_nullable) WHERE t.user_type_id < 256",
    "INFORMATION_SCHEMA.SCHEMATA": 'SELECT \'{name}\' AS "CATALOG_NAME", s.name AS "SCHEMA_NAME",'
    ' p.name AS "SCHEMA_OWNER" FROM {c}.schemas AS s JOIN {c}.principals AS p ON p.database_id ='
    " s.database_id AND p.principal_id = s.principal_id WHERE s.database_id = {id}",
    "INFORMATION_SCHEMA.TABLES": "SELECT '{name}' AS \"TABLE_CATALOG\", "
    + _TABLE_OF
    + ", CASE t.type WHEN 'U' THEN 'BASE TABLE' ELSE 'VIEW' END AS \"TABLE_TYPE\" FROM {c}.objects"
    " AS t JOIN {c}.schemas AS s ON s.database_id = t.database_id AND s.schema_id = t.schema_id"
    " WHERE t.database_id = {id} AND t.type IN ('U', 'V')",
    "INFORMATION_SCHEMA.VIEWS": "SELECT '{name}' AS \"TABLE_CATALOG\", "
    + _TABLE_OF
    + ', left(t.definition, 4000) AS "VIEW_DEFINITION", \'NONE\' AS "CHECK_OPTION",'
    " 'NO' AS \"IS_UPDATABLE\""
    " FROM {c}.objects AS t JOIN {c}.schemas AS s ON s.database_id = t.database_id AND"
    " s.schema_id = t.schema_id WHERE t.database_id = {id} AND t.type = 'V'",
    "INFORMATION_SCHEMA.COLUMNS": "SELECT '{name}' AS \"TABLE_CATALOG\", "
    + _TABLE_OF
    + ', x.name AS "COLUMN_NAME", x.column_id AS "ORDINAL_POSITION", x.default_definition AS'
    " \"COLUMN_DEFAULT\", CASE WHEN x.is_nullable THEN 'YES' ELSE 'NO' END AS \"IS_NULLABLE\", "
    + _DATA_TYPE
    + ", CASE WHEN x.system_type_id IN (35, 99, 167, 175, 231, 239) THEN"
    " '{collation}' END AS \"COLLATION_NAME\" FROM {c}.columns AS x JOIN {c}.objects AS t ON"
    " t.database_id = x.database_id AND t.object_id = x.object_id JOIN {c}.schemas AS s ON"
    " s.database_id = t.database_id AND s.schema_id = t.schema_id WHERE x.database_id = {id}",
    "INFORMATION_SCHEMA.TABLE_CONSTRAINTS": f"SELECT {_NAMED}, '{{name}}' AS \"TABLE_CATALOG\","
    f" {_TABLE_OF}, CASE k.type WHEN 'PK' THEN 'PRIMARY KEY' WHEN 'UQ' THEN 'UNIQUE' WHEN 'F' THEN"
    " 'FOREIGN KEY' ELSE 'CHECK' END AS \"CONSTRAINT_TYPE\" FROM {c}.objects AS k JOIN {c}.objects"
    " AS t ON t.database_id = k.database_id AND t.object_id = k.parent_object_id JOIN {c}.schemas"
    " AS s ON s.database_id = t.database_id AND s.schema_id = t.schema_id WHERE k.database_id ="
    " {id} AND k.type IN ('PK', 'UQ', 'F', 'C')",
    "INFORMATION_SCHEMA.KEY_COLUMN_USAGE": f"SELECT {_NAMED}, '{{name}}' AS \"TABLE_CATALOG\","
    f' {_TABLE_OF}, x.name AS "COLUMN_NAME", ic.key_ordinal AS "ORDINAL_POSITION"{_CONSTRAINED}'
    f"{_KEY_COLUMNS} WHERE i.database_id = {{id}} UNION ALL SELECT {_NAMED}, '{{name}}',"
    f" {_TABLE_OF}, x.name, fc.constraint_column_id{_FOREIGN}{_FOREIGN_COLUMNS}"
    " WHERE f.database_id = {id}",
    "INFORMATION_SCHEMA.CONSTRAINT_COLUMN_USAGE": f"SELECT {_NAMED}, '{{name}}' AS"
    f' "TABLE_CATALOG", {_TABLE_OF}, x.name AS "COLUMN_NAME"{_CONSTRAINED}{_KEY_COLUMNS}'
    f" WHERE i.database_id = {{id}} UNION ALL SELECT {_NAMED}, '{{name}}', {_TABLE_OF}, x.name"
    f"{_FOREIGN}{_FOREIGN_COLUMNS} WHERE f.database_id = {{id}}",
    "INFORMATION_SCHEMA.REFERENTIAL_CONSTRAINTS": f"SELECT {_NAMED}, '{{name}}' AS"
    ' "UNIQUE_CONSTRAINT_CATALOG", rs.name AS "UNIQUE_CONSTRAINT_SCHEMA", rk.name AS'
    ' "UNIQUE_CONSTRAINT_NAME", \'SIMPLE\' AS "MATCH_OPTION",'
    f' {_ACTION.format("f.update_action", " ", " ", " ")} AS "UPDATE_RULE",'
    f' {_ACTION.format("f.delete_action", " ", " ", " ")} AS "DELETE_RULE"{_FOREIGN}'
    " JOIN {c}.objects AS r ON r.database_id = f.database_id AND r.object_id ="
    " f.referenced_object_id JOIN {c}.schemas AS rs ON rs.database_id = r.database_id AND"
    " rs.schema_id = r.schema_id LEFT JOIN {c}.indexes AS ri ON ri.database_id = f.database_id AND"
    " ri.object_id = f.referenced_object_id AND ri.index_id = f.key_index_id LEFT JOIN {c}.objects"
    " AS rk ON rk.database_id = f.database_id AND rk.object_id = ri.constraint_id"
    " WHERE f.database_id = {id}",
    "INFORMATION_SCHEMA.ROUTINES": "SELECT '{name}' AS \"SPECIFIC_CATALOG\", s.name AS"
    ' "SPECIFIC_SCHEMA", t.name AS "SPECIFIC_NAME", \'{name}\' AS "ROUTINE_CATALOG", s.name AS'
    ' "ROUTINE_SCHEMA", t.name AS "ROUTINE_NAME", \'PROCEDURE\' AS "ROUTINE_TYPE",'
    ' left(t.definition, 4000) AS "ROUTINE_DEFINITION" FROM {c}.objects AS t'
    " JOIN {c}.schemas AS s ON s.database_id = t.database_id AND s.schema_id = t.schema_id"
    " WHERE t.database_id = {id} AND t.type = 'P'",
    "INFORMATION_SCHEMA.PARAMETERS": "SELECT '{name}' AS \"SPECIFIC_CATALOG\", s.name AS"
    ' "SPECIFIC_SCHEMA", t.name AS "SPECIFIC_NAME", x.parameter_id AS "ORDINAL_POSITION",'
    " CASE WHEN x.is_output THEN 'INOUT' ELSE 'IN' END AS \"PARAMETER_MODE\", x.name AS"
    f' "PARAMETER_NAME", {_DATA_TYPE} FROM {{c}}.parameters AS x JOIN {{c}}.objects AS t ON'
    " t.database_id = x.database_id AND t.object_id = x.object_id JOIN {c}.schemas AS s ON"
    " s.database_id = t.database_id AND s.schema_id = t.schema_id WHERE x.database_id = {id}",
    "INFORMATION_SCHEMA.SEQUENCES": "SELECT '{name}' AS \"SEQUENCE_CATALOG\", '' AS"
    ' "SEQUENCE_SCHEMA", \'\' AS "SEQUENCE_NAME" FROM {c}.databases WHERE false',
}
