"""Objects that the standard library made for the user, and whose own pickles do not travel.

They go as a call of what made them.
"""

from __future__ import annotations

import functools
import io
import operator
import sys
import types
import typing
from types import FunctionType, MappingProxyType
from typing import Any

from sqlexec.payload.modules import is_users_file, is_users_module
from sqlexec.runner.functions import add_implementations

_TYPES: Any = tuple(
    getattr(typing, name)
    for name in ("NewType", "ParamSpec", "TypeVarTuple")
    if hasattr(typing, name)
)
_STREAM = io.IOBase.__mro__[1]  # not the abstract class, which isinstance is slow with


def reduce_library_object(value: Any) -> Any:
    """What a pickler writes for such an object; None for all others."""
    if isinstance(value, FunctionType):
        if value.__code__.co_filename == functools.__file__:
            return _reduce_dispatcher(functools.singledispatch, value)
    elif isinstance(value, functools.singledispatchmethod):
        return _reduce_dispatcher(functools.singledispatchmethod, value.dispatcher)
    elif isinstance(value, _TYPES):
        if is_users_module(value.__module__):  # else by name
            meaning = (value.__supertype__,) if isinstance(value, typing.NewType) else ()
            return type(value), (value.__name__, *meaning)
    elif isinstance(value, MappingProxyType):
        return operator.methodcaller("MappingProxyType", dict(value)), (types,)
    elif isinstance(value, _STREAM):
        for name in ("stdin", "stdout", "stderr"):
            if value is getattr(sys, name):
                return operator.attrgetter(name), (sys,)
    return None


def _reduce_dispatcher(make: Any, dispatcher: Any) -> Any:
    """The function that it was made of, then all that was registered."""
    registry = getattr(dispatcher, "registry", None)
    if type(registry) is not MappingProxyType:
        return None
    base = registry[object]
    if not isinstance(base, FunctionType) or not is_users_file(base.__code__.co_filename):
        return None
    others = {kind: each for kind, each in registry.items() if kind is not object}
    return make, (base,), others, None, None, add_implementations
