"""Make, call and drop stored procedures that run Python functions.

create_procedure --render--> CREATE OR ALTER PROCEDURE
call_procedure   --sys.parameters--> DECLARE, EXECUTE ... OUTPUT, SELECT --> values, DataFrame
"""

from __future__ import annotations

import collections
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlexec.contexts.sql_server import RxInSqlServer
from sqlexec.data.literals import quote_column
from sqlexec.data.reading import frame_of
from sqlexec.data.sources import RxSqlServerData
from sqlexec.errors import ConfigurationError
from sqlexec.procedures.render import MADE_BY, quote_procedure, render_procedure
from sqlexec.public import public
from sqlexec.rx.console import show_console
from sqlexec.server import runtimes
from sqlexec.server.answer import ResultSets
from sqlexec.server.connection import Connection
from sqlexec.server.pool import POOL
from sqlexec.server.session import Session
from sqlexec.server.sql_errors import server_error
from sqlexec.tasks import Outcome

_OBJECT = """\
SET NOCOUNT ON;
DECLARE @name nvarchar(600) = ?;
SELECT o.type, m.definition
FROM sys.objects AS o
LEFT JOIN sys.sql_modules AS m ON m.object_id = o.object_id
WHERE o.object_id = OBJECT_ID(@name)"""
_PARAMETERS = """\
SET NOCOUNT ON;
DECLARE @name nvarchar(600) = ?;
SELECT p.name, t.name, p.max_length, p.precision, p.scale, p.is_output
FROM sys.parameters AS p
INNER JOIN sys.types AS t ON t.user_type_id = p.user_type_id
WHERE p.object_id = OBJECT_ID(@name) AND p.parameter_id > 0
ORDER BY p.parameter_id"""

_ERROR_NUMBER = "sqlexec_error_number"
# Of the two errors of a script that raises, T-SQL catches the one that tells why.
_ERROR = f"""\
IF @@TRANCOUNT > 0
    ROLLBACK TRANSACTION;
  SELECT ERROR_NUMBER() AS {_ERROR_NUMBER}, ERROR_MESSAGE() AS message,
    ERROR_SEVERITY() AS severity, ERROR_STATE() AS state, ISNULL(ERROR_PROCEDURE(), N'') AS [procedure], ERROR_LINE() AS line;"""


@public
def create_procedure(
    compute_context: RxInSqlServer,
    name: str,
    function: Callable[..., object],
    *,
    input_query: str | RxSqlServerData | None = None,
    columns: Mapping[str, type] | None = None,
    decimal_scale: int = 10,
    version: str = "1",
    replace: bool = False,
) -> None:
    """Make a stored procedure of a typed Python function, for callers of T-SQL.

    The text of the function, and of all of yours that it uses, stands in the procedure's body.
    The server needs Python and the packages that the function imports; the sqlexec bundle is
    not needed.

    Parameters
    ----------
    compute_context : RxInSqlServer
        Where to.  The login needs CREATE PROCEDURE in the database and ALTER on the schema;
        callers need EXECUTE on the procedure and EXECUTE ANY EXTERNAL SCRIPT.
    name : str
        As "schema.name"; the schema is dbo where none is named.
    function : function
        Its parameters become those of the procedure: bool bit, int bigint, float float,
        str nvarchar(max), bytes varbinary(max), date, datetime datetime2(6), Decimal
        decimal(38, decimal_scale); Optional ones take NULL and have it as default, other
        defaults are kept.  A pandas.DataFrame parameter takes the rows of an input query.
        What it returns becomes the OUTPUT parameter @result; fields of a NamedTuple or
        dataclass, OUTPUT parameters of their names; parts of a tuple, @result_1, @result_2, ...
        A pandas.DataFrame becomes the result set.
    input_query : str or RxSqlServerData, optional
        The query for the DataFrame; without one the procedure has a parameter @input_query.
        It runs with the rights of the procedure's caller, and may name the parameters (@x; those
        that are int, Decimal or of a date come to it as nvarchar).
    columns : dict of str to type, optional
        Names and types of the result set's columns, as {"carrier": str, "mean": float}.
    decimal_scale : int, default 10
        Digits after the point of all decimals.
    version : str, default "1"
        For the procedure's header.
    replace : bool, default False
        Whether to replace a procedure that create_procedure has not made; its own are replaced
        always, and their grants stay.

    Raises
    ------
    ConfigurationError
        The function's types make no procedure; or there is an object of that name.
    PackError
        The function, or something that it uses, cannot be written as text.
    ServerError
        What the server says, as PermissionDenied.

    Example
    -------
    >>> def double(x: float) -> float:
    ...     return 2 * x
    >>> create_procedure(cc, "dbo.double", double)      # doctest: +SKIP
    >>> call_procedure(cc, "dbo.double", x=21.0)        # doctest: +SKIP
    42.0
    """
    query = input_query.query if isinstance(input_query, RxSqlServerData) else input_query
    text = render_procedure(
        name,
        function,
        input_query=query,
        columns=columns,
        decimal_scale=decimal_scale,
        version=version,
        target=server_python(compute_context),
    )
    with session_of(compute_context) as session:
        if not replace:
            _check_ours(session, name, "replace", "give replace=True, or another name")
        session.execute(text)


