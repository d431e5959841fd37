CREATE OR ALTER PROCEDURE sqlexec.end_call
    @log_id bigint,
    @slot nvarchar(255) = NULL,
    @result_bytes bigint = NULL,
    @input_rows bigint = NULL,
    @failed_count int = NULL,
    @error_number int = NULL
AS
/*
Purpose: write how a call of an external script ended, and give its place back. Of the other
         procedures; nobody else may call it.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    UPDATE l
    SET status = CASE
            WHEN @error_number IS NOT NULL THEN 'failed'
            WHEN @failed_count > 0 THEN 'tasks failed'
            ELSE 'finished'
        END,
        failed_count = @failed_count,
        result_bytes = @result_bytes,
        input_rows = @input_rows,
        error_number = @error_number,
        ended_at = SYSUTCDATETIME(),
        duration_ms = DATEDIFF(MILLISECOND, l.started_at, SYSUTCDATETIME())
    FROM sqlexec.chunk_log AS l
    WHERE l.log_id = @log_id;
    IF @slot IS NOT NULL
        EXECUTE sys.sp_releaseapplock @Resource = @slot, @LockOwner = 'Session';
END;
