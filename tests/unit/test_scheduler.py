"""Dealing tasks to workers: pure logic, no server."""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import sys
import threading
import time

import pytest

from sqlexec import chunks, scheduler
from sqlexec.chunks import Chunk, ChunkSizer
from sqlexec.crew import Handle
from sqlexec.errors import ExecutionTimeout, OperationCancelled
from sqlexec.tasks import Outcome, Outcomes, Task, indexes_of


def run(*arguments, **options):
    """The outcomes of a run, one by one."""
    with contextlib.closing(scheduler.run(*arguments, **options)) as together:
        yield from itertools.chain.from_iterable(together)


class Worker:
    """Answers each task with its index; subclasses do what a server may do."""

    def __init__(self, log: list[list[int]]) -> None:
        self.log = log
        self.cancelled = threading.Event()
        self.closed = False
        self.closed_first = False

    def call(self, chunk):
        self.log.append(list(indexes_of(chunk.tasks)))
        return Outcomes.of([Outcome(index, index) for index in self.log[-1]])

    def cancel(self) -> None:
        self.closed_first = self.closed
        self.cancelled.set()

    def close(self) -> None:
        self.closed = True


def tasks_of(number):
    return [Task(index) for index in range(number)]


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("number", [0, 1, 2, 100])
@pytest.mark.parametrize("known", [True, False])
def test_every_task_runs_once(workers, number, known):
    log = []
    count = number if known else None
    found = run(iter(tasks_of(number)), lambda: Worker(log), workers=workers, count=count)
    assert sorted(outcome.index for outcome in found) == list(range(number))
    assert sorted(itertools.chain(*log)) == list(range(number))


def test_fixed_chunks():
    log = []
    list(run(tasks_of(10), lambda: Worker(log), workers=1, count=10, chunk_size=4))
    assert log == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_groups_never_share_a_chunk():
    log = []
    found = run(
        tasks_of(7),
        lambda: Worker(log),
        workers=1,
        count=7,
        chunk_size=5,
        group=lambda task: task.index // 3,
    )
    assert len(list(found)) == 7
    assert log == [[0, 1, 2], [3, 4, 5], [6]]


def test_workers_are_at_work_at_the_same_time():
    meeting = threading.Barrier(3)

    class Meeting(Worker):
        def call(self, chunk):
            meeting.wait(10)  # broken unless three are here at once
            return super().call(chunk)

    assert len(list(run(tasks_of(3), lambda: Meeting([]), workers=3, count=3))) == 3


def test_tasks_are_read_no_further_than_workers_need():
    read = []

    def numbers():
        for index in itertools.count():
            read.append(index)
            yield Task(index)

    outcomes = run(numbers(), lambda: Worker([]), workers=1, chunk_size=5)
    next(outcomes)
    outcomes.close()
    assert len(read) < 100_000


def test_an_error_of_a_call_cancels_the_others_and_is_raised():
    workers = []

    class Failing(Worker):
        def call(self, chunk):
            if chunk.tasks[0].index == 0:
                raise ConnectionError("gone")
            assert self.cancelled.wait(10)
            return super().call(chunk)

    def open_worker():
        workers.append(Failing([]))
        return workers[-1]

    with pytest.raises(ConnectionError, match="gone"):
        list(run(tasks_of(4), open_worker, workers=2, count=4))
    assert all(worker.closed for worker in workers)


def test_an_error_in_opening_a_worker_is_raised():
    def open_worker():
        raise ConnectionError("no server")

    with pytest.raises(ConnectionError, match="no server"):
        list(run(tasks_of(4), open_worker, workers=2, count=4))


def test_closing_the_iterator_cancels_what_runs():
    release, waiting = threading.Event(), threading.Event()
    log = []

    class Slow(Worker):
        def call(self, chunk):
            if chunk.tasks[0].index == 1:
                waiting.set()
                release.wait(10)
                raise RuntimeError("cancelled")  # as a cancelled call does
            assert waiting.wait(10)
            return super().call(chunk)

        def cancel(self):
            super().cancel()
            release.set()

    outcomes = run(tasks_of(100), lambda: Slow(log), workers=2, count=100, chunk_size=1)
    assert next(outcomes).index == 0
    outcomes.close()
    assert release.is_set()
    assert sum(map(len, log)) < 100


def test_a_worker_between_calls_is_not_cancelled():
    """Its session may be in another job's hands already."""
    workers = []

    def open_worker():
        workers.append(Worker([]))
        return workers[-1]

    for _ in range(200):
        outcomes = run(tasks_of(2), open_worker, workers=1, count=2, chunk_size=1)
        next(outcomes)
        outcomes.close()
    assert all(worker.closed for worker in workers)
    assert not any(worker.cancelled.is_set() and worker.closed_first for worker in workers)


@pytest.mark.parametrize("max_attempts", [1, 3])
def test_a_task_that_is_cancelled_while_its_worker_is_opened_does_not_run(max_attempts):
    log = []
    handle = Handle()

    def open_worker():
        handle.cancel(1)
        return Worker(log)

    outcomes = run(
        tasks_of(3),
        open_worker,
        workers=1,
        count=3,
        chunk_size=3,
        handle=handle,
        max_attempts=max_attempts,
    )
    found = {outcome.index: outcome.error for outcome in outcomes}
    assert log == [[0, 2]]
    assert isinstance(found.pop(1), OperationCancelled)
    assert found == {0: None, 2: None}


