"""Algorithms over tables inside the server: each row once, the same answer for all workers."""

from __future__ import annotations

import datetime as dt
import os
import threading
from decimal import Decimal
from uuid import UUID

import numpy
import pytest

from sqlexec import (
    PemaBase,
    RxForeachDoPar,
    RxLocalParallel,
    RxLocalSeq,
    RxSqlServerData,
    pema_compute,
)
from sqlexec.data.literals import literal
from sqlexec.data.slices import slices_of
from sqlexec.errors import ConfigurationError, ServerError, SqlExecError
from sqlexec.server.connection import Connection
from sqlexec.server.session import Session


class Seen(PemaBase):
    """Which rows were seen, in which chunks and processes, and a sum that rounds."""

    def initialize(self, column="id"):
        self.column = column
        self.values, self.chunks, self.processes, self.sum = [], [], [], 0.0

    def process_data(self, chunk):
        self.values = chunk[self.column].tolist()
        self.chunks = [len(chunk)]
        self.processes = [os.getpid()]
        self.sum = float((chunk["delay"].fillna(0) / 3).sum())

    def update_results(self, other):
        self.values += other.values
        self.chunks += other.chunks
        self.processes += other.processes
        self.sum += other.sum


@pytest.fixture(scope="module")
def keyed(execute, flights):
    """The flights with a primary key."""
    execute("DROP TABLE IF EXISTS dbo.test_keyed")
    execute(
        "CREATE TABLE dbo.test_keyed (id int NOT NULL PRIMARY KEY, delay float NULL, "
        "carrier nvarchar(10) NULL)"
    )
    execute(f"INSERT INTO dbo.test_keyed SELECT id, delay, carrier FROM {flights}")
    yield "dbo.test_keyed"
    execute("DROP TABLE dbo.test_keyed")


def sources(flights, keyed):
    """(source, key) of each kind."""
    nullable = f"SELECT id, delay, NULLIF(day, 0) AS day, carrier FROM {flights}"
    return [
        (RxSqlServerData(table=keyed, rows_per_read=150), None),
        (RxSqlServerData(sql_query=f"SELECT * FROM {flights};", rows_per_read=150), None),
        (RxSqlServerData(sql_query=nullable, rows_per_read=200), "day"),
        (RxSqlServerData(sql_query=f"SELECT * FROM {flights} -- all", rows_per_read=150), "delay"),
    ]


@pytest.mark.parametrize("place", range(4), ids=["primary key", "checksum", "day", "delay"])
def test_each_row_once(cc, flights, keyed, place):
    source, key = sources(flights, keyed)[place]
    found = pema_compute(Seen(), source, compute_context=cc, key=key)
    assert sorted(found.values) == list(range(1000))
    assert max(found.chunks) <= source.rows_per_read
    assert 1000 / source.rows_per_read < len(found.chunks) < 2 * 1000 / source.rows_per_read + 1
    assert len(set(found.processes)) == len(found.chunks)
    assert os.getpid() not in found.processes


def test_the_same_for_any_number_of_workers(cc, keyed):
    source = RxSqlServerData(table=keyed, rows_per_read=150)
    one = pema_compute(Seen(), source, compute_context=cc.replace(num_tasks=1))
    three = pema_compute(Seen(), source, compute_context=cc.replace(num_tasks=3))
    assert one.values == three.values == list(range(1000))
    assert one.sum == three.sum  # to the last bit


@pytest.mark.parametrize("here", [RxLocalSeq(), RxLocalParallel(2), RxForeachDoPar("loky", 2)])
def test_the_same_here(cc, connection_string, keyed, here):
    source = RxSqlServerData(connection_string, table=keyed, rows_per_read=150)
    found = pema_compute(Seen(), source, compute_context=here)
    there = pema_compute(Seen(), source, compute_context=cc)
    assert found.values == there.values
    assert found.sum == pytest.approx(there.sum, rel=1e-12)
    if isinstance(here, RxLocalSeq):
        assert found.chunks == [150] * 6 + [100]
        assert set(found.processes) == {os.getpid()}
    else:
        assert found.chunks == there.chunks
        assert found.sum == there.sum
        assert os.getpid() not in found.processes


def test_no_rows(cc, keyed):
    source = RxSqlServerData(sql_query=f"SELECT * FROM {keyed} WHERE id < 0")
    assert pema_compute(Seen(), source, compute_context=cc).values == []


class Meanwhile(Seen):
    """Another user deletes a row, after the rows were counted."""

    def initialize(self, other_user):
        super().initialize()
        self.other_user = other_user

    def init_iteration(self):
        session = Session(Connection.of(self.other_user))
        session.execute("DELETE FROM dbo.test_changing WHERE id = 500")
        session.close()


class Scored(Seen):
    """Returns rows for out_data."""

    def process_data(self, chunk):
        super().process_data(chunk)
        return chunk.assign(late=chunk["delay"] > 200)[["id", "late"]] if self.values[0] else None


@pytest.mark.parametrize("server", [True, False], ids=["server", "here"])
def test_rows_that_are_written(cc, keyed, execute, connection_string, server):
    context = cc if server else RxLocalSeq()
    source = RxSqlServerData(connection_string, table=keyed, rows_per_read=320)
    target = RxSqlServerData(connection_string, table="dbo.test_scored")
    counted = "SELECT COUNT(*), SUM(CAST(late AS int)) FROM dbo.test_scored"
    execute("DROP TABLE IF EXISTS dbo.test_scored")
    try:
        pema_compute(Scored(), source, target, compute_context=context)
        assert execute(counted) == [(680, 180)]
        with pytest.raises(ConfigurationError, match="exists"):
            pema_compute(Scored(), source, target, compute_context=context)
        pema_compute(Scored(), source, target, append="rows", compute_context=context)
        assert execute(counted) == [(2 * 680, 2 * 180)]
        pema_compute(Scored(), source, target, overwrite=True, compute_context=context)
        assert execute(counted) == [(680, 180)]
    finally:
        execute("DROP TABLE IF EXISTS dbo.test_scored")


