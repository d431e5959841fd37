"""The rows of pema_compute's data, some at a time, and where the rows go that come of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from sqlexec.contexts.active import located
from sqlexec.contexts.base import RxComputeContext
from sqlexec.contexts.local import RxLocalSeq
from sqlexec.data.reading import import_pandas
from sqlexec.data.slices import slices_of
from sqlexec.data.sources import RxSqlServerData, split_name
from sqlexec.data.writing import write_table
from sqlexec.errors import ConfigurationError, SqlExecError
from sqlexec.server.connection import Connection

if TYPE_CHECKING:
    import pandas

ROWS_PER_READ = 50_000  # of a DataFrame


class Chunks:
    """All rows of a data source or DataFrame, as often as they are asked for.

    Workers get slices of a data source, which they read themselves; without workers the rows
    are read here.

    Parameters
    ----------
    data : RxSqlServerData or DataFrame
    context : RxComputeContext
        Where the workers are.
    key : str, optional
        The column to cut slices by.
    """

    def __init__(self, data: Any, context: RxComputeContext, key: str | None) -> None:
        if not isinstance(data, (RxSqlServerData, import_pandas().DataFrame)):
            raise ConfigurationError(
                f"data must be an RxSqlServerData or a DataFrame, not {type(data).__name__}"
            )
        if key is not None and not isinstance(key, str):
            raise ConfigurationError(f"key must be the name of a column, not {key!r}")
        if isinstance(data, RxSqlServerData):
            data = located(data, context)
        self._data = data
        self._slices = None
        if isinstance(data, RxSqlServerData) and not isinstance(context, RxLocalSeq):
            self._slices = slices_of(data, key)

    def __call__(self) -> Iterable[Any]:
        """The chunks of one pass: data sources or frames."""
        if self._slices is not None:
            return [each.source for each in self._slices]
        if isinstance(self._data, RxSqlServerData):
            return self._data.in_chunks()
        return self._parts()

    def _parts(self) -> Iterator[pandas.DataFrame]:
        for start in range(0, len(self._data), ROWS_PER_READ):
            yield self._data.iloc[start : start + ROWS_PER_READ].copy()

    def check(self, place: int, rows: int) -> None:
        """Raise SqlExecError where a worker saw another number of rows than were counted."""
        if self._slices is not None and rows != self._slices[place].rows:
            counted, source = self._slices[place].rows, self._slices[place].source
            raise SqlExecError(
                f"A chunk had {counted:,} rows when the chunks were made, and {rows:,} when it was "
                "read: the table is being changed. Compute over a copy, or when nobody writes. "
                f"Its query: {source.query}"
            )


class Output:
    """A table that gets the frames of one chunk after the other.

    Each frame is a transaction of its own: after an error, those before it are there.

    Parameters
    ----------
    target : RxSqlServerData or None
        With a table; None where the frames go nowhere.
    context : RxComputeContext
        Whose connection it takes where it has none.
    overwrite : bool
        Make a table that exists anew.
    append : "none" or "rows"
        Add to a table that exists.
    data : RxSqlServerData or DataFrame
        What is read meanwhile: not this table.
    """

    def __init__(
        self, target: object, context: RxComputeContext, overwrite: bool, append: str, data: object
    ) -> None:
        if append not in ("none", "rows"):
            raise ConfigurationError(f"append must be 'none' or 'rows', not {append!r}")
        self._target = None
        if target is not None:
            if not isinstance(target, RxSqlServerData) or target.table is None:
                raise ConfigurationError("out_data must be an RxSqlServerData with a table")
            self._target = located(target, context)
            if (overwrite or append == "rows") and isinstance(data, RxSqlServerData):
                _check_apart(self._target, located(data, context))
        self._overwrite, self._append = overwrite, append == "rows"

    @property
    def wanted(self) -> bool:
        """Whether the frames go anywhere."""
        return self._target is not None

    def write(self, frame: Any) -> None:
        """Add what process_data returned for a chunk; None adds nothing."""
        if self._target is None or frame is None:
            return
        if not isinstance(frame, import_pandas().DataFrame):
            raise ConfigurationError(
                "process_data must return a DataFrame for out_data (or None), "
                f"not {type(frame).__name__}"
            )
        write_table(frame, self._target, overwrite=self._overwrite, append=self._append)
        self._overwrite, self._append = False, True


def _check_apart(target: RxSqlServerData, source: RxSqlServerData) -> None:
    """Raise ConfigurationError where a source seems to read the table that is to be written.

    The first chunk would be written over rows that the others are still to be read from.
    """
    name = split_name(target.table or "")[-1]
    there, here = (Connection.of(each.location) for each in (target, source))
    if there.same_place(here) and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", source.query, re.I):
        raise ConfigurationError(
            f"out_data is {target.table}, which the query of the data names: a table cannot be "
            f"written while it is read. Write to another one. The query: {source.query}"
        )
