"""What a job in the server has given: chunks fetched one by one, verified, as outcomes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

from sqlexec.chunks import Chunk
from sqlexec.contexts.base import ConsoleOutput, RxComputeContext
from sqlexec.errors import (
    ExecutionTimeout,
    IntegrityError,
    JobFailed,
    JobNotFound,
    OperationCancelled,
    ProcessDied,
)
from sqlexec.payload import SendOtherwise, unpack
from sqlexec.retries import blame
from sqlexec.runner.wire import RESULT, FrameError, read_header
from sqlexec.rx.collect import collect
from sqlexec.rx.delivery import deliver_outcomes
from sqlexec.server import jobs, runtimes
from sqlexec.server.connection import Connection
from sqlexec.server.job_records import ChunkResult, JobInfo
from sqlexec.server.pool import POOL
from sqlexec.tasks import Call, Outcomes, TaskColumns
from sqlexec.tracebacks import hide_own_frames

Original = Callable[[int], object]  # see `payload.unpack`
_TIMED_OUT = 51732


def all_outcomes(
    connection: Connection, info: JobInfo, original: Original | None
) -> Iterator[Outcomes]:
    """Outcomes of all runs of a job that ended; then raises what kept others from running.

    Raises
    ------
    ServerError
        A call of it could not be run; the first such error.
    JobFailed, ExecutionTimeout, OperationCancelled
        It ended before all runs were done.
    JobNotFound
        It was removed meanwhile.
    """
    count = 0
    errors: list[Exception] = []
    for outcomes in done_outcomes(connection, info.job_id, original, errors):
        count += len(outcomes)
        yield outcomes
    if errors:
        raise errors[0]
    if info.state != "FINISHED":
        raise _failure(info)
    if count != info.task_count:
        raise JobNotFound(
            f"Job {info.job_id} was removed while its results were fetched.", number=51710
        )


def done_outcomes(
    connection: Connection, job_id: uuid.UUID, original: Original | None, errors: list[Exception]
) -> Iterator[Outcomes]:
    """Outcomes of the runs that are done by now; `errors` gets those of calls that failed."""
    with POOL.lend(connection) as session:
        key, _, _ = jobs.secret(session, job_id)
        workers: dict[str, int] = {}
        for chunk in jobs.results(session, job_id):
            if chunk.state == "failed":
                errors.append(chunk.error)
            elif chunk.state == "done":
                call = _call_of(chunk, workers.setdefault(chunk.worker_id, len(workers) + 1))
                outcomes = _outcomes(connection, chunk, call, key, original)
                outcomes.came_with(call)
                yield outcomes


def _outcomes(
    connection: Connection, chunk: ChunkResult, call: Call, key: bytes, original: Original | None
) -> Outcomes:
    indexes = range(chunk.first_task, chunk.first_task + chunk.task_count)
    if not chunk.result and isinstance(chunk.error, ProcessDied):
        return Outcomes.of(blame(Chunk(TaskColumns({}, indexes), call), chunk.error))
    try:
        return unpack(chunk.result, key, original, indexes).outcomes
    except SendOtherwise as answer:
        runtimes.remember(connection, answer.runtime)
        raise JobFailed(
            f"{answer} It had another Python when the job was submitted: submit it again."
        ) from None


def _call_of(chunk: ChunkResult, worker: int) -> Call:
    return Call(
        worker=worker,
        number=chunk.number,
        attempt=chunk.attempt,
        sent=chunk.started,
        received=chunk.ended,
        payload_bytes=chunk.payload_bytes,
        result_bytes=len(chunk.result),
    )


def take(
    outcomes: Iterator[Outcomes],
    info: JobInfo,
    context: RxComputeContext,
    callback: Callable[[Any], object] | None,
    console_output: ConsoleOutput,
) -> list[Any] | BaseException:
    """What rx_exec would have returned for these outcomes, or what it would have raised.

    Raises what kept a run from running, or its outcome from being read.
    """
    raised: list[BaseException] = []
    delivered = deliver_outcomes(
        _noting(outcomes, raised),
        context,
        callback,
        console_output,
    )
    try:
        return collect(delivered, raises=info.stop_on_error or info.task_count == 1)
    except BaseException as error:
        if any(error is each for each in raised):
            return hide_own_frames(error)
        raise


def _noting(each_call: Iterator[Outcomes], raised: list[BaseException]) -> Iterator[Outcomes]:
    """Pass outcomes on, and keep the exceptions of runs."""
    for outcomes in each_call:
        raised += [each.error for each in outcomes.told.values() if each.error is not None]
        yield outcomes


def console_of(header: bytes, key: bytes) -> Iterator[tuple[str, str]]:
    """(stream, text) of what the runs of one call printed, from the first part of its result."""
    try:
        console = read_header(header, RESULT, key)["console"]
    except FrameError as error:
        raise IntegrityError(
            f"What the server kept of a call's console is not to be trusted: {error}."
        ) from None
    for place in sorted(console, key=int):
        yield from ((stream, text) for stream, text in console[place])


def _failure(info: JobInfo) -> Exception:
    """Why a job that ended has not the results of all runs."""
    if info.state == "CANCELED":
        return OperationCancelled(
            f"Job {info.job_id} was cancelled, with {info.tasks_done:,} of "
            f"{info.task_count:,} runs done; resume() lets it go on."
        )
    message = info.error_message or "It failed."
    if info.error_number == _TIMED_OUT:
        return ExecutionTimeout(message)
    failure = JobFailed(f"Job {info.job_id}: {message}")
    failure.number = info.error_number or 0
    return failure
