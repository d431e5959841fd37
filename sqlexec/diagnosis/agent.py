"""SQL Server Agent, which works for jobs that outlive their call."""

from __future__ import annotations

from sqlexec.diagnosis.examination import Examination, bracketed
from sqlexec.diagnosis.findings import Finding, check, passed, skipped, warned

AGENT = """\
SELECT
  HAS_PERMS_BY_NAME(N'msdb.dbo.sp_add_job', N'OBJECT', N'EXECUTE'),
  HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW SERVER STATE'),
  (SELECT COUNT(*) FROM sys.dm_exec_sessions AS s WHERE s.program_name LIKE N'SQLAgent - %');"""
_LOST = "Jobs that outlive their call (wait=False) need it, or detached=False."


@check("agent", needs=["database"])
def agent(examination: Examination) -> Finding:
    """SQL Server Agent runs, and this login may have it run jobs."""
    ((may_add_jobs, may_look, sessions),) = examination.execute(AGENT)
    if may_look and not sessions:
        return warned(f"SQL Server Agent does not run. {_LOST}", _start(examination))
    if not may_add_jobs:
        name = bracketed(examination.login)
        return warned(
            f"{examination.login} is no member of SQLAgentUserRole in msdb. {_LOST}",
            f"USE msdb; CREATE USER {name} FOR LOGIN {name}; "
            f"ALTER ROLE SQLAgentUserRole ADD MEMBER {name};",
        )
    if not may_look:
        return skipped(
            f"{examination.login} may use SQL Server Agent, but not see whether it runs.",
            f"GRANT VIEW SERVER STATE TO {bracketed(examination.login)};",
        )
    return passed("It runs, and you may use it.")


def _start(examination: Examination) -> str:
    if " on Linux" in examination.server_version:
        return (
            "sudo /opt/mssql/bin/mssql-conf set sqlagent.enabled true && "
            "sudo systemctl restart mssql-server (a container: MSSQL_AGENT_ENABLED=true)"
        )
    name = f"SQLAgent${examination.instance}" if examination.instance else "SQLSERVERAGENT"
    return f"Start-Service '{name}'"
