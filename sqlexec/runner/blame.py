"""Find the object that cannot be pickled: the closure variable, attribute or item at fault.

value --children that its pickle is made of--> the first that fails --again--> ... --> its name
"""

import functools
import types
from itertools import islice
from typing import Any, Callable, Iterator, Set, Tuple

_DEEPEST = 12  # steps from an argument or function to what is named
_WIDEST = 1000  # items of a container that are looked at


def culprit(name: str, value: Any, dumps: Callable[[Any], Any]) -> str:
    """Name the smallest object in a value that cannot be pickled, by the way to it.

    Parameters
    ----------
    name : str
        What to call the value.
    value : object
        One that `dumps` fails for.
    dumps : callable
        The pickling function; an object is at fault where it raises.

    Example
    -------
    >>> import pickle, threading
    >>> culprit("argument 'x'", {"lock": threading.Lock()}, pickle.dumps)
    "item 'lock' of argument 'x' (an object of type _thread.lock)"
    """
    seen = set()  # type: Set[int]
    for _ in range(_DEEPEST):
        seen.add(id(value))
        for step, child in _children(value):
            if id(child) not in seen and not is_picklable(child, dumps):
                name, value = "%s of %s" % (step, name), child
                break
        else:
            break
    kind = type(value)
    module = "" if kind.__module__ == "builtins" else kind.__module__ + "."
    return "%s (an object of type %s%s)" % (name, module, kind.__qualname__)


def is_picklable(value: Any, dumps: Callable[[Any], Any]) -> bool:
    """Does `dumps` take it?"""
    try:
        dumps(value)
    except Exception:  # noqa: BLE001 - any failure means: this one is at fault
        return False
    return True


def _children(value: Any) -> Iterator[Tuple[str, Any]]:
    """What an object's pickle is made of, with the words for the step to it."""
    if isinstance(value, types.FunctionType):
        for step in _parts_of_function(value):
            yield step
    elif isinstance(value, types.MethodType):
        yield "the object", value.__self__
        yield "the function", value.__func__
    elif isinstance(value, functools.partial):
        yield "the function", value.func
        for place, child in enumerate(value.args):
            yield "argument %d" % place, child
        for key, child in value.keywords.items():
            yield "argument %r" % key, child
    elif isinstance(value, (staticmethod, classmethod)):
        yield "the function", value.__func__
    elif isinstance(value, type):
        for key, child in list(vars(value).items()):
            if key not in ("__dict__", "__weakref__"):
                yield "class attribute %r" % key, child
    else:
        for step in _items(value):
            yield step
        for step in _attributes(value):
            yield step


def _parts_of_function(function: Any) -> Iterator[Tuple[str, Any]]:
    cells = function.__closure__ or ()
    for name, cell in zip(function.__code__.co_freevars, cells):
        try:
            yield "closure variable %r" % name, cell.cell_contents
        except ValueError:  # still empty
            continue
    for name in sorted(_names(function.__code__)):
        if name in function.__globals__:
            yield "global %r" % name, function.__globals__[name]
    for child in function.__defaults__ or ():
        yield "a default value", child
    for name, child in (function.__kwdefaults__ or {}).items():
        yield "the default of %r" % name, child
    for name, child in vars(function).items():
        yield "attribute %r" % name, child


def _names(code: Any) -> Set[str]:
    """Names in a code and in those of its inner functions."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _names(constant)
    return found


def _items(value: Any) -> Iterator[Tuple[str, Any]]:
    if isinstance(value, dict):
        for key, child in islice(list(value.items()), _WIDEST):
            yield "item %.100r" % (key,), child
            yield "a key", key
    elif isinstance(value, (list, tuple, set, frozenset)):
        for place, child in enumerate(islice(value, _WIDEST)):
            yield "item %d" % place, child


def _attributes(value: Any) -> Iterator[Tuple[str, Any]]:
    """Attributes, in __dict__ and in slots; else what the object's own __reduce_ex__ gives."""
    names = list(getattr(value, "__dict__", ()))
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        names.extend([slots] if isinstance(slots, str) else slots)
    for name in names[:_WIDEST]:
        if name not in ("__dict__", "__weakref__") and hasattr(value, name):
            yield "attribute %r" % name, getattr(value, name)
    try:
        reduced = value.__reduce_ex__(4)
    except Exception:  # noqa: BLE001 - then it is itself at fault
        return
    if isinstance(reduced, tuple):
        for child in reduced[1]:
            yield "a part", child
        for child in islice(reduced[3] or (), _WIDEST) if len(reduced) > 3 else ():
            yield "an item", child
