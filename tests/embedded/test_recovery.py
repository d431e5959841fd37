"""A server on a file: what was committed is there after a kill, and nobody else reads the file."""

from __future__ import annotations

import os
import signal
import stat
import threading

import pyodbc

from sqlexec import RxInSqlServer, rx_exec
from sqlexec.bundle import install
from sqlexec.embedded import EmbeddedServer

ENOUGH = 20  # committed transactions before the kill


def test_a_kill_in_the_middle_of_writing(tmp_path):
    file = tmp_path / "kept.db"
    committed = []
    enough = threading.Event()

    def write(connection):
        try:
            while True:
                n = len(committed) + 1
                connection.execute(
                    f"BEGIN TRAN; INSERT INTO dbo.t VALUES ({n}); INSERT INTO dbo.t VALUES ({-n});"
                    " COMMIT"
                )
                committed.append(n)
                if n == ENOUGH:
                    enough.set()
        except pyodbc.Error:  # the server is gone
            enough.set()

    with EmbeddedServer(database=file) as server:
        connection = pyodbc.connect(server.connection_string, autocommit=True)
        connection.execute("CREATE DATABASE Kept")
        connection.execute("CREATE LOGIN reader WITH PASSWORD = 'Aa1!reader'")
        install(server.odbc(Database="Kept"))
        connection.execute("USE Kept")
        connection.execute("CREATE USER reader FOR LOGIN reader")
        connection.execute("CREATE TABLE dbo.t (n int NOT NULL PRIMARY KEY)")
        connection.execute("GRANT SELECT ON dbo.t TO reader")
        writer = threading.Thread(target=write, args=[connection], daemon=True)
        writer.start()
        assert enough.wait(60)
        os.kill(server.process_id, signal.SIGKILL)
        writer.join()
    assert len(committed) >= ENOUGH
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    with EmbeddedServer(database=file) as server:
        reader = pyodbc.connect(server.odbc(Database="Kept", UID="reader", PWD="Aa1!reader"))
        rows, least, most = reader.execute("SELECT COUNT(*), MIN(n), MAX(n) FROM dbo.t").fetchone()
        assert rows == 2 * most == -2 * least  # whole transactions
        assert len(committed) <= most <= len(committed) + 1  # the last one's answer may be lost
        reader.close()
        assert rx_exec(
            pow, base=2, exp=3, compute_context=RxInSqlServer(server.odbc(Database="Kept"))
        )
