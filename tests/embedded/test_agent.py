"""SQL Server Agent in msdb: rights, the life of a job, history, stop, restart."""

from __future__ import annotations

import os
import signal
import time

import pyodbc
import pytest

from sqlexec.embedded import EmbeddedServer

PASSWORD = "Aa1!agents"

MAKE = """SET NOCOUNT ON; DECLARE @id uniqueidentifier;
EXECUTE msdb.dbo.sp_add_job @job_name = ?, @delete_level = ?, @job_id = @id OUTPUT;
EXECUTE msdb.dbo.sp_add_jobstep @job_id = @id, @step_name = N'one', @command = ?,
    @database_name = N'Work';
EXECUTE msdb.dbo.sp_add_jobserver @job_id = @id;
EXECUTE msdb.dbo.sp_start_job @job_id = @id, @output_flag = 0;
SELECT @id AS job_id;"""


@pytest.fixture(scope="module")
def server():
    with EmbeddedServer() as running:
        prepare(running)
        yield running


def prepare(server):
    with connect(server) as sa:
        sa.execute("CREATE DATABASE Work")
        for login in ("ann", "bob", "eve"):
            sa.execute(f"CREATE LOGIN {login} WITH PASSWORD = '{PASSWORD}'")
        sa.execute("USE Work; CREATE TABLE dbo.seen (n int, login_name sysname, app nvarchar(200))")
        for login in ("ann", "bob"):
            sa.execute(
                f"CREATE USER {login} FOR LOGIN {login}; GRANT INSERT ON dbo.seen TO {login}"
            )
        sa.execute("USE msdb")
        for login in ("ann", "bob"):
            sa.execute(f"CREATE USER {login} FOR LOGIN {login}")
            sa.execute(f"ALTER ROLE SQLAgentUserRole ADD MEMBER {login}")


def connect(server, user="sa"):
    options = {} if user == "sa" else {"UID": user, "PWD": PASSWORD}
    return pyodbc.connect(server.odbc(**options), autocommit=True)


@pytest.fixture
def login(server):
    opened = []

    def open_one(user="sa"):
        opened.append(connect(server, user))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


def start(connection, name, command, delete_level=0):
    cursor = connection.execute(MAKE, name, delete_level, command)
    while cursor.description is None:
        assert cursor.nextset()
    return cursor.fetchone()[0]


