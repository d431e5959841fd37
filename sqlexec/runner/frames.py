"""Where exceptions were raised, for the other side to rebuild their tracebacks.

frame   [file, line, function, first line to show, module]
lines   {file: {line: text}}: what frames show, once for all exceptions of a chunk
"""

import linecache
from typing import Any, Dict, List

from sqlexec.runner.types import Frame

OWN_MODULE = "sqlexec.runner"  # of the runner's own frames, wherever it runs
MARK = "__sqlexec__"  # in the globals of parts of the runner that are compiled apart
MOST_FRAMES = 100  # of one exception, half of them from its end: recursion may have thousands
LINES_AROUND = 5
LONGEST_LINE = 1000


def frames_of(
    error: BaseException, own: Dict[str, Any], lines: Dict[str, Dict[int, str]]
) -> List[Frame]:
    """The frames of an exception, the one that raised it last; what they show goes to `lines`.

    `own` are the globals of the runner's main module.
    """
    traces = []
    trace = error.__traceback__  # type: Any
    while trace is not None:
        traces.append(trace)
        trace = trace.tb_next
    cut = len(traces) - MOST_FRAMES
    if cut > 0:
        traces[MOST_FRAMES // 2 : -MOST_FRAMES // 2] = []
    frames = [_frame_of(each, own, lines) for each in traces]
    if cut > 0:
        note = ["<%d frames are left out here>" % cut, 1, "...", 1, ""]  # type: Frame
        frames.insert(MOST_FRAMES // 2, note)
    return frames


def _frame_of(trace: Any, own: Dict[str, Any], lines: Dict[str, Dict[int, str]]) -> Frame:
    code, scope = trace.tb_frame.f_code, trace.tb_frame.f_globals
    line = trace.tb_lineno or code.co_firstlineno
    first = max(code.co_firstlineno, line - LINES_AROUND)
    if is_own_frame(trace.tb_frame, own):
        return [code.co_filename, line, code.co_name, first, OWN_MODULE]
    known = lines.setdefault(code.co_filename, {})
    if line not in known:
        texts = _source_lines(code.co_filename, scope)
        known[line] = ""  # so that it is looked for once, where there is none
        for number, text in enumerate(texts[first - 1 : line + LINES_AROUND], first):
            known[number] = text.rstrip("\n")[:LONGEST_LINE]
    return [code.co_filename, line, code.co_name, first, str(scope.get("__name__", ""))]


def _source_lines(file: str, scope: Dict[str, Any]) -> List[str]:
    try:
        return linecache.getlines(file, scope)
    except Exception:  # noqa: BLE001 - a file that is no Python, a loader that fails
        return []


def is_own_frame(frame: Any, own: Dict[str, Any]) -> bool:
    """Is it one of the runner's, whose main module has the globals `own`?"""
    scope = frame.f_globals
    return scope is own or MARK in scope or str(scope.get("__name__")).startswith("sqlexec.")
