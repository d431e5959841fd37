"""The workers of one run: each takes chunks in a thread of its own, calls, and hands outcomes on.

next chunk --call--> outcomes --> those that the consumer has yet to take (bounded)
    ^                   | failed
    '---- again --- judge
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from sqlexec.chunks import Chunk, ChunkSizer, Source
from sqlexec.errors import ExecutionTimeout, LimitReached, OperationCancelled
from sqlexec.log import logger
from sqlexec.retries import Verdict, judge
from sqlexec.tasks import Outcome, Outcomes, Task, indexes_of

BACKLOG = 2  # calls a worker that ended and wait for the consumer: then workers wait as well
POLL_SECONDS = 0.5  # Windows delivers Ctrl-C only between waits
GRACE_SECONDS = 5.0  # for cancelled calls to end


class Worker(Protocol):
    """Runs chunks, one after the other, in one thread; `cancel` comes from another."""

    def call(self, chunk: Chunk) -> Outcomes:
        """Run the tasks of a chunk and wait for their outcomes."""
        ...

    def cancel(self) -> None:
        """Stop the call that is under way, and let later ones fail."""
        ...

    def close(self) -> None:
        """Release what the worker holds; after its last call, in its thread."""
        ...


class Handle:
    """Lets other threads take single tasks out of a run.

    Example
    -------
    >>> handle = Handle()
    >>> outcomes = run(tasks, open_worker, workers=2, handle=handle)   # doctest: +SKIP
    >>> handle.cancel(7)                                               # doctest: +SKIP
    """

    def __init__(self) -> None:
        self.cancelled: set[int] = set()  # indexes, until their outcomes were made
        self.interrupt: Callable[[int], None] | None = None  # of the run, once it has begun

    def cancel(self, index: int) -> None:
        """Give a task the outcome OperationCancelled, unless it has one already.

        The call of one that runs is cancelled; the other tasks of its chunk are run again,
        and so, where max_attempts=1, only a task that is alone in its chunk is.
        """
        self.cancelled.add(index)
        if self.interrupt is not None:
            self.interrupt(index)


class Crew:
    """The workers of one run, and what they have yet to do.

    One condition guards all of it: what another thread waits for is told by it.
    """

    def __init__(
        self,
        source: Source,
        open_worker: Callable[[], Worker],
        sizer: ChunkSizer,
        count: int | None,
        max_attempts: int,
        handle: Handle | None,
    ) -> None:
        self._source = source
        self._open_worker = open_worker
        self._sizer = sizer
        self._remaining = count
        self._max_attempts = max_attempts
        self._handle = handle or Handle()
        self._handle.interrupt = self._interrupt
        self._changed = threading.Condition()
        self._stopping = False
        self._working = 0  # threads that have not ended
        self._staying = 0  # those that the server's limits leave room for
        self._reading = False  # one of them reads from the source,
        self._context = contextvars.copy_context()  # as if it were read by the caller
        self._running = 0  # tasks that were taken and have no outcome yet
        self._again: deque[Chunk] = deque()  # to be run again
        self._calls: dict[Worker, Chunk] = {}  # under way
        self._number = 0  # of the last call
        self._threads: list[threading.Thread] = []
        self._done: deque[Outcomes] = deque()
        self._error: BaseException | None = None  # what ends the run

    # --- the consumer's side --------------------------------------------------------------

    def start(self, number: int) -> None:
        self._working = self._staying = number
        for place in range(1, number + 1):
            thread = threading.Thread(
                target=self._work, args=[place], name=f"sqlexec worker {place}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def next_outcomes(self, deadline: float | None) -> Outcomes | None:
        """Wait for the next call to end; None when all have; raises what ends the run."""
        with self._changed:
            while True:
                wait = POLL_SECONDS
                if deadline is not None and not self._stopping:
                    wait = min(wait, deadline - time.monotonic())
                    if wait <= 0:
                        self._error = self._error or ExecutionTimeout(
                            "The job took longer than execution_timeout_seconds and was cancelled."
                        )
                        self._cancel_calls()
                if self._done:
                    self._changed.notify_all()  # those that wait for room
                    return self._done.popleft()
                if self._error is not None:
                    raise self._error
                if not self._working:
                    return None
                self._changed.wait(wait)

    def stop(self) -> None:
        """Let every thread end: at once where all is done, else by cancelling its call."""
        with self._changed:  # so that no call ends, and its worker goes elsewhere, meanwhile
            self._cancel_calls()
        deadline = time.monotonic() + GRACE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _cancel_calls(self) -> None:
        if not self._stopping:
            self._stopping = True
            for worker in self._calls:
                worker.cancel()
            self._changed.notify_all()

    def _interrupt(self, index: int) -> None:
        """Cancel the call of a task, unless others may not run twice for it."""
        with self._changed:
            for worker, chunk in self._calls.items():
                alone = len(chunk) == 1 or self._max_attempts > 1
                if alone and not chunk.interrupted and index in indexes_of(chunk.tasks):
                    chunk.interrupted = True
                    worker.cancel()

    # --- the workers' side ----------------------------------------------------------------

    def _work(self, place: int) -> None:
        worker: Worker | None = None
        try:
            while (chunk := self._next_chunk()) is not None:
                chunk.call.worker = place
                try:
                    worker = worker or self._open_worker()
                    outcomes = self._call(worker, chunk)
                except Exception as error:  # noqa: BLE001 - judged there
                    chunk.call.status = type(error).__name__
                    if worker is not None:
                        worker.close()
                    worker = None  # the next call goes over a good one
                    if not self._recover(chunk, error):
                        break
                else:
                    if chunk.interrupted:  # too late, but the worker is cancelled
                        worker.close()
                        worker = None
                    self._put_back(chunk.tasks[len(outcomes) :])
                    self._hand_on(outcomes)
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            with self._changed:
                self._error = self._error or error
        finally:
            if worker is not None:
                worker.close()
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    def _next_chunk(self) -> Chunk | None:
        """Wait for tasks; None when there are none left and nobody has some to run again."""
        while True:
            with self._changed:
                while not (self._stopping or self._again or self._may_read()):
                    if self._used_up() and not self._running:
                        return None
                    self._changed.wait()
                if self._stopping:
                    return None
                again = self._again.popleft() if self._again else None
                self._reading = self._reading or again is None  # another may be reading
                size = self._sizer.size(self._remaining, self._running)
                seconds, budget = self._sizer.reading, self._sizer.budget
            chunk = self._without_cancelled(again or self._read(size, seconds, budget))
            if chunk is not None:
                return chunk

    def _may_read(self) -> bool:
        return not (self._reading or self._used_up())

    def _used_up(self) -> bool:
        return self._source.ended or self._remaining == 0

    def _read(self, size: int, seconds: float, budget: float | None) -> Chunk | None:
        """New tasks, if there are any; not under the lock, since the source may take its time."""
        tasks: Sequence[Task] = []
        try:
            tasks = self._context.run(self._source.take, size, seconds)
        finally:
            with self._changed:
                self._reading = False
                self._running += len(tasks)
                if self._remaining is not None:
                    self._remaining -= len(tasks)
                self._changed.notify_all()
        return Chunk(tasks, budget=budget) if tasks else None

    def _without_cancelled(self, chunk: Chunk | None) -> Chunk | None:
        cancelled = self._handle.cancelled
        if chunk is None or not cancelled:
            return chunk
        dropped = [index for index in indexes_of(chunk.tasks) if index in cancelled]
        if dropped:
            cancelled.difference_update(dropped)
            error = OperationCancelled("The run was cancelled from this side.")
            self._hand_on(Outcomes.of([Outcome(index, error=error) for index in dropped]))
            chunk.tasks = [task for task in chunk.tasks if task.index not in dropped]
        return chunk if chunk.tasks else None

    def _call(self, worker: Worker, chunk: Chunk) -> Outcomes:
        with self._changed:
            if self._stopping:
                raise OperationCancelled("The job was cancelled.")
            if not self._handle.cancelled.isdisjoint(indexes_of(chunk.tasks)):
                chunk.interrupted = True  # while its worker was opened: nothing was sent
                raise OperationCancelled("Some of these runs were cancelled.")
            self._calls[worker] = chunk
            call = chunk.call
            self._number = call.number = self._number + 1
        call.sent, start = time.time(), time.perf_counter()
        try:
            outcomes = worker.call(chunk)
        finally:
            seconds = time.perf_counter() - start
            call.received = call.sent + seconds
            with self._changed:
                del self._calls[worker]
        outcomes.came_with(call)
        with self._changed:
            size = call.payload_bytes - call.shared_bytes + call.result_bytes
            self._sizer.learn(len(outcomes), outcomes.span, seconds, size)
        return outcomes

    def _put_back(self, tasks: Sequence[Task]) -> None:
        """Let others have the tasks that a call did not come to."""
        if tasks:
            with self._changed:
                self._source.put_back(tasks)
                self._running -= len(tasks)
                if self._remaining is not None:
                    self._remaining += len(tasks)
                self._changed.notify_all()

    def _hand_on(self, outcomes: Outcomes) -> None:
        """Give outcomes to the consumer, when it has taken most of those before."""
        with self._changed:
            most = BACKLOG * len(self._threads)
            self._changed.wait_for(lambda: len(self._done) < most or self._stopping)
            self._done.append(outcomes)
            self._running -= len(outcomes)
            self._changed.notify_all()

    def _recover(self, chunk: Chunk, error: Exception) -> bool:
        """See to the tasks of a failed call; whether this worker shall go on."""
        with self._changed:
            if self._stopping:
                return False
            crowded = isinstance(error, LimitReached) and self._staying > 1
            self._staying -= crowded
        if crowded:
            logger.warning("The server takes no more calls at once: one worker ends. %s", error)
        if chunk.interrupted or crowded:  # no fault of the others
            verdict = Verdict([chunk.again(chunk.error, failures=chunk.failures)])
        else:
            verdict = judge(chunk, error, self._max_attempts)
            _log(chunk, error, verdict)
        if verdict.outcomes:
            outcomes = Outcomes.of(verdict.outcomes)
            outcomes.came_with(chunk.call)
            self._hand_on(outcomes)
        with self._changed:
            if verdict.wait:
                self._changed.wait_for(lambda: self._stopping, verdict.wait)
            self._again.extend(verdict.again)
            self._changed.notify_all()
        return not crowded


def _log(chunk: Chunk, error: Exception, verdict: Verdict) -> None:
    then = f"again in {verdict.wait:.1f} s" if verdict.again else "not again"
    if len(verdict.again) > 1:
        then = "again in halves"
    logger.warning(
        "Call %d (runs %d to %d, attempt %d) failed, %s: %s: %s",
        chunk.call.number,
        chunk.tasks[0].index,
        chunk.tasks[-1].index,
        chunk.call.attempt,
        then,
        type(error).__name__,
        error,
    )
