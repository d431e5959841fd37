"""Calls: EXECUTE of procedures and strings, sp_executesql, RPC; their frames and clean-up.

name --find--> user procedure   --bind--> Frame --> statements --> OUTPUT values, status
           \\-> system procedure --bind--> Call  --> Python function
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlexec.embedded.results import Argument, Column, ResultSet
from sqlexec.embedded.sqltypes import INT, NVARCHAR_MAX, SqlType
from sqlexec.embedded.tsql.definitions.definitions import drop_table_variable
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.procedures import system_procedures
from sqlexec.embedded.tsql.procedures.registry import Call, SystemProcedure
from sqlexec.embedded.tsql.run import impersonation
from sqlexec.embedded.tsql.run.arguments import bind, write_back
from sqlexec.embedded.tsql.run.evaluation import evaluate
from sqlexec.embedded.tsql.run.result_sets import DeclaredResults
from sqlexec.embedded.tsql.scalar.conversions import assign
from sqlexec.embedded.tsql.scalar.text_conversions import text_of
from sqlexec.embedded.tsql.state import Frame, Session
from sqlexec.embedded.tsql.syntax import nodes
from sqlexec.embedded.tsql.syntax.names import split_name
from sqlexec.embedded.tsql.syntax.statements import (
    parse_batch,
    parse_parameters,
    parse_procedure,
)

if TYPE_CHECKING:
    from sqlexec.embedded.catalog import Procedure
    from sqlexec.embedded.tsql.run.interpreter import Interpreter
    from sqlexec.embedded.tsql.scalar.registry import Typed


def failure_status(error: SqlError) -> int:
    """The return status of a procedure that failed: -6 for severity 16, as SQL Server gives it."""
    return min(10 - error.severity, -1)


# --- EXECUTE -----------------------------------------------------------------------------


def execute(interpreter: Interpreter, node: nodes.Execute) -> None:
    """EXECUTE of a procedure: arguments from the caller's variables, OUTPUT values back."""
    session = interpreter.session
    name = node.name
    if node.variable:
        value = session.frame.variable(node.variable).value
        name = split_name("" if value is None else str(value))
    arguments = [_argument(session, given) for given in node.arguments]
    status = _with_result_sets(
        interpreter, node.result_sets, lambda: call(interpreter, name, arguments, node.result_sets)
    )
    for given, argument in zip(node.arguments, arguments, strict=True):
        if given.output:
            variable = session.frame.variable(given.output)
            variable.value = assign(argument.value, argument.type, variable.type)
    if node.status:
        variable = session.frame.variable(node.status)
        variable.value = assign(status, INT, variable.type)


def _argument(session: Session, given: nodes.ExecuteArgument) -> Argument:
    if given.value is None:
        return Argument(given.name, INT, None, default=True)
    value, kind = evaluate(session, given.value)
    return Argument(given.name, kind, value, output=bool(given.output))


def execute_string(interpreter: Interpreter, node: nodes.ExecuteString) -> None:
    """EXECUTE (string): a batch of its own, without the caller's variables."""
    value, kind = evaluate(interpreter.session, node.value)
    text = "" if value is None else text_of(value, kind)

    def run() -> int:
        _dynamic(interpreter, Frame(), text)
        return 0

    _with_result_sets(interpreter, node.result_sets, run)


def _with_result_sets(
    interpreter: Interpreter, declared: nodes.ResultSets | None, run: Callable[[], int]
) -> int:
    if declared is None:
        return run()
    sink = DeclaredResults(interpreter.sink, declared)
    status = interpreter.with_sink(sink, run)
    sink.finish()
    return status


def _dynamic(interpreter: Interpreter, frame: Frame, text: str) -> None:
    """Run text in a frame without ownership chain; its USE and SETs end with it."""
    session = interpreter.session
    options, database, depth = session.options, session.database, len(session.impersonated)
    try:
        interpreter.run_frame(frame, parse_batch(text))
    finally:
        session.options = options
        if len(session.impersonated) > depth:
            impersonation.revert(session, depth=depth)
        if session.database != database:
            change_database(session, database)


