"""Exceptions of runs: their tracebacks, what they tell of where they were raised, debug=True."""

from __future__ import annotations

import copy
import os
import pickle
import random
import sys
import threading
import time
import traceback

import pandas
import pytest

import sqlexec
from sqlexec import (
    PemaBase,
    RunFailedWarning,
    RxForeachDoPar,
    RxLocalParallel,
    RxLocalSeq,
    RxSqlServerData,
    SqlServerExecutor,
    pema_compute,
    rx_distribute_job,
    rx_exec,
    rx_exec_iter,
    rx_match_call,
)
from sqlexec.errors import (
    ConfigurationError,
    NotReproduced,
    RemoteError,
    TaskCrashed,
    TaskTimeout,
)

CONTEXTS = {
    "local": RxLocalSeq(),
    "localpar": RxLocalParallel(2),
    "dopar": RxForeachDoPar(num_tasks=2),
    "sqlserver": None,  # the fixture `cc`
}


@pytest.fixture(params=CONTEXTS)
def context(request):
    """Each compute context in turn."""
    return CONTEXTS[request.param] or request.getfixturevalue("cc")


@pytest.fixture(params=list(CONTEXTS)[1:])
def elsewhere(request):
    """Each compute context that runs functions in other processes."""
    return CONTEXTS[request.param] or request.getfixturevalue("cc")


def inverse(x):
    print("inverting", x)
    return helper(x)


def helper(x):
    return 1 / x


def frames_of(error):
    return [(each.filename, each.name) for each in traceback.extract_tb(error.__traceback__)]


def in_package(error):
    package = os.path.dirname(sqlexec.__file__)
    return [name for file, name in frames_of(error) if file.startswith(package)]


# --- tracebacks --------------------------------------------------------------------------


def test_a_traceback_reads_as_if_the_run_had_been_here(context):
    with pytest.raises(ZeroDivisionError) as caught:
        rx_exec(inverse, x=0, compute_context=context)
    assert [name for _, name in frames_of(caught.value)[-2:]] == ["inverse", "helper"]
    assert in_package(caught.value) == ["rx_exec"]
    assert caught.value.__cause__ is None
    text = "".join(traceback.format_exception(caught.value))
    assert f'File "{__file__}", line {helper.__code__.co_firstlineno + 1}, in helper\n' in text
    assert "    return 1 / x\n" in text


def first_of(values):
    return next(iter(values))


@pytest.mark.parametrize("debug", [False, True])
def test_stop_iteration_does_not_become_another(context, debug):
    values = sqlexec.RxElemArg([[1], []])
    with pytest.raises(StopIteration) as caught:
        rx_exec(
            first_of,
            {"values": values},
            compute_context=context,
            continue_on_failure=False,
            debug=debug,
        )
    assert caught.value.remote.index == 1
    assert in_package(caught.value) == ["rx_exec"]


def test_exceptions_in_the_list_have_theirs(context):
    with pytest.warns(RunFailedWarning):
        _, error = rx_exec(inverse, x=[1, 0], compute_context=context)
    assert [name for _, name in frames_of(error)] == ["inverse", "helper"]


def test_the_clients_own_errors_are_short(context):
    with pytest.raises(ConfigurationError) as caught:
        rx_exec(inverse, y=0, compute_context=context)
    assert in_package(caught.value) == ["rx_exec"]


def test_what_ends_the_job_from_here_is_short(context):
    def end(_):
        raise SystemExit(3)

    with pytest.raises(SystemExit) as caught:
        rx_exec(helper, x=1, compute_context=context, callback=end)
    assert in_package(caught.value) == ["rx_exec"]


