"""Starts the embedded server in a process of its own, and stops it.

    this process                                     python -m sqlexec.embedded
    start()                       --- stdin: settings, one JSON line -->
                                  <-- stdout: {"port": ...} or {"error": ...}
    stop(), or this process ends  --- stdin: end of file -->  ends sessions, scripts, itself

The password is on no command line.

Two processes, so that client and server do not share an interpreter lock.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import IO
from urllib.parse import quote_plus

from sqlexec.drivers import find_driver
from sqlexec.errors import ConfigurationError, ConnectionFailed

_START_TIMEOUT = 60.0  # seconds
_STOP_TIMEOUT = 15.0
_TAIL = 4000  # bytes of the server's stderr that an error shows


class EmbeddedServer:
    """An embedded server, started by `with` or `start()`.

    Parameters
    ----------
    python : str or Path, optional
        The interpreter that runs external scripts; the one that runs this by default.
    database : str or Path, optional
        File that keeps the databases; in memory by default, gone when the server ends.
    port : int, default 0
        TCP port on 127.0.0.1; 0 for any free one, see `port`.
    password : str, optional
        Of `sa`; a random one by default.  Whoever logs in runs Python on this machine.
    launch_delay : float, default 0.0
        Seconds that the start of each external script takes on top, as on a slow Launchpad.
    cut_output : int, default 0
        Cut OUTPUT values of scripts at so many bytes, as some runtimes do at 65,535; 0 for never.
    memory_console : bool, default False
        Give scripts StringIO objects as sys.stdout and sys.stderr, as the open extension does.
    launch_failures : int, default 0
        So many launches fail with 39025 first.
    agent : bool, default True
        Whether SQL Server Agent is started; without it sp_start_job fails with 22022.

    Attributes
    ----------
    port : int
        Where it listens.
    connection_string : str
        ODBC, to database master as `sa`; pyodbc takes it as it is.
    url : str
        The same for SQLAlchemy.

    Raises
    ------
    ConnectionFailed
        From `start`, when the server does not come up; the message shows its stderr.

    Example
    -------
    >>> with EmbeddedServer() as server:                            # doctest: +SKIP
    ...     pyodbc.connect(server.connection_string).execute("SELECT 1").fetchval()
    1
    """

    def __init__(
        self,
        python: str | Path | None = None,
        database: str | Path | None = None,
        port: int = 0,
        password: str | None = None,
        launch_delay: float = 0.0,
        *,
        cut_output: int = 0,
        memory_console: bool = False,
        launch_failures: int = 0,
        agent: bool = True,
    ) -> None:
        if password is not None and not password:
            raise ConfigurationError("The password of an embedded server must not be empty.")
        self.port = port
        self.password = password or secrets.token_urlsafe(24)
        self._settings = {
            "python": str(python) if python else None,
            "database": str(Path(database).absolute()) if database else None,
            "port": port,
            "password": self.password,
            "launch_delay": launch_delay,
            "cut_output": cut_output,
            "memory_console": memory_console,
            "launch_failures": launch_failures,
            "agent": agent,
        }
        self._process: subprocess.Popen[str] | None = None
        self._stderr: IO[bytes] | None = None

    def __repr__(self) -> str:
        state = f"port={self.port}" if self._process else "stopped"
        return f"EmbeddedServer({state}, user='sa', password='***')"

    # --- how to reach it ------------------------------------------------------------------

    def odbc(self, *, driver: str | None = None, encrypt: bool = True, **options: str) -> str:
        """An ODBC connection string; further options replace those it has.

        Example
        -------
        >>> server.odbc(Database="RevoTestDB")                      # doctest: +SKIP
        """
        words = {
            "Driver": driver or find_driver(),
            "Server": f"tcp:127.0.0.1,{self.port}",
            "Database": "master",
            "UID": "sa",
            "PWD": self.password,
            "Encrypt": "yes" if encrypt else "no",
            "TrustServerCertificate": "yes",
            **options,
        }
        return ";".join(f"{name}={_odbc_value(value)}" for name, value in words.items())

    @property
    def connection_string(self) -> str:
        return self.odbc()

    @property
    def url(self) -> str:
        return "mssql+pyodbc:///?odbc_connect=" + quote_plus(self.connection_string)

    @property
    def process_id(self) -> int:
        """Of the server's process; 0 when it does not run."""
        return self._process.pid if self._process else 0

    # --- start and stop -------------------------------------------------------------------

    def __enter__(self) -> EmbeddedServer:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> EmbeddedServer:
        """Start the server and wait until it listens."""
        if self._process is not None:
            return self
        self._stderr = tempfile.TemporaryFile("a+b")  # noqa: SIM115 closed by stop()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sqlexec.embedded"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            encoding="utf-8",
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for the client; the server ends with it
        )
        atexit.register(self.stop)
        try:
            answer = self._hand_over_settings(self._process)
        except BaseException:
            self.stop()
            raise
        self.port = answer
        return self

    def stop(self) -> None:
        """End the server with its sessions and scripts; no process is left behind."""
        process, self._process = self._process, None
        if process is None:
            return
        atexit.unregister(self.stop)
        with contextlib.suppress(OSError):
            process.stdin.close()  # type: ignore[union-attr]
        try:
            process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()  # type: ignore[union-attr]
        if self._stderr is not None:
            self._stderr.close()

    def wait(self) -> None:
        """Wait until the server ends by itself."""
        if self._process is not None:
            self._process.wait()

    def log(self) -> str:
        """The end of what the server wrote to its stderr: tracebacks of its own bugs."""
        if self._stderr is None or self._stderr.closed:
            return ""
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - _TAIL))  # the server appends, wherever this stands
        return self._stderr.read(_TAIL).decode("utf-8", "replace")

    def _hand_over_settings(self, process: subprocess.Popen[str]) -> int:
        assert process.stdin
        assert process.stdout
        slow = threading.Timer(_START_TIMEOUT, process.kill)
        slow.start()
        try:
            with contextlib.suppress(BrokenPipeError):  # it died; its stderr tells why
                process.stdin.write(json.dumps(self._settings) + "\n")
                process.stdin.flush()
            answer = json.loads(process.stdout.readline() or "{}")
        finally:
            slow.cancel()
        if "port" in answer:
            return int(answer["port"])
        process.kill()
        process.wait()
        reason = answer.get("error") or self.log() or f"exit status {process.returncode}"
        raise ConnectionFailed(f"The embedded server did not start: {reason}")


