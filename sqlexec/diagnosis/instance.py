"""The instance: version, clock, round trip, external scripts, limits."""

from __future__ import annotations

import statistics
import time
from datetime import timezone

from sqlexec.diagnosis.examination import Examination, bracketed
from sqlexec.diagnosis.findings import Finding, check, failed, passed, skipped, warned
from sqlexec.errors import PermissionDenied, ServerError

_OLDEST = 14  # SQL Server 2017, the first with Python
_AZURE_SQL_DATABASE, _EXPRESS = 5, 4  # SERVERPROPERTY('EngineEdition')
_CLOSE_CLOCKS = 5.0  # seconds
_NEAR = 0.1  # seconds for a round trip
_ROUND_TRIPS = 9
_NO_SUCH_VIEW = 208

SCRIPTS = """\
SELECT CAST(c.value AS int), CAST(c.value_in_use AS int),
  CAST(SERVERPROPERTY(N'IsAdvancedAnalyticsInstalled') AS int)
FROM sys.configurations AS c
WHERE c.name = N'external scripts enabled';"""
POOL = """\
SELECT p.name, p.max_cpu_percent, p.max_memory_percent, p.max_processes,
  OBJECT_NAME(r.classifier_function_id, DB_ID(N'master'))
FROM sys.dm_exec_sessions AS s
INNER JOIN sys.resource_governor_workload_groups AS g ON g.group_id = s.group_id
INNER JOIN sys.resource_governor_external_resource_pools AS p
  ON p.external_pool_id = g.external_pool_id
CROSS JOIN sys.resource_governor_configuration AS r
WHERE s.session_id = @@SPID;"""


@check("version", needs=["database"])
def version(examination: Examination) -> Finding:
    """The server is one that has Python scripts."""
    ((number, edition, kind),) = examination.execute(
        "SELECT CAST(SERVERPROPERTY(N'ProductVersion') AS nvarchar(128)), "
        "CAST(SERVERPROPERTY(N'Edition') AS nvarchar(128)), "
        "CAST(SERVERPROPERTY(N'EngineEdition') AS int)"
    )
    return judge_version(number, edition, kind)


def judge_version(number: str, edition: str, kind: int) -> Finding:
    """Whether a ProductVersion and Edition can run Python."""
    what = f"SQL Server {number}, {edition}"
    if kind == _AZURE_SQL_DATABASE:
        return failed(
            f"{what}: Azure SQL Database has no external scripts.",
            "Use SQL Server 2017 or newer, or Azure SQL Managed Instance.",
        )
    if int(number.partition(".")[0]) < _OLDEST:
        return failed(
            f"{what} is older than SQL Server 2017, which brought Python.",
            "Upgrade to SQL Server 2017 or newer, with Machine Learning Services.",
        )
    if kind == _EXPRESS:
        return warned(
            f"{what}: Express has no SQL Server Agent, and scripts get few resources.",
            "Without the Agent run jobs that outlive their call with detached=False.",
        )
    return passed(what)


@check("clock", needs=["database"])
def clock(examination: Examination) -> Finding:
    """Client and server agree about the time."""
    before = time.time()
    ((there,),) = examination.execute("SELECT SYSUTCDATETIME()")
    after = time.time()
    ahead = there.replace(tzinfo=timezone.utc).timestamp() - (before + after) / 2
    if abs(ahead) <= _CLOSE_CLOCKS + (after - before) / 2:
        return passed(f"The server's clock is {ahead:+.2f} s from this machine's.")
    return warned(
        f"The server's clock is {ahead:+.0f} s from this machine's: times in logs and reports "
        "disagree, and Windows authentication fails beyond 5 minutes.",
        "On the machine whose clock is wrong: timedatectl set-ntp true (Windows: w32tm /resync)",
    )


@check("round trip", needs=["database"])
def round_trip(examination: Examination) -> Finding:
    """How far away the server is."""
    times = []
    for _ in range(_ROUND_TRIPS):
        began = time.perf_counter()
        examination.execute("SELECT 1")
        times.append(time.perf_counter() - began)
    seconds = statistics.median(times)
    if seconds <= _NEAR:
        return passed(f"{seconds * 1000:.1f} ms")
    return warned(
        f"{seconds * 1000:.0f} ms: every call of the server costs as much.",
        "Work nearer to the server, or give rx_exec more runs a call (task_chunk_size).",
    )


@check("external scripts", needs=["database"])
def external_scripts(examination: Examination) -> Finding:
    """The instance has external scripts, and they are enabled."""
    rows = examination.execute(SCRIPTS)
    return judge_scripts(*(rows[0] if rows else (0, 0, 0)))


def judge_scripts(configured: int, in_use: int, installed: int | None) -> Finding:
    """What sys.configurations and SERVERPROPERTY tell of external scripts."""
    if in_use:
        return passed("enabled")
    if installed == 0:
        return failed(
            "Machine Learning Services is not installed on this instance.",
            "Add the feature 'Machine Learning Services' with Python in SQL Server Setup; on "
            "Linux: install mssql-server-extensibility and the Python packages.",
        )
    if configured:
        return failed(
            "'external scripts enabled' is set, but not in force.",
            "RECONFIGURE WITH OVERRIDE; and, if that does not do it, restart SQL Server and its "
            "Launchpad.",
        )
    return failed(
        "'external scripts enabled' is off.",
        "EXECUTE sp_configure 'external scripts enabled', 1; RECONFIGURE WITH OVERRIDE;",
    )


@check("resource pool", needs=["external scripts"])
def resource_pool(examination: Examination) -> Finding:
    """What Resource Governor leaves to the scripts of this session."""
    try:
        rows = examination.execute(POOL)
    except PermissionDenied:
        user = bracketed(examination.login)
        return skipped("You may not see it.", f"GRANT VIEW SERVER STATE TO {user};")
    except ServerError as error:
        if error.number != _NO_SUCH_VIEW:
            raise
        return skipped("This server shows no external resource pools.")
    if not rows:
        return skipped("The server shows you no pool of this session.")
    name, cpu, memory, processes, classifier = rows[0]
    workers = examination.compute_context.workers
    return judge_pool(name, cpu, memory, processes, classifier, workers)


def judge_pool(
    name: str, cpu: int, memory: int, processes: int, classifier: str | None, workers: int
) -> Finding:
    """Whether a pool of so many processes (0: no limit) lets all workers run."""
    by = f", chosen by {classifier}" if classifier else ""
    limit = f"{processes} processes" if processes else "any number of processes"
    what = f"pool {name}{by}: {limit}, {cpu} % CPU, {memory} % of the memory"
    if processes and processes < workers:
        return warned(
            f"{what}, and num_tasks is {workers}.",
            f"ALTER EXTERNAL RESOURCE POOL {bracketed(name)} WITH (MAX_PROCESSES = {workers}); "
            "ALTER RESOURCE GOVERNOR RECONFIGURE;",
        )
    return passed(what)
