"""Pack a function once and its tasks in chunks, each chunk the payload of one script call.

header  key, Python version, transport, input data, lengths of all pieces below
body    [cloudpickle] | [whole modules] | function, shared arguments, local state | task | ...

Functions and classes of the user's go as bytecode to a server of the client's minor version, and
to one that nobody knows yet; it answers where it is another, and gets them by source
(payload/source).
"""

from __future__ import annotations

import hashlib
import platform
import secrets
import struct
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import cloudpickle

from sqlexec.errors import PackError, PayloadTooLarge
from sqlexec.payload.arguments import batch_of
from sqlexec.payload.bytecode import cloudpickle_sources
from sqlexec.payload.dumping import dump_or_blame, dumping
from sqlexec.payload.source.bundle import Numbers, SourceBundle
from sqlexec.payload.whole_modules import WholeModules
from sqlexec.runner.main import PROTOCOL
from sqlexec.runner.main import runtime as own_runtime
from sqlexec.runner.types import Buffer
from sqlexec.runner.wire import REQUEST, TooLarge, check_size, join_frame, sizes
from sqlexec.tasks import Task, indexes_of

Version = tuple[int, int]


class Packer:
    """A function with what all its runs share, ready to pack chunks of tasks.

    Parameters
    ----------
    function : callable
        Pickled by cloudpickle; functions and classes of the user's own modules go by value,
        those of installed packages by name.
    shared : mapping
        Named arguments that are the same in every run, sent once a chunk.
    local_state : mapping
        Names that the function shall see as globals.
    packages : sequence of str
        Modules to import on the server before the function runs.
    seed : int, optional
        Seed of the job; every run gets a random stream of its own from it.
    task_timeout : float, optional
        Seconds that a run may take.
    input_argument : str, optional
        Name of the argument that the server fills with the rows of the input query.
    input_options : mapping
        Options of that data source, as JSON values.
    runtime : mapping, optional
        What the server's Python is, where that is known: the function is packed for it at once.

    Raises
    ------
    PackError
        The function or an argument cannot be pickled; the message names the object at fault.

    Example
    -------
    >>> from sqlexec.tasks import Task
    >>> packer = Packer(lambda x, y: x + y, {"y": 1})
    >>> payload = packer.chunk([Task(0, {"x": 1}), Task(1, {"x": 2})])
    """

    def __init__(
        self,
        function: Callable[..., object],
        shared: Mapping[str, object] | None = None,
        *,
        local_state: Mapping[str, object] | None = None,
        packages: Sequence[str] = (),
        seed: int | None = None,
        task_timeout: float | None = None,
        input_argument: str | None = None,
        input_options: Mapping[str, object] | None = None,
        runtime: Mapping[str, Any] | None = None,
    ) -> None:
        self.key = secrets.token_bytes(32)
        self.cloudpickle: str = cloudpickle.__version__
        self.shared_bytes = 0  # of the last payload, what does not grow with the tasks
        self._header: dict[str, object] = {
            "protocol": PROTOCOL,
            "key": self.key.hex(),
            "python": list(sys.version_info[:3]),
            "packages": list(packages),
            "sender": {"packages": own_runtime()["packages"]},
            "seed": seed,
            "task_timeout": task_timeout,
        }
        if input_argument is not None:
            options = dict(input_options or {})
            self._header["input"] = {"argument": input_argument, "options": options}
        self._parts = (function, dict(shared or {}), dict(local_state or {}))
        self._calls: dict[Version | None, _Call] = {}
        self._lock = threading.Lock()
        self._numbers = Numbers()
        self._call(_other_version(runtime))

    def chunk(
        self,
        tasks: Sequence[Task],
        runtime: Mapping[str, Any] | None = None,
        way_out: str = "output",
        *,
        suspect: bool = False,
        budget: float | None = None,
        overtime: float = 0.0,
    ) -> bytes:
        """Pack tasks into the payload of one call.

        Parameters
        ----------
        tasks : sequence of Task
            At least one.  Runs never share objects by being in the same chunk: arguments that
            can be changed are pickled one by one.
        runtime : mapping, optional
            What the server's Python is, as its last result told; by default nobody knows.
        way_out : str, default "output"
            How a long result shall leave the server: "output", "rows" or "probe".
        suspect : bool
            A single task that may end its process: what it writes leaves the process at once.
        budget : float, optional
            Seconds after which no further task begins; the result then has fewer of them.
        overtime : float, default 0.0
            Seconds: the tasks go on all the same where it seems that all will be done in these.

        Raises
        ------
        PackError
            An argument cannot be pickled, or not by source for that server.
        PayloadTooLarge
            The payload is larger than 2 GB.
        """
        try:
            options = {"way_out": way_out, "suspect": suspect}
            return self._join(tasks, runtime, {**options, "budget": budget, "overtime": overtime})
        except TooLarge as error:
            raise PayloadTooLarge(
                f"The payload of tasks {tasks[0].index} to {tasks[-1].index} comes to {error}. "
                "Send less: pass the data as an RxSqlServerData, or split it over more tasks."
            ) from None

    def job(
        self, chunks: Sequence[Sequence[Task]], runtime: Mapping[str, Any], way_out: str
    ) -> tuple[bytes, list[bytes]]:
        """Pack all chunks of a job: what they share once, and a payload for each.

        Raises
        ------
        PackError
            As `chunk`; all payloads together may have 2 GB, as may what they share.
        """
        options = {"way_out": way_out, "suspect": False, "budget": None, "overtime": 0}
        shared = _Shared()
        try:
            changes = -1
            while changes != shared.changes:  # else a later chunk has made the shared part grow
                changes = shared.changes
                payloads = [self._join(tasks, runtime, options, shared) for tasks in chunks]
            check_size(sum(map(len, payloads)))
        except TooLarge as error:
            raise PackError(
                f"The payloads of this job come to {error}. Send less: pass the data as an "
                "RxSqlServerData, or make several jobs."
            ) from None
        return shared.data, payloads

    def _join(
        self,
        tasks: Sequence[Task],
        runtime: Mapping[str, Any] | None,
        options: Mapping[str, object],
        apart: _Shared | None = None,
    ) -> bytes:
        """The payload of a chunk; what it shares with others goes into `apart`, if given."""
        version = _other_version(runtime)
        call = self._call(version)
        batch = batch_of(tasks, sum(sizes(call.pieces)), call.bundle)
        modules = call.bundle.modules()
        if len(call.bundle.whole) != call.whole:
            call = self._call(version, anew=True)  # an argument needs more modules whole
        pickler: list[bytes] = []
        packages = (runtime or {}).get("packages", {})
        if version is None and packages.get("cloudpickle") != self.cloudpickle:
            pickler = [cloudpickle_sources()]
        indexes = struct.pack(f"<{len(tasks)}q", *indexes_of(tasks))
        header = {**self._header, **options, "cloudpickle": sizes(pickler), "count": len(tasks)}
        header["cloudpickle_version"] = self.cloudpickle if version is None else None
        header["transport"] = "bytecode" if version is None else "source"
        header["modules"] = sizes(modules)
        header["call"] = sizes(call.pieces)
        shared = [*pickler, *modules, *call.pieces]
        own = [indexes, *batch.close(header)]
        if apart is None:
            self.shared_bytes = sum(sizes(shared))
            return join_frame(REQUEST, header, [*shared, *own])
        header["shared"] = apart.keep(shared)
        return join_frame(REQUEST, header, own)

    def original(self, number: int) -> object:
        """What went by source under that number: a result may refer to it."""
        return self._numbers.original(number)

    def _call(self, version: Version | None, *, anew: bool = False) -> _Call:
        """The function and what its runs share, packed for a server of that other version."""
        with self._lock:
            call = self._calls.get(version)
            if call is None or anew:
                if call is not None:
                    bundle = call.bundle
                elif version is not None:
                    bundle = SourceBundle(version, self._numbers)
                else:
                    bundle = WholeModules(sys.version_info[:2])
                with dumping(bundle, first=True) as dumps:
                    named = partial(_named_parts, *self._parts)
                    pieces = dump_or_blame(self._parts, named, bundle, dumps)
                call = _Call(pieces, bundle, len(bundle.whole))
                self._calls[version] = call
            return call


