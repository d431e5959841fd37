"""The pickler that writes functions and classes as calls of what the runner rebuilds them with."""

from __future__ import annotations

import ast
import io
import os
import pickle
import sys
import typing
from collections.abc import Mapping
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

from sqlexec.errors import PackError
from sqlexec.payload.imports import imported_names
from sqlexec.payload.library_objects import reduce_library_object
from sqlexec.payload.modules import find_user_module, is_users_file
from sqlexec.payload.source.bundle import SourceBundle
from sqlexec.payload.source.classes import (
    attributes_set_later,
    registered_with,
    variables_around,
)
from sqlexec.payload.source.definitions import (
    Definition,
    class_definition,
    definition_of,
)
from sqlexec.payload.source.files import SourceFile
from sqlexec.payload.source.made_classes import reduce_made_class
from sqlexec.payload.source.names import (
    global_names,
    imported_from,
    special_annotations,
    submodules,
    variables_at_once,
    words,
)
from sqlexec.payload.source.stand_ins import Import, Space, UserModule, by_name
from sqlexec.payload.source.surroundings import (
    contents_of,
    globals_of,
    own_attributes,
    owner_of,
    public_name,
    unwrapped,
)
from sqlexec.payload.syntax import readable
from sqlexec.runner import functions as wire
from sqlexec.runner.definition_code import definition_code
from sqlexec.runner.namespaces import user_module, user_name
from sqlexec.runner.types import Buffer
from sqlexec.runner.values import WIRE, dump

_METHODS = (staticmethod, classmethod)


class Restart(Exception):
    """A module turned out to be needed whole after parts of it were packed."""


