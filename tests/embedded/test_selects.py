"""SELECTs that data scientists write, with the results that SQL Server's documentation states.

Each runs over the table `t` below, in DuckDB; those without FROM run in Python as well.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from sqlexec.embedded.tsql.errors import SqlError
from tests.embedded.relational import Database

D = Decimal


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    database = Database()
    database.run(
        "CREATE TABLE t (id int, g varchar(5), n int, d decimal(5,2), f float, s nvarchar(20),"
        " day date, at datetime)"
    )
    database.run(
        "INSERT INTO t VALUES"
        " (1, 'a', 7, 1.50, 0.5, N'Ada Lovelace', '2024-02-28', '2024-02-28T10:20:30.123'),"
        " (2, 'a', -7, 2.25, 1.5, N'Bob', '2024-02-29', '2024-02-29T23:59:59.997'),"
        " (3, 'b', NULL, 10.00, NULL, N'  x ', '2023-12-31', NULL),"
        " (4, 'b', 4, NULL, 2.5, NULL, NULL, '1999-12-31T00:00:00')"
    )
    yield database
    database.close()


SELECTS: list[tuple[str, list[tuple[Any, ...]]]] = [
    # integers and decimals: "Arithmetic operators", "Precision, scale, and length"
    ("SELECT n / 2 FROM t WHERE id < 3 ORDER BY id", [(3,), (-3,)]),
    ("SELECT n % 4 FROM t WHERE id < 3 ORDER BY id", [(3,), (-3,)]),
    ("SELECT n / 2.0 FROM t WHERE id = 1", [(D("3.500000"),)]),
    ("SELECT d / 3, d / id FROM t WHERE id = 3", [(D("3.333333"), D("3.3333333333333"))]),
    ("SELECT N'a' UNION ALL SELECT NULL", [("a",), (None,)]),
    ("SELECT NULL UNION ALL (SELECT NULL UNION ALL SELECT 0x12)", [(None,), (None,), (b"\x12",)]),
    ("SELECT AVG(d) FROM (SELECT 1 AS d UNION ALL SELECT 2 UNION ALL SELECT 2) AS q", [(1,)]),
    ("SELECT AVG(d) FROM (VALUES (1.0), (2.0), (2.0)) AS q (d)", [(D("1.666666"),)]),
    ("SELECT d * d FROM t WHERE id = 1", [(D("2.2500"),)]),
    ("SELECT d + n FROM t WHERE id = 1", [(D("8.50"),)]),
    ("SELECT 2 / 3.0 FROM t WHERE id = 1", [(D("0.666666"),)]),
    ("SELECT f / 2 FROM t WHERE id = 1", [(0.25,)]),
    ("SELECT AVG(n) FROM t", [(1,)]),
    ("SELECT AVG(d) FROM t", [(D("4.583333"),)]),
    ("SELECT AVG(n * 1.0) FROM t", [(D("1.333333"),)]),
    ("SELECT SUM(n), COUNT(*), COUNT(n), MIN(n), MAX(n) FROM t", [(4, 4, 3, -7, 7)]),
    ("SELECT CAST(d AS int) FROM t WHERE id = 2", [(2,)]),
    ("SELECT CAST(2.75 AS int), CAST(-2.75 AS int) FROM t WHERE id = 1", [(2, -2)]),
    ("SELECT CAST(2.745 AS decimal(5,2)) FROM t WHERE id = 1", [(D("2.75"),)]),
    ("SELECT ROUND(123.4545, 2), ROUND(123.45, -2) FROM t WHERE id = 1",
     [(D("123.4500"), D("100.00"))]),
    ("SELECT ROUND(150.75, 0), ROUND(150.75, 0, 1) FROM t WHERE id = 1",
     [(D("151.00"), D("150.00"))]),
    ("SELECT CEILING(d), FLOOR(d) FROM t WHERE id = 1", [(D("2"), D("1"))]),
    ("SELECT POWER(2, 3), SQRT(16), ABS(-5), SIGN(-2.5) FROM t WHERE id = 1",
     [(8, 4.0, 5, D("-1.0"))]),
    # grouping, NULL
    ("SELECT g, COUNT(n), SUM(n) FROM t GROUP BY g ORDER BY g", [("a", 2, 0), ("b", 1, 4)]),
    ("SELECT g, COUNT(DISTINCT n) FROM t GROUP BY g HAVING COUNT(*) > 1 ORDER BY g",
     [("a", 2), ("b", 1)]),
    ("SELECT id FROM t ORDER BY n", [(3,), (2,), (4,), (1,)]),
    ("SELECT id FROM t ORDER BY n DESC", [(1,), (4,), (2,), (3,)]),
    ("SELECT COUNT(*) FROM t WHERE n = NULL", [(0,)]),
    ("SELECT id FROM t WHERE n NOT IN (7, 4) ORDER BY id", [(2,)]),
    ("SELECT g, SUM(n) FROM t GROUP BY ROLLUP(g) ORDER BY g", [(None, 4), ("a", 0), ("b", 4)]),
    ("SELECT TOP 2 id FROM t ORDER BY id DESC", [(4,), (3,)]),
    ("SELECT TOP 50 PERCENT id FROM t ORDER BY id", [(1,), (2,)]),
    ("SELECT id FROM t ORDER BY id OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY", [(2,), (3,)]),
    ("SELECT DISTINCT g FROM t ORDER BY g", [("a",), ("b",)]),
    ("SELECT YEAR(day) AS y, COUNT(*) FROM t WHERE day IS NOT NULL GROUP BY YEAR(day) ORDER BY y",
     [(2023, 1), (2024, 2)]),
    # CHECKSUM: equal rows share a number; NULL has one, too
    ("SELECT COUNT(DISTINCT CHECKSUM(g, NULLIF(n, 7))) FROM t", [(4,)]),
    ("SELECT a.id, b.id FROM t AS a JOIN t AS b ON CHECKSUM(a.g) = CHECKSUM(b.g) AND a.id < b.id"
     " ORDER BY a.id", [(1, 2), (3, 4)]),
    # windows
    ("SELECT id, ROW_NUMBER() OVER (PARTITION BY g ORDER BY n DESC) FROM t ORDER BY id",
     [(1, 1), (2, 2), (3, 2), (4, 1)]),
    ("SELECT id, SUM(id) OVER (ORDER BY id) FROM t ORDER BY id", [(1, 1), (2, 3), (3, 6), (4, 10)]),
    ("SELECT id, LAG(id) OVER (ORDER BY id), LEAD(id, 1, 0) OVER (ORDER BY id) FROM t ORDER BY id",
     [(1, None, 2), (2, 1, 3), (3, 2, 4), (4, 3, 0)]),
    ("SELECT id, RANK() OVER (ORDER BY n) FROM t ORDER BY id", [(1, 4), (2, 2), (3, 1), (4, 3)]),
    ("SELECT id, AVG(id) OVER (PARTITION BY g) FROM t ORDER BY id",
     [(1, 1), (2, 1), (3, 3), (4, 3)]),
    ("SELECT id, FIRST_VALUE(n) OVER (PARTITION BY g ORDER BY n) FROM t ORDER BY id",
     [(1, -7), (2, -7), (3, None), (4, None)]),
    ("SELECT id, NTILE(2) OVER (ORDER BY id) FROM t ORDER BY id", [(1, 1), (2, 1), (3, 2), (4, 2)]),
    ("SELECT g, PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY id DESC) OVER (PARTITION BY g) FROM t"
     " WHERE id < 3 ORDER BY id", [("a", 1.75), ("a", 1.75)]),
    ("SELECT DISTINCT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY id) OVER () FROM t", [(2.5,)]),
    # common tables, APPLY, subqueries
    ("WITH r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < 4) SELECT SUM(i) FROM r",
     [(10,)]),
    ("WITH a (k, total) AS (SELECT g, SUM(id) FROM t GROUP BY g) SELECT * FROM a ORDER BY k",
     [("a", 3), ("b", 7)]),
    ("SELECT g, x.m FROM (SELECT DISTINCT g FROM t) AS q CROSS APPLY (SELECT MAX(id) AS m FROM t"
     " WHERE t.g = q.g) AS x ORDER BY g", [("a", 2), ("b", 4)]),
    ("SELECT id FROM t AS o WHERE id = (SELECT MAX(id) FROM t WHERE g = o.g) ORDER BY id",
     [(2,), (4,)]),
    ("SELECT id FROM t WHERE g = 'a' EXCEPT SELECT 1", [(2,)]),
    # CASE and conversions: "Data type precedence"
    ("SELECT CASE WHEN n > 0 THEN 'p' WHEN n < 0 THEN 'm' ELSE '?' END FROM t ORDER BY id",
     [("p",), ("m",), ("?",), ("p",)]),
    ("SELECT CASE WHEN id = 1 THEN 1 ELSE 2.5 END FROM t WHERE id < 3 ORDER BY id",
     [(D("1.0"),), (D("2.5"),)]),
    ("SELECT ISNULL(n, 0), COALESCE(n, d, 0) FROM t WHERE id = 3", [(0, D("10.00"))]),
    ("SELECT ISNULL(g, 'toolong') , NULLIF(n, 7), IIF(n > 0, 'y', 'n') FROM t WHERE id = 1",
     [("a", None, "y")]),
    ("SELECT '1' + 1, 1 + '2' FROM t WHERE id = 1", [(2, 3)]),
    ("SELECT id FROM t WHERE id = '2'", [(2,)]),
    ("SELECT id FROM t WHERE day = '20240229'", [(2,)]),
    ("SELECT id FROM t WHERE at >= '2024-02-29' ORDER BY id", [(2,)]),
    ("SELECT id FROM t WHERE day BETWEEN '2024-01-01' AND '2024-02-28'", [(1,)]),
    ("SELECT TRY_CAST('x' AS int), TRY_CONVERT(date, '2024-02-30') FROM t WHERE id = 1",
     [(None, None)]),
    ("SELECT CAST(f AS varchar(10)), CAST(d AS varchar(10)) FROM t WHERE id = 1",
     [("0.5", "1.50")]),
    ("SELECT CAST(1 AS bit), CAST(0.1 AS bit), CAST('true' AS bit) FROM t WHERE id = 1",
     [(True, True, True)]),
    # text
    ("SELECT LEN(s), DATALENGTH(s), LTRIM(s) FROM t WHERE id = 3", [(3, 8, "x ")]),
    ("SELECT RTRIM(CAST(g AS char(5))), LEFT(CAST(g AS nchar(5)), 1) FROM t WHERE id = 4",
     [("b", "b")]),
    ("SELECT LEFT(s, 3), RIGHT(s, 4), SUBSTRING(s, 5, 4), UPPER(s) FROM t WHERE id = 1",
     [("Ada", "lace", "Love", "ADA LOVELACE")]),
    ("SELECT CHARINDEX('o', s), CHARINDEX('zz', s), CHARINDEX('a', s, 2) FROM t WHERE id = 1",
     [(6, 0, 3)]),
    ("SELECT REPLACE(s, 'Ada', 'A.'), STUFF(s, 1, 3, 'X'), REVERSE('abc') FROM t WHERE id = 1",
     [("A. Lovelace", "X Lovelace", "cba")]),
    ("SELECT CONCAT(g, NULL, id), g + s FROM t WHERE id = 4", [("b4", None)]),
    ("SELECT CONCAT_WS('-', g, NULL, id), REPLICATE('ab', 2) FROM t WHERE id = 4",
     [("b-4", "abab")]),
    ("SELECT PATINDEX('%[l-o]o%', s), PATINDEX('%q%', s) FROM t WHERE id = 1", [(0, 0)]),
    ("SELECT id FROM t WHERE s LIKE '%[aA]da%'", [(1,)]),
    ("SELECT id FROM t WHERE s LIKE 'B_b'", [(2,)]),
    ("SELECT STRING_AGG(g, ',') WITHIN GROUP (ORDER BY id DESC) FROM t", [("b,b,a,a",)]),
    (
        "SELECT CAST(STRING_AGG(CAST(g AS varchar(9)), '') WITHIN GROUP (ORDER BY id) AS "
        "varbinary(max)) FROM t",
        [(b"aabb",)],
    ),
    ("SELECT SUBSTRING(b, 2, 2), SUBSTRING(b, 0, 2), SUBSTRING(b, 3, 9), SUBSTRING(b, 4, 1), "
     "SUBSTRING(b, -5, 2) FROM (SELECT CAST(0x010203 AS varbinary(9)) AS b) AS v",
     [(b"\x02\x03", b"\x01", b"\x03", b"", b"")]),
    ("SELECT STR(123.456, 7, 2), SPACE(2) + 'x' FROM t WHERE id = 1", [(" 123.46", "  x")]),
    # dates
    ("SELECT DATEDIFF(day, '2023-12-31', day), DATEDIFF(year, '2023-12-31', day) FROM t"
     " WHERE id = 1", [(59, 1)]),
    ("SELECT DATEADD(month, 1, '2024-01-31') FROM t WHERE id = 1", [(dt.datetime(2024, 2, 29),)]),
    ("SELECT DATEADD(day, 1, day) FROM t WHERE id = 1", [(dt.date(2024, 2, 29),)]),
    ("SELECT DATEPART(weekday, day), DATENAME(weekday, day), DATENAME(month, day) FROM t"
     " WHERE id = 2", [(5, "Thursday", "February")]),
    ("SELECT DATEPART(hour, at), DATEPART(week, at), DATEPART(quarter, at) FROM t WHERE id = 2",
     [(23, 9, 1)]),
    ("SELECT EOMONTH(day), YEAR(day), MONTH(day), DAY(day) FROM t WHERE id = 1",
     [(dt.date(2024, 2, 29), 2024, 2, 28)]),
    ("SELECT CONVERT(varchar(10), at, 120), CONVERT(char(8), at, 112),"
     " CONVERT(varchar(30), at, 126) FROM t WHERE id = 1",
     [("2024-02-28", "20240228", "2024-02-28T10:20:30.123")]),
    ("SELECT CAST(at AS date), CAST(at AS time(0)) FROM t WHERE id = 1",
     [(dt.date(2024, 2, 28), dt.time(10, 20, 30))]),
    ("SELECT DATEFROMPARTS(2024, 2, 29), at + 1 FROM t WHERE id = 4",
     [(dt.date(2024, 2, 29), dt.datetime(2000, 1, 1))]),
    ("SELECT DATEDIFF(week, '2024-03-02', '2024-03-03'), "
     " DATEDIFF(month, '2024-01-31', '2024-02-01') FROM t WHERE id = 1", [(1, 1)]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "rows"), SELECTS, ids=[text for text, _ in SELECTS])
def test_gives_what_the_documentation_states(
    database: Database, text: str, rows: list[tuple[Any, ...]]
) -> None:
    found = database.run(text)
    assert found == rows
    for row, wanted in zip(found, rows, strict=True):
        assert [type(value) for value in row] == [type(value) for value in wanted]
        assert [str(value) for value in row] == [str(value) for value in wanted]  # scales too


def test_a_rounded_value_must_fit_its_type(database: Database) -> None:
    with pytest.raises(SqlError) as caught:  # 748.58 is a decimal(5,2)
        database.run("SELECT ROUND(748.58, -3) FROM t")
    assert caught.value.number == 8115


def test_ties_are_refused_by_name(database: Database) -> None:
    with pytest.raises(SqlError, match="WITH TIES"):
        database.run("SELECT TOP 1 WITH TIES id FROM t ORDER BY g")
