"""Find the object that cannot be pickled: the closure variable, attribute or item at fault."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

_DEEPEST = 8  # steps from an argument or function to what is named
_WIDEST = 1000  # items of a container that are looked at


def culprit(parts: Mapping[str, object], dumps: Callable[[object], object]) -> str:
    """Name the smallest object that cannot be pickled, by the way to it.

    Parameters
    ----------
    parts : mapping
        What to look through, by the name to give it.
    dumps : callable
        The pickling function; an object is at fault where it raises.

    Example
    -------
    >>> import pickle, threading
    >>> culprit({"argument 'x'": {"lock": threading.Lock()}}, pickle.dumps)
    "item 'lock' of argument 'x' (an object of type _thread.lock)"
    """
    for name, value in parts.items():
        if not _works(value, dumps):
            return _follow(name, value, dumps, set(), 0)
    return "the call" if len(parts) != 1 else next(iter(parts))


def _follow(
    name: str, value: object, dumps: Callable[[object], object], seen: set[int], depth: int
) -> str:
    seen.add(id(value))
    if depth < _DEEPEST:
        for step, child in _children(value):
            if id(child) not in seen and not _works(child, dumps):
                return _follow(f"{step} of {name}", child, dumps, seen, depth + 1)
    kind = type(value)
    return f"{name} (an object of type {kind.__module__}.{kind.__qualname__})".replace(
        "builtins.", ""
    )


def _children(value: object) -> Iterator[tuple[str, object]]:
    """What an object's pickle is made of, with the words for the step to it."""
    if inspect.isfunction(value):
        variables = inspect.getclosurevars(value)
        for name, child in variables.nonlocals.items():
            yield f"closure variable {name!r}", child
        for name, child in variables.globals.items():
            yield f"global {name!r}", child
        for child in value.__defaults__ or ():
            yield "a default value", child
        for name, child in (value.__kwdefaults__ or {}).items():
            yield f"the default of {name!r}", child
    elif inspect.ismethod(value):
        yield "the object", value.__self__
    elif isinstance(value, Mapping):
        for key, child in islice(value.items(), _WIDEST):
            yield f"item {key!r}", child
    elif isinstance(value, (list, tuple, set, frozenset)):
        for index, child in enumerate(islice(value, _WIDEST)):
            yield f"item {index}", child
    elif not isinstance(value, type):
        for name, child in list(getattr(value, "__dict__", {}).items())[:_WIDEST]:
            yield f"attribute {name!r}", child


def _works(value: object, dumps: Callable[[object], object]) -> bool:
    try:
        dumps(value)
    except Exception:  # noqa: BLE001 - any failure means: this one is at fault
        return False
    return True
