"""Functions by source: rebuilt in this Python, and in older and newer ones."""

from __future__ import annotations

import atexit
import functools
import linecache
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from sqlexec.bundle.runner_source import render
from sqlexec.errors import PackError
from sqlexec.payload import Packer, Reply, SendOtherwise, unpack
from sqlexec.runner.main import run_chunk
from sqlexec.tasks import Outcome, Task
from tests.runner import source_jobs as jobs

VERSIONS = ("3.6", "3.7", "3.8", "3.9", "3.10", "3.12", "3.13")
HERE = "here"  # this process, made to take source


def interpreter(version: str) -> str:
    found = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    if not found:
        pytest.skip(f"no Python {version} in ~/.pyenv/versions")
    return str(found[-1])


@lru_cache(maxsize=1)
def script() -> str:
    """A file that runs a payload; as an argument it would be longer than Linux takes."""
    path = Path(tempfile.mkdtemp()) / "answer.py"
    atexit.register(shutil.rmtree, path.parent)
    path.write_text(
        "import sys\npayload = sys.stdin.buffer.read()\nInputDataSet = shared = None\n"
        "longest_run_seconds = seconds_left = first_place = task_count = 0\n"
        "before = set(sys.modules['__main__'].__dict__)\n"
        f"exec(compile({render()!r}, 'runner', 'exec'))\n"
        "assert vars(sys.modules['__main__']) is globals()\n"
        "sys.stdout.buffer.write(result)"
    )
    return str(path)


def runtime_of(version: str) -> dict[str, Any]:
    if version == HERE:
        # Another implementation than this one: no bytecode for it.
        return {"python": list(sys.version_info[:3]), "implementation": "Other", "packages": {}}
    return {"python": [*map(int, version.split(".")), 0], "packages": {}}


def answer(version: str, packer: Packer, payload: bytes) -> Reply:
    if version == HERE:
        return unpack(run_chunk(payload)[0], packer.key, packer.original)
    done = subprocess.run(
        [interpreter(version), "-I", script()],
        input=payload,
        stdout=subprocess.PIPE,
        check=True,
    )
    return unpack(done.stdout, packer.key, packer.original)


def run(
    version: str, function: Callable[..., object], *arguments: dict[str, Any], **options: Any
) -> list[Outcome]:
    if version != HERE:
        interpreter(version)
    packer = Packer(function, runtime=runtime_of(version), **options)
    tasks = [Task(index, each) for index, each in enumerate(arguments or ({},))]
    return answer(version, packer, packer.chunk(tasks, runtime_of(version))).outcomes


def value(version: str, function: Callable[..., object], **options: Any) -> Any:
    (outcome,) = run(version, function, **options)
    if outcome.error:
        raise outcome.error
    return outcome.value


SAME = f"{sys.version_info[0]}.{sys.version_info[1]}"  # goes by bytecode
every_version = pytest.mark.parametrize("version", [HERE, *VERSIONS])


@pytest.mark.parametrize("version", [HERE, SAME, *VERSIONS])
def test_all_kinds_of_functions_and_classes(version: str) -> None:
    expected = jobs.all_of_it()
    assert value(version, jobs.all_of_it) == expected


@every_version
def test_a_traceback_shows_the_users_file_line_and_text(version: str) -> None:
    (outcome,) = run(version, jobs.fails, {"x": 0})
    assert isinstance(outcome.error, ZeroDivisionError)
    assert outcome.error.__cause__ is None
    text = "".join(traceback.format_exception(outcome.error))
    line = jobs.fails.__code__.co_firstlineno + 2
    assert f'File "{jobs.__file__}", line {line}, in fails\n    return before / x\n' in text


@every_version
def test_own_exceptions_and_objects_come_back_as_the_clients(version: str) -> None:
    (outcome,) = run(version, jobs.raises)
    assert type(outcome.error) is jobs.OwnError
    assert outcome.error.code == 7
    derived, color = value(version, jobs.gives_object, shared={"derived": jobs.Derived(4)})
    assert type(derived) is jobs.Derived
    assert derived.x == 5
    assert color is jobs.Color.BLUE
    (outcome,) = run(version, jobs.gives_object, {"derived": jobs.Derived(1)})
    assert outcome.value[0].x == 2


