"""Exceptions from the server: with their causes, contexts, notes and attributes."""

import pickle
import sys
import threading
import traceback
import warnings
from typing import Any

import pytest

from sqlexec.errors import PackError, RemoteError
from tests.runner.peers import PeerError, peer
from tests.runner.test_run_chunk import Own, Stubborn, one, raises


class Composed(Exception):
    """Makes its message itself, of other arguments than its base gets."""

    def __init__(self, code: int, *, hint: str) -> None:
        super().__init__(f"code {code}: {hint}")
        self.code = code


class Slotted(Exception):
    __slots__ = ("__secret", "place")

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place
        self.__secret = 5

    def secret(self) -> int:
        return self.__secret


class Made(Exception):
    def __new__(cls, first: int, second: int) -> "Made":
        return super().__new__(cls)

    def __init__(self, first: int, second: int) -> None:
        self.first = first


class Many(ValueError, OSError):
    def __init__(self, number: int) -> None:
        OSError.__init__(self, number, "bad", "file")


class Reduced(Exception):
    def __init__(self, first: int, second: int) -> None:
        super().__init__("reduced")
        self.both = first, second

    def __reduce__(self) -> Any:
        return Reduced, self.both


@pytest.mark.parametrize(
    "error",
    [
        Composed(3, hint="here"),
        Slotted(4),
        Made(1, 2),
        Many(2),
        Reduced(1, 2),
        FileNotFoundError(2, "none", "a", None, "b"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        KeyError("k"),
        StopIteration(4),
        ImportError("none", name="n", path="p"),
        SyntaxError("bad", ("file", 1, 2, "text")),
    ],
    ids=repr,
)
def test_an_exception_comes_back_as_it_was(error: BaseException) -> None:
    found: Any = one(lambda: raises(error)).error
    assert type(found) is type(error)
    assert (str(found), found.args) == (str(error), error.args)
    for name in ("place", "filename", "filename2", "errno", "object", "value", "path", "lineno"):
        assert getattr(found, name, None) == getattr(error, name, None)
    notes = {"__notes__"}
    assert {k: v for k, v in vars(found).items() if k not in notes} == vars(error)
    if isinstance(error, Slotted):
        assert found.secret() == 5


def test_what_of_an_exception_cannot_be_pickled_is_told() -> None:
    def fails() -> None:
        warnings.simplefilter("error")
        error = Composed(3, hint="here")
        error.lock = threading.Lock()  # type: ignore[attr-defined]
        raise error

    outcome = one(fails)
    assert isinstance(outcome.error, Composed)
    assert outcome.error.code == 3
    assert not hasattr(outcome.error, "lock")
    assert ["attribute 'lock'" in text for _, text, *_ in outcome.warnings] == [True]
    outcome = one(lambda: raises(ValueError(threading.Lock(), 1)))
    assert isinstance(outcome.error, ValueError)
    assert "lock object" in outcome.error.args[0]
    assert outcome.error.args[1] == 1
    assert "cannot be pickled" in outcome.warnings[0][1]


@pytest.mark.parametrize("base", [ValueError, KeyError, FileNotFoundError, UnicodeDecodeError])
def test_what_cannot_be_rebuilt_is_caught_by_its_builtin_base(base: Any) -> None:
    class Lost(base):  # type: ignore[misc]
        def __init__(self, first: int, second: int) -> None:
            self.both = first, second

        def __str__(self) -> str:
            return "lost"

        def __reduce__(self) -> Any:
            return type(self), ()

    error: Any = one(lambda: raises(Lost(1, 2))).error
    assert isinstance(error, RemoteError)
    assert isinstance(error, base) == (base is not UnicodeDecodeError)
    assert "Lost: lost (raised on the server" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again).__mro__[1:], str(again)) == (type(error).__mro__[1:], str(error))
    assert again.type_name.endswith("Lost")


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


def shown(error: BaseException) -> str:
    return "".join(traceback.format_tb(error.__traceback__))


def test_causes_contexts_and_attributes_come_along() -> None:
    error = one(raises_from, shared={"with_bad": False}).error
    assert isinstance(error, ValueError)
    assert (error.args, error.extra) == (("third", 3), [1])  # type: ignore[attr-defined]
    second = error.__cause__
    assert isinstance(second, Own)
    assert second.hint == "second"
    assert error.__context__ is second
    assert isinstance(second.__cause__, KeyError)
    assert all("in raises_from" in shown(each) for each in (error, second, second.__cause__))


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


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups came with Python 3.11")
def test_members_of_groups_have_their_tracebacks_and_causes() -> None:
    def fails(number: int) -> None:
        try:
            raises_from(with_bad=False)
        except ValueError as error:
            error.lock = threading.Lock()  # type: ignore[attr-defined]
            error.number = number  # type: ignore[attr-defined]
            raise

    def grouped() -> None:
        errors = []
        for number in range(3):
            try:
                fails(number)
            except ValueError as error:
                errors.append(error)
        inner = ExceptionGroup("inner", errors[1:])  # noqa: F821
        inner.extra = 5  # type: ignore[attr-defined]
        raise RuntimeError("outer") from ExceptionGroup(  # noqa: F821
            "both", [errors[0], inner, Stubborn(1, 2)]
        )

    error: Any = one(grouped).error
    group = error.__cause__
    assert (type(group), group.message) == (ExceptionGroup, "both")  # noqa: F821
    first, inner, lost = group.exceptions
    assert (inner.message, inner.extra) == ("inner", 5)
    for number, member in enumerate((first, *inner.exceptions)):
        assert (type(member), member.number) == (ValueError, number)
        assert "in raises_from" in shown(member)
        assert "in raises_from" in shown(member.__cause__)
    assert isinstance(lost, RemoteError)
    assert "1 and 2" in str(lost)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups came with Python 3.11")
def test_a_group_in_its_members_context() -> None:
    def circle() -> None:
        member, other = ValueError(1), KeyError(2)
        group = ExceptionGroup("inner", [member])  # noqa: F821
        member.__context__ = group
        other.__context__ = member
        raise ExceptionGroup("outer", [other, group])  # noqa: F821

    error: Any = one(circle).error
    other, group = error.exceptions
    assert other.__context__ is group.exceptions[0]
    assert other.__context__.__context__ is group


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups came with Python 3.11")
def test_groups_and_notes_between_pythons() -> None:
    older, newer = peer("3.8 bare"), peer("3.13 bare")
    group = newer.make("value = ExceptionGroup('both', [ValueError(1)])")
    assert repr(group) == "ExceptionGroup('both', [ValueError(1)])"
    with pytest.raises(PeerError, match=r"needs builtins\.ExceptionGroup, which this Python 3\.8"):
        older.look(group, "value")
    noted = older.make("value = ValueError(1); value.__notes__ = ['look']")
    assert noted.__notes__ == ["look"]
    assert older.look(noted, "value.__notes__") == ["look"]


def test_what_is_nested_too_deep_is_refused_on_either_side() -> None:
    def nested(depth: int) -> Any:
        found: Any = []
        for _ in range(depth):
            found = [found]
        return found

    with pytest.raises(PackError, match=r"argument 'value' .* deep"):
        one(lambda value: None, shared={"value": nested(100_000)})
    error = one(lambda: nested(100_000)).error
    assert isinstance(error, TypeError)
    assert "the function's result" in str(error)
