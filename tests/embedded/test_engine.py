"""Engine: types, transactions, streams, interrupt, locks between connections."""

import threading
from types import SimpleNamespace

import duckdb
import pytest

from sqlexec.embedded.engine import Engine, arrow_type, duckdb_type, sql_type
from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.errors import SqlError

TYPES = ["bit", "tinyint", "smallint", "int", "bigint", "real", "float", "decimal(10,2)", "money",
         "date", "datetime", "smalldatetime", "datetimeoffset(7)", "uniqueidentifier"]  # fmt: skip


@pytest.fixture
def engine():
    engine = Engine()
    yield engine
    engine.close()


def session(number=51, timeout=-1.0):
    options = SimpleNamespace(lock_timeout=timeout)
    return SimpleNamespace(options=options, cancelled=threading.Event(), session_id=number)


@pytest.mark.parametrize("name", TYPES)
def test_a_type_survives_the_way_through_duckdb(engine, name):
    type = SqlType.parse(name)
    connection = engine.connect()
    connection.execute(f"SELECT CAST(NULL AS {duckdb_type(type)}) AS x")
    expected = SqlType.parse("decimal(19,4)") if name == "money" else type
    assert connection.types() == [("x", expected)]
    reader = connection.reader(f"SELECT CAST(NULL AS {duckdb_type(type)}) AS x")
    assert str(reader.schema.types[0]).replace("Etc/", "") == str(arrow_type(type))


def test_hugeint_leaves_as_decimal(engine):
    reader = engine.connect().reader("SELECT sum(i) AS s FROM range(3) t(i)")
    assert str(reader.schema.types[0]) == "decimal128(38, 0)"
    assert sql_type("HUGEINT") == SqlType("decimal", None, 38, 0)


def test_an_unread_stream_does_not_block_the_next_statement(engine):
    connection = engine.connect()
    reader = connection.reader("SELECT * FROM range(10000000)")
    assert reader.read_next_batch().num_rows > 0
    assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_files_are_out_of_reach(engine):
    with pytest.raises(duckdb.Error):
        engine.connect().execute("SELECT * FROM read_text('/etc/passwd')")


def test_rollback_takes_changes_back(engine):
    one, two = engine.connect(), engine.connect()
    one.execute("CREATE TABLE t (a INTEGER)")
    one.begin()
    one.execute("INSERT INTO t VALUES (1)")
    assert two.execute("SELECT * FROM t").fetchall() == []
    one.rollback()
    assert one.execute("SELECT * FROM t").fetchall() == []


def test_interrupt_from_another_thread(engine):
    connection = engine.connect()
    timer = threading.Timer(0.1, connection.interrupt)
    timer.start()
    with pytest.raises(duckdb.InterruptException):
        connection.execute("SELECT count(*) FROM range(10000000000) a, range(10000) b").fetchall()
    timer.join()


def test_a_writer_waits_for_the_lock(engine):
    one, two = engine.connect(), engine.connect()
    one.begin()
    one.lock("t", session(51))
    done = threading.Event()

    def wait():
        two.lock("T", session(52))
        done.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not done.wait(0.05)
    one.rollback()
    assert done.wait(10)
    thread.join()
    two.release_locks()


def test_shared_locks_live_side_by_side(engine):
    one, two = engine.connect(), engine.connect()
    one.lock("t", session(51), exclusive=False)
    two.lock("t", session(52, timeout=0), exclusive=False)
    with pytest.raises(SqlError) as caught:
        two.lock("t", session(52, timeout=0))
    assert caught.value.number == 1222


def test_the_one_who_closes_the_circle_is_the_victim(engine):
    one, two = engine.connect(), engine.connect()
    one.lock("a", session(51))
    two.lock("b", session(52))
    waiter = threading.Thread(target=lambda: one.lock("b", session(51)))
    waiter.start()
    while not engine.locks._waiting:
        pass
    with pytest.raises(SqlError) as caught:
        two.lock("a", session(52))
    assert caught.value.number == 1205
    two.rollback()
    waiter.join(10)
    assert not waiter.is_alive()


def test_a_cancelled_waiter_gives_up(engine):
    one, two = engine.connect(), engine.connect()
    one.lock("t", session(51))
    waiting = session(52)
    waiting.cancelled.set()
    with pytest.raises(SqlError) as caught:
        two.lock("t", waiting)
    assert caught.value.number == 3621
