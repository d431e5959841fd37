"""What became of the tasks of a chunk, gathered in the order in which they ran.

each task --value, error, console, warnings--> Gathered --close--> header entries | body
"""

import struct
import time
from typing import Any, Dict, List, Optional, Sequence

from sqlexec.runner.batch import Batch
from sqlexec.runner.blame import culprit
from sqlexec.runner.failures import describe, describe_frames, dump_error
from sqlexec.runner.functions import definitions_pickler, has_definitions
from sqlexec.runner.types import Buffer, Lines, WarningKey
from sqlexec.runner.values import Dumper, dump
from sqlexec.runner.wire import TooLarge, sizes


class Gathered:
    """Values, errors, times, console and warnings of tasks.

    A task adds its start and its end to `started` and `ended`, and one value, be it a plain one
    to `values` itself, by `keep` or by `fail`; to `console` and `warnings`, by its place, only
    what there is.
    """

    def __init__(self) -> None:
        self.started = []  # type: List[float]
        self.ended = []  # type: List[float]
        self.values = Batch()
        self.errors = {}  # type: Dict[int, Dict[str, Any]]
        self.console = {}  # type: Dict[int, Lines]
        self.warnings = {}  # type: Dict[int, List[WarningKey]]
        self._dumper = Dumper()
        self._lines = {}  # type: Dict[str, Dict[int, str]]

    def keep(self, index: int, value: Any) -> None:
        """Take what a task returned that is not plain; what cannot be sent back is an error."""
        pieces = self._dump_result(value)
        try:
            self.values.add_apart(pieces)
        except TooLarge as error:
            raise ValueError(
                "the result of run %d (%s, %s bytes) cannot be sent back: with the results before "
                "it this call comes to %s. Return less, or do fewer runs a call (task_chunk_size=1)"
                % (index, type(value).__name__, "{:,}".format(sum(sizes(pieces))), error)
            )

    def fail(
        self, place: int, error: BaseException, timed_out: bool, longest: Optional[int]
    ) -> None:
        """Take a task's exception for its value; `longest` is the server's limit."""
        if len(self.started) == place:  # its arguments could not be loaded
            self.started.append(time.time())
        if len(self.ended) == place:
            self.ended.append(time.time())
        told = describe(error, globals())
        told["frames"] = describe_frames(error, globals(), self._lines)
        told["timed_out"] = timed_out
        if timed_out and longest is not None:
            told["longest_run_seconds"] = longest
        self.errors[place] = told
        try:
            self.values.add_apart(dump_error(error, self._dump))
        except TooLarge:
            self.values.add_apart([])  # its text must do

    def close(self, indexes: Sequence[int], header: Dict[str, Any]) -> List[Buffer]:
        """Write the header's entries; gives the body. `indexes` are those of all tasks."""
        count = len(self.ended)
        header["count"] = count
        header["errors"] = self.errors
        header["lines"] = self._lines
        header["console"] = self.console
        header["warnings"] = self.warnings
        return [
            struct.pack("<%dq" % count, *indexes[:count]),
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
