"""Launches that fail or are slow, runs that kill their process, runs that never end."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
import traceback

import pytest

from sqlexec import RunFailedWarning, RxInSqlServer, rx_exec
from sqlexec.embedded import EmbeddedServer
from sqlexec.errors import TaskCrashed, TaskTimeout, TransientServerError
from sqlexec.server.pool import POOL
from tests.integration.conftest import prepared


def double(x):
    return 2 * x


@pytest.fixture(scope="module")
def failing():
    """A server whose first launches fail."""
    with EmbeddedServer(launch_failures=3) as server:
        yield prepared(server)
        POOL.close()


@pytest.mark.embedded_only
def test_launches_that_fail_are_tried_again(failing):
    cc = RxInSqlServer(failing)
    with pytest.raises(TransientServerError):
        rx_exec(double, x=[1], compute_context=cc.replace(max_attempts=1))
    assert rx_exec(double, x=[1, 2], compute_context=cc) == [2, 4]


def test_a_run_that_kills_its_process_is_blamed_and_the_others_give_results(cc):
    def risky(x):
        if x == 5:
            print("before the end of", x)
            os.write(2, b"a last word\n")
            os._exit(3)
        return 2 * x

    with pytest.warns(RunFailedWarning, match="run 5: TaskCrashed"):
        found = rx_exec(risky, x=list(range(12)), task_chunk_size=6, compute_context=cc)
    assert [found[x] for x in range(12) if x != 5] == [2 * x for x in range(12) if x != 5]
    assert isinstance(found[5], TaskCrashed)
    assert found[5].attempts >= 3
    assert "before the end of 5" in found[5].console
    assert "a last word" in str(found[5])


@pytest.mark.embedded_only
def test_the_end_of_a_process_is_told(cc):
    with pytest.raises(TaskCrashed, match="exit status 3, tried 3 times") as caught:
        rx_exec(lambda: os._exit(3), compute_context=cc)
    assert caught.value.exit_status == "exit status 3"
    with pytest.raises(TaskCrashed, match=r"signal 9\)"):
        rx_exec(
            lambda: os.kill(os.getpid(), signal.SIGKILL),
            compute_context=cc.replace(max_attempts=1),
        )


def test_what_a_killer_wrote_is_shown_and_its_retries_are_logged(cc, capsys, caplog):
    def kills():
        print("before the end", flush=True)
        os._exit(3)

    with pytest.raises(TaskCrashed), caplog.at_level("INFO", "sqlexec"):
        rx_exec(kills, compute_context=cc.replace(max_attempts=2), console_output="prefix")
    assert "[0] before the end\n" in capsys.readouterr().out
    logged = [each.getMessage() for each in caplog.records if each.name == "sqlexec"]
    assert logged[0].startswith(
        "Call 1 (runs 0 to 0, attempt 1) failed, again in 0.0 s: ProcessDied"
    )
    assert logged[1].startswith("Call 2 (runs 0 to 0, attempt 2) failed, not again: ProcessDied")


def test_a_crash_in_c_tells_where(cc):
    def crash():
        ctypes.string_at(0)

    with pytest.raises(TaskCrashed) as caught:
        rx_exec(crash, compute_context=cc.replace(max_attempts=2))
    assert "Segmentation fault" in caught.value.console
    assert "in crash" in caught.value.console


def test_a_suspect_that_lives_gives_its_console(cc, tmp_path, capsys):
    def dies_once(path):
        print("out")
        print("err", file=sys.stderr)
        if not path.exists():
            path.touch()
            os._exit(3)
        return 1

    arguments = {"path": tmp_path / "was here"}
    assert rx_exec(dies_once, arguments, compute_context=cc, console_output=True) == [1]
    assert capsys.readouterr() == ("out\n", "err\n")


def test_a_run_that_takes_too_long_is_stopped_and_the_others_go_on(cc):
    def waits(x):
        if x == 1:
            time.sleep(60)
        return x

    with pytest.warns(RunFailedWarning, match="TaskTimeout"):
        found = rx_exec(
            waits, x=[0, 1, 2], task_chunk_size=3, compute_context=cc, task_timeout_seconds=0.2
        )
    assert found[::2] == [0, 2]
    assert isinstance(found[1], TaskTimeout)
    assert isinstance(found[1], TimeoutError)
    assert "in waits" in "".join(traceback.format_exception(found[1]))


def test_a_run_that_ignores_its_end_is_stopped_again(cc):
    def stubborn():
        try:
            time.sleep(60)
        except TimeoutError:
            time.sleep(60)

    cc = cc.replace(task_timeout_seconds=0.1)
    with pytest.raises(TaskTimeout):
        rx_exec(stubborn, compute_context=cc)


def test_a_run_that_nothing_interrupts_is_ended_with_its_process(cc):
    def stuck(x):
        if x:
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
            time.sleep(60)
        return x

    with pytest.warns(RunFailedWarning, match="TaskTimeout"):
        found = rx_exec(
            stuck, x=[0, 1], task_chunk_size=1, compute_context=cc, task_timeout_seconds=0.1
        )
    assert found[0] == 0
    assert isinstance(found[1], TaskTimeout)
    assert "in stuck" in str(found[1].__cause__)


def test_what_was_done_is_kept_when_a_job_ends_early(cc):
    def third_fails(x):
        return 1 // (2 - x)

    with pytest.raises(ZeroDivisionError) as caught:
        rx_exec(
            third_fails,
            x=[0, 1, 2, 3],
            task_chunk_size=1,
            compute_context=cc.replace(num_tasks=1),
            continue_on_failure=False,
        )
    assert caught.value.partial_results == {0: 0, 1: 1}


def test_a_report_tells_who_ran_what(cc):
    def risky(x):
        if x == 3:
            os._exit(1)
        return os.getpid()

    with pytest.warns(RunFailedWarning):
        found, report = rx_exec(
            risky, x=list(range(6)), task_chunk_size=2, compute_context=cc, report=True
        )
    frame = report.to_frame().set_index("index")
    assert frame["status"].drop(3).eq("finished").all()
    assert frame.loc[3, "status"] == "TaskCrashed"
    assert frame["process_id"].drop(3).tolist() == [pid for x, pid in enumerate(found) if x != 3]
    assert frame.loc[3, "attempt"] == 3
    assert 1 <= report.workers <= 2
    assert "x" in str(report)


@pytest.mark.embedded_only
def test_where_launches_are_slow_each_worker_makes_one_call():
    def nap(x):
        time.sleep(0.002)
        return x

    with EmbeddedServer(launch_delay=0.3) as server:
        cc = RxInSqlServer(prepared(server), num_tasks=2)
        rx_exec(double, x=[1], compute_context=cc)  # so that it is known
        numbers = list(range(100))
        found, report = rx_exec(nap, x=numbers, compute_context=cc, report=True)
        assert found == numbers
        assert report.to_frame()["chunk"].nunique() == 2
        POOL.close()
