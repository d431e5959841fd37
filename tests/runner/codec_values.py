"""Values of every kind that the codec promises, and an equality that looks at everything."""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import ipaddress
import pathlib
import re
import uuid
import warnings
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

BERLIN = pd.Timestamp(0, tz="Europe/Berlin").tz  # of the package that this pandas prefers
DAY = datetime.datetime(2021, 7, 3, 12, 30, 1, 5)

PLAIN: dict[str, Any] = {
    "none": None,
    "big int": 2**200,
    "text": "gr\u00fc\u00df \U0001f600 \ud800",
    "bytes": b"x" * 10,
    "many bytes": b"x" * 100_000,
    "bytearray": bytearray(b"abc"),
    "big bytearray": bytearray(b"y" * 100_000),
    "array": array.array("d", [1.5, 2.5]),
    "big array": array.array("l", range(20_000)),
    "array of text": array.array("u", "\u00e4b"),
    "memoryview": memoryview(b"abc"),
    "writable memoryview": memoryview(bytearray(b"abc")),
    "cast memoryview": memoryview(bytes(24)).cast("d", (3, 1)),
    "set": {1, 2},
    "frozenset": frozenset("a"),
    "deque": collections.deque([1, 2], maxlen=3),
    "Counter": collections.Counter("aab"),
    "defaultdict": collections.defaultdict(list, {"a": [1]}),
    "OrderedDict": collections.OrderedDict([("b", 1), ("a", 2)]),
    "Decimal": decimal.Decimal("1.230"),
    "Fraction": fractions.Fraction(1, 3),
    "complex": 1 + 2j,
    "date": datetime.date(2020, 2, 29),
    "time": datetime.time(1, 2, 3, 4),
    "datetime": DAY,
    "datetime utc": DAY.replace(tzinfo=datetime.timezone.utc),
    "datetime offset": DAY.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=2), "x")),
    "timedelta": datetime.timedelta(-1, 5, 7),
    "fold": DAY.replace(fold=1),
    "UUID": uuid.UUID(int=5),
    "safe UUID": uuid.UUID(int=5, is_safe=uuid.SafeUUID.safe),
    "PurePosixPath": pathlib.PurePosixPath("/a/b"),
    "PureWindowsPath": pathlib.PureWindowsPath("c:/a/b"),
    "Path": pathlib.Path("/a/b"),
    "pattern": re.compile("a.b", re.IGNORECASE),
    "address": ipaddress.ip_address("10.0.0.1"),
    "range": range(1, 10, 3),
    "slice": slice(1, None, 2),
    "Ellipsis": ...,
    "type": int,
    "exception": ValueError("a", 1),
}

