"""Syntax that the server's Python does not know yet, found before anything is sent."""

from __future__ import annotations

import ast
import io
import itertools
import re
import sys
import tokenize
from collections.abc import Iterator
from typing import Any

from sqlexec.errors import PackError
from sqlexec.payload.unevaluated import standing_alone, without_unevaluated
from sqlexec.runner.types import Segment

Version = tuple[int, int]


class SyntaxTooNew(PackError):
    """Code uses syntax that the server's Python lacks; the message says where and which."""


def readable(segment: Segment, target: Version, what: str) -> Segment:
    """The segment as the server can read it; SyntaxTooNew for what it would have to run.

    Parameters
    ----------
    segment : tuple
        Kind, file, first line and text.
    target : tuple of two ints
        The server's Python.
    what : str
        The name that the message gives it.

    Returns
    -------
    tuple
        The very segment, mostly; one without annotations and defaults where these are too new.

    Raises
    ------
    SyntaxTooNew
        For the first construct that is newer than `target`; the message says where and which.
    """
    if target >= sys.version_info[:2]:
        return segment
    if (segment, target) not in _READABLE:
        found = segment
        if any(_too_new(found, target)):
            found = without_unevaluated(segment)
            first = min(_too_new(found, target), default=None)
            if first is not None:
                line, since, feature = first
                raise SyntaxTooNew(
                    f"Cannot send {what}: line {line} of {segment[1]} uses {feature}, which Python "
                    f"{_text(since)} brought; the server runs Python {_text(target)}, this client "
                    f"{_text(sys.version_info[:2])}. Write it without"
                )
        if len(_READABLE) > _MOST:
            _READABLE.clear()
        _READABLE[segment, target] = found
    return _READABLE[segment, target]


_MOST = 10_000
_READABLE: dict[tuple[Segment, Version], Segment] = {}  # what became of texts, by version


def _too_new(segment: Segment, target: Version) -> Iterator[tuple[int, Version, str]]:
    """(line, version that brought it, name) of each construct that the target lacks."""
    before, text, after = standing_alone(segment)
    shift = segment[2] - 1 - before.count("\n")
    for line, since, feature in _features(before + text + after, target):
        if since > target:
            yield line + shift, since, feature


def _features(text: str, target: Version) -> Iterator[tuple[int, Version, str]]:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        for since, feature in (*_of_node(node), *_of_text(node, text)):
            yield _line_of(node), since, feature
    if sys.version_info >= (3, 12):
        for line in _nested_quotes(text):
            yield line, (3, 12), "an f-string with quotes, comments or lines inside of {}"
    try:
        ast.parse(text, feature_version=max(target, (3, 4)))
    except SyntaxError as error:
        told = re.search(r"Python (\d)\.(\d+)", error.msg)
        version = (int(told[1]), int(told[2])) if told else (target[0], target[1] + 1)
        feature = re.sub(r" (is|are) only supported.*", "", error.msg)
        yield error.lineno or 1, version, feature[:1].lower() + feature[1:]


def _line_of(node: ast.AST) -> int:
    """Where a node begins; arguments and comprehensions know it of their parts alone."""
    if type(node).__name__ == "TryStar":
        node = vars(node)["handlers"][0]
    return min(int(each.lineno) for each in ast.walk(node) if hasattr(each, "lineno"))


def _of_node(node: Any) -> Iterator[tuple[Version, str]]:
    kind = type(node).__name__
    if kind in _NODES:
        yield _NODES[kind]
    if isinstance(node, ast.arguments) and node.posonlyargs:
        yield (3, 8), "positional-only parameters"
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        if getattr(node, "type_params", None):
            yield (3, 12), "type parameters"
        if not all(map(_is_old_decorator, node.decorator_list)):
            yield (3, 9), "an expression as decorator"
        if isinstance(node, ast.AsyncFunctionDef):
            yield from _of_async(node)
    elif isinstance(node, ast.comprehension) and node.is_async:
        yield (3, 6), "an asynchronous comprehension"
    elif isinstance(node, ast.arg) and isinstance(node.annotation, ast.Starred):
        yield (3, 11), "a starred annotation"
    elif isinstance(node, ast.Try) and any(
        isinstance(e, ast.Continue) for s in node.finalbody for e in ast.walk(s)
    ):
        yield (3, 8), "continue in finally"


def _of_async(node: ast.AsyncFunctionDef) -> Iterator[tuple[Version, str]]:
    own = list(_own_nodes(node))
    if any(isinstance(each, (ast.Yield,)) for each in own):
        yield (3, 6), "an asynchronous generator"


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            yield from _own_nodes(child)


