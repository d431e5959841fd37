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
Purpose: a script call failed. Its chunk waits again where the error passes and attempts are left,
         or the job has ended meanwhile. Where the process died, its tasks go on in halves until
         the one that kills it is alone; that one's result is the error. Any other error is the
         chunk's. Of run_worker.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    -- 1205: deadlock; 39011 to 39021: launchpad or process gone; 39025 to 39152: limits, not ready.
    DECLARE @has_died bit = CASE WHEN @error_number = 39012 THEN 1 ELSE 0 END;
    DECLARE @fate varchar(8);
    DECLARE @task_count int;
    DECLARE @number int;

    SET @transient = CASE
        WHEN @error_number IN (1205, 39011, 39012, 39019, 39021, 39025, 39108, 39110, 39151, 39152) THEN 1
        ELSE 0
    END;
    EXECUTE sqlexec.expire_job @job_id = @job_id;

    BEGIN TRANSACTION;
    SELECT
        @task_count = c.task_count,
        @fate = CASE
            WHEN j.state NOT IN ('QUEUED', 'RUNNING') THEN 'waiting'
            WHEN @has_died = 1 AND j.most_attempts > 1 AND c.task_count > 1 THEN 'halved'
            WHEN @transient = 1 AND @attempt < j.most_attempts THEN 'waiting'
            WHEN @has_died = 1 THEN 'done'
            ELSE 'failed'
        END
    FROM sqlexec.chunk AS c WITH (UPDLOCK, ROWLOCK)
    INNER JOIN sqlexec.job AS j ON j.job_id = c.job_id
    WHERE c.job_id = @job_id AND c.chunk_number = @chunk_number AND c.state = 'running'
        AND c.worker_id = @worker_id AND c.attempt_count = @attempt;

    IF @fate = 'halved'
    BEGIN
        UPDATE j
        SET @number = chunk_count = j.chunk_count + 1
        FROM sqlexec.job AS j
        WHERE j.job_id = @job_id;
        INSERT INTO sqlexec.chunk
            (job_id, chunk_number, state, first_task, task_count, first_place, payload_start,
             payload_bytes, input_query)
        SELECT
            c.job_id,
            @number,
            'waiting',
            c.first_task + @task_count / 2,
            @task_count - @task_count / 2,
            c.first_place + @task_count / 2,
            c.payload_start,
            c.payload_bytes,
            c.input_query
        FROM sqlexec.chunk AS c
        WHERE c.job_id = @job_id AND c.chunk_number = @chunk_number;
        UPDATE c
        SET state = 'waiting', worker_id = NULL, task_count = @task_count / 2, attempt_count = 0
        FROM sqlexec.chunk AS c
        WHERE c.job_id = @job_id AND c.chunk_number = @chunk_number;
    END;
    ELSE IF @fate = 'waiting'
        UPDATE c
        SET state = 'waiting',
            worker_id = NULL,
            error_number = @error_number,
            error_message = @error_message
        FROM sqlexec.chunk AS c
        WHERE c.job_id = @job_id AND c.chunk_number = @chunk_number;
    ELSE IF @fate IS NOT NULL
    BEGIN
        IF @fate = 'done'
            EXECUTE sqlexec.count_chunks
                @job_id = @job_id,
                @done = 1,
                @tasks = @task_count,
                @tasks_failed = @task_count,
                @chunks_done = @number OUTPUT;
        ELSE
            EXECUTE sqlexec.count_chunks @job_id = @job_id, @failed = 1;
        UPDATE c
        SET state = @fate,
            completed_number = @number,
            failed_count = @task_count,
            ended_at = SYSUTCDATETIME(),
            error_number = @error_number,
            error_message = @error_message
        FROM sqlexec.chunk AS c
        WHERE c.job_id = @job_id AND c.chunk_number = @chunk_number;
    END;
    COMMIT TRANSACTION;
END;
