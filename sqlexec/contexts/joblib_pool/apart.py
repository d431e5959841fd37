"""What joblib's backends call for a chunk, in a process of theirs."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator

from sqlexec.contexts.joblib_pool.turns import HERE
from sqlexec.contexts.processes import Source, run_chunk_here
from sqlexec.errors import ConfigurationError

_NAME = uuid.uuid4().hex


def run_apart(
    client: str, payload: bytes, source: Source | None, console: str | None = None
) -> bytes:
    """Run a chunk in a process of the backend's, see `run_chunk_here`; one at a time there."""
    if client == this_process():
        raise ConfigurationError(
            "RxForeachDoPar: joblib's backend runs threads of the client itself, which share its "
            "console, globals and random streams. Take one with processes."
        )
    if console is not None and not os.path.exists(console):
        console = None  # of the client's machine, but this is another
    with HERE.running, _descriptors_kept() if console is not None else contextlib.nullcontext():
        return run_chunk_here(payload, source, console)


def this_process() -> str:
    """A name that no other process has, on any machine."""
    return f"{_NAME} {os.getpid()}"  # a fork has the same _NAME


@contextlib.contextmanager
def _descriptors_kept() -> Iterator[None]:
    """Give the process its descriptors 1 and 2 back."""
    saved = [(number, os.dup(number)) for number in (1, 2)]
    try:
        yield
    finally:
        for number, copy in saved:
            os.dup2(copy, number)
            os.close(copy)
