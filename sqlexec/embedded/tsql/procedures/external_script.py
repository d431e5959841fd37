"""sp_execute_external_script: T-SQL values and a query's rows into a Python script, and back.

    @params + values --+                             +--> OUTPUT values
    @input_data_1 -----+--> Launchpad.run(request) --+--> OutputDataSet as a result set
                                                     +--> console: messages 39005 and 39022

Rules and errors: Microsoft's page on sp_execute_external_script and the messages 39001 to 39025
of sys.messages.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlexec.embedded.launchpad import ScriptParameter, ScriptRequest, ScriptResult
from sqlexec.embedded.launchpad.columns import is_supported
from sqlexec.embedded.launchpad.messages import parameter_kind
from sqlexec.embedded.results import Argument, Column, ResultSet
from sqlexec.embedded.sqltypes import BIGINT, BIT, FLOAT, NVARCHAR_MAX, VARBINARY_MAX, SqlType
from sqlexec.embedded.tsql.errors import Message, SqlError, unsupported
from sqlexec.embedded.tsql.procedures.registry import Call, system_procedure
from sqlexec.embedded.tsql.queries import queries
from sqlexec.embedded.tsql.scalar.conversions import assign, convert
from sqlexec.embedded.tsql.signals import Cancelled
from sqlexec.embedded.tsql.state import Session, Variable
from sqlexec.embedded.tsql.syntax.nodes import Parameter
from sqlexec.embedded.tsql.syntax.statements import parse_parameters

NAME = "sp_execute_external_script"
PERMISSION = "EXECUTE ANY EXTERNAL SCRIPT"
LANGUAGE = "Python"
_DECLARATION = """
    @language sysname, @script nvarchar(max), @input_data_1 nvarchar(max) = NULL,
    @input_data_1_name sysname = N'InputDataSet',
    @input_data_1_order_by_columns nvarchar(max) = NULL,
    @input_data_1_partition_by_columns nvarchar(max) = NULL,
    @output_data_1_name sysname = N'OutputDataSet', @parallel bit = 0,
    @params nvarchar(max) = NULL
