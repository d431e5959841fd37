"""Compute contexts as values, the active one, and rx_exec on this machine."""

from __future__ import annotations

import dataclasses
import functools
import random
import sys
import threading
import warnings

import numpy
import pytest
from tqdm import tqdm

import sqlexec
from sqlexec import (
    CallbackFailedWarning,
    RunFailedWarning,
    RxElemArg,
    RxInSqlServer,
    RxLocalSeq,
    RxSqlServerData,
    rx_exec,
    rx_get_compute_context,
    rx_set_compute_context,
)
from sqlexec.errors import ConfigurationError, DependencyMissing, PackError

NOWHERE = "Server=tcp:127.0.0.1,1;Database=d;UID=u;PWD=s3cret"


@pytest.fixture(autouse=True)
def _active_context():
    before = rx_get_compute_context()
    yield
    rx_set_compute_context(before)


def test_every_public_name_is_there():
    for name in sqlexec.__all__:
        assert getattr(sqlexec, name).__module__ == "sqlexec"
    assert set(sqlexec.__all__) == set(sqlexec._NAMES) - {"RxExecByResults"}
    assert set(sqlexec.__all__) <= set(dir(sqlexec))
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        sqlexec.nothing_of_the_kind  # noqa: B018


def test_defaults_of_the_documentation():
    cc = RxInSqlServer(NOWHERE)
    assert (cc.num_tasks, cc.auto_cleanup, cc.wait) == (1, True, True)
    assert (cc.console_output, cc.execution_timeout_seconds, cc.packages_to_load) == (None,) * 3


def test_a_context_is_a_value():
    cc = RxInSqlServer(NOWHERE, 2, packages_to_load=["json"])
    assert cc == RxInSqlServer(NOWHERE, num_tasks=2, packages_to_load=("json",))
    assert hash(cc) == hash(cc.replace())
    assert cc.replace(num_tasks=3).num_tasks == 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        cc.num_tasks = 5


def test_the_repr_lists_fields_and_hides_the_password():
    shown = repr(RxInSqlServer(NOWHERE, num_tasks=2))
    assert "s3cret" not in shown
    assert "num_tasks=2" in shown
    assert "127.0.0.1" in shown


def test_connection_from_the_environment(monkeypatch):
    monkeypatch.delenv("SQLEXEC_CONNECTION", raising=False)
    with pytest.raises(ConfigurationError, match="SQLEXEC_CONNECTION"):
        RxInSqlServer()
    monkeypatch.setenv("SQLEXEC_CONNECTION", NOWHERE)
    assert RxInSqlServer().connection_string == NOWHERE


@pytest.mark.parametrize(
    "fields",
    [
        {"num_tasks": -1},
        {"num_tasks": 1.5},
        {"num_tasks": None},
        {"execution_timeout_seconds": -1},
        {"wait": "no"},
        {"auto_cleanup": None},
        {"detached": "no"},
    ],
)
def test_wrong_fields(fields):
    with pytest.raises(ConfigurationError, match=next(iter(fields))):
        RxInSqlServer(NOWHERE, **fields)


def test_numbers_of_numpy():
    cc = RxInSqlServer(NOWHERE, num_tasks=numpy.int64(2), execution_timeout_seconds=numpy.int32(5))
    assert cc == RxInSqlServer(NOWHERE, num_tasks=2, execution_timeout_seconds=5)
    assert (type(cc.num_tasks), type(cc.execution_timeout_seconds)) == (int, int)


def test_active_context():
    assert rx_get_compute_context() == RxLocalSeq()
    cc = RxInSqlServer(NOWHERE)
    assert rx_set_compute_context(cc) == RxLocalSeq()
    assert rx_set_compute_context("local") == cc
    assert rx_set_compute_context("RxLocalSeq") == RxLocalSeq()
    with cc as entered:
        assert rx_get_compute_context() is entered
    assert rx_get_compute_context() == RxLocalSeq()
    for wrong in ("nowhere", 5):
        with pytest.raises(ConfigurationError):
            rx_set_compute_context(wrong)


def test_each_thread_has_the_context_of_its_own_block():
    """Where they had one stack, the block that ends first would end the other's."""
    entered, left = threading.Barrier(2), threading.Event()
    found = []

    def enter_and_leave():
        with RxInSqlServer(NOWHERE):
            entered.wait(30)
        left.set()

    thread = threading.Thread(target=enter_and_leave)
    thread.start()
    with RxLocalSeq(task_timeout_seconds=5) as mine:
        entered.wait(30)
        found.append(rx_get_compute_context())
        assert left.wait(30)
        found.append(rx_get_compute_context())
    thread.join()
    assert found == [mine, mine]
    assert rx_get_compute_context() == RxLocalSeq()


def test_a_context_that_is_set_within_a_block_goes_with_it():
    with RxInSqlServer(NOWHERE) as cc:
        assert rx_set_compute_context("local") == cc
        assert rx_get_compute_context() == RxLocalSeq()
    assert rx_get_compute_context() == RxLocalSeq()


# --- rx_exec here ------------------------------------------------------------------------


def add(x, y=0):
    return x + y


def test_results_in_order():
    assert rx_exec(add, x=[1, 2, 3], y=10) == [11, 12, 13]
    assert rx_exec(add, {"x": RxElemArg(iter([1, 2]))}) == [1, 2]
    assert rx_exec(add, []) == []
    assert rx_exec(lambda: 7, times_to_run=2) == [7, 7]


