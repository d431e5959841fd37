"""Batches, procedures, errors and transactions, on a real engine and catalog."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sqlexec.embedded.catalog import Catalog
from sqlexec.embedded.engine import Engine
from sqlexec.embedded.results import Argument, Capture
from sqlexec.embedded.sqltypes import INT, SqlType
from sqlexec.embedded.tsql.run.interpreter import Interpreter
from sqlexec.embedded.tsql.state import Instance, Session
from tests.embedded.relational import new_server

NVARCHAR = SqlType("nvarchar", 50)


class Log(Capture):
    """A sink that also keeps what happens to transactions and the database."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[str, object]] = []

    def database_changed(self, old: str, new: str) -> None:
        self.events.append(("database", new))

    def transaction_began(self, descriptor: int) -> None:
        self.events.append(("begin", descriptor))

    def transaction_ended(self, descriptor: int, *, committed: bool) -> None:
        self.events.append(("commit" if committed else "rollback", descriptor))

    @property
    def rows(self) -> list[Any]:
        """The rows of all result sets, one list each."""
        return [list(result.rows or ()) for result in self.results]

    @property
    def numbers(self) -> list[int]:
        return [error.number for error in self.errors]

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.messages]


class Server:
    def __init__(self, engine: Engine, catalog: Catalog) -> None:
        self.engine = engine
        self.instance = Instance(engine, catalog, None)  # type: ignore[arg-type]

    def connect(self, login: str = "sa", password: str = "secret") -> Client:
        return Client(self.instance, login, password)


class Client:
    def __init__(self, instance: Instance, login: str, password: str) -> None:
        principal = instance.catalog.authenticate(login, password)
        number = 51 + len(instance.sessions)
        self.session = Session(instance, instance.engine.connect(), principal, "master", number)
        instance.sessions[number] = self.session
        self.interpreter = Interpreter(self.session)

    def run(self, text: str) -> Log:
        log = Log()
        self.interpreter.batch(text, log)
        return log

    def rows(self, text: str) -> list[Any]:
        """The rows of the only result set of a batch without errors."""
        log = self.run(text)
        assert log.errors == []
        (rows,) = log.rows
        return rows  # type: ignore[no-any-return]

    def create(self, *texts: str) -> None:
        for text in texts:
            assert self.run(text).errors == []


@pytest.fixture
def server() -> Iterator[Server]:
    with new_server() as (engine, catalog):
        yield Server(engine, catalog)


@pytest.fixture
def client(server: Server) -> Client:
    client = server.connect()
    client.create("CREATE TABLE dbo.t (a int NOT NULL, b nvarchar(20) NULL)")
    return client


# --- variables and control flow ----------------------------------------------------------


def test_variables_and_loops(client: Client) -> None:
    log = client.run(
        "DECLARE @i int = 0, @s varchar(3) = 'abcdef'\n"
        "WHILE 1 = 1 BEGIN SET @i += 1; IF @i = 2 CONTINUE; IF @i > 3 BREAK; PRINT @i END\n"
        "SELECT @i AS i, @s AS s"
    )
    assert log.texts == ["1", "3"]
    assert log.rows == [[(4, "abc")]]
    assert [str(column.type) for column in log.results[0].columns] == ["int", "varchar(3)"]


def test_row_counts_and_nocount(client: Client) -> None:
    log = client.run("INSERT t VALUES (1, 'x'), (2, 'y') SELECT @@ROWCOUNT SELECT a FROM t")
    assert log.counts == [2]
    assert log.rows == [[(2,)], [(1,), (2,)]]
    assert client.run("SET NOCOUNT ON UPDATE t SET a = 3").counts == [None]


def test_a_syntax_error_runs_nothing(client: Client) -> None:
    log = client.run("INSERT t VALUES (1, 'x')\nSET @ = ")
    assert log.numbers == [102]
    assert log.errors[0].line == 2
    assert client.rows("SELECT COUNT(*) FROM t") == [(0,)]


