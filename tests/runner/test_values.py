"""Values as pieces: exact, writable, and bytes without a pickle around them."""

import gc
import pickle
import weakref
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlexec.runner.loading import load
from sqlexec.runner.values import BIG, Dumper, dump

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


def test_what_is_let_go_does_not_wait_for_the_collector() -> None:
    gc.disable()
    try:
        array = there_and_back({"of": np.zeros(BIG)})["of"]
        alive = weakref.ref(array)
        del array
        assert alive() is None
    finally:
        gc.enable()


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
    assert load(pieces, {"Task": "another"}.get) == "another"
    assert load(pieces, {"Other": "another"}.get) is Task


def test_large_bytes_and_texts_are_pieces_of_their_own_and_not_copied() -> None:
    large, text = bytes(3_000_000), "ä" * 1_000_000
    pieces = dump({"a": [large, 1], "b": text, "c": bytearray(20_000)})
    assert any(piece is large for piece in pieces)
    assert sum(map(len, pieces)) < 5_021_000
    assert there_and_back([large, text, {"x": large}]) == [large, text, {"x": large}]


@pytest.mark.parametrize("size", [65_535, 65_536, 1_048_575, 1_048_576, 5_000_000])
def test_values_of_all_sizes_come_back(size: int) -> None:
    value = {"bytes": bytes(size), "text": "x" * size, "list": list(range(size // 8))}
    value["array"] = bytearray(size)
    assert there_and_back(value) == value


def test_a_cut_pickle_of_several_pieces_is_refused() -> None:
    pieces = dump([bytes(2_000_000), bytes(2_000_000)])
    for cut in (pieces[:1], pieces[:-1], [*pieces[:-1], bytes(1_999_999)]):
        with pytest.raises(pickle.UnpicklingError, match="truncated"):
            load(cut)


def test_a_dumper_pickles_each_value_by_itself() -> None:
    dumper, both = Dumper(), [1]
    first, second = (load(dumper.dump({"both": both, "again": both})) for _ in range(2))
    assert first["both"] is first["again"]
    assert first["both"] is not second["both"]
    assert first == second
