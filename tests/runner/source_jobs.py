"""Functions of a user's script, for tests that send them by source to other Pythons."""

from __future__ import annotations

import collections
import contextlib
import enum
import functools
from math import sqrt
from os import path as os_path

CONSTANT = {"a": [1, 2]}
Pair = collections.namedtuple("Pair", ["left", "right"])
Pair.__new__.__defaults__ = (9,)
Level = enum.Enum("Level", ["LOW", "HIGH"])


class Base:
    scale = 2

    def name(self) -> str:
        return "base"


class Derived(Base):
    def __init__(self, x: int | None) -> None:
        self.__x = x

    def name(self) -> str:
        return super().name() + str(self.__x)

    @staticmethod
    def static(a: float) -> float:
        return helper(a)

    @classmethod
    def make(cls, x: int) -> Derived:
        return cls(x)

    @property
    def x(self) -> int | None:
        return self.__x

    class Inner:
        value = 5


class Color(enum.Enum):
    RED = 1
    BLUE = 2

    def other(self) -> Color:
        return Color.BLUE if self is Color.RED else Color.RED


class OwnError(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code

    def __reduce__(self):
        return OwnError, (self.code,)


def decorator(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return ["decorated", function(*args, **kwargs)]

    return wrapper


def helper(a: float) -> float:
    return a + sqrt(4)


@decorator
def decorated(x: int | str = 3, *, y: int = 4) -> list:
    return helper(x) + y


@functools.lru_cache(maxsize=9)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


@contextlib.contextmanager
def entered(what):
    yield what


@functools.singledispatch
def kind_of(value):
    return "something"


@kind_of.register(int)
def _(value):
    return "number", kind_of(str(value))


def is_even(n):
    return n == 0 or is_odd(n - 1)


def is_odd(n):
    return n != 0 and is_even(n - 1)


def counter():
    count = 0

    def step():
        nonlocal count
        count += 1

    def get():
        return count

    return step, get


step, get = counter()


async def later(x):
    return x


def all_of_it(n: int | None = 5):
    import asyncio

    step()
    with entered("in") as word:
        pass
    loop = asyncio.new_event_loop()
    try:
        waited = loop.run_until_complete(later(3))
    finally:
        loop.close()
    return [
        decorated(n),
        decorated.__name__,
        fib(20),
        is_even(10),
        sum(i * CONSTANT["a"][1] for i in range(3)),
        [i + CONSTANT["a"][0] for i in range(3)],
        Derived(1).name(),
        Derived.static(1),
        Derived.make(7).x,
        Derived.Inner.value,
        Color.RED.other(),
        Pair(1),
        Level.HIGH.name,
        get() > 0,
        kind_of(3),
        word,
        waited,
        os_path.basename("/a/b"),
        all_of_it.__qualname__,
        __name__,
    ]


def fails(x):
    before = 1
    return before / x


def raises():
    raise OwnError(7)


def gives_object(derived):
    return Derived.make(derived.x + 1), Color.BLUE


def prints(**options):
    print("it works")
    return sorted(options)
