"""Run one chunk of tasks: bytes in, bytes out, and never an exception.

payload -> frame (checked) -> function, shared arguments, input data
        -> each task: arguments -> run, with console and warnings recorded -> value or error
        -> frame (sealed with the job's key) -> result
"""

import io
import os
import platform
import sys
from typing import Any, Dict, List, Tuple

from sqlexec.runner.chunk import TaskChunk
from sqlexec.runner.failures import describe_current
from sqlexec.runner.types import Buffer
from sqlexec.runner.wire import REQUEST, RESULT, FrameError, TooLarge, join_frame, split_frame

PROTOCOL = 2

_TOLD = (  # packages whose versions the other side is told
    "cloudpickle",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "sklearn",
    "statsmodels",
    "dateutil",
    "pytz",
    "revoscalepy",
)


def run_chunk(
    payload: bytes,
    input_data: Any = None,
    shared: bytes = b"",
    longest_run_seconds: int = 0,
    seconds_left: int = 0,
    first_place: int = 0,
    task_count: int = 0,
) -> Tuple[bytes, int]:
    """Run the tasks of a payload; gives the result's bytes and how many tasks raised.

    `shared` is what came apart from the payload, since several payloads have it in common;
    `longest_run_seconds` is the server's limit of each task, 0 for none; the process ends after
    `seconds_left`, 0 for never.  Of the payload's tasks `task_count` run from `first_place` on, 0
    for all.

    Whatever goes wrong is told in the result, sealed with the payload's key where that much
    could be read.
    """
    key = b""
    try:
        header, body = split_frame(payload, REQUEST)
        key = _key(header)
        if header["protocol"] != PROTOCOL:
            raise FrameError("it is of protocol %s, not %d" % (header["protocol"], PROTOCOL))
        chunk = TaskChunk(
            header,
            body,
            input_data,
            shared,
            longest_run_seconds,
            seconds_left,
            first_place,
            task_count,
        )
        gathered = chunk.run()
        answer = {}  # type: Dict[str, Any]
        pieces = gathered.close(chunk.indexes, answer)
        return _result(answer, pieces, key), len(gathered.errors)
    except FrameError as error:
        failure = {"type": "sqlexec.IntegrityError", "message": "the payload arrived broken: %s"}
        failure["message"] %= error
        return _result({"failure": failure}, [], key), 1
    except TooLarge as error:
        failure = describe_current(globals())
        failure["message"] = "the tasks ran, but all that they gave and wrote comes to %s" % error
        return _result({"failure": failure}, [], key), 1
    except BaseException:  # noqa: BLE001 - the promise of this function
        return failed_chunk(key), 1


def failed_chunk(key: bytes) -> bytes:
    """The result of a chunk that the exception under way has ended."""
    return _result({"failure": describe_current(globals())}, [], key)


def runtime() -> Dict[str, Any]:
    """What this process is, for the client to remember: versions and platform."""
    packages = {}
    for name in _TOLD:
        version = getattr(sys.modules.get(name), "__version__", None)
        if isinstance(version, str):
            packages[name] = version
    return {
        "python": list(sys.version_info[:3]),
        "implementation": platform.python_implementation(),
        "platform": sys.platform,
        "process_id": os.getpid(),
        "packages": packages,
        # Microsoft's open language extension copies OUTPUT values at some 50 ns a byte.  It alone
        # gives a script its console in memory.
        "slow_output": type(sys.stdout) is io.StringIO,
    }


def _result(header: Dict[str, Any], pieces: List[Buffer], key: bytes) -> bytes:
    header["protocol"] = PROTOCOL
    header["runtime"] = runtime()
    return join_frame(RESULT, header, pieces, key)


def _key(header: Dict[str, Any]) -> bytes:
    try:
        return bytes.fromhex(header["key"])
    except (TypeError, ValueError):
        raise FrameError("its header has no key that is hexadecimal")
