"""The script repository: functions kept in the database, run by name from Python and T-SQL.

store_script --ScriptText--> sqlexec.script (name, version, source)
run_script   --JSON--> sqlexec.run_script --JSON--> result
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlexec.contexts.sql_server import RxInSqlServer
from sqlexec.data.sources import RxSqlServerData
from sqlexec.errors import ConfigurationError
from sqlexec.procedures.call import call_procedure, session_of
from sqlexec.procedures.procedures import server_python
from sqlexec.procedures.render import purpose_of
from sqlexec.procedures.script import stored_script
from sqlexec.procedures.signature import FRAME, REQUIRED, Parameter, signature_of
from sqlexec.public import public
from sqlexec.runner.script_values import as_json

_LONGEST_DESCRIPTION = 400  # characters, as the table has it


@public
@dataclass(frozen=True)
class StoredScript:
    """A version of a script in the repository.

    Attributes
    ----------
    name : str
    version : int
    language : str
        "Python".
    parameters : list of dict
        What its function takes: name, type ("int", ..., "DataFrame", "any"), required.
    description : str
        First paragraph of the function's docstring.
    owner : str
        Login that stored the first version.
    created_at : datetime
        UTC.
    source : str
        The script; '' in lists.
    """

    name: str
    version: int
    language: str
    parameters: Sequence[Mapping[str, Any]]
    description: str
    owner: str
    created_at: datetime.datetime
    source: str = field(default="", repr=False)


@public
def store_script(
    compute_context: RxInSqlServer,
    function: Callable[..., object],
    name: str,
    version: int | None = None,
) -> int:
    """Keep a function in the database, to be run by its name.

    Its text is kept, with all of yours that it uses, as `create_procedure` writes it.

    Parameters
    ----------
    compute_context : RxInSqlServer
        Where to; the login needs the role sqlexec_user.
    function : function
        Arguments that are annotated as bool, int, float, str, bytes (base64), date, datetime or
        Decimal are read as such, others are what JSON has; a pandas.DataFrame takes the rows of
        the input query.  It may return anything that JSON can say, and DataFrames, arrays, dates,
        Decimals, bytes (base64), NaN (null).
    name : str
        It belongs to the login that stores it first.
    version : int, optional
        1 or more, by default the next one; a version is never changed.

    Returns
    -------
    int
        The version.

    Raises
    ------
    ConfigurationError, PackError
        The function cannot be called by name, or not be written as text.
    ServerError
        51743 where the name is another login's, 51744 where the version exists.

    Example
    -------
    >>> store_script(cc, double, "double")      # doctest: +SKIP
    1
    >>> run_script(cc, "double", x=21)          # doctest: +SKIP
    42
    """
    signature = signature_of(function, typed=False)
    source = stored_script(function, signature, server_python(compute_context))
    rows = call_procedure(
        compute_context,
        "sqlexec.store_script",
        name=name,
        version=version,
        source=source,
        parameters=json.dumps([_described(each) for each in signature.parameters]),
        description=purpose_of(function)[:_LONGEST_DESCRIPTION],
    )
    return int(rows.version)


@public
def list_scripts(compute_context: RxInSqlServer, name: str | None = None) -> list[StoredScript]:
    """The versions of the scripts that one may run, by name and version; without their sources.

    Example
    -------
    >>> [(each.name, each.version) for each in list_scripts(cc)]    # doctest: +SKIP
    [('double', 1)]
    """
    with session_of(compute_context) as session:
        rows = session.execute("EXECUTE sqlexec.scripts @name = ?", name)
    return [_stored(*row) for row in rows]


@public
def load_script(
    compute_context: RxInSqlServer, name: str, version: int | None = None
) -> StoredScript:
    """A script with its source, the newest version by default.

    Raises
    ------
    ServerError
        51741 where there is none that one may run.

    Example
    -------
    >>> print(load_script(cc, "double").source)     # doctest: +SKIP
    """
    with session_of(compute_context) as session:
        (row,) = session.execute(
            "EXECUTE sqlexec.load_script @name = ?, @version = ?", name, version
        )
    return _stored(*row)


@public
def grant_script(
    compute_context: RxInSqlServer, name: str, grantee: str, *, revoke: bool = False
) -> None:
    """Let a user or role of the database run all versions of a script of yours, or no more.

    Parameters
    ----------
    compute_context : RxInSqlServer
    name : str
        Of the script.
    grantee : str
        Name of a user, a role or public, who needs the role sqlexec_user as well.
    revoke : bool, default False
        Take the right back.

    Raises
    ------
    ServerError
        51741 where it is not a script of yours.

    Example
    -------
    >>> grant_script(cc, "double", "analysts")      # doctest: +SKIP
    """
    call_procedure(
        compute_context, "sqlexec.grant_script", name=name, grantee=grantee, revoke=revoke
    )


@public
def drop_script(compute_context: RxInSqlServer, name: str, version: int | None = None) -> int:
    """Remove a version of a script of yours, by default all; gives how many were removed.

    Raises
    ------
    ServerError
        51741 where there is no such script of yours.

    Example
    -------
    >>> drop_script(cc, "double", 1)        # doctest: +SKIP
    1
    """
    rows = call_procedure(compute_context, "sqlexec.drop_script", name=name, version=version)
    return int(rows["removed_versions"][0])


@public
def run_script(
    compute_context: RxInSqlServer,
    name: str,
    version: int | None = None,
    /,
    *,
    input_query: str | RxSqlServerData = "",
    **arguments: object,
) -> Any:
    """Run a stored script in the server; from T-SQL: EXECUTE sqlexec.run_script @name = ...

    Parameters
    ----------
    compute_context : RxInSqlServer
        What the function prints is shown as its `console_output` says.
    name : str
    version : int, optional
        By default the newest.
    input_query : str or RxSqlServerData, optional
        Whose rows the function's DataFrame has.
    **arguments
        By the names of the function's parameters.

    Returns
    -------
    object
        As JSON has it: a DataFrame is a list of dicts, a date is text.

    Raises
    ------
    ConfigurationError
        An argument that JSON cannot say.
    ServerError
        51741 where there is no such script that one may run; 39019 where the function raised.

    Example
    -------
    >>> run_script(cc, "double", x=21)      # doctest: +SKIP
    42
    """
    try:
        text = json.dumps(as_json(arguments))
    except TypeError as error:
        raise ConfigurationError(f"arguments of the script {name!r}: {error}") from error
    found = call_procedure(
        compute_context,
        "sqlexec.run_script",
        name=name,
        version=version,
        args_json=text,
        input_query=input_query,
    )
    return json.loads(found.result_json)["result"]


def _described(parameter: Parameter) -> dict[str, object]:
    kind = parameter.type
    type_name = kind.__name__ if isinstance(kind, type) else (kind or "any")
    required = kind == FRAME or parameter.default is REQUIRED
    return {"name": parameter.name, "type": type_name, "required": required}


def _stored(*row: Any) -> StoredScript:
    name, version, language, parameters, *others = row
    return StoredScript(name, version, language, json.loads(parameters), *others)