@public
def drop_procedure(compute_context: RxInSqlServer, name: str) -> None:
    """Drop a procedure that `create_procedure` made.

    Parameters
    ----------
    compute_context : RxInSqlServer
        Its login needs ALTER on the schema, or CONTROL on the procedure.
    name : str
        As "schema.name"; the schema is dbo where none is named.

    Raises
    ------
    ConfigurationError
        There is none, or it was made otherwise.
    ServerError
        What the server says.

    Example
    -------
    >>> drop_procedure(cc, "dbo.double")    # doctest: +SKIP
    """
    with session_of(compute_context) as session:
        if not _check_ours(session, name, "drop", "drop it by T-SQL"):
            raise ConfigurationError(f"There is no procedure {quote_procedure(name)} to drop.")
        session.execute(f"DROP PROCEDURE {quote_procedure(name)}")


@public
def call_procedure(compute_context: RxInSqlServer, name: str, /, **arguments: object) -> Any:
    """Call a stored procedure, made by `create_procedure` or otherwise.

    Parameters
    ----------
    compute_context : RxInSqlServer
        Its login needs EXECUTE on the procedure.  What the function prints is shown as its
        `console_output` says.
    name : str
        As "schema.name"; the schema is dbo where none is named.
    **arguments
        By the names of the procedure's parameters, without @; those with a default may be left
        out.  An RxSqlServerData stands for its query.

    Returns
    -------
    object
        None, the value of the OUTPUT parameter, or the result set as a DataFrame; where there
        are several, a named tuple of them all, OUTPUT parameters by their names, result sets as
        `rows`, `rows_2`, ...

    Raises
    ------
    ConfigurationError
        It has no parameter of that name.
    ServerError
        What the server says; 39019 where the function raised.

    Example
    -------
    >>> call_procedure(cc, "dbo.double", x=21.0)    # doctest: +SKIP
    42.0
    """
    quoted = quote_procedure(name)
    with session_of(compute_context) as session:
        declared = {str(row[0])[1:]: row for row in session.execute(_PARAMETERS, quoted)}
        unknown = [each for each in arguments if declared and each not in declared]
        if unknown:
            raise ConfigurationError(
                f"{quoted} has no parameter {', '.join(unknown)}; it has: {', '.join(declared)}."
            )
        outputs = {each: _type_text(row) for each, row in declared.items() if row[5]}
        sql, values = _call(quoted, outputs, arguments)
        answer = session.result_sets(sql, *values)
    show_console(Outcome(0, console=answer.messages), compute_context.console_output)
    _raise_error(answer)
    return _results(answer, list(outputs))


