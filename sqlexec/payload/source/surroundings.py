"""What a function or class stands in: the class around it, cells, globals, decorators."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import CellType, FunctionType
from typing import Any

from sqlexec.payload.modules import is_users_file
from sqlexec.payload.source.definitions import Definition, functions_in


def unwrapped(value: Any) -> Any:
    """The innermost function that functools.wraps and its like left a trace of."""
    for _ in range(100):
        inner = getattr(value, "__wrapped__", None) if not isinstance(value, type) else None
        if inner is None:
            break
        value = inner
    return value


def owner_of(value: Any) -> type | None:
    """The class of the user's that has this function or class as an attribute."""
    path = value.__qualname__.split(".")
    if len(path) < 2 or path[-2] == "<locals>":
        return None
    owner: Any = sys.modules.get(value.__module__)
    if "<locals>" in path:
        cells = dict(_named_cells(value)) if isinstance(value, FunctionType) else {}
        owner = _cell_value(cells.get("__class__"))
    else:
        for name in path[:-1]:
            owner = getattr(owner, name, None)
    if isinstance(owner, type) and getattr(owner, path[-1], None) is value:
        return owner
    return None


def _named_cells(function: FunctionType) -> Iterator[tuple[str, CellType]]:
    yield from zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)


def _cell_value(cell: CellType | None) -> Any:
    try:
        return cell.cell_contents if cell is not None else None
    except ValueError:
        return None


def contents_of(cells: tuple[CellType, ...]) -> Iterator[tuple[CellType, Any]]:
    """Cells that have a value, with it."""
    for cell in cells:
        try:
            yield cell, cell.cell_contents
        except ValueError:  # still empty
            continue


def globals_of(cls: type) -> dict[str, Any]:
    """Globals that the class statement of a class was run in."""
    for function in functions_in(cls):
        if function.__module__ == cls.__module__ and is_users_file(function.__code__.co_filename):
            return function.__globals__
    return vars(sys.modules[cls.__module__])


def public_name(value: Any) -> str | None:
    """The name under which a definition stands in its module, None where it does not."""
    module = sys.modules.get(value.__module__ or "")
    name: str = value.__qualname__
    return name if getattr(module, name, None) is value else None


def own_attributes(function: FunctionType, found: Definition) -> dict[str, Any]:
    """Attributes of a function that it does not have from its definition's code alone."""
    attributes = dict(function.__dict__)
    if function.__defaults__:
        attributes["__defaults__"] = function.__defaults__
    if function.__kwdefaults__:
        attributes["__kwdefaults__"] = function.__kwdefaults__
    plain = FunctionType(found.code, {}, closure=tuple(CellType() for _ in found.code.co_freevars))
    for name in ("__name__", "__doc__"):
        if getattr(function, name) != getattr(plain, name):
            attributes[name] = getattr(function, name)
    if function.__qualname__ != found.path:
        attributes["__qualname__"] = function.__qualname__
    if function.__module__ != function.__globals__.get("__name__"):
        attributes["__module__"] = function.__module__
    return attributes
