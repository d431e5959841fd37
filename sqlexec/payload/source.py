"""Pickle functions and classes by source, for a server of another Python version.

function --source file--> (text, file, line) ----+
         --globals it names, cells, defaults--> state --pickle--> bytes
         --modules of the user's--> whole sources

One pickler does all: to pickle a function is to pickle a call of `runner.functions.define`
with its text, then one of `complete` with what it reaches.  So identity, recursion and shared
cells come out as they went in.
"""

from __future__ import annotations

import ast
import dataclasses
import dis
import enum
import io
import json
import os
import pickle
import sys
import threading
import typing
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from sqlexec.errors import PackError
from sqlexec.payload import sources
from sqlexec.payload.modules import find_user_module, is_users_file, user_modules
from sqlexec.payload.syntax import check_syntax
from sqlexec.runner import functions as wire
from sqlexec.runner.types import Buffer
from sqlexec.runner.values import WIRE, dump

_GLOBAL = frozenset(
    ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS")
)
_OPTIMIZED = 1  # code flag: of functions, not of class bodies
_METHODS = (staticmethod, classmethod)
_SPECIAL = (typing, dataclasses, typing.ClassVar, dataclasses.InitVar)
_GENERATED = ("__weakref__", "__dict__")


class Restart(Exception):
    """A module turned out to be needed whole after parts of it were packed."""


class Numbers:
    """Numbers by which client and server know the definitions of a job."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._objects: list[Any] = []  # so that no id is given to another object
        self._lock = threading.Lock()

    def number(self, value: object) -> int:
        """The number of an object."""
        with self._lock:
            if id(value) not in self._numbers:
                self._numbers[id(value)] = len(self._objects)
                self._objects.append(value)
            return self._numbers[id(value)]

    def original(self, number: int) -> Any:
        """The object of a number."""
        return self._objects[number]


class SourceBundle:
    """What the pickles of one job have in common: numbers of definitions, whole modules.

    Parameters
    ----------
    target : tuple of two ints
        Python version of the server, for the check of the syntax.
    numbers : Numbers
        Those of the job.
    """

    def __init__(self, target: tuple[int, int], numbers: Numbers) -> None:
        self.target = target
        self.whole: dict[str, tuple[str, str, bool]] = {}  # name -> file, text, is it a package
        self._users = {module.__name__ for module in user_modules()} | {"__main__"}
        self.number = numbers.number
        self.sent: set[int] = set()  # numbers that the first pickle defines

    def dump(self, value: object, *, first: bool = False) -> list[Buffer]:
        """Pickle by source; `first` is the pickle that the server loads before all others."""
        while True:
            picklers: list[_Pickler] = []

            def start(stream: io.BytesIO, started: list[_Pickler] = picklers) -> _Pickler:
                started.append(_Pickler(stream, self, first))
                return started[0]

            try:
                pieces = dump(value, start)
            except Restart:
                continue
            if first and picklers:
                self.sent.update(picklers[0].defined)
            return pieces

    def modules(self) -> list[bytes]:
        """The whole modules as a piece of the body; none where there are none."""
        if not self.whole:
            return []
        return [zlib.compress(json.dumps(self.whole, sort_keys=True).encode("ascii"), 6)]

    def is_users(self, name: str) -> bool:
        """Is a module the user's? So are those that exist in memory only."""
        module = sys.modules.get(name)
        loaded = getattr(module, "__file__", None) or getattr(module, "__spec__", None)
        return name in self._users or (not loaded and name.partition(".")[0] != "sqlexec")

    def add_whole(self, module: ModuleType | str) -> bool:
        """Send a module of the user's whole, with those of the user's that it imports."""
        name = module if isinstance(module, str) else module.__name__
        if name in self.whole:
            return False
        found = find_user_module(name)
        if found is None:
            return False
        file, is_package = found
        try:
            with open(file, "rb") as stream:
                text = _decoded(stream.read())
            tree = ast.parse(text)
        except (OSError, SyntaxError, UnicodeDecodeError) as error:
            raise PackError(f"Cannot send the module {name!r} ({file}): {error}") from error
        check_syntax(("module", file, 1, text), tree, self.target, f"module {name!r}")
        self.whole[name] = (file, text, is_package)
        parent = name.rpartition(".")[0]
        if parent:
            self.add_whole(parent)
        for each in imported_names(tree, name if is_package else parent):
            self.add_whole(each)
        return True


