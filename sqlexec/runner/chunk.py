"""The tasks of one payload, and what they share: made ready, then run one after the other.

body -> cloudpickle | modules | function and shared arguments | indexes and arguments of tasks
"""

import contextlib
import hashlib
import sys
import time
from itertools import islice
from typing import Any, Dict, List, Optional, Tuple

from sqlexec.runner.batch import cut_batch, cut_numbers, is_plain, plain_values
from sqlexec.runner.console import Recorder
from sqlexec.runner.forks import in_this_process
from sqlexec.runner.functions import definition_names, remove_definitions
from sqlexec.runner.gathering import Gathered
from sqlexec.runner.limits import time_limit
from sqlexec.runner.loading import load
from sqlexec.runner.namespaces import install_modules
from sqlexec.runner.passthrough import passthrough
from sqlexec.runner.pickler import install_cloudpickle, remove_cloudpickle
from sqlexec.runner.randomness import seed_run
from sqlexec.runner.revoscalepy import client_names, source_of_frame
from sqlexec.runner.scope import globals_of
from sqlexec.runner.stand_in import install_stand_in, remove_stand_in
from sqlexec.runner.types import Function
from sqlexec.runner.warned import Warned
from sqlexec.runner.wire import FrameError, take


class NeedsSource(Exception):
    """The payload has bytecode of another Python than this one: send it again, by source."""


class TaskChunk:
    """The tasks of one payload.

    `longest_run_seconds` is the server's limit of each, 0 for none; the process ends after
    `seconds_left`, 0 for never.  `task_count` of them run from `first_place` on, 0 for all.
    """

    def __init__(
        self,
        header: Dict[str, Any],
        body: memoryview,
        input_data: Any,
        shared: bytes,
        longest_run_seconds: int = 0,
        seconds_left: int = 0,
        first_place: int = 0,
        task_count: int = 0,
    ) -> None:
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
        (indexes,), offset = cut_numbers(header, body, offset, "q")
        self._sent_count = len(indexes)
        self._together, sent_apart = cut_batch(header, body, offset, self._sent_count)
        self._first_place = first_place
        self.indexes = indexes[first_place : first_place + (task_count or self._sent_count)]
        self._apart = {place - first_place: pieces for place, pieces in sent_apart.items()}
        self._seed = header.get("seed")  # type: Optional[int]
        self._input = header.get("input") or None  # type: Optional[Dict[str, Any]]
        self._input_data = input_data
        self._by_source = header["transport"] == "source"
        self._sender = header.get("sender")  # type: Optional[Dict[str, Any]]
        seconds = header.get("task_timeout")  # type: Optional[float]
        self._longest = None  # type: Optional[int]
        if longest_run_seconds and (not seconds or seconds > longest_run_seconds):
            seconds = self._longest = longest_run_seconds
        self._limit = None  # type: Any
        if seconds or seconds_left:
            self._limit = time_limit(seconds, seconds_left)

    def run(self) -> "Gathered":
        """Run the tasks, or as many as the chunk's budget of time is good for."""
        if not self._by_source:
            _check_python(self._header)
        install_stand_in()
        try:
            with contextlib.ExitStack() as stack:
                if self._limit is not None:
                    stack.enter_context(self._limit)  # first: it keeps the process's stderr
                suspect = self._header.get("suspect")
                recorder = stack.enter_context(passthrough() if suspect else Recorder())  # type: Any
                warned = stack.enter_context(Warned())
                function, shared = self._load_call()
                return self._run_tasks(function, shared, recorder, warned)
        finally:
            remove_cloudpickle()
            remove_definitions()
            remove_stand_in()

    def _load_call(self) -> Tuple[Function, Dict[str, Any]]:
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

    def _run_tasks(
        self, function: Function, shared: Dict[str, Any], recorder: Any, warned: Warned
    ) -> Gathered:
        """Run the function once a task. Most tasks are short: little is done for each here."""
        gathered = Gathered()
        values, started, ended = gathered.values, gathered.started, gathered.ended
        limit, seed = self._limit, self._seed
        function = in_this_process(function)
        if limit is not None:
            function = limit.limited(function)
        budget, overtime = self._header.get("budget"), self._header.get("overtime", 0)
        together = plain_values(self._together, self._sent_count)
        together = islice(together, self._first_place, None)
        for place, (index, arguments) in enumerate(zip(self.indexes, together)):
            if budget and place:
                spent = ended[-1] - started[0]
                if spent >= budget and spent / place * (len(self.indexes) - place) > overtime:
                    break
            try:
                if place in self._apart:
                    arguments = load(self._apart[place], self._alias, self._sender)
                if shared:
                    arguments = dict(shared, **arguments)
                started.append(time.time())  # what arguments import is a cost of the launch
                if seed is not None:
                    seed_run(seed, index)
                value = function(**arguments)
                ended.append(time.time())
                if is_plain(value):
                    values.add(value)
                else:
                    gathered.keep(index, value)
            except BaseException as error:  # noqa: BLE001 - a task may raise what it likes
                if limit is not None:
                    limit.stop()  # its exception may have come while it was being stopped
                timed_out = limit is not None and limit.has_raised(error)
                gathered.fail(place, error, timed_out, self._longest)
            lines = recorder.take()
            if lines:
                gathered.console[place] = lines
            if warned.seen:
                gathered.warnings[place] = warned.take()
        return gathered


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
