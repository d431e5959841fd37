"""The server's process: it starts, says why when it cannot, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pyodbc
import pytest

from sqlexec.embedded import EmbeddedServer
from sqlexec.errors import ConfigurationError, ConnectionFailed


def processes_of(server: EmbeddedServer) -> list[psutil.Process]:
    parent = psutil.Process(server.process_id)
    return [parent, *parent.children(recursive=True)]


def test_it_starts_answers_and_stops_without_a_trace() -> None:
    with EmbeddedServer() as server:
        with contextlib.closing(pyodbc.connect(server.connection_string)) as connection:
            assert connection.execute("SELECT 1").fetchval() == 1
        processes = processes_of(server)
        waiting = pyodbc.connect(server.connection_string)
        assert server.log() == ""
    gone, alive = psutil.wait_procs(processes, timeout=20)
    assert not alive
    assert len(gone) == len(processes)
    with contextlib.suppress(pyodbc.Error):
        waiting.close()


def test_the_password_is_random_and_shown_nowhere() -> None:
    with EmbeddedServer() as server:
        assert len(server.password) >= 24
        assert server.password != EmbeddedServer().password
        assert server.password not in repr(server)
        for process in processes_of(server):
            assert server.password not in " ".join(process.cmdline())
            assert server.password not in str(process.environ())
        wrong = server.odbc(PWD="wrong")
        with pytest.raises(pyodbc.Error, match=r"Login failed for user 'sa'.*18456"):
            pyodbc.connect(wrong)


@pytest.mark.parametrize("password", ["p;w}{d ='\"", "\u00fcml\u00e4ut", "simple"])
def test_any_password_fits_into_the_connection_strings(password: str) -> None:
    with EmbeddedServer(password=password) as server:
        pyodbc.connect(server.connection_string).close()


def test_an_empty_password_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="password"):
        EmbeddedServer(password="")


def test_a_taken_port_is_told() -> None:
    with (
        EmbeddedServer() as server,
        pytest.raises(ConnectionFailed, match=r"did not start: .*use"),
    ):
        EmbeddedServer(port=server.port).start()


def test_a_file_keeps_the_databases(tmp_path: Path) -> None:
    file = tmp_path / "server.duckdb"
    with (
        EmbeddedServer(database=file) as server,
        contextlib.closing(pyodbc.connect(server.connection_string, autocommit=True)) as c,
    ):
        c.execute("CREATE TABLE kept (a int)")
        c.execute("INSERT INTO kept VALUES (7)")
    with (
        EmbeddedServer(database=file) as server,  # with another password of sa
        contextlib.closing(pyodbc.connect(server.connection_string, autocommit=True)) as c,
    ):
        assert c.execute("SELECT a FROM kept").fetchval() == 7


def test_it_ends_with_the_process_that_started_it() -> None:
    script = textwrap.dedent("""
        import os, signal
        from sqlexec.embedded import EmbeddedServer
        server = EmbeddedServer().start()
        print(server.process_id, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    ended = subprocess.run(  # noqa: PLW1510 it kills itself
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=60
    )
    process_id = int(ended.stdout)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(process_id).wait(20)
    assert not psutil.pid_exists(process_id)


def test_start_and_stop_may_be_called_twice() -> None:
    server = EmbeddedServer()
    server.stop()
    server.start()
    port = server.port
    assert server.start().port == port
    server.stop()
    server.stop()
    assert server.process_id == 0
