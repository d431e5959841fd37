"""Run one chunk of tasks: bytes in, bytes out, and never an exception.

payload -> frame (checked) -> function, shared arguments, input data
        -> each task: arguments -> run, with console and warnings recorded -> value or error
        -> frame (sealed with the job's key) -> result
"""

import contextlib
import hashlib
import io
import os
import platform
import struct
import sys
import time
import warnings
from typing import Any, Callable, Dict, List, Optional, Tuple

from sqlexec.runner.batch import Batch, cut_batch, cut_numbers, is_plain, plain_values
from sqlexec.runner.blame import culprit
from sqlexec.runner.console import Recorder
from sqlexec.runner.failures import describe, describe_current, describe_frames, dump_error
from sqlexec.runner.functions import (
    definition_names,
    definitions_pickler,
    has_definitions,
    remove_definitions,
)
from sqlexec.runner.limits import time_limit
from sqlexec.runner.namespaces import install_modules
from sqlexec.runner.passthrough import passthrough
from sqlexec.runner.pickler import install_cloudpickle, remove_cloudpickle
from sqlexec.runner.randomness import seed_run
from sqlexec.runner.revoscalepy import client_names, source_of_frame
from sqlexec.runner.scope import globals_of
from sqlexec.runner.stand_in import install_stand_in, remove_stand_in
from sqlexec.runner.types import Buffer, Lines, WarningKey
from sqlexec.runner.values import Dumper, dump, load
from sqlexec.runner.wire import (
    REQUEST,
    RESULT,
    FrameError,
    TooLarge,
    join_frame,
    sizes,
    split_frame,
    take,
)

PROTOCOL = 2
MOST_WARNINGS = 100  # kept of one task

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
    payload: bytes, input_data: Any = None, shared: bytes = b"", longest_run_seconds: int = 0
) -> Tuple[bytes, int]:
    """Run the tasks of a payload; gives the result's bytes and how many tasks raised.

    `shared` is what came apart from the payload, since several payloads have it in common;
    `longest_run_seconds` is the server's limit of each task, 0 for none.

    Whatever goes wrong is told in the result, sealed with the payload's key where that much
    could be read.
    """
    key = b""
    try:
        header, body = split_frame(payload, REQUEST)
        key = _key(header)
        report = _Chunk(header, body, input_data, shared, longest_run_seconds).run()
        answer = {}  # type: Dict[str, Any]
        pieces = report.close(answer)
        return _result(answer, pieces, key), len(report.errors)
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


class NeedsSource(Exception):
    """The payload has bytecode of another Python than this one: send it again, by source."""


