CREATE OR ALTER PROCEDURE sqlexec.start_log
    @job_id uniqueidentifier,
    @chunk_number int,
    @task_count int,
    @payload_bytes bigint,
    @log_id bigint OUTPUT
AS
/*
Purpose: write that a chunk begins to run. Of the other procedures; nobody else may call it.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    INSERT INTO sqlexec.chunk_log
        (job_id, chunk_number, login_name, user_name, application_name, host_name, session_id,
         task_count, payload_bytes, started_at, status)
    VALUES
        (@job_id, @chunk_number, ORIGINAL_LOGIN(), USER_NAME(), APP_NAME(), HOST_NAME(), @@SPID,
         @task_count, @payload_bytes, SYSUTCDATETIME(), 'running');
    SET @log_id = SCOPE_IDENTITY();
END;
