CREATE OR ALTER PROCEDURE sqlexec.reap_workers
    @job_id uniqueidentifier,
    @own_worker uniqueidentifier = NULL,
    @live_workers int = NULL OUTPUT
AS
/*
Purpose: find the workers of a job whose sessions are gone; their chunks wait again, or have
         failed where they were tried often enough. Of the other procedures; @own_worker is the
         worker that calls, for whom its own lock is free.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @worker_id uniqueidentifier;
    DECLARE @resource nvarchar(255);
    DECLARE @failed int;
    DECLARE @workers TABLE (worker_id uniqueidentifier NOT NULL);

    SET @live_workers = 0;
    INSERT INTO @workers (worker_id)
    SELECT w.worker_id FROM sqlexec.worker AS w WHERE w.job_id = @job_id;

    WHILE EXISTS (SELECT 1 FROM @workers AS w)
    BEGIN
        SELECT TOP (1) @worker_id = w.worker_id FROM @workers AS w ORDER BY w.worker_id;
        DELETE FROM @workers WHERE worker_id = @worker_id;
        SET @resource = CONCAT(N'sqlexec worker ', @worker_id);
        IF @worker_id = @own_worker
            OR APPLOCK_TEST(N'public', @resource, N'Exclusive', N'Session') = 0
            SET @live_workers = @live_workers + 1;
        ELSE
        BEGIN
            BEGIN TRANSACTION;
            UPDATE l
            SET status = 'failed', error_number = 51733, ended_at = SYSUTCDATETIME()
            FROM sqlexec.chunk_log AS l
            INNER JOIN sqlexec.chunk AS c ON c.job_id = l.job_id AND c.chunk_number = l.chunk_number
            INNER JOIN sqlexec.worker AS w ON w.worker_id = c.worker_id AND w.session_id = l.session_id
            WHERE l.job_id = @job_id AND l.status = 'running' AND w.worker_id = @worker_id;
            UPDATE c
            SET state = 'failed',
                ended_at = SYSUTCDATETIME(),
                error_number = 51733,
                error_message = CONCAT(
                    N'Chunk ', c.chunk_number, N' was begun ', c.attempt_count, N' times, and each '
                    , N'time its worker went away: one of its tasks may end the process, or the '
                    , N'server was restarted.')
            FROM sqlexec.chunk AS c
            INNER JOIN sqlexec.job AS j ON j.job_id = c.job_id
            WHERE c.job_id = @job_id AND c.worker_id = @worker_id AND c.state = 'running'
                AND c.attempt_count >= j.most_attempts;
            SET @failed = @@ROWCOUNT;
            UPDATE c
            SET state = 'waiting', worker_id = NULL
            FROM sqlexec.chunk AS c
            WHERE c.job_id = @job_id AND c.worker_id = @worker_id AND c.state = 'running';
            IF @failed > 0
                EXECUTE sqlexec.count_chunks @job_id = @job_id, @failed = @failed;
            DELETE w FROM sqlexec.worker AS w WHERE w.worker_id = @worker_id;
            IF @@ROWCOUNT = 1
                UPDATE j
                SET active_at = SYSUTCDATETIME()
                FROM sqlexec.job AS j
                WHERE j.job_id = @job_id;
            COMMIT TRANSACTION;
        END;
    END;
END;
