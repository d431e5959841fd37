"""Results of 500 MB, with --large alone: what they take of memory on both sides."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sqlexec.embedded import EmbeddedServer
from sqlexec.server.pool import POOL
from tests.benchmarks.memory import PeakOfTree
from tests.integration.conftest import prepared

SIZE = 500_000_000
CLIENT = """
import sys
from sqlexec import RxInSqlServer, rx_exec
from tests.benchmarks.memory import own_peak

def count_up(stop):
    import numpy
    return numpy.arange(stop)

size = int(sys.argv[2])
cc = RxInSqlServer(sys.argv[1], wait=False)
rx_exec(count_up, stop=1, compute_context=cc).result()
before = own_peak()
(found,) = rx_exec(count_up, stop=size // 8, compute_context=cc).result()
assert found[-1] == size // 8 - 1
print(own_peak() - before)
"""


@pytest.mark.large
@pytest.mark.embedded_only
@pytest.mark.parametrize("keeps", [False, True], ids=["memory", "file"])
def test_a_long_result_of_a_durable_job(tmp_path, keeps):
    with EmbeddedServer(database=tmp_path / "data.duckdb" if keeps else None) as server:
        arguments = [sys.executable, "-c", CLIENT, prepared(server), str(SIZE)]
        with PeakOfTree(server.process_id) as peak:
            client = subprocess.run(arguments, stdout=subprocess.PIPE, check=True)
        POOL.close()
    assert int(client.stdout) <= 3 * SIZE
    assert peak.bytes <= 5 * SIZE
