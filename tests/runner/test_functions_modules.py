"""Modules of the user's, scripts, cells and prompts; syntax that the server does not know."""

from __future__ import annotations

import json
import linecache
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sqlexec.errors import PackError
from sqlexec.payload import Packer
from sqlexec.payload.syntax import SyntaxTooNew
from tests.environments import environment
from tests.runner.test_functions import HERE, interpreter, run, runtime_of, value

PROJECT = {
    "proj_s2/__init__.py": "from .models import Model\n",
    "proj_s2/models.py": (
        "from . import maths\nfrom .maths import double as twice\n\n"
        "class Model:\n    def predict(self, x):\n        return maths.double(x) + twice(1)\n"
    ),
    "proj_s2/maths.py": "import json\nFACTOR = 2\ndef double(x):\n    return FACTOR * x\n",
    "proj_s2/deep/__init__.py": "",
    "proj_s2/deep/er.py": "from ..maths import double\ndef bad(x):\n    return double(x) / 0\n",
    "use_s2.py": (
        "import proj_s2\nimport proj_s2.maths as pm\nfrom proj_s2.models import Model\n"
        "def by_name(x):\n    return Model().predict(x)\n"
        "def by_module(x):\n    return pm.double(x), isinstance(proj_s2.Model(), Model)\n"
        "def inside(x):\n    from proj_s2.deep.er import double\n    return double(x)\n"
        "def fails(x):\n    import proj_s2.deep.er as er\n    return er.bad(x)\n"
        "def model():\n    return Model()\n"
    ),
}


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    import use_s2

    yield use_s2
    for name in [each for each in sys.modules if each.startswith(("proj_s2", "use_s2"))]:
        del sys.modules[name]


@pytest.mark.parametrize("version", [HERE, "3.6", "3.8", "3.13"])
def test_modules_of_the_users_project_travel(version: str, use: Any) -> None:
    assert value(version, use.by_name, shared={"x": 3}) == 8
    assert value(version, use.by_module, shared={"x": 3}) == (6, True)
    assert value(version, use.inside, shared={"x": 3}) == 6
    (outcome,) = run(version, use.fails, {"x": 1})
    text = "".join(traceback.format_exception(outcome.error))
    assert "return double(x) / 0" in text
    assert "deep/er.py" in text
    assert type(value(version, use.model)) is sys.modules["proj_s2.models"].Model
    (outcome,) = run(version, lambda m: m.predict(1), {"m": use.Model()})
    assert outcome.value == 4


def module_of(text: str, tmp_path: Path, name: str = "made_s2") -> dict[str, Any]:
    """What a file of that text defines."""
    file = tmp_path / f"{name}.py"
    file.write_text(text)
    scope: dict[str, Any] = vars(sys.modules.get(name, ModuleType(name)))
    scope["__file__"] = str(file)
    exec(compile(text, str(file), "exec"), scope)
    return scope


TOO_NEW = [
    ("def f(x):\n    match x:\n        case 1: return 2\n", "3.9", "match", 2),
    ("def f(x):\n    if (y := x): return y\n", "3.7", ":=", 2),
    ("def f(x, /): return x\n", "3.7", "positional-only", 1),
    ("def f(x):\n    return f'{x=}'\n", "3.7", "= in an f-string", 2),
    ("def f(x):\n    with (open(x) as a, open(x) as b): pass\n", "3.8", "context managers", 2),
    ("def f(x):\n    with (\n        open(x) as a\n    ):\n        pass\n", "3.8", "context", 2),
    ("def f(x):\n    return (lambda y, /: y)(x)\n", "3.7", "positional-only", 2),
    ("def f(x):\n    return x[*x]\n", "3.10", "index", 2),
    ("def f():\n    try: pass\n    except* ValueError: pass\n", "3.10", "except*", 3),
    ("def f(x):\n    for y in *x, 1: pass\n", "3.8", "unpacking in for", 2),
    ("def f(x):\n    return *x, 1\n", "3.7", "unpacking in return", 2),
]
OF_3_12 = [  # texts that this Python need not know
    ("def f(x):\n    return f'{x['a']}'\n", "3.11", "quotes", 2),
    ("def f(x):\n    return f'{x!r} {f'{x}'}'\n", "3.8", "quotes", 2),
    ("def f(x):\n    return (1,\n        f\"{'\\n'.join(x)}\")\n", "3.11", "quotes", 3),
    ("def f(x):\n    return f'''{\n        x  # why\n    }'''\n", "3.11", "comments", 3),
    ("def f(x):\n    return f'{\n        x}'\n", "3.11", "lines", 2),
    ("def f(x):\n    type Pair = tuple[int, int]\n    return x\n", "3.11", "type statement", 2),
    ("def f[T](x: T) -> T: return x\n", "3.11", "type parameter", 1),
    ("def f(x):\n    class C[T]:\n        y = x\n    return C\n", "3.8", "type parameter", 2),
    ("class C[T]: pass\n\ndef f(): return C\n", "3.11", "type parameter", 1),
]
OF_3_13 = [
    ("def f[T = int](x: T): return x\n", "3.12", "type parameter default", 1),
    ("def f(x):\n    class C[*T = *tuple[int]]: pass\n", "3.12", "type parameter default", 2),
]
OLD = [
    "def f(x):\n    for y in (*x, 1): pass\n",
    "def f(x):\n    return (*x, 1)\n",
    "def f(x):\n    return x[(*x, 1)]\n",
    "def f(x):\n    with open(x) as a, (open(x)) as b: pass\n",
    "def f(x, *y: *tuple[int]) -> tuple[*range(2)]: pass\n",
    "def f(x=(y := 3)): pass\n",
    "def f(x):\n    return f'{x[\"a\"]!r:>{x}} {{x}}', f\"{x:%H:'%M'}\", f'''{\n        x}'''\n",
    "def f(x):\n    type = match = x\n    return type(match)\n",
]


