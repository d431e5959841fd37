"""CREATE, ALTER, DROP end to end; the catalog and DuckDB stay in step."""

import pytest

from sqlexec.embedded.tsql.errors import SqlError
from tests.embedded.relational import Database


@pytest.fixture
def database():
    database = Database()
    yield database
    database.close()


def fails(database, text, number):
    with pytest.raises(SqlError) as caught:
        database.run(text)
    assert caught.value.number == number, caught.value
    return caught.value


def test_the_form_sqlalchemy_writes(database):
    database.run(
        "\nCREATE TABLE a (\n\tid INTEGER NOT NULL IDENTITY, \n\tname VARCHAR(30) NULL, \n\tb"
        " VARBINARY(max) NULL, \n\tbo BIT NULL, \n\tf FLOAT(53) NULL, \n\tPRIMARY KEY (id)\n)\n\n"
    )
    database.run("CREATE INDEX ix_a_name ON a (name)")
    database.run("\nCREATE TABLE c (\n\tid INTEGER NOT NULL, \n\taid INTEGER NULL, \n\tPRIMARY KEY"
                 " (id), \n\tFOREIGN KEY(aid) REFERENCES a (id)\n)\n\n")  # fmt: skip
    fails(database, "INSERT INTO c VALUES (1, 5)", 547)
    database.run("INSERT INTO a (name) VALUES ('x')")
    database.run("INSERT INTO c VALUES (1, 1)")
    fails(database, "DELETE FROM a", 547)
    rows = database.run(
        "SELECT name, is_unique, is_primary_key FROM sys.indexes WHERE index_id > 1"
    )
    assert rows == [("ix_a_name", False, False)]
    fails(database, "DROP TABLE a", 3726)
    database.run("DROP TABLE c")
    database.run("DROP TABLE a")
    assert database.run("SELECT COUNT(*) FROM sys.objects") == [(0,)]
    for table in ("columns", "indexes", "index_columns", "foreign_keys", "foreign_key_columns"):
        assert database.catalog.query(f'SELECT COUNT(*) FROM "$catalog".{table}', []) == [(0,)]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("CREATE TABLE t (a int)", 2714),
        ("CREATE TABLE nope.x (a int)", 2760),
        ("CREATE TABLE sys.x (a int)", 2760),
        ("CREATE TABLE x (a nothing)", 2715),
        ("CREATE TABLE x (a int, A int)", 2705),
        ("CREATE TABLE x (a int, b AS a + 1)", 40517),
        ("CREATE TABLE x (a int REFERENCES nope (a))", 1767),
        ("CREATE TABLE x (a int, CONSTRAINT pk PRIMARY KEY (b))", 1911),
        ("DROP TABLE nope", 3701),
        ("DROP VIEW t", 3701),
        ("DROP SCHEMA nope", 15151),
        ("DROP SCHEMA dbo", 15151),
        ("CREATE SCHEMA dbo", 2714),
        ("CREATE DATABASE MASTER", 1801),
        ("DROP DATABASE master", 3708),
        ("CREATE USER u FOR LOGIN nope", 15007),
        ("CREATE LOGIN sa WITH PASSWORD = 'x'", 15025),
        ("CREATE ROLE db_owner", 15023),
        ("GRANT SELECT ON nope TO public", 15151),
        ("GRANT SELECT ON t TO nope", 15151),
        ("ALTER ROLE nope ADD MEMBER guest", 15151),
        ("CREATE TRIGGER x ON t AFTER INSERT AS SELECT 1", 40517),
        ("ALTER TABLE t ADD b int NOT NULL", 4901),
        ("ALTER TABLE t DROP COLUMN a", 4923),
        ("ALTER TABLE t DROP CONSTRAINT nope", 3728),
    ],
)
def test_errors(database, text, number):
    database.run("CREATE TABLE t (a int)")
    database.run("INSERT INTO t VALUES (1)")
    objects = database.run("SELECT name FROM sys.objects")
    fails(database, text, number)
    assert database.run("SELECT name FROM sys.objects") == objects
    assert database.run("SELECT a FROM t") == [(1,)]


def test_if_exists(database):
    for kind in ("TABLE", "VIEW", "PROCEDURE", "SCHEMA", "DATABASE", "USER", "ROLE"):
        database.run(f"DROP {kind} IF EXISTS nope")


