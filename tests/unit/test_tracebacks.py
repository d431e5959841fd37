"""Tracebacks that are rebuilt, and what is left out of them."""

from __future__ import annotations

import gc
import io
import linecache
import os
import pdb
import subprocess
import traceback
from pathlib import Path
from types import FrameType, GeneratorType

import pytest

from sqlexec.runner.frames import MOST_FRAMES, frames_of
from sqlexec.tracebacks import hide_own_frames, rebuild
from tests.environments import environment

ELSEWHERE = "/elsewhere/model.py"
FRAMES = [
    ["/elsewhere/runner.py", 7, "run", 5, "sqlexec.runner"],
    [ELSEWHERE, 12, "fit", 10, "model"],
    [ELSEWHERE, 31, "solve", 30, "model"],
]
LINES = {ELSEWHERE: {"12": "    return solve(x)", "30": "def solve(x):", "31": "    return 1 / x"}}


def rebuilt(frames=FRAMES, lines=LINES):
    return ZeroDivisionError("division by zero").with_traceback(rebuild(frames, lines))


def text_of(error):
    return "".join(traceback.format_exception(error))


def test_lines_of_files_that_are_elsewhere():
    assert text_of(hide_own_frames(rebuilt())) == (
        "Traceback (most recent call last):\n"
        f'  File "<remote {ELSEWHERE}>", line 12, in fit\n'
        "    return solve(x)\n"
        f'  File "<remote {ELSEWHERE}>", line 31, in solve\n'
        "    return 1 / x\n"
        "ZeroDivisionError: division by zero\n"
    )


def test_own_frames_are_shown_when_asked(monkeypatch):
    monkeypatch.setenv("SQLEXEC_FULL_TRACEBACK", "1")
    assert 'File "/elsewhere/runner.py", line 7, in run\n' in text_of(hide_own_frames(rebuilt()))


def test_own_frames_of_causes_are_hidden_and_circles_end():
    error, cause = rebuilt(), rebuilt()
    error.__cause__, cause.__context__ = cause, error
    assert "runner.py" not in text_of(hide_own_frames(error))


def test_a_file_that_is_here_and_says_the_same_keeps_its_name():
    line = text_of.__code__.co_firstlineno + 1
    frames = [[__file__, line, "text_of", line - 1, "tests"]]
    same = {__file__: {str(line): linecache.getline(__file__, line).rstrip("\n")}}
    assert f'File "{__file__}", line {line}, in text_of\n    return "".join(' in text_of(
        rebuilt(frames, same)
    )
    other = {__file__: {str(line): "    return other(x)"}}
    assert f'File "<remote {__file__}>", line {line}, in text_of\n    return other(x)\n' in text_of(
        rebuilt(frames, other)
    )
    nothing = {__file__: {str(line): ""}}  # the other side has no such file
    assert f'File "{__file__}", line {line}' in text_of(rebuilt(frames, nothing))


def test_a_debugger_shows_them():
    out = io.StringIO()
    debugger = pdb.Pdb(stdin=io.StringIO("where\nlist\nup\np x\nquit\n"), stdout=out)
    debugger.reset()
    debugger.interaction(None, hide_own_frames(rebuilt()).__traceback__)
    assert "-> return 1 / x" in out.getvalue()
    assert "\tdef solve(x):" in out.getvalue()
    assert "NameError" in out.getvalue()


def test_their_place_is_an_instruction_of_their_line():
    """Where it is none, IPython (executing) looks for it for ever."""
    trace = rebuild([*FRAMES, [ELSEWHERE, 5, "<module>", 5, "model"]], LINES)
    while trace is not None:
        places = trace.tb_frame.f_code.co_lines()
        lines = [line for start, end, line in places if start <= trace.tb_lasti < end]
        assert lines == [trace.tb_lineno]
        trace = trace.tb_next


