CREATE OR ALTER PROCEDURE sqlexec.start_agents
    @job_id uniqueidentifier,
    @worker_count int
AS
/*
Purpose: make and start a job of SQL Server Agent for each worker; each removes itself when it has
         ended. All or none. Of the other procedures.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @number int = 1;
    DECLARE @name sysname;
    DECLARE @command nvarchar(max) = CONCAT(
        N'EXECUTE sqlexec.run_worker @job_id = ''', @job_id, N''', @kind = ''agent'';');
    DECLARE @database sysname = DB_NAME();
    DECLARE @refused int;
    DECLARE @message nvarchar(2048);

    BEGIN TRY
        WHILE @number <= @worker_count
        BEGIN
            SET @name = CONCAT(N'sqlexec ', @job_id, N' ', @number);
            EXECUTE msdb.dbo.sp_add_job
                @job_name = @name,
                @description = N'A worker of a durable job of sqlexec; it removes itself.',
                @delete_level = 3;
            EXECUTE msdb.dbo.sp_add_jobstep
                @job_name = @name,
                @step_name = N'run_worker',
                @subsystem = N'TSQL',
                @database_name = @database,
                @command = @command;
            EXECUTE msdb.dbo.sp_add_jobserver @job_name = @name, @server_name = N'(local)';
            EXECUTE @refused = msdb.dbo.sp_start_job @job_name = @name, @output_flag = 0;
            IF @refused <> 0
                THROW 51720, N'sp_start_job was refused.', 1;
            SET @number = @number + 1;
        END;
    END TRY
    BEGIN CATCH
        SET @message = CONCAT(
            N'SQL Server Agent cannot run this job (', ERROR_MESSAGE(), N' Error ', ERROR_NUMBER(),
            N'). Three ways out: let the DBA start SQL Server Agent and make you a member of '
            , N'SQLAgentUserRole in msdb; or use detached=False, where this client works for the '
            , N'job; or wait=True.');
        IF XACT_STATE() <> 0
            ROLLBACK TRANSACTION;
        EXECUTE sqlexec.stop_agents @job_id = @job_id, @worker_count = @number;
        THROW 51720, @message, 1;
    END CATCH;
END;