def history(connection, job_id, wanted=1):
    """Rows of a job's history once it has ended: step, status, message, error number."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        rows = connection.execute(
            "SELECT h.step_id, h.run_status, h.message, h.sql_message_id "
            "FROM msdb.dbo.sysjobhistory AS h WHERE h.job_id = ? ORDER BY h.instance_id",
            job_id,
        ).fetchall()
        if sum(row.step_id == 0 for row in rows) >= wanted:
            return rows
        time.sleep(0.02)
    raise AssertionError("the job did not end")


def number_of(error) -> str:
    return str(error.value).rsplit("(", 2)[-2].split(")")[0]


def test_a_job_runs_as_its_owner_in_the_steps_database(login):
    job = start(
        login("ann"), "runs", "PRINT 'hello'; INSERT dbo.seen SELECT 1, SUSER_SNAME(), APP_NAME()"
    )
    step, outcome = history(login(), job)
    assert (step.step_id, step.run_status, outcome.run_status) == (1, 1, 1)
    assert "Executed as user: ann." in step.message
    assert "hello" in step.message
    who, app = login().execute("SELECT login_name, app FROM Work.dbo.seen WHERE n = 1").fetchone()
    assert who == "ann"
    assert app.startswith("SQLAgent - TSQL JobStep (Job 0x")


def test_a_failing_step(login):
    job = start(login("ann"), "fails", "SELECT 1 FROM dbo.no_such_table")
    step, outcome = history(login(), job)
    assert (step.run_status, outcome.run_status, step.sql_message_id) == (0, 0, 208)
    assert "no_such_table" in step.message


def test_an_owner_without_rights_on_the_table(login):
    job = start(login("bob"), "denied", "SELECT * FROM dbo.seen")
    assert history(login(), job)[0].sql_message_id == 229


def test_a_job_can_run_again_and_not_twice_at_once(login):
    ann = login("ann")
    job = start(ann, "again", "WAITFOR DELAY '00:00:00.3'")
    with pytest.raises(pyodbc.Error, match="already running") as error:
        ann.execute("EXECUTE msdb.dbo.sp_start_job @job_id = ?", job)
    assert number_of(error) == "22022"
    history(login(), job)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:  # the outcome is written a moment before the run is over
        try:
            ann.execute("EXECUTE msdb.dbo.sp_start_job @job_name = N'again'")
            break
        except pyodbc.Error as refused:
            if "already running" not in str(refused):
                raise
    history(login(), job, wanted=2)


def test_stop_cancels_the_step(login):
    ann = login("ann")
    job = start(ann, "long", "WAITFOR DELAY '00:10:00'; INSERT dbo.seen SELECT 2, N'', N''")
    ann.execute("EXECUTE msdb.dbo.sp_stop_job @job_id = ?", job)
    rows = history(login(), job)
    assert rows[-1].run_status == 3
    assert login().execute("SELECT COUNT(*) FROM Work.dbo.seen WHERE n = 2").fetchval() == 0
    activity = login().execute(
        "SELECT COUNT(*) FROM msdb.dbo.sysjobactivity WHERE job_id = ? AND "
        "run_requested_source = N'ann'", job,
    ).fetchval()  # fmt: skip
    assert activity == 1


@pytest.mark.parametrize(
    ("level", "command", "kept"),
    [
        (1, "PRINT 'x'", False),
        (1, "SELECT 1/0", True),
        (2, "SELECT 1/0", False),
        (3, "PRINT 'x'", False),
    ],
)
def test_delete_level(login, level, command, kept):
    job = start(login("ann"), f"deleted {level} {command}", command, level)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        left = (
            login()
            .execute("SELECT COUNT(*) FROM msdb.dbo.sysjobs WHERE job_id = ?", job)
            .fetchval()
        )
        rows = login().execute("SELECT COUNT(*) FROM msdb.dbo.sysjobhistory WHERE job_id = ?", job)
        if (kept and rows.fetchval() == 2) or left == 0:
            break
        time.sleep(0.02)
    assert bool(left) is kept


def test_others_do_not_see_or_touch_a_job(login):
    job = start(login("ann"), "private", "PRINT 'x'")
    history(login(), job)
    bob, eve = login("bob"), login("eve")
    names = bob.execute("SELECT name FROM msdb.dbo.sysjobs_view").fetchall()
    assert ("private",) not in [tuple(row) for row in names]
    for call in ("sp_start_job", "sp_stop_job", "sp_delete_job"):
        with pytest.raises(pyodbc.Error, match="does not exist") as error:
            bob.execute(f"EXECUTE msdb.dbo.{call} @job_name = N'private'")
        assert number_of(error) == "14262"
        with pytest.raises(pyodbc.Error, match="EXECUTE permission was denied"):
            eve.execute(f"EXECUTE msdb.dbo.{call} @job_name = N'private'")
    with pytest.raises(pyodbc.Error, match="SELECT permission was denied"):
        bob.execute("SELECT * FROM msdb.dbo.sysjobs")
    login().execute("EXECUTE msdb.dbo.sp_delete_job @job_name = N'private'")


def test_bad_arguments(login):
    ann = login("ann")
    for call, number in [
        ("sp_add_job @job_name = N'x', @owner_login_name = N'sa'", "14515"),
        ("sp_add_job @job_name = N'x', @owner_login_name = N'nobody'", "14234"),
        ("sp_add_job @job_name = N'x', @delete_level = 9", "14266"),
        ("sp_start_job", "14294"),
        ("sp_start_job @job_name = N'none'", "14262"),
        ("sp_stop_job @job_id = '00000000-0000-0000-0000-000000000000'", "14262"),
    ]:
        with pytest.raises(pyodbc.Error) as error:
            ann.execute(f"EXECUTE msdb.dbo.{call}")
        assert number_of(error) == number, call
    with pytest.raises(pyodbc.Error, match="permission was denied"):
        ann.execute("EXECUTE sys.xp_sqlagent_notify N'S', NULL, N'x'")
    ann.execute("EXECUTE msdb.dbo.sp_add_job @job_name = N'stepless'")
    with pytest.raises(pyodbc.Error, match="already exists"):
        ann.execute("EXECUTE msdb.dbo.sp_add_job @job_name = N'stepless'")
    with pytest.raises(pyodbc.Error, match="sp_add_jobserver"):
        ann.execute("EXECUTE msdb.dbo.sp_start_job @job_name = N'stepless'")
    with pytest.raises(pyodbc.Error, match="does not support Agent steps"):
        ann.execute(
            "EXECUTE msdb.dbo.sp_add_jobstep @job_name = N'stepless', @step_name = N's', "
            "@subsystem = N'CmdExec', @command = N'rm'"
        )


def test_without_the_agent_a_start_says_so():
    with EmbeddedServer(agent=False) as server:
        prepare(server)
        with (
            connect(server, "ann") as ann,
            pytest.raises(pyodbc.Error, match="not currently running") as error,
        ):
            start(ann, "never", "PRINT 'x'")
        assert number_of(error) == "22022"


def test_jobs_survive_a_kill_and_do_not_go_on_by_themselves(tmp_path):
    file = tmp_path / "kept.db"
    with EmbeddedServer(database=file) as server:
        prepare(server)
        job = start(connect(server, "ann"), "kept", "WAITFOR DELAY '00:10:00'")
        os.kill(server.process_id, signal.SIGKILL)
    with EmbeddedServer(database=file) as server, connect(server) as sa:
        assert sa.execute("SELECT name FROM msdb.dbo.sysjobs").fetchval() == "kept"
        stop = "EXECUTE msdb.dbo.sp_stop_job @job_id = ?"
        with pytest.raises(pyodbc.Error, match="not currently running"):
            sa.execute(stop, job)
        sa.execute("EXECUTE msdb.dbo.sp_start_job @job_id = ?", job)
        sa.execute(stop, job)
        assert history(sa, job)[-1].run_status == 3
