/*
Purpose: what the stand-in has of SQL Server Agent in msdb: jobs of T-SQL steps, started by hand.
         Names, columns, defaults and error numbers follow Microsoft's documentation of
         "SQL Server Agent stored procedures" and "SQL Server Agent tables".
         Who may do what: SQLAgentUserRole its own jobs, sysadmin all.
*/
CREATE ROLE SQLAgentUserRole AUTHORIZATION dbo;
GO
CREATE ROLE SQLAgentReaderRole AUTHORIZATION dbo;
GO
CREATE ROLE SQLAgentOperatorRole AUTHORIZATION dbo;
GO
ALTER ROLE SQLAgentUserRole ADD MEMBER SQLAgentReaderRole;
GO
ALTER ROLE SQLAgentReaderRole ADD MEMBER SQLAgentOperatorRole;
GO
CREATE TABLE dbo.syssessions
(
    session_id int IDENTITY(1, 1) NOT NULL PRIMARY KEY,
    agent_start_date datetime NOT NULL
);
GO
CREATE TABLE dbo.sysjobs
(
    job_id uniqueidentifier NOT NULL PRIMARY KEY,
    originating_server_id int NOT NULL DEFAULT 0,
    name sysname NOT NULL,
    enabled tinyint NOT NULL,
    description nvarchar(512) NULL,
    start_step_id int NOT NULL,
    category_id int NOT NULL,
    owner_sid varbinary(85) NOT NULL,
    notify_level_eventlog int NOT NULL,
    delete_level int NOT NULL,
    date_created datetime NOT NULL,
    date_modified datetime NOT NULL,
    version_number int NOT NULL
);
GO
CREATE TABLE dbo.sysjobsteps
(
    job_id uniqueidentifier NOT NULL,
    step_id int NOT NULL,
    step_name sysname NOT NULL,
    subsystem nvarchar(40) NOT NULL,
    command nvarchar(max) NULL,
    flags int NOT NULL,
    on_success_action tinyint NOT NULL,
    on_success_step_id int NOT NULL,
    on_fail_action tinyint NOT NULL,
    on_fail_step_id int NOT NULL,
    database_name sysname NULL,
    retry_attempts int NOT NULL,
    retry_interval int NOT NULL,
    step_uid uniqueidentifier NOT NULL,
    PRIMARY KEY (job_id, step_id)
);
GO
CREATE TABLE dbo.sysjobservers
(
    job_id uniqueidentifier NOT NULL PRIMARY KEY,
    server_id int NOT NULL
);
GO
CREATE TABLE dbo.sysjobactivity
(
    session_id int NOT NULL,
    job_id uniqueidentifier NOT NULL,
    run_requested_date datetime NULL,
    run_requested_source sysname NULL,
    start_execution_date datetime NULL,
    last_executed_step_id int NULL,
    last_executed_step_date datetime NULL,
    stop_execution_date datetime NULL,
    job_history_id int NULL
);
GO
CREATE TABLE dbo.sysjobhistory
(
    instance_id int IDENTITY(1, 1) NOT NULL PRIMARY KEY,
    job_id uniqueidentifier NOT NULL,
    step_id int NOT NULL,
    step_name sysname NOT NULL,
    sql_message_id int NOT NULL,
    sql_severity int NOT NULL,
    message nvarchar(4000) NULL,
    run_status int NOT NULL,
    run_date int NOT NULL,
    run_time int NOT NULL,
    run_duration int NOT NULL,
    retries_attempted int NOT NULL,
    server sysname NOT NULL
);
GO
CREATE VIEW dbo.sysjobs_view
AS
SELECT
    j.job_id, j.originating_server_id, j.name, j.enabled, j.description, j.start_step_id,
    j.category_id, j.owner_sid, j.delete_level, j.date_created, j.date_modified, j.version_number
FROM dbo.sysjobs AS j
WHERE j.owner_sid = SUSER_SID()
    OR IS_SRVROLEMEMBER(N'sysadmin') = 1
    OR IS_MEMBER(N'SQLAgentReaderRole') = 1;
GO
CREATE PROCEDURE dbo.sp_verify_job_identifiers
    @job_name sysname OUTPUT,
    @job_id uniqueidentifier OUTPUT,
    @owner_sid varbinary(85) = NULL OUTPUT
