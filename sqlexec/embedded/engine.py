"""DuckDB under the stand-in: one database for all T-SQL databases, one cursor a session.

    Session --- Connection (DuckDB cursor, temporary tables, transaction) --- Engine (DuckDB)
                     |                                                          |
                     +--- table locks of its transaction ----------------- Locks (waits, deadlocks)

The T-SQL table RevoTestDB.dbo.t is the DuckDB table "RevoTestDB.dbo"."t", so that one DuckDB
transaction spans T-SQL databases.  DuckDB readers see a snapshot and never wait; writers take a
lock a table first, since two DuckDB writers of one row do not wait for each other: one fails.
"""

from __future__ import annotations

import itertools
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from sqlexec.embedded.locks import Locks
from sqlexec.embedded.sqltypes import MAX, SqlType

warnings.filterwarnings("ignore", message="Arrow output on a DB-API result", module=__name__)

BATCH_ROWS = 65536  # rows of one Arrow batch of a streamed result
_MOST_STATEMENTS = 500  # parsed statements that a connection keeps

_DUCKDB_TYPES = {
    "bit": "BOOLEAN",
    "tinyint": "UTINYINT",
    "smallint": "SMALLINT",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "real": "FLOAT",
    "float": "DOUBLE",
    "money": "DECIMAL(19,4)",
    "smallmoney": "DECIMAL(10,4)",
    "date": "DATE",
    "time": "TIME",
    "datetime": "TIMESTAMP_MS",
    "smalldatetime": "TIMESTAMP_S",
    "datetime2": "TIMESTAMP",
    "datetimeoffset": "TIMESTAMPTZ",
    "uniqueidentifier": "UUID",
    "xml": "VARCHAR",
    "sql_variant": "VARCHAR",
    "timestamp": "BLOB",
}
_SQL_TYPES = {
    "BOOLEAN": SqlType("bit"),
    "TINYINT": SqlType("smallint"),
    "UTINYINT": SqlType("tinyint"),
    "SMALLINT": SqlType("smallint"),
    "USMALLINT": SqlType("int"),
    "INTEGER": SqlType("int"),
    '"NULL"': SqlType("int"),
    "NULL": SqlType("int"),
    "UINTEGER": SqlType("bigint"),
    "BIGINT": SqlType("bigint"),
    "UBIGINT": SqlType("decimal", None, 20, 0),
    "HUGEINT": SqlType("decimal", None, 38, 0),
    "UHUGEINT": SqlType("decimal", None, 38, 0),
    "FLOAT": SqlType("real"),
    "DOUBLE": SqlType("float"),
    "VARCHAR": SqlType("nvarchar", MAX),
    "BLOB": SqlType("varbinary", MAX),
    "DATE": SqlType("date"),
    "TIME": SqlType("time", None, None, 7),
    "TIMESTAMP": SqlType("datetime2", None, None, 7),
    "TIMESTAMP_NS": SqlType("datetime2", None, None, 7),
    "TIMESTAMP_MS": SqlType("datetime"),
    "TIMESTAMP_S": SqlType("smalldatetime"),
    "TIMESTAMP WITH TIME ZONE": SqlType("datetimeoffset", None, None, 7),
    "UUID": SqlType("uniqueidentifier"),
}
_ARROW_TYPES: dict[str, pa.DataType] = {
    "bit": pa.bool_(),
    "tinyint": pa.uint8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "float": pa.float64(),
    "money": pa.decimal128(19, 4),
    "smallmoney": pa.decimal128(10, 4),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "datetime": pa.timestamp("ms"),
    "smalldatetime": pa.timestamp("s"),
    "datetime2": pa.timestamp("us"),
    "datetimeoffset": pa.timestamp("us", "UTC"),
    "uniqueidentifier": pa.string(),
    "timestamp": pa.binary(),
}


def duckdb_type(type: SqlType) -> str:
    """The DuckDB type that holds values of a T-SQL type.

    Example
    -------
    >>> duckdb_type(SqlType.parse("nvarchar(50)")), duckdb_type(SqlType.parse("datetime"))
    ('VARCHAR', 'TIMESTAMP_MS')
    """
    if type.name == "decimal":
        return f"DECIMAL({type.precision},{type.scale})"
    if type.is_binary:
        return "BLOB"
    return _DUCKDB_TYPES.get(type.name, "VARCHAR")


