"""Python's garbage collector, held back while thousands of objects are made that all stay.

It would look at each of them again and again, and sooner or later at all objects of the process.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
PORTION = 2_500  # objects: few collections, and the first of them need not wait for long


@contextlib.contextmanager
def collection_paused() -> Iterator[None]:
    """Hold the collector back, in all threads; for work that is short and runs no foreign code."""
    if not gc.isenabled():  # somebody else holds it back, and will let it go on
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def in_portions(objects: Iterable[T]) -> Iterator[T]:
    """Pass objects on that are quickly made; a portion of them at a time is made ahead.

    Example
    -------
    >>> list(in_portions(map(str, range(3))))
    ['0', '1', '2']
    """
    left = iter(objects)
    while True:
        with collection_paused():
            portion = list(itertools.islice(left, PORTION))
        if not portion:
            return
        yield from portion
