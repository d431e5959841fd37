CREATE OR ALTER PROCEDURE sqlexec.fetch_results
    @job_id uniqueidentifier,
    @after_chunk int = 0
AS
/*
Purpose: the results of a job's chunks, in the order of the tasks; for its owner alone.
Version: {{version}}

@after_chunk  only chunks with a higher number.

result_encoding tells whether result holds bytes, or base64 text of them in ASCII. A chunk that
could not be run has an error and no result.
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    EXECUTE sqlexec.find_job @job_id = @job_id;
    SELECT
        c.chunk_number,
        c.first_task,
        c.task_count,
        c.state,
        c.worker_id,
        c.attempt_count,
        c.started_at,
        c.ended_at,
        c.payload_bytes,
        c.result_encoding,
        c.result_length,
        c.error_number,
        c.error_message,
        b.content AS result
    FROM sqlexec.chunk AS c
    LEFT JOIN sqlexec.blob AS b ON b.job_id = c.job_id AND b.blob_sha256 = c.result_sha256
    WHERE c.job_id = @job_id AND c.chunk_number > @after_chunk
    ORDER BY c.chunk_number;
END;
