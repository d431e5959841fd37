"""What a class has beyond its statement's text: variables around it, attributes set later."""

from __future__ import annotations

import abc
import ast
import dis
from collections.abc import Iterator
from functools import lru_cache
from types import CellType, CodeType, FunctionType, MemberDescriptorType
from typing import Any

from sqlexec.payload.modules import is_users_file, is_users_module
from sqlexec.payload.source.definitions import Definition, changed_constants, functions_in
from sqlexec.payload.source.files import first_line

_PLAIN = (type, abc.ABCMeta)  # metaclasses that leave the attributes as the statement has them


def variables_around(node: ast.AST, cls: type) -> dict[str, CellType]:
    """Variables of a function around a class, as far as the class still tells their values."""
    assert isinstance(node, ast.ClassDef)
    found: dict[str, CellType] = {}
    for function in functions_in(cls):
        found.update(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    for name, value in _read_by_statement(node, cls):
        found.setdefault(name, CellType(value))
    for each in node.body:
        inner = vars(cls).get(each.name) if isinstance(each, ast.ClassDef) else None
        if isinstance(each, ast.ClassDef) and isinstance(inner, type):
            found = {**variables_around(each, inner), **found}
    return found


def _read_by_statement(node: ast.ClassDef, cls: type) -> Iterator[tuple[str, Any]]:
    """Names of which the statement made a base class or an attribute, with these."""
    bases = getattr(cls, "__orig_bases__", cls.__bases__)
    if len(bases) == len(node.bases):
        for written, base in zip(node.bases, bases, strict=True):
            if isinstance(written, ast.Name):
                yield written.id, base
    for each in node.body:
        if isinstance(each, ast.Assign) and isinstance(each.value, ast.Name):
            for target in each.targets:
                if isinstance(target, ast.Name) and target.id in vars(cls):
                    yield each.value.id, vars(cls)[target.id]


def attributes_set_later(found: Definition, cls: type) -> dict[str, Any]:
    """Attributes that the class has not from its statement, or not with this value.

    Those of decorators, metaclasses and __init_subclass__ come again by these.
    """
    if type(cls) not in _PLAIN:
        return {}
    node = found.node
    changed = changed_constants(node, cls)
    if found.path != cls.__qualname__:
        changed["__qualname__"] = cls.__qualname__
    assert isinstance(node, ast.ClassDef)
    methods = {
        each.name
        for each in node.body
        if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)) and not each.decorator_list
    }
    stored = _stored_names(found.code, node.name)
    generated = (
        bool(node.decorator_list)
        or (issubclass(cls, tuple) and hasattr(cls, "_fields"))
        or any(
            "__init_subclass__" in vars(base) and is_users_module(base.__module__)
            for base in cls.__mro__[1:]
        )
    )
    for name, value in vars(cls).items():
        if isinstance(value, FunctionType):
            is_other = not _is_inside(value, found)
            if is_other and (name in methods or (name not in stored and not generated)):
                changed[name] = value
        elif name not in stored and not generated and not _is_made_by_type(name, value):
            changed[name] = value
    return changed


@lru_cache(maxsize=4096)
def registered_with(cls: type) -> list[type]:
    """Classes that `cls.register` made subclasses of an abstract class."""
    if not isinstance(cls, abc.ABCMeta):
        return []
    references: Any = abc._get_dump(cls)[0]  # type: ignore[attr-defined]
    return [kind for kind in (each() for each in references) if kind is not None]


def _stored_names(code: CodeType, name: str) -> frozenset[str]:
    """Names that a class's body gives values to; `code` is that around it."""
    bodies = (each for each in code.co_consts if isinstance(each, CodeType))
    return frozenset(
        each.argval
        for body in bodies
        if body.co_name == name
        for each in dis.get_instructions(body)
        if each.opname == "STORE_NAME"
    )


def _is_inside(function: FunctionType, found: Definition) -> bool:
    """Does a function stand in the class's statement? Generated ones stand for those that do."""
    code = function.__code__
    if code.co_filename != found.file.name:
        return code.co_filename == "<string>" or not is_users_file(code.co_filename)
    return first_line(found.node) <= code.co_firstlineno <= (found.node.end_lineno or 0)


def _is_made_by_type(name: str, value: Any) -> bool:
    is_special = name[:2] == name[-2:] == "__" or name == "_abc_impl"
    return is_special or isinstance(value, MemberDescriptorType)
