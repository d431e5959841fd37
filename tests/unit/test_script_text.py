"""Functions as text: all that they need stands in it and gives the same results, or is refused."""

from __future__ import annotations

import dataclasses
import functools
import math
import os.path as paths
from collections import namedtuple
from decimal import Decimal
from math import sqrt as root
from typing import ClassVar, NamedTuple

import numpy as np
import pytest

from sqlexec.errors import PackError
from sqlexec.payload.source.script import ScriptText
from tests.unit import test_plan

FACTOR = 3
TABLE = {"a": [1, (2.5, None)], "b": {True}, "c": Decimal("1.10"), "inf": math.inf}
THING = object()
Made = namedtuple("Made", "x")
shift = lambda x: x + FACTOR  # noqa: E731


def logged(function):
    @functools.wraps(function)
    def wrapper(*args):
        return ["called", function(*args)]

    return wrapper


class Point(NamedTuple):
    x: float
    y: Decimal = Decimal(2)


class Base:
    def area(self) -> float:
        return FACTOR * 1.0


@dataclasses.dataclass
class Square(Base):
    side: float | Base
    unit: ClassVar[int] = 2

    def area(self) -> float:
        return self.unit * root(self.side**4) + super().area()


def uses_much(x: int, y: list[int] | None = None, *, z=Point(1.0)) -> dict[str, object]:  # noqa: B008
    """It says \\ and 'quotes'."""
    # a comment
    text = """
    indented
"""
    return {"a": shift(x), "t": TABLE["a"], "n": int(np.sum([x, 1])), "p": paths.join("a", "b"),
            "z": z.x, "s": Square(2.0).area(), "text": text}  # fmt: skip


@logged
def decorated(n: int) -> int:
    return 1 if n < 1 else n * decorated(n - 1)[1]


def changes_global() -> None:
    global FACTOR  # noqa: PLW0603
    FACTOR = 4


def script_of(function, taken=(), target=None):
    script = ScriptText(taken, target)
    script.add(function.__name__, function)
    return str(script)


def run_script(function):
    """The function out of its script, whose names are those of a function, as in some servers."""
    text = script_of(function)
    body = "".join(f" {line}" if line.strip() else line for line in text.splitlines(True))
    assert "GO" not in text
    names = {}
    exec(compile(text, "<script>", "exec", dont_inherit=True), names)
    if '"""' not in text:
        inside = f"def transform():\n{body}\n return {function.__name__}\n"
        exec(compile(inside, "<script>", "exec", dont_inherit=True), names)
        return names["transform"]()
    return names[function.__name__]


def test_all_that_a_function_reaches():
    assert run_script(uses_much)(1) == uses_much(1)
    text = script_of(uses_much)
    assert 'def uses_much(x: "int", y: "list[int] | None" = None, *, z=Point(1.0))' in text
    for line in (
        "import numpy as np\n",
        "import posixpath as paths\n",
        "from math import sqrt as root\n",
    ):
        assert text.count(line) == 1
    assert "    # a comment\n" in text
    assert '    x: "float"\n    y: "Decimal" = Decimal(2)\n' in text
    assert text.index("class Base") < text.index("class Square") < text.index("def uses_much")


def test_recursion_and_decorators():
    assert run_script(decorated)(3) == ["called", 6]


def test_closures_and_indented_definitions():
    offset, words = 10, ["a", "b"]

    def inner(x):
        return x + offset

    def outer(x: int) -> tuple:
        return inner(x), words, FACTOR

    assert run_script(outer)(1) == (11, ["a", "b"], 3)


def test_helper_of_another_module_under_another_name(tmp_path, monkeypatch):
    (tmp_path / "script_text_helper.py").write_text(
        "import math\n\nUNIT = 2\n\n\ndef halve(x):\n    return math.floor(x / UNIT)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from script_text_helper import halve as half

    def outer(x):
        return half(x)

    assert run_script(outer)(5) == 2
    assert "UNIT = 2" in script_of(outer)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: THING, "uses 'THING', an object of type object"),
        (lambda: Made(1), "class 'Made'"),
        (lambda: test_plan.__name__, "module 'tests.unit.test_plan', which is your own"),
        (changes_global, "changes the global 'FACTOR'"),
    ],
)
def test_what_no_text_can_say(function, message):
    script = ScriptText()
    with pytest.raises(PackError, match=message):
        script.add("f", function)


def test_names_that_are_taken_or_mean_two_things():
    def factor():
        return FACTOR

    with pytest.raises(PackError, match="'FACTOR', a name that the script gives"):
        script_of(factor, taken=["FACTOR"])
    script = ScriptText()
    script.add("factor", factor)
    with pytest.raises(PackError, match="'factor' means two different things"):
        script.add("factor", uses_much)


def test_syntax_that_the_server_lacks():
    def new(x):
        return (y := x) + y

    assert run_script(new)(1) == 2
    with pytest.raises(PackError, match=r":=.*the server runs Python 3\.7"):
        script_of(new, target=(3, 7))


def test_default_of_a_variable_that_is_gone():
    gone = 5

    def new(x=gone):
        return x

    with pytest.raises(PackError, match="'gone', a variable of the function around it"):
        script_of(new)
