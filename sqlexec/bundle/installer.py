"""Installs the bundle into a database, as a DBA would with sqlcmd.

    install.sql -> batches (parted by GO) -> one transaction over pyodbc -> InstallReport

All or nothing: an error rolls the whole installation back and names the file and the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from sqlexec.bundle.render import bundle_files, render_install
from sqlexec.errors import (
    ConfigurationError,
    ConnectionLost,
    PermissionDenied,
    ServerError,
    SqlExecError,
)
from sqlexec.server.connection import Connection, build_odbc, parse_odbc
from sqlexec.server.sql_errors import connection_failed, from_driver
from sqlexec.version import __version__

SYSTEM_DATABASES = frozenset({"master", "model", "msdb", "tempdb"})

_SEPARATOR = re.compile(
    r"""
      --[^\n]*
    | (?P<comment>/\*)
    | '(?:[^']|'')*'
    | \[(?:[^\]]|\]\])*\]
    | "(?:[^"]|"")*"
    | (?P<go>^[ \t]*GO[ \t]*(?:--[^\n]*)?$)
    """,
    re.VERBOSE | re.MULTILINE | re.IGNORECASE,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True)
class InstallReport:
    """What `install` did.

    Parameters
    ----------
    server, database : str
        As the server calls itself, and the database that holds the bundle now.
    version : str
        Of the bundle.
    batches : int
        How many batches ran.
    seconds : float
    """

    server: str
    database: str
    version: str
    batches: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"sqlexec {self.version} installed in database {self.database} of {self.server} "
            f"({self.batches} batches, {self.seconds:.1f} s). "
            f"Next: ALTER ROLE sqlexec_user ADD MEMBER [user];"
        )


def install(connection_string: str, *, database: str | None = None) -> InstallReport:
    """Create or renew the bundle in a database.

    Parameters
    ----------
    connection_string : str
        ODBC string, SQLAlchemy URL or DSN of a login that is db_owner there.
    database : str, default the connection string's
        Which database; it must exist and be none of the system's.

    Returns
    -------
    InstallReport

    Raises
    ------
    ConfigurationError
        No database of the user's own is named.
    ConnectionFailed, ServerError
        What the server said; a ServerError names the file of sql/ and the line there.

    Example
    -------
    >>> install("Server=db1;UID=sa;PWD=...", database="flights")  # doctest: +SKIP
    """
    started = perf_counter()
    with _Session(place(connection_string, database)) as session:
        server, target = session.execute("SELECT @@SERVERNAME, DB_NAME()")
        if str(target).lower() in SYSTEM_DATABASES:
            raise ConfigurationError(
                f"The bundle belongs in a database of its users, not in {target}: "
                "name one with Database= in the connection string or with --database."
            )
        count = 0
        for name, line, batch in _batches_of_bundle():
            try:
                session.execute(batch)
            except ServerError as error:
                denied = isinstance(error, PermissionDenied)
                advice = " Install as a member of db_owner." if denied else ""
                error.args = (f"{name}, batch at line {line}: {error.args[0]}{advice}",)
                raise
            count += 1
        session.commit()
    return InstallReport(str(server), str(target), __version__, count, perf_counter() - started)


def info(connection_string: str, *, database: str | None = None) -> dict[str, object]:
    """What the procedure sqlexec.info of a database tells, by column name.

    Parameters and errors as for `install`; BundleNotInstalled where there is no bundle.

    Example
    -------
    >>> info("Server=db1;UID=ann;PWD=...", database="flights")["version"]  # doctest: +SKIP
    '0.2.0'
    """
    with _Session(place(connection_string, database)) as session:
        row = session.execute("EXECUTE sqlexec.info")
        return dict(zip(session.columns, row, strict=True))


def batches(script: str) -> Iterator[tuple[int, str]]:
    """Cut a script at its GO lines, those in strings, names and comments left alone.

    Yields the line where each batch begins (from 1) and its text; empty ones are passed over.

    Example
    -------
    >>> list(batches("SELECT 1\\nGO\\nSELECT 'a\\nGO\\n'\\n"))
    [(1, 'SELECT 1'), (3, "SELECT 'a\\nGO\\n'")]
    """
    start = position = 0
    while True:
        match = _SEPARATOR.search(script, position)
        if match is None or match["go"]:
            end = match.start() if match else len(script)
            text = script[start:end]
            if text.strip():
                blank = len(text) - len(text.lstrip())
                yield script.count("\n", 0, start + blank) + 1, text.strip()
            if match is None:
                return
            start = position = match.end()
        else:
            position = _comment_end(script, match.end()) if match["comment"] else match.end()


def place(connection_string: str, database: str | None) -> Connection:
    """Where a connection string leads, or to a database that is named apart."""
    where = Connection.of(connection_string)
    if database:
        where = Connection.of(build_odbc({**parse_odbc(where.odbc), "Database": database}))
    return where


def _comment_end(script: str, position: int) -> int:
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(script, position)
        if edge is None:
            return len(script)
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return position


def _batches_of_bundle() -> Iterator[tuple[str, int, str]]:
    """Each batch of install.sql: file, line in it, text."""
    line, header = next(batches(render_install()))
    yield "install.sql", line, header
    for file in bundle_files():
        for line, text in batches(file.text):
            yield file.name, line, text


class _Session:
    """One connection whose transaction is rolled back unless it was committed."""

    def __init__(self, where: Connection) -> None:
        self._where = where
        self._connection: Any = None  # pyodbc's stubs differ between its versions
        self.columns: list[str] = []  # of the last query

    def __enter__(self) -> _Session:
        import pyodbc

        try:
            self._connection = pyodbc.connect(self._where.odbc, autocommit=False)
        except pyodbc.Error as error:
            raise connection_failed(error, self._where) from None
        return self

    def execute(self, sql: str) -> tuple[object, ...]:
        """Run one batch to its end; the first row of a query, else ()."""
        row: tuple[object, ...] = self._attempt(self._run, sql)
        return row

    def commit(self) -> None:
        self._attempt(self._connection.commit)

    def __exit__(self, *_: object) -> None:
        import contextlib

        import pyodbc

        with contextlib.suppress(pyodbc.Error):  # the link may be gone
            self._connection.rollback()
        self._connection.close()

    def _run(self, sql: str) -> tuple[object, ...]:
        cursor = self._connection.cursor()
        cursor.execute(sql)
        self.columns = [column[0] for column in cursor.description or ()]
        row = cursor.fetchone() if cursor.description else None
        while cursor.nextset():  # a later statement's error shows only here
            pass
        return tuple(row or ())

    def _attempt(self, action: Any, *arguments: str) -> Any:
        import pyodbc

        try:
            return action(*arguments)
        except pyodbc.Error as error:
            raised: SqlExecError = from_driver(error)
            if isinstance(raised, ConnectionLost):
                raised.args = (f"{raised.args[0]} Nothing was installed.",)
            raise raised from None
