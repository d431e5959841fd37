"""An exception as what can travel: its type's name, its text, the traceback's text."""

import sys
import traceback
from typing import Any, Dict

from sqlexec.runner.wire import text_of


def describe(error: BaseException, own_file: str) -> Dict[str, str]:
    """Type name, message and traceback text of an exception.

    Frames of `own_file`, the runner's, are left out at the top: the user's function comes first.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == own_file:
        trace = trace.tb_next
    kind = type(error)
    try:
        lines = traceback.format_exception(kind, error, trace)
    except BaseException:  # noqa: BLE001 - the exception's own __str__ or __repr__ raised
        lines = traceback.format_tb(trace) + ["%s: %s\n" % (kind.__name__, text_of(error))]
    return {
        "type": "%s.%s" % (kind.__module__, kind.__qualname__),
        "message": text_of(error),
        "traceback": "".join(lines),
    }


def describe_current(own_file: str) -> Dict[str, str]:
    """`describe` of the exception that is being handled."""
    error = sys.exc_info()[1]  # type: Any
    return describe(error, own_file)
