"""What the server tells of durable jobs, and is told: rows and arguments as Python values."""

from __future__ import annotations

import binascii
import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from sqlexec.errors import IntegrityError, ResultCut
from sqlexec.server.sql_errors import server_error

OPEN = ("QUEUED", "RUNNING")  # states of a job that has not ended
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


def job_info(row: Mapping[str, Any]) -> JobInfo:
    """A row of `sqlexec.jobs`, by the names of its columns."""
    values = {each.name: row[each.name] for each in dataclasses.fields(JobInfo)}
    values["job_id"] = uuid.UUID(str(row["job_id"]))
    for name in ("submitted_at", "started_at", "ended_at"):
        if row[name] is not None:
            values[name] = row[name].replace(tzinfo=timezone.utc)
    return JobInfo(**values)


def chunk_result(row: Mapping[str, Any]) -> ChunkResult:
    """A row of `sqlexec.fetch_results`, by the names of its columns."""
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


def decoded(content: bytes, encoding: str | None) -> bytes:
    """A result, or the first part of one, from the form in which it was kept."""
    if encoding != _BYTES_AS_TEXT:
        return content
    try:
        return binascii.a2b_base64(content)
    except binascii.Error as error:
        raise IntegrityError(f"The text that was kept is no result: {error}.") from None


def _seconds(moment: datetime | None) -> float:
    return 0.0 if moment is None else moment.replace(tzinfo=timezone.utc).timestamp()


def _whole(result: bytes | None, encoding: str | None, length: int | None) -> bytes:
    whole = decoded(result or b"", encoding)
    if result is not None and length is not None and length != len(whole):
        raise ResultCut(
            f"A result of the job has {length:,} bytes, but {len(whole):,} were kept: the "
            "server's runtime cut it. Submit the job again; results will come as rows then."
        )
    return whole
