"""Durable jobs by T-SQL alone: workers that race, die and come back; every chunk ends once."""

from __future__ import annotations

import os
import threading

import pyodbc
import pytest

from tests.integration.durable import nap, number_of, wait_until


def double(x):
    return 2 * x


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers_share_the_chunks(admin, workers):
    job = admin.submit(double, [{"x": n} for n in range(48)], chunk_size=3)
    for each in [admin.start_worker(job) for _ in range(workers)]:
        each.join()
        assert each.error is None
    row = admin.look(job)
    assert (row.state, row.tasks_done, row.chunks_done, row.tasks_failed) == ("FINISHED", 48, 16, 0)
    assert admin.values(job) == [2 * n for n in range(48)]
    assert [row.attempt_count for row in admin.chunks(job)] == [1] * 16
    logged = admin.rows("SELECT chunk_number FROM sqlexec.chunk_log WHERE job_id = ?", job.job_id)
    assert sorted(row[0] for row in logged) == list(range(1, 17))
    headers = admin.call("fetch_console", job.job_id)
    assert [row.completed_number for row in headers] == list(range(1, 17))
    assert len(admin.call("fetch_console", job.job_id, 12)) == 4
    assert admin.counts(job)[2] == 0


def test_a_killed_workers_chunk_goes_to_another(admin, patience):
    query, set_seconds = patience
    job = admin.submit(nap, [{}, {}], query=query)
    first = admin.start_worker(job)
    wait_until(lambda: "running" in admin.states(job), "the first chunk")
    admin.kill(first)
    set_seconds(0)
    admin.work(job)
    assert admin.look(job).state == "FINISHED"
    assert [row.attempt_count for row in admin.chunks(job)] == [2, 1]
    assert admin.values(job) == ["awake", "awake"]


def test_a_worker_without_a_chunk_stays_for_what_another_leaves(admin, patience):
    query, set_seconds = patience
    job = admin.submit(nap, [{}], query=query)
    first = admin.start_worker(job)
    wait_until(lambda: admin.states(job) == ["running"], "the chunk")
    second = admin.start_worker(job)
    wait_until(lambda: admin.counts(job)[2] == 2, "the second worker")
    set_seconds(0)
    admin.kill(first)
    second.join()
    assert second.error is None
    assert admin.look(job).state == "FINISHED"
    assert [row.attempt_count for row in admin.chunks(job)] == [2]


def test_who_lost_a_chunk_keeps_nothing(admin):
    job = admin.submit(double, [{"x": 21}])
    worker, number, attempt = admin.vanish_with_a_chunk(job)
    admin.work(job)
    before = admin.look(job)
    admin.call("complete_chunk", job.job_id, number, worker, attempt, 1, b"late", "bytes", 4, 4, 0)
    assert admin.look(job) == before
    assert admin.values(job) == [42]
    assert admin.counts(job)[0] == 3  # payloads, shared part, one result
    assert [row.attempt_count for row in admin.chunks(job)] == [2]


def test_workers_that_vanish_again_and_again(admin):
    job = admin.submit(double, [{"x": 1}, {"x": 2}], most_attempts=2)
    for attempt in (1, 2):
        assert admin.vanish_with_a_chunk(job)[1:] == (1, attempt)
        assert admin.look(job).state == "RUNNING"  # and the chunk waits again, or has failed
    admin.work(job)
    row = admin.look(job)
    assert (row.state, row.error_number, row.chunks_failed) == ("FAILED", 51734, 1)
    failed, done = admin.chunks(job)
    assert (failed.state, failed.error_number, done.state) == ("failed", 51733, "done")
    assert "begun 2 times" in failed.error_message


def test_a_task_that_ends_its_process(admin):
    def risky(x):
        if x == 1:
            os._exit(3)
        return x

    job = admin.submit(risky, [{"x": n} for n in range(3)])
    admin.work(job)
    row = admin.look(job)
    assert (row.state, row.tasks_done, row.tasks_failed) == ("FINISHED", 3, 1)
    assert [(row.state, row.attempt_count) for row in admin.chunks(job)] == [
        ("done", 1), ("done", 3), ("done", 1)
    ]  # fmt: skip
    told = admin.call("fetch_results", job.job_id)[1]
    assert (told.error_number, told.result) == (39012, None)
    assert told.error_message
    assert admin.values(job) == [0, 2]