def test_all_frames_when_asked(context, monkeypatch):
    monkeypatch.setenv("SQLEXEC_FULL_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError) as caught:
        rx_exec(inverse, x=0, compute_context=context)
    assert len(frames_of(caught.value)) > 5


# --- error.remote ------------------------------------------------------------------------


def test_remote(context, connection_string):
    with pytest.warns(RunFailedWarning):
        _, error = rx_exec(
            inverse, x=[1, 0], compute_context=context, packages_to_load="json", task_chunk_size=1
        )
    remote = error.remote
    assert remote.index == 1
    assert remote.runtime["python"] == list(sys.version_info[:3])
    assert remote.runtime["process_id"] == remote.process_id
    assert "return 1 / x" in remote.traceback
    here = isinstance(context, RxLocalSeq)
    assert (remote.process_id == os.getpid()) == here
    assert remote.console == ("" if here else "inverting 0")
    assert bool(remote.server) == bool(remote.database) == hasattr(context, "connection_string")
    assert remote.attempt == 1
    again = pickle.loads(pickle.dumps(error))
    assert again.remote == copy.copy(error).remote == remote


def test_an_exception_can_be_sent_on(context):
    with pytest.warns(RunFailedWarning):
        _, error = rx_exec(inverse, x=[1, 0], compute_context=context)
    seen = rx_exec(lambda e: (type(e).__name__, e.remote.index), e=error, compute_context=context)
    assert seen == [("ZeroDivisionError", 1)]


class Unbuildable(Exception):
    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")

    def __reduce__(self):
        return Unbuildable, (self.args[0],)


def unbuildable():
    raise Unbuildable(1, 2)


def test_remote_of_errors_of_our_own(elsewhere):
    with pytest.raises(RemoteError, match="1 and 2") as caught:
        rx_exec(unbuildable, compute_context=elsewhere)
    assert caught.value.remote.index == 0
    assert frames_of(caught.value)[-1][1] == "unbuildable"
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.remote, again.type_name) == (caught.value.remote, caught.value.type_name)


def test_remote_of_a_timeout(context):
    def waits(seconds):
        time.sleep(seconds)

    with pytest.raises(TaskTimeout) as caught:
        rx_exec(waits, seconds=30, compute_context=context, task_timeout_seconds=0.1)
    assert caught.value.remote.index == 0
    assert frames_of(caught.value)[-1][1] == "waits"


def test_remote_of_a_killer(cc):
    def kills():
        print("before the end", flush=True)
        os._exit(3)

    with pytest.raises(TaskCrashed) as caught:
        rx_exec(kills, compute_context=cc.replace(max_attempts=2))
    remote = caught.value.remote
    assert (remote.index, remote.attempt, remote.console) == (0, 2, "before the end")
    assert remote.server


class FtpError(Exception):
    remote = "ftp.example.org"