def test_conditions_with_subqueries(client: Client) -> None:
    client.create("INSERT t VALUES (5, 'x')")
    log = client.run(
        "DECLARE @n int = (SELECT COUNT(*) FROM t) "
        "IF EXISTS (SELECT 1 FROM t WHERE a = 5) AND 5 IN (SELECT a FROM t) PRINT 'yes' "
        "ELSE PRINT 'no' "
        "IF NOT EXISTS (SELECT 1 FROM t WHERE a = 6) PRINT @n"
    )
    assert log.texts == ["yes", "1"]


# --- errors ------------------------------------------------------------------------------


def test_an_error_goes_on_with_the_next_statement(client: Client) -> None:
    log = client.run("SELECT 1/0\nSELECT @@ERROR\nRAISERROR('x %s', 16, 3, 'y')\nSELECT 2")
    assert log.numbers == [8134, 50000]
    assert [error.line for error in log.errors] == [1, 3]
    assert (log.errors[1].message, log.errors[1].state) == ("x y", 3)
    assert log.rows == [[(8134,)], [(2,)]]


@pytest.mark.parametrize(
    "text", ["SELECT CAST('x' AS int)", "THROW 50001, 'x', 1", "SELECT * FROM nowhere", "SELECT @x"]
)
def test_some_errors_end_the_batch(client: Client, text: str) -> None:
    log = client.run(f"{text};\nSELECT 2")
    assert len(log.errors) == 1
    assert log.rows == []


def test_xact_abort_ends_the_batch(client: Client) -> None:
    log = client.run("SET XACT_ABORT ON BEGIN TRAN INSERT t VALUES (1, 'x') SELECT 1/0 SELECT 2")
    assert log.numbers == [8134]
    assert log.rows == []
    assert [event for event, _ in log.events] == ["begin", "rollback"]
    assert client.rows("SELECT COUNT(*), @@TRANCOUNT FROM t") == [(0, 0)]


def test_try_catch(client: Client) -> None:
    client.create("CREATE PROCEDURE dbo.fails AS\nBEGIN\n  SELECT 1/0;\nEND")
    log = client.run(
        "BEGIN TRY EXEC dbo.fails; SELECT 'not reached' END TRY\n"
        "BEGIN CATCH SELECT ERROR_NUMBER(), ERROR_SEVERITY(), ERROR_PROCEDURE(), ERROR_LINE(),"
        " ERROR_MESSAGE(), XACT_STATE() END CATCH SELECT ERROR_NUMBER()"
    )
    text = "Divide by zero error encountered."
    assert log.rows == [[(8134, 16, "dbo.fails", 3, text, 0)], [(None,)]]
    assert log.errors == []


def test_throw_rethrows_unchanged(client: Client) -> None:
    log = client.run(
        "BEGIN TRY\n RAISERROR('abc', 14, 7)\nEND TRY BEGIN CATCH THROW; END CATCH SELECT 1"
    )
    (error,) = log.errors
    assert (error.number, error.severity, error.state, error.message, error.line) == (
        50000, 14, 7, "abc", 2,
    )  # fmt: skip
    assert log.rows == []


def test_nested_try(client: Client) -> None:
    log = client.run(
        "BEGIN TRY BEGIN TRY THROW 50001, 'inner', 1 END TRY"
        " BEGIN CATCH PRINT ERROR_MESSAGE(); THROW 50002, 'outer', 2 END CATCH END TRY"
        " BEGIN CATCH PRINT ERROR_MESSAGE(); PRINT ERROR_STATE() END CATCH"
    )
    assert log.texts == ["inner", "outer", "2"]
    assert log.errors == []


def test_messages(client: Client) -> None:
    log = client.run("RAISERROR('at %d%%', 0, 1, 50) WITH NOWAIT PRINT N'é' + NULL PRINT 1.50")
    assert log.texts == ["at 50%", " ", "1.50"]


# --- procedures --------------------------------------------------------------------------


