"""Runs T-SQL for one session: batches, parameterized statements and procedure calls.

    batch(text) ----------\\                  +--> queries, definitions --> DuckDB
    sql(text, arguments) --> statements --+--> expressions (Python)
    call(name, arguments) -/    one rule a node   +--> procedures --> (a frame) statements
                                  |
                                  +--> Sink: result sets, counts, messages, errors

An error of a statement goes to the nearest TRY; without one it is sent to the client, and either
the next statement follows or the batch ends.  Nothing that a client sends makes the methods of
`Interpreter` raise, transaction requests apart.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from sqlexec.embedded.results import Argument, Sink
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.run import calls, raising, transactions
from sqlexec.embedded.tsql.run.rules import RULES
from sqlexec.embedded.tsql.signals import BatchEnded, Cancelled, Signal
from sqlexec.embedded.tsql.state import Frame, Options, Session
from sqlexec.embedded.tsql.syntax import nodes
from sqlexec.embedded.tsql.syntax.statements import parse_batch

# Errors that end the batch although XACT_ABORT is off: conversion errors, a name not found at
# run time, deadlock, internal errors.  learn.microsoft.com: SET XACT_ABORT, "Remarks"
_BATCH_ENDING = frozenset({
    102, 105, 113, 137, 156, 207, 208, 217, 241, 242, 244, 245, 248, 916, 1205, 3930, 3960, 4145,
    8169, 8178, 10704, 40197, 40517,
})  # fmt: skip
T = TypeVar("T")
_CONTAINERS = (nodes.If, nodes.While, nodes.Block, nodes.Try)


class Interpreter:
    """The T-SQL of one session.

    Parameters
    ----------
    session : Session
        Its database must be open (`Catalog.open_database`).

    Example
    -------
    >>> interpreter = Interpreter(session)  # doctest: +SKIP
    >>> sink = Capture()
    >>> interpreter.batch("SELECT 1 AS a", sink)  # doctest: +SKIP
    >>> sink.results[0].rows  # doctest: +SKIP
    [(1,)]
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.tries = 0  # TRY blocks around the running statement
        self.capturing = False  # within INSERT ... EXECUTE
        self._login = session.principal

    # --- requests -------------------------------------------------------------------------

    def batch(self, text: str, sink: Sink) -> None:
        """Run a batch; its answers and errors go to the sink."""
        self._request(sink, lambda: self._run_batch(text))

    def _run_batch(self, text: str) -> int:
        self.run_frame(Frame(), parse_batch(text))
        return 0

    def sql(self, statement: str, declaration: str, arguments: list[Argument], sink: Sink) -> int:
        """Run a parameterized statement (sp_executesql and what is like it).

        OUTPUT values are written to the arguments; returns the status, 0 for success.
        """
        return self._request(
            sink, lambda: calls.execute_sql(self, statement, declaration, arguments)
        )

    def call(self, name: str, arguments: list[Argument], sink: Sink) -> int:
        """Call a procedure by the text of its name; returns its return status."""
        return self._request(sink, lambda: calls.call_by_text(self, name, arguments))

    def begin(self, isolation: int = 0) -> None:
        """A transaction manager request: begin, with an isolation level (0 keeps it)."""
        if isolation:
            self.session.options = replace(self.session.options, isolation_level=isolation)
        transactions.begin(self.session)

    def commit(self) -> None:
        """Commit; raises SqlError 3902 when there is no transaction."""
        transactions.commit(self.session)

    def rollback(self) -> None:
        """Roll back; raises SqlError 3903 when there is no transaction."""
        transactions.rollback(self.session)

    def reset(self) -> None:
        """Bring the session back to its state after login (a pooled connection's next user)."""
        session = self.session
        if session.transaction_count:
            transactions.rollback(session)
        calls.drop_temporary_tables(session, keep=frozenset())
        session.options = Options(isolation_level=session.options.isolation_level)
        session.context.clear()
        session.context_info = None
        session.row_count = session.error_number = 0
        session.last_identity = None
        session.impersonated.clear()
        session.instance.engine.locks.release(session.connection.session_locks)
        session.principal = self._login
        if session.database != self._login.database:
            calls.change_database(session, self._login.database)

    def close(self) -> None:
        """The connection has ended: roll back, drop temporary tables, give DuckDB's back."""
        session = self.session
        session.sink = None
        if session.transaction_count:
            transactions.rollback(session)
        session.temporary_tables.clear()
        session.connection.close()

    def _request(self, sink: Sink, action: Callable[[], int]) -> int:
        session = self.session
        session.sink = sink
        self.tries = 0
        self.capturing = False
        try:
            status = action()
        except SqlError as error:  # of the request itself: a syntax error, a wrong argument
            self._settle(error)
            sink.error(error)
            status = calls.failure_status(error)
        except BatchEnded:
            status = -6
        except Cancelled:  # DuckDB may have given the transaction up at the interrupt
            transactions.after_error(session, dooms=session.options.xact_abort, caught=False)
            status = -6
        except RecursionError:
            sink.error(_too_deep())
            status = -6
        finally:
            session.frames.clear()
        if session.transaction_doomed:
            transactions.rollback(session)
            sink.error(
                SqlError(
                    3998,
                    "Uncommittable transaction is detected at the end of the batch. The transaction"
                    " is rolled back.",
                )
            )
        return status

    def _settle(self, error: SqlError) -> None:
        session = self.session
        session.error_number = error.number
        error.line = error.line or 1
        if error.number not in (102, 105, 113, 156):
            dooms = transactions.dooms_by_rule(session, error)
            transactions.after_error(session, dooms=dooms, caught=False)

    # --- statements -----------------------------------------------------------------------

    def run_frame(self, frame: Frame, statements: tuple[nodes.Statement, ...]) -> None:
        """Run statements with the variables of a frame."""
        frames = self.session.frames
        if len(frames) > 32:
            raise SqlError.of(217)
        frames.append(frame)
        try:
            self.run(statements)
        finally:
            frames.pop()
            if frame.tables:
                calls.drop_table_variables(self.session, frame)

    def run(self, statements: tuple[nodes.Statement, ...]) -> Signal | None:
        """Run statements one after the other, up to a BREAK, CONTINUE or RETURN."""
        cancelled = self.session.cancelled
        for statement in statements:
            if cancelled.is_set():
                raise Cancelled
            signal = self.step(statement)
            if signal is not None:
                return signal
        return None

    def step(self, statement: nodes.Statement) -> Signal | None:
        """Run one statement; its error goes to the TRY around or to the client."""
        try:
            signal = RULES[type(statement)](self, statement)
        except SqlError as error:
            self._failed(statement, error)
            return None
        except (BatchEnded, Cancelled, OSError):
            raise
        except RecursionError:
            self._failed(statement, _too_deep())
            return None
        except Exception as error:
            if self.session.cancelled.is_set():
                raise Cancelled from error
            self._failed(statement, _internal(error))
            return None
        if not isinstance(statement, _CONTAINERS):
            self.session.error_number = 0
        return signal

    def _failed(self, statement: nodes.Statement, error: SqlError) -> None:
        """Give an error to the TRY around (raise it), or send it and go on or end the batch."""
        session = self.session
        if session.cancelled.is_set():
            raise Cancelled from error
        if not error.located:
            error.located = True
            error.line = error.line or statement.line
            error.procedure = error.procedure or session.frame.procedure
        session.error_number = error.number
        session.row_count = 0
        caught = self.tries > 0 and error.severity < 20
        raised = isinstance(error, raising.RaisedError)
        dooms = not raised and transactions.dooms_by_rule(session, error)
        transactions.after_error(session, dooms=dooms, caught=caught)
        if caught:
            for message in error.after:  # TRY catches errors, never what a script printed
                self.sink.message(message)
            error.after = ()
            raise error
        self.sink.error(error)
        session.frame.return_status = calls.failure_status(error)
        ends = error.number in _BATCH_ENDING or isinstance(error, raising.ThrownError)
        if ends or error.severity >= 20 or (session.options.xact_abort and not raised):
            raise BatchEnded from error

    @property
    def sink(self) -> Sink:
        sink = self.session.sink
        assert sink is not None, "statements run within a request"
        return sink

    def with_sink(self, sink: Sink, action: Callable[[], T]) -> T:
        """Run something with another sink in the place of the request's."""
        before, self.session.sink = self.session.sink, sink
        try:
            return action()
        finally:
            self.session.sink = before


def _too_deep() -> SqlError:
    return SqlError(
        191,
        "Some part of your SQL statement is nested too deeply. Rewrite the query or break it up "
        "into smaller queries.",
        15,
    )


def _internal(error: Exception) -> SqlError:
    traceback.print_exception(error, file=sys.stderr)
    return SqlError(
        40197,
        f"Internal error of the embedded stand-in for SQL Server: {type(error).__name__}: {error}",
    )
