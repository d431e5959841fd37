"""What a task writes: print, sys.stdout.write, and C code that writes to file descriptors 1, 2.

    sys.stdout, sys.stderr ---> Recorder <--- files that stand behind descriptors 1 and 2

Python's writes are kept in order; what came through a descriptor is put in before the next of
Python's writes to the same stream, or at the task's end.
"""

import codecs
import io
import os
import sys
import tempfile
from typing import Any, List, Optional, Tuple

from sqlexec.runner.types import Lines


class Recorder:
    """Stands in for both streams and both descriptors while it is entered as a context.

    `take()` gives what was written since the last call as a list of (stream, text), with
    stream "stdout" or "stderr".
    """

    def __init__(self) -> None:
        self._lines = []  # type: Lines
        self._descriptors = []  # type: List[_Descriptor]
        self._saved = (sys.stdout, sys.stderr)

    def __enter__(self) -> "Recorder":
        self._saved = (sys.stdout, sys.stderr)
        for number, name in ((1, "stdout"), (2, "stderr")):
            self._descriptors.append(_Descriptor(number, name))
        sys.stdout = Stream(self, self._descriptors[0])
        sys.stderr = Stream(self, self._descriptors[1])
        return self

    def __exit__(self, *_: object) -> None:
        sys.stdout, sys.stderr = self._saved
        for descriptor in self._descriptors:
            descriptor.restore()

    def add(self, name: str, text: str) -> None:
        """Append text to a stream's record."""
        if text:
            self._lines.append((name, text))

    def take(self) -> Lines:
        """What was written since the last call; neighbours of one stream are one piece."""
        _flush_c()
        for descriptor in self._descriptors:
            if descriptor.has_more():
                self.add(descriptor.name, descriptor.read())
        if not self._lines:
            return []
        lines, self._lines = self._lines, []
        merged = []  # type: Lines
        start = 0
        for end in range(1, len(lines) + 1):
            if end == len(lines) or lines[end][0] != lines[start][0]:
                merged.append((lines[start][0], "".join(text for _, text in lines[start:end])))
                start = end
        return merged


class Stream(io.TextIOBase):
    """sys.stdout or sys.stderr of a task: records text, and has `buffer` and `fileno()` too."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, recorder: Recorder, descriptor: "_Descriptor") -> None:
        super().__init__()
        self._recorder = recorder
        self._descriptor = descriptor
        self.name = "<%s>" % descriptor.name
        self.buffer = _Bytes(self)

    def write(self, text: str) -> int:
        """Record the text, after what came through the descriptor before it."""
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not %s" % type(text).__name__)
        if self._descriptor.has_more():
            self._recorder.add(self._descriptor.name, self._descriptor.read())
        self._recorder.add(self._descriptor.name, text)
        return len(text)

    def writable(self) -> bool:
        """True: it can be written to."""
        return True

    def fileno(self) -> int:
        """The real descriptor, for subprocesses and C code; what they write is recorded too."""
        return self._descriptor.number

    def isatty(self) -> bool:
        """False: nobody sits before it."""
        return False


class _Bytes(io.RawIOBase):
    """sys.stdout.buffer: bytes in UTF-8, cut anywhere."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def write(self, data: Any) -> int:
        """Record bytes as text."""
        self._stream.write(self._decode(bytes(data)))
        return len(data)

    def writable(self) -> bool:
        """True: it can be written to."""
        return True


class _Descriptor:
    """File descriptor 1 or 2, led into a file for a while.

    Where the process has no such descriptor (a Windows service), there is nothing to lead.
    """

    def __init__(self, number: int, name: str) -> None:
        self.number = number
        self.name = name
        self._position = 0
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        try:
            self._original = os.dup(number)  # type: Optional[int]
        except OSError:
            self._original = None
            return
        self._file = tempfile.TemporaryFile()
        os.dup2(self._file.fileno(), number)

    def has_more(self) -> bool:
        """Was something written through the descriptor that was not read yet?"""
        if self._original is None:
            return False
        return os.lseek(self.number, 0, os.SEEK_CUR) > self._position

    def read(self) -> str:
        """What was written through the descriptor since the last call."""
        end = os.lseek(self.number, 0, os.SEEK_CUR)
        os.lseek(self.number, self._position, os.SEEK_SET)
        parts = []
        while self._position < end:
            part = os.read(self._file.fileno(), min(end - self._position, 1 << 20))
            if not part:
                break
            self._position += len(part)
            parts.append(part)
        self._position = os.lseek(self.number, 0, os.SEEK_END)
        return self._decode(b"".join(parts))

    def restore(self) -> None:
        """Give the descriptor back to what it was."""
        if self._original is not None:
            os.dup2(self._original, self.number)
            os.close(self._original)
            self._original = None
            self._file.close()


def _c_library() -> Any:
    """The C library of this process, whose buffers hold what printf wrote; None without ctypes."""
    try:
        import ctypes

        return ctypes.cdll.msvcrt if os.name == "nt" else ctypes.CDLL(None)
    except (ImportError, OSError):
        return None


_C_LIBRARY = _c_library()


def _flush_c() -> None:
    if _C_LIBRARY is not None:
        _C_LIBRARY._flushall() if os.name == "nt" else _C_LIBRARY.fflush(None)