def read_state():
    return secret_of_the_state  # noqa: F821 - rx_exec makes it


def read_state_in_a_helper():
    return read_state()


@pytest.mark.parametrize(
    "function", [read_state, read_state_in_a_helper, functools.partial(read_state)]
)
def test_local_state(function):
    assert rx_exec(function, local_state={"secret_of_the_state": 5}) == [5]
    assert "secret_of_the_state" not in globals()


def test_positions_of_rc1():
    cc, seen = RxLocalSeq(), []
    state = {"secret_of_the_state": 5}
    assert rx_exec(read_state, {}, state) == [5]
    assert rx_exec(read_state, {}, state, cc, seen.append) == [5]
    assert rx_exec(read_state, {}, state, compute_context=cc, callback=seen.append) == [5]
    assert seen == [5, 5]


def fail_at_two(x):
    if x == 2:
        raise ValueError("two")
    return x


def test_the_exception_of_a_single_run_is_raised():
    with pytest.raises(ValueError, match="two"):
        rx_exec(fail_at_two, {"x": 2})


def test_an_exception_takes_its_place():
    with pytest.warns(RunFailedWarning, match="1 of 3 runs raised.*run 1: ValueError"):
        first, second, third = rx_exec(fail_at_two, x=[1, 2, 3])
    assert (first, third) == (1, 3)
    assert isinstance(second, ValueError)


def test_the_first_exception_stops_the_rest():
    seen = []
    with pytest.raises(ValueError, match="two") as caught:
        rx_exec(fail_at_two, x=[1, 2, 3], continue_on_failure=False, callback=seen.append)
    assert seen == [1, caught.value]


def test_callback_in_the_callers_thread():
    seen = []
    rx_exec(add, x=[1, 2], callback=lambda value: seen.append((value, threading.get_ident())))
    assert seen == [(1, threading.get_ident()), (2, threading.get_ident())]


def test_a_callback_that_raises_is_told_at_the_end():
    with pytest.warns(CallbackFailedWarning, match="division by zero") as warned:
        assert rx_exec(add, x=[1, 2], callback=lambda value: 1 / 0) == [1, 2]
    assert "delivery.py" not in str(warned[0].message)
    with pytest.raises(ConfigurationError, match="callback"):
        rx_exec(add, x=1, callback=5)


def draw():
    return random.random(), numpy.random.random()


def test_a_seed_gives_each_run_its_own_stream():
    random.seed(1)
    expected = random.random()
    random.seed(1)
    runs = rx_exec(draw, times_to_run=3, seed=42)
    assert random.random() == expected  # the caller's own stream goes on as if nothing was
    assert len(set(runs)) == 3
    assert runs == rx_exec(draw, times_to_run=3, seed=42)
    assert runs != rx_exec(draw, times_to_run=3, seed=43)


def test_revoscalepy_is_there_for_the_function():
    def function():
        from revoscalepy import rx_data_step

        return rx_data_step

    assert rx_exec(function) == [sqlexec.rx_data_step]


def test_packages_to_load():
    assert rx_exec(add, x=1, packages_to_load="json") == [1]
    with pytest.raises(DependencyMissing, match="no_such_package"):
        rx_exec(add, x=1, packages_to_load=["no_such_package"])


class Talker(RxLocalSeq):
    """A context whose runs wrote something elsewhere."""

    def carry_out(self, plan):
        for outcomes in super().carry_out(plan):
            for outcome in outcomes:
                outcome.console = [("stdout", f"line {outcome.index}\n")]
            yield outcomes


def test_console_lines_stand_beside_a_progress_bar(capsys):
    with tqdm(total=3, file=sys.stderr, mininterval=0, ncols=60) as bar:
        rx_exec(
            add,
            x=[1, 2, 3],
            compute_context=Talker(),
            console_output=True,
            callback=lambda _: bar.update(),
        )
    out, err = capsys.readouterr()
    assert out == "line 0\nline 1\nline 2\n"
    assert err.count("\r" + " " * 50) == 3  # the bar is taken off for each line, and comes again


# --- what RxInSqlServer refuses before it connects ------------------------------------------


def refused(message, function=add, *, cc=None, kind=ConfigurationError, **arguments):
    with warnings.catch_warnings(), pytest.raises(kind, match=message):
        rx_exec(function, arguments, compute_context=cc or RxInSqlServer(NOWHERE))


def test_one_data_source_a_run():
    source = RxSqlServerData(table="t")
    refused("one data source", x=source, y=source)


def test_a_data_source_of_another_place():
    refused("same server and database", x=RxSqlServerData(table="t", server="other", user="a"))
    refused("same server and database", x=RxSqlServerData("Server=tcp:127.0.0.1,1", table="t"))


def test_data_sources_of_some_runs():
    source, other = RxSqlServerData(table="t"), RxSqlServerData(table="t", server="other", user="a")
    refused("same server and database", x=RxElemArg([source, other]))
    refused("Run 1 has no data source", x=RxElemArg([source, 5]))


def test_a_data_source_inside_something_else_is_not_sent():
    refused("data source must be an argument by itself", kind=PackError,
            x=[RxSqlServerData(NOWHERE, table="t")])  # fmt: skip


def test_what_cannot_be_pickled_is_named():
    refused("argument 'x'.*lock", kind=PackError, x=threading.Lock())
