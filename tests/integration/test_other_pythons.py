"""Algorithms over chunks of rows, and procedures, on other Pythons than the client's."""

from __future__ import annotations

import datetime
import sys
from decimal import Decimal
from typing import NamedTuple

import pandas
import pytest

from sqlexec import (
    PemaBase,
    RxInSqlServer,
    RxSqlServerData,
    call_procedure,
    create_procedure,
    pema_compute,
    run_script,
    rx_exec,
    store_script,
)
from sqlexec.embedded import EmbeddedServer
from sqlexec.errors import PackError
from sqlexec.server.pool import POOL
from tests.environments import environment
from tests.integration.conftest import prepared

pytestmark = pytest.mark.embedded_only

FACTOR = 3


@pytest.fixture(params=["3.6 pandas 1.1", "3.7 pandas 0.23", "3.10 pandas 1.4"])
def server(request):
    with EmbeddedServer(python=environment(request.param)) as server:
        yield request.param, RxInSqlServer(prepared(server), num_tasks=2)
        POOL.close()


class Total(PemaBase):
    def initialize(self, column):
        self.column, self.total, self.versions = column, 0, []

    def process_data(self, chunk):
        self.total += int(chunk[self.column].sum()) * FACTOR
        self.versions.append(sys.version_info[:2])

    def update_results(self, other):
        self.total += other.total
        self.versions += other.versions

    def process_results(self):
        return self.total


def test_an_algorithm_over_chunks(server):
    name, cc = server
    rows = RxSqlServerData(sql_query="SELECT 1 AS a UNION ALL SELECT 2", rows_per_read=1)
    algorithm = Total(column="a")
    assert pema_compute(algorithm, rows, compute_context=cc) == 9
    minor = tuple(map(int, name.split()[0].split(".")))
    assert algorithm.versions == [minor, minor]


class Summary(NamedTuple):
    version: str
    whole: int | None
    day: datetime.date
    moment: datetime.datetime
    money: Decimal
    rows: pandas.DataFrame


COLUMNS = {
    "a": int,
    "b": int,
    "t": str,
    "x": float,
    "seen": datetime.datetime,
    "on": datetime.date,
    "late": bool,
    "price": Decimal,
}


def summary(
    frame: pandas.DataFrame,
    whole: int | None,
    day: datetime.date,
    moment: datetime.datetime,
    money: Decimal,
) -> Summary:
    frame["on"] = frame["seen"]
    frame["price"] = [Decimal("1.10"), None]
    version = ".".join(map(str, sys.version_info[:2]))
    return Summary(version, whole, day, moment, money, frame)


QUERY = (
    "SELECT 1 AS a, 2 AS b, N'\u00e4\U0001f600' AS t, 0.5E0 AS x, CAST(1 AS bit) AS late, "
    "CAST('2013-01-02T03:04:05' AS datetime) AS seen UNION ALL "
    "SELECT 2, CAST(NULL AS int), CAST(NULL AS nvarchar(9)), CAST(NULL AS float), "
    "CAST(0 AS bit), CAST(NULL AS datetime)"
)


def test_a_procedure_and_a_script(server):
    name, cc = server
    values = {
        "whole": 2**53 + 1,
        "day": datetime.date(1, 2, 3),
        "moment": datetime.datetime(2013, 1, 2, 3, 4, 5, 678),
        "money": Decimal("-1.1000000001"),
    }
    create_procedure(cc, "summary", summary, columns=COLUMNS)
    found = call_procedure(cc, "summary", input_query=QUERY, **values)
    assert found.version == name.split()[0]
    assert {each: getattr(found, each) for each in values} == values
    first, second = found.rows.astype(object).where(found.rows.notnull(), None).values.tolist()
    moment = datetime.datetime(2013, 1, 2, 3, 4, 5)
    assert first == [1, 2, "\u00e4\U0001f600", 0.5, moment, moment.date(), True, 1.1]
    assert second == [2, None, None, None, None, None, False, None]

    store_script(cc, summary, "summary")
    found = run_script(cc, "summary", input_query=QUERY, **values)
    assert (found["version"], found["whole"], found["money"]) == (
        name.split()[0], 2**53 + 1, "-1.1000000001"
    )  # fmt: skip
    assert found["rows"][1]["t"] is None
    assert found["rows"][0]["seen"] == "2013-01-02T03:04:05"


def newer(x: int) -> int:
    return (y := x) + y


def test_a_server_that_nobody_knows_is_asked_for_its_python():
    with EmbeddedServer(python=environment("3.6 bare")) as server:
        cc = RxInSqlServer(prepared(server))
        for make in (create_procedure, lambda cc, name, f: store_script(cc, f, name)):
            with pytest.raises(PackError, match=r":=.*the server runs Python 3\.6"):
                make(cc, "dbo.newer", newer)
        POOL.close()


def test_a_seed_gives_what_it_gives_here(server):
    def draw(run):
        import random

        import numpy

        return random.random(), float(numpy.random.rand()), int(numpy.random.randint(1000))

    _, cc = server
    here = rx_exec(draw, run=[0, 1], seed=42)
    assert rx_exec(draw, run=[0, 1], seed=42, compute_context=cc) == here
