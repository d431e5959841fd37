"""Jobs and what breaks on the way: nothing is lost, nothing comes twice, nothing hangs."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest

from sqlexec import RxInSqlServer, RxRemoteJob, RxRemoteJobStatus, rx_exec, rx_get_jobs
from sqlexec.embedded import EmbeddedServer
from sqlexec.errors import AgentUnavailable, JobFailed, JobNotFound, OperationCancelled
from sqlexec.server import jobs
from sqlexec.server.connection import Connection
from sqlexec.server.pool import POOL
from tests.integration.conftest import DATABASE, in_database, prepared
from tests.integration.test_faults import gone, run_client, wait_until

Status = RxRemoteJobStatus

CLIENT = """
import sys, time
from sqlexec import RxInSqlServer, rx_exec, rx_get_jobs

cc = RxInSqlServer(sys.argv[1], num_tasks=2, wait=False, detached=False)

def wait_and_double(x, seconds=0):
    import time
    time.sleep(seconds)
    return 2 * x
"""


@pytest.fixture
def here(cc):
    return cc.replace(wait=False, detached=False)


@pytest.fixture
def client(connection_string):
    """Starts a client program; gives its process and the first line that it prints."""
    processes = []

    def start(code, *more):
        code = CLIENT + textwrap.dedent(code)
        arguments = [sys.executable, "-c", code, connection_string, *more]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def kill(process):
    process.kill()
    process.wait()


def interrupted(job, execute):
    """Wait until the server tells that a job's workers are gone."""
    execute("UPDATE sqlexec.job SET grace_seconds = 1 WHERE job_id = ?", str(job.job_id))
    assert job.wait(timeout=60)
    assert job.status is Status.FAILED


# --- clients that die -----------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.3])
def test_a_client_killed_while_it_submits_leaves_a_whole_job_or_none(
    client, connection_string, execute, delay
):
    process, _ = client(
        """
        import os
        runs = [{"x": os.urandom(8_000_000)} for _ in range(4)]
        rx_exec(wait_and_double, x=1, compute_context=cc.replace(wait=True))
        print("now", flush=True)
        rx_exec(wait_and_double, args=runs, compute_context=cc.replace(description="killed"))
    """.replace('.replace(description="killed")', "")
    )
    time.sleep(delay)
    kill(process)
    time.sleep(0.5)  # for what the server may still do
    parts = execute(
        "SELECT j.chunk_count, (SELECT COUNT(*) FROM sqlexec.chunk AS c WHERE c.job_id = j.job_id),"
        " (SELECT COUNT(*) FROM sqlexec.blob AS b WHERE b.job_id = j.job_id) FROM sqlexec.job AS j"
        " WHERE j.description = N'wait_and_double' AND j.task_count = 4"
    )
    assert all(listed == found and blobs >= 2 for listed, found, blobs in parts)
    for job in rx_get_jobs(RxInSqlServer(connection_string), verbose=False):
        if job.description == "wait_and_double":
            job.close()


def test_a_job_of_a_client_that_was_killed_goes_on_elsewhere(client, cc, execute, tmp_path):
    process, job_id = client(
        """
        def wait_for_file(x, path):
            import os, time
            while x > 1 and not os.path.exists(path):
                time.sleep(0.05)
            return x

        job = rx_exec(
            wait_for_file, x=[1, 2, 3], path=sys.argv[2], task_chunk_size=1, compute_context=cc
        )
        while len(list(job.results())) < 1:
            time.sleep(0.1)
        print(job.job_id, flush=True)
        job.wait()
        """,
        str(tmp_path / "go"),
    )
    kill(process)
    job = RxRemoteJob.deserialize_job(job_id, cc)
    interrupted(job, execute)
    with pytest.raises(JobFailed, match="nobody has worked for it") as caught:
        job.result()
    assert caught.value.partial_results == {0: 1}
    assert caught.value.number == 51730
    tmp_path.joinpath("go").touch()
    job.resume()
    assert job.result(timeout=60) == [1, 2, 3]


def test_a_detached_job_needs_no_client(client, cc):
    process, job_id = client("""
        runs = {"args": [{"x": n, "seconds": 0.3} for n in range(4)], "task_chunk_size": 1}
        job = rx_exec(wait_and_double, **runs, compute_context=cc.replace(detached=True))
        print(job.job_id, flush=True)
        job.wait()
    """)
    kill(process)
    assert RxRemoteJob.deserialize_job(job_id, cc).result(timeout=60) == [0, 2, 4, 6]


