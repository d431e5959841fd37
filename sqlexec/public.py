"""Marks the names that users import from `sqlexec` itself."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def public(thing: T) -> T:
    """Let a class or function call `sqlexec` its module, in reprs, tracebacks and pickles.

    A pickle then finds it under its public name, wherever its code moves to, and the server's
    stand-in for `sqlexec` can take its place.  As a decorator it stands above `dataclass`,
    which looks names up in the real module.
    """
    thing.__module__ = "sqlexec"
    return thing
