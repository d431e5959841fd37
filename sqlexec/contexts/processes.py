"""Processes of this machine that run chunks as the server's do, kept warm between jobs.

payload --Process--> loky --> run_chunk_here: rows of the data source, runner --> result

A process is lent to one worker at a time, so that killing it stops that worker's call alone.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from sqlexec.chunks import Chunk
from sqlexec.contexts.job import Job
from sqlexec.data.reading import read_rows
from sqlexec.data.sources import RxSqlServerData
from sqlexec.errors import (
    ConfigurationError,
    DependencyMissing,
    OperationCancelled,
    ProcessDied,
    ServerError,
)
from sqlexec.plan import Plan
from sqlexec.runner.main import run_chunk, runtime
from sqlexec.tasks import Outcomes, Task

KEPT_SECONDS = 300  # an idle process ends after this

Source = tuple[str, str, int]  # connection string, query, rows per read


class LocalJob(Job):
    """A job for processes of this machine, which have this very Python."""

    def __init__(self, plan: Plan) -> None:
        self._runtime = runtime()
        super().__init__(plan, self._runtime)

    def check(self, source: RxSqlServerData) -> None:
        """A process of its own has no connection that a source without one could take."""
        if source.connection_string is None:
            raise ConfigurationError(
                f"{source!r} needs a connection_string: outside of RxInSqlServer each process "
                "reads the rows over a connection of its own."
            )

    def message(
        self, tasks: Sequence[Task], *, suspect: bool = False, budget: float | None = None
    ) -> tuple[bytes, Source | None]:
        """What `run_chunk_here` takes for these tasks."""
        source = self.source(tasks)
        payload = self.pack(tasks, self._runtime, suspect=suspect, budget=budget)
        if source is None:
            return payload, None
        return payload, (str(source.connection_string), source.query, source.rows_per_read)

    def outcomes(
        self, call: Callable[..., bytes], message: tuple[Any, ...], chunk: Chunk
    ) -> Outcomes:
        """Call with the message for a chunk, and decode what comes back."""
        sent = chunk.call
        sent.payload_bytes, sent.shared_bytes = len(message[0]), self.packer.shared_bytes
        try:
            result = call(*message)
        except ServerError as error:
            return self.query_failed(error, chunk)
        sent.result_bytes = len(result)
        return self.unpack(result, chunk.tasks).outcomes


def run_chunk_here(payload: bytes, source: Source | None, console: str | None = None) -> bytes:
    """Run a chunk in this process; gives the result's bytes.

    `console` is the path of a file for what leaves the process by its descriptors 1 and 2.
    """
    if console is not None:
        file = os.open(console, os.O_WRONLY | os.O_APPEND)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.close(file)
    rows = None if source is None else read_rows(*source)
    result, _ = run_chunk(payload, rows)
    return result


class Process:
    """One process, started at its first call.

    Raises
    ------
    DependencyMissing
        joblib, which brings loky, is not installed.
    """

    def __init__(self) -> None:
        import_joblib()
        from joblib.externals import loky

        self._shut_down: type[Exception] = loky.process_executor.ShutdownExecutorError
        self._start = functools.partial(
            loky.ProcessPoolExecutor,
            max_workers=1,
            timeout=KEPT_SECONDS,
            initializer=_ignore_interrupts,
        )
        self._executor = self._start()
        self._lock = threading.Lock()
        self._future: Any = None  # of the last call
        self.usable = True

    def call(self, *message: Any) -> bytes:
        """Run a chunk there, see `run_chunk_here`, and wait for its result.

        Raises
        ------
        OperationCancelled
            `kill` was called meanwhile.
        ProcessDied
            It ended before its result was there.
        """
        try:
            with self._lock:
                if not self.usable:
                    raise OperationCancelled("The call was cancelled before it was sent.")
                try:
                    self._submit(message)
                except BrokenExecutor:  # it ended while nobody used it: no fault of this call
                    self._executor = self._start()
                    self._submit(message)
            result: bytes = self._future.result()
        except (self._shut_down, CancelledError):
            raise OperationCancelled("The call was cancelled from this side.") from None
        except BrokenExecutor as error:
            self.usable = False
            what = "A process on this machine ended in the middle of a call."
            raise process_died(error, what) from None
        return result

    def _submit(self, message: tuple[Any, ...]) -> None:
        with _interrupts_held():  # for the process that it starts
            self._future = self._executor.submit(run_chunk_here, *message)

    def kill(self) -> None:
        """End the process and all that it started, now; from any thread."""
        with self._lock:
            self.usable = False
            # A call that was not handed over yet is taken back: a shutdown would confuse loky.
            if self._future is None or not self._future.cancel():
                self._executor.shutdown(wait=False, kill_workers=True)


def call_suspect(call: Callable[..., bytes], *message: Any) -> bytes:
    """Call with a file for the console, which is there even where the process dies."""
    with tempfile.TemporaryDirectory() as folder:
        console = Path(folder, "console")
        console.touch()
        try:
            return call(*message, str(console))
        except ProcessDied as error:
            error.console = [("stderr", console.read_text("utf-8", "replace"))]
            raise


class LocalWorker:
    """Runs chunks of a job in one process; what the scheduler calls a worker."""

    def __init__(self, job: LocalJob) -> None:
        self._job = job
        self._process = _take()

    def call(self, chunk: Chunk) -> Outcomes:
        """Send a chunk, wait, and decode its outcomes."""
        message = self._job.message(chunk.tasks, suspect=chunk.suspect, budget=chunk.budget)
        call = self._call_suspect if chunk.suspect else self._process.call
        return self._job.outcomes(call, message, chunk)

    def _call_suspect(self, *message: Any) -> bytes:
        """Call in a process of its own."""
        try:
            result = call_suspect(self._process.call, *message)
        finally:
            self._process.kill()  # its descriptors are of no more use
        self._process = _take()
        return result

    def cancel(self) -> None:
        """Stop the call that is under way."""
        self._process.kill()

    def close(self) -> None:
        """Keep the process for other jobs, if it is still good."""
        if self._process.usable:
            with _LOCK:
                _IDLE.append(self._process)


_LOCK = threading.Lock()
_IDLE: list[Process] = []


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_IDLE.clear)  # they are the parent's


def _take() -> Process:
    with _LOCK:
        return _IDLE.pop() if _IDLE else Process()


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let processes that this thread starts be deaf to Ctrl-C until they `_ignore_interrupts`."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from joblib.externals.loky.backend import resource_tracker as tracker_of_loky

    for tracker in (tracker_of_loky, resource_tracker):  # to start one ends what is held
        tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the client, which then kills its processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def process_died(error: Exception, what: str) -> ProcessDied:
    """Our error for loky's, which tells the exit status in its text: {EXIT(3)}, {SIGSEGV(-11)}."""
    status = re.search(r"\{(.*?)\}", str(error))
    failure = ProcessDied(what)
    failure.exit_status = status[1] if status else "unknown"
    return failure


def import_joblib() -> Any:
    """joblib, or an error that says what to install."""
    try:
        import joblib
    except ImportError as error:
        raise DependencyMissing(
            "Processes on this machine need joblib: pip install sqlexec[joblib]"
        ) from error
    return joblib
