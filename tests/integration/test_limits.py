"""Limits that the server holds, whatever a client asks for; the log of calls and its views."""

from __future__ import annotations

import time
import uuid

import pyodbc
import pytest

from sqlexec import RxInSqlServer, run_script, rx_exec, store_script
from sqlexec.bundle import install
from sqlexec.errors import LimitReached, PermissionDenied, ServerError, TaskTimeout
from sqlexec.server.connection import Connection, parse_odbc
from sqlexec.server.pool import POOL
from sqlexec.server.session import Session
from tests.integration.conftest import in_database, run_once
from tests.integration.durable import wait_until

PASSWORD = "Limits-9-Apply"


def double(x):
    return 2 * x


def size(data):
    return len(data)


def count(rows):
    from revoscalepy import rx_import

    return len(rx_import(rows))


def sleep(seconds):
    time.sleep(seconds)


@pytest.fixture(scope="module")
def place(connection_string):
    """A database of its own, whose limits nobody else meets."""
    name = f"limits_{uuid.uuid4().hex[:8]}"
    run_once(connection_string, f"CREATE DATABASE {name}")
    place = in_database(connection_string, name)
    install(place)
    yield place

    def is_dropped():
        POOL.close()
        try:
            run_once(connection_string, f"DROP DATABASE {name}")
        except ServerError:  # in use: threads of jobs end their sessions soon
            return False
        return True

    wait_until(is_dropped, "the end of all sessions")


@pytest.fixture(scope="module")
def people(place):
    """Connection strings of new logins: user, admin, nobody."""
    session = Session(Connection.of(place))
    found = {}
    for role in ("sqlexec_user", "sqlexec_admin", "nobody"):
        name = f"{role}_{uuid.uuid4().hex[:8]}"
        session.execute(f"CREATE LOGIN {name} WITH PASSWORD = '{PASSWORD}'")
        session.execute(f"CREATE USER {name} FOR LOGIN {name}")
        if role != "nobody":
            session.execute(f"ALTER ROLE {role} ADD MEMBER {name}")
        found[role] = in_database(place, Connection.of(place).database, UID=name, PWD=PASSWORD)
    session.close()
    return found


@pytest.fixture
def user(people):
    """A compute context of a plain user's."""
    return RxInSqlServer(people["sqlexec_user"], num_tasks=2)


@pytest.fixture
def configure(people):
    """Set a limit as a member of sqlexec_admin; all are lifted in the end."""
    session = Session(Connection.of(people["sqlexec_admin"]))

    def set_limit(name, value):
        return session.execute(f"EXECUTE sqlexec.configure @name = '{name}', @value = {value}")

    yield set_limit
    for name, *_ in session.execute("EXECUTE sqlexec.configure"):
        set_limit(name, 0)
    session.close()


def name_of(connection_string):
    return parse_odbc(connection_string)["UID"]


def rows(connection_string, statement):
    session = Session(Connection.of(connection_string))
    try:
        return session.execute(statement)
    finally:
        session.close()


def test_limits_are_listed_and_set(configure, people):
    ((name, value, *_, by),) = configure("kept_days", 30)
    assert (name, value) == ("kept_days", 30)
    assert by == name_of(people["sqlexec_admin"])
    listed = rows(people["sqlexec_admin"], "EXECUTE sqlexec.configure")
    assert [row[0] for row in listed] == [
        "kept_days", "largest_payload_bytes", "longest_run_seconds", "most_workers_per_login",
    ]  # fmt: skip
    assert [row[1] for row in listed] == [30, 0, 0, 0]


def test_wrong_limits_are_refused_together(people):
    with pytest.raises(ServerError, match=r"no limit colour(.|\n)*must be 0 or more"):
        rows(people["sqlexec_admin"], "EXECUTE sqlexec.configure @name = 'colour', @value = -1")


