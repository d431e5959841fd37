"""Who may see and do what, over real connections: an administrator, a user of sqlexec, a nobody.

And: T-SQL text of any login must not reach DuckDB's own functions, files, settings and catalog.
"""

from __future__ import annotations

import contextlib
import socket
import time

import pyodbc
import pytest

from sqlexec.bundle import install
from sqlexec.embedded import EmbeddedServer
from sqlexec.server.connection import build_odbc, parse_odbc
from tests.embedded.rawclient import RawClient, packet

PASSWORD = "S3cret_of_" + "a_login!"
ODD = "odd ]]\"'; DROP TABLE dbo.secret --"  # as it stands in brackets


@pytest.fixture(scope="module")
def server():
    with EmbeddedServer() as running:
        yield running


@pytest.fixture(scope="module")
def connect(server):
    """Open a connection as one of the logins: connect(user, database)."""
    with contextlib.ExitStack() as opened:

        def open_one(user="sa", database="Flights"):
            pairs = {**parse_odbc(server.connection_string), "Database": database}
            if user != "sa":
                pairs.update(UID=user, PWD=PASSWORD)
            connection = pyodbc.connect(build_odbc(pairs), autocommit=True)
            opened.callback(connection.close)
            return connection

        prepare(open_one, server)
        yield open_one


def prepare(connect, server):
    master = connect(database="master")
    for database in ("Flights", "Other", "Owned"):
        master.execute(f"CREATE DATABASE {database}")
    for login in ("scientist", "nobody", "owner"):
        master.execute(f"CREATE LOGIN {login} WITH PASSWORD = '{PASSWORD}'")
    install(build_odbc({**parse_odbc(server.connection_string), "Database": "Flights"}))
    flights, other, owned = connect(), connect(database="Other"), connect(database="Owned")
    other.execute("CREATE TABLE dbo.secret (x int)")
    other.execute("INSERT INTO dbo.secret VALUES (7)")
    for statement in (
        "CREATE USER scientist FOR LOGIN scientist",
        "CREATE USER nobody FOR LOGIN nobody",
        "ALTER ROLE sqlexec_user ADD MEMBER scientist",
        "CREATE TABLE dbo.secret (x int, t nvarchar(50))",
        "INSERT INTO dbo.secret VALUES (86753, N'hidden')",
        "CREATE TABLE dbo.granted (x int)",
        "INSERT INTO dbo.granted VALUES (1)",
        "GRANT SELECT ON dbo.granted TO scientist",
        f"CREATE TABLE dbo.[{ODD}] (x int, [c\"']]] int)",
        "CREATE PROCEDURE dbo.hidden AS SELECT 'code'",
        "CREATE PROCEDURE dbo.chained AS SELECT * FROM dbo.secret",
        "CREATE PROCEDURE dbo.by_execute AS EXECUTE('SELECT * FROM dbo.secret')",
        "CREATE PROCEDURE dbo.by_sql AS EXECUTE sp_executesql N'SELECT * FROM dbo.secret'",
        "CREATE PROCEDURE dbo.by_script AS EXECUTE sp_execute_external_script"
        " @language = N'Python', @script = N'OutputDataSet = InputDataSet',"
        " @input_data_1 = N'SELECT x FROM dbo.secret'",
        "CREATE PROCEDURE dbo.truncating AS TRUNCATE TABLE dbo.secret",
        "CREATE PROCEDURE dbo.elsewhere AS SELECT * FROM Other.dbo.secret",
        "CREATE VIEW dbo.view_of_secret AS SELECT * FROM dbo.secret",
        "CREATE VIEW dbo.view_of_other AS SELECT * FROM Other.dbo.secret",
        *(
            f"GRANT EXECUTE ON dbo.{name} TO scientist, nobody"
            for name in ("chained", "by_execute", "by_sql", "by_script", "truncating", "elsewhere")
        ),
        "GRANT SELECT ON dbo.view_of_secret TO scientist",
        "GRANT SELECT ON dbo.view_of_other TO scientist",
    ):
        flights.execute(statement)
    owned.execute("CREATE USER owner FOR LOGIN owner")
    owned.execute("ALTER ROLE db_owner ADD MEMBER owner")


@pytest.fixture(scope="module")
def sa(connect):
    return connect()


@pytest.fixture(scope="module")
def scientist(connect):
    return connect("scientist")


@pytest.fixture(scope="module")
def nobody(connect):
    return connect("nobody")


