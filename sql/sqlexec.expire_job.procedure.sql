CREATE OR ALTER PROCEDURE sqlexec.expire_job
    @job_id uniqueidentifier
AS
/*
Purpose: let a job fail that has taken longer than its timeout_seconds. Of the other procedures.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    -- Most jobs have no limit, and every claim asks.
    IF NOT EXISTS (SELECT 1 FROM sqlexec.job AS j WHERE j.job_id = @job_id AND j.timeout_seconds > 0)
        RETURN;
    UPDATE j
    SET state = 'FAILED',
        ended_at = SYSUTCDATETIME(),
        error_number = 51732,
        error_message = CONCAT(
            N'The job took longer than its execution_timeout_seconds, ', j.timeout_seconds, N'.')
    FROM sqlexec.job AS j
    WHERE j.job_id = @job_id AND j.state = 'RUNNING' AND j.timeout_seconds > 0
        AND j.started_at <= DATEADD(SECOND, -j.timeout_seconds, SYSUTCDATETIME());
END;