def execute_sql(
    interpreter: Interpreter, statement: str, declaration: str, arguments: list[Argument]
) -> int:
    """sp_executesql: a statement with declared parameters."""
    parameters = parse_parameters(declaration)
    variables = bind(declaration, parameters, arguments, statement=statement)
    frame = Frame(variables=variables)
    _dynamic(interpreter, frame, statement)
    write_back(parameters, arguments, variables)
    return frame.return_status


# --- procedures --------------------------------------------------------------------------


def call_by_text(interpreter: Interpreter, name: str, arguments: list[Argument]) -> int:
    """Call a procedure whose name came as text (RPC)."""
    return call(interpreter, split_name(name.strip().removesuffix(";")), arguments, None)


def call(
    interpreter: Interpreter,
    name: tuple[str, ...],
    arguments: list[Argument],
    result_sets: nodes.ResultSets | None,
) -> int:
    """Call a procedure by its 1 to 3 part name; returns its return status.

    Raises
    ------
    SqlError
        2812 (no such procedure), 229 (no permission), 7202 (a linked server), and what binding
        the arguments raises.
    """
    session = interpreter.session
    if len(name) > 3:
        raise SqlError(7202, f"Could not find server '{name[0]}' in sys.servers.", 11, 2)
    schema, bare = (name[-2] if len(name) > 1 else ""), name[-1].lower()
    if schema.lower() in ("", "sys", "dbo"):
        if bare == "sp_executesql":
            return _sp_executesql(interpreter, arguments)
        if bare == "sp_reset_connection":
            interpreter.reset()
            return 0
        system = system_procedures().get(bare)
        if system:
            return _call_system(interpreter, system, arguments, result_sets)
    database = name[0] if len(name) == 3 and name[0] else None
    found = session.instance.catalog.find_procedure(session, database, schema or None, name[-1])
    if found is None:
        raise SqlError(2812, f"Could not find stored procedure '{'.'.join(name)}'.", 16, 62)
    if not session.chained(found):
        session.instance.catalog.check_permission(
            session, "EXECUTE", found.object_id, database=found.database
        )
    return _call_user(interpreter, found, arguments, database)


def _call_user(
    interpreter: Interpreter, found: Procedure, arguments: list[Argument], database: str | None
) -> int:
    session = interpreter.session
    procedure = parse_procedure(found.definition or "")
    variables = bind(found.name, procedure.parameters, arguments)
    frame = Frame(
        variables=variables,
        procedure=f"{found.schema}.{found.name}",
        object_id=found.object_id,
        owner=found.owner,
        database=found.database,
    )
    options, before, count = session.options, session.database, session.transaction_count
    depth = len(session.impersonated)
    temporary = frozenset(session.temporary_tables) if session.temporary_tables else frozenset()
    if database and database.lower() != before.lower():
        session.instance.catalog.open_database(session, database)
    try:
        interpreter.run_frame(frame, procedure.body)
    finally:
        xact_abort, session.options = session.options.xact_abort, options
        if len(session.impersonated) > depth:
            impersonation.revert(session, depth=depth)
        if session.database != before:
            session.instance.catalog.open_database(session, before)
        if len(session.temporary_tables) > len(temporary):
            drop_temporary_tables(session, keep=temporary)
    if session.transaction_count != count and not xact_abort:
        raise SqlError.of(266, count, session.transaction_count, state=2)
    write_back(procedure.parameters, arguments, variables)
    return frame.return_status


def _call_system(
    interpreter: Interpreter,
    system: SystemProcedure,
    arguments: list[Argument],
    result_sets: nodes.ResultSets | None,
) -> int:
    parameters = parse_parameters(system.declaration)
    variables = bind(system.name, parameters, arguments, variadic=system.variadic)
    values = {name[1:]: variable.value for name, variable in variables.items()}
    declared = None if result_sets is None else [list(columns) for columns in result_sets]
    for position, argument in enumerate(arguments):
        if not argument.name and position < len(parameters):
            argument.name = parameters[position].name
    return system.function(Call(interpreter.session, interpreter.sink, values, arguments, declared))


