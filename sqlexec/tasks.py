"""A task and its outcome: what every part of the client passes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Task:
    """One run of the function.

    Parameters
    ----------
    index : int
        Place of the run in the list of results, from 0.
    arguments : mapping
        Named arguments of this run alone; those that all runs share are not here.
    """

    index: int
    arguments: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Call:
    """One call of a chunk: who made it, when, and what it moved.

    Parameters
    ----------
    worker : int
        Number of the worker, from 1.
    number : int
        Number of the call in its job, from 1.
    attempt : int
        How many calls these tasks were in, with this one.
    sent, received : float
        Seconds since the epoch, by the client's clock.
    payload_bytes, result_bytes : int
        What went there and came back; 0 where nothing was sent.
    shared_bytes : int
        Of the payload, what does not grow with the tasks.
    status : str
        "finished", or the name of the error that ended it.
    earlier : Call or None
        The failed call that it repeats.
    """

    worker: int = 0
    number: int = 0
    attempt: int = 1
    sent: float = 0.0
    received: float = 0.0
    payload_bytes: int = 0
    result_bytes: int = 0
    shared_bytes: int = 0
    status: str = "finished"
    earlier: Call | None = None


@dataclass(slots=True)
class Outcome:
    """What became of one task.

    Parameters
    ----------
    index : int
        Index of the task.
    value : object
        What the function returned, None if it raised.
    error : BaseException or None
        What it raised, with the traceback that it had where it ran.
    console : sequence of (stream, text)
        What the run wrote, in order; stream is "stdout" or "stderr".
    warnings : sequence of (category name, text, file name, line)
        Warnings that the run issued.
    started, ended : float
        Seconds since the epoch, by the clock of the machine that ran it.
    process_id : int
        Of the process that ran it.
    runtime : mapping or None
        Of an error: what that process is, as `runner.main.runtime` tells; None if nobody knows.
    traceback : str
        Of an error: the text of its traceback, as it was there.
    call : Call or None
        The call that it came with; None where there was none.
    """

    index: int
    value: object = None
    error: BaseException | None = None
    console: Sequence[tuple[str, str]] = ()
    warnings: Sequence[tuple[str, str, str, int]] = ()
    started: float = 0.0
    ended: float = 0.0
    process_id: int = 0
    runtime: Mapping[str, Any] | None = None
    traceback: str = ""
    call: Call | None = None
