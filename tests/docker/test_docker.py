"""All of docker/ that can be tried without Docker: its refusals, its T-SQL, its build context."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import closing
from pathlib import Path

import pyodbc
import pytest

from sqlexec.bundle import install
from sqlexec.bundle.installer import batches
from sqlexec.embedded import EmbeddedServer
from tests.bundle.test_conventions import findings, needs_parser
from tests.bundle.test_conventions import run as check
from tests.bundle.test_install import run

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
ACCEPTED = {"ACCEPT_EULA": "Y", "ACCEPT_EULA_ML": "Y"}


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    if Path("/opt/mssql").exists():
        pytest.skip("there is a SQL Server on this machine, which start.sh would start")
    return subprocess.run(
        ["bash", DOCKER / "start.sh"],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run_script(connection_string: str, file: Path) -> None:
    with closing(pyodbc.connect(connection_string, autocommit=True)) as connection:
        for _, batch in batches(file.read_text(encoding="utf-8")):
            cursor = connection.execute(batch)
            while cursor.nextset():
                pass


def statement_of_start() -> str:
    """The one that start.sh has itself: it makes the database."""
    (statement,) = re.findall(
        r'^run_sql -Q "(.*)"$', (DOCKER / "start.sh").read_text("utf-8"), re.MULTILINE
    )
    return statement


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "set ACCEPT_EULA=Y"),
        ({"ACCEPT_EULA": "Y"}, "set ACCEPT_EULA_ML=Y"),
        (ACCEPTED, "set MSSQL_SA_PASSWORD"),
        ({**ACCEPTED, "MSSQL_SA_PASSWORD": ""}, "set MSSQL_SA_PASSWORD"),
        ({**ACCEPTED, "MSSQL_SA_PASSWORD": "yourStrong(!)Password"}, "from a document"),
        ({**ACCEPTED, "MSSQL_SA_PASSWORD": "P@ssw0rd2022!"}, "from a document"),
        ({**ACCEPTED, "MSSQL_SA_PASSWORD": "1Secure*Password1"}, "from a document"),
        ({**ACCEPTED, "MSSQL_SA_PASSWORD": "Sh0rt!!"}, "8 characters or more"),
        ({**ACCEPTED, "MSSQL_SA_PASSWORD": "long-but-plain"}, "three of these four kinds"),
    ],
)
def test_container_refuses_to_start(environment: dict[str, str], message: str) -> None:
    ended = start(**environment)
    assert ended.returncode == 1
    assert ended.stderr.startswith("sqlexec: ")
    assert message in ended.stderr
    assert (environment.get("MSSQL_SA_PASSWORD") or "?") not in ended.stderr


def test_password_of_ones_own_is_taken() -> None:
    ended = start(**ACCEPTED, MSSQL_SA_PASSWORD="Kestrel-41-harbour")
    assert "sqlexec: " not in ended.stderr
    assert "/opt/mssql/bin/mssql-conf: No such file" in ended.stderr  # the first thing it starts


def test_scripts_prepare_and_check_a_server() -> None:
    """What start.sh runs, in its order, each of them twice, and healthcheck.sql."""
    with EmbeddedServer() as server:
        run(server.connection_string, "EXECUTE sp_configure 'external scripts enabled', 0")
        run(server.connection_string, "RECONFIGURE")
        for _ in range(2):
            run_script(server.connection_string, ROOT / "sql" / "prepare_server.sql")
            run(server.connection_string, statement_of_start())
        database = server.odbc(Database="sqlexec")
        with pytest.raises(pyodbc.Error, match="bundle is not installed"):
            run_script(database, DOCKER / "healthcheck.sql")
        install(database)
        run_script(database, DOCKER / "healthcheck.sql")
        run_script(database, DOCKER / "healthcheck.sql")


@needs_parser
def test_the_health_check_keeps_our_conventions() -> None:
    code, report = check(DOCKER / "healthcheck.sql")
    assert findings(report, DOCKER / "healthcheck.sql") == []
    assert code == 0


@pytest.mark.parametrize("release", ["2019", "2022"])
def test_build_context_holds_what_is_copied_and_no_more(release: str) -> None:
    build = pytest.importorskip("docker.utils.build")
    text = (DOCKER / f"Dockerfile.{release}").read_text(encoding="utf-8").replace("\\\n", "")
    copied = {
        source
        for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE)
        for source in line.split()[:-1]
    }
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in ignored if line and not line.startswith("#")]
    sent = build.exclude_paths(str(ROOT), patterns)
    assert {path for path in sent if (ROOT / path).is_file()} - {".dockerignore"} == copied
