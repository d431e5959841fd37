"""Installing the bundle into a real database of the embedded server."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyodbc
import pytest

from sqlexec import __version__, bundle
from sqlexec.bundle import render
from sqlexec.bundle.installer import batches
from sqlexec.cli import main
from sqlexec.embedded import EmbeddedServer
from sqlexec.errors import (
    BundleNotInstalled,
    ConfigurationError,
    ConnectionFailed,
    ServerError,
)

NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as running:
        yield running


@pytest.fixture
def database(server: EmbeddedServer) -> str:
    """Connection string of a new, empty database."""
    name = f"bundle{next(NUMBERS)}"
    run(server.connection_string, f"CREATE DATABASE {name};")
    return server.odbc(Database=name)


def run(connection_string: str, *statements: str) -> list[tuple[object, ...]]:
    """Run statements; the rows of the last one."""
    with closing(pyodbc.connect(connection_string, autocommit=True)) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


def objects(connection_string: str) -> list[tuple[object, ...]]:
    return run(
        connection_string,
        "SELECT o.name, o.type FROM sys.objects AS o JOIN sys.schemas AS s "
        "ON s.schema_id = o.schema_id WHERE s.name = N'sqlexec' ORDER BY o.name;",
    )


def test_installed_bundle_tells_its_version(database: str) -> None:
    report = bundle.install(database)
    facts = bundle.info(database)
    assert report.version == facts["version"] == __version__
    assert report.database == facts["database_name"]
    assert facts["runner_sha256"] == render.placeholders()["runner_hash"]
    assert report.batches == len(list(batches(bundle.render_install())))


def test_runner_arrives_as_it_is(database: str) -> None:
    from sqlexec.bundle import runner_source

    bundle.install(database)
    ((source,),) = run(
        database,
        "DECLARE @source nvarchar(max); EXECUTE sqlexec.runner @source = @source OUTPUT; "
        "SELECT @source;",
    )
    assert source == runner_source.render()


def test_second_install_changes_nothing(database: str) -> None:
    def texts() -> object:
        return run(database, "SELECT m.object_id, m.definition FROM sys.sql_modules AS m;")

    bundle.install(database)
    before = objects(database), texts()
    bundle.install(database)
    assert before == (objects(database), texts())


def test_members_of_the_role_stay(database: str) -> None:
    bundle.install(database)
    run(
        database,
        "CREATE USER ann WITHOUT LOGIN;",
        "ALTER ROLE sqlexec_user ADD MEMBER ann;",
    )
    bundle.install(database)
    assert run(database, "SELECT IS_ROLEMEMBER(N'sqlexec_user', N'ann');") == [(1,)]


def test_database_may_be_named_apart(server: EmbeddedServer, database: str) -> None:
    name = dict(pair.split("=", 1) for pair in database.split(";"))["Database"]
    assert bundle.install(server.connection_string, database=name).database == name


def test_error_names_file_and_line_and_nothing_stays(
    database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "build_order.txt").write_text("s.schema.sql\ns.bad.data.sql\n")
    (tmp_path / "s.schema.sql").write_text("CREATE TABLE dbo.made (a int);\n")
    (tmp_path / "s.bad.data.sql").write_text(
        "SELECT 1 AS a;\nGO\n\nSELECT x.a FROM dbo.gone AS x;\n"
    )
    monkeypatch.setattr(render, "sql_folder", lambda: tmp_path)
    with pytest.raises(
        ServerError, match=r"^s\.bad\.data\.sql, batch at line 4: .*dbo\.gone"
    ) as failed:
        bundle.install(database)
    assert failed.value.number == 208
    assert run(database, "SELECT OBJECT_ID(N'dbo.made');") == [(None,)]


def test_system_databases_are_refused(server: EmbeddedServer) -> None:
    with pytest.raises(ConfigurationError, match="not in master"):
        bundle.install(server.connection_string)


def test_unknown_database_is_said(server: EmbeddedServer) -> None:
    with pytest.raises(ConnectionFailed, match="nowhere"):
        bundle.install(server.connection_string, database="nowhere")


def test_database_without_bundle_is_said(database: str) -> None:
    with pytest.raises(BundleNotInstalled, match="sqlexec install"):
        bundle.info(database)


def test_stranger_may_not_install(server: EmbeddedServer, database: str) -> None:
    run(
        database,
        "CREATE LOGIN stranger WITH PASSWORD = 'Str4nger!';",
        "CREATE USER stranger FOR LOGIN stranger;",
    )
    name = dict(pair.split("=", 1) for pair in database.split(";"))["Database"]
    with pytest.raises(ServerError, match=r"permission.* as a member of db_owner"):
        bundle.install(server.odbc(Database=name, UID="stranger", PWD="Str4nger!"))
    assert objects(database) == []


def test_commands(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", database]) == 1
    assert "no sqlexec bundle" in capsys.readouterr().err
    assert main(["install", database]) == 0
    assert f"sqlexec {__version__} installed" in capsys.readouterr().out
    assert main(["info", database]) == 0
    assert "external_scripts_enabled" in capsys.readouterr().out


def test_commands_answer_in_json(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    def answer(command: str, *options: str) -> Any:
        assert main([command, database, *options, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    assert {change["action"] for change in answer("install", "--dry-run")} == {"create"}
    assert answer("install")["version"] == __version__
    assert answer("info")["may_run_scripts"] == 1
    told = answer("uninstall")
    assert told["removed"] is False
    assert "DROP ROLE sqlexec_user;" in told["statements"]
    assert answer("uninstall", "--yes")["removed"] is True
    assert objects(database) == []
