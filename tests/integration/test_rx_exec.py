"""rx_exec in the server: results, exceptions, console, parallel processes, cancelling."""

from __future__ import annotations

import os
import threading
import time

import pytest

from sqlexec import (
    RxInSqlServer,
    rx_exec,
)
from sqlexec.contexts import sql_server
from sqlexec.errors import OperationCancelled
from sqlexec.server.pool import POOL


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


def test_the_first_exception_cancels_the_rest(cc):
    def run(x):
        if x == 0:
            raise ValueError("zero")
        time.sleep(30)

    start = time.monotonic()
    with pytest.raises(ValueError, match="zero"):
        rx_exec(run, x=[0, 1, 2], task_chunk_size=1, compute_context=cc, continue_on_failure=False)
    assert time.monotonic() - start < 25  # nobody waited for the sleepers


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
