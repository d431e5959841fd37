"""The codec for numpy: dtypes, arrays and scalars in a form that no version of numpy changes.

Memory travels as it lies there (C or Fortran order, either byte order); what refers to Python's
objects travels as numpy's own list of them.
"""

import sys
from typing import Any, Callable, Dict, Optional

from sqlexec.runner.codec_numpy_random import random_rebuilders, random_reducer
from sqlexec.runner.codec_plain import lacks_form
from sqlexec.runner.types import Reduced


def numpy_reducer(kind: type) -> Optional[Callable[[Any, Any], Reduced]]:
    """The reducer for objects of exactly this type, None for those that pickle knows best."""
    numpy = sys.modules["numpy"]  # type: Any
    if kind is numpy.ndarray or kind.__name__ == "memmap":
        return reduce_array
    if issubclass(kind, numpy.dtype):
        return _reduce_dtype
    if issubclass(kind, numpy.generic):
        return _reduce_np_scalar
    if kind is numpy.ma.MaskedArray:
        return _reduce_masked
    if kind is numpy.matrix or kind is numpy.recarray:
        return _reduce_np_view
    if kind.__module__.startswith("numpy.random"):
        return random_reducer(kind)
    return None


def numpy_rebuilders() -> Dict[str, Callable[..., Any]]:
    """The rebuilders by name."""
    return dict(
        random_rebuilders(),
        **{
            "np.array": rebuild_array,
            "np.objects": _rebuild_objects,
            "np.read_only": _rebuild_read_only,
            "np.strings": _rebuild_np_strings,
            "np.string_dtype": _rebuild_string_dtype,
            "np.dtype": _rebuild_dtype,
            "np.fields": _rebuild_fields,
            "np.subarray": _rebuild_subarray,
            "np.scalar": _rebuild_np_scalar,
            "np.text": _rebuild_np_text,
            "np.masked": _rebuild_masked,
            "np.view": _rebuild_np_view,
        },
    )


# --- dtypes ------------------------------------------------------------------------------


def _simple(dtype: Any) -> Any:
    """A dtype's own short name where that says all of it, else the dtype."""
    return dtype if dtype.metadata else _short_name(dtype)


def _short_name(dtype: Any) -> Any:
    """The same without a look at its metadata."""
    import numpy

    if dtype.names is None and dtype.subdtype is None and dtype.kind in "?biufcmMSUVO":
        name = dtype.str
        found = numpy.dtype(name)
        if found == dtype and found.type is dtype.type:
            return name
    return dtype


def _reduce_dtype(writer: Any, dtype: Any) -> Any:
    import numpy

    name = _short_name(dtype)
    noted = (dict(dtype.metadata),) if dtype.metadata else ()
    if isinstance(name, str):
        return writer.call("np.dtype", name, *noted)
    if dtype.subdtype is not None:
        return writer.call("np.subarray", *dtype.subdtype)
    if dtype.names is None or dtype.type not in (numpy.void, numpy.record):
        if type(dtype).__name__ == "StringDType":
            return writer.call("np.string_dtype", _options_of_strings(dtype))
        return dtype.__reduce_ex__(4)  # one of another package: bfloat16
    fields = [dtype.fields[name] for name in dtype.names]
    description = {
        "names": list(dtype.names),
        "formats": [each[0] for each in fields],
        "offsets": [each[1] for each in fields],
        "itemsize": dtype.itemsize,
    }
    if any(len(each) > 2 for each in fields):
        description["titles"] = [each[2] if len(each) > 2 else None for each in fields]
    is_record = dtype.type is numpy.record
    aligned = bool(dtype.isalignedstruct)
    return writer.call("np.fields", description, aligned, is_record, *noted)


def _rebuild_dtype(reader: Any, name: str, metadata: Any = None) -> Any:
    import numpy

    make = numpy.dtype  # type: Any
    return make(name, metadata=metadata) if metadata else make(name)


def _rebuild_subarray(reader: Any, base: Any, shape: Any) -> Any:
    import numpy

    return numpy.dtype((base, shape))


def _rebuild_fields(
    reader: Any, description: Any, aligned: bool, is_record: bool, metadata: Any = None
) -> Any:
    import numpy

    make = numpy.dtype  # type: Any
    dtype = make(description, align=aligned)
    if is_record:
        dtype = make((numpy.record, dtype))
    return make(dtype, metadata=metadata) if metadata else dtype


