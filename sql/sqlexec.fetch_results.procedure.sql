CREATE OR ALTER PROCEDURE sqlexec.fetch_results
    @job_id uniqueidentifier = NULL,
    @after_task int = -1,
    @most_bytes bigint = 67108864,
    @help bit = 0
AS
/*
Purpose: results of a job's chunks, in the order of the tasks, one or as many as come to some bytes;
         for its owner alone.
Version: {{version}}

@job_id      of a job of the caller's.
@after_task  only chunks whose first task has a higher number.
@most_bytes  where the results of these chunks have more, the last ones are left for the next call.
@help        1: tell this, and do nothing else.

result_encoding tells whether result holds bytes, or base64 text of them in ASCII. A chunk that
could not be run, or whose task ends its process, has an error and no result.

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
    FROM (
        SELECT
            a.*,
            SUM(CAST(ISNULL(a.result_length, 0) AS bigint)) OVER (
                ORDER BY a.first_task ROWS UNBOUNDED PRECEDING) - ISNULL(a.result_length, 0) AS bytes_before
        FROM sqlexec.chunk AS a
        WHERE a.job_id = @job_id AND a.first_task > ISNULL(@after_task, -1)
    ) AS c
    LEFT JOIN sqlexec.blob AS b ON b.job_id = c.job_id AND b.blob_sha256 = c.result_sha256
    WHERE c.bytes_before < ISNULL(@most_bytes, 67108864)
    ORDER BY c.first_task;
END;
