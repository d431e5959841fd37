"""Functions and classes from their source: what the client's source pickler refers to.

    ("def", file, line, text) --parse, shift, wrap--> code --namespace, cells--> function
    ("class", ...) and ("statement", ...)             code --called------------> the object

A definition is compiled inside of the functions and classes that it was written in, which gives
it its free variables, its private names and its qualified name.  The namespace of each of the
user's modules stands in sys.modules while the chunk runs, `__main__` too: what refers to it by
name, a pickled result say, finds it.  Afterwards everything is as it was before.

Whoever pickles names these functions, and those of namespaces and imports, in sqlexec's name;
the server's unpickler takes those of `definition_names`.
"""

import collections
import pickle
import types
from typing import Any, Dict, Optional, Sequence, Tuple

from sqlexec.runner.definition_code import definition_code, is_module_code
from sqlexec.runner.imports import import_name, import_package
from sqlexec.runner.namespaces import (
    clear_namespaces,
    remember_lines,
    user_module,
    user_name,
    user_namespace,
)
from sqlexec.runner.types import Segment

_MADE = {}  # type: Dict[int, Any]  # objects of this chunk by the number the client gave them


def definition_names() -> Dict[str, Any]:
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
        add_implementations,
        complete_enum,
        placed_member,
        import_name,
        user_name,
    )  # type: Any
    return {each.__name__: each for each in names}


def remove_definitions() -> None:
    """Leave nothing of the chunk's definitions behind."""
    clear_namespaces()
    _MADE.clear()


def define(
    number: int,
    segment: Segment,
    space: Dict[str, Any],
    path: str,
    free: Sequence[str],
    cells: Sequence[Any],
    needed: Dict[str, Any],
    filled: Sequence[Tuple[Any, Any]] = (),
) -> Any:
    """A function or class, or what its decorated definition gives; still without its values.

    `path` is its qualified name, `free` the variables that it has from functions around it, in
    `cells`; `needed` are the globals that the definition itself uses, `filled` those of the cells
    that it does, each with its value.
    """
    if number in _MADE:
        return _MADE[number]
    for name, value in needed.items():
        space.setdefault(name, value)
    for cell, value in filled:
        _fill(cell, value)
    remember_lines(segment)
    code = definition_code(segment, path, free)
    if is_module_code(code):
        exec(code, space)
        _MADE[number] = space[path]
        return _MADE[number]
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
    """Give a definition its values: cells, globals, attributes, and the name it stands under.

    An abstract class may also have classes that were registered with it.
    """
    contents, space, names, attributes, public = state[:5]
    for cell, value in contents:
        _fill(cell, value)
    for name, value in names.items():
        space.setdefault(name, value)
    for name, value in attributes.items():
        setattr(made, name, value)
    if public is not None:
        space.setdefault(public, made)
    for registered in state[5:]:
        for kind in registered:
            made.register(kind)


def add_implementations(dispatcher: Any, registry: Dict[type, Any]) -> None:
    """Register with a function of functools.singledispatch what it chooses from."""
    for kind, function in registry.items():
        dispatcher.register(kind, function)


def complete_enum(kind: Any, state: Tuple[Any, Dict[str, Any]]) -> None:
    """Give an Enum its attributes, by cloudpickle, and its members what the class gave them."""
    import cloudpickle

    of_class, members = state
    cloudpickle.cloudpickle._class_setstate(kind, of_class)
    for name, (value, first, attributes) in members.items():
        member = kind.__members__[first] if first in kind.__members__ else kind(value)
        member._name_ = first
        kind._member_map_.pop(name, None)
        kind._member_map_[name] = member  # in their order
        vars(member).update(attributes)


def placed_member(kind: Any, content: Any, value: Any) -> Any:
    """A member of an Enum of texts, numbers, ... whose own __new__ has made it in the client."""
    member = kind._member_type_.__new__(kind, content)
    member._value_ = value
    return member


def define_cell(*_: int) -> Any:
    """An empty cell."""
    cell = None

    def holder() -> Any:
        return cell  # noqa: F821 - it is to be empty

    del cell
    closure = holder.__closure__  # type: Any
    return closure[0]


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


def _fill(cell: Any, value: Any) -> None:
    """Set a cell's contents; Python 3.6 has no attribute for that."""

    inner = None

    def write(value: Any) -> None:
        nonlocal inner
        inner = value

    types.FunctionType(write.__code__, {}, "write", None, (cell,))(value)