def test_a_chunk_goes_on_in_halves_until_the_killer_is_alone(admin):
    def risky(x):
        if x == 11:
            os._exit(3)
        return x

    job = admin.submit(risky, [{"x": n} for n in range(16)], chunk_size=16, most_attempts=2)
    admin.work(job)
    row = admin.look(job)
    assert (row.state, row.tasks_done, row.tasks_failed, row.chunk_count) == ("FINISHED", 16, 1, 5)
    told = admin.call("fetch_results", job.job_id)
    assert [(row.first_task, row.task_count, row.result is None) for row in told] == [
        (0, 8, False), (8, 2, False), (10, 1, False), (11, 1, True), (12, 4, False)
    ]  # fmt: skip
    assert admin.values(job) == [n for n in range(16) if n != 11]
    assert len(admin.call("fetch_console", job.job_id)) == 4


def test_nobody_is_blamed_for_what_a_job_that_ended_stops(admin):
    job = admin.submit(double, [{"x": n} for n in range(4)], chunk_size=4)
    worker, number, attempt = admin.vanish_with_a_chunk(job)
    admin.call("cancel_job", job.job_id)
    died = (job.job_id, number, worker, attempt, 39012, "gone")
    admin.run("DECLARE @t bit; EXECUTE sqlexec.fail_chunk ?, ?, ?, ?, ?, ?, @t OUTPUT", *died)
    assert admin.states(job) == ["waiting"]
    assert admin.look(job).state == "CANCELED"


def test_results_come_in_pages(admin):
    job = admin.submit(double, [{"x": n} for n in range(6)])
    admin.work(job)
    rows = admin.call("fetch_results", job.job_id)
    assert [row.first_task for row in rows] == list(range(6))
    size = rows[0].result_length
    page = admin.call("fetch_results", job.job_id, 1, size + 1)
    assert [row.first_task for row in page] == [2, 3]
    assert [row.first_task for row in admin.call("fetch_results", job.job_id, 4, 1)] == [5]
    assert admin.call("fetch_results", job.job_id, 5) == []


