"""SqlServerExecutor as what Python's own users of futures expect."""

from __future__ import annotations

import asyncio
import concurrent.futures as cf
import os
import sys
import threading
import time
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    as_completed,
    wait,
)

import pytest

from sqlexec import ExecutorBroken, RxInSqlServer, RxLocalParallel, RxLocalSeq, SqlServerExecutor
from sqlexec.errors import ConfigurationError, ConnectionFailed, PackError
from tests.integration.conftest import in_database


@pytest.fixture(params=["localpar", "sqlserver"])
def context(request):
    if request.param == "localpar":
        return RxLocalParallel(2)
    return request.getfixturevalue("cc")


@pytest.fixture
def executor(context):
    with SqlServerExecutor(context) as executor:
        yield executor


def test_submit(executor):
    future = executor.submit(pow, 2, exp=10)
    assert future.result() == 1024
    assert future.done()
    assert not future.running()
    assert not future.cancel()
    assert executor.submit(os.getpid).result() != os.getpid()


def test_map(executor):
    assert list(executor.map(lambda x, y: x * y, range(100), range(100))) == [
        x * x for x in range(100)
    ]


def test_map_in_chunks(executor):
    found = executor.map(lambda x, y: (x * y, os.getpid()), range(10), range(9), chunksize=4)
    products, processes = zip(*found, strict=True)
    assert products == tuple(x * x for x in range(9))
    assert len(set(processes[:4])) == len(set(processes[4:8])) == 1
    assert list(executor.map(abs, [], chunksize=3)) == []
    with pytest.raises(ZeroDivisionError):
        list(executor.map(lambda x: 1 / x, range(-3, 3), chunksize=2))
    with pytest.raises(ValueError, match="chunksize"):
        executor.map(abs, [1], chunksize=0)


@pytest.mark.embedded_only
def test_a_short_one_does_not_wait_for_a_long_one(executor, tmp_path, monkeypatch):
    """Where calls are quick, a free worker takes no more than half of its share."""
    monkeypatch.setattr("sqlexec.rx.executor.QUICK_SECONDS", 1000)
    assert list(executor.map(abs, range(4))) == [0, 1, 2, 3]  # now it is known how short they are
    path = tmp_path / "go"
    results = executor.map(wait_for, [None, path, path])
    assert next(results) is None
    path.touch()
    assert list(results) == [path, path]


def wait_for(path):
    while path is not None and not path.exists():
        time.sleep(0.01)
    return path


def test_map_gives_up_in_time(executor):
    started = time.monotonic()
    with pytest.raises(cf.TimeoutError):
        list(executor.map(time.sleep, [60, 60, 60], timeout=0.5))
    assert executor.submit(abs, -1).result() == 1  # the sleepers were stopped
    assert time.monotonic() - started < 50


def test_exceptions(executor):
    future = executor.submit(divmod, 1, 0)
    with pytest.raises(ZeroDivisionError) as caught:
        future.result()
    assert caught.value.remote.process_id
    with pytest.raises(PackError, match=r"argument 'args'.*lock"):
        executor.submit(abs, threading.Lock()).result()
    assert isinstance(executor.submit(sys.exit, 3).exception(), SystemExit)
    assert executor.submit(abs, -1).result() == 1


def test_as_completed_and_wait(executor):
    futures = {executor.submit(abs, -x): x for x in range(20)}
    assert all(future.result() == futures[future] for future in as_completed(futures))
    done, rest = wait(
        [executor.submit(abs, -1), executor.submit(time.sleep, 60)], return_when=FIRST_COMPLETED
    )
    assert [future.result() for future in done] == [1]
    assert [future.cancel() for future in rest] == [True]


def test_callbacks(executor):
    seen = []
    executor.submit(abs, -1).add_done_callback(seen.append)
    executor.submit(abs, -2).result()
    executor.shutdown()
    assert [future.result() for future in seen] == [1]


