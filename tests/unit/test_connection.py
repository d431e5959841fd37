"""Connection strings in all their forms, hidden passwords, and errors with advice."""

from __future__ import annotations

import os
import pickle
import socket

import pyodbc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlexec import RxInSqlServer
from sqlexec.drivers import find_driver
from sqlexec.errors import (
    BundleNotInstalled,
    BundleVersionMismatch,
    ConfigurationError,
    ConnectionFailed,
    ConnectionLost,
    ExternalScriptsDisabled,
    OperationCancelled,
    PermissionDenied,
    ProcessDied,
    ServerError,
)
from sqlexec.plan import make_plan
from sqlexec.server.connection import Connection, build_odbc, mask, parse_odbc
from sqlexec.server.pool import SessionPool
from sqlexec.server.reach import why_unreachable
from sqlexec.server.session import Session
from sqlexec.server.sql_errors import connection_failed, from_driver, server_error

PREFIX = "[Microsoft][ODBC Driver 18 for SQL Server][SQL Server]"


def pairs_of(text):
    return parse_odbc(Connection.of(text).odbc)


def test_odbc_string_gets_driver_and_application():
    pairs = pairs_of("Server=db1,1433;Database=flights;UID=ann;PWD=secret")
    assert pairs == {
        "Driver": find_driver(),
        "Server": "db1,1433",
        "Database": "flights",
        "UID": "ann",
        "PWD": "secret",
        "APP": "sqlexec",
    }


def test_what_is_given_stays():
    pairs = pairs_of("driver=/lib/x.so;SERVER=db1;App=mine;Encrypt=strict;KeepAlive=5")
    assert pairs["Driver"] == "/lib/x.so"
    assert pairs["APP"] == "mine"
    assert pairs["Encrypt"] == "strict"
    assert pairs["KeepAlive"] == "5"


def test_the_documentations_own_string():
    text = "Driver=SQL Server;Server=.;Database=RevoTestDB;Trusted_Connection=TRUE"
    if "SQL Server" in pyodbc.drivers():
        pairs = pairs_of(text)
    else:
        Connection.of("Server=x")
        with pytest.warns(UserWarning, match="'SQL Server' is not on this machine"):
            pairs = pairs_of(text + ";WSID=" + os.urandom(4).hex())  # not from the cache
        assert pairs["Driver"] == find_driver()
        assert pairs["Server"] == "localhost"
    assert pairs["Trusted_Connection"] == "yes"


def test_words_of_ado_net():
    pairs = pairs_of("Data Source=db1;Initial Catalog=f;User ID=a;Password=p;Encrypt=True")
    assert pairs["Server"] == "db1"
    assert pairs["Database"] == "f"
    assert (pairs["UID"], pairs["PWD"], pairs["Encrypt"]) == ("a", "p", "yes")


def test_sqlalchemy_url():
    import sqlalchemy

    text = "mssql+pyodbc://ann:p%40;w@db1:1433/flights?Encrypt=yes&TrustServerCertificate=yes"
    for url in (text, sqlalchemy.make_url(text)):
        pairs = pairs_of(url)
        assert pairs["Server"] == "db1,1433"
        assert pairs["Database"] == "flights"
        assert (pairs["UID"], pairs["PWD"]) == ("ann", "p@;w")
        assert pairs["TrustServerCertificate"] == "yes"


def test_sqlalchemy_url_around_an_odbc_string():
    pairs = pairs_of("mssql+pyodbc:///?odbc_connect=Server%3Ddb1%3BUID%3Da%3BPWD%3D%7Bx%3By%7D")
    assert (pairs["Server"], pairs["PWD"]) == ("db1", "x;y")


def test_url_without_a_user_is_windows_authentication():
    assert pairs_of("mssql+pyodbc://db1/flights")["Trusted_Connection"] == "yes"


