"""Jobs of three logins: each sees its own; an administrator stops and removes, reads nothing."""

from __future__ import annotations

import uuid

import pytest

from sqlexec import RxInSqlServer, RxRemoteJob, rx_cancel_job, rx_exec, rx_get_jobs
from sqlexec.errors import JobNotFound, ServerError
from sqlexec.server import jobs
from sqlexec.server.connection import Connection
from sqlexec.server.pool import POOL
from tests.integration.conftest import in_database


@pytest.fixture
def context_of(connection_string, execute):
    """Makes a login with these roles; gives a compute context that is its."""
    database = Connection.of(connection_string).database
    names = []

    def make(*roles):
        name, password = f"user_{uuid.uuid4().hex[:8]}", f"Aa1!{uuid.uuid4().hex}"
        names.append(name)
        execute(f"CREATE LOGIN {name} WITH PASSWORD = '{password}'")
        execute(f"CREATE USER {name} FOR LOGIN {name}")
        for role in roles:
            execute(f"ALTER ROLE {role} ADD MEMBER {name}")
        where = in_database(connection_string, database, UID=name, PWD=password)
        return RxInSqlServer(where, wait=False, detached=False)

    yield make
    POOL.close()
    for name in names:
        execute(f"DROP USER {name}; DROP LOGIN {name}")


def listed(context, **options):
    with POOL.lend(Connection.of(context.connection_string)) as session:
        return [info.job_id for info in jobs.find(session, **options)]


def test_jobs_belong_to_their_login(context_of):
    ann, bob, admin = map(context_of, ["sqlexec_user"] * 2 + ["sqlexec_admin"])
    job = rx_exec(lambda x: x, x=[1, 2], compute_context=ann, auto_cleanup=False)
    job.wait()
    assert [each.job_id for each in rx_get_jobs(ann, verbose=False)] == [job.job_id]
    assert rx_get_jobs(bob, verbose=False) == []
    with pytest.raises(JobNotFound):
        RxRemoteJob.deserialize_job(job.job_id, bob)
    seen_by_bob = RxRemoteJob(bob, job.job_id)
    for act in (seen_by_bob.result, seen_by_bob.cancel, seen_by_bob.resume, seen_by_bob.logs):
        with pytest.raises(JobNotFound):
            list(act() or [])
    with pytest.raises(ServerError, match="sqlexec_admin"):
        listed(bob, everybodys=True)

    assert job.job_id in listed(admin, everybodys=True)
    assert listed(admin) == []
    seen_by_admin = RxRemoteJob(admin, job.job_id)
    with pytest.raises(JobNotFound):
        seen_by_admin.result()
    assert rx_cancel_job(seen_by_admin) is False  # it has ended
    assert job.result() == [1, 2]
    seen_by_admin.close()
    assert job.info is None
