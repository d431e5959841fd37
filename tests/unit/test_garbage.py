"""The collector goes on as it was, whatever happens meanwhile."""

from __future__ import annotations

import gc

import pytest

from sqlexec.garbage import PORTION, collection_paused, in_portions


def test_the_collector_is_held_back_and_let_go():
    with collection_paused():
        assert not gc.isenabled()
        with collection_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_lets_it_go():
    def fail(number):
        raise LookupError(number)

    with pytest.raises(LookupError):
        list(in_portions(map(fail, range(3))))
    assert gc.isenabled()


def test_a_collector_that_the_user_has_switched_off_stays_off():
    gc.disable()
    try:
        with collection_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_portions_lose_nothing_and_the_collector_runs_between_objects():
    seen = []
    for number in in_portions(range(2 * PORTION + 1)):
        assert gc.isenabled()
        seen.append(number)
    assert seen == list(range(2 * PORTION + 1))
