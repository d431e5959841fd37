"""Outcomes to the list that rx_exec gives: results in order, exceptions in their places."""

from __future__ import annotations

import contextlib
import reprlib
import warnings
from collections.abc import Callable, Generator
from typing import Any

from sqlexec.callers import users_stacklevel
from sqlexec.public import public
from sqlexec.runner.wire import text_of
from sqlexec.tasks import Outcome, Outcomes


@public
class RunFailedWarning(UserWarning):
    """Some runs of rx_exec raised; their places in the list hold the exceptions."""


def collect(
    delivered: Generator[Outcomes, None, None],
    *,
    raises: bool,
    replay: Callable[[Outcome], BaseException] | None = None,
) -> list[Any]:
    """What the runs gave, in the order of the arguments.

    An exception that ends it has in its attribute `partial_results` what the runs had given by
    then, by index.

    Parameters
    ----------
    delivered : generator of Outcomes
        Each of the runs with an error by itself; closed at the end.
    raises : bool
        Whether the first exception of a run ends the job, and is raised.
    replay : callable, optional
        Gives the exception to raise for the first run that failed: at once with `raises`, else
        when all have ended.
    """
    results: dict[int, Any] = {}
    failed: list[Outcome] = []
    try:
        with contextlib.closing(delivered):
            for outcomes in delivered:
                failed += [each for each in outcomes.told.values() if each.error is not None]
                if failed and raises:
                    break
                results.update(zip(outcomes.indexes, outcomes.given, strict=True))
        first = min(failed, key=lambda outcome: outcome.index, default=None)
        if first is not None and first.error is not None and (raises or replay):
            raise replay(first) if replay else first.error
    except BaseException as error:
        with contextlib.suppress(Exception):  # some have no room for attributes
            error.partial_results = results  # type: ignore[attr-defined]
        raise
    if first is not None:
        _warn_of_failures(first, len(failed), len(results))
    return [results[index] for index in sorted(results)]


def _warn_of_failures(first: Outcome, failed: int, count: int) -> None:
    warnings.warn(
        f"{failed} of {count} runs raised; their places in the list hold the exceptions. "
        f"The first is run {first.index}: {type(first.error).__name__}: "
        f"{reprlib.repr(text_of(first.error))}",
        RunFailedWarning,
        stacklevel=users_stacklevel(),
    )
