"""Outcomes to the list that rx_exec gives: results in order, exceptions in their places."""

from __future__ import annotations

import contextlib
import reprlib
import warnings
from collections.abc import Generator, Iterator
from typing import Any

from sqlexec.callers import users_stacklevel
from sqlexec.public import public
from sqlexec.tasks import Outcome


@public
class RunFailedWarning(UserWarning):
    """Some runs of rx_exec raised; their places in the list hold the exceptions."""


def collect(delivered: Generator[Outcome, None, None]) -> list[Any]:
    """What the runs gave, in the order of the arguments.

    An exception that ends it has in its attribute `partial_results` what the runs had given by
    then, by index.
    """
    results: dict[int, Any] = {}
    failed: list[Outcome] = []
    with partial_results(results), contextlib.closing(delivered) as outcomes:
        for outcome in outcomes:
            if outcome.error is not None:
                failed.append(outcome)
            results[outcome.index] = outcome.value if outcome.error is None else outcome.error
    if failed:
        _warn_of_failures(failed, len(results))
    return [results[index] for index in sorted(results)]


@contextlib.contextmanager
def partial_results(results: dict[int, Any]) -> Iterator[None]:
    """Give an exception that ends the job what the runs have given by then."""
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(AttributeError):  # some have no room for attributes
            error.partial_results = results  # type: ignore[attr-defined]
        raise


def _warn_of_failures(failed: list[Outcome], count: int) -> None:
    first = min(failed, key=lambda outcome: outcome.index)
    warnings.warn(
        f"{len(failed)} of {count} runs raised; their places in the list hold the exceptions. "
        f"The first is run {first.index}: {type(first.error).__name__}: "
        f"{reprlib.repr(str(first.error))}",
        RunFailedWarning,
        stacklevel=users_stacklevel(),
    )
