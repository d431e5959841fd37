"""The server's own process; `server.py` starts it and tells how they speak."""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import traceback
from pathlib import Path
from typing import Any

from sqlexec.embedded import agent
from sqlexec.embedded.catalog import Catalog, Principal
from sqlexec.embedded.engine import Engine
from sqlexec.embedded.launchpad import Launchpad, Quirks
from sqlexec.embedded.listener import Listener
from sqlexec.embedded.session import Host, Interpreter
from sqlexec.embedded.tds.certificate import make_certificate, tls_contexts
from sqlexec.embedded.tds.requests import Login
from sqlexec.embedded.tsql.run.interpreter import Interpreter as TsqlInterpreter
from sqlexec.embedded.tsql.state import Instance, Session

_POLL = 1.0  # seconds between looks at the parent


class Service:
    """Engine, catalog, launchpad and listener of one server."""

    def __init__(self, settings: dict[str, Any]) -> None:
        database, python = settings.get("database"), settings.get("python")
        self._engine = Engine(Path(database) if database else None)
        catalog = Catalog(self._engine)
        catalog.set_password("sa", settings["password"])
        quirks = Quirks(
            cut_output=settings.get("cut_output", 0),
            memory_console=settings.get("memory_console", False),
            launch_delay=settings.get("launch_delay", 0.0),
            launch_failures=settings.get("launch_failures", 0),
        )
        self._launchpad = Launchpad(Path(python) if python else None, quirks)
        self._instance = Instance(self._engine, catalog, self._launchpad)
        sa = catalog.login("sa")
        with contextlib.closing(self._session_of(sa, "msdb", 1, "setup")) as interpreter:
            if catalog.object_id(interpreter.session, "msdb.dbo.sysjobs") is None:
                agent.install(interpreter)
        self._agent: agent.Agent | None = None
        if settings.get("agent", True):
            self._agent = agent.Agent(self._instance, self._session_of)
            self._instance.agent = self._agent
        tls, strict_tls = tls_contexts(*make_certificate())
        host = Host(self._instance.name, self._open_session, tls, strict_tls)
        self.listener = Listener(host, settings.get("port", 0))

    def close(self) -> None:
        self.listener.stop()
        if self._agent is not None:
            self._agent.close()
        self._launchpad.close()
        self._engine.close()

    def _open_session(self, login: Login, session_id: int) -> Interpreter:
        catalog = self._instance.catalog
        principal = catalog.authenticate(login.user, login.password)
        database = login.database or principal.default_database
        names = login.application_name, login.host_name
        return self._session_of(principal, database, session_id, *names)

    def _session_of(
        self, principal: Principal, database: str, session_id: int, application: str, host: str = ""
    ) -> TsqlInterpreter:
        """A session of a login that is known already, in a database."""
        principal = self._instance.catalog.open_database(principal, database, login=True)
        session = Session(
            self._instance,
            self._engine.connect(),
            principal,
            principal.database,
            session_id,
            application,
            host,
        )
        self._instance.sessions[session_id] = session
        return _Registered(session)


class _Registered(TsqlInterpreter):
    """An interpreter whose session is listed in its instance while it lives."""

    def close(self) -> None:
        try:
            super().close()
        finally:
            self.session.instance.sessions.pop(self.session.session_id, None)


def main() -> int:
    """Serve until stdin ends."""
    os.umask(0o077)  # the database's file holds everybody's data
    parent = os.getppid()
    settings = json.loads(sys.stdin.readline())
    try:
        service = Service(settings)
    except Exception as error:  # noqa: BLE001 the parent tells the user
        traceback.print_exc()
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        return 1
    service.listener.start()
    print(json.dumps({"port": service.listener.port}), flush=True)
    _wait_for_parent(parent)
    service.close()
    return 0


def _wait_for_parent(parent: int) -> None:
    """Until stdin ends or the parent has died (a child it forked may hold the pipe open)."""
    if sys.platform == "win32":
        sys.stdin.read()
        return
    while os.getppid() == parent:
        ready, _, _ = select.select([sys.stdin], [], [], _POLL)
        if ready and not os.read(sys.stdin.fileno(), 1 << 16):
            return


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # DuckDB prints notes about leaks when the interpreter takes itself apart
