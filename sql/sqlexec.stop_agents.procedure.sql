CREATE OR ALTER PROCEDURE sqlexec.stop_agents
    @job_id uniqueidentifier,
    @worker_count int
AS
/*
Purpose: stop and remove the jobs of SQL Server Agent that work for a job, those that are left.
         Of the other procedures.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @number int = 1;
    DECLARE @name sysname;

    WHILE @number <= @worker_count
    BEGIN
        SET @name = CONCAT(N'sqlexec ', @job_id, N' ', @number);
        BEGIN TRY
            EXECUTE msdb.dbo.sp_stop_job @job_name = @name;
        END TRY
        BEGIN CATCH
            -- 14262: it has removed itself; 22022: it does not run; 229: its owner must do it.
            IF ERROR_NUMBER() NOT IN (14262, 22022, 229)
                THROW;
        END CATCH;
        BEGIN TRY
            EXECUTE msdb.dbo.sp_delete_job @job_name = @name;
        END TRY
        BEGIN CATCH
            IF ERROR_NUMBER() NOT IN (14262, 22022, 229)
                THROW;
        END CATCH;
        SET @number = @number + 1;
    END;
END;