def test_the_first_failure_ends_a_job_that_asks_for_it(admin):
    job = admin.submit(lambda x: 1 // x, [{"x": n} for n in range(4)], stop_on_error=1)
    admin.work(job)
    row = admin.look(job)
    assert (row.state, row.error_number, row.tasks_failed) == ("FAILED", 51731, 1)
    assert admin.states(job) == ["done", "waiting", "waiting", "waiting"]


def test_a_job_that_takes_too_long(admin, patience):
    query, set_seconds = patience
    set_seconds(1.1)
    job = admin.submit(nap, [{}, {}, {}, {}], query=query, timeout_seconds=1)
    admin.work(job)
    row = admin.look(job)
    assert (row.state, row.error_number) == ("FAILED", 51732)
    assert admin.states(job)[-1] == "waiting"


@pytest.mark.parametrize("most_attempts", [1, 3])
def test_what_runs_ends_with_the_jobs_time(admin, patience, most_attempts):
    query, _ = patience
    job = admin.submit(
        nap, [{}, {}], query=query, chunk_size=2, timeout_seconds=1, most_attempts=most_attempts
    )
    admin.work(job)
    row = admin.look(job)
    assert (row.state, row.error_number, row.tasks_failed) == ("FAILED", 51732, 0)
    assert admin.states(job) == ["waiting"]


def test_the_log_tells_of_calls_whose_workers_are_gone(admin, patience):
    query, _ = patience
    job = admin.submit(nap, [{}], query=query)
    worker = admin.start_worker(job)
    logged = "SELECT l.status, l.error_number FROM sqlexec.chunk_log AS l WHERE l.job_id = ?"
    wait_until(lambda: admin.rows(logged, job.job_id), "the call")
    admin.call("cancel_job", job.job_id)
    admin.kill(worker)
    wait_until(lambda: admin.look(job) and admin.counts(job)[2] == 0, "a look at its worker")
    assert [tuple(row) for row in admin.rows(logged, job.job_id)] == [("failed", 51733)]
    assert admin.states(job) == ["waiting"]
    assert admin.look(job).state == "CANCELED"


def test_cancel_and_resume(admin, patience):
    query, set_seconds = patience
    job = admin.submit(nap, [{}, {}], query=query)
    worker = admin.start_worker(job)
    wait_until(lambda: "running" in admin.states(job), "the first chunk")
    assert admin.call("cancel_job", job.job_id)[0].was_open
    admin.work(job)  # there is nothing to do
    admin.kill(worker)
    assert not admin.call("cancel_job", job.job_id)[0].was_open
    assert admin.look(job).state == "CANCELED"
    set_seconds(0)
    admin.call("resume_job", job.job_id)
    assert admin.look(job).state == "QUEUED"
    with pytest.raises(pyodbc.Error, match="the job is QUEUED") as caught:
        admin.call("resume_job", job.job_id)
    assert number_of(caught.value) == 51712
    admin.work(job)
    assert admin.look(job).state == "FINISHED"
    assert admin.values(job) == ["awake", "awake"]


def test_a_cancel_while_the_last_chunk_ends(admin, patience):
    query, set_seconds = patience
    set_seconds(0.3)
    job = admin.submit(nap, [{}], query=query)
    worker = admin.start_worker(job)
    wait_until(lambda: admin.states(job) == ["running"], "the chunk")
    was_open = admin.call("cancel_job", job.job_id)[0].was_open
    worker.join()
    assert admin.look(job).state == ("CANCELED" if was_open else "FINISHED")
    assert admin.values(job) == ["awake"]


def test_a_job_whose_workers_are_gone_fails_after_its_grace(admin):
    unbegun = admin.submit(double, [{"x": 1}], grace_seconds=1)
    begun = admin.submit(double, [{"x": 1}, {"x": 2}], grace_seconds=1)
    admin.vanish_with_a_chunk(begun)
    for job in (unbegun, begun):
        row = admin.end_of(job)
        assert (row.state, row.error_number) == ("FAILED", 51730)
        assert "0 of" in row.error_message
    assert "for 1 s nobody has worked" in row.error_message
    admin.work(begun)  # a worker that comes late
    assert admin.look(begun).state == "FINISHED"
    assert admin.values(begun) == [2, 4]
    admin.call("resume_job", unbegun.job_id)
    admin.work(unbegun)
    assert admin.values(unbegun) == [2]


def test_cleanup_leaves_no_row(admin, patience):
    job = admin.submit(double, [{"x": n} for n in range(4)])
    admin.work(job)
    assert admin.counts(job) == [6, 4, 0, 1]
    admin.call("cleanup_job", job.job_id)
    assert admin.counts(job) == [0, 0, 0, 0]
    query, set_seconds = patience
    set_seconds(0.3)
    job = admin.submit(nap, [{}, {}], query=query)
    worker = admin.start_worker(job)
    wait_until(lambda: "running" in admin.states(job), "the first chunk")
    admin.call("cleanup_job", job.job_id)
    worker.join()
    assert worker.error is None
    assert admin.counts(job) == [0, 0, 0, 0]


def test_a_cancelled_worker_takes_its_chunk_again(admin, patience):
    query, set_seconds = patience
    job = admin.submit(nap, [{}], query=query)
    statement = "EXECUTE sqlexec.run_worker ?, 'client'"
    cursor = admin.connect().cursor()
    errors = []

    def work():
        try:
            cursor.execute(statement, job.job_id)
        except pyodbc.Error as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    wait_until(lambda: admin.states(job) == ["running"], "the chunk")
    cursor.cancel()
    thread.join()
    assert len(errors) == 1
    set_seconds(0)
    cursor.execute(statement, job.job_id)
    cursor.connection.close()
    assert admin.values(job) == ["awake"]
    assert [row.attempt_count for row in admin.chunks(job)] == [2]


@pytest.mark.parametrize(
    ("number", "wrong"),
    [
        (51701, {"protocol": 0}),
        (51702, {"chunks": None}),
        (51702, {"worker_count": 0}),
        (51702, {"shared": None}),
        (51703, {"chunks": "[]"}),
        (51703, {"chunks": "[[0, 1, 1, 0]]"}),
        (51703, {"queries": "[]"}),
    ],
)
def test_bad_submissions_leave_nothing(admin, number, wrong):
    with pytest.raises(pyodbc.Error) as caught:
        admin.submit(double, [{"x": 1}], description=f"bad {wrong}", **wrong)
    assert number_of(caught.value) == number
    assert admin.rows("SELECT 1 FROM sqlexec.job WHERE description = ?", f"bad {wrong}") == []


def test_no_worker_within_a_transaction(admin):
    job = admin.submit(double, [{"x": 1}])
    for statement in ("run_worker", "resume_job"):
        session = admin.connect()
        with pytest.raises(pyodbc.Error) as caught:
            session.execute(f"BEGIN TRANSACTION; EXECUTE sqlexec.{statement} ?", job.job_id)
        assert number_of(caught.value) == 51704
        session.close()
