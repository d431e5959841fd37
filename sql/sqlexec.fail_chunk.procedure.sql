CREATE OR ALTER PROCEDURE sqlexec.fail_chunk
    @job_id uniqueidentifier,
    @chunk_number int,
    @worker_id uniqueidentifier,
    @attempt int,
    @error_number int,
    @error_message nvarchar(2048),
    @transient bit OUTPUT
AS
/*
Purpose: a script call failed: its chunk waits again where the error passes and attempts are
         left, else it has failed. Of run_worker.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @waits bit;

    -- 1205: deadlock; 39011 to 39021: launchpad or process gone; 39025 to 39152: limits, not ready.
    SET @transient = CASE
        WHEN @error_number IN (1205, 39011, 39012, 39019, 39021, 39025, 39108, 39110, 39151, 39152) THEN 1
        ELSE 0
    END;
    SELECT @waits = CASE WHEN @transient = 1 AND @attempt < j.most_attempts THEN 1 ELSE 0 END
    FROM sqlexec.job AS j
    WHERE j.job_id = @job_id;

    BEGIN TRANSACTION;
    UPDATE c
    SET state = CASE WHEN @waits = 1 THEN 'waiting' ELSE 'failed' END,
        worker_id = CASE WHEN @waits = 1 THEN NULL ELSE c.worker_id END,
        ended_at = CASE WHEN @waits = 1 THEN NULL ELSE SYSUTCDATETIME() END,
        error_number = @error_number,
        error_message = @error_message
    FROM sqlexec.chunk AS c
    WHERE c.job_id = @job_id AND c.chunk_number = @chunk_number AND c.state = 'running'
        AND c.worker_id = @worker_id AND c.attempt_count = @attempt;
    IF @@ROWCOUNT = 1 AND @waits = 0
        EXECUTE sqlexec.count_chunks @job_id = @job_id, @failed = 1;
    COMMIT TRANSACTION;
END;
