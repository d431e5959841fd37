"""Values to bytes and back, between any two Pythons: one pickle, and the big buffers beside it.

    value --reducers by exact type--> pickle (protocol 4) + buffers     on the one side
    pickle + buffers --rebuilders by name--> value                      on the other

A dumped value is a list of pieces.  The first is the pickle, the others are the buffers that
it refers to by number.  A pickle with large bytes or texts in it is cut before and after them,
so that they are copied nowhere: it goes on with the last piece, then the last but one, and so
on.  An empty pickle says that the value is `bytes`, and they are the second piece.

Arrays, frames and what else changes its pickle from version to version are written as calls of
one global, `sqlexec_wire.rebuild(name, ...)`, which exists on neither side: the unpickler takes
its own rebuilder of that name.  What needs no such care is plain pickle.
"""

import copyreg
import functools
import io
import operator
import pickle
import sys
import types
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from sqlexec.runner.codec_exceptions import exception_rebuilders, exception_reducer
from sqlexec.runner.codec_numpy import numpy_rebuilders, numpy_reducer
from sqlexec.runner.codec_pandas import pandas_rebuilders, pandas_reducer
from sqlexec.runner.codec_plain import plain_rebuilders, plain_reducer
from sqlexec.runner.codec_scipy import scipy_rebuilders, scipy_reducer
from sqlexec.runner.types import Aliases, Buffer, Sender

VALUE_PROTOCOL = 4  # the highest that Python 3.5 to 3.7 know
BIG = 65536  # bytes from which on a plain bytes value is passed beside the pickle
LARGE = 1024 * 1024  # bytes from which on a part of the pickle is a piece of its own
APART = 16384  # bytes from which on a buffer is a piece of its own
WIRE = "sqlexec_wire"

_EXACT_VERSION = ("sklearn", "statsmodels")  # load elsewhere at best to something subtly else
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
_BY_ITSELF = operator.methodcaller("__reduce_ex__", VALUE_PROTOCOL)
_REDUCERS = {
    "numpy": numpy_reducer,
    "pandas": pandas_reducer,
    "scipy": scipy_reducer,
}  # type: Dict[str, Callable[[type], Any]]
_rebuilders = {}  # type: Dict[str, Callable[..., Any]]


class Incompatible(Exception):
    """A value needs a package, or a version of it, that this Python does not have."""


def dump(value: Any, by_value: Any = False) -> List[Buffer]:
    """Pickle a value; `by_value`: with cloudpickle, for functions and classes of the user's.

    Errors of pickle, or of an object's own __reduce__, pass through.
    """
    return Dumper(by_value).dump(value)


class Dumper:
    """Pickles values, one after the other: they share nothing but what was found of their types.

    `by_value`: True for cloudpickle, or what makes a pickler of a stream.  A dumper whose value
    could not be pickled is of no further use.
    """

    def __init__(self, by_value: Any = False) -> None:
        _register_wire()
        self._stream = _Stream()
        self._writer = _Writer()
        if callable(by_value):
            self._pickler = by_value(self._stream)
            self._writer.others = getattr(self._pickler, "other_reducers", self._writer.others)
            self._pickler.dispatch_table = self._writer
        elif by_value:
            import cloudpickle

            kind = cloudpickle.Pickler
            self._writer.others = kind.dispatch_table
            self._pickler = kind.__new__(kind)
            self._pickler.dispatch_table = self._writer
            self._pickler.__init__(self._stream, VALUE_PROTOCOL)
        else:
            self._pickler = pickle.Pickler(self._stream, VALUE_PROTOCOL)
            self._pickler.dispatch_table = self._writer

    def dump(self, value: Any) -> List[Buffer]:
        """The pieces of a value."""
        if type(value) is bytes and len(value) >= BIG:
            return [b"", value]
        self._pickler.dump(value)
        self._pickler.clear_memo()
        first, others = self._stream.take()
        return [first] + self._writer.take() + others


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


