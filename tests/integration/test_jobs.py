"""Jobs that outlive their call: results, console, exceptions, cancel, cleanup, other handles."""

from __future__ import annotations

import os
import pickle
import sys
import time
import traceback
import uuid
import warnings
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from sqlexec import (
    RunFailedWarning,
    RxInSqlServer,
    RxMatchCall,
    RxRemoteJob,
    RxRemoteJobStatus,
    RxSqlServerData,
    rx_cancel_job,
    rx_cleanup_jobs,
    rx_distribute_job,
    rx_exec,
    rx_exec_iter,
    rx_get_job_info,
    rx_get_job_output,
    rx_get_job_results,
    rx_get_job_status,
    rx_get_jobs,
    rx_wait_for_job,
)
from sqlexec.contexts import client_workers
from sqlexec.errors import (
    ConfigurationError,
    ExecutionTimeout,
    IntegrityError,
    JobNotFinished,
    JobNotFound,
    OperationCancelled,
    PackError,
    ServerError,
    TaskCrashed,
)

Status = RxRemoteJobStatus


@pytest.fixture(params=[False, True], ids=["client", "detached"])
def nowait(cc, request):
    """Contexts whose jobs threads of this process work for, and SQL Server Agent."""
    return cc.replace(wait=False, detached=request.param)


@pytest.fixture
def here(cc):
    return cc.replace(wait=False, detached=False)


def talk(x):
    print("run", x)
    print("oops", x, file=sys.stderr)
    if x == 3:
        raise ValueError("three")
    return x * x


def sleeper(seconds):
    time.sleep(seconds)
    return seconds


# --- what a job gives -----------------------------------------------------------------------


def test_results_are_those_of_a_waiting_call(nowait, capsys):
    came = []
    job = rx_exec(talk, x=list(range(8)), compute_context=nowait, callback=came.append)
    assert isinstance(job, RxRemoteJob)
    with pytest.warns(RunFailedWarning, match="1 of 8 runs raised") as warned:
        found = job.result(timeout=60)
    assert warned[0].filename == __file__
    assert found[:3] == [0, 1, 4]
    assert isinstance(found[3], ValueError)
    assert "in talk" in found[3].remote.traceback
    assert len(found) == len(came) == 8
    assert capsys.readouterr().out == ""  # console_output was not asked for
    assert job.status is Status.UNDETERMINED  # auto_cleanup: the server has it no more
    assert job.result() == found
    report = job.report()
    assert len(report.to_frame()) == 8
    assert 1 <= report.workers <= 2
    assert 0 < report.shares["launch"] < 1


def test_a_distributed_job_outlives_its_call_where_the_context_says_so(here):
    call = RxMatchCall(talk, {"compute_context": here})
    job = rx_distribute_job({"function": pow, "base": 2, "exp": 5}, call)
    assert job.result() == [32]


def test_a_job_by_its_id(nowait, connection_string):
    job = rx_exec(talk, x=[1, 2], compute_context=nowait, auto_cleanup=False)
    other = RxRemoteJob.deserialize_job(str(job.job_id), RxInSqlServer(connection_string))
    assert pickle.loads(pickle.dumps(job)).job_id == job.job_id
    rx_wait_for_job(other)
    assert rx_get_job_status(other) is Status.FINISHED
    assert rx_get_job_results(other) == [1, 4]
    assert rx_get_job_results(other, auto_cleanup=True) == [1, 4]
    with pytest.raises(JobNotFound, match="removed"):
        job.result()
    assert rx_get_job_info(job) is None


def test_console_comes_as_calls_end(nowait, capsys):
    job = rx_exec(talk, x=[1, 2, 4], task_chunk_size=1, compute_context=nowait, console_output=True)
    lines = list(job.logs(follow=True))
    assert sorted(lines) == sorted(
        (stream, f"{word} {x}\n")
        for stream, word in [("stdout", "run"), ("stderr", "oops")]
        for x in (1, 2, 4)
    )
    assert rx_get_job_output(job) == "".join(text for _, text in lines)
    job.result()
    printed = capsys.readouterr()
    assert printed.out == "run 1\nrun 2\nrun 4\n"
    assert printed.err == "oops 1\noops 2\noops 4\n"


def test_a_single_run_raises_its_exception(here):
    job = rx_exec(talk, x=3, compute_context=here)
    with pytest.raises(ValueError, match="three") as caught:
        job.result(timeout=60)
    assert "in talk" in caught.value.remote.traceback
    with pytest.raises(ValueError, match="three") as again:  # though the server has removed it
        job.result()
    names = [each.name for each in traceback.extract_tb(again.value.__traceback__)]
    assert names[1:] == ["result", "fetch", "talk"]


def test_the_first_exception_ends_a_job_that_asks_for_it(here):
    job = rx_exec(
        talk, x=[3, 1, 2], task_chunk_size=1, compute_context=here, continue_on_failure=False
    )
    with pytest.raises(ValueError, match="three"):
        job.result(timeout=60)
    assert job.status is Status.FAILED
    job.close()


