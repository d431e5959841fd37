CREATE OR ALTER PROCEDURE sqlexec.purge_jobs
    @older_than_days int = 30,
    @everybodys bit = 0,
    @help bit = 0
AS
/*
Purpose: remove jobs that ended so long ago, with their payloads and results. One row:
         removed_jobs.
Version: {{version}}

@older_than_days  counted from their end.
@everybodys       1: of all logins; for members of sqlexec_admin and db_owner, and for a
                  schedule of SQL Server Agent that a DBA may make.
@help             1: tell this, and do nothing else.

Example: EXECUTE sqlexec.purge_jobs @older_than_days = 7;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'purge_jobs';
        RETURN;
    END;

    DECLARE @next uniqueidentifier;
    DECLARE @removed int = 0;
    DECLARE @old TABLE (job_id uniqueidentifier NOT NULL);

    IF @everybodys = 1 AND ISNULL(IS_ROLEMEMBER(N'sqlexec_admin'), 0) <> 1
        AND ISNULL(IS_ROLEMEMBER(N'db_owner'), 0) <> 1
        THROW 51711, N'sqlexec.purge_jobs: @everybodys = 1 is for members of the roles sqlexec_admin and db_owner.', 1;
    IF @older_than_days IS NULL OR @older_than_days < 0
        THROW 51702, N'sqlexec.purge_jobs: @older_than_days must be 0 or more.', 1;

    INSERT INTO @old (job_id)
    SELECT j.job_id
    FROM sqlexec.job AS j
    WHERE j.ended_at <= DATEADD(DAY, -@older_than_days, SYSUTCDATETIME())
        AND (@everybodys = 1 OR j.owner_sid = SUSER_SID());
    WHILE EXISTS (SELECT 1 FROM @old AS o)
    BEGIN
        SELECT TOP (1) @next = o.job_id FROM @old AS o;
        DELETE FROM @old WHERE job_id = @next;
        EXECUTE sqlexec.remove_job @job_id = @next;
        SET @removed = @removed + 1;
    END;
    SELECT @removed AS removed_jobs;
END;
