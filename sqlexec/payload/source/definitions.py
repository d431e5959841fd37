"""Where a function or class was written: its text, cut out of file, cell or prompt.

A definition is only taken where its text, compiled again, gives the code that runs: a file that
was edited since it was loaded is noticed, and of several lambdas in a line the right one found.
"""

from __future__ import annotations
import __future__

import ast
import linecache
import symtable
import sys
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from types import CodeType, FunctionType
from typing import Any

from sqlexec.errors import PackError
from sqlexec.payload.modules import is_users_file
from sqlexec.payload.source.files import (
    Node,
    SourceFile,
    first_line,
    is_current,
    name_of,
    source_file,
)
from sqlexec.runner.definition_code import definition_code
from sqlexec.runner.types import Segment

_FUTURES = 0
for _name in __future__.all_feature_names:
    _FUTURES |= getattr(__future__, _name).compiler_flag

_ANNOTATIONS = __future__.annotations.compiler_flag


@dataclass
class Definition:
    """A definition to send: its text, its qualified name, its compiled code, where it stands."""

    segment: Segment
    path: str
    code: CodeType
    file: SourceFile
    node: Node
    free: tuple[str, ...] = ()  # of a class: names of functions around it
    imports: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by package, once asked for


def definition_of(function: FunctionType) -> Definition:
    """The definition of a function; PackError where it has none, or another one by now."""
    code = function.__code__
    known = _FUNCTIONS.get(id(code))
    if known is not None and known[0] is code and is_current(known[1].file):
        return known[1]
    found = _find_function(function)
    if len(_FUNCTIONS) > _MOST:
        _FUNCTIONS.clear()
    _FUNCTIONS[id(code)] = code, found
    return found


def _find_function(function: FunctionType) -> Definition:
    code = function.__code__
    for attempt in (1, 2):
        file = source_file(code.co_filename, function)
        for path, node in file.at(code.co_firstlineno) if file is not None else ():
            assert file is not None
            if isinstance(node, ast.ClassDef) or name_of(node) != code.co_name:
                continue
            kind = "lambda" if isinstance(node, ast.Lambda) else "def"
            segment = file.segment(kind, node)
            found = definition_code(segment, path, code.co_freevars)
            if len(file.at(code.co_firstlineno)) == 1 and _is_rewritten(function):
                return Definition(segment, path, found, file, node)
            for flags, imported in product(
                (code.co_flags & _FUTURES, _ANNOTATIONS),
                (file.imported(), ()),  # each statement of a cell or prompt is compiled by itself
            ):
                again = definition_code(segment, path, code.co_freevars, flags, imported)
                if _same(again, code):
                    return Definition(segment, path, found, file, node)
        if attempt == 1:
            linecache.checkcache(code.co_filename)
    what = "lambda" if code.co_name == "<lambda>" else f"function {function.__qualname__!r}"
    where = f"{code.co_filename}, line {code.co_firstlineno}"
    if file is None:
        why = (
            "its source is not there (was it made by exec, or typed at a prompt before Python "
            "3.13?). Write it in a file"
        )
    else:
        why = "the text there does not give its code (was the file changed since it was loaded?)"
    raise PackError(f"Cannot send the {what} ({where}) by source: {why}")


def class_definition(cls: type) -> Definition | None:
    """The class statement of a class; None where it was not made by one."""
    known = _CLASSES.get(cls)
    if known is None or not is_current(known.file):
        known = _find_class(cls)
        if known is not None:
            _CLASSES[cls] = known
    return known


_MOST = 10_000  # definitions that are remembered
_FUNCTIONS: dict[int, tuple[CodeType, Definition]] = {}  # the code is kept, so is its id
_CLASSES: weakref.WeakKeyDictionary[type, Definition] = weakref.WeakKeyDictionary()


def _find_class(cls: type) -> Definition | None:
    lines = {
        each.__code__.co_firstlineno: each
        for each in functions_in(cls)
        if each.__qualname__.split(".")[-2:-1] == [cls.__name__]
        and each.__code__.co_filename != "<string>"  # generated, as by dataclass
        and is_users_file(each.__code__.co_filename)
    }
    files = list(_files_of(cls, list(lines.values())))
    if not lines:  # the text that gives the class's values, of several that define its name
        files.sort(key=lambda file: _statement_differs(file, cls))
    for file in files:
        named = [
            (path, node)
            for path, node in file.definitions
            if isinstance(node, ast.ClassDef) and node.name == cls.__name__
        ]
        own = getattr(cls, "__dict__", {}).get("__firstlineno__")
        exact = [
            (path, node)
            for path, node in named
            if first_line(node) == own
            or any(node.lineno <= line <= (node.end_lineno or 0) for line in lines)
        ]
        best = [each for each in exact or named if each[0] == cls.__qualname__]
        if best and (exact or not lines):
            exact = best
        if exact:
            path, node = exact[-1]
            segment = file.segment("class", node)
            free = free_names(file, node)
            code = definition_code(segment, path, free)
            return Definition(segment, path, code, file, node, tuple(free))
    return None