"""
_DECLARED = [parameter.name.lower() for parameter in parse_parameters(_DECLARATION.strip())]
_NATIONAL = {"@script", "@input_data_1", "@params"}
_ABORTED = "80004004"  # HRESULT E_ABORT, which a script error gives
# kind of a parameter in the script: T-SQL type of what comes back
_OUTPUT_TYPES = {
    "bit": BIT,
    "int": BIGINT,
    "float": FLOAT,
    "text": NVARCHAR_MAX,
    "binary": VARBINARY_MAX,
    "date": SqlType("date"),
    "datetime": SqlType("datetime2", None, None, 7),
}


@system_procedure(NAME, _DECLARATION.strip(), variadic=True)
def sp_execute_external_script(call: Call) -> int:
    """Run a script in a process of its own; 39004 and 39019 if it raises, 39012 if it dies."""
    session = call.session
    _check_allowed(session)
    _check_arguments(call)
    declared = parse_parameters(_text(call, "params").strip())
    given = _bind(call, declared)
    request = ScriptRequest(
        script=_text(call, "script"),
        input_name=_text(call, "input_data_1_name"),
        output_name=_text(call, "output_data_1_name"),
        parameters=[_script_parameter(parameter, given[parameter.name]) for parameter in declared],
    )
    query = _text(call, "input_data_1")
    if query.strip():
        _open_input(session, query, request)
    result = session.instance.launchpad.run(request, session)
    if session.cancelled.is_set():
        raise Cancelled
    _raise_failure(result)
    for parameter in declared:
        if parameter.output:
            _write_back(parameter, given[parameter.name], result.outputs[parameter.name[1:]])
    if result.columns is not None and result.batch is not None:
        call.sink.result_set(_result_set(result))
    for message in _console(result):
        call.sink.message(message)
    return 0


def _text(call: Call, name: str) -> str:
    value = call.values.get(name)
    return "" if value is None else str(value)


def _check_allowed(session: Session) -> None:
    """39023 and 229: the server allows scripts, and the caller may run them.

    The permission is asked of the caller even inside a procedure: ownership chaining does not
    reach it.
    """
    if not session.instance.configuration.get("external scripts enabled"):
        raise SqlError.of(39023)
    if not session.instance.catalog.has_permission(session, PERMISSION):
        raise SqlError.of(229, PERMISSION, NAME, "mssqlsystemresource", "sys")


def _check_arguments(call: Call) -> None:
    for argument in call.arguments:
        if argument.name.lower() in _NATIONAL and argument.type.name in ("char", "varchar"):
            message = f"Procedure expects parameter '{argument.name}' of type 'nvarchar(max)'."
            raise SqlError(214, message)
    language = _text(call, "language")
    if language.lower() != LANGUAGE.lower():
        raise SqlError.of(39007, language)
    for name in ("order_by", "partition_by"):
        if call.values.get(f"input_data_1_{name}_columns") is not None:
            raise unsupported(f"@input_data_1_{name}_columns of {NAME}")


def _bind(call: Call, declared: Sequence[Parameter]) -> dict[str, Argument]:
    """The argument of each parameter that @params declares; 39016 for a missing one."""
    extra = {
        a.name.lower(): a for a in call.arguments if a.name and a.name.lower() not in _DECLARED
    }
    positional = [a for a in call.arguments[len(_DECLARED) :] if not a.name]
    bound = {}
    for parameter in declared:
        argument = extra.pop(parameter.name.lower(), None)
        if argument is None and positional:
            argument = positional.pop(0)
        if argument is None or argument.default:
            raise SqlError.of(39016, parameter.name)
        if argument.output and not parameter.output:
            raise SqlError.of(8162, parameter.name)
        bound[parameter.name] = argument
    for argument in [*extra.values(), *positional]:
        raise SqlError.of(8145, argument.name, NAME)
    return bound


def _script_parameter(parameter: Parameter, argument: Argument) -> ScriptParameter:
    if parameter_kind(parameter.type) is None:
        raise SqlError.of(39018, parameter.name, LANGUAGE)
    value = assign(argument.value, argument.type, parameter.type)
    return ScriptParameter(parameter.name[1:], parameter.type, value, parameter.output)


def _open_input(session: Session, query: str, request: ScriptRequest) -> None:
    """Start @input_data_1; it may use the parameters, and it runs with the caller's rights."""
    variables = {
        f"@{parameter.name.lower()}": Variable(parameter.type, parameter.value)
        for parameter in request.parameters
    }
    columns, request.input = queries.open_reader(session, query, variables)
    for number, column in enumerate(columns, 1):
        if not is_supported(column.type):
            raise SqlError.of(39017, number, column.type.name, LANGUAGE)
    request.input_columns = columns


def _write_back(parameter: Parameter, argument: Argument, value: object) -> None:
    """Give an OUTPUT argument what the script left in its variable."""
    if not argument.output:
        return
    kind = parameter_kind(parameter.type) or ""
    converted = convert(value, _OUTPUT_TYPES[kind], parameter.type)
    argument.value = assign(converted, parameter.type, argument.type)


def _result_set(result: ScriptResult) -> ResultSet:
    """OutputDataSet; its columns have no names, WITH RESULT SETS gives them some."""
    columns = [Column("", column.type, column.nullable) for column in result.columns or ()]
    assert result.batch is not None
    return ResultSet(columns, batches=[result.batch])


def _console(result: ScriptResult) -> list[Message]:
    """What the script wrote, as the messages that Launchpad sends when the process has ended."""
    messages = []
    for number, name, text in (
        (39005, "STDOUT", result.stdout),
        (39022, "STDERR", result.stderr),
    ):
        if text:
            messages.append(Message(f"{name} message(s) from external script: \n{text}", number))
    return messages


def _raise_failure(result: ScriptResult) -> None:
    """The errors of a script that raised (39004, then 39019) or whose process died (39012).

    Of two errors of one statement CATCH sees the last, as with BACKUP's 3201 and 3013; a client
    gets both, in their order, and the console after them.
    """
    if result.died is not None:
        request_id = str(uuid.uuid4()).upper()
        error = SqlError.of(39012, LANGUAGE, request_id, LANGUAGE)
        error.message += f" The process ended: {result.died}."
    elif result.error is not None:
        text = "\nError in execution.  Check the output for more information.\n" + result.error
        error = SqlError.of(39019, text, state=2)
        error.before = (SqlError.of(39004, LANGUAGE, _ABORTED, state=20),)
    else:
        return
    error.after = tuple(_console(result))
    raise error
