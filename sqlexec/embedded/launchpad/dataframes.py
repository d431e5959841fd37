"""DataFrames of a satellite: InputDataSet over shared memory, OutputDataSet into it.

    columns.py (server) -> shared file -> mmap -> numpy arrays -> InputDataSet
                        <- shared file <- arrays' buffers      <- OutputDataSet

Which T-SQL type becomes which dtype and back: Microsoft's pages on Python data types in SQL
Server, and the open Python language extension.  Runs in the interpreter that the user named:
standard library and the syntax of Python 3.6; numpy and pandas only if they are there.
"""

import array
import mmap
import os
import platform
import sys
from typing import Any, Callable, Dict, Optional


class ScriptError(Exception):
    """The runtime's own complaint about a script; shown without a traceback."""


class Shared:
    """A shared file, read at offsets or appended to."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._size = 0

    def read(self, at: int, size: int) -> bytes:
        """A copy of a part of the file."""
        data = os.pread(self.descriptor, size, at)
        if len(data) == size:
            return data
        parts = []
        while data:  # the kernel hands out less than 2 GB at a time
            parts.append(data)
            at, size = at + len(data), size - len(data)
            data = os.pread(self.descriptor, size, at)
        return b"".join(parts)

    def view(self, at: int, size: int) -> mmap.mmap:
        """A private, writable mapping: no copy is made until a page is written to."""
        return mmap.mmap(self.descriptor, size, access=mmap.ACCESS_COPY, offset=at)

    def append(self, data: Any, alignment: int = 8) -> int:
        """Write an object's buffer at the end, aligned; returns where it starts."""
        at = position = -(-self._size // alignment) * alignment
        rest = memoryview(data)
        rest = rest.cast("B") if rest.nbytes else memoryview(b"")
        while len(rest):
            written = os.pwrite(self.descriptor, rest, position)
            position += written
            rest = rest[written:]
        self._size = position
        return at


# --- in ----------------------------------------------------------------------------------


def read_frame(frame: Dict[str, Any], inbox: Shared) -> Any:
    """InputDataSet over the columns that the server wrote; see columns.py for their layout."""
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy is None or pandas is None:
        raise ScriptError(
            "@input_data_1 needs numpy and pandas, and the Python that runs external scripts "
            "({}, {}) does not have them.".format(platform.python_version(), sys.executable)
        )
    rows = frame["rows"]
    columns = {}  # names that come twice collapse to the last one, as in the real runtime
    for column in frame["columns"]:
        values = _READERS.get(column["kind"], _number)(column, inbox, rows)
        if values.dtype == object:  # as it is: pandas 3 would make another type of strings
            values = pandas.Series(values, dtype=object, copy=False)
        columns[column["name"]] = values
    return pandas.DataFrame(columns, index=pandas.RangeIndex(rows), copy=False)


def _array(inbox: Shared, at: int, dtype: str, rows: int) -> Any:
    """A writable numpy array over a part of the shared file."""
    numpy = sys.modules["numpy"]
    if not rows:
        return numpy.empty(0, dtype)
    return numpy.frombuffer(inbox.view(at, rows * numpy.dtype(dtype).itemsize), dtype)


def _nulls(column: Dict[str, Any], inbox: Shared, rows: int) -> Any:
    """Mask of the NULLs of a column, None if it has none."""
    return None if column["nulls"] is None else _array(inbox, column["nulls"], "bool", rows)


def _number(column: Dict[str, Any], inbox: Shared, rows: int) -> Any:
    """Numbers keep their width; any NULL makes the column float64 with NaN."""
    values, nulls = _array(inbox, column["at"], column["kind"], rows), _nulls(column, inbox, rows)
    if nulls is not None:
        values = values.astype("float64")
        values[nulls] = float("nan")
    return values


def _objects(values: Any, nulls: Any) -> Any:
    values = values.astype(object)
    if nulls is not None:
        values[nulls] = None
    return values


def _bool(column: Dict[str, Any], inbox: Shared, rows: int) -> Any:
    values, nulls = _array(inbox, column["at"], "bool", rows), _nulls(column, inbox, rows)
    return values if nulls is None else _objects(values, nulls)


def _date(column: Dict[str, Any], inbox: Shared, rows: int) -> Any:
    """Days since 1970 -> datetime.date objects."""
    days = _array(inbox, column["at"], "int32", rows).astype("int64")
    return _objects(days.view("M8[D]"), _nulls(column, inbox, rows))


def _datetime(column: Dict[str, Any], inbox: Shared, rows: int) -> Any:
    """Milliseconds since 1970 -> datetime64; objects where that cannot hold them."""
    numpy, pandas = sys.modules["numpy"], sys.modules["pandas"]
    values, nulls = _array(inbox, column["at"], "int64", rows), _nulls(column, inbox, rows)
    if nulls is not None:
        values[nulls] = 0
    unit, factor = ("us", 1000) if int(pandas.__version__.split(".")[0]) >= 3 else ("ns", 1000000)
    largest = numpy.iinfo("int64").max // factor
    all_null = nulls is not None and nulls.all()
    if not rows or all_null or values.max() > largest or values.min() < -largest:
        return _objects(values.view("M8[ms]"), nulls)
    values *= factor
    if nulls is not None:
        values[nulls] = numpy.iinfo("int64").min  # NaT
    return values.view("M8[" + unit + "]")


def _text(column: Dict[str, Any], inbox: Shared, rows: int) -> Any:
    """Strings: each different one is made once, the rows refer to them by number."""
    numpy = sys.modules["numpy"]
    text = inbox.read(column["text"], column["size"]).decode("utf-8")
    ends = _array(inbox, column["lengths"], "int32", column["count"]).cumsum().tolist()
    strings = numpy.empty(column["count"] + 1, object)
    strings[:-1] = [text[start:end] for start, end in zip([0] + ends, ends)]
    return strings[_array(inbox, column["at"], "int32", rows)]  # code -1, the last one: None


_READERS: Dict[str, Callable[[Dict[str, Any], Shared, int], Any]] = {
    "bool": _bool,
    "date": _date,
    "datetime": _datetime,
    "text": _text,
}


# --- out ---------------------------------------------------------------------------------


def write_frame(frame: Any, name: str, outbox: Shared) -> Optional[Dict[str, Any]]:
    """OutputDataSet in the shared file; None if the script made none.

    The index is ignored and the columns are taken by position.
    """
    pandas = sys.modules.get("pandas")
    if frame is None:
        return None
    if pandas is None or not isinstance(frame, pandas.DataFrame):
        raise ScriptError(
            "{} must be a pandas DataFrame, not {}.".format(name, type(frame).__name__)
        )
    rows, count = frame.shape
    if not count:
        return None
    columns = []
    for number in range(count):
        column = _column(frame.iloc[:, number], str(frame.columns[number]), outbox)
        columns.append(column)
    return {"rows": rows, "columns": columns}


_OUTPUT_DTYPES = {
    "bool": "bool",
    "uint8": "uint8",
    "int16": "int16",
    "int32": "int32",
    "int64": "int64",
    "float32": "float32",
    "float64": "float64",
    "datetime64[ns]": "int64",
}  # dtype of a column: dtype of what is written


def _column(series: Any, name: str, outbox: Shared) -> Dict[str, Any]:
    numpy = sys.modules["numpy"]
    kind = str(series.dtype)
    if kind == "object":
        return _object_column(series, name, outbox)
    if kind not in _OUTPUT_DTYPES or not isinstance(series.dtype, numpy.dtype):
        hint = {"str": ' Use astype("object").', "datetime64[us]": ' Use .dt.as_unit("ns").'}
        raise ScriptError(
            "Unsupported data type {} in column '{}' of the output data set. Supported types: {}, "
            "object.{}".format(kind, name, ", ".join(_OUTPUT_DTYPES), hint.get(kind, ""))
        )
    values = numpy.ascontiguousarray(series.values)
    if kind.startswith("datetime64"):
        values = values.view("int64")
    return {"name": name, "kind": kind, "at": outbox.append(values)}


_HELD = 1 << 20  # bytes of cells that are written together


def _object_column(series: Any, name: str, outbox: Shared) -> Dict[str, Any]:
    """An object column goes as character data; only None is NULL."""
    lengths = array.array("q")
    start = outbox.append(b"")
    size, cells, held = 0, [], 0
    for value in series.values:
        if isinstance(value, (bytes, bytearray, memoryview)):
            raise ScriptError(
                "Unsupported data type {} in column '{}' of the output data set: bytes travel in "
                "varbinary(max) OUTPUT parameters.".format(type(value).__name__, name)
            )
        cell = b"" if value is None else str(value).encode("utf-8")
        lengths.append(-1 if value is None else len(cell))
        cells.append(cell)
        held += len(cell)
        if held > _HELD:
            outbox.append(b"".join(cells), alignment=1)
            size, cells, held = size + held, [], 0
    outbox.append(b"".join(cells), alignment=1)
    return {
        "name": name,
        "kind": "object",
        "lengths": outbox.append(lengths),
        "at": start,
        "size": size + held,
    }


def warm_up() -> None:
    """Run in the zygote, so that what pandas sets up at its first use is there before a fork."""
    pandas = sys.modules.get("pandas")
    if pandas is not None:
        frame = pandas.DataFrame({"a": [1, 2], "b": [1.0, None], "c": ["x", None]})
        str(frame.iloc[:, 0].dtype)
        frame["b"].isna().sum()
    ctypes = sys.modules.get("ctypes")
    if ctypes is not None:
        ctypes.CDLL(None).fflush(None)
