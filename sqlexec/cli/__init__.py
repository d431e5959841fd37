"""The command `sqlexec`: thin over what stands below.

Every option with a value has an environment variable.  Exit codes: 0 done, 1 failed, 2 used
wrongly; where jobs are run, 3 not finished in time, 4 cancelled.  Errors are one line on stderr.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from sqlexec.cli import bundle, jobs, scripts
from sqlexec.cli.options import ConnectionArgument, Json, required
from sqlexec.cli.output import CANCELED, NOT_FINISHED
from sqlexec.cli.run import run
from sqlexec.errors import (
    ConfigurationError,
    DependencyMissing,
    ExecutionTimeout,
    JobNotFinished,
    OperationCancelled,
    SqlExecError,
)
from sqlexec.version import __version__

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks would show local values
)

app.command()(bundle.install)
app.command()(bundle.uninstall)
app.command()(bundle.info)
app.command()(run)
app.add_typer(jobs.app, name="jobs")
app.add_typer(scripts.app, name="scripts")

_EXIT_CODES: dict[type[Exception], int] = {
    ConfigurationError: 2,
    JobNotFinished: NOT_FINISHED,
    ExecutionTimeout: NOT_FINISHED,
    OperationCancelled: CANCELED,
}
_OF_EMBEDDED = ("cryptography", "duckdb", "numpy", "pandas", "pyarrow", "sqlglot")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sqlexec {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Version, and exit.")
    ] = False,
) -> None:
    """Run Python functions inside SQL Server, next to the data.

    Exit codes: 0 done, 1 failed, 2 used wrongly;
    where jobs are run also 3 not finished in time, 4 cancelled.
    Errors are one line on stderr.
    """


@app.command()
def doctor(
    connection: ConnectionArgument = None,
    as_json: Json = False,
    num_tasks: Annotated[
        int, typer.Option(envvar="SQLEXEC_NUM_TASKS", min=1, help="Scripts to run at once.")
    ] = 4,
) -> None:
    """Check driver, network, login, bundle, rights, Python and more; say how to mend each."""
    from sqlexec import RxInSqlServer
    from sqlexec import doctor as examine

    diagnosis = examine(RxInSqlServer(required(connection), num_tasks=num_tasks))
    if as_json:
        typer.echo(diagnosis.to_json())
    elif sys.stdout.isatty():
        from rich.console import Console

        from sqlexec.diagnosis.rendering import table

        Console().print(table(diagnosis.server, diagnosis.findings))
    else:
        typer.echo(str(diagnosis))
    if not diagnosis.ok:
        raise typer.Exit(1)


@app.command()
def serve(
    port: Annotated[
        int, typer.Option(envvar="SQLEXEC_PORT", min=0, max=65535, help="0: any that is free.")
    ] = 1433,
    database: Annotated[
        Path | None,
        typer.Option(
            envvar="SQLEXEC_FILE", metavar="FILE", help="Keep the data here. Default: memory."
        ),
    ] = None,
    python: Annotated[
        Path | None,
        typer.Option(
            envvar="SQLEXEC_PYTHON",
            metavar="PATH",
            help="Interpreter of external scripts. Default: the one that runs this.",
        ),
    ] = None,
    password: Annotated[
        str | None, typer.Option(envvar="SQLEXEC_PASSWORD", help="Of sa. Default: a random one.")
    ] = None,
    launch_delay: Annotated[
        float,
        typer.Option(
            envvar="SQLEXEC_LAUNCH_DELAY",
            min=0,
            metavar="SECONDS",
            help="What a slow launchpad would cost.",
        ),
    ] = 0.0,
    agent: Annotated[
        bool, typer.Option(envvar="SQLEXEC_AGENT", help="Whether SQL Server Agent is started.")
    ] = True,
) -> None:
    """Run the embedded stand-in for SQL Server on 127.0.0.1 until Ctrl-C."""
    missing = [name for name in _OF_EMBEDDED if find_spec(name) is None]
    if missing:
        raise DependencyMissing(
            f"The embedded server needs {', '.join(missing)}: pip install 'sqlexec[embedded]'"
        )
    from sqlexec.embedded import serve as run

    run(
        port=port,
        database=database,
        python=python,
        password=password,
        launch_delay=launch_delay,
        agent=agent,
    )


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : list of str, default sys.argv[1:]

    Returns
    -------
    int
        The exit code: 0 done, 1 failed, 2 used wrongly, 3 not finished, 4 cancelled.

    Example
    -------
    >>> main(["--version"])
    sqlexec 0.2.0
    0
    """
    try:
        app(args=arguments, prog_name="sqlexec")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except (SqlExecError, OSError) as error:
        print(f"sqlexec: {' '.join(str(error).split())}", file=sys.stderr)
        return next((code for kind, code in _EXIT_CODES.items() if isinstance(error, kind)), 1)
    return 0
