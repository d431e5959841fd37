"""Names that a definition uses: its globals, and where they came from."""

from __future__ import annotations

import ast
import dataclasses
import dis
import sys
import typing
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import CodeType, ModuleType
from typing import Any

from sqlexec.payload.source.files import SourceFile

_GLOBAL = frozenset(
    ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS")
)
_VARIABLE = frozenset(("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"))
_OPTIMIZED = 1  # code flag: of functions, not of class bodies
_SPECIAL = (typing, dataclasses, typing.ClassVar, dataclasses.InitVar)


@lru_cache(maxsize=4096)
def global_names(code: CodeType, runtime: bool) -> dict[str, None]:
    """Globals that a code names; without `runtime` only those of what runs at once."""
    names: dict[str, None] = {}
    for each in dis.get_instructions(code):
        if each.opname in _GLOBAL:
            names[each.argval] = None
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            at_once = not constant.co_flags & _OPTIMIZED or constant.co_name.startswith("<")
            if runtime or (at_once and constant.co_name != "<lambda>"):
                names.update(global_names(constant, runtime))
    return names


@lru_cache(maxsize=4096)
def variables_at_once(code: CodeType) -> frozenset[str]:
    """Variables of functions around that a class's definition reads, not only its methods."""
    names = {each.argval for each in dis.get_instructions(code) if each.opname in _VARIABLE}
    for constant in code.co_consts:
        if isinstance(constant, CodeType) and not constant.co_flags & _OPTIMIZED:
            names |= variables_at_once(constant)
    return frozenset(names)


def special_annotations(node: ast.AST, outside: Mapping[str, Any]) -> Iterator[str]:
    """Names in a class's annotations that dataclass looks for, though they are text there."""
    for child in getattr(node, "body", ()):
        for each in ast.walk(child.annotation) if isinstance(child, ast.AnnAssign) else ():
            if isinstance(each, ast.Name):
                value = outside.get(each.id)
                if any(value is special for special in _SPECIAL):
                    yield each.id


@lru_cache(maxsize=4096)
def words(code: CodeType) -> frozenset[str]:
    """All names of globals and attributes in a code."""
    inner = (words(each) for each in code.co_consts if isinstance(each, CodeType))
    return frozenset(code.co_names).union(*inner)


def submodules(package: ModuleType, used: frozenset[str]) -> tuple[str, ...]:
    """Loaded submodules that `package.a.b` in the code may mean."""
    if not hasattr(package, "__path__"):
        return ()
    start = package.__name__ + "."
    return tuple(
        name
        for name in list(sys.modules)
        if name.startswith(start)
        and used.issuperset(name[len(start) :].split("."))
        and not any(part.startswith("_") for part in name.split("."))
        and isinstance(sys.modules[name], ModuleType)
    )


def imported_from(file: SourceFile, name: str) -> tuple[str, str] | None:
    """Module and name of `from module import name as ...` at the top of a text."""
    return _imports(file).get(name)


def _imports(file: SourceFile) -> dict[str, tuple[str, str]]:
    if file.imports is None:
        file.imports = {}
        for node in ast.walk(file.tree):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    file.imports[alias.asname or alias.name] = (node.module, alias.name)
    return file.imports
