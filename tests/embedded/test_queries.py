"""SELECT, INSERT, UPDATE, DELETE end to end over a real engine."""

import threading
from decimal import Decimal

import pytest

from sqlexec.embedded.results import Column, ResultSet
from sqlexec.embedded.sqltypes import MAX, SqlType
from sqlexec.embedded.tsql.definitions import definitions
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.queries import queries, writing
from sqlexec.embedded.tsql.state import Frame, Variable
from tests.embedded.relational import Database


@pytest.fixture
def database():
    database = Database()
    database.run(
        "CREATE TABLE t (id int IDENTITY(10, 5) PRIMARY KEY, name varchar(5), price money NOT NULL"
        " DEFAULT 1, CONSTRAINT positive CHECK (price > 0), CONSTRAINT one_name UNIQUE (name))"
    )
    database.run("INSERT INTO t (name, price) VALUES ('a', 1), ('b', 2.5), (NULL, 3)")
    yield database
    database.close()


def fails(database, text, number, session=None):
    with pytest.raises(SqlError) as caught:
        database.run(text, session)
    assert caught.value.number == number, caught.value
    return caught.value


def test_declared_types_stay(database):
    assert database.columns("SELECT t.*, name + 'x' AS y, COUNT(*) OVER () FROM t") == [
        ("id", "int"), ("name", "varchar(5)"), ("price", "money"), ("y", "varchar(6)"), ("", "int"),
    ]  # fmt: skip


def test_null_sorts_first(database):
    rows = database.run("SELECT name FROM t ORDER BY name")
    assert rows == [(None,), ("a",), ("b",)]
    assert database.run("SELECT name FROM t ORDER BY name DESC")[-1] == (None,)


def test_identity(database):
    assert database.run("SELECT id FROM t ORDER BY id") == [(10,), (15,), (20,)]
    assert database.run("INSERT INTO t (name) OUTPUT inserted.id, inserted.price VALUES ('x')") == [
        (25, Decimal("1.0000"))
    ]
    assert database.sa.last_identity == 25
    fails(database, "INSERT INTO t (id, name) VALUES (1, 'q')", 544)
    database.sa.options.identity_insert = "master.dbo.t"
    database.run("INSERT INTO t (id, name) VALUES (100, 'q')")
    database.sa.options.identity_insert = ""
    database.run("INSERT INTO t (name) VALUES ('r')")
    assert database.sa.last_identity == 105


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("INSERT INTO t (name) VALUES ('toolong')", 2628),
        ("INSERT INTO t (name) VALUES ('a')", 2627),
        ("UPDATE t SET name = 'b' WHERE name = 'a'", 2627),
        ("INSERT INTO t (price) VALUES (NULL)", 515),
        ("INSERT INTO t (price) VALUES (-1)", 547),
        ("INSERT INTO t (name, nope) VALUES (1, 2)", 207),
        ("INSERT INTO t (name, price) VALUES ('a')", 109),
        ("INSERT INTO t (name) SELECT 'a', 1", 121),
        ("INSERT INTO nope VALUES (1)", 208),
        ("UPDATE t SET id = 1", 8102),
        ("UPDATE t SET price = 'abc'", 8114),
        ("DELETE FROM nope", 208),
        ("INSERT INTO @nope VALUES (1)", 1087),
        ("SELECT * FROM #nope", 208),
        ("MERGE INTO t USING t AS u ON 1 = 1 WHEN MATCHED THEN DELETE;", 40517),
    ],
)
def test_errors(database, text, number):
    before = database.run("SELECT * FROM t")
    fails(database, text, number)
    assert database.run("SELECT * FROM t") == before


def test_errors_name_what_they_are_about(database):
    error = fails(database, "INSERT INTO t (price) VALUES (-1)", 547)
    assert '"positive"' in error.message
    error = fails(database, "INSERT INTO t (name) VALUES ('a')", 2627)
    assert "one_name" in error.message
    assert "'name'" in fails(database, "INSERT INTO t (name) VALUES ('toolong')", 2628).message


def test_the_line_of_a_syntax_error_is_counted_in_the_batch(database):
    with pytest.raises(SqlError) as caught:
        queries.run(database.sa, "SELECT *\nFROM t\nWHERE (id = 1", 5)
    assert (caught.value.number, caught.value.line) == (102, 7)


