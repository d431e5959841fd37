"""WAITFOR and KILL."""

from __future__ import annotations

import datetime as dt

from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.run.evaluation import evaluate
from sqlexec.embedded.tsql.scalar.conversions import convert
from sqlexec.embedded.tsql.scalar.text_conversions import text_of
from sqlexec.embedded.tsql.signals import Cancelled
from sqlexec.embedded.tsql.state import Session
from sqlexec.embedded.tsql.syntax import nodes


def wait_for(session: Session, node: nodes.WaitFor) -> None:
    """WAITFOR DELAY 'hh:mm:ss' and TIME 'hh:mm'; a cancel ends it at once."""
    value, kind = evaluate(session, node.value)
    text = "" if value is None else text_of(value, kind)
    if isinstance(value, dt.datetime):
        clock: object = value.time()
    else:
        try:
            clock = convert(text, kind, SqlType("time", None, None, 7))
        except SqlError:
            raise SqlError(148, f"Incorrect time syntax in time string '{text}' used with WAITFOR.",
                           15) from None  # fmt: skip
    if not isinstance(clock, dt.time):
        return
    wanted = dt.timedelta(
        hours=clock.hour, minutes=clock.minute, seconds=clock.second, microseconds=clock.microsecond
    )
    if node.kind == "TIME":
        now = dt.datetime.now()
        wanted -= now - now.replace(hour=0, minute=0, second=0, microsecond=0)
        if wanted < dt.timedelta():
            wanted += dt.timedelta(days=1)
    if session.cancelled.wait(wanted.total_seconds()):
        raise Cancelled


def kill(session: Session, number: int) -> None:
    """KILL: end what another session is doing, and its connection."""
    if number == session.session_id:
        raise SqlError.of(6104)
    if not session.instance.catalog.has_server_permission(session, "ALTER ANY CONNECTION"):
        raise SqlError(6102, "User does not have permission to use the KILL statement.", 14)
    other = session.instance.sessions.get(number)
    if other is None:
        raise SqlError(6106, f"Process ID {number} is not an active process ID.")
    other.cancel()
    if other.disconnect:
        other.disconnect()
