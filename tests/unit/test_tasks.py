"""Tasks and outcomes in columns: the same as one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlexec.chunks import Source
from sqlexec.tasks import Call, Outcome, Outcomes, Task, TaskColumns, columns_of, indexes_of


def columns(number):
    return TaskColumns({"x": range(100, 100 + number), "y": list("ab") * number}, range(number))


def one_by_one(number):
    return [Task(index, {"x": 100 + index, "y": "ab"[index % 2]}) for index in range(number)]


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_slices_of_columns_are_slices_of_tasks(number, start, stop):
    some, same = columns(number)[start:stop], one_by_one(number)[start:stop]
    assert (len(some), list(some)) == (len(same), same)
    assert list(indexes_of(some)) == indexes_of(same)
    if same:
        assert columns_of(some) == columns_of(same)
        assert (some[0], some[-1]) == (same[0], same[-1])


def test_there_are_no_columns_where_tasks_have_different_names():
    assert columns_of([Task(0, {"x": 1}), Task(1, {"y": 1})]) == {}
    assert columns_of([Task(0, {"x": 1}), Task(1, {"x": 1, "y": 1})]) == {}
    assert columns_of([]) == {}


@given(st.lists(st.integers(1, 9), min_size=1), st.booleans(), st.booleans())
def test_a_source_gives_each_task_once_in_groups(sizes, in_columns, grouped):
    number = 40
    tasks = columns(number) if in_columns else iter(one_by_one(number))
    source = Source(tasks, (lambda task: task.index // 7) if grouped else None)
    seen, rounds = [], 0
    while not source.ended:
        taken = source.take(sizes[rounds % len(sizes)])
        rounds += 1
        assert len(taken) <= max(sizes)
        assert not grouped or len({task.index // 7 for task in taken}) <= 1
        done = 1 + rounds % 3 if rounds < 50 else len(taken)  # others come back
        seen += list(taken)[:done]
        source.put_back(taken[done:])
    assert sorted(task.index for task in seen) == list(range(number))


def test_a_source_takes_what_is_there_for_now():
    source = Source(iter([Task(0), None, Task(1), None]))
    assert [indexes_of(source.take(5)) for _ in range(2)] == [[0], [1]]
    assert not source.ended
    assert (source.take(5), source.ended) == ([], True)


def test_outcomes_tell_what_there_is_to_tell():
    outcomes = Outcomes((5, 6, 7), ["a", "b", None], (1.0, 2.0, 3.0), (1.5, 2.5, 3.5), 42)
    error = ValueError("no")
    outcomes.tell(1).console = [("stdout", "hello")]
    outcomes.fail(2, error)
    outcomes.fail(1, error)
    call = Call(number=3)
    outcomes.came_with(call)
    assert list(outcomes) == [
        Outcome(5, "a", started=1.0, ended=1.5, process_id=42, call=call),
        Outcome(6, None, error, [("stdout", "hello")], (), 2.0, 2.5, 42, call=call),
        Outcome(7, None, error, (), (), 3.0, 3.5, 42, call=call),
    ]
    assert outcomes.given == ["a", error, error]
    assert outcomes.span == 2.5
    assert list(Outcomes.of(list(outcomes))) == list(outcomes)
    assert Outcomes.of([]).span == 0.0
    with pytest.raises(IndexError):
        outcomes[3]
