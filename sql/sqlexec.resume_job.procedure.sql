CREATE OR ALTER PROCEDURE sqlexec.resume_job
    @job_id uniqueidentifier = NULL,
    @detached bit = NULL,
    @help bit = 0
AS
/*
Purpose: let a job that failed or was cancelled go on with the chunks that have no result yet; for
         its owner alone.
Version: {{version}}

@job_id    of a job of the caller's.
@detached  as in sqlexec.submit_job; NULL leaves it as it was.
@help      1: tell this, and do nothing else.

Example: EXECUTE sqlexec.resume_job @job_id = '6F9619FF-8B86-D011-B42D-00C04FC964FF';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    SET IMPLICIT_TRANSACTIONS OFF;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'resume_job';
        RETURN;
    END;

    DECLARE @state varchar(10);
    DECLARE @was_detached bit;
    DECLARE @worker_count int;
    DECLARE @message nvarchar(2048);

    EXECUTE sqlexec.find_job
        @job_id = @job_id,
        @state = @state OUTPUT,
        @detached = @was_detached OUTPUT,
        @worker_count = @worker_count OUTPUT;
    SET @detached = COALESCE(@detached, @was_detached);
    IF @@TRANCOUNT > 0
        THROW 51704, N'sqlexec.resume_job: workers do not see the job before the transaction ends: call it outside of one.', 1;

    BEGIN TRANSACTION;
    UPDATE c
    SET state = 'waiting',
        attempt_count = 0,
        worker_id = NULL,
        ended_at = NULL,
        error_number = NULL,
        error_message = NULL
    FROM sqlexec.chunk AS c
    WHERE c.job_id = @job_id AND c.state <> 'done';
    UPDATE j
    SET state = CASE WHEN j.chunks_done = j.chunk_count THEN 'FINISHED' ELSE 'QUEUED' END,
        detached = @detached,
        chunks_failed = 0,
        started_at = NULL,
        active_at = SYSUTCDATETIME(),
        ended_at = CASE WHEN j.chunks_done = j.chunk_count THEN SYSUTCDATETIME() END,
        error_number = NULL,
        error_message = NULL
    FROM sqlexec.job AS j
    WHERE j.job_id = @job_id AND j.state IN ('FAILED', 'CANCELED');
    IF @@ROWCOUNT = 0
    BEGIN
        SET @message = CONCAT(
            N'sqlexec.resume_job: the job is ', @state, N'; one that is FAILED or CANCELED can be resumed.');
        THROW 51712, @message, 1;
    END;
    COMMIT TRANSACTION;

    IF @detached = 1
    BEGIN
        EXECUTE sqlexec.stop_agents @job_id = @job_id, @worker_count = @worker_count;
        EXECUTE sqlexec.start_agents @job_id = @job_id, @worker_count = @worker_count;
    END;
END;
