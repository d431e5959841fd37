"""`sqlexec jobs ...`: jobs that outlive their call, from a shell."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sqlexec.cli.options import ConnectionOption, Json, Output, Timeout, context_of
from sqlexec.cli.output import exit_code, follow_console, print_json, show_console, show_results
from sqlexec.errors import JobNotFinished

if TYPE_CHECKING:
    from sqlexec.rx.job import RxRemoteJob
    from sqlexec.server.job_records import JobInfo

app = typer.Typer(
    help="""Jobs that outlive their call.

    Exit codes: 0 done, 1 failed, 2 used wrongly, 3 not finished, 4 cancelled.""",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

JobId = Annotated[str, typer.Argument(metavar="JOB", envvar="SQLEXEC_JOB", help="Its id.")]
Everybodys = Annotated[bool, typer.Option("--all", help="Of all logins; for sqlexec_admin.")]


@app.command("list")
def list_jobs(
    state: Annotated[
        list[str] | None, typer.Option(envvar="SQLEXEC_STATE", help="FINISHED, RUNNING, ...")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(envvar="SQLEXEC_SINCE", help="Submitted then or later.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(envvar="SQLEXEC_UNTIL", help="Submitted then or earlier.")
    ] = None,
    most: Annotated[int, typer.Option(envvar="SQLEXEC_MOST", min=1)] = 100,
    everybodys: Everybodys = False,
    as_json: Json = False,
    connection: ConnectionOption = None,
) -> None:
    """Jobs of your login, the newest first."""
    from sqlexec.rx.job_status import line_of
    from sqlexec.server import jobs
    from sqlexec.server.connection import Connection
    from sqlexec.server.pool import POOL

    where = Connection.of(context_of(connection).connection_string)
    with POOL.lend(where) as session:
        found = jobs.find(
            session,
            states=[each.upper() for each in state] if state else None,
            since=since,
            until=until,
            everybodys=everybodys,
            most=most,
        )
    if as_json:
        print_json(found)
    else:
        for info in found:
            typer.echo(line_of(info) + (f"  {info.login_name}" if everybodys else ""))


@app.command()
def show(job_id: JobId, as_json: Json = False, connection: ConnectionOption = None) -> None:
    """All that the server tells of a job; exit code by its state."""
    info = _info(_job(job_id, connection))
    if as_json:
        print_json(info)
    else:
        _print_fields(vars(info))
    _end(exit_code(info.state))


@app.command()
def logs(
    job_id: JobId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until the job ends.")] = False,
    timeout: Timeout = None,
    as_json: Json = False,
    connection: ConnectionOption = None,
) -> None:
    """What a job's runs printed, call by call, each stream to our own."""
    job = _job(job_id, connection)
    if as_json:
        lines = job.logs(follow=follow, timeout=timeout)
        print_json([{"stream": stream, "text": text} for stream, text in lines])
        return
    for stream, text in job.logs(follow=follow, timeout=timeout):
        target = sys.stderr if stream == "stderr" else sys.stdout
        target.write(text)
        target.flush()


@app.command()
def results(
    job_id: JobId,
    cleanup: Annotated[
        bool, typer.Option("--cleanup", help="Remove the job from the server then.")
    ] = False,
    console: Annotated[
        bool, typer.Option("--console", help="Show on stderr what its runs printed.")
    ] = False,
    output: Output = None,
    as_json: Json = False,
    connection: ConnectionOption = None,
) -> None:
    """What a job's runs returned."""
    job = _job(job_id, connection)
    shown = show_console if console else False
    # Removed only when the results are where they were to go.
    code = show_results(lambda: job.fetch(shown, auto_cleanup=False), output, as_json=as_json)
    if cleanup:
        job.cleanup(force=True)
    _end(code)


@app.command()
def wait(
    job_id: JobId,
    timeout: Timeout = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show what runs print.")] = False,
    as_json: Json = False,
    connection: ConnectionOption = None,
) -> None:
    """Wait for a job's end; exit code by how it ended, 3 where it has not."""
    job = _job(job_id, connection)
    if follow:
        follow_console(job, timeout)
    else:
        job.wait(timeout, progress=True)
    info = _info(job)
    _answer({"job_id": info.job_id, "state": info.state}, info.state, as_json=as_json)
    _end(exit_code(info.state))


