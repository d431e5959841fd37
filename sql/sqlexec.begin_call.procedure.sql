CREATE OR ALTER PROCEDURE sqlexec.begin_call
    @job_id uniqueidentifier,
    @chunk_number int,
    @task_count int,
    @payload_bytes bigint,
    @takes_slot bit = 1,
    @log_id bigint OUTPUT,
    @longest_run_seconds int = NULL OUTPUT,
    @slot nvarchar(255) = NULL OUTPUT
AS
/*
Purpose: see that a call of an external script keeps to the limits, and write that it begins.
         @slot is for end_call. Of the other procedures; nobody else may call it.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @largest_payload_bytes bigint;
    DECLARE @most_workers int;
    DECLARE @kept_days int;
    DECLARE @message nvarchar(2048);

    SET @longest_run_seconds = 0;
    -- Most databases have none, and every call asks.
    IF EXISTS (SELECT 1 FROM sqlexec.setting AS s WHERE s.setting_value > 0)
        EXECUTE sqlexec.read_limits
            @largest_payload_bytes = @largest_payload_bytes OUTPUT,
            @longest_run_seconds = @longest_run_seconds OUTPUT,
            @most_workers = @most_workers OUTPUT,
            @kept_days = @kept_days OUTPUT;
    IF @largest_payload_bytes > 0 AND @payload_bytes > @largest_payload_bytes
        EXECUTE sqlexec.refuse_payload
            @payload_bytes = @payload_bytes,
            @largest_payload_bytes = @largest_payload_bytes;
    IF @most_workers > 0 AND @takes_slot = 1
    BEGIN
        EXECUTE sqlexec.take_slot @most_workers = @most_workers, @slot = @slot OUTPUT;
        IF @slot IS NULL
        BEGIN
            SET @message = CONCAT(
                N'Login ', SUSER_SNAME(), N' runs as many external processes as most_workers_per_login '
                , N'of database ', DB_NAME(), N' allows, ', @most_workers, N'. Ask for fewer at once '
                , N'(num_tasks). A member of sqlexec_admin may change the limit: EXECUTE sqlexec.configure.');
            THROW 51751, @message, 1;
        END;
    END;

    INSERT INTO sqlexec.chunk_log
        (job_id, chunk_number, login_name, original_login, user_name, application_name, host_name,
         session_id, task_count, payload_bytes, started_at, status)
    VALUES
        (@job_id, @chunk_number, SUSER_SNAME(), ORIGINAL_LOGIN(), USER_NAME(), APP_NAME(),
         HOST_NAME(), @@SPID, @task_count, @payload_bytes, SYSUTCDATETIME(), 'running');
    SET @log_id = SCOPE_IDENTITY();
    IF @kept_days > 0 AND @log_id % 100 = 0
        EXECUTE sqlexec.remove_expired @kept_days = @kept_days;
END;
