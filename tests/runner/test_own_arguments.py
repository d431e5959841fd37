"""The arguments that tasks have of their own: exact, never shared, and small where they can be."""

from __future__ import annotations

import enum
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlexec.payload import Packer, unpack
from sqlexec.runner.main import run_chunk
from sqlexec.tasks import Task


class Level(enum.IntEnum):
    LOW = 1


class Name(str):
    """A text of the user's own type."""


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.binary()
SMALL = PLAIN | st.text(st.characters(codec="utf-8"))


def sent(arguments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What tasks with these arguments find there."""
    packer = Packer(dict)
    payload = packer.chunk([Task(index, each) for index, each in enumerate(arguments)])
    return [each.value for each in unpack(run_chunk(payload)[0], packer.key).outcomes]


def assert_same(found: Any, expected: Any) -> None:
    assert found == expected
    for one, other in zip(found, expected, strict=True):
        assert {name: type(each) for name, each in one.items()} == {
            name: type(each) for name, each in other.items()
        }


@given(st.lists(st.fixed_dictionaries({"a": SMALL, "b": SMALL}), min_size=1, max_size=20))
def test_small_arguments_of_the_same_names(arguments: list[dict[str, Any]]) -> None:
    assert_same(sent(arguments), arguments)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), SMALL), min_size=1, max_size=20))
def test_names_that_differ_by_task(arguments: list[dict[str, Any]]) -> None:
    assert_same(sent(arguments), arguments)


@pytest.mark.parametrize(
    "odd",
    [Level.LOW, Name("x"), np.str_("x"), np.float64(1), np.bool_(True), [1], (1, 2), {"k": 1}],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("place", [0, 7, 9])
def test_one_value_among_plain_ones_keeps_its_type(odd: object, place: int) -> None:
    values: list[object] = ["x", 1.5, True, None, 2, b"x", "y", "z", 3, 4]
    values[place] = odd
    arguments = [{"value": each, "number": index} for index, each in enumerate(values)]
    assert_same(sent(arguments), arguments)


def test_tasks_do_not_share_what_they_may_change() -> None:
    one: list[int] = []

    def append(values: list[int], number: int) -> list[int]:
        values.append(number)
        return values

    packer = Packer(append)
    payload = packer.chunk([Task(n, {"values": one, "number": n}) for n in range(3)])
    outcomes = unpack(run_chunk(payload)[0], packer.key).outcomes
    assert [each.value for each in outcomes] == [[0], [1], [2]]


@pytest.mark.parametrize("length", [1_000, 50_000])
def test_a_long_text_that_all_tasks_have_is_written_once(length: int) -> None:
    text = "x" * length
    tasks = [Task(n, {"text": text, "number": n}) for n in range(1_000)]
    assert len(Packer(len).chunk(tasks)) < length + 100_000


def test_long_texts_among_short_ones() -> None:
    texts = ["short"] * 2_000 + ["long" * 20_000, "longer" * 100_000]
    arguments = [{"text": each} for each in texts]
    assert_same(sent(arguments), arguments)


def test_small_tasks_have_their_names_once() -> None:
    tasks = [Task(n, {"a_name_of_some_length": n}) for n in range(1_000)]
    few = len(Packer(abs).chunk(tasks[:1]))
    assert len(Packer(abs).chunk(tasks)) - few < 1_000 * (8 + 3 + 1)
