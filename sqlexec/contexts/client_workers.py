"""Threads of this process that let the server work for a durable job, each over its own session.

What they do is wait: payloads and results stay in the server.  They end with this process, and
never keep it from ending; the job can then be resumed.
"""

from __future__ import annotations

import atexit
import threading
import time
import uuid
import warnings
import weakref

from sqlexec.errors import ConnectionFailed, ConnectionLost, JobNotFound, OperationCancelled
from sqlexec.public import public
from sqlexec.server import jobs
from sqlexec.server.connection import Connection
from sqlexec.server.session import Session

RECONNECT_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)  # waits before a lost session is opened again


@public
class JobInterruptedWarning(UserWarning):
    """This process ends while its threads work for a job; `resume()` lets the job go on."""


class ClientWorkers:
    """Works for a job until it ends, or `cancel`.

    Parameters
    ----------
    connection : Connection
    job_id : uuid.UUID
    count : int
        How many threads: the most processes at a time.

    Attributes
    ----------
    error : Exception or None
        What ended one of the threads before the job's end.
    """

    def __init__(self, connection: Connection, job_id: uuid.UUID, count: int) -> None:
        self.job_id = job_id
        self.error: Exception | None = None
        self._connection = connection
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._sessions: set[Session] = set()
        self._threads = [
            threading.Thread(target=self._work, name=f"sqlexec worker {place}", daemon=True)
            for place in range(1, count + 1)
        ]
        _ALL.add(self)
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether some thread still works."""
        return any(thread.is_alive() for thread in self._threads)

    @property
    def cancelled(self) -> bool:
        """Whether the threads were told to end."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Stop the calls that are under way."""
        self._cancelled.set()
        with self._lock:
            for session in self._sessions:
                session.cancel()

    def join(self, timeout: float) -> None:
        """Wait for the threads to end."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        waits = iter(RECONNECT_SECONDS)
        try:
            while not self._cancelled.is_set():
                try:
                    self._run()
                except (ConnectionFailed, ConnectionLost):
                    wait = next(waits, None)
                    if wait is None:
                        raise
                    self._cancelled.wait(wait)
                else:
                    break
        except (OperationCancelled, JobNotFound):
            pass  # by `cancel`; or the job was removed: nothing is left to do
        except Exception as error:  # noqa: BLE001 - told to whoever waits for the job
            self.error = error

    def _run(self) -> None:
        session = Session(self._connection)
        try:
            with self._lock:
                self._sessions.add(session)
            if not self._cancelled.is_set():
                jobs.run_worker(session, self.job_id)
        finally:
            with self._lock:
                self._sessions.discard(session)
            session.close()


_ALL: weakref.WeakSet[ClientWorkers] = weakref.WeakSet()


def _leave() -> None:
    """Tell of jobs that this process leaves, and stop what the server runs for them."""
    for workers in list(_ALL):
        if workers.alive and not workers.cancelled:
            workers.cancel()
            warnings.warn(
                f"Job {workers.job_id} is interrupted, since threads of this process work for it. "
                "Wait for it (job.wait()), resume it later (job.resume()), or submit it with "
                "detached=True.",
                JobInterruptedWarning,
                stacklevel=1,
            )
        workers.join(1.0)


atexit.register(_leave)
