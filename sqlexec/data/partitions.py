"""Data by groups: the values of some columns that occur together, and the rows that have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlexec.data.literals import literal, quote_column
from sqlexec.data.reading import import_pandas
from sqlexec.data.sources import RxSqlServerData
from sqlexec.errors import ConfigurationError, ServerError
from sqlexec.server.connection import Connection
from sqlexec.server.pool import POOL
from sqlexec.server.sql_errors import blame_query


class Partition(NamedTuple):
    """The rows of one group.

    Parameters
    ----------
    values : tuple
        Of the key columns, None for NULL.
    data : RxSqlServerData or DataFrame
        A query of its own, of a data source; a part of the frame, of a DataFrame.
    """

    values: tuple[Any, ...]
    data: Any


def partitions_of(data: Any, keys: Sequence[str]) -> list[Partition]:
    """Split data into groups, in the order of their keys.

    Parameters
    ----------
    data : RxSqlServerData or DataFrame
        A data source needs a connection string, and a query that can stand in a FROM clause: no
        WITH, no ORDER BY, and a name for each column.
    keys : sequence of str
        Names of columns.

    Raises
    ------
    ConfigurationError
        The data is of another type, or a key is no column of the frame or of a type that has no
        literal in T-SQL.
    ServerError
        The query fails, or a key is no column of it.
    """
    if isinstance(data, RxSqlServerData):
        return _of_source(data, keys)
    if isinstance(data, import_pandas().DataFrame):
        return _of_frame(data, keys)
    raise ConfigurationError(
        f"input_data must be an RxSqlServerData or a DataFrame, not {type(data).__name__}"
    )


def _of_source(source: RxSqlServerData, keys: Sequence[str]) -> list[Partition]:
    columns = [f"t.{quote_column(key)}" for key in keys]
    listed = ", ".join(columns)
    session = POOL.take(Connection.of(source.connection_string or ""))
    try:
        groups = session.execute(
            f"SELECT {listed} FROM {source.derived} GROUP BY {listed} ORDER BY {listed}"
        )
    except ServerError as error:
        blame_query(error, source.query, derived=True)
        raise
    finally:
        POOL.give_back(session)
    return [
        Partition(values, source.where(" AND ".join(map(_is, columns, values))))
        for values in groups
    ]


def _is(column: str, value: object) -> str:
    return f"{column} IS NULL" if value is None else f"{column} = {literal(value)}"


def _of_frame(frame: Any, keys: Sequence[str]) -> list[Partition]:
    unknown = [key for key in keys if key not in frame.columns]
    if unknown:
        raise ConfigurationError(
            f"{', '.join(unknown)}: no such column; there are {', '.join(map(str, frame.columns))}"
        )
    missing = import_pandas().isna
    groups = frame.groupby(list(keys), dropna=False, observed=True)
    return [
        Partition(tuple(None if missing(each) else each for each in values), rows)
        for values, rows in groups
    ]