def test_an_attribute_of_that_name_is_left_to_the_exception(context):
    def fails():
        raise FtpError("refused")

    with pytest.raises(FtpError) as caught:
        rx_exec(fails, compute_context=context)
    assert caught.value.remote == "ftp.example.org"
    assert in_package(caught.value) == ["rx_exec"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes came with 3.11")
def test_a_note_tells_that_it_was_elsewhere(cc):
    with pytest.raises(ZeroDivisionError) as caught:
        rx_exec(inverse, x=0, compute_context=cc)
    (note,) = caught.value.__notes__
    assert note.startswith("[sqlexec: run 0, server ")


def test_executor_and_iterator(cc):
    with SqlServerExecutor(cc) as executor:
        error = executor.submit(inverse, 0).exception()
    assert frames_of(error)[-1][1] == "helper"
    assert error.remote.process_id
    with pytest.raises(ZeroDivisionError) as caught:
        list(rx_exec_iter(inverse, x=[0], compute_context=cc, continue_on_failure=False))
    assert caught.value.remote.index == 0


class Fails(PemaBase):
    def process_data(self, data):
        return inverse(0)

    def update_results(self, other):
        return None

    process_results = process_data


@pytest.mark.parametrize(
    "call",
    [
        lambda: rx_exec(inverse, x=0),
        lambda: list(rx_exec_iter(inverse, x=[0], continue_on_failure=False)),
        lambda: rx_distribute_job({"function": inverse, "x": 0}, rx_match_call(inverse, 0)),
        lambda: pema_compute(Fails(), pandas.DataFrame({"x": [1]})),
    ],
    ids=["rx_exec", "rx_exec_iter", "rx_distribute_job", "pema_compute"],
)
def test_pytest_and_notebooks_show_none_of_our_frames(call):
    with pytest.raises(ZeroDivisionError) as caught:
        call()
    shown = [str(each.path) for each in caught.traceback.filter(caught)]
    assert shown[-2:] == [__file__, __file__]
    assert not [each for each in shown if each.startswith(os.path.dirname(sqlexec.__file__))]


# --- debug=True --------------------------------------------------------------------------


def live(error, name):
    """Variables of the frame of this function."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_name == name:
            return trace.tb_frame.f_locals
        trace = trace.tb_next
    return None


def drawn(x, offset):
    number = random.random() + x + SHIFT + offset  # noqa: F821
    if x >= 2:
        raise ValueError(number)
    return number


def test_debug_raises_the_first_failure_with_live_frames(context):
    arguments = {"x": [1, 3, 2], "offset": 10}
    options = {"compute_context": context, "seed": 7, "local_state": {"SHIFT": 100}}
    with pytest.warns(RunFailedWarning):
        _, there, _ = rx_exec(drawn, **arguments, **options)
    with pytest.raises(ValueError, match=r"\d") as caught:
        rx_exec(drawn, **arguments, **options, debug=True)
    error = caught.value
    assert error.args == there.args, "the same random stream"
    assert live(error, "drawn") == {"x": 3, "offset": 10, "number": there.args[0]}
    assert error.remote.index == 1
    assert set(error.partial_results) == {0, 1, 2}


def test_debug_of_what_does_not_fail(context):
    assert rx_exec(helper, x=[], compute_context=context, debug=True) == []
    assert rx_exec(helper, x=[1, 2], compute_context=context, debug=True) == [1, 0.5]


def test_debug_stops_at_the_first_if_asked(context):
    with pytest.raises(ZeroDivisionError) as caught:
        rx_exec(helper, x=[0], compute_context=context, continue_on_failure=False, debug=True)
    assert live(caught.value, "helper") == {"x": 0}


def test_debug_with_rows(cc, flights):
    def fails(data):
        rows = sqlexec.rx_data_step(data)
        raise LookupError(len(rows))

    source = RxSqlServerData(sql_query=f"SELECT TOP 7 id FROM {flights}")
    with pytest.raises(LookupError) as caught:
        rx_exec(fails, data=source, compute_context=cc, debug=True)
    assert caught.value.args == (7,)
    assert live(caught.value, "fails")["rows"].shape == (7, 1)


def test_debug_of_what_fails_only_there(elsewhere):
    def fails(process_id):
        if os.getpid() != process_id:
            raise LookupError("not at home")

    with pytest.raises(NotReproduced, match="ran here without an error") as caught:
        rx_exec(fails, process_id=os.getpid(), compute_context=elsewhere, debug=True)
    assert isinstance(caught.value.__cause__, LookupError)
    assert caught.value.__cause__.remote.process_id != os.getpid()


def test_debug_does_not_run_a_killer_here(cc):
    with pytest.raises(TaskCrashed):
        rx_exec(os._exit, {"status": 3}, compute_context=cc.replace(max_attempts=1), debug=True)


def test_debug_runs_once_where_that_was_here(capsys):
    with pytest.raises(ZeroDivisionError):
        rx_exec(inverse, x=0, compute_context=RxLocalSeq(), debug=True)
    assert capsys.readouterr().out == "inverting 0\n"


class Picky(Exception):
    """As urllib's HTTPError: its attributes are those of an object that stays on the server."""

    def __init__(self, code):
        super().__init__(code)
        self.file = threading.Lock()

    def __getattr__(self, name):
        return getattr(self.__dict__["file"], name)


def picky():
    raise Picky(404)


def test_an_exception_that_misses_what_it_left_on_the_server(cc):
    with pytest.raises(Picky) as caught:
        rx_exec(picky, compute_context=cc)
    assert caught.value.args == (404,)
    assert vars(caught.value)["remote"].index == 0
