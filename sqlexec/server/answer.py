"""What a call of sqlexec.execute_chunk answers: result sets and messages, to one Reply.

number, piece (base64)               rows of a long result, where it leaves in rows
result, its length, the probe's      or, instead of both: the fields of an error
messages, before and after           what the process wrote outside of any task
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlexec.errors import IntegrityError, ResultCut
from sqlexec.runner.way_out import PIECE, PROBE
from sqlexec.server.sql_errors import server_error

_MESSAGE = re.compile(r"^(\[[^\]]*\]\s*)+")
_CONSOLE = re.compile(r"^(STDOUT|STDERR) message\(s\) from external script:\s*\n?", re.DOTALL)
_ROWS, _RESULT, _ERROR = 2, 3, 6  # columns of each result set
LONGEST = 1 << 31  # bytes of a result
_UNKNOWN: Sequence[Any] = ("an error without a text", 0, 0, 0, "", 0)

Messages = list[tuple[str, str]]


@dataclass(slots=True)
class Reply:
    """What came back from one call.

    Parameters
    ----------
    result : bytes or memoryview
        The result's envelope, not looked into.
    messages : list of (stream, text)
        What the process wrote outside of any task; stream is "stdout" or "stderr".
    whole : bool, optional
        Whether OUTPUT values of any length arrive whole; None where the call did not ask.
    """

    result: bytes | memoryview
    messages: Messages = field(default_factory=list)
    whole: bool | None = None


def read_answer(cursor: Any) -> Reply:
    """Read all that a call answers.

    Raises
    ------
    ResultCut
        The result is shorter than what the runner gave.
    IntegrityError
        Its rows are no text of ours.
    ServerError
        Or the class below it that fits the error which the server tells of.
    """
    row: Sequence[Any] | None = None
    rows = memoryview(b"")
    messages: Messages = []
    while True:
        if cursor.messages:
            messages += _console(cursor.messages)
        width = len(cursor.description or ())
        if width == _ROWS:
            rows = _joined(cursor)
        elif width in (_RESULT, _ERROR):
            row = cursor.fetchone()
        if not cursor.nextset():
            break
    if row is None:
        raise server_error("sqlexec.execute_chunk returned nothing at all.")
    if len(row) == _ERROR:
        fields = [value or default for value, default in zip(row, _UNKNOWN, strict=True)]
        failure = server_error(*fields)
        failure.console = messages
        raise failure
    result, length, probe = row
    if result is None:
        raise server_error("sqlexec.execute_chunk returned no result (NULL).")
    result = result or rows
    if length is not None and length != len(result):
        raise ResultCut(f"The result has {length:,} bytes, but {len(result):,} arrived.")
    return Reply(result, messages, probe == PROBE if probe else None)


@dataclass(slots=True)
class ResultSets:
    """What a statement gave.

    Parameters
    ----------
    sets : list of (description, rows)
        As the driver has them: `cursor.description`, `cursor.fetchall()`.
    messages : list of (stream, text)
        What its external scripts wrote; stream is "stdout" or "stderr".
    """

    sets: list[tuple[Sequence[Any], list[Any]]] = field(default_factory=list)
    messages: Messages = field(default_factory=list)


def read_result_sets(cursor: Any) -> ResultSets:
    """Read all that a statement gives."""
    found = ResultSets()
    while True:
        if cursor.messages:
            found.messages += _console(cursor.messages)
        if cursor.description is not None:
            found.sets.append((cursor.description, cursor.fetchall()))
        if not cursor.nextset():
            return found


def _joined(rows: Iterable[Sequence[Any]]) -> memoryview:
    """The result that left as numbered rows of base64, in whatever order they come."""
    result = bytearray()  # grows in place: pieces to be joined would take its memory twice
    try:
        for number, text in rows:
            start = number * PIECE
            if not 0 <= start <= LONGEST:
                raise ValueError(f"one of them has number {number}")
            result.extend(bytes(max(0, start - len(result))))
            result[start : start + PIECE] = binascii.a2b_base64(text)
    except (TypeError, ValueError) as error:
        raise IntegrityError(f"The rows that came back are no result: {error}.") from None
    return memoryview(result)


def _console(messages: Sequence[tuple[str, str]]) -> Messages:
    """The console texts (39005, 39022) among a statement's informational messages."""
    found = []
    for _, text in messages:
        match = _CONSOLE.match(plain := _MESSAGE.sub("", text))
        if match:
            found.append((match[1].lower(), plain[match.end() :]))
    return found
