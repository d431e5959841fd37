"""Functions and @@variables that ask the session: @@ROWCOUNT, APP_NAME, ERROR_LINE ...

Those that ask the catalog are in `catalog_functions`.
"""

from __future__ import annotations

import os
import platform

from sqlexec.embedded.catalog.types import COLLATION
from sqlexec.embedded.sqltypes import (
    BIGINT,
    INT,
    SYSNAME,
    SqlType,
)
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.scalar.facts import literal_type
from sqlexec.embedded.tsql.scalar.registry import (
    Typed,
    session_function,
)
from sqlexec.embedded.tsql.state import Session
from sqlexec.version import __version__

PRODUCT_VERSION = "16.0.1000.6"
SMALLINT = SqlType("smallint")
_MESSAGE = SqlType("nvarchar", 4000)


def version_text() -> str:
    """@@VERSION, in the form that drivers' dialects read the product version from."""
    return (
        f"Microsoft SQL Server 2022 (embedded stand-in sqlexec {__version__}) - {PRODUCT_VERSION} "
        f"(X64) \n\tDeveloper Edition (64-bit) on {platform.system()} (sqlexec, not Microsoft's)"
    )


# --- the server --------------------------------------------------------------------------


@session_function("@@VERSION")
def _version(session: Session) -> Typed:
    return version_text(), SqlType("nvarchar", 300)


@session_function("@@SERVERNAME")
def _servername(session: Session) -> Typed:
    return session.instance.name, SYSNAME


@session_function("@@SERVICENAME")
def _servicename(session: Session) -> Typed:
    return "MSSQLSERVER", SYSNAME


def _constant(name: str, value: object, type: SqlType) -> None:
    session_function(name)(lambda session: (value, type))


_constant("@@LANGUAGE", "us_english", SYSNAME)
_constant("@@LANGID", 0, SMALLINT)
_constant("@@DATEFIRST", 7, SqlType("tinyint"))
_constant("@@MAX_PRECISION", 38, SqlType("tinyint"))
_constant("@@MICROSOFTVERSION", 0x100003E8, INT)
_constant("@@OPTIONS", 5496, INT)


@session_function("SERVERPROPERTY")
def _serverproperty(session: Session, name: object) -> Typed:
    text = SqlType("nvarchar", 128)
    properties: dict[str, Typed] = {
        "productversion": (PRODUCT_VERSION, text),
        "productlevel": ("RTM", text),
        "productmajorversion": ("16", text),
        "productminorversion": ("0", text),
        "productbuild": ("1000", text),
        "edition": ("Developer Edition (64-bit)", text),
        "engineedition": (3, INT),
        "editionid": (-2117995310, BIGINT),
        "collation": (COLLATION, text),
        "servername": (session.instance.name, text),
        "machinename": (session.instance.name, text),
        "computernamephysicalnetbios": (session.instance.name, text),
        "instancename": (None, text),
        "isadvancedanalyticsinstalled": (1, INT),
        "isclustered": (0, INT),
        "ishadrenabled": (0, INT),
        "isfulltextinstalled": (0, INT),
        "isintegratedsecurityonly": (0, INT),
        "issingleuser": (0, INT),
        "isxtpsupported": (0, INT),
        "ispolybaseinstalled": (0, INT),
        "islocaldb": (0, INT),
        "processid": (os.getpid(), INT),
        "lcid": (1033, INT),
        "sqlcharsetname": ("iso_1", text),
        "sqlsortordername": ("bin_ascii_8", text),
        "hadrmanagerstatus": (2, INT),
    }
    return properties.get(str(name).strip().lower(), (None, text))


# --- the session -------------------------------------------------------------------------


@session_function("@@SPID")
def _spid(session: Session) -> Typed:
    return session.session_id, SMALLINT


@session_function("@@TRANCOUNT")
def _trancount(session: Session) -> Typed:
    return session.transaction_count, INT


@session_function("@@ROWCOUNT")
def _rowcount(session: Session) -> Typed:
    return session.row_count, INT


@session_function("ROWCOUNT_BIG")
def _rowcount_big(session: Session) -> Typed:
    return session.row_count, BIGINT


