"""Today's code reads the stored payloads and results to the very values of their table."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sqlexec.payload import SendOtherwise, unpack
from sqlexec.runner.main import run_chunk
from sqlexec.runner.wire import REQUEST, split_frame
from sqlexec.tasks import Outcome
from tests.runner.codec_values import assert_same, infer_string
from tests.samples import make
from tests.samples.job import evaluate

STORED = sorted(Path(make.__file__).parent.glob("payload-*/*.request"))


@pytest.fixture(autouse=True)
def texts_as_objects() -> Iterator[None]:
    """Labels are of object, as the samples' were made."""
    infer_string(False)
    yield
    infer_string(True)


def names(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def check(sample: str, outcomes: list[Outcome]) -> None:
    wrong = {}
    for expression, outcome in zip(make.expressions(sample), outcomes, strict=True):
        try:
            if expression == "console()":
                assert outcome.console == [("stdout", "out \u00e4\n"), ("stderr", "err\n")]
                ((category, text, *_),) = outcome.warnings
                assert (category, text) == ("builtins.UserWarning", "careful")
            elif expression == "error()":
                check_error(outcome)
            else:
                assert outcome.error is None
                check_value(expression, outcome.value)
        except (Exception, AssertionError) as error:
            wrong[expression] = f"{type(error).__name__}: {str(error)[:300]}"
    assert wrong == {}


def check_value(expression: str, value: Any) -> None:
    wanted = evaluate(expression, make.given())
    if expression.startswith("scipy."):
        assert type(value) is type(wanted)
        assert value.dtype == wanted.dtype
        np.testing.assert_array_equal(value.toarray(), wanted.toarray())
    else:
        assert_same(value, wanted)


def check_error(outcome: Outcome) -> None:
    error = outcome.error
    assert type(error) is ValueError
    assert error.args == ("second", 2)
    assert type(error.__cause__) is KeyError
    assert error.__cause__.args == ("first",)
    assert 'File "job.py", line 22, in error' in outcome.traceback


def key_of(request: bytes) -> bytes:
    return bytes.fromhex(split_frame(request, REQUEST)[0]["key"])


def test_there_are_samples_of_the_present_version() -> None:
    assert {each.stem for each in STORED if each.parent == make.FOLDER} == set(make.SERVERS)


@pytest.mark.parametrize("path", STORED, ids=names)
def test_stored_results_are_read_exactly(path: Path) -> None:
    pytest.importorskip("scipy.sparse")
    result = path.with_suffix(".result").read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reply = unpack(result, key_of(path.read_bytes()))
    assert reply.runtime["python"][:2] == [int(each) for each in path.stem.split(".")]
    check(path.stem, reply.outcomes)


@pytest.mark.parametrize("path", STORED, ids=names)
def test_stored_payloads_are_run(path: Path) -> None:
    pytest.importorskip("scipy.sparse")
    request = path.read_bytes()
    header, _ = split_frame(request, REQUEST)
    result, _ = run_chunk(request)
    if header["transport"] == "bytecode" and header["python"][:2] != list(sys.version_info[:2]):
        with pytest.raises(SendOtherwise):
            unpack(result, key_of(request))
        return
    check(path.stem, unpack(result, key_of(request)).outcomes)
