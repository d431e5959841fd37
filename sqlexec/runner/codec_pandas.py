"""The codec for pandas: frames as their blocks, series, indexes; the rest in the modules beside.

DataFrame   [(places of the columns, numpy array of all of them | one extension array)]
            | column labels | index | attrs, flags
Series      values | index | name | attrs, flags
Index       by its kind: values, name, and what the kind adds
"""

import sys
import warnings
from typing import Any, Callable, Dict, Optional

from sqlexec.runner.codec_pandas_arrays import (
    rebuild_arrow,
    rebuild_arrow_numbers,
    rebuild_categorical,
    rebuild_interval,
    rebuild_intervals,
    rebuild_nullable,
    rebuild_numpy_array_of_pandas,
    rebuild_pandas_dtype,
    rebuild_sparse_array,
    reduce_arrow,
    reduce_categorical,
    reduce_interval,
    reduce_intervals,
    reduce_nullable,
    reduce_numpy_array_of_pandas,
    reduce_pandas_dtype,
    reduce_sparse_array,
)
from sqlexec.runner.codec_pandas_texts import (
    are_texts,
    makes_str,
    rebuild_strings,
    rebuild_texts,
    reduce_strings,
)
from sqlexec.runner.codec_pandas_times import (
    native_times,
    pandas_major,
    rebuild_offset,
    rebuild_period,
    rebuild_periods,
    rebuild_timedelta,
    rebuild_times,
    rebuild_timestamp,
    reduce_offset,
    reduce_period,
    reduce_periods,
    reduce_timedelta,
    reduce_times,
    reduce_timestamp,
    times_of,
)
from sqlexec.runner.codec_plain import AsReduced, lacks_form
from sqlexec.runner.types import Reduced


def pandas_reducer(kind: type) -> Optional[Callable[[Any, Any], Reduced]]:
    """The reducer for objects of exactly this type, None for those that pickle knows best."""
    reducers = {
        "DataFrame": _reduce_frame,
        "Series": _reduce_series,
        "Index": _reduce_index,
        "Int64Index": _reduce_index,
        "UInt64Index": _reduce_index,
        "Float64Index": _reduce_index,
        "RangeIndex": _reduce_range,
        "MultiIndex": _reduce_multi,
        "DatetimeIndex": reduce_times,
        "TimedeltaIndex": reduce_times,
        "DatetimeArray": reduce_times,
        "TimedeltaArray": reduce_times,
        "PeriodIndex": reduce_periods,
        "PeriodArray": reduce_periods,
        "IntervalIndex": reduce_intervals,
        "IntervalArray": reduce_intervals,
        "CategoricalIndex": reduce_categorical,
        "Categorical": reduce_categorical,
        "IntegerArray": reduce_nullable,
        "FloatingArray": reduce_nullable,
        "BooleanArray": reduce_nullable,
        "StringArray": reduce_strings,
        "StringArrayNumpySemantics": reduce_strings,
        "ArrowStringArray": reduce_strings,
        "ArrowStringArrayNumpySemantics": reduce_strings,
        "ArrowExtensionArray": reduce_arrow,
        "NumpyExtensionArray": reduce_numpy_array_of_pandas,
        "PandasArray": reduce_numpy_array_of_pandas,
        "SparseArray": reduce_sparse_array,
        "Timestamp": reduce_timestamp,
        "Timedelta": reduce_timedelta,
        "Period": reduce_period,
        "Interval": reduce_interval,
        "NaTType": _reduce_missing,
        "NAType": _reduce_missing,
    }
    if hasattr(kind, "kwds") and hasattr(kind, "normalize"):
        return reduce_offset
    if kind.__name__.endswith("Dtype"):
        return reduce_pandas_dtype
    return reducers.get(kind.__name__)


