"""The values of many tasks: plain ones together in one pickle, each other one by itself.

A pickle of its own keeps tasks from sharing objects that they may change, and one that cannot
be pickled from spoiling the rest.  Numbers and short texts cannot be changed and always can be
pickled: thousands of them cost no more than one.

    header  "count": tasks, "together": [length], "apart": [[place, [length of each piece]], ...]
            (a length of -n: the n-th piece of 64 KiB or more again)
    body    numbers of each task, 8 bytes each (first of all its index)
            | one pickle of a list (None in the places of those apart) | pieces of each apart

Small arguments that have the same names in all tasks are a pickle of (names, columns) instead:
most of a small task is its names.
"""

import itertools
import pickle
import struct
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

from sqlexec.runner.types import Buffer
from sqlexec.runner.values import BIG
from sqlexec.runner.wire import FrameError, check_size, sizes, take

NUMBERS = frozenset((int, float, bool, type(None)))
TEXTS = frozenset((str, bytes))


def is_plain(value: Any) -> bool:
    """Is it a value that can go together with others'?"""
    kind = type(value)
    return kind in NUMBERS or (kind in TEXTS and len(value) < BIG)


class Batch:
    """Collects the values of tasks, one after the other, or has the pickle of all of them.

    `size` bytes go with them already.
    """

    def __init__(self, size: int = 0, complete: Optional[bytes] = None) -> None:
        self.together = []  # type: List[Any]
        self._complete = complete
        self.apart = []  # type: List[Tuple[int, List[int]]]
        self._pieces = []  # type: List[Buffer]
        self._small = []  # type: List[Buffer]  # those after them, to become one
        self._size = size
        self._big = 0  # pieces that are big
        self._known = {}  # type: Dict[Any, int]  # where they lie -> number, from 1

    def add(self, value: Any) -> None:
        """Append a plain value."""
        self.together.append(value)

    def add_apart(
        self, pieces: Sequence[Buffer], place_of: Optional[Callable[[Buffer], Any]] = None
    ) -> None:
        """Append a value that was dumped to pieces, or to none where it could not be.

        `place_of` tells where a big piece lies in memory: one that is there already is not
        written again.  TooLarge, and nothing is appended, where it is too much with those before.
        """
        lengths = sizes(pieces)
        if place_of is not None and max(lengths, default=0) >= BIG:
            pieces, lengths = self._new_of(pieces, lengths, place_of)
        size = self._size + sum(length for length in lengths if length > 0)
        check_size(size)
        self._size, before = size, self._size
        self.apart.append((len(self.together), lengths))
        self.together.append(None)
        if size - before < BIG:
            self._small.extend(pieces)
        else:
            self._pieces.append(b"".join(self._small))
            self._small = []
            self._pieces.extend(pieces)

    def _new_of(
        self, pieces: Sequence[Buffer], lengths: List[int], place_of: Callable[[Buffer], Any]
    ) -> Tuple[List[Buffer], List[int]]:
        """The pieces that are not there yet; in the lengths the others are numbers below 0."""
        new = []
        for at, piece in enumerate(pieces):
            if lengths[at] >= BIG:
                place = place_of(piece)
                if place in self._known:
                    lengths[at] = -self._known[place]
                    continue
                self._big += 1
                if place is not None:
                    self._known[place] = self._big
            new.append(piece)
        return new, lengths

    def close(self, header: Dict[str, Any]) -> List[Buffer]:
        """Write the header's entries; gives the body."""
        data = self._complete or pickle.dumps(self.together, protocol=4)
        header["together"] = [len(data)]
        header["apart"] = self.apart
        return [data] + self._pieces + [b"".join(self._small)]


def cut_numbers(
    header: Dict[str, Any], body: memoryview, offset: int, forms: str
) -> Tuple[List[Tuple[Any, ...]], int]:
    """Read a number a task for each of the forms ("q" int, "d" float); also the new offset."""
    count = header["count"]
    if type(count) is not int or count < 0:
        raise FrameError("its header has %.100r tasks" % (count,))
    pieces, offset = take(body, [8 * count] * len(forms), offset)
    read = [struct.unpack("<%d%s" % (count, form), each) for form, each in zip(forms, pieces)]
    return read, offset


def cut_batch(
    header: Dict[str, Any], body: memoryview, offset: int, count: int
) -> Tuple[memoryview, Dict[int, List[memoryview]]]:
    """Cut `count` values off the body, which ends with them; nothing is unpickled yet.

    Gives the pickle of the plain values, and the pieces of each of the others by place.
    FrameError where header and body do not fit.
    """
    together, offset = take(body, header["together"], offset)
    if len(together) != 1:
        raise FrameError("its header lists %d pickles of plain values" % len(together))
    apart = {}  # type: Dict[int, List[memoryview]]
    big = []  # type: List[memoryview]
    entries = header["apart"]
    if not isinstance(entries, list):
        raise FrameError("its header has no list of values apart")
    for entry in entries:
        place, lengths = entry if isinstance(entry, list) and len(entry) == 2 else (None, None)
        if type(place) is not int or not 0 <= place < count or place in apart:
            raise FrameError("its header has a value apart at the place %.100r" % (entry,))
        apart[place], offset = _take_again(body, lengths, offset, big)
    if offset != len(body):
        raise FrameError("its body is longer than its header says")
    return together[0], apart


def _take_again(
    body: memoryview, lengths: Any, offset: int, big: List[memoryview]
) -> Tuple[List[memoryview], int]:
    """`take`, where -n stands for the n-th of the big pieces so far, which are kept in `big`."""
    repeated = {}
    if isinstance(lengths, list):
        for at, length in enumerate(lengths):
            if type(length) is int and length < 0:
                repeated[at] = -length
        lengths = [each for at, each in enumerate(lengths) if at not in repeated]
    new, offset = take(body, lengths, offset)
    big.extend(piece for piece in new if len(piece) >= BIG)
    if repeated and max(repeated.values()) > len(big):
        raise FrameError("its header repeats a piece that is not there")
    for at in sorted(repeated):
        new.insert(at, big[repeated[at] - 1])
    return new, offset


def plain_values(data: Buffer, count: int) -> Iterable[Any]:
    """The plain values of a batch, None in the places of the others; dicts made one by one."""
    values = pickle.loads(data)
    if type(values) is tuple:
        names, columns = values
        if set(map(len, columns)) == {count}:
            named = [zip(itertools.repeat(name), each) for name, each in zip(names, columns)]
            return map(dict, zip(*named))
    if type(values) is not list or len(values) != count:
        raise FrameError("it has not the %d values that its header says" % count)
    return values
