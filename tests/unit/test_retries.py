"""What becomes of failed calls: retries, halves, blame, fewer workers; no server."""

from __future__ import annotations

import contextlib
import itertools
import threading

import pytest

from sqlexec import retries, scheduler
from sqlexec.chunks import Chunk
from sqlexec.crew import Handle
from sqlexec.errors import (
    ConnectionFailed,
    ConnectionLost,
    LimitReached,
    OperationCancelled,
    PayloadTooLarge,
    ProcessDied,
    TaskCrashed,
    TaskTimeout,
    TransientServerError,
)
from sqlexec.retries import judge
from sqlexec.tasks import Call, Outcome, Outcomes, Task


def run(*arguments, **options):
    """The outcomes of a run, one by one."""
    with contextlib.closing(scheduler.run(*arguments, **options)) as together:
        yield from itertools.chain.from_iterable(together)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr(retries, "FIRST_WAIT_SECONDS", 0.001)


class Server:
    """Makes workers; `fail` says what a call of a chunk raises, None for nothing."""

    def __init__(self, fail=lambda chunk: None):
        self.fail = fail
        self.lock = threading.Lock()
        self.opened = self.under_way = self.most = 0
        self.calls = []

    def open(self):
        with self.lock:
            self.opened += 1
        return Worker(self)

    def run(self, number, **options):
        options = {"workers": 2, "count": number, **options}
        found = list(run([Task(index) for index in range(number)], self.open, **options))
        assert sorted(outcome.index for outcome in found) == list(range(number))
        return {outcome.index: outcome for outcome in found}


class Worker:
    def __init__(self, server):
        self.server = server
        self.cancelled = threading.Event()

    def call(self, chunk):
        server = self.server
        with server.lock:
            server.under_way += 1
            server.most = max(server.most, server.under_way)
            server.calls.append([task.index for task in chunk.tasks])
        try:
            error = server.fail(chunk)
            if error is not None:
                raise error
            return Outcomes.of([Outcome(task.index, task.index) for task in chunk.tasks])
        finally:
            with server.lock:
                server.under_way -= 1

    def cancel(self):
        self.cancelled.set()

    def close(self):
        pass


def failing_first(error, times):
    """Fail so many calls of all."""
    left = iter(range(times))
    return lambda chunk: error if next(left, None) is not None else None


def chunk_of(number, attempt=1, **fields):
    return Chunk([Task(index) for index in range(number)], Call(attempt=attempt), **fields)


# --- one failed call ---------------------------------------------------------------------


def test_a_transient_failure_waits_longer_each_time(monkeypatch):
    monkeypatch.setattr(retries, "FIRST_WAIT_SECONDS", 1.0)
    chunk, waits = chunk_of(3), []
    for _ in range(8):
        verdict = judge(chunk, TransientServerError("busy"), max_attempts=99)
        (chunk,) = verdict.again
        waits.append(verdict.wait)
    assert len(chunk) == 3
    for place, wait in enumerate(waits):
        assert min(2**place, 30) / 2 <= wait <= 1.5 * min(2**place, 30)


def test_a_transient_failure_that_stays_becomes_the_outcome():
    error = TransientServerError("busy")
    verdict = judge(chunk_of(2, failures=2), error, max_attempts=3)
    assert not verdict.again
    first, second = (outcome.error for outcome in verdict.outcomes)
    assert first.args == second.args == error.args
    assert first is not second  # each gets what its run alone has


def test_a_lost_connection_ends_the_job_with_the_first_error():
    lost = ConnectionLost("gone")
    (chunk,) = judge(chunk_of(2), lost, max_attempts=3).again
    (chunk,) = judge(chunk, ConnectionFailed("refused"), max_attempts=3).again
    with pytest.raises(ConnectionLost) as caught:
        judge(chunk, ConnectionFailed("refused"), max_attempts=3)
    assert caught.value is lost


def test_no_connection_from_the_first_is_not_tried_again():
    with pytest.raises(ConnectionFailed):
        judge(chunk_of(1), ConnectionFailed("no such user"), max_attempts=3)