AS
/* Purpose: find a job that the caller may act on, by name or id; 14262 if there is none. */
BEGIN
    DECLARE @found uniqueidentifier;
    DECLARE @text nvarchar(128);
    DECLARE @given nvarchar(36);

    IF (@job_name IS NULL AND @job_id IS NULL) OR (@job_name IS NOT NULL AND @job_id IS NOT NULL)
    BEGIN
        RAISERROR(14294, -1, -1, N'@job_name', N'@job_id');
        RETURN 1;
    END;
    SELECT @found = j.job_id, @text = j.name, @owner_sid = j.owner_sid
    FROM dbo.sysjobs AS j
    WHERE (j.job_id = @job_id OR j.name = @job_name)
        AND (j.owner_sid = SUSER_SID() OR IS_SRVROLEMEMBER(N'sysadmin') = 1
            OR IS_MEMBER(N'SQLAgentOperatorRole') = 1);
    IF @found IS NULL
    BEGIN
        IF @job_name IS NOT NULL
            RAISERROR(14262, -1, -1, N'@job_name', @job_name);
        ELSE
        BEGIN
            SET @given = CONVERT(nvarchar(36), @job_id);
            RAISERROR(14262, -1, -1, N'@job_id', @given);
        END;
        RETURN 1;
    END;
    SET @job_id = @found;
    SET @job_name = @text;
    RETURN 0;
END;
GO
CREATE PROCEDURE dbo.sp_add_job
    @job_name sysname,
    @enabled tinyint = 1,
    @description nvarchar(512) = NULL,
    @start_step_id int = 1,
    @category_name sysname = NULL,
    @category_id int = NULL,
    @owner_login_name sysname = NULL,
    @notify_level_eventlog int = 2,
    @notify_level_email int = 0,
    @notify_level_netsend int = 0,
    @notify_level_page int = 0,
    @notify_email_operator_name sysname = NULL,
    @notify_netsend_operator_name sysname = NULL,
    @notify_page_operator_name sysname = NULL,
    @delete_level int = 0,
    @job_id uniqueidentifier = NULL OUTPUT,
    @originating_server sysname = NULL
AS
/* Purpose: make a job without steps. */
BEGIN
    SET NOCOUNT ON;
    DECLARE @owner_sid varbinary(85) = SUSER_SID();

    IF @owner_login_name IS NOT NULL AND SUSER_SID(@owner_login_name) IS NULL
    BEGIN
        RAISERROR(14234, -1, -1, N'@owner_login_name', N'sp_helplogins');
        RETURN 1;
    END;
    IF @owner_login_name IS NOT NULL AND SUSER_SID(@owner_login_name) <> @owner_sid
    BEGIN
        IF ISNULL(IS_SRVROLEMEMBER(N'sysadmin'), 0) <> 1
        BEGIN
            RAISERROR(14515, -1, -1);
            RETURN 1;
        END;
        SET @owner_sid = SUSER_SID(@owner_login_name);
    END;
    IF @delete_level NOT IN (0, 1, 2, 3)
    BEGIN
        RAISERROR(14266, -1, -1, N'@delete_level', N'0, 1, 2, 3');
        RETURN 1;
    END;
    IF EXISTS (SELECT 1 FROM dbo.sysjobs AS j WHERE j.name = @job_name)
    BEGIN
        RAISERROR(14261, -1, -1, N'@name', @job_name);
        RETURN 1;
    END;
    IF @job_id IS NULL
        SET @job_id = NEWID();
    INSERT INTO dbo.sysjobs
        (job_id, name, enabled, description, start_step_id, category_id, owner_sid,
         notify_level_eventlog, delete_level, date_created, date_modified, version_number)
    VALUES
        (@job_id, @job_name, @enabled, ISNULL(@description, N'No description available.'),
         @start_step_id, 0, @owner_sid, @notify_level_eventlog, @delete_level, GETDATE(),
         GETDATE(), 1);
    RETURN 0;
