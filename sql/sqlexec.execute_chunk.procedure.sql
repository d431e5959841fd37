CREATE OR ALTER PROCEDURE sqlexec.execute_chunk
    @protocol int = NULL,
    @job_id uniqueidentifier = NULL,
    @chunk_number int = NULL,
    @task_count int = NULL,
    @payload varbinary(max) = NULL,
    @input_query nvarchar(max) = N'',
    @result varbinary(max) = NULL OUTPUT,
    @result_length int = NULL OUTPUT,
    @probe_length int = NULL OUTPUT,
    @help bit = 0
AS
/*
Purpose: run one chunk of tasks in one external Python process, and log that it ran.
Version: {{version}}

@protocol       of the client; it must be the runner's.
@job_id         for the log alone.
@chunk_number   for the log alone.
@task_count     for the log alone.
@payload        made by the client, read by the runner; T-SQL never looks inside.
@input_query    one SELECT, run with the caller's own rights; its rows go to the function.
@result         made by the runner, signed for the client.
@result_length  bytes that the runner gave: where @result has fewer, the runtime cut it.
@probe_length   bytes that came of a value of 65,600, where the payload asks how long an OUTPUT
                value may be here; else 0.
@help           1: tell this, and do nothing else.

Where the payload says so, a long result comes in rows instead, as base64 text in a result set of
two columns (number, piece), and @result is empty.

The caller needs EXECUTE on this procedure and EXECUTE ANY EXTERNAL SCRIPT in the database:
the role sqlexec_user has both. Rights on the tables of the query are the caller's own.

Example: the package sqlexec calls it, once for some tasks:
    EXECUTE sqlexec.execute_chunk @protocol = {{protocol}}, @job_id = ?, @chunk_number = 1,
        @task_count = 4, @payload = ?, @result = @result OUTPUT;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'execute_chunk';
        RETURN;
    END;

    DECLARE @log_id bigint;
    DECLARE @script nvarchar(max);
    DECLARE @own_protocol int;
    DECLARE @own_version nvarchar(32);
    DECLARE @message nvarchar(2048);
    DECLARE @failed_count int;
    DECLARE @header_length int;
    DECLARE @probe varbinary(max);
    DECLARE @error_number int;
    DECLARE @payload_bytes bigint;
    DECLARE @longest_run_seconds int;
    DECLARE @slot nvarchar(255);
    DECLARE @input_rows bigint;

    EXECUTE sqlexec.runner
        @source = @script OUTPUT,
        @protocol = @own_protocol OUTPUT,
        @version = @own_version OUTPUT;

    IF @protocol IS NULL OR @protocol <> @own_protocol
    BEGIN
        SET @message = CONCAT(
            N'The sqlexec bundle in database ', DB_NAME(), N' is of version ', @own_version,
            N' and speaks protocol ', @own_protocol, N', the client speaks protocol ', @protocol,
            N': bring both to the same version.');
        THROW 51701, @message, 1;
    END;
    IF @job_id IS NULL OR @chunk_number IS NULL OR @task_count IS NULL OR @payload IS NULL
    BEGIN
        SET @message = CONCAT_WS(
            NCHAR(10),
            CASE WHEN @job_id IS NULL THEN N'sqlexec.execute_chunk: @job_id must have a value.' END,
            CASE WHEN @chunk_number IS NULL THEN N'sqlexec.execute_chunk: @chunk_number must have a value.' END,
            CASE WHEN @task_count IS NULL THEN N'sqlexec.execute_chunk: @task_count must have a value.' END,
            CASE WHEN @payload IS NULL THEN N'sqlexec.execute_chunk: @payload must have a value.' END);
        THROW 51702, @message, 1;
    END;

    SET @payload_bytes = DATALENGTH(@payload);
    EXECUTE sqlexec.begin_call
        @job_id = @job_id,
        @chunk_number = @chunk_number,
        @task_count = @task_count,
        @payload_bytes = @payload_bytes,
        @log_id = @log_id OUTPUT,
        @longest_run_seconds = @longest_run_seconds OUTPUT,
        @slot = @slot OUTPUT;

    BEGIN TRY
        EXECUTE sys.sp_execute_external_script
            @language = N'Python',
            @script = @script,
            @input_data_1 = @input_query,
            @params = N'@payload varbinary(max), @shared varbinary(max), @longest_run_seconds int, @seconds_left int, @first_place int, @task_count int, @result varbinary(max) OUTPUT, @result_length int OUTPUT, @header_length int OUTPUT, @failed_count int OUTPUT, @input_rows bigint OUTPUT, @probe varbinary(max) OUTPUT',
            @payload = @payload,
            @shared = 0x,
            @longest_run_seconds = @longest_run_seconds,
            @seconds_left = 0,
            @first_place = 0,
            @task_count = 0,
            @result = @result OUTPUT,
            @result_length = @result_length OUTPUT,
            @header_length = @header_length OUTPUT,
            @failed_count = @failed_count OUTPUT,
            @input_rows = @input_rows OUTPUT,
            @probe = @probe OUTPUT;
        SET @probe_length = DATALENGTH(@probe);

        EXECUTE sqlexec.end_call
            @log_id = @log_id,
            @slot = @slot,
            @result_bytes = @result_length,
            @input_rows = @input_rows,
            @failed_count = @failed_count;
    END TRY
    BEGIN CATCH
        SET @error_number = ERROR_NUMBER();
        -- A doomed transaction of the caller's takes the log row with it.
        IF XACT_STATE() <> -1
            EXECUTE sqlexec.end_call @log_id = @log_id, @slot = @slot, @error_number = @error_number;
        THROW;
    END CATCH;
END;
