"""Values to bytes, for any other Python: one pickle, and the big buffers beside it.

    value --reducers by exact type--> pickle (protocol 4) + buffers     on the one side
    pickle + buffers --rebuilders by name--> value                      on the other (loading)

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
import operator
import pickle
import sys
import types
from typing import Any, Callable, Dict, List, Optional, Tuple

from sqlexec.runner.codec_exact import Incompatible, exact_reducer
from sqlexec.runner.codec_exceptions import exception_reducer
from sqlexec.runner.codec_numpy import numpy_reducer
from sqlexec.runner.codec_pandas import pandas_reducer
from sqlexec.runner.codec_plain import plain_reducer
from sqlexec.runner.codec_scipy import scipy_reducer
from sqlexec.runner.types import Buffer

VALUE_PROTOCOL = 4  # the highest that Python 3.5 to 3.7 know
BIG = 65536  # bytes from which on a plain bytes value is passed beside the pickle
LARGE = 1024 * 1024  # bytes from which on a part of the pickle is a piece of its own
APART = 16384  # bytes from which on a buffer is a piece of its own
WIRE = "sqlexec_wire"

_BY_ITSELF = operator.methodcaller("__reduce_ex__", VALUE_PROTOCOL)
_REDUCERS = {
    "numpy": numpy_reducer,
    "pandas": pandas_reducer,
    "scipy": scipy_reducer,
    "sklearn": exact_reducer,
    "statsmodels": exact_reducer,
}  # type: Dict[str, Callable[[type], Any]]


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


class _Writer(dict):  # type: ignore[type-arg]
    """The dispatch table of one dump, filled as types occur: type -> reducer; and its buffers."""

    def __init__(self) -> None:
        self._buffers = []  # type: List[Buffer]
        self.others = copyreg.dispatch_table  # type: Any
        self.makes_str = None  # type: Optional[bool]  # of pandas, once asked for

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
    return plain_reducer(kind)
