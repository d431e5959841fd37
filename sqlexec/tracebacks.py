"""Tracebacks: those of the other side rebuilt as real ones, all without sqlexec's own frames.

A rebuilt frame has file, line and function, and no variables.  It is shown by everything that
shows tracebacks: Python itself, logging, pytest, IPython, `pdb.post_mortem`.
"""

from __future__ import annotations

import ast
import linecache
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from types import CodeType, FunctionType, TracebackType
from typing import Any

FULL = "SQLEXEC_FULL_TRACEBACK"  # set to show sqlexec's own frames as well
MOST_LINES = 2**31 - 1
LONGEST_FILE = 1_000_000  # lines of files that are shown as they are elsewhere


def rebuild(
    frames: Sequence[Sequence[Any]], lines: Mapping[str, Mapping[str, str]]
) -> TracebackType | None:
    """A traceback of frames that ran elsewhere.

    Parameters
    ----------
    frames : sequence of (file, line, function, first line to show, module)
        As `runner/frames.py` collects them; the one that raised comes last.
    lines : mapping of file to mapping of line to text
        What the files look like there.

    Raises
    ------
    TypeError, ValueError
        They are no such frames.
    """
    trace: TracebackType | None = None
    generators: list[Any] = []
    for file, line, function, first, module in reversed(frames):
        if not (0 < first <= line <= MOST_LINES and isinstance(line, int)):
            raise ValueError(f"a frame is in line {line!r} from line {first!r} on")
        shown = _file_to_show(file, line, lines.get(file, {}))
        generators.append(_generator(shown, function, first, line, module))
        frame = generators[-1].gi_frame
        trace = TracebackType(trace, frame, frame.f_lasti, line)
    _end(generators)
    return trace


def hide_own_frames(error: BaseException) -> BaseException:
    """Take sqlexec's own frames out of the tracebacks of an exception, its causes and members.

    Gives it back.

    They stay where the environment variable SQLEXEC_FULL_TRACEBACK is set.
    """
    if os.environ.get(FULL):
        return error
    seen: set[int] = set()
    ahead: list[BaseException | None] = [error]
    while ahead:
        each = ahead.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            each.with_traceback(_without_own(each.__traceback__))
            ahead += (each.__cause__, each.__context__)
            if sys.version_info >= (3, 11) and isinstance(each, BaseExceptionGroup):  # noqa: F821
                ahead += each.exceptions
    return error


def raised_here(error: BaseException) -> bool:
    """Was it one of sqlexec's own lines that raised it?"""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and _is_own(trace)


def _is_own(trace: TracebackType) -> bool:
    return str(trace.tb_frame.f_globals.get("__name__")).startswith("sqlexec.")


def _without_own(trace: TracebackType | None) -> TracebackType | None:
    kept = []
    while trace is not None:
        if not _is_own(trace):
            kept.append(trace)
        trace = trace.tb_next
    for each in reversed(kept):
        trace = TracebackType(trace, each.tb_frame, each.tb_lasti, each.tb_lineno)
    return trace


def _generator(file: str, function: str, first: int, line: int, module: str) -> Any:
    """A generator that waits in a line: so does its frame, and its last instruction is of it.

    Some show the line that the traceback names, others (IPython 9) that where the frame stands.
    """
    tree = ast.parse("def template():\n    yield")
    for node in ast.walk(tree):
        where = first if isinstance(node, ast.FunctionDef) else line
        vars(node).update(lineno=where, end_lineno=where, col_offset=-1, end_col_offset=-1)
    constants = compile(tree, file, "exec").co_consts
    code = next(each for each in constants if isinstance(each, CodeType))
    names: Any = {"co_name": function}
    if sys.version_info >= (3, 11):
        names["co_qualname"] = function
    code = code.replace(**names)
    generator = FunctionType(code, {"__name__": module})()
    next(generator)
    return generator


def _end(generators: list[Any]) -> None:
    """Let generators go: their frames are then on their own, and the garbage collector's.

    Python 3.12 makes whoever ends one its frame's caller, and keeps all of his variables with it:
    let that be a thread that has none.
    """
    if sys.version_info[:2] == (3, 12):
        thread = threading.Thread(target=generators.clear)
        thread.start()
        thread.join()
    generators.clear()


def _file_to_show(file: str, line: int, lines: Mapping[str, str]) -> str:
    """The file itself where it is here and says the same, else a name for what it says there."""
    text = lines.get(str(line), "")
    linecache.checkcache(file)
    if not text or linecache.getline(file, line).rstrip("\n") == text:
        return file
    name = f"<remote {file}>"
    if linecache.getline(name, line).rstrip("\n") != text:
        entry: Any = linecache.cache.get(name, (0, None, [], name))
        texts = list(entry[2])
        for number, each in sorted((int(number), each) for number, each in lines.items()):
            if 0 < number <= LONGEST_FILE:
                texts += ["\n"] * (number - len(texts))
                texts[number - 1] = f"{each}\n"
        linecache.cache[name] = (0, None, texts, name)
    return name
