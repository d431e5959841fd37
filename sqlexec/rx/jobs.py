"""revoscalepy's functions of jobs that outlive their call; `RxRemoteJob` does the same."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlexec.contexts.active import resolve_sql_server
from sqlexec.contexts.base import ConsoleOutput, RxComputeContext
from sqlexec.errors import ConfigurationError
from sqlexec.public import public
from sqlexec.rx.job import RxRemoteJob
from sqlexec.rx.job_status import RxRemoteJobStatus, line_of
from sqlexec.server import jobs
from sqlexec.server.connection import Connection
from sqlexec.server.job_records import JobInfo
from sqlexec.server.pool import POOL


@public
def rx_get_job_info(job: RxRemoteJob) -> JobInfo | None:
    """All that the server tells of a job: whose, since when, how much of it is done.

    None where it is no job, or its server knows it no more.

    Example
    -------
    >>> rx_get_job_info("no job") is None
    True
    """
    return job.info if isinstance(job, RxRemoteJob) else None


@public
def rx_get_job_status(job: RxRemoteJob) -> RxRemoteJobStatus:
    """How a job stands now; UNDETERMINED where its server knows it no more."""
    return _checked(job).status


@public
def rx_get_job_output(job: RxRemoteJob) -> str:
    """All that a job's runs have printed so far; removes nothing."""
    return _checked(job).output


@public
def rx_get_job_results(
    job: RxRemoteJob, console_output: ConsoleOutput = None, auto_cleanup: bool | None = None
) -> list[Any]:
    """What `rx_exec` would have returned, of a job that has ended.

    Parameters
    ----------
    job : RxRemoteJob
    console_output : bool, "prefix", "log" or callable, optional
        What becomes of what the runs printed; None for the setting at its submission.
    auto_cleanup : bool, optional
        Remove the job from its server once its results are here; None for the setting at its
        submission.

    Raises
    ------
    JobNotFinished, JobNotFound, JobFailed, OperationCancelled, ...
        As `RxRemoteJob.result`.
    """
    __tracebackhide__ = True
    return _checked(job).fetch(console_output, auto_cleanup)


@public
def rx_get_jobs(
    compute_context: RxComputeContext | str | None = None,
    exact_match: bool = False,
    start_time: datetime | None = None,
    end_time: datetime | None = None,
    states: Sequence[RxRemoteJobStatus] | RxRemoteJobStatus | None = None,
    verbose: bool = True,
) -> list[RxRemoteJob]:
    """This login's jobs in a server, the newest first.

    Parameters
    ----------
    compute_context : RxInSqlServer or str, optional
        Where to look; by default the active context.
    exact_match : bool, default False
        Only jobs that were submitted in a context with the same settings.
    start_time, end_time : datetime, optional
        When they were submitted, both inclusive; naive ones are local time.
    states : RxRemoteJobStatus or list of them, optional
        Only jobs that stand so.
    verbose : bool, default True
        Print a line a job.
    """
    context = resolve_sql_server(compute_context)
    if isinstance(states, RxRemoteJobStatus):
        states = [states]
    with POOL.lend(Connection.of(context.connection_string)) as session:
        found = jobs.find(
            session,
            states=None if states is None else [RxRemoteJobStatus(each).value for each in states],
            since=start_time,
            until=end_time,
        )
    handles = []
    for info in found:
        job = RxRemoteJob(context, info.job_id)
        if exact_match and job.resolve_context() != context.replace(wait=False):
            continue
        handles.append(job)
        if verbose:
            print(line_of(info))
    return handles


@public
def rx_wait_for_job(job: RxRemoteJob) -> None:
    """Wait until a job has ended, with or without success."""
    _checked(job).wait()


@public
def rx_cancel_job(job: RxRemoteJob, console_output: bool = False) -> bool:
    """Stop a job and remove it with all that it has given so far.

    Parameters
    ----------
    job : RxRemoteJob
    console_output : bool, default False
        Print first what its runs have printed.

    Returns
    -------
    bool
        Whether it had not ended; otherwise nothing is removed.
    """
    was_open = _checked(job).cancel()
    if was_open:
        if console_output:
            sys.stdout.write(job.output)
        job.close()
    return was_open


@public
def rx_cleanup_jobs(
    job_info_list: RxRemoteJob | Sequence[RxRemoteJob], force: bool = False, verbose: bool = True
) -> None:
    """Remove jobs and their results from their server.

    Parameters
    ----------
    job_info_list : RxRemoteJob or list of them
    force : bool, default False
        Also those that have not ended, and those that have FINISHED, whose results are lost; a
        warning tells of them otherwise.
    verbose : bool, default True
        Print a line a removed job.
    """
    listed = [job_info_list] if isinstance(job_info_list, RxRemoteJob) else list(job_info_list)
    for job in listed:
        if not _checked(job).cleanup(force=force):
            warnings.warn(
                f"{job} is kept: it has not ended, or its results would be lost. Fetch them "
                "(rx_get_job_results), or say force=True.",
                stacklevel=2,
            )
        elif verbose:
            print(f"{job.job_id} removed")


def _checked(job: object) -> RxRemoteJob:
    if not isinstance(job, RxRemoteJob):
        raise ConfigurationError(f"This takes an RxRemoteJob, not {type(job).__name__}")
    return job