@contextmanager
def session_of(compute_context: RxInSqlServer) -> Iterator[Session]:
    """A session with the server of a compute context."""
    if not isinstance(compute_context, RxInSqlServer):
        raise ConfigurationError(
            f"procedures and scripts are in a database: give an RxInSqlServer, not "
            f"{compute_context!r}"
        )
    session = POOL.take(Connection.of(compute_context.connection_string))
    try:
        yield session
    finally:
        POOL.give_back(session)


def server_python(compute_context: RxInSqlServer) -> tuple[int, int] | None:
    """Version of the server's Python, None where no call has told it yet."""
    known = runtimes.known(Connection.of(compute_context.connection_string))
    return tuple(known["python"][:2]) if known else None


def _check_ours(session: Session, name: str, action: str, advice: str) -> bool:
    """Whether the name is taken, by a procedure of ours; ConfigurationError if by another."""
    quoted = quote_procedure(name)
    found = session.execute(_OBJECT, quoted)
    for kind, definition in found:
        if str(kind).strip() != "P" or MADE_BY not in str(definition or ""):
            raise ConfigurationError(
                f"create_procedure has not made {quoted}, so does not {action} it: {advice}."
            )
    return bool(found)


def _call(
    quoted: str, outputs: Mapping[str, str], arguments: Mapping[str, object]
) -> tuple[str, list[object]]:
    """The batch that calls, and its parameters."""
    values: list[object] = []

    def bound(name: str) -> str:
        value = arguments.get(name)
        if value is None:  # the driver would have to guess its type
            return "NULL"
        values.append(value.query if isinstance(value, RxSqlServerData) else value)
        return "?"

    declared = [f"DECLARE @{name} {type} = {bound(name)};\n" for name, type in outputs.items()]
    given = [f"@{name} = {bound(name)}" for name in arguments if name not in outputs]
    given += [f"@{name} = @{name} OUTPUT" for name in outputs]
    fetched = ", ".join(f"@{name} AS {quote_column(name)}" for name in outputs)
    sql = f"SET NOCOUNT ON;\n{''.join(declared)}BEGIN TRY\n"
    sql += f"  EXECUTE {quoted} {', '.join(given)};\n"
    sql += f"  SELECT {fetched};\n" if fetched else ""
    return sql + f"END TRY\nBEGIN CATCH\n  {_ERROR}\nEND CATCH;", values


def _raise_error(answer: ResultSets) -> None:
    description, rows = answer.sets[-1] if answer.sets else ((), [])
    if description and description[0][0] == _ERROR_NUMBER:
        number, message, *others = rows[0]
        failure = server_error(message, number, *others)
        failure.console = answer.messages
        raise failure


def _type_text(row: tuple[Any, ...]) -> str:
    """The T-SQL type of a parameter, of its row of sys.parameters."""
    _, type, length, precision, scale, _ = row
    if type in ("decimal", "numeric"):
        return f"{type}({precision}, {scale})"
    if type in ("time", "datetime2", "datetimeoffset"):
        return f"{type}({scale})"
    if re.fullmatch("n?(var)?char|(var)?binary", type):
        per = 2 if type[0] == "n" else 1
        return f"{type}({'max' if length == -1 else length // per})"
    return str(type)


def _results(answer: ResultSets, outputs: list[str]) -> Any:
    """What a call returns: OUTPUT values stand in the last set of rows."""
    values: list[Any] = []
    sets = answer.sets
    if outputs:
        values, sets = list(sets[-1][1][0]), sets[:-1]
    names = ["rows" if number == 1 else f"rows_{number}" for number in range(1, len(sets) + 1)]
    values += [frame_of([each]) for each in sets]
    if len(values) > 1:
        return collections.namedtuple("Results", [*outputs, *names])(*values)
    return values[0] if values else None
