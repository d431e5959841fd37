"""The codec for pandas' extension arrays and dtypes.

Each is written as the arrays that it is made of.  A pandas that lacks the dtype gets the nearest
form in which no value is lost, and a warning says so.
"""

import sys
from typing import Any

from sqlexec.runner.codec_pandas_times import array_of_index, native_times, pandas_major
from sqlexec.runner.codec_plain import lacks_form

# --- categorical, interval, sparse -------------------------------------------------------


def reduce_categorical(writer: Any, value: Any) -> Any:
    """Codes and categories, of a Categorical or its index."""
    is_index = type(value).__name__.endswith("Index")
    arguments = (value.codes, value.categories, bool(value.ordered))
    return writer.call("pd.categorical", *(arguments + (is_index, getattr(value, "name", None))))


def rebuild_categorical(
    reader: Any, codes: Any, categories: Any, ordered: bool, is_index: bool, name: Any
) -> Any:
    """The Categorical or its index again."""
    import pandas

    found = pandas.Categorical.from_codes(codes, categories, ordered=ordered)
    return pandas.CategoricalIndex(found, name=name) if is_index else found


def reduce_intervals(writer: Any, value: Any) -> Any:
    """Left and right ends, of an IntervalArray or its index."""
    is_index = type(value).__name__.endswith("Index")
    name = getattr(value, "name", None)
    return writer.call("pd.intervals", value.left, value.right, value.closed, is_index, name)


def rebuild_intervals(
    reader: Any, left: Any, right: Any, closed: Any, is_index: bool, name: Any
) -> Any:
    """The index, or its array; objects before 0.24, where only the index existed."""
    import pandas

    found = pandas.IntervalIndex.from_arrays(left, right, closed=closed, name=name)
    if is_index:
        return found
    if hasattr(found, "array"):
        return found.array
    lacks_form(reader, "dtype interval", "object", "pandas")
    return found.astype(object).values


def reduce_interval(writer: Any, value: Any) -> Any:
    """One interval."""
    return writer.call("pd.interval", value.left, value.right, value.closed)


def rebuild_interval(reader: Any, left: Any, right: Any, closed: Any) -> Any:
    """The interval again."""
    import pandas

    return pandas.Interval(left, right, closed=closed)


def reduce_sparse_array(writer: Any, value: Any) -> Any:
    """The values that are there, their places, and the one that fills the rest."""
    places = value.sp_index.to_int_index().indices
    kind = "integer" if type(value.sp_index).__name__ == "IntIndex" else "block"
    return writer.call("pd.sparse", len(value), value.sp_values, places, kind, value.fill_value)


def rebuild_sparse_array(
    reader: Any, length: int, values: Any, places: Any, kind: str, fill: Any
) -> Any:
    """The sparse array; a dense one before 0.25, where it was another thing."""
    import numpy
    import pandas

    make = getattr(getattr(pandas, "arrays", None), "SparseArray", None)
    if make is None:
        lacks_form(reader, "dtype Sparse", "dense", "pandas")
        dense = numpy.full(length, fill, values.dtype)
        dense[places] = values
        return dense
    from pandas._libs import sparse

    library = sparse  # type: Any
    index = library.IntIndex(length, places)
    if kind == "block":
        index = index.to_block_index()
    # The public constructor of this kind has changed its name; this one is in all versions.
    return make._simple_new(values, index, pandas.SparseDtype(values.dtype, fill))


# --- nullable numbers --------------------------------------------------------------------


def reduce_nullable(writer: Any, value: Any) -> Any:
    """Values and mask of a nullable integer, float or boolean array."""
    return writer.call("pd.nullable", str(value.dtype), value._data, value._mask)


def rebuild_nullable(reader: Any, dtype: str, values: Any, mask: Any) -> Any:
    """The array; numpy's dtype, or float, or objects where this pandas lacks the nullable one."""
    make = _nullable_class(values)
    if make is not None:
        return make(values, mask)
    return _without_nullable(reader, "dtype %s" % dtype, values, mask)


def _nullable_class(values: Any) -> Any:
    """The class of nullable arrays for such values, None where this pandas has none."""
    import pandas

    kinds = {"b": "BooleanArray", "f": "FloatingArray"}
    arrays = getattr(pandas, "arrays", None)
    return getattr(arrays, kinds.get(values.dtype.kind, "IntegerArray"), None)


def _without_nullable(reader: Any, had: str, values: Any, mask: Any) -> Any:
    import numpy

    if not mask.any():
        lacks_form(reader, had, str(values.dtype), "pandas")
        return values
    kind = values.dtype.kind
    exact = kind in "iu" and bool(
        (values[~mask].astype("f8").astype(values.dtype) == values[~mask]).all()
    )
    if exact and kind in "iu":  # 2**63 as a float comes back as another number
        exact = bool((numpy.abs(values[~mask].astype("f8")) <= 2.0**53).all())
    if kind == "f" and not numpy.isnan(values[~mask]).any():
        found, missing = values.copy(), numpy.nan  # type: Any, Any
    elif exact:
        found, missing = values.astype("f8"), numpy.nan
    else:
        found, missing = values.astype(object), None
    found[mask] = missing
    lacks_form(reader, had, str(found.dtype), "pandas")
    return found