_STATEMENT_NAMES = (("@stmt", "@statement"), ("@params", "@parameters"))


def _sp_executesql(interpreter: Interpreter, arguments: list[Argument]) -> int:
    """sp_executesql called in T-SQL: @stmt, @params, then the values."""
    texts = ["", ""]
    rest = list(arguments)
    for place, names in enumerate(_STATEMENT_NAMES):
        named = [argument for argument in rest if argument.name.lower() in names]
        positional = [argument for argument in rest[:1] if not argument.name]
        for argument in (named or positional)[:1]:
            if not argument.type.is_text or argument.type.name in ("char", "varchar"):
                raise SqlError(
                    214,
                    f"Procedure expects parameter '{names[place == 0]}' of type "
                    "'ntext/nchar/nvarchar'.",
                    state=2,
                )
            texts[place] = "" if argument.value is None else str(argument.value)
            rest = [other for other in rest if other is not argument]
    return execute_sql(interpreter, texts[0], texts[1], rest)


def create_procedure(session: Session, node: nodes.CreateProcedure) -> None:
    """CREATE, ALTER and CREATE OR ALTER PROCEDURE; the text is kept whole."""
    name = node.name
    if len(name) > 2:
        raise SqlError(
            166,
            f"'{node.mode} PROCEDURE' does not allow specifying the database name as a prefix to "
            "the object name.",
            15,
        )
    schema = name[0] if len(name) == 2 and name[0] else None
    session.instance.catalog.create_procedure(
        session, session.database, schema, name[-1], node.definition, node.mode
    )


# --- what calls leave behind -------------------------------------------------------------


def drop_temporary_tables(session: Session, *, keep: frozenset[str]) -> None:
    """Drop the #tables that are not in `keep`: a procedure's end, with its own temporary tables."""
    for name in [name for name in session.temporary_tables if name not in keep]:
        drop_table_variable(session, session.temporary_tables.pop(name))


def drop_table_variables(session: Session, frame: Frame) -> None:
    for table in frame.tables.values():
        drop_table_variable(session, table)


def change_database(session: Session, database: str) -> None:
    """USE, told to the client."""
    old = session.database
    session.instance.catalog.open_database(session, database)
    if session.sink:
        session.sink.database_changed(old, session.database)


def set_identity_insert(session: Session, table: tuple[str, ...], *, on: bool) -> None:
    """SET IDENTITY_INSERT: one table a session at a time."""
    database = table[-3] if len(table) > 2 and table[-3] else session.database
    schema = table[-2] if len(table) > 1 and table[-2] else None
    if table[-1].startswith("#"):
        key = table[-1].lower()
    else:
        found = session.instance.catalog.find_object(session, database, schema, table[-1])
        if found is None:
            raise SqlError(1088, f'Cannot find the object "{".".join(table)}" because it does not '
                                 "exist or you do not have permissions.")  # fmt: skip
        key = found.full_name.lower()
    current = session.options.identity_insert
    if on and current and current != key:
        raise SqlError(
            8107,
            f"IDENTITY_INSERT is already ON for table '{current}'. Cannot perform SET operation for"
            f" table '{key}'.",
        )
    if on or current == key:
        session.options = replace(session.options, identity_insert=key if on else "")


def scalar_result(
    node: nodes.SelectScalars, typed: list[Typed], *, metadata_only: bool
) -> ResultSet:
    """The one row of a SELECT without FROM."""
    columns = []
    for item, (value, kind) in zip(node.items, typed, strict=True):
        columns.append(Column(item.name, _sendable(value, kind)))
    return ResultSet(columns, rows=[] if metadata_only else [tuple(value for value, _ in typed)])


def _sendable(value: object, kind: SqlType) -> SqlType:
    """A type that its value surely fits (a text computed longer than its type tells)."""
    if isinstance(value, str) and kind.length not in (None, -1) and len(value) > (kind.length or 0):
        return NVARCHAR_MAX
    return kind