@pytest.mark.parametrize(("number", "parts"), [(2, [1, 1]), (3, [1, 2]), (8, [4, 4])])
def test_a_dead_chunk_is_run_in_halves(number, parts):
    again = judge(chunk_of(number, attempt=7), ProcessDied("died"), max_attempts=3).again
    assert [len(each) for each in again] == parts
    assert [each.suspect for each in again] == [part == 1 for part in parts]
    assert [task.index for each in again for task in each.tasks] == list(range(number))


def test_one_task_that_dies_is_tried_again_and_then_blamed():
    died = ProcessDied("died")
    died.exit_status, died.console = "signal 11", [("stderr", "first\nlast\n")]
    (again,) = judge(chunk_of(1), died, max_attempts=2).again
    assert again.suspect
    (outcome,) = judge(again, died, max_attempts=2).outcomes
    assert isinstance(outcome.error, TaskCrashed)
    assert (outcome.error.attempts, outcome.error.exit_status) == (2, "signal 11")
    assert outcome.error.console == "first\nlast"
    assert "Run 0" in str(outcome.error)
    assert "tried 2 times" in str(outcome.error)


def test_one_attempt_never_runs_a_task_twice():
    for error in (ProcessDied("died"), TransientServerError("busy")):
        verdict = judge(chunk_of(4), error, max_attempts=1)
        assert not verdict.again
        assert len(verdict.outcomes) == 4
    with pytest.raises(ConnectionLost):
        judge(chunk_of(4), ConnectionLost("gone"), max_attempts=1)


def test_nobody_is_blamed_while_another_call_may_be():
    died = ProcessDied("died")
    died.shared = True
    (again,) = judge(chunk_of(1, attempt=3), died, max_attempts=3).again
    assert again.suspect
    (outcome,) = judge(chunk_of(1), died, max_attempts=1).outcomes
    assert "run 0 and others" in str(outcome.error)


def test_a_watchdog_blames_a_stuck_task_at_once():
    died = ProcessDied("died")
    died.console = [("stderr", "Timeout (0:00:05)!\nThread 0x1 (most recent call first):\n")]
    (outcome,) = judge(chunk_of(1), died, max_attempts=3).outcomes
    assert isinstance(outcome.error, TaskTimeout)
    assert "Thread 0x1" in str(outcome.error.__cause__)


@pytest.mark.parametrize("what", ["Timeout (0:00:05)!", "Fatal Python error: Segmentation fault"])
def test_the_innermost_frames_are_told_however_deep_a_process_was(what):
    frames = "".join(f'  File "f.py", line {line} in f\n' for line in range(100))
    died = ProcessDied("died")
    died.console = [("stdout", "a word\n"), ("stderr", f"{what}\nThread 0x1:\n{frames}")]
    (outcome,) = judge(chunk_of(1, attempt=3), died, max_attempts=3).outcomes
    timed_out = what.startswith("Timeout")
    assert type(outcome.error) is (TaskTimeout if timed_out else TaskCrashed)
    told = str(outcome.error.__cause__) if timed_out else outcome.error.console
    assert f"a word\n{what}\nThread 0x1:\n{frames[:30]}" in told


# --- whole runs --------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2, 37, 100])
@pytest.mark.parametrize("killers", [{0}, {36}, {1, 2, 30}, set(range(100))])
def test_killers_are_found_and_all_others_give_their_results(number, killers):
    server = Server(
        lambda chunk: ProcessDied("died") if any(t.index in killers for t in chunk.tasks) else None
    )
    found = server.run(number, chunk_size=16)
    for index, outcome in found.items():
        assert isinstance(outcome.error, TaskCrashed) == (index in killers)
        assert outcome.value == (None if index in killers else index)


def test_transient_failures_pass():
    server = Server(failing_first(TransientServerError("launchpad"), 2))
    found = server.run(20)
    assert all(outcome.error is None for outcome in found.values())
    assert max(outcome.call.attempt for outcome in found.values()) > 1


def test_a_lost_connection_gets_a_new_worker():
    server = Server(failing_first(ConnectionLost("gone"), 1))
    found = server.run(4, workers=1)
    assert server.opened == 2
    call = found[0].call
    assert (call.attempt, call.earlier.status) == (2, "ConnectionLost")


