"""DuckDB at work for a session: its errors, a cancel, the values of a statement's parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from sqlexec.embedded.tsql.translate import session_values
from sqlexec.embedded.tsql.translate.binder import Parameter
from sqlexec.embedded.tsql.translate.engine_errors import translate

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session


def values(
    session: Session, parameters: Sequence[Parameter], longest_copy: float = math.inf
) -> list[object]:
    """The parameters' values at this moment, as DuckDB takes them.

    Views of more bytes than `longest_copy` stay views.
    """
    found = []
    for parameter in parameters:
        if parameter.call:
            value = session_values.call(session, parameter.name, parameter.arguments)[0]
        else:
            value = session.frame.variable(parameter.name).value
        if isinstance(value, memoryview | bytearray):
            value = bytes(value) if len(value) <= longest_copy else value
        elif parameter.type.name == "datetimeoffset" and hasattr(value, "isoformat"):
            value = value.isoformat(" ")
        found.append(value)
    return found


@contextmanager
def running(session: Session) -> Iterator[None]:
    """DuckDB at work: a cancel interrupts it, its errors become SQL Server's."""
    stop = session.connection.interrupt
    session.on_cancel.append(stop)
    try:
        yield
    except duckdb.Error as error:
        raise translate(error, session.session_id) from error
    finally:
        session.on_cancel.remove(stop)