def test_asyncio(context):
    async def both():
        loop = asyncio.get_running_loop()
        with SqlServerExecutor(context) as executor:
            return await asyncio.gather(
                loop.run_in_executor(executor, abs, -1),
                asyncio.wrap_future(executor.submit(abs, -2)),
            )

    assert asyncio.run(both()) == [1, 2]


def test_cancelling_an_awaited_one(context):
    async def cancelled():
        with SqlServerExecutor(context) as executor:
            sleeping = asyncio.wrap_future(executor.submit(time.sleep, 60))
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(sleeping, 0.5)
            return executor.submit(abs, -1).result()

    assert asyncio.run(cancelled()) == 1


def test_many_small_ones_share_calls(cc, execute):
    (before,) = execute("SELECT COUNT(*) FROM sqlexec.chunk_log")[0]
    with SqlServerExecutor(cc) as executor:
        futures = [executor.submit(abs, -x) for x in range(1000)]
        assert [future.result() for future in futures] == list(range(1000))
    (after,) = execute("SELECT COUNT(*) FROM sqlexec.chunk_log")[0]
    assert after - before < 100


def stay(path):
    path.joinpath(str(os.getpid())).touch()
    time.sleep(60)


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.embedded_only
def test_cancelling_ends_the_process(executor, tmp_path):
    import psutil

    future = executor.submit(stay, tmp_path)
    wait_until(lambda: list(tmp_path.iterdir()))
    (process,) = [int(path.name) for path in tmp_path.iterdir()]
    assert future.running()
    assert future.cancel()
    assert future.cancelled()
    assert future.cancel()
    with pytest.raises(CancelledError):
        future.result()
    wait_until(lambda: not psutil.pid_exists(process))
    assert executor.submit(abs, -1).result() == 1


@pytest.mark.embedded_only
def test_others_of_its_call_run_again(context, tmp_path):
    with SqlServerExecutor(context.replace(num_tasks=1)) as executor:
        first = executor.submit(time.sleep, 1)  # meanwhile the others queue up
        before = executor.submit(abs, -1)
        stuck = executor.submit(stay, tmp_path)
        after = executor.submit(abs, -2)
        wait_until(lambda: list(tmp_path.iterdir()))
        stuck.cancel()
        assert (before.result(), after.result()) == (1, 2)
        assert first.result() is None


def test_cancelling_what_was_not_dealt(context):
    with SqlServerExecutor(context.replace(num_tasks=1)) as executor:
        blocked = executor.submit(time.sleep, 60)
        futures = [executor.submit(abs, -x) for x in range(10)]
        assert all(future.cancel() for future in futures)
        assert blocked.cancel()
        assert all(future.cancelled() for future in wait([blocked, *futures]).done)


def test_shutdown(context):
    executor = SqlServerExecutor(context)
    future = executor.submit(abs, -1)
    executor.shutdown()
    assert future.result(0) == 1
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(abs, -1)
    executor.shutdown()


def test_shutdown_that_cancels(context):
    executor = SqlServerExecutor(context)
    futures = [executor.submit(time.sleep, 60) for _ in range(5)]
    executor.shutdown(cancel_futures=True)
    assert all(future.cancelled() for future in futures)


def test_an_executor_that_nobody_used(context):
    with SqlServerExecutor(context):
        pass


def test_a_server_that_refuses(connection_string):
    nowhere = in_database(connection_string, "no_such_database")
    with SqlServerExecutor(RxInSqlServer(nowhere)) as executor:
        future = executor.submit(abs, -1)
        error = future.exception()
        assert isinstance(error, ExecutorBroken)
        assert isinstance(error, BrokenExecutor)
        assert isinstance(error.__cause__, ConnectionFailed)
        with pytest.raises(BrokenExecutor):
            executor.submit(abs, -1)


def test_wrong_contexts():
    with pytest.raises(ConfigurationError, match="An executor needs"):
        SqlServerExecutor(RxLocalSeq())
    with SqlServerExecutor(RxLocalParallel()) as executor, pytest.raises(ConfigurationError):
        executor.submit(5)
