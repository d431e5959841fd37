"""The rows of a query as a DataFrame here: columns as the server's Python has them.

Types follow Microsoft's page "Data type mappings between Python and SQL Server": integers keep
their width and become float64 where a value is NULL; decimal and money go through float; text
and date stay objects.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlexec.errors import DependencyMissing, ServerError
from sqlexec.server.connection import Connection
from sqlexec.server.pool import POOL
from sqlexec.server.sql_errors import blame_query

if TYPE_CHECKING:
    import pandas

Batch = tuple[Sequence[Any], list[Any]]  # description of the columns, rows

# Precision as ODBC tells it: of tinyint, smallint, int, bigint.
_INTEGERS = {3: "uint8", 5: "int16", 10: "int32", 19: "int64"}


def read_in_chunks(
    connection_string: str, query: str, rows_per_read: int
) -> Iterator[pandas.DataFrame]:
    """Fetch the rows of a query, at most `rows_per_read` at a time; raises as read_rows.

    The types of a column are each chunk's own: integers are float64 in chunks that have a NULL.
    """
    with _batches(connection_string, query, rows_per_read) as batches:
        for batch in batches:
            if batch[1]:
                yield frame_of([batch])


def read_rows(
    connection_string: str, query: str, rows_per_read: int, most: int | None = None
) -> pandas.DataFrame:
    """Fetch the rows of a query.

    Parameters
    ----------
    connection_string : str
        The server.
    query : str
        One SELECT statement.
    rows_per_read : int
        How many to ask the driver for at a time.
    most : int, optional
        Fetch no more than so many.

    Raises
    ------
    ConnectionFailed, ServerError
        The server is not reached, or fails the query.
    DependencyMissing
        pandas is not installed.
    """
    with _batches(connection_string, query, rows_per_read, most) as batches:
        return frame_of(batches)


@contextlib.contextmanager
def _batches(
    connection_string: str, query: str, rows_per_read: int, most: int | None = None
) -> Iterator[Iterable[Batch]]:
    """The rows of a query as the driver gives them; it runs until the block's end."""
    import_pandas()
    session = POOL.take(Connection.of(connection_string))
    try:
        with contextlib.closing(session.read(query, rows_per_read, most)) as found:
            yield found
    except ServerError as error:
        blame_query(error, query)
        raise
    finally:
        POOL.give_back(session)


def import_pandas() -> Any:
    """pandas, or an error that says what to install."""
    try:
        import pandas
    except ImportError as error:
        raise DependencyMissing(
            "Reading data here needs pandas: pip install sqlexec[pandas]"
        ) from error
    return pandas


def frame_of(batches: Iterable[Batch]) -> pandas.DataFrame:
    """Rows as the driver gives them, as a frame with the types that the server's Python has."""
    import numpy
    import pandas

    names: list[str] = []
    parts: list[list[Any]] = []
    for description, rows in batches:
        if not parts:
            names = [column[0] for column in description]
            converters = [_converter(column[1], column[4]) for column in description]
            parts = [[] for _ in names]
        values: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(names)
        for part, convert, each in zip(parts, converters, values, strict=True):
            part.append(convert(each))
    columns = {  # names that come twice collapse to the last one, as in the server
        name: _series(part[0] if len(part) == 1 else numpy.concatenate(part))
        for name, part in zip(names, parts, strict=True)
    }
    frame: pandas.DataFrame = pandas.DataFrame(columns, copy=False)
    return frame


def _series(values: Any) -> Any:
    import pandas

    # As objects where they are: pandas 3 would make another type of strings.
    return pandas.Series(values, dtype=values.dtype if values.dtype == object else None)


def _converter(kind: type, precision: int | None) -> Callable[[Sequence[Any]], Any]:
    """What makes an array of a column's values, for the type that the driver tells."""
    import numpy

    if kind is int:
        dtype = _INTEGERS.get(precision or 19, "int64")
        return lambda values: numpy.array(values, "float64" if None in values else dtype)
    if kind is float:
        dtype = "float32" if precision == 24 else "float64"
        return lambda values: numpy.array(values, "float64" if None in values else dtype)
    if kind is Decimal:
        return lambda values: numpy.array(values, "float64")
    if kind is bool:
        return lambda values: numpy.array(values, object if None in values else bool)
    if kind is datetime:
        return _datetimes
    return _objects


def _datetimes(values: Sequence[Any]) -> Any:
    """datetime64, of pandas' own unit; objects where a nanosecond count cannot hold them."""
    import numpy
    import pandas

    if not values or any(each is not None and each.tzinfo is not None for each in values):
        return _objects(values)
    found = numpy.array(values, "datetime64[us]")
    if int(pandas.__version__.split(".")[0]) >= 3:
        return found
    years = [each.year for each in values if each is not None]
    if not years or min(years) < 1678 or max(years) > 2261:
        return _objects(values)
    return found.astype("datetime64[ns]")


def _objects(values: Sequence[Any]) -> Any:
    import numpy

    found = numpy.empty(len(values), object)
    found[:] = values
    return found
