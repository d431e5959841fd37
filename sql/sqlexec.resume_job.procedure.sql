CREATE OR ALTER PROCEDURE sqlexec.resume_job
    @job_id uniqueidentifier,
    @detached bit = NULL
AS
/*
Purpose: let a job that failed or was cancelled go on with the chunks that have no result yet; for
         its owner alone.
Version: {{version}}

@detached  as in sqlexec.submit_job; NULL leaves it as it was.
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

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
    IF @state NOT IN ('FAILED', 'CANCELED')
    BEGIN
        SET @message = CONCAT(
            N'sqlexec.resume_job: the job is ', @state, N'; one that is FAILED or CANCELED can be resumed.');
        THROW 51712, @message, 1;
    END;

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
        ended_at = NULL,
        error_number = NULL,
        error_message = NULL
    FROM sqlexec.job AS j
    WHERE j.job_id = @job_id;
    COMMIT TRANSACTION;

    IF @detached = 1
    BEGIN
        EXECUTE sqlexec.stop_agents @job_id = @job_id, @worker_count = @worker_count;
        EXECUTE sqlexec.start_agents @job_id = @job_id, @worker_count = @worker_count;
    END;
END;