def test_waiting_jobs_may_be_kept(cc):
    found = rx_exec(talk, x=[1, 2], compute_context=cc, auto_cleanup=False)
    assert found == [1, 4]
    job = rx_get_jobs(cc, verbose=False)[0]
    assert sorted(job.output.splitlines()) == ["oops 1", "oops 2", "run 1", "run 2"]
    assert rx_get_job_results(job) == [1, 4]
    with pytest.warns(UserWarning, match="is kept"):
        rx_cleanup_jobs(job)
    rx_cleanup_jobs([job], force=True)
    assert job.info is None


def test_seeds_and_rows_are_as_in_waiting_calls(cc, here, flights):
    def draw():
        return np.random.random()

    waited = rx_exec(draw, times_to_run=5, seed=7, compute_context=cc)
    assert rx_exec(draw, times_to_run=5, seed=7, compute_context=here).result() == waited

    def count(rows):
        from sqlexec import rx_data_step

        return len(rx_data_step(rows))

    queries = [f"SELECT id FROM {flights} WHERE id < {n}" for n in (10, 10, 20)]
    runs = [{"rows": RxSqlServerData(sql_query=query)} for query in queries]
    assert rx_exec(count, args=runs, compute_context=here).result() == [10, 10, 20]


def test_long_results_and_long_arguments(here):
    long = np.arange(3_000_000.0)
    runs = [{"a": long, "b": 1.0}, {"a": np.zeros(3), "b": 2.0}]
    first, second = rx_exec(lambda a, b: a + b, args=runs, compute_context=here).result()
    assert np.array_equal(first, long + 1.0)
    assert second.tolist() == [2.0, 2.0, 2.0]


def test_a_query_that_fails_fails_the_job(here):
    source = RxSqlServerData(sql_query="SELECT * FROM dbo.no_such_table")
    job = rx_exec(lambda rows: 1, args={"rows": source}, compute_context=here)
    with pytest.raises(ServerError, match="no_such_table") as caught:
        job.result(timeout=60)
    assert caught.value.number == 208
    assert job.status is Status.FAILED
    assert job.cleanup()  # nothing would be lost


# --- what is done with a job ----------------------------------------------------------------


