"""The doctor before servers that are healthy, and sick in each way that it knows."""

from __future__ import annotations

import itertools
import json
import socket
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from sqlexec import Diagnosis, RxInSqlServer, __version__, doctor
from sqlexec.bundle import install
from sqlexec.bundle.render import bundle_files, placeholders
from sqlexec.cli import main
from sqlexec.diagnosis import connecting, examination, instance, launches
from sqlexec.diagnosis import doctor as doctors
from sqlexec.diagnosis.examination import Examination
from sqlexec.diagnosis.findings import check, passed
from sqlexec.embedded import EmbeddedServer
from sqlexec.server.connection import Connection, build_odbc, parse_odbc
from sqlexec.server.pool import POOL
from sqlexec.server.session import Session
from tests.integration.conftest import in_database, prepared

NUMBERS = itertools.count()
CONFIGURE = "EXECUTE sp_configure 'external scripts enabled',"
SESSION = doctors.CHECKS[:5]
PASSWORD = "Ann's s3cret!"


def changed(connection_string: str, **words: str) -> RxInSqlServer:
    return RxInSqlServer(build_odbc({**parse_odbc(connection_string), **words}))


def run(connection_string: str, *statements: str) -> None:
    session = Session(Connection.of(connection_string))
    try:
        for statement in statements:
            session.execute(statement)
    finally:
        session.close()


@pytest.fixture(scope="module")
def sick(tmp_path_factory):
    """Of a server without Agent, whose Python has no packages."""
    home = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    with EmbeddedServer(python=home / "bin" / "python", agent=False) as server:
        yield prepared(server)
        POOL.close()


def looked(context: RxInSqlServer, *names: str) -> Diagnosis:
    """What the checks of these names find, with those that lead to a session."""
    chosen = [c for c in doctors.CHECKS if c in SESSION or c.name in names]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doctors, "CHECKS", chosen)
        return doctor(context)


def user_of(connection_string: str, *statements: str) -> RxInSqlServer:
    """A new login without any right, after statements about `{user}`, as a compute context."""
    name = f"ann]{next(NUMBERS)}"
    user = f"[{name.replace(']', ']]')}]"
    password = PASSWORD.replace("'", "''")
    run(
        connection_string,
        f"CREATE LOGIN {user} WITH PASSWORD = '{password}'",
        f"CREATE USER {user} FOR LOGIN {user}",
        *(statement.format(user=user) for statement in statements),
    )
    return changed(connection_string, UID=name, PWD=PASSWORD)


# --- healthy ------------------------------------------------------------------------------


def test_a_healthy_server(cc):
    diagnosis = doctor(cc)
    assert diagnosis.ok, str(diagnosis)
    assert [finding.name for finding in diagnosis.findings] == [c.name for c in doctors.CHECKS]
    for name in ("database", "external scripts", "bundle objects", "permissions", "function"):
        assert diagnosis[name].status == "pass", str(diagnosis)
    assert diagnosis["function"].message.startswith("It ran in process ")
    assert "2 scripts ran at once" in diagnosis["parallel"].message
    assert f"version {__version__}" in diagnosis["bundle"].message


@pytest.mark.embedded_only
def test_a_user_needs_nothing_but_the_role(connection_string):
    diagnosis = doctor(user_of(connection_string, "ALTER ROLE sqlexec_user ADD MEMBER {user}"))
    assert diagnosis.ok, str(diagnosis)
    assert diagnosis["bundle objects"].status == "pass"


# --- no session ---------------------------------------------------------------------------


