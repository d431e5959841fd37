"""Outcomes as they complete: console, warnings and callback done here, in the caller's thread."""

from __future__ import annotations

import builtins
import contextlib
import sys
import traceback
import warnings
from collections.abc import Generator, Iterator
from typing import IO, Any

from sqlexec.public import public
from sqlexec.rx.request import Request
from sqlexec.tasks import Outcome

Outcomes = Generator[Outcome, None, None]


@public
class CallbackFailedWarning(UserWarning):
    """The callback of rx_exec raised; the job went on."""


def deliver(request: Request, *, raises: bool) -> Outcomes:
    """Carry a request out and yield its outcomes as they complete.

    The function is packed at once, the first run starts with the first `next`.  Closing the
    iterator cancels what still runs.

    Parameters
    ----------
    request : Request
    raises : bool
        Whether the first exception of a run ends the job, and is raised here.
    """
    return _deliver(request, request.context.carry_out(request.plan), raises)


def _deliver(request: Request, carried_out: Iterator[Outcome], raises: bool) -> Outcomes:
    callback_error: Exception | None = None
    warned: set[tuple[str, str, str, int]] = set()
    with contextlib.closing(_closable(carried_out)) as outcomes:
        for outcome in outcomes:
            if request.console_output:
                show_console(outcome)
            for warning in outcome.warnings:
                if warning not in warned:  # many runs may say the same
                    warned.add(warning)
                    warn_again(*warning)
            if outcome.error is not None and raises:
                raise outcome.error
            if request.callback is not None:
                try:
                    request.callback(outcome.value if outcome.error is None else outcome.error)
                except Exception as error:  # noqa: BLE001 - told at the end
                    callback_error = callback_error or error
            yield outcome
    if callback_error is not None:
        _warn_of_callback(callback_error)


def _closable(outcomes: Iterator[Outcome]) -> Any:
    """Contexts give generators, whose close() cancels; other iterators need none."""
    return outcomes if hasattr(outcomes, "close") else (each for each in outcomes)


def show_console(outcome: Outcome) -> None:
    """Print what a run wrote, each stream to our own."""
    for stream, text in outcome.console:
        target = sys.stderr if stream == "stderr" else sys.stdout
        with _tqdm_aside(target):
            target.write(text)
            target.flush()


def _tqdm_aside(target: IO[str]) -> contextlib.AbstractContextManager[None]:
    """Take the progress bars of tqdm, if the user has any, off the terminal meanwhile."""
    tqdm = getattr(sys.modules.get("tqdm"), "tqdm", None)
    return tqdm.external_write_mode(file=target) if tqdm else contextlib.nullcontext()


def warn_again(category: str, text: str, filename: str, line: int) -> None:
    """Issue a warning of a run here; a category that only the server knows is a UserWarning."""
    kind = getattr(builtins, category, None)
    if not (isinstance(kind, type) and issubclass(kind, Warning)):
        kind, text = UserWarning, f"{category}: {text}"
    warnings.warn_explicit(text, kind, filename, line)


def _warn_of_callback(error: Exception) -> None:
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    warnings.warn(
        f"The callback raised; the job went on without it mattering. First error:\n{trace}",
        CallbackFailedWarning,
        stacklevel=4,
    )
