"""Functions of notebooks and prompts, run as users run them, in a client of Python 3.13."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sqlexec.embedded import EmbeddedServer
from sqlexec.server.pool import POOL
from tests.environments import environment
from tests.integration.conftest import prepared

pytestmark = pytest.mark.embedded_only

ROOT = Path(__file__).parents[2]
SETUP = """\
from sqlexec import RxInSqlServer, rx_exec
cc = RxInSqlServer({!r})
def run(f, **arguments): return rx_exec(f, args=[arguments], compute_context=cc)[0]
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
    "def helper(x): return -x\nclass Model:\n    def predict(self, x): return 'new', helper(x)\n"
    "run(job, x=2), run(lambda: first.predict(1)), run(lambda: Model().predict(2))\n": (
        "(-2, 2, ('new', -2))"
    ),
}


@pytest.fixture(params=["3.7 pandas 0.23", "3.13 bare"], scope="module")
def connection_string(request: pytest.FixtureRequest) -> Iterator[str]:
    with EmbeddedServer(python=environment(request.param)) as server:
        yield prepared(server)
        POOL.close()


def test_cells(connection_string: str) -> None:
    cells = [SETUP.format(connection_string), *CELLS]
    cells += ["# comment\ndef fails(x):\n    y = x\n    return y / 0\n", "run(fails, x=1)\n"]
    done = subprocess.run(
        [environment("notebook 3.13"), Path(__file__).with_name("notebook_client.py")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=json.dumps(cells),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        timeout=120,
    )
    *answers, (_, trace) = json.loads(done.stdout.splitlines()[-1])
    assert answers == [["None", ""], *([value, ""] for value in CELLS.values()), ["None", ""]]
    assert "ipykernel_" in trace
    assert '.py", line 4, in fails\n    return y / 0\nZeroDivisionError: division by zero' in trace
    shown = done.stdout.splitlines()[:-1]
    assert "----> 4     return y / 0" in shown
