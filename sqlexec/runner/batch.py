"""The values of many tasks: plain ones together in one pickle, each other one by itself.

A pickle of its own keeps tasks from sharing objects that they may change, and one that cannot
be pickled from spoiling the rest.  Numbers and short texts cannot be changed and always can be
pickled: thousands of them cost no more than one.

    header  "together": [length], "apart": [[place, [length of each piece]], ...]
    body    one pickle of a list (None in the places of those apart) | pieces of each apart
"""

import pickle
from typing import Any, Dict, List, Optional, Sequence, Tuple

from sqlexec.runner.types import Buffer
from sqlexec.runner.values import BIG
from sqlexec.runner.wire import take

PLAIN = frozenset((int, float, bool, type(None)))
PLAIN_TEXT = frozenset((str, bytes))


def is_plain(value: Any) -> bool:
    """Is it a value that can go together with others'?"""
    kind = type(value)
    return kind in PLAIN or (kind in PLAIN_TEXT and len(value) < BIG)


class Batch:
    """Collects the values of tasks, one after the other."""

    def __init__(self) -> None:
        self.together = []  # type: List[Any]
        self.apart = []  # type: List[Tuple[int, List[int]]]
        self.pieces = []  # type: List[Buffer]

    def add(self, value: Any) -> None:
        """Append a plain value."""
        self.together.append(value)

    def add_apart(self, pieces: Sequence[Buffer]) -> None:
        """Append a value that was dumped to pieces, or to none where it could not be."""
        self.apart.append((len(self.together), sizes(pieces)))
        self.pieces.extend(pieces)
        self.together.append(None)

    def close(self, header: Dict[str, Any]) -> List[Buffer]:
        """Write the header's entries; gives the body."""
        data = pickle.dumps(self.together, protocol=4)
        header["together"] = [len(data)]
        header["apart"] = self.apart
        return [data] + self.pieces


def read_batch(
    header: Dict[str, Any], body: memoryview, offset: int
) -> Tuple[List[Any], Dict[int, List[memoryview]]]:
    """The plain values by place, and the pieces of each of the others by place."""
    (data,), offset = take(body, header["together"], offset)
    together = pickle.loads(data)
    apart = {}
    for place, lengths in header["apart"]:
        apart[place], offset = take(body, lengths, offset)
    return together, apart


def sizes(pieces: Sequence[Buffer]) -> List[int]:
    """Bytes of each piece."""
    return [piece.nbytes if isinstance(piece, memoryview) else len(piece) for piece in pieces]
