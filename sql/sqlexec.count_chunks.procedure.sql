CREATE OR ALTER PROCEDURE sqlexec.count_chunks
    @job_id uniqueidentifier,
    @done int = 0,
    @failed int = 0,
    @tasks int = 0,
    @tasks_failed int = 0,
    @chunks_done int = NULL OUTPUT
AS
/*
Purpose: count chunks that ended, and end the job with the last of them, or with the first
         failure where it asks for that. In the transaction of the other procedures.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @chunks_left int;

    UPDATE j
    SET @chunks_left = j.chunk_count - j.chunks_done - j.chunks_failed - @done - @failed,
        @chunks_done = chunks_done = j.chunks_done + @done,
        chunks_failed = j.chunks_failed + @failed,
        tasks_done = j.tasks_done + @tasks,
        tasks_failed = j.tasks_failed + @tasks_failed,
        active_at = SYSUTCDATETIME()
    FROM sqlexec.job AS j
    WHERE j.job_id = @job_id;

    IF @chunks_left = 0
        UPDATE j
        SET state = CASE WHEN j.chunks_failed > 0 THEN 'FAILED' ELSE 'FINISHED' END,
            ended_at = SYSUTCDATETIME(),
            error_number = CASE WHEN j.chunks_failed > 0 THEN 51734 END,
            error_message = CASE
                WHEN j.chunks_failed > 0
                THEN CONCAT(j.chunks_failed, N' of ', j.chunk_count, N' chunks could not be run')
            END
        FROM sqlexec.job AS j
        WHERE j.job_id = @job_id AND j.state = 'RUNNING';
    ELSE IF @failed > 0 OR @tasks_failed > 0
        UPDATE j
        SET state = 'FAILED',
            ended_at = SYSUTCDATETIME(),
            error_number = 51731,
            error_message = N'A run failed, and the job was to stop at the first one.'
        FROM sqlexec.job AS j
        WHERE j.job_id = @job_id AND j.state = 'RUNNING' AND j.stop_on_error = 1;
END;
