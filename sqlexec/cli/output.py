"""What commands answer: one JSON document or plain lines on stdout, messages on stderr."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import pickle
import sys
import traceback
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from sqlexec.errors import ConfigurationError, SqlExecError
from sqlexec.rx.collect import RunFailedWarning
from sqlexec.tracebacks import hide_own_frames

if TYPE_CHECKING:
    from sqlexec.rx.job import RxRemoteJob

FAILED, NOT_FINISHED, CANCELED = 1, 3, 4  # exit codes
OF_STATES = {"FINISHED": 0, "FAILED": FAILED, "CANCELED": CANCELED}  # others: NOT_FINISHED


def print_json(document: object) -> None:
    """Write a document to stdout. Raises SqlExecError for values that JSON cannot tell."""
    typer.echo(json.dumps(document, default=_plain, indent=2))


def exit_code(state: str) -> int:
    """That of a job in this state."""
    return OF_STATES.get(state, NOT_FINISHED)


def show_console(index: int, stream: str, text: str) -> None:
    """What a run wrote, to stderr, since stdout is for results."""
    sys.stderr.write(text)
    sys.stderr.flush()


def follow_console(job: RxRemoteJob, timeout: float | None) -> None:
    """Show what a job's runs print until it ends, or for so many seconds."""
    for stream, text in job.logs(follow=True, timeout=timeout):
        show_console(0, stream, text)


def show_results(get: Callable[[], list[Any]], output: Path | None, *, as_json: bool) -> int:
    """Write what the runs give to a file or stdout; gives the exit code.

    Exceptions go to stderr, or, in a JSON document, into the places of their runs.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RunFailedWarning)  # each is shown
            results = get()
    except SqlExecError:
        raise
    except Exception as error:  # noqa: BLE001 - of a single run
        results = [error]
    failed = sum(isinstance(value, BaseException) for value in results)
    if output is not None:
        _save(results, output)
    if as_json:
        document: dict[str, object] = {"runs": len(results), "failed": failed}
        document.update({"output": str(output)} if output else {"results": results})
        print_json(document)
        return FAILED if failed else 0
    for index, value in enumerate(results):
        if isinstance(value, BaseException):
            typer.echo(f"run {index}: {type(value).__name__}: {value}", err=True)
            if getattr(value, "remote", None):
                shown = traceback.format_exception(hide_own_frames(value))
                typer.echo("".join(shown), err=True, nl=False)
        elif output is None:
            typer.echo(_line(value))
    return FAILED if failed else 0


def _line(value: object) -> str:
    try:
        return json.dumps(value, default=_plain)
    except SqlExecError:
        return repr(value)


def _plain(value: Any) -> Any:
    """A value that JSON lacks, as one that it has."""
    if isinstance(value, BaseException):
        return {"error": {"type": type(value).__name__, "message": str(value)}}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return list(value)
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return value.to_dict(orient="records")
    if hasattr(value, "tolist"):  # of numpy and pandas
        return value.tolist()
    raise SqlExecError(
        f"JSON has nothing for a {type(value).__name__}: take --output FILE.pickle for it."
    )


def _save(results: Sequence[Any], path: Path) -> None:
    writer = _WRITERS.get(path.suffix)
    if writer is None:
        raise ConfigurationError(f"--output {path}: one of {', '.join(_WRITERS)} is expected.")
    writer(results, path)


def _save_pickle(results: Sequence[Any], path: Path) -> None:
    with path.open("wb") as file:
        pickle.dump(list(results), file)


def _save_json(results: Sequence[Any], path: Path) -> None:
    path.write_text(json.dumps(list(results), default=_plain, indent=2), "utf-8")


def _frame(results: Sequence[Any]) -> Any:
    """The frames that all runs gave, one below the other."""
    import pandas

    others = {type(each).__name__ for each in results if not isinstance(each, pandas.DataFrame)}
    if others or not results:
        raise SqlExecError(
            "--output .csv and .parquet are for runs that return DataFrames; here are "
            f"{', '.join(sorted(others)) or 'none'}. Take .pickle or .json."
        )
    return pandas.concat(results, ignore_index=True)


_WRITERS: dict[str, Callable[[Sequence[Any], Path], None]] = {
    ".pickle": _save_pickle,
    ".json": _save_json,
    ".csv": lambda results, path: _frame(results).to_csv(path, index=False),
    ".parquet": lambda results, path: _frame(results).to_parquet(path, index=False),
}
