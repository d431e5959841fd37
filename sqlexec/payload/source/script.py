"""A function as a text that a person can read and any Python can run: no pickles, no bytecode.

function --definition_of--> its text --names in it--> imports | constants | other definitions

What a text cannot say (the value of a closure that is no constant, a module of the user's as a
whole) is refused with the object's name.  Annotations are put in quotes, as
`from __future__ import annotations` does: the server's Python need not know what they name.
"""

from __future__ import annotations

import ast
import builtins
import datetime
import decimal
import dis
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

from sqlexec.errors import PackError
from sqlexec.payload.modules import find_user_module, is_users_file
from sqlexec.payload.source.classes import variables_around
from sqlexec.payload.source.definitions import Definition, class_definition, definition_of
from sqlexec.payload.source.files import SourceFile
from sqlexec.payload.source.names import (
    global_names,
    imported_from,
    special_annotations,
    submodules,
    words,
)
from sqlexec.payload.source.surroundings import contents_of, globals_of, unwrapped
from sqlexec.payload.syntax import readable
from sqlexec.runner.types import Segment

_CONSTANTS = (int, float, complex, str, bytes, bool, type(None), type(...))
_CONTAINERS = (list, tuple, set, frozenset)
_MADE = (datetime.date, datetime.datetime, datetime.timedelta, decimal.Decimal)


class ScriptText:
    """Collects definitions and all that they use, each after what it needs.

    Parameters
    ----------
    taken : iterable of str
        Names that the script uses for other things.
    target : tuple of two ints, optional
        The server's Python, for the check of the syntax; None where it is not known.

    Example
    -------
    >>> script = ScriptText()
    >>> script.add("mean", mean)    # doctest: +SKIP
    >>> str(script)                 # doctest: +SKIP
    'import math\\n\\n\\ndef mean(values):\\n    return math.fsum(values) / len(values)\\n'
    """

    def __init__(self, taken: Iterable[str] = (), target: tuple[int, int] | None = None) -> None:
        self._taken = frozenset(taken)
        self._target = target or sys.version_info[:2]
        self._known: dict[str, object] = {}
        self._imports: list[str] = []
        self._constants: list[str] = []
        self._definitions: list[str] = []

    def __str__(self) -> str:
        head = "\n".join(dict.fromkeys(self._imports))
        constants = "\n".join(self._constants)
        top = "\n\n".join(each for each in (head, constants) if each)
        return "\n\n\n".join(each for each in (top, *self._definitions) if each) + "\n"

    def add(self, name: str, value: object, file: SourceFile | None = None) -> None:
        """Let a name stand for a value in the script; PackError where no text can say it."""
        if name in self._taken:
            raise PackError(
                f"Cannot write the function as text: it uses {name!r}, a name that the script "
                "gives to a parameter or a result. Rename one of them"
            )
        if name in self._known:
            if self._known[name] is not value:
                raise PackError(
                    f"Cannot write the function as text: {name!r} means two different things in "
                    "the modules that it reaches. Rename one of them"
                )
            return
        if getattr(builtins, name, self) is value:
            return
        self._known[name] = value
        if isinstance(value, ModuleType):
            self._add_module(name, value)
        elif line := _import_of(name, value, file):
            self._imports.append(line)
        elif isinstance(value, type):
            self._add_class(name, value)
        elif isinstance(unwrapped(value), FunctionType):
            self._add_function(name, unwrapped(value))
        else:
            text = _constant(value)
            if text is None:
                raise PackError(
                    f"Cannot write the function as text: it uses {name!r}, an object of type "
                    f"{type(value).__name__}. Make it in the function, or give it as an argument"
                )
            self._imports.extend(_imports_of_constant(value))
            self._constants.append(f"{name} = {text}")

    def _add_module(self, name: str, module: ModuleType) -> None:
        path = module.__name__
        if path == "__main__" or find_user_module(path) is not None:
            raise PackError(
                f"Cannot write the function as text: it uses the module {path!r}, which is your "
                f"own, as a whole. Import by name what it needs: from {path} import ..."
            )
        self._imports.append(f"import {path}" if name == path else f"import {path} as {name}")

    def _add_function(self, name: str, function: FunctionType) -> None:
        found = definition_of(function)
        changed = set(_changed_globals(function.__code__))
        if changed:
            raise PackError(
                f"Cannot write {found.path!r} as text: it changes the global {changed.pop()!r}, "
                "which lives no longer than the call. Return the value instead"
            )
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        names = {each: cell for each, cell in cells if each != "__class__"}
        outside = {**function.__globals__, **_values_of(names)}
        self._add_needed(found, outside, _at_once(found.node))
        if isinstance(found.node, ast.Lambda):
            _, file, first, text = found.segment
            text = f"{name} = (\n{text.strip()}\n)"
            self._definitions.append(self._text(found, ("statement", file, first - 1, text)))
        else:
            self._add_definition(name, found, found.file.segment("statement", found.node))

    def _add_class(self, name: str, cls: type) -> None:
        found = class_definition(cls)
        if found is None:
            raise PackError(
                f"Cannot write the class {cls.__qualname__!r} as text: no class statement of it "
                "is to be found. Write one"
            )
        outside = {**globals_of(cls), **_values_of(variables_around(found.node, cls))}
        self._add_needed(found, outside, special_annotations(found.node, outside))
        self._add_definition(name, found, found.segment)

    def _add_needed(
        self, found: Definition, outside: Mapping[str, Any], at_once: Iterable[str]
    ) -> None:
        """What a definition names: when it runs, and when it is made."""
        used = words(found.code)
        at_once = list(at_once)
        for name in at_once:
            if name not in outside and not hasattr(builtins, name):
                raise PackError(
                    f"Cannot write {found.path!r} as text: a decorator or default value uses "
                    f"{name!r}, a variable of the function around it, whose value is gone"
                )
        for name in dict.fromkeys((*global_names(found.code, True), *found.free, *at_once)):
            if name in outside and not (name.startswith("__") and name.endswith("__")):
                value = outside[name]
                self.add(name, value, found.file)
                if isinstance(value, ModuleType):
                    parts = submodules(value, used)
                    self._imports.extend(f"import {part}" for part in parts)
        for name in found.code.co_freevars:
            if name in outside and name != "__class__":
                self.add(name, outside[name], found.file)

    def _add_definition(self, name: str, found: Definition, segment: Segment) -> None:
        self._definitions.append(_quoted_annotations(self._text(found, segment)))
        own = getattr(found.node, "name", name)
        if own != name:
            self._definitions[-1] += f"\n\n\n{name} = {own}"

    def _text(self, found: Definition, segment: Segment) -> str:
        return readable(segment, self._target, repr(found.path))[3]


