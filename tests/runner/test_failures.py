"""Exceptions from the server: with their causes, contexts, notes and attributes."""

import sys

import pytest

from sqlexec.errors import RemoteError, RemoteTraceback
from tests.runner.test_run_chunk import Own, Stubborn, one


def raises_from(with_bad: bool) -> None:
    try:
        try:
            raise KeyError("first")
        except KeyError as first:
            raise (Stubborn(1, 2) if with_bad else Own(3, hint="second")) from first
    except Exception as second:
        error = ValueError("third", 3)
        error.extra = [1]  # type: ignore[attr-defined]
        raise error from second


def test_causes_contexts_and_attributes_come_along() -> None:
    error = one(raises_from, shared={"with_bad": False}).error
    assert isinstance(error, ValueError)
    assert (error.args, error.extra) == (("third", 3), [1])  # type: ignore[attr-defined]
    second = error.__cause__
    assert isinstance(second, Own)
    assert second.hint == "second"
    assert error.__context__ is second
    assert isinstance(second.__cause__, KeyError)
    assert isinstance(second.__cause__.__cause__, RemoteTraceback)


def test_a_cause_that_cannot_be_rebuilt_is_named() -> None:
    error = one(raises_from, shared={"with_bad": True}).error
    assert isinstance(error, ValueError)
    assert isinstance(error.__cause__, RemoteError)
    assert "1 and 2" in str(error.__cause__)
    assert isinstance(error.__cause__.__cause__, KeyError)


def test_a_suppressed_context_stays_so() -> None:
    def hides() -> None:
        try:
            raise KeyError(1)
        except KeyError:
            raise ValueError(2) from None

    error = one(hides).error
    assert error is not None
    assert error.__suppress_context__
    assert isinstance(error.__context__, KeyError)


def test_exceptions_that_are_each_others_context() -> None:
    def circle() -> None:
        first, second = ValueError(1), KeyError(2)
        first.__cause__, second.__cause__ = second, first
        raise first

    error = one(circle).error
    assert isinstance(error, ValueError)
    assert error.__cause__ is not None
    assert error.__cause__.__cause__ is error


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes came with Python 3.11")
def test_notes_and_groups_come_along() -> None:
    def noted() -> None:
        error = ValueError(1)
        error.add_note("look here")
        raise ExceptionGroup("both", [error, KeyError(2)])  # noqa: F821

    error = one(noted).error
    assert isinstance(error, ExceptionGroup)  # noqa: F821
    assert error.exceptions[0].__notes__ == ["look here"]
