CREATE OR ALTER PROCEDURE sqlexec.run_worker
    @job_id uniqueidentifier = NULL,
    @kind varchar(6) = 'agent',
    @help bit = 0
AS
/*
Purpose: work for a durable job of the caller's until no chunk of it waits. A step of SQL Server
         Agent runs it, or a thread of the client; as many as the job may have processes.
Version: {{version}}

@job_id  made by sqlexec.submit_job.
@kind    'agent' or 'client': for the table of workers alone.
@help    1: tell this, and do nothing else.

It holds the application lock 'sqlexec worker ...' while it lives: when its session ends, however
that be, the chunk that it had is given to another worker. So whoever cancels this call ends its
session too. A worker without a chunk stays until the others have ended theirs.

Where the job's owner is a sysadmin, another sysadmin may work for it: SQL Server Agent runs the
steps of sysadmins as its own account.

The caller needs the role sqlexec_user. Rights on the tables of a chunk's query are the caller's.

Example: EXECUTE sqlexec.run_worker @job_id = '6F9619FF-8B86-D011-B42D-00C04FC964FF', @kind = 'client';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    SET IMPLICIT_TRANSACTIONS OFF;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'run_worker';
        RETURN;
    END;

    DECLARE @worker_id uniqueidentifier = NEWID();
    DECLARE @resource nvarchar(255) = CONCAT(N'sqlexec worker ', @worker_id);
    DECLARE @owner_sid varbinary(85);
    DECLARE @is_allowed bit = 0;
    DECLARE @busy_worker nvarchar(255);
    DECLARE @lock int;
    DECLARE @script nvarchar(max);
    DECLARE @protocol int;
    DECLARE @chunk_number int;
    DECLARE @attempt int;
    DECLARE @task_count int;
    DECLARE @first_place int;
    DECLARE @seconds_left int;
    DECLARE @payload varbinary(max);
    DECLARE @payload_bytes bigint;
    DECLARE @shared varbinary(max);
    DECLARE @input_query nvarchar(max);
    DECLARE @result varbinary(max);
    DECLARE @encoding varchar(6);
    DECLARE @result_length int;
    DECLARE @header_length int;
    DECLARE @failed_count int;
    DECLARE @probe varbinary(max);
    DECLARE @log_id bigint;
    DECLARE @longest_run_seconds int;
    DECLARE @slot nvarchar(255);
    DECLARE @input_rows bigint;
    DECLARE @error_number int;
    DECLARE @error_message nvarchar(2048);
    DECLARE @transient bit;
    DECLARE @rows TABLE (piece_number int NOT NULL, piece varchar(max) NOT NULL);

    IF @@TRANCOUNT > 0
        THROW 51704, N'sqlexec.run_worker: a worker has transactions of its own: call it outside of one.', 1;
    EXECUTE sqlexec.runner @source = @script OUTPUT, @protocol = @protocol OUTPUT;
    SELECT @shared = b.content, @owner_sid = j.owner_sid
    FROM sqlexec.job AS j
    INNER JOIN sqlexec.blob AS b ON b.job_id = j.job_id AND b.blob_sha256 = j.shared_sha256
    WHERE j.job_id = @job_id AND j.protocol = @protocol;
    IF @owner_sid = SUSER_SID()
        OR (
            IS_SRVROLEMEMBER(N'sysadmin') = 1
            AND IS_SRVROLEMEMBER(N'sysadmin', SUSER_SNAME(@owner_sid)) = 1)
        SET @is_allowed = 1;
    IF @is_allowed = 0 OR @shared IS NULL
        THROW 51710, N'sqlexec.run_worker: you have no job of that @job_id, or it was submitted under another version of the bundle.', 1;

    EXECUTE @lock = sys.sp_getapplock
        @Resource = @resource,
        @LockMode = 'Exclusive',
        @LockOwner = 'Session',
        @LockTimeout = 0;
    IF @lock < 0
        THROW 51735, N'sqlexec.run_worker: the worker did not get its application lock.', 1;
    INSERT INTO sqlexec.worker (worker_id, job_id, kind, session_id, started_at)
    VALUES (@worker_id, @job_id, @kind, @@SPID, SYSUTCDATETIME());
    -- A job that failed since nobody worked for it goes on: here is somebody.
    UPDATE j
    SET state = CASE WHEN j.started_at IS NULL THEN 'QUEUED' ELSE 'RUNNING' END,
        active_at = SYSUTCDATETIME(),
        ended_at = NULL,
        error_number = NULL,
        error_message = NULL
    FROM sqlexec.job AS j
    WHERE j.job_id = @job_id AND j.state = 'FAILED' AND j.error_number = 51730;
    EXECUTE sqlexec.wait_for_slot @job_id = @job_id, @slot = @slot OUTPUT;

    WHILE 1 = 1
    BEGIN
        EXECUTE sqlexec.claim_chunk
            @job_id = @job_id,
            @worker_id = @worker_id,
            @chunk_number = @chunk_number OUTPUT,
            @attempt = @attempt OUTPUT,
            @task_count = @task_count OUTPUT,
            @first_place = @first_place OUTPUT,
            @seconds_left = @seconds_left OUTPUT,
            @payload = @payload OUTPUT,
            @input_query = @input_query OUTPUT,
            @busy_worker = @busy_worker OUTPUT;
        IF @chunk_number IS NULL AND @busy_worker IS NULL
            BREAK;
        IF @chunk_number IS NULL
        BEGIN
            -- Granted when that worker ends or goes away; others may, hence the timeout.
            EXECUTE @lock = sys.sp_getapplock
                @Resource = @busy_worker,
                @LockMode = 'Shared',
                @LockOwner = 'Session',
                @LockTimeout = 2000;
            IF @lock >= 0
                EXECUTE sys.sp_releaseapplock @Resource = @busy_worker, @LockOwner = 'Session';
            CONTINUE;
        END;

        SET @payload_bytes = DATALENGTH(@payload);
        SET @log_id = NULL;
        BEGIN TRY
            EXECUTE sqlexec.begin_call
                @job_id = @job_id,
                @chunk_number = @chunk_number,
                @task_count = @task_count,
                @payload_bytes = @payload_bytes,
                @takes_slot = 0,
                @log_id = @log_id OUTPUT,
                @longest_run_seconds = @longest_run_seconds OUTPUT;
            DELETE FROM @rows;
            -- A long result comes in rows where OUTPUT values are cut or slow.
            INSERT INTO @rows (piece_number, piece)
            EXECUTE sys.sp_execute_external_script
                @language = N'Python',
                @script = @script,
                @input_data_1 = @input_query,
                @params = N'@payload varbinary(max), @shared varbinary(max), @longest_run_seconds int, @seconds_left int, @first_place int, @task_count int, @result varbinary(max) OUTPUT, @result_length int OUTPUT, @header_length int OUTPUT, @failed_count int OUTPUT, @input_rows bigint OUTPUT, @probe varbinary(max) OUTPUT',
                @payload = @payload,
                @shared = @shared,
                @longest_run_seconds = @longest_run_seconds,
                @seconds_left = @seconds_left,
                @first_place = @first_place,
                @task_count = @task_count,
                @result = @result OUTPUT,
                @result_length = @result_length OUTPUT,
                @header_length = @header_length OUTPUT,
                @failed_count = @failed_count OUTPUT,
                @input_rows = @input_rows OUTPUT,
                @probe = @probe OUTPUT;

            SET @encoding = 'bytes';
            IF EXISTS (SELECT 1 FROM @rows AS r)
                SELECT
                    @encoding = 'base64',
                    @result = CAST(STRING_AGG(r.piece, '') WITHIN GROUP (ORDER BY r.piece_number) AS varbinary(max))
                FROM @rows AS r;
            ELSE IF ISNULL(DATALENGTH(@result), 0) <> @result_length
                THROW 51736, N'sqlexec.run_worker: this runtime cuts long OUTPUT values: submit the job for results in rows.', 1;
            EXECUTE sqlexec.complete_chunk
                @job_id = @job_id,
                @chunk_number = @chunk_number,
                @worker_id = @worker_id,
                @attempt = @attempt,
                @task_count = @task_count,
                @result = @result,
                @encoding = @encoding,
                @result_length = @result_length,
                @header_length = @header_length,
                @failed_count = @failed_count;
            EXECUTE sqlexec.end_call
                @log_id = @log_id,
                @result_bytes = @result_length,
                @input_rows = @input_rows,
                @failed_count = @failed_count;
        END TRY
        BEGIN CATCH
            SELECT @error_number = ERROR_NUMBER(), @error_message = LEFT(ERROR_MESSAGE(), 2048);
            IF XACT_STATE() <> 0
                ROLLBACK TRANSACTION;
            EXECUTE sqlexec.fail_chunk
                @job_id = @job_id,
                @chunk_number = @chunk_number,
                @worker_id = @worker_id,
                @attempt = @attempt,
                @error_number = @error_number,
                @error_message = @error_message,
                @transient = @transient OUTPUT;
            EXECUTE sqlexec.end_call @log_id = @log_id, @error_number = @error_number;
            IF @transient = 1
                WAITFOR DELAY '00:00:00.500';
        END CATCH;
    END;

    DELETE w FROM sqlexec.worker AS w WHERE w.worker_id = @worker_id;
    IF @slot IS NOT NULL
        EXECUTE sys.sp_releaseapplock @Resource = @slot, @LockOwner = 'Session';
    EXECUTE sys.sp_releaseapplock @Resource = @resource, @LockOwner = 'Session';
END;
