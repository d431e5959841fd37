"""The frame of every payload and result: a seal, a header, and bytes.

    magic "sqlx" | version u16 | kind u16 | seal 32 bytes
    | hash of the body 32 bytes | header length u32 | header | body

Integers are little-endian.  The header is ASCII JSON.  The body is the concatenation of the
pickles and buffers that the header lists with their lengths.  The seal is the HMAC-SHA256 of
all but the seal and the body under the job's key (results), or its SHA-256 (requests, where it
only finds cut or changed bytes: whoever may send a request may run Python in the server anyway).
It is checked, and then the body's hash, before a single byte of the body is unpickled.  The
header can be read and trusted without the body.  docs/payload.md has all of the format.

The hash of the body is the SHA-256 of the SHA-256s of its parts of 8 MiB (the last is shorter, an
empty body has none), so that several cores can work on a large one.
"""

import hashlib
import hmac
import io
import json
import os
import struct
import threading
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from sqlexec.runner.types import Buffer

WIRE_VERSION = 1
REQUEST = 1
RESULT = 2
LARGEST = 2**31 - 1 - 1024  # bytes of a frame that a varbinary(max) is sure to hold

_MAGIC = b"sqlx"
_START = struct.Struct("<4sHH")
_SEALED = _START.size + 32  # where what the seal covers goes on
_LENGTH = _SEALED + 32  # where the header's length is
_HEADER = _LENGTH + 4
_PART = 8 * 1024 * 1024  # bytes of the body that are hashed by themselves
_MOST_THREADS = 4


class FrameError(Exception):
    """Bytes that are no frame of this version, or are cut, changed, or sealed with another key."""


class TooLarge(ValueError):
    """More bytes than one frame can have."""


class Header(dict):  # type: ignore[type-arg]
    """A frame's header; an entry that it lacks is an error of the frame."""

    def __missing__(self, name: str) -> Any:
        raise FrameError("its header lacks %r" % name)


