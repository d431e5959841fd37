"""RxForeachDoPar on a dask cluster of this machine; skipped where dask is not installed."""

from __future__ import annotations

import os
import time

import joblib
import pytest

from sqlexec import RunFailedWarning, RxForeachDoPar, rx_exec
from sqlexec.errors import ConfigurationError, ExecutionTimeout, TaskCrashed

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

LOCAL = {"dashboard_address": "127.0.0.1:0", "host": "127.0.0.1"}


@pytest.fixture(scope="module")
def cluster():
    """Two processes, with two threads each."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(n_workers=2, threads_per_worker=2, **LOCAL) as cluster,
        distributed.Client(cluster),
    ):
        yield cluster


@pytest.fixture
def context(cluster):
    with joblib.parallel_config("dask"):
        yield RxForeachDoPar()


def talk(x):
    for _ in range(10):
        print("run", x, flush=True)
        time.sleep(0.001)
    return x, os.getpid()


def test_runs_of_one_process_keep_their_consoles_apart(context):
    written = {}

    def keep(index, stream, text):
        written[index] = written.get(index, "") + text

    found = rx_exec(
        talk, x=list(range(20)), compute_context=context, task_chunk_size=1, console_output=keep
    )
    assert [x for x, _ in found] == list(range(20))
    assert os.getpid() not in {process for _, process in found}
    assert written == {x: f"run {x}\n" * 10 for x in range(20)}


def die_at_two(x):
    print("run", x, flush=True)
    if x == 2:
        os._exit(3)
    return x


def test_a_run_that_kills_its_process(context):
    with pytest.warns(RunFailedWarning, match="1 of 4 runs"):
        found = rx_exec(die_at_two, x=[0, 1, 2, 3], compute_context=context, task_chunk_size=2)
    killer = found.pop(2)
    assert found == [0, 1, 3]
    assert isinstance(killer, TaskCrashed)
    assert "run 2" in killer.console


def nap(x):
    time.sleep(5)
    return x


def test_a_job_that_takes_too_long_ends_here(context):
    """Its runs end later: dask cannot stop them."""
    with pytest.raises(ExecutionTimeout):
        rx_exec(nap, x=[1, 2], compute_context=context.replace(execution_timeout_seconds=1))
    assert [x for x, _ in rx_exec(talk, x=[1, 2], compute_context=context)] == [1, 2]


def test_a_cluster_of_threads_is_refused():
    with (
        distributed.Client(processes=False, n_workers=1, dashboard_address="127.0.0.1:0"),
        joblib.parallel_config("dask"),
        pytest.raises(ConfigurationError, match="threads of the client"),
    ):
        rx_exec(die_at_two, x=[0, 1], compute_context=RxForeachDoPar())


def test_a_cluster_of_one_process_is_not_this_process():
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, **LOCAL) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        (process,) = rx_exec(os.getpid, compute_context=RxForeachDoPar())
    assert process != os.getpid()
