"""SQL Server Agent of the stand-in: runs jobs that sp_start_job asks for, as their owners.

    sp_start_job --xp_sqlagent_notify--> Agent.start --thread--> a session of the owner's --> step
                                                        `-- sysjobactivity, sysjobhistory (as sa)

Everything else (jobs, steps, rights) is T-SQL: msdb.sql, which a new server runs once.
"""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from typing import TYPE_CHECKING

from sqlexec.embedded.results import Argument, Capture
from sqlexec.embedded.sqltypes import INT, NVARCHAR_MAX, UNIQUEIDENTIFIER
from sqlexec.embedded.tsql.errors import SqlError

if TYPE_CHECKING:
    from sqlexec.embedded.catalog import Principal
    from sqlexec.embedded.tsql.run.interpreter import Interpreter
    from sqlexec.embedded.tsql.state import Instance

OpenSession = Callable[["Principal", str, int, str], "Interpreter"]

_FIRST_SESSION_ID = 2000  # beyond those of the listener's clients
_GRACE = 10.0  # seconds for jobs to end in `close`
_FAILED, _SUCCEEDED, _CANCELED = 0, 1, 3  # sysjobhistory.run_status
_OUTCOMES = {
    _FAILED: "The step failed.",
    _SUCCEEDED: "The step succeeded.",
    _CANCELED: "The step was cancelled (stopped) as the result of a stop job request.",
}
_QUIT_SUCCEEDED, _QUIT_FAILED, _NEXT_STEP = 1, 2, 3  # sysjobsteps.on_..._action; 4 goes to a step
_DELETE_WHEN = {1: (_SUCCEEDED,), 2: (_FAILED, _CANCELED), 3: (_SUCCEEDED, _FAILED, _CANCELED)}


@dataclass(slots=True)
class _Step:
    number: int
    name: str
    command: str
    database: str
    retries: int
    on_success: tuple[int, int]  # what to do, and the step to go to
    on_fail: tuple[int, int]


@dataclass(slots=True)
class _Run:
    """A job that runs."""

    job_id: str
    name: str
    owner: Principal
    steps: list[_Step]
    delete_level: int
    interpreter: Interpreter | None = None  # of the running step
    stopped: bool = False
    started: float = field(default_factory=time.time)


