"""Locks of tables for writers: shared or exclusive, held to the end of a transaction.

Who waits for whom is known here, so a circle of waiters (a deadlock) is found the moment it
would close; the one who would close it gets error 1205, as SQL Server's monitor would give it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable

from sqlexec.embedded.tsql.errors import SqlError

_CANCEL_POLL = 0.1  # seconds between two looks at the cancel event while waiting


class Locks:
    """The lock table of one engine; owners are connections (any hashable object)."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holders: dict[str, dict[Hashable, bool]] = {}  # table -> owner -> exclusive
        self._waiting: dict[Hashable, tuple[str, bool]] = {}  # owner -> table, exclusive

    def acquire(
        self,
        owner: Hashable,
        table: str,
        *,
        exclusive: bool,
        timeout: float = -1.0,
        cancelled: threading.Event | None = None,
        number: int = 0,
    ) -> None:
        """Wait until `owner` holds the lock.

        Parameters
        ----------
        timeout : float
            Seconds to wait at most; -1 for no limit.
        cancelled : threading.Event or None
            Waiting ends with error 3621 when it is set.
        number : int
            The session's number, for the text of 1205.

        Raises
        ------
        SqlError
            1205 when waiting would be a deadlock, 1222 after the timeout.
        """
        deadline = None if timeout < 0 else time.monotonic() + timeout
        with self._changed:
            holders = self._holders.setdefault(table, {})
            if holders.get(owner) is not None and (holders[owner] or not exclusive):
                return
            try:
                while self._blockers(owner, table, exclusive):
                    self._waiting[owner] = (table, exclusive)
                    if self._closes_circle(owner):
                        raise SqlError.of(1205, number)
                    if cancelled is not None and cancelled.is_set():
                        raise SqlError(3621, "The statement has been terminated.", 16)
                    left = None if deadline is None else deadline - time.monotonic()
                    if left is not None and left <= 0:
                        raise SqlError.of(1222)
                    self._changed.wait(_CANCEL_POLL if left is None else min(left, _CANCEL_POLL))
                self._holders.setdefault(table, {})[owner] = exclusive
            finally:
                self._waiting.pop(owner, None)

    def holds(self, owner: Hashable, table: str) -> bool:
        """Whether `owner` has the lock of a table, shared or exclusive."""
        with self._changed:
            return owner in self._holders.get(table, {})

    def free(self, owner: Hashable, table: str, *, exclusive: bool) -> bool:
        """Whether `owner` would get the lock without waiting."""
        with self._changed:
            return not self._blockers(owner, table, exclusive)

    def release(self, owner: Hashable, table: str | None = None) -> bool:
        """Give back the lock of a table, or all locks of `owner`; False if it had none."""
        with self._changed:
            tables = list(self._holders) if table is None else [table]
            found = [each for each in tables if owner in self._holders.get(each, {})]
            for each in found:
                del self._holders[each][owner]
                if not self._holders[each]:
                    del self._holders[each]
            self._changed.notify_all()
        return bool(found)

    def _blockers(self, owner: Hashable, table: str, exclusive: bool) -> list[Hashable]:
        return [
            other
            for other, other_exclusive in self._holders.get(table, {}).items()
            if other is not owner and (exclusive or other_exclusive)
        ]

    def _closes_circle(self, owner: Hashable) -> bool:
        seen: set[Hashable] = set()
        ahead = [owner]
        while ahead:
            waiter = ahead.pop()
            if waiter not in self._waiting:
                continue
            for blocker in self._blockers(waiter, *self._waiting[waiter]):
                if blocker is owner:
                    return True
                if blocker not in seen:
                    seen.add(blocker)
                    ahead.append(blocker)
        return False
