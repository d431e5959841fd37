"""What cannot be pickled is named by the way to it, in arguments, functions and results."""

import dataclasses
import functools
import os
import socket
import sqlite3
import sys
import threading
from typing import Any

import pytest

from sqlexec.errors import PackError
from sqlexec.payload import Packer
from sqlexec.tasks import Task
from tests.runner.test_run_chunk import one

LOCK = threading.Lock()


class Plain:
    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)

    def method(self) -> None:
        """Nothing."""


class Slots:
    __slots__ = ("first", "second")

    def __init__(self) -> None:
        self.second = LOCK


class MoreSlots(Slots):
    __slots__ = "third"  # noqa: PLC0205 - one name alone is allowed


@dataclasses.dataclass
class Record:
    name: str
    held: object


class Hidden:
    def __reduce__(self) -> Any:
        return Plain, (), {"state": 1}, iter([LOCK])


class Refuses:
    def __reduce__(self) -> Any:
        raise ValueError("not me")


def circle() -> list[Any]:
    found: list[Any] = []
    found += [found, {"back": found, "lock": LOCK}]
    return found


def generator() -> Any:
    yield 1


def uses_lock() -> object:
    return LOCK


def uses_lock_inside() -> object:
    def inner() -> object:
        return LOCK

    return inner


def with_class_attribute() -> type:
    class Local:
        held = LOCK

    return Local


WAYS: list[tuple[Any, str]] = [
    ({"a": [1, (2, LOCK)]}, "item 1 of item 1 of item 'a' of {}"),
    ({LOCK: 1}, "a key of {}"),
    ([frozenset([LOCK])], "item 0 of item 0 of {}"),
    ({LOCK}, "item 0 of {}"),
    (Plain(a=Plain(b=[LOCK])), "item 0 of attribute 'b' of attribute 'a' of {}"),
    (Slots(), "attribute 'second' of {}"),
    (MoreSlots(), "attribute 'second' of {}"),
    (Record("r", {"x": LOCK}), "item 'x' of attribute 'held' of {}"),
    (Hidden(), "an item of {}"),
    (functools.partial(print, 1, LOCK), "argument 1 of {}"),
    (functools.partial(print, end=LOCK), "argument 'end' of {}"),
    (functools.partial(functools.partial(print), LOCK), "argument 0 of {}"),
    (Plain(a=LOCK).method, "attribute 'a' of the object of {}"),
    (with_class_attribute(), "class attribute 'held' of {}"),
    (lambda x=LOCK: x, "a default value of {}"),
    (circle(), "item 'lock' of item 1 of {}"),
]
KINDS: list[tuple[Any, str]] = [
    (generator, "generator"),
    (functools.partial(open, os.devnull, "w"), "_io.TextIOWrapper"),
    (socket.socket, "socket.socket"),
    (lambda: sqlite3.connect(":memory:"), "sqlite3.Connection"),
    (threading.RLock, "_thread.RLock"),
    (sys._getframe, "frame"),
    (Refuses, "Refuses"),
]


def refusal(value: Any) -> str:
    with pytest.raises(PackError) as caught:
        Packer(lambda x: x).chunk([Task(3, {"x": value})])
    return str(caught.value)


@pytest.mark.parametrize(("value", "way"), WAYS)
def test_the_way_to_what_cannot_be_sent(value: Any, way: str) -> None:
    wanted = way.format("argument 'x' of run 3") + " (an object of type _thread.lock)"
    assert wanted in refusal(value)


@pytest.mark.parametrize(("make", "kind"), KINDS)
def test_kinds_that_cannot_be_sent(make: Any, kind: str) -> None:
    value = make()
    text = refusal(Plain(held=[value]))
    assert "item 0 of attribute 'held' of argument 'x' of run 3 (an object of type " in text
    assert f"{kind})" in text
    if hasattr(value, "close"):
        value.close()


def test_functions_and_what_they_hold() -> None:
    lock = LOCK

    def keyword(*, x: object = LOCK) -> object:
        return x

    def outer() -> object:
        return [lock]

    def outermost() -> object:
        return outer()

    for function, way in (
        (uses_lock, "global 'LOCK' of function 'uses_lock'"),
        (uses_lock_inside, "global 'LOCK' of function 'uses_lock_inside'"),
        (keyword, "the default of 'x' of function "),
        (outermost, "closure variable 'lock' of closure variable 'outer' of function "),
    ):
        with pytest.raises(PackError) as caught:
            Packer(function)
        assert way in str(caught.value)
    with pytest.raises(PackError, match="local_state 'STATE'"):
        Packer(print, local_state={"STATE": LOCK})


def test_results_are_blamed_in_the_server_too() -> None:
    def gives() -> Any:
        import threading

        return {"rows": [1, 2], "model": {"lock": threading.Lock()}}

    error = one(gives).error
    assert isinstance(error, TypeError)
    assert str(error).startswith(
        "item 'lock' of item 'model' of the function's result (an object of type _thread.lock) "
        "cannot be sent back: TypeError: "
    )


def test_a_long_list_is_not_searched_for_ever() -> None:
    assert "argument 'x' of run 3 (an object of type list)" in refusal([0] * 5000 + [LOCK])
