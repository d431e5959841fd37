"""Options that contexts and rx_exec have in common, checked, and each in one form."""

from __future__ import annotations

import numbers
import operator
from collections.abc import Iterable

from sqlexec.errors import ConfigurationError

MOST_SECONDS = 10**8  # what the timers of all systems take


def whole_number(name: str, value: object, *, least: int = 0, meaning: str = "") -> int:
    """A whole number of at least `least`; ConfigurationError names what is none.

    Example
    -------
    >>> whole_number("num_tasks", 2)
    2
    """
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if is_whole and (whole := operator.index(value)) >= least:  # type: ignore[arg-type]
        return whole
    words = meaning or f"a whole number of at least {least}"
    raise ConfigurationError(f"{name} must be {words}, not {value!r}")


def check_flag(name: str, value: object) -> None:
    """Raise ConfigurationError for what is neither true nor false, as the text "no"."""
    if value not in (True, False):  # equal to numpy's, and to 1 and 0
        raise ConfigurationError(f"{name} must be True or False, not {value!r}")


def task_timeout(seconds: object) -> float | None:
    """Seconds that a run may take, None for no limit. Raises ConfigurationError."""
    if seconds is None:
        return None
    usable = isinstance(seconds, numbers.Real) and not isinstance(seconds, bool)
    if not usable or not 0 <= seconds < MOST_SECONDS:  # type: ignore[operator]
        raise ConfigurationError(
            f"task_timeout_seconds must be a number of seconds, 0 or more, not {seconds!r}"
        )
    return float(seconds) or None  # type: ignore[arg-type]


def package_names(packages: object) -> tuple[str, ...] | None:
    """Names of modules, one or several; None where none are said. Raises ConfigurationError."""
    if packages is None:
        return None
    if not isinstance(packages, Iterable):
        raise ConfigurationError(
            f"packages_to_load must be a list of names, not {type(packages).__name__}"
        )
    names = (packages,) if isinstance(packages, str) else tuple(packages)
    for name in names:
        if not isinstance(name, str) or not all(map(str.isidentifier, name.split("."))):
            raise ConfigurationError(f"packages_to_load: {name!r} is no name of a module")
    return names
