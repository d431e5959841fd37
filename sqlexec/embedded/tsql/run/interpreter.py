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
from typing import Any, TypeVar

from sqlexec.embedded.results import Argument, Capture, Sink
from sqlexec.embedded.sqltypes import INT
from sqlexec.embedded.tsql.definitions import definitions
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.queries import queries
from sqlexec.embedded.tsql.run import calls, impersonation, raising, transactions, waiting
from sqlexec.embedded.tsql.run.evaluation import KNOWN_FUNCTIONS, assign, evaluate, test
from sqlexec.embedded.tsql.run.options import set_options, set_value
from sqlexec.embedded.tsql.scalar.conversions import convert
from sqlexec.embedded.tsql.signals import BatchEnded, Cancelled, Signal
from sqlexec.embedded.tsql.state import Frame, Options, Session, Variable
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
        self._tries = 0  # TRY blocks around the running statement
        self._capturing = False  # within INSERT ... EXECUTE
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
        self._tries = 0
        self._capturing = False
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
            signal = self._step(statement)
            if signal is not None:
                return signal
        return None

    def _step(self, statement: nodes.Statement) -> Signal | None:
        try:
            signal = _RULES[type(statement)](self, statement)
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
        caught = self._tries > 0 and error.severity < 20
        raised = isinstance(error, raising.RaisedError)
        dooms = not raised and transactions.dooms_by_rule(session, error)
        transactions.after_error(session, dooms=dooms, caught=caught)
        if caught:
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

    # --- variables and options ---

    def _declare(self, node: nodes.Declare) -> None:
        variables = self.session.frame.variables
        for item in node.items:
            value = None
            if item.value is not None:
                found, kind = evaluate(self.session, item.value)
                value = assign(found, kind, item.type)
            elif item.name in variables:
                continue  # DECLARE in a loop keeps the value
            variables[item.name] = Variable(item.type, value)

    def _declare_table(self, node: nodes.DeclareTable) -> None:
        tables = self.session.frame.tables
        if node.name not in tables:
            tables[node.name] = queries.create_table_variable(self.session, node.columns)

    def _assign(self, node: nodes.Assign) -> None:
        value, kind = evaluate(self.session, node.value)
        self._set_variable(node.name, value, kind)
        self.session.row_count = 1

    def _set_variable(self, name: str, value: object, kind: Any) -> None:
        variable = self.session.frame.variable(name)
        variable.value = assign(value, kind, variable.type)

    def _set_options(self, node: nodes.SetOptions) -> None:
        self.session.options = set_options(self.session.options, node.names, on=node.on)

    def _set_value(self, node: nodes.SetValue) -> None:
        set_value(self.session, node.name, *evaluate(self.session, node.value))

    def _set_isolation(self, node: nodes.SetIsolation) -> None:
        self.session.options = replace(self.session.options, isolation_level=node.level)

    def _set_identity_insert(self, node: nodes.SetIdentityInsert) -> None:
        calls.set_identity_insert(self.session, node.table, on=node.on)

    # --- control flow ---

    def _if(self, node: nodes.If) -> Signal | None:
        branch = node.then if test(self.session, node.condition) else node.otherwise
        self.session.error_number = 0
        return None if branch is None else self._step(branch)

    def _while(self, node: nodes.While) -> Signal | None:
        session, body = self.session, node.body
        while test(session, node.condition):
            if session.cancelled.is_set():
                raise Cancelled
            signal = self._step(body)
            if signal is Signal.BREAK:
                break
            if signal is Signal.RETURN:
                return signal
        return None

    def _block(self, node: nodes.Block) -> Signal | None:
        return self.run(node.statements)

    def _try(self, node: nodes.Try) -> Signal | None:
        session, depth = self.session, len(self.session.frames)
        sink, tries = session.sink, self._tries
        self._tries += 1
        try:
            return self.run(node.body)
        except SqlError as error:
            caught = error
        finally:
            self._tries = tries
        if caught.severity >= 20:
            raise caught
        del session.frames[depth:]
        session.sink = sink
        session.frame.caught.append(caught)
        try:
            return self.run(node.handler)
        finally:
            session.frame.caught.pop()

    def _break(self, node: nodes.Break) -> Signal:
        return Signal.BREAK

    def _continue(self, node: nodes.Continue) -> Signal:
        return Signal.CONTINUE

    def _return(self, node: nodes.Return) -> Signal:
        if node.value is not None:
            value = convert(*evaluate(self.session, node.value), INT, implicit=True)
            self.session.frame.return_status = value if isinstance(value, int) else 0
        return Signal.RETURN

    # --- messages and errors ---

    def _print(self, node: nodes.Print) -> None:
        self.sink.message(raising.printed(self.session, node))
        self.session.row_count = 0

    def _raise_error(self, node: nodes.RaiseError) -> None:
        outcome = raising.raised(self.session, node)
        if isinstance(outcome, SqlError):
            raise outcome
        self.sink.message(outcome, flush="NOWAIT" in node.options)

    def _throw(self, node: nodes.Throw) -> None:
        raise raising.thrown(self.session, node)

    def _wait_for(self, node: nodes.WaitFor) -> None:
        waiting.wait_for(self.session, node)

    # --- procedures ---

    def _execute(self, node: nodes.Execute) -> None:
        calls.execute(self, node)

    def _execute_string(self, node: nodes.ExecuteString) -> None:
        calls.execute_string(self, node)

    def _insert_execute(self, node: nodes.InsertExecute) -> None:
        if self._capturing:
            raise SqlError.of(8164)
        transactions.check_writable(self.session)
        capture = Capture(parent=self.sink)
        self._capturing = True
        try:
            self.with_sink(capture, lambda: _RULES[type(node.call)](self, node.call))
        finally:
            self._capturing = False
        rows = queries.insert_rows(self.session, node.target, capture.results)
        self._count(rows)

    def _create_procedure(self, node: nodes.CreateProcedure) -> None:
        transactions.check_writable(self.session)
        calls.create_procedure(self.session, node)

    # --- transactions ---

    def _begin_transaction(self, node: nodes.BeginTransaction) -> None:
        transactions.begin(self.session)

    def _commit(self, node: nodes.Commit) -> None:
        transactions.commit(self.session)

    def _rollback(self, node: nodes.Rollback) -> None:
        transactions.rollback(self.session)

    # --- queries and definitions ---

    def _select_scalars(self, node: nodes.SelectScalars) -> None:
        session = self.session
        if not node.calls <= KNOWN_FUNCTIONS:
            self._query(nodes.Query(node.line, node.text, writes=False))
            return
        if node.items[0].variable:
            for item in node.items:
                value, kind = evaluate(session, item.value)
                self._set_variable(item.variable, value, kind)
            session.row_count = 1
            return
        typed = [evaluate(session, item.value) for item in node.items]
        result = calls.scalar_result(node, typed, metadata_only=session.options.fmtonly)
        session.row_count = self.sink.result_set(result, count=not session.options.nocount)

    def _query(self, node: nodes.Query) -> None:
        session = self.session
        if node.writes:
            transactions.check_writable(session)
        if session.options.fmtonly:
            self._metadata(node)
            return
        if session.options.implicit_transactions and session.transaction_count == 0:
            transactions.begin(session)
        outcome = queries.run(session, node.text, node.line)
        if outcome.result is not None:
            count = not session.options.nocount
            session.row_count = self.sink.result_set(outcome.result, count=count)
        else:
            self._count(outcome.rows)

    def _metadata(self, node: nodes.Query) -> None:
        """SET FMTONLY ON: the columns of a query, and nothing is run that writes."""
        if node.writes:
            return
        outcome = queries.run(self.session, node.text, node.line)
        if outcome.result is not None:
            self.sink.result_set(replace(outcome.result, rows=(), batches=None), count=False)

    def _count(self, rows: int | None) -> None:
        self.session.row_count = rows or 0
        self.sink.done(None if self.session.options.nocount else rows)

    def _definition(self, node: nodes.Definition) -> None:
        session = self.session
        transactions.check_writable(session)
        if session.options.implicit_transactions and session.transaction_count == 0:
            transactions.begin(session)
        definitions.run(session, node.text, node.line)
        self.sink.done(None)

    # --- the session ---

    def _use(self, node: nodes.Use) -> None:
        calls.change_database(self.session, node.database)

    def _reconfigure(self, node: nodes.Reconfigure) -> None:
        if not self.session.instance.catalog.has_server_permission(self.session, "ALTER SETTINGS"):
            raise SqlError(5812, "You do not have permission to run the RECONFIGURE statement.", 14)

    def _kill(self, node: nodes.Kill) -> None:
        value = convert(*evaluate(self.session, node.session_id), INT)
        waiting.kill(self.session, value if isinstance(value, int) else 0)

    def _execute_as(self, node: nodes.ExecuteAs) -> None:
        impersonation.execute_as(self.session, node)

    def _revert(self, node: nodes.Revert) -> None:
        impersonation.revert(self.session)


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


