"""Functions and classes from their source: what the client's source pickler refers to.

    ("def", file, line, text) --parse, shift, wrap--> code --namespace, cells--> function
    ("class", ...) and ("statement", ...)             code --called------------> the object

A definition is compiled inside of the functions and classes that it was written in, which gives
it its free variables, its private names and its qualified name.  The namespace of each of the
user's modules stands in sys.modules while the chunk runs, `__main__` too: what refers to it by
name, a pickled result say, finds it.  Afterwards everything is as it was before.

Whoever pickles names these functions; the client has them in this module, the server's
unpickler takes those of `definition_names`.
"""

import __future__

import ast
import collections
import importlib
import importlib.machinery
import json
import linecache
import pickle
import sys
import types
import zlib
from typing import Any, Dict, List, Optional, Sequence, Tuple

from sqlexec.runner.types import Aliases, Segment

_OUTER = "sqlexec_free"
_MADE = {}  # type: Dict[int, Any]  # objects of this chunk by the number the client gave them
_MODULES = {}  # type: Dict[int, types.ModuleType]  # likewise, namespaces
_BEFORE = []  # type: List[Tuple[Dict[str, Any], str, Any]]  # dict, key, what stood there


class MissingPackage(ImportError):
    """A package that the function imports on the client is not there on the server."""


def definition_names() -> Aliases:
    """What the client's pickles call for, by name."""
    names = (
        define,
        complete,
        define_cell,
        user_namespace,
        user_module,
        known,
        define_named_tuple,
        define_type,
        import_package,
        import_name,
        user_name,
    )  # type: Any
    return {each.__name__: each for each in names}


def install_modules(pieces: Sequence[memoryview]) -> None:
    """Make the user's modules importable that came whole; `pieces` is [] or their sources."""
    if pieces:
        sources = json.loads(zlib.decompress(bytes(pieces[0])).decode("ascii"))
        sys.meta_path.insert(0, _ModuleFinder(sources))
        for name in sources:
            _replace(sys.modules, name, None)


def remove_definitions() -> None:
    """Leave nothing of the chunk's definitions behind."""
    finders = [each for each in sys.meta_path if type(each).__name__ == "_ModuleFinder"]
    for finder in finders:
        sys.meta_path.remove(finder)
    while _BEFORE:
        place, key, value = _BEFORE.pop()
        if value is None:
            place.pop(key, None)
        else:
            place[key] = value
    _MADE.clear()
    _MODULES.clear()


def define(
    number: int,
    segment: Segment,
    space: Dict[str, Any],
    path: str,
    free: Sequence[str],
    cells: Sequence[Any],
    needed: Dict[str, Any],
) -> Any:
    """A function or class, or what its decorated definition gives; still without its values.

    `path` is its qualified name, `free` the variables that it has from functions around it, in
    `cells`; `needed` are the globals that the definition itself uses.
    """
    if number in _MADE:
        return _MADE[number]
    for name, value in needed.items():
        space.setdefault(name, value)
    _remember_lines(segment)
    code = definition_code(segment, path, free)
    by_name = dict(zip(free, cells))
    closure = tuple(
        by_name[name] if name in by_name else define_cell() for name in code.co_freevars
    )
    function = types.FunctionType(code, space, code.co_name, None, closure)  # type: Any
    if segment[0] in ("def", "lambda"):
        function.__qualname__ = path
        function.__module__ = space.get("__name__")
        made = function
    else:
        made = function()
    _MADE[number] = made
    return made


def complete(made: Any, state: Tuple[Any, ...]) -> None:
    """Give a definition its values: cells, globals, attributes, and the name it stands under."""
    contents, space, names, attributes, public = state
    for cell, value in contents:
        _fill(cell, value)
    for name, value in names.items():
        space.setdefault(name, value)
    for name, value in attributes.items():
        setattr(made, name, value)
    if public is not None:
        space.setdefault(public, made)


def define_cell(*_: int) -> Any:
    """An empty cell."""
    cell = None

    def holder() -> Any:
        return cell  # noqa: F821 - it is to be empty

    del cell
    closure = holder.__closure__  # type: Any
    return closure[0]


