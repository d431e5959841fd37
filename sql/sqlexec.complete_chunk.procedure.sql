CREATE OR ALTER PROCEDURE sqlexec.complete_chunk
    @job_id uniqueidentifier,
    @chunk_number int,
    @worker_id uniqueidentifier,
    @attempt int,
    @task_count int,
    @result varbinary(max),
    @encoding varchar(6),
    @result_length int,
    @header_length int,
    @failed_count int
AS
/*
Purpose: keep the result of a chunk, if it is still this worker's: one that was given to another
         meanwhile has its result from there, and this one is dropped. Of run_worker.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @sha256 binary(32) = HASHBYTES('SHA2_256', @result);
    DECLARE @completed_number int;
    DECLARE @is_kept bit = 0;
    DECLARE @tries int = 0;

    WHILE @is_kept = 0
    BEGIN TRY
        BEGIN TRANSACTION;
        UPDATE c
        SET state = 'done',
            result_sha256 = @sha256,
            result_encoding = @encoding,
            result_length = @result_length,
            header_length = @header_length,
            failed_count = @failed_count,
            ended_at = SYSUTCDATETIME()
        FROM sqlexec.chunk AS c
        WHERE c.job_id = @job_id AND c.chunk_number = @chunk_number AND c.state = 'running'
            AND c.worker_id = @worker_id AND c.attempt_count = @attempt;
        IF @@ROWCOUNT = 1
        BEGIN
            IF NOT EXISTS (
                SELECT 1
                FROM sqlexec.blob AS b WITH (UPDLOCK, HOLDLOCK)
                WHERE b.job_id = @job_id AND b.blob_sha256 = @sha256)
                INSERT INTO sqlexec.blob (job_id, blob_sha256, content)
                VALUES (@job_id, @sha256, @result);
            EXECUTE sqlexec.count_chunks
                @job_id = @job_id,
                @done = 1,
                @tasks = @task_count,
                @tasks_failed = @failed_count,
                @chunks_done = @completed_number OUTPUT;
            -- The job's row is locked now: numbers are seen in their order, without gaps.
            UPDATE c
            SET completed_number = @completed_number
            FROM sqlexec.chunk AS c
            WHERE c.job_id = @job_id AND c.chunk_number = @chunk_number;
        END;
        COMMIT TRANSACTION;
        SET @is_kept = 1;
    END TRY
    BEGIN CATCH
        IF XACT_STATE() <> 0
            ROLLBACK TRANSACTION;
        -- 1205: the victim of a deadlock tries again: its work is done.
        SET @tries = @tries + 1;
        IF ERROR_NUMBER() <> 1205 OR @tries = 5
            THROW;
    END CATCH;
END;
