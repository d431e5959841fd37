"""rx_exec in the server: results, exceptions, console, parallel processes, cancelling."""

from __future__ import annotations

import os
import threading
import time
import traceback
import warnings

import numpy
import pandas
import pytest

from sqlexec import (
    CallbackFailedWarning,
    RunFailedWarning,
    RxElemArg,
    RxInSqlServer,
    RxLocalSeq,
    rx_exec,
    rx_set_compute_context,
)
from sqlexec.contexts import sql_server
from sqlexec.errors import ExecutionTimeout, OperationCancelled, RemoteTraceback
from sqlexec.server.pool import POOL


def test_results_in_order(cc):
    assert rx_exec(lambda x, y: x * y, x=[1, 2, 3], y=10, compute_context=cc) == [10, 20, 30]
    runs = [{"x": 1, "y": 2}, {"x": 3, "y": 4}]
    assert rx_exec(lambda x, y: x - y, runs, compute_context=cc) == [-1, -1]
    assert rx_exec(lambda: 7, times_to_run=3, compute_context=cc) == [7, 7, 7]
    assert rx_exec(lambda x: x, {"x": RxElemArg(iter("ab"))}, compute_context=cc) == ["a", "b"]
    assert rx_exec(lambda x: x, [], compute_context=cc) == []


@pytest.mark.parametrize(
    "value",
    [None, 1.5, "é😀", b"\x00\xff" * 50_000, {"a": [1, (2, {3})]}, numpy.arange(100_000.0)],
    ids=repr,
)
def test_values_there_and_back(cc, value):
    (found,) = rx_exec(lambda value: value, {"value": value}, compute_context=cc)
    assert type(found) is type(value)
    assert numpy.array_equal(found, value) if isinstance(value, numpy.ndarray) else found == value


def test_frames_there_and_back(cc):
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", None], "c": [1.5, numpy.nan]})
    (found,) = rx_exec(lambda frame: frame, {"frame": frame}, compute_context=cc)
    pandas.testing.assert_frame_equal(found, frame)


def test_it_runs_elsewhere(cc):
    processes = rx_exec(os.getpid, times_to_run=2, compute_context=cc)
    assert os.getpid() not in processes


def now_and_later():
    start = time.time()
    time.sleep(0.4)
    return os.getpid(), start, time.time()


def test_processes_overlap(cc):
    runs = rx_exec(now_and_later, times_to_run=4, task_chunk_size=1, compute_context=cc)
    overlaps = [
        (one[0], other[0])
        for one in runs
        for other in runs
        if one[0] < other[0] and one[1] < other[2] and other[1] < one[2]
    ]
    assert overlaps
    assert len({run[0] for run in runs}) == 4


def test_never_more_at_once_than_num_tasks(cc):
    runs = rx_exec(now_and_later, times_to_run=6, task_chunk_size=1, compute_context=cc)
    for _, start, _ in runs:
        assert sum(one[1] <= start < one[2] for one in runs) <= 2


def test_tasks_of_a_chunk_share_a_process(cc):
    found = rx_exec(os.getpid, times_to_run=6, task_chunk_size=3, compute_context=cc)
    assert len(set(found[:3])) == len(set(found[3:])) == 1


def test_many_small_tasks_take_few_calls(cc, execute):
    (before,) = execute("SELECT COUNT(*) FROM sqlexec.chunk_log")[0]
    found = rx_exec(lambda x: x + 1, x=list(range(5000)), compute_context=cc)
    assert found == list(range(1, 5001))
    (after,) = execute("SELECT COUNT(*) FROM sqlexec.chunk_log")[0]
    assert after - before < 100


def fail_at_two(x):
    print(f"at {x}")
    if x == 2:
        raise ValueError("two", x)
    return x


def test_an_exception_arrives_as_itself(cc):
    with pytest.raises(ValueError, match="two") as caught:
        rx_exec(fail_at_two, {"x": 2}, compute_context=cc)
    assert caught.value.args == ("two", 2)
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    text = "".join(traceback.format_exception(caught.value))
    assert "in fail_at_two" in text
    assert 'raise ValueError("two", x)' in text


class OwnError(Exception):
    def __init__(self, code, *, text):
        super().__init__(f"{code}: {text}")
        self.code = code

    def __reduce__(self):
        return (_own_error, (self.code,))


def _own_error(code):
    return OwnError(code, text="again")


def raise_own():
    raise OwnError(5, text="first")


def test_an_exception_of_ones_own_class(cc):
    with pytest.raises(Exception, match="5: again") as caught:
        rx_exec(raise_own, compute_context=cc)
    assert type(caught.value).__name__ == "OwnError"
    assert caught.value.code == 5


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_ends_a_process_elsewhere(cc, kind):
    def end():
        raise kind(3)

    with pytest.raises(kind):
        rx_exec(end, compute_context=cc)


def test_others_go_on_after_an_exception(cc):
    with pytest.warns(RunFailedWarning, match="1 of 3 runs raised"):
        first, second, third = rx_exec(fail_at_two, x=[1, 2, 3], compute_context=cc)
    assert (first, third) == (1, 3)
    assert isinstance(second, ValueError)


