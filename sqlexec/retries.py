"""What to do about a chunk whose call failed: again, in halves, or blame a task.

transient (launchpad, limits), connection lost   the same chunk again, after a while
the process died, several tasks                  in halves, so that the killer is found
the process died, one task                       again, and then the task is to blame
a task's own arguments cannot be sent            the others again, and that task is to blame
anything else                                    the end of the job
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlexec.chunks import Chunk
from sqlexec.errors import (
    ConnectionFailed,
    ConnectionLost,
    PackError,
    PayloadTooLarge,
    ProcessDied,
    RemoteTraceback,
    TaskCrashed,
    TaskTimeout,
    TransientServerError,
)
from sqlexec.tasks import Call, Outcome, Task

FIRST_WAIT_SECONDS = 0.5  # before the first retry; each further one waits twice as long
LONGEST_WAIT_SECONDS = 30.0
LAST_LINES = 30  # of the console that an error shows
MOST_FRAMES = 110  # lines of what Python's faulthandler tells last, of the innermost frames first

_DUMP = re.compile(r"^(Timeout \(\d+:\d\d:\d\d|Fatal Python error: )", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    """What to run instead of a failed call, and which tasks are not run again.

    Parameters
    ----------
    again : list of Chunk
    outcomes : list of Outcome
        Each with the error that its task ends with.
    wait : float
        Seconds before the first of `again`.
    """

    again: list[Chunk] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    wait: float = 0.0


def judge(chunk: Chunk, error: Exception, max_attempts: int) -> Verdict:
    """Decide what becomes of a chunk whose call raised; raises what ends the job.

    Parameters
    ----------
    chunk : Chunk
    error : Exception
        What its call raised.
    max_attempts : int
        How often a task may be tried; 1 for never twice.

    Example
    -------
    >>> chunk = Chunk([Task(0), Task(1)])
    >>> [len(half) for half in judge(chunk, ProcessDied("gone"), 3).again]
    [1, 1]
    """
    if isinstance(error, PackError) and error.run is not None:
        rest = [task for task in chunk.tasks if task.index != error.run]
        again = [chunk.again(chunk.error, rest, failures=chunk.failures)] if rest else []
        return Verdict(again, [Outcome(error.run, error=error)])
    if isinstance(error, ProcessDied):
        return _after_death(chunk, error, max_attempts)
    if isinstance(error, PayloadTooLarge) and len(chunk) > 1:  # nothing was sent
        return Verdict([Chunk(part, Call(attempt=chunk.call.attempt)) for part in _halves(chunk)])
    lost = chunk.error if isinstance(chunk.error, ConnectionLost) else None
    reconnecting = lost is not None and isinstance(error, ConnectionFailed)
    if not (reconnecting or isinstance(error, (TransientServerError, ConnectionLost))):
        raise error
    failures = chunk.failures + 1
    if failures < max_attempts:
        kept = lost if reconnecting else error
        return Verdict([chunk.again(kept, failures=failures)], wait=_wait(failures))
    if isinstance(error, TransientServerError):
        return Verdict(
            outcomes=[Outcome(task.index, error=copy.copy(error)) for task in chunk.tasks]
        )
    raise (lost or error) from (error if lost else None)


def _after_death(chunk: Chunk, error: ProcessDied, max_attempts: int) -> Verdict:
    certain = len(chunk) == 1 and not error.shared
    if max_attempts == 1 or (certain and (_stuck(error) or chunk.call.attempt >= max_attempts)):
        return Verdict(outcomes=blame(chunk, error))
    again = [chunk.again(error, part) for part in _halves(chunk)]
    for each in again:
        each.suspect = len(each) == 1
    return Verdict(again)


def blame(chunk: Chunk, error: ProcessDied) -> list[Outcome]:
    """What the tasks of a chunk end with whose process died, and that is not tried again."""
    console = _last_lines(error)
    alone = len(chunk) == 1
    return [
        Outcome(
            task.index,
            error=_timed_out(console)
            if alone and _stuck(error)
            else _crashed(chunk, task.index, error, console),
            console=error.console if alone else (),
        )
        for task in chunk.tasks
    ]


def _stuck(error: ProcessDied) -> bool:
    dump = _written(error)[1]
    return bool(dump) and dump[0].startswith("Timeout")


def _halves(chunk: Chunk) -> list[Sequence[Task]]:
    middle = len(chunk) // 2
    return [part for part in (chunk.tasks[:middle], chunk.tasks[middle:]) if part]


def _crashed(chunk: Chunk, index: int, error: ProcessDied, console: str) -> TaskCrashed:
    attempts = chunk.call.attempt
    if error.shared:
        what = (
            f"A process ended ({error.exit_status}) while run {index} and others were under way; "
            "max_attempts=1 forbids to find out by which of them"
        )
    elif len(chunk) == 1:
        what = f"Run {index} ends the process that runs it"
        what += (
            f" ({error.exit_status}, tried {attempts} times)"
            if attempts > 1
            else (f" ({error.exit_status})")
        )
    else:
        what = (
            f"The process of runs {chunk.tasks[0].index} to {chunk.tasks[-1].index} ended "
            f"({error.exit_status}); max_attempts=1 forbids to find out by which of them"
        )
    advice = "Look for a crash in C code, os._exit, or more memory than the server allows."
    shown = f"\nThe last lines that it wrote:\n{console}" if console else ""
    found = TaskCrashed(f"{what}. {advice}{shown}")
    found.attempts, found.exit_status, found.console = attempts, error.exit_status, console
    found.__cause__ = error
    return found


def _timed_out(console: str) -> TaskTimeout:
    error = TaskTimeout(
        "The run took longer than its task_timeout_seconds, in code that nothing interrupts: its "
        "process was ended."
    )
    error.__cause__ = RemoteTraceback(console)
    return error


def _last_lines(error: ProcessDied) -> str:
    written, dump = _written(error)
    return "\n".join([*written[-LAST_LINES:], *dump[:MOST_FRAMES]]).strip("\n")


def _written(error: ProcessDied) -> tuple[list[str], list[str]]:
    """The lines of the process, and those that faulthandler wrote where it ended."""
    text = "".join(text for _, text in error.console)
    starts = [each.start() for each in _DUMP.finditer(text)]
    end = starts[-1] if starts else len(text)
    return text[:end].splitlines(), text[end:].splitlines()


def _wait(failures: int) -> float:
    """Seconds: twice as long each time, and never the same for two workers."""
    wait = min(FIRST_WAIT_SECONDS * 2.0 ** (failures - 1), LONGEST_WAIT_SECONDS)
    return wait * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