def pandas_rebuilders() -> Dict[str, Callable[..., Any]]:
    """The rebuilders by name."""
    return {
        "pd.frame": _rebuild_frame,
        "pd.series": _rebuild_series,
        "pd.index": _rebuild_index,
        "pd.range": _rebuild_range,
        "pd.multi": _rebuild_multi,
        "pd.times": rebuild_times,
        "pd.periods": rebuild_periods,
        "pd.intervals": rebuild_intervals,
        "pd.categorical": rebuild_categorical,
        "pd.nullable": rebuild_nullable,
        "pd.strings": rebuild_strings,
        "pd.texts": rebuild_texts,
        "pd.arrow": rebuild_arrow,
        "pd.arrow_numbers": rebuild_arrow_numbers,
        "pd.wrapped": rebuild_numpy_array_of_pandas,
        "pd.sparse": rebuild_sparse_array,
        "pd.timestamp": rebuild_timestamp,
        "pd.timedelta": rebuild_timedelta,
        "pd.period": rebuild_period,
        "pd.interval": rebuild_interval,
        "pd.missing": _rebuild_missing,
        "pd.offset": rebuild_offset,
        "pd.dtype": rebuild_pandas_dtype,
    }


# --- frames and series -------------------------------------------------------------------


def _blocks_of(value: Any) -> Any:
    manager = getattr(value, "_mgr", None)
    return (value._data if manager is None else manager).blocks


def _memory_of_block(values: Any) -> Any:
    """A block's numpy array, also behind datetimes and wrappers; else its extension array."""
    import numpy

    kind = type(values).__name__
    if isinstance(values, numpy.ndarray):
        return values
    if kind in ("DatetimeArray", "TimedeltaArray", "DatetimeIndex", "TimedeltaIndex"):
        return values if getattr(values, "tz", None) is not None else times_of(values)
    if kind in ("NumpyExtensionArray", "PandasArray"):
        return values._ndarray
    return values


def _reduce_frame(writer: Any, frame: Any) -> Any:
    import numpy

    parts = []
    for block in _blocks_of(frame):
        values = _memory_of_block(block.values)
        places = numpy.asarray(block.mgr_locs.as_array)
        if not isinstance(values, numpy.ndarray) and getattr(values, "ndim", 1) == 2:
            for row in range(len(places)):  # datetimes with a zone
                parts.append((places[row : row + 1], values[row]))
        else:
            parts.append((places, values))
    return writer.call("pd.frame", parts, frame.columns, frame.index, _extras(frame))


def _rebuild_frame(reader: Any, parts: Any, columns: Any, index: Any, extras: Any) -> Any:
    import numpy
    import pandas

    pieces, order = [], []
    for places, values in parts:
        order.append(places)
        values = _usable(reader, values)
        if isinstance(values, numpy.ndarray) and values.ndim == 2:
            piece = _frame_of_block(values, index)
        else:
            piece = pandas.Series(values, index=index, name=0, dtype=_dtype_for(values), copy=False)
        pieces.append(piece)
    if not pieces:
        found = pandas.DataFrame(index=index, columns=columns)
    elif len(pieces) == 1:
        found = pieces[0].to_frame() if pieces[0].ndim == 1 else pieces[0]
    else:
        found = pandas.concat(pieces, axis=1)
    if pieces:
        places = numpy.concatenate(order)
        if (places != numpy.arange(len(places))).any():
            found = found.take(numpy.argsort(places), axis=1)
            # `take` remembers whose part it is and would warn of writes to it.
            if hasattr(found, "_is_copy"):
                found._is_copy = None
        found.columns = columns
        found.index = index
    return _with_extras(reader, found, extras)


def _frame_of_block(values: Any, index: Any) -> Any:
    """A frame around the memory of a block, without a copy and without looking for other types."""
    import pandas

    return pandas.DataFrame(values.T, index=index, dtype=values.dtype, copy=False)


def _usable(reader: Any, values: Any) -> Any:
    """Values of a block for this pandas: writable, and in a unit of time that it has."""
    import numpy

    if not isinstance(values, numpy.ndarray):
        return values
    if not values.flags.writeable:
        values.flags.writeable = True  # in memory of its own, see rebuild_array
    return native_times(reader, values)


def _dtype_for(values: Any) -> Any:
    """The dtype to ask for, so that pandas does not look for a better one in objects."""
    return object if values.dtype == object else None


def _reduce_series(writer: Any, series: Any) -> Any:
    values = _memory_of_block(_blocks_of(series)[0].values)
    return writer.call("pd.series", values, series.index, series.name, _extras(series))


def _rebuild_series(reader: Any, values: Any, index: Any, name: Any, extras: Any) -> Any:
    import pandas

    values = _usable(reader, values)
    found = pandas.Series(values, index=index, name=name, dtype=_dtype_for(values), copy=False)
    return _with_extras(reader, found, extras)


