"""Results to outcomes: verified first, then each task's value or error by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlexec.errors import (
    IntegrityError,
    RemoteError,
    RemoteTraceback,
    SqlExecError,
    TaskTimeout,
    UnpackError,
    remote_error,
)
from sqlexec.payload.bytecode import set_class_state
from sqlexec.runner.batch import cut_batch, cut_numbers, plain_values
from sqlexec.runner.failures import load_error
from sqlexec.runner.loading import load
from sqlexec.runner.main import PROTOCOL
from sqlexec.runner.types import Buffer
from sqlexec.runner.wire import RESULT, FrameError, split_frame
from sqlexec.tasks import Outcomes
from sqlexec.tracebacks import rebuild

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

    outcomes: Outcomes
    runtime: dict[str, Any]


def unpack(
    result: bytes | memoryview,
    key: bytes,
    original: Callable[[int], object] | None = None,
    indexes: Sequence[int] | None = None,
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
    indexes : sequence of int, optional
        Those of the tasks that were sent: the answer to another chunk is refused.  It may be
        for the first of them alone (the payload's budget).

    Raises
    ------
    IntegrityError
        It is cut or changed, or made with another key; nothing of it was unpickled.
    UnpackError
        It is of another protocol version, or answers for other tasks.
    SendOtherwise
        The server lacks cloudpickle and the payload had none, or its Python is of another minor
        version and the payload was bytecode: no task was run.
    RemoteError
        The runner gave no results at all (another Python version, a package
        missing on the server); the message says why.
    """
    try:
        header, body = split_frame(result, RESULT, key)
    except FrameError as error:
        raise IntegrityError(
            "The result that came back from the server is not to be trusted: "
            f"{_unsealed_failure(result) or error}. Nothing of it was used."
        ) from None
    try:
        if header["protocol"] != PROTOCOL:
            raise UnpackError(
                f"The server's runner speaks protocol {header['protocol']}, this client "
                f"{PROTOCOL}: install the bundle of this client's version."
            )
        if "failure" in header:
            raise _failure(header["failure"], header["runtime"])
        return Reply(_outcomes(header, body, original, indexes), header["runtime"])
    except (FrameError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise UnpackError(
            "The result is sealed as it should be, but not what this client expects: "
            f"{type(error).__name__}: {error}. Install the bundle of this client's version."
        ) from error


def _outcomes(
    header: dict[str, Any],
    body: memoryview,
    original: Callable[[int], object] | None,
    expected: Sequence[int] | None,
) -> Outcomes:
    # All is cut and looked at before the first byte is unpickled.
    (indexes, started, ended), offset = cut_numbers(header, body, 0, "qdd")
    together, apart = cut_batch(header, body, offset, len(indexes))
    if expected is not None and list(indexes) != list(expected)[: len(indexes) or 1]:
        raise UnpackError("The server answered for other tasks than those of the chunk.")
    consoles = _by_place(header["console"], len(indexes))
    warned = _by_place(header["warnings"], len(indexes))
    errors = _by_place(header["errors"], len(indexes))
    process_id = header["runtime"]["process_id"]
    written = {
        place: [(stream, text) for stream, text in lines] for place, lines in consoles.items()
    }
    issued = {
        place: [
            (category, text, file, line, module) for category, text, file, line, module in found
        ]
        for place, found in warned.items()
    }
    given = list(plain_values(together, len(indexes)))
    outcomes = Outcomes(indexes, given, started, ended, process_id)
    names: dict[str, Any] = {"cloudpickle.cloudpickle._class_setstate": set_class_state}
    if original is not None:
        names["original"] = original

    def read(pieces: Sequence[Buffer]) -> Any:
        return load(pieces, names.get, header["runtime"])

    shown = header.get("lines", {})
    for place, pieces in apart.items():
        if place in errors:
            outcome = outcomes.fail(place, _error(errors[place], pieces, read, shown))
            outcome.traceback = errors[place]["traceback"]
            outcome.runtime = header["runtime"]
            continue
        try:
            given[place] = read(pieces)
        except Exception as error:  # noqa: BLE001 - one task's value must not hide the others'
            outcomes.fail(place, _not_rebuilt(error))
    for place, lines in written.items():  # when all values are there, which an Outcome copies
        outcomes.tell(place).console = lines
    for place, found in issued.items():
        outcomes.tell(place).warnings = found
    return outcomes


def _by_place(entry: dict[str, Any], count: int) -> dict[int, Any]:
    """An entry of the header that some tasks have, by their places."""
    found = {int(place): each for place, each in entry.items()}
    if any(not 0 <= place < count for place in found):
        raise FrameError("its header tells of a task that is not there")
    return found


def _unsealed_failure(result: bytes | memoryview) -> str | None:
    """What a runner says that could not even read the payload's key, so has none to seal with."""
    try:
        failure = split_frame(result, RESULT)[0].get("failure")
        return f"the server says, unsealed, that {failure['message']}" if failure else None
    except (FrameError, LookupError, TypeError):
        return None


def _not_rebuilt(error: Exception) -> UnpackError:
    failure = UnpackError(
        "The function returned on the server, but its result cannot be rebuilt here: "
        f"{type(error).__name__}: {error}"
    )
    failure.__cause__ = error
    return failure


def _error(
    description: dict[str, Any],
    pieces: list[memoryview],
    read: Read,
    lines: Mapping[str, Mapping[str, str]],
) -> BaseException:
    """The exception itself where it can be rebuilt, else a RemoteError that tells all of it.

    It and its causes have the tracebacks that they had there.
    """
    chain: list[BaseException] = []
    if description.get("timed_out"):
        limit, advice = "its task_timeout_seconds", ""
        if longest := description.get("longest_run_seconds"):
            limit = f"the server's longest_run_seconds, {longest},"
            advice = " A member of sqlexec_admin may change the limit: EXECUTE sqlexec.configure."
        chain = [
            TaskTimeout(
                f"The run took longer than {limit} and was stopped; the traceback shows where it "
                f"was.{advice}"
            )
        ]
    elif pieces:
        chain = load_error(pieces, read, _link_lost)
    chain = chain or [_remote_error(description)]
    for error, frames in zip(chain, description.get("frames", ()), strict=False):
        error.with_traceback(rebuild(frames, lines))
    return chain[0]


def _link_lost(type_name: str, text: str) -> BaseException:
    """What stands for a cause or context that cannot be rebuilt here."""
    return RemoteError(f"{type_name}: {text}", type_name=type_name)


def _remote_error(description: dict[str, str]) -> RemoteError:
    error = remote_error(
        description.get("base", ""),
        f"{description['type']}: {description['message']} (raised on the server; the exception "
        "itself could not be rebuilt here)",
    )
    error.type_name = description["type"]
    error.remote_traceback = description["traceback"]
    return error


def _failure(description: dict[str, str], runtime: dict[str, Any]) -> SqlExecError:
    if "traceback" not in description:
        return IntegrityError(f"The server says that {description['message']}.")
    if description["type"].endswith(("NeedsCloudpickle", "NeedsSource")):
        return SendOtherwise(f"The server's Python lacks {description['message']}.", runtime)
    short = description["type"].rpartition(".")[2]
    error = RemoteError(
        f"The server gave no results: {description['message']} ({short})",
        type_name=description["type"],
        remote_traceback=description["traceback"],
    )
    error.__cause__ = RemoteTraceback(description["traceback"])
    return error
