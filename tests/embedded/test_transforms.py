"""Each translation from T-SQL to DuckDB by itself: SQL text out, type, and value."""

import datetime as dt
from decimal import Decimal

import pytest

from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.scalar import typing_rules
from sqlexec.embedded.tsql.scalar.patterns import like_regex
from sqlexec.embedded.tsql.syntax import clauses
from tests.embedded.relational import Database


@pytest.fixture(scope="module")
def database():
    database = Database()
    database.run("CREATE TABLE one (i int, t tinyint, v varchar(10), n nvarchar(5), d datetime,"
                 " m money, b varbinary(4), x decimal(10,2), f float)")  # fmt: skip
    database.run("INSERT INTO one VALUES (7, 250, 'abc ', N'é', '2024-02-29T10:20:30', 1.5, 0x4142,"
                 " 2.50, 0.1)")  # fmt: skip
    yield database
    database.close()


@pytest.mark.parametrize(
    ("expression", "value", "type"),
    [
        # operators
        ("v + 'x'", "abc x", "varchar(11)"),
        ("v + n", "abc é", "nvarchar(15)"),
        ("v + NULL", None, "varchar(20)"),
        ("'1' + i", 8, "int"),
        ("i / 2", 3, "int"),
        ("-i / 2", -3, "int"),
        ("i % 4", 3, "int"),
        ("t + 10", 260, "int"),
        ("i / 2.0", Decimal("3.500000"), "decimal(17,6)"),
        ("x * x", Decimal("6.2500"), "decimal(21,4)"),
        ("m / 2", Decimal("0.7500"), "money"),
        ("d + 1", dt.datetime(2024, 3, 1, 10, 20, 30), "datetime"),
        ("i & 3", 3, "int"),
        ("i ^ 2", 5, "int"),
        # literals
        ("N'yy'", "yy", "nvarchar(2)"),
        ("0xAB", b"\xab", "varbinary(1)"),
        ("1e2", 100.0, "float"),
        ("12.50", Decimal("12.50"), "decimal(4,2)"),
        ("3000000000", Decimal(3000000000), "decimal(10,0)"),
        ("$1.5", Decimal("1.5000"), "money"),
        # conversions
        ("CAST('abcdef' AS varchar(3))", "abc", "varchar(3)"),
        ("CAST(3.7 AS int)", 3, "int"),
        ("CAST(-3.7 AS int)", -3, "int"),
        ("TRY_CAST('x' AS int)", None, "int"),
        ("CAST(b AS varchar(5))", "AB", "varchar(5)"),
        ("CAST('AB' AS varbinary(5))", b"AB", "varbinary(5)"),
        ("CONVERT(varchar(8), b, 2)", "4142", "varchar(8)"),
        ("CONVERT(varchar(8), b, 1)", "0x4142", "varchar(8)"),
        ("CAST(0x0102 AS int)", 258, "int"),
        ("CAST(258 AS varbinary(4))", b"\x00\x00\x01\x02", "varbinary(4)"),
        ("CONVERT(varchar(19), d, 120)", "2024-02-29 10:20:30", "varchar(19)"),
        ("CONVERT(char(8), d, 112)", "20240229", "char(8)"),
        ("CAST('20240229' AS date)", dt.date(2024, 2, 29), "date"),
        ("TRY_CONVERT(date, 'nope')", None, "date"),
        ("CAST(CAST(1 AS bit) AS varchar(3))", "1", "varchar(3)"),
        # functions
        ("LEN(v)", 3, "int"),
        ("DATALENGTH(n)", 2, "int"),
        ("DATALENGTH(b)", 2, "int"),
        ("CHARINDEX('c', v)", 3, "int"),
        ("PATINDEX('%[b-c]%', v)", 2, "int"),
        ("SUBSTRING(v, 2, 2)", "bc", "varchar(10)"),
        ("SUBSTRING(v, 0, 3)", "ab", "varchar(10)"),
        ("SUBSTRING(b, 2, 1)", b"B", "varbinary(4)"),
        ("STUFF('abc', 2, 1, 'xx')", "axxc", "nvarchar(4000)"),
        ("ISNULL(NULL, 'q')", "q", "varchar(1)"),
        ("COALESCE(NULL, i, 9)", 7, "int"),
        ("IIF(i > 5, 'big', 'no')", "big", "varchar(3)"),
        ("CHOOSE(2, 'a', 'bb')", "bb", "varchar(2)"),
        ("CASE WHEN i = 7 THEN 1 ELSE 2.5 END", Decimal("1.0"), "decimal(11,1)"),
        ("CONCAT(v, i, NULL)", "abc 7", "nvarchar(4000)"),
        ("DATEADD(ms, 14, d)", dt.datetime(2024, 2, 29, 10, 20, 30, 13_000), "datetime"),
        ("DATEADD(month, 1, d)", dt.datetime(2024, 3, 29, 10, 20, 30), "datetime"),
        ("DATEADD(day, -1, '2024-03-01')", dt.datetime(2024, 2, 29), "datetime"),
        ("DATEDIFF(day, '2024-01-01', d)", 59, "int"),
        ("DATEDIFF(week, '20240106', '20240107')", 1, "int"),
        ("DATEPART(weekday, d)", 5, "int"),
        ("DATENAME(month, d)", "February", "nvarchar(30)"),
        ("YEAR(d)", 2024, "int"),
        ("EOMONTH('20240210')", dt.date(2024, 2, 29), "date"),
        ("ROUND(x, 0)", Decimal("3.00"), "decimal(10,2)"),
        ("FLOOR(x)", Decimal("2.00"), "decimal(10,0)"),
        ("HASHBYTES('MD5', 'a')", bytes.fromhex("0cc175b9c0f1b6a831c399e269772661"),
         "varbinary(8000)"),
        ("v COLLATE Latin1_General_CI_AS", "abc ", "varchar(10)"),
    ],
)  # fmt: skip
def test_expression(database, expression, value, type):
    text = f"SELECT {expression} AS y FROM one"
    assert database.run(text) == [(value,)]
    found = database.columns(text)[0][1]
    assert found == type


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("v LIKE '[a-b]b%'", True), ("v LIKE '[^a]%'", False), ("v LIKE 'a_c%'", True),
        ("i = '7'", True), ("i IN ('7', '8')", True), ("i BETWEEN '6' AND '8'", True),
        ("d >= '20240229'", True), ("d < '2024-02-29 10:20:31'", True), ("NULL = NULL", False),
        ("EXISTS (SELECT 1 FROM one AS o WHERE o.i = one.i)", True), ("v IS NULL", False),
        ("CAST(CONCAT('2024-02-29T10:20:30.0', i + 7) AS datetime)"  # 14, kept as 13 ms
         " = '2024-02-29T10:20:30.013'", True),
        ("CAST(CONCAT('1901-02-03T23:59:59.99', i + 2) AS datetime) = '1901-02-04'", True),
        ("DATEADD(ms, 15, d) = '2024-02-29T10:20:30.017'", True),
        ("i IN (SELECT TOP (1) i FROM one ORDER BY i)", True),
        ("i IN (SELECT i FROM one ORDER BY i OFFSET 0 ROWS)", True),
    ],
)  # fmt: skip
def test_condition(database, condition, holds):
    assert (database.run(f"SELECT 1 FROM one WHERE {condition}") == [(1,)]) is holds


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("SELECT 1 / (i - 7) FROM one", 8134), ("SELECT 1.0 / (i - 7) FROM one", 8134),
        ("SELECT CAST(v AS int) FROM one", 245), ("SELECT CAST(v AS date) FROM one", 241),
        ("SELECT CAST(i * 100 AS tinyint) FROM one", 8115), ("SELECT nope FROM one", 207),
        ("SELECT q.i FROM one", 4104), ("SELECT 1 FROM nope", 208),
        ("SELECT i FROM one AS a, one AS b", 209), ("SELECT nofn(i) FROM one", 195),
        ("SELECT (SELECT i FROM one UNION ALL SELECT 1)", 512), ("SELECT 1, 2 UNION SELECT 1", 205),
        ("SELECT i FROM one FOR JSON PATH", 40517), ("SELECT FROM one", 156),
        ("SELECT * FROM one WHERE (i = 1", 102), ("SELECT * FROM read_text('/etc/passwd')", 208),
        ("SELECT * FROM duckdb_tables()", 208), ("SELECT * FROM \"$catalog\".principals", 208),
        ("SELECT getenv('HOME') FROM one", 195),
        ("SELECT * FROM (SELECT i FROM one ORDER BY i) AS t", 1033),
        ("WITH t AS (SELECT i FROM one UNION SELECT 1 ORDER BY i) SELECT * FROM t", 1033),
        ("SELECT 1 WHERE EXISTS (SELECT i FROM one ORDER BY i)", 1033),
        ("SELECT 1 WHERE 7 IN (SELECT i FROM one ORDER BY i)", 1033),
        ("SELECT * FROM (WITH a AS (SELECT i FROM one) SELECT i FROM a) AS t", 156),
        ("SELECT * FROM (SELECT i, i + 1 FROM one) AS t", 8155),
        ("WITH t AS (SELECT 1) SELECT * FROM t", 8155),
        ("SELECT * FROM (SELECT i, v AS I FROM one) AS t", 8156),
    ],
)  # fmt: skip
def test_errors(database, text, number):
    with pytest.raises(SqlError) as caught:
        database.run(text)
    assert caught.value.number == number