class _Stream:
    """What a pickler writes: large bytes and texts stay what they are, all else is joined."""

    def __init__(self) -> None:
        self._pieces = [[]]  # type: List[List[Buffer]]

    def write(self, data: Buffer) -> None:
        """Append to the pickle; Python 3.7 and later give large values without copying them."""
        if isinstance(data, memoryview):  # Python 3.6's pickle module takes it back
            data = bytes(data)
        if len(data) < LARGE:
            self._pieces[-1].append(data)
        else:
            self._pieces += [[data], []]

    def take(self) -> Tuple[Buffer, List[Buffer]]:
        """The first piece of the pickle since the last call, and the others from last to first."""
        pieces = [b"".join(each) for each in self._pieces if each]  # type: List[Buffer]
        self._pieces = [[]]
        return pieces[0], pieces[:0:-1]


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


class _Writer(dict):  # type: ignore[type-arg]
    """The dispatch table of one dump, filled as types occur: type -> reducer; and its buffers."""

    def __init__(self) -> None:
        self._buffers = []  # type: List[Buffer]
        self.others = copyreg.dispatch_table  # type: Any

    def __missing__(self, kind: type) -> Any:
        reducer = _reducer(kind)
        if reducer is not None:
            found = functools.partial(reducer, self)  # type: Any
        elif kind in self.others:
            found = self.others[kind]
        elif issubclass(kind, type):
            raise KeyError(kind)  # classes go by name
        else:
            found = _BY_ITSELF
        self[kind] = found
        return found

    def put(self, data: Buffer) -> Any:
        """What stands for these bytes in the pickle: their number where they are many."""
        if not isinstance(data, memoryview):
            data = memoryview(data)
        if data.nbytes < APART:
            return bytes(data)
        self._buffers.append(data)
        return len(self._buffers)

    def take(self) -> List[Buffer]:
        """The buffers since the last call."""
        buffers, self._buffers = self._buffers, []
        return buffers

    def call(self, name: str, *arguments: Any) -> Any:
        """What a reducer gives to have the rebuilder of that name called."""
        return sys.modules[WIRE].rebuild, (name,) + arguments


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


def package_mismatch(package: str, version: Optional[str]) -> Optional[str]:
    """Say that a package is missing here, or is not of the sender's version; None if it is."""
    if package in ("", "__main__"):
        return None
    try:
        __import__(package)
    except ImportError:
        theirs = " %s" % version if version else ""
        return "the value needs %s%s, which this Python lacks" % (package, theirs)
    here = getattr(sys.modules.get(package), "__version__", None)
    if version is None or here is None or here == version:
        return None
    return "the value was made with %s %s and cannot be rebuilt with this Python's %s %s" % (
        package,
        version,
        package,
        here,
    )


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
            found[name] = _rebuild_exact
        if name == "py.exception":
            found.update(exception_rebuilders())
        if name not in found:
            raise Incompatible("the value is of a kind that this version does not know: %s" % name)
        _rebuilders.update(found)
    return _rebuilders[name]


def _register_wire() -> None:
    """Let pickle find the global in whose name rebuilders are called."""
    if WIRE not in sys.modules:
        module = types.ModuleType(WIRE)

        def rebuild(*arguments: Any) -> Any:
            raise Incompatible("only an unpickler of sqlexec can rebuild this value")

        rebuild.__module__ = WIRE
        rebuild.__qualname__ = "rebuild"
        vars(module)["rebuild"] = rebuild
        sys.modules[WIRE] = module


def _reducer(kind: type) -> Any:
    """The reducer for objects of exactly this type, None for those that pickle knows best."""
    module = getattr(kind, "__module__", None)
    root = module.partition(".")[0] if isinstance(module, str) else ""
    if issubclass(kind, BaseException) and root != "numpy":  # numpy's want their __init__
        return exception_reducer(kind)
    if root in _REDUCERS:
        return _REDUCERS[root](kind)
    if root in _EXACT_VERSION and not issubclass(kind, type):
        return functools.partial(_reduce_exact, root)
    return plain_reducer(kind)


def _reduce_exact(package: str, writer: Any, value: Any) -> Any:
    """An object whose pickle is to be trusted only where the package's version is the same."""
    plain = _BY_ITSELF(value)
    if isinstance(plain, str):
        return plain
    version = getattr(sys.modules.get(package), "__version__", "")
    return writer.call("py.exact", package, version, plain[0], plain[1]) + tuple(plain[2:])


def _rebuild_exact(reader: Any, package: str, version: str, function: Any, arguments: Any) -> Any:
    mismatch = package_mismatch(package, version)
    if mismatch is not None:
        raise Incompatible(mismatch)
    return function(*arguments)
