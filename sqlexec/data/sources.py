"""RxSqlServerData: a table or query of SQL Server, as an argument or to be read here."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from sqlexec.data.literals import quote_column
from sqlexec.data.reading import read_in_chunks, read_rows
from sqlexec.errors import ConfigurationError
from sqlexec.options import whole_number
from sqlexec.public import public
from sqlexec.runner.revoscalepy import RxSqlServerData as Rows
from sqlexec.server.connection import build_odbc, mask

if TYPE_CHECKING:
    import pandas

_PART = re.compile(r'\[((?:[^\]]|\]\])+)\]|"((?:[^"]|"")+)"|([^\[\]".]+)')


@public
@dataclasses.dataclass(frozen=True, eq=False)
class RxSqlServerData:
    """Rows of a table or of a query.

    As an argument of a function in RxInSqlServer the rows go straight from the engine into
    the function's process.  Outside, `rx_data_step`, `rx_import`, `head` and `tail` fetch them.

    Parameters
    ----------
    connection_string : str, optional
        ODBC string, SQLAlchemy URL or DSN; without one an argument takes the compute context's.
    table : str, optional
        Name, up to three parts; exactly one of `table` and `sql_query`.
    sql_query : str, optional
        One SELECT statement.
    string_as_factors : bool, default False
        Text columns become categories.
    column_info : dict, optional
        By column: type, newName, levels, newLevels.  Types: bool, integer, float32, numeric,
        character, factor, int16, uint16, Date.
    column_classes : dict, optional
        By column the type alone.
    rows_per_read : int, default 50000
        Rows fetched at a time.
    server, database_name, user, password : str, optional
        Instead of a connection string; without a user Windows authentication is used.
    row_buffering, return_data_frame, verbose, use_fast_read, write_factors_as_indexes
        Accepted for compatibility; there is nothing to tune by them.

    Raises
    ------
    ConfigurationError
        Both or neither of table and sql_query, or a table's name that is none.

    Example
    -------
    >>> RxSqlServerData(table="dbo.flights").query
    'SELECT * FROM [dbo].[flights]'
    """

    connection_string: str | None = dataclasses.field(default=None, repr=False)
    table: str | None = None
    sql_query: str | None = None
    row_buffering: bool = True
    return_data_frame: bool = True
    string_as_factors: bool = False
    column_classes: Mapping[str, str] | None = None
    column_info: Mapping[str, Mapping[str, Any]] | None = None
    rows_per_read: int = 50000
    verbose: bool | int = False
    use_fast_read: bool = True
    server: str | None = None
    database_name: str | None = None
    user: str | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    write_factors_as_indexes: bool = False

    def __post_init__(self) -> None:
        if (self.table is None) == (self.sql_query is None):
            raise ConfigurationError("RxSqlServerData needs either table or sql_query, one of them")
        if self.table is not None:
            quote_name(self.table)
        elif not self.sql_query or not self.sql_query.strip():
            raise ConfigurationError("sql_query is empty")
        rows_per_read = whole_number("rows_per_read", self.rows_per_read, least=1)
        object.__setattr__(self, "rows_per_read", rows_per_read)
        if self.connection_string is None and self.server is not None:
            object.__setattr__(self, "connection_string", build_odbc(self._login()))

    @property
    def query(self) -> str:
        """The SELECT statement that gives the rows."""
        if self.sql_query is not None:
            return self.sql_query.strip().rstrip(";").rstrip()
        return f"SELECT * FROM {quote_name(self.table or '')}"

    @property
    def derived(self) -> str:
        """The rows as a table `t` for a FROM clause."""
        return f"({self.query}\n) AS t"

    def where(self, condition: str, order: str | None = None) -> RxSqlServerData:
        """A data source of those rows of `derived` of which a condition is true."""
        query = f"SELECT t.* FROM {self.derived} WHERE {condition}"
        if order is not None:
            query += f" ORDER BY {order}"
        return dataclasses.replace(self, table=None, sql_query=query)

    @property
    def options(self) -> dict[str, Any]:
        """What the reading side must know of the columns, as JSON values."""
        info = {name: {"type": kind} for name, kind in (self.column_classes or {}).items()}
        for name, each in (self.column_info or {}).items():
            info[name] = {**info.get(name, {}), **each}
        return {
            "table": self.table,
            "sql_query": self.sql_query,
            "column_info": info,
            "string_as_factors": self.string_as_factors,
        }

    @property
    def location(self) -> str:
        """Its connection string; ConfigurationError where it has none."""
        if not self.connection_string:
            raise ConfigurationError(
                f"{self!r} has no connection_string: give it one, or make an RxInSqlServer the "
                "active compute context"
            )
        return self.connection_string

    def read(self) -> pandas.DataFrame:
        """All rows, fetched here."""
        return self._declared(read_rows(self.location, self.query, self.rows_per_read))

    def in_chunks(self) -> Iterator[pandas.DataFrame]:
        """All rows, fetched here, at most `rows_per_read` at a time."""
        chunks = read_in_chunks(self.location, self.query, self.rows_per_read)
        return map(self._declared, chunks)

    def head(self, n: int = 6) -> pandas.DataFrame:
        """The first n rows, fetched here."""
        return self._declared(read_rows(self.location, self.query, self.rows_per_read, n))

    def tail(self, n: int = 6) -> pandas.DataFrame:
        """The last n rows as the server gives them; all rows are fetched to find them."""
        frame: pandas.DataFrame = self.read().tail(n)
        return frame

    def __repr__(self) -> str:
        masked = self.connection_string and mask(self.connection_string)
        shown = [f"connection_string={masked!r}"] if masked else []
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if each.repr and value != each.default:
                shown.append(f"{each.name}={value!r}")
        return f"RxSqlServerData({', '.join(shown)})"

    def __reduce__(self) -> NoReturn:
        # It holds a password, and its rows travel another way.
        raise TypeError(
            "a data source must be an argument by itself, not a part of another object or a "
            "variable of the function"
        )

    def _declared(self, frame: pandas.DataFrame) -> pandas.DataFrame:
        """The frame with column_info and factors applied."""
        declared: pandas.DataFrame = Rows.of_frame(frame, self.options).read()
        return declared

    def _login(self) -> dict[str, str]:
        pairs = {"Server": self.server or ""}
        if self.database_name:
            pairs["Database"] = self.database_name
        if self.user:
            return {**pairs, "UID": self.user, "PWD": self.password or ""}
        return {**pairs, "Trusted_Connection": "yes"}


def split_name(name: str) -> list[str]:
    """Parts of a table's name: `dbo.[my table]` -> ["dbo", "my table"].

    Raises ConfigurationError where it is no name of one to three parts.
    """
    parts, position = [], 0
    while match := _PART.match(name, position):
        bracketed, quoted, plain = match.groups()
        part = plain.strip() if plain else (bracketed or "").replace("]]", "]")
        parts.append(part or (quoted or "").replace('""', '"'))
        position = match.end()
        if position == len(name):
            break
        if name[position] != ".":
            break
        position += 1
    if position != len(name) or name.endswith(".") or not all(parts) or not 1 <= len(parts) <= 3:
        raise ConfigurationError(
            f"{name!r} is no name of a table or procedure (schema.name, [my schema].[t])"
        )
    return parts


def quote_name(name: str) -> str:
    """A table's name with each part in brackets.

    Example
    -------
    >>> quote_name("dbo.my table")
    '[dbo].[my table]'
    """
    return ".".join(map(quote_column, split_name(name)))
