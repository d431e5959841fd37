"""What a task may change in its process, put back when the chunk ends.

Some runtimes run one script after the other in the same process, in the same `__main__`.
"""

import os
import signal
import sys
import threading
import warnings
from typing import Any, Dict, List

_SIGNALS = [  # those that a function may have a use for; each system has some of them
    getattr(signal, name)
    for name in (
        *("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP", "SIGALRM", "SIGVTALRM"),
        *("SIGPROF", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGPIPE"),
    )
    if hasattr(signal, name)
]


class Surroundings:
    """The process as it is now, for `restore`.

    Names of `__main__`, directory, environment, import path and finders, filters of warnings,
    signal handlers, timer, trace and profile functions.  Packages that were imported stay, and so
    do finders of theirs.
    """

    def __init__(self) -> None:
        self._main = sys.modules["__main__"].__dict__
        self._names = dict(self._main)
        self._directory = _directory()
        self._environment = dict(os.environ)
        self._path = list(sys.path)
        self._finders = list(sys.meta_path)  # type: List[Any]
        self._filters = list(warnings.filters)
        self._hooks = (sys.gettrace(), sys.getprofile())
        self._handlers = {}  # type: Dict[int, Any]
        if threading.current_thread() is threading.main_thread():  # no other may set them
            self._handlers = {each: signal.getsignal(each) for each in _SIGNALS}

    def restore(self) -> None:
        """Make it so again. What cannot be (a directory that is gone) stays as it is."""
        sys.settrace(self._hooks[0])
        sys.setprofile(self._hooks[1])
        if self._handlers and hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        for name in [each for each in self._main if each not in self._names]:
            del self._main[name]
        self._main.update(self._names)
        if dict(os.environ) != self._environment:
            os.environ.clear()
            os.environ.update(self._environment)
        sys.path[:] = self._path
        sys.meta_path[:] = self._finders + [each for each in sys.meta_path if self._stays(each)]
        if warnings.filters != self._filters:
            warnings.resetwarnings()  # also tells the caches of all modules
            warnings.filters[:] = self._filters  # type: ignore[index]
        if self._directory != _directory():
            try:
                os.chdir(self._directory)
            except OSError:
                pass

    def _stays(self, finder: Any) -> bool:
        """Is it the new finder of an imported package (six has one), which needs it further?"""
        kind = finder if isinstance(finder, type) else type(finder)
        module = sys.modules.get(kind.__module__)
        return (
            finder not in self._finders
            and module is not None
            and module.__dict__ is not self._main
            and getattr(module, kind.__name__, None) is kind
        )


def _directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""
