"""A server whose interpreter only echoes: real sockets, TLS, packets and tokens, no T-SQL.

Batches it knows: `rows N` (Arrow batches of int, float, int), `bytes N`, `text N`, `wait`,
`message`, `error`, `fail`; all else answers one row with the batch's text.  Statements with
parameters and procedures answer one row of their arguments, and write OUTPUT arguments back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa

from sqlexec.embedded.listener import Listener
from sqlexec.embedded.results import Argument, Column, ResultSet, Sink
from sqlexec.embedded.session import Host
from sqlexec.embedded.sqltypes import FLOAT, INT, NVARCHAR_MAX, VARBINARY_MAX
from sqlexec.embedded.tds.certificate import make_certificate, tls_contexts
from sqlexec.embedded.tds.requests import Login
from sqlexec.embedded.tsql.errors import Message, SqlError

PASSWORD = "Echo-Password-1"


class EchoSession(SimpleNamespace):
    def __init__(self) -> None:
        super().__init__(database="master", cancelled=threading.Event(), sink=None)

    def cancel(self) -> None:
        self.cancelled.set()


class EchoInterpreter:
    """Implements what `session.Interpreter` asks for."""

    def __init__(self, log: list[Any]) -> None:
        self.session: Any = EchoSession()
        self.log = log
        self.descriptor = 0

    def batch(self, text: str, sink: Sink) -> None:
        self.log.append(("batch", text))
        word, _, rest = text.strip().partition(" ")
        if word == "sp_datatype_info_100":
            return _send_type_info(int(rest.split(",")[0]), sink)
        action: Callable[[str, Sink], None] = getattr(self, f"do_{word}", self._text)
        try:
            action(rest if action != self._text else text, sink)
        except SqlError as error:
            sink.error(error)

    def _text(self, text: str, sink: Sink) -> None:
        sink.result_set(ResultSet([Column("", NVARCHAR_MAX)], rows=[(text,)]))

    def do_rows(self, count: str, sink: Sink) -> None:
        columns = [Column("a", INT), Column("b", FLOAT), Column("c", INT)]
        sink.result_set(ResultSet(columns, batches=_batches(int(count))))

    def do_bytes(self, count: str, sink: Sink) -> None:
        value = memoryview(bytes(int(count)))
        sink.result_set(ResultSet([Column("b", VARBINARY_MAX)], rows=[(value,)]))

    def do_text(self, count: str, sink: Sink) -> None:
        columns = [Column("n", INT), Column("t", NVARCHAR_MAX)]
        sink.result_set(ResultSet(columns, rows=((i, f"row {i}") for i in range(int(count)))))

    def do_wait(self, _: str, sink: Sink) -> None:
        self.session.cancelled.wait(60)

    def do_message(self, text: str, sink: Sink) -> None:
        sink.message(Message(text), flush=True)
        sink.done(3)

    def do_error(self, text: str, sink: Sink) -> None:
        raise SqlError(50000, text)

    def do_fail(self, _: str, sink: Sink) -> None:
        raise ZeroDivisionError("a bug in the stand-in")

    def sql(self, statement: str, declaration: str, arguments: list[Argument], sink: Sink) -> int:
        self.log.append(("sql", statement, declaration, [a.value for a in arguments]))
        columns = [Column(a.name or f"p{i}", a.type) for i, a in enumerate(arguments)]
        sink.result_set(ResultSet(columns, rows=[[a.value for a in arguments]]))
        for argument in arguments:
            if argument.output:
                argument.value = 42
        return 7

    def call(self, name: str, arguments: list[Argument], sink: Sink) -> int:
        if "datatype_info" in name:
            _send_type_info(arguments[0].value, sink)
            return 0
        return self.sql(name, "", arguments, sink)

    def begin(self, isolation: int) -> None:
        self.descriptor += 1
        self.log.append(("begin", isolation))
        self.session.sink.transaction_began(self.descriptor)

    def commit(self) -> None:
        self.log.append(("commit",))
        self.session.sink.transaction_ended(self.descriptor, committed=True)

    def rollback(self) -> None:
        self.log.append(("rollback",))
        self.session.sink.transaction_ended(self.descriptor, committed=False)

    def reset(self) -> None:
        self.log.append(("reset",))

    def close(self) -> None:
        self.log.append(("close",))


def _send_type_info(kind: Any, sink: Sink) -> None:
    """What pyodbc asks for: the longest value of a type (it reads the third column)."""
    sizes = {12: [8000], -9: [4000], -3: [8000], 93: [27, 23, 16]}.get(kind, [])
    names = "TYPE_NAME DATA_TYPE PRECISION LITERAL_PREFIX LITERAL_SUFFIX CREATE_PARAMS NULLABLE"
    columns = [
        Column(name, NVARCHAR_MAX if i == 0 else INT) for i, name in enumerate(names.split())
    ]
    rows = [("type", kind, size, None, None, None, 1) for size in sizes]
    sink.result_set(ResultSet(columns, rows=rows))


def _batches(count: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, count, 1 << 16):
        i = np.arange(start, min(count, start + (1 << 16)))
        arrays = [(i % 1000).astype(np.int32), i.astype(float), (i % 7).astype(np.int32)]
        yield pa.RecordBatch.from_arrays([pa.array(a) for a in arrays], names=["a", "b", "c"])


@contextmanager
def echo_server(**options: Any) -> Iterator[SimpleNamespace]:
    """A running echo server: `.port`, `.log` (what was asked), `.certificate`."""
    log: list[Any] = []

    def open_session(login: Login, session_id: int) -> EchoInterpreter:
        if login.password != PASSWORD:
            raise SqlError.of(18456, login.user)
        log.append(("login", login))
        return EchoInterpreter(log)

    key, certificate = make_certificate()
    tls, strict = tls_contexts(key, certificate)
    listener = Listener(Host("ECHO", open_session, tls, strict, **options))
    listener.start()
    try:
        yield SimpleNamespace(
            port=listener.port, log=log, certificate=certificate, listener=listener
        )
    finally:
        listener.stop()
