"""Durable jobs on servers that fail: launches refused, results cut, no Agent, killed, restarted."""

from __future__ import annotations

import base64
import os
import signal

import numpy as np
import pyodbc
import pytest

from sqlexec.embedded import EmbeddedServer
from sqlexec.payload import unpack
from sqlexec.runner.main import runtime
from sqlexec.runner.wire import RESULT, read_header
from tests.integration.conftest import DATABASE, prepared
from tests.integration.durable import Login, number_of, wait_until

pytestmark = pytest.mark.embedded_only
CUT = 65_535


def double(x):
    return 2 * x


def nap_on_odd(x):
    import time

    time.sleep(600 * (x % 2))
    return x


def count_to(n):
    print("counting to", n)
    return np.arange(n)


@pytest.fixture(scope="module")
def poor():
    """At a server without Agent, that cuts OUTPUT values, and whose first two launches fail."""
    with EmbeddedServer(agent=False, cut_output=CUT, launch_failures=2) as server:
        login = Login(prepared(server), runtime())
        job = login.submit(double, [{"x": 1}, {"x": 2}])
        login.work(job)
        yield login, job
        login.close()


def test_launches_that_fail_are_tried_again(poor):
    login, job = poor
    assert login.look(job).state == "FINISHED"
    assert sum(row.attempt_count for row in login.chunks(job)) == 4
    assert login.values(job) == [2, 4]
    logged = login.rows(
        "SELECT l.status, l.error_number FROM sqlexec.chunk_log AS l WHERE l.job_id = ? "
        "ORDER BY l.log_id",
        job.job_id,
    )
    assert [tuple(row) for row in logged] == [("failed", 39025)] * 2 + [("finished", None)] * 2


def test_long_results_in_rows(poor):
    login, _ = poor
    job = login.submit(count_to, [{"n": 50_000}, {"n": 5}], way_out="rows")
    login.work(job)
    long, short = login.call("fetch_results", job.job_id)
    assert (long.result_encoding, short.result_encoding) == ("base64", "bytes")
    frame = base64.b64decode(long.result)
    assert len(frame) == long.result_length > CUT
    (outcome,) = unpack(frame, job.packer.key).outcomes
    assert (outcome.value == np.arange(50_000)).all()
    for row in login.call("fetch_console", job.job_id):
        header = base64.b64decode(row.header) if row.result_encoding == "base64" else row.header
        (lines,) = read_header(header, RESULT, job.packer.key)["console"].values()
        assert lines[0][1].startswith("counting to")


def test_a_cut_result_is_not_kept(poor):
    login, _ = poor
    job = login.submit(count_to, [{"n": 50_000}, {"n": 5}], way_out="output")
    login.work(job)
    assert login.look(job).state == "FAILED"
    cut, whole = login.chunks(job)
    assert (cut.state, cut.error_number, whole.state) == ("failed", 51736, "done")
    assert "in rows" in cut.error_message


def test_without_the_agent_nothing_is_left(poor):
    login, _ = poor
    before = login.rows("SELECT job_id FROM sqlexec.job")
    with pytest.raises(pyodbc.Error, match=r"not currently running.*Three ways out") as caught:
        login.submit(double, [{"x": 1}, {"x": 2}], detached=1)
    assert number_of(caught.value) == 51720
    assert login.rows("SELECT job_id FROM sqlexec.job") == before
    assert login.rows("SELECT name FROM msdb.dbo.sysjobs") == []


def test_a_kill_of_the_server_and_a_start_on_the_same_file(tmp_path):
    file = tmp_path / "kept.db"
    with EmbeddedServer(database=file) as server:
        login = Login(prepared(server), runtime())
        finished = login.submit(double, [{"x": n} for n in range(3)])
        login.work(finished)
        waiting = login.submit(double, [{"x": 3}], grace_seconds=3600)
        detached, attached = (
            login.submit(
                nap_on_odd, [{"x": n} for n in (0, 2, 1)], detached=detached, grace_seconds=1
            )
            for detached in (1, 0)
        )
        worker = login.start_worker(attached)
        for job in (detached, attached):
            wait_until(lambda job=job: login.look(job).chunks_done == 2, "two chunks")
            wait_until(lambda job=job: "running" in login.states(job), "the third")
        os.kill(server.process_id, signal.SIGKILL)
        worker.join()
        assert worker.error is not None
        login.close()

    with EmbeddedServer(database=file) as server:
        login = Login(server.odbc(Database=DATABASE), runtime())
        assert login.look(finished).state == "FINISHED"
        assert login.values(finished) == [0, 2, 4]
        assert login.look(waiting).state == "QUEUED"
        login.work(waiting)
        assert login.values(waiting) == [6]
        for job in (detached, attached):
            row = login.end_of(job)
            assert (row.state, row.error_number, row.chunks_done) == ("FAILED", 51730, 2)
            assert login.values(job) == [0, 2]
        for job in (detached, attached):
            login.call("resume_job", job.job_id)
        worker = login.start_worker(attached)
        for job in (detached, attached):
            wait_until(lambda job=job: "running" in login.states(job), "the third chunk again")
            login.call("cancel_job", job.job_id)
            assert login.states(job)[:2] == ["done", "done"]
            login.call("cleanup_job", job.job_id)
            assert login.counts(job) == [0, 0, 0, 0]
        login.kill(worker)
        assert login.rows("SELECT name FROM msdb.dbo.sysjobs") == []
        login.close()
