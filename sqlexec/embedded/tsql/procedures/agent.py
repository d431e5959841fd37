"""xp_sqlagent_notify: how msdb's procedures speak to the Agent."""

from __future__ import annotations

from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.procedures.registry import Call, system_procedure


@system_procedure(
    "xp_sqlagent_notify", "@op_type nchar(1), @job_id uniqueidentifier, @job_name sysname"
)
def xp_sqlagent_notify(call: Call) -> int:
    """Start ('S') or stop ('C') a job, or tell that it is deleted ('D'); for msdb's own alone."""
    session = call.session
    frame, agent = session.frame, session.instance.agent
    if frame.database.lower() != "msdb" or not frame.object_id:
        raise SqlError.of(229, "EXECUTE", "xp_sqlagent_notify", "mssqlsystemresource", "sys")
    operation = str(call.values["op_type"])
    job_id, name = str(call.values["job_id"]).lower(), str(call.values["job_name"])
    if agent is None:
        if operation == "D":
            return 0
        raise SqlError(
            22022,
            "SQLServerAgent is not currently running so it cannot be notified of this action.",
        )
    user = session.principal.login
    if operation == "S":
        agent.start(job_id, name, user)
    elif operation == "C":
        agent.stop(job_id, name, user)
    else:
        agent.forget(job_id)
    return 0
