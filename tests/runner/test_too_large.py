"""The limit of a varbinary(max): told before anything is sent, and by the one task it hits."""

from typing import Any

import numpy as np
import pytest

from sqlexec.errors import PackError, RemoteError
from sqlexec.payload import Packer, unpack
from sqlexec.runner import wire
from sqlexec.runner.main import run_chunk
from sqlexec.tasks import Outcome, Task

LIMIT = 200_000
ARRAY = np.zeros(15_000)  # 120,000 bytes


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LARGEST", LIMIT)


def outcomes(function: Any, count: int) -> list[Outcome]:
    packer = Packer(function)
    result, _ = run_chunk(packer.chunk([Task(index, {"x": index}) for index in range(count)]))
    assert len(result) <= LIMIT
    return unpack(result, packer.key).outcomes


@pytest.mark.usefixtures("small")
def test_a_payload_above_the_limit_is_not_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    dumped = []
    dump = wire.sizes
    monkeypatch.setattr("sqlexec.runner.batch.sizes", lambda each: dumped.append(0) or dump(each))
    packer = Packer(lambda x: x)
    with pytest.raises(PackError, match=r"tasks 3 to 9 comes to 2\d\d,\d{3} bytes, .* 200,000 fit"):
        packer.chunk([Task(index, {"x": ARRAY.copy()}) for index in range(3, 10)])
    assert len(dumped) == 2, "the second was one too many: no more were looked at"


@pytest.mark.usefixtures("small")
def test_plain_arguments_and_shared_ones_count_too() -> None:
    packer = Packer(lambda x, y: x)
    with pytest.raises(PackError, match="fit in one call"):
        packer.chunk([Task(index, {"x": "a" * 60_000 + str(index), "y": 1}) for index in range(4)])
    packer = Packer(lambda x, y: x, {"y": np.zeros(30_000)})
    with pytest.raises(PackError, match=r"Send less: .* RxSqlServerData"):
        packer.chunk([Task(0, {"x": 1})])


@pytest.mark.usefixtures("small")
def test_a_result_above_the_limit_is_that_tasks_error() -> None:
    def make(x: int) -> Any:
        import numpy

        return numpy.zeros(10 if x != 1 else 30_000)

    first, second, third = outcomes(make, 3)
    assert (len(first.value), len(third.value)) == (10, 10)  # type: ignore[arg-type]
    assert isinstance(second.error, ValueError)
    for part in ("run 1 (ndarray, 240,", "of which 200,000 fit", "task_chunk_size=1"):
        assert part in str(second.error)


@pytest.mark.usefixtures("small")
def test_results_that_are_too_much_together_leave_those_before_them() -> None:
    def make(x: int) -> Any:
        import numpy

        return numpy.full(15_000, x) if x % 2 == 0 else x

    found = outcomes(make, 4)
    assert found[0].value[0] == 0  # type: ignore[index]
    assert (found[1].value, found[3].value) == (1, 3)
    assert isinstance(found[2].error, ValueError)


@pytest.mark.usefixtures("small")
def test_an_exception_above_the_limit_arrives_as_text() -> None:
    def fails(x: int) -> None:
        raise KeyError(type("Big", (bytes,), {"__repr__": lambda self: "big"})(300_000))

    (found,) = outcomes(fails, 1)
    assert isinstance(found.error, RemoteError)
    assert found.error.type_name == "builtins.KeyError"


@pytest.mark.usefixtures("small")
def test_a_chunk_that_is_too_large_otherwise_is_told() -> None:
    def talks(x: int) -> None:
        print("x" * 300_000)

    with pytest.raises(
        RemoteError, match=r"gave no results: the tasks ran, .* bytes, of which 200,000 fit"
    ):
        outcomes(talks, 1)
