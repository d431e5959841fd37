"""The examples as their readers run them, on a small table."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def airlinedemosmall(execute):
    """Two carriers: UA is 2 minutes later each hour, AA 1 minute, with NULLs."""
    if execute("SELECT 1 WHERE OBJECT_ID(N'dbo.airlinedemosmall') IS NOT NULL"):
        pytest.skip("the database has a table airlinedemosmall of its own")
    execute(
        "CREATE TABLE dbo.airlinedemosmall (ArrDelay int NULL, CRSDepTime float NOT NULL, "
        "DayOfWeek varchar(9) NOT NULL, Carrier varchar(2) NOT NULL)"
    )
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    rows = [
        f"({'NULL' if slope == 1 and n % 10 == 0 else slope * (n % 24) + n % 7 + 5}, {n % 24}, "
        f"'{days[n % 7]}', '{carrier}')"
        for carrier, slope, count in (("UA", 2, 70), ("AA", 1, 50))
        for n in range(count)
    ]
    execute("INSERT INTO dbo.airlinedemosmall VALUES " + ", ".join(rows))
    yield
    execute("DROP TABLE dbo.airlinedemosmall")


def run(example, connection_string):
    done = subprocess.run(
        [sys.executable, EXAMPLES / example],
        env={**os.environ, "SQLEXEC_CONNECTION": connection_string, "COLUMNS": "100"},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.usefixtures("airlinedemosmall")
def test_the_seed_example(connection_string):
    assert run("seed_example.py", connection_string) == "[100]\n"


@pytest.mark.usefixtures("airlinedemosmall")
def test_a_regression_a_carrier(connection_string):
    lines = run("delays_by_carrier.py", connection_string).splitlines()
    rows = [line.replace("│", " ").split() for line in lines if line.startswith("│")]
    assert rows[0] == ["UA", "70", "5.00", "2.00", "Saturday", "1.000"]
    assert rows[1][:2] == ["AA", "45"]
    assert any(line.startswith("UA:     70 flights, R2 = 1.000, process ") for line in lines)
    assert lines[-1].startswith("115 flights, 2 tasks in ")


@pytest.mark.usefixtures("airlinedemosmall")
def test_statistics_of_all_flights(connection_string):
    lines = run("pema_flights.py", connection_string).splitlines()
    assert lines[0].startswith("MeanByGroup: one pass")
    assert lines[1].startswith("  UA is latest: 30.37 min on average")
    assert "R2 = " in lines[3]
    assert lines[3].endswith("115 flights")
    assert lines[4].startswith("LogisticRegression: ")
    assert len(lines) == 10