def rows(connection, statement):
    """Rows of the first result set."""
    cursor = connection.execute(statement)
    while cursor.description is None:
        if not cursor.nextset():
            return []
    return [tuple(row) for row in cursor.fetchall()]


def all_results(connection, statement):
    cursor = connection.execute(statement)
    while cursor.nextset():
        pass


def refused(connection, statement, *numbers):
    with pytest.raises(pyodbc.Error) as caught:
        rows(connection, statement)
    text = str(caught.value)
    assert any(f"({number})" in text for number in numbers), text
    return text


# --- tables ------------------------------------------------------------------------------

_WAYS_TO_READ = [
    "SELECT * FROM dbo.secret",
    "SELECT (SELECT MAX(x) FROM dbo.secret)",
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM dbo.secret)",
    "SELECT 1 WHERE 86753 IN (SELECT x FROM dbo.secret)",
    "SELECT x FROM dbo.granted ORDER BY (SELECT MAX(x) FROM dbo.secret)",
    "SELECT TOP (SELECT x FROM dbo.secret) x FROM dbo.granted",
    "SELECT x FROM dbo.granted GROUP BY x HAVING MAX(x) < (SELECT MAX(x) FROM dbo.secret)",
    "SELECT SUM(x) OVER (ORDER BY (SELECT MAX(x) FROM dbo.secret)) FROM dbo.granted",
    "SELECT CASE WHEN (SELECT MAX(x) FROM dbo.secret) = 86753 THEN 1 END",
    "SELECT x FROM dbo.granted WHERE x < ANY (SELECT x FROM dbo.secret)",
    "SELECT g.x FROM dbo.granted AS g JOIN dbo.secret AS s ON s.x > g.x",
    "SELECT * FROM dbo.granted AS g CROSS APPLY (SELECT * FROM dbo.secret) AS s",
    "SELECT * FROM string_split((SELECT MAX(t) FROM dbo.secret), ',')",
    "SELECT * FROM (VALUES ((SELECT MAX(x) FROM dbo.secret))) AS v(a)",
    "WITH c AS (SELECT x FROM dbo.granted UNION ALL SELECT x FROM dbo.secret) SELECT * FROM c",
    "SELECT * INTO #copy FROM dbo.secret",
    "DECLARE @x int; SELECT @x = x FROM dbo.secret; SELECT @x",
    "DECLARE @x int = (SELECT MAX(x) FROM dbo.secret); SELECT @x",
    "DECLARE @t TABLE (x int); INSERT INTO @t SELECT x FROM dbo.secret; SELECT * FROM @t",
    "DECLARE @t TABLE (x int); INSERT INTO @t VALUES (1);"
    " UPDATE @t SET x = (SELECT MAX(x) FROM dbo.secret); SELECT * FROM @t",
    "DECLARE @t TABLE (x int); INSERT INTO @t OUTPUT (SELECT MAX(x) FROM dbo.secret) VALUES (1)",
    "IF EXISTS (SELECT * FROM dbo.secret) SELECT 1",
    "PRINT (SELECT MAX(t) FROM dbo.secret)",
    "EXECUTE('SELECT * FROM dbo.secret')",
    "EXECUTE sp_executesql N'SELECT * FROM dbo.secret'",
    "EXECUTE sp_execute_external_script @language = N'Python',"
    " @script = N'OutputDataSet = InputDataSet', @input_data_1 = N'SELECT * FROM dbo.secret'",
    f"SELECT * FROM dbo.[{ODD}]",
    "SELECT * FROM Other.dbo.secret",
    "SELECT * FROM Other..secret",
    "SELECT * FROM sqlexec.chunk_log",
]


@pytest.mark.parametrize("statement", _WAYS_TO_READ)
def test_no_way_to_read_a_table_without_the_right(scientist, statement):
    assert "86753" not in refused(scientist, statement, 229, 262, 1046, 40517)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE dbo.secret SET x = 1",
        "DELETE FROM dbo.secret",
        "INSERT INTO dbo.secret VALUES (1, N'')",
        "TRUNCATE TABLE dbo.secret",
        "DROP TABLE dbo.secret",
        "ALTER TABLE dbo.secret ADD y int",
        "EXECUTE dbo.truncating",
        "CREATE TABLE dbo.made (x int)",
        "CREATE VIEW dbo.made AS SELECT * FROM dbo.secret",
        "CREATE PROCEDURE dbo.made AS SELECT * FROM dbo.secret",
        "CREATE DATABASE made",
        "DROP DATABASE Other",
        "CREATE LOGIN made WITH PASSWORD = 'x'",
        "ALTER LOGIN sa WITH PASSWORD = 'x'",
        "ALTER ROLE db_owner ADD MEMBER scientist",
        "ALTER SERVER ROLE sysadmin ADD MEMBER scientist",
        "GRANT SELECT ON dbo.secret TO scientist",
        "EXECUTE AS USER = 'dbo'",
        "EXECUTE AS LOGIN = 'sa'",
        "EXECUTE sp_configure 'external scripts enabled', 0",
        "KILL 51",
        "USE Other",
    ],
)
def test_a_user_changes_nothing_that_is_not_his(scientist, sa, statement):
    refused(scientist, statement, 229, 262, 916, 1088, 3701, 6102, 15151, 15247, 15406, 15517)
    assert rows(sa, "SELECT x, t FROM dbo.secret") == [(86753, "hidden")]


