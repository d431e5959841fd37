"""`sqlexec run script.py:function`: rx_exec from a shell."""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from sqlexec.cli.options import ConnectionOption, Json, Output, Timeout, context_of
from sqlexec.cli.output import follow_console, print_json, show_console, show_results
from sqlexec.errors import ConfigurationError, JobNotFinished, SqlExecError


def run(
    target: Annotated[
        str,
        typer.Argument(
            envvar="SQLEXEC_TARGET",
            metavar="SCRIPT.py:FUNCTION",
            help="Or package.module:function.",
        ),
    ],
    arg: Annotated[
        list[str] | None,
        typer.Option(
            envvar="SQLEXEC_ARG",
            metavar="NAME=VALUE",
            help="An argument, JSON or else text; a JSON list makes a run of each element.",
        ),
    ] = None,
    args_json: Annotated[
        str | None,
        typer.Option(
            envvar="SQLEXEC_ARGS_JSON",
            metavar="JSON|FILE|-",
            help="Arguments: an object for one run, a list of objects for a run each.",
        ),
    ] = None,
    times: Annotated[
        int, typer.Option(envvar="SQLEXEC_TIMES", help="Repeat one set of arguments.")
    ] = -1,
    seed: Annotated[
        int | None, typer.Option(envvar="SQLEXEC_SEED", min=0, help="Of the runs' random streams.")
    ] = None,
    num_tasks: Annotated[
        int, typer.Option(envvar="SQLEXEC_NUM_TASKS", min=0, help="The most processes at a time.")
    ] = 1,
    detach: Annotated[
        bool,
        typer.Option("--detach", help="Let SQL Server Agent work; print the job's id and end."),
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show on stderr what runs print; wait for the end.")
    ] = False,
    timeout: Timeout = None,
    output: Output = None,
    as_json: Json = False,
    connection: ConnectionOption = None,
) -> None:
    """Run a function of a script in the server and print what it returns.

    Results go to stdout, all else to stderr.  Exit codes: 0 done, 1 failed, 2 used wrongly,
    3 not finished in time, 4 cancelled.
    """
    from sqlexec import rx_exec

    context = context_of(connection, num_tasks)
    call = {
        "function": load_function(target),
        "args": arguments_of(arg or [], args_json),
        "times_to_run": times,
        "seed": seed,
    }
    if detach:
        job = rx_exec(
            **call, compute_context=context.replace(wait=False, detached=True, auto_cleanup=False)
        )
        if not follow:
            if as_json:
                print_json({"job_id": job.job_id})
            else:
                typer.echo(job.job_id)
            return
        typer.echo(f"job {job.job_id}", err=True)
        follow_console(job, timeout)
        if not job.wait(0):
            raise JobNotFinished(f"Job {job.job_id} has not ended; it goes on in the server.")
        code = show_results(job.result, output, as_json=as_json)
    else:
        seconds = None if timeout is None else math.ceil(timeout)
        context = context.replace(execution_timeout_seconds=seconds)
        code = show_results(
            lambda: rx_exec(
                **call,
                compute_context=context,
                console_output=show_console if follow else False,
                progress=True,
            ),
            output,
            as_json=as_json,
        )
    if code:
        raise typer.Exit(code)


def load_function(target: str) -> Callable[..., Any]:
    """The function that "script.py:name" or "package.module:name" tells of.

    Raises
    ------
    ConfigurationError
        There is none, or its script cannot be loaded.
    """
    place, _, name = target.rpartition(":")
    if not place or not name.isidentifier():
        raise ConfigurationError(f"{target!r} is not of the form SCRIPT.py:FUNCTION")
    try:
        module = _load_script(Path(place)) if place.endswith(".py") else _load_module(place)
    except SqlExecError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"{place} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ConfigurationError(f"{place} has no function {name!r}")
    found: Callable[..., Any] = function
    return found


def _load_script(path: Path) -> Any:
    name = path.stem if path.stem not in sys.modules else f"{path.stem}_script"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ConfigurationError(f"there is no script {path}")
    sys.path.insert(0, str(path.resolve().parent))  # as Python does for its script
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _load_module(name: str) -> Any:
    sys.path.insert(0, str(Path.cwd()))
    return importlib.import_module(name)


def arguments_of(named: list[str], args_json: str | None) -> Any:
    """What rx_exec takes as args, from --arg and --args-json."""
    from sqlexec import RxElemArg

    args: Any = _read_json(args_json) if args_json is not None else {}
    if isinstance(args, list) and not named:
        return args
    if not isinstance(args, dict):
        raise ConfigurationError(
            "--args-json takes an object, or, without --arg, a list of objects"
        )
    for each in named:
        name, equals, text = each.partition("=")
        if not equals or not name.isidentifier():
            raise ConfigurationError(f"--arg {each!r} is not of the form NAME=VALUE")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        args[name] = RxElemArg(value) if isinstance(value, list) else value
    return args


def _read_json(text: str) -> Any:
    """JSON itself, a file of it, or - for stdin."""
    if not text.lstrip().startswith(("{", "[")):
        text = sys.stdin.read() if text == "-" else Path(text).read_text("utf-8")
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"--args-json is no JSON: {error}") from None
