"""Classes and library objects that functions reach: by source and by bytecode they are the same."""

from __future__ import annotations

import abc
import enum
import functools
import os
import sys
import threading
import traceback
import types
import typing
from pathlib import Path
from typing import Any

import pytest

from sqlexec.errors import PackError, RemoteError
from sqlexec.payload import Packer
from sqlexec.tasks import Task
from tests.runner.test_functions import HERE, SAME, answer, runtime_of, value
from tests.runner.test_functions_modules import use

__all__ = ["use"]  # a fixture

everywhere = pytest.mark.parametrize("version", [HERE, SAME, "3.7", "3.13"])


class Outer:
    class Inner:
        pass


class Slotted:
    __slots__ = ("__hidden", "shown")

    def __init__(self, shown):
        self.shown = shown
        self.__hidden = 2 * shown

    def both(self):
        return self.shown, self.__hidden


class Planet(enum.Enum):
    EARTH = (5.97, 6.37)
    TERRA = (5.97, 6.37)
    MARS = (0.64, 3.39)

    def __init__(self, mass, radius):
        self.mass = mass
        self._radius = radius

    def density(self):
        return self.mass / self._radius


class Coordinate(bytes, enum.Enum):
    PX = (0, "P.X", "km")
    PY = (1, "P.Y", "m")

    def __new__(cls, value, label, unit):
        member = bytes.__new__(cls, [value])
        member._value_ = value
        member.label = label
        member.unit = unit
        return member

    def named(self):
        return f"{self.label} in {self.unit}"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2
    BOTH = READ | WRITE


class Plain:
    given = 1
    listed: typing.ClassVar = [1]
    shelf = [1]
    table = {}

    def method(self):
        return "old"


class Registered:
    kinds = {}

    def __init_subclass__(cls, **options):
        Registered.kinds[cls.__name__] = options.get("number")
        cls.lock = threading.Lock()


class First(Registered, number=1):
    pass


def new_method(self):
    return "new", self.later


Plain.given = [2]
Plain.shelf = (3,)
Plain.table["key"] = 4
Plain.later = 5
Plain.method = new_method


def mixed(base, number):
    factor = 10

    class Mixed(base):
        times = number

        class Part:
            def factor(self):
                return factor

        def both(self):
            return [self.times * self.Part().factor(), *super().both()]

    return Mixed


Made = mixed(Slotted, 3)
Renamed = mixed(Slotted, 4)
Renamed.__qualname__ = "Renamed"


def area(self):
    return isinstance(self, Dynamic)


Dynamic = type("Dynamic", (Slotted,), {"area": area, "unit": 7})
Meters = typing.NewType("Meters", float)
P = typing.ParamSpec("P")
PROXY = types.MappingProxyType({"a": 1})


@everywhere
def test_nested_classes_keep_their_path(version: str) -> None:
    assert value(version, lambda: Outer.Inner.__qualname__) == "Outer.Inner"


@everywhere
def test_objects_with_slots_go_and_come_back(version: str) -> None:
    found = value(version, lambda: Slotted(2))
    assert type(found) is Slotted
    assert found.both() == (2, 4)
    assert value(version, found.both) == (2, 4)
    assert value(version, lambda: hasattr(Slotted(1), "__dict__")) is False


@everywhere
def test_enum_members_have_what_their_class_gave_them(version: str) -> None:
    def look() -> Any:
        members = [Planet.MARS.mass, Planet.TERRA.density(), Planet.TERRA.name]
        return [*members, list(Planet.__members__), Rights.BOTH, Rights.BOTH.name, Rights["BOTH"]]

    assert value(version, look) == look()


@everywhere
def test_enum_members_that_a_new_of_the_class_has_made(version: str) -> None:
    def look() -> Any:
        member = Coordinate(1)
        return member, member.named(), bytes(member), member.name, Coordinate["PX"].value

    found = value(version, look)
    assert found == look()
    assert found[0] is Coordinate.PY


class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...


class Duck:
    pass


Shape.register(Duck)
Shape.register(complex)


@everywhere
def test_classes_registered_with_an_abstract_one(version: str) -> None:
    def look() -> Any:
        return [isinstance(each, Shape) for each in (Duck(), 1j, 1.5)]

    assert value(version, look) == look() == [True, True, False]


@everywhere
def test_what_was_set_on_a_class_after_its_statement(version: str) -> None:
    def look() -> Any:
        plain = Plain()
        return [plain.given, plain.shelf, plain.table, plain.later, plain.method(), plain.listed]

    assert look() == [[2], (3,), {"key": 4}, 5, ("new", 5), [1]]
    assert value(version, look) == look()