NUMPY: dict[str, Any] = {
    **{
        f"array {dtype}": np.array([0, 1, 2]).astype(dtype)
        for dtype in (
            "?",
            "i1",
            "i2",
            "i4",
            "i8",
            "u1",
            "u2",
            "u4",
            "u8",
            "f2",
            "f4",
            "f8",
            "g",
            "c8",
            "c16",
            "G",
            ">i4",
            ">f8",
            ">u2",
            "S5",
            "U3",
            ">U3",
            "S0",
            "V3",
            "O",
        )
    },
    **{f"scalar {kind}": np.dtype(kind).type(1) for kind in "?bhilBHILefdgFDG"},
    **{
        f"datetimes {u}": np.array([0, 1, "NaT"], f"M8[{u}]")
        for u in ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns"]
    },
    **{f"timedeltas {u}": np.array([0, 1, "NaT"], f"m8[{u}]") for u in ("D", "s", "25us", "ns")},
    "datetime scalar": np.datetime64("2020-01-02T03", "h"),
    "NaT scalar": np.datetime64("NaT"),
    "timedelta scalar": np.timedelta64(5, "ms"),
    "text scalar": np.str_("a\u00e4"),
    "bytes scalar": np.bytes_(b"ab"),
    "void scalar": np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")])[0],
    "Fortran": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "strided": np.arange(24).reshape(4, 6)[::2, ::-1],
    "transposed 3d": np.arange(24).reshape(2, 3, 4).transpose(1, 2, 0),
    "0-d": np.array(5.5),
    "0-d object": np.array(None, object),
    "empty": np.zeros((0, 3), "f4"),
    "large": np.arange(20_000.0),
    "large Fortran": np.asfortranarray(np.arange(20_000).reshape(100, 200)),
    "structured": np.array([(1, 2.5, "x")], dtype=[("a", "i4"), ("b", ">f8"), ("c", "U3")]),
    "nested": np.zeros(2, [("a", [("b", "i2"), ("c", "f4", (2, 2))]), ("d", "M8[s]")]),
    "aligned": np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    "titled": np.zeros(2, np.dtype([(("title", "a"), "i1"), ("b", "f8")])),
    "offsets": np.zeros(
        2, {"names": ["a", "b"], "formats": ["i2", "i4"], "offsets": [2, 8], "itemsize": 16}
    ),
    "structured objects": np.array([(1, [2])], dtype=[("a", "i4"), ("b", "O")]),
    "objects": np.array([[1, "a"], [None, 2.5]], object),
    "Fortran objects": np.asfortranarray(np.array([[1, "a"], [None, 2.5]], object)),
    "masked": np.ma.array([1.5, 2, 3], mask=[0, 1, 0], fill_value=-1),
    "hard mask": np.ma.array([1, 2], mask=[0, 1], hard_mask=True),
    "no mask": np.ma.array([1, 2]),
    "recarray": np.rec.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]),
    "matrix": np.matrix([[1, 2], [3, 4]]),
    "dtype": np.dtype("f4"),
    "structured dtype": np.dtype([("a", "i4"), ("b", "O"), ("c", "f8", (2,))]),
    "record dtype": np.dtype((np.record, [("a", "i4")])),
    "subarray dtype": np.dtype(("f4", (2, 3))),
    "dtype with metadata": np.dtype("f8", metadata={"unit": "m"}),
    "structured dtype with metadata": np.dtype([("a", "i4")], metadata={"unit": "m"}),
    "class": np.float32,
    "class of bools": np.bool_,
    "ufunc": np.add,
    "function": np.mean,
}
_frozen = np.arange(5)
_frozen.flags.writeable = False
NUMPY["read-only"] = _frozen
_frozen = np.array([1, "a"], object)
_frozen.flags.writeable = False
NUMPY["read-only objects"] = _frozen