_RULES: dict[type, Callable[[Interpreter, Any], Signal | None]] = {
    nodes.Declare: Interpreter._declare,
    nodes.DeclareTable: Interpreter._declare_table,
    nodes.Assign: Interpreter._assign,
    nodes.SetOptions: Interpreter._set_options,
    nodes.SetValue: Interpreter._set_value,
    nodes.SetIsolation: Interpreter._set_isolation,
    nodes.SetIdentityInsert: Interpreter._set_identity_insert,
    nodes.If: Interpreter._if,
    nodes.While: Interpreter._while,
    nodes.Block: Interpreter._block,
    nodes.Try: Interpreter._try,
    nodes.Break: Interpreter._break,
    nodes.Continue: Interpreter._continue,
    nodes.Return: Interpreter._return,
    nodes.Print: Interpreter._print,
    nodes.RaiseError: Interpreter._raise_error,
    nodes.Throw: Interpreter._throw,
    nodes.WaitFor: Interpreter._wait_for,
    nodes.Execute: Interpreter._execute,
    nodes.ExecuteString: Interpreter._execute_string,
    nodes.InsertExecute: Interpreter._insert_execute,
    nodes.CreateProcedure: Interpreter._create_procedure,
    nodes.BeginTransaction: Interpreter._begin_transaction,
    nodes.Commit: Interpreter._commit,
    nodes.Rollback: Interpreter._rollback,
    nodes.SelectScalars: Interpreter._select_scalars,
    nodes.Query: Interpreter._query,
    nodes.Definition: Interpreter._definition,
    nodes.Use: Interpreter._use,
    nodes.Reconfigure: Interpreter._reconfigure,
    nodes.Kill: Interpreter._kill,
    nodes.ExecuteAs: Interpreter._execute_as,
    nodes.Revert: Interpreter._revert,
}
