"""`sqlexec scripts ...`: functions kept in the database, from a shell."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from sqlexec.cli.options import ConnectionOption, Json, context_of
from sqlexec.cli.output import print_json, show_console
from sqlexec.errors import ConfigurationError

app = typer.Typer(
    help="Functions kept in the database by `store_script`, run by their name.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Name = Annotated[str, typer.Argument(metavar="NAME", envvar="SQLEXEC_SCRIPT")]
Version = Annotated[
    int | None,
    typer.Option("--version", envvar="SQLEXEC_SCRIPT_VERSION", help="Default: the newest."),
]


@app.command("list")
def list_all(as_json: Json = False, connection: ConnectionOption = None) -> None:
    """Scripts that you may run."""
    from sqlexec.procedures.scripts import list_scripts

    found = list_scripts(context_of(connection))
    if as_json:
        print_json(found)
        return
    for each in found:
        parameters = ", ".join(f"{one['name']}: {one['type']}" for one in each.parameters)
        typer.echo(f"{each.name} {each.version}  ({parameters})  {each.owner}  {each.description}")


@app.command()
def show(
    name: Name, version: Version = None, as_json: Json = False, connection: ConnectionOption = None
) -> None:
    """The source of a script."""
    from sqlexec.procedures.scripts import load_script

    found = load_script(context_of(connection), name, version)
    if as_json:
        print_json(found)
    else:
        typer.echo(found.source, nl=False)


@app.command()
def run(
    name: Name,
    version: Version = None,
    args_json: Annotated[
        str,
        typer.Option(envvar="SQLEXEC_ARGS_JSON", metavar="JSON", help="Its arguments, an object."),
    ] = "{}",
    input_query: Annotated[
        str, typer.Option(envvar="SQLEXEC_INPUT_QUERY", help="SELECT whose rows it is given.")
    ] = "",
    connection: ConnectionOption = None,
) -> None:
    """Run a script and print its result as JSON; what it prints goes to stderr."""
    from sqlexec.procedures.scripts import run_script

    try:
        arguments = json.loads(args_json)
    except ValueError as error:
        raise ConfigurationError(f"--args-json: {error}") from error
    if not isinstance(arguments, dict):
        raise ConfigurationError('--args-json must be an object, as {"name": value}')
    context = context_of(connection).replace(console_output=show_console)
    print_json(run_script(context, name, version, input_query=input_query, **arguments))
