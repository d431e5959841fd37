"""Servers of other Pythons, numpys and pandas than the client's, over the whole way."""

from __future__ import annotations

import sys

import pandas as pd
import pytest

import sqlexec
from sqlexec import PemaBase, RxInSqlServer, RxSqlServerData, pema_compute, rx_exec
from sqlexec.embedded import EmbeddedServer
from sqlexec.errors import RemoteTraceback
from sqlexec.server.pool import POOL
from tests.environments import environment
from tests.integration.conftest import prepared

pytestmark = pytest.mark.embedded_only

FACTOR = 3


class Refused(Exception):
    """An exception of the client's own."""


def helper(x):
    return x * FACTOR


def describe(x):
    import sys

    print("running", x)
    if x < 0:
        raise Refused("below nothing", x)
    return sys.version_info[:2], helper(x), Point(x)


class Point:
    def __init__(self, x):
        self.x = x


def summed(rows, extra):
    from revoscalepy import rx_data_step

    frame = rx_data_step(rows)
    frame["total"] = frame["a"] + extra["b"]
    return frame


@pytest.fixture(params=["3.6 bare", "3.7 pandas 0.23", "3.10 pandas 1.4", "3.13 bare"])
def server(request):
    python = environment(request.param)
    with EmbeddedServer(python=python) as server:
        yield request.param, RxInSqlServer(prepared(server), num_tasks=2, console_output=True)
        POOL.close()


def test_a_function_with_what_it_reaches(server, capsys):
    name, cc = server
    minor = tuple(map(int, name.split()[0].split(".")))
    results = rx_exec(describe, x=[1, 2, 3], compute_context=cc)
    assert [(version, number) for version, number, _ in results] == [
        (minor, 3),
        (minor, 6),
        (minor, 9),
    ]
    assert all(type(point) is Point for _, _, point in results)
    assert capsys.readouterr().out.count("running") == 3
    told = sqlexec.runtime(cc)
    assert told.python.startswith(name.split()[0] + ".")
    assert told.transport == ("bytecode" if minor == sys.version_info[:2] else "source")


def test_an_exception_of_ones_own(server):
    _, cc = server
    with pytest.raises(Refused) as caught:
        rx_exec(describe, args={"x": -1}, compute_context=cc)
    assert caught.value.args == ("below nothing", -1)
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    assert 'raise Refused("below nothing", x)' in str(caught.value.__cause__)


def test_frames_both_ways(server):
    name, cc = server
    if "pandas" not in name:
        pytest.skip(f"{name}: no pandas there")
    rows = RxSqlServerData(sql_query="SELECT 1 AS a, 0.5E0 AS f UNION ALL SELECT 2, NULL")
    extra = pd.DataFrame({"b": [10, 20]})
    frame = rx_exec(summed, args={"rows": rows, "extra": extra}, compute_context=cc)[0]
    frame = frame.sort_values("a", ignore_index=True)
    assert frame["a"].tolist() == [1, 2]
    assert frame["f"].isna().tolist() == [False, True]
    assert sorted(frame["total"] - frame["a"]) == [10, 20]


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
    if "pandas" not in name:
        pytest.skip(f"{name}: no pandas there")
    rows = RxSqlServerData(sql_query="SELECT 1 AS a UNION ALL SELECT 2", rows_per_read=1)
    algorithm = Total(column="a")
    assert pema_compute(algorithm, rows, compute_context=cc) == 9
    minor = tuple(map(int, name.split()[0].split(".")))
    assert algorithm.versions == [minor, minor]
