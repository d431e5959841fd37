"""A backend of joblib's as a pool that outlives its processes.

call --(together, or one alone)--> backend.submit --> run_apart, elsewhere
  result <--callback of the backend-------------------- |
  ProcessDied <--all calls of this life-- a process ends
                 and the next call begins another life

joblib.Parallel ends at the first process that dies, and does not notice it at all in a pool of
multiprocessing's.  So this takes its place: it asks of a backend what joblib.Parallel does, by the
interface that joblib documents for authors of backends (`joblib.parallel.ParallelBackendBase`).
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Future, InvalidStateError
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from typing import Any

from sqlexec.contexts.apart import run_apart, this_process
from sqlexec.contexts.processes import import_joblib, process_died
from sqlexec.errors import ConfigurationError, OperationCancelled, SqlExecError

# What backends raise of a call whose process died, besides a BrokenExecutor: dask, ray.
_DEATHS = {"KilledWorker", "RayActorError", "WorkerCrashedError"}
_STARTING = threading.Lock()  # so that each pool knows which processes are its own


class NoProcesses(ConfigurationError):
    """joblib would call functions in the calling process."""


class JoblibPool:
    """Runs chunks by a backend of joblib's.

    Parameters
    ----------
    backend : joblib.parallel.ParallelBackendBase
    workers : int
        How many processes to ask it for.

    Raises
    ------
    NoProcesses
        It has none here: it is told to, or this process may start none.
    """

    def __init__(self, backend: Any, workers: int) -> None:
        # Asked for one, joblib's own backends would stay in this process.
        self._parallel = import_joblib().Parallel(n_jobs=max(2, workers), backend=backend)
        self._backend = backend
        self._turns = _Turns()
        self._lock = threading.Lock()  # of those who start it and submit to it
        self._stopped = False
        self._open = False
        self._life = self._begin()

    def call(self, *message: Any, alone: bool = False) -> bytes:
        """Run a chunk, see `run_chunk_here`, and wait for its result.

        Parameters
        ----------
        *message
        alone : bool
            Run no other call meanwhile, so that it is this one where a process dies.

        Raises
        ------
        OperationCancelled
            `cancel` was called meanwhile.
        ProcessDied
            A process ended meanwhile; `shared` tells that it may be another call's.
        """
        with self._turns.alone() if alone else self._turns.together():
            call = self._submit(message)
            try:
                return call.result()
            except SqlExecError:
                raise
            except Exception as error:
                name = type(self._backend).__name__
                if not _tells_death(error):
                    raise SqlExecError(
                        f"joblib's {name} could not run a call: {type(error).__name__}: {error}. "
                        "Its processes need this very Python, and sqlexec."
                    ) from error
                died = process_died(error, f"A process of joblib's {name} ended in a call.")
                died.shared = call.life.company > 1
                raise died from None
            finally:
                call.life.calls.discard(call)

    def cancel(self) -> None:
        """Let all calls end, also later ones; from any thread."""
        self._stopped = True
        self._life.end(OperationCancelled("The call was cancelled from this side."))

    def close(self) -> None:
        """Release the backend; what still runs there is stopped, as far as it can be."""
        self.cancel()
        with self._lock:
            self._end()

    # --- submitting -----------------------------------------------------------------------

    def _submit(self, message: tuple[Any, ...]) -> _Call:
        with self._lock:
            if self._life.ended and not self._stopped:
                self._begin_again()
            try:
                return self._hand_over(message)
            except BrokenExecutor:  # it ended while nobody used it: no fault of this call
                self._begin_again()
                return self._hand_over(message)

    def _hand_over(self, message: tuple[Any, ...]) -> _Call:
        from joblib.parallel import BatchedCalls

        backend, call = self._backend, _Call(self._life)
        if self._stopped:  # perhaps too late for `cancel` to see this call
            raise OperationCancelled("The job was cancelled.")
        batch = BatchedCalls(
            [(run_apart, (this_process(), *message), {})], backend.get_nested_backend()
        )
        submit = getattr(backend, "submit", None) or backend.apply_async  # before joblib 1.5
        settle = functools.partial(_settle, call)
        if not backend.supports_retrieve_callback:
            job = submit(batch)
            wait = functools.partial(settle, backend.retrieve_result, job)
            threading.Thread(target=wait, name="sqlexec result", daemon=True).start()
            return call
        job = submit(batch, callback=functools.partial(settle, backend.retrieve_result_callback))
        if hasattr(job, "add_done_callback"):  # that of dask tells of failures by this way alone
            job.add_done_callback(functools.partial(_settle_failure, call))
        return call

    # --- its lives --------------------------------------------------------------------------

    def _begin(self) -> _Life:
        from joblib.parallel import FallbackToBackend

        with _STARTING:
            before = set(multiprocessing.active_children())
            try:
                if getattr(self._backend, "supports_sharedmem", False):  # threads, or none at all
                    raise FallbackToBackend(self._backend)
                self._backend.configure(n_jobs=self._parallel.n_jobs, parallel=self._parallel)
            except FallbackToBackend:
                raise NoProcesses(
                    f"RxForeachDoPar: joblib's {type(self._backend).__name__} has no processes "
                    "here, and would call the function in this one: nothing could stop it after "
                    "execution_timeout_seconds."
                ) from None
            started = set(multiprocessing.active_children()) - before
        self._backend.start_call()
        self._open = True
        life = _Life()
        pool = [each for each in started if "PoolWorker" in each.name]  # of multiprocessing's Pool
        if pool:
            threading.Thread(
                target=_watch, args=(life, pool), name="sqlexec watch", daemon=True
            ).start()
        return life

    def _begin_again(self) -> None:
        self._end()
        self._life = self._begin()

    def _end(self) -> None:
        if not self._open:
            return
        self._open = False
        self._life.end(BrokenExecutor("Another pool takes its place."))
        if self._life.company:
            self._backend.abort_everything(ensure_ready=False)
        self._backend.stop_call()
        self._backend.terminate()


class _Life:
    """The pool from a start until it breaks or is stopped: the calls that share its fate."""

    def __init__(self) -> None:
        self.calls: set[_Call] = set()
        self.ended = False
        self._company = 0
        self._lock = threading.Lock()

    @property
    def company(self) -> int:
        """How many calls are under way, or were when it ended."""
        return self._company if self.ended else len(self.calls)

    def end(self, error: Exception) -> None:
        """Let the calls that are under way fail; once."""
        with self._lock:
            calls = () if self.ended else tuple(self.calls)
            self._company = self._company or len(calls)
            self.ended = True
        for call in calls:
            call.settle(error=error)


class _Call(Future[bytes]):
    """One call, and the life of the pool that it is part of."""

    def __init__(self, life: _Life) -> None:
        super().__init__()
        self.life = life
        life.calls.add(self)

    def settle(self, result: bytes = b"", error: Exception | None = None) -> None:
        """Set the result or the exception, unless it has one already."""
        with contextlib.suppress(InvalidStateError):
            if error is None:
                self.set_result(result)
            else:
                self.set_exception(error)


class _Turns:
    """Lets many in at a time, or one alone; those who come later wait for it."""

    def __init__(self) -> None:
        self._door = threading.Lock()
        self._changed = threading.Condition()
        self._inside = 0

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Beside others."""
        with self._door, self._changed:
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """When those inside have left, and before others enter."""
        with self._door:
            with self._changed:
                self._changed.wait_for(lambda: not self._inside)
            yield


