"""What the pickles of one job have in common: numbers of definitions, whole modules."""

from __future__ import annotations

import sys
import threading
from typing import Any

from sqlexec.payload.modules import user_modules
from sqlexec.payload.whole_modules import WholeModules


class Numbers:
    """Numbers by which client and server know the definitions of a job."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._objects: list[Any] = []  # so that no id is given to another object
        self._lock = threading.Lock()

    def number(self, value: object) -> int:
        """The number of an object."""
        with self._lock:
            if id(value) not in self._numbers:
                self._numbers[id(value)] = len(self._objects)
                self._objects.append(value)
            return self._numbers[id(value)]

    def original(self, number: int) -> Any:
        """The object of a number."""
        return self._objects[number]


class SourceBundle(WholeModules):
    """What the pickles of one job have in common: numbers of definitions, whole modules.

    Parameters
    ----------
    target : tuple of two ints
        Python version of the server, for the check of the syntax.
    numbers : Numbers
        Those of the job.
    """

    def __init__(self, target: tuple[int, int], numbers: Numbers) -> None:
        super().__init__(target)
        self._users = {module.__name__ for module in user_modules()} | {"__main__"}
        self.number = numbers.number
        self.sent: set[int] = set()  # numbers that the first pickle defines

    def is_users(self, name: str) -> bool:
        """Is a module the user's? So are those that exist in memory only."""
        module = sys.modules.get(name)
        loaded = getattr(module, "__file__", None) or getattr(module, "__spec__", None)
        return name in self._users or (not loaded and name.partition(".")[0] != "sqlexec")
