"""A data source cut into slices of a few rows, each with a query of its own.

    rows by key    . . . . . . . . . . . . . . . . .
    parts          |a . .|b . .|c . . . .|d . .|e . .|   first key and count, from the server
    slices         key < c      c <= key < d    d <= key  as many parts as rows_per_read takes

An external script gets all the rows of its query at once, so whoever wants few rows at a time
has to ask for few.  Slices are ranges of a key: each row is in exactly one, whatever the order
in which the server reads them.  The key is the primary key of a table where that is one column,
or a column that the caller names, else CHECKSUM of all columns, for which each slice reads the
whole source.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlexec.data.literals import literal, quote_column
from sqlexec.data.sources import RxSqlServerData, quote_name, split_name
from sqlexec.errors import ConfigurationError, ServerError
from sqlexec.server.connection import Connection
from sqlexec.server.pool import POOL
from sqlexec.server.session import Session
from sqlexec.server.sql_errors import blame_query

PARTS = 16  # that a full slice has, where no key comes twice

_PRIMARY_KEY = """\
SELECT [column].name
FROM sys.indexes AS [index]
JOIN sys.index_columns AS part
  ON part.object_id = [index].object_id AND part.index_id = [index].index_id
JOIN sys.columns AS [column]
  ON [column].object_id = part.object_id AND [column].column_id = part.column_id
WHERE [index].object_id = OBJECT_ID(?) AND [index].is_primary_key = 1"""

_PARTS = """\
SELECT MIN(ranked.[key]), COUNT_BIG(*)
FROM (SELECT {key} AS [key], (RANK() OVER (ORDER BY {key}) - 1) / {rows} AS part
  FROM {rows_of}) AS ranked
GROUP BY ranked.part
ORDER BY ranked.part"""


class Slice(NamedTuple):
    """Some rows of a data source, and how many there are."""

    source: RxSqlServerData
    rows: int


class Part(NamedTuple):
    """Neighbouring rows in the order of the key: the least key, and how many rows."""

    low: Any
    rows: int


def slices_of(source: RxSqlServerData, key: str | None = None) -> list[Slice]:
    """Cut a data source into slices of at most its `rows_per_read` rows.

    Parameters
    ----------
    source : RxSqlServerData
        With a connection string.  Its query is put into a FROM clause: no WITH, no ORDER BY, and
        a name for each column.
    key : str, optional
        A column to cut by; best one with an index, and with few rows of each value.

    Returns
    -------
    list of Slice
        In the order of the key; [] where there are no rows.

    Raises
    ------
    ConfigurationError
        So many rows have the same key that they fill a slice alone.
    ServerError
        The query cannot stand in a FROM clause, or fails; the message says so.
    """
    session = POOL.take(Connection.of(source.connection_string or ""))
    try:
        order = _key(session, source, key)
        step = max(1, source.rows_per_read // PARTS)
        parts = session.execute(_PARTS.format(key=order, rows=step, rows_of=source.derived))
    except ServerError as error:
        blame_query(error, source.query, derived=True)
        raise
    finally:
        POOL.give_back(session)
    merged = merge_parts(parts, source.rows_per_read)
    ends = [part.low for part in merged[1:]]
    conditions = _conditions(order, ends) if merged else []
    return [
        Slice(source.where(condition, order), part.rows)  # in order: sums round the same way
        for condition, part in zip(conditions, merged, strict=True)
    ]


def merge_parts(parts: Iterable[Any], most: int) -> list[Part]:
    """Join neighbouring parts as long as they have no more than `most` rows together.

    Raises ConfigurationError where one alone has more.

    Example
    -------
    >>> merge_parts([("a", 2), ("b", 2), ("c", 1)], 4)
    [Part(low='a', rows=4), Part(low='c', rows=1)]
    """
    merged: list[Part] = []
    for low, rows in parts:
        if rows > most:
            raise ConfigurationError(
                f"{rows:,} rows have almost the same key (from {low!r} on), and rows_per_read is "
                f"{most:,}: name a column with more different values, key='...', or raise "
                "rows_per_read"
            )
        if merged and merged[-1].rows + rows <= most:
            merged[-1] = Part(merged[-1].low, merged[-1].rows + rows)
        else:
            merged.append(Part(low, rows))
    return merged


def _key(session: Session, source: RxSqlServerData, name: str | None) -> str:
    """The expression whose ranges the slices are."""
    name = name or _primary_key(session, source.table)
    if name is not None:
        return f"t.{quote_column(name)}"
    ((description, _),) = session.read(f"SELECT TOP (0) t.* FROM {source.derived}", 1)
    return f"CHECKSUM({', '.join('t.' + quote_column(column[0]) for column in description)})"


def _primary_key(session: Session, table: str | None) -> str | None:
    """The column of a table's primary key, None where it has several or the table has none."""
    if table is None or len(split_name(table)) > 2:  # sys.indexes is of this database alone
        return None
    columns = session.execute(_PRIMARY_KEY, quote_name(table))
    return str(columns[0][0]) if len(columns) == 1 else None


def _conditions(key: str, ends: list[Any]) -> list[str]:
    """What is true of each slice's rows, from the least key of each slice but the first."""
    if not ends:
        return ["1 = 1"]
    bounds = [literal(end) for end in ends]
    between = [f"{key} >= {low} AND {key} < {high}" for low, high in itertools.pairwise(bounds)]
    return [f"{key} < {bounds[0]} OR {key} IS NULL", *between, f"{key} >= {bounds[-1]}"]
