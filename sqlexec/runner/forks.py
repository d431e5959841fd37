"""Forks of the process that tasks make: one that comes back ends, as the tasks are its parent's."""

import os
import sys
import traceback
from typing import Any, Optional

from sqlexec.runner.types import Function


def in_this_process(function: Function) -> Function:
    """The function, which comes back in the process that calls it alone.

    A fork of it would go on with the next tasks and give an answer of its own.
    """
    process_id = os.getpid()

    def run(**arguments: Any) -> Any:
        try:
            value = function(**arguments)
        except BaseException as error:
            if os.getpid() != process_id:
                _end(error)
            raise
        if os.getpid() != process_id:
            _end(None)
        return value

    return run


def _end(error: Optional[BaseException]) -> None:
    """End this process as Python ends a program."""
    status = 1
    try:
        if error is None:
            status = 0
        elif not isinstance(error, SystemExit):
            traceback.print_exception(type(error), error, error.__traceback__)
        elif error.code is None or isinstance(error.code, int):
            status = error.code or 0
        else:
            sys.stderr.write("%s\n" % (error.code,))
    finally:
        os._exit(status)