def imported_names(tree: ast.AST, package: str) -> Iterator[str]:
    """Modules that code imports; `package` is what relative imports count from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parts, base] if base else parts)
            if base:
                yield base
                for alias in node.names:
                    yield f"{base}.{alias.name}"


class _Import:
    """Stands in the pickle for a module, or a name of one, that the server imports itself."""

    def __init__(self, module: str, name: str | None, submodules: tuple[str, ...] = ()) -> None:
        self._module, self._name, self._submodules = module, name, submodules

    def __reduce__(self) -> tuple[Any, ...]:
        version = getattr(sys.modules.get(self._module.partition(".")[0]), "__version__", None)
        version = version if isinstance(version, str) else None
        if self._name is None:
            return wire.import_package, (self._module, version, self._submodules)
        return wire.import_name, (self._module, self._name, version)


class _Space:
    """Stands for the namespace of one of the user's modules."""

    def __init__(self, number: int, arguments: tuple[Any, ...]) -> None:
        self._arguments = (number, *arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return wire.user_namespace, self._arguments


class _Pickler(pickle.Pickler):
    def __init__(self, stream: io.BytesIO, bundle: SourceBundle, first: bool) -> None:
        super().__init__(stream, protocol=4)
        self._bundle = bundle
        self._first = first
        self.defined: set[int] = set()
        self._started: set[int] = set()  # definitions whose own needs are being pickled
        self._spaces: dict[int, _Space] = {}
        self._parts: set[str] = set()  # modules of which something went by itself

    def reducer_override(self, value: Any) -> Any:
        """Functions, classes and modules; everything else goes as it always does."""
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, ModuleType):
            return self._module(value)
        if isinstance(value, CellType):
            return wire.define_cell, (self._bundle.number(value),)
        if isinstance(value, _METHODS):
            return type(value), (value.__func__,)
        if isinstance(value, property):
            return property, (value.fget, value.fset, value.fdel, value.__doc__)
        if isinstance(value, typing.TypeVar):
            return typing.TypeVar, (value.__name__, *value.__constraints__)
        if not isinstance(value, MethodType) and isinstance(_unwrapped(value), FunctionType):
            function = _unwrapped(value)
            if is_users_file(function.__code__.co_filename):
                return self._statement(value, function)
        return NotImplemented

    # --- what there is to send --------------------------------------------------------

    def _function(self, function: FunctionType) -> Any:
        module = function.__module__ or ""
        if module.partition(".")[0] == "sqlexec" and "<locals>" not in function.__qualname__:
            return NotImplemented  # the runner has a stand-in of that name
        if module == WIRE:
            return NotImplemented  # the name in which the codec's rebuilders are called
        if module in self._bundle.whole and "<" not in function.__qualname__:
            return wire.user_name, (module, function.__qualname__)
        users = is_users_file(function.__code__.co_filename)
        if not users:
            inner = _unwrapped(function)
            if inner is not function and is_users_file(inner.__code__.co_filename):
                return self._statement(function, inner)
            if not self._bundle.is_users(module):
                return self._by_name(function)
        owner = _owner(function)
        if owner is not None:
            return getattr, (owner, function.__name__)
        again = self._again(function)
        if again:
            return again
        found = sources.definition_of(function)
        cells = function.__closure__ or ()
        attributes = dict(function.__dict__)
        if function.__defaults__:
            attributes["__defaults__"] = function.__defaults__
        if function.__kwdefaults__:
            attributes["__kwdefaults__"] = function.__kwdefaults__
        plain = FunctionType(
            found.code, {}, closure=tuple(CellType() for _ in found.code.co_freevars)
        )
        for name in ("__name__", "__doc__"):
            if getattr(function, name) != getattr(plain, name):
                attributes[name] = getattr(function, name)
        space = self._space(function.__globals__)
        if function.__qualname__ != found.path:
            attributes["__qualname__"] = function.__qualname__
        if function.__module__ != function.__globals__.get("__name__"):
            attributes["__module__"] = function.__module__
        names = self._names(found, function.__globals__, runtime=True)
        contents = list(_contents(cells))
        public = _public_name(function)
        return self._definition(
            function,
            (found.segment, space, found.path, function.__code__.co_freevars, cells, {}),
            (contents, space, names, attributes, public),
            found,
        )

    def _class(self, cls: type) -> Any:
        module = cls.__module__
        if not self._bundle.is_users(module):
            return self._by_name(cls)
        if module in self._bundle.whole and "<" not in cls.__qualname__:
            return wire.user_name, (module, cls.__qualname__)
        owner = _owner(cls)
        if owner is not None:
            return getattr, (owner, cls.__name__)
        again = self._again(cls)
        if again:
            return again
        found = sources.class_definition(cls)
        if found is None:
            return self._made_class(cls)
        outside = _globals_of(cls)
        space = self._space(outside)
        free = [each for each in found.free if each != cls.__name__]
        known = _cells_of(cls)
        missing = [each for each in free if each not in known]
        for base in cls.__mro__[1:]:
            if base.__name__ in missing:
                known[base.__name__] = CellType(base)
                missing.remove(base.__name__)
        if missing:
            raise PackError(
                f"Cannot send the class {cls.__qualname__!r} by source: its definition uses "
                f"{', '.join(missing)} of the function around it, whose value is gone. Define the "
                "class at the top of its module"
            )
        cells = tuple(known[each] for each in free)
        needed = self._names(found, outside, runtime=False)
        for name in _special_annotations(found.node, outside):
            needed[name] = self._stand_in(name, outside[name], found.file, set())
        names = self._names(found, outside, runtime=True)
        names = {each: value for each, value in names.items() if each not in needed}
        contents = list(_contents(cells))
        return self._definition(
            cls,
            (found.segment, space, found.path, free, cells, needed),
            (contents, space, names, {}, None),
            found,
        )

    def _statement(self, value: Any, function: FunctionType) -> Any:
        """Send the decorated definition itself, to be decorated again on the server."""
        again = self._again(value)
        if again:
            return again
        found = sources.definition_of(function)
        if "<locals>" in found.path or isinstance(found.node, ast.Lambda):
            raise PackError(
                f"Cannot send {found.path!r} by source: it is decorated by a package "
                f"(giving an object of type {type(value).__name__}) inside of a function. "
                "Define it at the top of its module"
            )
        segment = found.file.segment("statement", found.node)
        code = wire.definition_code(segment, found.path, ())
        again_found = sources.Definition(segment, found.path, code, found.file, found.node)
        outside = function.__globals__
        space = self._space(outside)
        needed = self._names(again_found, outside, runtime=False)
        names = self._names(again_found, outside, runtime=True)
        names = {each: item for each, item in names.items() if each not in needed}
        return self._definition(
            value,
            (segment, space, found.path, (), (), needed),
            ([], space, names, {}, None),
            again_found,
        )

    def _made_class(self, cls: type) -> Any:
        """A class that a call made."""
        bundle = self._bundle
        number = bundle.number(cls)
        self.defined.add(number)
        space = self._space(vars(sys.modules.get(cls.__module__, ModuleType(cls.__module__))))
        state: tuple[Any, ...] = ([], space, {}, {}, _public_name(cls))
        if issubclass(cls, tuple) and hasattr(cls, "_fields") and cls.__bases__ == (tuple,):
            defaults = cls.__new__.__defaults__ or ()
            arguments: tuple[Any, ...] = (number, space, cls.__name__, cls._fields, defaults)
            return wire.define_named_tuple, arguments, state, None, None, wire.complete
        if issubclass(cls, enum.Enum):
            entries: Any = [(name, each.value) for name, each in cls.__members__.items()]
            arguments = (number, space, cls.__bases__[-1], cls.__name__, None, entries)
            return wire.define_type, arguments, state, None, None, wire.complete
        if type(cls) is not type or any(
            is_users_file(each.__code__.co_filename) is False for each in sources.functions_in(cls)
        ):
            raise PackError(
                f"Cannot send the class {cls.__module__}.{cls.__qualname__} by source: no class "
                "statement of it is to be found"
            )
        own = {name: each for name, each in vars(cls).items() if name not in _GENERATED}
        arguments = (number, space, type, cls.__name__, cls.__bases__, own)
        return wire.define_type, arguments, state, None, None, wire.complete

    def _module(self, module: ModuleType) -> Any:
        name = module.__name__
        if module is os.path:
            return _Import("os.path", None).__reduce__()
        if name == "__main__":
            raise PackError(
                "Cannot send the module __main__ as a whole by source: name what you need of it"
            )
        if self._bundle.is_users(name):
            if self._bundle.add_whole(module) and self._parts & set(self._bundle.whole):
                raise Restart
            return wire.user_module, (name,)
        return _Import(name, None).__reduce__()

    # --- parts of that ------------------------------------------------------------------

    def _definition(
        self,
        value: Any,
        arguments: tuple[Any, ...],
        state: tuple[Any, ...],
        found: sources.Definition,
    ) -> Any:
        bundle = self._bundle
        number = bundle.number(value)
        if number in self._started:
            raise PackError(
                f"Cannot send {found.path!r} by source: its definition (decorators, base classes, "
                "default values) uses something that refers to it again"
            )
        self._started.add(number)
        self.defined.add(number)
        check_syntax(found.segment, found.node, bundle.target, repr(found.path))
        return wire.define, (number, *arguments), state, None, None, wire.complete

    def _again(self, value: Any) -> Any:
        number = self._bundle.number(value)
        return (wire.known, (number,)) if not self._first and number in self._bundle.sent else None

    def _by_name(self, value: Any) -> Any:
        """A function or class of an installed package, by the shortest name it is public under."""
        module, name = value.__module__ or "", value.__qualname__
        top = module.partition(".")[0]
        if top in ("sqlexec", "builtins") or (top in sys.stdlib_module_names and "<" not in name):
            return NotImplemented
        parts = module.split(".")
        for count in range(1, len(parts) + 1):
            shorter = ".".join(parts[:count])
            found: Any = sys.modules.get(shorter)
            for step in name.split("."):
                found = getattr(found, step, None)
            if found is value:
                return _Import(shorter, name).__reduce__()
        raise PackError(
            f"Cannot send {module}.{name} by source: it was made inside of an installed package "
            "and has no name to import it by there. Make it inside the function instead"
        )

    def _space(self, namespace: dict[str, Any]) -> _Space:
        if id(namespace) not in self._spaces:
            name = str(namespace.get("__name__", "sqlexec_free"))
            is_module = vars(sys.modules.get(name, ast)) is namespace
            kind = "module" if is_module else "free"
            if is_module and name in self._bundle.whole:
                kind = "whole"
            elif is_module:
                self._parts.add(name)
            package = namespace.get("__package__") or None
            arguments = (name, namespace.get("__file__"), package, kind)
            number = self._bundle.number(namespace)
            self._spaces[id(namespace)] = _Space(number, arguments)
        return self._spaces[id(namespace)]

    def _names(
        self, found: sources.Definition, outside: Mapping[str, Any], *, runtime: bool
    ) -> dict[str, Any]:
        """The globals that a definition names: now, and at its run time too."""
        tokens = set(_tokens(found.code))
        result = {}
        for name in _global_names(found.code, runtime):
            if not runtime and name == getattr(found.node, "name", None):
                continue  # what it defines
            if name in outside and name not in ("__name__", "__file__", "__builtins__"):
                result[name] = self._stand_in(name, outside[name], found.file, tokens)
        if runtime:
            self._add_imports(found, outside)
        return result

    def _add_imports(self, found: sources.Definition, outside: Mapping[str, Any]) -> None:
        """Modules of the user's that the code itself imports when it runs."""
        package = str(outside.get("__package__") or "")
        added = False
        if package not in found.imports:
            found.imports[package] = tuple(imported_names(found.node, package))
        for name in found.imports[package]:
            added |= self._bundle.add_whole(name)
        if added and self._parts & set(self._bundle.whole):
            raise Restart

    def _stand_in(self, name: str, value: Any, file: sources.SourceFile, tokens: set[str]) -> Any:
        if isinstance(value, ModuleType):
            if self._bundle.is_users(value.__name__) or value is os.path:
                return value
            return _Import(value.__name__, None, _submodules(value.__name__, tokens))
        origin = _imported_from(file, name)
        if origin is not None and find_user_module(origin[0]) is None:
            module, attribute = origin
            found = getattr(sys.modules.get(module), attribute, None)
            if found is value and module.partition(".")[0] != "sqlexec":
                return _Import(module, attribute)
        return value


