"""RxForeachDoPar where joblib's backends differ: pools that break, are stopped, or are none."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time

import joblib
import psutil
import pytest
from joblib.parallel import MultiprocessingBackend

from sqlexec import RunFailedWarning, RxForeachDoPar, SqlServerExecutor, rx_exec, rx_exec_iter
from sqlexec.contexts.joblib_pool.apart import run_apart, this_process
from sqlexec.contexts.joblib_pool.pool import JoblibPool
from sqlexec.errors import ConfigurationError, ExecutionTimeout, SqlExecError, TaskCrashed
from tests.integration.test_faults import double, wait_until
from tests.integration.test_stopping import interrupt_when, no_worker_is_left, running, stuck


class Forkserver(MultiprocessingBackend):
    """multiprocessing's, without forks of this process, which has threads."""

    def configure(self, **options):
        options["context"] = multiprocessing.get_context("forkserver")
        return super().configure(**options)


class WithoutCallback(Forkserver):
    """As backends were before joblib 1.3: the caller waits for each result."""

    supports_retrieve_callback = False


BACKENDS = ["loky", "forkserver"]


joblib.register_parallel_backend("forkserver", Forkserver)
joblib.register_parallel_backend("without callback", WithoutCallback)


# --- processes that die -------------------------------------------------------------------


def die_in(x, killers):
    if x in killers:
        print("dying", x, flush=True)
        os._exit(3)
    return x


def test_killers_are_found_among_calls_that_share_a_pool():
    """A run that is tried twice at most must not be blamed for what others did beside it."""
    context, killers = RxForeachDoPar("forkserver", 2, max_attempts=2), {2, 3}
    with pytest.warns(RunFailedWarning, match="2 of 8 runs"):
        found = rx_exec(
            die_in, x=list(range(8)), killers=killers, task_chunk_size=1, compute_context=context
        )
    for x, each in enumerate(found):
        if x in killers:
            assert isinstance(each, TaskCrashed)
            assert (each.attempts, each.exit_status) == (2, "EXIT(3)")
            assert f"dying {x}" in each.console
        else:
            assert each == x


def meet_and_die(x, path):
    path.joinpath(str(x)).touch()
    while len(list(path.iterdir())) < 2:
        time.sleep(0.01)
    os._exit(3) if x else time.sleep(60)


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_attempt_blames_all_that_were_under_way(backend, tmp_path):
    context = RxForeachDoPar(backend, 2, max_attempts=1)
    with pytest.warns(RunFailedWarning, match="2 of 2 runs"):
        found = rx_exec(
            meet_and_die, x=[0, 1], path=tmp_path, task_chunk_size=1, compute_context=context
        )
    for x, each in enumerate(found):
        assert f"run {x} and others were under way" in str(each)
    assert len(list(tmp_path.iterdir())) == 2


def test_processes_that_die_while_nobody_uses_them():
    with joblib.parallel_config("loky"):
        backend, _ = joblib.parallel.get_active_backend()
    pool = JoblibPool(backend, 2)
    assert pool.call(b"no payload", None)
    for process in psutil.Process().children():
        if "popen_loky_posix" in " ".join(process.cmdline()):
            process.kill()
    wait_until(lambda: backend._workers._flags.broken is not None, "that loky notices")
    assert pool.call(b"no payload", None)
    pool.close()


# --- jobs that are stopped ----------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_job_that_takes_too_long_ends_all_processes(backend, tmp_path):
    context = RxForeachDoPar(backend, 2)
    rx_exec(double, x=[1, 2], compute_context=context)  # so that processes are there
    with pytest.raises(ExecutionTimeout):
        rx_exec(
            stuck,
            x=[1, 2, 3],
            path=tmp_path,
            task_chunk_size=1,
            compute_context=context.replace(execution_timeout_seconds=3),
        )
    wait_until(lambda: not running(tmp_path), "the end of the processes")
    assert no_worker_is_left()
    assert joblib.Parallel(2, backend=backend)([joblib.delayed(abs)(-1)] * 2) == [1, 1]


@pytest.mark.parametrize("backend", BACKENDS)
def test_ctrl_c_ends_all_processes_and_keeps_what_was_done(backend, tmp_path):
    thread = interrupt_when(lambda: len(running(tmp_path)) == 2, "the start of two runs")
    with pytest.raises(KeyboardInterrupt) as caught:
        rx_exec(
            stuck,
            x=[0, 1, 2],
            path=tmp_path,
            task_chunk_size=1,
            compute_context=RxForeachDoPar(backend, 2),
        )
    thread.join()
    wait_until(lambda: not running(tmp_path), "the end of the processes")
    assert caught.value.partial_results == {0: 0}
    assert no_worker_is_left()


