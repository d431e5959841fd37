"""What rx_exec's arguments mean, and that wrong ones are told before anything runs."""

from __future__ import annotations

import functools
import itertools

import numpy
import pandas
import pytest

from sqlexec import RxElemArg
from sqlexec.errors import ConfigurationError
from sqlexec.plan import make_plan
from sqlexec.tasks import Task


def f(x, y=1):
    return x, y


def runs(plan):
    """The arguments of every run, the shared ones among them."""
    tasks = list(plan.tasks)
    assert [task.index for task in tasks] == list(range(len(tasks)))
    assert plan.count in (None, len(tasks))
    return [{**plan.shared, **task.arguments} for task in tasks]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({"x": 1}, [{"x": 1}]),
        ({"x": [1, 2]}, [{"x": [1, 2]}]),
        ({"x": RxElemArg([1, 2]), "y": 5}, [{"x": 1, "y": 5}, {"x": 2, "y": 5}]),
        ({"x": RxElemArg(["ab"]), "y": 5}, [{"x": "ab", "y": 5}]),
        ([{"x": 1}, {"x": 2, "y": 3}], [{"x": 1}, {"x": 2, "y": 3}]),
        ([], []),
    ],
)
def test_args(args, expected):
    assert runs(make_plan(f, args)) == expected


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        ({"x": 5, "y": 4}, [{"x": 5, "y": 4}]),
        ({"x": [1, 2], "y": 6}, [{"x": 1, "y": 6}, {"x": 2, "y": 6}]),
        ({"x": [1, 2], "y": [3, 4]}, [{"x": 1, "y": 3}, {"x": 2, "y": 4}]),
        ({"x": [[0, 1, 2, 3]]}, [{"x": [0, 1, 2, 3]}]),
        ({"x": "text", "y": {"a": [1]}}, [{"x": "text", "y": {"a": [1]}}]),
        ({"x": (1, 2)}, [{"x": (1, 2)}]),
        ({"x": []}, []),
    ],
)
def test_keywords(kwargs, expected):
    assert runs(make_plan(f, kwargs=kwargs)) == expected


def test_no_arguments_is_one_run():
    assert runs(make_plan(lambda: 1)) == [{}]


@pytest.mark.parametrize("times", [0, 1, 5])
def test_a_single_set_repeats(times):
    for args in ({"x": 1}, [{"x": 1}], {"x": RxElemArg([1])}):
        assert runs(make_plan(f, args, times)) == [{"x": 1}] * times


def test_times_that_fit_several_sets():
    assert len(runs(make_plan(f, [{"x": 1}, {"x": 2}], 2))) == 2


def test_an_iterator_is_read_as_the_job_goes_on():
    seen = []
    numbers = (seen.append(number) or number for number in itertools.count())
    plan = make_plan(f, {"x": RxElemArg(numbers)})
    assert plan.count is None
    assert not seen
    assert list(itertools.islice(plan.tasks, 2)) == [Task(0, {"x": 0}), Task(1, {"x": 1})]
    assert seen == [0, 1]
    assert len(runs(make_plan(f, {"x": RxElemArg(iter(range(9)))}, 4))) == 4


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (3, {}, "must be callable"),
        (f, {"args": {"z": 1}}, r"f\(x, y=1\) cannot be called with the arguments \(z\)"),
        (f, {"args": {}}, "missing a required argument: 'x'"),
        (f, {"args": [{"x": 1}, {"y": 1}]}, "in element 1 of args: missing"),
        (f, {"args": [{"x": 1}, 2]}, "element 1 is int"),
        (f, {"args": 5}, "must be a dict .* not int"),
        (f, {"args": "x"}, "must be a dict .* not str"),
        (f, {"args": {1: 1}}, "must be text, not 1"),
        (f, {"args": {"x": 1}, "kwargs": {"y": 1}}, "not both"),
        (f, {"kwargs": {"x": [1, 2], "y": [1]}}, "one length: x has 2, y has 1"),
        (f, {"args": [{"x": 1}, {"x": 2}], "times_to_run": 3}, "times_to_run is 3.* 2 runs"),
        (f, {"args": {"x": 1}, "times_to_run": -2}, "times_to_run must be"),
        (f, {"args": {"x": 1}, "times_to_run": True}, "times_to_run must be"),
        (f, {"args": {"x": 1}, "task_chunk_size": 0}, "task_chunk_size must be"),
        (f, {"args": {"x": 1}, "seed": "a"}, "seed must be"),
        (f, {"args": {"x": 1}, "local_state": {"a b": 1}}, "'a b' is no name"),
        (f, {"args": {"x": 1}, "local_state": 5}, "local_state must be a dict"),
        (f, {"args": {"x": 1}, "packages": "os; rm"}, "no name of a module"),
        (f, {"args": {"x": 1}, "packages": 5}, "packages_to_load must be a list of names"),
        (f, {"args": [{"x": RxElemArg([1, 2])}]}, "x in element 0 of args is an RxElemArg"),
        (functools.partial(f, 1), {"args": {"x": 1, "q": 1}}, "cannot be called"),
    ],
)
def test_wrong_arguments(function, options, message):
    with pytest.raises(ConfigurationError, match=message):
        make_plan(function, **options)


@pytest.mark.parametrize("values", ["text", {"a": 1}, 5, numpy.array(5)])
def test_elements_of_what_has_none(values):
    with pytest.raises(ConfigurationError, match="RxElemArg takes a list"):
        RxElemArg(values)


def test_a_frame_is_no_list_of_its_rows():
    with pytest.raises(ConfigurationError, match=r"args=frame\.to_dict\('records'\)"):
        RxElemArg(pandas.DataFrame({"a": [1, 2]}))


def test_numpys_numbers_become_pythons():
    plan = make_plan(
        f,
        {"x": 1},
        numpy.int64(3),
        numpy.int32(2),
        seed=numpy.uint8(7),
        task_timeout=numpy.float32(2.5),
    )
    numbers = [plan.count, plan.chunk_size, plan.seed, plan.task_timeout]
    assert numbers == [3, 2, 7, 2.5]
    assert [type(number) for number in numbers] == [int, int, int, float]


def test_an_iterator_goes_as_far_as_the_others():
    plan = make_plan(f, {"x": RxElemArg([5, 6]), "y": RxElemArg(itertools.count())})
    assert plan.count == 2
    assert runs(plan) == [{"x": 5, "y": 0}, {"x": 6, "y": 1}]


def test_an_iterator_that_ends_too_early():
    plan = make_plan(f, {"x": RxElemArg([5, 6]), "y": RxElemArg(iter([1]))})
    with pytest.raises(ConfigurationError, match="ended after 1 of 2 runs"):
        list(plan.tasks)


def test_an_iterator_that_ends_before_times_to_run():
    plan = make_plan(f, {"x": RxElemArg(iter([5, 6]))}, times_to_run=3)
    assert plan.count == 3
    with pytest.raises(ConfigurationError, match="ended after 2 of 3 runs"):
        list(plan.tasks)


def test_functions_without_a_signature_are_not_checked():
    assert runs(make_plan(dict, {"a": 1})) == [{"a": 1}]


def test_a_large_plan_is_lazy():
    plan = make_plan(f, kwargs={"x": list(range(100_000)), "y": [1] * 100_000})
    assert plan.count == 100_000
    assert next(iter(plan.tasks)).arguments == {"x": 0, "y": 1}
