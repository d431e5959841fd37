"""Durable jobs by T-SQL alone: what a login may do with its own jobs, and with another's."""

from __future__ import annotations

import contextlib
import uuid

import pyodbc
import pytest

from sqlexec.server.connection import Connection
from tests.integration.conftest import in_database
from tests.integration.durable import Login, nap, number_of, wait_until


def double(x):
    return 2 * x


def total(rows):
    from revoscalepy import rx_import

    return int(rx_import(rows)["n"].sum())


@pytest.fixture(scope="module")
def make_login(connection_string, admin):
    """Makes a login with a user in the database and the given roles."""
    made = []

    def make(*roles, agent=False):
        name, password = f"user_{uuid.uuid4().hex[:8]}", f"Aa1!{uuid.uuid4().hex}"
        database = Connection.of(connection_string).database
        statements = [
            f"CREATE LOGIN {name} WITH PASSWORD = '{password}'",
            f"CREATE USER {name} FOR LOGIN {name}",
            *(f"ALTER ROLE {role} ADD MEMBER {name}" for role in roles),
        ]
        if agent:
            statements.append(
                f"USE msdb; CREATE USER {name} FOR LOGIN {name}; "
                f"ALTER ROLE SQLAgentUserRole ADD MEMBER {name}; USE [{database}]"
            )
        for each in statements:
            admin.run(each)
        login = Login(
            in_database(connection_string, database, UID=name, PWD=password), admin.runtime
        )
        made.append((name, login, agent, database))
        return name, login

    yield make
    for name, login, agent, database in made:
        login.close()
        drop = f"DROP USER {name}; "
        if agent:
            drop += f"USE msdb; DROP USER {name}; USE [{database}]; "
        admin.run(f"{drop}")


@pytest.fixture(scope="module")
def ann(make_login):
    return make_login("sqlexec_user", agent=True)


@pytest.fixture(scope="module")
def bob(make_login):
    return make_login("sqlexec_user")[1]


@pytest.fixture(scope="module")
def keeper(make_login):
    """A member of sqlexec_admin and of sqlexec_user."""
    return make_login("sqlexec_admin", "sqlexec_user")[1]


def refused(number):
    @contextlib.contextmanager
    def expected():
        with pytest.raises(pyodbc.Error) as caught:
            yield
        assert number_of(caught.value) == number

    return expected()


def detached(login, *arguments, **options):
    """A job that SQL Server Agent works for; skips the test where there is none."""
    try:
        return login.submit(*arguments, detached=1, **options)
    except pyodbc.Error as error:
        if number_of(error) != 51720 or "not currently running" not in str(error):
            raise
        pytest.skip("SQL Server Agent does not run here")


def test_another_login_sees_and_does_nothing(ann, bob):
    _, owner = ann
    job = owner.submit(double, [{"x": 1}, {"x": 2}])
    for procedure in (
        "job_secret", "fetch_results", "fetch_console", "cancel_job", "cleanup_job", "resume_job",
        "run_worker",
    ):  # fmt: skip
        with refused(51710):
            bob.call(procedure, job.job_id)
    assert bob.call("jobs", job_id=job.job_id) == []
    assert job.job_id not in bob.jobs()
    assert job.job_id in owner.jobs()
    with refused(51711):
        bob.call("jobs", everybodys=1)
    with refused(51711):
        bob.call("purge_jobs", everybodys=1)
    owner.work(job)
    assert bob.call("purge_jobs", older_than_days=0)[0].removed_jobs == 0
    assert owner.values(job) == [2, 4]
    assert owner.call("job_secret", job.job_id)[0].result_key == job.packer.key


