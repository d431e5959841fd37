"""What runs wrote, shown here: printed, printed with prefixes, logged, or given to a function."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import IO, Any

from sqlexec.contexts.base import ConsoleOutput
from sqlexec.log import logger
from sqlexec.tasks import Outcome


def show_console(outcome: Outcome, how: ConsoleOutput) -> None:
    """Show what a run wrote, in order; `how` is what rx_exec calls `console_output`."""
    for stream, text in outcome.console if how else ():
        if callable(how):
            how(outcome.index, stream, text)
        elif how == "log":
            _log(outcome.index, stream, text)
        elif how == "prefix":
            _print(stream, "".join(f"[{outcome.index}] {line}\n" for line in _lines(text)))
        else:
            _print(stream, text)


def _lines(text: str) -> list[str]:
    """What is to be seen of each line in the end: a bar in it has been drawn over by the next."""
    lines = text.removesuffix("\n").split("\n")
    return [line.rstrip("\r").rpartition("\r")[2] for line in lines]


def _log(index: int, stream: str, text: str) -> None:
    level = logging.WARNING if stream == "stderr" else logging.INFO
    console_logger = logger.getChild("console")  # not before: configurations disable what is there
    for line in _lines(text):
        console_logger.log(level, "%s", line, extra={"task": index})


def _print(stream: str, text: str) -> None:
    target = sys.stderr if stream == "stderr" else sys.stdout
    if target is None:  # a Python without a console
        return
    if _bars() and target.isatty() and not text.endswith("\n"):
        text += "\n"  # a bar would be drawn over the last line
    with bars_aside(target):
        try:
            target.write(text)
        except UnicodeEncodeError:  # a terminal that has not all letters
            encoding = getattr(target, "encoding", None) or "ascii"
            target.write(text.encode(encoding, "backslashreplace").decode(encoding))
        target.flush()


def bars_aside(target: IO[str]) -> contextlib.AbstractContextManager[None]:
    """Take tqdm's progress bars, the user's as well as ours, off the terminal meanwhile."""
    bars = _bars()
    return bars.external_write_mode(file=target) if bars else contextlib.nullcontext()


def _bars() -> Any:
    return getattr(sys.modules.get("tqdm"), "tqdm", None)