@pytest.mark.parametrize("text", OLD)
def test_syntax_that_old_servers_know_passes(text: str, tmp_path: Path) -> None:
    try:
        scope = module_of(text, tmp_path)
    except SyntaxError:
        pytest.skip("this Python does not know it")
    Packer(scope["f"], runtime=runtime_of("3.6"))


@pytest.mark.parametrize(("text", "version", "feature", "line"), TOO_NEW)
def test_syntax_that_the_server_lacks_is_found_before_sending(
    text: str, version: str, feature: str, line: int, tmp_path: Path
) -> None:
    try:
        scope = module_of(text, tmp_path)
    except SyntaxError:
        pytest.skip("this Python does not know it either")
    with pytest.raises(SyntaxTooNew) as caught:
        Packer(scope["f"], runtime=runtime_of(version))
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert_tells(str(caught.value), feature, line, version, here)
    Packer(scope["f"], runtime=runtime_of("3.13"))


def assert_tells(message: str, feature: str, line: int, server: str, client: str) -> None:
    assert feature in message
    assert f" line {line} of " in message
    assert "made_s2" in message
    assert f"the server runs Python {server}, this client {client}" in message


def test_syntax_in_a_client_of_3_13() -> None:
    refused = [*TOO_NEW, *OF_3_12, *OF_3_13]
    sent = [(text, "3.6") for text in OLD] + [(text, "3.13") for text, *_ in refused]
    sent += [(text, "3.12") for text, *_ in OF_3_12]
    done = subprocess.run(
        [environment("notebook 3.13"), Path(__file__).with_name("syntax_client.py")],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        input=json.dumps([*[row[:2] for row in refused], *sent]),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    answers = json.loads(done.stdout)
    for row, message in zip(refused, answers, strict=False):
        text, version, feature, line = row
        assert message is not None, text
        assert_tells(message, feature, line, version, "3.13")
    assert [
        (row, message)
        for row, message in zip(sent, answers[len(refused) :], strict=True)
        if message is not None
    ] == []


def test_old_forms_pass_and_annotations_do_not_matter(tmp_path: Path) -> None:
    text = (
        "def g(x):\n    with (open(x)) as a, (open(x)): pass\n"
        "from dataclasses import dataclass\nfrom typing import Literal\n"
        "def f(x: 'int' | None = 1, *a: list[int] | Nowhere, y: Literal['a'] = 'a') -> d[3]:\n"
        "    z: int | str = 3\n    return f'{x}{z!r:>4} x={x}', y\n"
    )
    text = "from __future__ import annotations\n" + text
    scope = module_of(text, tmp_path)
    assert value("3.6", scope["f"]) == ("1   3 x=1", "a")
    Packer(scope["g"], runtime=runtime_of("3.6"))


def test_what_the_server_never_runs_may_be_newer(tmp_path: Path) -> None:
    """Annotations, and defaults and decorators, whose values travel; not those of inner ones."""
    text = (
        "def same(f): return f\n"
        "@(lambda f: f)\n"
        "def f(x=(y := 3), *a: 'Ts', k=[z for z in range(5) if (w := z) > 3]\n"
        "      ) -> 'int':\n"
        "    def inner(*a: int, b=2) -> 'Ts':\n"
        "        return a, b\n"
        "    n: 'Ts' = inner(x)\n"
        "    return n, k\n"
        "g = lambda x=(y := 5): x\n"
    )
    if sys.version_info >= (3, 11):
        text = text.replace("*a: 'Ts'", "*a: *tuple[int]")
        text = text.replace("b=2) -> 'Ts'", "b=2) -> tuple[*range(3)]")
        text = text.replace("n: 'Ts'", "n: tuple[*Ts]")
    scope = module_of(text, tmp_path)
    for version in ("3.6", "3.7"):
        assert value(version, scope["f"]) == (((3,), 2), [4])
        assert value(version, scope["g"]) == 5
    inner = "def f():\n    def g(x=(y := 3)): return x\n    return g()\n"
    with pytest.raises(SyntaxTooNew, match=r"line 2 of .* uses an assignment expression"):
        Packer(module_of(inner, tmp_path)["f"], runtime=runtime_of("3.7"))


@pytest.mark.skipif(sys.version_info < (3, 11), reason="this Python does not know the syntax")
@pytest.mark.parametrize("version", ["3.6", "3.7"])
def test_fields_with_new_hints(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "made_s2", ModuleType("made_s2"))
    text = (
        "from __future__ import annotations\n"
        "import typing\n"
        "class Fields:\n"
        "    x: tuple[*Ts] = 1\n"
        "    kinds: typing.ClassVar[dict[str, tuple[*Ts]] | None] = None\n"
        "    y: int | tuple[*Ts]\n"
        "def f():\n"
        "    return Fields.x, Fields.kinds, list(Fields.__annotations__)\n"
    )
    names = ["x", "kinds", "y"]
    assert value(version, module_of(text, tmp_path)["f"]) == (1, None, names)


def test_a_dataclass_with_new_hints_on_3_7(tmp_path: Path) -> None:
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass, field\n"
        "from typing import ClassVar\n@dataclass(order=True)\nclass D:\n    k: ClassVar[int] = 3\n"
        "    x: int | None = None\n    y: list[int] = field(default_factory=list)\n"
        "def f():\n    return [D(1) < D(2), D(5).y, D.k, repr(D(4))]\n"
    )
    sys.modules["made_s2"] = ModuleType("made_s2")
    try:
        function = module_of(text, tmp_path)["f"]
        assert value("3.7", function) == [True, [], 3, "D(x=4, y=[])"]
    finally:
        del sys.modules["made_s2"]