@pytest.mark.embedded_only
@pytest.mark.parametrize(
    ("words", "sick", "fix"),
    [
        ({"Driver": "/nowhere/libmsodbcsql-18.so"}, "driver", "Leave Driver= out"),
        ({"Server": "tcp:127.0.0.1,1"}, "network", "see that SQL Server runs"),
        ({"Server": "no.such.host.invalid"}, "network", "see that SQL Server runs"),
        ({"TrustServerCertificate": "no"}, "TLS", "TrustServerCertificate=yes"),
        ({"PWD": "wrong"}, "login", "ALTER LOGIN [sa]"),
        ({"UID": "no]body"}, "login", "CREATE LOGIN [no]]body]"),
        ({"Database": "no]where"}, "database", "USE [no]]where]; CREATE USER [sa] FOR LOGIN [sa];"),
        ({"Database": "master"}, "database", "Database=..."),
    ],
)
def test_no_session(connection_string, words, sick, fix):
    diagnosis = doctor(changed(connection_string, **words))
    statuses = [finding.status for finding in diagnosis.findings]
    place = statuses.index("fail")
    assert diagnosis.findings[place].name == sick, str(diagnosis)
    assert fix in diagnosis.findings[place].fix
    assert set(statuses[:place]) <= {"pass"}
    assert set(statuses[place + 1 :]) == {"skipped"}
    assert all(f"'{sick}'" in each.message for each in diagnosis.findings[place + 1 :])


@pytest.mark.embedded_only
def test_a_login_without_a_user_is_let_in_by_the_fix(sick):
    name = f"closed]{next(NUMBERS)}"
    quoted = f"[{name.replace(']', ']]')}]"
    run(sick, f"CREATE DATABASE {quoted}")
    stranger = changed(user_of(sick).connection_string, Database=name)
    diagnosis = doctor(stranger)
    assert diagnosis["login"].status == "pass"
    assert diagnosis["database"].status == "fail"
    run(sick, diagnosis["database"].fix.partition("lets you in: ")[2])
    assert looked(stranger)["database"].status == "pass"


@pytest.mark.embedded_only
def test_a_login_and_a_database_that_are_missing_are_made_by_the_fix(sick):
    unknown = changed(sick, UID=f"new]{next(NUMBERS)}", PWD=PASSWORD)
    fix = looked(unknown)["login"].fix
    statement = fix.partition("new login: ")[2].partition("; for")[0]
    run(sick, statement.replace("'...'", "'" + PASSWORD.replace("'", "''") + "'"))
    assert looked(unknown)["login"].status == "pass"
    missing = changed(sick, Database=f"made]{next(NUMBERS)}")
    fix = looked(missing)["database"].fix
    run(sick, fix.partition("a DBA makes it: ")[2].partition("; or")[0])
    assert looked(missing)["database"].status == "pass"


@pytest.mark.embedded_only
def test_another_program_listens_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer_as_a_web_server, args=[listener]).start()
        port = listener.getsockname()[1]
        diagnosis = doctor(
            RxInSqlServer(f"Server=tcp:127.0.0.1,{port};UID=a;PWD=b;ConnectRetryCount=0")
        )
    assert diagnosis["network"].status == "pass"
    assert diagnosis["TLS"].fix.startswith("See that it is SQL Server that listens there")


def answer_as_a_web_server(listener: socket.socket) -> None:
    for _ in range(2):  # the doctor's knock, and the driver
        connection, _ = listener.accept()
        with connection:
            if connection.recv(4096):
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_no_driver(connection_string, monkeypatch):
    monkeypatch.setattr("pyodbc.drivers", list)
    monkeypatch.setattr("sqlexec.drivers._shipped_driver", lambda: None)
    server = parse_odbc(connection_string)["Server"]
    diagnosis = doctor(RxInSqlServer(f"Server={server};Database=db{next(NUMBERS)}"))
    assert diagnosis["driver"].status == "fail"
    assert diagnosis["driver"].fix == "pip install mssql-python-odbc"


# --- the instance -------------------------------------------------------------------------


@pytest.mark.embedded_only
def test_no_agent_no_pandas(sick):
    diagnosis = looked(RxInSqlServer(sick), "external scripts", "launchpad", "Python", "agent")
    assert diagnosis.ok, str(diagnosis)
    assert diagnosis["Python"].status == "warn"
    assert "no numpy and no pandas" in diagnosis["Python"].message
    assert diagnosis["agent"].status == "warn"
    assert "mssql-conf set sqlagent.enabled true" in diagnosis["agent"].fix


