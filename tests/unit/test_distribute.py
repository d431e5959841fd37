"""Calls with named arguments, and functions that send their own work to a context."""

from __future__ import annotations

import pandas
import pytest

from sqlexec import (
    RxElemArg,
    RxInSqlServer,
    RxLocalSeq,
    RxMatchCall,
    RxSqlServerData,
    rx_distribute_job,
    rx_is_distributed_context,
    rx_match_call,
)
from sqlexec.errors import ConfigurationError

HERE = "Server=db1;Database=d;UID=u;PWD=secret"
ELSEWHERE = "Server=db2;Database=d;UID=u;PWD=secret"


def power(base, exp=2, *more, modulo=None, **options):
    return base**exp


def test_a_call_with_all_names():
    call = rx_match_call(power, 3, exp=4, unit="m")
    assert call == RxMatchCall(power, {"base": 3, "exp": 4, "unit": "m"})
    assert repr(call) == "power(base=3, exp=4, unit='m')"


def test_only_what_the_call_gave():
    assert rx_match_call(power, 3).arguments == {"base": 3}


@pytest.mark.parametrize("arguments", [(), (1, 2, 3)])
def test_calls_that_cannot_be_matched(arguments):
    with pytest.raises(ConfigurationError, match="power"):
        rx_match_call(power, *arguments)


def test_distributed_contexts():
    server = RxInSqlServer(HERE)
    assert not rx_is_distributed_context()
    assert not rx_is_distributed_context(RxLocalSeq(), pandas.DataFrame())
    assert rx_is_distributed_context(server)
    assert rx_is_distributed_context(server, RxSqlServerData(HERE, table="t"))
    assert rx_is_distributed_context(server, RxSqlServerData(table="t"))
    assert not rx_is_distributed_context(server, RxSqlServerData(ELSEWHERE, table="t"))
    assert not rx_is_distributed_context(server, pandas.DataFrame())
    with server:
        assert rx_is_distributed_context()


def test_one_result_or_a_list():
    call = rx_match_call(power, 1)
    assert rx_distribute_job({"function": power, "base": 3}, call) == 9
    runs = {"function": power, "base": RxElemArg([3, 4]), "exp": 1}
    assert rx_distribute_job(runs, call) == [3, 4]


def test_the_context_is_that_of_the_call():
    def outer(compute_context=None):
        raise AssertionError("never called")

    with pytest.raises(ConfigurationError, match="nowhere"):
        rx_distribute_job(
            {"function": power, "base": 3}, rx_match_call(outer, compute_context="nowhere")
        )


@pytest.mark.parametrize(
    ("what", "call", "told"),
    [
        ({"base": 3}, RxMatchCall(power, {}), "match_call_list"),
        ([power, 3], RxMatchCall(power, {}), "match_call_list"),
        ({"function": power, "base": 3}, power, "RxMatchCall"),
    ],
)
def test_what_is_no_job(what, call, told):
    with pytest.raises(ConfigurationError, match=told):
        rx_distribute_job(what, call)


def test_the_first_exception_is_raised():
    runs = {"function": power, "base": RxElemArg([1, "a", 2])}
    with pytest.raises(TypeError):
        rx_distribute_job(runs, rx_match_call(power, 1))
