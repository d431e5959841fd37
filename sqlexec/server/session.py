"""One session with the server: calls of `sqlexec.execute_chunk`, console messages, cancelling.

A call is one round trip.  Its batch is constant text with typed parameters that are never
NULL (a NULL makes the driver ask the server for types first), and it catches errors itself,
since only T-SQL tells an error's number, severity, state, procedure and line apart.

Ctrl-C cancels the statement that is under way, and the session ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, TypeVar

from sqlexec.errors import ConnectionLost, OperationCancelled, SqlExecError
from sqlexec.runner.main import PROTOCOL
from sqlexec.server.answer import Reply, ResultSets, read_answer, read_result_sets
from sqlexec.server.connection import Connection
from sqlexec.server.interrupts import interruptible
from sqlexec.server.sql_errors import connection_failed, from_driver, server_error

LOGIN_TIMEOUT_SECONDS = 15
_AGAIN_SECONDS = 0.05
_CANCEL_SECONDS = 1.0  # for SQLCancel

_EXECUTE_CHUNK = """\
SET NOCOUNT ON;
DECLARE @result varbinary(max), @result_length int, @probe_length int;
BEGIN TRY
  EXECUTE sqlexec.execute_chunk @protocol = ?, @job_id = ?, @chunk_number = ?, @task_count = ?,
    @payload = ?, @input_query = ?, @result = @result OUTPUT,
    @result_length = @result_length OUTPUT, @probe_length = @probe_length OUTPUT;
  SELECT @result AS result, @result_length AS result_length, @probe_length AS probe_length;
END TRY
BEGIN CATCH
  SELECT ERROR_MESSAGE() AS message, ERROR_NUMBER() AS number, ERROR_SEVERITY() AS severity,
    ERROR_STATE() AS state, ERROR_PROCEDURE() AS [procedure], ERROR_LINE() AS line;
