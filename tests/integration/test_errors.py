"""Honest errors: what the user sees when something on the way is not as it should be."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid

import pytest

from sqlexec import RxInSqlServer, RxSqlServerData, rx_data_step, rx_exec
from sqlexec.errors import (
    BundleNotInstalled,
    BundleVersionMismatch,
    ConnectionFailed,
    ConnectionLost,
    ExternalScriptsDisabled,
    PackError,
    PermissionDenied,
    ServerError,
    SqlExecError,
    TaskCrashed,
)
from sqlexec.server.connection import Connection
from sqlexec.server.session import Session
from tests.integration.conftest import in_database


def one(connection_string, function=lambda: 1, **arguments):
    return rx_exec(function, arguments, compute_context=RxInSqlServer(connection_string))


def test_wrong_password(connection_string):
    wrong = in_database(connection_string, "master", PWD="wrong-" + "s3cret")
    with pytest.raises(ConnectionFailed, match=r"Login failed.*Check the user") as caught:
        one(wrong)
    assert caught.value.number == 18456
    assert "s3cret" not in str(caught.value)


def test_unknown_database(connection_string):
    with pytest.raises(ConnectionFailed, match="Check Database=") as caught:
        one(in_database(connection_string, "no_such_database"))
    assert caught.value.number in (4060, 18456)


def test_certificate_that_nobody_signed(connection_string):
    checked = in_database(connection_string, "master", Encrypt="yes", TrustServerCertificate="no")
    with pytest.raises(ConnectionFailed, match="TrustServerCertificate=yes"):
        one(checked)


def test_no_bundle(connection_string):
    with pytest.raises(BundleNotInstalled, match="sqlexec install") as caught:
        one(in_database(connection_string, "master"))
    assert caught.value.number == 2812


def test_bundle_of_another_version(connection_string):
    session = Session(Connection.of(connection_string))
    with pytest.raises(BundleVersionMismatch, match="protocol 99"):
        session.execute_chunk(uuid.uuid4(), 1, 1, b"", protocol=99)
    session.close()


@pytest.mark.embedded_only
def test_external_scripts_disabled(own_server):
    server, connection_string = own_server
    session = Session(Connection.of(server.connection_string))
    session.execute("EXECUTE sp_configure 'external scripts enabled', 0")
    session.execute("RECONFIGURE")
    session.close()
    with pytest.raises(ExternalScriptsDisabled, match="sp_configure") as caught:
        one(connection_string)
    assert caught.value.number == 39023
    assert caught.value.procedure


@pytest.fixture
def stranger(connection_string, execute):
    """Connection string of a login with a user in the database and no rights."""
    name, password = f"stranger_{uuid.uuid4().hex[:8]}", f"Aa1!{uuid.uuid4().hex}"
    execute(f"CREATE LOGIN {name} WITH PASSWORD = '{password}'")
    execute(f"CREATE USER {name} FOR LOGIN {name}")
    yield (
        name,
        in_database(
            connection_string, Connection.of(connection_string).database, UID=name, PWD=password
        ),
    )
    execute(f"DROP USER {name}")


def test_no_permission(stranger, execute, flights):
    name, connection_string = stranger
    with pytest.raises(PermissionDenied, match="sqlexec_user") as caught:
        one(connection_string)
    assert caught.value.number == 229
    execute(f"ALTER ROLE sqlexec_user ADD MEMBER {name}")
    assert one(connection_string) == [1]
    with pytest.raises(PermissionDenied, match="SELECT permission"):
        one(connection_string, lambda data: 1, data=RxSqlServerData(table=flights))


def test_a_select_that_fails(connection_string):
    query = "SELECT nowhere.a FROM dbo.nowhere AS nowhere"
    message = r"nowhere'\. The data source's query: SELECT nowhere\.a FROM dbo\.nowhere"
    source = RxSqlServerData(connection_string, sql_query=query)
    with pytest.raises(ServerError, match=message) as caught:
        one(connection_string, lambda data: 1, data=source)
    assert caught.value.number == 208
    with pytest.raises(ServerError, match=message) as caught:
        rx_data_step(source)
    assert caught.value.number == 208


def test_the_query_is_not_blamed_for_what_it_did_not_do(connection_string):
    source = RxSqlServerData(connection_string, sql_query="SELECT 1 AS one")
    with pytest.raises(TaskCrashed) as caught:
        one(connection_string, lambda data: os._exit(3), data=source)
    assert "SELECT" not in f"{caught.value} {caught.value.__cause__}"


def test_column_type_that_python_does_not_take(connection_string):
    source = RxSqlServerData(sql_query="SELECT CAST('2020-01-01' AS datetime2) AS moment")
    with pytest.raises(ServerError, match=r"datetime2.*CAST") as caught:
        one(connection_string, lambda data: 1, data=source)
    assert (caught.value.number, caught.value.severity) == (39017, 16)


@pytest.mark.embedded_only
def test_what_the_stand_in_lacks(execute):
    with pytest.raises(ServerError, match="stand-in"):
        execute("CREATE TRIGGER dbo.x ON DATABASE FOR CREATE_TABLE AS SELECT 1")


def test_what_cannot_be_pickled(connection_string):
    lock = threading.Lock()
    with pytest.raises(PackError, match="closure variable 'lock'"):
        one(connection_string, lambda: lock)


def test_a_result_that_cannot_be_pickled(connection_string):
    with pytest.raises(TypeError, match="cannot be sent back"):
        one(connection_string, lambda: (n for n in range(3)))


@pytest.mark.embedded_only
def test_a_server_that_goes_away_in_the_middle(own_server, tmp_path):
    server, connection_string = own_server

    def stuck(path):
        path.joinpath("running").touch()
        time.sleep(60)

    def kill_when_running():
        deadline = time.monotonic() + 30
        while not tmp_path.joinpath("running").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(server.process_id, signal.SIGKILL)

    killer = threading.Thread(target=kill_when_running)
    killer.start()
    cc = RxInSqlServer(connection_string, max_attempts=1)
    with pytest.raises(ConnectionLost, match="went away"):
        rx_exec(stuck, path=tmp_path, compute_context=cc)
    killer.join()


@pytest.mark.embedded_only
def test_a_server_that_is_gone_before_the_call(own_server, monkeypatch):
    monkeypatch.setattr("sqlexec.server.session.LOGIN_TIMEOUT_SECONDS", 2)
    server, connection_string = own_server
    assert one(connection_string) == [1]
    server.stop()
    with pytest.raises(SqlExecError) as caught:
        one(connection_string)
    assert isinstance(caught.value, (ConnectionLost, ConnectionFailed))