# --- arrays that Arrow keeps, wrapped ones ----------------------------------------------


def reduce_arrow(writer: Any, value: Any) -> Any:
    """An array that Arrow keeps: numbers as values and mask, the rest as a stream of Arrow's."""
    import numpy
    import pyarrow

    chunks = getattr(value, "_pa_array", None)
    if chunks is None:
        chunks = value._data
    kind = chunks.type
    if pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind):
        mask = numpy.asarray(chunks.is_null().to_numpy())
        values = numpy.asarray((chunks.fill_null(0) if chunks.null_count else chunks).to_numpy())
        return writer.call("pd.arrow_numbers", str(kind), values, mask)
    table = pyarrow.table({"": chunks})
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return writer.call("pd.arrow", str(kind), writer.put(memoryview(sink.getvalue())))


def _arrow_dtype() -> Any:
    """pandas.ArrowDtype, None where it or pyarrow is missing."""
    import pandas

    try:
        import pyarrow
    except ImportError:
        return None
    return getattr(pandas, "ArrowDtype", None)


def rebuild_arrow_numbers(reader: Any, kind: str, values: Any, mask: Any) -> Any:
    """The array again; nullable or numpy's numbers where Arrow is missing here."""
    make = _arrow_dtype()
    if make is None:
        had = "dtype %s[pyarrow]" % kind
        nullable = _nullable_class(values) if kind != "halffloat" else None
        if nullable is None:
            return _without_nullable(reader, had, values, mask)
        found = nullable(values, mask)
        lacks_form(reader, had, str(found.dtype), "pandas with pyarrow")
        return found
    import pyarrow

    dtype = make(pyarrow.type_for_alias(kind))
    column = pyarrow.array(values, type=dtype.pyarrow_dtype, mask=mask if mask.any() else None)
    return dtype.__from_arrow__(pyarrow.chunked_array([column]))


def rebuild_arrow(reader: Any, kind: str, data: Any) -> Any:
    """The array again."""
    make = _arrow_dtype()
    if make is None:
        raise ImportError(
            "a column of dtype %s[pyarrow] needs pyarrow and pandas 1.5 or newer on this side: "
            "convert it with astype before it is sent" % kind
        )
    import pyarrow

    column = pyarrow.ipc.open_stream(bytes(reader.get(data))).read_all().column(0)
    return make(column.type).__from_arrow__(column)


def reduce_numpy_array_of_pandas(writer: Any, value: Any) -> Any:
    """pandas' wrapper of a numpy array."""
    return writer.call("pd.wrapped", value._ndarray)


def rebuild_numpy_array_of_pandas(reader: Any, values: Any) -> Any:
    """The wrapper again, without one before 0.24."""
    import pandas

    arrays = getattr(pandas, "arrays", None)
    make = getattr(arrays, "NumpyExtensionArray", None) or getattr(arrays, "PandasArray", None)
    if make is None:
        lacks_form(reader, "pandas' wrapper of an array", "the array", "pandas")
        return values
    return make(values)


# --- dtypes ------------------------------------------------------------------------------


def reduce_pandas_dtype(writer: Any, dtype: Any) -> Any:
    """A dtype as its parts, or by its name where it has none."""
    kind = type(dtype).__name__
    if kind == "CategoricalDtype":
        return writer.call("pd.dtype", kind, (dtype.categories, dtype.ordered))
    if kind == "DatetimeTZDtype":
        return writer.call("pd.dtype", "by_example", _one_of(dtype))
    if kind == "PeriodDtype":
        return writer.call("pd.dtype", kind, (dtype.freq,))
    if kind == "IntervalDtype":
        return writer.call("pd.dtype", kind, (dtype.subtype, getattr(dtype, "closed", None)))
    if kind in ("StringDtype", "ArrowDtype"):
        return writer.call("pd.dtype", "by_example", _one_of(dtype))
    if kind == "SparseDtype":
        return writer.call("pd.dtype", kind, (dtype.subtype, dtype.fill_value))
    return writer.call("pd.dtype", "by_name", str(dtype))


def _one_of(dtype: Any) -> Any:
    """An empty array of a dtype."""
    import pandas

    return array_of_index(pandas.Series([], dtype=dtype))


def rebuild_pandas_dtype(reader: Any, kind: str, parts: Any) -> Any:
    """The dtype again."""
    import pandas

    if kind == "by_name":
        found = pandas.api.types.pandas_dtype(parts)
        if str(found) != parts:
            raise TypeError("pandas %s has no dtype %s" % (pandas.__version__, parts))
        return found
    if kind == "by_example":
        return parts.dtype
    where = pandas if hasattr(pandas, kind) else pandas.api.types  # type: Any
    make = getattr(where, kind)
    if kind == "IntervalDtype" and not hasattr(make, "closed"):  # before 1.3
        lacks_form(reader, "closed of an IntervalDtype", "lost", "pandas")
        parts = parts[:1]
    return make(*parts)
