"""Run one chunk of tasks: bytes in, bytes out, and never an exception.

payload -> frame (checked) -> function, shared arguments, input data
        -> each task: arguments -> run, with console and warnings recorded -> value or error
        -> frame (sealed with the job's key) -> result
"""

import os
import platform
import sys
import time
import warnings
from typing import Any, Callable, Dict, List, Optional, Tuple

from sqlexec.runner.console import Recorder
from sqlexec.runner.failures import describe, describe_current
from sqlexec.runner.pickler import install_cloudpickle
from sqlexec.runner.randomness import seed_run
from sqlexec.runner.revoscalepy import (
    RxSqlServerData,
    client_names,
    install_stand_in,
    remove_stand_in,
)
from sqlexec.runner.types import Buffer
from sqlexec.runner.values import dump, load
from sqlexec.runner.wire import REQUEST, RESULT, FrameError, join_frame, split_frame, take

PROTOCOL = 1
MOST_WARNINGS = 100  # kept of one task

_OWN_FILE = (lambda: 0).__code__.co_filename


def run_chunk(payload: bytes, input_data: Any = None) -> Tuple[bytes, int]:
    """Run the tasks of a payload; gives the result's bytes and how many tasks raised.

    Whatever goes wrong is told in the result, sealed with the payload's key where that much
    could be read.
    """
    key = b""
    try:
        header, body = split_frame(payload, REQUEST)
        key = bytes.fromhex(header["key"])
        entries, pieces = _Chunk(header, body, input_data).run()
        failed = sum(1 for entry in entries if "error" in entry)
        return _result({"tasks": entries}, pieces, key), failed
    except FrameError as error:
        failure = {"type": "sqlexec.IntegrityError", "message": "the payload arrived broken: %s"}
        failure["message"] %= error
        return _result({"failure": failure}, [], key), 1
    except BaseException:  # noqa: BLE001 - the promise of this function
        return _result({"failure": describe_current(_OWN_FILE)}, [], key), 1


def runtime() -> Dict[str, Any]:
    """What this process is, for the client to remember: versions and platform."""
    packages = {}
    for name in ("cloudpickle", "numpy", "pandas", "pyarrow", "scipy", "sklearn", "revoscalepy"):
        version = getattr(sys.modules.get(name), "__version__", None)
        if isinstance(version, str):
            packages[name] = version
    return {
        "python": list(sys.version_info[:3]),
        "implementation": platform.python_implementation(),
        "platform": sys.platform,
        "process_id": os.getpid(),
        "packages": packages,
    }


class Mismatch(Exception):
    """The payload was made for another Python than this one."""


