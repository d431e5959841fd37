"""Chunks of a durable job: all tasks once, in order, falling sizes, one query each."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sqlexec.contexts.durable import cut
from sqlexec.tasks import Task


def tasks_of(count: int) -> list[Task]:
    return [Task(index) for index in range(count)]


@given(
    count=st.integers(0, 3000),
    workers=st.integers(1, 40),
    size=st.none() | st.integers(1, 100),
    groups=st.integers(1, 5),
)
def test_every_task_once_and_in_order(
    count: int, workers: int, size: int | None, groups: int
) -> None:
    def group(task: Task) -> int:
        return task.index * groups // max(1, count)

    chunks = cut(tasks_of(count), workers, size, group)
    assert [task.index for chunk in chunks for task in chunk] == list(range(count))
    assert all(len({group(task) for task in chunk}) == 1 for chunk in chunks)
    if size is not None:
        assert all(len(chunk) <= size for chunk in chunks)


@given(count=st.integers(1, 20_000), workers=st.integers(1, 40))
def test_sizes_fall_and_nobody_has_more_than_half_a_share(count: int, workers: int) -> None:
    sizes = [len(chunk) for chunk in cut(tasks_of(count), workers)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] <= -(-count // (2 * workers))
    assert len(sizes) <= 16 * workers * 2


def test_few_long_tasks_go_one_by_one() -> None:
    assert [len(chunk) for chunk in cut(tasks_of(8), 4)] == [1] * 8
