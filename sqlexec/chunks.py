"""Chunks: the tasks of one call, where they come from, and how many they should be."""

from __future__ import annotations

import itertools
import math
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from sqlexec.tasks import Call, Task

SHORTEST_CHUNK_SECONDS = 0.1  # what a chunk of short tasks should last
LAUNCHES_PER_CHUNK = 10  # ... and at least so many times what its launch costs
LAUNCHES_WORTH = 8  # how many launches a chunk should last before the rest is dealt in halves
SHORTEST_TASK_SECONDS = 1e-6  # no clock tells less
GROWTH = 300  # how many times larger than those before a chunk may be: a share after the first
FIRST_SECONDS = 0.04  # that the first chunks may take, where workers keep to a budget
FIRST_SHARE = 200  # else: how small a part of a worker's share of all tasks it has to learn from
MOST_BYTES = 1 << 26  # that the tasks of a chunk and their results should have
MOST_TASKS = 100_000  # in one chunk, where the number of tasks is unknown


@dataclass(slots=True, eq=False)
class Chunk:
    """Tasks for one call.

    Parameters
    ----------
    tasks : sequence of Task
        At least one.
    call : Call
        The record of the call; the worker writes bytes and number into it.
    failures : int
        How many calls of these tasks failed in a row for a reason that may pass.
    error : Exception or None
        What the call before this one failed of.
    suspect : bool
        A single task that may end its process: what it writes should leave the process at once.
    interrupted : bool
        The call was cancelled for the sake of one of its tasks.
    budget : float or None
        Seconds after which no further task of it begins; those that did not are dealt again.
    """

    tasks: Sequence[Task]
    call: Call = field(default_factory=Call)
    failures: int = 0
    error: Exception | None = None
    suspect: bool = False
    interrupted: bool = False
    budget: float | None = None

    def __len__(self) -> int:
        return len(self.tasks)

    def again(
        self, error: Exception | None, tasks: Sequence[Task] | None = None, *, failures: int = 0
    ) -> Chunk:
        """The chunk for the next call of these tasks, or of some of them."""
        call = Call(attempt=self.call.attempt + 1, earlier=self.call)
        return Chunk(tasks or self.tasks, call, failures, error, self.suspect, budget=self.budget)


class Source:
    """The tasks that nobody has taken yet."""

    def __init__(
        self,
        tasks: Sequence[Task] | Iterable[Task | None],
        group: Callable[[Task], Hashable] | None = None,
    ) -> None:
        self._group = group
        self._known: deque[Sequence[Task]] = deque()  # not empty each, and not run
        self._unread: Iterator[Task | None] | None = None  # None when it has ended
        if isinstance(tasks, Sequence):
            self.put_back(tasks)
        else:
            self._unread = iter(tasks)

    @property
    def ended(self) -> bool:
        """Whether there will be no more."""
        return self._unread is None and not self._known

    def put_back(self, tasks: Sequence[Task]) -> None:
        """Take tasks back that were not run."""
        if tasks:
            self._known.append(tasks)

    def take(self, size: int, seconds: float = math.inf) -> Sequence[Task]:
        """Some tasks, at most so many; none at the end, or where there are none for now.

        Those that are read after so many seconds wait for no more of them.
        """
        tasks = self._known.popleft() if self._known else self._read(size, seconds)
        size = min(size, self._alike(tasks))
        if size < len(tasks):
            self._known.appendleft(tasks[size:])
        return tasks[:size]

    def _alike(self, tasks: Sequence[Task]) -> int:
        """How many of the tasks may share a chunk with the first."""
        if self._group is None:
            return len(tasks)
        groups = itertools.groupby(tasks, self._group)
        return sum(1 for _ in next(groups, (None, ()))[1])

    def _read(self, size: int, seconds: float) -> Sequence[Task]:
        """Tasks that were never read, up to the first None."""
        tasks: list[Task] = []
        end = time.monotonic() + seconds
        for task in itertools.islice(self._unread or (), size):
            if task is None:
                return tasks
            tasks.append(task)
            if time.monotonic() > end:
                return tasks
        if len(tasks) < size:
            self._unread = None
        return tasks


