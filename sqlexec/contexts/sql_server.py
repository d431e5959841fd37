"""RxInSqlServer: tasks run in processes that SQL Server starts, next to the data.

plan --Packer--> payload --session--> sqlexec.execute_chunk --> result --unpack--> outcomes
     `- data source: its query travels beside the payload, its rows never come here
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, ClassVar

from sqlexec import scheduler
from sqlexec.chunks import LAUNCHES_WORTH, Chunk
from sqlexec.contexts.base import (
    ConsoleOutput,
    RxRemoteComputeContext,
    check_console_output,
    offer_to_joblib,
)
from sqlexec.contexts.job import Job
from sqlexec.crew import Handle
from sqlexec.data.sources import RxSqlServerData
from sqlexec.errors import ConfigurationError, ConnectionLost, ResultCut, ServerError
from sqlexec.log import logger
from sqlexec.options import check_flag, package_names, task_timeout
from sqlexec.payload import PROTOCOL, SendOtherwise
from sqlexec.plan import Plan
from sqlexec.public import public
from sqlexec.server import runtimes
from sqlexec.server.connection import Connection, mask
from sqlexec.server.pool import POOL
from sqlexec.server.sql_errors import blame_query
from sqlexec.tasks import Outcomes

ENVIRONMENT = "SQLEXEC_CONNECTION"
DEFAULT_NUM_TASKS = 4  # for num_tasks=0; Launchpad keeps five processes a user warm

_AGAIN = (
    "The server's runtime cuts OUTPUT values now, which it did not before. The tasks of this call "
    "ran, and what they returned is lost; from the next call on results come as rows, whole."
)
_NO_ROWS = (
    "The server's runtime cuts OUTPUT values, and its Python has no pandas, by which results could "
    "come as rows. The tasks ran. Install pandas there, or return less: from a run, or by fewer "
    "runs a call (task_chunk_size=1)."
)
_kept_by_server: ContextVar[bool] = ContextVar("kept_by_server", default=False)


@contextlib.contextmanager
def kept_by_server() -> Iterator[None]:
    """Packing within is for the server's tables: no secret may be part of it."""
    before = _kept_by_server.set(True)
    try:
        yield
    finally:
        _kept_by_server.reset(before)


@public
@dataclasses.dataclass(frozen=True)
class RxInSqlServer(RxRemoteComputeContext):
    """Runs functions inside SQL Server, up to `num_tasks` processes at a time.

    Parameters
    ----------
    connection_string : str
        ODBC connection string, SQLAlchemy URL (`mssql+pyodbc://...`) or name of a DSN; by
        default the environment variable SQLEXEC_CONNECTION.  The database needs the sqlexec
        bundle, the login the role sqlexec_user.
    num_tasks : int, default 1
        The most processes at a time, each over a connection of its own; 0 lets sqlexec choose.
    auto_cleanup : bool, default True
        Whether a job that outlives its call is removed once its results are fetched.  False
        makes such a job of a waiting rx_exec, too, so that the server keeps its results and
        output until `rx_cleanup_jobs`.
    console_output : bool, "prefix", "log" or callable, optional
        Print what the function printed, when the call that ran it ends.  Default: no.
        For the other ways to show it see rx_exec.
    execution_timeout_seconds : int, optional
        For a whole job; None or 0 for no limit.
    wait : bool, default True
        Whether rx_exec waits for the job; False: it gives an `RxRemoteJob` at once.
    packages_to_load : list of str, optional
        Modules to import in the server before each job.
    task_timeout_seconds : float, optional
        For a single run, which then ends with a `TaskTimeout`; None or 0 for no limit.
    max_attempts : int, default 3
        How often a run is tried where its call failed for no fault of its own: the server could
        not start a process, the connection was lost, the process died.  A run may so be run
        twice, in part or whole; 1 for never.  Exceptions of the function are no such failures.
    detached : bool, optional
        Who works for a job that outlives its call.  True: SQL Server Agent, so that the job
        goes on without this process.  False: threads of this process; the job is interrupted
        when it ends, and can be resumed.  Default: Agent where rx_exec does not wait.

    Example
    -------
    >>> cc = RxInSqlServer("Server=db1;Database=flights;UID=ann;PWD=secret", num_tasks=4)
    >>> rx_exec(f, x=[1, 2, 3], compute_context=cc)   # doctest: +SKIP
    """

    description: ClassVar[str] = "sqlserver"

    connection_string: str = dataclasses.field(default="", repr=False)
    num_tasks: int = 1
    auto_cleanup: bool = True
    console_output: ConsoleOutput = None
    execution_timeout_seconds: int | None = None
    wait: bool = True
    packages_to_load: Sequence[str] | str | None = None
    task_timeout_seconds: float | None = None
    max_attempts: int = scheduler.MAX_ATTEMPTS
    detached: bool | None = None

    def __post_init__(self) -> None:
        if not self.connection_string:
            object.__setattr__(self, "connection_string", os.environ.get(ENVIRONMENT, ""))
        if not self.connection_string:
            raise ConfigurationError(
                f"RxInSqlServer needs a connection_string (or the variable {ENVIRONMENT})"
            )
        check_flag("auto_cleanup", self.auto_cleanup)
        check_flag("wait", self.wait)
        check_flag("detached", self.detached or False)
        self._set_whole_number("num_tasks")
        self._set_whole_number("execution_timeout_seconds", optional=True)
        self._set_whole_number("max_attempts", least=1)
        task_timeout(self.task_timeout_seconds)
        check_console_output(self.console_output)
        object.__setattr__(self, "packages_to_load", package_names(self.packages_to_load))
        offer_to_joblib()

    def __repr__(self) -> str:
        fields = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        fields["connection_string"] = mask(self.connection_string)
        return f"RxInSqlServer({', '.join(f'{name}={value!r}' for name, value in fields.items())})"

    def __reduce_ex__(self, protocol: Any) -> Any:
        if _kept_by_server.get():
            raise TypeError(
                "a compute context holds a password, which the server's tables would keep with "
                "the job: make the context inside the function"
            )
        return super().__reduce_ex__(protocol)

    @property
    def place(self) -> tuple[str, str]:
        """Server and database, as far as the connection string names them."""
        connection = Connection.of(self.connection_string)
        return connection.server or connection.dsn, connection.database

    @property
    def workers(self) -> int:
        """The most calls at a time."""
        return self.num_tasks or DEFAULT_NUM_TASKS

    def carry_out(self, plan: Plan, handle: Handle | None = None) -> Iterator[Outcomes]:
        """Run the tasks of a plan in the server; see RxComputeContext.

        With a handle, other threads can cancel single tasks.

        Raises
        ------
        ConfigurationError
            The job cannot be run as asked (data source of another server, wait=False).
        PackError
            The function or a shared argument cannot be sent.
        """
        if not self.wait:
            raise ConfigurationError(
                "wait=False is for rx_exec alone, which then gives a job; use wait=True here, in "
                "a thread (concurrent.futures.ThreadPoolExecutor) if need be."
            )
        connection = Connection.of(self.connection_string)
        job = ServerJob(plan, connection)
        return scheduler.run(
            job.tasks,
            lambda: _Worker(job),
            workers=self.workers,
            count=plan.count,
            chunk_size=plan.chunk_size,
            group=job.group,
            timeout=self.execution_timeout_seconds,
            max_attempts=self.max_attempts,
            handle=handle,
            budget=job.budget,
        )


