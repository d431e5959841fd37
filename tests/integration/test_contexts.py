"""What rx_exec promises, in every compute context: any difference between them shows here."""

from __future__ import annotations

import itertools
import os
import threading
import time
import traceback
import warnings

import numpy
import pandas
import pytest

import sqlexec
from sqlexec import (
    CallbackFailedWarning,
    RunFailedWarning,
    RxElemArg,
    RxLocalSeq,
    RxSqlServerData,
    rx_exec,
    rx_exec_iter,
    rx_set_compute_context,
)
from sqlexec.errors import (
    ConfigurationError,
    PackError,
    ServerError,
)

# --- runs and results --------------------------------------------------------------------


def test_results_in_order(context):
    assert rx_exec(lambda x, y: x * y, x=[1, 2, 3], y=10, compute_context=context) == [10, 20, 30]
    runs = [{"x": 1, "y": 2}, {"x": 3, "y": 4}]
    assert rx_exec(lambda x, y: x - y, runs, compute_context=context) == [-1, -1]
    assert rx_exec(lambda: 7, times_to_run=3, compute_context=context) == [7, 7, 7]
    assert rx_exec(lambda x: x, {"x": RxElemArg(iter("ab"))}, compute_context=context) == ["a", "b"]
    assert rx_exec(lambda x: x, {"x": [1, 2]}, compute_context=context) == [[1, 2]]
    assert rx_exec(lambda x: x, x=[[1, 2]], compute_context=context) == [[1, 2]]


def test_no_runs(context):
    assert rx_exec(lambda x: x, [], compute_context=context) == []
    assert rx_exec(lambda x: x, x=[], compute_context=context) == []
    assert rx_exec(lambda: 1, times_to_run=0, compute_context=context) == []
    assert rx_exec(lambda x: x, [], compute_context=context, auto_cleanup=False) == []


@pytest.mark.parametrize(
    "value",
    [None, 1.5, "é😀", b"\x00\xff" * 50_000, {"a": [1, (2, {3})]}, numpy.arange(100_000.0)],
    # pytest puts the name into the environment, where a long one keeps processes from starting
    ids=["none", "float", "text", "bytes", "nested", "array"],
)
def test_values_there_and_back(context, value):
    (found,) = rx_exec(lambda value: value, {"value": value}, compute_context=context)
    assert type(found) is type(value)
    assert numpy.array_equal(found, value) if isinstance(value, numpy.ndarray) else found == value


def test_frames_there_and_back(context):
    frame = pandas.DataFrame({"a": [1, 2], "b": ["x", None], "c": [1.5, numpy.nan]})
    (found,) = rx_exec(lambda frame: frame, {"frame": frame}, compute_context=context)
    pandas.testing.assert_frame_equal(found, frame)


@pytest.mark.parametrize(
    "value",
    [numpy.arange(3), (1, 2, 3), "abc", {"a": 1}, pandas.DataFrame({"a": [1, 2]}), {1, 2}],
    ids=lambda value: type(value).__name__,
)
def test_only_lists_make_a_run_of_each_element(context, value):
    """As keywords; all else is one value, the same in each run."""
    first, second = rx_exec(lambda x, y: (len(x), y), x=value, y=[1, 2], compute_context=context)
    assert (first, second) == ((len(value), 1), (len(value), 2))


def test_an_iterator_is_no_value(context):
    with pytest.raises(PackError, match=r"argument 'x'.*generator"):
        rx_exec(lambda x: 1, x=(number for number in range(3)), compute_context=context)


def test_many_tasks(context):
    found = rx_exec(lambda x: x + 1, x=list(range(3000)), compute_context=context)
    assert found == list(range(1, 3001))


def test_calls_are_as_small_as_their_tasks_are_large(elsewhere, monkeypatch):
    monkeypatch.setattr("sqlexec.chunks.MOST_BYTES", 100_000)
    arrays = [numpy.full(5_000, float(n)) for n in range(12)]
    _, report = rx_exec(lambda x: x + 1, x=arrays, compute_context=elsewhere, report=True)
    assert report.to_frame()["chunk"].is_unique  # a run each


def grow(xs, fresh):
    xs.append(len(xs))
    fresh.append(len(fresh))
    return fresh


