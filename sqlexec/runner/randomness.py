"""One independent random stream a run, the same whatever the number of tasks and the chunks."""

import hashlib
import random
from typing import Optional


def seed_run(seed: Optional[int], index: int) -> None:
    """Seed `random`, and numpy's global generator where there is numpy, for run `index`.

    With numpy 1.17 or later the stream is that of `SeedSequence(seed).spawn(...)[index]`.
    Without a seed nothing is touched.
    """
    if seed is None:
        return
    random.seed(int.from_bytes(hashlib.sha256(b"%d/%d" % (seed, index)).digest(), "big"))
    try:
        import numpy  # now, since the function may import it later
    except ImportError:
        return
    if hasattr(numpy.random, "SeedSequence"):
        sequence = numpy.random.SeedSequence(seed, spawn_key=(index,))
        numpy.random.seed(sequence.generate_state(8))
    else:
        digest = hashlib.sha256(b"numpy/%d/%d" % (seed, index)).digest()
        words = [int.from_bytes(digest[at : at + 4], "big") for at in range(0, 32, 4)]
        numpy.random.seed(words)


def forget_seed() -> None:
    """Make the generators unpredictable again, for who comes next in this process."""
    random.seed()
    try:
        import numpy
    except ImportError:
        return
    numpy.random.seed()
