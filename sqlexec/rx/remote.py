"""What an exception of a run tells besides itself: `error.remote`, where and how it ran."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import traceback
from types import SimpleNamespace

from sqlexec.contexts.base import RxComputeContext
from sqlexec.errors import SqlExecError
from sqlexec.runner.main import runtime
from sqlexec.tasks import Call, Outcome
from sqlexec.tracebacks import hide_own_frames, raised_here

LAST_LINES = 30  # of the console


def attach_remote(outcome: Outcome, context: RxComputeContext) -> None:
    """Give the exception of a run its attribute `remote`, see `sqlexec.errors.SqlExecError`.

    An attribute of that name that the exception has already is left to it.  sqlexec's own frames
    are taken out of the traceback.
    """
    error = outcome.error
    if error is None:
        return
    hide_own_frames(error)
    if not isinstance(_remote_of(error), (SimpleNamespace, type(None))):
        return
    here = outcome.process_id == os.getpid()
    server, database = context.place
    call = outcome.call or Call()
    remote = SimpleNamespace(
        index=outcome.index,
        server=server,
        database=database,
        process_id=outcome.process_id,
        runtime=runtime() if here else dict(outcome.runtime or {}),
        console=_last_lines(outcome),
        traceback=outcome.traceback or "".join(traceback.format_exception(error)),
        chunk=call.number,
        attempt=call.attempt,
    )
    with contextlib.suppress(Exception):  # some have no room for attributes
        error.remote = remote  # type: ignore[attr-defined]
    if sys.version_info >= (3, 11) and not here:  # as add_note does, which asks __getattr__, too
        vars(error)["__notes__"] = [*vars(error).get("__notes__", ()), _note(remote)]


def shortened(error: BaseException) -> BaseException:
    """The exception without sqlexec's own frames; but whole where these alone tell of a fault."""
    known = isinstance(error, (SqlExecError, Warning, KeyboardInterrupt))
    of_a_run = isinstance(_remote_of(error), SimpleNamespace)
    return hide_own_frames(error) if known or of_a_run or not raised_here(error) else error


def _remote_of(error: BaseException) -> object:
    """Without its class's __getattr__, which may need what the exception left on the server."""
    return inspect.getattr_static(error, "remote", None)


def _last_lines(outcome: Outcome) -> str:
    lines = "".join(text for _, text in outcome.console).splitlines()
    return "\n".join(lines[-LAST_LINES:])


def _note(remote: SimpleNamespace) -> str:
    words = [f"run {remote.index}"]
    if remote.server:
        words.append(f"server {remote.server}")
    if remote.process_id:
        words.append(f"process {remote.process_id}")
    if "python" in remote.runtime:
        words.append("Python " + ".".join(map(str, remote.runtime["python"])))
    return f"[sqlexec: {', '.join(words)}]"
