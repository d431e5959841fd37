"""RxLocalParallel: runs in processes of this machine, through the same code as in the server."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import ClassVar

from sqlexec import scheduler
from sqlexec.contexts.base import (
    ConsoleOutput,
    RxComputeContext,
    check_console_output,
    offer_to_joblib,
)
from sqlexec.contexts.processes import LocalJob, LocalWorker, import_joblib
from sqlexec.crew import Handle
from sqlexec.options import package_names, task_timeout
from sqlexec.plan import Plan
from sqlexec.public import public
from sqlexec.tasks import Outcomes


@public
@dataclasses.dataclass(frozen=True)
class RxLocalParallel(RxComputeContext):
    """Runs functions in up to `num_tasks` processes of this machine at a time (loky's).

    What a function finds there is what it finds in RxInSqlServer: copies of its arguments, its
    globals and `local_state`, the stand-in for revoscalepy, the rows of its data source.

    Parameters
    ----------
    num_tasks : int, default 0
        The most processes at a time; 0 for as many as this process may use cores.
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

    Example
    -------
    >>> rx_exec(f, x=[1, 2, 3], compute_context=RxLocalParallel(2))   # doctest: +SKIP
    """

    description: ClassVar[str] = "localpar"

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
        offer_to_joblib()

    @property
    def workers(self) -> int:
        """The most processes at a time."""
        return self.num_tasks or int(import_joblib().cpu_count())

    def carry_out(self, plan: Plan, handle: Handle | None = None) -> Iterator[Outcomes]:
        """Run the tasks of a plan in processes; see RxComputeContext.

        With a handle, other threads can cancel single tasks.

        Raises
        ------
        DependencyMissing
            joblib is not installed.
        PackError
            The function or a shared argument cannot be sent.
        """
        job = LocalJob(plan)
        return scheduler.run(
            job.tasks,
            lambda: LocalWorker(job),
            workers=self.workers,
            count=plan.count,
            chunk_size=plan.chunk_size,
            group=job.group,
            timeout=self.execution_timeout_seconds,
            max_attempts=self.max_attempts,
            handle=handle,
            budget=job.budget,
        )