@session_function("@@ERROR")
def _error(session: Session) -> Typed:
    return session.error_number, INT


@session_function("@@IDENTITY", "SCOPE_IDENTITY")
def _identity(session: Session) -> Typed:
    return session.last_identity, SqlType("decimal", None, 38, 0)


@session_function("@@NESTLEVEL")
def _nestlevel(session: Session) -> Typed:
    return sum(bool(frame.procedure) for frame in session.frames), INT


@session_function("@@PROCID")
def _procid(session: Session) -> Typed:
    return session.frame.object_id, INT


@session_function("@@LOCK_TIMEOUT")
def _lock_timeout(session: Session) -> Typed:
    seconds = session.options.lock_timeout
    return (-1 if seconds < 0 else int(seconds * 1000)), INT


@session_function("@@TEXTSIZE")
def _textsize(session: Session) -> Typed:
    return session.options.textsize, INT


@session_function("XACT_STATE")
def _xact_state(session: Session) -> Typed:
    if not session.transaction_count:
        return 0, SMALLINT
    return (-1 if session.transaction_doomed else 1), SMALLINT


@session_function("APP_NAME", "PROGRAM_NAME")
def _app_name(session: Session) -> Typed:
    return session.application_name, SYSNAME


@session_function("HOST_NAME")
def _host_name(session: Session) -> Typed:
    return session.host_name, SYSNAME


@session_function("HOST_ID")
def _host_id(session: Session) -> Typed:
    return None, SqlType("char", 10)


@session_function("CONNECTIONPROPERTY")
def _connectionproperty(session: Session, name: object) -> Typed:
    values = {
        "net_transport": "TCP",
        "protocol_type": "TSQL",
        "auth_scheme": "SQL",
        "local_net_address": "127.0.0.1",
        "client_net_address": "127.0.0.1",
        "physical_net_transport": "TCP",
    }
    return values.get(str(name).lower()), SqlType("nvarchar", 128)


@session_function("SESSION_CONTEXT")
def _session_context(session: Session, key: object) -> Typed:
    value = session.context.get(str(key).lower())
    return value, literal_type(value) if value is not None else _MESSAGE


@session_function("CONTEXT_INFO")
def _context_info(session: Session) -> Typed:
    return session.context_info, SqlType("varbinary", 128)


# --- errors, inside a CATCH block --------------------------------------------------------


def _caught(session: Session) -> SqlError | None:
    for frame in reversed(session.frames):
        if frame.caught:
            return frame.caught[-1]
    return None


def _error_function(name: str, attribute: str, type: SqlType) -> None:
    def function(session: Session) -> Typed:
        error = _caught(session)
        value = None if error is None else getattr(error, attribute)
        return (value or None if attribute == "procedure" else value), type

    session_function(name)(function)


_error_function("ERROR_NUMBER", "number", INT)
_error_function("ERROR_SEVERITY", "severity", INT)
_error_function("ERROR_STATE", "state", INT)
_error_function("ERROR_PROCEDURE", "procedure", SYSNAME)
_error_function("ERROR_LINE", "line", INT)
_error_function("ERROR_MESSAGE", "message", _MESSAGE)


@session_function("CURRENT_TRANSACTION_ID")
def _current_transaction_id(session: Session) -> Typed:
    return session.transaction_descriptor, BIGINT


@session_function("CURRENT_REQUEST_ID")
def _current_request_id(session: Session) -> Typed:
    return 0, SMALLINT


# --- application locks -------------------------------------------------------------------


def application_lock(session: Session, principal: object, resource: object) -> str:
    """The key of an application lock in the server's table of locks."""
    return f"applock {session.database} {principal} {resource}".lower()


@session_function("APPLOCK_TEST")
def _applock_test(
    session: Session, principal: object, resource: object, mode: object, owner: object
) -> Typed:
    """1 if sp_getapplock would get the lock at once, else 0."""
    connection = session.connection
    holder = connection.session_locks if str(owner).lower() == "session" else connection
    exclusive = str(mode).lower() not in ("shared", "intentshared")
    name = application_lock(session, principal, resource)
    free = session.instance.engine.locks.free(holder, name, exclusive=exclusive)
    return int(free), SqlType("smallint")
