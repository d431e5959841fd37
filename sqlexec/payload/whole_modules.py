"""Modules of the user's that travel as whole files: what functions import when they run.

A module that goes whole is imported on the server; all that refers to it refers to that import,
so that a class of it is one class there, however it was reached.
"""

from __future__ import annotations

import ast
import io
import json
import tokenize
import zlib
from types import ModuleType

from sqlexec.errors import PackError
from sqlexec.payload.imports import imported_names
from sqlexec.payload.modules import find_user_module
from sqlexec.payload.syntax import readable


class WholeModules:
    """The modules of one job that go whole.

    Parameters
    ----------
    target : tuple of two ints
        Python version of the server, for the check of the syntax.
    """

    def __init__(self, target: tuple[int, int]) -> None:
        self.target = target
        self.whole: dict[str, tuple[str, str, bool]] = {}  # name -> file, text, is it a package

    def modules(self) -> list[bytes]:
        """The whole modules as a piece of the body; none where there are none."""
        if not self.whole:
            return []
        return [zlib.compress(json.dumps(self.whole, sort_keys=True).encode("ascii"), 6)]

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