def user_namespace(
    number: int, name: str, file: Optional[str], package: Optional[str], kind: str
) -> Dict[str, Any]:
    """The namespace of one of the user's modules ("module"), or of code without one ("free").

    That of a module that came "whole" is its own.
    """
    if kind == "whole":
        return importlib.import_module(name).__dict__
    if number not in _MODULES:
        module = types.ModuleType(name)
        module.__dict__["__builtins__"] = __builtins__
        if file is not None:
            module.__file__ = file
        module.__dict__["__package__"] = package
        _MODULES[number] = module
        if kind == "module":
            _stand_in_for(name.rpartition(".")[0])
            _replace(sys.modules, name, module)
    return _MODULES[number].__dict__


def user_module(name: str) -> types.ModuleType:
    """One of the user's modules that came whole."""
    return importlib.import_module(name)


def user_name(name: str, attribute: str) -> Any:
    """A name of one of the user's modules that came whole."""
    value = importlib.import_module(name)  # type: Any
    for each in attribute.split("."):
        value = getattr(value, each)
    return value


def known(number: int) -> Any:
    """What an earlier pickle of this chunk has defined."""
    return _MADE[number]


def has_definitions() -> bool:
    """Has this chunk brought definitions by source?"""
    return bool(_MADE)


def definitions_pickler(stream: Any) -> Any:
    """A pickler that names the chunk's definitions by their numbers, for the client to know them.

    What stands in a module is found by name; this slower way is for what stands in none, local
    classes for example.  It is pickle's own in Python: all versions let that be changed.
    """
    numbers = {id(value): number for number, value in _MADE.items()}

    class Table:
        def __init__(self, writer: Any) -> None:
            self._writer = writer

        def get(self, kind: type, default: Any = None) -> Any:
            try:
                return self._writer[kind]
            except KeyError:
                return default

    base = pickle._Pickler  # type: Any

    class Pickler(base):  # type: ignore[misc]
        def __setattr__(self, name: str, value: Any) -> None:
            object.__setattr__(self, name, Table(value) if name == "dispatch_table" else value)

        def save_global(self, value: Any, name: Optional[str] = None) -> None:
            if value is known:
                self.save("sqlexec")
                self.save("original")
                self.write(pickle.STACK_GLOBAL)
            elif id(value) in numbers:
                self.save_reduce(known, (numbers[id(value)],), obj=value)
            else:
                base.save_global(self, value, name)

        def save_type(self, value: Any) -> None:
            if id(value) in numbers:
                self.save_global(value)
            else:
                base.dispatch[type](self, value)

        dispatch = dict(base.dispatch)  # type: Any
        dispatch[type] = save_type
        dispatch[types.FunctionType] = save_global

    return Pickler(stream, 4)


def define_named_tuple(
    number: int, space: Dict[str, Any], name: str, fields: Sequence[str], defaults: Sequence[Any]
) -> Any:
    """A class that collections.namedtuple made."""
    if number not in _MADE:
        make = collections.namedtuple  # type: Any
        made = make(name, fields)
        made.__new__.__defaults__ = tuple(defaults) or None
        made.__module__ = space.get("__name__")
        _MADE[number] = made
    return _MADE[number]


def define_type(
    number: int, space: Dict[str, Any], kind: Any, name: str, bases: Any, entries: Any
) -> Any:
    """A class that a call made: type(name, bases, entries), or Enum(name, entries)."""
    if number not in _MADE:
        made = kind(name, bases, entries) if bases is not None else kind(name, entries)
        made.__module__ = space.get("__name__")
        _MADE[number] = made
    return _MADE[number]


def import_package(name: str, version: Optional[str] = None, submodules: Sequence[str] = ()) -> Any:
    """An installed module, with those of its submodules that are used; says who lacks it."""
    try:
        module = importlib.import_module(name)
        for each in submodules:
            importlib.import_module(each)
        return module
    except ImportError as error:
        raise MissingPackage(
            "the function needs the package %r (%sof the client), which the server's Python %d.%d "
            "cannot import: %s. Install it on the server, or do without it in the function"
            % (
                name.split(".", 1)[0],
                "version %s " % version if version else "",
                sys.version_info[0],
                sys.version_info[1],
                error,
            )
        )


def import_name(module: str, name: str, version: Optional[str] = None) -> Any:
    """A name of an installed module: what `from module import name` gives."""
    value = import_package(module, version)
    try:
        for each in name.split("."):
            value = getattr(value, each)
    except AttributeError:
        found = getattr(sys.modules.get(module.split(".", 1)[0]), "__version__", None)
        raise MissingPackage(
            "the function needs %r of module %r (%son the client), which the server's %s lacks"
            % (
                name,
                module,
                "version %s " % version if version else "",
                "version %s" % found if found else "Python %d.%d" % tuple(sys.version_info[:2]),
            )
        )
    return value


