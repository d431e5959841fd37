"""The T-SQL of the bundle through Microsoft's parser (SQL Server 2017) and our conventions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sqlexec.bundle import render
from sqlexec.diagnosis import agent, connecting, instance, launches
from sqlexec.diagnosis import bundle as diagnosis_bundle
from tests.bundle.scriptdom import unavailable

REASON = unavailable()
needs_parser = pytest.mark.skipif(REASON is not None, reason=f"ScriptDom: {REASON}")
Report = dict[str, dict[str, object]]

GOOD = {
    "procedure": """
        CREATE OR ALTER PROCEDURE s.p @a varbinary(max), @n int = NULL OUTPUT AS
        /*
Purpose: to be checked.
Version: 1
Licence: MIT.
        */
        BEGIN
          SET NOCOUNT, XACT_ABORT ON;
          DECLARE @rows TABLE (n int);
          CREATE TABLE #t (n int);
          INSERT INTO @rows (n) OUTPUT inserted.n SELECT t.n FROM #t AS t;
          WITH c AS (SELECT x.n FROM s.x AS x) SELECT @n = c.n + 1 FROM c;
          UPDATE x SET x.n = 1 FROM s.x AS x WHERE x.n = 2;
          EXECUTE sp_executesql N'SELECT 1';
          EXECUTE s.q @n = @n;
        END
    """,
    "batches": "CREATE SCHEMA s;\nGO\nGRANT EXECUTE ON SCHEMA::s TO public;\nGO\n",
}
# Text -> what the finding says.
BAD = {
    "SELECT FROM WHERE;": "Incorrect syntax",
    "CREATE PROCEDURE s.p AS SELECT 1": "SET NOCOUNT ON; SET XACT_ABORT ON",
    "CREATE PROCEDURE s.p AS SET NOCOUNT ON; SELECT 1": "SET NOCOUNT ON; SET XACT_ABORT ON",
    "CREATE PROCEDURE p AS SET NOCOUNT, XACT_ABORT ON;": "p: name its schema",
    "CREATE TABLE t (a int);": "t: name its schema",
    "DROP TABLE IF EXISTS s.a, b;": "b: name its schema",
    "SELECT a.x FROM t AS a;": "table t: name its schema",
    "IF EXISTS (SELECT 1 FROM t AS a) PRINT 'x';": "table t: name its schema",
    "WITH c AS (SELECT 1 AS x) SELECT c.x FROM c; SELECT c.x FROM c;": "table c: name its schema",
    "EXECUTE p;": "procedure p: name its schema",
    "EXEC s.p;": "EXEC: write EXECUTE",
    "select 1;": "keyword 'select'",
    'SELECT a."x" FROM s.t AS a;': "quote names with brackets",
    "MERGE s.a AS a USING s.b AS b ON a.x = b.x WHEN MATCHED THEN DELETE;": "MERGE",
    "WITH c AS (SELECT a.x FROM s.a AS a) UPDATE c SET x = 1;": "common table expression",
    "WITH c AS (SELECT a.x FROM s.a AS a) DELETE FROM c;": "common table expression",
    "DECLARE @a varbinary(max) = 0x01; SET @a = (@a) + 0x02;": "'+' between varbinary",
    "SELECT CAST('a' AS varbinary(9)) + CONVERT(varbinary(9), 'b');": "'+' between varbinary",
    "DECLARE @t TABLE (b varbinary(9)); SELECT t.b + t.b FROM @t AS t;": "'+' between varbinary",
    "CREATE OR ALTER PROCEDURE s.p AS SET NOCOUNT, XACT_ABORT ON;": "p: its header has no line Pur",
    "CREATE OR ALTER VIEW s.v AS SELECT 1 AS a;": "v: its header has no line Licence:",
    "GRANT EXECUTE ON OBJECT::s.p TO r;\nGO\nCREATE OR ALTER PROCEDURE s.p AS\nSET NOCOUNT ON;": (
        "p: its last parameter is not @help bit = 0"
    ),
    "GRANT EXECUTE ON OBJECT::s.p TO r;\nGO\nCREATE OR ALTER PROCEDURE s.p @a int, @help bit = 0 "
    "AS /*\n@help  tells.\n*/ SELECT 1;": "p: its header has no line for @a",
    "-- nothing": "no statement",
}


def run(*files: Path) -> tuple[int, Report]:
    command = [sys.executable, "-m", "tests.bundle.conventions", "--json", *map(str, files)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode in (0, 1), ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def findings(report: Report, file: Path) -> list[str]:
    return [message for _, message in report[str(file)]["findings"]]  # type: ignore[attr-defined]


@needs_parser
def test_bundle_parses_and_keeps_our_conventions() -> None:
    code, report = run()
    assert {name: entry["findings"] for name, entry in report.items() if entry["findings"]} == {}
    assert code == 0
    assert len(report) == len(render.bundle_files()) + 1 + len(render.BY_HAND)
    counts = {name: entry["statements"] for name, entry in report.items()}
    assert all(counts.values()), counts
    print(f"{sum(map(int, map(str, counts.values())))} statements in {len(counts)} files")


@needs_parser
def test_good_text_has_no_findings(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.sql" for name in GOOD]
    for file, text in zip(files, GOOD.values(), strict=True):
        file.write_text(text)
    code, report = run(*files)
    assert [findings(report, file) for file in files] == [[], []]
    assert [report[str(file)]["statements"] for file in files] == [10, 2]
    assert code == 0


@needs_parser
def test_bad_text_is_found(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.sql" for number in range(len(BAD))]
    for file, text in zip(files, BAD, strict=True):
        file.write_text(text)
    code, report = run(*files)
    missed = {
        text: findings(report, file)
        for file, (text, expected) in zip(files, BAD.items(), strict=True)
        if not any(expected in finding for finding in findings(report, file))
    }
    assert missed == {}
    assert code == 1


@needs_parser
def test_statements_of_the_doctor_parse(tmp_path: Path) -> None:
    statements = {
        "agent": agent.AGENT,
        "identity": connecting.IDENTITY,
        "objects": diagnosis_bundle.OBJECTS,
        "pool": instance.POOL,
        "script": launches.calling(launches.INTRODUCTION).replace("?", "@seconds"),
        "scripts": instance.SCRIPTS,
    }
    files = [tmp_path / f"{name}.sql" for name in statements]
    for file, text in zip(files, statements.values(), strict=True):
        file.write_text(text)
    _, report = run(*files)
    assert {file.stem: findings(report, file) for file in files} == {
        name: [] for name in statements
    }


def test_install_sql_is_not_stale() -> None:
    stored = (render.sql_folder() / render.INSTALL).read_text(encoding="utf-8")
    assert stored == render.render_install(), "run 'make install-sql'"