def test_ownership_chains_cover_static_sql_of_one_database_alone(scientist, nobody):
    assert rows(scientist, "EXECUTE dbo.chained") == [(86753, "hidden")]
    assert rows(scientist, "SELECT * FROM dbo.view_of_secret") == [(86753, "hidden")]
    for name in ("by_execute", "by_sql", "by_script", "elsewhere"):
        assert "SELECT permission" in refused(scientist, f"EXECUTE dbo.{name}", 229)
    refused(scientist, "SELECT * FROM dbo.view_of_other", 229)
    assert "EXTERNAL SCRIPT" in refused(nobody, "EXECUTE dbo.by_script", 229)


def test_the_bundle_is_for_members_of_its_role(scientist, nobody):
    assert rows(scientist, "EXECUTE sqlexec.info")
    refused(scientist, "EXECUTE sqlexec.runner", 229)
    for procedure in ("info", "runner", "execute_chunk 1"):
        refused(nobody, f"EXECUTE sqlexec.{procedure}", 229)
    refused(
        nobody,
        "EXECUTE sp_execute_external_script @language = N'Python', @script = N'pass'",
        229,
    )


def test_owning_a_database_opens_no_other(connect):
    owner = connect("owner", "Owned")
    owner.execute("CREATE VIEW dbo.v AS SELECT * FROM Flights.dbo.secret")
    refused(owner, "SELECT * FROM dbo.v", 229)
    owner.execute("CREATE PROCEDURE dbo.p AS SELECT * FROM Flights.dbo.secret")
    refused(owner, "EXECUTE dbo.p", 229)
    refused(owner, "SELECT * FROM Flights.sys.objects", 916)


def test_becoming_dbo_counts_in_that_database_alone(connect):
    """sa is dbo of Owned: its owner may become dbo there, and is no administrator by that."""
    owner = connect("owner", "Owned")
    owner.execute("EXECUTE AS USER = 'dbo'")
    assert rows(owner, "SELECT USER_NAME(), IS_SRVROLEMEMBER('sysadmin')") == [("dbo", 0)]
    refused(owner, "SELECT * FROM Flights.dbo.secret", 229)
    refused(owner, "USE Flights", 916)
    refused(owner, "CREATE LOGIN made WITH PASSWORD = 'x'", 15247)
    refused(owner, "CREATE DATABASE made", 262)
    owner.execute("USE Owned")
    assert rows(owner, "SELECT USER_NAME()") == [("dbo",)]
    owner.execute("REVERT")
    assert rows(owner, "SELECT USER_NAME()") == [("owner",)]


# --- metadata ----------------------------------------------------------------------------


def test_system_views_show_what_one_has_rights_on(sa, scientist, nobody):
    names = (
        "SELECT name FROM sys.objects"
        " WHERE type IN ('U', 'V', 'P') AND schema_id = SCHEMA_ID('dbo')"
    )
    everything = {name for (name,) in rows(sa, names)}
    seen = {name for (name,) in rows(scientist, names)}
    assert {"secret", "hidden", "granted"} <= everything
    assert {"granted", "chained"} <= seen
    assert not seen & {"secret", "hidden"}
    assert {n for (n,) in rows(sa, names)} == everything  # not the other's kept plan
    assert ("granted",) not in rows(nobody, names)
    tables = rows(
        scientist,
        "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES AS i WHERE TABLE_SCHEMA = 'dbo'",
    )
    assert sorted(tables) == [("granted",), ("view_of_other",), ("view_of_secret",)]
    columns = rows(
        scientist,
        "SELECT o.name, c.name FROM sys.columns AS c JOIN sys.tables AS o"
        " ON o.object_id = c.object_id AND o.schema_id = SCHEMA_ID('dbo')",
    )
    assert columns == [("granted", "x")]


