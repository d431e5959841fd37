CREATE OR ALTER PROCEDURE sqlexec.submit_job
    @protocol int = NULL,
    @job_id uniqueidentifier = NULL,
    @result_key varbinary(32) = NULL,
    @description nvarchar(400) = NULL,
    @client nvarchar(max) = NULL,
    @worker_count int = NULL,
    @chunks nvarchar(max) = NULL,
    @queries nvarchar(max) = NULL,
    @payloads varbinary(max) = NULL,
    @shared varbinary(max) = NULL,
    @detached bit = 1,
    @most_attempts int = 3,
    @stop_on_error bit = 0,
    @timeout_seconds int = NULL,
    @grace_seconds int = 15,
    @auto_cleanup bit = 1,
    @console_output bit = 0,
    @help bit = 0
AS
/*
Purpose: keep a job that outlives its call, all or nothing, and let SQL Server Agent work for it.
Version: {{version}}

@protocol       of the client; it must be the runner's.
@job_id         a new one, by the client.
@result_key     with which the runner signs the results; only the job's owner gets it again.
@description    for lists of jobs.
@client         what the client keeps about the job; T-SQL never looks inside.
@worker_count   the most processes at a time.
@chunks         JSON: [[first task, tasks, bytes, index of the query], ...].
@queries        JSON: the different input queries, ["SELECT ...", ...]; '' for none.
@payloads       the payloads of all chunks, one after the other.
@shared         what all chunks share: the function, its shared arguments.
@detached       1: SQL Server Agent works, as the caller, and the job goes on without the client;
                0: somebody runs sqlexec.run_worker, once for each process.
@most_attempts  how often a chunk is begun at most where its process or worker goes away.
@stop_on_error  1: the first run that fails ends the job.
@timeout_seconds  the job fails after so long, and what runs for it ends; NULL for no limit.
@grace_seconds  a job has failed when nobody worked for it for so long; a worker that comes
                later lets it go on.
@auto_cleanup   1: the client removes the job once it has fetched all results.
@console_output 1: the client shows what the runs print.
@help           1: tell this, and do nothing else.

The caller needs the role sqlexec_user; with @detached = 1 SQLAgentUserRole in msdb, too.

Example: the package sqlexec calls it, where wait=False:
    EXECUTE sqlexec.submit_job @protocol = {{protocol}}, @job_id = ?, @chunks = N'[[0, 4, 812, 0]]', ...;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    SET IMPLICIT_TRANSACTIONS OFF;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'submit_job';
        RETURN;
    END;

    DECLARE @own_protocol int;
    DECLARE @own_version nvarchar(32);
    DECLARE @message nvarchar(2048);
    DECLARE @payloads_sha256 binary(32) = HASHBYTES('SHA2_256', @payloads);
    DECLARE @shared_sha256 binary(32) = HASHBYTES('SHA2_256', @shared);
    DECLARE @now datetime2(3) = SYSUTCDATETIME();
    DECLARE @task_count int;
    DECLARE @chunk_count int;
    DECLARE @listed_bytes bigint;
    DECLARE @least_bytes bigint;
    DECLARE @payload_bytes bigint;
    DECLARE @largest_payload_bytes bigint;

    EXECUTE sqlexec.runner @protocol = @own_protocol OUTPUT, @version = @own_version OUTPUT;
    IF @protocol IS NULL OR @protocol <> @own_protocol
    BEGIN
        SET @message = CONCAT(
            N'The sqlexec bundle in database ', DB_NAME(), N' is of version ', @own_version,
            N' and speaks protocol ', @own_protocol, N', the client speaks protocol ', @protocol,
            N': bring both to the same version.');
        THROW 51701, @message, 1;
    END;
    SET @message = CONCAT_WS(
        NCHAR(10),
        CASE WHEN @job_id IS NULL THEN N'sqlexec.submit_job: @job_id must have a value.' END,
        CASE WHEN @result_key IS NULL THEN N'sqlexec.submit_job: @result_key must have a value.' END,
        CASE WHEN @description IS NULL THEN N'sqlexec.submit_job: @description must have a value.' END,
        CASE WHEN @client IS NULL THEN N'sqlexec.submit_job: @client must have a value.' END,
        CASE WHEN @payloads IS NULL THEN N'sqlexec.submit_job: @payloads must have a value.' END,
        CASE WHEN @shared IS NULL THEN N'sqlexec.submit_job: @shared must have a value.' END,
        CASE WHEN ISNULL(ISJSON(@chunks), 0) = 0 THEN N'sqlexec.submit_job: @chunks must be JSON.' END,
        CASE WHEN ISNULL(ISJSON(@queries), 0) = 0 THEN N'sqlexec.submit_job: @queries must be JSON.' END,
        CASE
            WHEN ISNULL(@worker_count, 0) < 1
            THEN N'sqlexec.submit_job: @worker_count must be 1 or more.'
        END,
        CASE
            WHEN ISNULL(@most_attempts, 0) < 1
            THEN N'sqlexec.submit_job: @most_attempts must be 1 or more.'
        END,
        CASE
            WHEN @detached IS NULL OR @stop_on_error IS NULL OR @auto_cleanup IS NULL OR @console_output IS NULL
            THEN N'sqlexec.submit_job: @detached, @stop_on_error, @auto_cleanup and @console_output must be 0 or 1.'
        END,
        CASE
            WHEN @grace_seconds IS NULL THEN N'sqlexec.submit_job: @grace_seconds must have a value.'
        END);
    IF @message <> N''
        THROW 51702, @message, 1;
    EXECUTE sqlexec.read_limits @largest_payload_bytes = @largest_payload_bytes OUTPUT;
    SET @payload_bytes = DATALENGTH(@payloads) + DATALENGTH(@shared);
    IF @largest_payload_bytes > 0 AND @payload_bytes > @largest_payload_bytes
        EXECUTE sqlexec.refuse_payload
            @payload_bytes = @payload_bytes,
            @largest_payload_bytes = @largest_payload_bytes;
    IF @@TRANCOUNT > 0
        THROW 51704, N'sqlexec.submit_job: workers do not see a job before its transaction ends: call it outside of one.', 1;

    SELECT
        @chunk_count = COUNT(*),
        @task_count = SUM(CAST(JSON_VALUE(c.value, N'$[1]') AS int)),
        @listed_bytes = SUM(CAST(JSON_VALUE(c.value, N'$[2]') AS bigint)),
        @least_bytes = MIN(CAST(JSON_VALUE(c.value, N'$[2]') AS bigint))
    FROM OPENJSON(@chunks) AS c;
    IF @chunk_count = 0 OR ISNULL(@least_bytes, 0) < 1 OR @listed_bytes <> DATALENGTH(@payloads)
        THROW 51703, N'sqlexec.submit_job: @chunks must list one chunk or more, and as many bytes as @payloads has.', 1;
    SET @worker_count = CASE WHEN @worker_count < @chunk_count THEN @worker_count ELSE @chunk_count END;

    BEGIN TRANSACTION;
    INSERT INTO sqlexec.chunk
        (job_id, chunk_number, state, first_task, task_count, payload_start, payload_bytes,
         input_query)
    SELECT
        @job_id,
        CAST(c.[key] AS int) + 1,
        'waiting',
        CAST(JSON_VALUE(c.value, N'$[0]') AS int),
        CAST(JSON_VALUE(c.value, N'$[1]') AS int),
        1 + SUM(CAST(JSON_VALUE(c.value, N'$[2]') AS bigint)) OVER (ORDER BY CAST(c.[key] AS int))
            - CAST(JSON_VALUE(c.value, N'$[2]') AS bigint),
        CAST(JSON_VALUE(c.value, N'$[2]') AS bigint),
        q.value
    FROM OPENJSON(@chunks) AS c
    INNER JOIN OPENJSON(@queries) AS q ON CAST(q.[key] AS int) = CAST(JSON_VALUE(c.value, N'$[3]') AS int);
    IF @@ROWCOUNT <> @chunk_count
        THROW 51703, N'sqlexec.submit_job: @chunks names a query that @queries has not.', 1;
    INSERT INTO sqlexec.blob (job_id, blob_sha256, content)
    VALUES (@job_id, @payloads_sha256, @payloads);
    IF @shared_sha256 <> @payloads_sha256
        INSERT INTO sqlexec.blob (job_id, blob_sha256, content) VALUES (@job_id, @shared_sha256, @shared);
    INSERT INTO sqlexec.job
        (job_id, owner_sid, login_name, application_name, host_name, description, state, detached,
         worker_count, task_count, chunk_count, most_attempts, stop_on_error, timeout_seconds,
         grace_seconds, auto_cleanup, console_output, protocol, result_key, client,
         payloads_sha256, shared_sha256, submitted_at, active_at)
    VALUES
        (@job_id, SUSER_SID(), SUSER_SNAME(), APP_NAME(), HOST_NAME(), @description, 'QUEUED',
         @detached, @worker_count, @task_count, @chunk_count, @most_attempts, @stop_on_error,
         @timeout_seconds, @grace_seconds, @auto_cleanup, @console_output, @protocol, @result_key,
         @client, @payloads_sha256, @shared_sha256, @now, SYSUTCDATETIME());
    COMMIT TRANSACTION;

    IF @detached = 1
    BEGIN TRY
        EXECUTE sqlexec.start_agents @job_id = @job_id, @worker_count = @worker_count;
    END TRY
    BEGIN CATCH
        EXECUTE sqlexec.remove_jobs @job_id = @job_id;
        THROW;
    END CATCH;
END;
