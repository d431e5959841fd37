"""The life of the bundle: upgraded from an earlier version, looked at, removed."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyodbc
import pytest

from sqlexec import RxInSqlServer, bundle, rx_exec, store_script
from sqlexec.bundle import render
from sqlexec.bundle.installer import batches
from sqlexec.cli import main
from sqlexec.embedded import EmbeddedServer
from sqlexec.errors import BundleNotInstalled, BundleVersionMismatch, ServerError
from sqlexec.server.connection import parse_odbc
from sqlexec.server.pool import POOL
from tests.bundle.test_install import objects, run

OLD = sorted((Path(__file__).parent / "old").glob("*.sql"))  # as their versions rendered them
WITH_JOBS = Path(__file__).parent / "old" / "0.1.0-jobs.sql"
NUMBERS = itertools.count()
LOG = "SELECT l.* FROM sqlexec.chunk_log AS l ORDER BY l.log_id"
OBJECT_IDS = "SELECT o.name, o.object_id FROM sys.objects AS o WHERE o.type IN ('P', 'U')"
GRANTS = (
    "SELECT p.major_id, p.permission_name, u.name FROM sys.database_permissions AS p "
    "INNER JOIN sys.database_principals AS u ON u.principal_id = p.grantee_principal_id"
)
OF_JOBS = ("job", "chunk", "blob")
OLD_JOB = (
    "INSERT INTO sqlexec.job (job_id, owner_sid, login_name, description, state, detached, "
    "worker_count, task_count, chunk_count, most_attempts, stop_on_error, grace_seconds, "
    "auto_cleanup, console_output, protocol, result_key, client, payloads_sha256, shared_sha256, "
    "submitted_at, active_at, ended_at) VALUES (NEWID(), SUSER_SID(), N'ann', N'old', 'FINISHED', "
    "0, 1, 1, 1, 3, 0, 15, 0, 0, 1, 0x01, N'{}', 0x01, 0x01, '2024-05-06', '2024-05-06', "
    "'2024-05-06');",
    "INSERT INTO sqlexec.chunk (job_id, chunk_number, state, first_task, task_count, "
    "payload_start, payload_bytes, input_query, result_sha256) "
    "SELECT j.job_id, 1, 'done', 0, 1, 1, 1, N'', 0x01 FROM sqlexec.job AS j;",
    "INSERT INTO sqlexec.blob (job_id, blob_sha256, content) "
    "SELECT j.job_id, 0x01, 0x0102 FROM sqlexec.job AS j;",
)
# What the client of 0.1.0 sends.
OLD_CALL = """\
SET NOCOUNT ON;
DECLARE @result varbinary(max), @result_length int;
BEGIN TRY
  EXECUTE sqlexec.execute_chunk @protocol = 1, @job_id = ?, @chunk_number = 1, @task_count = 1,
    @payload = 0x01, @input_query = N'', @result = @result OUTPUT,
    @result_length = @result_length OUTPUT;
  SELECT @result AS result, @result_length AS result_length;
END TRY
BEGIN CATCH
  SELECT ERROR_MESSAGE() AS message, ERROR_NUMBER() AS number;
