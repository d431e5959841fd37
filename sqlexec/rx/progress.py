"""How far a job is: a bar of tqdm in terminals and notebooks, lines of text in log files.

sqlexec:  45%|####      | 450/1000 [00:12<00:14, 37.1run/s, failed=2]
sqlexec: 450 of 1,000 runs in 0:00:12, 2 failed, about 0:00:14 left
"""

from __future__ import annotations

import contextlib
import sys
import time
import warnings
from collections.abc import Generator
from datetime import timedelta
from typing import Any, Protocol

from sqlexec.tasks import Outcomes

SECONDS_BETWEEN_LINES = 5.0


class Bar(Protocol):
    """What of tqdm's bar is used here."""

    def update(self, n: int = 1) -> object:
        """So many more are done."""
        ...

    def set_postfix(self, *, failed: int, refresh: bool) -> object:
        """So many have failed."""
        ...

    def close(self) -> object:
        """The last word."""
        ...


def with_progress(
    delivered: Generator[Outcomes, None, None], count: int | None
) -> Generator[Outcomes, None, None]:
    """Pass outcomes on and show how many there were.

    Parameters
    ----------
    delivered : generator of Outcomes
        Closed with this one.
    count : int or None
        How many there will be; None if nobody knows.
    """
    failed = 0
    with contextlib.closing(delivered), contextlib.closing(bar_of(count)) as bar:
        for outcomes in delivered:
            if more := sum(each.error is not None for each in outcomes.told.values()):
                failed += more
                bar.set_postfix(failed=failed, refresh=False)
            bar.update(len(outcomes))
            yield outcomes


def bar_of(count: int | None) -> Bar:
    """A bar for so many runs; to be closed at the end."""
    tqdm = _tqdm()
    if tqdm is None:
        return _Lines(count)
    bar: Bar = tqdm(total=count, desc="sqlexec", unit="run", dynamic_ncols=True)
    return bar


def _tqdm() -> Any:
    """The kind of bar that suits this place, None where only lines do."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns that widgets for notebooks are missing
            from tqdm.auto import tqdm
    except ImportError:
        return None
    in_notebook = any(base.__module__ == "tqdm.notebook" for base in tqdm.__mro__)
    return tqdm if in_notebook or sys.stderr.isatty() else None


class _Lines:
    """A line of text every few seconds, and one at the end."""

    def __init__(self, count: int | None) -> None:
        self._count = count
        self._done = 0
        self._failed = 0
        self._begin = self._told = time.monotonic()

    def update(self, n: int = 1) -> None:
        self._done += n
        if time.monotonic() - self._told >= SECONDS_BETWEEN_LINES:
            self._tell()

    def set_postfix(self, *, failed: int, refresh: bool) -> None:
        self._failed = failed

    def close(self) -> None:
        self._tell()

    def _tell(self) -> None:
        self._told = time.monotonic()
        seconds = self._told - self._begin
        words = f"{self._done:,} runs"
        if self._count is not None:
            words = f"{self._done:,} of {self._count:,} runs"
        words += f" in {_duration(seconds)}"
        if self._failed:
            words += f", {self._failed:,} failed"
        if self._count is not None and 0 < self._done < self._count:
            left = seconds / self._done * (self._count - self._done)
            words += f", about {_duration(left)} left"
        print(f"sqlexec: {words}", file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