class Agent:
    """Runs the jobs of one server.

    Parameters
    ----------
    instance : Instance
        The server.
    open_session : callable
        Makes the interpreter of (principal, database, session id, application name).

    Raises
    ------
    SqlError
        22022, as SQL Server words it, from `start` and `stop`.
    """

    def __init__(self, instance: Instance, open_session: OpenSession) -> None:
        self._instance = instance
        self._open_session = open_session
        self._session_ids = itertools.count(_FIRST_SESSION_ID + 1)
        self._mutex = threading.Lock()  # of the next two
        self._runs: dict[str, _Run] = {}
        self._threads: set[threading.Thread] = set()
        self._own_mutex = threading.Lock()  # of the session that keeps the books
        sa = instance.catalog.login("sa")
        self._own = open_session(sa, "msdb", _FIRST_SESSION_ID, "SQLAgent - Job Manager")
        self._agent_session = self._begin()

    def start(self, job_id: str, name: str, user: str) -> None:
        """Run a job in the background."""
        with self._mutex:
            if job_id in self._runs:
                raise _refused(
                    f"Request to run job {name} (from User {user}) refused because the job is "
                    f"already running from a request by User {self._runs[job_id].owner.login}."
                )
            run = self._runs[job_id] = self._read(job_id, name)
            thread = threading.Thread(
                target=self._carry_out, args=(run, user), name=f"agent job {name}", daemon=True
            )
            self._threads.add(thread)
        thread.start()

    def stop(self, job_id: str, name: str, user: str) -> None:
        """Cancel the running step of a job; its later ones do not begin."""
        with self._mutex:
            run = self._runs.get(job_id)
            if run is None:
                raise _refused(
                    f"Request to stop job {name} (from User {user}) refused because the job is "
                    "not currently running."
                )
            run.stopped = True
            if run.interpreter is not None:
                run.interpreter.session.cancel()

    def forget(self, job_id: str) -> None:
        """A job is deleted: stop it, if it runs."""
        with self._mutex:
            run = self._runs.get(job_id)
            if run is not None and threading.current_thread() not in self._threads:
                run.stopped = True
                if run.interpreter is not None:
                    run.interpreter.session.cancel()

    def close(self) -> None:
        """Stop all jobs and wait for their sessions to end."""
        with self._mutex:
            threads = list(self._threads)
            for run in self._runs.values():
                run.stopped = True
                if run.interpreter is not None:
                    run.interpreter.session.cancel()
        deadline = time.monotonic() + _GRACE
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._own.close()

    # --- a run ----------------------------------------------------------------------------

    def _carry_out(self, run: _Run, user: str) -> None:
        try:
            self._record_start(run, user)
            status = self._run_steps(run)
            self._record_end(run, status)
            if status in _DELETE_WHEN.get(run.delete_level, ()):
                self._statement(
                    "EXECUTE msdb.dbo.sp_delete_job @job_id = @p0;", uuid.UUID(run.job_id)
                )
        finally:
            with self._mutex:
                self._runs.pop(run.job_id, None)
                self._threads.discard(threading.current_thread())

    def _run_steps(self, run: _Run) -> int:
        place = 0
        while place < len(run.steps) and not run.stopped:
            step = run.steps[place]
            status = _FAILED
            for attempt in range(step.retries + 1):
                status = self._run_step(run, step, attempt)
                if status != _FAILED or run.stopped:
                    break
            if run.stopped:
                return _CANCELED
            action, target = step.on_success if status == _SUCCEEDED else step.on_fail
            if action == _QUIT_SUCCEEDED:
                return _SUCCEEDED
            if action == _QUIT_FAILED:
                return _FAILED
            place = place + 1 if action == _NEXT_STEP else target - 1
        return _CANCELED if run.stopped else _SUCCEEDED

    def _run_step(self, run: _Run, step: _Step, attempt: int) -> int:
        started = time.time()
        sink = Capture()
        name = f"SQLAgent - TSQL JobStep (Job 0x{run.job_id.replace('-', '')} : Step {step.number})"
        try:
            interpreter = self._open_session(
                run.owner, step.database, next(self._session_ids), name
            )
        except SqlError as error:  # the owner may not enter the step's database
            sink.error(error)
        else:
            self._run_batch(run, interpreter, step.command, sink)
        status = _CANCELED if run.stopped else _FAILED if sink.errors else _SUCCEEDED
        texts = [
            f"Executed as user: {run.owner.login}.",
            *(message.text for message in sink.messages),
            *(f"{each.message} [SQLSTATE 42000] (Error {each.number})" for each in sink.errors),
            _OUTCOMES[status],
        ]
        self._record(run, step.number, step.name, status, " ".join(texts), started, sink, attempt)
        return status

    def _run_batch(self, run: _Run, interpreter: Interpreter, command: str, sink: Capture) -> None:
        with self._mutex:
            run.interpreter = interpreter
        try:
            if not run.stopped:
                interpreter.batch(command, sink)
        finally:
            with self._mutex:
                run.interpreter = None
            interpreter.close()

    # --- the books ------------------------------------------------------------------------

    def _begin(self) -> int:
        self._statement("INSERT INTO msdb.dbo.syssessions (agent_start_date) VALUES (GETDATE());")
        return int(
            str(self._statement("SELECT MAX(s.session_id) FROM msdb.dbo.syssessions AS s;")[0][0])
        )

    def _read(self, job_id: str, name: str) -> _Run:
        jobs = self._statement(
            "SELECT SUSER_SNAME(j.owner_sid), j.delete_level, j.start_step_id "
            "FROM msdb.dbo.sysjobs AS j WHERE j.job_id = @p0;",
            uuid.UUID(job_id),
        )
        if not jobs:  # made in a transaction that has not ended yet
            raise _refused(f"The specified job_id ({job_id}) does not exist.")
        owner, delete_level, first = jobs[0]
        steps = self._statement(
            "SELECT s.step_id, s.step_name, s.command, s.database_name, s.retry_attempts, "
            "s.on_success_action, s.on_success_step_id, s.on_fail_action, s.on_fail_step_id "
            "FROM msdb.dbo.sysjobsteps AS s WHERE s.job_id = @p0 AND s.step_id >= @p1 "
            "ORDER BY s.step_id;",
            uuid.UUID(job_id),
            first,
        )
        found: list[_Step] = []
        for number, title, command, database, retries, success, onward, fail, otherwise in steps:
            actions: tuple[int, ...] = tuple(map(_int, (success, onward, fail, otherwise)))
            found.append(
                _Step(_int(number), str(title), str(command or ""), str(database), _int(retries),
                      (actions[0], actions[1]), (actions[2], actions[3]))
            )  # fmt: skip
        principal = self._instance.catalog.login(str(owner))
        return _Run(job_id, name, principal, found, _int(delete_level))

    def _record_start(self, run: _Run, user: str) -> None:
        self._statement(
            "DELETE FROM msdb.dbo.sysjobactivity WHERE job_id = @p0 AND session_id = @p1; "
            "INSERT INTO msdb.dbo.sysjobactivity (session_id, job_id, run_requested_date, "
            "run_requested_source, start_execution_date) "
            "VALUES (@p1, @p0, GETDATE(), @p2, GETDATE());",
            uuid.UUID(run.job_id), self._agent_session, user,
        )  # fmt: skip

    def _record_end(self, run: _Run, status: int) -> None:
        words = {_SUCCEEDED: "succeeded", _FAILED: "failed"}.get(status, "was stopped")
        text = f"The job {words}. The Job was invoked by User {run.owner.login}."
        self._record(run, 0, "(Job outcome)", status, text, run.started, Capture(), 0)
        self._statement(
            "UPDATE a SET stop_execution_date = GETDATE() FROM msdb.dbo.sysjobactivity AS a "
            "WHERE a.job_id = @p0 AND a.session_id = @p1;",
            uuid.UUID(run.job_id), self._agent_session,
        )  # fmt: skip

    def _record(
        self, run: _Run, step: int, name: str, status: int, text: str, started: float,
        sink: Capture, retries: int,
    ) -> None:  # fmt: skip
        error = sink.errors[-1] if sink.errors else SqlError(0, "", 0)
        seconds = int(time.time() - started)
        begin = datetime.fromtimestamp(started)
        self._statement(
            "INSERT INTO msdb.dbo.sysjobhistory (job_id, step_id, step_name, sql_message_id, "
            "sql_severity, message, run_status, run_date, run_time, run_duration, "
            "retries_attempted, server) "
            "VALUES (@p0, @p1, @p2, @p3, @p4, @p5, @p6, @p7, @p8, @p9, @p10, @@SERVERNAME);",
            uuid.UUID(run.job_id), step, name, error.number, error.severity, text[:4000], status,
            int(f"{begin:%Y%m%d}"), int(f"{begin:%H%M%S}"),
            seconds // 3600 * 10000 + seconds // 60 % 60 * 100 + seconds % 60, retries,
        )  # fmt: skip

    def _statement(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Run a statement as sa; gives its rows."""
        arguments = [_argument(f"@p{place}", value) for place, value in enumerate(values)]
        declaration = ", ".join(f"{each.name} {each.type}" for each in arguments)
        sink = Capture()
        with self._own_mutex:
            self._own.sql(sql, declaration, arguments, sink)
        if sink.errors:
            raise sink.errors[0]
        return [tuple(row) for result in sink.results for row in result.rows or ()]


def install(interpreter: Interpreter) -> None:
    """Make the Agent's roles, tables and procedures; the interpreter is sa's, in msdb."""
    text = (files(__package__) / "msdb.sql").read_text("utf-8")
    with interpreter.session.connection.transaction():
        for batch in text.split("\nGO\n"):
            if batch.strip():
                sink = Capture()
                interpreter.batch(batch, sink)
                if sink.errors:
                    raise sink.errors[0]


def _refused(text: str) -> SqlError:
    return SqlError(22022, f"SQLServerAgent Error: {text}", 16)


def _argument(name: str, value: object) -> Argument:
    kind = {int: INT, uuid.UUID: UNIQUEIDENTIFIER}.get(type(value), NVARCHAR_MAX)
    return Argument(name, kind, value)


def _int(value: object) -> int:
    return int(str(value))
