"""Runs that take too long, end their process or come back twice, in every compute context."""

from __future__ import annotations

import os
import time

import psutil
import pytest

from sqlexec import (
    RunFailedWarning,
    RxElemArg,
    RxLocalParallel,
    rx_exec,
)
from sqlexec.contexts import processes
from sqlexec.errors import (
    ConfigurationError,
    ExecutionTimeout,
    TaskCrashed,
    TaskTimeout,
)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_ends_a_process(context, kind):
    def end():
        raise kind(3)

    with pytest.raises(kind):
        rx_exec(end, compute_context=context)


@pytest.mark.parametrize("seconds", [None, 30])
def test_a_fork_that_comes_back_from_a_run_ends(elsewhere, tmp_path, seconds):
    """It neither answers nor goes on with the next run, and ends as a program does."""

    def forks(x, how, path):
        child = os.fork() if how else -1
        with open(path, "a") as file:
            file.write(f"{x} ")
        if child == 0:
            if how == "exit":
                raise SystemExit(3)
            return 1 // (how == "return")
        return os.waitpid(child, 0)[1] if how else None

    found = rx_exec(
        forks,
        {"x": RxElemArg([0, 1, 2, 3]), "how": RxElemArg(["exit", "return", "raise", ""])}
        | {"path": tmp_path / "ran"},
        task_chunk_size=4,
        compute_context=elsewhere,
        task_timeout_seconds=seconds,
    )
    assert found == [3 << 8, 0, 1 << 8, None]
    assert tmp_path.joinpath("ran").read_text() == "0 0 1 1 2 2 3 "


def test_timeout_of_a_job(elsewhere):
    def stuck():
        import time

        time.sleep(60)

    with pytest.raises(ExecutionTimeout):
        rx_exec(stuck, compute_context=elsewhere.replace(execution_timeout_seconds=1))
    assert rx_exec(lambda: 1, compute_context=elsewhere) == [1]


@pytest.mark.embedded_only
def test_what_a_run_wrote_that_kills_its_process(elsewhere):
    def run(x):
        print("run", x, flush=True)
        if x == 5:
            os._exit(3)
        return x

    with pytest.warns(RunFailedWarning, match="1 of 8 runs"):
        found = rx_exec(run, x=list(range(8)), compute_context=elsewhere, task_chunk_size=4)
    killer = found.pop(5)
    assert found == [0, 1, 2, 3, 4, 6, 7]
    assert isinstance(killer, TaskCrashed)
    assert "3" in killer.exit_status
    assert "run 5" in killer.console


def sleep_long(x):
    time.sleep(60 if x == 1 else 0)
    return x


def test_timeout_of_a_run(context):
    with pytest.warns(RunFailedWarning, match="TaskTimeout"):
        found = rx_exec(sleep_long, x=[0, 1, 2], compute_context=context, task_timeout_seconds=0.1)
    assert found[::2] == [0, 2]
    assert isinstance(found[1], TaskTimeout)
    limited = context.replace(task_timeout_seconds=0.1)
    with pytest.raises(TaskTimeout, match="task_timeout_seconds"):
        rx_exec(sleep_long, {"x": 1}, compute_context=limited)


@pytest.mark.parametrize("seconds", [-1, "1", True, float("nan"), float("inf")])
def test_a_timeout_that_is_none(seconds):
    with pytest.raises(ConfigurationError, match="task_timeout_seconds"):
        rx_exec(sleep_long, {"x": 0}, task_timeout_seconds=seconds)


def end_the_process(x):
    if x == 1:
        os._exit(3)
    return x


def test_a_run_that_kills_its_process(elsewhere):
    with pytest.warns(RunFailedWarning, match="TaskCrashed"):
        found = rx_exec(end_the_process, x=[0, 1, 2], compute_context=elsewhere)
    assert found[::2] == [0, 2]
    assert isinstance(found[1], TaskCrashed)


def nap(seconds):
    time.sleep(seconds)


def test_processes_that_die_while_nobody_uses_them():
    context = RxLocalParallel(2, max_attempts=1)
    rx_exec(nap, seconds=[0.1, 0.1], task_chunk_size=1, compute_context=context)
    for process in psutil.Process().children():
        if "popen_loky_posix" in " ".join(process.cmdline()):
            process.kill()
    while any(each._executor._processes for each in processes._IDLE):
        time.sleep(0.01)  # loky has not noticed yet
    found = rx_exec(lambda x: -x, x=[1, 2], task_chunk_size=1, compute_context=context)
    assert found == [-1, -2]
