CREATE OR ALTER PROCEDURE sqlexec.run_script
    @name nvarchar(128) = NULL,
    @version int = NULL,
    @args_json nvarchar(max) = N'{}',
    @input_query nvarchar(max) = N'',
    @result_json nvarchar(max) = NULL OUTPUT,
    @help bit = 0
AS
/*
Purpose: run a stored script by its name. One row: result_json.
Version: {{version}}

@name         of the script.
@version      by default the newest.
@args_json    the function's arguments, as N'{"carrier": "UA", "year": 2013}'.
@input_query  one SELECT, run with the caller's own rights, where the function takes a DataFrame.
@result_json  {"result": ...}: read it by JSON_VALUE(@result_json, N'$.result') or OPENJSON; a
              DataFrame is an array of rows.
@help         1: tell this, and do nothing else.

The caller needs the role sqlexec_user, and the script must be its own or be granted to it.

Example: EXECUTE sqlexec.run_script @name = N'answer', @args_json = N'{"x": 1}';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'run_script';
        RETURN;
    END;

    DECLARE @source nvarchar(max);
    DECLARE @script_name nvarchar(200);
    DECLARE @longest_run_seconds int;
    DECLARE @log_id bigint;
    DECLARE @slot nvarchar(255);
    DECLARE @run_id uniqueidentifier = NEWID();
    DECLARE @argument_bytes bigint = DATALENGTH(@args_json);
    DECLARE @result_bytes bigint;
    DECLARE @error_number int;
    DECLARE @message nvarchar(2048) = CONCAT_WS(
        NCHAR(10),
        CASE WHEN @name IS NULL THEN N'sqlexec.run_script: @name must have a value.' END,
        CASE
            WHEN ISNULL(ISJSON(@args_json), 0) = 0
            THEN N'sqlexec.run_script: @args_json must be a JSON object, as N''{"name": value}''.'
        END,
        CASE WHEN @input_query IS NULL THEN N'sqlexec.run_script: @input_query must have a value, N'''' for none.' END);
    -- Generated from sqlexec/runner: runs @source, and stops it after @longest_run_seconds.
    DECLARE @script nvarchar(max) = {{stored_source}};

    IF @message <> N''
        THROW 51742, @message, 1;
    EXECUTE sqlexec.find_script
        @name = @name,
        @version = @version OUTPUT,
        @source = @source OUTPUT;
    EXECUTE sqlexec.begin_call
        @job_id = @run_id,
        @chunk_number = 1,
        @task_count = 1,
        @payload_bytes = @argument_bytes,
        @log_id = @log_id OUTPUT,
        @longest_run_seconds = @longest_run_seconds OUTPUT,
        @slot = @slot OUTPUT;
    SET @script_name = CONCAT(@name, N', version ', @version);

    BEGIN TRY
        EXECUTE sys.sp_execute_external_script
            @language = N'Python',
            @script = @script,
            @input_data_1 = @input_query,
            @params = N'@source nvarchar(max), @script_name nvarchar(200), @args_json nvarchar(max), @longest_run_seconds int, @result_json nvarchar(max) OUTPUT',
            @source = @source,
            @script_name = @script_name,
            @args_json = @args_json,
            @longest_run_seconds = @longest_run_seconds,
            @result_json = @result_json OUTPUT;
        IF ISNULL(ISJSON(@result_json), 0) = 0
            THROW 51745, N'sqlexec.run_script: the script left no JSON in result_json, or the server''s runtime cut it short.', 1;
        SET @result_bytes = DATALENGTH(@result_json);
        EXECUTE sqlexec.end_call
            @log_id = @log_id,
            @slot = @slot,
            @result_bytes = @result_bytes,
            @failed_count = 0;
    END TRY
    BEGIN CATCH
        SET @error_number = ERROR_NUMBER();
        IF XACT_STATE() <> -1
            EXECUTE sqlexec.end_call @log_id = @log_id, @slot = @slot, @error_number = @error_number;
        THROW;
    END CATCH;
    SELECT @result_json AS result_json;
END;
