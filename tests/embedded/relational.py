"""A session over a real engine and catalog, for the tests of the relational side."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

from sqlexec.embedded.catalog import Catalog
from sqlexec.embedded.engine import Engine
from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.definitions import definitions
from sqlexec.embedded.tsql.queries import queries
from sqlexec.embedded.tsql.state import Frame, Instance, Session, Variable

_DEFINITIONS = ("CREATE", "ALTER", "DROP", "GRANT", "DENY", "REVOKE")


_NUMBERS = itertools.count()


@contextlib.contextmanager
def new_server() -> Iterator[tuple[Engine, Catalog]]:
    """Engine and catalog of a new server, where `sa`'s password is 'secret'.

    In a copy of one file: to make all system views takes longer than most tests.
    """
    template = Path(_folder().name, "new.duckdb")
    if not template.exists():
        engine = Engine(template)
        Catalog(engine).set_password("sa", "secret")
        engine.close()
    file = template.with_name(f"{next(_NUMBERS)}.duckdb")
    shutil.copyfile(template, file)
    engine = Engine(file)
    yield engine, Catalog(engine)
    engine.close()
    file.unlink()


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="sqlexec-")


class Database:
    """One server's engine with sa's session; `login` opens more."""

    def __init__(self, file: Path | None = None) -> None:
        self._open = contextlib.ExitStack()
        if file is None:
            self.engine, self.catalog = self._open.enter_context(new_server())
        else:
            self.engine = Engine(file)
            self._open.callback(self.engine.close)
            self.catalog = Catalog(self.engine)
            self.catalog.set_password("sa", "secret")
        self.instance = Instance(self.engine, self.catalog, cast(Any, None))
        self.sa = self.login("sa", "secret")

    def login(self, name: str, password: str, database: str = "master") -> Session:
        number = 51 + len(self.instance.sessions)
        principal = self.catalog.authenticate(name, password)
        session = Session(self.instance, self.engine.connect(), principal, "master", number)
        self.instance.sessions[number] = session
        session.frames.append(Frame())
        self.catalog.open_database(session, database)
        return session

    def run(self, text: str, session: Session | None = None) -> Any:
        """Rows of a SELECT or OUTPUT, rows affected of a write, None of a definition."""
        session = session or self.sa
        if text.split(maxsplit=1)[0].upper() in _DEFINITIONS:
            definitions.run(session, text)
            return None
        outcome = queries.run(session, text)
        if outcome.result is None:
            return outcome.rows
        if outcome.result.rows is not None:
            return [tuple(row) for row in outcome.result.rows]
        return [
            row
            for batch in outcome.result.batches or ()
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
        ]

    def columns(self, text: str) -> list[tuple[str, str]]:
        outcome = queries.run(self.sa, text)
        assert outcome.result is not None
        if outcome.result.batches is not None:
            list(outcome.result.batches)
        return [(column.name, str(column.type)) for column in outcome.result.columns]

    def variable(self, name: str, type: str, value: object = None) -> Variable:
        self.sa.frame.variables[name] = Variable(SqlType.parse(type), value)
        return self.sa.frame.variables[name]

    def close(self) -> None:
        for session in self.instance.sessions.values():
            session.connection.close()
        self._open.close()
