"""The codec for pandas' arrays of strings, of every storage and missing value.

    many, kept by Arrow   offsets | UTF-8 | mask or None
    others                a list, None for what is missing

A pandas without the dtype gets objects, and a warning says so; not for labels: from pandas 3 on
an Index of texts is of str, before of objects, and each side has what its own makes of them.
"""

from typing import Any

from sqlexec.runner.codec_pandas_times import pandas_major
from sqlexec.runner.codec_plain import lacks_form

FEW = 32  # strings up to which a list of them is quicker than Arrow's buffers


def makes_str() -> bool:
    """Does this pandas give texts its dtype str by itself? (It has an option against that.)"""
    import pandas

    return pandas_major() >= 3 and pandas.Index([""]).dtype != object


def are_texts(values: Any) -> bool:
    """Are these objects texts, or NaN where some are missing?"""
    import pandas

    if values.dtype != object or pandas.api.types.infer_dtype(values, skipna=True) != "string":
        return False
    return all(isinstance(each, float) for each in values[pandas.isnull(values)])


def reduce_strings(writer: Any, value: Any, missing: str = "") -> Any:
    """Strings as one text of UTF-8 with offsets where Arrow has them, else as a list.

    `missing` is "NA", "nan", or "label" for a str's NaN in an Index; by default what it is.
    """
    import numpy

    dtype = value.dtype
    if not missing:
        missing = "nan" if isinstance(getattr(dtype, "na_value", None), float) else "NA"
    storage = getattr(dtype, "storage", "python")
    chunks = getattr(value, "_pa_array", None)
    if chunks is None and storage == "pyarrow":
        chunks = value._data
    if chunks is not None and len(value) > FEW:
        return writer.call("pd.strings", storage, missing, *_parts_of_arrow(chunks))
    texts = numpy.asarray(value, dtype=object).copy()
    texts[numpy.asarray(value.isna())] = None
    return writer.call("pd.texts", storage, missing, texts.tolist())


def _parts_of_arrow(chunks: Any) -> Any:
    """Offsets, UTF-8 and mask (or None) of Arrow's strings."""
    import numpy
    import pyarrow

    whole = chunks.cast(pyarrow.large_string()).combine_chunks()
    if isinstance(whole, pyarrow.ChunkedArray):  # older pyarrow, or no chunk at all
        whole = (
            pyarrow.concat_arrays(whole.chunks)
            if whole.num_chunks
            else pyarrow.array([], whole.type)
        )
    _, offsets, data = whole.buffers()
    count = len(whole)
    if not count:
        return numpy.zeros(1, "i8"), numpy.zeros(0, "u1"), None
    ends = numpy.frombuffer(offsets, "i8", count + 1, whole.offset * 8)
    text = numpy.frombuffer(data, "u1") if data is not None else numpy.zeros(0, "u1")
    mask = numpy.asarray(whole.is_null()) if whole.null_count else None
    return ends - ends[0], text[ends[0] : ends[-1]], mask


def rebuild_strings(
    reader: Any, storage: str, missing: str, ends: Any, data: Any, mask: Any
) -> Any:
    """The strings, by Arrow where both sides keep them there."""
    if storage == "pyarrow" and string_dtype(storage, missing) is not None:
        return _strings_by_arrow(string_dtype(storage, missing), ends, data, mask)
    text = data.tobytes().decode("utf-8")
    places = ends.tolist()
    if len(text) == len(data):
        texts = [text[start:end] for start, end in zip(places[:-1], places[1:])]
    else:
        raw = data.tobytes()
        texts = [raw[start:end].decode("utf-8") for start, end in zip(places[:-1], places[1:])]
    return rebuild_texts(reader, storage, missing, texts, mask)


def _strings_by_arrow(dtype: Any, ends: Any, data: Any, mask: Any) -> Any:
    import numpy
    import pyarrow

    valid = None
    if mask is not None:
        valid = pyarrow.py_buffer(numpy.packbits(~mask, bitorder="little"))
    buffers = [valid, pyarrow.py_buffer(ends), pyarrow.py_buffer(data)]
    count = len(ends) - 1
    found = pyarrow.Array.from_buffers(pyarrow.large_string(), count, buffers)
    return dtype.__from_arrow__(pyarrow.chunked_array([found]))


def rebuild_texts(reader: Any, storage: str, missing: str, texts: Any, mask: Any = None) -> Any:
    """The strings from a list; objects where this pandas has no such dtype."""
    import numpy
    import pandas

    dtype = string_dtype(storage, missing)
    if dtype is None and storage == "pyarrow":
        dtype = string_dtype("python", missing)
        if dtype is not None:
            lacks_form(reader, "strings kept by pyarrow", "strings", "pandas")
    found = numpy.empty(len(texts), object)
    found[:] = texts
    absent = numpy.array([each is None for each in texts], bool) if mask is None else mask
    if dtype is not None:
        found[absent] = getattr(pandas, "NA", None) if missing == "NA" else numpy.nan
        return dtype.construct_array_type()._from_sequence(found, dtype=dtype)
    found[absent] = None if missing == "NA" else numpy.nan
    if missing != "label":
        had = "dtype %s" % ("string" if missing == "NA" else "str")
        lacks_form(reader, had, "object", "pandas")
    return found


def string_dtype(storage: str, missing: str) -> Any:
    """pandas' dtype for strings of that kind, None where it lacks it."""
    import numpy
    import pandas

    if not hasattr(pandas, "StringDtype"):
        return None
    if missing == "label" and pandas_major() < 3 and str(pandas.Index([""]).dtype) != "str":
        return None  # 2.3 has it, and takes it where its option says so
    try:
        if missing != "NA":
            return pandas.StringDtype(storage, na_value=numpy.nan)
        if storage == "python" and not hasattr(pandas.StringDtype, "__from_arrow__"):
            return pandas.StringDtype()
        return pandas.StringDtype(storage)
    except (TypeError, ImportError):
        if missing == "NA" and storage == "python":
            return pandas.StringDtype()
        return None
