"""One independent random stream a run, the same whatever the number of tasks and the chunks.

numpy's is that of `SeedSequence(seed).spawn(...)[index]`, computed here: the numpy of many servers
(before 1.17) has no SeedSequence, and yet draws the same numbers from the same words.
"""

import hashlib
import random
from typing import Callable, List, Optional

_MASK = 0xFFFFFFFF  # all is computed in 32 bits
_POOL = 4  # words


def seed_run(seed: Optional[int], index: int) -> None:
    """Seed `random`, and numpy's global generator where there is numpy, for run `index`.

    Without a seed nothing is touched.
    """
    if seed is None:
        return
    random.seed(int.from_bytes(hashlib.sha256(b"%d/%d" % (seed, index)).digest(), "big"))
    try:
        import numpy  # now, since the function may import it later
    except ImportError:
        return
    numpy.random.seed(state_of(seed, index, 8))


def forget_seed() -> None:
    """Make the generators unpredictable again, for who comes next in this process."""
    random.seed()
    try:
        import numpy
    except ImportError:
        return
    numpy.random.seed()


def state_of(seed: int, index: int, count: int) -> List[int]:
    """The words that `SeedSequence(seed, spawn_key=(index,)).generate_state(count)` gives.

    The algorithm: M. E. O'Neill, "Developing a seed_seq Alternative", 2015, as numpy has it.
    """
    entropy = _words(seed)
    entropy += [0] * (_POOL - len(entropy)) + _words(index)
    hashed = _hasher(0x43B0D7E5, 0x931E8875)
    pool = [hashed(word) for word in entropy[:_POOL]]
    for source in range(_POOL):
        for place in range(_POOL):
            if source != place:
                pool[place] = _mixed(pool[place], hashed(pool[source]))
    for word in entropy[_POOL:]:
        pool = [_mixed(old, hashed(word)) for old in pool]
    hashed = _hasher(0x8B51F9DD, 0x58F38DED)
    return [hashed(pool[place % _POOL]) for place in range(count)]


def _words(number: int) -> List[int]:
    """The number in words of 32 bits, the lowest first."""
    words = [number & _MASK]
    while number > _MASK:
        number >>= 32
        words.append(number & _MASK)
    return words


def _hasher(constant: int, factor: int) -> Callable[[int], int]:
    """A hash of a word, another each time that it is called."""
    state = [constant]

    def hashed(word: int) -> int:
        word ^= state[0]
        state[0] = state[0] * factor & _MASK
        word = word * state[0] & _MASK
        return word ^ word >> 16

    return hashed


def _mixed(one: int, other: int) -> int:
    word = (0xCA01F9DD * one - 0x4973F715 * other) & _MASK
    return word ^ word >> 16
