"""Durable jobs: a plan is cut and packed as a whole and kept in the server, which works on it.

plan --cut--> chunks --pack--> shared part + a payload each --submit_job--> tables of the server
                                   SQL Server Agent, or `ClientWorkers` --run_worker--^
"""

from __future__ import annotations

import dataclasses
import json
import platform
import uuid
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from sqlexec.chunks import Source
from sqlexec.contexts.base import ConsoleOutput
from sqlexec.contexts.sql_server import RxInSqlServer, ServerJob, kept_by_server
from sqlexec.errors import ConfigurationError, UnpackError
from sqlexec.payload import PROTOCOL
from sqlexec.plan import Plan, make_plan
from sqlexec.server import jobs, runtimes
from sqlexec.server.connection import Connection
from sqlexec.server.job_records import ChunkPlace, Submission
from sqlexec.server.pool import POOL
from sqlexec.tasks import Task
from sqlexec.version import __version__

SMALLEST_PART = 16  # a chunk has at least so small a part of a worker's share of all tasks
_MOST_DESCRIPTION = 400  # characters; the column's
# Fields of a context that say nothing about the job, or what must not be kept.
_NOT_KEPT = ("connection_string", "wait")


@dataclasses.dataclass(frozen=True)
class Submitted:
    """A job that the server has.

    Parameters
    ----------
    job_id : uuid.UUID
    detached : bool
        Whether SQL Server Agent works for it.
    worker_count : int
        The most processes at a time.
    original : callable
        Gives classes and functions of this process that results may refer to.
    """

    detached: bool
    worker_count: int
    original: Callable[[int], object]


def submit(
    plan: Plan,
    context: RxInSqlServer,
    job_id: uuid.UUID,
    *,
    auto_cleanup: bool,
    console_output: ConsoleOutput,
) -> Submitted:
    """Keep a plan in the server as a job of that id.

    Raises
    ------
    ConfigurationError
        The plan has no runs, or data sources of another server.
    PackError
        The function or an argument cannot be sent; nothing was.
    AgentUnavailable
        The job is to be detached and SQL Server Agent cannot work for it; nothing was kept.
    """
    connection = Connection.of(context.connection_string)
    runtime, way_out = _runtime(context, connection)
    with kept_by_server():
        job = ServerJob(plan, connection)
        tasks = job.tasks if isinstance(job.tasks, Sequence) else list(job.tasks)
        chunks = cut(tasks, context.workers, plan.chunk_size, job.group)
        if not chunks:
            raise ConfigurationError("A job that outlives its call needs at least one run.")
        queries: dict[str, int] = {}
        places = []
        for chunk in chunks:
            source = job.source(chunk)
            query = queries.setdefault(source.query if source is not None else "", len(queries))
            places.append(ChunkPlace(chunk[0].index, len(chunk), query))
        shared, payloads = job.pack_all(chunks, runtime, way_out)
    detached = not context.wait if context.detached is None else context.detached
    submission = Submission(
        protocol=PROTOCOL,
        job_id=job_id,
        result_key=job.packer.key,
        description=_name(plan.function)[:_MOST_DESCRIPTION],
        client=json.dumps(_kept(context, console_output)),
        worker_count=min(context.workers, len(chunks)),
        chunks=places,
        queries=list(queries),
        payloads=payloads,
        shared=shared,
        detached=detached,
        most_attempts=context.max_attempts,
        stop_on_error=plan.stop_on_error,
        timeout_seconds=context.execution_timeout_seconds or 0,
        auto_cleanup=auto_cleanup,
        console_output=bool(console_output),
    )
    with POOL.lend(connection) as session:
        jobs.submit(session, submission)
    return Submitted(detached, submission.worker_count, job.packer.original)


def cut(
    tasks: Sequence[Task],
    workers: int,
    size: int | None = None,
    group: Callable[[Task], Hashable] | None = None,
) -> list[Sequence[Task]]:
    """All chunks of a job, whose tasks nobody has timed yet.

    Sizes fall from half of a worker's share of what is left (guided self-scheduling) to a
    sixteenth of its share of all, so that all workers end at about the same time.

    Parameters
    ----------
    size : int, optional
        Tasks a chunk; None for falling sizes.
    group : callable, optional
        Tasks share a chunk only where this gives equal values.

    Example
    -------
    >>> [len(chunk) for chunk in cut([Task(n) for n in range(100)], workers=2)]
    [25, 19, 14, 11, 8, 6, 5, 3, 3, 3, 3]
    """
    least = max(1, len(tasks) // (SMALLEST_PART * workers))
    chunks: list[Sequence[Task]] = []
    left = len(tasks)
    source = Source(tasks, group)
    while chunk := source.take(size or max(least, -(-left // (2 * workers)))):
        chunks.append(chunk)
        left -= len(chunk)
    return chunks


def context_of(kept: Mapping[str, Any], context: RxInSqlServer) -> RxInSqlServer:
    """The context that a job was submitted in, from what its client kept about it."""
    names = {each.name for each in dataclasses.fields(RxInSqlServer)}
    fields = {name: value for name, value in kept.get("context", {}).items() if name in names}
    return context.replace(**fields, wait=False)


def _runtime(context: RxInSqlServer, connection: Connection) -> tuple[dict[str, Any], str]:
    """What the server's Python is, by an empty call where nobody knows yet."""
    runtime, way_out = runtimes.known(connection), runtimes.way_out(connection)
    if runtime is None or way_out == "probe":
        for (outcome,) in context.replace(wait=True).carry_out(make_plan(platform.python_version)):
            if outcome.error is not None:
                raise outcome.error
        runtime, way_out = runtimes.known(connection), runtimes.way_out(connection)
    if runtime is None:
        raise UnpackError("The server's answer did not tell its Python.")
    return runtime, way_out


def _kept(context: RxInSqlServer, console_output: ConsoleOutput) -> dict[str, object]:
    """What the server keeps about a job for its clients, as JSON values."""
    fields = {each.name: getattr(context, each.name) for each in dataclasses.fields(context)}
    kept = {name: value for name, value in fields.items() if name not in _NOT_KEPT}
    kept["console_output"] = _plain_console(context.console_output)
    return {
        "version": __version__,
        "context": kept,
        "console_output": _plain_console(console_output),
    }


def _plain_console(console_output: ConsoleOutput) -> bool | str | None:
    """A function of this process is nothing for others: they print."""
    return True if callable(console_output) else console_output


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__qualname__", None) or type(function).__qualname__)
