"""The arguments that tasks have of their own, as a batch of values.

small ones, alike in all tasks   -> columns, in one pickle
numbers and short texts          -> one pickle of all tasks'
anything else                    -> each task's by themselves
"""

from __future__ import annotations

import contextlib
import io
import itertools
import pickle
import sys
from collections.abc import Sequence
from types import FunctionType
from typing import Any

from sqlexec.errors import PackError
from sqlexec.payload.bytecode import Dumps
from sqlexec.payload.dumping import dump_or_blame, dumping
from sqlexec.payload.whole_modules import WholeModules
from sqlexec.runner.batch import NUMBERS, TEXTS, Batch, is_plain
from sqlexec.runner.types import Buffer
from sqlexec.runner.values import VALUE_PROTOCOL, WIRE, Dumper
from sqlexec.runner.wire import TooLarge
from sqlexec.tasks import Task, columns_of

SMALL = 128  # bytes of a small argument, on the average of all

_PLAIN = NUMBERS | TEXTS
_ALIKE = ("builtins", "collections", "datetime", "decimal", "numpy", "pandas", "scipy", "uuid")


def batch_of(tasks: Sequence[Task], size: int, bundle: WholeModules) -> Batch:
    """The batch of the tasks' own arguments; `size` bytes go with them already.

    PackError names the argument that cannot be pickled; its `run` is the index of the task.
    """
    columns = _small_columns(tasks)
    batch = Batch(size, columns)
    if columns is None:
        _add_each(batch, tasks, bundle)
    return batch


def _small_columns(tasks: Sequence[Task]) -> bytes | None:
    """The pickle of (names, columns); None if names differ by task, or values are not small."""
    named = columns_of(tasks)
    if not named:
        return None
    names, columns = tuple(named), list(named.values())
    values = itertools.chain.from_iterable(columns)
    if not _PLAIN.issuperset(kind for kind, _ in itertools.groupby(values, type)):
        return None
    stream = _Bounded(SMALL * len(names) * len(tasks))
    pickler = pickle.Pickler(stream, VALUE_PROTOCOL)
    pickler.fast = True  # a short text is sooner written again than it is found again
    try:
        pickler.dump((names, columns))
    except TooLarge:
        return None
    return stream.getvalue()


class _Bounded(io.BytesIO):
    """A file that takes so many bytes, and then raises TooLarge."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._left = size

    def write(self, data: Any) -> int:
        """Picklers call it once for some 64 KiB."""
        self._left -= len(data)
        if self._left < 0:
            raise TooLarge
        return super().write(data)


def _add_each(batch: Batch, tasks: Sequence[Task], bundle: WholeModules) -> None:
    """Arguments that are more than numbers and short texts, each task's by themselves."""
    dumper = Dumper(_ValuePickler)
    dumps: Dumps | None = None
    with contextlib.ExitStack() as stack:
        for task in tasks:
            if all(map(is_plain, task.arguments.values())):
                batch.add(task.arguments)
                continue
            try:
                pieces = dumper.dump(task.arguments)
            except Exception:  # noqa: BLE001 - if it is not by value that they go, it fails again
                dumper = Dumper(_ValuePickler)
                dumps = dumps or stack.enter_context(dumping(bundle))
                pieces = _dump_arguments(task, bundle, dumps)
            batch.add_apart(pieces, _place_of)


def _place_of(piece: Buffer) -> tuple[int, int] | None:
    """Address and length of a buffer, while it lives; None where nobody can tell."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    data = numpy.frombuffer(piece, "u1")
    return data.__array_interface__["data"][0], data.nbytes


def _dump_arguments(task: Task, bundle: WholeModules, dumps: Dumps) -> list[Buffer]:
    """Pickle one task's own arguments."""
    own = dict(task.arguments)
    named = {f"argument {name!r} of run {task.index}": each for name, each in own.items()}
    try:
        return dump_or_blame(own, lambda: named, bundle, dumps)
    except PackError as error:
        error.run = task.index
        raise


class _ValuePickler(pickle.Pickler):
    """For values that go alike to every server: none has a function or class of the user's."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream, VALUE_PROTOCOL)

    def reducer_override(self, value: Any) -> Any:
        """Called for all but numbers, texts and containers."""
        if isinstance(value, (type, FunctionType)):
            is_alike = value.__module__ in ("builtins", WIRE)
        else:
            is_alike = str(type(value).__module__).partition(".")[0] in _ALIKE
        if is_alike:
            return NotImplemented  # the codec knows it, or pickle
        raise pickle.PicklingError(f"objects of type {type(value)} may have to go by value")
