"""What the procedures tell of themselves, and of their callers' mistakes."""

from __future__ import annotations

import uuid

import pyodbc
import pytest

from sqlexec.bundle.render import bundle_files
from tests.integration.durable import number_of

PUBLIC = sorted(
    file.name.split(".")[1]
    for file in bundle_files()
    if file.name.endswith(".procedure.sql") and "\n    @help bit = 0\n" in file.text
)


@pytest.fixture
def connection(connection_string):
    connection = pyodbc.connect(connection_string, autocommit=True)
    yield connection
    connection.close()


@pytest.mark.parametrize("procedure", PUBLIC)
def test_every_public_procedure_has_help(connection, procedure):
    cursor = connection.execute(f"EXECUTE sqlexec.{procedure} @help = 1")
    lines = [line for (line,) in cursor]
    assert lines[0].startswith("Purpose: ")
    assert lines[-1] == "Licence: MIT."
    assert cursor.nextset()
    parameters = {row.parameter: row for row in cursor}
    assert parameters["@help"].type == "bit"
    assert [name for name, row in parameters.items() if not row.description] == []


def test_help_tells_types_and_directions(connection):
    cursor = connection.execute("EXECUTE sqlexec.help @procedure = N'execute_chunk'")
    cursor.nextset()
    told = {row.parameter: (row.type, row.is_output) for row in cursor}
    assert told["@payload"] == ("varbinary(max)", False)
    assert told["@result_length"] == ("int", True)


def test_help_of_nothing_says_so(connection):
    with pytest.raises(pyodbc.Error, match=r"no procedure sqlexec\.\[nothing\]") as failed:
        connection.execute("EXECUTE sqlexec.help @procedure = N'nothing'")
    assert number_of(failed.value) == 51702


def test_all_mistakes_are_told_together(connection):
    with pytest.raises(pyodbc.Error) as failed:
        connection.execute(
            "DECLARE @protocol int; EXECUTE sqlexec.runner @protocol = @protocol OUTPUT; "
            "EXECUTE sqlexec.submit_job @protocol = @protocol, @job_id = ?, @chunks = N'no JSON', "
            "@worker_count = 0, @payloads = 0x01",
            uuid.uuid4(),
        )
    assert number_of(failed.value) == 51702
    for wrong in ("@result_key", "@chunks must be JSON", "@worker_count must be 1", "@shared"):
        assert wrong in str(failed.value)
    assert "@payloads" not in str(failed.value)
    assert "@detached" not in str(failed.value)


@pytest.mark.parametrize(
    ("call", "number", "mistakes"),
    [
        ("purge_jobs @older_than_days = NULL", 51702, ["@older_than_days must be 0 or more"]),
        ("jobs @states = N'RUNNING, LOST', @most = -1", 51702, ["@states has LOST;", "@most must"]),
        ("store_script @version = 0", 51742, ["@name must", "@source must", "@version must"]),
        ("grant_script", 51742, ["@name must", "@grantee must"]),
        ("run_script @args_json = N'x'", 51742, ["@name must", "@args_json must"]),
        ("load_script", 51742, ["@name must have a value"]),
        ("drop_script", 51742, ["@name must have a value"]),
        ("configure @name = 'colour', @value = -1", 51702, ["no limit colour", "@value must"]),
    ],
)
def test_mistakes_are_told_together(connection, call, number, mistakes):
    with pytest.raises(pyodbc.Error) as failed:
        connection.execute(f"EXECUTE sqlexec.{call}")
    assert number_of(failed.value) == number
    for mistake in mistakes:
        assert mistake in str(failed.value)


@pytest.mark.parametrize("procedure", ["cancel_job", "fetch_results", "job_secret", "resume_job"])
def test_a_job_must_be_named(connection, procedure):
    with pytest.raises(pyodbc.Error, match="@job_id must have a value"):
        connection.execute(f"EXECUTE sqlexec.{procedure}")
