"""Pickle functions and classes as bytecode, for a server of the same minor version.

cloudpickle does it; what it lacks is added here.
"""

from __future__ import annotations

import functools
import json
import pickle
import threading
import weakref
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from types import FunctionType
from typing import Any

import cloudpickle

from sqlexec.payload.dispatchers import reduce_dispatcher
from sqlexec.payload.modules import is_users_file, user_modules
from sqlexec.runner.types import Buffer
from sqlexec.runner.values import dump

Dumps = Callable[[object], list[Buffer]]
_REGISTRY = threading.RLock()  # cloudpickle's is one for all threads, and workers pack at once


def dump_by_bytecode(value: object) -> list[Buffer]:
    """Pickle with the functions and classes of the user's own modules by value."""
    with bytecode_dumps() as dumps:
        return dumps(value)


def set_class_state(cls: type, state: Any) -> type:
    """What results call for cloudpickle's function of that kind.

    A class that went from here and comes back is the client's own: it stays as it is, where
    cloudpickle would give it copies of its methods with globals of their own.
    """
    if cls in _SENT:
        return cls
    found: type = cloudpickle.cloudpickle._class_setstate(cls, state)
    return found


_SENT: weakref.WeakSet[type] = weakref.WeakSet()


@functools.lru_cache(maxsize=1)
def cloudpickle_sources() -> bytes:
    """The modules of cloudpickle by name, for servers that lack it."""
    sources = {}
    for entry in files("cloudpickle").iterdir():
        if entry.name.endswith(".py"):
            name = f"cloudpickle.{entry.name[:-3]}".removesuffix(".__init__")
            sources[name] = entry.read_text("utf-8")
    return zlib.compress(json.dumps(sources, sort_keys=True).encode("ascii"), 9)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    other_reducers = cloudpickle.Pickler.dispatch_table  # for types that the codec leaves to others
    dispatch_table = pickle.Pickler.dispatch_table  # the attribute of the object, for the codec's

    def reducer_override(self, value: Any) -> Any:
        """What functools made of the user's functions; all else is left to cloudpickle."""
        if isinstance(value, type):
            _SENT.add(value)
        elif isinstance(value, FunctionType):
            found = reduce_dispatcher(value)
            if found is not None:
                return found
        elif isinstance(value, functools._lru_cache_wrapper):
            inner = value.__wrapped__
            if isinstance(inner, FunctionType) and is_users_file(inner.__code__.co_filename):
                options = value.cache_parameters()
                arguments = inner, options["maxsize"], options["typed"], functools._CacheInfo
                return functools._lru_cache_wrapper, arguments, vars(value)
        return super().reducer_override(value)


@contextmanager
def bytecode_dumps() -> Iterator[Dumps]:
    """Gives `dump_by_bytecode` for many values: the user's modules are looked for once.

    Meanwhile cloudpickle sends the functions and classes of those modules by value.
    """
    registered = []
    with _REGISTRY:
        known = cloudpickle.list_registry_pickle_by_value()  # by the user, or around this
        try:
            for module in user_modules():
                if module.__name__ not in known:
                    cloudpickle.register_pickle_by_value(module)
                    registered.append(module)
            yield functools.partial(dump, by_value=_Pickler)
        finally:
            for module in registered:
                cloudpickle.unregister_pickle_by_value(module)
