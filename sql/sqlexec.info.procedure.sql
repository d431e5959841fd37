CREATE OR ALTER PROCEDURE sqlexec.info
    @help bit = 0
AS
/*
Purpose: what is installed here, what the caller may do, and the limits (0: none): one row.
Version: {{version}}

@help  1: tell this, and do nothing else.

Example: EXECUTE sqlexec.info;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'info';
        RETURN;
    END;

    DECLARE @version nvarchar(32);
    DECLARE @protocol int;
    DECLARE @source_sha256 char(64);
    DECLARE @largest_payload_bytes bigint;
    DECLARE @longest_run_seconds int;
    DECLARE @most_workers int;
    DECLARE @kept_days int;
    DECLARE @database nvarchar(258) = QUOTENAME(DB_NAME());

    EXECUTE sqlexec.runner
        @source_sha256 = @source_sha256 OUTPUT,
        @protocol = @protocol OUTPUT,
        @version = @version OUTPUT;
    EXECUTE sqlexec.read_limits
        @largest_payload_bytes = @largest_payload_bytes OUTPUT,
        @longest_run_seconds = @longest_run_seconds OUTPUT,
        @most_workers = @most_workers OUTPUT,
        @kept_days = @kept_days OUTPUT;

    SELECT
        @version AS version,
        @protocol AS protocol,
        @source_sha256 AS runner_sha256,
        (
            SELECT o.modify_date
            FROM sys.objects AS o
            WHERE o.object_id = OBJECT_ID(N'sqlexec.runner')
        ) AS installed_at,
        DB_NAME() AS database_name,
        CAST(SERVERPROPERTY(N'ServerName') AS nvarchar(128)) AS server_name,
        CAST(SERVERPROPERTY(N'ProductVersion') AS nvarchar(128)) AS product_version,
        CAST(SERVERPROPERTY(N'Edition') AS nvarchar(128)) AS edition,
        SUSER_SNAME() AS login_name,
        USER_NAME() AS user_name,
        HAS_PERMS_BY_NAME(N'sqlexec.execute_chunk', N'OBJECT', N'EXECUTE') AS may_execute_chunk,
        HAS_PERMS_BY_NAME(@database, N'DATABASE', N'EXECUTE ANY EXTERNAL SCRIPT') AS may_run_scripts,
        (
            SELECT CAST(c.value_in_use AS int)
            FROM sys.configurations AS c
            WHERE c.name = N'external scripts enabled'
        ) AS external_scripts_enabled,
        @kept_days AS kept_days,
        @largest_payload_bytes AS largest_payload_bytes,
        @longest_run_seconds AS longest_run_seconds,
        @most_workers AS most_workers_per_login;
END;
