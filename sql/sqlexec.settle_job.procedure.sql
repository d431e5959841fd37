CREATE OR ALTER PROCEDURE sqlexec.settle_job
    @job_id uniqueidentifier
AS
/*
Purpose: let a job fail that nobody works for any more. Of the other procedures.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @live_workers int;

    EXECUTE sqlexec.reap_workers @job_id = @job_id, @live_workers = @live_workers OUTPUT;
    IF @live_workers = 0
        UPDATE j
        SET state = 'FAILED',
            ended_at = SYSUTCDATETIME(),
            error_number = 51730,
            error_message = CONCAT(
                N'The job was interrupted: its workers are gone (the client ended, the server was '
                , N'restarted, or SQL Server Agent stopped), with ', j.chunks_done, N' of '
                , j.chunk_count, N' chunks done. Resume it, or submit it again.')
        FROM sqlexec.job AS j
        WHERE j.job_id = @job_id AND j.state IN ('QUEUED', 'RUNNING')
            AND j.active_at <= DATEADD(SECOND, -j.grace_seconds, SYSUTCDATETIME());
END;
