"""What the pickles of one job have in common: numbers of definitions, whole modules."""

from __future__ import annotations

import ast
import io
import json
import sys
import threading
import tokenize
import zlib
from types import ModuleType
from typing import Any

from sqlexec.errors import PackError
from sqlexec.payload.modules import find_user_module, user_modules
from sqlexec.payload.source.names import imported_names
from sqlexec.payload.syntax import readable


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


class SourceBundle:
    """What the pickles of one job have in common: numbers of definitions, whole modules.

    Parameters
    ----------
    target : tuple of two ints
        Python version of the server, for the check of the syntax.
    numbers : Numbers
        Those of the job.
    """

    def __init__(self, target: tuple[int, int], numbers: Numbers) -> None:
        self.target = target
        self.whole: dict[str, tuple[str, str, bool]] = {}  # name -> file, text, is it a package
        self._users = {module.__name__ for module in user_modules()} | {"__main__"}
        self.number = numbers.number
        self.sent: set[int] = set()  # numbers that the first pickle defines

    def modules(self) -> list[bytes]:
        """The whole modules as a piece of the body; none where there are none."""
        if not self.whole:
            return []
        return [zlib.compress(json.dumps(self.whole, sort_keys=True).encode("ascii"), 6)]

    def is_users(self, name: str) -> bool:
        """Is a module the user's? So are those that exist in memory only."""
        module = sys.modules.get(name)
        loaded = getattr(module, "__file__", None) or getattr(module, "__spec__", None)
        return name in self._users or (not loaded and name.partition(".")[0] != "sqlexec")

    def add_whole(self, module: ModuleType | str) -> bool:
        """Send a module of the user's whole, with those of the user's that it imports."""
        name = module if isinstance(module, str) else module.__name__
        if name in self.whole:
            return False
        found = find_user_module(name)
        if found is None:
            return False
        file, is_package = found
        try:
            with open(file, "rb") as stream:
                text = _decoded(stream.read())
            tree = ast.parse(text)
        except (OSError, SyntaxError, UnicodeDecodeError) as error:
            raise PackError(f"Cannot send the module {name!r} ({file}): {error}") from error
        *_, text = readable(("module", file, 1, text), self.target, f"module {name!r}")
        self.whole[name] = (file, text, is_package)
        parent = name.rpartition(".")[0]
        if parent:
            self.add_whole(parent)
        for each in imported_names(tree, name if is_package else parent):
            self.add_whole(each)
        return True


def _decoded(data: bytes) -> str:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return io.TextIOWrapper(io.BytesIO(data), encoding).read()
