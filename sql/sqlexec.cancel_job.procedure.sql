CREATE OR ALTER PROCEDURE sqlexec.cancel_job
    @job_id uniqueidentifier
AS
/*
Purpose: stop a job: no further chunk begins, and what SQL Server Agent runs for it is stopped.
         A chunk that a client's thread runs goes on to its end unless that client stops it.
         For the job's owner and members of sqlexec_admin. One row: was_open, 1 if it had not
         ended yet.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @detached bit;
    DECLARE @worker_count int;
    DECLARE @was_open bit;

    EXECUTE sqlexec.find_job
        @job_id = @job_id,
        @or_admin = 1,
        @detached = @detached OUTPUT,
        @worker_count = @worker_count OUTPUT;
    UPDATE j
    SET state = 'CANCELED', ended_at = SYSUTCDATETIME()
    FROM sqlexec.job AS j
    WHERE j.job_id = @job_id AND j.state IN ('QUEUED', 'RUNNING');
    SET @was_open = CASE WHEN @@ROWCOUNT = 1 THEN 1 ELSE 0 END;
    IF @detached = 1
        EXECUTE sqlexec.stop_agents @job_id = @job_id, @worker_count = @worker_count;
    SELECT @was_open AS was_open;
END;
