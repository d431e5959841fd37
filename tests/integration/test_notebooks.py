"""Functions of notebooks and prompts, run as users run them, in a client of Python 3.13."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sqlexec.embedded import EmbeddedServer
from sqlexec.server.pool import POOL
from tests.environments import environment
from tests.integration.conftest import prepared
from tests.integration.prompt import Prompt

pytestmark = pytest.mark.embedded_only

ROOT = Path(__file__).parents[2]
SETUP = """\
from sqlexec import RxInSqlServer, rx_exec
def run(f, **arguments): return rx_exec(f, args=[arguments], compute_context=RxInSqlServer())[0]

"""
CELLS = {  # text -> repr of its value
    "import math as m\nK = 2\ndef helper(x): return m.floor(x) * K\n": "None",
    "def job(x):\n    return helper(x)\nrun(job, x=2.5)\n": "4",
    "%time run(job, x=3.5)\n": "6",
    "class Model:\n    def __init__(self, k): self.k = k\n"
    "    def predict(self, x): return helper(x) + self.k\n"
    "first = Model(3)\nrun(lambda model, x: model.predict(x), model=first, x=2)\n": "7",
    "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: int | None = None\n"
    "    def moved(self): return Point(self.x + 1)\n": "None",
    "p = run(lambda p: p.moved(), p=Point(1))\ntype(p) is Point, p\n": "(True, Point(x=2))",
    "import warnings\ndef warns(x):\n    y = x\n    warnings.warn(f'warned of {y}')\n"
    "run(warns, x=3)\n": "None",
    "def helper(x): return -x\nclass Model:\n    def predict(self, x): return 'new', helper(x)\n"
    "run(job, x=2), run(lambda: first.predict(1)), run(lambda: Model().predict(2))\n": (
        "(-2, 2, ('new', -2))"
    ),
}
TYPED = """\
import math as m
def helper(x):
    return m.floor(x) * 2

def job(x):
    return helper(x)

class Model:
    def predict(self, x):
        return helper(x) + 1

print("<", run(job, x=2.5), ">", sep="")
print("<", run(lambda x: helper(x) + 1, x=3), ">", sep="")
print("<", run(lambda model: model.predict(4), model=Model()), ">", sep="")
"""


@pytest.fixture(params=["3.7 pandas 0.23", "3.13 bare"], scope="module")
def other_server(request: pytest.FixtureRequest) -> Iterator[str]:
    with EmbeddedServer(python=environment(request.param)) as server:
        yield prepared(server)
        POOL.close()


def test_cells(other_server: str) -> None:
    cells = [SETUP, *CELLS]
    cells += ["# comment\ndef fails(x):\n    y = x\n    return y / 0\n", "run(fails, x=1)\n"]
    done = subprocess.run(
        [environment("notebook 3.13"), Path(__file__).with_name("notebook_client.py")],
        env={**os.environ, "PYTHONPATH": str(ROOT), "SQLEXEC_CONNECTION": other_server},
        input=json.dumps(cells),
        capture_output=True,
        check=True,
        text=True,
        timeout=120,
    )
    *answers, (_, trace) = json.loads(done.stdout.splitlines()[-1])
    assert answers == [["None", ""], *([value, ""] for value in CELLS.values()), ["None", ""]]
    assert "ipykernel_" in trace
    assert '.py", line 4, in fails\n    return y / 0\nZeroDivisionError: division by zero' in trace
    assert ".py:4: UserWarning: warned of 3\n  warnings.warn(f'warned of {y}')" in done.stderr
    shown = done.stdout.splitlines()[:-1]
    assert "----> 4     return y / 0" in shown
    assert any(", in fails(" in line for line in shown)


@pytest.fixture
def prompt(tmp_path: Path) -> Iterator[Callable[..., Prompt]]:
    """Opens a prompt of an environment's Python that has a server."""
    opened = []

    def open_prompt(name: str, server: str, *, plain: bool = False) -> Prompt:
        opened.append(Prompt(environment(name), server, tmp_path, plain=plain))
        opened[-1].wait_for(">>> ")
        return opened[-1]

    yield open_prompt
    for each in opened:
        each.close()


def test_a_prompt(prompt: Callable[..., Prompt], other_server: str) -> None:
    assert_runs(prompt("notebook 3.13", other_server))


def test_a_plain_prompt_with_a_server_of_its_version(
    prompt: Callable[..., Prompt], connection_string: str
) -> None:
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert_runs(prompt(f"client {minor}", connection_string, plain=True))


def test_a_plain_prompt_with_another_server_says_what_to_do(
    prompt: Callable[..., Prompt], other_server: str
) -> None:
    at = prompt("client 3.12", other_server, plain=True)
    at.type(SETUP)
    shown = at.type(TYPED)
    assert "(<stdin>, line 1) by source: its source is not there" in shown, shown
    assert "Write it in a file" in shown
    assert "sends bytecode, which has not this limit" in shown


def assert_runs(prompt: Prompt) -> None:
    prompt.type(SETUP)
    shown = prompt.type(TYPED)
    for value in (4, 7, 9):
        assert f"<{value}>\r\n" in shown, shown[-2000:]