@lru_cache(maxsize=4096)
def _global_names(code: CodeType, runtime: bool) -> dict[str, None]:
    """Globals that a code names; without `runtime` only those of what runs at once."""
    names: dict[str, None] = {}
    for each in dis.get_instructions(code):
        if each.opname in _GLOBAL:
            names[each.argval] = None
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            at_once = not constant.co_flags & _OPTIMIZED or constant.co_name.startswith("<")
            if runtime or (at_once and constant.co_name != "<lambda>"):
                names.update(_global_names(constant, runtime))
    return names


def _special_annotations(node: ast.AST, outside: Mapping[str, Any]) -> Iterator[str]:
    """Names in a class's annotations that dataclass looks for, though they are text there."""
    for child in getattr(node, "body", ()):
        for each in ast.walk(child.annotation) if isinstance(child, ast.AnnAssign) else ():
            if isinstance(each, ast.Name):
                value = outside.get(each.id)
                if any(value is special for special in _SPECIAL):
                    yield each.id


def _tokens(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _tokens(constant)


def _submodules(package: str, tokens: set[str]) -> tuple[str, ...]:
    """Loaded submodules that `package.a.b` in the code may mean."""
    start = package + "."
    return tuple(
        name
        for name in list(sys.modules)
        if name.startswith(start)
        and tokens.issuperset(name[len(start) :].split("."))
        and not any(part.startswith("_") for part in name.split("."))
        and isinstance(sys.modules[name], ModuleType)
    )


def _imported_from(file: sources.SourceFile, name: str) -> tuple[str, str] | None:
    """Module and name of `from module import name as ...` at the top of a text."""
    return _imports(file).get(name)


def _imports(file: sources.SourceFile) -> dict[str, tuple[str, str]]:
    if file.imports is None:
        file.imports = {}
        for node in ast.walk(file.tree):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    file.imports[alias.asname or alias.name] = (node.module, alias.name)
    return file.imports


def _unwrapped(value: Any) -> Any:
    """The innermost function that functools.wraps and its like left a trace of."""
    for _ in range(100):
        inner = getattr(value, "__wrapped__", None) if not isinstance(value, type) else None
        if inner is None:
            break
        value = inner
    return value


def _owner(value: Any) -> type | None:
    """The class of the user's that has this function or class as an attribute."""
    path = value.__qualname__.split(".")
    if len(path) < 2 or path[-2] == "<locals>":
        return None
    owner: Any = sys.modules.get(value.__module__)
    if "<locals>" in path:
        cells = dict(_named_cells(value)) if isinstance(value, FunctionType) else {}
        owner = _cell_value(cells.get("__class__"))
    else:
        for name in path[:-1]:
            owner = getattr(owner, name, None)
    if isinstance(owner, type) and getattr(owner, path[-1], None) is value:
        return owner
    return None


def _named_cells(function: FunctionType) -> Iterator[tuple[str, CellType]]:
    yield from zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)


def _cells_of(cls: type) -> dict[str, CellType]:
    """Variables around a class that its functions hold."""
    cells: dict[str, CellType] = {}
    for function in sources.functions_in(cls):
        cells.update(_named_cells(function))
    return cells


def _cell_value(cell: CellType | None) -> Any:
    try:
        return cell.cell_contents if cell is not None else None
    except ValueError:
        return None


def _contents(cells: tuple[CellType, ...]) -> Iterator[tuple[CellType, Any]]:
    for cell in cells:
        try:
            yield cell, cell.cell_contents
        except ValueError:  # still empty
            continue


def _globals_of(cls: type) -> dict[str, Any]:
    for function in sources.functions_in(cls):
        if function.__module__ == cls.__module__ and is_users_file(function.__code__.co_filename):
            return function.__globals__
    return vars(sys.modules[cls.__module__])


def _public_name(value: Any) -> str | None:
    module = sys.modules.get(value.__module__ or "")
    name: str = value.__qualname__
    return name if getattr(module, name, None) is value else None


def _decoded(data: bytes) -> str:
    import tokenize

    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return io.TextIOWrapper(io.BytesIO(data), encoding).read()