def test_update_forms(database):
    assert database.run("UPDATE t SET price += 1 WHERE name = 'a'") == 1
    assert database.run("SELECT price FROM t WHERE name = 'a'") == [(Decimal("2.0000"),)]
    text = "UPDATE x SET x.price = y.price * 10 FROM t AS x JOIN t AS y ON y.id = x.id + 5"
    assert database.run(text) == 2
    prices = database.run("SELECT price FROM t ORDER BY id")
    assert prices == [(Decimal("25.0000"),), (Decimal("30.0000"),), (Decimal("3.0000"),)]
    text = "UPDATE TOP (1) t SET name = 'z' OUTPUT deleted.name, inserted.name AS new WHERE id = 10"
    assert database.run(text) == [("a", "z")]
    variable = database.variable("@seen", "int")
    assert database.run("UPDATE t SET @seen = id, name = 'w' WHERE id = 15") == 1
    assert variable.value == 15


def test_delete_forms(database):
    assert database.run("DELETE FROM t OUTPUT deleted.id, deleted.name WHERE id = 10") == [
        (10, "a")
    ]
    text = "DELETE x FROM t AS x JOIN (SELECT 15 AS id) AS y ON y.id = x.id"
    assert database.run(text) == 1
    assert database.run("DELETE TOP (1) FROM t") == 1
    assert database.run("SELECT COUNT(*) FROM t") == [(0,)]


def test_truncate_numbers_anew(database):
    assert database.run("TRUNCATE TABLE t") is None
    assert database.run("INSERT INTO t (name) OUTPUT inserted.id VALUES ('n')") == [(10,)]


def test_select_into_and_temporary_tables(database):
    assert database.run("SELECT id, name, price * 2 AS twice INTO #x FROM t WHERE id < 20") == 2
    assert database.columns("SELECT * FROM #x")[1] == ("name", "varchar(5)")
    database.run("INSERT INTO #x (id, name) SELECT 1, N'n'")
    assert database.run("SELECT COUNT(*) FROM #x") == [(3,)]
    fails(database, "SELECT 1 FROM #x", 208, database.login("sa", "secret"))
    database.run("DROP TABLE #x")
    fails(database, "SELECT 1 FROM #x", 208)
    fails(database, "SELECT id, price * 2 INTO #y FROM t", 1038)


def test_table_variables_and_output_into(database):
    table = definitions.create_table_variable(database.sa, "(id int, name varchar(5))")
    database.sa.frame.tables["@t"] = table
    database.run("INSERT INTO t (name) OUTPUT inserted.id, inserted.name INTO @t VALUES ('m')")
    assert database.run("SELECT id, name FROM @t AS q") == [(25, "m")]
    database.run("DELETE FROM t OUTPUT deleted.id INTO @t (id) WHERE id = 10")
    assert database.run("SELECT COUNT(*) FROM @t") == [(2,)]
    assert database.run("SELECT t.name FROM t JOIN @t AS v ON v.id = t.id") == [("m",)]
    definitions.drop_table_variable(database.sa, table)


def test_assignment(database):
    total, last = database.variable("@total", "int"), database.variable("@last", "varchar(3)")
    database.run("SELECT @total = COUNT(*), @last = MAX(name) FROM t")
    assert (total.value, last.value) == (3, "b")
    database.run("SELECT @total = id FROM t WHERE 1 = 0")
    assert total.value == 3
    fails(database, "SELECT @total = 1, id FROM t", 141)


def test_accumulation_over_rows(database):
    names = database.variable("@names", "nvarchar(max)")
    database.run(
        "SELECT @names = COALESCE(@names + N',', '') + name FROM t WHERE name > '' ORDER BY id"
    )
    assert names.value == "a,b"


def test_plans_are_kept_and_follow_changes(database):
    database.variable("@n", "int", 10)
    text = "SELECT name FROM t WHERE id = @n"
    assert database.run(text) == [("a",)]
    plans = len(database.engine.plans)
    database.sa.frame.variables["@n"].value = 15
    assert database.run(text) == [("b",)]
    assert len(database.engine.plans) == plans
    database.run("ALTER TABLE t DROP CONSTRAINT one_name")
    database.run("ALTER TABLE t ALTER COLUMN name nvarchar(9)")
    assert database.columns(text) == [("name", "nvarchar(9)")]


def test_text_of_open_length_is_measured(database):
    assert database.columns("SELECT REPLACE(name, 'a', 'b') FROM t")[0][1] == "nvarchar(4000)"
    assert database.columns("SELECT REPLICATE('x', 5000)")[0][1] == "nvarchar(max)"
    assert database.columns("SELECT CAST('x' AS nvarchar(max))")[0][1] == "nvarchar(max)"


def test_errors_in_the_middle_of_a_stream(database):
    outcome = queries.run(
        database.sa, "SELECT 1 / (value - 400000) FROM GENERATE_SERIES(1, 500000)"
    )
    with pytest.raises(SqlError) as caught:
        list(outcome.result.batches)
    assert caught.value.number == 8134
    assert database.sa.on_cancel == []


