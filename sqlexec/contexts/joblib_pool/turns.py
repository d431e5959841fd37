"""Who waits for whom in this process, where joblib's backends are used."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator


class Turns:
    """Lets many in at a time, or one alone; those who come later wait for it."""

    def __init__(self) -> None:
        self._door = threading.Lock()
        self._changed = threading.Condition()
        self._inside = 0

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Beside others."""
        with self._door, self._changed:
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """When those inside have left, and before others enter."""
        with self._door:
            with self._changed:
                self._changed.wait_for(lambda: not self._inside)
            yield


class ThisProcess:
    """What all pools of this process have in common; a fork begins with its own.

    Attributes
    ----------
    starting : threading.Lock
        Held while processes start, so that each pool knows which are its own.
    running : threading.Lock
        Held by the one chunk that runs here: dask may have threads in its processes, but console,
        globals and random streams are a process's.
    turns_of_loky : Turns
        Of calls in the processes of loky, which are the same for all pools.
    """

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Forget who waits; they are the parent's."""
        self.starting = threading.Lock()
        self.running = threading.Lock()
        self.turns_of_loky = Turns()


HERE = ThisProcess()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=HERE.renew)
