"""The warnings that tasks issue, kept for the client to issue them again."""

import os
import sys
import warnings
from typing import Any, Dict, List, Tuple

from sqlexec.runner.types import WarningKey

MOST_WARNINGS = 100  # kept of one task


class Warned:
    """Keeps the warnings of each task, each once a task, and not too many.

    `seen` has those since the last `take()`.
    """

    def __init__(self) -> None:
        self.seen = {}  # type: Dict[WarningKey, None]
        self._catcher = warnings.catch_warnings()
        self._process_id = os.getpid()

    def __enter__(self) -> "Warned":
        self._catcher.__enter__()
        show = self._show  # type: Any
        warnings.showwarning = show
        return self

    def __exit__(self, *error: Any) -> None:
        self._catcher.__exit__(*error)

    def take(self) -> List[WarningKey]:
        """The warnings since the last call."""
        seen, self.seen = self.seen, {}
        # Entered anew, so that Python forgets at which places it has warned already.
        self._catcher.__exit__(None, None, None)
        self._catcher = warnings.catch_warnings()
        self.__enter__()
        return list(seen)

    def _show(self, message: Any, category: Any, filename: str, lineno: int, *_: Any) -> None:
        if os.getpid() != self._process_id:  # a fork: what is kept there does not come back
            sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))
        elif len(self.seen) < MOST_WARNINGS:
            name = "%s.%s" % (category.__module__, category.__qualname__)
            file, module = _place_of(filename, lineno)
            self.seen[(name, str(message), file, lineno, module)] = None


def _place_of(filename: str, line: int) -> Tuple[str, str]:
    """File and module of the code that runs that line: filters of warnings may name the module.

    Before Python 3.8 a warning has the file of the globals, for notebooks that of the program.
    """
    frame = sys._getframe(2)  # type: Any
    while frame is not None:
        file = frame.f_code.co_filename  # type: str
        if frame.f_lineno == line and (file == filename or sys.version_info < (3, 8)):
            return file, str(frame.f_globals.get("__name__"))
        frame = frame.f_back
    return filename, filename
