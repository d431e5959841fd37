"""Classes without a class statement: those of namedtuple, Enum(...) and type(...)."""

from __future__ import annotations

import enum
from types import FunctionType
from typing import Any

from sqlexec.errors import PackError
from sqlexec.payload.modules import is_users_file
from sqlexec.payload.source.definitions import functions_in
from sqlexec.payload.source.stand_ins import Space
from sqlexec.payload.source.surroundings import public_name
from sqlexec.runner import functions as wire

_METHODS = (FunctionType, staticmethod, classmethod, property)
_GENERATED = ("__weakref__", "__dict__")


def reduce_made_class(cls: type, number: int, space: Space) -> Any:
    """What the pickler writes for a class that a call made."""
    state: tuple[Any, ...] = ([], space, {}, {}, public_name(cls))
    if issubclass(cls, tuple) and hasattr(cls, "_fields") and cls.__bases__ == (tuple,):
        defaults = cls.__new__.__defaults__ or ()
        arguments: tuple[Any, ...] = (number, space, cls.__name__, cls._fields, defaults)
        return wire.define_named_tuple, arguments, state, None, None, wire.complete
    if issubclass(cls, enum.Enum):
        entries: Any = [(name, each.value) for name, each in cls.__members__.items()]
        arguments = (number, space, cls.__bases__[-1], cls.__name__, None, entries)
        return wire.define_type, arguments, state, None, None, wire.complete
    if type(cls) is not type or any(
        is_users_file(each.__code__.co_filename) is False for each in functions_in(cls)
    ):
        raise PackError(
            f"Cannot send the class {cls.__module__}.{cls.__qualname__} by source: no class "
            "statement of it is to be found"
        )
    own = {name: each for name, each in vars(cls).items() if name not in _GENERATED}
    methods = {name: each for name, each in own.items() if isinstance(each, _METHODS)}
    first = {name: each for name, each in own.items() if name not in methods}
    arguments = (number, space, type, cls.__name__, cls.__bases__, first)
    state = ([], space, {}, methods, public_name(cls))  # they may refer to the class
    return wire.define_type, arguments, state, None, None, wire.complete
