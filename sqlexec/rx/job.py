"""RxRemoteJob: a handle on a job in the server, which needs no client to go on.

rx_exec(wait=False) --> RxRemoteJob --status, logs, cancel--> the server's procedures
deserialize_job(id) -----^     `----result--> chunks, verified one by one -> outcomes -> list
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from types import TracebackType
from typing import Any

from sqlexec.contexts.active import resolve_sql_server
from sqlexec.contexts.base import ConsoleOutput, RxComputeContext
from sqlexec.contexts.client_workers import RECONNECT_SECONDS, ClientWorkers
from sqlexec.contexts.durable import context_of, submit
from sqlexec.contexts.sql_server import RxInSqlServer
from sqlexec.errors import (
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    JobFailed,
    JobNotFinished,
    JobNotFound,
)
from sqlexec.public import public
from sqlexec.report import Report
from sqlexec.rx.job_results import all_outcomes, console_of, done_outcomes, take
from sqlexec.rx.job_status import RxRemoteJobStatus, html_of
from sqlexec.rx.job_waiting import looks, with_bar
from sqlexec.rx.remote import attach_remote
from sqlexec.rx.request import Request
from sqlexec.server import jobs
from sqlexec.server.connection import Connection
from sqlexec.server.job_records import JobInfo
from sqlexec.server.pool import POOL


@public
class RxRemoteJob:
    """A handle on a job that outlives its call; `rx_exec` gives one where `wait=False`.

    Any number of handles may exist, in any process on any machine: what a job needs lies in its
    server, which gives it to the login that submitted the job, and to no other.

    Parameters
    ----------
    compute_context : RxInSqlServer
        The server and login to ask; its other fields play no part.
    job_id : uuid.UUID or str, optional
        A job that was submitted before.  Default: a new one, that no server knows.

    Example
    -------
    >>> job = rx_exec(train, x=[1, 2], compute_context=cc.replace(wait=False))  # doctest: +SKIP
    >>> job.wait(timeout=60)                                                    # doctest: +SKIP
    >>> job.result()                                                            # doctest: +SKIP
    """

    def __init__(
        self, compute_context: RxInSqlServer, job_id: uuid.UUID | str | None = None
    ) -> None:
        self.compute_context = compute_context
        self.job_id = _uuid(job_id)
        self._connection = Connection.of(compute_context.connection_string)
        self._workers: ClientWorkers | None = None
        self._original: Callable[[int], object] | None = None
        self._callback: Callable[[Any], object] | None = None
        self._console_output: ConsoleOutput = None
        self._ended: list[Any] | BaseException | None = None  # what a removed job gave
        self._trace: TracebackType | None = None  # of that exception
        self._report: Report | None = None
        self._was_cancelled = False

    def submit(self, request: Request, auto_cleanup: bool) -> None:
        """Let the server keep what rx_exec was asked for, and somebody work for it."""
        self._callback, self._console_output = request.callback, request.console_output
        submitted = submit(
            request.plan,
            self.compute_context,
            self.job_id,
            auto_cleanup=auto_cleanup,
            console_output=request.console_output,
        )
        self._original = submitted.original
        if not submitted.detached:
            self._work(submitted.worker_count)

    def __reduce__(self) -> tuple[object, ...]:
        return RxRemoteJob, (self.compute_context, self.job_id)

    # --- how it stands --------------------------------------------------------------------

    @property
    def info(self) -> JobInfo | None:
        """All that the server tells of it, None where it knows no such job of this login."""
        with POOL.lend(self._connection) as session:
            found = jobs.find(session, job_id=self.job_id)
        return found[0] if found else None

    @property
    def status(self) -> RxRemoteJobStatus:
        """How it stands now; asks the server."""
        info = self.info
        if info is not None:
            return RxRemoteJobStatus(info.state)
        if self._was_cancelled:
            return RxRemoteJobStatus.CANCELED
        return RxRemoteJobStatus.UNDETERMINED

    @property
    def description(self) -> str:
        """Name of its function, '' where the server knows it no more."""
        info = self.info
        return info.description if info is not None else ""

    def wait(self, timeout: float | None = None, *, progress: bool = False) -> bool:
        """Wait for its end.

        Parameters
        ----------
        timeout : float, optional
            Seconds; None to wait as long as it takes.
        progress : bool, default False
            Show how many runs are done, as `rx_exec(progress=True)` does.

        Returns
        -------
        bool
            Whether it has ended, with or without success.  A lost connection is opened again.
            Ctrl-C ends the waiting; the job goes on.
        """
        looked = looks(self._patient_info, timeout)
        for info in with_bar(looked) if progress else looked:  # noqa: B007 - the last one counts
            pass
        if info is None or info.state == "FINISHED":
            return True
        if not info.open and self._workers is not None:
            self._workers.cancel()  # a query may still run there
        return not info.open

    # --- what it gives --------------------------------------------------------------------

    def result(self, timeout: float | None = None) -> list[Any]:
        """Wait for its end and give what `rx_exec` would have returned.

        Console, warnings and the callback come as they do there.  Where the job was submitted
        with `auto_cleanup` its server then removes it, and this handle keeps the list.

        Raises
        ------
        JobNotFinished
            It has not ended after `timeout` seconds; it goes on.
        JobNotFound
            Its server knows no such job of this login.
        JobFailed, ServerError, ExecutionTimeout
            It ended without the results of all runs; `partial_results` has what there is, and
            `resume` may let it go on.
        OperationCancelled
            It was cancelled.
        Exception
            What a run raised, where the job has one run, or was to stop at the first exception.
        """
        __tracebackhide__ = True
        if self._ended is None and not self.wait(timeout):
            raise JobNotFinished(f"Job {self.job_id} has not ended after {timeout} seconds.")
        return self.fetch()

    def fetch(
        self, console_output: ConsoleOutput = None, auto_cleanup: bool | None = None
    ) -> list[Any]:
        """What `result` gives, without waiting.

        Parameters
        ----------
        console_output : bool, "prefix", "log" or callable, optional
            What becomes of what the runs printed, as in `rx_exec`; None for what was said at its
            submission.
        auto_cleanup : bool, optional
            Remove the job from its server once it has FINISHED and its results are here; None
            for what was said at its submission.

        Raises
        ------
        As `result`.
        """
        __tracebackhide__ = True
        if isinstance(self._ended, BaseException):
            raise self._ended.with_traceback(self._trace)  # without the frames of earlier calls
        if self._ended is not None:
            return self._ended
        info = self._required_info()
        if info.open:
            raise JobNotFinished(
                f"Job {self.job_id} is {info.state}: {info.tasks_done:,} of {info.task_count:,} "
                "runs are done. Wait for it (job.wait(), rx_wait_for_job), or take what there is "
                "from job.results()."
            )
        remove = info.auto_cleanup if auto_cleanup is None else auto_cleanup
        if console_output is None:
            console_output = self._console_output or self._kept_console(info)
        self._report = Report(info.span)
        outcomes = all_outcomes(self._connection, info, self._original)
        try:
            gave = take(
                self._report.watch(outcomes),
                info,
                self.compute_context,
                self._callback,
                console_output,
            )
        except JobFailed as error:
            if self._workers is not None:
                error.__cause__ = self._workers.error  # why they are gone
            raise
        if remove and info.state == "FINISHED":
            self._remove()
            self._ended = gave
        if isinstance(gave, BaseException):
            self._trace = gave.__traceback__
            raise gave
        return gave

    def results(self) -> Generator[tuple[int, Any], None, None]:
        """Yield (index, value) of the runs that are done by now, in their order.

        One call's results are in memory at a time; nothing is removed.  The exception of a run
        stands in the place of its value.
        """
        self._required_info()
        for outcomes in done_outcomes(self._connection, self.job_id, self._original, []):
            for outcome in outcomes:
                attach_remote(outcome, self.compute_context)
                yield outcome.index, outcome.given

    def logs(self, follow: bool = False, timeout: float | None = None) -> Iterator[tuple[str, str]]:
        """Yield (stream, text) of what the runs printed, call by call as calls end.

        Parameters
        ----------
        follow : bool, default False
            Wait for more until the job ends,
        timeout : float, optional
            or so many seconds have passed.
        """
        key = self._secret()[0]
        after = 0
        for _ in looks(self._required_info, timeout if follow else 0):
            with POOL.lend(self._connection) as session:
                headers = jobs.console_headers(session, self.job_id, after)
            for number, header in headers:
                after = number
                yield from console_of(header, key)

    @property
    def output(self) -> str:
        """All that its runs have printed so far."""
        return "".join(text for _, text in self.logs())

    def report(self) -> Report:
        """Who ran what when, of the results that this handle has fetched."""
        if self._report is None:
            raise JobNotFinished("There is a report once results were fetched: job.result().")
        return self._report

    # --- what is done with it -------------------------------------------------------------

    def cancel(self) -> bool:
        """Stop it; results so far stay, for `results` and `resume`.

        Returns
        -------
        bool
            Whether it had not ended before.
        """
        with POOL.lend(self._connection) as session:
            was_open = jobs.cancel(session, self.job_id)
        if self._workers is not None:
            self._workers.cancel()
        self._was_cancelled = self._was_cancelled or was_open
        return was_open

    def resume(self, detached: bool | None = None) -> None:
        """Let it go on after it failed or was cancelled; results that it has stay.

        Parameters
        ----------
        detached : bool, optional
            Whether SQL Server Agent shall work for it, or threads of this process; None for
            what it was.
        """
        with POOL.lend(self._connection) as session:
            jobs.resume(session, self.job_id, detached)
        info = self._required_info()
        if not info.detached and info.open:
            self._work(info.worker_count)

    def cleanup(self, force: bool = False) -> bool:
        """Remove it and its results from the server.

        Parameters
        ----------
        force : bool, default False
            Also where it has not ended, or its results would be lost.

        Returns
        -------
        bool
            Whether it is gone; False where that needs force.
        """
        info = self.info
        if info is not None and not force and (info.open or info.state == "FINISHED"):
            return False
        self._remove()
        return True

    def close(self) -> None:
        """Stop it, if it has not ended, and remove all of it from the server."""
        self.cleanup(force=True)

    def resolve_context(self) -> RxInSqlServer:
        """The compute context that it was submitted in, with this handle's connection string."""
        return context_of(self._secret()[1], self.compute_context)

    @staticmethod
    def deserialize_job(
        job_id: uuid.UUID | str, compute_context: RxComputeContext | str | None = None
    ) -> RxRemoteJob:
        """A handle on a job that was submitted before, here or elsewhere.

        Raises
        ------
        JobNotFound
            The server knows no such job of this login.
        """
        job = RxRemoteJob(resolve_sql_server(compute_context), job_id)
        job._required_info()
        return job

    @staticmethod
    def deserialize_jobs(
        compute_context: RxComputeContext | str | None = None,
    ) -> list[RxRemoteJob]:
        """Handles on all jobs of this login that the server has, the newest first."""
        context = resolve_sql_server(compute_context)
        with POOL.lend(Connection.of(context.connection_string)) as session:
            return [RxRemoteJob(context, info.job_id) for info in jobs.find(session)]

    # --- pictures -------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<RxRemoteJob {self.job_id} at {self._connection}>"

    def _repr_html_(self) -> str:
        """How it stands now, for notebooks."""
        info = self.info
        if info is None:
            return f"Job <code>{self.job_id}</code>: {self.status.value}"
        return html_of(info)

    # --- inside ---------------------------------------------------------------------------

    def _work(self, count: int) -> None:
        self._workers = ClientWorkers(self._connection, self.job_id, count)

    def _patient_info(self) -> JobInfo | None:
        """`info`, though the server may be away for a while."""
        for pause in RECONNECT_SECONDS:
            try:
                return self.info
            except (ConnectionFailed, ConnectionLost):
                time.sleep(pause)
        return self.info

    def _required_info(self) -> JobInfo:
        info = self.info
        if info is None:
            raise JobNotFound(
                f"{self._connection} has no job {self.job_id} of this login: it was never "
                "submitted there, or it was removed (auto_cleanup, rx_cleanup_jobs, a purge).",
                number=51710,
            )
        return info

    def _kept_console(self, info: JobInfo) -> ConsoleOutput:
        """How its submitter wished to see the console."""
        if not info.console_output:
            return False
        console: ConsoleOutput = self._secret()[1].get("console_output", True)
        return console

    def _secret(self) -> tuple[bytes, Mapping[str, Any], int]:
        with POOL.lend(self._connection) as session:
            return jobs.secret(session, self.job_id)

    def _remove(self) -> None:
        if self._workers is not None:
            self._workers.cancel()
        try:
            with POOL.lend(self._connection) as session:
                jobs.clean_up(session, self.job_id)
        except JobNotFound:
            pass  # another client was quicker


def _uuid(job_id: uuid.UUID | str | None) -> uuid.UUID:
    if job_id is None:
        return uuid.uuid4()
    try:
        return job_id if isinstance(job_id, uuid.UUID) else uuid.UUID(job_id)
    except (ValueError, AttributeError, TypeError):
        raise ConfigurationError(f"{job_id!r} is no id of a job") from None