def test_runs_change_copies_of_their_arguments(context):
    shared, own = [5], [[], [], []]
    found = rx_exec(grow, {"xs": shared, "fresh": RxElemArg(own)}, compute_context=context)
    assert found == [[0], [0], [0]]
    assert shared == [5]
    assert own == [[], [], []]


def test_it_runs_elsewhere(elsewhere):
    processes = rx_exec(os.getpid, times_to_run=4, task_chunk_size=1, compute_context=elsewhere)
    assert os.getpid() not in processes


# --- results as they complete -------------------------------------------------------------


def sleep_and_tell(seconds):

    time.sleep(seconds)
    return seconds


def wait_for(path):

    while path is not None and not path.exists():
        time.sleep(0.01)
    return str(path)


def test_iterating(context):
    pairs = rx_exec_iter(lambda x: x * x, x=list(range(50)), compute_context=context)
    assert sorted(pairs) == [(x, x * x) for x in range(50)]
    pairs = rx_exec_iter(lambda x: x * x, x=list(range(50)), compute_context=context, ordered=True)
    assert list(pairs) == [(x, x * x) for x in range(50)]
    assert list(rx_exec_iter(lambda x: x, x=[], compute_context=context)) == []


@pytest.mark.embedded_only
def test_the_quick_come_first(elsewhere, tmp_path):
    path = tmp_path / "met"
    runs = {"path": RxElemArg([path, None])}
    pairs = rx_exec_iter(wait_for, runs, task_chunk_size=1, compute_context=elsewhere)
    assert next(pairs) == (1, "None")
    path.touch()
    assert list(pairs) == [(0, str(path))]


def test_iterating_over_exceptions(context):
    found = dict(rx_exec_iter(fail_at_two, x=[1, 2, 3], compute_context=context))
    assert (found[0], found[2]) == (1, 3)
    assert isinstance(found[1], ValueError)
    with pytest.raises(ValueError, match="two"):
        list(
            rx_exec_iter(fail_at_two, x=[1, 2], compute_context=context, continue_on_failure=False)
        )


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")  # in loky's
def test_closing_an_iterator_cancels(context):
    seconds = RxElemArg([0, 0, *[60] * 20])
    pairs = rx_exec_iter(
        sleep_and_tell, {"seconds": seconds}, compute_context=context, task_chunk_size=1
    )
    assert next(pairs)[1] == 0
    pairs.close()  # or the test would time out
    assert list(pairs) == []
    assert rx_exec(lambda: 1, compute_context=context) == [1]


def test_iterating_over_an_endless_argument(context):
    endless = {"x": RxElemArg(itertools.count())}
    pairs = rx_exec_iter(lambda x: -x, endless, compute_context=context, ordered=True)
    assert list(itertools.islice(pairs, 5)) == [(x, -x) for x in range(5)]
    pairs.close()


def test_an_iterator_checks_its_arguments_at_once(context):
    with pytest.raises(ConfigurationError, match="one length"):
        rx_exec_iter(lambda x, y: 1, x=[1, 2], y=[1], compute_context=context)


# --- exceptions and warnings -------------------------------------------------------------


def fail_at_two(x):
    print(f"at {x}")
    if x == 2:
        raise ValueError("two", x)
    return x


def test_an_exception_arrives_as_itself(context):
    with pytest.raises(ValueError, match="two") as caught:
        rx_exec(fail_at_two, {"x": 2}, compute_context=context)
    assert caught.value.args == ("two", 2)
    text = "".join(traceback.format_exception(caught.value))
    assert "in fail_at_two" in text
    assert 'raise ValueError("two", x)' in text


class OwnError(Exception):
    def __init__(self, code, *, text):
        super().__init__(f"{code}: {text}")
        self.code = code

    def __reduce__(self):
        return (_own_error, (self.code,))


def _own_error(code):
    return OwnError(code, text="again")


def raise_own():
    raise OwnError(5, text="first")


def test_an_exception_of_ones_own_class(context):
    with pytest.raises(Exception, match="5: ") as caught:
        rx_exec(raise_own, compute_context=context)
    assert type(caught.value).__name__ == "OwnError"
    assert caught.value.code == 5


class Frozen(Exception):
    def __setattr__(self, name, value):
        raise AttributeError("frozen")


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def raise_one(kind):
    if kind is not None:
        raise kind(3)


