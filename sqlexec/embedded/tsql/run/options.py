"""SET options: the few that change what the stand-in does, and those it accepts.

`Options` is replaced, never changed, so that a procedure's SETs end with it.
"""

from __future__ import annotations

from dataclasses import replace

from sqlexec.embedded.sqltypes import INT, SqlType
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.scalar.conversions import convert
from sqlexec.embedded.tsql.scalar.text_conversions import text_of
from sqlexec.embedded.tsql.state import Options, Session

_KEPT = {
    "NOCOUNT": "nocount",
    "XACT_ABORT": "xact_abort",
    "IMPLICIT_TRANSACTIONS": "implicit_transactions",
    "FMTONLY": "fmtonly",
    "QUOTED_IDENTIFIER": "quoted_identifier",
}
# Accepted in both settings: they change nothing that the stand-in does
_WITHOUT_EFFECT = frozenset({
    "ANSI_DEFAULTS", "ANSI_NULLS", "ANSI_NULL_DFLT_ON", "ANSI_NULL_DFLT_OFF", "ANSI_PADDING",
    "ANSI_WARNINGS", "ARITHABORT", "ARITHIGNORE", "CONCAT_NULL_YIELDS_NULL",
    "CURSOR_CLOSE_ON_COMMIT", "FORCEPLAN", "NO_BROWSETABLE", "NUMERIC_ROUNDABORT",
    "REMOTE_PROC_TRANSACTIONS",
})  # fmt: skip


def set_options(options: Options, names: tuple[str, ...], *, on: bool) -> Options:
    """SET a, b ON or OFF; 195 for an unknown option, 40517 for one the stand-in lacks."""
    changes: dict[str, bool] = {}
    for name in names:
        if name in _KEPT:
            changes[_KEPT[name]] = on
        elif name in ("SHOWPLAN_ALL", "SHOWPLAN_TEXT", "SHOWPLAN_XML", "NOEXEC", "PARSEONLY"):
            if on:
                raise unsupported(f"SET {name} ON")
        elif name not in _WITHOUT_EFFECT and not name.startswith("STATISTICS "):
            raise SqlError(195, f"'{name}' is not a recognized SET option.", 15)
    return replace(options, **changes)  # type: ignore[arg-type]


def set_value(session: Session, name: str, value: object, kind: SqlType) -> None:
    """SET name value."""
    if name in ("LOCK_TIMEOUT", "TEXTSIZE", "ROWCOUNT", "DATEFIRST"):
        number = convert(value, kind, INT)
        _set_number(session, name, number if isinstance(number, int) else 0)
    elif name == "CONTEXT_INFO":
        data = convert(value, kind, SqlType("binary", 128))
        session.context_info = bytes(data) if isinstance(data, (bytes, memoryview)) else None
    else:
        text = "" if value is None else text_of(value, kind).lower()
        if name == "DATEFORMAT" and text != "mdy":
            raise unsupported(f"SET DATEFORMAT {text}")
        if name == "LANGUAGE" and text not in ("us_english", "english"):
            raise unsupported(f"SET LANGUAGE {text}")


def _set_number(session: Session, name: str, number: int) -> None:
    options = session.options
    if name == "LOCK_TIMEOUT":
        session.options = replace(options, lock_timeout=-1.0 if number < 0 else number / 1000)
    elif name == "TEXTSIZE":
        session.options = replace(options, textsize=number if number > 0 else 2147483647)
    elif name == "ROWCOUNT" and number != 0:
        raise unsupported("SET ROWCOUNT other than 0")
    elif name == "DATEFIRST" and number != 7:
        raise unsupported("SET DATEFIRST other than 7")