def _tells_death(error: Exception) -> bool:
    return isinstance(error, BrokenExecutor) or any(
        kind.__name__ in _DEATHS for kind in type(error).__mro__
    )


def _settle(call: _Call, retrieve: Callable[[Any], list[bytes]], out: Any) -> None:
    """Let a call have what `retrieve` gives or raises."""
    try:
        (result,) = retrieve(out)
    except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
        if isinstance(error, BrokenExecutor):
            call.life.end(error)
        call.settle(error=error)
    else:
        call.settle(result)


def _settle_failure(call: _Call, job: Any) -> None:
    if job.cancelled():
        call.settle(error=CancelledError("The backend cancelled the call."))
    elif job.exception() is not None:
        _settle(call, Future.result, job)


def _watch(life: _Life, processes: Iterable[BaseProcess]) -> None:
    """End a life with the first of its processes; multiprocessing would wait for ever."""
    by_sentinel = {each.sentinel: each for each in processes}
    first = by_sentinel[connection.wait(list(by_sentinel))[0]]  # type: ignore[index]
    first.join(1)  # the pool waits for it as well
    life.end(BrokenExecutor(f"A process of the pool ended: {{{_status(first.exitcode)}}}"))


def _status(code: int | None) -> str:
    """An exit code in loky's words."""
    if code is None:
        return "unknown"
    return f"EXIT({code})" if code >= 0 else f"{signal.Signals(-code).name}({code})"
