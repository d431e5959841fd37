"""Values as literals of T-SQL, for the text of an input query, which takes no parameters."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time
from decimal import Decimal
from uuid import UUID

from sqlexec.errors import ConfigurationError


def literal(value: object) -> str:
    """The literal that SQL Server reads as this very value.

    Dates and times are written as text in the one form that no language setting changes; the
    column they are compared with gives the type.

    Raises
    ------
    ConfigurationError
        A value of another type than those of SQL Server's columns, or one that no column holds
        (nan).

    Example
    -------
    >>> literal("O'Hare"), literal(0.1), literal(None)
    ("N'O''Hare'", '0.1E0', 'NULL')
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        text = repr(float(value))
        return text if "e" in text else f"{text}E0"
    if isinstance(value, Decimal) and value.is_finite():
        return f"{value:f}"
    if isinstance(value, (str, UUID)):
        return text_literal(str(value))
    if isinstance(value, (bytes, bytearray)):
        return f"0x{value.hex()}"
    if isinstance(value, datetime) and value.tzinfo is None:
        return f"'{value.isoformat(timespec=_digits(value.microsecond))}'"
    if isinstance(value, time) and value.tzinfo is None:
        return f"'{value.isoformat(timespec=_digits(value.microsecond))}'"
    if isinstance(value, date) and not isinstance(value, datetime):
        return f"'{value.isoformat()}'"
    raise ConfigurationError(
        f"The value {value!r} of type {type(value).__name__} cannot stand in a query: CAST the "
        "column to another type in the sql_query, or take another column"
    )


def text_literal(text: str) -> str:
    """The literal, or sum of literals, that every tool reads as this very text.

    A backslash before a line's end would join the lines; a line with GO alone and `$(` mean
    something to sqlcmd and SSMS: in front of those a new literal begins.

    Example
    -------
    >>> text_literal("it's")
    "N'it''s'"
    """
    parts = [part.replace("'", "''") for part in _SPLIT.split(text)]
    if len(parts) == 1:
        return f"N'{parts[0]}'"
    return "CAST(N'' AS nvarchar(max)) + " + " + ".join(f"N'{part}'" for part in parts)


_SPLIT = re.compile(r"(?<=\\)(?=\r?\n)|(?<=\$)(?=\()|(?<=\b[Gg])(?=[Oo][ \t]*(?:\r?\n|$))")


def _digits(microsecond: int) -> str:
    """A datetime takes three digits of a second, and no more."""
    return "microseconds" if microsecond % 1000 else "milliseconds"


def quote_column(name: str) -> str:
    """A column's name in brackets.

    Example
    -------
    >>> quote_column("a]b")
    '[a]]b]'
    """
    return "[" + name.replace("]", "]]") + "]"
