CREATE OR ALTER PROCEDURE sqlexec.settle_job
    @job_id uniqueidentifier
AS
/*
Purpose: let a job fail that nobody works for any more, or that has taken too long, and see to what
         its lost workers left. Of the other procedures.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @live_workers int;
    DECLARE @worker_count int;

    EXECUTE sqlexec.expire_job @job_id = @job_id;
    SELECT @worker_count = j.worker_count
    FROM sqlexec.job AS j
    WHERE j.job_id = @job_id AND j.detached = 1 AND j.error_number = 51732;
    IF @worker_count > 0
        EXECUTE sqlexec.stop_agents @job_id = @job_id, @worker_count = @worker_count;
    EXECUTE sqlexec.reap_workers @job_id = @job_id, @live_workers = @live_workers OUTPUT;
    IF @live_workers = 0
        UPDATE j
        SET state = 'FAILED',
            ended_at = SYSUTCDATETIME(),
            error_number = 51730,
            error_message = CONCAT(
                N'The job was interrupted: for ', j.grace_seconds, N' s nobody has worked for it '
                , N'(the client ended, the server was restarted, or SQL Server Agent is stopped or '
                , N'late), with ', j.chunks_done, N' of ', j.chunk_count, N' chunks done. It goes on '
                , N'when it is resumed, or a worker comes.')
        FROM sqlexec.job AS j
        WHERE j.job_id = @job_id AND j.state IN ('QUEUED', 'RUNNING')
            AND j.active_at <= DATEADD(SECOND, -j.grace_seconds, SYSUTCDATETIME());
END;
