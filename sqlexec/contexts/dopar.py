"""RxForeachDoPar: runs wherever a backend of joblib puts them: loky, multiprocessing, dask."""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor
from time import perf_counter
from typing import Any, ClassVar

from sqlexec.chunks import ChunkSizer
from sqlexec.contexts.base import (
    ConsoleOutput,
    RxComputeContext,
    check_console_output,
)
from sqlexec.contexts.local import RxLocalSeq
from sqlexec.contexts.processes import (
    LocalJob,
    Source,
    import_joblib,
    process_died,
    run_chunk_here,
)
from sqlexec.errors import ConfigurationError, PackError
from sqlexec.options import package_names, task_timeout
from sqlexec.plan import Plan
from sqlexec.public import public
from sqlexec.tasks import Outcome, Outcomes, Task


@public
@dataclasses.dataclass(frozen=True)
class RxForeachDoPar(RxComputeContext):
    """Runs functions by a backend of joblib, R's `foreach` and `%dopar%` in Python's words.

    Chunks, copies of arguments, console, seeds and errors are as in RxInSqlServer; joblib starts
    the processes and deals the chunks to them, so that there is no time limit here.  With one
    worker joblib stays in the calling process, and so does this: as RxLocalSeq.

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
    packages_to_load : list of str, optional
        Modules to import in each process before each job.
    task_timeout_seconds : float, optional
        For a single run, which then ends with a `TaskTimeout`; None or 0 for no limit.

    Example
    -------
    >>> with joblib.parallel_config("dask"):                        # doctest: +SKIP
    ...     rx_exec(f, x=[1, 2, 3], compute_context=RxForeachDoPar())
    """

    description: ClassVar[str] = "dopar"

    backend: str | None = None
    num_tasks: int = 0
    console_output: ConsoleOutput = None
    packages_to_load: Sequence[str] | str | None = None
    task_timeout_seconds: float | None = None

    def __post_init__(self) -> None:
        self._set_whole_number("num_tasks")
        task_timeout(self.task_timeout_seconds)
        check_console_output(self.console_output)
        object.__setattr__(self, "packages_to_load", package_names(self.packages_to_load))

    def carry_out(self, plan: Plan) -> Iterator[Outcomes]:
        """Run the tasks of a plan by joblib; see RxComputeContext.

        Raises
        ------
        ConfigurationError
            joblib has no such backend, or it is one of threads.
        DependencyMissing
            joblib is not installed.
        PackError
            The function or a shared argument cannot be sent.
        """
        joblib = import_joblib()
        backend, workers = self._find_backend(joblib)
        if workers == 1:
            return RxLocalSeq().carry_out(plan)
        if getattr(backend, "supports_sharedmem", False):
            raise ConfigurationError(
                f"RxForeachDoPar: the joblib backend {type(backend).__name__} runs threads, which "
                "share their console, globals and random streams. Take one with processes."
            )
        parallel = joblib.Parallel(
            n_jobs=workers,
            backend=backend,
            batch_size=1,  # a chunk is a batch already
            return_as="generator_unordered" if backend.supports_return_generator else "list",
        )
        return _outcomes(parallel, _Chunks(plan, workers))

    def _find_backend(self, joblib: Any) -> tuple[Any, int]:
        """joblib's backend, and how many calls can run there at the same time."""
        named = {} if self.backend is None else {"backend": self.backend}
        try:
            with joblib.parallel_config(**named):
                backend, number = joblib.parallel.get_active_backend()
        except (ValueError, ImportError) as error:
            raise ConfigurationError(f"RxForeachDoPar: {error}") from None
        return backend, backend.effective_n_jobs(self.num_tasks or number or -1)


def _outcomes(parallel: Any, chunks: _Chunks) -> Iterator[Outcomes]:
    results = parallel(chunks.calls())
    try:
        for number, result, seconds in results:
            yield chunks.outcomes(number, result, seconds)
    except BrokenExecutor as error:
        raise process_died(error) from None
    finally:
        if hasattr(results, "close"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # joblib's, that it cancelled what ran
                results.close()
    yield chunks.refused()


class _Chunks:
    """The chunks of a plan, made when joblib asks for the next, and read when they are back."""

    def __init__(self, plan: Plan, workers: int) -> None:
        self._job = LocalJob(plan)
        self._sizer = ChunkSizer(workers, plan.chunk_size)
        self._remaining = plan.count
        self._under_way: dict[int, list[Task]] = {}
        self._refused: list[Outcome] = []  # of tasks whose arguments cannot be sent
        self._error: BaseException | None = None

    def calls(self) -> Iterator[Any]:
        """What joblib is to run; it asks from threads of its own, one at a time."""
        try:
            for number, tasks in enumerate(self._deal()):
                if (message := self._message(tasks)) is not None:
                    self._under_way[number] = tasks
                    yield _run, (number, *message), {}
        except Exception as error:  # noqa: BLE001 - joblib would lose it
            self._error = error

    def outcomes(self, number: int, result: bytes, seconds: float) -> Outcomes:
        """The outcomes of a chunk that took so long."""
        outcomes = self._job.unpack(result, self._under_way.pop(number)).outcomes
        self._sizer.learn(len(outcomes), outcomes.span, seconds)
        return outcomes

    def refused(self) -> Outcomes:
        """Outcomes of tasks that were not sent; raises what kept whole chunks from being sent."""
        if self._error is not None:
            raise self._error
        return Outcomes.of(self._refused)

    def _message(self, tasks: list[Task]) -> tuple[bytes, Source | None] | None:
        """What to send for these tasks; takes those out that cannot be sent."""
        while tasks:
            try:
                return self._job.message(tasks)
            except PackError as error:
                if error.run is None:
                    raise
                self._refused.append(Outcome(error.run, error=error))
                tasks[:] = [task for task in tasks if task.index != error.run]
        return None

    def _deal(self) -> Iterator[list[Task]]:
        for _, tasks in itertools.groupby(self._job.tasks, self._job.group or (lambda _: None)):
            while chunk := list(itertools.islice(tasks, self._sizer.size(self._remaining))):
                if self._remaining is not None:
                    self._remaining -= len(chunk)
                yield chunk


def _run(number: int, payload: bytes, source: Source | None) -> tuple[int, bytes, float]:
    """Run a chunk in a process of joblib's; its number tells which it was."""
    start = perf_counter()
    result = run_chunk_here(payload, source)
    return number, result, perf_counter() - start
