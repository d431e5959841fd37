"""The user's modules on the server: namespaces by name while a chunk runs, whole ones by import.

What is put into sys.modules, sys.meta_path or linecache is taken out again by `clear_namespaces`.
"""

import __future__

import ast
import importlib
import importlib.machinery
import json
import linecache
import sys
import types
import zlib
from typing import Any, Dict, List, Optional, Sequence, Tuple

from sqlexec.runner.definition_code import strip_annotations
from sqlexec.runner.types import Segment

_MODULES = {}  # type: Dict[int, types.ModuleType]  # likewise, namespaces
_BEFORE = []  # type: List[Tuple[Dict[str, Any], str, Any]]  # dict, key, what stood there


def install_modules(pieces: Sequence[memoryview]) -> None:
    """Make the user's modules importable that came whole; `pieces` is [] or their sources."""
    if pieces:
        sources = json.loads(zlib.decompress(bytes(pieces[0])).decode("ascii"))
        sys.meta_path.insert(0, _ModuleFinder(sources))
        for name in sources:
            _replace(sys.modules, name, None)


def clear_namespaces() -> None:
    """Leave nothing of the chunk's modules behind."""
    finders = [each for each in sys.meta_path if type(each).__name__ == "_ModuleFinder"]
    for finder in finders:
        sys.meta_path.remove(finder)
    while _BEFORE:
        place, key, value = _BEFORE.pop()
        if value is None:
            place.pop(key, None)
        else:
            place[key] = value
    _MODULES.clear()


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


def user_module(name: str, submodules: Sequence[str] = ()) -> types.ModuleType:
    """One of the user's modules that came whole, with those of its submodules that are used."""
    for each in submodules:
        importlib.import_module(each)
    return importlib.import_module(name)


def user_name(name: str, attribute: str) -> Any:
    """A name of one of the user's modules that came whole."""
    value = importlib.import_module(name)  # type: Any
    for each in attribute.split("."):
        value = getattr(value, each)
    return value


def remember_lines(segment: Segment) -> None:
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
        remember_lines(("module", file, 1, source))
        tree = ast.parse(source)
        flags = getattr(getattr(__future__, "annotations", None), "compiler_flag", 0)
        if not flags:
            tree.body = [each for each in tree.body if getattr(each, "module", 0) != "__future__"]
            strip_annotations(tree)
        exec(compile(tree, file, "exec", flags, True), module.__dict__)