def test_name_of_a_data_source():
    assert pairs_of("flights") == {"DSN": "flights", "APP": "sqlexec"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("Database=x", "No Server="),
        ("Server=a;PWD={unclosed", "key=value"),
        ("postgresql://a/b", "not SQL Server"),
        ("Driver=PostgreSQL;Server=a", "'PostgreSQL' is not registered"),
        (5, "not int"),
    ],
)
def test_what_is_no_connection_string(text, message):
    with pytest.raises(ConfigurationError, match=message):
        Connection.of(text)


@given(
    st.dictionaries(
        st.sampled_from(["PWD", "UID", "Server", "Database", "WSID"]),
        st.text(st.characters(codec="ascii", exclude_characters="\x00\r\n"), min_size=1),
    )
)
def test_values_survive_quoting(pairs):
    assert parse_odbc(build_odbc(pairs)) == pairs


@pytest.mark.parametrize(
    "text",
    [
        "Server=a;UID=u;PWD=s3cret",
        "Server=a;UID=u;Password={s3cret;s3cret}",
        "Server=a;UID=u;PWD={s3cret",
        "mssql+pyodbc://u:s3cret@a/b",
        "mssql+pyodbc://u:s3@cret@s3cret@a/b",
        "mssql+pyodbc:///?odbc_connect=PWD%3Ds3cret",
        "mssql+pyodbc://u:s3cret@/?odbc_connect=Server%3Da",
        "mssql+pyodbc://a/b?KeyStoreSecret=s3cret",
        "Server=a;AccessToken=s3cret",
        "mssql+pyodbc://a/b?PWD=s3cret&x=1",
    ],
)
def test_no_password_is_shown(text):
    assert "s3cret" not in mask(text)
    try:
        shown = repr(Connection.of(text)) + str(Connection.of(text))
    except ConfigurationError as error:
        shown = str(error)
    assert "s3cret" not in shown


def test_same_place():
    here = Connection.of("Server=tcp:DB1;Database=f;UID=a;PWD=b")
    assert here.same_place(Connection.of("Server=db1;Database=F;UID=c;PWD=d"))
    assert not here.same_place(Connection.of("Server=db1;Database=g;UID=a;PWD=b"))
    assert not here.same_place(Connection.of("flights"))
    assert Connection.of("Server=.").same_place(Connection.of("Server=127.0.0.1"))


@pytest.mark.parametrize(
    ("number", "message", "kind", "advice"),
    [
        (2812, "Could not find stored procedure 'sqlexec.execute_chunk'.", BundleNotInstalled,
         "sqlexec install"),
        (51701, "protocol 1 and 2", BundleVersionMismatch, "sqlexec install"),
        (8145, "@x is not a parameter for procedure execute_chunk.", BundleVersionMismatch,
         "another version"),
        (39023, "'sp_execute_external_script' is disabled", ExternalScriptsDisabled,
         "sp_configure"),
        (229, "The EXECUTE permission was denied on 'execute_chunk', schema 'sqlexec'.",
         PermissionDenied, "sqlexec_user"),
        (229, "The EXECUTE ANY EXTERNAL SCRIPT permission was denied", PermissionDenied, "GRANT"),
        (39012, "Unable to communicate with the runtime", ProcessDied, ""),
        (39017, "Input data query returns column #1 of type 'xml'", ServerError, "CAST"),
        (208, "Invalid object name 't'.", ServerError, ""),
    ],
)  # fmt: skip
def test_errors_of_the_server(number, message, kind, advice):
    error = server_error(message, number, 16, 1, "execute_chunk", 12)
    assert type(error) is kind
    assert message in str(error)
    assert advice in str(error)
    assert (error.number, error.severity, error.state, error.line) == (number, 16, 1, 12)
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.number) == (kind, str(error), number)
    if kind not in (BundleVersionMismatch,):
        text = f"[42000] {PREFIX}{message} ({number}) (SQLExecDirectW)"
        assert type(from_driver(pyodbc.ProgrammingError("42000", text))) is kind