def test_a_missing_package_is_named_with_the_side() -> None:
    import duckdb

    def needs() -> object:
        return duckdb.connect()

    with pytest.raises(Exception, match=r"needs the package 'duckdb' \(version .* of the client\)"):
        value("3.8", needs)


SCRIPT = """
import json, sys
from dataclasses import dataclass
K = 3
@dataclass
class Point:
    x: int
def helper(p): return p.x * K
def job(p): return Point(helper(p)), __name__
if __name__ == "__main__":
    from tests.runner.test_functions import value
    p, name = value({version!r}, job, shared={{"p": Point(2)}})
    assert type(p) is Point
    print(p.x, name)
    print(value({version!r}, lambda: (lambda: K)()))
"""


@pytest.mark.parametrize("version", ["3.7", "3.12"])
def test_a_script(version: str, tmp_path: Path) -> None:
    interpreter(version)
    file = tmp_path / "script.py"
    file.write_text(SCRIPT.format(version=version))
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(file)],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    assert done.stdout == "6 __main__\n3\n"


def test_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each cell is a text of its own in linecache, as ipykernel has it; `__main__` has no file."""
    main = ModuleType("cells_s2")
    monkeypatch.setitem(sys.modules, "cells_s2", main)
    cells = [
        "import math as m\nK = 2\nclass C:\n    value = 7\n",
        "def helper(x): return m.floor(x) * K + C.value\n",
        "def job(x):\n    return helper(x)\n",
        "class Mark:\n    value = 1\nfirst = Mark\n",
        "class Mark:\n    value = 2\nclass Set:\n    value = 3\nSet.value = 4\n",
        "def marks():\n    return first.value, Mark.value, Set.value\n",
    ]
    for number, text in enumerate(cells):
        name = f"/tmp/ipykernel_1/{number}.py"
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)
        exec(compile(text, name, "exec"), vars(main))
    monkeypatch.setattr("sqlexec.payload.source.definitions.linecache.checkcache", lambda *_: None)
    assert value("3.8", vars(main)["job"], shared={"x": 2.5}) == 11
    assert value("3.8", vars(main)["marks"]) == (1, 2, 4)


def test_a_file_that_was_edited_is_noticed(tmp_path: Path) -> None:
    scope = module_of("def f(x):\n    return x + 1\n", tmp_path)
    (tmp_path / "made_s2.py").write_text("def f(x):\n    return x + 20\n")
    linecache.checkcache()
    with pytest.raises(PackError, match="was the file changed"):
        Packer(scope["f"], runtime=runtime_of("3.7"))