@pytest.mark.parametrize("kind", [Frozen, Mute])
def test_exceptions_that_let_nothing_be_done_with_them(elsewhere, kind):
    with pytest.warns(RunFailedWarning, match=f"run 1: {kind.__name__}"):
        found = rx_exec(raise_one, kind=[None, kind], compute_context=elsewhere)
    assert (found[0], type(found[1])) == (None, kind)
    with pytest.raises(kind) as caught:
        rx_exec(raise_one, kind=kind, compute_context=elsewhere)
    assert "in raise_one" in "".join(traceback.format_tb(caught.value.__traceback__))


def test_others_go_on_after_an_exception(context):
    with pytest.warns(RunFailedWarning, match="1 of 3 runs raised"):
        first, second, third = rx_exec(fail_at_two, x=[1, 2, 3], compute_context=context)
    assert (first, third) == (1, 3)
    assert isinstance(second, ValueError)


def test_others_go_on_after_an_exit(context):
    def end(x):
        if x == 1:
            raise SystemExit(3)
        return x

    with pytest.warns(RunFailedWarning):
        first, second = rx_exec(end, x=[1, 2], compute_context=context)
    assert isinstance(first, SystemExit)
    assert second == 2


def test_the_first_exception_ends_the_job(context):
    def run(x):

        if x == 0:
            raise ValueError("zero")
        time.sleep(30)

    with pytest.raises(ValueError, match="zero"):
        rx_exec(
            run, x=[0, 1, 2], task_chunk_size=1, compute_context=context, continue_on_failure=False
        )


def test_warnings_come_again(context):
    def warn():
        warnings.warn("careful", RuntimeWarning, stacklevel=1)

    with pytest.warns(RuntimeWarning, match="careful"):
        rx_exec(warn, compute_context=context)


class Worn(FutureWarning):
    """Makes its text itself."""

    def __init__(self, part, *, age):
        super().__init__(f"{part} is {age} years old")


def warn_of_wear():
    warnings.warn(Worn("wheel", age=9), stacklevel=1)


def test_warnings_keep_their_category_and_module(context):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", category=Worn, module=f"{__name__}$")
        rx_exec(warn_of_wear, compute_context=context)
    assert [(each.category, str(each.message)) for each in caught] == [
        (Worn, "wheel is 9 years old")
    ]


def test_warnings_that_the_caller_makes_errors_of(context):
    with warnings.catch_warnings():
        warnings.simplefilter("error", Worn)
        with pytest.raises(Worn, match="wheel is 9 years old") as caught:
            rx_exec(warn_of_wear, compute_context=context)
    package = os.path.dirname(sqlexec.__file__)
    files = [each.filename for each in traceback.extract_tb(caught.value.__traceback__)]
    assert sum(file.startswith(package) for file in files) == 1


# --- console -----------------------------------------------------------------------------


def talk(x):
    import sys

    print("out", x)
    print("err", x, file=sys.stderr)
    return x


def test_console_output(context, capsys):
    rx_exec(talk, x=[1, 2], compute_context=context, console_output=True)
    out, err = capsys.readouterr()
    assert sorted(out.splitlines()) == ["out 1", "out 2"]
    assert sorted(err.splitlines()) == ["err 1", "err 2"]


def test_values_of_runs_that_write_and_warn(context):
    def talk(value):
        print("out")
        warnings.warn("careful", stacklevel=1)
        return value, len(value)

    values = ["text", [1, 2], numpy.arange(3.0)]
    with pytest.warns(UserWarning, match="careful"):
        found = rx_exec(talk, {"value": RxElemArg(values)}, compute_context=context)
    assert [length for _, length in found] == [4, 2, 3]
    assert found[0][0] == "text"


def test_console_output_of_a_run_that_fails(context, capsys):
    with pytest.raises(ValueError, match="two"):
        rx_exec(fail_at_two, x=2, compute_context=context, console_output=True)
    assert capsys.readouterr().out == "at 2\n"


def test_console_and_results_of_a_job_that_is_interrupted(context, capsys):
    came = []

    def interrupt(value):
        came.append(value)
        if len(came) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        rx_exec(
            talk,
            x=[1, 2, 3, 4],
            task_chunk_size=1,
            compute_context=context,
            console_output=True,
            callback=interrupt,
        )
    assert list(caught.value.partial_results.values()) == came[:1]
    assert capsys.readouterr().out == f"out {came[0]}\nout {came[1]}\n"