def test_several_errors_of_one_statement():
    text = f"[42000] {PREFIX}First. (39004) (SQLFetch); [42000] {PREFIX}Second. (39019)"
    error = from_driver(pyodbc.Error("42000", text))
    assert (error.number, str(error)) == (39004, "First.\nSecond.")


@pytest.mark.parametrize(
    ("state", "text", "kind"),
    [
        ("08S01", "[08S01] [Microsoft][ODBC Driver 18]TCP Provider: Error code 0x68 (104)",
         ConnectionLost),
        ("08S01", "[08S01] Communication link failure (0) (SQLExecute)", ConnectionLost),
        ("HY008", "[HY008] Operation canceled (0) (SQLExecDirectW)", OperationCancelled),
        ("HY000", "[HY000] The driver did not supply an error! (0)", ServerError),
    ],
)  # fmt: skip
def test_errors_of_the_driver(state, text, kind):
    assert type(from_driver(pyodbc.Error(state, text))) is kind


@pytest.mark.parametrize(
    ("state", "text", "number", "advice"),
    [
        ("28000", f"[28000] {PREFIX}Login failed for user 'ann'. (18456) (SQLDriverConnect)",
         18456, "UID=, PWD="),
        ("42000", f"[42000] {PREFIX}Cannot open database \"x\" (4060) (SQLDriverConnect)",
         4060, "Database="),
        ("28000", f"[28000] {PREFIX}Login failed for user 'ann'. (18456) (SQLDriverConnect); "
         f"[28000] {PREFIX}Cannot open database \"x\" (4060)", 4060, "Database="),
        ("08001", "[08001] [Microsoft][ODBC Driver 18 for SQL Server]SSL Provider: "
         "certificate verify failed:self-signed certificate (-1) (SQLDriverConnect)",
         0, "TrustServerCertificate=yes"),
        ("HYT00", "[HYT00] [Microsoft]Login timeout expired (0) (SQLDriverConnect)", 0,
         "Nothing listens at 127.0.0.1, port 1"),
        ("01000", "[01000] [unixODBC][Driver Manager]Can't open lib '/x.so' : file not found (0)",
         0, "libltdl7"),
    ],
)  # fmt: skip
def test_errors_of_connecting(state, text, number, advice):
    where = Connection.of("Server=127.0.0.1,1;Database=d;UID=ann;PWD=s3cret")
    error = connection_failed(pyodbc.Error(state, text), where)
    assert isinstance(error, ConnectionFailed)
    assert error.number == number
    assert advice in str(error)
    assert str(error).startswith("No connection to 127.0.0.1,1 (database d, user ann): ")
    assert "s3cret" not in str(error)


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ("no.such.host.invalid", "'no.such.host.invalid' is not known here"),
        ("tcp:127.0.0.1,1", "Nothing listens at 127.0.0.1, port 1"),
        ("db1\\sql2019", "SQL Server Browser"),
        ("db1,port", "'port' is no port"),
    ],
)
def test_why_a_server_is_not_reached(server, told):
    assert told in why_unreachable(server)


def test_a_program_that_is_no_sql_server():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert "did not complete a login" in why_unreachable(f"127.0.0.1,{port}")


def test_a_driver_in_anothers_place_is_told_at_the_users_line():
    wanted = "ODBC Driver 5 for SQL Server"
    with pytest.warns(UserWarning, match=wanted) as caught:
        RxInSqlServer(f"Driver={{{wanted}}};Server=db1").carry_out(make_plan(lambda: 1))
    assert caught[0].filename == __file__


def test_a_server_that_is_not_there(monkeypatch):
    monkeypatch.setattr("sqlexec.server.session.LOGIN_TIMEOUT_SECONDS", 2)
    text = "Server=tcp:127.0.0.1,1;UID=a;PWD=s3cret"
    with pytest.raises(ConnectionFailed, match="check the port and that the server runs") as caught:
        Session(Connection.of(text))
    assert "s3cret" not in str(caught.value)


def test_an_empty_pool_closes_quietly():
    pool = SessionPool()
    pool.close()
    pool.close(Connection.of("Server=a"))
