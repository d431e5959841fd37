CREATE OR ALTER PROCEDURE sqlexec.find_job
    @job_id uniqueidentifier,
    @or_admin bit = 0,
    @state varchar(10) = NULL OUTPUT,
    @detached bit = NULL OUTPUT,
    @worker_count int = NULL OUTPUT
AS
/*
Purpose: settle a job of the caller's, or, where that is allowed, of anybody's for members of
         sqlexec_admin and db_owner, and tell how it stands; 51710 where there is none. Of the
         other procedures.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @message nvarchar(2048);

    IF @job_id IS NULL
        THROW 51702, N'@job_id must have a value; sqlexec.jobs lists your jobs.', 1;

    SET @state = NULL;
    SELECT @state = j.state, @detached = j.detached, @worker_count = j.worker_count
    FROM sqlexec.job AS j
    WHERE j.job_id = @job_id
        AND (
            j.owner_sid = SUSER_SID()
            OR (@or_admin = 1 AND IS_ROLEMEMBER(N'sqlexec_admin') = 1)
            OR (@or_admin = 1 AND IS_ROLEMEMBER(N'db_owner') = 1));
    IF @state IS NULL
    BEGIN
        SET @message = CONCAT(N'There is no job ', @job_id, N' of yours in database ', DB_NAME(), N'.');
        THROW 51710, @message, 1;
    END;
    IF @state IN ('QUEUED', 'RUNNING')
        OR EXISTS (SELECT 1 FROM sqlexec.worker AS w WHERE w.job_id = @job_id)
    BEGIN
        EXECUTE sqlexec.settle_job @job_id = @job_id;
        SELECT @state = j.state FROM sqlexec.job AS j WHERE j.job_id = @job_id;
    END;
END;
