"""Pickle functions and classes as bytecode, for a server of the same minor version.

cloudpickle does it; what it lacks is added here.
"""

from __future__ import annotations

import enum
import functools
import json
import pickle
import threading
import weakref
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from types import FunctionType, MemberDescriptorType, ModuleType
from typing import Any

import cloudpickle

from sqlexec.payload.imports import imported_by
from sqlexec.payload.library_objects import reduce_library_object
from sqlexec.payload.modules import is_users_file, user_modules
from sqlexec.payload.whole_modules import WholeModules
from sqlexec.runner.functions import complete_enum, placed_member
from sqlexec.runner.types import Buffer
from sqlexec.runner.values import dump

Dumps = Callable[[object], list[Buffer]]
_REGISTRY = threading.RLock()  # cloudpickle's is one for all threads, and workers pack at once


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


class _MoreWhole(Exception):
    """A function imports a module of the user's when it runs: what is of it has to go by name."""


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    other_reducers = cloudpickle.Pickler.dispatch_table  # for types that the codec leaves to others
    dispatch_table = pickle.Pickler.dispatch_table  # the attribute of the object, for the codec's

    def __init__(self, whole: WholeModules, stream: Any) -> None:
        super().__init__(stream)
        self._whole = whole

    def reducer_override(self, value: Any) -> Any:
        """What cloudpickle lacks or loses; all else is left to it."""
        if isinstance(value, FunctionType):
            self._add_imports(value)
        elif isinstance(value, ModuleType):
            self._add_submodule(value.__name__)
        elif isinstance(value, functools._lru_cache_wrapper):
            inner = value.__wrapped__
            if isinstance(inner, FunctionType) and is_users_file(inner.__code__.co_filename):
                options = value.cache_parameters()
                arguments = inner, options["maxsize"], options["typed"], functools._CacheInfo
                return functools._lru_cache_wrapper, arguments, vars(value)
        found = reduce_library_object(value)
        if found is not None:
            return found
        found = super().reducer_override(value)
        if isinstance(value, type):
            _SENT.add(value)
            if found is not NotImplemented and found[-1] is _SET_STATE:
                return _whole_class(value, found)
        return found

    def _add_imports(self, function: FunctionType) -> None:
        if is_users_file(function.__code__.co_filename):
            package = str(function.__globals__.get("__package__") or "")
            names = imported_by(function.__code__, package)
            if sum(map(self._whole.add_whole, names)):  # all of them, then once again
                raise _MoreWhole

    def _add_submodule(self, name: str) -> None:
        if name.partition(".")[0] in self._whole.whole and self._whole.add_whole(name):
            raise _MoreWhole


_SET_STATE = cloudpickle.cloudpickle._class_setstate


def _whole_class(cls: type, reduced: Any) -> Any:
    """A class as cloudpickle sends it, and what it loses: path, slots, values of Enum members."""
    make, arguments, (attributes, slots), *rest = reduced
    attributes = {
        name: each
        for name, each in attributes.items()
        if not isinstance(each, MemberDescriptorType)  # of a slot: the class makes it
    }
    attributes["__qualname__"] = cls.__qualname__
    state: Any = attributes, slots
    if issubclass(cls, enum.Enum):
        state = state, _members_state(cls)
        rest[-1] = complete_enum
        _place_members(cls, arguments[3])
    elif attributes.get("__slots__"):
        arguments[3]["__slots__"] = attributes.pop("__slots__")
    return (make, arguments, state, *rest)


def _place_members(cls: type[enum.Enum], members: dict[str, Any]) -> None:
    """Have the members of an Enum with a __new__ of its own made as they are, by another one.

    What that __new__ was called with is known to nobody any more.
    """
    kind: type = vars(cls)["_member_type_"]
    if "__new_member__" in vars(cls) and kind is not object and kind.__module__ == "builtins":
        placed = {name: (kind(cls[name]), value) for name, value in members.items()}
        members.clear()
        members.update({"__new__": placed_member}, **placed)


def _members_state(cls: type[enum.Enum]) -> dict[str, Any]:
    """By name of each member: value, first name, and the attributes that the class gave it."""
    return {
        name: (
            member.value,
            member.name,
            {key: each for key, each in vars(member).items() if not _is_own(key)},
        )
        for name, member in cls.__members__.items()
    }


def _is_own(name: str) -> bool:
    """Is it an attribute that Enum itself gives its members?"""
    return name[:1] == name[-1:] == "_"


@contextmanager
def bytecode_dumps(whole: WholeModules) -> Iterator[Dumps]:
    """Gives what pickles values with functions and classes of the user's modules by value.

    Those of `whole` go by name, and modules that functions import when they run are added to it.
    The user's modules are looked for once for all values.
    """
    registered: dict[str, ModuleType] = {}

    def dumps(value: object) -> list[Buffer]:
        while True:
            for name in registered.keys() & whole.whole.keys():
                cloudpickle.unregister_pickle_by_value(registered.pop(name))
            try:
                return dump(value, by_value=functools.partial(_Pickler, whole))
            except _MoreWhole:
                continue

    with _REGISTRY:
        known = cloudpickle.list_registry_pickle_by_value()  # by the user, or around this
        try:
            for module in user_modules():
                if module.__name__ not in known:
                    cloudpickle.register_pickle_by_value(module)
                    registered[module.__name__] = module
            yield dumps
        finally:
            for module in registered.values():
                cloudpickle.unregister_pickle_by_value(module)
