CREATE OR ALTER PROCEDURE sqlexec.cancel_job
    @job_id uniqueidentifier = NULL,
    @help bit = 0
AS
/*
Purpose: stop a job: no further chunk begins, and what SQL Server Agent runs for it is stopped.
         A chunk that a client's thread runs goes on to its end unless that client stops it.
         For the job's owner and members of sqlexec_admin. One row: was_open, 1 if it had not
         ended yet.
Version: {{version}}

@job_id  made by sqlexec.submit_job; sqlexec.jobs lists them.
@help    1: tell this, and do nothing else.

Example: EXECUTE sqlexec.cancel_job @job_id = '6F9619FF-8B86-D011-B42D-00C04FC964FF';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'cancel_job';
        RETURN;
    END;

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