def test_cancel_interrupts_a_query(database):
    timer = threading.Timer(0.2, database.sa.cancel)
    timer.start()
    text = "SELECT COUNT(*) FROM GENERATE_SERIES(1, 100000) a, GENERATE_SERIES(1, 10000000) b"
    fails(database, text, 3621)
    timer.join()


def test_evaluate(database):
    assert queries.evaluate(database.sa, "(SELECT MAX(id) FROM t)") == (20, SqlType("int"))
    assert queries.evaluate(database.sa, "EXISTS (SELECT 1 FROM t)")[0] is True
    assert queries.evaluate(database.sa, "(SELECT id FROM t WHERE 1 = 0)")[0] is None


def test_open_reader(database):
    variables = {"@least": Variable(SqlType("int"), 15)}
    text = "SELECT id, name FROM t WHERE id >= @least ORDER BY id"
    columns, reader = queries.open_reader(database.sa, text, variables)
    assert columns == [
        Column("id", SqlType("int"), False), Column("name", SqlType("varchar", 5), True),
    ]  # fmt: skip
    assert reader.read_all().to_pydict() == {"id": [15, 20], "name": ["b", None]}
    for text in ("DELETE FROM t", "SELECT 1 AS a INTO #x", "EXEC p"):
        with pytest.raises(SqlError) as caught:
            queries.open_reader(database.sa, text)
        assert caught.value.number == 39001


def test_insert_rows(database):
    result = ResultSet([Column("a", SqlType.parse("nvarchar(5)")), Column("b", SqlType("int"))],
                       rows=[("x", 5), ("y", 6)])  # fmt: skip
    assert writing.insert_rows(database.sa, "INTO t (name, price)", [result]) == 2
    assert database.run("SELECT name, price FROM t WHERE price > 4 ORDER BY name") == [
        ("x", Decimal("5.0000")), ("y", Decimal("6.0000")),
    ]  # fmt: skip


def test_two_writers_of_one_table(database):
    other = database.login("sa", "secret")
    database.sa.connection.begin()
    database.run("UPDATE t SET price = 9 WHERE id = 10")
    done = threading.Event()

    def update():
        database.run("UPDATE t SET price = price + 1 WHERE id = 10", other)
        done.set()

    thread = threading.Thread(target=update)
    thread.start()
    assert not done.wait(0.1)
    assert database.run("SELECT price FROM t WHERE id = 10", database.login("sa", "secret")) == [
        (Decimal("1.0000"),)
    ]
    database.sa.connection.commit()
    assert done.wait(10)
    thread.join()
    assert database.run("SELECT price FROM t WHERE id = 10") == [(Decimal("10.0000"),)]


def test_two_transactions_insert_and_update_their_own_rows(database):
    """What the bundle's log does: a lock of the whole table would make chunks wait in line."""
    other = database.login("sa", "secret")
    for session, name in ((database.sa, "p"), (other, "q")):
        session.connection.begin()
        database.run(f"INSERT INTO t (name) VALUES ('{name}')", session)
    for session, name in ((database.sa, "p"), (other, "q")):
        assert database.run(f"UPDATE t SET price = 7 WHERE name = '{name}'", session) == 1
    for session in (database.sa, other):
        session.connection.commit()
    assert database.run("SELECT COUNT(*) FROM t WHERE price = 7") == [(2,)]


def test_a_timeout_while_waiting(database):
    other = database.login("sa", "secret")
    other.options.lock_timeout = 0.0
    database.sa.connection.begin()
    database.run("DELETE FROM t WHERE id = 10")
    fails(database, "UPDATE t SET price = 2", 1222, other)
    database.sa.connection.rollback()
    assert database.run("UPDATE t SET price = 2", other) == 3


def test_long_values_on_their_way_into_a_table(database):
    database.run(
        "CREATE TABLE long (id int NOT NULL, a varbinary(max), b nvarchar(9), c varbinary(max))"
    )
    long, longer = bytes(range(256)) * 5000, memoryview(b"x" * 3_000_000)
    variables = {
        "@id": Variable(SqlType("int"), 7),
        "@a": Variable(SqlType("varbinary", MAX), long),
        "@c": Variable(SqlType("varbinary", MAX), longer),
    }
    database.sa.frames.append(Frame(variables=variables))
    for statement in (
        "INSERT INTO long (c, id, a, b) VALUES (@c, @id + 1, @a, N'$1 ''$2')",
        "INSERT INTO long (id, a) VALUES (@id, @a), (@id, NULL)",
        "INSERT INTO long (id, c) SELECT @id, @c",
    ):
        database.run(statement)
    database.sa.frames.pop()
    assert database.run("SELECT id, a, b, c FROM long") == [
        (8, long, "$1 '$2", bytes(longer)),
        (7, long, None, None),
        (7, None, None, None),
        (7, None, None, bytes(longer)),
    ]