def test_what_child_processes_write(elsewhere, capsys):
    def echo(x):
        os.system(f"echo from a child {x}")

    rx_exec(echo, x=[1, 2], compute_context=elsewhere, console_output=True)
    out, _ = capsys.readouterr()
    assert sorted(out.splitlines()) == ["from a child 1", "from a child 2"]


def test_console_output_with_prefixes_to_a_function_and_to_the_log(context, capsys, caplog):
    rx_exec(talk, x=[1, 2], compute_context=context, console_output="prefix")
    out, err = capsys.readouterr()
    assert sorted(out.splitlines()) == ["[0] out 1", "[1] out 2"]
    assert sorted(err.splitlines()) == ["[0] err 1", "[1] err 2"]

    told = []
    rx_exec(talk, x=1, compute_context=context, console_output=lambda *each: told.append(each))
    assert told == [(0, "stdout", "out 1\n"), (0, "stderr", "err 1\n")]

    with caplog.at_level("INFO", "sqlexec.console"):
        rx_exec(talk, x=[3], compute_context=context, console_output="log")
    found = [(each.levelname, each.getMessage(), each.task) for each in caplog.records]
    assert found == [("INFO", "out 3", 0), ("WARNING", "err 3", 0)]
    assert capsys.readouterr() == ("", "")


def test_console_output_of_100_mb(context):
    def write():
        for number in range(100):
            print(f"{number:03}" + "x" * 999_996)  # a million characters
        raise LookupError("at last")

    told = []
    with pytest.raises(LookupError, match="at last"):
        rx_exec(write, compute_context=context, console_output=lambda *each: told.append(each))
    (_, _, start), (_, note, cut), (_, _, end) = told
    assert note == "stderr"
    assert f"{100_000_000 - (1 << 20):,} characters (99 lines)" in cut
    assert start.startswith("000x")
    assert end.endswith("x\n")
    assert len(start) + len(end) == 1 << 20


def test_no_console_output_unless_asked(elsewhere, capfd):
    rx_exec(talk, x=1, compute_context=elsewhere)
    assert capfd.readouterr() == ("", "")
    rx_exec(talk, x=1, compute_context=elsewhere.replace(console_output=True))
    assert "out 1" in capfd.readouterr().out


# --- surroundings ------------------------------------------------------------------------


def test_callback_as_runs_complete(context):
    seen = []

    def callback(value):
        seen.append((value, threading.get_ident()))

    rx_exec(lambda x: x, x=[1, 2, 3], compute_context=context, callback=callback)
    assert sorted(seen) == [(x, threading.get_ident()) for x in (1, 2, 3)]


def test_a_callback_that_raises(context):
    with pytest.warns(CallbackFailedWarning, match="division by zero"):
        found = rx_exec(lambda x: x, x=[1, 2], compute_context=context, callback=lambda _: 1 / 0)
    assert found == [1, 2]


def read_state():
    return secret_of_the_state  # noqa: F821 - rx_exec makes it


def read_state_in_a_helper():
    return read_state()


@pytest.mark.parametrize("function", [read_state, read_state_in_a_helper])
def test_local_state(context, function):
    state = {"secret_of_the_state": 5}
    assert rx_exec(function, local_state=state, compute_context=context) == [5]
    assert rx_exec(function, {}, state, context) == [5]  # the positions of RC1
    assert "secret_of_the_state" not in globals()


def test_packages_to_load(context):
    def loaded():
        import sys

        return "colorsys" in sys.modules

    assert rx_exec(loaded, compute_context=context, packages_to_load=["colorsys"]) == [True]
    with pytest.raises(Exception, match="no_such_package"):
        rx_exec(loaded, compute_context=context, packages_to_load="no_such_package")


def draw():
    import random

    import numpy

    return random.random(), numpy.random.random()


@pytest.fixture(scope="module")
def drawn():
    return rx_exec(draw, times_to_run=6, seed=7, compute_context=RxLocalSeq())


@pytest.mark.parametrize("size", [1, 4, None])
def test_a_seed_gives_the_same_everywhere(context, drawn, size):
    assert len(set(drawn)) == 6
    found = rx_exec(draw, times_to_run=6, seed=7, task_chunk_size=size, compute_context=context)
    assert found == drawn


