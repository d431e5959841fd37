"""Modules that code imports when it runs, read from its text or from its bytecode."""

from __future__ import annotations

import ast
import dis
from collections.abc import Iterator, Sequence
from types import CodeType

_IMPORT = dis.opmap["IMPORT_NAME"]


def imported_names(tree: ast.AST, package: str) -> Iterator[str]:
    """Modules that a text imports; `package` is what relative imports count from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            yield from _from(node.module or "", node.level, names, package)


def imported_by(code: CodeType, package: str) -> Iterator[str]:
    """The same of compiled code and the functions inside of it."""
    if _IMPORT in code.co_code[::2]:
        steps = list(dis.get_instructions(code))
        for place, each in enumerate(steps):
            if each.opcode == _IMPORT:  # after the level and the names, both constants
                yield from _from(
                    each.argval, steps[place - 2].argval, steps[place - 1].argval or (), package
                )
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from imported_by(constant, package)


def _from(base: str, level: int, names: Sequence[str], package: str) -> Iterator[str]:
    """The module itself, and those that the names imported from it may be."""
    if level:
        parts = package.split(".")[: len(package.split(".")) - level + 1]
        base = ".".join([*parts, base] if base else parts)
    if base:
        yield base
        for name in names:
            yield f"{base}.{name}"