def test_not_finished_and_cancelled(nowait):
    job = rx_exec(sleeper, seconds=[0, 60, 60], task_chunk_size=1, compute_context=nowait)
    with pytest.raises(JobNotFinished, match="runs are done"):
        rx_get_job_results(job)
    with pytest.raises(JobNotFinished, match="not ended after"):
        job.result(timeout=0.1)
    deadline = time.monotonic() + 60
    while not list(job.results()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert list(job.results()) == [(0, 0)]
    assert job.cancel()
    assert not job.cancel()
    assert job.status is Status.CANCELED
    with pytest.raises(OperationCancelled) as caught:
        job.result()
    assert caught.value.partial_results == {0: 0}
    assert rx_cancel_job(job) is False
    rx_cleanup_jobs(job, verbose=False)
    assert job.info is None


def test_rx_cancel_job_removes_it(here):
    job = rx_exec(sleeper, seconds=60, compute_context=here)
    assert rx_cancel_job(job)
    assert job.info is None
    assert job.status is Status.CANCELED


def test_a_cancelled_job_is_not_called_interrupted(here, monkeypatch):
    """When this process ends before the threads that worked for it."""
    job = rx_exec(sleeper, seconds=60, compute_context=here)
    monkeypatch.setattr(client_workers, "_ALL", [job._workers])
    monkeypatch.setattr(job._workers, "join", lambda timeout: None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        job._workers.cancel()
        client_workers._leave()
    assert job.cancel()


def test_a_cancelled_job_goes_on(nowait):
    job = rx_exec(sleeper, seconds=[0.0, 1.0, 2.0], task_chunk_size=1, compute_context=nowait)
    job.cancel()
    job.resume()
    assert job.result(timeout=60) == [0.0, 1.0, 2.0]


def test_jobs_are_found_by_time_state_and_settings(here):
    begin = datetime.now(timezone.utc) - timedelta(seconds=5)  # the server's clock may differ
    job = rx_exec(sleeper, seconds=0, compute_context=here, auto_cleanup=False)
    job.wait()

    def found(**arguments):
        listed = rx_get_jobs(here, verbose=False, **arguments)
        return job.job_id in [each.job_id for each in listed]

    assert found()
    assert found(start_time=begin, states=Status.FINISHED)
    assert found(exact_match=True)
    assert not found(end_time=begin)
    assert not found(states=[Status.RUNNING, Status.FAILED])
    other = here.replace(num_tasks=9)
    assert job.job_id not in [each.job_id for each in rx_get_jobs(other, True, verbose=False)]
    assert job.resolve_context() == here
    job.close()


def test_a_line_a_job(here, capsys):
    job = rx_exec(sleeper, seconds=0, compute_context=here, auto_cleanup=False)
    job.wait()
    rx_get_jobs(here)
    assert f"{job.job_id}  FINISHED" in capsys.readouterr().out
    html = job._repr_html_()
    assert "FINISHED" in html
    assert 'value="1" max="1"' in html
    assert "PWD" not in repr(job) + html
    job.close()


def test_what_is_no_job(here):
    unknown = RxRemoteJob(here, uuid.uuid4())
    assert unknown.status is Status.UNDETERMINED
    assert unknown.wait(timeout=1)
    for ask in (unknown.result, unknown.cancel, unknown.resume, unknown.resolve_context):
        with pytest.raises(JobNotFound):
            ask()
    with pytest.raises(JobNotFound):
        RxRemoteJob.deserialize_job(unknown.job_id, here)
    with pytest.raises(ConfigurationError, match="no id"):
        RxRemoteJob(here, "x")
    with pytest.raises(ConfigurationError, match="RxRemoteJob"):
        rx_wait_for_job("x")
    with pytest.raises(ConfigurationError, match="live in a SQL Server"):
        rx_get_jobs("local")
    assert rx_get_job_info("x") is None


@pytest.fixture
def change_results(execute):
    """Lets an administrator change what the server keeps of a job."""

    def change(job):
        execute(
            "UPDATE b SET content = CAST(b.content + 0x00 AS varbinary(max)) FROM sqlexec.blob AS b"
            " INNER JOIN sqlexec.chunk AS c ON c.job_id = b.job_id"
            " AND c.result_sha256 = b.blob_sha256 WHERE b.job_id = ?",
            job.job_id,
        )
        execute("UPDATE sqlexec.chunk SET result_length = NULL WHERE job_id = ?", job.job_id)

    return change


def test_results_that_were_changed_are_not_used(here, change_results):
    job = rx_exec(talk, x=[1, 2], compute_context=here)
    job.wait()
    change_results(job)
    with pytest.raises(IntegrityError, match="not to be trusted"):
        job.result()
    assert job.status is Status.FINISHED  # nothing was removed
    job.close()


# --- what cannot be submitted ---------------------------------------------------------------


def test_nothing_is_left_of_what_cannot_be_sent(here, execute):
    before = execute("SELECT COUNT(*) FROM sqlexec.job")
    with pytest.raises(PackError):
        rx_exec(lambda x: x, args=[{"x": 1}, {"x": (n for n in [1])}], compute_context=here)
    with pytest.raises(ConfigurationError, match="at least one run"):
        rx_exec(sleeper, args=[], compute_context=here)
    assert execute("SELECT COUNT(*) FROM sqlexec.job") == before


def test_only_rx_exec_makes_jobs(here):
    with pytest.raises(ConfigurationError, match="rx_exec alone"):
        rx_exec_iter(sleeper, seconds=0, compute_context=here)


# --- runs that end their process ------------------------------------------------------------


def end_the_process(x):
    if x == 5:
        os._exit(9)
    return x


def test_one_run_that_ends_its_process_is_named_and_the_others_give_results(nowait):
    job = rx_exec(end_the_process, x=list(range(8)), task_chunk_size=8, compute_context=nowait)
    with pytest.warns(RunFailedWarning, match="1 of 8 runs raised"):
        found = job.result(timeout=60)
    assert found[:5] + found[6:] == [0, 1, 2, 3, 4, 6, 7]
    assert isinstance(found[5], TaskCrashed)
    assert "Run 5 ends the process that runs it" in str(found[5])
    assert found[5].attempts == 3


def test_a_job_that_takes_too_long_ends_what_runs(nowait):
    limited = nowait.replace(execution_timeout_seconds=1, num_tasks=1)
    job = rx_exec(sleeper, seconds=[0.0, 60.0], task_chunk_size=1, compute_context=limited)
    with pytest.raises(ExecutionTimeout, match="execution_timeout_seconds, 1") as caught:
        job.result(timeout=30)
    assert caught.value.partial_results == {0: 0.0}
    job.close()


def test_a_job_that_takes_too_long_ends_its_query(nowait, flights, execute):
    names = "abcde"
    total = " + ".join(f"{name}.id % 7" for name in names)
    tables = " CROSS JOIN ".join(f"{flights} AS {name}" for name in names)
    rows = RxSqlServerData(sql_query=f"SELECT SUM(CAST({total} AS bigint)) AS n FROM {tables}")
    limited = nowait.replace(execution_timeout_seconds=1)
    job = rx_exec(lambda rows: 1, args={"rows": rows}, compute_context=limited)
    with pytest.raises(ExecutionTimeout):
        job.result(timeout=60)
    deadline = time.monotonic() + 60
    logged = "SELECT status, error_number FROM sqlexec.chunk_log WHERE job_id = ?"
    while execute(logged, job.job_id) != [("failed", 51733)]:
        assert time.monotonic() < deadline
        assert job.status is Status.FAILED  # each look sees to workers that are gone
        time.sleep(0.1)
    job.close()


def test_a_context_with_its_password_is_not_kept(here):
    def outer():
        return repr(here)

    before = len(rx_get_jobs(here))
    with pytest.raises(PackError, match="password") as caught:
        rx_exec(outer, compute_context=here)
    assert "here" in str(caught.value)
    with pytest.raises(PackError, match="password"):
        rx_exec(lambda context: [context], args=[{"context": here}], compute_context=here)
    assert len(rx_get_jobs(here)) == before
    assert pickle.loads(pickle.dumps(here)) == here
