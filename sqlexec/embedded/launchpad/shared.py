"""Files in memory that the server shares with a satellite: memfd, or an unlinked temporary file.

The satellite is not trusted.  What it may write to is sealed against shrinking before it gets
the descriptor, so that a mapping of ours cannot be cut away under us (SIGBUS); where there are
no seals (macOS) the content is copied out instead of mapped.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import sys
import tempfile
from types import TracebackType

REGION = 1 << 36  # bytes between the starts of two regions; sparse, so nothing is paid for it
_LINUX = sys.platform.startswith("linux")


class SharedFile:
    """A file without a name whose descriptor goes to another process.

    It is written in regions that grow independently, each at its own far-apart offset of one
    sparse file: many growing columns need one descriptor only.

    Example
    -------
    >>> with SharedFile() as file:
    ...     region = file.region()
    ...     region.append(b"abc")
    ...     file.read(10)
    b'abc'
    """

    def __init__(self) -> None:
        if _LINUX:
            self.descriptor = os.memfd_create("sqlexec", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        else:
            self.descriptor, path = tempfile.mkstemp(prefix="sqlexec-")
            os.unlink(path)
        self._regions = 0

    def __enter__(self) -> SharedFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the descriptor back; once, since its number may be another file's by then."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def region(self) -> Region:
        """A new region behind all others."""
        self._regions += 1
        return Region(self.descriptor, (self._regions - 1) * REGION)

    def extend(self, size: int) -> None:
        """Make the file at least `size` bytes long; what was not written reads as zeros."""
        if os.fstat(self.descriptor).st_size < size:
            os.ftruncate(self.descriptor, size)

    def read(self, limit: int) -> bytes:
        """The first `limit` bytes at most, copied."""
        size = min(os.fstat(self.descriptor).st_size, limit)
        parts = []
        position = 0
        while position < size and (part := os.pread(self.descriptor, size - position, position)):
            parts.append(part)
            position += len(part)
        return b"".join(parts)

    def view(self) -> memoryview:
        """The whole content, read-only, without a copy where the system allows that safely.

        The view outlives this object.
        """
        size = os.fstat(self.descriptor).st_size
        if not size:
            return memoryview(b"")
        if not _LINUX:
            return memoryview(self.read(size))
        return memoryview(mmap.mmap(self.descriptor, size, access=mmap.ACCESS_READ))


class Region:
    """A growing part of a `SharedFile`; `start` is its offset, `size` what is written so far."""

    def __init__(self, descriptor: int, start: int) -> None:
        self._descriptor = descriptor
        self.start = start
        self.size = 0

    def append(self, data: bytes | bytearray | memoryview) -> None:
        self.write(self.size, data)

    def write(self, at: int, data: bytes | bytearray | memoryview) -> None:
        """Write at an offset of the region; what lies before it unwritten reads as zeros."""
        rest = memoryview(data)
        rest = rest.cast("B") if rest.nbytes else memoryview(b"")
        if at + len(rest) > REGION:
            raise MemoryError("an external script's input column exceeds 64 GB")
        while len(rest):
            written = os.pwrite(self._descriptor, rest, self.start + at)
            rest = rest[written:]
            at += written
        self.size = max(self.size, at)