class _Chunk:
    """The tasks of one payload, and what they share."""

    def __init__(
        self,
        header: Dict[str, Any],
        body: memoryview,
        input_data: Any,
        shared: bytes,
        longest_run_seconds: int,
    ) -> None:
        if header["protocol"] != PROTOCOL:
            raise FrameError("it is of protocol %s, not %d" % (header["protocol"], PROTOCOL))
        self._header = header
        offset = 0
        apart = header.get("shared")  # type: Optional[str]
        if apart is not None and hashlib.sha256(shared).hexdigest() != apart:
            raise FrameError("the part that it shares with others was cut or changed")
        source = body if apart is None else memoryview(shared)
        self._pieces = {}  # type: Dict[str, List[memoryview]]
        for name in ("cloudpickle", "modules", "call"):
            self._pieces[name], offset = take(source, header[name], offset)
        if apart is not None:
            offset = 0
        (self._indexes,), offset = cut_numbers(header, body, offset, "q")
        self._together, self._apart = cut_batch(header, body, offset, len(self._indexes))
        self._seed = header.get("seed")  # type: Optional[int]
        self._input = header.get("input") or None  # type: Optional[Dict[str, Any]]
        self._input_data = input_data
        self._by_source = header["transport"] == "source"
        self._sender = header.get("sender")  # type: Optional[Dict[str, Any]]
        seconds = header.get("task_timeout")  # type: Optional[float]
        self._longest = None  # type: Optional[int]
        if longest_run_seconds and (not seconds or seconds > longest_run_seconds):
            seconds = self._longest = longest_run_seconds
        self._limit = time_limit(seconds) if seconds else None

    def run(self) -> "_Report":
        """Run all tasks."""
        if not self._by_source:
            _check_python(self._header)
        report = _Report()
        install_stand_in()
        try:
            with contextlib.ExitStack() as stack:
                if self._limit is not None:
                    stack.enter_context(self._limit)  # first: it keeps the process's stderr
                suspect = self._header.get("suspect")
                recorder = stack.enter_context(passthrough() if suspect else Recorder())  # type: Any
                warned = stack.enter_context(_Warnings())
                function, shared = self._load_call()
                plain = plain_values(self._together, len(self._indexes))
                budget = self._header.get("budget")
                for place, index in enumerate(self._indexes):
                    if budget and place and report.ended[-1] - report.started[0] >= budget:
                        break
                    pieces = self._apart.get(place)
                    self._run_task(report, index, function, shared, plain[place], pieces)
                    report.end_task(index, recorder.take(), warned.take())
        finally:
            remove_cloudpickle()
            if self._by_source:
                remove_definitions()
            remove_stand_in()
        return report

    def _load_call(self) -> Tuple[Callable[..., Any], Dict[str, Any]]:
        """The function, with its local state as globals, and the arguments that all runs share."""
        if not self._by_source:
            version = self._header["cloudpickle_version"]
            install_cloudpickle(version, self._pieces["cloudpickle"])
        if self._pieces["modules"]:
            install_modules(self._pieces["modules"])
        for name in self._header["packages"]:
            _import_package(name)
        function, shared, local_state = load(self._pieces["call"], self._alias, self._sender)
        if local_state:
            globals_of(function).update(local_state)
        if self._input is not None:
            shared[self._input["argument"]] = source_of_frame(
                self._input_data, self._input["options"]
            )
            self._input_data = None
        return function, shared

    def _alias(self, name: str) -> Any:
        """What to take for a name of the client's sqlexec; names with dots are of others."""
        if "." in name:
            return None
        found = definition_names().get(name)
        return client_names().get(name) if found is None else found

    def _run_task(
        self,
        report: "_Report",
        index: int,
        function: Callable[..., Any],
        shared: Dict[str, Any],
        own: Dict[str, Any],
        pieces: Optional[List[memoryview]],
    ) -> None:
        """Run one task and report its value or error; `own` are its arguments, or `pieces`."""
        try:
            if pieces is not None:
                own = load(pieces, self._alias, self._sender)
            report.started.append(time.time())  # what arguments import is a cost of the launch
            seed_run(self._seed, index)
            value = self._call(function, dict(shared, **own) if shared else own)
            report.ended.append(time.time())
            report.keep(index, value)
        except BaseException as error:  # noqa: BLE001 - a task may raise what it likes
            if self._limit is not None:
                self._limit.stop()  # its exception may have come while it was being stopped
            timed_out = self._limit is not None and self._limit.has_raised(error)
            report.fail(error, timed_out, self._longest)

    def _call(self, function: Callable[..., Any], arguments: Dict[str, Any]) -> Any:
        if self._limit is None:
            return function(**arguments)
        self._limit.start()
        try:
            return function(**arguments)
        finally:
            self._limit.stop()