def join_frame(
    kind: int, header: Dict[str, Any], body: Sequence[Buffer], key: bytes = b""
) -> bytes:
    """Put a frame together; `key` b"" seals with a plain SHA-256. The body is copied once.

    TooLarge comes before anything of the body is copied.
    """
    text = json.dumps(header, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    size = _HEADER + len(text) + sum(sizes(body))
    check_size(size)
    parts = list(_parts(body))
    hashes = _Hashes(parts)
    frame = io.BytesIO(bytes(size))  # it gives these very bytes in the end, not a copy
    frame.seek(_HEADER)
    frame.write(text)
    for part in parts:
        for view in part:
            frame.write(view)
    start = _START.pack(_MAGIC, WIRE_VERSION, kind)
    rest = hashes.digest() + struct.pack("<I", len(text))
    frame.seek(0)
    frame.write(start + _seal(start, rest + text, key) + rest)
    return frame.getvalue()


def split_frame(data: Buffer, kind: int, key: bytes = b"") -> Tuple[Header, memoryview]:
    """Check a frame's seal and give its header and a view of its body; FrameError if it fails."""
    view = memoryview(data)
    header, start = _checked_header(view, kind, key)
    body = view[start:]
    if _Hashes(list(_parts([body]))).digest() != view[_SEALED:_LENGTH]:
        raise FrameError("its body was cut or changed")
    return header, body


def read_header(data: Buffer, kind: int, key: bytes = b"") -> Header:
    """Check the seal and give the header of a frame, or of the first part of one."""
    return _checked_header(memoryview(data), kind, key)[0]


def header_end(frame: Buffer) -> int:
    """How many bytes of a frame `read_header` needs."""
    return _HEADER + int(struct.unpack_from("<I", frame, _LENGTH)[0])


def _checked_header(view: memoryview, kind: int, key: bytes) -> Tuple[Header, int]:
    """The header, and where the body begins."""
    if len(view) < _HEADER:
        raise FrameError("it has %d bytes, fewer than a frame's first part" % len(view))
    magic, version, found = _START.unpack_from(view)
    if magic != _MAGIC:
        raise FrameError("it does not begin as a frame does")
    if version != WIRE_VERSION:
        raise FrameError("it has format version %d, this side reads %d" % (version, WIRE_VERSION))
    if found != kind:
        raise FrameError("it is of kind %d, not %d" % (found, kind))
    end = header_end(view)
    if end > len(view):
        raise FrameError("its header is longer than it is itself: it was cut, or changed")
    seal = _seal(view[: _START.size], view[_SEALED:end], key)
    if not hmac.compare_digest(bytes(view[_START.size : _SEALED]), seal):
        raise FrameError("its seal does not fit: it was cut, changed, or made with another key")
    return _parsed(bytes(view[_HEADER:end])), end


def _parsed(text: bytes) -> Header:
    try:
        header = json.loads(text.decode("ascii"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise FrameError("its header is no JSON: %s" % error)
    if not isinstance(header, dict):
        raise FrameError("its header is no JSON object")
    return Header(header)


def _refuse(name: str) -> None:
    raise ValueError("%s is no number of JSON" % name)


def take(body: memoryview, lengths: Any, offset: int) -> Tuple[List[memoryview], int]:
    """Cut pieces of these lengths off the body from `offset` on; also gives the new offset."""
    pieces = []
    if not isinstance(lengths, list) or not all(type(each) is int for each in lengths):
        raise FrameError("its header has %.100r where lengths belong" % (lengths,))
    for length in lengths:
        if length < 0 or offset + length > len(body):
            raise FrameError("its header lists more bytes than there are")
        pieces.append(body[offset : offset + length])
        offset += length
    return pieces, offset


def sizes(pieces: Sequence[Buffer]) -> List[int]:
    """Bytes of each piece."""
    return [piece.nbytes if isinstance(piece, memoryview) else len(piece) for piece in pieces]


def check_size(size: int) -> None:
    """Raise TooLarge for more bytes than a frame can have."""
    if size > LARGEST:
        raise TooLarge("{:,} bytes, of which {:,} fit in one call".format(size, LARGEST))


def _parts(body: Sequence[Buffer]) -> Iterator[List[memoryview]]:
    """The parts that are hashed by themselves, each as views of the pieces that it is made of."""
    part = []  # type: List[memoryview]
    room = _PART
    for piece in body:
        left = memoryview(piece)
        while left:
            part.append(left[:room])
            room -= len(part[-1])
            left = left[len(part[-1]) :]
            if not room:
                yield part
                part, room = [], _PART
    if part:
        yield part


class _Hashes:
    """The hash of a body, worked out in threads while the body is copied."""

    def __init__(self, parts: List[List[memoryview]]) -> None:
        self._parts = parts
        self._digests = [b""] * len(parts)
        self._places = iter(range(len(parts)))  # of the parts that no thread has taken yet
        count = 0
        if len(parts) > 1:
            count = min(len(parts) - 1, os.cpu_count() or 1, _MOST_THREADS)
        self._threads = [threading.Thread(target=self._work) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def digest(self) -> bytes:
        """Do what is left to do, and wait."""
        self._work()
        for thread in self._threads:
            thread.join()
        return hashlib.sha256(b"".join(self._digests)).digest()

    def _work(self) -> None:
        for place in self._places:
            digest = hashlib.sha256()
            for view in self._parts[place]:
                digest.update(view)
            self._digests[place] = digest.digest()


def _seal(start: Buffer, rest: Buffer, key: bytes) -> bytes:
    digest = hmac.new(key, digestmod=hashlib.sha256) if key else hashlib.sha256()  # type: Any
    digest.update(start)
    digest.update(rest)
    seal = digest.digest()  # type: bytes
    return seal


def text_of(value: Optional[object]) -> str:
    """str() that cannot fail: some objects' own __str__ raises."""
    try:
        return str(value)
    except BaseException as error:  # noqa: BLE001 - whatever a user's __str__ raises
        return "<%s without a text: its __str__ raised %s>" % (
            type(value).__name__,
            type(error).__name__,
        )
