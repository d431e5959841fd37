"""Parts of a definition's text that the server reads but never runs: they may be newer than it.

    def f(*args: *tuple[int], x=(y := 3)): ...     as written
    def f(*args: ...        , x=(...   )): ...     as sent where the server cannot read that

Annotations of parameters, results and local variables are never evaluated; defaults of the
definition itself (not of functions inside of it) travel as values.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator

from sqlexec.runner.types import Segment


def standing_alone(segment: Segment) -> tuple[str, str, str]:
    """What makes a segment's text a module's: what to put before it, the text, what after."""
    kind, _, _, text = segment
    if kind == "lambda":
        return "(\n", text, "\n)"
    return "if 1:\n" if text[:1] in (" ", "\t") else "", text, ""


def without_unevaluated(segment: Segment) -> Segment:
    """The same with `...` for what is never run; all else keeps its line and column.

    Example
    -------
    >>> without_unevaluated(("def", "f.py", 1, "def f(x: int | str = 3): pass"))[3]
    'def f(x: ...       = 0): pass'
    """
    before, text, after = standing_alone(segment)
    tree = ast.parse(before + text + after)
    data = (before + text + after).encode("utf-8", "surrogatepass")
    lines = [0, *itertools.accumulate(map(len, data.splitlines(keepends=True)))]
    for node in (*_annotations(tree), *_defaults(tree, segment[0])):
        first = lines[node.lineno - 1] + node.col_offset
        last = lines[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        data = data[:first] + _blank(data[first:last]) + data[last:]
    text = data.decode("utf-8", "surrogatepass")[len(before) : len(data) - len(after)]
    return (*segment[:3], text)


def _annotations(tree: ast.AST) -> Iterator[ast.expr]:
    """Of parameters, results and local variables; of a class's fields what stands in brackets.

    What stands before them the class may read: dataclass looks for ClassVar.
    """
    nodes = list(ast.walk(tree))
    fields = [each for node in nodes if isinstance(node, ast.ClassDef) for each in node.body]
    for node in nodes:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            annotation = node.returns
        elif isinstance(node, (ast.arg, ast.AnnAssign)):
            annotation = node.annotation
        else:
            continue
        if annotation is not None:
            yield from _in_brackets(annotation) if node in fields else (annotation,)


def _in_brackets(node: ast.expr) -> Iterator[ast.expr]:
    """The outermost x of [x] in an expression."""
    if isinstance(node, ast.Subscript):
        yield node.slice
    else:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                yield from _in_brackets(child)


def _defaults(tree: ast.Module, kind: str) -> Iterator[ast.expr]:
    if kind not in ("def", "lambda"):
        return
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    outermost = next(node for node in ast.walk(tree) if isinstance(node, kinds))
    yield from outermost.args.defaults
    yield from filter(None, outermost.args.kw_defaults)


def _blank(code: bytes) -> bytes:
    """An expression that every Python reads, of the same length and lines."""
    rest = re.sub(rb"(?!\\\r?\n)[^\r\n]", b" ", code)
    return b"..." + rest[3:] if rest[:3] == b"   " else b"0" + rest[1:]
