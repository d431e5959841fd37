"""Durable jobs by T-SQL alone: what a client does, without the client."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyodbc

import sqlexec
from sqlexec import RxInSqlServer
from sqlexec.payload import PROTOCOL, Packer, unpack
from sqlexec.server import runtimes
from sqlexec.server.connection import Connection
from sqlexec.tasks import Task

PATIENCE = 30.0  # seconds until a test gives up
OPEN = ("QUEUED", "RUNNING")
ROWS_OF_A_JOB = ("blob", "chunk", "worker", "job")


@dataclass
class Job:
    """A submitted job and what reads its results."""

    job_id: uuid.UUID
    packer: Packer


def nap(rows: object) -> str:
    """A run that sleeps as long as its input data says: the fixture `patience` changes it."""
    from revoscalepy import rx_import

    time.sleep(float(rx_import(rows)["seconds"].iloc[0]))
    return "awake"


def wait_until(true: Callable[[], object], what: str) -> None:
    """Look again and again until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.05)


DEADLOCK = "40001"  # SQLSTATE of error 1205, after which sqlexec.server.jobs calls again, too


def number_of(error: pyodbc.Error) -> int:
    """The number of SQL Server's first error in an exception of pyodbc."""
    return int(str(error).split("[SQL Server]")[1].split("(")[-2].split(")")[0])


def read_runtime(connection_string: str) -> dict[str, object]:
    """The server's Python, as its last answer told."""
    sqlexec.runtime(RxInSqlServer(connection_string))
    known = runtimes.known(Connection.of(connection_string))
    assert known is not None
    return known


