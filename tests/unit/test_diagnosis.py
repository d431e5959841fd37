"""The doctor's judgements, without a server."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from sqlexec import Diagnosis, RxInSqlServer
from sqlexec.bundle.render import bundle_files
from sqlexec.diagnosis.bundle import comparable, granted_to_users
from sqlexec.diagnosis.connecting import judge_database, judge_tls, network
from sqlexec.diagnosis.examination import Examination
from sqlexec.diagnosis.findings import Finding
from sqlexec.diagnosis.instance import judge_pool, judge_scripts, judge_version
from sqlexec.diagnosis.launches import judge_parallel, judge_python, most_at_once
from sqlexec.diagnosis.rendering import table
from sqlexec.errors import LimitReached

BESIDE = [(0.0, 1.0, 0.1), (0.5, 1.5, 0.3), (0.9, 1.9, 0.2)]
IN_TURN = [(0.0, 1.0, 0.1), (1.0, 2.0, 0.1), (2.0, 3.0, 0.1)]
PACKAGES = {"numpy": "1.22.4", "pandas": "1.4.2"}
SERVER_PYTHON = {
    "python": [3, 10, 2], "executable": "/opt/p y/python", "implementation": "CPython",
    "platform": "linux", "cores": 4, "packages": PACKAGES,
    "troubles": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("number", "edition", "kind", "status", "told"),
    [
        ("15.0.4415.2", "Enterprise Edition", 3, "pass", "15.0.4415.2"),
        ("14.0.1000.1", "Standard Edition", 2, "pass", "14.0"),
        ("13.0.5026.0", "Standard Edition", 2, "fail", "older than SQL Server 2017"),
        ("12.0.2000.8", "SQL Azure", 5, "fail", "Azure SQL Database has no external scripts"),
        ("16.0.1000.6", "Express Edition", 4, "warn", "no SQL Server Agent"),
    ],
)
def test_version_and_edition(number, edition, kind, status, told):
    finding = judge_version(number, edition, kind)
    assert finding.status == status
    assert told in finding.message


@pytest.mark.parametrize(
    ("configured", "in_use", "installed", "status", "fix"),
    [
        (1, 1, 1, "pass", ""),
        (1, 1, None, "pass", ""),
        (0, 0, 0, "fail", "Setup"),
        (1, 0, 1, "fail", "restart SQL Server"),
        (0, 0, 1, "fail", "EXECUTE sp_configure 'external scripts enabled', 1; RECONFIGURE"),
    ],
)
def test_external_scripts(configured, in_use, installed, status, fix):
    finding = judge_scripts(configured, in_use, installed)
    assert finding.status == status
    assert fix in finding.fix


@pytest.mark.parametrize(
    ("database", "updateability", "level", "status", "fix"),
    [
        ("flights", "READ_WRITE", 150, "pass", ""),
        ("master", "READ_WRITE", 150, "fail", "Database="),
        ("odd ]db", "READ_ONLY", 150, "fail", "ALTER DATABASE [odd ]]db] SET READ_WRITE;"),
        ("old", "READ_WRITE", 120, "fail", "ALTER DATABASE [old] SET COMPATIBILITY_LEVEL = 140;"),
    ],
)
def test_database(database, updateability, level, status, fix):
    finding = judge_database(database, "ann", updateability, level)
    assert finding.status == status
    assert fix in finding.fix


@pytest.mark.parametrize(
    ("here", "encrypted", "trusting", "status", "fix"),
    [
        (True, False, False, "pass", ""),
        (False, False, False, "warn", "Encrypt=yes"),
        (False, True, True, "warn", "leave TrustServerCertificate= out"),
        (False, True, False, "pass", ""),
    ],
)
def test_tls(here, encrypted, trusting, status, fix):
    finding = judge_tls(here=here, encrypted=encrypted, trusting=trusting)
    assert finding.status == status
    assert fix in finding.fix


@pytest.mark.parametrize("server", ["Server=db1\\sql2019", "DSN=flights"])
def test_an_address_that_only_the_driver_knows(server):
    context = RxInSqlServer(f"{server};UID=ann;PWD=s3cret")
    assert network.look(Examination(context)).status == "skipped"


def test_a_pool_of_fewer_processes_than_tasks():
    assert judge_pool("default", 100, 20, 0, None, 8).status == "pass"
    assert judge_pool("default", 100, 20, 8, None, 8).status == "pass"
    finding = judge_pool("py]", 100, 20, 4, "dbo.classify", 8)
    assert finding.status == "warn"
    assert "chosen by dbo.classify" in finding.message
    assert "ALTER EXTERNAL RESOURCE POOL [py]]] WITH (MAX_PROCESSES = 8);" in finding.fix


def test_python_and_its_packages():
    assert judge_python(SERVER_PYTHON).status == "pass"
    assert "numpy 1.22.4, pandas 1.4.2" in judge_python(SERVER_PYTHON).message
    old = judge_python({**SERVER_PYTHON, "python": [3, 4, 9]})
    assert old.status == "fail"
    bare = judge_python(
        {**SERVER_PYTHON, "packages": {**PACKAGES, "pandas": None}, "troubles": ["no DLL"]}
    )
    assert bare.status == "warn"
    assert bare.message.endswith("no DLL")
    assert bare.fix == '"/opt/p y/python" -m pip install pandas'


@pytest.mark.parametrize(
    ("naps", "refusals", "status", "told"),
    [
        (BESIDE, [], "pass", "3 of 3 scripts ran at once, launched in 0.20 s each, on 4 cores"),
        (IN_TURN, [], "warn", "1 of 3"),
        (BESIDE[:2], [LimitReached("Limit is 2.")], "warn", "1 failed: Limit is 2."),
        ([], [LimitReached("Limit is 0.")] * 3, "warn", "0 of 3"),
    ],
)
def test_parallel(naps, refusals, status, told):
    finding = judge_parallel(3, naps, refusals, 4)
    assert finding.status == status
    assert told in finding.message


def test_spans_that_only_touch_do_not_overlap():
    assert most_at_once([]) == 0
    assert most_at_once([(0, 1), (1, 2)]) == 1


def test_what_a_server_makes_of_a_procedure_is_no_alteration():
    for file in bundle_files():
        if ".procedure." not in file.name:
            continue
        kept = f"\n-- {file.name}\n" + file.text.replace("CREATE OR ALTER", "CREATE  ", 1)
        assert comparable(kept.replace("\n", "\r\n")) == comparable(file.text)
        assert comparable(kept.replace("END", "END ", 1)) != comparable(file.text)


def test_every_grant_to_users_is_asked_for():
    role = next(file.text for file in bundle_files() if "sqlexec_user" in file.name)
    granted = granted_to_users()
    assert len(granted) == role.count("\nGRANT ")
    assert ("EXECUTE ANY EXTERNAL SCRIPT", "") in granted
    assert ("EXECUTE", "OBJECT::sqlexec.execute_chunk") in granted


def test_renderings():
    findings = (
        Finding("pass", "fine", name="one"),
        Finding("fail", "bad [red]<b>", "mend [it];", name="two"),
        Finding("skipped", "Needs 'two', which failed.", name="three"),
        Finding("skipped", "Needs 'two', which failed.", name="four"),
    )
    diagnosis = Diagnosis("Server=db1;PWD=***", findings)
    assert not diagnosis.ok
    assert diagnosis["two"].fix == "mend [it];"
    assert str(diagnosis).splitlines() == [
        "Server=db1;PWD=***",
        "pass     one       fine",
        "fail     two       bad [red]<b>",
        "                   fix: mend [it];",
        "skipped  2 checks  three, four: Needs 'two', which failed.",
        "1 pass, 1 fail, 2 skipped",
    ]
    assert [each["name"] for each in json.loads(diagnosis.to_json())["findings"]] == [
        "one", "two", "three", "four",
    ]  # fmt: skip
    assert "bad [red]&lt;b&gt;" in diagnosis._repr_html_()
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(table(diagnosis.server, diagnosis.findings))
    assert "mend [it];" in console.export_text()
