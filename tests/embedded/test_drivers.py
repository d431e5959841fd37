"""Real drivers against the embedded server: the same steps through each of them.

pyodbc over Microsoft's driver (encrypted and not) and over FreeTDS, mssql-python, pymssql and
python-tds; then SQLAlchemy with pandas.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pandas as pd
import pyodbc
import pytest
import sqlalchemy as sa

from sqlexec.embedded import EmbeddedServer

Connect = Callable[..., Any]


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as running:
        with contextlib.closing(pyodbc.connect(running.connection_string, autocommit=True)) as c:
            c.execute("CREATE DATABASE DriverTests")
        yield running


def connect_microsoft(server: EmbeddedServer, *, autocommit: bool = True, **options: str) -> Any:
    options = {"Database": "DriverTests", **options}
    return pyodbc.connect(server.odbc(**options), autocommit=autocommit, timeout=10)


def connect_microsoft_clear(server: EmbeddedServer, *, autocommit: bool = True) -> Any:
    text = server.odbc(encrypt=False, Database="DriverTests")
    return pyodbc.connect(text, autocommit=autocommit, timeout=10)


def connect_freetds(server: EmbeddedServer, *, autocommit: bool = True) -> Any:
    if "FreeTDS" not in pyodbc.drivers():
        pytest.skip("FreeTDS's ODBC driver (Debian package tdsodbc) is not registered")
    text = (
        f"Driver=FreeTDS;Server=127.0.0.1;Port={server.port};UID=sa;PWD={server.password};"
        "Database=DriverTests;TDS_Version=7.4;ClientCharset=UTF-8"
    )
    return pyodbc.connect(text, autocommit=autocommit, timeout=10)


def connect_mssql_python(server: EmbeddedServer, *, autocommit: bool = True) -> Any:
    module = pytest.importorskip("mssql_python")
    text = (
        f"Server=127.0.0.1,{server.port};UID=sa;PWD={server.password};Database=DriverTests;"
        "Encrypt=yes;TrustServerCertificate=yes"
    )
    connection = module.connect(text)
    connection.autocommit = autocommit
    return connection


def connect_pymssql(server: EmbeddedServer, *, autocommit: bool = True) -> Any:
    module = pytest.importorskip("pymssql")
    return module.connect(
        server="127.0.0.1",
        port=str(server.port),
        user="sa",
        password=server.password,
        database="DriverTests",
        autocommit=autocommit,
        login_timeout=10,
        tds_version="7.4",
    )


def connect_pytds(server: EmbeddedServer, *, autocommit: bool = True) -> Any:
    module = pytest.importorskip("pytds")
    return module.connect(
        dsn="127.0.0.1",
        port=server.port,
        user="sa",
        password=server.password,
        database="DriverTests",
        autocommit=autocommit,
        login_timeout=10,
    )


DRIVERS: dict[str, tuple[Connect, str]] = {  # how to connect, the mark of a parameter
    "microsoft": (connect_microsoft, "?"),
    "microsoft-clear": (connect_microsoft_clear, "?"),
    "freetds": (connect_freetds, "?"),
    "mssql-python": (connect_mssql_python, "?"),
    "pymssql": (connect_pymssql, "%s"),
    "python-tds": (connect_pytds, "%s"),
}


class Client:
    """One driver: opens connections, writes parameters its way."""

    def __init__(self, name: str, server: EmbeddedServer) -> None:
        self.name = name
        self._server = server
        self._connect, self._mark = DRIVERS[name]
        self._open: list[Any] = []

    def connect(self, *, autocommit: bool = True) -> Any:
        connection = self._connect(self._server, autocommit=autocommit)
        self._open.append(connection)
        return connection

    def sql(self, text: str) -> str:
        return text.replace("?", self._mark)

    def rows(self, connection: Any, text: str, *values: object) -> list[tuple[Any, ...]]:
        cursor = connection.cursor()
        self.execute(cursor, text, *values)
        return [tuple(row) for row in cursor.fetchall()]

    def execute(self, cursor: Any, text: str, *values: object) -> None:
        if values:
            cursor.execute(self.sql(text), values)
        else:
            cursor.execute(text)

    def close(self) -> None:
        for connection in self._open:
            with contextlib.suppress(Exception):
                connection.close()


@pytest.fixture(params=DRIVERS)
def client(request: pytest.FixtureRequest, server: EmbeddedServer) -> Iterator[Client]:
    opened = Client(request.param, server)
    yield opened
    opened.close()


@pytest.fixture
def table(server: EmbeddedServer) -> Iterator[str]:
    name = f"t_{uuid.uuid4().hex}"
    yield name
    with contextlib.closing(connect_microsoft(server)) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {name}")


# --- every driver --------------------------------------------------------------------------


def test_a_query(client: Client) -> None:
    rows = client.rows(client.connect(), "SELECT 1 AS a, N'zwei' AS b, CAST(NULL AS int) AS c")
    assert rows == [(1, "zwei", None)]


def test_the_database_of_the_login(client: Client) -> None:
    assert client.rows(client.connect(), "SELECT DB_NAME()") == [("DriverTests",)]


VALUES = {
    "int": 5,
    "bigint": 5_000_000_000,
    "text": "abc",
    "unicode": "\u00fcn\u00ef \u6f22 \U0001f600",
    "empty": "",
    "long text": "\u00e4" * 10_000,
    "bytes": b"\x00\x01\xff",
    "float": 1.5,
    "decimal": Decimal("12.345"),
    "date": dt.date(2024, 2, 29),
    "datetime": dt.datetime(2024, 1, 2, 3, 4, 5, 670000),
    "bool": True,
}
LITERAL_BYTES = ("pymssql", "python-tds")  # they send bytes as text


@pytest.mark.parametrize("kind", VALUES)
def test_a_parameter_comes_back(client: Client, kind: str) -> None:
    value = VALUES[kind]
    if kind == "bytes" and client.name in LITERAL_BYTES:
        pytest.skip(f"{client.name} sends bytes as text")
    casts = {
        "int": "int",
        "bigint": "bigint",
        "bytes": "varbinary(10)",
        "float": "float",
        "decimal": "decimal(10,3)",
        "date": "date",
        "datetime": "datetime2(6)",
        "bool": "bit",
    }
    cast = casts.get(kind, "nvarchar(max)")
    ((result,),) = client.rows(client.connect(), f"SELECT CAST(? AS {cast}) AS v", value)
    assert result == value


def test_null_parameters(client: Client) -> None:
    rows = client.rows(client.connect(), "SELECT CASE WHEN ? IS NULL THEN 1 ELSE 0 END", None)
    assert rows == [(1,)]


def test_insert_update_delete_and_their_counts(client: Client, table: str) -> None:
    cursor = client.connect().cursor()
    client.execute(cursor, f"CREATE TABLE {table} (a int NOT NULL PRIMARY KEY, b nvarchar(30))")
    client.execute(cursor, f"INSERT INTO {table} VALUES (?, ?)", 1, "one")
    assert cursor.rowcount == 1
    cursor.executemany(client.sql(f"INSERT INTO {table} VALUES (?, ?)"), [(2, "two"), (3, "x")])
    client.execute(cursor, f"UPDATE {table} SET b = ? WHERE a > ?", "more", 1)
    assert cursor.rowcount == 2
    client.execute(cursor, f"DELETE FROM {table} WHERE a = ?", 3)
    assert cursor.rowcount == 1
    client.execute(cursor, f"SELECT a, b FROM {table} ORDER BY a")
    assert [tuple(row) for row in cursor.fetchall()] == [(1, "one"), (2, "more")]


def test_every_column_type(client: Client, table: str) -> None:
    cursor = client.connect().cursor()
    client.execute(
        cursor,
        f"CREATE TABLE {table} (i int, ti tinyint, si smallint, bi bigint, b bit, r real, f float,"
        " d decimal(9,3), m money, da date, dtm datetime, dt2 datetime2(3), u uniqueidentifier,"
        " c char(3), v varchar(10), n nvarchar(10), nm nvarchar(max), vb varbinary(10))",
    )
    client.execute(
        cursor,
        f"INSERT INTO {table} VALUES (1, 2, 3, 4, 1, 0.5, 2.5, 1.125, 9.99, '2024-02-29',"
        " '2024-01-02T03:04:05.677', '2024-01-02T03:04:05.678',"
        " '6F9619FF-8B86-D011-B42D-00C04FC964FF', 'abc', 'va', N'\u6f22', N'max', 0x0102)",
    )
    client.execute(cursor, f"INSERT INTO {table} (i) VALUES (NULL)")
    client.execute(cursor, f"SELECT * FROM {table} WHERE i = 1")
    row = cursor.fetchall()[0]
    assert tuple(row[:6]) == (1, 2, 3, 4, True, 0.5)
    assert tuple(row[6:9]) == (2.5, Decimal("1.125"), Decimal("9.99"))
    assert str(row[9]) == "2024-02-29"
    assert row[10] == dt.datetime(2024, 1, 2, 3, 4, 5, 677000)
    assert str(row[11])[:23] == "2024-01-02 03:04:05.678"
    assert str(row[12]).upper() == "6F9619FF-8B86-D011-B42D-00C04FC964FF"
    assert tuple(row[13:17]) == ("abc", "va", "\u6f22", "max")
    assert bytes(row[17]) == b"\x01\x02"
    client.execute(cursor, f"SELECT * FROM {table} WHERE i IS NULL")
    assert set(cursor.fetchall()[0]) == {None}


def test_many_rows(client: Client) -> None:
    rows = client.rows(
        client.connect(),
        "WITH d AS (SELECT v FROM (VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)) AS x (v))"
        " SELECT a.v + 10 * b.v + 100 * c.v + 1000 * e.v AS n, CONCAT(N'row ', a.v) AS t"
        " FROM d AS a CROSS JOIN d AS b CROSS JOIN d AS c CROSS JOIN d AS e ORDER BY n",
    )
    assert rows == [(n, f"row {n % 10}") for n in range(10_000)]


def test_an_error_has_its_number_and_the_connection_lives(client: Client) -> None:
    connection = client.connect()
    with pytest.raises(Exception, match="Invalid object name"):
        client.rows(connection, "SELECT * FROM no_such_table")
    assert client.rows(connection, "SELECT 1") == [(1,)]


def test_an_error_between_results(client: Client) -> None:
    cursor = client.connect().cursor()
    with pytest.raises(Exception, match="second"):  # noqa: PT012 drivers tell it early or late
        client.execute(cursor, "SELECT 1; RAISERROR('the second', 16, 1); SELECT 3")
        cursor.fetchall()
        while cursor.nextset():
            cursor.fetchall()
        client.execute(cursor, "SELECT 4")


def test_several_results(client: Client) -> None:
    cursor = client.connect().cursor()
    client.execute(cursor, "SELECT 1; SELECT N'two', 2")
    first = [tuple(row) for row in cursor.fetchall()]
    assert cursor.nextset()
    assert (first, [tuple(row) for row in cursor.fetchall()]) == ([(1,)], [("two", 2)])
    assert not cursor.nextset()


def test_commit_and_rollback(client: Client, table: str) -> None:
    writer, reader = client.connect(autocommit=False), client.connect()
    cursor = writer.cursor()
    client.execute(cursor, f"CREATE TABLE {table} (a int)")
    writer.commit()
    for value, end in ((1, writer.rollback), (2, writer.commit)):
        client.execute(cursor, f"INSERT INTO {table} VALUES (?)", value)
        end()
    assert client.rows(reader, f"SELECT a FROM {table}") == [(2,)]


def test_a_procedure_with_output(client: Client) -> None:
    connection, name = client.connect(), f"p_{uuid.uuid4().hex}"
    cursor = connection.cursor()
    client.execute(
        cursor,
        f"CREATE PROCEDURE {name} @a int, @b int OUTPUT AS"
        " BEGIN SET NOCOUNT ON; SET @b = @a * 2; SELECT @a AS a; RETURN 3; END",
    )
    client.execute(
        cursor,
        f"SET NOCOUNT ON; DECLARE @r int, @s int; EXECUTE @s = {name} @a = ?, @b = @r OUTPUT;"
        " SELECT @r AS r, @s AS s",
        21,
    )
    assert [tuple(row) for row in cursor.fetchall()] == [(21,)]
    assert cursor.nextset()
    assert [tuple(row) for row in cursor.fetchall()] == [(42, 3)]
    client.execute(cursor, f"DROP PROCEDURE {name}")


def test_megabytes_of_bytes(client: Client, table: str) -> None:
    connection = client.connect()
    cursor = connection.cursor()
    client.execute(cursor, f"CREATE TABLE {table} (b varbinary(max))")
    expected = bytes(range(256)) * 12_000
    if client.name in LITERAL_BYTES:
        client.execute(cursor, f"INSERT INTO {table} VALUES (0x{expected.hex()})")
    else:
        client.execute(cursor, f"INSERT INTO {table} VALUES (?)", expected)
    ((value,),) = client.rows(connection, f"SELECT b FROM {table}")
    assert bytes(value) == expected


def test_wrong_password(client: Client) -> None:
    server = client._server
    stranger = Client(client.name, EmbeddedServer(port=server.port, password="wrong"))
    with pytest.raises(Exception, match=r"(?i)login|time|refused|auth"):
        stranger.connect()
    assert client.rows(client.connect(), "SELECT 1") == [(1,)]


# --- single drivers ------------------------------------------------------------------------


def test_unknown_database(server: EmbeddedServer) -> None:
    with pytest.raises(pyodbc.Error, match="Cannot open database") as caught:
        connect_microsoft(server, Database="NoSuchDatabase")
    assert "4060" in str(caught.value)


def test_messages_arrive_while_the_batch_runs(server: EmbeddedServer) -> None:
    with contextlib.closing(connect_microsoft(server)) as connection:
        cursor = connection.execute("PRINT 'one'; RAISERROR('two', 0, 1) WITH NOWAIT; SELECT 3")
        seen = []
        while True:
            seen += [text for _, text in cursor.messages]
            if cursor.description:
                assert cursor.fetchall()[0][0] == 3
            if not cursor.nextset():
                break
    assert [text.rpartition("]")[2] for text in seen] == ["one", "two"]


@pytest.mark.parametrize("connect", [connect_microsoft, connect_mssql_python])
def test_cancel_from_another_thread(server: EmbeddedServer, connect: Connect) -> None:
    connection = connect(server)
    with contextlib.closing(connection):
        cursor = connection.cursor()
        if not hasattr(cursor, "cancel"):
            pytest.skip("the driver has no Cursor.cancel")
        timer = threading.Timer(0.3, cursor.cancel)
        timer.start()
        with pytest.raises(Exception, match=r"(?i)cancel"):
            cursor.execute("WAITFOR DELAY '00:01:00'")
        timer.join()
        assert connection.cursor().execute("SELECT 1").fetchval() == 1


def test_a_query_times_out(server: EmbeddedServer) -> None:
    with contextlib.closing(connect_microsoft(server)) as connection:
        connection.timeout = 1
        with pytest.raises(pyodbc.Error, match=r"(?i)timeout"):
            connection.execute("WAITFOR DELAY '00:01:00'")
        connection.timeout = 0
        assert connection.execute("SELECT 1").fetchval() == 1


def test_callproc(server: EmbeddedServer) -> None:
    name = f"p_{uuid.uuid4().hex}"
    with contextlib.closing(connect_microsoft(server)) as connection:
        connection.execute(
            f"CREATE PROCEDURE {name} @a int, @b nvarchar(10) AS SELECT @a AS a, @b AS b"
        )
        for _ in range(2):  # the second call uses the handle of sp_prepexecrpc
            rows = connection.execute(f"{{CALL {name}(?, ?)}}", 1, "x").fetchall()
            assert [tuple(row) for row in rows] == [(1, "x")]
    pytds = pytest.importorskip("pytds")
    with contextlib.closing(connect_pytds(server)) as connection:
        cursor = connection.cursor()
        cursor.callproc(name, (1, "x"))
        assert cursor.fetchall() == [(1, "x")]
        assert pytds


@pytest.mark.parametrize("fast", [False, True])
def test_executemany_of_pyodbc(server: EmbeddedServer, table: str, fast: bool) -> None:
    with contextlib.closing(connect_microsoft(server)) as connection:
        connection.execute(f"CREATE TABLE {table} (a int, b nvarchar(20), c float)")
        cursor = connection.cursor()
        cursor.fast_executemany = fast
        rows = [(i, f"row {i}", i / 4) for i in range(300)]
        cursor.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", rows)
        found = connection.execute(f"SELECT * FROM {table} ORDER BY a").fetchall()
        assert [tuple(row) for row in found] == rows


def test_256_megabytes_both_ways(server: EmbeddedServer) -> None:
    with contextlib.closing(connect_microsoft(server)) as connection:
        value = bytes(1 << 28)
        statement = "DECLARE @v varbinary(max) = ?; SELECT DATALENGTH(@v) AS n, @v AS v"
        length, result = connection.execute(statement, value).fetchone()
        assert length == 1 << 28
        assert result == value


# --- SQLAlchemy and pandas -----------------------------------------------------------------


@pytest.fixture
def engine(server: EmbeddedServer) -> Iterator[sa.Engine]:
    url = server.url.replace("Database%3Dmaster", "Database%3DDriverTests")
    created = sa.create_engine(url)
    yield created
    created.dispose()


def test_pandas_writes_and_reads_a_table(engine: sa.Engine, table: str) -> None:
    frame = pd.DataFrame(
        {
            "i": [1, 2, 3],
            "s": ["a", "\u6f22", None],
            "f": [0.5, None, 2.5],
            "d": pd.to_datetime(["2024-01-02 03:04:05", None, "2024-02-29 00:00:00"]),
            "b": [True, False, True],
        }
    )
    types: Any = {"s": sa.NVARCHAR}  # pandas would take varchar, which holds code page 1252 only
    assert frame.to_sql(table, engine, index=False, dtype=types) in (3, -1)
    frame.to_sql(table, engine, index=False, if_exists="append", dtype=types)
    for found in (
        pd.read_sql(f"SELECT * FROM {table}", engine),
        pd.read_sql(table, engine),
        pd.read_sql(
            sa.text(f"SELECT * FROM {table} WHERE i > :least"), engine, params={"least": 0}
        ),
    ):
        assert list(found.columns) == list(frame.columns)
        assert found["i"].tolist() == [1, 2, 3, 1, 2, 3]
        assert found["s"].tolist()[:2] == ["a", "\u6f22"]
        assert found["f"].sum() == 6.0
        assert found["d"].tolist()[0] == pd.Timestamp("2024-01-02 03:04:05")
        assert found["b"].tolist()[:3] == [True, False, True]
    frame.to_sql(table, engine, index=False, if_exists="replace", method="multi")
    assert len(pd.read_sql(table, engine)) == 3


def test_sqlalchemy_creates_reflects_and_queries(engine: sa.Engine, table: str) -> None:
    metadata = sa.MetaData()
    created = sa.Table(
        table,
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(30), index=True),
        sa.Column("amount", sa.Numeric(10, 2)),
    )
    metadata.create_all(engine)
    with engine.begin() as connection:
        result = connection.execute(created.insert().values(name="x", amount=Decimal("1.50")))
        assert result.inserted_primary_key == (1,)
        connection.execute(created.insert(), [{"name": "y"}, {"name": "z"}])
    with engine.connect() as connection:
        query = sa.select(created.c.name).order_by(created.c.id).limit(2)
        assert connection.execute(query).scalars().all() == ["x", "y"]
    reflected = sa.Table(table, sa.MetaData(), autoload_with=engine)
    assert [column.name for column in reflected.columns] == ["id", "name", "amount"]
    assert reflected.primary_key.columns.keys() == ["id"]
    metadata.drop_all(engine)
    assert not sa.inspect(engine).has_table(table)
