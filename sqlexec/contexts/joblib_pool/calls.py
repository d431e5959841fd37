"""Calls that a backend of joblib's runs, and the lives of its pool: what dies with it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Future, InvalidStateError
from typing import Any

# What backends raise of a call whose process died, besides a BrokenExecutor: dask, ray.
_DEATHS = {"KilledWorker", "RayActorError", "WorkerCrashedError"}
_DEALT_SECONDS = 1.0  # that loky may take at most


class Life:
    """A pool from its start until it breaks or is stopped.

    Attributes
    ----------
    lost : tuple of Call
        Those that were under way when it ended.
    """

    def __init__(self) -> None:
        self.lost: tuple[Call, ...] = ()
        self._calls: set[Call] = set()
        self._error: Exception | None = None  # that ended it
        self._lock = threading.Lock()

    def begin_call(self) -> Call:
        """A new call; raises what ended this life."""
        with self._lock:
            if self._error is not None:
                raise self._error
            call = Call(self)
            self._calls.add(call)
        return call

    def end_call(self, call: Call) -> None:
        """Its result or its exception was taken."""
        with self._lock:
            self._calls.discard(call)

    def end(self, error: Exception) -> None:
        """Let the calls that are under way fail, and others not begin; only the first counts."""
        with self._lock:
            if self._error is not None:
                return
            self._error = error
            self.lost = tuple(self._calls)
        for call in self.lost:
            call.settle(error=error)

    def wait_until_dealt(self) -> None:
        """Let loky hand its calls to processes: a shutdown before that makes it stumble."""
        deadline = time.monotonic() + _DEALT_SECONDS
        for call in self.lost:
            while not (call.dealt or time.monotonic() > deadline):
                time.sleep(0.001)


class Call(Future[bytes]):
    """One call in a life of a pool; `job` is what the backend gave for it."""

    def __init__(self, life: Life) -> None:
        super().__init__()
        self.life = life
        self.job: Any = None

    @property
    def dealt(self) -> bool:
        """Whether loky has handed it to a process, or will not do so."""
        return self.job is None or bool(self.job.running() or self.job.done())

    def receive(self, retrieve: Callable[[Any], list[bytes]], out: Any) -> None:
        """Take what `retrieve` gives of the backend's answer, or raises."""
        try:
            if isinstance(out, Future):  # loky's, of whose exceptions joblib changes some
                retrieve = Future.result
            (result,) = retrieve(out)
        except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
            if tells_end(error):
                self.life.end(error)
            self.settle(error=error)
        else:
            self.settle(result)

    def receive_failure(self, job: Any) -> None:
        """Take the exception of a job that has one."""
        if job.cancelled():
            self.settle(error=CancelledError("The backend cancelled the call."))
        elif job.exception() is not None:
            self.receive(Future.result, job)

    def settle(self, result: bytes = b"", error: Exception | None = None) -> None:
        """Set the result or the exception, unless it has one already."""
        with contextlib.suppress(InvalidStateError):
            if error is None:
                self.set_result(result)
            else:
                self.set_exception(error)


def ended_by_others(error: Exception) -> bool:
    """Whether somebody else has ended the pool that this call shared with them."""
    return any(kind.__name__ == "ShutdownExecutorError" for kind in type(error).__mro__)  # loky's


def tells_end(error: Exception) -> bool:
    """Whether a backend says so that its pool is no more, and all calls with it."""
    return isinstance(error, BrokenExecutor) or ended_by_others(error)


def tells_death(error: Exception) -> bool:
    """Whether a backend says so that the process of a call is no more."""
    return tells_end(error) or any(kind.__name__ in _DEATHS for kind in type(error).__mro__)