@pytest.mark.parametrize("name", ["kept_days", "longest_run_seconds", "most_workers_per_login"])
def test_limits_beyond_what_a_server_can_count_are_refused(people, name):
    with pytest.raises(ServerError, match=r"must be 0 or more, and .* at most"):
        rows(
            people["sqlexec_admin"],
            f"EXECUTE sqlexec.configure @name = '{name}', @value = {2**40}",
        )


def test_users_may_not_set_limits(people):
    for who in ("sqlexec_user", "nobody"):
        with pytest.raises(PermissionDenied):
            rows(people[who], "EXECUTE sqlexec.configure @name = 'kept_days', @value = 1")


def test_large_payloads_are_refused(configure, user):
    configure("largest_payload_bytes", 50_000)
    assert rx_exec(double, x=1, compute_context=user) == [2]
    with pytest.raises(ServerError, match=r"largest_payload_bytes .* is 50000") as failed:
        rx_exec(size, data=b"x" * 60_000, compute_context=user)
    assert failed.value.number == 51750
    waiting = RxInSqlServer(user.connection_string, wait=False)
    with pytest.raises(ServerError, match=r"largest_payload_bytes .* is 50000"):
        rx_exec(size, data=b"x" * 60_000, compute_context=waiting)


def test_long_runs_are_stopped(configure, user):
    configure("longest_run_seconds", 1)
    with pytest.raises(TaskTimeout, match=r"longest_run_seconds, 1, .* sqlexec_admin"):
        rx_exec(sleep, seconds=60, compute_context=user)


def test_a_shorter_limit_of_the_clients_holds(configure, people):
    configure("longest_run_seconds", 60)
    context = RxInSqlServer(people["sqlexec_user"], task_timeout_seconds=1)
    with pytest.raises(TaskTimeout, match="its task_timeout_seconds"):
        rx_exec(sleep, seconds=60, compute_context=context)


def test_a_login_has_so_many_processes(configure, people, user):
    configure("most_workers_per_login", 1)
    taken = pyodbc.connect(people["sqlexec_user"], autocommit=True)
    login = name_of(people["sqlexec_user"])
    taken.execute(
        "EXECUTE sp_getapplock @Resource = ?, @LockMode = 'Exclusive', @LockOwner = 'Session'",
        f"sqlexec slot 1 {login}",
    )
    alone = RxInSqlServer(people["sqlexec_user"], max_attempts=1)
    with pytest.raises(LimitReached, match=r"most_workers_per_login .* allows, 1\.") as failed:
        rx_exec(double, x=1, compute_context=alone)
    assert failed.value.number == 51751
    taken.close()
    # With two workers one of them ends, and the other does its work; each place is given back.
    assert rx_exec(double, x=[1, 2, 3, 4], compute_context=user) == [2, 4, 6, 8]


def test_stored_scripts_are_stopped_by_the_longest_run(configure, user):
    store_script(user, sleep, "sleeper")
    configure("longest_run_seconds", 1)
    assert run_script(user, "sleeper", seconds=0) is None
    with pytest.raises(ServerError, match=r"longest_run_seconds, 1\. A member of sqlexec_admin"):
        run_script(user, "sleeper", seconds=60)


def test_stored_scripts_keep_to_payload_and_places(configure, people, user):
    store_script(user, size, "size")
    configure("largest_payload_bytes", 1000)
    with pytest.raises(ServerError, match=r"largest_payload_bytes .* is 1000") as failed:
        run_script(user, "size", data="x" * 1000)
    assert failed.value.number == 51750
    configure("most_workers_per_login", 1)
    taken = pyodbc.connect(people["sqlexec_user"], autocommit=True)
    taken.execute(
        "EXECUTE sp_getapplock @Resource = ?, @LockMode = 'Exclusive', @LockOwner = 'Session'",
        f"sqlexec slot 1 {name_of(people['sqlexec_user'])}",
    )
    with pytest.raises(LimitReached, match=r"most_workers_per_login .* allows, 1\."):
        run_script(user, "size", data="x")
    taken.close()
    assert run_script(user, "size", data="x") == 1


