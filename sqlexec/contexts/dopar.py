"""RxForeachDoPar: runs wherever a backend of joblib puts them: loky, multiprocessing, dask."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from sqlexec import scheduler
from sqlexec.chunks import Chunk
from sqlexec.contexts.base import ConsoleOutput, RxComputeContext, check_console_output
from sqlexec.contexts.joblib_pool.pool import JoblibPool, NoProcesses
from sqlexec.contexts.local import RxLocalSeq
from sqlexec.contexts.processes import LocalJob, call_suspect, import_joblib
from sqlexec.errors import ConfigurationError, ProcessDied
from sqlexec.options import package_names, task_timeout
from sqlexec.plan import Plan
from sqlexec.public import public
from sqlexec.tasks import Outcomes


@public
@dataclasses.dataclass(frozen=True)
class RxForeachDoPar(RxComputeContext):
    """Runs functions by a backend of joblib, R's `foreach` and `%dopar%` in Python's words.

    Chunks, copies of arguments, console, seeds, errors, retries and time limits are as in
    RxInSqlServer; joblib's backend starts the processes.  Where joblib would not leave the
    calling process (its backend "sequential", or in a process that may have no children), neither
    does this: then it is as RxLocalSeq.

    Parameters
    ----------
    backend : str, optional
        Name under which the backend is registered in joblib; by default the one of the active
        `joblib.parallel_config`, or loky.  One of threads is refused: threads share their
        console, globals and random streams.
    num_tasks : int, default 0
        The most processes at a time; 0 for what `joblib.parallel_config` says, or all cores.
    console_output : bool, "prefix", "log" or callable, optional
        Print what the function printed, when the chunk that ran it ends.  Default: no.
        For the other ways to show it see rx_exec.
    execution_timeout_seconds : int, optional
        For a whole job; None or 0 for no limit.
    packages_to_load : list of str, optional
        Modules to import in each process before each job.
    task_timeout_seconds : float, optional
        For a single run, which then ends with a `TaskTimeout`; None or 0 for no limit.
    max_attempts : int, default 3
        How often a run is tried whose process died, until it is to blame; 1 for never twice.

    Notes
    -----
    joblib's calls share their processes.  When one dies, the calls that were under way are tried
    again, one at a time, so that the killer is found; with max_attempts=1 all of them end with a
    TaskCrashed.  joblib cannot stop one call: there is no SqlServerExecutor over this context.

    A job that is stopped ends the processes of loky and multiprocessing.  Those of loky serve all
    of this process: other jobs of this context begin again what ran there, calls of joblib.Parallel
    fail.  dask stops nothing that runs: the job ends here, and its runs go on there until they
    return, or until task_timeout_seconds.

    Example
    -------
    >>> with joblib.parallel_config("dask"):                        # doctest: +SKIP
    ...     rx_exec(f, x=[1, 2, 3], compute_context=RxForeachDoPar())
    """

    description: ClassVar[str] = "dopar"

    backend: str | None = None
    num_tasks: int = 0
    console_output: ConsoleOutput = None
    execution_timeout_seconds: int | None = None
    packages_to_load: Sequence[str] | str | None = None
    task_timeout_seconds: float | None = None
    max_attempts: int = scheduler.MAX_ATTEMPTS

    def __post_init__(self) -> None:
        self._set_whole_number("num_tasks")
        self._set_whole_number("execution_timeout_seconds", optional=True)
        self._set_whole_number("max_attempts", least=1)
        task_timeout(self.task_timeout_seconds)
        check_console_output(self.console_output)
        object.__setattr__(self, "packages_to_load", package_names(self.packages_to_load))

    def carry_out(self, plan: Plan) -> Iterator[Outcomes]:
        """Run the tasks of a plan by joblib; see RxComputeContext.

        Raises
        ------
        ConfigurationError
            joblib has no such backend, it is one of threads, or one without processes, though
            there is an execution_timeout_seconds.
        DependencyMissing
            joblib is not installed.
        PackError
            The function or a shared argument cannot be sent.
        """
        backend, workers = self._find_backend(import_joblib())
        return self._outcomes(plan, backend, workers)

    def _find_backend(self, joblib: Any) -> tuple[Any, int]:
        """joblib's backend, and how many calls shall run there at the same time."""
        named = {} if self.backend is None else {"backend": self.backend}
        try:
            with joblib.parallel_config(**named):
                backend, number = joblib.parallel.get_active_backend()
        except (ValueError, ImportError) as error:
            raise ConfigurationError(f"RxForeachDoPar: {error}") from None
        wanted = self.num_tasks or number or -1
        workers = max(1, backend.effective_n_jobs(wanted))
        if getattr(backend, "supports_sharedmem", False) and workers > 1:
            raise ConfigurationError(
                f"RxForeachDoPar: the joblib backend {type(backend).__name__} runs threads, which "
                "share their console, globals and random streams. Take one with processes."
            )
        return backend, min(workers, wanted) if wanted > 0 else workers

    def _outcomes(self, plan: Plan, backend: Any, workers: int) -> Iterator[Outcomes]:
        try:
            pool = JoblibPool(backend, workers)
        except NoProcesses:
            if self.execution_timeout_seconds:
                raise  # nothing could keep it
            yield from RxLocalSeq().carry_out(plan)
            return
        try:
            job = LocalJob(plan)
            yield from scheduler.run(
                job.tasks,
                lambda: _Worker(job, pool),
                workers=workers,
                count=plan.count,
                chunk_size=plan.chunk_size,
                group=job.group,
                timeout=self.execution_timeout_seconds,
                max_attempts=self.max_attempts,
                budget=job.budget,
            )
        finally:
            pool.close()


class _Worker:
    """Has chunks of a job run by a pool; what the scheduler calls a worker."""

    def __init__(self, job: LocalJob, pool: JoblibPool) -> None:
        self._job = job
        self._pool = pool

    def call(self, chunk: Chunk) -> Outcomes:
        """Send a chunk, wait, and decode its outcomes."""
        message = self._job.message(chunk.tasks, suspect=chunk.suspect, budget=chunk.budget)
        # Of calls that shared a dead process each may be its killer.
        call = functools.partial(self._pool.call, alone=isinstance(chunk.error, ProcessDied))
        if chunk.suspect:
            call = functools.partial(call_suspect, call)
        return self._job.outcomes(call, message, chunk)

    def cancel(self) -> None:
        """Stop all calls: joblib cannot stop one of them."""
        self._pool.cancel()

    def close(self) -> None:
        """Nothing: the pool is everybody's."""
