"""What joblib asks of a backend, answered by an executor.

joblib.Parallel --batches of calls--> SqlServerBackend --SqlServerExecutor--> external scripts
"""

from __future__ import annotations

import functools
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from joblib.parallel import AutoBatchingMixin, ParallelBackendBase, SequentialBackend

from sqlexec.contexts.base import RxComputeContext
from sqlexec.errors import ConfigurationError, RemoteTraceback
from sqlexec.runner.calls import call_beside
from sqlexec.rx.executor import SqlServerExecutor, executor_context

LOOKAHEAD = 16  # calls a worker that joblib hands over early, so that they can share a script


class SqlServerBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]
    """Hands joblib's batches to an executor, one for each joblib.Parallel; see `register_joblib`.

    Parameters
    ----------
    compute_context : RxInSqlServer or RxLocalParallel, or an alias, optional
        Where to run; by default the active context.
    **options
        Of joblib itself.
    """

    default_n_jobs = -1
    supports_retrieve_callback = True

    def __init__(
        self, compute_context: RxComputeContext | str | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self._context = executor_context(compute_context)
        self._executor: SqlServerExecutor | None = None
        self._workers = 1
        self._done = threading.local()  # the batch that joblib is being told of

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """How many calls run at a time; during a joblib.Parallel how many it hands over early."""
        if n_jobs == 0:
            raise ConfigurationError("n_jobs=0 has no meaning; -1 is the context's num_tasks")
        workers = self._context.workers if n_jobs is None or n_jobs < 0 else n_jobs
        return workers if self._executor is None else workers * LOOKAHEAD

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_: Any) -> int:
        """Get ready for one joblib.Parallel."""
        self._end(cancel=False)
        self.parallel = parallel
        self._workers = self.effective_n_jobs(n_jobs)
        self._executor = SqlServerExecutor(self._context.replace(num_tasks=self._workers))
        return self.effective_n_jobs(n_jobs)

    def submit(self, func: Any, callback: Any = None) -> Future[Any]:
        """Let a batch run."""
        assert self._executor is not None, "joblib calls configure first"
        # Not the batch itself, which is joblib's, and would have it loaded there.
        future = self._executor.submit(call_beside, func.items, self._workers)
        if callback is not None:
            future.add_done_callback(functools.partial(self._complete, callback))
        return future

    def _complete(self, callback: Callable[[Future[Any]], None], future: Future[Any]) -> None:
        self._done.seconds = getattr(future, "seconds", None)
        callback(future)

    def batch_completed(self, batch_size: int, duration: float) -> None:
        """Learn from a batch; not of the time that it waited for its turn."""
        super().batch_completed(batch_size, self._done.seconds or duration)

    apply_async = submit  # its name before joblib 1.5

    def retrieve_result_callback(self, out: Future[Any]) -> Any:
        """The results of a batch that is done."""
        error = out.exception()
        if error is not None:  # joblib takes its traceback away
            error.__cause__ = RemoteTraceback("".join(traceback.format_exception(error)))
        return out.result()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Cancel what runs."""
        self._end(cancel=True)
        if ensure_ready:
            self.configure(self.parallel.n_jobs, self.parallel)

    def terminate(self) -> None:
        """The joblib.Parallel is done."""
        self._end(cancel=False)
        self.reset_batch_stats()

    def get_nested_backend(self) -> tuple[Any, int | None]:
        """Calls of joblib inside of a batch: one after the other in its process."""
        return SequentialBackend(nesting_level=(self.nesting_level or 0) + 1), None

    def _end(self, *, cancel: bool) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=cancel)
            self._executor = None
