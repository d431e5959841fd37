"""What is kept of a job may come from another client, and the job may go meanwhile."""

from __future__ import annotations

import uuid
from unittest.mock import patch

import pytest

from sqlexec import RxInSqlServer
from sqlexec.contexts.durable import context_of
from sqlexec.errors import JobNotFound
from sqlexec.server import jobs


def test_a_job_without_a_context_has_the_callers() -> None:
    cc = RxInSqlServer("Server=db1;UID=ann;PWD=x", num_tasks=3)
    assert context_of({}, cc) == cc.replace(wait=False)


def test_a_job_that_goes_between_two_statements_is_not_found() -> None:
    with patch.object(jobs, "_call", return_value=[]), pytest.raises(JobNotFound, match="removed"):
        jobs.secret(None, uuid.uuid4())  # type: ignore[arg-type]