def test_frames_stand_in_their_lines():
    """IPython 9 shows the line and name that the frame has, not those of the traceback."""
    trace = rebuild(FRAMES, LINES)
    gc.collect()
    found = []
    while trace is not None:
        code = trace.tb_frame.f_code
        name = getattr(code, "co_qualname", code.co_name)  # since Python 3.11
        found.append((trace.tb_frame.f_lineno, name, code.co_firstlineno))
        assert trace.tb_frame.f_back is None
        trace = trace.tb_next
    assert found == [(7, "run", 5), (12, "fit", 10), (31, "solve", 30)]


def test_pytest_shows_them():
    info = pytest.ExceptionInfo.from_exception(hide_own_frames(rebuilt()))
    shown = str(info.getrepr(style="long"))
    assert ">       return 1 / x" in shown
    assert "E       ZeroDivisionError: division by zero" in shown


def test_their_variables_can_be_cleared():
    error = rebuilt()
    traceback.clear_frames(error.__traceback__)
    assert "return 1 / x" in text_of(error)


@pytest.mark.parametrize(
    "frames",
    [
        [["f.py", 0, "f", 0, "m"]],
        [["f.py", 1, "f", 2, "m"]],
        [["f.py", 2**40, "f", 1, "m"]],
        [["f.py", 1.5, "f", 1, "m"]],
        [["f.py", "1", "f", 1, "m"]],
        [["f.py", 1, 5, 1, "m"]],
        [[None, 1, "f", 1, "m"]],
        [["f.py", 1]],
        5,
    ],
)
def test_what_are_no_frames(frames):
    with pytest.raises((TypeError, ValueError)):
        rebuild(frames, {})


def test_deep_recursion_keeps_its_ends():
    def deeper(depth):
        return 1 / 0 if depth == 0 else deeper(depth - 1)

    lines = {}
    try:
        deeper(300)
    except ZeroDivisionError as error:
        frames = frames_of(error, globals(), lines)
    assert len(frames) == MOST_FRAMES + 1
    middle = frames.pop(MOST_FRAMES // 2)
    assert middle[0] == f"<{302 - MOST_FRAMES} frames are left out here>"
    assert middle[0] in "".join(traceback.format_tb(rebuild([middle], {})))
    assert [frame[2] for frame in (frames[0], frames[1], frames[-1])] == [
        "test_deep_recursion_keeps_its_ends",
        "deeper",
        "deeper",
    ]
    assert len(lines) == 0, "this module's frames count as the runner's here"


def test_lines_travel_once_for_all_exceptions():
    lines = {}
    for _ in range(2):
        try:
            rebuild(5, {})  # type: ignore[arg-type]
        except TypeError as error:
            frames = frames_of(error, {}, lines)
    assert frames[0][4] == __name__
    assert [frame[4] for frame in frames[1:]] == ["sqlexec.runner"]
    assert list(lines) == [__file__]


USED_AGAIN = """
import gc, threading
from sqlexec.tracebacks import rebuild
for _ in range(20):
    trace = rebuild([["/elsewhere/model.py", 12, "fit", 10, "model"]] * 20, {})
    gc.collect()
    again = [[] for _ in range(2000)]  # where something was freed too early
    while trace is not None:
        assert set(trace.tb_frame.f_globals) <= {"__name__", "__builtins__"}
        assert trace.tb_frame.f_lineno == trace.tb_lineno == 12
        caller = trace.tb_frame.f_back
        assert caller is None or caller.f_code.co_filename == threading.__file__
        trace = trace.tb_next
"""


@pytest.mark.parametrize("client", ["client 3.10", "client 3.11", "client 3.12", "client 3.13"])
def test_frames_outlive_the_garbage_collector(client):
    root = str(Path(__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": root}
    subprocess.run([environment(client), "-c", USED_AGAIN], env=env, check=True)


def test_frames_go_with_their_traceback():
    gc.collect()
    before = count_frames()
    for _ in range(20):
        rebuilt()
    gc.collect()
    assert count_frames() < before + 20


def count_frames():
    kinds = (FrameType, GeneratorType)
    return sum(isinstance(each, kinds) for each in gc.get_objects())
