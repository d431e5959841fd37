"""Values to other interpreters, with other numpy and pandas, and back."""

import contextlib
import zoneinfo
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sqlexec.runner.codec_exact import Incompatible
from tests.runner.codec_values import NEWER, NUMPY, PANDAS, PLAIN, assert_same, infer_string
from tests.runner.peers import PEERS, Peer, PeerError, peer

WITH_PANDAS = [name for name, requirements in PEERS.items() if requirements]


@pytest.fixture(autouse=True)
def texts_as_objects() -> Iterator[None]:
    """Labels and texts are of object, as the values were made: every pandas has them."""
    infer_string(False)
    yield
    infer_string(True)


@pytest.fixture
def texts_as_str(texts_as_objects: None) -> None:
    """They are of str, as they are by default from pandas 3 on."""
    infer_string(True)


@pytest.fixture
def other(request: pytest.FixtureRequest) -> Peer:
    return peer(request.param)


def wrong(other: Peer, values: dict[str, Any]) -> dict[str, str]:
    """What does not come back as it was, or came with a warning, by name."""
    found = {}
    for name, value in values.items():
        try:
            assert_same(other.back(value), value)
        except (Exception, AssertionError) as error:
            found[name] = f"{type(error).__name__}: {str(error)[:500]}"
        else:
            if other.warnings:
                found[name] = f"warned: {other.warnings}"
    return found


@pytest.mark.parametrize("other", PEERS, indirect=True)
def test_plain_values_there_and_back(other: Peer) -> None:
    values = dict(PLAIN)
    if other.runtime["python"][:2] < [3, 7]:  # has no SafeUUID
        assert other.back(values["safe UUID"]) == values.pop("safe UUID")
        assert "is_safe of a UUID became unknown" in other.warnings[0]
    assert wrong(other, values) == {}


@pytest.mark.parametrize("other", WITH_PANDAS, indirect=True)
def test_numpy_there_and_back(other: Peer) -> None:
    assert wrong(other, NUMPY) == {}


@pytest.mark.parametrize("other", WITH_PANDAS, indirect=True)
def test_pandas_there_and_back(other: Peer) -> None:
    assert wrong(other, PANDAS) == {}


@pytest.mark.parametrize("other", WITH_PANDAS, indirect=True)
def test_what_is_lacking_there_is_told(other: Peer) -> None:
    """Either it comes back exactly, or a warning or an error has said that it did not."""
    silent = {}
    for name, value in NEWER.items():
        try:
            other.back(value)
        except PeerError as error:
            if "pyarrow" not in str(error) and "dtype" not in str(error).lower():
                silent[name] = str(error)
            continue
        if not other.warnings:
            silent.update(wrong(other, {name: value}))
    assert silent == {}


@pytest.mark.parametrize("other", ["3.7 pandas 0.23"], indirect=True)
@pytest.mark.parametrize(
    ("name", "wanted", "warning"),
    [
        ("Int64", np.array([1, None, 2**60], object), "Int64 became object"),
        ("Int64 series", pd.Series([1.0, np.nan]), "Int64 became float64: pandas 0.23.4 lacks it"),
        ("UInt8 full", pd.Series([1, 2], dtype="u1"), "UInt8 became uint8"),
        ("boolean", pd.Series([True, None], dtype=object), "boolean became object"),
        ("str ascii", pd.Series(["a", "bc", ""], dtype=object), "str became object"),
        ("text index", pd.Index(["a", "b"], dtype=object), "str became object"),
        (
            "text labels",
            pd.DataFrame([[1, 2]], columns=pd.Index(["a", "b"], dtype=object)),
            "str became object",
        ),
        ("StringDType itself", np.dtype(object), "StringDType became object"),
        ("string", pd.Series(["a", None, "\u00e4"], dtype=object), "string became object"),
        ("NA", None, "NA became None"),
        ("datetimes s", pd.Series(np.array(["2020", "NaT"], "M8[ns]")), r"\[s\] became .*\[ns\]"),
        ("Timestamp s", pd.Timestamp("2020-01-01").as_unit("ns"), "became one in ns"),
        ("StringDType", np.array(["a", "\u00e4bc"], object), "StringDType became object: numpy 1"),
        ("Sparse", pd.Series([0, 0, 1, 2]), "Sparse became dense"),
    ],
)
def test_the_nearest_form_under_old_pandas(
    other: Peer, name: str, wanted: Any, warning: str
) -> None:
    assert_same(other.back(NEWER[name]), wanted)
    assert len(other.warnings) == 1
    assert pd.Series(other.warnings).str.contains(warning).all()


