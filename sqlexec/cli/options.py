"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sqlexec.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlexec.contexts.sql_server import RxInSqlServer

_CONNECTION_HELP = "ODBC string, SQLAlchemy URL or DSN; best in the variable, where ps sees none."
ConnectionArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="CONNECTION",
        envvar="SQLEXEC_CONNECTION",
        help=_CONNECTION_HELP,
    ),
]
ConnectionOption = Annotated[
    str | None,
    typer.Option("--connection", envvar="SQLEXEC_CONNECTION", help=_CONNECTION_HELP),
]
Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
Output = Annotated[
    Path | None,
    typer.Option(
        envvar="SQLEXEC_OUTPUT",
        metavar="FILE",
        help="Write the results there: .pickle, .json, or .csv and .parquet for DataFrames.",
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(envvar="SQLEXEC_TIMEOUT", min=0, metavar="SECONDS", help="The longest to wait."),
]


def required(connection: str | None) -> str:
    """The connection string. Raises ConfigurationError where there is none."""
    if not connection:
        raise ConfigurationError("name a CONNECTION, or set the variable SQLEXEC_CONNECTION")
    return connection


def context_of(connection: str | None, num_tasks: int = 1) -> RxInSqlServer:
    """The compute context of a command."""
    from sqlexec.contexts.sql_server import RxInSqlServer

    return RxInSqlServer(required(connection), num_tasks=num_tasks)