def test_parameters_output_and_status(client: Client) -> None:
    client.create(
        "CREATE PROCEDURE p @a int, @b nvarchar(5) = N'dflt', @c int = 1 OUTPUT AS\n"
        "SET @c = @a + @c SELECT @b RETURN @c * 10"
    )
    log = client.run(
        "DECLARE @rc int, @o bigint = 5 EXEC @rc = p 2, DEFAULT, @o OUTPUT SELECT @rc, @o"
        " EXEC p @b = 'abcdefgh', @a = '3'"
    )
    assert log.rows == [[("dflt",)], [(70, 7)], [("abcde",)]]
    arguments = [
        Argument("", INT, 4),
        Argument("@b", NVARCHAR, None),
        Argument("@c", INT, 10, output=True),
    ]
    call = Log()
    assert client.interpreter.call("[dbo].[p]", arguments, call) == 140
    assert arguments[2].value == 14
    assert call.rows == [[(None,)]]


@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("p", 201),
        ("p 1, 2, 3, 4", 8144),
        ("p 1, @nope = 2", 8145),
        ("q 1", 8146),
        ("p 1, @b = @x OUTPUT", 8162),
        ("p @a = 1, 2", 119),
        ("p 1, @a = 2", 8143),
        ("nowhere", 2812),
        ("p 'x'", 245),
        ("a.b.c.d", 7202),
    ],
)
def test_wrong_calls(client: Client, call: str, number: int) -> None:
    client.create("CREATE PROCEDURE p @a int, @b int = 1, @c int = 1 AS SELECT 1")
    client.create("CREATE PROCEDURE q AS SELECT 1")
    assert client.run(f"DECLARE @x int EXEC {call}").numbers == [number]


def test_set_options_end_with_the_procedure(client: Client) -> None:
    client.create("CREATE PROCEDURE p AS SET NOCOUNT ON SET XACT_ABORT ON INSERT t VALUES (1, 'x')")
    log = client.run("EXEC p INSERT t VALUES (2, 'y')")
    assert log.counts == [None, 1]
    assert client.session.options.xact_abort is False


def test_nesting_limit(client: Client) -> None:
    client.create("CREATE PROCEDURE p AS EXEC p")
    assert client.run("EXEC p").numbers == [217]
    assert client.rows("SELECT 1") == [(1,)]


def test_temporary_tables_end_with_the_procedure(client: Client) -> None:
    client.create(
        "CREATE PROCEDURE inner_p AS INSERT #x VALUES (2) SELECT a FROM #x ORDER BY a",
        "CREATE PROCEDURE p AS CREATE TABLE #x (a int) INSERT #x VALUES (1) EXEC inner_p",
    )
    assert client.rows("EXEC p") == [(1,), (2,)]
    assert client.run("SELECT * FROM #x").numbers == [208]
    client.create("CREATE TABLE #y (a int)")
    assert client.rows("SELECT a FROM #y") == []


def test_table_variables(client: Client) -> None:
    text = "DECLARE @v TABLE (a int, b int) INSERT @v VALUES (1, 2), (3, 4) SELECT SUM(b) FROM @v"
    assert client.rows(text) == [(6,)]
    assert client.rows(text) == [(6,)]


def test_dynamic_sql(client: Client) -> None:
    log = client.run(
        "DECLARE @o int = 3 EXEC sp_executesql N'SELECT @i + 1 SET @i = 9', N'@i int OUTPUT',"
        " @i = @o OUTPUT SELECT @o EXEC (N'SELECT ' + '5') EXEC (N'SELEC T')"
    )
    assert log.rows == [[(4,)], [(9,)], [(5,)]]
    assert log.numbers == [2812]
    arguments = [Argument("", INT, 5), Argument("@P2", NVARCHAR, None, output=True)]
    call = Log()
    status = client.interpreter.sql(
        "SELECT @P1 * 2; SET @P2 = N'x'", "@P1 int,@P2 nvarchar(9) OUTPUT", arguments, call
    )
    assert (status, call.rows, arguments[1].value) == (0, [[(10,)]], "x")
    missing = Log()
    client.interpreter.sql("SELECT @P1", "@P1 int", [], missing)
    assert missing.numbers == [8178]


