"""What happens when scripts are launched: one alone, a function, num_tasks at once.

script --> sys.sp_execute_external_script, without the bundle --> JSON in @answer
"""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlexec.bundle.render import string_literal
from sqlexec.diagnosis.examination import PATIENCE, Examination, bracketed, patiently
from sqlexec.diagnosis.findings import Finding, check, failed, passed, skipped, warned
from sqlexec.errors import (
    LimitReached,
    PermissionDenied,
    ServerError,
    SqlExecError,
    TransientServerError,
)
from sqlexec.retries import FIRST_WAIT_SECONDS
from sqlexec.server import runtimes
from sqlexec.server.session import Session

SLOW_LAUNCH = 2.0  # seconds
NAPS = (0.5, 2.5)  # seconds that scripts stay, to be seen side by side: at first, and again
_OLDEST = (3, 5)
_ADD_PYTHON = (
    "Add 'Machine Learning Services' with Python in SQL Server Setup; on Linux: install "
    "mssql-mlservices-packages-py (2019), or a Python of your own and mssql-conf set extensibility "
    "pythonbinpath (2022). GRANT EXECUTE EXTERNAL SCRIPT ON EXTERNAL LANGUAGE::Python where it is "
    "an external language."
)
_FIXES: Mapping[int | None, str] = {  # by the number of the server's error
    39007: _ADD_PYTHON,  # no such language, or no right to it
    39020: _ADD_PYTHON,  # the feature is not installed
    39111: "sudo /opt/mssql/bin/mssql-conf set EULA accepteulaml Y && "
    "sudo systemctl restart mssql-launchpadd",
}

# Python 3.5; a runtime may run it as the body of a function, and hands only ASCII back safely.
INTRODUCTION = """\
answer = ""
import json, os, platform, sys
packages, troubles = {}, []
for name in ("numpy", "pandas"):
    try:
        packages[name] = __import__(name).__version__
    except Exception as error:
        packages[name] = None
        troubles.append("%s: %s" % (type(error).__name__, error))
answer = json.dumps({
    "python": list(sys.version_info[:3]), "executable": sys.executable or "",
    "implementation": platform.python_implementation(), "platform": sys.platform,
    "cores": os.cpu_count(), "packages": packages, "troubles": troubles,
})
"""
NAP = """\
answer = ""
import json, os, time
began = time.time()
time.sleep(seconds)
answer = json.dumps([os.getpid(), began, time.time()])
"""


def calling(script: str) -> str:
    """The batch that runs a script; it takes one parameter, the script's `seconds`."""
    return f"""\
SET NOCOUNT ON;
DECLARE @answer nvarchar(max);
EXECUTE sys.sp_execute_external_script
  @language = N'Python',
  @script = {string_literal(script)},
  @params = N'@seconds float, @answer nvarchar(max) OUTPUT',
  @seconds = ?,
  @answer = @answer OUTPUT;
SELECT @answer AS answer;"""


@check("launchpad", needs=["external scripts"])
def launchpad(examination: Examination) -> Finding:
    """A script runs, at the first attempt and soon; it tells what the server's Python is."""
    troubles: list[str] = []
    while not examination.python:
        began = time.perf_counter()
        try:
            ((answer,),) = examination.execute(calling(INTRODUCTION), 0.0)
            examination.python = json.loads(answer)
        except PermissionDenied as error:
            grant = f"GRANT EXECUTE ANY EXTERNAL SCRIPT TO {bracketed(examination.user)};"
            return failed(str(error), _FIXES.get(error.number, grant))
        except SqlExecError as error:
            troubles.append(str(error))
            attempts = examination.compute_context.max_attempts
            if len(troubles) == attempts or not isinstance(error, TransientServerError):
                number = error.number if isinstance(error, ServerError) else None
                return failed(str(error), _FIXES.get(number, _restart(examination)))
            time.sleep(FIRST_WAIT_SECONDS * 2 ** (len(troubles) - 1))
    told = f"A script ran in {time.perf_counter() - began:.2f} s"
    if troubles:
        return warned(
            f"{told}, but not at the first attempt: {troubles[-1]}", _restart(examination)
        )
    if time.perf_counter() - began > SLOW_LAUNCH:
        return warned(
            f"{told}, though it does next to nothing.",
            "Give rx_exec more runs a call (task_chunk_size); on the server: exclude its Python "
            "from virus scans, and see that memory is free.",
        )
    return passed(f"{told}.")


@check("Python", needs=["launchpad"])
def python(examination: Examination) -> Finding:
    """The server's Python is one that sqlexec works with, and has pandas."""
    return judge_python(examination.python)


