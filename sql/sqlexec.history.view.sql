CREATE OR ALTER VIEW sqlexec.history
AS
/*
Purpose: the calls of external scripts that have ended: one's own; those of all for members of
         sqlexec_admin and db_owner.
Version: {{version}}
Licence: MIT.
*/
SELECT
    l.log_id,
    l.login_name,
    l.original_login,
    l.host_name,
    l.application_name,
    l.session_id,
    l.job_id,
    l.chunk_number,
    l.task_count,
    l.failed_count,
    l.input_rows,
    l.payload_bytes,
    l.result_bytes,
    l.started_at,
    l.ended_at,
    l.duration_ms,
    l.status,
    l.error_number
FROM sqlexec.chunk_log AS l
WHERE l.status <> 'running'
    AND (
        l.login_name = SUSER_SNAME()
        OR IS_ROLEMEMBER(N'sqlexec_admin') = 1
        OR IS_ROLEMEMBER(N'db_owner') = 1);
