/*
Purpose: ready an instance of SQL Server for sqlexec, once, by a sysadmin, who reviews it first.
         sqlexec itself never runs it. It tells what it finds and does; it may be run again.

         always        checks: version, edition, Machine Learning Services, launchpad
         @enable       external scripts enabled (sp_configure)
         @agent_login  may have jobs of SQL Server Agent, which durable jobs need (wait=False)
         @make_pool    Enterprise: an external resource pool for the processes of clients whose
                       program name begins with sqlexec; edit its percentages below

How to run it: sqlcmd -S server -b -i prepare_server.sql, or open it in SSMS and Execute.
Licence: MIT.
*/
SET NOCOUNT ON;
SET XACT_ABORT ON;
SET QUOTED_IDENTIFIER ON;

DECLARE @enable bit = 1;
DECLARE @agent_login sysname = NULL;  -- as N'ann', or N'DOMAIN\ann'
DECLARE @make_pool bit = 0;

DECLARE @version nvarchar(128) = CAST(SERVERPROPERTY(N'ProductVersion') AS nvarchar(128));
DECLARE @major int = CAST(LEFT(@version, CHARINDEX(N'.', @version) - 1) AS int);
DECLARE @edition nvarchar(128) = CAST(SERVERPROPERTY(N'Edition') AS nvarchar(128));
DECLARE @engine int = CAST(SERVERPROPERTY(N'EngineEdition') AS int);
DECLARE @is_installed int = CAST(SERVERPROPERTY(N'IsAdvancedAnalyticsInstalled') AS int);
DECLARE @configured int;
DECLARE @in_use int;
DECLARE @classifier sysname;
DECLARE @user sysname;
DECLARE @problems nvarchar(2048);
DECLARE @text nvarchar(max);

PRINT CONCAT(N'SQL Server ', @version, N', ', @edition, N'.');
SET @problems = CONCAT_WS(
    NCHAR(10),
    CASE WHEN IS_SRVROLEMEMBER(N'sysadmin') = 0 THEN N'Run this as a member of sysadmin.' END,
    CASE WHEN @major < 14 THEN N'Python needs SQL Server 2017 (version 14) or newer.' END,
    CASE
        WHEN @make_pool = 1 AND @engine <> 3
        THEN N'External resource pools need the Enterprise, Developer or Evaluation edition: leave @make_pool 0.'
    END,
    CASE
        WHEN @agent_login IS NOT NULL AND SUSER_ID(@agent_login) IS NULL
        THEN CONCAT(N'There is no login ', @agent_login, N'.')
    END);
IF @problems <> N''
    THROW 51760, @problems, 1;
IF @is_installed = 0
    PRINT N'Machine Learning Services: the instance says that they are not installed. If no script runs below: run the setup of SQL Server, add Machine Learning Services with Python.';

SELECT @configured = CAST(c.value AS int), @in_use = CAST(c.value_in_use AS int)
FROM sys.configurations AS c
WHERE c.name = N'external scripts enabled';
IF @configured = 0 AND @enable = 1
BEGIN
    EXECUTE sys.sp_configure @configname = N'external scripts enabled', @configvalue = 1;
    RECONFIGURE WITH OVERRIDE;
    SELECT @configured = CAST(c.value AS int), @in_use = CAST(c.value_in_use AS int)
    FROM sys.configurations AS c
    WHERE c.name = N'external scripts enabled';
    PRINT N'external scripts enabled: set to 1.';
END;
PRINT CASE
    WHEN @in_use = 1 THEN N'external scripts enabled: in use.'
    WHEN @configured = 1 THEN N'external scripts enabled: restart SQL Server, then it is in use.'
    ELSE N'external scripts enabled: no, and @enable is 0.'
END;

IF @in_use = 1
BEGIN TRY
    EXECUTE sys.sp_execute_external_script @language = N'Python', @script = N'import sys';
    PRINT N'Launchpad: a Python script ran.';
END TRY
BEGIN CATCH
    PRINT CONCAT(N'Launchpad: no Python script runs (', ERROR_NUMBER(), N' ', ERROR_MESSAGE(),
        N'). See that the service SQL Server Launchpad of this instance is started.');
END CATCH;

IF @agent_login IS NOT NULL
BEGIN
    SELECT @user = p.name
    FROM msdb.sys.database_principals AS p
    WHERE p.sid = SUSER_SID(@agent_login);
    IF @user IS NULL
    BEGIN
        SET @user = @agent_login;
        SET @text = CONCAT(
            N'USE msdb; CREATE USER ', QUOTENAME(@user), N' FOR LOGIN ', QUOTENAME(@agent_login), N';');
        EXECUTE (@text);
        PRINT @text;
    END;
    IF @user = N'dbo'
        PRINT N'msdb: the login is dbo there and may do all.';
    ELSE
    BEGIN
        SET @text = CONCAT(N'USE msdb; ALTER ROLE SQLAgentUserRole ADD MEMBER ', QUOTENAME(@user), N';');
        EXECUTE (@text);
        PRINT @text;
    END;
END;

IF @make_pool = 1
BEGIN
    SELECT @classifier = OBJECT_NAME(g.classifier_function_id, DB_ID(N'master'))
    FROM sys.resource_governor_configuration AS g
    WHERE g.classifier_function_id > 0;
    IF @classifier <> N'sqlexec_classifier'
    BEGIN
        SET @problems = CONCAT(N'The resource governor has the classifier ', @classifier,
            N' already: let that one return N''sqlexec'' where APP_NAME() LIKE N''sqlexec%''.');
        THROW 51761, @problems, 1;
    END;
    IF NOT EXISTS (SELECT 1 FROM sys.resource_governor_external_resource_pools AS p WHERE p.name = N'sqlexec')
    BEGIN
        CREATE EXTERNAL RESOURCE POOL sqlexec WITH (MAX_CPU_PERCENT = 50, MAX_MEMORY_PERCENT = 50);
        PRINT N'Resource governor: made the external resource pool sqlexec.';
    END;
    IF NOT EXISTS (SELECT 1 FROM sys.resource_governor_workload_groups AS w WHERE w.name = N'sqlexec')
    BEGIN
        EXECUTE (N'CREATE WORKLOAD GROUP sqlexec USING [default], EXTERNAL sqlexec;');
        PRINT N'Resource governor: made the workload group sqlexec.';
    END;
    IF @classifier IS NULL
    BEGIN
        IF OBJECT_ID(N'master.dbo.sqlexec_classifier') IS NULL
        BEGIN
            SET @text = N'CREATE FUNCTION dbo.sqlexec_classifier() RETURNS sysname WITH SCHEMABINDING AS
BEGIN
    RETURN CASE WHEN APP_NAME() LIKE N''sqlexec%'' THEN N''sqlexec'' ELSE N''default'' END;
END;';
            EXECUTE master.sys.sp_executesql @text;
        END;
        EXECUTE (N'ALTER RESOURCE GOVERNOR WITH (CLASSIFIER_FUNCTION = dbo.sqlexec_classifier);');
        PRINT N'Resource governor: clients named sqlexec... are of the group sqlexec.';
    END;
    ALTER RESOURCE GOVERNOR RECONFIGURE;
END;

PRINT N'Next, in each database: install.sql, then ALTER ROLE sqlexec_user ADD MEMBER [user];';
GO
