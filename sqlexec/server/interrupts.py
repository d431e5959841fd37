"""Driver's calls that Ctrl-C may meet.

A signal that arrives while the driver waits for the network ends that wait with an error, and
leaves the session between two answers.  Signals come to the main thread: there, a call is made
by another thread, and only waited for.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

POLL_SECONDS = 0.1  # on Windows nothing interrupts a wait before it ends

T = TypeVar("T")


def interruptible(call: Callable[[], T], cancel: Callable[[], None]) -> T:
    """Make a call, which an interrupt of this thread cancels instead of breaking it.

    Parameters
    ----------
    call : callable
    cancel : callable
        Makes `call`, which is under way in another thread, end soon.

    Raises
    ------
    KeyboardInterrupt
        After the call has ended; at once at the second interrupt.
    Exception
        What the call raised.

    Example
    -------
    >>> interruptible(lambda: 2 + 2, cancel=lambda: None)
    4
    """
    if threading.current_thread() is not threading.main_thread():
        return call()
    apart = _Apart(call)
    try:
        apart.start()
        return apart.result()
    except KeyboardInterrupt:
        if apart.has_begun():
            with contextlib.suppress(Exception):
                cancel()
            apart.wait()
        raise


class _Apart(Generic[T]):
    """A call in a thread of its own, for one that may be interrupted at any moment.

    Its locks are plain ones, which an interrupt never leaves taken by nobody.
    """

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._turn = threading.Lock()  # who takes it first says whether the call is made
        self._runs = threading.Lock()
        self._gave: list[T] = []
        self._raised: list[BaseException] = []
        self._runs.acquire()

    def start(self) -> None:
        """Begin the call."""
        threading.Thread(target=self._work, name="sqlexec call", daemon=True).start()

    def has_begun(self) -> bool:
        """Whether it has begun; if not, it never will."""
        return not self._turn.acquire(blocking=False)

    def wait(self) -> None:
        """Wait for its end."""
        while not (self._gave or self._raised):
            self._runs.acquire(timeout=POLL_SECONDS)

    def result(self) -> T:
        """Wait for what it gives, or raise what it raised."""
        self.wait()
        if self._raised:
            raise self._raised[0]
        return self._gave[0]

    def _work(self) -> None:
        if not self._turn.acquire(blocking=False):
            return
        try:
            self._gave.append(self._call())
        except BaseException as error:  # noqa: BLE001 - raised again by `result`
            self._raised.append(error)
        finally:
            self._runs.release()
