"""Who may do what, tried with real logins on every object that the schema has."""

from __future__ import annotations

import uuid

import pyodbc
import pytest

from sqlexec.server.connection import Connection
from tests.integration.conftest import in_database
from tests.integration.durable import number_of

PERMISSION_DENIED = 229
TO_BOTH = {
    "help", "info", "activity", "history", "jobs", "cancel_job", "cleanup_job", "purge_jobs",
    "scripts", "load_script", "grant_script", "drop_script",
}  # fmt: skip
TO_USERS = TO_BOTH | {
    "execute_chunk", "submit_job", "run_worker", "resume_job", "job_secret", "fetch_results",
    "fetch_console", "store_script", "run_script",
}  # fmt: skip
TO_ADMINS = TO_BOTH | {"configure"}
TO_OWNERS = {"uninstall"}  # of the database
OPEN_TO = {"sqlexec_user": TO_USERS, "sqlexec_admin": TO_ADMINS, "nobody": set()}
OBJECTS = (
    "SELECT o.name, RTRIM(o.type) AS type, p.name AS help FROM sys.objects AS o "
    "LEFT JOIN sys.parameters AS p ON p.object_id = o.object_id AND p.name = N'@help' "
    "WHERE o.schema_id = SCHEMA_ID(N'sqlexec') AND o.type IN ('P', 'U', 'V')"
)


@pytest.fixture(scope="module")
def objects(admin):
    """Name, type and whether there is @help, of all that the schema has."""
    return [(row.name, row.type, row.help is not None) for row in admin.rows(OBJECTS)]


@pytest.fixture(params=sorted(OPEN_TO))
def someone(request, connection_string, admin):
    """The role, or nobody, and a session of a new login in it."""
    name, password = f"one_{uuid.uuid4().hex[:8]}", f"Aa1!{uuid.uuid4().hex}"
    admin.run(f"CREATE LOGIN {name} WITH PASSWORD = '{password}'")
    admin.run(f"CREATE USER {name} FOR LOGIN {name}")
    if request.param != "nobody":
        admin.run(f"ALTER ROLE {request.param} ADD MEMBER {name}")
    database = Connection.of(connection_string).database
    login = in_database(connection_string, database, UID=name, PWD=password)
    session = pyodbc.connect(login, autocommit=True)
    yield request.param, session
    session.close()
    admin.run(f"DROP USER {name}")


def is_open(session, statement):
    """Whether a statement is not refused for want of a right; it may fail otherwise."""
    try:
        session.execute(statement).close()
    except pyodbc.Error as error:
        return number_of(error) != PERMISSION_DENIED
    return True


def harmless(name, type, has_help):
    """A statement that needs the right to use an object, and changes nothing."""
    if type == "P":
        return f"EXECUTE sqlexec.{name}{' @help = 1' if has_help else ''}"
    return f"SELECT 1 FROM sqlexec.{name}"


def test_each_object_is_open_to_its_roles_alone(someone, objects):
    who, session = someone
    found = {name for name, *kind in objects if is_open(session, harmless(name, *kind))}
    assert found == OPEN_TO[who]


def test_nobody_changes_the_tables(someone, objects):
    _, session = someone
    tables = [name for name, type, _ in objects if type == "U"]
    assert [name for name in tables if is_open(session, f"DELETE FROM sqlexec.{name}")] == []
    assert not is_open(session, "UPDATE sqlexec.setting SET setting_value = 0")


def test_every_procedure_that_someone_may_execute_has_help(objects):
    public = {name for name, type, has_help in objects if type == "P" and has_help}
    assert public | {"help", "activity", "history"} == TO_USERS | TO_ADMINS | TO_OWNERS