END CATCH;"""


def double(x: int) -> int:
    return 2 * x


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as running:
        yield running
        POOL.close()


@pytest.fixture
def database(server: EmbeddedServer) -> str:
    """Connection string of a new, empty database."""
    name = f"life{next(NUMBERS)}"
    run(server.connection_string, f"CREATE DATABASE {name};")
    return server.odbc(Database=name)


def install_old(database: str, installer: Path) -> None:
    with closing(pyodbc.connect(database, autocommit=True)) as connection:
        for _, batch in batches(installer.read_text("utf-8")):
            connection.execute(batch)


@pytest.mark.parametrize("installer", OLD, ids=lambda path: path.stem)
def test_an_upgrade_keeps_rows_members_and_grants(database: str, installer: Path) -> None:
    install_old(database, installer)
    run(
        database,
        "CREATE USER ann WITHOUT LOGIN;",
        "CREATE USER bob WITHOUT LOGIN;",
        "ALTER ROLE sqlexec_user ADD MEMBER ann;",
        "GRANT EXECUTE ON OBJECT::sqlexec.execute_chunk TO bob;",
        "INSERT INTO sqlexec.chunk_log (job_id, chunk_number, login_name, user_name, session_id, "
        "task_count, payload_bytes, started_at, status) "
        "VALUES (NEWID(), 1, N'ann', N'ann', 51, 4, 812, '2024-05-06', 'finished');",
    )
    (row,) = run(database, LOG)
    has_jobs = run(database, "SELECT OBJECT_ID(N'sqlexec.job')") != [(None,)]
    jobs = []
    if has_jobs:
        run(database, *OLD_JOB, "ALTER ROLE sqlexec_admin ADD MEMBER bob;")
        jobs = [run(database, f"SELECT t.* FROM sqlexec.{name} AS t") for name in OF_JOBS]
    ids = dict(run(database, OBJECT_IDS))  # type: ignore[arg-type]
    grants = set(run(database, GRANTS))

    bundle.install(database)
    (kept,) = run(database, LOG)
    assert kept[: len(row)] == row
    assert len(kept) > len(row)  # the new columns
    now = dict(run(database, OBJECT_IDS))  # type: ignore[arg-type]
    gone = {"start_log", "end_log", "remove_job"} & ids.keys()
    assert {name: now.get(name) for name in ids} == {**ids, **dict.fromkeys(gone)}
    dropped = {ids[name] for name in gone}
    assert {grant for grant in grants if grant[0] not in dropped} <= set(run(database, GRANTS))
    assert run(database, "SELECT IS_ROLEMEMBER(N'sqlexec_user', N'ann');") == [(1,)]
    for name, [row] in zip(OF_JOBS, jobs, strict=False):
        ((*kept_row,),) = run(database, f"SELECT t.* FROM sqlexec.{name} AS t")
        assert tuple(kept_row[: len(row)]) == row
    if has_jobs:
        assert run(database, "SELECT IS_ROLEMEMBER(N'sqlexec_admin', N'bob');") == [(1,)]
    assert rx_exec(double, x=21, compute_context=RxInSqlServer(database)) == [42]


@pytest.mark.parametrize("installer", OLD, ids=lambda path: path.stem)
def test_upgraded_and_new_tables_are_the_same(
    server: EmbeddedServer, database: str, installer: Path
) -> None:
    columns = (
        "SELECT o.name, c.column_id, c.name, c.system_type_id, c.max_length, c.is_nullable "
        "FROM sys.columns AS c INNER JOIN sys.objects AS o ON o.object_id = c.object_id "
        "WHERE o.schema_id = SCHEMA_ID(N'sqlexec') ORDER BY o.name, c.column_id"
    )
    install_old(database, installer)
    bundle.install(database)
    name = f"new{next(NUMBERS)}"
    run(server.connection_string, f"CREATE DATABASE {name};")
    new = server.odbc(Database=name)
    bundle.install(new)
    assert run(database, columns) == run(new, columns)


@pytest.mark.parametrize("installer", OLD, ids=lambda path: path.stem)
def test_a_client_tells_of_an_old_bundle(database: str, installer: Path) -> None:
    install_old(database, installer)
    context = RxInSqlServer(database)
    for durable in (context, context.replace(wait=False, detached=False)):
        with pytest.raises(BundleVersionMismatch, match=r"same version|another version than this"):
            rx_exec(double, x=1, compute_context=durable)
    with pytest.raises(BundleNotInstalled, match="or an older one"):
        store_script(context, double, "double")


def test_the_bundle_tells_an_old_client(database: str) -> None:
    bundle.install(database)
    ((message, number),) = run_with(database, OLD_CALL, uuid.uuid4())
    assert number == 51701
    assert re.search(r"speaks protocol \d+, the client speaks protocol 1: bring both", str(message))


def run_with(database: str, statement: str, *values: object) -> list[tuple[object, ...]]:
    with closing(pyodbc.connect(database, autocommit=True)) as connection:
        return [tuple(row) for row in connection.execute(statement, *values).fetchall()]


def test_a_preview_changes_nothing_and_is_right(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {change.action for change in bundle.preview(database)} == {"create"}
    assert objects(database) == []
    install_old(database, WITH_JOBS)
    told = {(change.kind, change.name): change for change in bundle.preview(database)}
    assert str(told["table", "chunk_log"]).endswith("chunk_log (original_login, input_rows)")
    assert told["procedure", "execute_chunk"].action == "change"
    assert told["procedure", "start_log"].action == "remove"
    assert told["table", "job"].action == "keep"
    assert told["table", "setting"].action == "create"
    assert told["role", "sqlexec_user"].action == "keep"
    bundle.install(database)
    assert main(["install", database, "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} == {"keep"}


def test_uninstalling_leaves_nothing(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = run(database, "SELECT p.name FROM sys.database_principals AS p")
    bundle.install(database)
    run(database, "CREATE USER ann WITHOUT LOGIN;", "ALTER ROLE sqlexec_user ADD MEMBER ann;")
    installed = objects(database)

    assert main(["uninstall", database]) == 0
    printed = capsys.readouterr().out
    assert objects(database) == installed
    assert "ALTER ROLE sqlexec_user DROP MEMBER [ann];" in printed
    assert printed.endswith("DROP SCHEMA sqlexec;\n")

    assert main(["uninstall", database, "--yes"]) == 0
    assert capsys.readouterr().out == printed
    assert objects(database) == []
    assert run(database, "SELECT SCHEMA_ID(N'sqlexec')") == [(None,)]
    run(database, "DROP USER ann;")
    assert run(database, "SELECT p.name FROM sys.database_principals AS p") == before
    assert main(["uninstall", database]) == 1
    assert "no sqlexec bundle" in capsys.readouterr().err


def test_uninstalling_spares_what_is_not_its_own(database: str) -> None:
    bundle.install(database)
    run(database, "CREATE TABLE sqlexec.mine (a int);", "CREATE TABLE dbo.job (a int);")
    bundle.uninstall(database, print_only=False)
    assert [name for name, _ in objects(database)] == ["mine"]
    assert run(database, "SELECT OBJECT_ID(N'dbo.job')") != [(None,)]


def test_uninstalling_waits_for_jobs(database: str) -> None:
    bundle.install(database)
    context = RxInSqlServer(database, wait=False, detached=False)
    job = rx_exec(double, x=1, compute_context=context)
    run(database, f"UPDATE sqlexec.job SET state = 'QUEUED' WHERE job_id = '{job.job_id}'")
    with pytest.raises(ServerError, match="jobs wait or run") as failed:
        bundle.uninstall(database, print_only=False)
    assert failed.value.number == 51755
    POOL.close()
    bundle.uninstall(database, print_only=False, even_if_jobs_run=True)
    assert objects(database) == []


def test_odd_names_and_options_of_sessions_do_no_harm(server: EmbeddedServer) -> None:
    name = "od]d 'na--me"
    run(server.connection_string, "CREATE DATABASE [od]]d 'na--me];")
    odd = server.odbc(Database=name, QuotedId="no", AnsiNPW="no")
    assert parse_odbc(odd)["Database"] == name
    assert bundle.install(odd).database == name
    printed(odd, bundle.render_install())  # as sqlcmd sends it, with QUOTED_IDENTIFIER off
    assert {change.action for change in bundle.preview(odd)} == {"keep"}
    assert rx_exec(double, x=[1, 2], compute_context=RxInSqlServer(odd)) == [2, 4]
    assert bundle.info(odd)["may_run_scripts"] == 1
    bundle.uninstall(odd, print_only=False)
    assert objects(odd) == []


def printed(database: str, script: str) -> list[str]:
    """Run a script as sqlcmd does, batch by batch; gives what it prints."""
    with closing(pyodbc.connect(database, autocommit=True)) as connection:
        messages = []
        for _, batch in batches(script):
            cursor = connection.execute(batch)
            messages += cursor.messages
            while cursor.nextset():
                messages += cursor.messages
    return [text for _, text in messages]


def test_the_uninstall_script_only_tells(database: str) -> None:
    bundle.install(database)
    installed = objects(database)
    ((_, script),) = batches((render.sql_folder() / "uninstall.sql").read_text("utf-8"))
    statements = [statement for (statement,) in run(database, script)]
    assert statements == bundle.uninstall(database)
    assert objects(database) == installed


def test_a_server_is_prepared_again_and_again(server: EmbeddedServer) -> None:
    sa = server.connection_string
    run(sa, "CREATE LOGIN agent_user WITH PASSWORD = 'Ag3nt-user!';")
    script = (render.sql_folder() / "prepare_server.sql").read_text("utf-8")
    assert any("a Python script ran" in line for line in printed(sa, script))
    script = script.replace("@agent_login sysname = NULL", "@agent_login sysname = N'agent_user'")
    assert any("CREATE USER [agent_user]" in line for line in printed(sa, script))
    assert not any("CREATE USER" in line for line in printed(sa, script))
    member = "SELECT IS_ROLEMEMBER(N'SQLAgentUserRole', N'agent_user')"
    assert run(server.odbc(Database="msdb"), member) == [(1,)]


def test_preparing_tells_all_that_is_missing(server: EmbeddedServer) -> None:
    sa = server.connection_string
    run(sa, "CREATE LOGIN nobody WITH PASSWORD = 'N0body-here!';")
    script = (render.sql_folder() / "prepare_server.sql").read_text("utf-8")
    script = script.replace("@agent_login sysname = NULL", "@agent_login sysname = N'missing'")
    with pytest.raises(pyodbc.Error, match=r"member of sysadmin\.(.|\n)*no login missing"):
        printed(server.odbc(UID="nobody", PWD="N0body-here!"), script)
