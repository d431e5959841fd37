"""A DataFrame to a table of SQL Server, or to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlexec.data.sources import RxSqlServerData, split_name
from sqlexec.errors import ConfigurationError
from sqlexec.server.connection import Connection
from sqlexec.server.session import LOGIN_TIMEOUT_SECONDS
from sqlexec.server.sql_errors import connection_failed, from_driver

if TYPE_CHECKING:
    import pandas

ROWS_PER_WRITE = 10_000
_LONGEST_NVARCHAR = 4000  # characters; beyond it is nvarchar(max)


def table_of(target: RxSqlServerData) -> str:
    """The name of the table to write to; ConfigurationError where it is a query."""
    if target.table is None:
        raise ConfigurationError("output_file must be an RxSqlServerData with a table, not a query")
    return target.table


def write_table(
    frame: pandas.DataFrame,
    target: RxSqlServerData,
    *,
    append: bool = False,
    overwrite: bool = False,
) -> None:
    """Create the table of a data source and fill it, in one transaction.

    Text becomes nvarchar, datetime64 datetime (a thirtieth of a second's hundredth exact, and
    what external scripts take as input), bool bit, integers and floats by their width.

    Parameters
    ----------
    frame : pandas.DataFrame
    target : RxSqlServerData
        With a `table`; its schema must exist.
    append, overwrite : bool
        What to do where the table exists: add rows, or make it anew; else that is an error.

    Raises
    ------
    ConfigurationError
        The target is a query, has no connection, or exists already.
    ConnectionFailed, ServerError
        The server is not reached, or fails a statement; nothing was changed.
    """
    table = table_of(target)
    *qualifiers, name = split_name(table)
    schema = ".".join(f"[{part}]" if "." in part else part for part in qualifiers) or None
    import sqlalchemy
    from sqlalchemy.exc import DBAPIError

    engine = _engine(Connection.of(target.location))
    try:
        with engine.begin() as connection:
            exists = sqlalchemy.inspect(connection).has_table(name, schema)
            if exists and not (append or overwrite):
                raise ConfigurationError(
                    f"The table {table} exists: say overwrite=True or append='rows'"
                )
            frame.to_sql(
                name,
                connection,
                schema=schema,
                index=False,
                if_exists="append" if append else "replace",
                chunksize=ROWS_PER_WRITE,
                dtype=_types(frame),
            )
    except DBAPIError as error:
        raise from_driver(error.orig if isinstance(error.orig, Exception) else error) from None
    finally:
        engine.dispose()


def write_file(
    frame: pandas.DataFrame, path: Path, *, append: bool = False, overwrite: bool = False
) -> None:
    """Write a .csv or .parquet file.

    Raises ConfigurationError where it exists and `overwrite` is not said, or its ending is
    another one; rows are appended to .csv alone.
    """
    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise ConfigurationError(f"{path} ends neither in .csv nor in .parquet")
    if path.exists() and append and kind == ".csv":
        frame.to_csv(path, mode="a", header=False, index=False)
        return
    if path.exists() and not overwrite:
        raise ConfigurationError(f"{path} exists: say overwrite=True")
    if kind == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)


def _engine(connection: Connection) -> Any:
    """A SQLAlchemy engine over our own connection string, for pandas."""
    import pyodbc
    import sqlalchemy
    from sqlalchemy.pool import NullPool

    def connect() -> Any:
        try:
            return pyodbc.connect(connection.odbc, timeout=LOGIN_TIMEOUT_SECONDS)
        except pyodbc.Error as error:
            raise connection_failed(error, connection) from None

    return sqlalchemy.create_engine(
        "mssql+pyodbc://", creator=connect, poolclass=NullPool, fast_executemany=True
    )


def _types(frame: pandas.DataFrame) -> dict[Any, Any]:
    """nvarchar for text: pandas' own choice, varchar, loses what the code page lacks."""
    import pandas
    from sqlalchemy.types import Unicode, UnicodeText

    types: dict[Any, Any] = {}
    for name in frame.columns:
        if pandas.api.types.infer_dtype(frame[name], skipna=True) in ("string", "categorical"):
            longest = frame[name].astype(object).dropna().map(lambda text: len(str(text))).max()
            short = not longest > _LONGEST_NVARCHAR  # also where there is none at all
            types[name] = Unicode(_length(longest)) if short else UnicodeText()
    return types


def _length(longest: float) -> int:
    """A length with room for later rows: the next power of two, at least 32."""
    length = 32
    while length < longest:
        length *= 2
    return min(length, _LONGEST_NVARCHAR)