def test_rights_given_later_show_at_once(sa, scientist):
    query = "SELECT COUNT(*) FROM sys.tables WHERE name = 'secret'"
    assert rows(scientist, query) == [(0,)]
    sa.execute("GRANT SELECT ON dbo.secret TO scientist")
    assert rows(scientist, query) == [(1,)]
    sa.execute("REVOKE SELECT ON dbo.secret FROM scientist")
    assert rows(scientist, query) == [(0,)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT m.definition FROM sys.sql_modules AS m JOIN sys.objects AS o"
        " ON o.object_id = m.object_id AND o.schema_id = SCHEMA_ID('dbo')",
        "SELECT ROUTINE_DEFINITION FROM INFORMATION_SCHEMA.ROUTINES WHERE ROUTINE_SCHEMA = 'dbo'",
        "SELECT VIEW_DEFINITION FROM INFORMATION_SCHEMA.VIEWS WHERE TABLE_SCHEMA = 'dbo'",
        "SELECT OBJECT_DEFINITION(OBJECT_ID('dbo.chained'))",
    ],
)
def test_texts_of_modules_need_view_definition(sa, scientist, query):
    assert {text for (text,) in rows(scientist, query)} == {None}
    assert all(text.startswith("CREATE") for (text,) in rows(sa, query))


def test_other_logins_are_not_shown(sa, scientist):
    names = "SELECT name FROM sys.server_principals WHERE type = 'S'"
    assert set(rows(scientist, names)) == {("sa",), ("scientist",)}
    assert ("owner",) in rows(sa, names)


@pytest.mark.parametrize("view", ["sys.database_permissions", "INFORMATION_SCHEMA.ROUTINES"])
def test_wide_texts_of_system_views_arrive(sa, view):
    assert rows(sa, f"SELECT * FROM {view}")


# --- the engine below --------------------------------------------------------------------

_NO_TABLES = [
    "read_csv('/etc/passwd')",
    "[read_text]('/etc/passwd')",
    "'/etc/passwd'",
    "[/etc/passwd]",
    "duckdb_settings()",
    "duckdb_tables",
    "sys.duckdb_tables",
    "[$catalog].server_principals",
    "memory.[$catalog].server_principals",
    "[Flights.dbo].secret",
    '[Flights.dbo"."secret]',
    "main.secret",
    "pg_catalog.pg_tables",
    "query('SELECT 1')",
    "query_table('x')",
    "range(10)",
    "sqlite_master",
    "glob('/*')",
]


@pytest.mark.parametrize("source", _NO_TABLES)
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM {}",
        "SELECT 1 WHERE EXISTS (SELECT * FROM {})",
        "CREATE VIEW dbo.escaping AS SELECT * FROM {}",
    ],
)
def test_nothing_of_the_engine_is_a_table(sa, statement, source):
    refused(sa, statement.format(source), 102, 208)


@pytest.mark.parametrize(
    "call",
    [
        "getenv('HOME')",
        "[getenv]('HOME')",
        "current_setting('threads')",
        "pragma_version()",
        "version()",
        "[$tsql].divide(1, 0)",
        "main.version()",
        "'x'.getenv()",
        "nextval('s')",
        "read_blob('/etc/passwd')",
        "(duckdb_settings()).name",
    ],
)
@pytest.mark.parametrize(
    "statement", ["SELECT {}", "SELECT x FROM dbo.granted ORDER BY {}", "PRINT {}"]
)
def test_nothing_of_the_engine_is_a_function(sa, statement, call):
    refused(sa, statement.format(call), 102, 195, 4121, 40517)


@pytest.mark.parametrize(
    "statement",
    [
        "ATTACH '/tmp/x.db'",
        "COPY dbo.granted TO '/tmp/copied.csv'",
        "EXPORT DATABASE '/tmp/exported'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 1",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "BULK INSERT dbo.granted FROM '/etc/passwd'",
        "SELECT * FROM OPENROWSET(BULK '/etc/passwd', SINGLE_CLOB) AS x",
        "SELECT * FROM ROWS FROM (duckdb_settings())",
        "SELECT 1; ATTACH '/tmp/x.db'",
    ],
)
def test_no_statement_reaches_the_engine_or_files(sa, statement):
    with pytest.raises(pyodbc.Error):
        all_results(sa, statement)


