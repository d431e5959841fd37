"""How much runs at a time, and that nothing runs on when a job ends early."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from sqlexec import RxInSqlServer, retries, rx_exec
from sqlexec.embedded import EmbeddedServer
from sqlexec.errors import ExecutionTimeout, OperationCancelled
from sqlexec.server.connection import Connection
from sqlexec.server.pool import POOL
from sqlexec.server.session import Session
from tests.integration.conftest import prepared
from tests.integration.test_faults import double, gone, wait_until


def stuck(x, path):
    """Tells its process, then waits; the first is done at once."""
    if x:
        path.joinpath(f"{x}.part").write_text(str(os.getpid()))
        path.joinpath(f"{x}.part").rename(path / f"{x}.pid")
        time.sleep(60)
    return x


def interrupt_when(true, what):
    """Press Ctrl-C in this process; gives the thread that does."""

    def interrupt():
        wait_until(true, what)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    return thread


def running(path):
    """Of the processes that told themselves."""
    numbers = [int(each.read_text()) for each in path.glob("*.pid")]
    found = [psutil.Process(number) for number in numbers if psutil.pid_exists(number)]
    return [each for each in found if not gone(each)]


def no_worker_is_left():
    return not [each for each in threading.enumerate() if each.name.startswith("sqlexec worker")]


@pytest.mark.embedded_only
def test_ctrl_c_ends_all_processes_and_keeps_what_was_done(connection_string, tmp_path):
    thread = interrupt_when(lambda: len(running(tmp_path)) == 4, "the start of four scripts")
    cc = RxInSqlServer(connection_string, num_tasks=4)
    with pytest.raises(KeyboardInterrupt) as caught:
        rx_exec(stuck, x=list(range(9)), path=tmp_path, task_chunk_size=1, compute_context=cc)
    thread.join()
    wait_until(lambda: not running(tmp_path), "the end of the scripts")
    assert caught.value.partial_results == {0: 0}
    assert no_worker_is_left()
    assert rx_exec(double, x=[1, 2], compute_context=cc) == [2, 4]


@pytest.mark.embedded_only
def test_ctrl_c_while_processes_start():
    """A terminal sends it to all of them: those that still import say nothing of it."""
    script = """
from sqlexec import RxLocalParallel, rx_exec
try:
    rx_exec(lambda: 1, compute_context=RxLocalParallel(1))
except KeyboardInterrupt:
    raise SystemExit(7)
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True) as client:
        children = psutil.Process(client.pid).children
        wait_until(lambda: any(map(imports, children())), "a process that starts")
        os.killpg(client.pid, signal.SIGINT)
        _, told = client.communicate(timeout=60)
    assert (client.returncode, told) == (7, b"")


def imports(process):
    """Is it one of loky's, and busy with its imports?"""
    try:
        command = " ".join(process.cmdline())
        return "popen_loky_posix" in command and process.cpu_times().user > 0.1
    except psutil.Error:
        return False


@pytest.mark.embedded_only
def test_a_job_that_takes_too_long_ends_all_processes(connection_string, tmp_path):
    cc = RxInSqlServer(connection_string, num_tasks=2, execution_timeout_seconds=2)
    with pytest.raises(ExecutionTimeout) as caught:
        rx_exec(stuck, x=[0, 1, 2], path=tmp_path, task_chunk_size=1, compute_context=cc)
    wait_until(lambda: not running(tmp_path), "the end of the scripts")
    assert set(caught.value.partial_results) <= {0}
    assert no_worker_is_left()


@pytest.mark.embedded_only
def test_ctrl_c_while_failed_calls_wait(monkeypatch):
    monkeypatch.setattr(retries, "FIRST_WAIT_SECONDS", 1000.0)
    monkeypatch.setattr(retries, "LONGEST_WAIT_SECONDS", 1000.0)
    judged, judge = [], retries.judge

    def remember(*arguments):
        judged.append(judge(*arguments))
        return judged[-1]

    monkeypatch.setattr("sqlexec.crew.judge", remember)
    with EmbeddedServer(launch_failures=100) as server:
        cc = RxInSqlServer(prepared(server), num_tasks=2)
        thread = interrupt_when(lambda: len(judged) == 2, "two failed calls")
        with pytest.raises(KeyboardInterrupt):
            rx_exec(double, x=list(range(4)), compute_context=cc)
        thread.join()
        assert no_worker_is_left()
        POOL.close()


def test_never_more_calls_at_a_time_than_num_tasks(connection_string, execute):
    ((before,),) = execute("SELECT COALESCE(MAX(log_id), 0) FROM sqlexec.chunk_log")
    cc = RxInSqlServer(connection_string, num_tasks=3)
    found = rx_exec(nap, x=list(range(40)), task_chunk_size=2, compute_context=cc)
    assert found == list(range(40))
    calls = execute("SELECT started_at, ended_at FROM sqlexec.chunk_log WHERE log_id > ?", before)
    assert len(calls) == 20
    most = max(sum(start <= moment < end for start, end in calls) for moment, _ in calls)
    assert 1 <= most <= 3


def nap(x):
    time.sleep(0.01)
    return x


def test_a_cancel_that_comes_before_the_statement_is_sent(connection_string):
    session = Session(Connection.of(connection_string))
    about, cursor, raised = threading.Event(), session._cursor, []

    class Late:
        """The cursor, whose driver takes its time to send."""

        def execute(self, *arguments):
            about.set()
            time.sleep(0.3)
            return cursor.execute(*arguments)

        def __getattr__(self, name):
            return getattr(cursor, name)

    def wait():
        try:
            session.execute("WAITFOR DELAY '00:10:00'")
        except OperationCancelled as error:
            raised.append(error)

    session._cursor = Late()
    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    about.wait()
    session.cancel()
    thread.join(20)
    assert raised
    session.close()
