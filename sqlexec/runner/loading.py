"""Bytes back to values: the other half of `values`, with what the sender's versions ask for.

The unpickler takes its own rebuilders for calls of `sqlexec_wire.rebuild`, finds names where this
Python's packages have them, and says which package is at fault where that is not enough.
"""

import io
import pickle
import sys
from typing import Any, Callable, Dict, List, Optional, Sequence

from sqlexec.runner.codec_exact import Incompatible, exact_rebuilders, package_mismatch
from sqlexec.runner.codec_exceptions import exception_rebuilders
from sqlexec.runner.codec_numpy import numpy_rebuilders
from sqlexec.runner.codec_pandas import pandas_rebuilders
from sqlexec.runner.codec_plain import plain_rebuilders
from sqlexec.runner.codec_scipy import scipy_rebuilders
from sqlexec.runner.types import Aliases, Buffer, Sender
from sqlexec.runner.values import WIRE

_MOVED = (  # modules that have two names, by version
    ("numpy._core", "numpy.core"),
    ("numpy.core", "numpy._core"),
    ("numpy.linalg.linalg", "numpy.linalg"),
    ("numpy.rec", "numpy.core.records"),
    ("numpy.char", "numpy.core.defchararray"),
    ("pathlib._local", "pathlib"),
    ("asyncio.exceptions", "asyncio"),
    ("_queue", "queue"),
    ("pandas.core.indexes.numeric", "pandas.core.indexes.base"),
)
RENAMED = {("numpy", "bool"): "bool_"}  # numpy before 1.24 has Python's own bool under that name
_EXCEPTIONS = {  # where these packages have theirs, by version
    "numpy": ["numpy.exceptions", "numpy"],
    "pandas": ["pandas.errors", "pandas"],
}
_rebuilders = {}  # type: Dict[str, Callable[..., Any]]


def load(
    pieces: Sequence[Buffer], aliases: Optional[Aliases] = None, sender: Optional[Sender] = None
) -> Any:
    """Rebuild a dumped value. Arrays get memory of their own, so that they can be written to.

    `aliases` gives what is taken for a name of the package sqlexec, or a full name of another
    package, else None; `sender` has the "packages" of the other side and their versions, for the
    messages of errors.
    """
    if not len(pieces[0]):
        return bytes(pieces[1])
    stream = io.BytesIO(pieces[0]) if len(pieces) == 1 else _Joined(pieces)  # type: Any
    reader = _Reader(stream, pieces, aliases, sender)
    try:
        return reader.load()
    except Incompatible:
        raise
    except Exception as error:
        mismatch = reader.mismatch()
        if mismatch is None:
            raise
        raise Incompatible("%s (%s: %s)" % (mismatch, type(error).__name__, error)) from error
    finally:
        reader.memo = {}  # it leads back to the reader: all would wait for the collector


class _Joined:
    """The file that an unpickler reads: the first piece, then from the last one backwards."""

    def __init__(self, pieces: Sequence[Buffer]) -> None:
        self._pieces = pieces
        self._place = 0
        self._left = memoryview(pieces[0])

    def _take(self, size: int) -> memoryview:
        while not self._left and -self._place < len(self._pieces) - 1:
            self._place -= 1
            self._left = memoryview(self._pieces[self._place])
        taken, self._left = self._left[:size], self._left[size:]
        return taken

    def read(self, size: int) -> bytes:
        """So many bytes; the unpickler never asks for more than a piece has."""
        return bytes(self._take(size))

    def readinto(self, target: Any) -> int:
        """Python 3.8 and later: fill the value that is to hold them."""
        taken = self._take(len(target))
        target[: len(taken)] = taken
        return len(taken)

    def readline(self) -> bytes:
        """Only pickles of protocol 0 have lines."""
        raise pickle.UnpicklingError("the value is no pickle of protocol 4")


class _Reader(pickle.Unpickler):
    """An unpickler with the rebuilders, and with other objects for names of the package sqlexec."""

    def __init__(
        self,
        stream: Any,
        pieces: Sequence[Buffer],
        aliases: Optional[Aliases],
        sender: Optional[Sender],
    ) -> None:
        super().__init__(stream)
        self._pieces = pieces
        self._aliases = aliases
        self._last = self._missing = ""
        self.sender = (sender or {}).get("packages", {})
        self.warned = set()  # type: Any

    def find_class(self, module: str, name: str) -> Any:
        """Find a global by module and name: rebuilders, aliases, modules that have moved."""
        if module == WIRE:
            return self._rebuild
        root = module.partition(".")[0]
        if self._aliases is not None:
            found = self._aliases(name if root == "sqlexec" else module + "." + name)
            if found is not None:
                return found
        self._last = root
        name = RENAMED.get((module, name), name)
        if module.startswith("numpy.core."):  # numpy 2 still has it, and warns
            found = self._elsewhere(module, name)
            if found is not None:
                return found
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError):
            found = self._elsewhere(module, name)
            if found is not None:
                return found
            if module == "pytz":
                return rebuilder("py.pytz")(self, name)
            self._missing = "%s.%s" % (module, name)
            raise

    def _elsewhere(self, module: str, name: str) -> Any:
        """The global where other versions have it, None if none is known to."""
        moved = [new + module[len(old) :] for old, new in _MOVED if _is_in(module, old)]
        homes = _EXCEPTIONS.get(module.partition(".")[0], [])
        for home in moved + homes:
            try:
                found = super().find_class(home, name)
            except (ImportError, AttributeError):
                continue
            if home in moved or (isinstance(found, type) and issubclass(found, BaseException)):
                return found
        return None

    def _rebuild(self, name: str, *arguments: Any) -> Any:
        if name[:3] == "np.":
            self._last = "numpy"
        elif name[:3] == "pd.":
            self._last = "pandas"
        elif name[:3] == "sp.":
            self._last = "scipy"
        return rebuilder(name)(self, *arguments)

    def get(self, data: Any) -> Any:
        """The bytes that `put` took."""
        return self._pieces[data] if isinstance(data, int) else data

    def mismatch(self) -> Optional[str]:
        """What differs in the package whose object could not be rebuilt, None if nothing does."""
        found = package_mismatch(self._last, self.sender.get(self._last))
        if found is None and self._missing and self._last != "__main__":
            python = "%d.%d.%d" % sys.version_info[:3]
            found = "the value needs %s, which this Python %s lacks" % (self._missing, python)
        return found


def _is_in(module: str, package: str) -> bool:
    return (module + ".").startswith(package + ".")


def rebuilder(name: str) -> Callable[..., Any]:
    """The rebuilder of that name; the tables are made when the first of their kind is asked for."""
    if name not in _rebuilders:
        tables = {
            "np": numpy_rebuilders,
            "pd": pandas_rebuilders,
            "sp": scipy_rebuilders,
            "py": plain_rebuilders,
        }
        make = tables.get(name.partition(".")[0])
        found = make() if make else {}
        if name == "py.exact":
            found.update(exact_rebuilders())
        if name == "py.exception":
            found.update(exception_rebuilders())
        if name not in found:
            raise Incompatible("the value is of a kind that this version does not know: %s" % name)
        _rebuilders.update(found)
    return _rebuilders[name]