def sql_type(type: object) -> SqlType:
    """The T-SQL type of a DuckDB type (or its name); text and bytes come out as (max)."""
    name = str(type)
    if name.startswith("DECIMAL("):
        precision, scale = name[8:-1].split(",")
        return SqlType("decimal", None, int(precision), int(scale))
    return _SQL_TYPES.get(name, SqlType("nvarchar", MAX))


def arrow_type(type: SqlType) -> pa.DataType:
    """The Arrow type in which DuckDB hands out a T-SQL type (uniqueidentifier as its text)."""
    if type.name == "decimal":
        return pa.decimal128(type.precision, type.scale)
    if type.is_binary:
        return pa.binary()
    return _ARROW_TYPES.get(type.name, pa.string())


def quote(name: str) -> str:
    """The name as a quoted DuckDB identifier."""
    return '"' + name.replace('"', '""') + '"'


def storage_name(database: str, schema: str, name: str) -> str:
    """The DuckDB name of a T-SQL object, quoted.

    Example
    -------
    >>> storage_name("RevoTestDB", "dbo", "t")
    '"RevoTestDB.dbo"."t"'
    """
    return f"{quote(f'{database}.{schema}')}.{quote(name)}"


class Engine:
    """The DuckDB database of one server.

    Parameters
    ----------
    file : Path or None
        Where tables and catalog are kept; None keeps them in memory.

    Example
    -------
    >>> engine = Engine()
    >>> engine.connect().execute("SELECT 40 + 2").fetchall()
    [(42,)]
    >>> engine.close()
    """

    def __init__(self, file: Path | None = None) -> None:
        self._duckdb = duckdb.connect(str(file) if file else ":memory:")
        # T-SQL text of any login reaches DuckDB: it must not read or write files through it.
        for setting in (
            "SET TimeZone = 'UTC'",
            "SET autoinstall_known_extensions = false",
            "SET autoload_known_extensions = false",
            "SET enable_external_access = false",
            "SET lock_configuration = true",
        ):
            self._duckdb.execute(setting)
        self.locks = Locks()
        self._mutex = threading.Lock()
        self._generations = itertools.count(1)
        # Of the committed catalog; read and changed under the mutex, together with its tables.
        self.catalog_mutex = threading.Lock()
        self.generation = 0
        self.catalog_writes: dict[str, int] = {}  # table -> generation of its last change
        self.plans: dict[Any, Any] = {}  # see tsql/plans.py

    def connect(self) -> Connection:
        """Open a connection of its own: transaction, temporary tables, locks."""
        with self._mutex:  # cursor() of one DuckDB connection is not made for two threads
            return Connection(self, self._duckdb.cursor())

    def new_generation(self) -> int:
        """A number for a state of the catalog that no other state has."""
        return next(self._generations)

    def close(self) -> None:
        """Write everything to the file and close it; open connections end."""
        self._duckdb.close()


