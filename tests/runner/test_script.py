"""The runner's script in the Pythons of servers, run as their runtimes run it."""

from __future__ import annotations

import ast
import base64
import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from sqlexec.bundle.runner_source import MODULES, STORED_MODULES, render, render_stored
from sqlexec.errors import RemoteError
from sqlexec.payload import Packer, unpack
from sqlexec.runner.way_out import NEVER_CUT, PIECE, PROBE, run_script
from sqlexec.runner.wire import REQUEST, join_frame
from sqlexec.tasks import Task
from tests.runner.peers import environment

PEERS = {
    "3.6 bare": (3, 6),
    "3.7 pandas 0.23": (3, 7),
    "3.10 pandas 1.4": (3, 10),
    "3.13 pandas 3": (3, 13),
    "own": sys.version_info[:2],
}
DRIVER = Path(__file__).with_name("script_driver.py")


def run(name: str, host: str, place: Path, *jobs: tuple[Packer, list[Task], str]) -> list[Any]:
    """What each job's script gave, one after the other in one process of that Python."""
    python = sys.executable if name == "own" else environment(name)
    (place / "script.py").write_text(render())
    files = [place / f"payload{number}" for number in range(len(jobs))]
    for file, (packer, tasks, way_out) in zip(files, jobs, strict=True):
        file.write_bytes(packer.chunk(tasks, {"python": [*PEERS[name], 0]}, way_out))
    done = subprocess.run(
        [python, "-I", DRIVER, host, place / "script.py", *files],
        stdout=subprocess.PIPE,
        check=True,
    )
    answers = json.loads(done.stdout)
    for answer in answers:
        answer["result"] = base64.b64decode(answer["result"])
    return answers


def make(size: int) -> bytes:
    return b"\xa5" * size


def spoil(code: int) -> int:
    import os
    import random
    import signal
    import sys
    import warnings

    class Finder:
        def find_spec(self, *_: object) -> None:
            return None

    os.chdir(os.path.dirname(os.getcwd()) or os.sep)
    os.environ["SPOILED"] = "yes"
    os.environ.pop("HOME", None)
    sys.path.insert(0, "/spoiled")
    sys.meta_path.append(Finder())
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, lambda *_: sys.exit("late"))
    signal.setitimer(signal.ITIMER_REAL, 60)
    warnings.simplefilter("error")
    random.seed(1)
    main = sys.modules["__main__"]
    parameters = ("result", "result_length", "header_length", "failed_count", "probe", "input_rows")
    for name in (*parameters, "OutputDataSet", "spoiled"):
        setattr(main, name, "nonsense")
    sys.stdout.write("\ud800 has no encoding\n")
    sys.stderr = None
    if code:
        raise SystemExit(code)
    return code


@pytest.mark.parametrize("host", ["main", "function"])
@pytest.mark.parametrize("name", PEERS)
def test_two_chunks_in_one_process(name: str, host: str, tmp_path: Path) -> None:
    """Right types, nothing left behind, and the second one does not see the first."""
    packer = Packer(spoil, seed=1)
    tasks = [Task(index, {"code": index}) for index in range(3)]
    answers = run(name, host, tmp_path, (packer, tasks, "probe"), (packer, tasks, "output"))
    for answer, probe in zip(answers, (PROBE, 0), strict=True):
        outcomes = unpack(answer["result"], packer.key, packer.original).outcomes
        assert outcomes[0].value == 0
        assert [each.error.args for each in outcomes if each.error] == [(1,), (2,)]
        assert outcomes[0].console == [("stdout", "\ud800 has no encoding\n")]
        assert answer["outputs"] == ["bytes", "int", "int", "int", "bytes", "int"]
        assert (answer["failed"], answer["probe"], answer["rows"]) == (2, probe, -1)
        assert answer["length"] == len(answer["result"])
        assert answer["left"] == {}


@pytest.mark.parametrize("host", ["main", "function"])
@pytest.mark.parametrize("name", PEERS)
def test_a_long_result_leaves_in_rows(name: str, host: str, tmp_path: Path) -> None:
    packer = Packer(make)
    jobs = [
        (packer, [Task(0, {"size": size})], way)
        for size, way in ((0, "rows"), (NEVER_CUT, "probe"), (PIECE, "rows"), (NEVER_CUT, "output"))
    ]
    answers = run(name, host, tmp_path, *jobs)
    for answer, (_, (task,), way) in zip(answers, jobs, strict=True):
        size = task.arguments["size"]
        reply = unpack(answer["result"], packer.key)
        assert reply.outcomes[0].value == make(size)  # type: ignore[arg-type]
        assert reply.runtime["slow_output"]
        in_rows = size and way != "output" and "bare" not in name
        assert answer["rows"] == (-(-answer["length"] // PIECE) if in_rows else -1)


def test_an_interrupt_in_the_runner_itself_is_told(tmp_path: Path) -> None:
    packer = Packer(interrupt)
    (answer,) = run("own", "main", tmp_path, (packer, [Task(0)], "probe"))
    assert answer["left"] == {}
    with pytest.raises(RemoteError, match="KeyboardInterrupt"):
        unpack(answer["result"], packer.key)


@pytest.mark.parametrize("header", [{}, {"key": 5}, {"key": "no hexadecimal"}])
def test_an_interrupt_while_a_broken_header_is_told_of(header: dict[str, Any]) -> None:
    payload = join_frame(REQUEST, header, [])
    before = sys.getprofile()
    interrupt()
    try:
        result, length, _, failed, *_ = run_script(payload, None, None)
    finally:
        sys.setprofile(before)
    assert (length, failed) == (len(result), 1)
    with pytest.raises(RemoteError, match="KeyboardInterrupt"):
        unpack(result, b"")


def interrupt() -> None:
    import sys

    def profile(frame: Any, event: str, _: object) -> None:
        if frame.f_code.co_name == "join_frame":
            raise KeyboardInterrupt

    sys.setprofile(profile)


@pytest.mark.parametrize("host", ["main", "function"])
@pytest.mark.parametrize("name", ["3.6 bare", "own"])
def test_a_stored_script_runs_and_leaves_nothing(name: str, host: str, tmp_path: Path) -> None:
    python = sys.executable if name == "own" else environment(name)
    (tmp_path / "script.py").write_text(render_stored())
    done = subprocess.run(
        [python, "-I", DRIVER.with_name("stored_driver.py"), host, tmp_path / "script.py"],
        stdout=subprocess.PIPE,
        check=True,
    )
    assert done.stdout.decode().strip() == '{"result": 42, "rows": null} []'


def test_no_two_modules_of_the_script_define_the_same_name() -> None:
    """They share one scope: the later definition would take the place of the first."""
    shared = [each for each in MODULES if isinstance(each, str)]
    for group in [shared, STORED_MODULES, *(each for each in MODULES if isinstance(each, tuple))]:
        names = [name for module in group for name in defined(module)]
        assert sorted(names) == sorted(set(names))


def defined(module: str) -> list[str]:
    body = ast.parse((files("sqlexec.runner") / f"{module}.py").read_text()).body
    return [
        name
        for node in body
        for name in (
            [node.name]
            if isinstance(node, (ast.FunctionDef, ast.ClassDef))
            else [each.id for each in getattr(node, "targets", []) if isinstance(each, ast.Name)]
        )
    ]
