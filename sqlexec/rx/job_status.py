"""How a job stands, and how that looks: as a state, in a line, in a notebook."""

from __future__ import annotations

import enum
import html

from sqlexec.public import public
from sqlexec.server.job_records import JobInfo


@public
class RxRemoteJobStatus(enum.Enum):
    """How a job stands. UNDETERMINED: its server knows it no more (it was cleaned up)."""

    FINISHED = "FINISHED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    UNDETERMINED = "UNDETERMINED"
    RUNNING = "RUNNING"
    QUEUED = "QUEUED"


def line_of(info: JobInfo) -> str:
    """A job in one line."""
    return (
        f"{info.job_id}  {info.state:<8}  {info.submitted_at:%Y-%m-%d %H:%M:%S}Z  "
        f"{info.tasks_done:,}/{info.task_count:,} runs  {info.description}"
    )


def html_of(info: JobInfo) -> str:
    """A job for notebooks, with a bar of how far it is."""
    message = html.escape(info.error_message or "")
    return (
        f"Job <code>{info.job_id}</code>, <code>{html.escape(info.description)}</code>: "
        f"<b>{info.state}</b><br>"
        f'<progress value="{info.tasks_done}" max="{info.task_count}"></progress> '
        f"{info.tasks_done:,} of {info.task_count:,} runs"
        f"{f', {info.tasks_failed:,} raised' if info.tasks_failed else ''}, "
        f"{info.seconds:.1f} s{f'<br>{message}' if message else ''}"
    )