def test_a_clock_that_is_wrong(cc, monkeypatch):
    monkeypatch.setattr(instance, "time", SimpleNamespace(time=lambda: time.time() + 3600))
    finding = instance.clock.look(Examination(cc))
    assert finding.status == "warn"
    assert "-3600 s from this machine's" in finding.message


def test_a_server_far_away(cc, monkeypatch):
    monkeypatch.setattr(instance, "_NEAR", 0.0)
    assert instance.round_trip.look(Examination(cc)).status == "warn"


@pytest.mark.embedded_only
def test_the_role_of_the_agent(connection_string):
    context = user_of(connection_string)
    finding = looked(context, "agent")["agent"]
    assert finding.status == "warn"
    assert "SQLAgentUserRole" in finding.message
    run(
        in_database(connection_string, "msdb"),
        *finding.fix.removeprefix("USE msdb;").split(";")[:2],
    )
    assert looked(context, "agent")["agent"].fix.startswith("GRANT VIEW SERVER STATE TO [ann]]")


# --- the bundle ---------------------------------------------------------------------------


@pytest.mark.embedded_only
def test_no_bundle(sick):
    name = f"empty{next(NUMBERS)}"
    run(sick, f"CREATE DATABASE {name}")
    diagnosis = doctor(RxInSqlServer(in_database(sick, name)))
    assert diagnosis["bundle"].status == "fail"
    assert diagnosis["bundle"].fix.startswith("sqlexec install 'Server=tcp:127.0.0.1,")
    assert f"--database {name}" in diagnosis["bundle"].fix
    assert diagnosis["function"].status == "skipped"
    assert diagnosis["launchpad"].status == "pass"


@pytest.mark.embedded_only
def test_a_bundle_of_another_version_altered_and_cut(sick):
    name = f"sick]{next(NUMBERS)}"
    run(sick, f"CREATE DATABASE [{name.replace(']', ']]')}]")
    database = in_database(sick, name)
    context = RxInSqlServer(database)
    install(database)
    for values, status, fix in (
        ({"version": "0.0.9", "protocol": "0"}, "fail", "pip install sqlexec==0.0.9"),
        ({"version": "0.0.9"}, "warn", "sqlexec install"),
        ({"runner_hash": "0" * 64}, "warn", "sqlexec install"),
    ):
        files = bundle_files(values={**placeholders(), **values})
        run(database, next(each.text for each in files if each.name.startswith("sqlexec.runner.")))
        diagnosis = looked(context, "bundle")
        assert diagnosis["bundle"].status == status, str(diagnosis)
        assert fix in diagnosis["bundle"].fix
    run(
        database,
        "CREATE OR ALTER PROCEDURE sqlexec.jobs AS SELECT 1 AS a",
        "DROP PROCEDURE sqlexec.resume_job",
    )
    finding = looked(context, "bundle objects")["bundle objects"]
    assert finding.status == "fail"
    assert "missing: sqlexec.resume_job; altered: sqlexec.jobs, sqlexec.runner." in finding.message
    install(database)
    assert looked(context, "bundle", "bundle objects").ok


@pytest.mark.embedded_only
def test_no_role(connection_string):
    context = user_of(connection_string)
    diagnosis = doctor(context)
    assert diagnosis["bundle"].status == "skipped"
    assert diagnosis["permissions"].status == "fail"
    assert "EXECUTE ON OBJECT::sqlexec.execute_chunk" in diagnosis["permissions"].message
    assert "EXECUTE ANY EXTERNAL SCRIPT" in diagnosis["permissions"].message
    assert diagnosis["launchpad"].fix.startswith("GRANT EXECUTE ANY EXTERNAL SCRIPT TO [ann]]")
    run(connection_string, diagnosis["permissions"].fix)
    assert looked(context, "permissions", "launchpad", "function").ok