def infer_string(on: bool) -> None:
    """Let pandas give texts its dtype str, or object as before 3."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the option will go
        pd.set_option("future.infer_string", on)


infer_string(False)  # labels and texts as objects: every pandas has them


def _index(values: Any, **options: Any) -> Any:
    return pd.Index(values, **options)


INDEXES: dict[str, Any] = {
    "range": pd.RangeIndex(1, 10, 3, name="r"),
    "int64": _index([3, 1, 2], name=("a", 1)),
    "float64": _index([1.5, None]),
    "uint64": _index(np.array([1, 2**63], "u8")),
    "text": _index(["a", "b"], name="t"),
    "mixed": _index([1, "a", None, 2.5], dtype=object),
    "datetimes": pd.date_range("2020-01-31", periods=3, freq="ME", unit="ns", name="d"),
    "datetimes in a zone": pd.date_range("2020", periods=3, freq="h", tz=BERLIN, unit="ns"),
    "utc datetimes": pd.date_range("2020", periods=3, freq="D", tz="UTC", unit="ns"),
    "datetimes without freq": pd.DatetimeIndex(["2020", None, "2019"]).as_unit("ns"),
    "timedeltas": pd.timedelta_range("1h", periods=3, freq="h", unit="ns"),
    "periods": pd.period_range("2020-03", periods=3, freq="M", name="p"),
    "quarters": pd.period_range("2020-03", periods=3, freq="Q-JAN"),
    "intervals": pd.interval_range(0, 3, closed="left", name="i"),
    "float intervals": pd.IntervalIndex.from_breaks([0.5, 1, 2]),
    "time intervals": pd.interval_range(pd.Timestamp("2020").as_unit("ns"), periods=2, freq="D"),
    "categories": pd.CategoricalIndex(
        ["a", "b", "a"], categories=["b", "a"], ordered=True, name="c"
    ),
    "multi": pd.MultiIndex.from_product([[1, 2], ["a", None]], names=["x", ("y", 1)]),
    "multi of times": pd.MultiIndex.from_arrays(
        [pd.DatetimeIndex(["2020", "2021"]).as_unit("ns"), [1.5, None]]
    ),
    "no rows": _index([], dtype=object),
}

SERIES: dict[str, Any] = {
    **{f"index {name}": pd.Series(range(len(each)), index=each) for name, each in INDEXES.items()},
    "int8": pd.Series([1, 2], dtype="i1", name="n"),
    "bool": pd.Series([True, False]),
    "complex": pd.Series([1j, 2]),
    "objects": pd.Series([[1], {"a": 2}, None], dtype=object, name=5),
    "text as objects": pd.Series(["a", None, np.nan], dtype=object),
    "dates as objects": pd.Series([datetime.date(2020, 1, 1), DAY], dtype=object),
    "datetimes": pd.Series(pd.to_datetime(["2020", None])).astype("M8[ns]"),
    "datetimes in a zone": pd.Series(pd.to_datetime(["2020", None]))
    .astype("M8[ns]")
    .dt.tz_localize(BERLIN),
    "timedeltas": pd.Series([1, None], dtype="m8[ns]"),
    "categorical": pd.Series(pd.Categorical(["a", None, "b"], ["b", "a"], ordered=True)),
    "categorical of numbers": pd.Series(pd.Categorical([1, 2, 1])),
    "categorical of times": pd.Series(
        pd.Categorical(pd.DatetimeIndex(["2020", "2021"]).as_unit("ns"))
    ),
    "empty": pd.Series([], dtype="f4"),
}

SCALARS: dict[str, Any] = {
    "Timestamp": pd.Timestamp("2020-01-02 03:04:05.000006007"),
    "Timestamp in a zone": pd.Timestamp("2020-10-26 02:30", tz=BERLIN).as_unit("ns"),
    "Timestamp folded": pd.Timestamp("2020-10-25 01:30", tz="UTC").tz_convert(BERLIN).as_unit("ns"),
    "Timestamp utc": pd.Timestamp("2020-01-02", tz="UTC").as_unit("ns"),
    "Timedelta": pd.Timedelta(5, "ns"),
    "Period": pd.Period("2020-05", "M"),
    "Period of hours": pd.Period("2020-05-01 05", "2h"),
    "Interval": pd.Interval(1, 2.5, closed="both"),
    "NaT": pd.NaT,
    "MonthEnd": pd.offsets.MonthEnd(2),
    "Week": pd.offsets.Week(weekday=2, normalize=True),
    "QuarterEnd": pd.offsets.QuarterEnd(startingMonth=2),
    "Hour": pd.offsets.Hour(3),
    "BusinessDay": pd.offsets.BDay(2),
    "CustomBusinessDay": pd.offsets.CustomBusinessDay(holidays=["2020-01-01"], weekmask="Mon Tue"),
    "DateOffset": pd.DateOffset(months=2, days=1),
    "CategoricalDtype": pd.CategoricalDtype([1, 2], ordered=True),
    "PeriodDtype": pd.PeriodDtype("M"),
    "BusinessHour": pd.offsets.BusinessHour(start="10:00"),
    "Easter": pd.offsets.Easter(),
}

FRAMES: dict[str, Any] = {
    "floats": pd.DataFrame(np.arange(12.0).reshape(4, 3), columns=list("abc")),
    "interleaved": pd.DataFrame(
        {
            "a": [1, 2],
            "b": [1.5, None],
            "c": [3, 4],
            "d": [True, False],
            "e": np.array([1, 2], "f4"),
        }
    ),
    "duplicate labels": pd.DataFrame(np.arange(6).reshape(2, 3), columns=["a", "b", "a"]),
    "multi columns": pd.DataFrame(
        [[1, 2.5]], columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])
    ),
    "no columns": pd.DataFrame(index=pd.Index([1, 2, 3])),
    "no rows": pd.DataFrame({"a": np.array([], "i4"), "b": np.array([], "M8[ns]")}),
    "nothing": pd.DataFrame(),
    "series side by side": pd.DataFrame(
        {
            name: each
            for name, each in SERIES.items()
            if name in ("datetimes", "timedeltas", "datetimes in a zone")
        }
    ),
    "categorical": pd.DataFrame({"a": pd.Categorical(["x", "y"]), "b": [1, 2]}),
    "slice": pd.DataFrame(np.arange(40.0).reshape(10, 4), columns=list("abcd")).iloc[::3, 1:3],
    "objects": pd.DataFrame({"a": [[1], None], "b": [1, "x"]}, dtype=object),
}

infer_string(True)

# What old versions lack: exact only where both sides have it.
NEWER: dict[str, Any] = {
    "Int64": pd.array([1, None, 2**60], dtype="Int64"),
    "Int64 series": pd.Series([1, None], dtype="Int64"),
    "UInt8 full": pd.Series([1, 2], dtype="UInt8"),
    "Float64": pd.Series([1.5, None], dtype="Float64"),
    "boolean": pd.Series([True, None], dtype="boolean"),
    "string": pd.Series(["a", None, "\u00e4"], dtype="string"),
    "string python": pd.Series(["a", None, "\u00e4"], dtype=pd.StringDtype("python")),
    "str": pd.Series(["a", None, "\u00e4", ""], dtype="str"),
    "str python": pd.Series(["a", None], dtype=pd.StringDtype("python", na_value=np.nan)),
    "str ascii": pd.Series(["a", "bc", ""], dtype="str"),
    "str slice": pd.Series(list("abcdef"), dtype="str").iloc[2:4],
    "many str": pd.Series(["a", None, "\u00e4", ""] * 20, dtype="str"),
    "many string": pd.Series(["a", None, "\u00e4", ""] * 20, dtype="string"),
    "many ascii str": pd.Series(["a", "bc", ""] * 20, dtype="str"),
    "slice of many str": pd.Series(list("ab\u00e4def") * 20, dtype="str").iloc[3:90],
    "index of many str": pd.Index([str(each) for each in range(50)]),
    "no str": pd.Series([], dtype="str"),
    "int64[pyarrow]": pd.Series([1, None], dtype="int64[pyarrow]"),
    "string[pyarrow]": pd.Series(["a", None], dtype=pd.ArrowDtype(__import__("pyarrow").string())),
    "Sparse": pd.Series(pd.arrays.SparseArray([0, 0, 1, 2])),
    "Sparse block": pd.arrays.SparseArray([0.0, np.nan, 1], kind="block"),
    "period array": pd.Series(pd.period_range("2020", periods=2, freq="D")),
    "interval array": pd.Series(pd.interval_range(0, 2)),
    "datetimes s": pd.Series(pd.to_datetime(["2020", None])).astype("M8[s]"),
    "datetimes s far": pd.Series(np.array(["9999-12-31", "NaT"], "M8[s]")),
    "timedeltas ms": pd.Series(np.array([1, 2], "m8[ms]")),
    "datetimes us in a zone": pd.Series(np.array(["2020", "NaT"], "M8[us]")).dt.tz_localize(BERLIN),
    "Timestamp s": pd.Timestamp("2020-01-01").as_unit("s"),
    "Timestamp us far": pd.Timestamp("9999-12-31 01:02:03").as_unit("us"),
    "Timedelta ms": pd.Timedelta("1h").as_unit("ms"),
    "NA": pd.NA,
    "text index": pd.Index(["a", "b"]),
    "text labels": pd.DataFrame({"a": [1], "b": [2]}),
    "python text index": pd.Index(["a", None], dtype=pd.StringDtype("python", na_value=np.nan)),
    "empty text index": pd.Index([], dtype="str"),
    "categories of text": pd.Series(pd.Categorical(["x", "y"])),
    "level of text": pd.MultiIndex.from_product([[1], ["a", "b"]]),
    "Int8 index": pd.Index(np.array([1, 2], "i1")),
    "nullable index": pd.Index([1, None], dtype="Int64"),
    "wrapped": pd.arrays.NumpyExtensionArray(np.array([1, 2])),
    "attrs": FRAMES["floats"].copy(),
    "flags": FRAMES["floats"].copy().set_flags(allows_duplicate_labels=False),
    "Int64Dtype": pd.Int64Dtype(),
    "StringDtype": pd.StringDtype("python"),
    "DatetimeTZDtype": pd.DatetimeTZDtype("ns", "UTC"),
    "IntervalDtype": pd.IntervalDtype("int64", "left"),
    "SparseDtype": pd.SparseDtype("f8", 0.0),
    "frame of all": pd.DataFrame(
        {
            "a": [1, 2],
            "b": ["x", None],
            "c": pd.array([1, None], dtype="Int64"),
            "d": [1.5, 2],
            "e": pd.array(["u", None], dtype="string"),
            "f": pd.Categorical(["p", "q"]),
            "g": pd.to_datetime(["2020", "2021"]),
        }
    ),
    "ArrowDtype": pd.ArrowDtype(__import__("pyarrow").string()),
    "ArrowDtype of lists": pd.ArrowDtype(__import__("pyarrow").list_(__import__("pyarrow").int8())),
    "StringDType itself": np.dtypes.StringDType(na_object=None),
    "StringDType": np.array(["a", "\u00e4bc"], np.dtypes.StringDType()),
    "StringDType with NA": np.array(["a", None], np.dtypes.StringDType(na_object=None)),
}
NEWER["attrs"].attrs["unit"] = "m"


class Point(NamedTuple):
    x: int
    y: str


@dataclasses.dataclass
class Size:
    width: int
    more: list[int] = dataclasses.field(default_factory=list)


class Color(enum.Enum):
    RED = 1


class Flags(enum.IntFlag):
    A = 1
    B = 2


USERS: dict[str, Any] = {
    "namedtuple": Point(1, "a"),
    "dataclass": Size(1, [2]),
    "enum": Color.RED,
    "flags": Flags.A | Flags.B,
}

PANDAS = {**INDEXES, **{f"series {n}": v for n, v in SERIES.items()}, **SCALARS, **FRAMES}


def assert_same(found: Any, wanted: Any) -> None:
    """Equal in type, values, dtypes, order of memory, flags, names and attributes."""
    assert type(found) is type(wanted)
    if isinstance(wanted, np.ndarray):
        _assert_same_array(found, wanted)
    elif isinstance(wanted, pd.DataFrame):
        pd.testing.assert_frame_equal(found, wanted, check_freq=True, check_flags=True)
        assert_same(found.index, wanted.index)
        assert_same(found.columns, wanted.columns)
        assert found.attrs == wanted.attrs
    elif isinstance(wanted, pd.Series):
        pd.testing.assert_series_equal(found, wanted, check_freq=True, check_flags=True)
        assert found.dtype == wanted.dtype
        assert_same(found.index, wanted.index)
    elif isinstance(wanted, pd.Index):
        pd.testing.assert_index_equal(found, wanted, exact=True)
        assert getattr(found, "freq", None) == getattr(wanted, "freq", None)
        assert found.names == wanted.names
    elif isinstance(wanted, pd.api.extensions.ExtensionArray):
        pd.testing.assert_extension_array_equal(found, wanted)
    elif isinstance(wanted, BaseException):
        assert found.args == wanted.args
        assert str(found) == str(wanted)
        assert vars(found) == vars(wanted)
    elif isinstance(wanted, memoryview):
        assert found == wanted
        assert (found.format, found.shape, found.readonly) == (
            wanted.format,
            wanted.shape,
            wanted.readonly,
        )
    elif wanted is pd.NA or wanted is pd.NaT:
        assert found is wanted
    else:
        assert repr(found) == repr(wanted)
        if not isinstance(wanted, (np.generic, uuid.UUID)) or found == found:
            assert found == wanted
        for name in (
            "tzinfo",
            "unit",
            "fold",
            "dtype",
            "freq",
            "maxlen",
            "default_factory",
            "is_safe",
        ):
            if hasattr(wanted, name):
                assert getattr(found, name) == getattr(wanted, name)


def _assert_same_array(found: Any, wanted: Any) -> None:
    assert found.dtype == wanted.dtype
    assert found.dtype.str == wanted.dtype.str
    assert found.shape == wanted.shape
    assert found.flags.f_contiguous or not wanted.flags.f_contiguous
    assert found.flags.writeable is wanted.flags.writeable or wanted.dtype.hasobject
    if isinstance(wanted, np.ma.MaskedArray):
        np.testing.assert_array_equal(np.ma.getmask(found), np.ma.getmask(wanted))
        assert (np.ma.getmask(found) is np.ma.nomask) is (np.ma.getmask(wanted) is np.ma.nomask)
        assert found.hardmask is wanted.hardmask
        assert found.fill_value == wanted.fill_value
        found, wanted = found.data, wanted.data
    if wanted.dtype.hasobject:
        assert found.tolist() == wanted.tolist()
    elif wanted.dtype.names or wanted.dtype.kind == "V":
        assert found.tobytes() == wanted.tobytes()
    else:
        np.testing.assert_array_equal(found, wanted)