def test_a_job_that_nobody_reads_to_its_end(tmp_path):
    pairs = rx_exec_iter(
        stuck,
        x=[0, 1, 2],
        path=tmp_path,
        task_chunk_size=1,
        compute_context=RxForeachDoPar("forkserver", 2),
    )
    assert next(pairs) == (0, 0)
    wait_until(lambda: running(tmp_path), "the start of another run")
    pairs.close()
    wait_until(lambda: not running(tmp_path), "the end of the processes")


def nap():
    time.sleep(60)


def wait_for(x, path):
    path.joinpath(f"{x} {time.time()}").touch()
    while not path.joinpath("go").exists():
        time.sleep(0.01)
    return x


def test_a_job_whose_pool_another_job_ends(tmp_path):
    """Jobs share the processes of loky's."""
    context, found = RxForeachDoPar("loky", 2), []

    def run():
        found.extend(
            rx_exec(wait_for, x=[1, 2], path=tmp_path, task_chunk_size=1, compute_context=context)
        )

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: len(list(tmp_path.iterdir())) == 2, "the start of two runs")
    with pytest.raises(ExecutionTimeout):
        rx_exec(nap, compute_context=context.replace(execution_timeout_seconds=1))
    tmp_path.joinpath("go").touch()
    thread.join()
    assert found == [1, 2]
    assert len(list(tmp_path.iterdir())) > 3  # they ran again


# --- what a backend is --------------------------------------------------------------------


def test_one_task_at_a_time_has_a_process_too():
    context = RxForeachDoPar(num_tasks=1)
    (process,) = rx_exec(os.getpid, compute_context=context)
    assert process != os.getpid()


def test_the_backend_and_the_number_of_jobs_of_joblib_itself(tmp_path):
    with joblib.parallel_config("forkserver", n_jobs=2):
        processes = rx_exec(meet, x=[1, 2], path=tmp_path, compute_context=RxForeachDoPar())
    assert len(set(processes)) == 2


def meet(x, path):
    path.joinpath(str(x)).touch()
    deadline = time.monotonic() + 60
    while len(list(path.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    return os.getpid()


def test_a_backend_whose_results_are_waited_for():
    context = RxForeachDoPar("without callback", 2)
    assert rx_exec(double, x=[1, 2, 3], task_chunk_size=1, compute_context=context) == [2, 4, 6]


def test_a_backend_without_processes_runs_here():
    context = RxForeachDoPar("sequential")
    assert rx_exec(os.getpid, compute_context=context) == [os.getpid()]
    with pytest.raises(ConfigurationError, match="SequentialBackend has no processes here"):
        rx_exec(os.getpid, compute_context=context.replace(execution_timeout_seconds=1))


def nested(_):
    context = RxForeachDoPar("forkserver", 2)
    return os.getpid(), *rx_exec(os.getpid, compute_context=context)


def test_a_process_that_may_start_none_runs_here():
    """As those of multiprocessing's pools."""
    with multiprocessing.get_context("forkserver").Pool(1) as pool:
        ((outer, inner),) = pool.map(nested, [0])
    assert outer == inner != os.getpid()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs forks")
def test_a_fork_waits_for_nobody_of_its_parent():
    """A pool of multiprocessing's forks while it starts."""
    script = """
import os
from sqlexec.contexts.joblib_pool.turns import HERE
with HERE.starting, HERE.turns_of_loky.together():
    child = os.fork()
    if not child:
        with HERE.starting, HERE.turns_of_loky.alone():
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_threads_are_refused():
    with pytest.raises(ConfigurationError, match="ThreadingBackend runs threads"):
        rx_exec(os.getpid, compute_context=RxForeachDoPar("threading", 2))
    with pytest.raises(ConfigurationError, match="threads of the client"):
        run_apart(this_process(), b"", None)


def test_an_unknown_backend():
    with pytest.raises(ConfigurationError, match="no_such_backend"):
        rx_exec(os.getpid, compute_context=RxForeachDoPar("no_such_backend"))


def test_no_executor():
    with pytest.raises(ConfigurationError, match="not RxForeachDoPar"):
        SqlServerExecutor(RxForeachDoPar())


def test_a_call_that_the_backend_cannot_run():
    with joblib.parallel_config("loky"):
        backend, _ = joblib.parallel.get_active_backend()
    pool = JoblibPool(backend, 2)
    with pytest.raises(SqlExecError, match=r"LokyBackend could not run a call.*pickle"):
        pool.call(threading.Lock(), None)
    pool.close()
