"""Durable jobs in the server: one thin function for each procedure that a client calls.

submit, run_worker --> tables job, chunk, blob --> find, results, console
cancel, resume, clean_up, purge
"""

from __future__ import annotations

import binascii
import dataclasses
import json
import time
import uuid
from collections.abc import Generator, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

from sqlexec.errors import IntegrityError, JobNotFound, ResultCut, TransientServerError
from sqlexec.server.session import Session
from sqlexec.server.sql_errors import server_error

OPEN = ("QUEUED", "RUNNING")  # states of a job that has not ended
DEADLOCK_PAUSES = (0.05, 0.2, 0.5)  # seconds before a deadlock's victim is sent again
_DEADLOCK = 1205
_BYTES_AS_TEXT = "base64"


@dataclasses.dataclass(frozen=True)
class JobInfo:
    """A job as its server tells of it; a row of `sqlexec.jobs`.

    Attributes
    ----------
    job_id : uuid.UUID
    login_name, application_name, host_name : str
        Who submitted it, and from where.
    description : str
        The function's name, unless the client said otherwise.
    state : str
        "QUEUED", "RUNNING", "FINISHED", "FAILED" or "CANCELED".
    detached : bool
        Whether SQL Server Agent works for it, so that it needs no client.
    worker_count : int
        The most processes at a time.
    task_count, tasks_done, tasks_failed : int
        Runs in all, those with a result, and those of them that raised.
    chunk_count, chunks_done, chunks_failed : int
        Script calls in all, those that gave results, and those that could not be run.
    stop_on_error, auto_cleanup, console_output : bool
    timeout_seconds : int or None
    submitted_at, started_at, ended_at : datetime or None
        By the server's clock, in UTC.
    error_number : int or None
    error_message : str or None
        Why it failed.
    """

    job_id: uuid.UUID
    login_name: str
    application_name: str | None
    host_name: str | None
    description: str
    state: str
    detached: bool
    worker_count: int
    task_count: int
    tasks_done: int
    tasks_failed: int
    chunk_count: int
    chunks_done: int
    chunks_failed: int
    stop_on_error: bool
    timeout_seconds: int | None
    auto_cleanup: bool
    console_output: bool
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    error_number: int | None
    error_message: str | None

    @property
    def open(self) -> bool:
        """Whether it has not ended yet."""
        return self.state in OPEN

    @property
    def span(self) -> tuple[float, float] | None:
        """When it began and ended, in seconds since the epoch; None where it has not."""
        if self.started_at is None or self.ended_at is None:
            return None
        return self.started_at.timestamp(), self.ended_at.timestamp()

    @property
    def seconds(self) -> float:
        """How long it has run, or ran; 0 where it has not begun."""
        if self.started_at is None:
            return 0.0
        end = self.ended_at or datetime.now(timezone.utc)
        return max(0.0, (end - self.started_at).total_seconds())


@dataclasses.dataclass(frozen=True)
class ChunkPlace:
    """A chunk to be submitted: its tasks, and which of the job's queries gives its rows."""

    first_task: int
    task_count: int
    query: int


@dataclasses.dataclass(frozen=True)
class ChunkResult:
    """What a job's chunk has come to; `result` is empty where it has none (yet).

    One that is done without a result has the `error` that its tasks end with.

    `started` and `ended` are seconds since the epoch by the server's clock, 0 where it has not.
    """

    number: int
    first_task: int
    task_count: int
    state: str
    worker_id: str
    attempt: int
    started: float
    ended: float
    payload_bytes: int
    error_number: int
    error_message: str
    result: bytes

    @property
    def error(self) -> Exception:
        """Why it could not be run."""
        return server_error(self.error_message, self.error_number)


@dataclasses.dataclass(frozen=True)
class Submission:
    """All that `sqlexec.submit_job` keeps of a job; that procedure tells what the fields mean."""

    protocol: int
    job_id: uuid.UUID
    result_key: bytes
    description: str
    client: str
    worker_count: int
    chunks: Sequence[ChunkPlace]
    queries: Sequence[str]
    payloads: Sequence[bytes]
    shared: bytes
    detached: bool
    most_attempts: int
    stop_on_error: bool
    timeout_seconds: int
    auto_cleanup: bool
    console_output: bool


def submit(session: Session, job: Submission) -> None:
    """Keep a job in the server, all or nothing; a round trip.

    Raises
    ------
    AgentUnavailable
        SQL Server Agent cannot work for it; nothing was kept.
    """
    arguments = {each.name: getattr(job, each.name) for each in dataclasses.fields(job)}
    arguments["chunks"] = json.dumps(
        [
            [each.first_task, each.task_count, len(payload), each.query]
            for each, payload in zip(job.chunks, job.payloads, strict=True)
        ]
    )
    arguments["queries"] = json.dumps(list(job.queries))
    arguments["payloads"] = b"".join(job.payloads)
    _call(session, "submit_job", **arguments)


def run_worker(session: Session, job_id: uuid.UUID) -> None:
    """Work for a job in this session until none of its chunks waits."""
    _call(session, "run_worker", job_id=job_id, kind="client")


