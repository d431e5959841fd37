"""Statements are cut and read as T-SQL does it, semicolons or not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.run.evaluation import KNOWN_FUNCTIONS
from sqlexec.embedded.tsql.syntax import nodes
from sqlexec.embedded.tsql.syntax.statements import (
    parse_batch,
    parse_parameters,
    parse_procedure,
)

BUNDLE = Path(__file__).parents[2] / "sql"


def kinds(text: str) -> list[str]:
    return [type(statement).__name__ for statement in parse_batch(text)]


def texts(text: str) -> list[str]:
    return [
        statement.text
        for statement in parse_batch(text)
        if isinstance(statement, (nodes.Query, nodes.Definition))
    ]


@pytest.mark.parametrize(
    "pieces",
    [
        ["SELECT a FROM t", "SELECT b FROM u"],
        ["INSERT INTO t (a) SELECT b FROM u UNION ALL SELECT c FROM v", "DELETE FROM t"],
        ["INSERT INTO t VALUES (1), (2)", "SELECT * FROM t"],
        ["INSERT t DEFAULT VALUES", "SELECT * FROM t"],
        ["INSERT INTO t (a) OUTPUT inserted.a VALUES (1)", "UPDATE t SET a = 2 WHERE a = 1"],
        ["UPDATE t SET a = CASE WHEN b = 1 THEN 2 ELSE 3 END, c = 4 FROM t JOIN u ON 1 = 1",
         "UPDATE u SET d = 1"],
        ["DELETE FROM t OUTPUT deleted.a WHERE a IN (SELECT b FROM u)", "TRUNCATE TABLE t"],
        ["SELECT a FROM t WITH (NOLOCK) ORDER BY a OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY",
         "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u) GROUP BY a HAVING COUNT(*) > 1"],
        ["SELECT [SELECT] AS [from] FROM [INSERT]", "SELECT a FROM t OPTION (RECOMPILE)"],
        ["CREATE TABLE t (id int IDENTITY PRIMARY KEY, u int REFERENCES u (id) ON DELETE CASCADE)",
         "CREATE INDEX i ON t (a)", "DROP TABLE IF EXISTS t", "DROP TABLE u"],
        ["ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (a) ON DELETE SET NULL",
         "ALTER TABLE t DROP COLUMN a", "ALTER ROLE r ADD MEMBER m", "ALTER ROLE r DROP MEMBER m",
         "ALTER TABLE a.b.t ALTER COLUMN c int"],
        ["GRANT SELECT, INSERT, UPDATE, DELETE, EXECUTE ON SCHEMA::s TO r",
         "DENY EXECUTE ON p TO r", "REVOKE SELECT ON t FROM r",
         "GRANT EXECUTE ANY EXTERNAL SCRIPT TO r WITH GRANT OPTION"],
        ["CREATE LOGIN l WITH PASSWORD = 'x', CHECK_POLICY = OFF", "CREATE USER u FOR LOGIN l",
         "CREATE ROLE r AUTHORIZATION dbo", "ALTER AUTHORIZATION ON SCHEMA::s TO r"],
        ["WITH c AS (SELECT 1 AS a) SELECT a FROM c"],
        ["WITH c AS (SELECT 1 AS a) INSERT INTO t SELECT a FROM c", "SELECT a FROM t"],
        ["SELECT a INTO #x FROM t", "SELECT TOP (1) a FROM t"],
    ],
)  # fmt: skip
@pytest.mark.parametrize("between", [" ", "\n", " ; ", ";\n-- SELECT\n"])
def test_statements_are_cut_at_their_ends(pieces: list[str], between: str) -> None:
    assert texts(between.join(pieces)) == pieces


def test_control_flow() -> None:
    text = "IF @a = 1 SELECT 1 ELSE IF @a = 2 PRINT 1 ELSE BEGIN SELECT 2 END PRINT 2"
    assert kinds(text) == [
        "If", "Print",
    ]  # fmt: skip
    (loop,) = parse_batch("WHILE @i < 3 BEGIN SET @i += 1; IF @i = 2 CONTINUE; BREAK END")
    assert isinstance(loop, nodes.While)
    assert isinstance(loop.body, nodes.Block)
    assert [type(s).__name__ for s in loop.body.statements] == ["Assign", "If", "Break"]
    (guard,) = parse_batch("BEGIN TRY SELECT 1/0 END TRY BEGIN CATCH THROW END CATCH")
    assert isinstance(guard, nodes.Try)
    assert isinstance(guard.handler[0], nodes.Throw)
    assert kinds("IF @@TRANCOUNT = 0 BEGIN TRANSACTION") == ["If"]
    assert kinds("IF @a IS NULL RETURN SELECT 1") == ["If", "SelectScalars"]


def test_lines_are_those_of_the_text() -> None:
    statements = parse_batch("/* a\n b */\nDECLARE @a int\n\nSELECT\n 1\nPRINT 'x\ny'\nPRINT 2")
    assert [statement.line for statement in statements] == [3, 5, 7, 9]


def test_execute() -> None:
    text = (
        "EXECUTE @rc = db.s.p 1, -2.5, N'x', DEFAULT, word, @a = @b OUTPUT, @c = @@SPID,"
        " @d = NULL WITH RESULT SETS ((a int NOT NULL, b nvarchar(max)), (c date))"
        " EXEC p EXEC(@sql + N'x') EXEC sp_executesql N'SELECT 1'"
    )
    first, *rest = parse_batch(text)
    assert isinstance(first, nodes.Execute)
    assert first.status == "@rc"
    assert first.name == ("db", "s", "p")
    assert [argument.name for argument in first.arguments] == ["", "", "", "", "", "@a", "@c", "@d"]
    assert first.arguments[3].value is None
    assert first.arguments[4].value == nodes.Literal("word", SqlType("nvarchar", 4))
    assert first.arguments[5].output == "@b"
    assert first.result_sets is not None
    assert [[c.nullable for c in columns] for columns in first.result_sets] == [
        [False, True], [True],
    ]  # fmt: skip
    assert [type(statement).__name__ for statement in rest] == [
        "Execute", "ExecuteString", "Execute",
    ]  # fmt: skip
    (bare,) = parse_batch("sp_datatype_info_100 12,3")
    assert isinstance(bare, nodes.Execute)
    assert len(bare.arguments) == 2
    (insert,) = parse_batch("INSERT INTO dbo.t (a, b) EXECUTE p 1")
    assert isinstance(insert, nodes.InsertExecute)
    assert insert.target == "dbo.t (a, b)"


@pytest.mark.parametrize(
    ("text", "scalar"),
    [
        ("SELECT 1 AS a, N'x' [b c], @v, d = GETDATE()", True),
        ("SELECT @a = 1, @b = @c + 1", True),
        ("SELECT (1 + 2) * LEN('x') 'name'", True),
        ("SELECT COUNT(*)", False),
        ("SELECT MAX(1)", False),
        ("SELECT a", False),
        ("SELECT 1 WHERE 1 = 0", False),
        ("SELECT TOP 1 1", False),
        ("SELECT (SELECT 1)", False),
        ("SELECT 1 UNION SELECT 2", False),
        ("SELECT dbo.f(1)", False),
    ],
)
def test_selects_without_from_stay_in_python(text: str, scalar: bool) -> None:
    (node,) = parse_batch(text)
    in_python = isinstance(node, nodes.SelectScalars) and node.calls <= KNOWN_FUNCTIONS
    assert in_python == scalar


@pytest.mark.parametrize(
    ("text", "number", "line"),
    [
        ("SELECT 1\nSET @a = ", 102, 2),
        ("DECLARE @a int\n\nSET @a = FROM", 156, 3),
        ("BEGIN\nSELECT 1", 102, 2),
        ("IF 1 SELECT 1", 4145, 1),
        ("SELECT 'abc", 105, 1),
        ("/* abc", 113, 1),
        ("PRINT 1\nEND", 156, 2),
        ("DECLARE @a nosuchtype", 2715, 1),
        ("SELECT 1\nCREATE PROCEDURE p AS SELECT 1", 111, 2),
    ],
)
def test_syntax_errors_have_number_and_line(text: str, number: int, line: int) -> None:
    with pytest.raises(SqlError) as caught:
        parse_batch(text)
    assert (caught.value.number, caught.value.line) == (number, line)


@pytest.mark.parametrize(
    "text",
    ["DECLARE c CURSOR FOR SELECT 1", "DECLARE @c CURSOR", "GOTO x", "SAVE TRANSACTION a",
     "INSERT BULK t (a int)", "BACKUP DATABASE d TO DISK = 'x'"],
)  # fmt: skip
def test_what_is_lacking_says_so(text: str) -> None:
    with pytest.raises(SqlError) as caught:
        parse_batch(text)
    assert caught.value.number == 40517


def test_procedures() -> None:
    text = (
        "-- kept\nCREATE OR ALTER PROCEDURE [s].p (@a int, @b nvarchar(10) = N'x',"
        " @c varbinary(max) = NULL OUTPUT) WITH RECOMPILE AS\nBEGIN\nSET NOCOUNT ON;\nEND"
    )
    (statement,) = parse_batch(text)
    assert isinstance(statement, nodes.CreateProcedure)
    assert (statement.mode, statement.name) == ("CREATE OR ALTER", ("s", "p"))
    assert statement.definition == text
    procedure = parse_procedure(text)
    assert [(p.name, str(p.type), p.output) for p in procedure.parameters] == [
        ("@a", "int", False), ("@b", "nvarchar(10)", False), ("@c", "varbinary(max)", True),
    ]  # fmt: skip
    assert procedure.body[0].line == 3


def test_parameters_and_names() -> None:
    spelled = "@P1 int,@P2 nvarchar(6), @P3 DECIMAL(5, 3),@P4 ntext,@o datetime2 OUTPUT"
    found = parse_parameters(spelled)
    assert [str(p.type) for p in found] == [
        "int", "nvarchar(6)", "decimal(5,3)", "nvarchar(max)", "datetime2(7)",
    ]  # fmt: skip
    assert parse_parameters("") == ()


def test_the_bundle_parses() -> None:
    batches = re.split(r"^GO\s*$", (BUNDLE / "install.sql").read_text("utf-8"), flags=re.MULTILINE)
    statements = [s for batch in batches for s in parse_batch(batch)]
    assert sum(isinstance(s, nodes.CreateProcedure) for s in statements) >= 2


@pytest.mark.parametrize(
    "text",
    [
        "SET ARITHABORT ON;SET CONCAT_NULL_YIELDS_NULL ON;SET TEXTSIZE 2147483647;",
        "set ansi_nulls on\nset datefirst 7\nset dateformat mdy\nset implicit_transactions off\n"
        "set language us_english\nset transaction isolation level read committed",
        " SET TRANSACTION ISOLATION LEVEL READ COMMITTED ",
        "SET FMTONLY ON select * from t SET FMTONLY OFF",
        "EXEC sp_executesql N'set implicit_transactions off select USER_NAME()'",
        "SET NOCOUNT, XACT_ABORT ON",
        "SET IDENTITY_INSERT [dbo].[t] ON",
        "USE [master]",
    ],
)
def test_what_drivers_send_parses(text: str) -> None:
    assert parse_batch(text)


def test_a_right_to_view_is_no_view() -> None:
    text = "DECLARE @a int; GRANT VIEW DEFINITION ON SCHEMA::s TO r; SELECT 1"
    assert len(parse_batch(text)) == 3