def test_the_active_context_is_taken(elsewhere):
    before = rx_set_compute_context(elsewhere)
    try:
        assert rx_exec(os.getpid, times_to_run=2) != [os.getpid()] * 2
    finally:
        rx_set_compute_context(before)


# --- data sources ------------------------------------------------------------------------


def late(dataset, limit=0):
    from revoscalepy import rx_data_step

    return len(rx_data_step(dataset, row_selection=f"delay > {limit}"))


def late_by_our_name(dataset):
    from sqlexec import rx_data_step

    return len(rx_data_step(dataset, vars_to_keep=["id"]))


def test_data_sources(context, flights, connection_string):
    source = RxSqlServerData(connection_string, table=flights)
    assert rx_exec(late, {"dataset": source}, compute_context=context) == [900]
    assert rx_exec(late_by_our_name, {"dataset": source}, compute_context=context) == [1000]
    found = rx_exec(late, dataset=source, limit=[0, 100], compute_context=context)
    assert found == [900, 540]


def test_others_go_on_where_the_query_of_a_run_fails(context, connection_string):
    def rows(data):
        from revoscalepy import rx_data_step

        return len(rx_data_step(data))

    queries = ["SELECT 1 AS n", "SELECT * FROM dbo.no_such_table", "SELECT 2 AS n"]
    sources = [
        RxSqlServerData(sql_query=each, connection_string=connection_string) for each in queries
    ]
    with pytest.warns(RunFailedWarning, match="run 1: ServerError"):
        found = rx_exec(rows, data=sources, compute_context=context)
    assert found[::2] == [1, 1]
    assert found[1].number == 208
    with pytest.raises(ServerError, match="no_such_table"):
        rx_exec(rows, data=sources[1], compute_context=context)


def test_a_data_source_for_each_run(context, flights, connection_string):
    sources = [
        RxSqlServerData(
            connection_string, sql_query=f"SELECT id FROM {flights} WHERE id < {number}"
        )
        for number in (10, 20, 20)
    ]
    found = rx_exec(late_by_our_name, dataset=sources, compute_context=context)
    assert found == [10, 20, 20]


# --- what is refused before anything runs -------------------------------------------------


def never(x, y=1):
    raise AssertionError("it ran")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x": [1, 2], "y": [1]}, "one length: x has 2, y has 1"),
        ({"args": [{"x": 1}, {"x": 2}], "times_to_run": 3}, "times_to_run is 3.* 2 runs"),
        ({"args": 5}, "must be a dict .* not int"),
        ({"args": [{"x": 1}, 2]}, "element 1 is int"),
        ({"args": {"x": 1, "z": 1}}, r"never\(x, y=1\) cannot be called with"),
        ({"args": {}}, "missing a required argument: 'x'"),
        ({"x": 1, "callback": 5}, "callback must be callable"),
        ({"x": 1, "task_chunk_size": 0}, "task_chunk_size must be"),
    ],
)
def test_wrong_arguments(context, options, message):
    with pytest.raises(ConfigurationError, match=message):
        rx_exec(never, compute_context=context, **options)


def test_wrong_contexts(context):
    if hasattr(context, "num_tasks"):
        with pytest.raises(ConfigurationError, match="num_tasks"):
            context.replace(num_tasks=-1)
    for alias, message in (("elsewhere", "Unknown compute context"), ("spark", "RxSpark is not")):
        with pytest.raises(ConfigurationError, match=message):
            rx_exec(never, x=1, compute_context=alias)
    with pytest.raises(ConfigurationError, match="must be an RxComputeContext"):
        rx_exec(never, x=1, compute_context=5)


def test_a_run_whose_argument_cannot_be_sent(context):
    with pytest.warns(RunFailedWarning):
        found = rx_exec(lambda x: 1, x=[1, threading.Lock(), 3], compute_context=context)
    assert (found[0], found[2]) == (1, 1)
    assert isinstance(found[1], PackError)


def test_what_cannot_be_sent(context):
    with pytest.raises(PackError, match=r"argument 'x'.*lock"):
        rx_exec(never, {"x": threading.Lock()}, compute_context=context)
    source = RxSqlServerData("Server=tcp:127.0.0.1,1;UID=u;PWD=p", table="t")
    with pytest.raises(PackError, match="data source must be an argument by itself"):
        rx_exec(never, {"x": [source]}, compute_context=context)