def test_insert_execute(client: Client) -> None:
    client.create(
        "CREATE PROCEDURE source AS SELECT 1, 'x' SELECT 2, 'y'",
        "CREATE PROCEDURE nested AS INSERT t EXEC source SELECT 1, 'z'",
    )
    assert client.run("INSERT INTO dbo.t (a, b) EXEC source").counts == [2]
    assert client.rows("SELECT a, b FROM t ORDER BY a") == [(1, "x"), (2, "y")]
    assert client.run("INSERT t EXEC nested").numbers == [8164]
    assert client.run("INSERT t EXEC (N'SELECT 1')").numbers == [213]


@pytest.mark.parametrize(
    ("declared", "number"),
    [
        ("((a int, b nvarchar(9)), (c int), (d int))", 11536),
        ("((a int, b nvarchar(9)))", 11535),
        ("((a int), (b int), (c int))", 11537),
        ("((a int, b uniqueidentifier NOT NULL), (c int))", 8169),
        ("((a int, b nvarchar(9)), (c int NOT NULL))", 11553),
        ("NONE", 11535),
    ],
)
def test_with_result_sets_is_checked(client: Client, declared: str, number: int) -> None:
    client.create("CREATE PROCEDURE p AS SELECT 1, N'x' SELECT CAST(NULL AS int)")
    assert number in client.run(f"EXEC p WITH RESULT SETS {declared}").numbers


def test_with_result_sets_converts(client: Client) -> None:
    client.create("CREATE PROCEDURE p AS SELECT 1, N'abc', CAST(0x01 AS varbinary(9))")
    log = client.run("EXEC p WITH RESULT SETS ((x float, [y z] varchar(2), w varbinary(max)))")
    assert log.errors == []
    assert [(c.name, str(c.type)) for c in log.results[0].columns] == [
        ("x", "float"), ("y z", "varchar(2)"), ("w", "varbinary(max)"),
    ]  # fmt: skip
    assert log.rows == [[(1.0, "ab", b"\x01")]]
    client.create("CREATE PROCEDURE q AS SELECT N'abc'")
    assert client.run("EXEC q WITH RESULT SETS ((x varbinary(9)))").numbers == [11538]


# --- transactions ------------------------------------------------------------------------


def test_commit_and_rollback(client: Client) -> None:
    log = client.run(
        "BEGIN TRAN BEGIN TRAN INSERT t VALUES (1, 'x') COMMIT SELECT @@TRANCOUNT ROLLBACK"
        " SELECT @@TRANCOUNT, COUNT(*) FROM t"
    )
    assert log.rows == [[(1,)], [(0, 0)]]
    assert [event for event, _ in log.events] == ["begin", "rollback"]
    assert client.run("COMMIT").numbers == [3902]
    assert client.run("ROLLBACK").numbers == [3903]


def test_a_doomed_transaction(client: Client) -> None:
    client.create("CREATE UNIQUE INDEX i ON t (a)", "INSERT t VALUES (1, 'x')")
    log = client.run(
        "BEGIN TRAN INSERT t VALUES (2, 'y')\n"
        "BEGIN TRY INSERT t VALUES (1, 'again') END TRY\n"
        "BEGIN CATCH SELECT XACT_STATE(), @@TRANCOUNT;\n"
        " BEGIN TRY INSERT t VALUES (3, 'z') END TRY BEGIN CATCH PRINT ERROR_NUMBER() END CATCH\n"
        " ROLLBACK; INSERT t VALUES (4, 'w') END CATCH\nSELECT a FROM t ORDER BY a"
    )
    assert log.errors == []
    assert log.rows == [[(-1, 1)], [(1,), (4,)]]
    assert log.texts == ["3930"]


def test_a_doomed_transaction_ends_with_the_batch(client: Client) -> None:
    log = client.run(
        "SET XACT_ABORT ON BEGIN TRAN BEGIN TRY SELECT 1/0 END TRY BEGIN CATCH PRINT 'x' END CATCH"
    )
    assert log.numbers == [3998]
    assert log.events[-1][0] == "rollback"
    assert client.rows("SELECT @@TRANCOUNT") == [(0,)]


