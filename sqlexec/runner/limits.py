"""A limit of time for each task of a chunk, and for a stored script.

after `seconds`              an exception in the task: by SIGALRM in the main thread, where
                             that cannot be by a timer thread, between two bytecodes
after 2 x `seconds` + GRACE  code that nothing interrupts: faulthandler tells on stderr where
                             all threads are, and ends the process
after `seconds_left`         of all tasks: the same
"""

import ctypes
import faulthandler
import os
import signal
import sys
import threading
import time
from typing import Any, Optional, Type

from sqlexec.runner.types import Function

GRACE = 3.0  # seconds
SHORTEST_INTERVAL = 1.0  # seconds between two exceptions in a task that ignores them


class TaskTimeout(TimeoutError):
    """The task took longer than it may."""


class TimeLimit:
    """Limits tasks, one after the other, while it is entered as a context.

    `seconds` are those of a task, None for no limit, and `seconds_left` those of all of them, 0
    for no limit.  `kind` is the class of the exception in the task; `fatal` whether a task that
    cannot be interrupted ends the process.
    """

    def __init__(
        self,
        seconds: Optional[float],
        kind: Type[BaseException] = TaskTimeout,
        fatal: bool = True,
        seconds_left: float = 0,
    ) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds_left if seconds_left else None
        self._kind = kind
        self._running = False
        self._fatal = fatal
        self._stderr = None  # type: Optional[int]
        self._timer = None  # type: Any
        in_main = seconds is not None and threading.current_thread() is threading.main_thread()
        self._by_signal = in_main and hasattr(signal, "setitimer")

    def __enter__(self) -> "TimeLimit":
        if self._by_signal:
            self._before = signal.signal(signal.SIGALRM, self._ring)
            self._alarm = signal.getitimer(signal.ITIMER_REAL)  # of somebody else
            self._entered = time.time()
        if self._fatal:
            try:
                self._stderr = os.dup(2)  # that of the process, whoever takes its place later
            except OSError:
                pass  # a service without one: nothing can tell where a task was stuck
        self._watch(None)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._by_signal:
            signal.signal(signal.SIGALRM, self._before or signal.SIG_DFL)
            left, interval = self._alarm
            if left:
                left = max(left - (time.time() - self._entered), 0.001)
                signal.setitimer(signal.ITIMER_REAL, left, interval)
        if self._stderr is not None:
            faulthandler.cancel_dump_traceback_later()
            os.close(self._stderr)

    def limited(self, function: Function) -> Function:
        """The function, each call of which is a task."""

        def limited(**arguments: Any) -> Any:
            self.start()
            try:
                return function(**arguments)
            finally:
                self.stop()

        return limited

    def start(self) -> None:
        """A task begins."""
        if self._seconds is None:
            return
        self._running = True
        self._watch(2 * self._seconds + GRACE)
        if self._by_signal:
            again = max(self._seconds, SHORTEST_INTERVAL)
            signal.setitimer(signal.ITIMER_REAL, self._seconds, again)
        else:
            self._timer = _Timer(self._seconds, self._kind)

    def stop(self) -> None:
        """It has ended, in time or not; may be called twice."""
        if self._seconds is None:
            return
        self._running = False
        if self._by_signal:
            signal.setitimer(signal.ITIMER_REAL, 0)
        elif self._timer is not None:
            self._timer.stop()
            self._timer = None
        self._watch(None)

    def has_raised(self, error: BaseException) -> bool:
        """Is it the exception of this limit?"""
        return type(error) is self._kind

    def _watch(self, seconds: Optional[float]) -> None:
        """End the process after so many seconds, at the end of all tasks' time at the latest."""
        if self._stderr is None:
            return
        if self._end is not None:
            left = max(self._end - time.monotonic(), 0.001)
            seconds = left if seconds is None else min(left, seconds)
        if seconds is None:
            faulthandler.cancel_dump_traceback_later()
        else:
            faulthandler.dump_traceback_later(seconds, exit=True, file=self._stderr)

    def _ring(self, *_: object) -> None:
        if self._running:
            raise self._kind()


class _Timer:
    """Raises an exception of a class in the thread that made it, later."""

    def __init__(self, seconds: float, kind: Type[BaseException]) -> None:
        self._lock = threading.Lock()
        self._stopped = False
        self._raised = False
        self._kind = kind
        wide = sys.version_info >= (3, 7)
        self._thread = (ctypes.c_ulong if wide else ctypes.c_long)(threading.get_ident())
        self._timer = threading.Timer(seconds, self._ring)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Raise nothing any more, not even what was set and has not come up yet.

        It comes up here: to take it back would leave CPython 3.11 with a flag that is never
        cleared, and a profile function would then stop the thread for ever.
        """
        self._timer.cancel()
        try:
            with self._lock:
                self._stopped = True
            for _ in range(100 if self._raised else 0):
                pass  # Python looks for exceptions at each turn of a loop
        except self._kind:
            self._stopped = True

    def _ring(self) -> None:
        with self._lock:
            if not self._stopped:
                self._raised = True
                kind = ctypes.py_object(self._kind)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(self._thread, kind)


def time_limit(seconds: Optional[float], seconds_left: float = 0) -> TimeLimit:
    """A TimeLimit for the tasks of a chunk."""
    return TimeLimit(seconds, seconds_left=seconds_left)
