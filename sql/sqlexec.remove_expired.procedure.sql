CREATE OR ALTER PROCEDURE sqlexec.remove_expired
    @kept_days int
AS
/*
Purpose: remove jobs that ended, and rows of the log that began, more than so many days ago, some at
         a time. Of the other procedures.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @before datetime2(3) = DATEADD(DAY, -@kept_days, SYSUTCDATETIME());
    DECLARE @next uniqueidentifier;
    DECLARE @old TABLE (job_id uniqueidentifier NOT NULL);

    DELETE l FROM sqlexec.chunk_log AS l WHERE l.started_at < @before;
    INSERT INTO @old (job_id)
    SELECT TOP (100) j.job_id
    FROM sqlexec.job AS j
    WHERE j.ended_at < @before
    ORDER BY j.ended_at;
    WHILE EXISTS (SELECT 1 FROM @old AS o)
    BEGIN
        SELECT TOP (1) @next = o.job_id FROM @old AS o;
        DELETE FROM @old WHERE job_id = @next;
        EXECUTE sqlexec.remove_job @job_id = @next;
    END;
END;