class _Chunk:
    """The tasks of one payload, and what they share."""

    def __init__(self, header: Dict[str, Any], body: memoryview, input_data: Any) -> None:
        self._header = header
        self._body = body
        self._seed = header.get("seed")  # type: Optional[int]
        self._input = header.get("input") or None  # type: Optional[Dict[str, Any]]
        self._input_data = input_data
        self._offset = 0
        self._aliases = client_names()

    def run(self) -> Tuple[List[Dict[str, Any]], List[Buffer]]:
        """Run all; gives an entry a task for the result's header, and the pieces of its body."""
        _check_python(self._header)
        entries = []
        pieces = []  # type: List[Buffer]
        install_stand_in()
        try:
            with Recorder() as recorder:
                function, shared = self._load_call()
                for index, lengths in self._header["tasks"]:
                    cut, self._offset = take(self._body, lengths, self._offset)
                    entry, value = self._run_task(index, function, shared, cut, recorder)
                    entries.append(entry)
                    pieces.extend(value)
        finally:
            remove_stand_in()
        return entries, pieces

    def _load_call(self) -> Tuple[Callable[..., Any], Dict[str, Any]]:
        """The function, with its local state as globals, and the arguments that all runs share."""
        cut, self._offset = take(self._body, self._header["cloudpickle"], 0)
        install_cloudpickle(self._header["cloudpickle_version"], cut)
        for name in self._header["packages"]:
            _import_package(name)
        cut, self._offset = take(self._body, self._header["call"], self._offset)
        function, shared, local_state = load(cut, self._aliases)
        if local_state:
            _globals_of(function).update(local_state)
        if self._input is not None:
            shared[self._input["argument"]] = RxSqlServerData.of_frame(
                self._input_data, self._input["options"]
            )
            self._input_data = None
        return function, shared

    def _run_task(
        self,
        index: int,
        function: Callable[..., Any],
        shared: Dict[str, Any],
        cut: List[memoryview],
        recorder: Recorder,
    ) -> Tuple[Dict[str, Any], List[Buffer]]:
        """Run one task; gives its entry for the header and the pieces of its value or error."""
        entry = {"index": index, "started": time.time()}  # type: Dict[str, Any]
        seen = {}  # type: Dict[Tuple[str, str, str, int], None]
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _collector(seen)
                seed_run(self._seed, index)
                arguments = dict(shared, **load(cut, self._aliases)) if len(cut[0]) else shared
                value = function(**arguments)
            entry["ended"] = time.time()
            pieces = _dump_anyhow(value)
        except BaseException as error:  # noqa: BLE001 - a task may raise what it likes
            entry.setdefault("ended", time.time())
            entry["error"] = describe(error, _OWN_FILE)
            pieces = _dump_error(error)
        entry["pieces"] = [_size(piece) for piece in pieces]
        console = recorder.take()
        if console:
            entry["console"] = console
        if seen:
            entry["warnings"] = sorted(seen)
        return entry, pieces


def _collector(seen: Dict[Tuple[str, str, str, int], None]) -> Callable[..., None]:
    """A warnings.showwarning that keeps each warning once, and not too many."""

    def show(message: Any, category: Any, filename: str, lineno: int, *_: Any) -> None:
        if len(seen) < MOST_WARNINGS:
            seen[(category.__name__, str(message), filename, lineno)] = None

    return show


def _dump_anyhow(value: Any) -> List[Buffer]:
    """Pickle a result: plainly, or by cloudpickle where it has classes of the function's own."""
    try:
        return dump(value)
    except Exception:  # noqa: BLE001 - cloudpickle's error is the one that tells
        import cloudpickle

        try:
            return dump(value, cloudpickle.dumps)
        except Exception as error:  # noqa: BLE001 - whatever a user's __reduce__ raises
            raise TypeError(
                "the function's result of type %s cannot be sent back: %s"
                % (type(value).__name__, error)
            )


def _dump_error(error: BaseException) -> List[Buffer]:
    """Pickle an exception; no pieces where it cannot be (its description travels anyway)."""
    try:
        return _dump_anyhow(error)
    except Exception:  # noqa: BLE001 - told to the client by the missing pieces
        return []


def _size(piece: Buffer) -> int:
    return piece.nbytes if isinstance(piece, memoryview) else len(piece)


def _result(header: Dict[str, Any], pieces: List[Buffer], key: bytes) -> bytes:
    header["protocol"] = PROTOCOL
    header["runtime"] = runtime()
    return join_frame(RESULT, header, pieces, key)


def _check_python(header: Dict[str, Any]) -> None:
    if list(sys.version_info[:2]) != header["python"][:2]:
        raise Mismatch(
            "the function was packed by Python %d.%d, this server runs Python %d.%d: they must "
            "have the same minor version"
            % (tuple(header["python"][:2]) + tuple(sys.version_info[:2]))
        )


def _import_package(name: str) -> None:
    try:
        __import__(name)
    except ImportError as error:
        raise ImportError(
            "packages_to_load names %r, which the server's Python cannot import: %s" % (name, error)
        )


def _globals_of(function: Any) -> Dict[str, Any]:
    """The globals of the function behind partials, bound methods and decorators."""
    for name in ("func", "__func__", "__wrapped__"):
        if not hasattr(function, "__globals__") and hasattr(function, name):
            return _globals_of(getattr(function, name))
    if not hasattr(function, "__globals__") and not isinstance(function, type):
        return _globals_of(type(function).__call__)
    found = function.__globals__  # type: Dict[str, Any]
    return found