def test_an_error_of_the_engine_ends_the_transaction(client: Client) -> None:
    client.create("CREATE UNIQUE INDEX i ON t (a)", "INSERT t VALUES (1, 'x')")
    log = client.run("BEGIN TRAN INSERT t VALUES (2, 'y') INSERT t VALUES (1, 'x')")
    assert [event for event, _ in log.events] == ["begin", "rollback"]
    assert client.rows("SELECT @@TRANCOUNT, COUNT(*) FROM t") == [(0, 1)]


def test_unbalanced_procedures(client: Client) -> None:
    client.create("CREATE PROCEDURE p AS BEGIN TRAN")
    assert client.run("EXEC p").numbers == [266]
    assert client.rows("SELECT @@TRANCOUNT") == [(1,)]


def test_transaction_requests(client: Client) -> None:
    client.session.sink = log = Log()
    client.interpreter.begin(0)
    client.run("INSERT t VALUES (1, 'x')")
    client.session.sink = log
    client.interpreter.rollback()
    assert [event for event, _ in log.events] == ["begin", "rollback"]
    assert client.rows("SELECT COUNT(*) FROM t") == [(0,)]


def test_implicit_transactions(client: Client) -> None:
    client.create("SET IMPLICIT_TRANSACTIONS ON", "INSERT t VALUES (1, 'x')")
    assert client.rows("SELECT @@TRANCOUNT") == [(1,)]
    client.create("ROLLBACK", "SET IMPLICIT_TRANSACTIONS OFF")
    assert client.rows("SELECT COUNT(*) FROM t") == [(0,)]


# --- rights, database, session -----------------------------------------------------------


def test_ownership_chaining(server: Server, client: Client) -> None:
    client.create(
        "CREATE LOGIN joe WITH PASSWORD = 'pw'",
        "CREATE DATABASE d",
        "USE d CREATE USER joe FOR LOGIN joe",
        "CREATE TABLE secret (a int)",
        "CREATE PROCEDURE p AS SELECT a FROM secret",
        "CREATE PROCEDURE dynamic AS EXEC (N'SELECT a FROM secret')",
    )
    joe = server.connect("joe", "pw")
    joe.create("USE d")
    assert joe.run("EXEC p").numbers == [229]
    client.create("GRANT EXECUTE ON p TO joe", "GRANT EXECUTE ON dynamic TO joe")
    assert joe.rows("EXEC p") == []
    assert joe.run("SELECT a FROM secret").numbers == [229]
    assert joe.run("EXEC dynamic").numbers == [229]
    assert joe.rows("SELECT HAS_PERMS_BY_NAME('p', 'OBJECT', 'EXECUTE'), USER_NAME()") == [
        (1, "joe")
    ]


def test_permissions_of_quoted_names_and_of_other_databases(server: Server, client: Client) -> None:
    client.create(
        "CREATE LOGIN joe WITH PASSWORD = 'pw'",
        "CREATE DATABASE [odd ]]db]",
        "USE [odd ]]db]",
        "CREATE SCHEMA [a]]b]",
        "CREATE USER joe FOR LOGIN joe",
        "CREATE PROCEDURE dbo.p AS SELECT 1 AS a",
        "CREATE PROCEDURE dbo.q AS SELECT 1 AS a",
        "GRANT EXECUTE ON dbo.p TO joe",
        "GRANT CREATE TABLE TO joe",
        "GRANT SELECT ON SCHEMA::[a]]b] TO joe",
    )
    joe = server.connect("joe", "pw")
    assert joe.rows(
        "SELECT HAS_PERMS_BY_NAME(N'[odd ]]db].dbo.p', N'OBJECT', N'EXECUTE'), "
        "HAS_PERMS_BY_NAME(N'[odd ]]db].dbo.q', N'OBJECT', N'EXECUTE'), "
        "HAS_PERMS_BY_NAME(N'[odd ]]db]', N'DATABASE', N'CREATE TABLE'), "
        "HAS_PERMS_BY_NAME(N'[none]', N'DATABASE', N'CREATE TABLE')"
    ) == [(1, 0, 1, None)]
    joe.create("USE [odd ]]db]")
    assert joe.rows("SELECT HAS_PERMS_BY_NAME(N'[a]]b]', N'SCHEMA', N'SELECT')") == [(1,)]