@pytest.mark.embedded_only
def test_rights_that_were_given_one_by_one_are_completed_by_the_fixes(connection_string):
    context = user_of(connection_string, "GRANT EXECUTE ON OBJECT::sqlexec.info TO {user}")
    diagnosis = looked(context, "bundle", "bundle objects", "external scripts", "launchpad")
    assert diagnosis["bundle"].status == "pass"
    assert diagnosis["bundle objects"].status == "skipped"
    run(connection_string, diagnosis["bundle objects"].fix, diagnosis["launchpad"].fix)
    mended = looked(context, "bundle", "bundle objects", "external scripts", "launchpad")
    assert mended["bundle objects"].status == "pass"
    assert mended["launchpad"].status == "pass"


@pytest.mark.embedded_only
def test_a_permission_denied_to_a_member(connection_string):
    context = user_of(
        connection_string,
        "ALTER ROLE sqlexec_user ADD MEMBER {user}",
        "DENY EXECUTE ON OBJECT::sqlexec.jobs TO {user}",
    )
    finding = looked(context, "permissions")["permissions"]
    assert finding.message.endswith("lacks: EXECUTE ON OBJECT::sqlexec.jobs.")
    assert finding.fix.startswith("GRANT EXECUTE ON OBJECT::sqlexec.jobs TO [ann]]")
    run(connection_string, finding.fix)
    assert looked(context, "permissions").ok


@pytest.mark.embedded_only
def test_limits_are_told_and_that_of_workers_is_mended(sick):
    name = f"limited{next(NUMBERS)}"
    run(sick, f"CREATE DATABASE {name}")
    database = in_database(sick, name)
    install(database)
    context = user_of(database, "ALTER ROLE sqlexec_user ADD MEMBER {user}").replace(num_tasks=3)
    assert looked(context, "bundle", "limits")["limits"].message == "none are set"
    run(
        database,
        "EXECUTE sqlexec.configure @name = 'longest_run_seconds', @value = 3600",
        "EXECUTE sqlexec.configure @name = 'most_workers_per_login', @value = 2",
    )
    finding = looked(context, "bundle", "limits")["limits"]
    assert finding.status == "warn"
    assert finding.message == "longest_run_seconds 3,600, most_workers_per_login 2; num_tasks is 3."
    run(database, finding.fix.partition("sqlexec_admin: ")[2])
    assert looked(context, "bundle", "limits")["limits"].status == "pass"


# --- launches -----------------------------------------------------------------------------


@pytest.mark.embedded_only
def test_launches_that_are_forbidden_fail_are_slow_or_never_end(monkeypatch):
    with EmbeddedServer(launch_failures=4, launch_delay=0.3) as server:
        context = RxInSqlServer(server.odbc(Database="msdb"), max_attempts=3)
        monkeypatch.setattr(connecting, "SYSTEM_DATABASES", ())
        names = ("external scripts", "launchpad", "agent")

        run(server.connection_string, f"{CONFIGURE} 0; RECONFIGURE")
        disabled = looked(context, *names)
        assert disabled["external scripts"].fix == f"{CONFIGURE} 1; RECONFIGURE WITH OVERRIDE;"
        assert disabled["launchpad"].message == "Needs 'external scripts', which failed."
        run(server.connection_string, disabled["external scripts"].fix)

        monkeypatch.setattr(launches, "FIRST_WAIT_SECONDS", 0.0)
        dead = looked(context, *names)
        assert dead["launchpad"].status == "fail"
        assert "mssql-launchpadd" in dead["launchpad"].fix
        assert dead["agent"].status == "pass"
        shaky = looked(context, *names)
        assert shaky["launchpad"].status == "warn"
        assert "not at the first attempt" in shaky["launchpad"].message
        monkeypatch.setattr(launches, "SLOW_LAUNCH", 0.2)
        assert "task_chunk_size" in looked(context, *names)["launchpad"].fix

    with EmbeddedServer(launch_delay=600) as server:
        monkeypatch.setattr(examination, "PATIENCE", 2.0)
        hung = looked(context.replace(connection_string=server.odbc(Database="msdb")), *names)
        assert "no answer in 2 s" in hung["launchpad"].message
        assert hung["agent"].status == "pass"


