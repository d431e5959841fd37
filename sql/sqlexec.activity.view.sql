CREATE OR ALTER VIEW sqlexec.activity
AS
/*
Purpose: the calls of external scripts that run now: one's own; those of all for members of
         sqlexec_admin and db_owner. Whoever may see all sessions (VIEW SERVER STATE) is not shown
         calls whose sessions are gone.
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
    j.description,
    l.chunk_number,
    l.task_count,
    l.payload_bytes,
    l.started_at,
    DATEDIFF(SECOND, l.started_at, SYSUTCDATETIME()) AS running_seconds
FROM sqlexec.chunk_log AS l
LEFT JOIN sqlexec.job AS j ON j.job_id = l.job_id
LEFT JOIN sys.dm_exec_sessions AS s ON s.session_id = l.session_id
WHERE l.status = 'running'
    AND (s.session_id IS NOT NULL OR ISNULL(HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW SERVER STATE'), 0) = 0)
    AND (
        l.login_name = SUSER_SNAME()
        OR IS_ROLEMEMBER(N'sqlexec_admin') = 1
        OR IS_ROLEMEMBER(N'db_owner') = 1);
