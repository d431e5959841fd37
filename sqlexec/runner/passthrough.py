"""A console that outlives the process."""

import faulthandler
import io
import os
import sys
from typing import Any, List

from sqlexec.runner.types import Lines


class Passthrough:
    """Takes the place of a Recorder for a task that may end its process.

    What it writes leaves the process at once, by descriptors 1 and 2, and comes back with the
    messages of the call; so does the place of a crash.
    """

    def __enter__(self) -> "Passthrough":
        self._saved = (sys.stdout, sys.stderr)
        self._files = []  # type: List[io.TextIOWrapper]
        sys.stdout = self._file(1)
        sys.stderr = self._file(2)
        self._enabled = faulthandler.is_enabled()
        try:
            faulthandler.enable(sys.stderr)
        except (OSError, RuntimeError):  # no descriptor here
            self._enabled = True
        return self

    def __exit__(self, *_: object) -> None:
        if not self._enabled:
            faulthandler.disable()
        sys.stdout, sys.stderr = self._saved
        for file in self._files:
            file.close()

    def take(self) -> Lines:
        """Nothing: it has left already."""
        return []

    def _file(self, number: int) -> Any:
        try:
            raw = io.FileIO(os.dup(number), "w")  # type: Any
        except OSError:
            return io.StringIO()
        file = io.TextIOWrapper(raw, "utf-8", "backslashreplace", "\n", write_through=True)
        self._files.append(file)
        return file


def passthrough() -> Passthrough:
    """A Passthrough."""
    return Passthrough()
