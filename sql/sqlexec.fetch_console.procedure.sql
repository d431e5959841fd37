CREATE OR ALTER PROCEDURE sqlexec.fetch_console
    @job_id uniqueidentifier = NULL,
    @after int = 0,
    @help bit = 0
AS
/*
Purpose: the headers of the results that chunks left since the last look, in the order in which
         they ended: the client reads the console's lines in them. For the job's owner alone.
Version: {{version}}

@job_id  of a job of the caller's.
@after   the highest completed_number that the caller has.
@help    1: tell this, and do nothing else.

Example: EXECUTE sqlexec.fetch_console @job_id = '6F9619FF-8B86-D011-B42D-00C04FC964FF', @after = 12;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'fetch_console';
        RETURN;
    END;

    EXECUTE sqlexec.find_job @job_id = @job_id;
    SELECT
        c.completed_number,
        c.chunk_number,
        c.result_encoding,
        SUBSTRING(
            b.content,
            1,
            CASE
                WHEN c.result_encoding = 'base64' THEN (c.header_length + 2) / 3 * 4
                ELSE c.header_length
            END) AS header
    FROM sqlexec.chunk AS c
    INNER JOIN sqlexec.blob AS b ON b.job_id = c.job_id AND b.blob_sha256 = c.result_sha256
    WHERE c.job_id = @job_id AND c.completed_number > ISNULL(@after, 0)
    ORDER BY c.completed_number;
END;
