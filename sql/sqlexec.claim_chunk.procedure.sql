CREATE OR ALTER PROCEDURE sqlexec.claim_chunk
    @job_id uniqueidentifier,
    @worker_id uniqueidentifier,
    @chunk_number int OUTPUT,
    @attempt int OUTPUT,
    @task_count int OUTPUT,
    @first_place int OUTPUT,
    @seconds_left int OUTPUT,
    @payload varbinary(max) OUTPUT,
    @input_query nvarchar(max) OUTPUT,
    @busy_worker nvarchar(255) OUTPUT
AS
/*
Purpose: give a worker the next chunk of a job, and the seconds that are left of the job's time, 0
         for no limit. Where none waits, @chunk_number is NULL, and @busy_worker the application
         lock of a worker that has one, NULL if none has. Of run_worker.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @job_state varchar(10);
    DECLARE @now datetime2(3) = SYSUTCDATETIME();

    SET @chunk_number = NULL;
    SET @busy_worker = NULL;
    IF NOT EXISTS (SELECT 1 FROM sqlexec.chunk AS c WHERE c.job_id = @job_id AND c.state = 'waiting')
        EXECUTE sqlexec.reap_workers @job_id = @job_id, @own_worker = @worker_id;
    EXECUTE sqlexec.expire_job @job_id = @job_id;

    BEGIN TRANSACTION;
    SELECT TOP (1)
        @chunk_number = c.chunk_number,
        @attempt = c.attempt_count + 1,
        @task_count = c.task_count,
        @first_place = c.first_place,
        @seconds_left = CASE
            WHEN j.timeout_seconds > 0
            THEN 1 + DATEDIFF(SECOND, @now, DATEADD(SECOND, j.timeout_seconds, ISNULL(j.started_at, @now)))
            ELSE 0
        END,
        @input_query = c.input_query,
        @job_state = j.state
    FROM sqlexec.chunk AS c WITH (UPDLOCK, READPAST, ROWLOCK)
    INNER JOIN sqlexec.job AS j ON j.job_id = c.job_id
    WHERE c.job_id = @job_id AND c.state = 'waiting' AND j.state IN ('QUEUED', 'RUNNING')
    ORDER BY c.chunk_number;
    IF @chunk_number IS NOT NULL
    BEGIN
        UPDATE c
        SET state = 'running',
            worker_id = @worker_id,
            attempt_count = @attempt,
            started_at = SYSUTCDATETIME()
        FROM sqlexec.chunk AS c
        WHERE c.job_id = @job_id AND c.chunk_number = @chunk_number;
        IF @job_state = 'QUEUED'
            UPDATE j
            SET state = 'RUNNING',
                started_at = SYSUTCDATETIME(),
                active_at = SYSUTCDATETIME()
            FROM sqlexec.job AS j
            WHERE j.job_id = @job_id AND j.state = 'QUEUED';
    END;
    COMMIT TRANSACTION;

    IF @chunk_number IS NOT NULL
        SELECT @payload = SUBSTRING(b.content, c.payload_start, c.payload_bytes)
        FROM sqlexec.chunk AS c
        INNER JOIN sqlexec.job AS j ON j.job_id = c.job_id
        INNER JOIN sqlexec.blob AS b ON b.job_id = j.job_id AND b.blob_sha256 = j.payloads_sha256
        WHERE c.job_id = @job_id AND c.chunk_number = @chunk_number;
    ELSE
        SELECT TOP (1) @busy_worker = CONCAT(N'sqlexec worker ', c.worker_id)
        FROM sqlexec.chunk AS c
        INNER JOIN sqlexec.job AS j ON j.job_id = c.job_id
        WHERE c.job_id = @job_id AND c.state = 'running' AND j.state = 'RUNNING';
END;
