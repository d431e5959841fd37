"""Who called: warnings name the user's own line, however deep in sqlexec they are issued."""

from __future__ import annotations

import sys


def users_stacklevel() -> int:
    """The `stacklevel`, for a `warnings.warn` in the caller, of the first line that is not ours."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        frame, level = frame.f_back, level + 1
    return level


_OURS = ("sqlexec", "contextlib", "dataclasses")  # the latter run code of ours, too