class Connection:
    """One session's way into DuckDB.  One thread uses it; only `interrupt` is for others."""

    def __init__(self, engine: Engine, cursor: duckdb.DuckDBPyConnection) -> None:
        self.engine = engine
        self._cursor = cursor
        self._statements: dict[str, duckdb.Statement] = {}  # parsed, by text
        self._open_reader: pa.RecordBatchReader | None = None
        self._unfinished = False
        self.in_transaction = False
        self.session_locks = object()  # owns the locks that outlive a transaction
        self.catalog_writes: dict[str, int] = {}  # as the engine's, in the open transaction
        self.catalog_snapshot: Any = None  # the catalog as this transaction sees it

    # --- statements -----------------------------------------------------------------------

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> Connection:
        """Run one DuckDB statement with parameters $1, $2, ...; the result waits to be fetched."""
        self._end_reading()
        self._cursor.execute(self._parsed(sql), list(parameters) if parameters else None)
        self._unfinished = True
        return self

    def run_script(self, sql: str) -> None:
        """Run statements without parameters or rows that will not come again (definitions)."""
        self._end_reading()
        self._cursor.execute(sql)

    def _parsed(self, sql: str) -> duckdb.Statement | str:
        """The statement as DuckDB has parsed it before; scripts are not kept."""
        statement = self._statements.get(sql)
        if statement is None:
            statements = self._cursor.extract_statements(sql)
            if len(statements) != 1:
                return sql
            if len(self._statements) >= _MOST_STATEMENTS:
                self._statements.clear()
            statement = self._statements[sql] = statements[0]
        return statement

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows of the last `execute`."""
        self._unfinished = False
        if any("TIME ZONE" in str(column[1]) for column in self._cursor.description or ()):
            # Python values of TIMESTAMPTZ would need pytz; Arrow does without.
            table: pa.Table = self._cursor.to_arrow_table()
            return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
        return self._cursor.fetchall()

    def types(self) -> list[tuple[str, SqlType]]:
        """Name and T-SQL type of each column of the last `execute`."""
        return [(column[0], sql_type(column[1])) for column in self._cursor.description or ()]

    def reader(self, sql: str, parameters: Sequence[object] = ()) -> pa.RecordBatchReader:
        """Run a query and stream its rows; the query runs while they are read.

        The reader ends (closed) when this connection gets its next statement.  DuckDB's relation
        is used, not its cursor, since that one copies all rows before the first comes out.
        """
        self._end_reading()
        relation = self._cursor.sql(sql, params=list(parameters) if parameters else None)
        if any(str(type) == "HUGEINT" for type in relation.types):
            relation = relation.project(
                ", ".join(map(_presentable, relation.columns, relation.types))
            )
        self._open_reader = relation.to_arrow_reader(BATCH_ROWS)
        return self._open_reader

    def _end_reading(self) -> None:
        if self._open_reader is not None:
            self._open_reader.close()
            self._open_reader = None
        if self._unfinished:  # rows that nobody fetched would keep DuckDB's relations out
            self._unfinished = False
            self._cursor.complete()

    # --- transactions ---------------------------------------------------------------------

    def begin(self) -> None:
        self.execute("BEGIN TRANSACTION")
        self.in_transaction = True

    def commit(self) -> None:
        """Commit; when DuckDB refuses, the transaction is rolled back and the error raised."""
        try:
            if self.catalog_writes:
                self._commit_catalog()
            else:
                self.execute("COMMIT")
        except duckdb.Error:
            self.rollback()
            raise
        self._ended()

    def _commit_catalog(self) -> None:
        engine = self.engine
        with engine.catalog_mutex:
            self.execute("COMMIT")
            engine.generation = engine.new_generation()
            engine.catalog_writes.update(dict.fromkeys(self.catalog_writes, engine.generation))

    def catalog_written(self, table: str) -> None:
        """Note that the open transaction has changed a table of the catalog; see Catalog."""
        self.catalog_writes[table] = self.engine.new_generation()

    def rollback(self) -> None:
        """Roll back; harmless when DuckDB has already given the transaction up."""
        try:
            self.execute("ROLLBACK")
        except duckdb.TransactionException:
            if self.in_transaction:
                raise
        finally:
            self._ended()

    def _ended(self) -> None:
        self.in_transaction = False
        self.catalog_snapshot = None
        self.catalog_writes.clear()
        self.engine.locks.release(self)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing for the statements within; joins a transaction that is open."""
        if self.in_transaction:
            yield
            return
        self.begin()
        try:
            yield
        except BaseException:
            self.rollback()
            raise
        self.commit()

    def lock(
        self, table: str, session: Any, *, exclusive: bool = True, owner: object = None
    ) -> None:
        """Wait for the lock of a table and keep it to the end of the transaction.

        Parameters
        ----------
        table : str
            Any key, 'database.schema.name' by custom.
        session : Session
            Its lock timeout, cancel event and number are used.
        exclusive : bool
            Shared locks are compatible with each other.
        owner : object, optional
            `session_locks`, to keep it to the end of the session.

        Raises
        ------
        SqlError
            1205 for a deadlock, 1222 for a timeout.
        """
        self.engine.locks.acquire(
            owner or self,
            table.lower(),
            exclusive=exclusive,
            timeout=session.options.lock_timeout,
            cancelled=session.cancelled,
            number=session.session_id,
        )

    def release_locks(self) -> None:
        """Give the locks back after a statement outside of a transaction."""
        if not self.in_transaction:
            self.engine.locks.release(self)

    @contextmanager
    def registered(self, name: str, table: pa.Table) -> Iterator[None]:
        """Let statements within read an Arrow table by that name."""
        self._cursor.register(name, table)
        try:
            yield
        finally:
            self._cursor.unregister(name)

    # --- ends -----------------------------------------------------------------------------

    def interrupt(self) -> None:
        """Stop the running statement; called from another thread."""
        self._cursor.interrupt()

    def close(self) -> None:
        """Roll back what is open and drop the temporary tables."""
        self._end_reading()
        self.engine.locks.release(self)
        self.engine.locks.release(self.session_locks)
        self._cursor.close()


def _presentable(name: str, type: object) -> str:
    quoted = quote(name)
    return f"CAST({quoted} AS DECIMAL(38,0)) AS {quoted}" if str(type) == "HUGEINT" else quoted