END;
GO
CREATE PROCEDURE dbo.sp_add_jobstep
    @job_id uniqueidentifier = NULL,
    @job_name sysname = NULL,
    @step_id int = NULL,
    @step_name sysname,
    @subsystem nvarchar(40) = N'TSQL',
    @command nvarchar(max) = NULL,
    @additional_parameters nvarchar(max) = NULL,
    @cmdexec_success_code int = 0,
    @on_success_action tinyint = 1,
    @on_success_step_id int = 0,
    @on_fail_action tinyint = 2,
    @on_fail_step_id int = 0,
    @server sysname = NULL,
    @database_name sysname = NULL,
    @database_user_name sysname = NULL,
    @retry_attempts int = 0,
    @retry_interval int = 0,
    @os_run_priority int = 0,
    @output_file_name nvarchar(200) = NULL,
    @flags int = 0,
    @proxy_id int = NULL,
    @proxy_name sysname = NULL,
    @step_uid uniqueidentifier = NULL OUTPUT
AS
/* Purpose: add a T-SQL step at the end of a job; other subsystems are refused. */
BEGIN
    SET NOCOUNT ON;
    DECLARE @status int;
    DECLARE @steps int;

    EXECUTE @status = dbo.sp_verify_job_identifiers @job_name = @job_name OUTPUT, @job_id = @job_id OUTPUT;
    IF @status <> 0
        RETURN 1;
    IF UPPER(@subsystem) <> N'TSQL' OR @database_user_name IS NOT NULL OR @output_file_name IS NOT NULL
        OR @proxy_id IS NOT NULL OR @proxy_name IS NOT NULL
    BEGIN
        RAISERROR(40517, -1, -1, N'Agent steps but of subsystem TSQL, without user, proxy and output file');
        RETURN 1;
    END;
    IF @on_success_action NOT IN (1, 2, 3, 4) OR @on_fail_action NOT IN (1, 2, 3, 4)
    BEGIN
        RAISERROR(14266, -1, -1, N'@on_success_action, @on_fail_action', N'1, 2, 3, 4');
        RETURN 1;
    END;
    SELECT @steps = COUNT(*) FROM dbo.sysjobsteps AS s WHERE s.job_id = @job_id;
    IF @step_id IS NOT NULL AND @step_id <> @steps + 1
    BEGIN
        RAISERROR(40517, -1, -1, N'sp_add_jobstep with a @step_id that is not the next one');
        RETURN 1;
    END;
    SET @step_uid = NEWID();
    INSERT INTO dbo.sysjobsteps
        (job_id, step_id, step_name, subsystem, command, flags, on_success_action,
         on_success_step_id, on_fail_action, on_fail_step_id, database_name, retry_attempts,
         retry_interval, step_uid)
    VALUES
        (@job_id, @steps + 1, @step_name, N'TSQL', @command, @flags, @on_success_action,
         @on_success_step_id, @on_fail_action, @on_fail_step_id, ISNULL(@database_name, N'master'),
         @retry_attempts, @retry_interval, @step_uid);
    UPDATE j
    SET version_number = j.version_number + 1, date_modified = GETDATE()
    FROM dbo.sysjobs AS j
    WHERE j.job_id = @job_id;
    RETURN 0;
END;
GO
CREATE PROCEDURE dbo.sp_add_jobserver
    @job_id uniqueidentifier = NULL,
    @job_name sysname = NULL,
    @server_name sysname = NULL,
    @automatic_post bit = 1
AS
/* Purpose: let this server run the job; others are refused. */
BEGIN
    SET NOCOUNT ON;
    DECLARE @status int;

    EXECUTE @status = dbo.sp_verify_job_identifiers @job_name = @job_name OUTPUT, @job_id = @job_id OUTPUT;
    IF @status <> 0
        RETURN 1;
    IF UPPER(ISNULL(@server_name, N'(LOCAL)')) NOT IN (N'(LOCAL)', UPPER(@@SERVERNAME))
    BEGIN
        RAISERROR(14262, -1, -1, N'@server_name', @server_name);
        RETURN 1;
    END;
    IF EXISTS (SELECT 1 FROM dbo.sysjobservers AS s WHERE s.job_id = @job_id)
    BEGIN
        RAISERROR(14269, -1, -1, @job_name, @server_name);
        RETURN 1;
    END;
    INSERT INTO dbo.sysjobservers (job_id, server_id) VALUES (@job_id, 0);
    RETURN 0;