def _options_of_strings(dtype: Any) -> Any:
    options = {"coerce": dtype.coerce}
    if hasattr(dtype, "na_object"):
        options["na_object"] = dtype.na_object
    return options


def _rebuild_string_dtype(reader: Any, options: Any) -> Any:
    """StringDType; objects before numpy 2.0."""
    import numpy

    make = getattr(getattr(numpy, "dtypes", None), "StringDType", None)
    if make is None:
        lacks_form(reader, "dtype StringDType", "object", "numpy")
        return numpy.dtype(object)
    return make(**options)


# --- arrays ------------------------------------------------------------------------------


def reduce_array(writer: Any, array: Any) -> Any:
    """An array's dtype, shape, order and memory; of a memmap the values, its file stays here."""
    dtype = array.dtype
    if dtype.hasobject:
        if not array.flags.writeable:
            return writer.call("np.read_only", array.copy("K"))
        if type(dtype).__name__ == "StringDType":
            return writer.call("np.strings", array.astype(object), dtype)
        return writer.call("np.objects") + (array.__reduce__()[2],)
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    data = writer.put(_memory_of(array, order))
    return writer.call("np.array", _simple(dtype), array.shape, order, array.flags.writeable, data)


def _memory_of(array: Any, order: str) -> Any:
    if not array.nbytes:
        return b""
    if not (array.flags.c_contiguous or array.flags.f_contiguous):
        return array.tobytes()
    flat = (array.T if order == "F" else array).reshape(-1)
    return memoryview(flat.view("u1"))


def rebuild_array(
    reader: Any, dtype: Any, shape: Any, order: Any, writeable: bool, data: Any
) -> Any:
    """An array in memory of its own."""
    import numpy

    dtype = numpy.dtype(dtype)
    found = numpy.empty(shape, dtype, order)
    if found.nbytes:
        flat = (found.T if order == "F" else found).reshape(-1)
        flat.view("u1")[:] = numpy.frombuffer(reader.get(data), "u1")
    if not writeable:
        found.flags.writeable = False
    return found


def _rebuild_objects(reader: Any) -> Any:
    """An empty array, whose state comes next: so it may contain itself."""
    import numpy

    return numpy.empty((0,), object)


def _rebuild_read_only(reader: Any, array: Any) -> Any:
    array.flags.writeable = False
    return array


def _rebuild_np_strings(reader: Any, array: Any, dtype: Any) -> Any:
    return array.astype(dtype, copy=False)


def _reduce_masked(writer: Any, array: Any) -> Any:
    import numpy

    mask = None if array.mask is numpy.ma.nomask else array.mask
    arguments = (array.data, mask, array._fill_value, array.hardmask)
    return writer.call("np.masked", *arguments)


def _rebuild_masked(reader: Any, data: Any, mask: Any, fill_value: Any, hard: bool) -> Any:
    import numpy

    found = numpy.ma.MaskedArray(data, numpy.ma.nomask if mask is None else mask, hard_mask=hard)
    if fill_value is not None:
        found.fill_value = fill_value
    return found


def _reduce_np_view(writer: Any, array: Any) -> Any:
    import numpy

    return writer.call("np.view", type(array).__name__, array.view(numpy.ndarray))


def _rebuild_np_view(reader: Any, name: str, array: Any) -> Any:
    import numpy

    return array.view(getattr(numpy, name))


# --- scalars -----------------------------------------------------------------------------


def _reduce_np_scalar(writer: Any, value: Any) -> Any:
    if isinstance(value, str):
        return writer.call("np.text", str(value))
    if isinstance(value, bytes):
        return writer.call("np.text", bytes(value))
    dtype = value.dtype
    if dtype.hasobject:
        return writer.call("np.scalar", dtype, value.item())
    return writer.call("np.scalar", _simple(dtype), value.tobytes())


def _rebuild_np_scalar(reader: Any, dtype: Any, data: Any) -> Any:
    import numpy

    dtype = numpy.dtype(dtype)
    if dtype.hasobject or not dtype.itemsize:
        found = numpy.empty(1, dtype)
        if dtype.hasobject:
            found[0] = data
        return found[0]
    return numpy.frombuffer(bytearray(data), dtype)[0]


def _rebuild_np_text(reader: Any, value: Any) -> Any:
    import numpy

    return numpy.str_(value) if isinstance(value, str) else numpy.bytes_(value)