class _Report:
    """What became of the tasks, in the order in which they ran."""

    def __init__(self) -> None:
        self.started = []  # type: List[float]
        self.ended = []  # type: List[float]
        self.values = Batch()
        self.errors = {}  # type: Dict[int, Dict[str, Any]]
        self._dumper = Dumper()
        self._lines = {}  # type: Dict[str, Dict[int, str]]
        self._indexes = []  # type: List[int]
        self._console = {}  # type: Dict[int, Lines]
        self._warnings = {}  # type: Dict[int, List[WarningKey]]

    def keep(self, index: int, value: Any) -> None:
        """Take what the running task returned; what cannot be sent back is an error."""
        if is_plain(value):
            self.values.add(value)
            return
        pieces = self._dump_result(value)
        try:
            self.values.add_apart(pieces)
        except TooLarge as error:
            raise ValueError(
                "the result of run %d (%s, %s bytes) cannot be sent back: with the results before "
                "it this call comes to %s. Return less, or do fewer runs a call (task_chunk_size=1)"
                % (index, type(value).__name__, "{:,}".format(sum(sizes(pieces))), error)
            )

    def fail(self, error: BaseException, timed_out: bool, longest: Optional[int]) -> None:
        """Take the running task's exception for its value; `longest` is the server's limit."""
        if len(self.started) == len(self._indexes):  # its arguments could not be loaded
            self.started.append(time.time())
        if len(self.ended) < len(self.started):
            self.ended.append(time.time())
        told = describe(error, globals())
        told["frames"] = describe_frames(error, globals(), self._lines)
        told["timed_out"] = timed_out
        if timed_out and longest is not None:
            told["longest_run_seconds"] = longest
        self.errors[len(self._indexes)] = told
        try:
            self.values.add_apart(dump_error(error, self._dump))
        except TooLarge:
            self.values.add_apart([])  # its text must do

    def end_task(self, index: int, console: Lines, warned: List[WarningKey]) -> None:
        """Go on to the next task."""
        if console:
            self._console[len(self._indexes)] = console
        if warned:
            self._warnings[len(self._indexes)] = warned
        self._indexes.append(index)

    def close(self, header: Dict[str, Any]) -> List[Buffer]:
        """Write the header's entries; gives the body."""
        count = len(self._indexes)
        header["count"] = count
        header["errors"] = self.errors
        header["lines"] = self._lines
        header["console"] = self._console
        header["warnings"] = self._warnings
        return [
            struct.pack("<%dq" % count, *self._indexes),
            struct.pack("<%dd" % count, *self.started),
            struct.pack("<%dd" % count, *self.ended),
        ] + self.values.close(header)

    def _dump_result(self, value: Any) -> List[Buffer]:
        """Pickle a result; the error names what in it cannot be."""
        try:
            return self._dump(value)
        except Exception as error:  # noqa: BLE001 - whatever a user's __reduce__ raises
            raise TypeError(
                "%s cannot be sent back: %s: %s"
                % (culprit("the function's result", value, self._dump), type(error).__name__, error)
            )

    def _dump(self, value: Any) -> List[Buffer]:
        """Pickle plainly, or by cloudpickle where a value has classes of the function's own."""
        try:
            return self._dumper.dump(value)
        except BaseException as plain_error:
            self._dumper = Dumper()
            if not isinstance(plain_error, Exception):
                raise
            try:
                return dump(value, by_value=definitions_pickler if has_definitions() else True)
            except ImportError:  # no cloudpickle here
                raise plain_error


class _Warnings:
    """Keeps the warnings of each task, each once a task, and not too many."""

    def __init__(self) -> None:
        self._seen = {}  # type: Dict[WarningKey, None]
        self._catcher = warnings.catch_warnings()

    def __enter__(self) -> "_Warnings":
        self._catcher.__enter__()
        show = self._show  # type: Any
        warnings.showwarning = show
        return self

    def __exit__(self, *error: Any) -> None:
        self._catcher.__exit__(*error)

    def take(self) -> List[WarningKey]:
        """The warnings since the last call."""
        if not self._seen:
            return []
        seen, self._seen = self._seen, {}
        # Entered anew, so that Python forgets at which places it has warned already.
        self._catcher.__exit__(None, None, None)
        self._catcher = warnings.catch_warnings()
        self.__enter__()
        return list(seen)

    def _show(self, message: Any, category: Any, filename: str, lineno: int, *_: Any) -> None:
        if len(self._seen) < MOST_WARNINGS:
            self._seen[(category.__name__, str(message), filename, lineno)] = None


def _result(header: Dict[str, Any], pieces: List[Buffer], key: bytes) -> bytes:
    header["protocol"] = PROTOCOL
    header["runtime"] = runtime()
    return join_frame(RESULT, header, pieces, key)


def _key(header: Dict[str, Any]) -> bytes:
    try:
        return bytes.fromhex(header["key"])
    except (TypeError, ValueError):
        raise FrameError("its header has no key that is hexadecimal")


def _check_python(header: Dict[str, Any]) -> None:
    if list(sys.version_info[:2]) != header["python"][:2]:
        raise NeedsSource(
            "bytecode of Python %d.%d, it is Python %d.%d"
            % (tuple(header["python"][:2]) + tuple(sys.version_info[:2]))
        )


def _import_package(name: str) -> None:
    try:
        __import__(name)
    except ImportError as error:
        raise ImportError(
            "packages_to_load names %r, which the server's Python cannot import: %s" % (name, error)
        )
