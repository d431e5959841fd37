"""Speed and memory as ratios, all measured in this one run (`make bench`).

    python -m tests.benchmarks.bench [ROW ...]

    rows: noop tasks launch many first cores rows result frame source packing jobs

Each row runs ours and the other side in turns (A B A B ...) and compares medians.  A row is
one small function; what it needs in the server it makes itself.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import os
import pickle
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any
from unittest.mock import patch

import duckdb
import joblib
import numpy as np
import pandas as pd
import pyodbc
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine

from sqlexec import RxInSqlServer, RxSqlServerData, bundle, rx_exec, rx_exec_iter
from sqlexec.embedded import EmbeddedServer
from sqlexec.payload import Packer, unpack
from sqlexec.runner.main import run_chunk, runtime
from sqlexec.server import runtimes
from sqlexec.server.connection import Connection
from sqlexec.server.jobs import find
from sqlexec.server.pool import POOL
from sqlexec.tasks import Task
from tests.benchmarks.memory import PeakOfTree, own_peak
from tests.benchmarks.typical import simulate

MEGABYTE = 1024 * 1024
RESULT_SIZE = 256 * MEGABYTE
ROW_COUNT = 10_000_000
TASK_COUNT = 10_000

Action = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One line of the table; `ratio` is ours / theirs unless the line says otherwise."""

    what: str
    ours: str
    theirs: str
    ratio: float
    limit: float
    at_least: bool = False
    note: str = ""

    @property
    def passed(self) -> bool:
        return self.ratio >= self.limit if self.at_least else self.ratio <= self.limit


# --- the rows ----------------------------------------------------------------------------


def noop(place: Place) -> list[Row]:
    cc = place.context()
    python = [sys.executable, "-I", "-c", "pass"]
    ours, theirs = in_turns(
        lambda: rx_exec(nothing, compute_context=cc),
        lambda: subprocess.run(python, check=True),
        rounds=40,
    )
    return [row("warm no-op rx_exec", ours, theirs, "start of python -I -c pass", limit=1.0)]


def tasks(place: Place) -> list[Row]:
    cc = place.context(num_tasks=2)
    numbers = list(range(TASK_COUNT))
    before = place.calls()

    def with_sqlexec() -> None:
        assert rx_exec(same, number=numbers, compute_context=cc) == numbers

    def with_joblib() -> None:
        jobs = (joblib.delayed(same)(number) for number in numbers)
        assert joblib.Parallel(n_jobs=2, backend="loky")(jobs) == numbers

    rounds = 5
    ours, theirs = in_turns(with_sqlexec, with_joblib, rounds=rounds)
    calls = (place.calls() - before) / (rounds + 1)  # one round warms up
    what = f"{TASK_COUNT:,} no-op tasks, num_tasks=2"
    note = f"{calls:.0f} external-script calls"
    return [replace(row(what, ours, theirs, "joblib (loky, n_jobs=2)", limit=1.0), note=note)]


def launch(place: Place) -> list[Row]:
    """1,000 tasks of 10 ms where a launch costs 0.5 s, against the ideal and against one a call."""
    del place  # its launches cost nothing
    delay, number, nap_seconds, workers = 0.5, 1_000, 0.01, 4
    with EmbeddedServer(launch_delay=delay) as server:
        cc = Place.on(server).context(num_tasks=workers)

        def job() -> None:
            rx_exec(nap, number=list(range(number)), compute_context=cc)

        job()
        spent = statistics.median(time_of(job) for _ in range(3))
        single = time_of(lambda: rx_exec(nap, number=0, compute_context=cc))
    ideal = number * nap_seconds / workers + delay
    what = f"{number:,} tasks of 10 ms, a launch costs {delay} s, num_tasks={workers}"
    each = single * number
    return [
        row(what, spent, ideal, "the ideal: tasks / workers + one launch", limit=1.25),
        row("  against one call a task", spent, each, "1,000 x a call of one task", limit=1 / 20),
    ]


