"""The codec in one process: everything comes back exactly as it was."""

import collections
import pickle
import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlexec.runner.codec_exact import Incompatible
from sqlexec.runner.loading import load
from sqlexec.runner.values import APART, dump
from tests.runner.codec_values import NEWER, NUMPY, PANDAS, PLAIN, USERS, assert_same

EVERYTHING = {**PLAIN, **NUMPY, **PANDAS, **NEWER, **USERS}


def there_and_back(value: Any, by_value: bool = False) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return load([memoryview(bytes(piece)) for piece in dump(value, by_value)])


@pytest.mark.parametrize("name", EVERYTHING)
def test_exact_by_itself(name: str) -> None:
    assert_same(there_and_back(EVERYTHING[name]), EVERYTHING[name])


@pytest.mark.parametrize("name", EVERYTHING)
def test_exact_within_others_by_cloudpickle(name: str) -> None:
    value = EVERYTHING[name]
    (found, again), other = there_and_back([(value, value), {"a": value}], by_value=True)
    assert_same(found, value)
    if type(value) is not int:  # pickle remembers no numbers
        assert again is found
        assert other["a"] is found


def test_the_pickle_names_nothing_of_numpy_or_pandas() -> None:
    """Only classes that every version has: what else is named changes from one to the next."""
    import pickletools

    for name, value in {**NUMPY, **PANDAS, **NEWER}.items():
        if name in ("class", "class of bools", "ufunc", "function"):
            continue
        strings: list[str] = []
        for opcode, argument, _ in pickletools.genops(bytes(dump(value)[0])):
            assert opcode.proto <= 4
            if isinstance(argument, str):
                strings.append(argument)
        modules = {each.partition(".")[0] for each in strings if "." in each or each == "numpy"}
        assert not modules & {"numpy", "pandas", "sqlexec"}, name


def test_large_memory_is_not_copied_into_the_pickle() -> None:
    array = np.arange(APART, dtype="f8")
    pieces = dump({"a": array, "b": pd.DataFrame({"x": array, "y": array})})
    assert len(pieces[0]) < 2000
    assert np.shares_memory(np.frombuffer(pieces[1], "f8"), array)


def test_arrays_from_a_frame_are_writable_and_apart() -> None:
    pieces = dump(pd.DataFrame({"x": np.arange(10_000.0)}))
    first, second = load(pieces), load(pieces)
    first.loc[0, "x"] = 5
    assert second.loc[0, "x"] == 0
    array = load(dump(np.arange(10)))
    array[0] = 7


@pytest.mark.parametrize("name", ["PCG64", "MT19937", "Philox", "SFC64", "PCG64DXSM"])
def test_random_generators_go_on_where_they_were(name: str) -> None:
    generator = np.random.Generator(getattr(np.random, name)(5))
    generator.random(3)
    bits, spawned = generator.bit_generator, generator.bit_generator.seed_seq
    spawned.spawn(2)  # type: ignore[attr-defined]
    found = there_and_back(generator)
    assert type(found.bit_generator) is type(bits)
    assert found.random(5).tolist() == generator.random(5).tolist()
    again = found.bit_generator.seed_seq
    assert again.spawn(1)[0].spawn_key == spawned.spawn(1)[0].spawn_key  # type: ignore[attr-defined]


def test_random_states() -> None:
    state = np.random.RandomState(5)
    state.randn()
    assert there_and_back(state).randn(3).tolist() == state.randn(3).tolist()
    other = np.random.RandomState(np.random.PCG64(5))
    assert there_and_back(other).rand(3).tolist() == other.rand(3).tolist()


def test_the_random_state_of_a_process_is_each_ones_own() -> None:
    assert there_and_back(np.random.rand) == np.random.rand  # not one with a copy of its state


def test_recursive_structures() -> None:
    value: list[Any] = [1]
    value.append(value)
    found = there_and_back(value)
    assert found[1] is found
    array = np.empty(2, object)
    array[0] = array
    found = there_and_back(array)
    assert found[0] is found


def test_deep_structures() -> None:
    value: Any = None
    for _ in range(300):
        value = [value]
    assert there_and_back(value) == value


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
        | st.complex_numbers() | st.datetimes() | st.timedeltas() | st.decimals() | st.uuids()
        | st.binary().map(bytearray),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner)
        | st.lists(inner).map(collections.deque),
        max_leaves=20,
    )
)  # fmt: skip
def test_nested_structures(value: Any) -> None:
    assert repr(there_and_back(value)) == repr(value)


@given(st.data())
def test_arrays_of_any_dtype_and_shape(data: st.DataObject) -> None:
    from hypothesis.extra import numpy as hnp

    dtypes = hnp.scalar_dtypes() | hnp.unicode_string_dtypes() | hnp.byte_string_dtypes()
    dtype = data.draw(dtypes | hnp.array_dtypes(dtypes))
    array = data.draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_side=3)))
    if data.draw(st.booleans()):
        array = array.T
    found = there_and_back(array)
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tobytes() == array.tobytes()


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
@pytest.mark.parametrize("kind", ["matrix", "array"])
def test_sparse_matrices(form: str, kind: str) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    value = getattr(sparse, f"{form}_{kind}")(np.array([[0, 1.5, 0], [2, 0, 3]]))
    found = there_and_back(value)
    assert type(found) is type(value)
    assert found.dtype == value.dtype
    np.testing.assert_array_equal(found.toarray(), value.toarray())
    if form in ("csr", "csc", "bsr"):
        assert found.indices.dtype == value.indices.dtype


def test_a_package_of_another_version_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    sklearn = pytest.importorskip("sklearn")
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0])
    pieces = dump(model)
    np.testing.assert_allclose(load(pieces).predict([[3.0]]), [3.0])
    here = sklearn.__version__
    monkeypatch.setattr(sklearn, "__version__", "0.20.2")
    with pytest.raises(Incompatible, match=rf"sklearn {here} .* sklearn 0\.20\.2"):
        load(pieces)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(Incompatible, match=r"sklearn .*lacks"):
        load(pieces, None, {"packages": {"sklearn": here}})


def test_a_kind_that_is_not_known_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = dump(np.arange(3))
    pieces[0] = bytes(pieces[0]).replace(b"np.array", b"np.apple")
    with pytest.raises(Incompatible, match=r"np\.apple"):
        load(pieces)


def test_modules_that_moved_are_found() -> None:
    data = pickle.dumps(np.arange(3), protocol=2)
    assert b"numpy._core.multiarray" in data
    data = data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    np.testing.assert_array_equal(load([data]), np.arange(3))
    path = b"\x80\x02cpathlib._local\nPurePosixPath\nU\x01a\x85R."
    assert load([path]).parts == ("a",)
