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
import operator
import signal
import threading
from collections.abc import Iterable
from concurrent.futures import BrokenExecutor
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from typing import Any

from sqlexec.contexts.joblib_pool.apart import run_apart, this_process
from sqlexec.contexts.joblib_pool.calls import Call, Life, ended_by_others, tells_death, tells_end
from sqlexec.contexts.joblib_pool.turns import HERE, Turns
from sqlexec.contexts.processes import import_joblib, process_died
from sqlexec.errors import ConfigurationError, OperationCancelled, SqlExecError


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
        joblib = import_joblib()
        # Asked for one, joblib's own backends would stay in this process.
        self._parallel = joblib.Parallel(n_jobs=max(2, workers), backend=backend)
        self._backend = backend
        self._workers = workers
        self._is_loky = isinstance(backend, joblib.parallel.LokyBackend)
        self._turns = HERE.turns_of_loky if self._is_loky else Turns()
        self._lock = threading.Lock()  # of those who start it and submit to it
        self._stopped = False
        self._opened = contextlib.ExitStack()  # what the end of a life closes
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
            A process ended meanwhile; `shared` tells that it may have been another call's.
        """
        with self._turns.alone() if alone else self._turns.together():
            call = self._submit(message)
            try:
                return call.result()
            except SqlExecError:
                raise
            except Exception as error:
                name = type(self._backend).__name__
                if not tells_death(error):
                    raise SqlExecError(
                        f"joblib's {name} could not run a call: {type(error).__name__}: {error}. "
                        "Its processes need this very Python, and sqlexec."
                    ) from error
                died = process_died(error, f"A process of joblib's {name} ended in a call.")
                died.shared = not (alone or self._workers == 1) or ended_by_others(error)
                raise died from None
            finally:
                call.life.end_call(call)

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

    def _submit(self, message: tuple[Any, ...]) -> Call:
        with self._lock:
            try:
                return self._hand_over(message)
            except Exception as error:
                if not tells_end(error):
                    raise
                self._begin_again()  # it broke by other calls, or while nobody used it
                return self._hand_over(message)

    def _hand_over(self, message: tuple[Any, ...]) -> Call:
        from joblib.parallel import BatchedCalls

        call = self._life.begin_call()
        if self._stopped:  # perhaps too late for `cancel` to see this call
            raise OperationCancelled("The job was cancelled.")
        backend = self._backend
        items: list[Any] = [(run_apart, (this_process(), *message), {})]
        submit = getattr(backend, "submit", None) or backend.apply_async  # before joblib 1.5
        batch = BatchedCalls(items, backend.get_nested_backend())
        if backend.supports_retrieve_callback:
            done = functools.partial(call.receive, backend.retrieve_result_callback)
            call.job = submit(batch, callback=done)
            if hasattr(call.job, "add_done_callback"):  # dask's tells of failures only so
                call.job.add_done_callback(call.receive_failure)
        else:
            call.job = submit(batch)
            retrieve = getattr(backend, "retrieve_result", operator.methodcaller("get"))  # as above
            wait = functools.partial(call.receive, retrieve, call.job)
            threading.Thread(target=wait, name="sqlexec result", daemon=True).start()
        return call

    # --- its lives --------------------------------------------------------------------------

    def _begin(self) -> Life:
        backend, parallel = self._backend, self._parallel
        with HERE.starting:
            before = set(multiprocessing.active_children())
            # As joblib.Parallel would, so that loky's processes serve calls of both.
            self._opened.enter_context(parallel)
            started = set(multiprocessing.active_children()) - before
        stays = getattr(backend, "supports_sharedmem", False)  # in threads, or in this very one
        if stays or parallel._backend is not backend:  # joblib has no public word for that
            self._opened.close()
            raise NoProcesses(
                f"RxForeachDoPar: joblib's {type(backend).__name__} has no processes here, and "
                "would call the function in this one: nothing could stop it after "
                "execution_timeout_seconds."
            )
        backend.start_call()
        life = Life()
        self._opened.callback(backend.stop_call)
        self._opened.callback(self._abort, life)
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
        self._life.end(BrokenExecutor("Another pool takes its place."))
        self._opened.close()

    def _abort(self, life: Life) -> None:
        if life.lost:
            if self._is_loky:
                life.wait_until_dealt()
            self._backend.abort_everything(ensure_ready=False)


def _watch(life: Life, processes: Iterable[BaseProcess]) -> None:
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