def _values_of(cells: Mapping[str, Any]) -> dict[str, Any]:
    names = {id(cell): name for name, cell in cells.items()}
    return {names[id(cell)]: value for cell, value in contents_of(tuple(cells.values()))}


def _at_once(node: ast.AST) -> list[str]:
    """Names in decorators and default values."""
    arguments = getattr(node, "args", None)
    parts = [*getattr(node, "decorator_list", [])]
    if isinstance(arguments, ast.arguments):
        parts += [*arguments.defaults, *filter(None, arguments.kw_defaults)]
    return [each.id for part in parts for each in ast.walk(part) if isinstance(each, ast.Name)]


def _changed_globals(code: CodeType) -> Iterator[str]:
    for each in dis.get_instructions(code):
        if each.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            yield each.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _changed_globals(constant)


def _import_of(name: str, value: Any, file: SourceFile | None) -> str | None:
    """The import statement of a thing that an installed package has; None for all others."""
    origin = imported_from(file, name) if file is not None else None
    if origin is None and isinstance(value, (type, FunctionType, BuiltinFunctionType)):
        origin = (value.__module__ or "builtins", value.__qualname__)
    if origin is None or origin[0] == "__main__":
        return None
    module, attribute = origin
    found = getattr(sys.modules.get(module), attribute, None)
    if found is not value or module.startswith("sqlexec.") or find_user_module(module) is not None:
        return None
    if isinstance(value, FunctionType) and is_users_file(value.__code__.co_filename):
        return None
    return f"from {module} import {attribute}" + (f" as {name}" if name != attribute else "")


def _constant(value: Any) -> str | None:
    """The expression that gives a value; None where there is none."""
    if type(value) in _MADE:
        return repr(value).replace("Decimal(", "decimal.Decimal(")
    if type(value) is float and not math.isfinite(value):
        return f"float({str(value)!r})"
    if type(value) in _CONSTANTS:
        return repr(value)
    if type(value) is dict:
        pairs = [(_constant(key), _constant(each)) for key, each in value.items()]
        if any(part is None for pair in pairs for part in pair):
            return None
        return "{" + ", ".join(f"{key}: {each}" for key, each in pairs) + "}"
    if type(value) in _CONTAINERS:
        parts = [_constant(each) for each in value]
        if None in parts:
            return None
        listed = "[" + ", ".join(map(str, parts)) + "]"
        return listed if type(value) is list else f"{type(value).__name__}({listed})"
    return None


def _imports_of_constant(value: Any) -> Iterator[str]:
    text = _constant(value) or ""
    for module in ("datetime", "decimal"):
        if f"{module}." in text:
            yield f"import {module}"


def _quoted_annotations(text: str) -> str:
    """The definition with its annotations in quotes, at column 0.

    An indented one is put under `if True:`, since to move it would change the strings in it.
    """
    text = text.rstrip()
    if text[:1] in (" ", "\t"):
        text = "if True:\n" + text
    lines = text.encode("utf-8", "surrogatepass").splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    data = bytearray(b"".join(lines))
    found = {
        starts[node.lineno - 1] + node.col_offset: (
            starts[(node.end_lineno or 1) - 1] + (node.end_col_offset or 0),
            _quoted(ast.unparse(node)).encode(),
        )
        for node in _annotations(ast.parse(text))
    }
    for first in sorted(found, reverse=True):
        last, quoted = found[first]
        data[first:last] = quoted
    return data.decode("utf-8", "surrogatepass")


def _quoted(text: str) -> str:
    return repr(text) if '"' in text or "\\" in text else f'"{text}"'


def _annotations(tree: ast.AST) -> Iterator[ast.expr]:
    """Annotations of parameters, results and fields, those aside that are in quotes."""
    for node in ast.walk(tree):
        found: list[ast.expr | None] = []
        if isinstance(node, ast.arg):
            found = [node.annotation]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found = [node.returns]
        elif isinstance(node, ast.ClassDef):
            found = [each.annotation for each in node.body if isinstance(each, ast.AnnAssign)]
        for each in found:
            if each is not None and not isinstance(each, ast.Constant):
                yield each
