"""Values as pieces: exact, writable, and bytes without a pickle around them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlexec.runner.values import BIG, dump, load

json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


def there_and_back(value: Any) -> Any:
    return load([memoryview(bytes(piece)) for piece in dump(value)])


@given(json_like)
def test_plain_values(value: Any) -> None:
    assert there_and_back(value) == value


@pytest.mark.parametrize("size", [0, 1, BIG - 1, BIG, BIG + 1])
def test_bytes_of_any_size(size: int) -> None:
    result = there_and_back(b"x" * size)
    assert type(result) is bytes
    assert result == b"x" * size


def test_big_bytes_are_not_copied_into_a_pickle() -> None:
    value = b"x" * BIG
    pieces = dump(value)
    assert pieces[0] == b""
    assert pieces[1] is value


def test_arrays_can_be_written_to_and_keep_their_memory_apart() -> None:
    array = np.arange(1000, dtype="float64")
    result = there_and_back(array)
    result[0] = 5
    np.testing.assert_array_equal(result[1:], array[1:])
    assert array[0] == 0


def test_a_read_only_array_stays_read_only() -> None:
    array = np.arange(10)
    array.flags.writeable = False
    assert not there_and_back(array).flags.writeable


def test_frames_keep_dtypes() -> None:
    frame = pd.DataFrame(
        {"i": np.arange(3, dtype="int16"), "f": [1.5, None, 2.0], "s": ["a", None, "c"]},
        index=pd.Index([3, 1, 2], name="key"),
    )
    pd.testing.assert_frame_equal(there_and_back(frame), frame)


def test_names_of_the_package_are_taken_from_the_aliases() -> None:
    from sqlexec.tasks import Task

    pieces = [memoryview(bytes(piece)) for piece in dump(Task)]
    assert load(pieces, {"Task": "another"}) == "another"
    assert load(pieces, {"Other": "another"}) is Task