def test_classes_stay_the_clients_own_when_their_objects_come_back() -> None:
    def parts() -> object:  # without what copyreg notes in a class of which it made a copy
        derived = {k: v for k, v in vars(jobs.Derived).items() if k != "__slotnames__"}
        return derived, vars(jobs.Color)["other"]

    before = parts()
    derived, color = value(SAME, jobs.gives_object, shared={"derived": jobs.Derived(4)})
    assert type(derived) is jobs.Derived
    assert color is jobs.Color.BLUE
    assert parts() == before
    assert jobs.Color.other.__globals__ is vars(jobs)


@pytest.mark.parametrize("version", [HERE, SAME, "3.8"])
def test_cached_properties_go_and_come_back(version: str) -> None:
    class Lazy:
        @functools.cached_property
        def value(self) -> list[float]:
            return [1.5]

    lazy = value(version, Lazy)
    assert type(lazy) is Lazy
    assert lazy.value is lazy.value


@every_version
def test_closures_lambdas_partials_and_local_classes(version: str) -> None:
    def fact(n: int) -> int:
        return 1 if n < 2 else n * fact(n - 1)

    class Local(jobs.Base):
        def name(self) -> str:
            return super().name() + Local.__qualname__

    pick = [lambda x: x + 1, lambda x: x + 2, lambda x: x + 1.0]
    function = lambda n, *, k=2: (fact(n), Local().name(), k, [each(0) for each in pick])  # noqa: E731
    got = value(version, functools.partial(function, 5))
    assert got == function(5)
    assert type(got[3][2]) is float
    assert value(version, jobs.Derived(3).name) == "base3"


@every_version
def test_objects_of_local_classes_come_back_as_the_clients(version: str) -> None:
    class Local:
        def __init__(self, x: int) -> None:
            self.x = x

    class LocalError(Exception):
        pass

    def fails() -> None:
        raise LocalError("here")

    def both() -> list[object]:
        first = Local(1)
        return [first, first, Local, {"a": jobs.Color.RED}]

    got = value(version, both)
    assert type(got[0]) is Local
    assert got[0] is got[1]
    assert got[0].x == 1
    assert got[2] is Local
    assert got[3] == {"a": jobs.Color.RED}
    (outcome,) = run(version, fails)
    assert type(outcome.error) is LocalError


@every_version
def test_local_state_packages_and_console(version: str) -> None:
    (outcome,) = run(version, jobs.prints, {"a": 1}, packages=["json"], local_state={"b": 2})
    assert outcome.value == ["a"]
    assert outcome.console == [("stdout", "it works\n")]


def test_a_server_of_another_version_asks_for_source() -> None:
    packer = Packer(jobs.all_of_it)
    with pytest.raises(SendOtherwise, match=r"lacks bytecode of Python") as caught:
        answer("3.7", packer, packer.chunk([Task(0)]))
    runtime = caught.value.runtime
    assert runtime["python"][:2] == [3, 7]
    reply = answer("3.7", packer, packer.chunk([Task(0)], runtime))
    assert reply.outcomes[0].value == jobs.all_of_it()


def test_nothing_is_left_behind() -> None:
    import linecache

    value(HERE, jobs.all_of_it)  # imports what it needs of the standard library
    before = dict(sys.modules), list(sys.meta_path), linecache.cache.get(jobs.__file__)
    value(HERE, jobs.all_of_it)
    assert (dict(sys.modules), list(sys.meta_path)) == before[:2]
    assert linecache.cache.get(jobs.__file__) == before[2]


def test_text_without_source_is_named() -> None:
    scope: dict[str, Any] = {}
    exec("def made(): return 1", scope)
    with pytest.raises(PackError, match=r"'made'.*its source is not there"):
        Packer(scope["made"], runtime=runtime_of("3.7"))


def test_what_cannot_go_by_source_names_both_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    scope: dict[str, Any] = {"__name__": "nowhere"}
    exec("def made(): return 1\nclass Made: pass", scope)
    text = "class Made(int): pass\n"  # another text, with another class of that name
    monkeypatch.setitem(linecache.cache, "<cell>", (len(text), None, [text], "<cell>"))
    here = ".".join(map(str, sys.version_info[:2]))
    for function in (scope["made"], scope["Made"], lambda: sys.modules["__main__"]):
        with pytest.raises(PackError) as caught:
            Packer(function, {"x": sys.modules["__main__"]}, runtime=runtime_of("3.7"))
        assert f"The server runs Python 3.7, this client {here}, " in str(caught.value)
        assert "a client of Python 3.7 sends bytecode" in str(caught.value)


def test_the_runner_parses_as_python_3_5() -> None:
    import ast

    ast.parse(render(), feature_version=(3, 5))
