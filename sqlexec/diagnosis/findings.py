"""What a check is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sqlexec.diagnosis.examination import Examination

Status = Literal["pass", "warn", "fail", "skipped"]


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Parameters
    ----------
    status : str
        "pass"; "warn": it works, not as well as it could; "fail": it does not work; "skipped": it
        could not be looked at.
    message : str
        What was seen, on which side; for a skipped check why.
    fix : str
        The T-SQL or the command that mends it, '' where there is nothing to mend.
    name : str
        Of the check.
    seconds : float
        How long the check took.
    """

    status: Status
    message: str
    fix: str = ""
    name: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Check:
    """A function that looks at one thing, and the checks without which it has nothing to look at.

    It is skipped where one of these failed, or was skipped for that reason itself.
    """

    name: str
    look: Callable[[Examination], Finding]
    needs: Sequence[str] = ()


def check(
    name: str, *, needs: Sequence[str] = ()
) -> Callable[[Callable[[Examination], Finding]], Check]:
    """Make a Check of a function.

    Example
    -------
    >>> @check("answer", needs=["login"])
    ... def answer(examination):
    ...     return passed("42")
    >>> answer.needs
    ['login']
    """
    return lambda look: Check(name, look, needs)


def passed(message: str) -> Finding:
    return Finding("pass", message)


def warned(message: str, fix: str) -> Finding:
    return Finding("warn", message, fix)


def failed(message: str, fix: str) -> Finding:
    return Finding("fail", message, fix)


def skipped(message: str, fix: str = "") -> Finding:
    return Finding("skipped", message, fix)
