CREATE OR ALTER PROCEDURE sqlexec.remove_jobs
    @job_id uniqueidentifier = NULL,
    @ended_before datetime2(3) = NULL,
    @owner_sid varbinary(85) = NULL,
    @removed int = NULL OUTPUT
AS
/*
Purpose: remove all rows of a job, or of a thousand jobs that ended before a moment: of an owner, or
         of all where @owner_sid is NULL. Of the other procedures, which ask whose they are.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @old TABLE (job_id uniqueidentifier NOT NULL);

    IF @job_id IS NOT NULL
        INSERT INTO @old (job_id) VALUES (@job_id);
    ELSE
        INSERT INTO @old (job_id)
        SELECT TOP (1000) j.job_id
        FROM sqlexec.job AS j
        WHERE j.ended_at <= @ended_before AND (@owner_sid IS NULL OR j.owner_sid = @owner_sid);
    SET @removed = @@ROWCOUNT;
    IF @removed = 0
        RETURN;

    BEGIN TRANSACTION;
    DELETE c FROM sqlexec.chunk AS c WHERE EXISTS (SELECT 1 FROM @old AS o WHERE o.job_id = c.job_id);
    DELETE w FROM sqlexec.worker AS w WHERE EXISTS (SELECT 1 FROM @old AS o WHERE o.job_id = w.job_id);
    DELETE b FROM sqlexec.blob AS b WHERE EXISTS (SELECT 1 FROM @old AS o WHERE o.job_id = b.job_id);
    DELETE j FROM sqlexec.job AS j WHERE EXISTS (SELECT 1 FROM @old AS o WHERE o.job_id = j.job_id);
    COMMIT TRANSACTION;
END;