def test_execute_as(server: Server, client: Client) -> None:
    client.create(
        "CREATE LOGIN joe WITH PASSWORD = 'pw'",
        "CREATE USER joe FOR LOGIN joe",
        "CREATE PROCEDURE p AS EXECUTE AS USER = 'joe' SELECT USER_NAME(), ORIGINAL_LOGIN()",
    )
    log = client.run(
        "EXECUTE AS USER = 'joe' SELECT USER_NAME(), SUSER_SNAME(), ORIGINAL_LOGIN()"
        " SELECT a FROM t REVERT SELECT USER_NAME() EXEC p SELECT USER_NAME()"
    )
    assert log.numbers == [229]
    log = client.run(
        "EXECUTE AS LOGIN = 'joe' SELECT USER_NAME(), SUSER_SNAME(), ORIGINAL_LOGIN()"
        " EXECUTE AS USER = 'dbo'"
    )
    assert (log.rows, log.numbers) == ([[("joe", "joe", "sa")]], [15517])
    log = client.run("REVERT SELECT USER_NAME() EXEC p SELECT USER_NAME()")
    assert log.rows == [[("dbo",)], [("joe", "sa")], [("dbo",)]]
    assert client.run("EXECUTE AS USER = 'nobody'").numbers == [15517]


def test_use_and_dynamic_use(client: Client) -> None:
    client.create("CREATE DATABASE d")
    log = client.run("EXEC (N'USE d SELECT DB_NAME()') SELECT DB_NAME() USE d SELECT DB_NAME()")
    assert log.rows == [[("d",)], [("master",)], [("d",)]]
    assert log.events == [("database", "d"), ("database", "master"), ("database", "d")]
    assert client.run("USE nowhere").numbers == [911]


def test_reset(client: Client) -> None:
    client.run("SET NOCOUNT ON BEGIN TRAN CREATE TABLE #x (a int)")
    client.interpreter.reset()
    log = client.run("SELECT @@TRANCOUNT UPDATE t SET a = 1 SELECT * FROM #x")
    assert (log.rows, log.counts, log.numbers) == ([[(0,)]], [0], [208])


def test_cancel_ends_a_wait(client: Client) -> None:
    timer = threading.Timer(0.2, client.session.cancel)
    timer.start()
    log = client.run("WAITFOR DELAY '00:10:00' SELECT 1")
    timer.join()
    assert (log.rows, log.errors) == ([], [])
    client.session.cancelled.clear()
    assert client.rows("SELECT 1") == [(1,)]


def test_kill_ends_the_other_connection(server: Server, client: Client) -> None:
    other, ended = server.connect(), threading.Event()
    other.session.disconnect = ended.set
    assert client.run(f"KILL {other.session.session_id}").errors == []
    assert other.session.cancelled.is_set()
    assert ended.is_set()
    assert client.run("KILL 9999").numbers == [6106]
    assert client.run(f"KILL {client.session.session_id}").numbers == [6104]


def test_metadata_only(client: Client) -> None:
    log = client.run("SET FMTONLY ON SELECT a, b FROM t INSERT t VALUES (1, 'x') SET FMTONLY OFF")
    assert [column.name for column in log.results[0].columns] == ["a", "b"]
    assert client.rows("SELECT COUNT(*) FROM t") == [(0,)]


def test_lacking_statements_say_so(client: Client) -> None:
    log = client.run("PRINT 'x'\nSAVE TRANSACTION s")
    assert log.numbers == [40517]
    assert "savepoints" in log.errors[0].message


# --- system procedures -------------------------------------------------------------------


def test_configuration(client: Client) -> None:
    row = client.rows("EXEC sp_configure 'external scripts enabled'")[0]
    assert row == ("external scripts enabled", 0, 1, 1, 1)
    log = client.run("EXECUTE sp_configure 'external scripts enabled', 0; RECONFIGURE;")
    assert log.errors == []
    assert client.session.instance.configuration["external scripts enabled"] == 0
    assert client.run("EXEC sp_configure 'nope', 1").numbers == [15123]


