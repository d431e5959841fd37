CREATE OR ALTER PROCEDURE sqlexec.read_limits
    @largest_payload_bytes bigint = NULL OUTPUT,
    @longest_run_seconds int = NULL OUTPUT,
    @most_workers int = NULL OUTPUT,
    @kept_days int = NULL OUTPUT
AS
/*
Purpose: the limits that sqlexec.configure has set, in one read; 0 for none. Of the other procedures.
Version: {{version}}
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    SELECT
        @largest_payload_bytes = MAX(CASE WHEN s.setting_name = 'largest_payload_bytes' THEN s.setting_value END),
        @longest_run_seconds = MAX(CASE WHEN s.setting_name = 'longest_run_seconds' THEN s.setting_value END),
        @most_workers = MAX(CASE WHEN s.setting_name = 'most_workers_per_login' THEN s.setting_value END),
        @kept_days = MAX(CASE WHEN s.setting_name = 'kept_days' THEN s.setting_value END)
    FROM sqlexec.setting AS s;
END;
