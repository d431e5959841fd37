"""Results to outcomes: verified first, then each task's value or error by itself."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlexec.errors import IntegrityError, RemoteError, RemoteTraceback, SqlExecError, UnpackError
from sqlexec.runner.batch import read_batch
from sqlexec.runner.failures import load_error
from sqlexec.runner.main import PROTOCOL
from sqlexec.runner.types import Buffer
from sqlexec.runner.values import load
from sqlexec.runner.wire import RESULT, FrameError, split_frame, take
from sqlexec.tasks import Outcome

Read = Callable[[Sequence[Buffer]], Any]


class SendOtherwise(UnpackError):
    """No task was run: this server's Python, in `runtime`, needs the payload packed otherwise."""

    def __init__(self, message: str, runtime: dict[str, Any]) -> None:
        super().__init__(message)
        self.runtime = runtime


@dataclass(slots=True)
class Reply:
    """What one call came back with: an outcome a task, and what the server's Python is.

    `runtime` has "python" (a list of three ints), "implementation", "platform", "process_id"
    and "packages" (name -> version, of those that were loaded).
    """

    outcomes: list[Outcome]
    runtime: dict[str, Any]


def unpack(
    result: bytes | memoryview, key: bytes, original: Callable[[int], object] | None = None
) -> Reply:
    """Verify and decode the result of one call.

    Parameters
    ----------
    result : bytes or memoryview
        As it came from the server.
    key : bytes
        The `key` of the Packer that made the payload.
    original : callable, optional
        Its `original`: gives classes and functions that went by source and have no name.

    Raises
    ------
    IntegrityError
        It is cut or changed, or made with another key; nothing of it was unpickled.
    UnpackError
        It is of another protocol version.
    SendOtherwise
        The server lacks cloudpickle and the payload had none, or its Python is of another minor
        version and the payload was bytecode: no task was run.
    RemoteError
        The runner could not begin with the tasks at all (another Python version, a package
        missing on the server); the message says why.
    """
    try:
        header, body = split_frame(result, RESULT, key)
        if header["protocol"] != PROTOCOL:
            raise UnpackError(
                f"The server's runner speaks protocol {header['protocol']}, this client "
                f"{PROTOCOL}: install the bundle of this client's version."
            )
        if "failure" in header:
            raise _failure(header["failure"], header["runtime"])
        return Reply(_outcomes(header, body, original), header["runtime"])
    except FrameError as error:
        raise IntegrityError(
            f"The result that came back from the server is not to be trusted: {error}. Nothing of "
            "it was used."
        ) from None
    except (LookupError, TypeError, ValueError, struct.error) as error:
        raise UnpackError(
            f"The result's header is not what this client expects: {type(error).__name__}: {error}"
        ) from error


def _outcomes(
    header: dict[str, Any], body: memoryview, original: Callable[[int], object] | None
) -> list[Outcome]:
    count = header["count"]
    (indexes, started, ended), offset = take(body, [8 * count] * 3, 0)
    values, apart = read_batch(header, body, offset)
    process_id = header["runtime"]["process_id"]
    outcomes = [
        Outcome(index, value, None, (), (), start, end, process_id)
        for index, value, start, end in zip(
            struct.unpack(f"<{count}q", indexes),
            values,
            struct.unpack(f"<{count}d", started),
            struct.unpack(f"<{count}d", ended),
            strict=True,
        )
    ]
    for place, lines in header["console"].items():
        outcomes[int(place)].console = [(stream, text) for stream, text in lines]
    for place, warned in header["warnings"].items():
        outcomes[int(place)].warnings = [tuple(each) for each in warned]
    aliases = {"original": original} if original is not None else {}

    def read(pieces: Sequence[Buffer]) -> Any:
        return load(pieces, aliases, header["runtime"])

    for place, pieces in apart.items():
        outcome = outcomes[place]
        if str(place) in header["errors"]:
            outcome.error = _error(header["errors"][str(place)], pieces, read)
        else:
            outcome.value, outcome.error = _value(pieces, read)
    return outcomes


def _value(pieces: list[memoryview], read: Read) -> tuple[object, SqlExecError | None]:
    try:
        return read(pieces), None
    except Exception as error:  # noqa: BLE001 - one task's value must not hide the others'
        failure = UnpackError(
            "The function returned on the server, but its result cannot be rebuilt here: "
            f"{type(error).__name__}: {error}"
        )
        failure.__cause__ = error
        return None, failure


def _error(description: dict[str, str], pieces: list[memoryview], read: Read) -> BaseException:
    """The exception itself where it can be rebuilt, else a RemoteError that tells all of it."""
    error: BaseException | None = None
    if pieces:
        error = load_error(pieces, read, _link_lost)
    if error is None:
        return _remote_error(description)
    _put_under(error, RemoteTraceback(description["traceback"]))
    return error


def _link_lost(type_name: str, text: str) -> BaseException:
    """What stands for a cause or context that cannot be rebuilt here."""
    return RemoteError(f"{type_name}: {text}", type_name=type_name)


def _put_under(error: BaseException, trace: RemoteTraceback) -> None:
    """Set the remote traceback as the cause of the last of an exception's own causes."""
    seen = {id(error)}
    while error.__cause__ is not None and id(error.__cause__) not in seen:
        error = error.__cause__
        seen.add(id(error))
    if error.__cause__ is None:
        suppressed = error.__suppress_context__
        error.__cause__ = trace
        error.__suppress_context__ = suppressed


def _remote_error(description: dict[str, str]) -> RemoteError:
    error = RemoteError(
        f"{description['type']}: {description['message']} (raised on the server; the exception "
        "itself could not be rebuilt here)",
        type_name=description["type"],
        remote_traceback=description["traceback"],
    )
    error.__cause__ = RemoteTraceback(description["traceback"])
    return error


def _failure(description: dict[str, str], runtime: dict[str, Any]) -> SqlExecError:
    if "traceback" not in description:
        return IntegrityError(f"The server says that {description['message']}.")
    if description["type"].endswith(("NeedsCloudpickle", "NeedsSource")):
        return SendOtherwise(f"The server's Python lacks {description['message']}.", runtime)
    error = RemoteError(
        f"The server could not begin with the tasks: {description['message']} "
        f"({description['type']})",
        type_name=description["type"],
        remote_traceback=description["traceback"],
    )
    error.__cause__ = RemoteTraceback(description["traceback"])
    return error