def definition_code(
    segment: Segment,
    path: str,
    free: Sequence[str],
    flags: int = -1,
    imported: Sequence[str] = (),
) -> Any:
    """Compile a definition; gives a function's code, or that of a function which defines it.

    `flags` are those of the `__future__`; by default annotations are kept as text, since what
    they name may not exist here.  `imported` are names that the module imports: to them Python
    3.11 and later compile calls in another way.
    """
    kind, file, line, text = segment
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
    if flags < 0:
        flags = getattr(getattr(__future__, "annotations", None), "compiler_flag", 0)
        if not flags:
            _strip_annotations(tree)
    code = compile(tree, file, "exec", flags, True)
    for scope in [_OUTER] + scopes + ([] if kind in ("class", "statement") else [name]):
        code = _inner_code(code, scope)
    return code


def _parse(kind: str, line: int, text: str) -> List[Any]:
    """The statements of a segment, at their own lines and columns."""
    if kind == "lambda":
        tree, before = ast.parse("(\n" + text + "\n)"), 1
    elif text[:1] in (" ", "\t"):
        tree, before = ast.parse("if 1:\n" + text), 1
    else:
        tree, before = ast.parse(text), 0
    ast.increment_lineno(tree, line - 1 - before)
    found = tree.body  # type: Any
    return list(found[0].body if before and kind != "lambda" else found)


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
    """Parsed code, all of it at one line."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        for name in ("lineno", "end_lineno"):
            if hasattr(node, name):
                setattr(node, name, line)
    return tree


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


def _strip_annotations(tree: ast.AST) -> None:
    """For Python 3.5 and 3.6, which evaluate all of them."""
    for node in ast.walk(tree):  # type: Any
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
        elif type(node).__name__ == "AnnAssign":
            node.annotation = ast.copy_location(ast.Str("typing.Any"), node.annotation)  # type: ignore[attr-defined,unused-ignore]


def _fill(cell: Any, value: Any) -> None:
    """Set a cell's contents; Python 3.6 has no attribute for that."""

    inner = None

    def write(value: Any) -> None:
        nonlocal inner
        inner = value

    types.FunctionType(write.__code__, {}, "write", None, (cell,))(value)


def _remember_lines(segment: Segment) -> None:
    """Let tracebacks show the user's text."""
    _, file, line, text = segment
    if not any(place is linecache.cache and key == file for place, key, _ in _BEFORE):
        _replace(linecache.cache, file, (0, None, [], file))
    entry = linecache.cache[file]  # type: Any
    lines = entry[2]
    new = text.splitlines(True)
    lines.extend(["\n"] * (line - 1 + len(new) - len(lines)))
    lines[line - 1 : line - 1 + len(new)] = [each.rstrip("\n") + "\n" for each in new]


def _replace(place: Any, key: str, value: Any) -> None:
    """Set an item, until remove_definitions."""
    _BEFORE.append((place, key, place.get(key)))
    if value is None:
        place.pop(key, None)
    else:
        place[key] = value


def _stand_in_for(package: str) -> None:
    """Packages around a user's module: empty ones do, where the real ones did not come."""
    if not package or package in sys.modules:
        return
    _stand_in_for(package.rpartition(".")[0])
    finders = [each for each in sys.meta_path if isinstance(each, _ModuleFinder)]
    if not any(each.find_spec(package) for each in finders):
        module = types.ModuleType(package)  # type: Any
        module.__path__ = []
        _replace(sys.modules, package, module)


class _ModuleFinder:
    """Finder and loader of the user's modules that came whole: name -> (file, source, package?)."""

    def __init__(self, sources: Dict[str, List[Any]]) -> None:
        self._sources = sources

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """A spec for the modules that are here."""
        if name not in self._sources:
            return None
        loader = self  # type: Any
        file, _, is_package = self._sources[name]
        return importlib.machinery.ModuleSpec(name, loader, origin=file, is_package=is_package)

    def create_module(self, spec: Any) -> None:
        """None: an ordinary module."""

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the module's source."""
        file, source, _ = self._sources[module.__name__]
        module.__file__ = file
        _remember_lines(("module", file, 1, source))
        tree = ast.parse(source)
        flags = getattr(getattr(__future__, "annotations", None), "compiler_flag", 0)
        if not flags:
            tree.body = [each for each in tree.body if getattr(each, "module", 0) != "__future__"]
            _strip_annotations(tree)
        exec(compile(tree, file, "exec", flags, True), module.__dict__)
