"""Functions that functools.singledispatch made: what they are made of again on the server."""

from __future__ import annotations

import functools
from types import FunctionType, MappingProxyType
from typing import Any

from sqlexec.payload.modules import is_users_file
from sqlexec.runner.functions import add_implementations


def reduce_dispatcher(function: FunctionType) -> Any:
    """What a pickler writes for one of the user's: its base, then all that was registered.

    None for any other function.
    """
    registry = getattr(function, "registry", None)
    if (
        function.__code__.co_filename != functools.__file__
        or type(registry) is not MappingProxyType
    ):
        return None
    base = registry[object]
    if not isinstance(base, FunctionType) or not is_users_file(base.__code__.co_filename):
        return None
    others = {kind: each for kind, each in registry.items() if kind is not object}
    return functools.singledispatch, (base,), others, None, None, add_implementations
