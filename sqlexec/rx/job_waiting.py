"""Looks at a job in the server until it has ended: the longer it takes, the less often."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from sqlexec.rx.progress import bar_of
from sqlexec.server.job_records import JobInfo

LEAST_POLL_SECONDS, MOST_POLL_SECONDS = 0.02, 1.0
POLL_PART = 0.03  # of the time that a job has run so far: so late may its end be noticed


def looks(ask: Callable[[], JobInfo | None], timeout: float | None) -> Iterator[JobInfo | None]:
    """Yield what `ask` gives, until the job has ended, or is gone, or so many seconds have passed.

    Parameters
    ----------
    ask : callable
        Gives how the job stands, None where the server knows it no more.
    timeout : float or None
        0 for a single look; None for as long as it takes.
    """
    begin = time.monotonic()
    while True:
        info = ask()
        yield info
        passed = time.monotonic() - begin
        if info is None or not info.open or (timeout is not None and passed >= timeout):
            return
        pause = min(MOST_POLL_SECONDS, max(LEAST_POLL_SECONDS, POLL_PART * passed))
        time.sleep(pause if timeout is None else min(pause, timeout - passed))


def with_bar(looked: Iterator[JobInfo | None]) -> Iterator[JobInfo | None]:
    """Show how many runs are done at each look."""
    bar, shown = None, 0
    try:
        for info in looked:
            if info is not None:
                bar = bar or bar_of(info.task_count)
                bar.update(info.tasks_done - shown)
                shown = info.tasks_done
            yield info
    finally:
        if bar is not None:
            bar.close()