@pytest.mark.parametrize(
    ("pattern", "regex"),
    [("a%", "a.*"), ("_b", ".b"), ("[a-c]", "[a-c]"), ("[^x]", "[^x]"), ("50[%]", "50[%]"),
     ("a.b", r"a\.b"), ("[", r"\[")],
)  # fmt: skip
def test_like_regex(pattern, regex):
    assert like_regex(pattern) == regex


@pytest.mark.parametrize(
    ("sign", "left", "right", "result"),
    [("+", "int", "bigint", "bigint"), ("+", "varchar(3)", "nvarchar(4)", "nvarchar(7)"),
     ("+", "varchar(max)", "varchar(4)", "varchar(max)"), ("*", "decimal(10,2)", "int", "decimal(21,2)"),  # noqa: E501
     ("/", "int", "int", "int"), ("-", "money", "int", "money"), ("+", "bit", "bit", "int")],
)  # fmt: skip
def test_arithmetic_types(sign, left, right, result):
    found = typing_rules.arithmetic(sign, SqlType.parse(left), SqlType.parse(right))
    assert str(found) == result


def test_clauses_of_an_update():
    cut = clauses.cut(
        "UPDATE TOP (1) a SET a.x += f(1, 2), @v = y = CASE WHEN 1 = 1 THEN 2 END"
        " OUTPUT inserted.x INTO @t (c) FROM t AS a WHERE a.id = 1 OPTION (RECOMPILE)",
        "UPDATE",
    )
    assert (cut.top, cut.target, cut.from_, cut.where) == ("(1)", "a", "t AS a", "a.id = 1")
    assert [(a.column, a.value, a.variable) for a in cut.assignments] == [
        ("x", "a.x + (f(1, 2))", ""), ("y", "CASE WHEN 1 = 1 THEN 2 END", "@v"),
    ]  # fmt: skip
    assert (cut.output, cut.output_into, cut.output_columns) == ("inserted.x", "@t", ["c"])


def test_clauses_of_an_insert_with_common_tables():
    cut = clauses.cut(
        "WITH c AS (SELECT 1 a) INSERT t (a) OUTPUT inserted.* SELECT a FROM c", "INSERT"
    )
    assert cut.with_ == "WITH c AS (SELECT 1 a)"
    assert (cut.target, cut.columns, cut.output) == ("t", ["a"], "inserted.*")
    assert cut.source == "SELECT a FROM c"
