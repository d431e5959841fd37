"""How long results leave a server: by the OUTPUT parameter, or in rows where that is cut."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import sqlexec
from sqlexec import RunFailedWarning, RxInSqlServer, RxSqlServerData, rx_exec
from sqlexec.embedded import EmbeddedServer
from sqlexec.errors import ResultCut
from sqlexec.server import runtimes
from sqlexec.server.connection import Connection
from sqlexec.server.pool import POOL
from tests.integration.conftest import prepared
from tests.runner.peers import environment

CUT = 65_535  # bytes that the first releases of the open language extension let through


def make(size):
    return b"\xa5" * size


def noisy(size):
    print("making", size)
    if size < 0:
        raise ValueError("too small", "x" * 100_000)
    return np.arange(size)


@pytest.fixture(scope="module")
def cutting():
    """A compute context at a server that cuts OUTPUT values."""
    with EmbeddedServer(cut_output=CUT) as server:
        yield RxInSqlServer(prepared(server), num_tasks=2, console_output=True)
        POOL.close()


@pytest.fixture
def stranger(cutting):
    """The same, as it is to a client that never called it."""
    runtimes.forget(Connection.of(cutting.connection_string))
    return cutting


def test_the_first_call_learns_of_a_whole_output(cc):
    runtimes.forget(Connection.of(cc.connection_string))
    assert rx_exec(make, size=200_000, compute_context=cc) == [make(200_000)]
    told = sqlexec.runtime(cc).way_out
    assert told in ("output", "rows")
    assert rx_exec(make, size=200_000, compute_context=cc) == [make(200_000)]
    assert sqlexec.runtime(cc).way_out == told


@pytest.mark.embedded_only
def test_the_embedded_server_is_whole_and_quick(cc):
    rx_exec(make, size=1, compute_context=cc)
    assert sqlexec.runtime(cc).way_out == "output"


@pytest.mark.embedded_only
@pytest.mark.parametrize("size", [0, CUT - 2000, CUT, CUT + 1, 3 << 20, (9 << 20) + 1])
def test_nothing_is_lost_at_the_first_call_nor_later(stranger, size):
    for _ in range(2):
        assert rx_exec(make, size=size, compute_context=stranger) == [make(size)]
        assert sqlexec.runtime(stranger).way_out == "rows"


@pytest.mark.embedded_only
def test_failures_and_console_beside_rows(stranger, capsys):
    with pytest.warns(RunFailedWarning):
        array, error = rx_exec(noisy, size=[100_000, -1], compute_context=stranger)
    assert array.sum() == 100_000 * 99_999 // 2
    assert isinstance(error, ValueError)
    assert len(error.args[1]) == 100_000
    assert "making 100000\n" in capsys.readouterr().out


@pytest.mark.embedded_only
def test_frames_in_and_out(stranger):
    def copy(rows):
        from revoscalepy import rx_import

        return rx_import(rows)

    rows = " UNION ALL ".join(f"SELECT {n} AS n, N'{'ä' * n}' AS s" for n in range(10))
    query = f"SELECT a.n, a.s FROM ({rows}) AS a CROSS JOIN ({rows}) AS b CROSS JOIN ({rows}) AS c"
    (frame,) = rx_exec(copy, rows=RxSqlServerData(sql_query=query), compute_context=stranger)
    assert frame["n"].sum() == 4500
    assert set(frame["s"]) == {"ä" * n for n in range(10)}


@pytest.mark.embedded_only
def test_a_server_that_cuts_what_it_did_not_before(stranger):
    connection = Connection.of(stranger.connection_string)
    rx_exec(make, size=1, compute_context=stranger)
    runtimes.learn_whole(connection, True)
    assert rx_exec(make, size=1000, compute_context=stranger) == [make(1000)]
    with pytest.raises(ResultCut, match=r"but 65,535 arrived.*from the next call on .* rows"):
        rx_exec(make, size=200_000, compute_context=stranger)
    assert rx_exec(make, size=200_000, compute_context=stranger) == [make(200_000)]


@pytest.mark.embedded_only
def test_a_runtime_with_the_open_extensions_console(capsys):
    """It copies OUTPUT values slowly, so long results leave in rows though they would be whole."""
    with EmbeddedServer(memory_console=True) as server:
        cc = RxInSqlServer(prepared(server), console_output=True)
        for _ in range(2):
            (array,) = rx_exec(noisy, size=100_000, compute_context=cc)
            assert array.sum() == 100_000 * 99_999 // 2
            assert sqlexec.runtime(cc).way_out == "rows"
        assert capsys.readouterr().out.count("making 100000") == 2
        POOL.close()


@pytest.mark.embedded_only
@pytest.mark.parametrize("name", ["3.7 pandas 0.23", "3.10 pandas 1.4"])
def test_old_pythons_that_cut(name):
    with EmbeddedServer(python=environment(name), cut_output=CUT) as server:
        cc = RxInSqlServer(prepared(server))
        for size in (1000, 5_000_000):
            assert rx_exec(make, size=size, compute_context=cc) == [make(size)]
        extra = pd.DataFrame(
            {"x": np.arange(50_000.0), "s": pd.Series(["a", "bä"] * 25_000, dtype=object)}
        )
        (frame,) = rx_exec(lambda extra: extra[::-1], args={"extra": extra}, compute_context=cc)
        assert frame.index.equals(extra.index[::-1])
        assert all(frame[each].tolist() == extra[each].tolist()[::-1] for each in extra)
        assert sqlexec.runtime(cc).way_out == "rows"
        POOL.close()


@pytest.mark.embedded_only
def test_without_pandas_a_cut_is_told():
    with EmbeddedServer(python=environment("3.13 bare"), cut_output=CUT) as server:
        cc = RxInSqlServer(prepared(server))
        for _ in range(2):
            with pytest.raises(ResultCut, match="no pandas"):
                rx_exec(make, size=200_000, compute_context=cc)
        assert rx_exec(make, size=1000, compute_context=cc) == [make(1000)]
        POOL.close()