def test_undeclared_parameters(client: Client) -> None:
    client.create("CREATE PROCEDURE p @x varbinary(max), @y date AS SELECT 1")
    rows = client.rows(
        "EXEC sp_describe_undeclared_parameters N'INSERT INTO dbo.t (b, a) VALUES (@P1, @P2)'"
    )
    assert [(row[0], row[1], row[3], row[22]) for row in rows] == [
        (1, "@P1", "nvarchar(20)", 0xE7), (2, "@P2", "int", 0x26),
    ]  # fmt: skip
    rows = client.rows("EXEC sp_describe_undeclared_parameters N'EXEC p @P1, @y = @P2'")
    assert [row[3] for row in rows] == ["varbinary(max)", "date"]
    rows = client.rows("EXEC sp_describe_undeclared_parameters N'DELETE t WHERE a > @P1'")
    assert [row[3] for row in rows] == ["int"]
    assert client.run("EXEC sp_describe_undeclared_parameters N'SELECT @P1'").numbers == [11502]


def test_session_procedures(client: Client) -> None:
    client.create("EXEC sp_set_session_context 'k', N'v'")
    assert client.rows("SELECT SESSION_CONTEXT(N'k')") == [("v",)]
    client.create("CREATE PROCEDURE p AS\nSELECT 1")
    assert client.rows("EXEC sp_helptext 'p'") == [
        ("CREATE PROCEDURE p AS\n",), ("SELECT 1",),
    ]  # fmt: skip
    assert client.rows("EXEC sp_who")[0][0] == 51


# --- the bundle's shape ------------------------------------------------------------------


def test_a_procedure_like_the_bundles(client: Client) -> None:
    """Log row in, work in TRY, log row updated either way, the error thrown on."""
    client.create(
        "CREATE SCHEMA work",
        "CREATE TABLE work.log (log_id bigint IDENTITY PRIMARY KEY, status varchar(12) NOT NULL,"
        " size bigint NULL, number int NULL)",
        "CREATE PROCEDURE work.do @payload varbinary(max),"
        " @result varbinary(max) = NULL OUTPUT AS\n"
        "BEGIN\nSET NOCOUNT ON; SET XACT_ABORT ON;\nDECLARE @log_id bigint, @n int;\n"
        "INSERT INTO work.log (status, size) VALUES ('running', DATALENGTH(@payload));\n"
        "SET @log_id = SCOPE_IDENTITY();\nBEGIN TRY\n"
        "  IF DATALENGTH(@payload) = 0 THROW 51000, N'empty', 1;\n  SET @result = @payload;\n"
        "  UPDATE work.log SET status = 'done' WHERE log_id = @log_id;\nEND TRY\nBEGIN CATCH\n"
        "  SET @n = ERROR_NUMBER();\n  UPDATE work.log SET status = 'failed', number = @n"
        " WHERE log_id = @log_id;\n  THROW;\nEND CATCH;\nEND;",
    )
    data = memoryview(bytes(range(256)) * 4000)
    arguments = [
        Argument("@payload", SqlType("varbinary", -1), data),
        Argument("@result", SqlType("varbinary", -1), None, output=True),
    ]
    log = Log()
    assert client.interpreter.call("work.do", arguments, log) == 0
    assert log.errors == []
    assert arguments[1].value is data
    arguments[0].value = b""
    failed = Log()
    assert client.interpreter.call("work.do", arguments, failed) == -6
    (error,) = failed.errors
    assert (error.number, error.procedure, error.line) == (51000, "work.do", 8)
    assert client.rows("SELECT status, size, number FROM work.log ORDER BY log_id") == [
        ("done", 1024000, None), ("failed", 0, 51000),
    ]  # fmt: skip


def test_no_row_has_no_identity(client: Client) -> None:
    client.create("CREATE TABLE unfilled (id bigint IDENTITY PRIMARY KEY, a int)")
    assert client.rows(
        "INSERT INTO unfilled (a) SELECT 1 WHERE 1 = 0; SELECT SCOPE_IDENTITY()"
    ) == [(None,)]