class Pickler(pickle.Pickler):
    """Pickles one value for the server of a bundle."""

    def __init__(self, stream: io.BytesIO, bundle: SourceBundle, first: bool) -> None:
        super().__init__(stream, protocol=4)
        self._bundle = bundle
        self._first = first
        self.defined: set[int] = set()
        self._started: set[int] = set()  # definitions whose own needs are being pickled
        self._spaces: dict[int, Space] = {}
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
        if not isinstance(value, MethodType) and isinstance(unwrapped(value), FunctionType):
            function = unwrapped(value)
            if is_users_file(function.__code__.co_filename):
                return self._statement(value, function)
        found = reduce_library_object(value)
        return NotImplemented if found is None else found

    # --- what there is to send --------------------------------------------------------

    def _function(self, function: FunctionType) -> Any:
        module = function.__module__ or ""
        if module.partition(".")[0] == "sqlexec" and "<locals>" not in function.__qualname__:
            return NotImplemented  # the runner has a stand-in of that name
        if module == WIRE:
            return NotImplemented  # the name in which the codec's rebuilders are called
        if module in self._bundle.whole and "<" not in function.__qualname__:
            return user_name, (module, function.__qualname__)
        users = is_users_file(function.__code__.co_filename)
        if not users:
            dispatcher = reduce_library_object(function)
            if dispatcher is not None:
                return dispatcher
            inner = unwrapped(function)
            if inner is not function and is_users_file(inner.__code__.co_filename):
                return self._statement(function, inner)
            if not self._bundle.is_users(module):
                return by_name(function)
        owner = owner_of(function)
        if owner is not None:
            return getattr, (owner, function.__name__)
        again = self._again(function)
        if again:
            return again
        found = definition_of(function)
        cells = function.__closure__ or ()
        attributes = own_attributes(function, found)
        space = self._space(function.__globals__)
        names = self._names(found, function.__globals__, runtime=True)
        used = words(found.code)
        contents = [
            (cell, self._module_stand_in(each, used) if isinstance(each, ModuleType) else each)
            for cell, each in contents_of(cells)
        ]
        public = public_name(function)
        return self._definition(
            function,
            found,
            (space, found.path, function.__code__.co_freevars, cells, {}),
            (contents, space, names, attributes, public),
        )

    def _class(self, cls: type) -> Any:
        module = cls.__module__
        if not self._bundle.is_users(module):
            return by_name(cls)
        if module in self._bundle.whole and "<" not in cls.__qualname__:
            return user_name, (module, cls.__qualname__)
        owner = owner_of(cls)
        if owner is not None:
            return getattr, (owner, cls.__name__)
        again = self._again(cls)
        if again:
            return again
        found = class_definition(cls)
        if found is None:
            number = self._bundle.number(cls)
            self.defined.add(number)
            space = self._space(vars(sys.modules.get(cls.__module__, ModuleType(cls.__module__))))
            return reduce_made_class(cls, number, space)
        outside = globals_of(cls)
        space = self._space(outside)
        free = [each for each in found.free if each != cls.__name__]
        known = variables_around(found.node, cls)
        missing = [each for each in free if each not in known]
        if missing:
            raise PackError(
                f"Cannot send the class {cls.__qualname__!r} by source: its definition uses "
                f"{', '.join(missing)} of the function around it, whose value is gone. Define the "
                "class at the top of its module"
            )
        cells = tuple(known[each] for each in free)
        needed = self._names(found, outside, runtime=False)
        for name in special_annotations(found.node, outside):
            needed[name] = self._stand_in(name, outside[name], found.file, frozenset())
        names = self._names(found, outside, runtime=True)
        names = {each: value for each, value in names.items() if each not in needed}
        contents = list(contents_of(cells))
        later = attributes_set_later(found, cls)
        at_once = variables_at_once(found.code)
        registered = registered_with(cls)
        filled = list(contents_of(tuple(known[each] for each in free if each in at_once)))
        return self._definition(
            cls,
            found,
            (space, found.path, free, cells, needed, filled),
            (contents, space, names, later, None, *([registered] if registered else [])),
        )

    def _statement(self, value: Any, function: FunctionType) -> Any:
        """Send the decorated definition itself, to be decorated again on the server."""
        again = self._again(value)
        if again:
            return again
        found = definition_of(function)
        if "<locals>" in found.path or isinstance(found.node, ast.Lambda):
            raise PackError(
                f"Cannot send {found.path!r} by source: it is decorated by a package "
                f"(giving an object of type {type(value).__name__}) inside of a function. "
                "Define it at the top of its module"
            )
        segment = found.file.segment("statement", found.node)
        code = definition_code(segment, found.path, ())
        again_found = Definition(segment, found.path, code, found.file, found.node)
        outside = function.__globals__
        space = self._space(outside)
        needed = self._names(again_found, outside, runtime=False)
        names = self._names(again_found, outside, runtime=True)
        names = {each: item for each, item in names.items() if each not in needed}
        return self._definition(
            value,
            again_found,
            (space, found.path, (), (), needed),
            ([], space, names, {}, None),
        )

    def _module(self, module: ModuleType) -> Any:
        name = module.__name__
        if module is os.path:
            return Import("os.path", None).__reduce__()
        if name == "__main__":
            raise PackError(
                "Cannot send the module __main__ as a whole by source: name what you need of it"
            )
        if self._bundle.is_users(name):
            if self._bundle.add_whole(module) and self._parts & set(self._bundle.whole):
                raise Restart
            return user_module, (name,)
        return Import(name, None).__reduce__()

    # --- parts of that ------------------------------------------------------------------

    def _definition(
        self,
        value: Any,
        found: Definition,
        arguments: tuple[Any, ...],
        state: tuple[Any, ...],
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
        segment = readable(found.segment, bundle.target, repr(found.path))
        return wire.define, (number, segment, *arguments), state, None, None, wire.complete

    def _again(self, value: Any) -> Any:
        number = self._bundle.number(value)
        return (wire.known, (number,)) if not self._first and number in self._bundle.sent else None

    def _space(self, namespace: dict[str, Any]) -> Space:
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
            self._spaces[id(namespace)] = Space(number, arguments)
        return self._spaces[id(namespace)]

    def _names(
        self, found: Definition, outside: Mapping[str, Any], *, runtime: bool
    ) -> dict[str, Any]:
        """The globals that a definition names: now, and at its run time too."""
        used = words(found.code)
        result = {}
        for name in global_names(found.code, runtime):
            if not runtime and name == getattr(found.node, "name", None):
                continue  # what it defines
            if name in outside and name not in ("__name__", "__file__", "__builtins__"):
                result[name] = self._stand_in(name, outside[name], found.file, used)
        if runtime:
            self._add_imports(found, outside)
        return result

    def _add_imports(self, found: Definition, outside: Mapping[str, Any]) -> None:
        """Modules of the user's that the code itself imports when it runs."""
        package = str(outside.get("__package__") or "")
        added = False
        if package not in found.imports:
            found.imports[package] = tuple(imported_names(found.node, package))
        for name in found.imports[package]:
            added |= self._bundle.add_whole(name)
        if added and self._parts & set(self._bundle.whole):
            raise Restart

    def _module_stand_in(self, module: ModuleType, used: frozenset[str]) -> Any:
        name = module.__name__
        parts = submodules(module, used)
        if module is os.path or (self._bundle.is_users(name) and not parts):
            return module
        if not self._bundle.is_users(name):
            return Import(name, None, parts)
        for each in (name, *parts):
            self._module(sys.modules[each])  # whole
        return UserModule(name, parts)

    def _stand_in(self, name: str, value: Any, file: SourceFile, used: frozenset[str]) -> Any:
        if isinstance(value, ModuleType):
            return self._module_stand_in(value, used)
        origin = imported_from(file, name)
        if origin is not None and find_user_module(origin[0]) is None:
            module, attribute = origin
            found = getattr(sys.modules.get(module), attribute, None)
            if found is value and module.partition(".")[0] != "sqlexec":
                return Import(module, attribute)
        return value


def dump_by_source(bundle: SourceBundle, value: object, *, first: bool = False) -> list[Buffer]:
    """Pickle by source; `first` is the pickle that the server loads before all others."""
    while True:
        picklers: list[Pickler] = []

        def start(stream: io.BytesIO, started: list[Pickler] = picklers) -> Pickler:
            started.append(Pickler(stream, bundle, first))
            return started[0]

        try:
            pieces = dump(value, start)
        except Restart:
            continue
        if first and picklers:
            bundle.sent.update(picklers[0].defined)
        return pieces