@pytest.mark.usefixtures("texts_as_str")
@pytest.mark.parametrize("other", WITH_PANDAS, indirect=True)
def test_labels_are_what_each_pandas_makes_of_texts(other: Peer) -> None:
    few = ["a", "\u00e4b"]
    labels = {
        "columns": pd.DataFrame([[1, 2.5]], columns=few),
        "index": pd.Series([1, 2], index=pd.Index(few, name="n")),
        "many": pd.Index([str(each) for each in range(100)]),
        "missing": pd.Index(["a", None]),
        "levels": pd.MultiIndex.from_product([few, [1, 2]], names=["t", "n"]),
        "categories": pd.Series(pd.Categorical(few)),
        "objects": pd.Index(["a", 1], dtype=object),
        "objects None": pd.Index(["a", None], dtype=object),
    }
    assert str(labels["columns"].columns.dtype) == "str"
    assert wrong(other, labels) == {}
    for name in ("columns", "index", "categories"):
        assert_same(other.make(f"value = {MADE_LABELS[name]}"), labels[name])


MADE_LABELS = {
    "columns": "pandas.DataFrame([[1, 2.5]], columns=['a', '\u00e4b'])",
    "index": "pandas.Series([1, 2], index=pandas.Index(['a', '\u00e4b'], name='n'))",
    "categories": "pandas.Series(pandas.Categorical(['a', '\u00e4b']))",
}


@pytest.mark.usefixtures("texts_as_str")
@pytest.mark.parametrize("other", ["3.7 pandas 0.23", "3.12 pandas 2.2"], indirect=True)
def test_labels_that_will_be_others_are_told(other: Peer) -> None:
    assert str(other.back(pd.Index(["a", "b"], dtype=object)).dtype) == "str"
    assert "Index of object became one of texts" in other.warnings[0]
    assert len(other.back(pd.Index([], dtype="str"))) == 0
    assert "Index of str became one of texts" in other.warnings[0]


MADE_THERE = [  # in an old Python, by old means
    "numpy.arange(6).reshape(2, 3).T",
    "numpy.array(['a', None, 1.5], object)",
    "numpy.float32(1.5)",
    "numpy.datetime64('2020-01-01T05', 'h')",
    "numpy.ma.array([1, 2], mask=[0, 1])",
    "pandas.Timestamp('2020-01-02 03:04:05.000000007', tz='Europe/Berlin')",
    "pandas.Timestamp('2020-01-02 03:04', tz='UTC')",
    "pandas.Series(['a', None, 'c'], name='n')",
    "pandas.Series(pandas.date_range('2020', periods=3, freq='M'))",
    "pandas.date_range('2020', periods=3, freq='2H', tz='Europe/Berlin')",
    "pandas.period_range('2020', periods=3, freq='Q')",
    "pandas.timedelta_range('1h', periods=3, freq='T')",
    "pandas.DataFrame({'a': [1, 2], 'b': ['x', None], 'c': [1.5, None], 'd': [True, False]})",
    "pandas.DataFrame({'a': pandas.Categorical(['x', 'y', 'x'])}, index=list('pqr'))",
    "pandas.DataFrame({'a': [1, 2, 3]}).set_index(pandas.Index([1.5, 2.5, 3.5], name='i'))",
    "pandas.DataFrame({('a', 1): [1], ('b', 2): [2.5]})",
    "pandas.MultiIndex.from_product([[1, 2], ['a', 'b']], names=['x', 'y'])",
    "pandas.DataFrame({'g': [1, 1, 2], 'v': [1., 2., 3.]}).groupby('g').v.agg(['mean', 'count'])",
    "pandas.Index([1, 2, 3])",
    "pandas.Index([True, False])",
    "pandas.Interval(1, 2)",
    "pandas.NaT",
]


@pytest.mark.parametrize("other", WITH_PANDAS, indirect=True)
def test_values_made_there_come_here_and_go_back(other: Peer) -> None:
    different = {}
    for source in MADE_THERE:
        if other.pandas() >= (3, 0):  # it wants the new aliases
            source = source.replace("'M'", "'ME'").replace("2H", "2h").replace("'T'", "'min'")
        found = other.make(f"value = original = {source}")
        same = other.look(
            found,
            "type(value) is type(original) and repr(value) == repr(original) and "
            "str(getattr(value, 'dtypes', getattr(value, 'dtype', ''))) == "
            "str(getattr(original, 'dtypes', getattr(original, 'dtype', ''))) and "
            "getattr(value, 'freq', None) == getattr(original, 'freq', None) and "
            "(not hasattr(original, 'equals') or value.equals(original))",
        )
        if not same or other.warnings:
            different[source] = (found, other.warnings)
    assert different == {}


@pytest.mark.parametrize(
    "other", ["3.6 pandas 1.1", "3.10 pandas 1.4", "3.12 pandas 2.2"], indirect=True
)
def test_random_generators(other: Peer) -> None:
    for make in ("PCG64", "MT19937", "Philox", "SFC64"):
        generator = np.random.Generator(getattr(np.random, make)(5))
        assert other.look(generator, "value.random(3).tolist()") == generator.random(3).tolist()
        found = other.make(f"value = numpy.random.Generator(numpy.random.{make}(7))")
        wanted = np.random.Generator(getattr(np.random, make)(7))
        assert found.random(3).tolist() == wanted.random(3).tolist()


