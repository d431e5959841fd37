"""What all workers of a plan share, wherever they run it: packed function, data source, tasks.

plan --Job--> tasks, group --scheduler--> chunk --pack--> payload
        `- data source, beside the payload            result --unpack--> outcomes
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from sqlexec.chunks import FIRST_SECONDS, Chunk
from sqlexec.data.sources import RxSqlServerData
from sqlexec.errors import ConfigurationError, ServerError
from sqlexec.payload import Packer, Reply, unpack
from sqlexec.plan import Plan
from sqlexec.runner.batch import is_plain
from sqlexec.tasks import Outcome, Outcomes, Task, indexes_of


class Job:
    """A plan made ready for the runner.

    Parameters
    ----------
    plan : Plan
    runtime : mapping, optional
        What the other side's Python is, where that is known.

    Raises
    ------
    ConfigurationError
        A run has two data sources, or one that cannot be read.
    PackError
        The function or a shared argument cannot be sent.
    """

    def __init__(self, plan: Plan, runtime: Mapping[str, Any] | None = None) -> None:
        self.tasks: Sequence[Task] | Iterable[Task]
        if isinstance(plan.tasks, Sequence):
            self.tasks, first = plan.tasks, plan.tasks[:1]
        else:
            unread = iter(plan.tasks)
            first = list(itertools.islice(unread, 1))
            self.tasks = itertools.chain(first, unread)
        light = all(is_plain(value) for task in first for value in task.arguments.values())
        self.budget = FIRST_SECONDS if light else None  # of the first chunks
        name, source = _input_of(plan.shared, first)
        self._input_argument = name
        self._shared_source = source if name in plan.shared else None  # else each task has its own
        if self._shared_source is not None:
            self.check(self._shared_source)
        elif source is not None:
            for task in plan.tasks if isinstance(plan.tasks, Sequence) else first:
                self._own_source(task)
        self.packer = Packer(
            plan.function,
            {each: value for each, value in plan.shared.items() if each != name},
            local_state=plan.local_state,
            packages=plan.packages,
            seed=plan.seed,
            task_timeout=plan.task_timeout,
            input_argument=name,
            input_options=source.options if source is not None else None,
            runtime=runtime,
        )

    def check(self, source: RxSqlServerData) -> None:
        """Raise ConfigurationError where the job's context cannot read this data source."""

    @property
    def group(self) -> Callable[[Task], Hashable] | None:
        """Tasks share a chunk only where this gives equal values; None where all may."""
        if self._input_argument is None or self._shared_source is not None:
            return None

        def place(task: Task) -> Hashable:
            source = self._own_source(task)
            return source.connection_string, source.query

        return place

    def source(self, tasks: Sequence[Task]) -> RxSqlServerData | None:
        """The data source whose rows the tasks of a chunk get."""
        if self._input_argument is None:
            return None
        return self._shared_source or self._own_source(tasks[0])

    def pack(
        self,
        tasks: Sequence[Task],
        runtime: Mapping[str, Any] | None = None,
        way_out: str = "output",
        *,
        suspect: bool = False,
        budget: float | None = None,
        overtime: float = 0.0,
    ) -> bytes:
        """The payload of a chunk, without the data source; see `Packer.chunk`."""
        sent = self._sent(tasks)
        return self.packer.chunk(
            sent, runtime, way_out, suspect=suspect, budget=budget, overtime=overtime
        )

    def pack_all(
        self, chunks: Sequence[Sequence[Task]], runtime: Mapping[str, Any], way_out: str
    ) -> tuple[bytes, list[bytes]]:
        """What all chunks share, and the payload of each; see `Packer.job`."""
        return self.packer.job([self._sent(tasks) for tasks in chunks], runtime, way_out)

    def unpack(self, result: bytes | memoryview, tasks: Sequence[Task]) -> Reply:
        """Verify and decode what came back for these tasks; see `payload.unpack`."""
        return unpack(result, self.packer.key, self.packer.original, indexes_of(tasks))

    def query_failed(self, error: ServerError, chunk: Chunk) -> Outcomes:
        """What tasks give whose own query failed; raises the error where it is of another kind."""
        if type(error) is not ServerError or not error.query or self._shared_source is not None:
            raise error
        chunk.call.status = type(error).__name__
        return Outcomes.of([Outcome(task.index, error=copy.copy(error)) for task in chunk.tasks])

    def _sent(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """The tasks without their data sources, whose queries travel beside the payload."""
        if self._input_argument is None or self._shared_source is not None:
            return tasks
        return [self._without_source(task) for task in tasks]

    def _own_source(self, task: Task) -> RxSqlServerData:
        source = task.arguments.get(str(self._input_argument))
        if not isinstance(source, RxSqlServerData):
            raise ConfigurationError(
                f"Run {task.index} has no data source as its argument {self._input_argument!r}, "
                "but run 0 has one: all runs or none"
            )
        self.check(source)
        return source

    def _without_source(self, task: Task) -> Task:
        arguments = dict(task.arguments)
        del arguments[str(self._input_argument)]
        return Task(task.index, arguments)


def _input_of(
    shared: Mapping[str, object], first: Sequence[Task]
) -> tuple[str | None, RxSqlServerData | None]:
    """The one argument that is a data source, and that of the first run."""
    arguments: dict[str, object] = dict(shared)
    for task in first:
        arguments.update(task.arguments)
    found = [
        (name, value) for name, value in arguments.items() if isinstance(value, RxSqlServerData)
    ]
    if len(found) > 1:
        raise ConfigurationError(
            f"A run takes one data source, since an external script has one input query; here are "
            f"{', '.join(name for name, _ in found)}. JOIN or UNION them in one sql_query."
        )
    return found[0] if found else (None, None)
