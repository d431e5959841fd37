"""Other interpreters with other numpy and pandas, to send values to and fro."""

from __future__ import annotations

import struct
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from sqlexec.runner.loading import load
from sqlexec.runner.values import dump
from tests.environments import ENVIRONMENTS, environment

PEERS = {  # what values are sent to and fro: name -> what is installed there
    name: requirements
    for name, (_, requirements) in ENVIRONMENTS.items()
    if not name.startswith(("client", "models", "notebook", "3.11"))  # pytest runs on a newer 3.11
}

_DRIVER = """
import struct, sys, types, warnings
package = types.ModuleType("sqlexec")
package.__path__ = [sys.argv[1]]
sys.modules["sqlexec"] = package
from sqlexec.runner.loading import load
from sqlexec.runner.values import dump
from sqlexec.runner.main import runtime

def read(count):
    data = sys.stdin.buffer.read(count)
    if len(data) != count:
        sys.exit()
    return data

scope = {}
while True:
    kind, count = struct.unpack("<II", read(8))
    lengths = struct.unpack("<%dQ" % count, read(8 * count))
    pieces = [read(each) for each in lengths]
    warned = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if kind == 0:  # there and back
                value = load(pieces, None, scope.get("sender"))
                answer = value, repr(type(value))
            elif kind == 1:  # make
                exec(pieces[0].decode("utf-8"), scope)
                answer = scope["value"], repr(type(scope["value"]))
            else:  # load and look at it
                scope["value"] = load(pieces[1:], None, scope.get("sender"))
                answer = eval(pieces[0].decode("utf-8"), scope), ""
            texts = [str(each.message) for each in caught if each.category is UserWarning]
        pieces = dump((answer, texts, runtime(), None))
    except Exception as error:
        pieces = dump((None, [], runtime(), "%s: %s" % (type(error).__name__, error)))
    out = [bytes(each) for each in pieces]
    head = struct.pack("<I%dQ" % len(out), len(out), *map(len, out))
    sys.stdout.buffer.write(head + b"".join(out))
    sys.stdout.buffer.flush()
"""


class PeerError(Exception):
    """What the other interpreter raised."""


class Peer:
    """A running interpreter of another environment."""

    def __init__(self, python: Path) -> None:
        root = Path(__file__).resolve().parents[2] / "sqlexec"
        self._process = subprocess.Popen(
            [python, "-I", "-c", _DRIVER, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.warnings: list[str] = []
        self.runtime: dict[str, Any] = {}
        self.make("import sys; value = 0")

    def back(self, value: object) -> Any:
        """Send a value and get it back; the type's repr over there is in `kind`."""
        found, self.kind = self._call(0, dump(value))
        return found

    def make(self, source: str) -> Any:
        """The variable `value` after running a source over there."""
        return self._call(1, [source.encode()])[0]

    def look(self, value: object, expression: str) -> Any:
        """What an expression of `value` gives over there."""
        return self._call(2, [expression.encode(), *dump(value)])[0]

    def close(self) -> None:
        """End it."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10)

    def _call(self, kind: int, pieces: list[Any]) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        parts = [bytes(each) for each in pieces]
        head = struct.pack(f"<II{len(parts)}Q", kind, len(parts), *map(len, parts))
        self._process.stdin.write(head + b"".join(parts))
        self._process.stdin.flush()
        read = self._process.stdout.read
        (count,) = struct.unpack("<I", read(4))
        lengths = struct.unpack(f"<{count}Q", read(8 * count))
        answer, self.warnings, self.runtime, error = load(
            [read(each) for each in lengths], sender=self.runtime
        )
        if error:
            raise PeerError(error)
        return answer

    def pandas(self) -> tuple[int, int]:
        """Major and minor version of its pandas, (0, 0) without one."""
        version = str(self.runtime["packages"].get("pandas", "0.0"))
        major, minor, *_ = version.split(".")
        return int(major), int(minor)


@cache
def peer(name: str) -> Peer:
    """The running interpreter of that name; skips the test where there is none."""
    found = Peer(environment(name))
    if PEERS[name]:
        found.make("import numpy, pandas; value = 0")
    return found