def test_timeout_cancels():
    cancelled = threading.Event()

    class Stuck(Worker):
        def call(self, chunk):
            assert cancelled.wait(10)
            raise RuntimeError("cancelled")

        def cancel(self):
            cancelled.set()

    with pytest.raises(ExecutionTimeout, match="execution_timeout_seconds"):
        list(run(tasks_of(2), lambda: Stuck([]), workers=1, count=2, timeout=0.05))
    assert cancelled.is_set()


@pytest.mark.parametrize(("fixed", "sizes"), [(None, {1}), (4, {4, 2})])
def test_tasks_of_a_slow_source_wait_for_no_others(monkeypatch, fixed, sizes):
    monkeypatch.setattr(chunks, "SHORTEST_CHUNK_SECONDS", 0.01)
    log = []

    def numbers():
        for index in range(10):
            time.sleep(0.02)
            yield Task(index)

    found = list(run(numbers(), lambda: Worker(log), workers=1, count=10, chunk_size=fixed))
    assert len(found) == 10
    assert set(map(len, log)) == sizes


def test_a_source_sees_the_callers_context():
    variable = contextvars.ContextVar("variable", default="none")
    seen = []

    def numbers():
        for index in range(4):
            seen.append(variable.get())
            yield Task(index)

    token = variable.set("mine")
    assert len(list(run(numbers(), lambda: Worker([]), workers=2, chunk_size=1))) == 4
    variable.reset(token)
    assert seen == ["mine"] * 4


def test_an_error_in_the_source_of_tasks_is_raised():
    def numbers():
        yield Task(0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(run(numbers(), lambda: Worker([]), workers=1, chunk_size=1))


def simulate(number, task, launch, workers, overhead=0.0):
    """Deal `number` tasks on a clock of our own; gives the time it takes and the calls."""
    sizer, remaining, calls, result = ChunkSizer(workers), number, 0, 0.0
    free = [(0.0, place, None) for place in range(workers)]
    while free:
        now, place, done = free.pop(free.index(min(free)))
        result = max(result, now)
        if done:
            sizer.learn(done, done * (task + overhead), launch + done * (task + overhead))
        size = sizer.size(remaining, sum(others or 0 for _, _, others in free))
        if size:
            remaining -= size
            calls += 1
            free.append((now + launch + size * (task + overhead), place, size))
    return result, calls


def test_tiny_tasks_take_few_calls():
    seconds, calls = simulate(10_000, task=1e-6, overhead=20e-6, launch=0.005, workers=2)
    assert calls <= 24
    assert seconds < 1.5 * (10_000 * 21e-6 / 2 + 0.005)


def test_long_tasks_are_balanced():
    seconds, calls = simulate(16, task=1.0, launch=0.005, workers=2)
    assert seconds < 8.1
    assert calls <= 16


def test_a_slow_launch_is_amortised():
    seconds, calls = simulate(1000, task=0.01, launch=0.5, workers=4)
    assert calls <= 8
    assert seconds < 1.25 * (1000 * 0.01 / 4 + 0.5)


def test_chunks_follow_tasks_that_grow():
    sizer = ChunkSizer(workers=1)
    sizer.learn(1, 0.001, 0.002)
    many = sizer.size(100_000)
    for _ in range(4):
        sizer.learn(10, 10.0, 10.001)
    assert sizer.size(100_000) == 1 < many


def test_a_thousand_tasks_cost_little_time_of_the_client():
    start = time.process_time()
    assert len(list(run(tasks_of(1000), lambda: Worker([]), workers=2, count=1000))) == 1000
    assert time.process_time() - start < 1  # a guard against quadratic dealing, not a measure


def test_threads_pack_at_the_same_time():
    """cloudpickle's registry of modules to send by value is one for all threads."""
    from concurrent.futures import ThreadPoolExecutor

    from sqlexec.payload import Packer

    def pack(number):
        packer = Packer(simulate, {"worker": Worker})
        return len(packer.chunk([Task(number, {"worker": Worker, "number": number})]))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(pack, [5] * 64))) == 1
    finally:
        sys.setswitchinterval(interval)


def test_large_tasks_go_in_small_chunks():
    sizer = ChunkSizer(workers=2)
    sizer.learn(1, 1e-6, 0.005, task_bytes=1 << 24)
    assert sizer.size(10_000) == 4
    sizer.learn(1, 1e-6, 0.005, task_bytes=1 << 30)
    assert sizer.size(10_000) == 1
    assert sizer.size(0) == 0


@pytest.mark.parametrize("workers", [1, 3])
def test_tasks_that_a_budget_left_are_dealt_again(workers):
    log = []

    class Slow(Worker):
        def call(self, chunk):
            return super().call(Chunk(chunk.tasks[:7]) if chunk.budget else chunk)

    found = run(
        tasks_of(100), lambda: Slow(log), workers=workers, count=100, budget=0.1, max_attempts=1
    )
    assert sorted(outcome.index for outcome in found) == list(range(100))
    assert sorted(itertools.chain(*log)) == list(range(100))
    assert log[0] == list(range(7))


def test_whole_shares_while_nothing_is_known_but_a_budget_is_kept():
    sizer = ChunkSizer(workers=2, budget=0.1)
    assert (sizer.size(10_000), sizer.size(5_000, 5_000), sizer.size(None)) == (5000, 5000, 1)
    assert sizer.budget == 0.1
    sizer.learn(1000, 0.1, 0.12)
    assert sizer.budget is None
    assert ChunkSizer(workers=2, fixed=3, budget=0.1).budget is None