END;
GO
CREATE PROCEDURE dbo.sp_start_job
    @job_name sysname = NULL,
    @job_id uniqueidentifier = NULL,
    @error_flag int = 1,
    @server_name sysname = NULL,
    @step_name sysname = NULL,
    @output_flag int = 1
AS
/* Purpose: ask the Agent to run a job; returns at once. */
BEGIN
    SET NOCOUNT ON;
    DECLARE @status int;
    DECLARE @given nvarchar(36);

    EXECUTE @status = dbo.sp_verify_job_identifiers @job_name = @job_name OUTPUT, @job_id = @job_id OUTPUT;
    IF @status <> 0
        RETURN 1;
    IF @step_name IS NOT NULL
    BEGIN
        RAISERROR(40517, -1, -1, N'sp_start_job with @step_name');
        RETURN 1;
    END;
    IF NOT EXISTS (SELECT 1 FROM dbo.sysjobservers AS s WHERE s.job_id = @job_id)
    BEGIN
        SET @given = CONVERT(nvarchar(36), @job_id);
        RAISERROR(14256, -1, -1, @job_name, @given);
        RETURN 1;
    END;
    EXECUTE @status = sys.xp_sqlagent_notify @op_type = N'S', @job_id = @job_id, @job_name = @job_name;
    IF @status = 0 AND @output_flag = 1
        RAISERROR(14243, 0, 1, @job_name);
    RETURN @status;
END;
GO
CREATE PROCEDURE dbo.sp_stop_job
    @job_name sysname = NULL,
    @job_id uniqueidentifier = NULL,
    @originating_server sysname = NULL,
    @server_name sysname = NULL
AS
/* Purpose: ask the Agent to stop a job that runs. */
BEGIN
    SET NOCOUNT ON;
    DECLARE @status int;

    EXECUTE @status = dbo.sp_verify_job_identifiers @job_name = @job_name OUTPUT, @job_id = @job_id OUTPUT;
    IF @status <> 0
        RETURN 1;
    EXECUTE @status = sys.xp_sqlagent_notify @op_type = N'C', @job_id = @job_id, @job_name = @job_name;
    IF @status = 0
        RAISERROR(14254, 0, 1, @job_name);
    RETURN @status;
END;
GO
CREATE PROCEDURE dbo.sp_delete_job
    @job_id uniqueidentifier = NULL,
    @job_name sysname = NULL,
    @originating_server sysname = NULL,
    @delete_history bit = 1,
    @delete_unused_schedule bit = 1
AS
/* Purpose: remove a job; one that runs is stopped. */
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    DECLARE @status int;

    EXECUTE @status = dbo.sp_verify_job_identifiers @job_name = @job_name OUTPUT, @job_id = @job_id OUTPUT;
    IF @status <> 0
        RETURN 1;
    EXECUTE sys.xp_sqlagent_notify @op_type = N'D', @job_id = @job_id, @job_name = @job_name;
    BEGIN TRANSACTION;
    DELETE FROM dbo.sysjobs WHERE job_id = @job_id;
    DELETE FROM dbo.sysjobsteps WHERE job_id = @job_id;
    DELETE FROM dbo.sysjobservers WHERE job_id = @job_id;
    DELETE FROM dbo.sysjobactivity WHERE job_id = @job_id;
    IF @delete_history = 1
        DELETE FROM dbo.sysjobhistory WHERE job_id = @job_id;
    COMMIT TRANSACTION;
    RETURN 0;
END;
GO
GRANT EXECUTE ON dbo.sp_add_job TO SQLAgentUserRole;
GO
GRANT EXECUTE ON dbo.sp_add_jobstep TO SQLAgentUserRole;
GO
GRANT EXECUTE ON dbo.sp_add_jobserver TO SQLAgentUserRole;
GO
GRANT EXECUTE ON dbo.sp_start_job TO SQLAgentUserRole;
GO
GRANT EXECUTE ON dbo.sp_stop_job TO SQLAgentUserRole;
GO
GRANT EXECUTE ON dbo.sp_delete_job TO SQLAgentUserRole;
GO
GRANT SELECT ON dbo.sysjobs_view TO SQLAgentUserRole;
GO