def find(
    session: Session,
    *,
    job_id: uuid.UUID | None = None,
    states: Sequence[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    everybodys: bool = False,
    most: int | None = None,
) -> list[JobInfo]:
    """Jobs of this login, the newest first; with `everybodys` those of all, for an admin.

    `since` and `until` are inclusive and say when a job was submitted; naive ones are local.
    """
    sql, parameters = _statement(
        "jobs",
        job_id=job_id,
        states=None if states is None else ",".join(states),
        since=_server_time(since),
        until=_server_time(until),
        everybodys=everybodys or None,
        most=most,
    )
    found = []
    for description, rows in session.read(sql, 1000, parameters=parameters):
        found += [_job_info(row) for row in _named(description, rows)]
    return found


def secret(session: Session, job_id: uuid.UUID) -> tuple[bytes, dict[str, Any], int]:
    """The key that seals a job's results, what its client kept about it, and its protocol."""
    found = _call(session, "job_secret", job_id=job_id)
    if not found:  # the procedure found it, and somebody removed it then
        raise JobNotFound(f"Job {job_id} has just been removed.", number=51710)
    ((key, client, protocol),) = found
    return bytes(key), json.loads(client), protocol


def results(session: Session, job_id: uuid.UUID) -> Generator[ChunkResult, None, None]:
    """A job's chunks in the order of their tasks, one in memory at a time.

    The server, too, reads a few at a time: it gives no more than 64 MB or one result at once.
    """
    after, fetched = -1, True
    while fetched:
        fetched = False
        sql, parameters = _statement("fetch_results", job_id=job_id, after_task=after)
        for description, rows in session.read(sql, 1, parameters=parameters):
            for row in _named(description, rows):
                after, fetched = row["first_task"], True
                yield _chunk_result(row)


def console_headers(session: Session, job_id: uuid.UUID, after: int = 0) -> list[tuple[int, bytes]]:
    """Headers of the results that came after the one of that number, in the order they came."""
    rows = _call(session, "fetch_console", job_id=job_id, after=after)
    return [(number, _decoded(header, encoding)) for number, _, encoding, header in rows]


def cancel(session: Session, job_id: uuid.UUID) -> bool:
    """Stop a job; False if it had ended already."""
    ((was_open,),) = _call(session, "cancel_job", job_id=job_id)
    return bool(was_open)


def resume(session: Session, job_id: uuid.UUID, detached: bool | None = None) -> None:
    """Let a job that failed or was cancelled go on with what has no result yet."""
    _call(session, "resume_job", job_id=job_id, detached=detached)


def clean_up(session: Session, job_id: uuid.UUID) -> None:
    """Stop a job, if it has not ended, and remove all of it."""
    _call(session, "cleanup_job", job_id=job_id)


def purge(session: Session, older_than_days: int, *, everybodys: bool = False) -> int:
    """Remove jobs that ended so long ago; how many there were."""
    arguments = {"older_than_days": older_than_days, "everybodys": everybodys}
    ((removed,),) = _call(session, "purge_jobs", **arguments)
    return int(removed)


def _call(session: Session, procedure: str, **arguments: object) -> list[Any]:
    sql, parameters = _statement(procedure, **arguments)
    for pause in DEADLOCK_PAUSES:
        try:
            return session.execute(sql, *parameters)
        except TransientServerError as error:
            if error.number != _DEADLOCK:  # the victim of one has changed nothing
                raise
        time.sleep(pause)
    return session.execute(sql, *parameters)


def _statement(procedure: str, **arguments: object) -> tuple[str, list[object]]:
    """Arguments that are None are left to the procedure's defaults."""
    given = {name: value for name, value in arguments.items() if value is not None}
    names = ", ".join(f"@{name} = ?" for name in given)
    return f"SET NOCOUNT ON; EXECUTE sqlexec.{procedure} {names};", list(given.values())


def _job_info(row: dict[str, Any]) -> JobInfo:
    values = {each.name: row[each.name] for each in dataclasses.fields(JobInfo)}
    values["job_id"] = uuid.UUID(str(row["job_id"]))
    for name in ("submitted_at", "started_at", "ended_at"):
        if row[name] is not None:
            values[name] = row[name].replace(tzinfo=timezone.utc)
    return JobInfo(**values)


def _chunk_result(row: dict[str, Any]) -> ChunkResult:
    return ChunkResult(
        number=row["chunk_number"],
        first_task=row["first_task"],
        task_count=row["task_count"],
        state=row["state"],
        worker_id=str(row["worker_id"]),
        attempt=row["attempt_count"],
        started=_seconds(row["started_at"]),
        ended=_seconds(row["ended_at"]),
        payload_bytes=row["payload_bytes"],
        error_number=row["error_number"] or 0,
        error_message=row["error_message"] or "",
        result=_whole(row["result"], row["result_encoding"], row["result_length"]),
    )


def _named(description: Sequence[Any], rows: list[Any]) -> Iterator[dict[str, Any]]:
    """Rows by the names of their columns."""
    names = [column[0] for column in description]
    for row in rows:
        yield dict(zip(names, row, strict=True))


def _seconds(moment: datetime | None) -> float:
    return 0.0 if moment is None else moment.replace(tzinfo=timezone.utc).timestamp()


def _server_time(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(timezone.utc).replace(tzinfo=None)


def _whole(result: bytes | None, encoding: str | None, length: int | None) -> bytes:
    decoded = _decoded(result or b"", encoding)
    if result is not None and length is not None and length != len(decoded):
        raise ResultCut(
            f"A result of the job has {length:,} bytes, but {len(decoded):,} were kept: the "
            "server's runtime cut it. Submit the job again; results will come as rows then."
        )
    return decoded


def _decoded(content: bytes, encoding: str | None) -> bytes:
    if encoding != _BYTES_AS_TEXT:
        return content
    try:
        return binascii.a2b_base64(content)
    except binascii.Error as error:
        raise IntegrityError(f"The text that was kept is no result: {error}.") from None