def test_old_rows_go(configure, people, place):
    rows(
        place,
        "INSERT INTO sqlexec.chunk_log (job_id, chunk_number, login_name, user_name, session_id, "
        "task_count, payload_bytes, started_at, status) VALUES (NEWID(), 1, N'past', N'past', 0, "
        "1, 1, '2000-01-01', 'finished')",
    )
    rows(place, "EXECUTE sqlexec.remove_expired @kept_days = 30")
    assert rows(place, "SELECT 1 FROM sqlexec.chunk_log WHERE login_name = N'past'") == []


def test_calls_are_logged_and_seen(people, place, user):
    from sqlexec import RxSqlServerData

    data = RxSqlServerData(
        sql_query="SELECT v.a FROM (VALUES (1), (2), (3)) AS v (a)",
        connection_string=user.connection_string,
    )
    assert rx_exec(count, args={"rows": data}, compute_context=user) == [3]
    login = name_of(user.connection_string)
    seen = (
        "SELECT TOP (1) login_name, task_count, input_rows, status FROM sqlexec.history "
        f"WHERE login_name = N'{login}' ORDER BY log_id DESC"
    )
    for who in (people["sqlexec_user"], people["sqlexec_admin"], place):
        assert rows(who, seen) == [(login, 1, 3, "finished")]
    with pytest.raises(PermissionDenied):
        rows(people["nobody"], seen)


def test_what_runs_is_seen(people, place, user):
    rows(place, "SELECT 1 AS one")
    login = name_of(user.connection_string)
    session = pyodbc.connect(people["sqlexec_user"], autocommit=True)
    (number,) = session.execute("SELECT @@SPID").fetchone()
    for name, spid in ((login, number), ("gone", 32000)):
        rows(
            place,
            "INSERT INTO sqlexec.chunk_log (job_id, chunk_number, login_name, user_name, "
            "session_id, task_count, payload_bytes, started_at, status) VALUES "
            f"(NEWID(), 1, N'{name}', N'x', {spid}, 7, 1, SYSUTCDATETIME(), 'running')",
        )
    running = "SELECT login_name, task_count FROM sqlexec.activity WHERE task_count = 7"
    assert rows(place, running) == [(login, 7)]  # an administrator sees that the other is gone
    assert rows(people["sqlexec_user"], running) == [(login, 7)]
    assert sorted(rows(people["sqlexec_admin"], running)) == sorted([(login, 7), ("gone", 7)])
    session.close()


def test_workers_of_durable_jobs_wait_for_their_place(configure, people):
    configure("most_workers_per_login", 1)
    waiting = RxInSqlServer(people["sqlexec_user"], num_tasks=2, wait=False, detached=False)
    job = rx_exec(double, x=[1, 2, 3, 4], compute_context=waiting)
    assert job.result(timeout=60) == [2, 4, 6, 8]
    job.close()


def test_durable_jobs_are_stopped_by_the_longest_run(configure, people):
    configure("longest_run_seconds", 1)
    waiting = RxInSqlServer(people["sqlexec_user"], wait=False, detached=False)
    job = rx_exec(sleep, seconds=60, compute_context=waiting)
    with pytest.raises(TaskTimeout, match="longest_run_seconds, 1,"):
        job.result(timeout=60)
    job.close()


def slow_size(data):
    time.sleep(2)
    return len(data)


def test_a_limit_that_was_lowered_meanwhile_fails_the_chunk_alone(configure, people):
    waiting = RxInSqlServer(people["sqlexec_user"], wait=False, detached=False)
    data = [b"a", b"x" * 60_000, b"b"]
    job = rx_exec(slow_size, data=data, task_chunk_size=1, compute_context=waiting)
    configure("largest_payload_bytes", 50_000)
    with pytest.raises(ServerError, match="largest_payload_bytes"):
        job.result(timeout=60)
    (log,) = rows(
        waiting.connection_string,
        "SELECT COUNT(*) FROM sqlexec.history AS h "
        f"WHERE h.job_id = '{job.job_id}' AND h.status = 'finished'",
    )
    assert log[0] == 2
    job.cleanup(force=True)
