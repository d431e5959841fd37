"""Durable jobs in the server: one thin function for each procedure that a client calls.

submit, run_worker --> tables job, chunk, blob --> find, results, console
cancel, resume, clean_up, purge
"""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from collections.abc import Generator, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

from sqlexec.errors import JobNotFound, TransientServerError
from sqlexec.server.job_records import (
    ChunkResult,
    JobInfo,
    Submission,
    chunk_result,
    decoded,
    job_info,
)
from sqlexec.server.session import Session

DEADLOCK_PAUSES = (0.05, 0.2, 0.5)  # seconds before a deadlock's victim is sent again
_DEADLOCK = 1205


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
        found += [job_info(row) for row in _named(description, rows)]
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
                yield chunk_result(row)


def console_headers(session: Session, job_id: uuid.UUID, after: int = 0) -> list[tuple[int, bytes]]:
    """Headers of the results that came after the one of that number, in the order they came."""
    rows = _call(session, "fetch_console", job_id=job_id, after=after)
    return [(number, decoded(header, encoding)) for number, _, encoding, header in rows]


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


def _named(description: Sequence[Any], rows: list[Any]) -> Iterator[dict[str, Any]]:
    """Rows by the names of their columns."""
    names = [column[0] for column in description]
    for row in rows:
        yield dict(zip(names, row, strict=True))


def _server_time(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(timezone.utc).replace(tzinfo=None)