def test_an_admin_looks_after_jobs_and_gets_nothing_out_of_them(ann, keeper, admin):
    name, owner = ann
    job = owner.submit(double, [{"x": 1}])
    assert keeper.call("jobs", job_id=job.job_id) == []
    (row,) = keeper.call("jobs", job_id=job.job_id, everybodys=1)
    assert (row.login_name, row.state) == (name, "QUEUED")
    for procedure in ("job_secret", "fetch_results", "fetch_console", "resume_job", "run_worker"):
        with refused(51710):
            keeper.call(procedure, job.job_id)
    with refused(51710):  # nor does a sysadmin work with a user's function
        admin.call("run_worker", job.job_id)
    assert keeper.call("cancel_job", job.job_id)[0].was_open
    assert owner.look(job).state == "CANCELED"
    assert job.job_id in admin.jobs(everybodys=1)  # the owner of a database is one, too
    assert job.job_id not in admin.jobs()
    keeper.call("cleanup_job", job.job_id)
    assert admin.counts(job) == [0, 0, 0, 0]


def test_an_admin_purges_what_ended(make_login, keeper, admin):
    _, owner = make_login("sqlexec_user")
    ended, begun = (owner.submit(double, [{"x": 1}]) for _ in range(2))
    owner.call("cancel_job", ended.job_id)
    keeper.call("purge_jobs", older_than_days=1, everybodys=1)
    assert owner.look(ended).state == "CANCELED"
    assert owner.call("purge_jobs", older_than_days=0)[0].removed_jobs == 1
    assert admin.counts(ended) == [0, 0, 0, 0]
    assert owner.jobs() == [begun.job_id]


def test_another_sysadmin_works_for_a_sysadmins_job(make_login, admin):
    name, other = make_login("sqlexec_user")
    admin.run(f"ALTER SERVER ROLE sysadmin ADD MEMBER {name}")
    job = admin.submit(double, [{"x": 4}])
    other.work(job)
    assert admin.values(job) == [8]


def test_the_agent_works_with_the_submitters_rights(ann, admin):
    name, owner = ann
    admin.run("DROP TABLE IF EXISTS dbo.numbers_of_jobs")
    admin.run(
        "CREATE TABLE dbo.numbers_of_jobs (n int); INSERT dbo.numbers_of_jobs VALUES (1), (2)"
    )
    query = "SELECT q.n FROM dbo.numbers_of_jobs AS q"
    job = detached(owner, total, [{}], query=query)
    assert owner.end_of(job).state == "FAILED"
    assert admin.chunks(job)[0].error_number == 229
    admin.run(f"GRANT SELECT ON dbo.numbers_of_jobs TO {name}")
    job = detached(owner, total, [{}], query=query)
    assert owner.end_of(job).state == "FINISHED"
    assert owner.values(job) == [3]
    admin.run("DROP TABLE dbo.numbers_of_jobs")


def agent_jobs(admin, job):
    pattern = f"sqlexec {str(job.job_id).upper()}%"
    return admin.rows("SELECT name FROM msdb.dbo.sysjobs WHERE name LIKE ?", pattern)


def test_a_cancelled_job_leaves_no_agent_job_and_goes_on_detached(ann, admin, patience):
    name, owner = ann
    query, set_seconds = patience
    table = query.split()[3]
    admin.run(f"GRANT SELECT ON {table} TO {name}")
    job = detached(owner, nap, [{}, {}, {}], query=query)
    wait_until(lambda: admin.states(job).count("running") == 2, "two chunks")
    owner.call("cancel_job", job.job_id)
    assert agent_jobs(admin, job) == []
    assert "waiting" in admin.states(job)
    set_seconds(0)
    owner.call("resume_job", job.job_id)
    assert owner.end_of(job).state == "FINISHED"
    assert owner.values(job) == ["awake"] * 3
    wait_until(lambda: agent_jobs(admin, job) == [], "the end of the Agent's jobs")


def test_without_a_role_in_msdb_nothing_is_left(bob, admin):
    before = admin.rows("SELECT job_id FROM sqlexec.job")
    with pytest.raises(pyodbc.Error, match=r"Three ways out: .*SQLAgentUserRole") as caught:
        bob.submit(double, [{"x": 1}, {"x": 2}], detached=1)
    assert number_of(caught.value) == 51720
    assert admin.rows("SELECT job_id FROM sqlexec.job") == before