class ChunkSizer:
    """Guided chunk sizes from what the calls so far took.

    A call of n tasks takes launch + n x task.  A chunk should be long enough that its launch
    matters little, and yet leave enough tasks for the other workers to end at the same time:
    half of a worker's fair share of what is left (guided self-scheduling, Polychronopoulos and
    Kuck 1987), or the whole share where that is worth few launches, and never so few tasks that
    their launch takes longer than they do.  Until a call of some size was measured, chunks grow
    step by step, since one short task tells little; or they are whole shares with a budget of
    time, where the workers keep to one.

    Example
    -------
    >>> sizer = ChunkSizer(workers=2)
    >>> sizer.size(remaining=10_000), sizer.size(remaining=100)
    (25, 1)
    >>> sizer.learn(tasks=1, task_seconds=0.001, call_seconds=0.011)
    >>> sizer.size(remaining=10_000), sizer.size(remaining=100), sizer.size(remaining=8)
    (100, 40, 8)
    """

    def __init__(self, workers: int, fixed: int | None = None, budget: float | None = None) -> None:
        self._workers = workers
        self._fixed = fixed
        self._budget = budget
        self._launch = math.inf  # seconds; the least that was seen
        self._largest = 0  # chunk that was measured
        self._tasks = 0.0  # of recent calls, and
        self._seconds = 0.0  # the seconds in which they were done
        self._bytes = 0.0  # what they and their results had

    def learn(
        self, tasks: int, task_seconds: float, call_seconds: float, task_bytes: int = 0
    ) -> None:
        """Take one call's measures.

        Parameters
        ----------
        tasks : int
            How many tasks it had.
        task_seconds : float
            From the start of its first task to the end of its last, by the server's clock.
        call_seconds : float
            The whole call, by ours.
        task_bytes : int
            What went there for these tasks alone, and came back.
        """
        if tasks:
            self._largest = max(self._largest, tasks)
            self._launch = min(self._launch, max(0.0, call_seconds - task_seconds))
            # Later calls count for more than earlier ones, since tasks may grow.
            self._tasks = self._tasks / 2 + tasks
            self._seconds = self._seconds / 2 + max(0.0, task_seconds)
            self._bytes = self._bytes / 2 + max(0, task_bytes)

    @property
    def budget(self) -> float | None:
        """Seconds that the next chunk may take; None for any number."""
        return None if self._tasks or self._fixed is not None else self._budget

    @property
    def reading(self) -> float:
        """Seconds of reading after which a chunk is dealt as it is: what its launch costs."""
        if self._fixed is not None:
            return math.inf
        return max(SHORTEST_CHUNK_SECONDS, self._launch if self._tasks else 0.0)

    def size(self, remaining: int | None, running: int = 0) -> int:
        """How many tasks the next chunk should have.

        Parameters
        ----------
        remaining : int or None
            Tasks that no worker has yet; None if nobody knows.
        running : int
            Tasks that other workers have: a share is fair where all end at the same time.
        """
        most = MOST_TASKS if remaining is None else remaining
        if self._fixed is not None:
            return min(self._fixed, most)
        if not self._tasks:
            share = 1 if remaining is None else (remaining + running) / self._workers
            first = round(share / FIRST_SHARE) if self._budget is None else math.ceil(share)
            return min(max(1, first), most)
        task = max(self._seconds / self._tasks, SHORTEST_TASK_SECONDS)
        wanted = max(SHORTEST_CHUNK_SECONDS, LAUNCHES_PER_CHUNK * self._launch) / task
        if self._bytes:
            most = min(most, max(1, int(MOST_BYTES * self._tasks / self._bytes)))
        if remaining is not None:
            share = (remaining + running) / self._workers
            launch = self._launch / task  # in tasks
            wanted = min(wanted, max(share / 2, min(share, LAUNCHES_WORTH * launch), launch))
        return min(max(1, math.ceil(wanted)), self._largest * GROWTH, most)