def test_odd_names_are_only_names(sa):
    sa.execute(f"INSERT INTO dbo.[{ODD}] (x, [c\"']]]) VALUES (1, 2)")
    assert rows(sa, f'SELECT [c"\']]] AS [a"; SELECT 1 --] FROM dbo.[{ODD}] AS [b"\']') == [(2,)]
    assert rows(sa, f"SELECT COL_NAME(OBJECT_ID('dbo.[{ODD.replace(chr(39), chr(39) * 2)}]'), 2)")
    sa.execute(f"DROP TABLE dbo.[{ODD}]")
    sa.execute(f"CREATE TABLE dbo.[{ODD}] (x int, [c\"']]] int)")
    assert rows(sa, "SELECT COUNT(*) FROM dbo.secret") == [(1,)]


# --- passwords and logins ----------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE LOGIN broken WITH PASSWORD = '{}' NONSENSE",
        "CREATE LOGIN scientist WITH PASSWORD = '{}'",
        "ALTER LOGIN nobody_at_all WITH PASSWORD = '{}'",
        "ALTER LOGIN sa WITH PASSWORD = '{}' OLD_PASSWORD = '{}', NONSENSE = 1",
    ],
)
def test_errors_show_no_password(server, sa, statement):
    with pytest.raises(pyodbc.Error) as caught:
        sa.execute(statement.replace("{}", "Pw-to-hide-1"))
    assert "Pw-to-hide" not in str(caught.value)
    assert "Pw-to-hide" not in server.log()


def test_no_view_shows_hashes(sa):
    for view in ("sys.sql_logins", "sys.server_principals"):
        for row in rows(sa, f"SELECT * FROM {view}"):
            assert not any("pbkdf2" in str(value) for value in row)


def test_a_request_before_the_login_is_bounded(server, connect):
    """A client that has not logged in cannot make the server keep what it sends."""
    with RawClient(server.port) as client, contextlib.suppress(OSError):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:  # a message that never ends
            client.socket.sendall(packet(0x12, bytes(32000), status=0))
        pytest.fail("the server took it all")


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\xff" * 64, b"\x12"])
def test_garbage_ends_its_own_connection_alone(server, scientist, garbage):
    with socket.create_connection(("127.0.0.1", server.port), 20) as stranger:
        stranger.sendall(garbage)
        stranger.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while stranger.recv(4096):
                pass
    assert rows(scientist, "SELECT 1") == [(1,)]
    assert "Traceback" not in server.log()


def test_managing_logins_does_not_reach_administrators(sa, connect):
    sa.execute(f"CREATE LOGIN keeper WITH PASSWORD = '{PASSWORD}'")
    sa.execute("ALTER SERVER ROLE securityadmin ADD MEMBER keeper")
    keeper = connect("keeper", "master")
    keeper.execute("CREATE LOGIN guest_login WITH PASSWORD = 'x1'")
    keeper.execute("ALTER LOGIN guest_login WITH PASSWORD = 'x2'")
    refused(keeper, "ALTER LOGIN sa WITH PASSWORD = 'x'", 15247)
    refused(keeper, "ALTER LOGIN sa DISABLE", 15247)


def test_one_changes_only_the_password_of_his_own_login(scientist):
    scientist.execute(
        f"ALTER LOGIN scientist WITH PASSWORD = '{PASSWORD}' OLD_PASSWORD = '{PASSWORD}'"
    )
    wrong = "ALTER LOGIN scientist WITH PASSWORD = 'x' OLD_PASSWORD = 'wrong'"
    refused(scientist, wrong, 18456)
    rename = f"ALTER LOGIN scientist WITH NAME = boss, PASSWORD = 'x' OLD_PASSWORD = '{PASSWORD}'"
    refused(scientist, rename, 15247)


def test_mars_is_refused_with_a_reason(server):
    with pytest.raises(pyodbc.Error, match="does not support MARS"):
        pyodbc.connect(server.odbc(MARS_Connection="yes"))


def test_an_unknown_database_is_a_failed_login(server):
    with RawClient(server.port) as client:
        answer = client.login(server.password, database="no_such")
    assert "Cannot open database".encode("utf-16-le") in answer
    assert "Login failed for user 'sa'".encode("utf-16-le") in answer


def test_token_of_a_user(scientist, nobody):
    statement = "SELECT t.name, t.type FROM sys.user_token AS t ORDER BY t.name"
    own = [("public", "ROLE"), ("scientist", "SQL USER"), ("sqlexec_user", "ROLE")]
    assert rows(scientist, statement) == own
    assert rows(nobody, statement) == [("nobody", "SQL USER"), ("public", "ROLE")]