class Login:
    """What one login does with durable jobs, in as many sessions as it takes."""

    def __init__(self, connection_string: str, runtime: dict[str, object]) -> None:
        self.connection_string = connection_string
        self.runtime = runtime
        self._session = self.connect()

    def connect(self) -> pyodbc.Connection:
        """A session that commits by itself."""
        return pyodbc.connect(self.connection_string, autocommit=True)

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def call(self, procedure: str, *values: object, **named: object) -> list[pyodbc.Row]:
        """Execute a procedure of the bundle, again as a deadlock's victim; gives its rows."""
        places = ["?"] * len(values) + [f"@{name} = ?" for name in named]
        statement = f"EXECUTE sqlexec.{procedure} {', '.join(places)}"
        try:
            cursor = self._session.execute(statement, *values, *named.values())
        except pyodbc.Error as error:
            if error.args[0] != DEADLOCK:
                raise
            return self.call(procedure, *values, **named)
        rows = cursor.fetchall() if cursor.description else []
        while cursor.nextset():
            pass
        return rows

    def rows(self, query: str, *values: object) -> list[pyodbc.Row]:
        """Run a query."""
        return self._session.execute(query, *values).fetchall()

    def run(self, statement: str, *values: object) -> None:
        """Execute a statement that gives no rows."""
        cursor = self._session.execute(statement, *values)
        while cursor.nextset():
            pass

    def submit(
        self,
        function: Callable[..., object],
        arguments: Sequence[dict[str, object]],
        *,
        chunk_size: int = 1,
        query: str = "",
        way_out: str = "output",
        **options: object,
    ) -> Job:
        """Submit a run for each of `arguments`; nobody works for it unless told so."""
        packer = Packer(function, runtime=self.runtime, input_argument="rows" if query else None)
        tasks = [Task(index, each) for index, each in enumerate(arguments)]
        chunks = [tasks[at : at + chunk_size] for at in range(0, len(tasks), chunk_size)]
        shared, payloads = packer.job(chunks, self.runtime, way_out)
        listed = [
            [chunk[0].index, len(chunk), len(payload), 0]
            for chunk, payload in zip(chunks, payloads, strict=True)
        ]
        job = Job(uuid.uuid4(), packer)
        values = {
            "protocol": PROTOCOL,
            "job_id": job.job_id,
            "result_key": packer.key,
            "description": "a test",
            "client": "{}",
            "worker_count": 2,
            "chunks": json.dumps(listed),
            "queries": json.dumps([query]),
            "payloads": b"".join(payloads),
            "shared": shared,
            "detached": 0,
            **options,
        }
        self.call("submit_job", **values)
        return job

    def work(self, job: Job) -> None:
        """Be one worker of a job, to its end."""
        session = self.connect()
        try:
            session.execute("EXECUTE sqlexec.run_worker ?, 'client'", job.job_id)
        finally:
            session.close()

    def start_worker(self, job: Job) -> Worker:
        """A worker in a thread."""
        return Worker(self, job)

    def jobs(self, **filters: object) -> list[uuid.UUID]:
        """Which jobs the list has, the newest first."""
        return [uuid.UUID(row.job_id) for row in self.call("jobs", **filters)]

    def look(self, job: Job) -> pyodbc.Row:
        """The job's row in the list of jobs."""
        (row,) = self.call("jobs", job_id=job.job_id)
        return row

    def end_of(self, job: Job) -> pyodbc.Row:
        """Wait until a job has ended."""
        wait_until(lambda: self.look(job).state not in OPEN, "the end of the job")
        return self.look(job)

    def chunks(self, job: Job) -> list[pyodbc.Row]:
        """The job's rows of the table, for an administrator."""
        return self.rows(
            "SELECT chunk_number, state, attempt_count, error_number, error_message "
            "FROM sqlexec.chunk WHERE job_id = ? ORDER BY chunk_number",
            job.job_id,
        )

    def states(self, job: Job) -> list[str]:
        """Of its chunks."""
        return [row.state for row in self.chunks(job)]

    def counts(self, job: Job) -> list[int]:
        """How many rows the job has in each table."""
        return [
            self.rows(f"SELECT COUNT(*) FROM sqlexec.{table} WHERE job_id = ?", job.job_id)[0][0]
            for table in ROWS_OF_A_JOB
        ]

    def kill(self, worker: Worker) -> None:
        """End a worker's session, as an administrator may."""
        self.run(f"KILL {worker.session_id}")
        worker.join()
        assert worker.error is not None

    def vanish_with_a_chunk(self, job: Job) -> tuple[uuid.UUID, int, int]:
        """Claim as a worker whose session is gone would have: (worker, chunk number, attempt)."""
        worker = uuid.uuid4()
        self.run(
            "INSERT INTO sqlexec.worker (worker_id, job_id, kind, session_id, started_at) "
            "VALUES (?, ?, 'client', 0, SYSUTCDATETIME())",
            worker,
            job.job_id,
        )
        ((number, attempt),) = self.rows(
            "SET NOCOUNT ON; DECLARE @number int, @attempt int, @tasks int, @first int, @left int, "
            "@payload varbinary(max), @query nvarchar(max), @busy nvarchar(255); "
            "EXECUTE sqlexec.claim_chunk ?, ?, @number OUTPUT, @attempt OUTPUT, @tasks OUTPUT, "
            "@first OUTPUT, @left OUTPUT, @payload OUTPUT, @query OUTPUT, @busy OUTPUT; "
            "SELECT @number, @attempt",
            job.job_id, worker,
        )  # fmt: skip
        return worker, number, attempt

    def values(self, job: Job) -> list[object]:
        """Values of the runs whose chunks are done, in order."""
        replies = [
            unpack(row.result, job.packer.key, job.packer.original)
            for row in self.call("fetch_results", job.job_id)
            if row.result is not None
        ]
        return [outcome.value for reply in replies for outcome in reply.outcomes]


class Worker:
    """A worker of a job in a thread and a session of its own."""

    def __init__(self, login: Login, job: Job) -> None:
        self._session = login.connect()
        self.session_id: int = self._session.execute("SELECT @@SPID").fetchval()
        self.error: pyodbc.Error | None = None
        self._thread = threading.Thread(target=self._work, args=[job], daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _work(self, job: Job) -> None:
        try:
            self._session.execute("EXECUTE sqlexec.run_worker ?, 'client'", job.job_id)
        except pyodbc.Error as error:
            self.error = error
        finally:
            self._session.close()
