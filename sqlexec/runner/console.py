"""What a task writes: print, sys.stdout.write, and C code that writes to file descriptors 1, 2.

    sys.stdout, sys.stderr ---> Recorder <--- files that stand behind descriptors 1 and 2
                                   |
                    start [what was cut] end    of each task's output

Python's writes are kept in order; what came through a descriptor is put in before the next of
Python's writes to the same stream, or at the task's end.
"""

import codecs
import functools
import io
import os
import sys
import tempfile
import threading
from collections import deque
from typing import Any, Callable, Deque, Iterator, List, Optional, Tuple

from sqlexec.runner.types import Lines

MOST_WRITTEN = 1 << 20  # characters that are kept of one task, half of them from the start
MOST_WRITTEN_TOGETHER = 1 << 26  # of all tasks of a chunk: what is left of it bounds the later ones
LEAST_WRITTEN = 1 << 11  # of one task, whatever those before it wrote
_BYTES_AT_A_TIME = 1 << 20  # that are held or read before they are recorded
_PIECES_AT_A_TIME = 1000  # that are joined


class Recorder:
    """Stands in for both streams and both descriptors while it is entered as a context.

    `take()` gives what was written since the last call as a list of (stream, text), with
    stream "stdout" or "stderr".  `entered` tells whether it does.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a task may have threads
        self._left = MOST_WRITTEN_TOGETHER
        self._record = _Record(MOST_WRITTEN)
        self._new = []  # type: Lines
        self._written = False  # anything since the last take()
        self._room = _BYTES_AT_A_TIME  # for more of them
        self._descriptors = []  # type: List[_Descriptor]
        self._saved = (sys.stdout, sys.stderr)
        self.entered = False

    def __enter__(self) -> "Recorder":
        self._saved = (sys.stdout, sys.stderr)
        for number, name in ((1, "stdout"), (2, "stderr")):
            self._descriptors.append(_Descriptor(number, name))
        sys.stdout = Stream(self, self._descriptors[0])
        sys.stderr = Stream(self, self._descriptors[1])
        self.entered = True
        return self

    def __exit__(self, *_: object) -> None:
        self.entered = False
        sys.stdout, sys.stderr = self._saved
        for descriptor in self._descriptors:
            descriptor.restore()

    def add(self, descriptor: "_Descriptor", text: str = "") -> None:
        """Record a text, after what came through the stream's descriptor before it."""
        with self._lock:
            self._written = True
            if descriptor.end() > descriptor.position:
                self._record_new()
                for part in descriptor.read():
                    self._record.add(descriptor.name, part)
            if text:
                self._new.append((descriptor.name, text))
                self._room -= len(text)
                if self._room < 0 or len(self._new) > _PIECES_AT_A_TIME:
                    self._record_new()

    def take(self) -> Lines:
        """What was written since the last call; neighbours of one stream are one piece."""
        _flush_c(None)
        out, err = self._descriptors
        silent = out.end() <= out.position and err.end() <= err.position
        if silent and not self._written:
            return []  # as most tasks
        with self._lock:
            self.add(out)
            self.add(err)
            self._record_new()
            self._written = False
            lines = self._record.lines()
            if lines:
                self._left -= sum(len(text) for _, text in lines)
                self._record = _Record(min(MOST_WRITTEN, max(LEAST_WRITTEN, self._left // 8)))
        return lines

    def _record_new(self) -> None:
        """Many small texts in few: print makes two of each line."""
        new, self._new, self._room = self._new, [], _BYTES_AT_A_TIME
        for name, text in _joined_pieces(new):
            self._record.add(name, text)


class _Record:
    """What one task wrote: all of it, or the first and the last `most` / 2 characters."""

    def __init__(self, most: int) -> None:
        self._half = most // 2
        self._room = self._half  # left in the start
        self._start = []  # type: Lines
        self._end = deque()  # type: Deque[Tuple[str, str]]
        self._length = 0  # of the end
        self._cut = 0
        self._cut_lines = 0

    def add(self, name: str, text: str) -> None:
        """Append text to a stream's record."""
        if self._room:
            first, text = text[: self._room], text[self._room :]
            self._room -= len(first)
            self._start.append((name, first))
        if text:
            self._end.append((name, text))
            self._length += len(text)
            if self._length > 2 * self._half:
                self._shorten()

    def lines(self) -> Lines:
        """All that is kept, with a note of what is not."""
        self._shorten()
        pieces = self._start[:]
        if self._cut:
            note = "\n[sqlexec: %s characters (%s lines) that the run wrote here were cut]\n"
            pieces.append(
                ("stderr", note % tuple(map("{:,}".format, (self._cut, self._cut_lines))))
            )
        pieces += self._end
        return _joined_pieces(pieces)

    def _shorten(self) -> None:
        """Cut the front of the end."""
        while self._length > self._half:
            name, text = self._end.popleft()
            excess = min(len(text), self._length - self._half)
            self._length -= excess
            self._cut += excess
            self._cut_lines += text.count("\n", 0, excess)
            if excess < len(text):
                self._end.appendleft((name, text[excess:]))


def _joined_pieces(pieces: Lines) -> Lines:
    """Neighbours of one stream as one piece."""
    joined = []  # type: Lines
    start = 0
    for end in range(1, len(pieces) + 1):
        if end == len(pieces) or pieces[end][0] != pieces[start][0]:
            joined.append((pieces[start][0], "".join(text for _, text in pieces[start:end])))
            start = end
    return joined


class Stream(io.TextIOWrapper):
    """sys.stdout or sys.stderr of a task: all that these have, but text is recorded at once."""

    def __init__(self, recorder: Recorder, descriptor: "_Descriptor") -> None:
        super().__init__(_Bytes(self, descriptor), "utf-8", "replace")
        self._recorder = recorder
        self._descriptor = descriptor
        self._process_id = os.getpid()

    def write(self, text: str) -> int:
        """Record the text, after what came through the descriptor before it."""
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not %s" % type(text).__name__)
        if os.getpid() != self._process_id:  # a fork: what leaves it by the descriptor is seen
            os.write(self._descriptor.number, text.encode("utf-8", "backslashreplace"))
        elif self._recorder.entered:
            self._recorder.add(self._descriptor, text)
        else:  # a handler of logging, say, has kept it
            now = getattr(sys, self._descriptor.name)
            if now is not None and now is not self:
                now.write(text)
        return len(text)

    def close(self) -> None:
        """Let it be: the next task needs it."""


class _Bytes(io.RawIOBase):
    """sys.stdout.buffer: bytes in UTF-8, cut anywhere."""

    def __init__(self, stream: Stream, descriptor: "_Descriptor") -> None:
        super().__init__()
        self._stream = stream
        self._number = descriptor.number
        self.name = "<%s>" % descriptor.name
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def write(self, data: Any) -> int:
        """Record bytes as text."""
        self._stream.write(self._decode(bytes(data)))
        return len(data)

    def writable(self) -> bool:
        """True: it can be written to."""
        return True

    def fileno(self) -> int:
        """The real descriptor, for subprocesses and C code; what they write is recorded too."""
        return self._number


class _Descriptor:
    """File descriptor 1 or 2, led into a file for a while.

    `end()` tells how much was written through it, `position` how much of that was read.  Where the
    process has no such descriptor (a Windows service), there is nothing to lead.
    """

    def __init__(self, number: int, name: str) -> None:
        self.number = number
        self.name = name
        self.position = 0
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        try:
            self._original = os.dup(number)  # type: Optional[int]
        except OSError:
            self._original = None
            self.end = lambda: 0  # type: Callable[[], int]
            return
        self._file = tempfile.TemporaryFile()
        # Where the descriptor stands; asked of its file, as a task may have closed it.
        self.end = functools.partial(os.lseek, self._file.fileno(), 0, os.SEEK_CUR)
        os.dup2(self._file.fileno(), number)

    def read(self) -> Iterator[str]:
        """What was written through the descriptor since the last call, in parts."""
        end = self.end()
        while self.position < end:
            count = min(end - self.position, _BYTES_AT_A_TIME)
            part = _read_at(self._file.fileno(), self.position, count)
            if not part:
                break
            self.position += len(part)
            yield self._decode(part)
        self.position = end

    def restore(self) -> None:
        """Give the descriptor back to what it was."""
        if self._original is not None:
            os.dup2(self._original, self.number)
            os.close(self._original)
            self._original = None
            self._file.close()


def _read_at(number: int, position: int, count: int) -> bytes:
    """Bytes of a file, where it can be without moving the place at which others write to it."""
    if hasattr(os, "pread"):
        return os.pread(number, count, position)
    end = os.lseek(number, 0, os.SEEK_CUR)
    os.lseek(number, position, os.SEEK_SET)
    part = os.read(number, count)
    os.lseek(number, end, os.SEEK_SET)
    return part


def _c_flush() -> Callable[[Any], Any]:
    """The C function that, called with None, writes out what printf keeps in buffers."""
    try:
        import ctypes

        if os.name == "nt":
            return lambda _: ctypes.cdll.msvcrt._flushall()
        flush = ctypes.CDLL(None).fflush
        flush.argtypes = [ctypes.c_void_p]
        return flush
    except (ImportError, OSError, AttributeError):
        return lambda _: None


_flush_c = _c_flush()