def test_the_first_exception_cancels_the_rest(cc):
    def run(x):
        if x == 0:
            raise ValueError("zero")
        time.sleep(30)

    start = time.monotonic()
    with pytest.raises(ValueError, match="zero"):
        rx_exec(run, x=[0, 1, 2], task_chunk_size=1, compute_context=cc, continue_on_failure=False)
    assert time.monotonic() - start < 25  # nobody waited for the sleepers


def talk(x):
    import sys

    print("out", x)
    print("err", x, file=sys.stderr)
    os.system(f"echo from a child {x}")
    return x


def test_console_output(cc, capsys):
    rx_exec(talk, x=[1, 2], compute_context=cc, console_output=True)
    out, err = capsys.readouterr()
    for x in (1, 2):
        assert f"out {x}\n" in out
        assert f"from a child {x}\n" in out
        assert f"err {x}\n" in err


def test_no_console_output_unless_asked(cc, capsys):
    rx_exec(talk, x=1, compute_context=cc)
    assert capsys.readouterr() == ("", "")
    rx_exec(talk, x=1, compute_context=cc.replace(console_output=True))
    assert "out 1" in capsys.readouterr().out


def test_console_output_of_a_run_that_fails(cc, capsys):
    with pytest.raises(ValueError, match="two"):
        rx_exec(fail_at_two, x=2, compute_context=cc, console_output=True)
    assert capsys.readouterr().out == "at 2\n"


def test_warnings_come_again(cc):
    def warn():
        warnings.warn("careful", RuntimeWarning, stacklevel=1)

    with pytest.warns(RuntimeWarning, match="careful"):
        rx_exec(warn, compute_context=cc)


def test_callback_as_runs_complete(cc):
    seen = []

    def callback(value):
        seen.append((value, threading.get_ident()))

    rx_exec(lambda x: x, x=[1, 2, 3], compute_context=cc, callback=callback)
    assert sorted(seen) == [(x, threading.get_ident()) for x in (1, 2, 3)]
    with pytest.warns(CallbackFailedWarning):
        assert rx_exec(lambda: 1, compute_context=cc, callback=lambda _: 1 / 0) == [1]


def test_local_state_and_rc1_positions(cc):
    def helper():
        return secret_of_the_state  # noqa: F821 - rx_exec makes it

    assert rx_exec(helper, {}, {"secret_of_the_state": 5}, cc) == [5]


def test_packages_to_load(cc):
    def loaded():
        import sys

        return "colorsys" in sys.modules

    assert rx_exec(loaded, compute_context=cc, packages_to_load=["colorsys"]) == [True]
    with pytest.raises(Exception, match="no_such_package"):
        rx_exec(loaded, compute_context=cc.replace(packages_to_load="no_such_package"))


def draw():
    import random

    return random.random()


def test_a_seed_does_not_depend_on_chunks_or_context(cc):
    alone = rx_exec(draw, times_to_run=6, seed=7, compute_context=RxLocalSeq())
    assert len(set(alone)) == 6
    for size in (1, 4):
        found = rx_exec(draw, times_to_run=6, seed=7, compute_context=cc, task_chunk_size=size)
        assert found == alone


def test_the_active_context_is_taken(cc):
    before = rx_set_compute_context(cc)
    try:
        assert rx_exec(os.getpid) != [os.getpid()]
    finally:
        rx_set_compute_context(before)


def test_timeout_of_a_job(cc):
    hurried = cc.replace(execution_timeout_seconds=1)
    with pytest.raises(ExecutionTimeout):
        rx_exec(lambda: time.sleep(60), compute_context=hurried)
    assert rx_exec(lambda: 1, compute_context=cc) == [1]


@pytest.mark.embedded_only
def test_interrupting_ends_the_processes(cc, tmp_path):
    """What Ctrl-C does: an exception in the caller's thread, while calls are under way."""
    import psutil

    def stuck(path):
        path.joinpath(str(os.getpid())).touch()
        time.sleep(60)

    def wait_and_interrupt():
        deadline = time.monotonic() + 30
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        signal_main()

    import signal

    def signal_main():
        signal.pthread_kill(main_thread, signal.SIGINT)

    main_thread = threading.main_thread().ident
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals reach the main thread alone")
    thread = threading.Thread(target=wait_and_interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        rx_exec(stuck, {"path": tmp_path}, times_to_run=2, task_chunk_size=1, compute_context=cc)
    thread.join()
    processes = [int(path.name) for path in tmp_path.iterdir()]
    assert len(processes) == 2
    deadline = time.monotonic() + 20
    while any(map(psutil.pid_exists, processes)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(psutil.pid_exists, processes))
    assert rx_exec(lambda: 1, compute_context=cc) == [1]


def test_cancelled_sessions_are_not_used_again(cc, connection_string):
    worker_session = POOL.take(sql_server.Connection.of(connection_string))
    worker_session.cancel()
    with pytest.raises(OperationCancelled):
        worker_session.execute("SELECT 1")
    POOL.give_back(worker_session)
    assert rx_exec(lambda: 1, compute_context=cc) == [1]


def test_sessions_stay_warm(connection_string, execute):
    cc = RxInSqlServer(connection_string, num_tasks=1)

    def sessions():
        return execute(
            "SELECT DISTINCT session_id FROM sqlexec.chunk_log WHERE log_id > "
            "(SELECT MAX(log_id) - 3 FROM sqlexec.chunk_log)"
        )

    for _ in range(3):
        rx_exec(lambda: 1, compute_context=cc)
    assert len(sessions()) == 1