def many(place: Place) -> list[Row]:
    """Ten times as many tasks take ten times as long, and little memory of the client's."""
    cc = place.context(num_tasks=2)

    def job(number: int) -> Action:
        numbers = list(range(number))
        return lambda: rx_exec(same, number=numbers, compute_context=cc)

    large, small = in_turns(job(10 * TASK_COUNT), job(TASK_COUNT), rounds=3)
    peaks = [place.peak_of_client(str(number)) for number in (TASK_COUNT, 10 * TASK_COUNT)]
    grown = (peaks[1] - peaks[0]) * MEGABYTE / (9 * TASK_COUNT)
    what = f"{10 * TASK_COUNT:,} no-op tasks"
    note = f"{10 * TASK_COUNT / large:,.0f} tasks a second"
    return [
        replace(row(what, large, 10 * small, f"10 x {TASK_COUNT:,}", limit=1.3), note=note),
        Row("  client's memory, in kB a task", f"{grown:.0f} B", "1,024 B", grown / 1024, 1.0),
    ]


def first(place: Place) -> list[Row]:
    """The first of 100 tasks of unequal length comes early."""
    cc = place.context(num_tasks=2)
    lengths = [0.005 * (1 + 7 * number % 20) for number in range(100)]
    shares = []
    for _ in range(4):
        begin = perf_counter()
        job = rx_exec_iter(wait, seconds=lengths, compute_context=cc)
        next(job)
        early = perf_counter() - begin
        assert len(list(job)) == len(lengths) - 1
        shares.append((early, perf_counter() - begin))
    early, whole = sorted(shares[1:], key=lambda times: times[0] / times[1])[1]
    return [row("first result of 100 unequal tasks", early, whole, "all of them", limit=0.05)]


def cores(place: Place) -> list[Row]:
    def with_tasks(num_tasks: int) -> Action:
        cc = place.context(num_tasks=num_tasks)
        return lambda: rx_exec(spin, seed_number=list(range(12)), compute_context=cc)

    two, one = in_turns(with_tasks(2), with_tasks(1), rounds=3)
    what = "12 CPU-bound tasks, num_tasks=2 against 1 (speed-up)"
    return [Row(what, seconds(two), f"{seconds(one)} num_tasks=1", one / two, 1.8, at_least=True)]


