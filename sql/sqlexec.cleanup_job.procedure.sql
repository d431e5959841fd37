CREATE OR ALTER PROCEDURE sqlexec.cleanup_job
    @job_id uniqueidentifier = NULL,
    @help bit = 0
AS
/*
Purpose: stop a job, if it has not ended, and remove its payloads, results and rows; the log of
         runs stays. For the job's owner and members of sqlexec_admin.
Version: {{version}}

@job_id  made by sqlexec.submit_job; sqlexec.jobs lists them.
@help    1: tell this, and do nothing else.

Example: EXECUTE sqlexec.cleanup_job @job_id = '6F9619FF-8B86-D011-B42D-00C04FC964FF';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'cleanup_job';
        RETURN;
    END;

    DECLARE @state varchar(10);
    DECLARE @detached bit;
    DECLARE @worker_count int;

    EXECUTE sqlexec.find_job
        @job_id = @job_id,
        @or_admin = 1,
        @state = @state OUTPUT,
        @detached = @detached OUTPUT,
        @worker_count = @worker_count OUTPUT;
    IF @detached = 1 AND @state IN ('QUEUED', 'RUNNING')
        EXECUTE sqlexec.stop_agents @job_id = @job_id, @worker_count = @worker_count;
    EXECUTE sqlexec.remove_jobs @job_id = @job_id;
END;