def test_alter_table_keeps_rows_ids_and_permissions(database):
    database.run("CREATE TABLE t (id int IDENTITY PRIMARY KEY, v varchar(3), w int)")
    database.run("INSERT INTO t (v, w) VALUES ('a', 1), ('b', 2)")
    database.run("GRANT SELECT ON t TO public")
    before = database.catalog.object_id(database.sa, "t")
    database.run("ALTER TABLE t ADD x int NULL, y datetime NOT NULL DEFAULT GETDATE()")
    database.run("ALTER TABLE t ALTER COLUMN v nvarchar(9) NOT NULL")
    database.run("ALTER TABLE t ADD CONSTRAINT ck CHECK (w > 0), CONSTRAINT uq UNIQUE (v)")
    database.run("ALTER TABLE t ADD CONSTRAINT df DEFAULT 7 FOR x")
    assert database.catalog.object_id(database.sa, "t") == before
    assert database.run(
        "SELECT COUNT(*) FROM sys.database_permissions WHERE major_id = " + str(before)
    ) == [(1,)]
    database.run("INSERT INTO t (v, w) VALUES (N'longer', 3)")
    assert database.run("SELECT id, v, x FROM t WHERE y IS NOT NULL ORDER BY id") == [
        (1, "a", None), (2, "b", None), (3, "longer", 7),
    ]  # fmt: skip
    fails(database, "INSERT INTO t (v, w) VALUES ('q', 0)", 547)
    fails(database, "INSERT INTO t (v, w) VALUES ('a', 1)", 2627)
    fails(database, "INSERT INTO t (w) VALUES (1)", 515)
    database.run("ALTER TABLE t DROP CONSTRAINT ck, uq")
    database.run("ALTER TABLE t DROP COLUMN w")
    database.run("INSERT INTO t (v) VALUES ('a')")
    names = database.run("SELECT name FROM sys.columns ORDER BY column_id")
    assert names == [("id",), ("v",), ("x",), ("y",)]


def test_indexes(database):
    database.run("CREATE TABLE t (a int, b int, c int)")
    database.run(
        "CREATE UNIQUE NONCLUSTERED INDEX ix ON dbo.t (a, b DESC) INCLUDE (c) WITH (FILLFACTOR = 80)"  # noqa: E501
    )
    database.run("INSERT INTO t VALUES (1, 1, 1)")
    assert "ix" in fails(database, "INSERT INTO t VALUES (1, 1, 2)", 2601).message
    rows = database.run("SELECT column_id, key_ordinal, is_descending_key, is_included_column"
                        " FROM sys.index_columns ORDER BY column_id")  # fmt: skip
    assert rows == [(1, 1, False, False), (2, 2, True, False), (3, 0, False, True)]
    fails(database, "CREATE INDEX ix ON t (a)", 1913)
    database.run("DROP INDEX ix ON t")
    database.run("INSERT INTO t VALUES (1, 1, 2)")
    fails(database, "CREATE UNIQUE INDEX ix ON t (a)", 1505)
    fails(database, "DROP INDEX ix ON t", 3701)


def test_views(database):
    database.run("CREATE TABLE t (a int, b varchar(5))")
    database.run("INSERT INTO t VALUES (1, 'x')")
    database.run("CREATE VIEW v (n, m) AS SELECT a, b + 'y' FROM t")
    database.run("CREATE VIEW w AS SELECT n * 2 AS twice FROM v")
    assert database.run("SELECT q.twice FROM w AS q") == [(2,)]
    database.run("CREATE OR ALTER VIEW v (n, m) AS SELECT a + 1, b FROM t")
    assert database.run("SELECT twice FROM w") == [(4,)]
    assert database.run("SELECT TABLE_NAME FROM INFORMATION_SCHEMA.VIEWS ORDER BY 1") == [
        ("v",),
        ("w",),
    ]
    database.run("DROP VIEW w, v")
    fails(database, "SELECT * FROM v", 208)


def test_schemas_and_their_owners(database):
    database.run("CREATE ROLE keeper")
    database.run("CREATE SCHEMA s AUTHORIZATION keeper")
    database.run("CREATE TABLE s.t (a int)")
    fails(database, "DROP SCHEMA s", 3729)
    fails(database, "DROP ROLE keeper", 15138)
    database.run("ALTER AUTHORIZATION ON SCHEMA::s TO dbo")
    database.run("DROP ROLE keeper")
    database.run("DROP TABLE s.t")
    database.run("DROP SCHEMA s")


def test_members(database):
    database.run("CREATE LOGIN ann WITH PASSWORD = N'p', CHECK_POLICY = OFF")
    database.run("CREATE USER ann")
    database.run("CREATE ROLE r")
    database.run("ALTER ROLE r ADD MEMBER ann")
    ann = database.login("ann", "p")
    assert database.catalog.is_member(ann, "r") is True
    assert database.catalog.is_member(ann, "db_owner") is False
    assert database.catalog.is_member(ann, "nope") is None
    fails(database, "DROP ROLE r", 15144)
    fails(database, "ALTER ROLE r ADD MEMBER r", 15413)
    fails(database, "DROP LOGIN ann", 15434)
    database.run("ALTER ROLE r DROP MEMBER ann")
    assert database.catalog.is_member(ann, "r") is False
    database.run("DROP ROLE r")
    database.run("ALTER SERVER ROLE sysadmin ADD MEMBER ann")
    assert database.catalog.authenticate("ann", "p").sysadmin


def test_databases(database):
    database.run("CREATE DATABASE [My Shop]")
    database.catalog.open_database(database.sa, "my shop")
    database.run("CREATE TABLE t (a int)")
    database.run("INSERT INTO [My Shop].dbo.t VALUES (1)")
    database.catalog.open_database(database.sa, "master")
    assert database.run("SELECT a FROM [my shop]..t") == [(1,)]
    assert database.run("SELECT name FROM [My Shop].sys.tables") == [("t",)]
    database.run("DROP DATABASE [My Shop]")
    fails(database, "SELECT a FROM [My Shop]..t", 208)
