"""Make and drop stored procedures that run Python functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlexec.contexts.sql_server import RxInSqlServer
from sqlexec.data.sources import RxSqlServerData
from sqlexec.errors import ConfigurationError, ServerError
from sqlexec.log import logger
from sqlexec.procedures.call import session_of
from sqlexec.procedures.render import MADE_BY, quote_procedure, render_procedure
from sqlexec.public import public
from sqlexec.server import runtimes
from sqlexec.server.connection import Connection
from sqlexec.server.session import Session

_OBJECT = """\
SET NOCOUNT ON;
DECLARE @name nvarchar(600) = ?;
SELECT o.type, m.definition
FROM sys.objects AS o
LEFT JOIN sys.sql_modules AS m ON m.object_id = o.object_id
WHERE o.object_id = OBJECT_ID(@name)"""
_PYTHON = """\
SET NOCOUNT ON;
DECLARE @major int = 0, @minor int = 0;
EXECUTE sys.sp_execute_external_script
  @language = N'Python',
  @script = N'import sys; major, minor = sys.version_info[:2]',
  @params = N'@major int OUTPUT, @minor int OUTPUT',
  @major = @major OUTPUT,
  @minor = @minor OUTPUT;
SELECT @major, @minor"""
_PYTHONS: dict[Connection, tuple[int, int]] = {}  # as _PYTHON told


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
    not needed, and its limits (sqlexec.configure) do not hold for the procedure.

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
        One with the name and type of a parameter is that parameter, in and out.
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
        The function, or something that it uses, cannot be written as text, or needs a newer
        Python than the server's.
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
        # As a value: a driver may look for parameters and escapes even in comments.
        session.execute("EXECUTE sys.sp_executesql @stmt = ?", text)


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


def server_python(compute_context: RxInSqlServer) -> tuple[int, int] | None:
    """Version of the server's Python, as calls have told it, else as a script of one line does.

    None where no script runs, as for a login that may make procedures but not call them.
    """
    connection = Connection.of(compute_context.connection_string)
    if known := runtimes.known(connection):
        return tuple(known["python"][:2])
    if connection not in _PYTHONS:
        try:
            with session_of(compute_context) as session:
                rows: list[tuple[Any, ...]] = session.execute(_PYTHON)
        except ServerError as error:
            logger.warning(
                "no script tells the server's Python, whose syntax is not checked: %s", error
            )
            return None
        _PYTHONS[connection] = rows[0][0], rows[0][1]
    return _PYTHONS[connection]


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
