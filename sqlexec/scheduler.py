"""Workers, retries, cancelling: deals tasks to workers and hands outcomes on as they come.

    tasks --deal--> worker 1: call(chunk) --\\
      (guided       worker 2: call(chunk) ----> backlog --> outcomes, as completed
       chunk size)  ...         |           --/  (bounded)
           ^--- again, in part -'

It knows no SQL: a worker is anything with `call`, `cancel` and `close`.  Each works in a thread
of its own, so that the caller's thread stays free for callbacks and Ctrl-C.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Iterator

from sqlexec.chunks import ChunkSizer, Source
from sqlexec.crew import Crew, Handle, Worker
from sqlexec.tasks import Outcomes, Task

MAX_ATTEMPTS = 3  # of a task whose call failed for no fault of its own


def run(
    tasks: Iterable[Task | None],
    open_worker: Callable[[], Worker],
    *,
    workers: int,
    count: int | None = None,
    chunk_size: int | None = None,
    group: Callable[[Task], Hashable] | None = None,
    timeout: float | None = None,
    max_attempts: int = MAX_ATTEMPTS,
    handle: Handle | None = None,
    budget: float | None = None,
) -> Iterator[Outcomes]:
    """Run all tasks and yield their outcomes, each once, as calls end.

    Closing the iterator early, or an exception thrown into it, cancels what still runs.  Where
    the consumer is slow, workers wait.

    Parameters
    ----------
    tasks : iterable of Task or None
        Read as workers become free, never ahead, by one of them at a time.  None says that no
        more tasks are there for now: those that were read do not wait for others to fill a chunk.
        Where it has none at all, it may wait.
    open_worker : callable
        Makes a worker; called in the worker's thread, again after a call that failed.
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
    max_attempts : int, default 3
        How often to try a task whose call failed for no fault of its own (see
        sqlexec.retries); 1 for never twice.
    handle : Handle, optional
        For other threads, to cancel single tasks.
    budget : float, optional
        Seconds that the first chunks may take: a worker that keeps to `Chunk.budget` gives the
        outcomes of the tasks that were begun by then.  None where workers do not, or where
        tasks are too large to be sent in numbers before anything is known of them.

    Raises
    ------
    ExecutionTimeout
        The timeout passed; all calls were cancelled.
    Exception
        What a worker's `open_worker` or `call` raised and no retry can mend, after all the
        others were cancelled.
    """
    source = Source(tasks, group)
    sizer = ChunkSizer(workers, chunk_size, budget)
    crew = Crew(source, open_worker, sizer, count, max_attempts, handle)
    deadline = time.monotonic() + timeout if timeout else None
    crew.start(workers if count is None else min(workers, count))
    try:
        while (outcomes := crew.next_outcomes(deadline)) is not None:
            yield outcomes
    finally:
        crew.stop()
