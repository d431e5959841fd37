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

    DELETE l FROM sqlexec.chunk_log AS l WHERE l.started_at < @before;
    EXECUTE sqlexec.remove_jobs @ended_before = @before;
END;
