"""What each statement does: one rule a node of the parser.

A rule gives back a Signal where control leaves the statement otherwise than to the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlexec.embedded.results import Capture
from sqlexec.embedded.sqltypes import INT
from sqlexec.embedded.tsql.definitions import definitions
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.queries import queries, writing
from sqlexec.embedded.tsql.run import calls, impersonation, raising, transactions, waiting
from sqlexec.embedded.tsql.run.evaluation import KNOWN_FUNCTIONS, evaluate, test
from sqlexec.embedded.tsql.run.options import set_options, set_value
from sqlexec.embedded.tsql.scalar.conversions import assign, convert
from sqlexec.embedded.tsql.signals import Cancelled, Signal
from sqlexec.embedded.tsql.state import Variable
from sqlexec.embedded.tsql.syntax import nodes

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.run.interpreter import Interpreter


# --- variables and options -------------------------------------------------------------


def _declare(interpreter: Interpreter, node: nodes.Declare) -> None:
    variables = interpreter.session.frame.variables
    for item in node.items:
        value = None
        if item.value is not None:
            found, kind = evaluate(interpreter.session, item.value)
            value = assign(found, kind, item.type)
        elif item.name in variables:
            continue  # DECLARE in a loop keeps the value
        variables[item.name] = Variable(item.type, value)


def _declare_table(interpreter: Interpreter, node: nodes.DeclareTable) -> None:
    tables = interpreter.session.frame.tables
    if node.name not in tables:
        tables[node.name] = definitions.create_table_variable(interpreter.session, node.columns)


def _assign(interpreter: Interpreter, node: nodes.Assign) -> None:
    value, kind = evaluate(interpreter.session, node.value)
    _set_variable(interpreter, node.name, value, kind)
    interpreter.session.row_count = 1


def _set_variable(interpreter: Interpreter, name: str, value: object, kind: Any) -> None:
    variable = interpreter.session.frame.variable(name)
    variable.value = assign(value, kind, variable.type)


def _set_options(interpreter: Interpreter, node: nodes.SetOptions) -> None:
    interpreter.session.options = set_options(interpreter.session.options, node.names, on=node.on)


def _set_value(interpreter: Interpreter, node: nodes.SetValue) -> None:
    set_value(interpreter.session, node.name, *evaluate(interpreter.session, node.value))


def _set_isolation(interpreter: Interpreter, node: nodes.SetIsolation) -> None:
    interpreter.session.options = replace(interpreter.session.options, isolation_level=node.level)


def _set_identity_insert(interpreter: Interpreter, node: nodes.SetIdentityInsert) -> None:
    calls.set_identity_insert(interpreter.session, node.table, on=node.on)


# --- control flow ----------------------------------------------------------------------


def _if(interpreter: Interpreter, node: nodes.If) -> Signal | None:
    branch = node.then if test(interpreter.session, node.condition) else node.otherwise
    interpreter.session.error_number = 0
    return None if branch is None else interpreter.step(branch)


def _while(interpreter: Interpreter, node: nodes.While) -> Signal | None:
    session, body = interpreter.session, node.body
    while test(session, node.condition):
        if session.cancelled.is_set():
            raise Cancelled
        signal = interpreter.step(body)
        if signal is Signal.BREAK:
            break
        if signal is Signal.RETURN:
            return signal
    return None


def _block(interpreter: Interpreter, node: nodes.Block) -> Signal | None:
    return interpreter.run(node.statements)


def _try(interpreter: Interpreter, node: nodes.Try) -> Signal | None:
    session, depth = interpreter.session, len(interpreter.session.frames)
    sink, tries = session.sink, interpreter.tries
    interpreter.tries += 1
    try:
        return interpreter.run(node.body)
    except SqlError as error:
        caught = error
    finally:
        interpreter.tries = tries
    if caught.severity >= 20:
        raise caught
    del session.frames[depth:]
    session.sink = sink
    session.frame.caught.append(caught)
    try:
        return interpreter.run(node.handler)
    finally:
        session.frame.caught.pop()


def _break(interpreter: Interpreter, node: nodes.Break) -> Signal:
    return Signal.BREAK


def _continue(interpreter: Interpreter, node: nodes.Continue) -> Signal:
    return Signal.CONTINUE


def _return(interpreter: Interpreter, node: nodes.Return) -> Signal:
    if node.value is not None:
        value = convert(*evaluate(interpreter.session, node.value), INT, implicit=True)
        interpreter.session.frame.return_status = value if isinstance(value, int) else 0
    return Signal.RETURN


# --- messages and errors ---------------------------------------------------------------


def _print(interpreter: Interpreter, node: nodes.Print) -> None:
    interpreter.sink.message(raising.printed(interpreter.session, node))
    interpreter.session.row_count = 0


def _raise_error(interpreter: Interpreter, node: nodes.RaiseError) -> None:
    outcome = raising.raised(interpreter.session, node)
    if isinstance(outcome, SqlError):
        raise outcome
    interpreter.sink.message(outcome, flush="NOWAIT" in node.options)


def _throw(interpreter: Interpreter, node: nodes.Throw) -> None:
    raise raising.thrown(interpreter.session, node)


def _wait_for(interpreter: Interpreter, node: nodes.WaitFor) -> None:
    waiting.wait_for(interpreter.session, node)


# --- procedures ------------------------------------------------------------------------


def _execute(interpreter: Interpreter, node: nodes.Execute) -> None:
    calls.execute(interpreter, node)


def _execute_string(interpreter: Interpreter, node: nodes.ExecuteString) -> None:
    calls.execute_string(interpreter, node)


def _insert_execute(interpreter: Interpreter, node: nodes.InsertExecute) -> None:
    if interpreter.capturing:
        raise SqlError.of(8164)
    transactions.check_writable(interpreter.session)
    capture = Capture(parent=interpreter.sink)
    interpreter.capturing = True
    try:
        interpreter.with_sink(capture, lambda: RULES[type(node.call)](interpreter, node.call))
    finally:
        interpreter.capturing = False
    rows = writing.insert_rows(interpreter.session, node.target, capture.results)
    _count(interpreter, rows)


def _create_procedure(interpreter: Interpreter, node: nodes.CreateProcedure) -> None:
    transactions.check_writable(interpreter.session)
    calls.create_procedure(interpreter.session, node)


# --- transactions ----------------------------------------------------------------------


def _begin_transaction(interpreter: Interpreter, node: nodes.BeginTransaction) -> None:
    transactions.begin(interpreter.session)


def _commit(interpreter: Interpreter, node: nodes.Commit) -> None:
    transactions.commit(interpreter.session)


def _rollback(interpreter: Interpreter, node: nodes.Rollback) -> None:
    transactions.rollback(interpreter.session)


# --- queries and definitions -----------------------------------------------------------


def _select_scalars(interpreter: Interpreter, node: nodes.SelectScalars) -> None:
    session = interpreter.session
    if not node.calls <= KNOWN_FUNCTIONS:
        _query(interpreter, nodes.Query(node.line, node.text, writes=False))
        return
    if node.items[0].variable:
        for item in node.items:
            value, kind = evaluate(session, item.value)
            _set_variable(interpreter, item.variable, value, kind)
        session.row_count = 1
        return
    typed = [evaluate(session, item.value) for item in node.items]
    result = calls.scalar_result(node, typed, metadata_only=session.options.fmtonly)
    session.row_count = interpreter.sink.result_set(result, count=not session.options.nocount)


def _query(interpreter: Interpreter, node: nodes.Query) -> None:
    session = interpreter.session
    if node.writes:
        transactions.check_writable(session)
    if session.options.fmtonly:
        _metadata(interpreter, node)
        return
    if session.options.implicit_transactions and session.transaction_count == 0:
        transactions.begin(session)
    outcome = queries.run(session, node.text, node.line)
    if outcome.result is not None:
        count = not session.options.nocount
        session.row_count = interpreter.sink.result_set(outcome.result, count=count)
    else:
        _count(interpreter, outcome.rows)


def _metadata(interpreter: Interpreter, node: nodes.Query) -> None:
    """SET FMTONLY ON: the columns of a query, and nothing is run that writes."""
    if node.writes:
        return
    outcome = queries.run(interpreter.session, node.text, node.line)
    if outcome.result is not None:
        interpreter.sink.result_set(replace(outcome.result, rows=(), batches=None), count=False)


def _count(interpreter: Interpreter, rows: int | None) -> None:
    interpreter.session.row_count = rows or 0
    interpreter.sink.done(None if interpreter.session.options.nocount else rows)


def _definition(interpreter: Interpreter, node: nodes.Definition) -> None:
    session = interpreter.session
    transactions.check_writable(session)
    if session.options.implicit_transactions and session.transaction_count == 0:
        transactions.begin(session)
    definitions.run(session, node.text, node.line)
    interpreter.sink.done(None)


# --- the session -----------------------------------------------------------------------


def _use(interpreter: Interpreter, node: nodes.Use) -> None:
    calls.change_database(interpreter.session, node.database)


def _reconfigure(interpreter: Interpreter, node: nodes.Reconfigure) -> None:
    if not interpreter.session.instance.catalog.has_server_permission(
        interpreter.session, "ALTER SETTINGS"
    ):
        raise SqlError(5812, "You do not have permission to run the RECONFIGURE statement.", 14)


def _kill(interpreter: Interpreter, node: nodes.Kill) -> None:
    value = convert(*evaluate(interpreter.session, node.session_id), INT)
    waiting.kill(interpreter.session, value if isinstance(value, int) else 0)


def _execute_as(interpreter: Interpreter, node: nodes.ExecuteAs) -> None:
    impersonation.execute_as(interpreter.session, node)


def _revert(interpreter: Interpreter, node: nodes.Revert) -> None:
    impersonation.revert(interpreter.session)


RULES: dict[type, Callable[[Interpreter, Any], Signal | None]] = {
    nodes.Declare: _declare,
    nodes.DeclareTable: _declare_table,
    nodes.Assign: _assign,
    nodes.SetOptions: _set_options,
    nodes.SetValue: _set_value,
    nodes.SetIsolation: _set_isolation,
    nodes.SetIdentityInsert: _set_identity_insert,
    nodes.If: _if,
    nodes.While: _while,
    nodes.Block: _block,
    nodes.Try: _try,
    nodes.Break: _break,
    nodes.Continue: _continue,
    nodes.Return: _return,
    nodes.Print: _print,
    nodes.RaiseError: _raise_error,
    nodes.Throw: _throw,
    nodes.WaitFor: _wait_for,
    nodes.Execute: _execute,
    nodes.ExecuteString: _execute_string,
    nodes.InsertExecute: _insert_execute,
    nodes.CreateProcedure: _create_procedure,
    nodes.BeginTransaction: _begin_transaction,
    nodes.Commit: _commit,
    nodes.Rollback: _rollback,
    nodes.SelectScalars: _select_scalars,
    nodes.Query: _query,
    nodes.Definition: _definition,
    nodes.Use: _use,
    nodes.Reconfigure: _reconfigure,
    nodes.Kill: _kill,
    nodes.ExecuteAs: _execute_as,
    nodes.Revert: _revert,
}
