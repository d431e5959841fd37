"""Workers, chunks, cancelling: deals tasks to workers and hands outcomes on as they come.

    tasks --deal--> worker 1: call(chunk) --\\
      (guided       worker 2: call(chunk) ----> queue --> outcomes, as completed
       chunk size)  ...                     --/

It knows no SQL: a worker is anything with `call`, `cancel` and `close`.  Each works in a thread
of its own, so that the caller's thread stays free for callbacks and Ctrl-C.
"""

from __future__ import annotations

import itertools
import math
import queue
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Protocol

from sqlexec.errors import ExecutionTimeout
from sqlexec.tasks import Outcome, Task

SHORTEST_CHUNK_SECONDS = 0.1  # what a chunk of short tasks should last
LAUNCHES_PER_CHUNK = 10  # ... and at least so many times what its launch costs
LAUNCHES_WORTH = 4  # how many launches a chunk should last before the rest is dealt in halves
SHORTEST_TASK_SECONDS = 1e-6  # no clock tells less
GROWTH = 200  # how many times larger than those before a chunk may be
FIRST_SHARE = 200  # how small a part of a worker's share of all tasks it has to learn from
MOST_TASKS = 100_000  # in one chunk, where the number of tasks is unknown
POLL_SECONDS = 0.5  # Windows delivers Ctrl-C only between waits
GRACE_SECONDS = 5.0  # for cancelled calls to end


class Worker(Protocol):
    """Runs chunks, one after the other, in one thread; `cancel` comes from another."""

    def call(self, tasks: Sequence[Task]) -> Sequence[Outcome]:
        """Run the tasks of a chunk and wait for their outcomes."""
        ...

    def cancel(self) -> None:
        """Stop the call that is under way, and let later ones fail."""
        ...

    def close(self) -> None:
        """Release what the worker holds; after its last call, in its thread."""
        ...


class ChunkSizer:
    """Guided chunk sizes from what the calls so far took.

    A call of n tasks takes launch + n x task.  A chunk should be long enough that its launch
    matters little, and yet leave enough tasks for the other workers to end at the same time:
    half of a worker's fair share of what is left (guided self-scheduling, Polychronopoulos and
    Kuck 1987), or the whole share where that is worth few launches, and never so few tasks that
    their launch takes longer than they do.  Until a call of some size was measured, chunks grow
    step by step, since one short task tells little.

    Example
    -------
    >>> sizer = ChunkSizer(workers=2)
    >>> sizer.size(remaining=10_000), sizer.size(remaining=100)
    (25, 1)
    >>> sizer.learn(tasks=1, task_seconds=0.001, call_seconds=0.011)
    >>> sizer.size(remaining=10_000), sizer.size(remaining=100), sizer.size(remaining=8)
    (100, 40, 8)
    """

    def __init__(self, workers: int, fixed: int | None = None) -> None:
        self._workers = workers
        self._fixed = fixed
        self._launch = math.inf  # seconds; the least that was seen
        self._largest = 0  # chunk that was measured
        self._tasks = 0.0  # of recent calls, and
        self._seconds = 0.0  # the seconds in which they were done

    def learn(self, tasks: int, task_seconds: float, call_seconds: float) -> None:
        """Take one call's measures.

        Parameters
        ----------
        tasks : int
            How many tasks it had.
        task_seconds : float
            From the start of its first task to the end of its last, by the server's clock.
        call_seconds : float
            The whole call, by ours.
        """
        if tasks:
            self._largest = max(self._largest, tasks)
            self._launch = min(self._launch, max(0.0, call_seconds - task_seconds))
            # Later calls count for more than earlier ones, since tasks may grow.
            self._tasks = self._tasks / 2 + tasks
            self._seconds = self._seconds / 2 + max(0.0, task_seconds)

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
            share = 1 if remaining is None else remaining / self._workers
            return min(max(1, round(share / FIRST_SHARE)), most)
        task = max(self._seconds / self._tasks, SHORTEST_TASK_SECONDS)
        wanted = max(SHORTEST_CHUNK_SECONDS, LAUNCHES_PER_CHUNK * self._launch) / task
        if remaining is not None:
            share = (remaining + running) / self._workers
            launch = self._launch / task  # in tasks
            wanted = min(wanted, max(share / 2, min(share, LAUNCHES_WORTH * launch), launch))
        return min(max(1, math.ceil(wanted)), self._largest * GROWTH, most)


