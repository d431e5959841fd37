"""Compile the text of one definition as if inside of the functions and classes around it.

That gives it its free variables, its private names and its qualified name; it keeps the lines
and columns that it has in the user's file.  Most stand at the top of a module: those are
compiled as they are, which takes half of the time.
"""

import __future__

import ast
import types
from typing import Any, List, Sequence, Tuple

from sqlexec.runner.types import Segment

_OUTER = "sqlexec_free"


def definition_code(
    segment: Segment,
    path: str,
    free: Sequence[str],
    flags: int = -1,
    imported: Sequence[str] = (),
) -> Any:
    """Compile a definition; gives a function's code, or one to call that defines it and gives it.

    The latter is of a function, or of a module (see `is_module_code`) and gives nothing itself.
    `flags` are those of the `__future__`; by default annotations are kept as text, since what
    they name may not exist here.  `imported` are names that the module imports: to them Python
    3.11 and later compile calls in another way.
    """
    kind, file, line, text = segment
    if flags < 0:
        flags = getattr(getattr(__future__, "annotations", None), "compiler_flag", 0)
        strips = not flags
    else:
        strips = False
    by_itself = path.isidentifier() and not free and not imported and text[:1] not in (" ", "\t")
    if kind != "lambda" and by_itself and not strips:
        code = compile("\n" * (line - 1) + text, file, "exec", flags, True)
        return _inner_code(code, path) if kind == "def" else code
    body = _parse(kind, line, text)
    node = body[0]  # type: Any
    name = "<lambda>" if kind == "lambda" else node.name
    tree, scopes = _wrapper(path, [each for each in free if each != "__class__"], line)
    if kind == "def":
        node.decorator_list = []
    if not scopes and kind != "lambda" and name not in free:
        body = _placed("global %s" % name, line).body + body
    if kind in ("class", "statement"):
        body = body + _placed("def f():\n return %s" % name, line).body[0].body
    innermost = tree.body[0]
    while isinstance(innermost.body[-1], (ast.FunctionDef, ast.ClassDef)):
        innermost = innermost.body[-1]
    innermost.body = body
    if imported:
        tree.body = _placed("import %s" % ", ".join(imported), line).body + tree.body
    if strips:
        strip_annotations(tree)
    code = compile(tree, file, "exec", flags, True)
    for scope in [_OUTER] + scopes + ([] if kind in ("class", "statement") else [name]):
        code = _inner_code(code, scope)
    return code


def is_module_code(code: Any) -> bool:
    """Is it code to run in a module's namespace, where it leaves what it defines?"""
    return bool(code.co_name == "<module>")


def _parse(kind: str, line: int, text: str) -> List[Any]:
    """The statements of a segment, at their own lines and columns."""
    before = "(\n" if kind == "lambda" else "if 1:\n" if text[:1] in (" ", "\t") else ""
    after = "\n)" if kind == "lambda" else ""
    lines = line - 1 - before.count("\n")  # -1 for a lambda in the first line
    tree = ast.parse("\n" * lines + before + text + after)
    if lines < 0:
        ast.increment_lineno(tree, lines)
    found = tree.body  # type: Any
    return list(found[0].body if before == "if 1:\n" else found)


def _wrapper(path: str, free: Sequence[str], line: int) -> Tuple[Any, List[str]]:
    """The functions and classes around a definition, and their names from outer to inner."""
    lines = ["def %s(%s):" % (_OUTER, ", ".join(free))]
    scopes = []  # type: List[str]
    steps = path.split(".")
    for place, name in enumerate(steps[:-1]):
        if not name.isidentifier():
            continue  # "<locals>", or a lambda, which gives no scope that counts
        indent = " " * (len(scopes) + 1)
        if not scopes and name not in free:
            lines.append("%sglobal %s" % (indent, name))
        is_function = steps[place + 1] == "<locals>"
        lines.append("%s%s:" % (indent, "def %s()" % name if is_function else "class %s" % name))
        scopes.append(name)
    lines.append(" " * (len(scopes) + 1) + "pass")
    return _placed("\n".join(lines), line), scopes


def _placed(text: str, line: int) -> Any:
    """Parsed code that begins at a line: empty lines are read faster than a tree is changed."""
    return ast.parse("\n" * (line - 1) + text)


def _inner_code(code: Any, name: str) -> Any:
    """The last code of that name in another one: those of default values come before it."""
    found = [each for each in code.co_consts if isinstance(each, types.CodeType)]
    for each in reversed(found):
        if each.co_name == name:
            return each
    for each in reversed(found):
        if each.co_name.startswith("<generic parameters"):
            return _inner_code(each, name)
    raise LookupError("no code of the name %s" % name)


def strip_annotations(tree: ast.AST) -> None:
    """For Python 3.5 and 3.6, which evaluate all of them."""
    for node in ast.walk(tree):  # type: Any
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
        elif type(node).__name__ == "AnnAssign":
            node.annotation = ast.copy_location(ast.Str("typing.Any"), node.annotation)  # type: ignore[attr-defined,unused-ignore]