@pytest.mark.parametrize("version", [HERE, "3.7"])
def test_what_a_base_class_sets_is_not_sent(version: str) -> None:
    def look() -> Any:
        return First.lock.locked(), sorted(Registered.kinds)

    assert value(version, look) == (False, ["First"])


@everywhere
@pytest.mark.parametrize("made", [Made, Renamed])
def test_classes_that_a_function_made(version: str, made: Any) -> None:
    def look(made: Any) -> Any:
        return made(1).both(), made.__qualname__

    assert value(version, look, shared={"made": made}) == look(made)


@everywhere
def test_a_base_class_in_a_function(version: str) -> None:
    class Base:
        number = 3

    class Derived(Base):
        more = Base.number + 1

    assert value(version, lambda: (Derived.number, Derived.more)) == (3, 4)


@everywhere
def test_a_class_made_by_type_whose_methods_name_it(version: str) -> None:
    assert value(version, lambda: (Dynamic(1).area(), Dynamic.unit)) == (True, 7)


@everywhere
def test_library_objects_that_stand_in_a_module(version: str) -> None:
    def look(file: Any = sys.stderr) -> Any:
        return Meters(2.5), PROXY["a"], file is sys.stderr

    assert value(version, look) == (2.5, 1, True)


@pytest.mark.parametrize("version", [HERE, SAME, "3.13"])
def test_parameters_of_types(version: str) -> None:
    assert value(version, lambda: P.__name__) == "P"


@pytest.mark.parametrize("version", [HERE, SAME, "3.8", "3.13"])
def test_methods_that_dispatch(version: str) -> None:
    class Kinds:
        @functools.singledispatchmethod
        def kind(self, value: object) -> str:
            return "object"

        @kind.register
        def _(self, value: int) -> str:
            return "int"

    assert value(version, lambda: (Kinds().kind(1), Kinds().kind("a"))) == ("int", "object")


@everywhere
def test_modules_that_functions_import_when_they_run(version: str, use: Any) -> None:
    assert value(version, use.inside, shared={"x": 3}) == 6

    def same_class() -> bool:
        from proj_s2.models import Model

        return isinstance(use.Model(), Model)

    assert value(version, same_class)


@everywhere
def test_submodules_that_are_reached_by_their_package(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pack_m5" / "inner").mkdir(parents=True)
    (tmp_path / "pack_m5" / "__init__.py").write_text("")
    (tmp_path / "pack_m5" / "inner" / "__init__.py").write_text("")
    (tmp_path / "pack_m5" / "inner" / "leaf.py").write_text("def five():\n    return 5\n")
    monkeypatch.syspath_prepend(tmp_path)
    import pack_m5.inner.leaf

    assert value(version, lambda: pack_m5.inner.leaf.five() + 1) == 6
    for name in [each for each in sys.modules if each.startswith("pack_m5")]:
        del sys.modules[name]


@pytest.mark.parametrize("version", [HERE, "3.7"])
def test_what_goes_by_bytecode_alone_is_named(version: str) -> None:
    with open(__file__) as file, pytest.raises(PackError, match=r"closure variable 'file' of"):
        Packer(lambda: file.read(1), runtime=runtime_of(version))


def test_what_reaches_an_object_without_a_name_is_told() -> None:
    import weakref

    known = weakref.WeakKeyDictionary[Any, Any]()
    with pytest.raises(PackError, match=r"It is reached by .* closure variable 'known' of"):
        Packer(lambda: known, runtime=runtime_of("3.7"))


def only_here(cls):
    if "SQLEXEC_TEST_THERE" in os.environ:
        raise ValueError("only here")
    return cls


@only_here
class Unsettled:
    pass


def is_unsettled():
    return isinstance(Unsettled(), Unsettled)


def test_the_traceback_of_a_class_statement_shows_the_users_line(monkeypatch) -> None:
    packer = Packer(is_unsettled, runtime=runtime_of(HERE))
    payload = packer.chunk([Task(0)], runtime_of(HERE))
    monkeypatch.setenv("SQLEXEC_TEST_THERE", "1")
    with pytest.raises(RemoteError, match="only here") as caught:
        answer(HERE, packer, payload)
    text = "".join(traceback.format_exception(caught.value))
    line = Path(__file__).read_text().splitlines().index("@only_here") + 1
    assert f'File "{__file__}", line {line}, in <module>\n    @only_here\n' in text