class _Shared:
    """What all payloads of a job have in common, joined once."""

    def __init__(self) -> None:
        self.data = b""
        self.changes = 0  # how often it was not what it had been
        self._pieces: list[Buffer] = []
        self._digest = ""

    def keep(self, pieces: list[Buffer]) -> str:
        """Take the pieces, if they are others than before; gives their SHA-256 as hex."""
        if not self.changes or pieces != self._pieces:
            check_size(sum(sizes(pieces)))
            self.data = b"".join(pieces)
            self._pieces = pieces
            self._digest = hashlib.sha256(self.data).hexdigest()
            self.changes += 1
        return self._digest


@dataclass(frozen=True)
class _Call:
    """A packed function, by source or bytecode, with so many `whole` modules."""

    pieces: list[Buffer]
    bundle: WholeModules
    whole: int


def transport(runtime: Mapping[str, Any] | None) -> str:
    """How functions travel to that Python: "bytecode" or "source"."""
    return "bytecode" if _other_version(runtime) is None else "source"


def _other_version(runtime: Mapping[str, Any] | None) -> Version | None:
    """The minor version of a known server, if bytecode of this Python is nothing for it."""
    if runtime is None:
        return None
    major, minor, *_ = runtime["python"]
    same = (major, minor) == sys.version_info[:2]
    if same and runtime.get("implementation") in (None, platform.python_implementation()):
        return None
    return major, minor


def _named_parts(
    function: object, shared: Mapping[str, object], local_state: Mapping[str, object]
) -> dict[str, object]:
    name = getattr(function, "__qualname__", repr(function))
    parts: dict[str, object] = {f"argument {each!r}": value for each, value in shared.items()}
    parts.update({f"local_state {each!r}": value for each, value in local_state.items()})
    parts[f"function {name!r}"] = function
    return parts