def test_the_table_that_is_read_is_not_written(cc, keyed, execute):
    table = RxSqlServerData(table=keyed, rows_per_read=150)
    query = RxSqlServerData(sql_query="SELECT * FROM [DBO].[TEST_KEYED] WHERE id > 5")
    for source, how in ((table, {"overwrite": True}), (query, {"append": "rows"})):
        with pytest.raises(ConfigurationError, match="cannot be written while it is read"):
            pema_compute(Scored(), source, table, compute_context=cc, **how)
    assert execute(f"SELECT COUNT(*) FROM {keyed}") == [(1000,)]


class Wrong(Seen):
    def process_data(self, chunk):
        return len(chunk)


class Unsendable(Seen):
    def process_data(self, chunk):
        super().process_data(chunk)
        return threading.Lock()


def test_rows_that_nobody_wants_stay_there(cc, keyed):
    found = pema_compute(Unsendable(), RxSqlServerData(table=keyed), compute_context=cc)
    assert found.chunks == [1000]


def test_what_cannot_be_written(cc, keyed):
    source, target = RxSqlServerData(table=keyed), RxSqlServerData(table="dbo.test_scored")
    with pytest.raises(ConfigurationError, match="must return a DataFrame"):
        pema_compute(Wrong(), source, target, compute_context=cc)


def test_rows_that_come_and_go_are_noticed(cc, keyed, execute):
    execute(f"SELECT * INTO dbo.test_changing FROM {keyed}")
    try:
        source = RxSqlServerData(table="dbo.test_changing", rows_per_read=600)
        algorithm = Meanwhile(other_user=cc.connection_string)
        with pytest.raises(SqlExecError, match="the table is being changed"):
            pema_compute(algorithm, source, compute_context=cc, key="id")
    finally:
        execute("DROP TABLE dbo.test_changing")


def test_too_many_rows_of_one_key(cc, flights):
    source = RxSqlServerData(table=flights, rows_per_read=100)
    with pytest.raises(ConfigurationError, match="from 'A' on"):
        pema_compute(Seen(), source, compute_context=cc, key="carrier")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id FROM {0} ORDER BY id",
        "WITH few AS (SELECT id FROM {0}) SELECT id FROM few",
        "SELECT id, delay * 2 FROM {0}",
        "SELECT id, id FROM {0}",
    ],
)
def test_queries_that_cannot_stand_in_a_from_clause(cc, flights, query):
    source = RxSqlServerData(sql_query=query.format(flights))
    with pytest.raises(ServerError, match=r"put into a FROM clause here.*query: "):
        pema_compute(Seen(), source, compute_context=cc)


def test_queries_that_cannot_be_cut(cc, flights):
    with pytest.raises(ServerError, match="nothing_of_the_kind"):
        pema_compute(
            Seen(), RxSqlServerData(table=flights), compute_context=cc, key="nothing_of_the_kind"
        )


class Failing(Seen):
    def process_data(self, chunk):
        raise LookupError("no such thing")


def test_the_workers_exception(cc, flights):
    with pytest.raises(LookupError, match="no such thing") as caught:
        pema_compute(Failing(), RxSqlServerData(table=flights), compute_context=cc)
    assert caught.value.remote.process_id


class Iterative(Seen):
    """Counts the rows above a threshold that each pass moves."""

    def initialize(self):
        self.threshold, self.above = 0, 0

    def init_iteration(self):
        self.above = 0

    def process_data(self, chunk):
        self.above += int((chunk["id"] >= self.threshold).sum())

    def update_results(self, other):
        self.above += other.above

    def process_results(self):
        self.threshold += 250
        return self.above

    def has_converged(self):
        return self.above < 400


def test_passes_over_a_table(cc, keyed):
    counting = Iterative()
    source = RxSqlServerData(table=keyed, rows_per_read=500)
    assert pema_compute(counting, source, compute_context=cc) == 250
    assert counting.iter == 4


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("bit", True),
        ("bigint", -(2**63)),
        ("float", 0.1 + 0.2),
        ("real", float(numpy.float32(0.1))),
        ("decimal(20, 6)", Decimal("12345678901234.567891")),
        ("nvarchar(40)", "O'Hare [😀]; --"),
        ("varchar(40)", "it's"),
        ("uniqueidentifier", UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff")),
        ("date", dt.date(2013, 1, 5)),
        ("datetime", dt.datetime(2013, 1, 5, 6, 30, 0, 123000)),
        ("datetime2(6)", dt.datetime(2013, 1, 5, 6, 30, 0, 123456)),
        ("time(3)", dt.time(6, 30, 5)),
        ("varbinary(8)", b"\x00\x01\xff"),
    ],
)
def test_literals_are_the_values(execute, type_, value):
    comparison = f"CAST(? AS {type_}) = {literal(value)}"
    assert execute(f"SELECT 1 WHERE {comparison}", value) == [(1,)]


def test_slices_are_ranges_of_the_key(connection_string, keyed):
    source = RxSqlServerData(connection_string, table=keyed, rows_per_read=320)
    slices = slices_of(source)
    assert [each.rows for each in slices] == [320, 320, 320, 40]
    assert "t.[id] >= 320 AND t.[id] < 640 ORDER BY t.[id]" in slices[1].source.query