@pytest.mark.embedded_only
def test_a_server_without_python(cc, monkeypatch):
    """A server that has no such language, as SQL Server 2022 before Python is added."""
    calling = launches.calling
    monkeypatch.setattr(launches, "calling", lambda text: calling(text).replace("Python", "Pony"))
    finding = looked(cc, "external scripts", "launchpad")["launchpad"]
    assert finding.status == "fail"
    assert "mssql-mlservices-packages-py" in finding.fix


@pytest.mark.embedded_only
def test_a_python_that_does_not_start(tmp_path, monkeypatch):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no such library' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(connecting, "SYSTEM_DATABASES", ())
    with EmbeddedServer(python=broken) as server:
        diagnosis = looked(RxInSqlServer(server.connection_string), "launchpad", "Python")
    assert "Unable to launch runtime for 'Python'" in diagnosis["launchpad"].message
    assert "mssql-launchpadd" in diagnosis["launchpad"].fix
    assert diagnosis["Python"].status == "skipped"


@pytest.mark.embedded_only
def test_a_server_that_goes_away():
    with EmbeddedServer() as server:

        @check("stop", needs=["database"])
        def stop(examination: Examination):
            server.stop()
            return passed("It was stopped.")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(connecting, "SYSTEM_DATABASES", ())
            patch.setattr(doctors, "CHECKS", (*SESSION, stop, *doctors.CHECKS[5:]))
            diagnosis = doctor(RxInSqlServer(server.connection_string))
    assert diagnosis["database"].status == "pass"
    assert diagnosis["version"].message.startswith("The server or the network went away")
    assert diagnosis["agent"].message.startswith("Nothing listens at 127.0.0.1, port ")


# --- the doctor itself --------------------------------------------------------------------


def test_a_check_that_crashes_stops_no_other(cc, monkeypatch):
    password = parse_odbc(cc.connection_string).get("PWD", "")

    @check("crash")
    def crash(examination: Examination):
        raise ZeroDivisionError(f"with {password}")

    monkeypatch.setattr(doctors, "CHECKS", (crash, *doctors.CHECKS[:5]))
    diagnosis = doctor(cc)
    assert diagnosis["crash"].message == (
        "The check itself failed: ZeroDivisionError: with " + ("***" if password else "")
    )
    assert [finding.status for finding in diagnosis.findings] == ["fail", *["pass"] * 5]


def test_the_command(connection_string, capsys):
    assert main(["doctor", connection_string, "--json", "--num-tasks", "1"]) == 0
    shown = capsys.readouterr().out
    told = json.loads(shown)
    assert told["ok"] is True
    assert {each["status"] for each in told["findings"]} <= {"pass", "warn", "skipped"}
    password = parse_odbc(connection_string).get("PWD")
    assert not password or password not in shown


def test_the_command_in_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["doctor", "Server=tcp:127.0.0.1,1;UID=ann;PWD=s3cret"]) == 1
    shown = capsys.readouterr().out
    assert "what was seen, and its fix" in shown
    assert "fix: On the server: see that SQL Server runs" in shown
    assert "s3cret" not in shown


def test_exit_codes_of_the_command(capsys):
    assert main(["doctor", "Server=tcp:127.0.0.1,1;UID=ann;PWD=s3cret"]) == 1
    shown = capsys.readouterr().out
    assert "fail     network" in shown
    assert "s3cret" not in shown
    assert main(["doctor", "postgresql://ann:s3cret@db1/x"]) == 2
    assert main(["doctor"]) == 2
