"""Call a stored procedure of any kind from here.

name --sys.parameters--> DECLARE, EXECUTE ... OUTPUT, SELECT --> values, DataFrame
                           `- CATCH: of the two errors of a script that raises, T-SQL catches the
                              one that tells why, the driver shows the other
"""

from __future__ import annotations

import collections
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlexec.contexts.sql_server import RxInSqlServer
from sqlexec.data.literals import quote_column
from sqlexec.data.reading import frame_of
from sqlexec.data.sources import RxSqlServerData
from sqlexec.errors import ConfigurationError
from sqlexec.procedures.render import quote_procedure
from sqlexec.public import public
from sqlexec.rx.console import show_console
from sqlexec.server.answer import ResultSets
from sqlexec.server.connection import Connection
from sqlexec.server.pool import POOL
from sqlexec.server.session import Session
from sqlexec.server.sql_errors import server_error
from sqlexec.tasks import Outcome

_PARAMETERS = """\
SET NOCOUNT ON;
DECLARE @name nvarchar(600) = ?;
SELECT p.name, t.name, p.max_length, p.precision, p.scale, p.is_output
FROM sys.parameters AS p
INNER JOIN sys.types AS t ON t.user_type_id = p.user_type_id
WHERE p.object_id = OBJECT_ID(@name) AND p.parameter_id > 0
ORDER BY p.parameter_id"""

_ERROR_NUMBER = "sqlexec_error_number"
_CALL = """\
SET NOCOUNT ON;
{declared}BEGIN TRY
  EXECUTE {procedure} {arguments};
  {fetched}
END TRY
BEGIN CATCH
  IF @@TRANCOUNT > 0
    ROLLBACK TRANSACTION;
  SELECT
    ERROR_NUMBER() AS sqlexec_error_number,
    ERROR_MESSAGE() AS message,
    ERROR_SEVERITY() AS severity,
    ERROR_STATE() AS state,
    ISNULL(ERROR_PROCEDURE(), N'') AS [procedure],
    ERROR_LINE() AS line;
END CATCH;"""


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
    with POOL.lend(Connection.of(compute_context.connection_string)) as session:
        yield session


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
    sql = _CALL.format(
        declared="".join(declared),
        procedure=quoted,
        arguments=", ".join(given),
        fetched=f"SELECT {fetched};" if fetched else "",
    )
    return sql, values


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
