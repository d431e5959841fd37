"""`sqlexec install`, `uninstall`, `info`: the T-SQL bundle in a database, from a shell."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sqlexec.cli.options import ConnectionArgument, Json, required
from sqlexec.cli.output import print_json
from sqlexec.errors import ConfigurationError

Database = Annotated[
    str | None,
    typer.Option(envvar="SQLEXEC_DATABASE", help="Default: the connection string's."),
]


def install(
    connection: ConnectionArgument = None,
    database: Database = None,
    print_only: Annotated[
        bool, typer.Option("--print", help="Print install.sql, to review or to run; no connection.")
    ] = False,
    print_prepare: Annotated[
        bool,
        typer.Option(
            "--print-prepare",
            help="Print prepare_server.sql, which readies an instance, for a sysadmin.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be created and changed; only read.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Create or renew the T-SQL bundle in a database (as a member of db_owner)."""
    from sqlexec import bundle

    if print_only + print_prepare + dry_run > 1 or (as_json and (print_only or print_prepare)):
        raise ConfigurationError("--print, --print-prepare and --dry-run go without the others")
    if print_only:
        sys.stdout.write(bundle.render_install())
    elif print_prepare:
        sys.stdout.write(bundle.prepare_server())
    elif dry_run:
        changes = bundle.preview(required(connection), database=database)
        _show(changes, "\n".join(map(str, changes)), as_json)
    else:
        report = bundle.install(required(connection), database=database)
        _show(report, str(report), as_json)


def uninstall(
    connection: ConnectionArgument = None,
    database: Database = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Run the statements, not only tell them.")
    ] = False,
    even_if_jobs_run: Annotated[
        bool, typer.Option("--even-if-jobs-run", help="Do not refuse while jobs wait or run.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Tell, or with --yes run, what removes the bundle with all jobs and logs from a database."""
    from sqlexec import bundle

    statements = bundle.uninstall(
        required(connection),
        database=database,
        print_only=not yes,
        even_if_jobs_run=even_if_jobs_run,
    )
    _show({"removed": yes, "statements": statements}, "\n".join(statements), as_json)
    if not yes:
        typer.echo("Nothing was changed; --yes runs these statements.", err=True)


def info(
    connection: ConnectionArgument = None, database: Database = None, as_json: Json = False
) -> None:
    """What is installed in a database: the bundle's version, its runtime, your rights."""
    from sqlexec import bundle

    facts = bundle.info(required(connection), database=database)
    width = max(map(len, facts), default=0)
    lines = (f"{name:<{width}}  {'' if value is None else value}" for name, value in facts.items())
    _show(facts, "\n".join(lines), as_json)


def _show(document: object, text: str, as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        typer.echo(text)
