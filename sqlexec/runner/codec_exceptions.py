"""The codec for exceptions: rebuilt from args and attributes, without a call of their __init__.

Python's own pickle of an exception calls its class with `args`.  That fails where __init__ wants
other arguments than it gave to its base, and where it makes the message itself it makes it twice.
Classes with a __reduce__ of their own are left to it.
"""

import copyreg
from typing import Any, Callable, Dict, Optional

from sqlexec.runner.types import Reduced

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class that was made by a class statement


def exception_reducer(kind: type) -> Optional[Callable[[Any, Any], Reduced]]:
    """The reducer for exceptions of exactly this type, None where it has one of its own."""
    for base in kind.__mro__:
        if "__reduce__" in vars(base) or "__reduce_ex__" in vars(base):
            return None if base.__flags__ & _HEAP_TYPE else _reduce_exception
    return None


def exception_rebuilders() -> Dict[str, Callable[..., Any]]:
    """The rebuilders by name."""
    return {"py.exception": _rebuild_exception}


def _reduce_exception(writer: Any, error: BaseException) -> Any:
    arguments, attributes = parts_of_exception(error)
    found = writer.call("py.exception", type(error), arguments)
    return found + (attributes,) if attributes else found


def parts_of_exception(error: BaseException) -> Any:
    """Arguments for the constructor of its builtin base, and attributes, also those in slots."""
    reduced = error.__reduce_ex__(4)  # type: Any
    arguments = reduced[1]
    attributes = dict(reduced[2] or {}) if len(reduced) > 2 else {}
    for name in copyreg._slotnames(type(error)):  # type: ignore[attr-defined]
        if hasattr(error, name):
            attributes[name] = getattr(error, name)
    return arguments, attributes


def _rebuild_exception(reader: Any, kind: Any, arguments: Any) -> Any:
    return make_exception(kind, arguments)


def make_exception(kind: Any, arguments: Any) -> Any:
    """An exception of that class, by the constructor of its builtin base alone."""
    base = kind
    while base.__flags__ & _HEAP_TYPE:
        base = base.__base__
    error = base.__new__(kind, *arguments)
    base.__init__(error, *arguments)
    return error
