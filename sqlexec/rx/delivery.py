"""Outcomes as they complete: console, warnings and callback done here, in the caller's thread."""

from __future__ import annotations

import contextlib
import sys
import traceback
import warnings
from collections.abc import Callable, Generator, Iterator
from typing import Any

from sqlexec.callers import users_stacklevel
from sqlexec.contexts.base import ConsoleOutput, RxComputeContext
from sqlexec.public import public
from sqlexec.runner.codec_exceptions import make_exception
from sqlexec.runner.types import WarningKey
from sqlexec.rx.console import bars_aside, show_console
from sqlexec.rx.progress import with_progress
from sqlexec.rx.remote import attach_remote
from sqlexec.rx.request import Request
from sqlexec.tasks import Outcomes
from sqlexec.tracebacks import hide_own_frames

Delivered = Generator[Outcomes, None, None]


@public
class CallbackFailedWarning(UserWarning):
    """The callback of rx_exec raised; the job went on."""


def deliver(request: Request) -> Delivered:
    """Carry a request out and yield its outcomes as they complete.

    The function is packed at once, the first run starts with the first `next`.  Closing the
    iterator cancels what still runs.
    """
    outcomes = deliver_outcomes(
        request.context.carry_out(request.plan),
        request.context,
        request.callback,
        request.console_output,
    )
    return with_progress(outcomes, request.plan.count) if request.progress else outcomes


def deliver_outcomes(
    carried_out: Iterator[Outcomes],
    context: RxComputeContext,
    callback: Callable[[Any], object] | None,
    console_output: ConsoleOutput,
) -> Delivered:
    """Pass outcomes on, and do here what is to be done with each; see `deliver`."""
    callbacks = Callbacks()
    callback, console = callbacks.kept(callback), callbacks.kept(console_output)
    warned: set[WarningKey] = set()
    try:
        with contextlib.closing(_closable(carried_out)) as each_call:
            for outcomes in each_call:
                if callback is None and not outcomes.told:
                    yield outcomes
                    continue
                for outcome in outcomes:  # each is passed on before the next can end the job
                    attach_remote(outcome, context)
                    show_console(outcome, console)
                    for warning in outcome.warnings:
                        if warning not in warned:  # many runs may say the same
                            warned.add(warning)
                            warn_again(*warning)
                    if callback is not None:
                        callback(outcome.given)
                    yield Outcomes.of([outcome])
    finally:
        callbacks.warn()


class Callbacks:
    """The user's functions that are called meanwhile: one that raises does not stop the job."""

    def __init__(self) -> None:
        self._error: Exception | None = None  # the first

    def kept(self, function: Any) -> Any:
        """The function, kept from raising; what is no function as it is."""
        if not callable(function):
            return function

        def call(*arguments: object) -> None:
            try:
                function(*arguments)
            except Exception as error:  # noqa: BLE001 - told at the end
                self._error = self._error or error

        return call

    def warn(self) -> None:
        """Tell of the first exception, if there was one."""
        if self._error is not None:
            trace = "".join(traceback.format_exception(hide_own_frames(self._error)))
            warnings.warn(
                f"The callback raised; the job went on without it mattering. First error:\n{trace}",
                CallbackFailedWarning,
                stacklevel=users_stacklevel(),
            )


def _closable(outcomes: Iterator[Outcomes]) -> Any:
    """Contexts give generators, whose close() cancels; other iterators need none."""
    return outcomes if hasattr(outcomes, "close") else (each for each in outcomes)


def warn_again(category: str, text: str, filename: str, line: int, module: str) -> None:
    """Issue a warning of a run here; a category that is not loaded here is a UserWarning."""
    home, _, name = category.rpartition(".")
    kind = getattr(sys.modules.get(home), name, None)
    if not (isinstance(kind, type) and issubclass(kind, Warning)):
        kind, text = UserWarning, f"{category}: {text}"
    with bars_aside(sys.stderr):
        warnings.warn_explicit(make_exception(kind, (text,)), kind, filename, line, module)