END CATCH;"""

T = TypeVar("T")


class Session:
    """A connection to the server that one thread at a time uses; others may cancel.

    Parameters
    ----------
    connection : Connection
        Where to, and as whom.

    Raises
    ------
    ConnectionFailed
        The server is not reached or refuses; the message says what to do.

    Example
    -------
    >>> session = Session(Connection.of("Server=db1;..."))           # doctest: +SKIP
    >>> session.execute_chunk(job_id, 1, 1, payload).result          # doctest: +SKIP
    """

    def __init__(self, connection: Connection) -> None:
        import pyodbc

        self.connection = connection
        self.broken = False  # never to be used again
        self._handles = threading.Lock()  # held while SQLCancel runs, or the handles are freed
        # Held while a call of the driver uses them: by its own thread, which an interrupt never
        # takes out of it.
        self._driver = threading.Lock()
        self._cancelled = False
        self._closed = False
        self._errors: type[Exception] = pyodbc.Error

        def connect() -> Any:
            return pyodbc.connect(connection.odbc, autocommit=True, timeout=LOGIN_TIMEOUT_SECONDS)

        self._reading: Any = None  # the cursor of `read`
        try:
            self._odbc: Any = interruptible(connect, cancel=lambda: None)
            # Parameters of any size go with the statement, not after it by SQLPutData, which
            # takes a round trip more.
            self._odbc.maxwrite = 2**31 - 1
            self._cursor: Any = self._odbc.cursor()
        except pyodbc.Error as error:
            raise connection_failed(error, connection) from None
        # One call after the other sends the same text, so that types are bound once.
        self._types = [
            (pyodbc.SQL_INTEGER, 0, 0),
            (pyodbc.SQL_GUID, 0, 0),
            (pyodbc.SQL_INTEGER, 0, 0),
            (pyodbc.SQL_INTEGER, 0, 0),
            (pyodbc.SQL_VARBINARY, 0, 0),
            (pyodbc.SQL_WVARCHAR, 0, 0),
        ]

    def execute_chunk(
        self,
        job_id: uuid.UUID,
        chunk_number: int,
        task_count: int,
        payload: bytes,
        input_query: str = "",
        *,
        protocol: int = PROTOCOL,
    ) -> Reply:
        """Run one chunk of a job in one external-script call and wait for its result.

        Raises
        ------
        ResultCut
            The result is shorter than what the runner gave.
        ServerError
            Or the class below it that fits: no bundle, no permission, scripts disabled, ...
        ConnectionLost
            The server or the network went away; whether tasks ran is not known.
        OperationCancelled
            `cancel` was called meanwhile.
        """

        def call() -> Reply:
            self._cursor.setinputsizes(self._types)
            self._cursor.execute(
                _EXECUTE_CHUNK, protocol, job_id, chunk_number, task_count, payload, input_query
            )
            return read_answer(self._cursor)

        with self._calling():
            return self._interruptible(call)

    def execute(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        """Run a statement of our own and fetch its first set of rows, if there is one."""
        sets = self.result_sets(sql, *parameters).sets
        return [tuple(row) for row in sets[0][1]] if sets else []

    def result_sets(self, sql: str, *parameters: object) -> ResultSets:
        """Run a statement and fetch all its sets of rows, and what its scripts wrote."""

        def call() -> ResultSets:
            self._cursor.setinputsizes([_type_of(each) for each in parameters] or None)
            self._cursor.execute(sql, *parameters)
            return read_result_sets(self._cursor)

        with self._calling():
            return self._interruptible(call)

    def read(
        self,
        sql: str,
        rows_per_read: int,
        most: int | None = None,
        *,
        parameters: Sequence[object] = (),
    ) -> Generator[tuple[Sequence[Any], list[Any]], None, None]:
        """Yield the description and some rows of a query, again and again, at least once.

        Closing the iterator early tells the server to send no more.
        """
        with self._calling():
            cursor = self._reading = self._odbc.cursor()

            def begin() -> None:
                cursor.execute(sql, *parameters)
                while cursor.description is None and cursor.nextset():
                    pass

            def fetch(most: float) -> list[Any]:
                return self._interruptible(lambda: cursor.fetchmany(min(most, rows_per_read)))

            try:
                self._interruptible(begin)
                if cursor.description is None:
                    raise server_error("The query gives no rows and columns.")
                left = math.inf if most is None else most
                rows = fetch(left) if left else []
                yield cursor.description, rows
                while rows and (left := left - len(rows)) > 0:
                    if rows := fetch(left):
                        yield cursor.description, rows
            finally:
                self._reading = None
                with self._sole() as nobody_else:
                    if nobody_else:
                        with contextlib.suppress(self._errors):
                            cursor.close()

    def cancel(self) -> None:
        """Stop what runs in this session, from another thread; the call raises there."""
        self._cancelled = True
        if self._driver.locked():
            # By a thread of its own, since SQLCancel waits for a server that no longer answers.
            told = threading.Event()
            threading.Thread(
                target=self._cancel_until_it_ends, args=[told], name="sqlexec cancel", daemon=True
            ).start()
            told.wait(_CANCEL_SECONDS)

    def _cancel_until_it_ends(self, told: threading.Event) -> None:
        """Cancel again: SQLCancel does nothing to a statement that is about to be sent."""
        under_way = self._cancel_statement()
        told.set()
        while under_way:
            time.sleep(_AGAIN_SECONDS)
            under_way = self._cancel_statement()

    def _cancel_statement(self) -> bool:
        """Cancel what is under way, if anything is; whether it may go on all the same."""
        # The cancelled call may end, and its thread close the session, before SQLCancel is
        # through: it would then work on freed memory.
        with self._handles:
            under_way = self._driver.locked() and not self._closed
            if under_way:
                with contextlib.suppress(self._errors):  # it has just ended: nothing to cancel
                    (self._reading or self._cursor).cancel()
        return under_way

    @property
    def usable(self) -> bool:
        """Whether another call may go over this session."""
        return not (self.broken or self._cancelled)

    def alive(self) -> bool:
        """Whether the server still answers (a round trip)."""
        try:
            return self.execute("SELECT 1") == [(1,)]
        except SqlExecError:
            return False

    def close(self) -> None:
        """Close the connection; a broken one too, and twice."""
        self.broken = True
        with self._handles, self._sole() as nobody_else:
            if nobody_else and not self._closed:
                self._closed = True
                with contextlib.suppress(self._errors):
                    self._odbc.close()

    def forget(self) -> None:
        """Let a forked process leave the connection to its parent.

        Even freeing the driver's objects would say goodbye to the server on the socket that both
        share, so they get a reference that nobody gives back.
        """
        self.broken = self._closed = True
        for each in (self._cursor, self._odbc):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(each))

    def _interruptible(self, call: Callable[[], T]) -> T:
        """Call the driver so that an interrupt cancels the statement."""

        def work() -> T:
            with self._driver:
                if self._cancelled:
                    raise OperationCancelled("The call was cancelled before it was sent.")
                return call()

        return interruptible(work, self.cancel)

    @contextlib.contextmanager
    def _sole(self) -> Iterator[bool]:
        """Whether no call is under way, as one is for which a second interrupt did not wait."""
        free = self._driver.acquire(blocking=False)
        try:
            yield free
        finally:
            if free:
                self._driver.release()

    @contextlib.contextmanager
    def _calling(self) -> Iterator[None]:
        """A call is under way: errors of the driver become ours, dead sessions are marked."""
        if self.broken:
            raise ConnectionLost("This session with the server is closed.")
        try:
            yield
        except self._errors as error:
            failure = from_driver(error)
            if self._cancelled:
                failure = OperationCancelled("The call was cancelled from this side.")
            self.broken = isinstance(failure, (ConnectionLost, OperationCancelled))
            raise failure from None
        except GeneratorExit:
            raise  # `read` was closed early; its cursor told the server
        except SqlExecError:
            raise
        except BaseException:
            self.broken = True  # interrupted in the middle of an answer
            raise


def _type_of(parameter: object) -> tuple[int, int, int] | None:
    """Texts and bytes of any length go as (max) types; None leaves the type to the driver."""
    import pyodbc

    if isinstance(parameter, bytes):
        return pyodbc.SQL_VARBINARY, 0, 0
    if isinstance(parameter, str):
        return pyodbc.SQL_WVARCHAR, 0, 0
    return None
