"""Peak memory of a process and all below it, shared pages counted once."""

from __future__ import annotations

import resource
import threading
from pathlib import Path
from types import TracebackType

import psutil

PERIOD = 0.02  # seconds between samples


class PeakOfTree:
    """While entered, samples a process tree; `bytes` is the largest sum seen.

    The sum is of proportional set sizes where the system tells them (Linux), so that what a
    server and its satellites share counts once; else of resident sizes.
    """

    def __init__(self, process_id: int) -> None:
        self.bytes = 0
        self._process = psutil.Process(process_id)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> PeakOfTree:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(PERIOD):
            tree = [self._process, *self._process.children(recursive=True)]
            self.bytes = max(self.bytes, sum(map(_memory, tree)))


def own_peak() -> int:
    """The most bytes that this process has held at once."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would be the parent's where that was larger: exec keeps it
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _memory(process: psutil.Process) -> int:
    try:
        rollup = Path(f"/proc/{process.pid}/smaps_rollup")
        if not rollup.exists():
            return int(process.memory_info().rss)
        lines = rollup.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    except (psutil.Error, OSError, StopIteration):
        return 0  # ended between two looks
