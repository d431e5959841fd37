"""Texts that code came from: files, cells, prompts, and where in them definitions stand."""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from sqlexec.runner.types import Segment

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Node = FunctionNode | ast.ClassDef


@dataclass
class SourceFile:
    """A parsed text and the definitions in it."""

    name: str
    lines: list[str]
    tree: ast.Module
    definitions: list[tuple[str, Node]] = field(default_factory=list)  # with qualified names
    imports: dict[str, tuple[str, str]] | None = None  # names of `from x import y`, once asked for
    _imported: list[str] | None = None
    _by_line: dict[int, list[tuple[str, Node]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.definitions.extend(_definitions(self.tree, ""))
        for path, node in self.definitions:
            self._by_line.setdefault(first_line(node), []).append((path, node))

    def at(self, line: int) -> list[tuple[str, Node]]:
        """Definitions that begin in a line."""
        return self._by_line.get(line, [])

    def imported(self) -> list[str]:
        """Names that the text itself imports, outside of functions."""
        if self._imported is None:
            self._imported = sorted(set(_imported_in(self.tree)))
        return self._imported

    def segment(self, kind: str, node: ast.expr | ast.stmt) -> Segment:
        """A node's text, its first line filled up to its column."""
        first = first_line(node) if kind in ("class", "statement") else node.lineno
        last = node.end_lineno or first
        cut = self.lines[first - 1 : last]
        cut[-1] = _utf8(cut[-1])[: node.end_col_offset].decode()
        column = len(_utf8(self.lines[node.lineno - 1])[: node.col_offset].decode())
        if cut[0][:column].strip():
            cut[0] = " " * column + cut[0][column:]
        return kind, self.name, first, "".join(cut)


def source_file(name: str, owner: object = None) -> SourceFile | None:
    """The text of that name as linecache has it, parsed; None where there is none."""
    lines = linecache.getlines(name, getattr(owner, "__globals__", None))
    if not lines and isinstance(owner, FunctionType):
        try:
            lines = inspect.findsource(owner)[0]  # knows the prompt of Python 3.13
        except (OSError, TypeError, IndexError):
            lines = []
    if not lines:
        return None
    known = _PARSED.get(name)
    if known is None or known.lines is not lines:
        try:
            known = SourceFile(name, lines, ast.parse("".join(lines)))
        except SyntaxError:
            return None  # edited meanwhile, or no Python at all
        _PARSED[name] = known
    return known


_PARSED: dict[str, SourceFile] = {}


def is_current(file: SourceFile) -> bool:
    return linecache.getlines(file.name) is file.lines


def _definitions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Node]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            path = prefix + name_of(child)
            yield path, child
            # Decorators and defaults are of the scope around, but no definition minds.
            yield from _definitions(child, path + ".<locals>.")
        elif isinstance(child, ast.ClassDef):
            yield prefix + child.name, child
            yield from _definitions(child, prefix + child.name + ".")
        else:
            yield from _definitions(child, prefix)


def _imported_in(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            names = (each.asname or each.name.partition(".")[0] for each in child.names)
            yield from (each for each in names if each != "*")
        elif not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.expr)):
            yield from _imported_in(child)


def name_of(node: Node) -> str:
    return "<lambda>" if isinstance(node, ast.Lambda) else node.name


def first_line(node: Any) -> int:
    decorators = getattr(node, "decorator_list", None)
    return int(decorators[0].lineno if decorators else node.lineno)


def _utf8(line: str) -> bytes:
    return line.encode("utf-8", "surrogatepass")