def _extras(value: Any) -> Any:
    """What a frame or series may have beside its data, None for nothing."""
    kind = type(value)  # asked first: a column can have these names, and old pandas other `flags`
    attrs = value.attrs if hasattr(kind, "attrs") else None
    duplicates = value.flags.allows_duplicate_labels if hasattr(kind, "set_flags") else True
    return (dict(attrs or {}), duplicates) if attrs or not duplicates else None


def _with_extras(reader: Any, value: Any, extras: Any) -> Any:
    if extras is None:
        return value
    attrs, duplicates = extras
    if attrs:
        if pandas_major() >= 1:
            value.attrs.update(attrs)
        else:
            lacks_form(reader, "attrs of a %s" % type(value).__name__, "lost", "pandas")
    if not duplicates:
        if hasattr(type(value), "set_flags"):
            value.flags.allows_duplicate_labels = False
        else:
            lacks_form(reader, "flag allows_duplicate_labels", "lost", "pandas")
    return value


# --- indexes -----------------------------------------------------------------------------


def _reduce_index(writer: Any, index: Any) -> Any:
    values = _memory_of_block(index._values)
    if writer.makes_str is None:
        writer.makes_str = makes_str()
    if writer.makes_str:
        if str(values.dtype) == "str":
            texts = AsReduced(reduce_strings(writer, values, "label"))
            return writer.call("pd.index", texts, index.name, "str")
        if values.dtype == object and are_texts(values):
            return writer.call("pd.index", values, index.name, "object")
    return writer.call("pd.index", values, index.name)


def _rebuild_index(reader: Any, values: Any, name: Any, texts: str = "") -> Any:
    import numpy
    import pandas

    if isinstance(values, numpy.ndarray) and values.dtype == object:
        if pandas_major() < 3:
            if texts == "object" or (texts and not len(values)):
                lacks_form(reader, "Index of %s" % texts, "one of texts", "pandas")
        elif not texts and _sender_lacks_str(reader) and makes_str() and are_texts(values):
            return pandas.Index(values, name=name, dtype="str")
        return pandas.Index(values, name=name, dtype=object)
    dtype = None if isinstance(values, numpy.ndarray) else values.dtype
    try:
        found = pandas.Index(values, name=name, dtype=dtype)
    except TypeError:  # before 1.4 an index has no extension dtype; 1.0 does not even know some
        found = pandas.Index(numpy.asarray(values, dtype=object), name=name)
    if str(found.dtype) != str(values.dtype):
        lacks_form(reader, "Index of %s" % values.dtype, str(found.dtype), "pandas")
    return found


def _sender_lacks_str(reader: Any) -> bool:
    version = reader.sender.get("pandas")
    return version is not None and int(version.partition(".")[0]) < 3


def _reduce_range(writer: Any, index: Any) -> Any:
    if hasattr(type(index), "start"):
        parts = (index.start, index.stop, index.step)
    else:
        parts = (index._start, index._stop, index._step)
    return writer.call("pd.range", *(parts + (index.name,)))


def _rebuild_range(reader: Any, start: int, stop: int, step: int, name: Any) -> Any:
    import pandas

    return pandas.RangeIndex(start, stop, step, name=name)


def _reduce_multi(writer: Any, index: Any) -> Any:
    codes = index.codes if hasattr(index, "codes") else index.labels
    codes = [_plain_array(each) for each in codes]
    return writer.call("pd.multi", list(index.levels), codes, list(index.names))


def _plain_array(values: Any) -> Any:
    """As numpy's own class: pandas before 0.24 had one of its own for codes."""
    import numpy

    return numpy.asarray(values).view(numpy.ndarray)


def _rebuild_multi(reader: Any, levels: Any, codes: Any, names: Any) -> Any:
    import pandas

    options = {"codes": codes} if hasattr(pandas.MultiIndex, "codes") else {"labels": codes}
    return pandas.MultiIndex(levels=levels, names=names, verify_integrity=False, **options)


# --- missing values ----------------------------------------------------------------------


def _reduce_missing(writer: Any, value: Any) -> Any:
    return writer.call("pd.missing", "NaT" if type(value).__name__ == "NaTType" else "NA")


def _rebuild_missing(reader: Any, name: str) -> Any:
    import pandas

    if not hasattr(pandas, name):
        lacks_form(reader, "pandas.NA", "None", "pandas")
    return getattr(pandas, name, None)