def test_a_client_killed_while_it_fetches_leaves_the_results(client, cc):
    process, job_id = client("""
        def linger(value):
            print(job.job_id, flush=True)
            time.sleep(60)

        job = rx_exec(wait_and_double, x=[1, 2, 3], compute_context=cc, callback=linger)
        job.result()
    """)
    kill(process)
    job = RxRemoteJob.deserialize_job(job_id, cc)
    assert job.result(timeout=60) == [2, 4, 6]
    assert job.info is None  # auto_cleanup, now that somebody has them


def test_an_interpreter_ends_and_says_what_it_leaves(connection_string, cc, execute):
    code = """
        job = rx_exec(wait_and_double, x=[1, 2], seconds=60, compute_context=cc)
        print(job.job_id, flush=True)
        while job.info.state == "QUEUED":
            time.sleep(0.1)
    """
    found = run_client(CLIENT + textwrap.dedent(code), connection_string)
    assert found.returncode == 0
    job_id = found.stdout.strip()
    assert f"JobInterruptedWarning: Job {job_id} is interrupted" in found.stderr
    assert "Traceback" not in found.stderr
    job = RxRemoteJob.deserialize_job(job_id, cc)
    interrupted(job, execute)
    job.close()


WAYS = """
stuck = RxInSqlServer(sys.argv[1], num_tasks=2, auto_cleanup=False)
job = rx_exec(wait_and_double, x=1, seconds=600, compute_context=cc)
before = {each.job_id for each in rx_get_jobs(cc, verbose=False)}
ways = {
    "rx_exec": lambda: rx_exec(wait_and_double, x=1, seconds=600, compute_context=stuck),
    "wait": job.wait,
    "result": job.result,
    "logs": lambda: list(job.logs(follow=True)),
}
for n in range(int(sys.argv[2])):
    name = list(ways)[n % len(ways)]
    try:
        print("now", flush=True)
        ways[name]()
    except KeyboardInterrupt:
        others = [each for each in rx_get_jobs(cc, verbose=False) if each.job_id not in before]
        print(name, job.status.value, [each.status.value for each in others], flush=True)
        for each in others:
            each.close()
job.close()
"""


def test_interrupts_at_any_moment_end_the_waiting(client):
    rounds = 24
    process, line = client(WAYS, str(rounds))
    ended = []
    while line:
        if line == "now":
            time.sleep(random.random() / 2)
            process.send_signal(signal.SIGINT)
        else:
            ended.append(line.split(" ", 1))
        line = process.stdout.readline().strip()
    assert process.wait() == 0
    assert [way for way, _ in ended] == ["rx_exec", "wait", "result", "logs"] * (rounds // 4)
    for way, found in ended:  # a job that is only waited for goes on
        assert found in (
            ["RUNNING []", "RUNNING ['CANCELED']"] if way == "rx_exec" else ["RUNNING []"]
        )


# --- clients at the same time ---------------------------------------------------------------


@pytest.mark.parametrize("auto_cleanup", [False, True])
def test_two_clients_fetch_all_or_hear_that_it_is_gone(here, auto_cleanup):
    runs = [{"x": np.full(200_000, n)} for n in range(6)]
    job = rx_exec(
        lambda x: x, args=runs, task_chunk_size=1, compute_context=here, auto_cleanup=auto_cleanup
    )
    job.wait()

    def fetch(_):
        try:
            return [int(each[0]) for each in RxRemoteJob(here, job.job_id).result()]
        except JobNotFound:
            return None

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(fetch, range(2)))
    assert list(range(6)) in found
    assert all(each == list(range(6)) or (auto_cleanup and each is None) for each in found)
    job.close() if not auto_cleanup else None


def test_cancelling_races_with_the_end(here):
    for delay in (0.0, 0.1, 0.2, 0.3, 0.5):
        job = rx_exec(lambda x: x, x=[1, 2, 3, 4], compute_context=here, auto_cleanup=False)
        time.sleep(delay)
        if job.cancel():
            assert job.status is Status.CANCELED
            with pytest.raises(OperationCancelled):
                job.result()
        else:
            assert job.result() == [1, 2, 3, 4]
            assert job.status is Status.FINISHED
        job.close()


