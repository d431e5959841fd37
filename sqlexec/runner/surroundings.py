"""What a task may change in its process, put back when the chunk ends.

Some runtimes run one script after the other in the same process, in the same `__main__`.
"""

import os
import random
import signal
import sys
import threading
from typing import Any, Dict, List

_SIGNALS = [
    getattr(signal, name)
    for name in dir(signal)
    if name.startswith("SIG") and not name.startswith("SIG_")
]


class Surroundings:
    """The process as it is now, for `restore`.

    Names of `__main__`, directory, environment, import path and finders, signal handlers and the
    alarm, and the state of `random` and of numpy's global generator.
    """

    def __init__(self) -> None:
        self._main = sys.modules["__main__"].__dict__
        self._names = dict(self._main)
        self._directory = _directory()
        self._environment = dict(os.environ)
        lists = [sys.path, sys.meta_path, sys.path_hooks]  # type: List[Any]
        self._lists = [(each, list(each)) for each in lists]
        self._handlers = {}  # type: Dict[int, Any]
        if _in_main_thread():
            self._handlers = {each: signal.getsignal(each) for each in _SIGNALS}
        self._random = random.getstate()
        numpy = _numpy_random()
        self._numpy = numpy.get_state() if numpy is not None else None

    def restore(self) -> None:
        """Make it so again. What cannot be (a directory that is gone) stays as it is."""
        for number, handler in self._handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        if self._handlers and hasattr(signal, "alarm"):
            signal.alarm(0)
        _restore_items(self._main, self._names)
        _restore_items(os.environ, self._environment)
        for place, items in self._lists:
            place[:] = items
        if self._directory != _directory():
            try:
                os.chdir(self._directory)
            except OSError:
                pass
        random.setstate(self._random)
        if self._numpy is not None:
            _numpy_random().set_state(self._numpy)


def _restore_items(place: Any, items: Dict[str, Any]) -> None:
    for name in [each for each in place if each not in items]:
        del place[name]
    for name, value in items.items():
        if place.get(name) is not value:
            place[name] = value


def _directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _numpy_random() -> Any:
    return sys.modules.get("numpy.random")