@app.command()
def cancel(
    job_id: JobId,
    remove: Annotated[bool, typer.Option("--remove", help="And all that it has given.")] = False,
    as_json: Json = False,
    connection: ConnectionOption = None,
) -> None:
    """Stop a job; exit code 0 also where it had ended already."""
    job = _handle(job_id, connection)
    was_open = job.cancel()
    if remove:
        job.close()
    words = "cancelled" if was_open else "had ended already"
    _answer({"job_id": job.job_id, "cancelled": was_open}, words, as_json=as_json)


@app.command()
def cleanup(
    job_ids: Annotated[list[str], typer.Argument(metavar="JOB...", envvar="SQLEXEC_JOB")],
    force: Annotated[
        bool, typer.Option("--force", help="Also where it runs, or its results would be lost.")
    ] = False,
    as_json: Json = False,
    connection: ConnectionOption = None,
) -> None:
    """Remove jobs with all that they gave; 3 where one is kept."""
    removed = {each: _cleaned_up(_handle(each, connection), force) for each in job_ids}
    if as_json:
        print_json(removed)
    for job_id, gone in removed.items():
        if not as_json:
            typer.echo(f"{job_id}  {'removed' if gone else 'kept: take --force'}")
    _end(0 if all(removed.values()) else exit_code("RUNNING"))


@app.command()
def purge(
    older_than: Annotated[
        int, typer.Option(envvar="SQLEXEC_OLDER_THAN", min=0, metavar="DAYS", help="Since its end.")
    ] = 30,
    everybodys: Everybodys = False,
    as_json: Json = False,
    connection: ConnectionOption = None,
) -> None:
    """Remove jobs that ended long ago."""
    from sqlexec.server import jobs
    from sqlexec.server.connection import Connection
    from sqlexec.server.pool import POOL

    with POOL.lend(Connection.of(context_of(connection).connection_string)) as session:
        removed = jobs.purge(session, older_than, everybodys=everybodys)
    _answer({"removed": removed}, f"{removed:,} removed", as_json=as_json)


@app.command()
def resume(
    job_id: JobId,
    detach: Annotated[
        bool | None,
        typer.Option("--detach/--here", help="Who works: SQL Server Agent, or this command."),
    ] = None,
    as_json: Json = False,
    connection: ConnectionOption = None,
) -> None:
    """Let a job go on that failed or was cancelled; with --here until it ends."""
    job = _job(job_id, connection)
    job.resume(detach)
    if not _info(job).detached:
        job.wait(progress=True)
    info = _info(job)
    _answer({"job_id": info.job_id, "state": info.state}, info.state, as_json=as_json)
    _end(0 if info.detached else exit_code(info.state))


def _job(job_id: str, connection: str | None) -> RxRemoteJob:
    from sqlexec.rx.job import RxRemoteJob

    return RxRemoteJob.deserialize_job(job_id, context_of(connection))


def _handle(job_id: str, connection: str | None) -> RxRemoteJob:
    """For what a member of sqlexec_admin may do with the jobs of others, too."""
    from sqlexec.rx.job import RxRemoteJob

    return RxRemoteJob(context_of(connection), job_id)


def _cleaned_up(job: RxRemoteJob, force: bool) -> bool:
    """Whether it is gone; raises JobNotFound where there was none."""
    from sqlexec.server import jobs
    from sqlexec.server.connection import Connection
    from sqlexec.server.pool import POOL

    if job.info is not None:
        return job.cleanup(force=force)
    with POOL.lend(Connection.of(job.compute_context.connection_string)) as session:
        jobs.clean_up(session, job.job_id)  # another login's: for members of sqlexec_admin
    return True


def _info(job: RxRemoteJob) -> JobInfo:
    info = job.info
    if info is None:
        raise JobNotFinished(f"Job {job.job_id} was removed meanwhile.")
    return info


def _answer(document: dict[str, Any], words: str, *, as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        typer.echo(words)


def _print_fields(fields: dict[str, Any]) -> None:
    width = max(map(len, fields))
    for name, value in fields.items():
        typer.echo(f"{name:<{width}}  {'' if value is None else value}")


def _end(code: int) -> None:
    if code:
        raise typer.Exit(code)