def judge_python(facts: dict[str, Any]) -> Finding:
    """What a server's Python tells of itself."""
    version = ".".join(map(str, facts["python"]))
    what = f"{facts['implementation']} {version} ({facts['executable'] or facts['platform']})"
    if tuple(facts["python"]) < _OLDEST:
        return failed(f"{what} is older than 3.5.", "Install a newer Python on the server.")
    lacking = [name for name, version in facts["packages"].items() if not version]
    if lacking:
        return warned(
            f"{what} has no {' and no '.join(lacking)}: functions run, but get no rows of data "
            f"sources and no DataFrames. {'; '.join(facts['troubles'])}",
            f'"{facts["executable"] or "python"}" -m pip install {" ".join(lacking)}',
        )
    here = platform.python_version_tuple()[:2]
    way = "bytecode" if tuple(map(str, facts["python"][:2])) == here else "source"
    packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    return passed(f"{what}, {packages}; functions travel as {way} from {'.'.join(here)} here")


@check("function", needs=["launchpad", "bundle"])
def function(examination: Examination) -> Finding:
    """A function of this client runs through the bundle, and its result comes back."""
    from sqlexec.rx.execute import rx_exec

    context = examination.compute_context.replace(
        console_output=False, execution_timeout_seconds=math.ceil(PATIENCE), wait=True
    )
    began = time.perf_counter()
    (process,) = rx_exec(os.getpid, compute_context=context)
    told = f"It ran in process {process} in {time.perf_counter() - began:.2f} s"
    if runtimes.way_out(examination.connection) == "rows":
        told += "; long results come back in rows, since OUTPUT values are cut or slow here"
    return passed(f"{told}.")


@check("parallel", needs=["launchpad"])
def parallel(examination: Examination) -> Finding:
    """As many scripts as num_tasks run at the same time."""
    workers = examination.compute_context.workers
    if workers < 2:
        return skipped("num_tasks is 1.")
    sessions = [Session(examination.connection) for _ in range(workers)]
    try:
        for nap in NAPS:  # a busy server may launch the last script when the first has ended
            with ThreadPoolExecutor(workers) as threads:
                calls = list(threads.map(_nap, sessions, [nap] * workers))
            refusals = [call for call in calls if isinstance(call, SqlExecError)]
            naps = [call for call in calls if not isinstance(call, SqlExecError)]
            finding = judge_parallel(workers, naps, refusals, examination.python["cores"])
            if finding.status == "pass" or refusals:
                break
    finally:
        for session in sessions:
            session.close()
    return finding


def judge_parallel(
    workers: int,
    naps: Sequence[tuple[float, float, float]],
    refusals: Sequence[SqlExecError],
    cores: int | None,
) -> Finding:
    """Whether scripts overlapped, from (begin, end, launch), and why some did not run."""
    at_once = most_at_once([(began, ended) for began, ended, _ in naps])
    told = f"{at_once} of {workers} scripts ran at once"
    if naps:
        told += f", launched in {statistics.median(launch for *_, launch in naps):.2f} s each"
    told += f", on {cores} cores" if cores else ""
    if refusals:
        limit = next((each for each in refusals if isinstance(each, LimitReached)), refusals[0])
        told += f"; {len(refusals)} failed: {limit}"
    if at_once < workers:
        return warned(
            f"{told}.",
            f"num_tasks={max(1, at_once)}; or let the DBA raise the limits of external scripts: "
            f"ALTER EXTERNAL RESOURCE POOL [default] WITH (MAX_PROCESSES = {workers}); "
            "ALTER RESOURCE GOVERNOR RECONFIGURE;",
        )
    return passed(told)


def most_at_once(spans: Sequence[tuple[float, float]]) -> int:
    """How many of the spans share a moment.

    Example
    -------
    >>> most_at_once([(0, 2), (1, 3), (2.5, 4)])
    2
    """
    return max((sum(begin <= at < end for begin, end in spans) for at, _ in spans), default=0)


def _nap(session: Session, seconds: float) -> tuple[float, float, float] | SqlExecError:
    """Begin and end of a script by the server's clock, and how long its launch took."""
    began = time.perf_counter()
    try:
        ((answer,),) = patiently(session, lambda each: each.execute(calling(NAP), seconds))
    except SqlExecError as error:
        return error
    whole = time.perf_counter() - began
    _, begin, end = json.loads(str(answer))
    return begin, end, whole - (end - begin)


def _restart(examination: Examination) -> str:
    if " on Linux" in examination.server_version:
        return "sudo systemctl restart mssql-launchpadd; its log: /var/opt/mssql-extensibility/log"
    name = f"MSSQLLaunchpad${examination.instance}" if examination.instance else "MSSQLLaunchpad"
    return f"Restart-Service '{name}'; its log: ExtensibilityLog beside the server's error log"
