"""Algorithms over chunks of rows on other Pythons than the client's."""

from __future__ import annotations

import sys

import pytest

from sqlexec import PemaBase, RxInSqlServer, RxSqlServerData, pema_compute
from sqlexec.embedded import EmbeddedServer
from sqlexec.server.pool import POOL
from tests.environments import environment
from tests.integration.conftest import prepared

pytestmark = pytest.mark.embedded_only

FACTOR = 3


@pytest.fixture(params=["3.7 pandas 0.23", "3.10 pandas 1.4"])
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