def run(
    tasks: Iterable[Task],
    open_worker: Callable[[], Worker],
    *,
    workers: int,
    count: int | None = None,
    chunk_size: int | None = None,
    group: Callable[[Task], Hashable] | None = None,
    timeout: float | None = None,
) -> Iterator[Outcome]:
    """Run all tasks and yield their outcomes as they complete, in any order.

    Closing the iterator early, or an exception thrown into it, cancels what still runs.

    Parameters
    ----------
    tasks : iterable of Task
        Read as workers become free, never ahead.
    open_worker : callable
        Makes a worker; called in the worker's thread.
    workers : int
        The most calls at a time, at least 1.
    count : int, optional
        Number of tasks; None where only the end of `tasks` tells.
    chunk_size : int, optional
        Tasks a call; None for sizes that adapt to what the tasks and the calls take.
    group : callable, optional
        Tasks share a chunk only where this gives equal values.
    timeout : float, optional
        Seconds for the whole; None or 0 for no limit.

    Raises
    ------
    ExecutionTimeout
        The timeout passed; all calls were cancelled.
    Exception
        What a worker's `open_worker` or `call` raised, after all the others were cancelled.
    """
    crew = _Crew(tasks, open_worker, ChunkSizer(workers, chunk_size), count, group)
    deadline = time.monotonic() + timeout if timeout else None
    crew.start(workers if count is None else min(workers, count))
    try:
        while crew.working:
            yield from crew.next_outcomes(deadline)
    finally:
        crew.stop()


class _Crew:
    """The workers of one run, and the tasks that they have yet to take."""

    def __init__(
        self,
        tasks: Iterable[Task],
        open_worker: Callable[[], Worker],
        sizer: ChunkSizer,
        count: int | None,
        group: Callable[[Task], Hashable] | None,
    ) -> None:
        self.working = 0  # threads that have not said goodbye yet
        self._tasks = iter(tasks)
        self._open_worker = open_worker
        self._sizer = sizer
        self._remaining = count
        self._running = 0  # tasks in calls under way
        self._group = group
        self._held: Task | None = None  # read already, but of another group
        self._lock = threading.Lock()
        self._stopping = False
        self._busy: list[Worker] = []  # those with a call under way
        self._threads: list[threading.Thread] = []
        # Outcomes of a call, or what a thread died of, or None for its goodbye.
        self._done: queue.SimpleQueue[Sequence[Outcome] | BaseException | None]
        self._done = queue.SimpleQueue()

    def start(self, number: int) -> None:
        self.working = number
        for place in range(number):
            thread = threading.Thread(
                target=self._work, name=f"sqlexec worker {place + 1}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def next_outcomes(self, deadline: float | None) -> Sequence[Outcome]:
        """Wait for the next call to end; raises what it raised."""
        while True:
            wait = POLL_SECONDS
            if deadline is not None:
                wait = min(wait, deadline - time.monotonic())
                if wait <= 0:
                    raise ExecutionTimeout(
                        "The job took longer than execution_timeout_seconds and was cancelled."
                    )
            try:
                done = self._done.get(timeout=wait)
            except queue.Empty:
                continue
            if done is None:
                self.working -= 1
                return ()
            if isinstance(done, BaseException):
                raise done
            return done

    def stop(self) -> None:
        """Let every thread end: at once where all is done, else by cancelling its call."""
        with self._lock:  # so that no call ends, and its worker goes elsewhere, meanwhile
            self._stopping = True
            for worker in self._busy:
                worker.cancel()
        deadline = time.monotonic() + GRACE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        try:
            chunk = self._next_chunk()
            if chunk:
                self._work_with(self._open_worker(), chunk)
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self._done.put(error)
        self._done.put(None)

    def _work_with(self, worker: Worker, chunk: list[Task]) -> None:
        try:
            while chunk:
                start = time.perf_counter()
                outcomes = self._call(worker, chunk)
                seconds = time.perf_counter() - start
                self._done.put(outcomes)
                with self._lock:
                    self._running -= len(chunk)
                    self._sizer.learn(len(outcomes), _span(outcomes), seconds)
                chunk = self._next_chunk()
        finally:
            worker.close()

    def _call(self, worker: Worker, chunk: list[Task]) -> Sequence[Outcome]:
        with self._lock:
            if self._stopping:
                return []
            self._busy.append(worker)
        try:
            return worker.call(chunk)
        finally:
            with self._lock:
                self._busy.remove(worker)

    def _next_chunk(self) -> list[Task]:
        with self._lock:
            if self._stopping:
                return []
            chunk = self._take(self._sizer.size(self._remaining, self._running))
            self._running += len(chunk)
            if self._remaining is not None:
                self._remaining -= len(chunk)
            return chunk

    def _take(self, size: int) -> list[Task]:
        if self._group is None:
            return list(itertools.islice(self._tasks, size))
        chunk: list[Task] = []
        while len(chunk) < size:
            task = self._held or next(self._tasks, None)
            self._held = None
            if task is None:
                break
            if chunk and self._group(task) != self._group(chunk[0]):
                self._held = task
                break
            chunk.append(task)
        return chunk


def _span(outcomes: Sequence[Outcome]) -> float:
    """Seconds from the start of the first task to the end of the last, on their machine."""
    if not outcomes:
        return 0.0
    return max(each.ended for each in outcomes) - min(each.started for each in outcomes)
