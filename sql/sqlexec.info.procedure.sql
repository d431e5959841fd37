CREATE OR ALTER PROCEDURE sqlexec.info
AS
/*
Purpose: what is installed here, and what the caller may do: one row.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    SELECT
        r.version AS version,
        r.protocol AS protocol,
        r.source_sha256 AS runner_sha256,
        r.installed_at AS installed_at,
        r.installed_by AS installed_by,
        DB_NAME() AS database_name,
        CAST(SERVERPROPERTY(N'ServerName') AS nvarchar(128)) AS server_name,
        CAST(SERVERPROPERTY(N'ProductVersion') AS nvarchar(128)) AS product_version,
        CAST(SERVERPROPERTY(N'Edition') AS nvarchar(128)) AS edition,
        SUSER_SNAME() AS login_name,
        USER_NAME() AS user_name,
        HAS_PERMS_BY_NAME(N'sqlexec.execute_chunk', N'OBJECT', N'EXECUTE') AS may_execute_chunk,
        HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'EXECUTE ANY EXTERNAL SCRIPT') AS may_run_scripts,
        (
            SELECT CAST(c.value_in_use AS int)
            FROM sys.configurations AS c
            WHERE c.name = N'external scripts enabled'
        ) AS external_scripts_enabled
    FROM sqlexec.runner AS r;
END;