def rows(place: Place) -> list[Row]:
    place.run(
        "CREATE TABLE dbo.digits (d int NOT NULL);",
        "INSERT INTO dbo.digits (d) VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);",
        f"SELECT {_NUMBER} AS id, {_NUMBER} * 0.25E0 AS x, a.d * g.d AS y INTO dbo.big "
        f"FROM {' CROSS JOIN '.join(f'dbo.digits AS {name}' for name in 'abcdefg')};",
    )
    cc, query = place.context(), "SELECT id, x, y FROM dbo.big"
    data = RxSqlServerData(sql_query=query, connection_string=place.connection_string)
    local = duckdb.connect()
    local.execute(
        "CREATE TABLE big AS SELECT i::INTEGER AS id, i * 0.25::DOUBLE AS x, "
        f"(i % 82)::INTEGER AS y FROM range({ROW_COUNT}) AS r(i)"
    )

    expected = (ROW_COUNT, ROW_COUNT * (ROW_COUNT - 1) // 2)

    def as_argument() -> None:
        assert rx_exec(count, data=data, compute_context=cc) == [expected]

    def as_frame() -> None:
        frame = local.sql("SELECT id, x, y FROM big").df()
        assert (len(frame), int(frame["id"].sum())) == expected

    ours, theirs = in_turns(as_argument, as_frame, rounds=5)
    fetched = time_of(lambda: pd.read_sql(query, create_engine(place.url)))
    note = f"pandas.read_sql through pyodbc: {seconds(fetched)}"
    what = f"{ROW_COUNT:,} rows x 3 columns as an argument"
    return [replace(row(what, ours, theirs, "DuckDB .df()", limit=2.0), note=note)]


def result(place: Place) -> list[Row]:
    cc = place.context()
    with pyodbc.connect(place.connection_string, autocommit=True) as connection:
        connection.execute("CREATE TABLE dbo.blob (content varbinary(max) NOT NULL);")
        blob = np.random.default_rng(0).bytes(RESULT_SIZE)
        connection.execute("INSERT INTO dbo.blob (content) VALUES (?);", blob)
        del blob

        def fetched() -> None:
            (content,) = connection.execute("SELECT b.content FROM dbo.blob AS b;").fetchone()
            assert len(content) == RESULT_SIZE

        def returned() -> None:
            (content,) = rx_exec(big, size=RESULT_SIZE, compute_context=cc)
            assert len(content) == RESULT_SIZE

        ours, theirs = in_turns(returned, fetched, rounds=5)
    what = "256 MB result"
    return [
        row(what, ours, theirs, "pyodbc fetch of varbinary(max)", limit=2.0),
        *memory("result", 3.0),
    ]


def memory(what: str, server_limit: float) -> list[Row]:
    """Peaks of a client and of a server with its satellites, both made for it, in result sizes."""
    with EmbeddedServer() as server:
        place = Place.on(server)
        with PeakOfTree(place.server_process_id) as peak:
            client = place.peak_of_client(what)
    size = RESULT_SIZE / MEGABYTE
    return [
        Row(f"  peak memory, {side}", f"{used:.0f} MB", f"{size:.0f} MB result", used / size, limit)
        for side, used, limit in (
            ("client", client, 3.0),
            ("server and satellites", peak.bytes / MEGABYTE, server_limit),
        )
    ]


def frame(place: Place) -> list[Row]:
    """Both sides make the contiguous bytes of a parameter, and frames that can be written to."""
    values = np.random.default_rng(0)
    data = pd.DataFrame({name: values.random(ROW_COUNT) for name in "xyz"})

    def with_sqlexec() -> None:
        packer = Packer(same, {"number": data}, runtime=OWN_RUNTIME)
        answer, _ = run_chunk(packer.chunk([Task(0)], OWN_RUNTIME))
        (outcome,) = unpack(answer, packer.key).outcomes
        assert outcome.value.shape == data.shape

    def with_pickle() -> None:
        found = unpickled(pickled(unpickled(pickled(data))))
        assert found.shape == data.shape

    ours, theirs = in_turns(with_sqlexec, with_pickle, rounds=5)
    what = f"codec, {ROW_COUNT:,} rows x 3 float64 there and back"
    return [row(what, ours, theirs, "pickle 5, buffers out of band", limit=1.5)]


def source(place: Place) -> list[Row]:
    """The same function to the same Python, once as bytecode and once as text."""
    cc = place.context()
    known = runtimes.known

    def known_as_other(connection: Connection) -> dict[str, Any] | None:
        told = known(connection)
        return told and {**told, "python": [3, sys.version_info[1] - 1, 0]}

    def with_source() -> None:
        with patch.object(runtimes, "known", known_as_other):
            rx_exec(simulate, count=20, compute_context=cc)

    with_bytecode = functools.partial(rx_exec, simulate, count=20, compute_context=cc)
    with_bytecode()  # so that the server's Python is known
    ours, theirs = in_turns(with_source, with_bytecode, rounds=40)
    what = "a function by source (ms more than bytecode)"
    more = (ours - theirs) * 1000
    return [Row(what, seconds(ours), f"{seconds(theirs)} as bytecode", more, 2.0)]


def packing(place: Place) -> list[Row]:
    arguments = [
        {"number": number, "name": f"part {number}", "weight": number / 8}
        for number in range(TASK_COUNT)
    ]
    tasks = [Task(index, each) for index, each in enumerate(arguments)]
    ours, theirs = in_turns(
        lambda: Packer(nothing, runtime=OWN_RUNTIME).chunk(tasks, OWN_RUNTIME),
        lambda: pickle.dumps(arguments),
        rounds=40,
    )
    what = f"packing {TASK_COUNT:,} small tasks"
    return [row(what, ours, theirs, "pickle.dumps of their arguments", limit=2.0)]


def jobs(place: Place) -> list[Row]:
    """Jobs that outlive their call: how soon one is submitted, what durability costs, lists."""
    cc = place.context(num_tasks=2)
    numbers = list(range(1_000))
    kept = cc.replace(wait=False)
    submits, calls = [], []
    for _ in range(5):
        calls.append(time_of(lambda: rx_exec(nothing, compute_context=cc)))
        begin = perf_counter()
        job = rx_exec(same, number=numbers, compute_context=kept)
        submits.append(perf_counter() - begin)
        assert job.result() == numbers
    submitted, called = statistics.median(submits), statistics.median(calls)

    durable, waiting = in_turns(
        lambda: rx_exec(nap, number=numbers, compute_context=kept).result(),
        lambda: rx_exec(nap, number=numbers, compute_context=cc),
        rounds=3,
    )

    def newest() -> None:
        with POOL.lend(Connection.of(place.connection_string)) as session:
            find(session, most=100)

    listed = []
    for more in (100, 9_900):
        place.run(_FINISHED_JOBS.format(more))
        newest()
        listed.append(statistics.median(time_of(newest) for _ in range(7)))
    few, many_jobs = listed
    nap_what = f"durable job of {len(numbers):,} tasks of 10 ms, num_tasks=2"
    return [
        row("submit of a job of 1,000 tasks", submitted, called, "a no-op call", limit=10.0),
        row(nap_what, durable, waiting, "a waiting rx_exec", limit=1.25),
        row("list of the 100 newest of 10,000 jobs", many_jobs, few, "of 100 jobs", limit=5.0),
        *memory("job", 4.0),
    ]


ROWS = {
    each.__name__: each
    for each in (
        noop,
        tasks,
        launch,
        many,
        first,
        cores,
        rows,
        result,
        frame,
        source,
        packing,
        jobs,
    )
}
OWN_RUNTIME = runtime()
_FINISHED_JOBS = """\
INSERT INTO sqlexec.job (job_id, owner_sid, login_name, description, state, detached, worker_count,
    task_count, chunk_count, most_attempts, stop_on_error, grace_seconds, auto_cleanup,
    console_output, protocol, result_key, client, payloads_sha256, shared_sha256, submitted_at,
    active_at, ended_at)
SELECT TOP ({}) NEWID(), SUSER_SID(), SUSER_SNAME(), N'done', 'FINISHED', 0, 1, 1, 1, 3, 0, 15, 1,
    0, 1, 0x00, N'{{}}', CAST(0x00 AS binary(32)), CAST(0x00 AS binary(32)), SYSUTCDATETIME(),
    SYSUTCDATETIME(), SYSUTCDATETIME()
FROM OPENJSON(CONCAT(N'[0', REPLICATE(CAST(N',0' AS nvarchar(max)), 9999), N']'));
"""
_NUMBER = " + ".join(f"{name}.d * {10**power}" for power, name in enumerate("abcdefg"))


# --- what runs in the server -------------------------------------------------------------


def nothing() -> None:
    return None


def same(number: int) -> int:
    return number


def nap(number: int) -> int:
    time.sleep(0.01)
    return number


def wait(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def spin(seed_number: int) -> int:
    value = seed_number
    for _ in range(2_000_000):
        value = (value * 1103515245 + 12345) % 2147483648
    return value


def count(data: Any) -> tuple[int, int]:
    """Rows, and the sum of one column: the data has really come."""
    from revoscalepy import rx_data_step

    frame = rx_data_step(data, max_rows_by_cols=10**9)
    return len(frame), int(frame["id"].sum())


def big(size: int) -> bytes:
    return bytes(size)


# --- the other side ----------------------------------------------------------------------


def pickled(value: object) -> bytes:
    """Protocol 5 with its buffers beside it, in one: lengths, pickle, buffers."""
    buffers: list[pickle.PickleBuffer] = []
    first = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    pieces = [memoryview(first), *(each.raw() for each in buffers)]
    lengths = np.array([len(pieces), *map(len, pieces)]).tobytes()
    return b"".join([lengths, *pieces])


def unpickled(data: bytes) -> Any:
    """What `pickled` wrote, in memory of its own."""
    view = memoryview(data)
    count = int(np.frombuffer(view, int, 1)[0])
    ends = np.cumsum(np.frombuffer(view, int, count + 1)) + 8 * (count + 1) - count
    pieces = [view[start:end] for start, end in itertools.pairwise(ends)]
    return pickle.loads(pieces[0], buffers=[bytearray(each) for each in pieces[1:]])


# --- measuring ---------------------------------------------------------------------------


def time_of(action: Action) -> float:
    started = perf_counter()
    action()
    return perf_counter() - started


def in_turns(ours: Action, theirs: Action, rounds: int) -> tuple[float, float]:
    """Medians in seconds of both, run in turns after one round that warms up."""
    ours()
    theirs()
    times = [(time_of(ours), time_of(theirs)) for _ in range(rounds)]
    return statistics.median(a for a, _ in times), statistics.median(b for _, b in times)


def row(what: str, ours: float, theirs: float, other: str, limit: float) -> Row:
    return Row(what, seconds(ours), f"{seconds(theirs)} {other}", ours / theirs, limit)


def seconds(value: float) -> str:
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"


@dataclass(frozen=True)
class Place:
    """An embedded server with a database that holds the bundle."""

    connection_string: str
    server_process_id: int

    @classmethod
    def on(cls, server: EmbeddedServer) -> Place:
        with pyodbc.connect(server.connection_string, autocommit=True) as connection:
            connection.execute("CREATE DATABASE bench;")
        where = server.odbc(Database="bench")
        bundle.install(where)
        return cls(where, server.process_id)

    @property
    def url(self) -> str:
        from sqlalchemy.engine import URL

        url = URL.create("mssql+pyodbc", query={"odbc_connect": self.connection_string})
        return url.render_as_string(hide_password=False)

    def context(self, num_tasks: int = 1) -> RxInSqlServer:
        return RxInSqlServer(connection_string=self.connection_string, num_tasks=num_tasks)

    def run(self, *statements: str) -> None:
        with pyodbc.connect(self.connection_string, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def peak_of_client(self, what: str) -> float:
        """Megabytes of a process made for it; see `client`."""
        command = [sys.executable, "-m", "tests.benchmarks.bench", "--client", what]
        environment = {**os.environ, "SQLEXEC_CONNECTION": self.connection_string}
        ended = subprocess.run(
            command, env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
        return float(ended.stdout)

    def calls(self) -> int:
        """External-script calls so far."""
        with pyodbc.connect(self.connection_string) as connection:
            cursor = connection.execute("SELECT COUNT(*) FROM sqlexec.chunk_log;")
            return int(cursor.fetchone()[0])


def client(what: str) -> None:
    """In a process of its own: fetch a big result, or run many tasks; print its peak in MB.

    The result is one of a waiting call ("result") or of a job that outlives it ("job").
    """
    cc = RxInSqlServer(connection_string=os.environ["SQLEXEC_CONNECTION"], num_tasks=2)
    if what in ("result", "job"):
        rx_exec(nothing, compute_context=cc)  # a first long result would come in rows, as text
        found = rx_exec(big, size=RESULT_SIZE, compute_context=cc.replace(wait=what == "result"))
        (content,) = found if what == "result" else found.result()
        assert len(content) == RESULT_SIZE
    else:
        assert len(rx_exec(same, number=list(range(int(what))), compute_context=cc)) == int(what)
    print(own_peak() / MEGABYTE)


def report(measured: list[Row]) -> Table:
    table = Table(title=f"sqlexec, Python {platform.python_version()}, {os.cpu_count()} cores")
    for heading in ("what", "sqlexec", "other"):
        table.add_column(heading)
    for heading in ("ratio", "limit", ""):
        table.add_column(heading, justify="right")
    for each in measured:
        sign = "≥" if each.at_least else "≤"
        verdict = "[green]pass[/]" if each.passed else "[red]miss[/]"
        what = f"{each.what}\n  [dim]{each.note}[/]" if each.note else each.what
        ratio = f"{each.ratio:.2f}"
        table.add_row(what, each.ours, each.theirs, ratio, f"{sign} {each.limit}", verdict)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench")
    parser.add_argument("rows", nargs="*", help="default: all")
    parser.add_argument("--client", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = set(options.rows) - ROWS.keys()
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}")
    if options.client:
        client(options.client)
        return
    console = Console(width=None if sys.stdout.isatty() else 140)
    measured: list[Row] = []
    with EmbeddedServer() as server:
        place = Place.on(server)
        for name in options.rows or ROWS:
            with console.status(f"{name} ..."):
                measured += ROWS[name](place)
    console.print(report(measured))


if __name__ == "__main__":
    main()
