CREATE OR ALTER PROCEDURE sqlexec.fetch_results
    @job_id uniqueidentifier = NULL,
    @after_chunk int = 0,
    @help bit = 0
AS
/*
Purpose: the results of a job's chunks, in the order of the tasks; for its owner alone.
Version: {{version}}

@job_id       of a job of the caller's.
@after_chunk  only chunks with a higher number.
@help         1: tell this, and do nothing else.

result_encoding tells whether result holds bytes, or base64 text of them in ASCII. A chunk that
could not be run has an error and no result.

Example: EXECUTE sqlexec.fetch_results @job_id = '6F9619FF-8B86-D011-B42D-00C04FC964FF';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'fetch_results';
        RETURN;
    END;

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
    WHERE c.job_id = @job_id AND c.chunk_number > ISNULL(@after_chunk, 0)
    ORDER BY c.chunk_number;
END;
