"""One suite, any server: --server=embedded (default), container, or a connection string.

A connection string names a database that these tests may use (with -n 0, as tests in parallel
would use it at once): the bundle is installed in it, tables are made and dropped.  Without
`Database=` each worker makes a database of its own, and drops it in the end.

A test with the mark `embedded_only` needs the stand-in.  Every other is written for any server;
`seen_on` marks those that were seen to pass on a genuine one.
"""

from __future__ import annotations

import uuid

import pytest

from sqlexec import RxForeachDoPar, RxInSqlServer, RxLocalParallel, RxLocalSeq
from sqlexec.bundle import install
from sqlexec.embedded import EmbeddedServer
from sqlexec.server.connection import Connection, build_odbc, parse_odbc
from sqlexec.server.pool import POOL
from sqlexec.server.session import Session
from tests.integration.durable import Login, read_runtime

DATABASE = "IntegrationDB"


def in_database(connection_string: str, database: str, **changes: str) -> str:
    """The same connection string to another database, or with other words."""
    return build_odbc({**parse_odbc(connection_string), "Database": database, **changes})


def prepared(server: EmbeddedServer) -> str:
    """Make a database with the bundle in a fresh embedded server; gives the way to it."""
    return new_database(server.connection_string, DATABASE)


def new_database(server: str, name: str) -> str:
    """Make a database with the bundle in any server; gives the way to it."""
    run_once(server, f"CREATE DATABASE {name}")
    connection_string = in_database(server, name)
    install(connection_string)
    return connection_string


def run_once(server: str, statement: str) -> None:
    session = Session(Connection.of(server))
    session.execute(statement)
    session.close()


@pytest.fixture(scope="session")
def connection_string(request, worker_id):
    """Of an administrator, to a database with the bundle."""
    server = request.config.getoption("--server")
    if request.config.option.no_server:
        pytest.skip(request.config.option.no_server)
    if server == "embedded":
        with EmbeddedServer() as embedded:
            yield prepared(embedded)
            POOL.close()
    elif "Database" in parse_odbc(Connection.of(server).odbc):
        install(server)
        yield server
    else:
        own = f"{DATABASE}_{worker_id}"
        yield new_database(Connection.of(server).odbc, own)
        POOL.close()
        run_once(server, f"DROP DATABASE {own}")


@pytest.fixture
def own_server():
    """An embedded server for one test, which may break it: (server, connection string)."""
    with EmbeddedServer() as server:
        yield server, prepared(server)
        POOL.close()


@pytest.fixture(scope="session")
def cc(connection_string):
    """A compute context with two processes at a time."""
    return RxInSqlServer(connection_string, num_tasks=2)


@pytest.fixture(scope="session")
def execute(connection_string):
    """Run a statement as administrator."""
    session = Session(Connection.of(connection_string))
    yield session.execute
    session.close()


@pytest.fixture(scope="session")
def flights(execute):
    """A table of 1,000 small flights with NULLs, all the usual types, and text."""
    execute("DROP TABLE IF EXISTS dbo.test_flights")
    execute(
        "CREATE TABLE dbo.test_flights (id int NOT NULL, delay float NULL, day smallint NULL, "
        "carrier nvarchar(10) NULL, seen datetime NULL, late bit NOT NULL, price money NULL)"
    )
    rows = [
        f"({n}, {'NULL' if n % 10 == 0 else n / 4}, {n % 7}, N'{'ABÄ'[n % 3]}', "
        f"'2013-01-{n % 28 + 1:02} 06:30:00', {n % 2}, {n}.25)"
        for n in range(1000)
    ]
    for start in range(0, 1000, 250):
        execute("INSERT INTO dbo.test_flights VALUES " + ", ".join(rows[start : start + 250]))
    yield "dbo.test_flights"
    execute("DROP TABLE dbo.test_flights")


@pytest.fixture(scope="session")
def admin(connection_string):
    """An administrator who uses durable jobs by T-SQL."""
    login = Login(connection_string, read_runtime(connection_string))
    yield login
    login.close()


@pytest.fixture
def patience(execute):
    """How long `durable.nap` sleeps: (query, function that changes it); at first long."""
    table = f"dbo.patience_{uuid.uuid4().hex[:8]}"
    execute(f"CREATE TABLE {table} (seconds float NOT NULL)")
    execute(f"INSERT INTO {table} VALUES (600)")
    yield (
        f"SELECT p.seconds FROM {table} AS p",
        lambda seconds: execute(f"UPDATE {table} SET seconds = {seconds}"),
    )
    execute(f"DROP TABLE {table}")


CONTEXTS = {
    "local": RxLocalSeq(),
    "localpar": RxLocalParallel(2),
    "dopar": RxForeachDoPar(num_tasks=2),
    "sqlserver": None,  # the fixture `cc`
}


@pytest.fixture(params=CONTEXTS)
def context(request):
    """Each compute context in turn, with two processes where it has processes."""
    return CONTEXTS[request.param] or request.getfixturevalue("cc")


@pytest.fixture(params=list(CONTEXTS)[1:])
def elsewhere(request):
    """Each compute context that runs functions in other processes."""
    return CONTEXTS[request.param] or request.getfixturevalue("cc")
