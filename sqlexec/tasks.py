"""A task and its outcome: what every part of the client passes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from sqlexec.runner.types import WarningKey


@dataclass(slots=True)
class Task:
    """One run of the function.

    Parameters
    ----------
    index : int
        Place of the run in the list of results, from 0.
    arguments : mapping
        Named arguments of this run alone; those that all runs share are not here.
    """

    index: int
    arguments: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True, frozen=True, eq=False)
class TaskColumns(Sequence[Task]):
    """Tasks whose arguments lie in columns; each Task is made when it is asked for.

    A slice of it shares the columns: thousands of tasks are dealt without being touched.

    Parameters
    ----------
    columns : mapping
        A sequence for each argument: the values of all tasks, by their indexes.
    indexes : range
        Of the tasks that are meant.

    Example
    -------
    >>> tasks = TaskColumns({"x": [1, 2, 3]}, range(3))
    >>> tasks[1:][0]
    Task(index=1, arguments={'x': 2})
    """

    columns: Mapping[str, Sequence[object]]
    indexes: range

    @overload
    def __getitem__(self, place: int) -> Task: ...
    @overload
    def __getitem__(self, place: slice) -> TaskColumns: ...
    def __getitem__(self, place: int | slice) -> Task | TaskColumns:
        if isinstance(place, slice):
            return TaskColumns(self.columns, self.indexes[place])
        index = self.indexes[place]
        return Task(index, {name: values[index] for name, values in self.columns.items()})

    def __len__(self) -> int:
        return len(self.indexes)


def indexes_of(tasks: Sequence[Task]) -> Sequence[int]:
    """The indexes of tasks, in their order."""
    return tasks.indexes if isinstance(tasks, TaskColumns) else [task.index for task in tasks]


def columns_of(tasks: Sequence[Task]) -> dict[str, list[object]]:
    """The arguments of tasks, a list for each name; empty where not all have the same names."""
    if isinstance(tasks, TaskColumns):
        meant = slice(tasks.indexes.start, tasks.indexes.stop)
        return {name: list(values[meant]) for name, values in tasks.columns.items()}
    arguments = [task.arguments for task in tasks]
    names = list(arguments[0]) if arguments else []
    if sum(map(len, arguments)) != len(names) * len(arguments):
        return {}
    try:
        return {name: [each[name] for each in arguments] for name in names}
    except KeyError:
        return {}


@dataclass(slots=True, eq=False)
class Call:
    """One call of a chunk: who made it, when, and what it moved.

    Parameters
    ----------
    worker : int
        Number of the worker, from 1.
    number : int
        Number of the call in its job, from 1.
    attempt : int
        How many calls these tasks were in, with this one.
    sent, received : float
        Seconds since the epoch, by the client's clock.
    payload_bytes, result_bytes : int
        What went there and came back; 0 where nothing was sent.
    shared_bytes : int
        Of the payload, what does not grow with the tasks.
    status : str
        "finished", or the name of the error that ended it.
    earlier : Call or None
        The failed call that it repeats.
    """

    worker: int = 0
    number: int = 0
    attempt: int = 1
    sent: float = 0.0
    received: float = 0.0
    payload_bytes: int = 0
    result_bytes: int = 0
    shared_bytes: int = 0
    status: str = "finished"
    earlier: Call | None = None


@dataclass(slots=True)
class Outcome:
    """What became of one task.

    Parameters
    ----------
    index : int
        Index of the task.
    value : object
        What the function returned, None if it raised.
    error : BaseException or None
        What it raised, with the traceback that it had where it ran.
    console : sequence of (stream, text)
        What the run wrote, in order; stream is "stdout" or "stderr".
    warnings : sequence of (category's module.name, text, file name, line, module)
        Warnings that the run issued.
    started, ended : float
        Seconds since the epoch, by the clock of the machine that ran it.
    process_id : int
        Of the process that ran it.
    runtime : mapping or None
        Of an error: what that process is, as `runner.main.runtime` tells; None if nobody knows.
    traceback : str
        Of an error: the text of its traceback, as it was there.
    call : Call or None
        The call that it came with; None where there was none.
    """

    index: int
    value: object = None
    error: BaseException | None = None
    console: Sequence[tuple[str, str]] = ()
    warnings: Sequence[WarningKey] = ()
    started: float = 0.0
    ended: float = 0.0
    process_id: int = 0
    runtime: Mapping[str, Any] | None = None
    traceback: str = ""
    call: Call | None = None

    @property
    def given(self) -> object:
        """What stands for the run in rx_exec's list: its value, or its exception."""
        return self.value if self.error is None else self.error


class Outcomes:
    """Outcomes that came together, as columns: most have a value and times, and nothing else.

    Parameters
    ----------
    indexes : sequence of int
        Of the tasks.
    given : list
        What each gave: its value, or its exception.
    started, ended : sequence of float
        As of an Outcome.
    process_id : int
        Of the process that ran them all.

    Attributes
    ----------
    told : dict of int to Outcome
        By place, those of which there is more to tell: an error, console, warnings.

    Example
    -------
    >>> outcomes = Outcomes([3, 4], ["a", "b"], [0.0, 0.5], [0.5, 0.7])
    >>> outcomes.tell(1).console = [("stdout", "hello")]
    >>> [outcome.value for outcome in outcomes], outcomes[1].console, outcomes.span
    (['a', 'b'], [('stdout', 'hello')], 0.7)
    """

    def __init__(
        self,
        indexes: Sequence[int],
        given: list[object],
        started: Sequence[float],
        ended: Sequence[float],
        process_id: int = 0,
    ) -> None:
        self.indexes = indexes
        self.given = given
        self.started = started
        self.ended = ended
        self.told: dict[int, Outcome] = {}
        self._process_id = process_id
        self._call: Call | None = None

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Outcomes:
        """Single outcomes, of each of which there may be more to tell."""
        together = cls(
            [each.index for each in outcomes],
            [each.given for each in outcomes],
            [each.started for each in outcomes],
            [each.ended for each in outcomes],
        )
        together.told = dict(enumerate(outcomes))
        return together

    def __len__(self) -> int:
        return len(self.given)

    def __getitem__(self, place: int) -> Outcome:
        return self.told.get(place) or Outcome(
            self.indexes[place],
            self.given[place],
            started=self.started[place],
            ended=self.ended[place],
            process_id=self._process_id,
            call=self._call,
        )

    def __iter__(self) -> Iterator[Outcome]:
        return map(self.__getitem__, range(len(self)))

    @property
    def span(self) -> float:
        """Seconds from the start of the first to the end of the last, on their machine."""
        return max(self.ended, default=0.0) - min(self.started, default=0.0)

    def tell(self, place: int) -> Outcome:
        """The outcome of that place, to which more can be told; errors by `fail`."""
        self.told[place] = outcome = self[place]
        return outcome

    def fail(self, place: int, error: BaseException) -> Outcome:
        """Give a task the outcome that it raised."""
        outcome = self.tell(place)
        outcome.value, outcome.error = None, error
        self.given[place] = error
        return outcome

    def came_with(self, call: Call) -> None:
        """Note the call that gave them."""
        self._call = call
        for outcome in self.told.values():
            outcome.call = call