def _statement_differs(file: SourceFile, cls: type) -> bool:
    """Has the last class statement of that name in a text other constants than the class?"""
    nodes = [node for path, node in file.definitions if path == cls.__qualname__]
    return bool(nodes) and bool(changed_constants(nodes[-1], cls))


def changed_constants(node: Node, cls: type) -> dict[str, Any]:
    """Attributes of a class whose value is no more the literal that its statement gives."""
    changed = {}
    for each in node.body if isinstance(node, ast.ClassDef) else ():
        if isinstance(each, ast.Assign):
            try:
                written = ast.literal_eval(each.value)
            except ValueError:
                continue
            for target in each.targets:
                if isinstance(target, ast.Name) and target.id in vars(cls):
                    value = vars(cls)[target.id]
                    if type(value) is not type(written) or repr(value) != repr(written):
                        changed[target.id] = value
    return changed


def functions_in(cls: type) -> Iterator[FunctionType]:
    """Functions among a class's own attributes, also those in properties and the like."""
    for value in vars(cls).values():
        for each in (
            value,
            getattr(value, "__func__", None),
            getattr(value, "fget", None),
            getattr(value, "fset", None),
            getattr(value, "func", None),
            getattr(value, "__wrapped__", None),
        ):
            if isinstance(each, FunctionType):
                yield each


def free_names(file: SourceFile, node: Node) -> list[str]:
    """Names that a definition takes from functions around it."""

    def walk(table: symtable.SymbolTable) -> Iterator[tuple[symtable.SymbolTable, Any]]:
        for child in table.get_children():
            yield table, child
            yield from walk(child)

    name = name_of(node)
    lines = (node.lineno, first_line(node))
    for around, table in walk(symtable.symtable("".join(file.lines), file.name, "exec")):
        if table.get_name() == name and table.get_lineno() in lines:
            found = {each.get_name() for each in table.get_symbols() if each.is_free()}
            if around.get_type() == "function":
                known = {each.get_name(): each for each in around.get_symbols()}
                used = set(_names_of_head(node)) & known.keys()
                found.update(each for each in used if not known[each].is_global())
            return sorted(found)
    return []


def _names_of_head(node: Node) -> Iterator[str]:
    """Names in the decorators, base classes and keywords of a class."""
    if isinstance(node, ast.ClassDef):
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            yield from (each.id for each in ast.walk(part) if isinstance(each, ast.Name))


def _files_of(cls: type, methods: list[FunctionType]) -> Iterator[SourceFile]:
    names = [each.__code__.co_filename for each in methods]
    module = sys.modules.get(cls.__module__)
    names.append(getattr(module, "__file__", None) or "")
    if module is not None and not names[-1]:  # a cell or the prompt: the newest text defines it
        names.extend(reversed([each for each in linecache.cache if isinstance(each, str)]))
    for name in dict.fromkeys(names):
        found = source_file(name, methods[0] if methods else None) if name else None
        if found is not None:
            yield found


def _is_rewritten(function: FunctionType) -> bool:
    """Did pytest rewrite the module's assert statements? Then its code is not its text's."""
    return "@pytest_ar" in function.__globals__


def _same(one: CodeType, other: CodeType) -> bool:
    """Do two codes do the same?"""
    return (
        one.co_code == other.co_code
        and one.co_names == other.co_names
        and one.co_varnames == other.co_varnames
        and one.co_freevars == other.co_freevars
        and one.co_cellvars == other.co_cellvars
        and len(one.co_consts) == len(other.co_consts)
        and all(map(_same_constant, one.co_consts, other.co_consts))
    )


def _same_constant(one: Any, other: Any) -> bool:
    if isinstance(one, CodeType) and isinstance(other, CodeType):
        return _same(one, other)
    if isinstance(one, (tuple, frozenset)):
        return type(one) is type(other) and repr(one) == repr(other)
    return type(one) is type(other) and repr(one) == repr(other)