def test_a_thousand_jobs_in_the_tables(cc, execute):
    execute(
        "INSERT INTO sqlexec.job (job_id, owner_sid, login_name, description, state, detached,"
        " worker_count, task_count, chunk_count, most_attempts, stop_on_error, grace_seconds,"
        " auto_cleanup, console_output, protocol, result_key, client, payloads_sha256,"
        " shared_sha256, submitted_at, active_at, ended_at)"
        " SELECT NEWID(), SUSER_SID(), SUSER_SNAME(), N'one of many', 'FINISHED', 0, 1, 1, 1, 3, 0,"
        " 15, 1, 0, 1, 0x00, N'{}', CAST(0x00 AS binary(32)), CAST(0x00 AS binary(32)),"
        " '2001-02-03', '2001-02-03', '2001-02-03'"
        " FROM OPENJSON(?)",
        str([0] * 1000),
    )
    with POOL.lend(Connection.of(cc.connection_string)) as session:
        assert len(jobs.find(session, states=["FINISHED"], most=900)) == 900
        many = [each for each in jobs.find(session) if each.description == "one of many"]
        assert len(many) == 1000
    execute("DELETE FROM sqlexec.job WHERE description = N'one of many'")


# --- processes and servers that die ---------------------------------------------------------


@pytest.mark.embedded_only
def test_a_process_that_dies_is_replaced(here, tmp_path):
    def die_once(x, path):
        if x == 1 and not path.joinpath("died").exists():
            path.joinpath("died").touch()
            os._exit(3)
        return x

    runs = rx_exec(die_once, x=[0, 1, 2], path=tmp_path, task_chunk_size=1, compute_context=here)
    assert runs.result(timeout=60) == [0, 1, 2]


@pytest.mark.embedded_only
def test_a_server_that_is_killed_and_comes_back(tmp_path):
    """One job has finished, one runs by this client, one by Agent: none is lost, none hangs."""
    with EmbeddedServer(database=tmp_path / "data.duckdb") as server:
        cc = RxInSqlServer(prepared(server), num_tasks=2, wait=False)

        def wait(x, seconds):
            time.sleep(seconds)
            return x

        done = rx_exec(wait, x=[1, 2], seconds=0, compute_context=cc, auto_cleanup=False)
        done.wait()
        running = {
            detached: rx_exec(
                wait,
                x=[1, 2, 3, 4],
                seconds=1,
                task_chunk_size=1,
                compute_context=cc.replace(detached=detached),
            )
            for detached in (False, True)
        }
        for job in running.values():
            wait_until(lambda job=job: job.info.tasks_done > 0, "the first run")
        os.kill(server.process_id, signal.SIGKILL)
        wait_until(lambda: gone(psutil.Process(server.process_id)), "the server's end")
        again = EmbeddedServer(
            database=tmp_path / "data.duckdb", port=server.port, password=server.password
        )
        with again:
            found = RxRemoteJob.deserialize_job(done.job_id, cc)
            assert found.result() == [1, 2]
            assert running[False].result(timeout=60) == [1, 2, 3, 4]  # its threads came again
            lost = running[True]

            def execute(*statement):
                with POOL.lend(Connection.of(in_database(cc.connection_string, DATABASE))) as each:
                    each.execute(*statement)

            interrupted(lost, execute)
            lost.resume(detached=False)
            assert lost.result(timeout=60) == [1, 2, 3, 4]
            POOL.close()


@pytest.mark.embedded_only
def test_a_server_without_agent_that_cuts_results():
    with EmbeddedServer(agent=False, cut_output=65_535) as server:
        cc = RxInSqlServer(prepared(server), num_tasks=2, wait=False)

        def count_to(stop):
            return np.arange(stop)

        with pytest.raises(AgentUnavailable, match=r"detached=False.*wait=True"):
            rx_exec(count_to, stop=3, compute_context=cc)
        assert rx_get_jobs(cc) == []
        job = rx_exec(count_to, stop=100_000, compute_context=cc.replace(detached=False))
        assert (job.result(timeout=60)[0] == np.arange(100_000)).all()
        POOL.close()