class ServerJob(Job):
    """A job for workers over sessions with one server."""

    def __init__(self, plan: Plan, connection: Connection) -> None:
        self.id = uuid.uuid4()
        self.connection = connection
        self.numbers = itertools.count(1)  # of chunks; next() on it is atomic
        super().__init__(plan, runtimes.known(connection))

    def check(self, source: RxSqlServerData) -> None:
        """A script's rows come from the session that runs it, so from nowhere else."""
        if source.connection_string is None:
            return
        there = Connection.of(source.connection_string)
        if not there.same_place(self.connection):
            raise ConfigurationError(
                f"The data source is at {there}, the compute context at {self.connection}: rows "
                "go straight from the engine into the function's process, so both must name the "
                "same server and database. Fetch other data with rx_data_step and pass the frame."
            )


class _Worker:
    """Runs chunks of a job over one session."""

    def __init__(self, job: ServerJob) -> None:
        self._job = job
        self._session = POOL.take(job.connection)

    def call(self, chunk: Chunk) -> Outcomes:
        """Send a chunk, wait, verify and decode its outcomes."""
        connection = self._job.connection
        try:
            return self._run(chunk, runtimes.known(connection))
        except SendOtherwise as answer:
            logger.info("Call %d is sent otherwise: %s", chunk.call.number, answer)
            runtimes.remember(connection, answer.runtime)
            return self._run(chunk, answer.runtime)
        except ConnectionLost:
            POOL.close(connection)  # the idle sessions are lost as well
            raise

    def _run(self, chunk: Chunk, runtime: Mapping[str, Any] | None) -> Outcomes:
        job, call = self._job, chunk.call
        source = job.source(chunk.tasks)
        query = source.query if source is not None else ""
        way_out = runtimes.way_out(job.connection)
        launch = runtimes.launch(job.connection)
        budget = chunk.budget and max(chunk.budget, launch)  # as long to see the tasks' pace
        payload = job.pack(
            chunk.tasks,
            runtime,
            way_out,
            suspect=chunk.suspect,
            budget=budget,
            overtime=LAUNCHES_WORTH * launch,
        )
        call.number = next(job.numbers)
        call.payload_bytes, call.shared_bytes = len(payload), job.packer.shared_bytes
        start = time.perf_counter()
        try:
            reply = self._session.execute_chunk(
                job.id, call.number, len(chunk), payload, query, protocol=PROTOCOL
            )
        except ServerError as error:
            if query:
                blame_query(error, query)
            return job.query_failed(error, chunk)
        except ResultCut as error:
            runtimes.learn_whole(job.connection, False)
            raise ResultCut(f"{error} {_AGAIN if way_out == 'output' else _NO_ROWS}") from None
        seconds = time.perf_counter() - start
        if reply.whole is not None:
            runtimes.learn_whole(job.connection, reply.whole)
        call.result_bytes = len(reply.result)
        answer = job.unpack(reply.result, chunk.tasks)
        runtimes.remember(job.connection, answer.runtime)
        outcomes = answer.outcomes
        runtimes.learn_launch(job.connection, seconds - outcomes.span)
        if reply.messages:
            first = outcomes.tell(0)
            first.console = [*reply.messages, *first.console]
        return outcomes

    def cancel(self) -> None:
        """Stop the call that is under way."""
        self._session.cancel()

    def close(self) -> None:
        """Give the session back."""
        POOL.give_back(self._session)