def serve(
    python: str | Path | None = None,
    database: str | Path | None = None,
    port: int = 0,
    password: str | None = None,
    launch_delay: float = 0.0,
    *,
    agent: bool = True,
) -> None:
    """Run an embedded server until Ctrl-C; parameters as above.

    stdout gets the connection string alone, so that scripts may read it; stderr the rest.
    """
    with EmbeddedServer(python, database, port, password, launch_delay, agent=agent) as server:
        kept = f"in {database}" if database else "in memory, gone when it ends"
        print(
            f"A stand-in for SQL Server listens on 127.0.0.1, port {server.port}; data {kept}; "
            "Ctrl-C ends it. An ODBC connection string:",
            file=sys.stderr,
        )
        print(server.connection_string, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.wait()
            raise ConnectionFailed(f"The embedded server ended by itself: {server.log()}")


def _odbc_value(value: str) -> str:
    """Quoted with braces where the value needs it."""
    plain = value.replace(" ", "").replace("/", "").replace(".", "").replace("-", "")
    if plain and all(each.isalnum() or each in "_:,+" for each in plain) and value == value.strip():
        return value
    return "{" + value.replace("}", "}}") + "}"


def _environment() -> dict[str, str]:
    """This environment, with this very package first on the path."""
    package = str(Path(__file__).parents[2])
    paths = [package, os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