_NODES: dict[str, tuple[Version, str]] = {
    "JoinedStr": ((3, 6), "an f-string"),
    "AnnAssign": ((3, 6), "an annotated variable"),
    "NamedExpr": ((3, 8), "an assignment expression (:=)"),
    "Match": ((3, 10), "match"),
    "TryStar": ((3, 11), "except*"),
    "TypeAlias": ((3, 12), "a type statement"),
    "TemplateStr": ((3, 14), "a t-string"),
}


def _is_old_decorator(node: ast.expr) -> bool:
    """A dotted name, or a call of one: the grammar before 3.9."""
    if isinstance(node, ast.Call):
        node = node.func
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _of_text(node: ast.AST, text: str) -> Iterator[tuple[Version, str]]:
    """What a node's tree does not tell, but its text."""
    if isinstance(node, ast.JoinedStr) and _shows_expression(node, text):
        yield (3, 8), "= in an f-string"
    if isinstance(node, (ast.With, ast.AsyncWith)) and _has_parentheses(node, text):
        yield (3, 9), "parenthesized context managers"
    for since, where in _unpackings(node, text):
        yield since, f"an unpacking in {where}"


def _unpackings(node: ast.AST, text: str) -> Iterator[tuple[Version, str]]:
    """*x in a tuple without parentheses, which some places took later than others."""
    kind = type(node).__name__
    if kind not in _UNPACKINGS:
        return
    name, since, where = _UNPACKINGS[kind]
    found = getattr(node, name)
    if isinstance(found, ast.Tuple) and any(isinstance(e, ast.Starred) for e in found.elts):
        written = ast.get_source_segment(text, found) or ""
        if written[:1] != "(" or written[-1:] != ")":
            yield since, where


_UNPACKINGS: dict[str, tuple[str, Version, str]] = {
    "Return": ("value", (3, 8), "return"),
    "Yield": ("value", (3, 8), "yield"),
    "For": ("iter", (3, 9), "for"),
    "AsyncFor": ("iter", (3, 9), "for"),
    "Subscript": ("slice", (3, 11), "an index"),
}


def _has_parentheses(node: ast.With | ast.AsyncWith, text: str) -> bool:
    """Are all items of a with in parentheses? New parsers do not tell, the tree neither."""
    first = node.items[0]
    after = first.optional_vars or (node.items[1].context_expr if len(node.items) > 1 else None)
    if after is None:
        return False
    lines = text.encode("utf-8", "surrogatepass").splitlines(keepends=True)
    starts = [0, *itertools.accumulate(map(len, lines))]

    def between(start: tuple[int, int], end: tuple[int, int]) -> bytes:
        found = b"".join(lines)[starts[start[0] - 1] + start[1] : starts[end[0] - 1] + end[1]]
        return re.sub(b"#.*", b"", found)

    expression = first.context_expr
    begin = expression.lineno, expression.col_offset
    end = expression.end_lineno or 0, expression.end_col_offset or 0
    opened = between((node.lineno, node.col_offset), begin).count(b"(")
    return opened > between(end, (after.lineno, after.col_offset)).count(b")")


def _shows_expression(node: ast.JoinedStr, text: str) -> bool:
    """Is there {expression=} in an f-string? Its tree is that of expression={expression!r}."""
    for constant, value in itertools.pairwise(node.values):
        if isinstance(value, ast.FormattedValue) and isinstance(constant, ast.Constant):
            shown = str(constant.value).rstrip()
            for start in range(len(shown)) if shown.endswith("=") else ():
                if "{" + shown[start:] in text and _is_text_of(shown[start:-1], value.value):
                    return True
    return False


def _is_text_of(text: str, expression: ast.expr) -> bool:
    try:
        return ast.dump(ast.parse(text.strip(), mode="eval").body) == ast.dump(expression)
    except SyntaxError:
        return False


def _nested_quotes(text: str) -> Iterator[int]:
    """Lines of f-strings that only the grammar of 3.12 has."""
    quotes: list[str] = []  # of the f-strings around
    start, end = getattr(tokenize, "FSTRING_START", -1), getattr(tokenize, "FSTRING_END", -1)
    middle = getattr(tokenize, "FSTRING_MIDDLE", -1)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        quote = token.string.lstrip("rRfFbBuUtT")
        if token.type in (start, tokenize.STRING) and quotes:
            opening = quote if token.type == start else quote[: 3 if quote[:3] in _TRIPLE else 1]
            if opening in quotes or "\\" in token.string:
                yield token.start[0]
        if token.type == start:
            quotes.append(quote)
        elif token.type == end:
            quotes.pop()
        elif quotes and token.type != middle:
            is_break = token.type in (tokenize.NL, tokenize.NEWLINE) and len(quotes[-1]) == 1
            if token.type == tokenize.COMMENT or is_break:
                yield token.start[0]


_TRIPLE = ('"""', "'''")


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version[:2]))