def test_exceptions_of_other_kinds_are_not_tried_again():
    server = Server(lambda chunk: KeyError("no"))
    with pytest.raises(KeyError):
        server.run(4, workers=1, chunk_size=4)
    assert len(server.calls) == 1


def test_a_limit_lowers_the_calls_at_a_time():
    limit, meeting = 2, threading.Event()

    def fail(chunk):
        if server.under_way > limit:
            meeting.set()
            return LimitReached("as many as there may be")
        meeting.wait(10)  # until one was refused
        return None

    server = Server(fail)
    found = server.run(200, workers=4, chunk_size=2)
    assert all(outcome.error is None for outcome in found.values())
    refused = len(server.calls) - 100
    assert 1 <= refused <= 4


def test_never_more_calls_than_workers():
    server = Server(failing_first(TransientServerError("launchpad"), 5))
    server.run(100, workers=3, chunk_size=1)
    assert server.most <= 3


def test_stopping_does_not_wait_for_a_retry(monkeypatch):
    monkeypatch.setattr(retries, "FIRST_WAIT_SECONDS", 1000.0)
    monkeypatch.setattr(retries, "LONGEST_WAIT_SECONDS", 1000.0)
    failed = threading.Event()

    def fail(chunk):
        if chunk.tasks[0].index == 1:
            failed.set()
            return TransientServerError("busy")
        failed.wait(10)
        return None

    server = Server(fail)
    outcomes = run(map(Task, range(9)), server.open, workers=2, count=9, chunk_size=1)
    next(outcomes)
    outcomes.close()
    assert not [each for each in threading.enumerate() if each.name.startswith("sqlexec worker")]


def test_workers_wait_for_a_slow_consumer():
    server = Server()
    outcomes = run(map(Task, range(1000)), server.open, workers=2, count=1000, chunk_size=1)
    next(outcomes)
    threading.Event().wait(0.1)
    assert len(server.calls) < 20
    outcomes.close()  # and those that wait end
    assert len(server.calls) < 20


# --- single tasks ------------------------------------------------------------------------


def test_a_task_that_nobody_runs_yet_is_dropped():
    handle, server = Handle(), Server()
    handle.cancel(3)
    found = server.run(5, workers=1, handle=handle)
    assert isinstance(found[3].error, OperationCancelled)
    assert [found[index].value for index in (0, 1, 2, 4)] == [0, 1, 2, 4]
    assert all(3 not in call for call in server.calls)


def test_the_call_of_a_running_task_is_cancelled_and_the_others_run_again():
    handle, stuck = Handle(), threading.Event()

    class Stuck(Worker):
        def call(self, chunk):
            if any(task.index == 1 for task in chunk.tasks):
                self.server.calls.append(chunk)
                stuck.set()
                assert self.cancelled.wait(10)
                raise OperationCancelled("from this side")
            return super().call(chunk)

    server = Server()
    server.open = lambda: Stuck(server)
    thread = threading.Thread(target=lambda: stuck.wait(10) and handle.cancel(1))
    thread.start()
    found = server.run(4, workers=1, chunk_size=4, handle=handle, max_attempts=2)
    thread.join()
    assert isinstance(found[1].error, OperationCancelled)
    assert [found[index].value for index in (0, 2, 3)] == [0, 2, 3]


def test_a_source_with_nothing_for_now_lets_its_tasks_run():
    server = Server()
    ran = threading.Event()

    def tasks():
        yield Task(0)
        yield None
        while not ran.is_set():
            yield None
        yield Task(1)

    outcomes = run(tasks(), server.open, workers=2, chunk_size=10)
    assert next(outcomes).index == 0
    ran.set()
    assert [outcome.index for outcome in outcomes] == [1]


def test_a_payload_that_is_too_large_goes_in_halves():
    server = Server(lambda chunk: PayloadTooLarge("2 GB") if len(chunk) > 3 else None)
    found = server.run(20, chunk_size=20, max_attempts=1)
    assert all(outcome.error is None for outcome in found.values())
    server = Server(lambda chunk: PayloadTooLarge("2 GB"))
    with pytest.raises(PayloadTooLarge):
        server.run(2, chunk_size=2)