@pytest.mark.parametrize("other", WITH_PANDAS, indirect=True)
def test_random_states(other: Peer) -> None:
    state = np.random.RandomState(5)
    assert other.look(state, "value.rand(3).tolist()") == state.rand(3).tolist()
    found = other.make("value = numpy.random.RandomState(7)")
    assert found.rand(3).tolist() == np.random.RandomState(7).rand(3).tolist()
    assert other.look(np.random.rand, "value.__self__ is numpy.random.mtrand._rand")


@pytest.mark.parametrize("other", WITH_PANDAS, indirect=True)
def test_exceptions_of_packages(other: Peer) -> None:
    for source, kind in {
        "numpy.linalg.LinAlgError('x')": np.linalg.LinAlgError,
        "numpy.core.numeric.ComplexWarning('x')": np.exceptions.ComplexWarning,
        "pandas.errors.ParserError('x')": pd.errors.ParserError,
        "pandas.core.base.SpecificationError('x')": pd.errors.SpecificationError,
    }.items():
        try:
            found = other.make(f"value = {source}")
        except PeerError:  # a version that has it under another name only
            continue
        assert type(found) is kind
        assert str(found) == "x"
    found = other.make("try: numpy.zeros(3).sum(axis=5)\nexcept Exception as error: value = error")
    assert type(found) is np.exceptions.AxisError
    assert "5" in str(found)
    assert other.look(np.exceptions.AxisError("x"), "isinstance(value, IndexError)")
    with contextlib.suppress(Incompatible):  # its module is gone: nothing else of that name does
        assert callable(other.make("value = numpy.fft.fft"))


@pytest.mark.parametrize("other", ["3.6 bare", "3.8 bare"], indirect=True)
def test_what_a_python_lacks_is_named(other: Peer) -> None:
    import asyncio
    import http
    import queue

    with pytest.raises(
        PeerError, match=r"needs http\.HTTPMethod, which this Python 3\.[68]\.\d+ lacks"
    ):
        other.look(http.HTTPMethod.GET, "value")
    assert type(other.back(queue.Empty())) is queue.Empty
    assert type(other.back(asyncio.CancelledError())).__name__ == "CancelledError"
    utc = zoneinfo.ZoneInfo("UTC")
    assert other.look(utc, "str(value)") == "UTC"
    assert "became datetime.timezone.utc" in other.warnings[0]
    with pytest.raises(PeerError, match="Europe/Berlin"):
        other.look(zoneinfo.ZoneInfo("Europe/Berlin"), "value")


@pytest.mark.parametrize("other", ["3.7 pandas 0.23", "3.10 pandas 1.4"], indirect=True)
def test_sparse_matrices(other: Peer) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    other.make("import scipy.sparse; value = 0")
    for form in ("csr", "csc", "coo", "bsr", "dia", "lil", "dok"):
        value = getattr(sparse, f"{form}_matrix")(np.array([[0, 1.5, 0], [2, 0, 3]]))
        found = other.back(value)
        assert type(found) is type(value)
        assert other.warnings == []
        np.testing.assert_array_equal(found.toarray(), value.toarray())
    found = other.back(sparse.csr_array(np.eye(2)))
    if other.pandas() < (1, 0):
        assert isinstance(found, sparse.csr_matrix)
        assert "csr_array became csr_matrix" in other.warnings[0]


@pytest.mark.parametrize("other", ["3.7 pandas 0.23"], indirect=True)
def test_a_zone_of_zoneinfo_where_there_is_none(other: Peer) -> None:
    import datetime

    moment = datetime.datetime(2020, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
    assert other.look(moment, "value.utcoffset().total_seconds()") == 7200
    assert "zoneinfo became dateutil" in other.warnings[0]
    assert other.back(moment) == moment


@pytest.mark.parametrize("other", ["3.10 pandas 1.4"], indirect=True)
def test_a_zone_of_zoneinfo_under_a_pandas_that_fails_on_it(other: Peer) -> None:
    found = other.make(
        "import types\nfrom sqlexec.runner.codec_pandas_times import find_pandas_zone\n"
        "reader = types.SimpleNamespace(sender={}, warned=set())\n"
        "value = type(find_pandas_zone(reader, ('zoneinfo', 'Europe/Berlin'))).__module__"
    )
    assert found.startswith("pytz.")
    assert "zoneinfo became pytz: pandas 1.4.2 lacks it" in other.warnings[0]


@pytest.mark.parametrize("other", ["3.13 bare"], indirect=True)
def test_a_zone_of_dateutil_where_there_is_none(other: Peer) -> None:
    tz = pytest.importorskip("dateutil.tz")
    berlin = tz.gettz("Europe/Berlin")
    assert other.look(berlin, "repr(value)") == "zoneinfo.ZoneInfo(key='Europe/Berlin')"
    assert "dateutil became zoneinfo" in other.warnings[0]


@pytest.mark.parametrize("other", ["3.6 bare", "3.13 bare"], indirect=True)
def test_what_needs_a_package_names_it(other: Peer) -> None:
    with pytest.raises(PeerError, match=r"needs numpy.*lacks"):
        other.look(np.arange(3), "value")
    with pytest.raises(PeerError, match=r"needs (pandas|numpy).*lacks"):
        other.look(pd.DataFrame({"a": [1]}), "value")
