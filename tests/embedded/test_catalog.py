"""Catalog: logins, databases, permissions, procedures, system views, persistence."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sqlexec.embedded.catalog.modules import read_parameters
from sqlexec.embedded.catalog.snapshot import load
from sqlexec.embedded.catalog.types import describe
from sqlexec.embedded.catalog.view_texts import VIEWS
from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.syntax.names import split_name, three_parts
from tests.embedded.relational import Database


@pytest.fixture
def database():
    database = Database()
    yield database
    database.close()


def number(call, *arguments, **named):
    with pytest.raises(SqlError) as caught:
        call(*arguments, **named)
    return caught.value.number


@pytest.fixture
def user(database):
    """Login ann, user ann in Shop, without any permission but CONNECT."""
    database.run("CREATE DATABASE Shop")
    database.run("CREATE LOGIN ann WITH PASSWORD = 'pw', DEFAULT_DATABASE = Shop")
    database.catalog.open_database(database.sa, "Shop")
    database.run("CREATE USER ann FOR LOGIN ann")
    database.run("CREATE TABLE t (a int)")
    database.run("INSERT INTO t VALUES (1)")
    return database.login("ann", "pw", "Shop")


def test_authenticate(database):
    assert database.catalog.authenticate("SA", "secret").sysadmin
    assert number(database.catalog.authenticate, "sa", "wrong") == 18456
    assert number(database.catalog.authenticate, "nobody", "secret") == 18456
    assert number(database.catalog.authenticate, "sysadmin", "") == 18456


def test_a_disabled_login_is_refused(database):
    database.run("CREATE LOGIN ann WITH PASSWORD = 'pw'")
    database.catalog.authenticate("ann", "pw")
    database.run("ALTER LOGIN ann DISABLE")
    assert number(database.catalog.authenticate, "ann", "pw") == 18456


def test_passwords_are_not_stored(database):
    rows = database.catalog.query('SELECT password_hash FROM "$catalog".server_principals', [])
    assert "secret" not in str(rows)


def test_open_database(database, user):
    open_database = database.catalog.open_database
    assert number(open_database, database.sa, "nope") == 911
    assert number(open_database, user.principal, "nope", login=True) == 4060
    database.run("CREATE DATABASE Other")
    assert number(open_database, user, "Other") == 916
    assert user.database == "Shop"
    assert open_database(user, "master").user == "guest"


@pytest.mark.parametrize(
    ("grants", "allowed"),
    [
        ([], False),
        (["GRANT SELECT ON t TO ann"], True),
        (["GRANT SELECT ON SCHEMA::dbo TO ann"], True),
        (["GRANT SELECT TO ann"], True),
        (["GRANT SELECT ON t TO public"], True),
        (["GRANT CONTROL ON SCHEMA::dbo TO ann"], True),
        (["GRANT SELECT ON t TO ann", "DENY SELECT ON SCHEMA::dbo TO public"], False),
        (["GRANT SELECT ON t TO ann", "REVOKE SELECT ON t FROM ann"], False),
        (["CREATE ROLE r", "CREATE ROLE q", "GRANT SELECT ON t TO r", "ALTER ROLE r ADD MEMBER q",
          "ALTER ROLE q ADD MEMBER ann"], True),
        (["ALTER ROLE db_datareader ADD MEMBER ann"], True),
        (["ALTER ROLE db_owner ADD MEMBER ann"], True),
        (["ALTER ROLE db_datareader ADD MEMBER ann",
          "ALTER ROLE db_denydatareader ADD MEMBER ann"], False),
    ],
)  # fmt: skip
def test_select_needs_a_permission(database, user, grants, allowed):
    for grant in grants:
        database.run(grant)
    if allowed:
        assert database.run("SELECT a FROM t", user) == [(1,)]
        return
    with pytest.raises(SqlError) as caught:
        database.run("SELECT a FROM t", user)
    assert caught.value.number == 229
    assert caught.value.message == (
        "The SELECT permission was denied on the object 't', database 'Shop', schema 'dbo'."
    )


def test_writes_need_their_own_permissions(database, user):
    database.run("GRANT SELECT ON t TO ann")
    for text in ("INSERT INTO t VALUES (2)", "UPDATE t SET a = 2", "DELETE FROM t"):
        assert number(database.run, text, user) == 229
    database.run("GRANT INSERT, UPDATE ON OBJECT::dbo.t TO ann")
    assert database.run("INSERT INTO t VALUES (2)", user) == 1
    assert database.run("UPDATE t SET a = 3 WHERE a = 2", user) == 1


def test_definitions_need_permissions(database, user):
    assert number(database.run, "CREATE TABLE x (a int)", user) == 262
    assert number(database.run, "CREATE LOGIN bob WITH PASSWORD = 'x'", user) == 15247
    assert number(database.run, "DROP TABLE t", user) == 3701
    assert number(database.run, "GRANT SELECT ON t TO ann", user) == 15151
    database.run("ALTER ROLE db_ddladmin ADD MEMBER ann")
    database.run("CREATE TABLE x (a int)", user)


def test_views_chain_ownership(database, user):
    database.run("CREATE VIEW v AS SELECT a FROM t")
    database.run("GRANT SELECT ON v TO ann")
    assert database.run("SELECT * FROM v", user) == [(1,)]
    assert number(database.run, "SELECT * FROM t", user) == 229


def test_procedures(database):
    catalog, sa = database.catalog, database.sa
    made = catalog.create_procedure(sa, None, None, "p", "CREATE PROCEDURE p @a int AS SELECT 1")
    assert catalog.find_procedure(sa, None, "dbo", "P") == made
    assert catalog.find_procedure(sa, "tempdb", None, "p") is None
    assert number(catalog.create_procedure, sa, None, None, "p", "x") == 2714
    assert number(catalog.create_procedure, sa, None, None, "q", "x", "ALTER") == 208
    assert number(catalog.create_procedure, sa, None, "nope", "q", "x") == 2760
    text = "ALTER PROCEDURE p @a int, @b varchar(5) = 'x' OUTPUT AS SELECT 2"
    again = catalog.create_procedure(sa, None, None, "p", text, "ALTER")
    assert (again.object_id, again.definition) == (made.object_id, text)
    rows = database.run("SELECT name, is_output, has_default_value, max_length FROM sys.parameters")
    assert rows == [("@a", False, False, 4), ("@b", True, True, 5)]
    database.run("DROP PROCEDURE p")
    assert catalog.object_id(sa, "dbo.p") is None


def test_a_rolled_back_definition_is_gone(database):
    sa, other = database.sa, database.login("sa", "secret")
    sa.connection.begin()
    database.run("CREATE TABLE t (a int)")
    assert database.catalog.object_id(sa, "t") is not None
    assert database.catalog.object_id(other, "t") is None
    sa.connection.rollback()
    assert database.catalog.object_id(sa, "t") is None
    database.run("CREATE TABLE t (a int)")
    assert database.catalog.object_id(other, "t", "U") is not None


def test_persistence(tmp_path):
    first = Database(tmp_path / "x.duckdb")
    first.run("CREATE DATABASE Shop")
    first.catalog.open_database(first.sa, "Shop")
    first.run("CREATE TABLE t (id int IDENTITY PRIMARY KEY, d varchar(9) DEFAULT SUSER_SNAME())")
    first.run("INSERT INTO t DEFAULT VALUES")
    first.run("CREATE LOGIN ann WITH PASSWORD = 'pw'")
    first.close()
    second = Database(tmp_path / "x.duckdb")
    second.catalog.open_database(second.sa, "Shop")
    second.run("INSERT INTO t DEFAULT VALUES")
    assert second.run("SELECT id, d FROM t ORDER BY id") == [(1, "sa"), (2, "sa")]
    assert second.catalog.authenticate("ann", "pw").login == "ann"
    second.run("CREATE TABLE u (a int)")
    ids = second.run("SELECT object_id FROM sys.objects")
    assert len(ids) == len(set(ids))
    second.close()


@pytest.fixture(scope="module")
def two_tables():
    database = Database()
    database.run("CREATE TABLE t (id int PRIMARY KEY, n decimal(9,2) CHECK (n > 0) DEFAULT 1)")
    database.run("CREATE TABLE u (id int UNIQUE, tid int REFERENCES t (id))")
    yield database
    database.close()


@pytest.mark.parametrize("view", sorted(VIEWS))
def test_every_system_view_can_be_read(two_tables, view):
    two_tables.run(f"SELECT * FROM {view}")


def test_names():
    assert three_parts("[a b].c") == (None, "a b", "c")
    assert split_name("tempdb..#x") == ("tempdb", "", "#x")
    assert split_name("db..[p]]q]") == ("db", "", "p]q")
    with pytest.raises(SqlError):
        split_name("a; DROP TABLE b")


@pytest.mark.parametrize(
    ("type", "length", "precision", "scale"),
    [("nvarchar(50)", 100, 0, 0), ("varchar(max)", -1, 0, 0), ("decimal(10,2)", 9, 10, 2),
     ("datetime2(0)", 6, 19, 0), ("datetime2(7)", 8, 27, 7), ("int", 4, 10, 0)],
)  # fmt: skip
def test_described_types(type, length, precision, scale):
    found = describe(SqlType.parse(type))
    assert (found["max_length"], found["precision"], found["scale"]) == (length, precision, scale)


def test_parameters_of_a_definition():
    text = (
        "CREATE PROC [s].[p] (@a AS decimal(10, 2), @b varbinary(max) = NULL OUT) WITH RECOMPILE AS"
    )
    found = [(p.name, str(p.type), p.output, p.has_default) for p in read_parameters(text)]
    assert found == [
        ("@a", "decimal(10,2)", False, False), ("@b", "varbinary(max)", True, True),
    ]  # fmt: skip
    assert read_parameters("CREATE PROCEDURE p AS DECLARE @x int = 1") == []


def test_databases_made_at_the_same_time_are_apart(database):
    names = [f"d{n}" for n in range(4)]
    sessions = [database.login("sa", "secret") for _ in names]
    together = threading.Barrier(len(names))

    def create(session, name):
        together.wait()
        database.run(f"CREATE DATABASE {name}", session)

    with ThreadPoolExecutor() as pool:
        list(pool.map(create, sessions, names))
    images = database.catalog.snapshot().databases
    assert len({images[name].id for name in names}) == len(names)
    for name in names:
        assert "dbo" in images[name].principals


CHANGES = (
    "CREATE SCHEMA stock",
    "CREATE TABLE stock.box (id int IDENTITY PRIMARY KEY, name nvarchar(9) DEFAULT 'x')",
    "GRANT SELECT, INSERT ON stock.box TO ann",
    "CREATE INDEX by_name ON stock.box (name)",
    "CREATE VIEW stock.names AS SELECT name FROM stock.box",
    "DENY INSERT ON stock.box TO ann",
    "CREATE ROLE packers",
    "ALTER ROLE packers ADD MEMBER ann",
    "ALTER TABLE stock.box ADD weight float NULL",
    "REVOKE SELECT ON stock.box FROM ann",
    "ALTER AUTHORIZATION ON SCHEMA::stock TO ann",
    "CREATE LOGIN bob WITH PASSWORD = 'pw'",
    "ALTER SERVER ROLE sysadmin ADD MEMBER bob",
    "GRANT VIEW SERVER STATE TO bob",
    "ALTER USER ann WITH NAME = anna",
    "DROP VIEW stock.names",
    "DROP TABLE stock.box",
    "DROP SCHEMA stock",
)


def test_a_transaction_sees_all_its_changes_of_the_catalog(database, user):
    """What it reads again after each, and keeps of before, makes the whole catalog."""
    connection, catalog = database.sa.connection, database.catalog
    with connection.transaction():
        for statement in CHANGES:
            before, others = catalog.snapshot(database.sa), catalog.snapshot(user)
            database.run(statement)
            seen = catalog.snapshot(database.sa)
            assert seen.generation != before.generation
            assert seen == load(connection, seen.generation), statement
            assert catalog.snapshot(user) is others


def test_all_see_what_was_committed_to_the_catalog(database, user):
    catalog = database.catalog
    for statement in CHANGES:
        before = catalog.snapshot(user)
        database.run(statement)
        seen = catalog.snapshot(user)
        assert seen.generation != before.generation
        assert seen == load(user.connection, seen.generation), statement
