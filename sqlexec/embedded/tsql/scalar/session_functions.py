"""Functions and @@variables that ask the session or the catalog: OBJECT_ID, DB_NAME, ERROR_LINE.

    FUNCTIONS["DB_NAME"](session) -> ("RevoTestDB", SYSNAME)

`queries` uses the same table to put the values of such calls into what DuckDB gets to see.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable

from sqlexec import __version__
from sqlexec.embedded.catalog import DatabaseImage, DatabaseObject
from sqlexec.embedded.catalog.types import COLLATION, SYSTEM_TYPES
from sqlexec.embedded.sqltypes import (
    BIGINT,
    INT,
    MAX,
    NVARCHAR_MAX,
    SYSNAME,
    SqlType,
)
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.scalar.conversions import convert, literal_type
from sqlexec.embedded.tsql.scalar.operators import Typed
from sqlexec.embedded.tsql.state import Session

PRODUCT_VERSION = "16.0.1000.6"
SMALLINT = SqlType("smallint")
_MESSAGE = SqlType("nvarchar", 4000)
_SID = SqlType("varbinary", 85)

Function = Callable[..., Typed]
FUNCTIONS: dict[str, Function] = {}  # by upper-case name
SYSTEM_VARIABLES: dict[str, Function] = {}  # by upper-case name with its @@


def _function(*names: str) -> Callable[[Function], Function]:
    def register(function: Function) -> Function:
        for name in names:
            (SYSTEM_VARIABLES if name.startswith("@@") else FUNCTIONS)[name] = function
        return function

    return register


def version_text() -> str:
    """@@VERSION, in the form that drivers' dialects read the product version from."""
    return (
        f"Microsoft SQL Server 2022 (embedded stand-in sqlexec {__version__}) - {PRODUCT_VERSION} "
        f"(X64) \n\tDeveloper Edition (64-bit) on {platform.system()} (sqlexec, not Microsoft's)"
    )


# --- the server --------------------------------------------------------------------------


@_function("@@VERSION")
def _version(session: Session) -> Typed:
    return version_text(), SqlType("nvarchar", 300)


@_function("@@SERVERNAME")
def _servername(session: Session) -> Typed:
    return session.instance.name, SYSNAME


@_function("@@SERVICENAME")
def _servicename(session: Session) -> Typed:
    return "MSSQLSERVER", SYSNAME


def _constant(name: str, value: object, type: SqlType) -> None:
    (SYSTEM_VARIABLES if name.startswith("@@") else FUNCTIONS)[name] = lambda session: (value, type)


_constant("@@LANGUAGE", "us_english", SYSNAME)
_constant("@@LANGID", 0, SMALLINT)
_constant("@@DATEFIRST", 7, SqlType("tinyint"))
_constant("@@MAX_PRECISION", 38, SqlType("tinyint"))
_constant("@@MICROSOFTVERSION", 0x100003E8, INT)
_constant("@@OPTIONS", 5496, INT)


@_function("SERVERPROPERTY")
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


@_function("@@SPID")
def _spid(session: Session) -> Typed:
    return session.session_id, SMALLINT


@_function("@@TRANCOUNT")
def _trancount(session: Session) -> Typed:
    return session.transaction_count, INT


@_function("@@ROWCOUNT")
def _rowcount(session: Session) -> Typed:
    return session.row_count, INT


@_function("ROWCOUNT_BIG")
def _rowcount_big(session: Session) -> Typed:
    return session.row_count, BIGINT


@_function("@@ERROR")
def _error(session: Session) -> Typed:
    return session.error_number, INT


@_function("@@IDENTITY", "SCOPE_IDENTITY")
def _identity(session: Session) -> Typed:
    return session.last_identity, SqlType("decimal", None, 38, 0)


@_function("@@NESTLEVEL")
def _nestlevel(session: Session) -> Typed:
    return sum(bool(frame.procedure) for frame in session.frames), INT


@_function("@@PROCID")
def _procid(session: Session) -> Typed:
    return session.frame.object_id, INT


@_function("@@LOCK_TIMEOUT")
def _lock_timeout(session: Session) -> Typed:
    seconds = session.options.lock_timeout
    return (-1 if seconds < 0 else int(seconds * 1000)), INT


@_function("@@TEXTSIZE")
def _textsize(session: Session) -> Typed:
    return session.options.textsize, INT


@_function("XACT_STATE")
def _xact_state(session: Session) -> Typed:
    if not session.transaction_count:
        return 0, SMALLINT
    return (-1 if session.transaction_doomed else 1), SMALLINT


@_function("APP_NAME", "PROGRAM_NAME")
def _app_name(session: Session) -> Typed:
    return session.application_name, SYSNAME


@_function("HOST_NAME")
def _host_name(session: Session) -> Typed:
    return session.host_name, SYSNAME


@_function("HOST_ID")
def _host_id(session: Session) -> Typed:
    return None, SqlType("char", 10)


@_function("CONNECTIONPROPERTY")
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


@_function("SESSION_CONTEXT")
def _session_context(session: Session, key: object) -> Typed:
    value = session.context.get(str(key).lower())
    return value, literal_type(value) if value is not None else _MESSAGE


@_function("CONTEXT_INFO")
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

    FUNCTIONS[name] = function


_error_function("ERROR_NUMBER", "number", INT)
_error_function("ERROR_SEVERITY", "severity", INT)
_error_function("ERROR_STATE", "state", INT)
_error_function("ERROR_PROCEDURE", "procedure", SYSNAME)
_error_function("ERROR_LINE", "line", INT)
_error_function("ERROR_MESSAGE", "message", _MESSAGE)


# --- principals --------------------------------------------------------------------------


@_function("SUSER_SNAME", "SUSER_NAME")
def _suser_name(session: Session, principal: object = ...) -> Typed:
    if principal is ...:
        return session.principal.login, SYSNAME
    for login in session.instance.catalog.snapshot(session).logins.values():
        if principal in (login.sid, login.id):
            return login.name, SYSNAME
    return None, SYSNAME


@_function("ORIGINAL_LOGIN")
def _original_login(session: Session) -> Typed:
    return (session.impersonated or [session.principal])[0].login, SYSNAME


@_function("SYSTEM_USER")
def _system_user(session: Session) -> Typed:
    return session.principal.login, SYSNAME


@_function("SUSER_SID")
def _suser_sid(session: Session, name: object = ...) -> Typed:
    login = session.principal.login if name is ... else str(name)
    found = session.instance.catalog.snapshot(session).logins.get(login.lower())
    return (None if found is None else found.sid), _SID


@_function("SUSER_ID")
def _suser_id(session: Session, name: object = ...) -> Typed:
    login = session.principal.login if name is ... else str(name)
    found = session.instance.catalog.snapshot(session).logins.get(login.lower())
    return (None if found is None else found.id), INT


@_function("USER_NAME", "CURRENT_USER", "SESSION_USER", "USER")
def _user_name(session: Session, number: object = ...) -> Typed:
    if number is ...:
        return session.principal.user, SYSNAME
    image = session.instance.catalog.image(session)
    return image.names.get(number if isinstance(number, int) else -1), SYSNAME


@_function("USER_ID", "DATABASE_PRINCIPAL_ID")
def _user_id(session: Session, name: object = ...) -> Typed:
    if name is ...:
        return session.principal.user_id, INT
    found = session.instance.catalog.image(session).principals.get(str(name).lower())
    return (None if found is None else found[0]), INT


@_function("IS_MEMBER")
def _is_member(session: Session, role: object) -> Typed:
    return _flag(session.instance.catalog.is_member(session, str(role)))


@_function("IS_ROLEMEMBER")
def _is_rolemember(session: Session, role: object, user: object = None) -> Typed:
    name = None if user is None else str(user)
    return _flag(session.instance.catalog.is_member(session, str(role), name))


@_function("IS_SRVROLEMEMBER")
def _is_srvrolemember(session: Session, role: object, login: object = None) -> Typed:
    name = None if login is None else str(login)
    return _flag(session.instance.catalog.is_server_member(session, str(role), name))


def _flag(value: bool | None) -> Typed:
    return (None if value is None else int(value)), INT


@_function("HAS_DBACCESS")
def _has_dbaccess(session: Session, database: object) -> Typed:
    try:
        session.instance.catalog.principal_in(session.principal, str(database), session)
    except SqlError as error:
        return (None if error.number == 911 else 0), INT
    return 1, INT


@_function("HAS_PERMS_BY_NAME")
def _has_perms_by_name(
    session: Session, securable: object, kind: object, permission: object, *_sub: object
) -> Typed:
    """1, 0, or NULL where the securable is not found.  A NULL securable is the current one."""
    catalog = session.instance.catalog
    wanted = str(permission).upper()
    class_name = "" if kind is None else str(kind).upper()
    if class_name == "" and securable is None:
        if wanted == "ANY":
            return 1, INT
        return int(catalog.has_server_permission(session, wanted)), INT
    if class_name == "DATABASE":
        name = session.database if securable is None else str(securable).strip("[]")
        if name.lower() not in catalog.snapshot(session).databases:
            return None, INT
        return int(catalog.has_permission(session, wanted, database=name)), INT
    if class_name == "SCHEMA":
        schema = str(securable).strip("[]")
        if schema.lower() not in catalog.image(session).schemas:
            return None, INT
        return int(catalog.has_permission(session, wanted, schema=schema)), INT
    if class_name == "OBJECT":
        number = catalog.object_id(session, str(securable))
        if number is None:
            return None, INT
        return int(catalog.has_permission(session, wanted, number)), INT
    return None, INT


# --- databases, schemas, objects, types --------------------------------------------------


def _image_by_id(session: Session, number: object) -> DatabaseImage | None:
    catalog = session.instance.catalog
    if number is ... or number is None:
        return catalog.image(session)
    images = catalog.snapshot(session).databases.values()
    return next((image for image in images if image.id == number), None)


@_function("DB_NAME")
def _db_name(session: Session, number: object = ...) -> Typed:
    if number is ...:
        return session.database, SYSNAME
    image = _image_by_id(session, number)
    return (None if image is None else image.name), SYSNAME


@_function("DB_ID")
def _db_id(session: Session, name: object = ...) -> Typed:
    databases = session.instance.catalog.snapshot(session).databases
    image = databases.get((session.database if name is ... else str(name)).lower())
    return (None if image is None else image.id), INT


@_function("ORIGINAL_DB_NAME")
def _original_db_name(session: Session) -> Typed:
    return session.principal.default_database, SYSNAME


@_function("SCHEMA_NAME")
def _schema_name(session: Session, number: object = ...) -> Typed:
    if number is ...:
        return session.principal.default_schema, SYSNAME
    schemas = session.instance.catalog.image(session).schemas.values()
    return next((name for schema_id, name, _ in schemas if schema_id == number), None), SYSNAME


@_function("SCHEMA_ID")
def _schema_id(session: Session, name: object = ...) -> Typed:
    wanted = session.principal.default_schema if name is ... else str(name)
    found = session.instance.catalog.image(session).schemas.get(wanted.lower())
    return (None if found is None else found[0]), INT


@_function("OBJECT_ID")
def _object_id(session: Session, name: object, kind: object = None) -> Typed:
    if name is None:
        return None, INT
    wanted = None if kind is None else str(kind)
    return session.instance.catalog.object_id(session, str(name), wanted), INT


def _object(session: Session, number: object, database: object) -> DatabaseObject | None:
    image = _image_by_id(session, database)
    return None if image is None or not isinstance(number, int) else image.by_id.get(number)


@_function("OBJECT_NAME")
def _object_name(session: Session, number: object, database: object = ...) -> Typed:
    found = _object(session, number, database)
    return (None if found is None else found.name), SYSNAME


@_function("OBJECT_SCHEMA_NAME")
def _object_schema_name(session: Session, number: object, database: object = ...) -> Typed:
    found = _object(session, number, database)
    return (None if found is None else found.schema), SYSNAME


@_function("OBJECT_DEFINITION")
def _object_definition(session: Session, number: object) -> Typed:
    found = _object(session, number, ...)
    visible = found is not None and (
        session.instance.catalog.has_permission(session, "VIEW DEFINITION", found.object_id)
    )
    return (found.definition if found is not None and visible else None), NVARCHAR_MAX


@_function("COL_LENGTH")
def _col_length(session: Session, table: object, column: object) -> Typed:
    catalog = session.instance.catalog
    number = catalog.object_id(session, str(table))
    found = None if number is None else catalog.object_by_id(session, number)
    for declared in found.columns if found else ():
        if declared.name.lower() == str(column).lower():
            type = declared.type
            if type.length is not None:
                wide = 2 if type.name in ("nchar", "nvarchar") and type.length != MAX else 1
                return type.length * wide, SMALLINT
            return SYSTEM_TYPES[type.name].max_length, SMALLINT
    return None, SMALLINT


@_function("COL_NAME")
def _col_name(session: Session, table: object, number: object) -> Typed:
    found = _object(session, table, ...)
    columns = found.columns if found else ()
    return next((column.name for column in columns if column.id == number), None), SYSNAME


@_function("TYPE_NAME")
def _type_name(session: Session, number: object) -> Typed:
    names = (row.name for row in SYSTEM_TYPES.values() if row.user_type_id == number)
    return next(names, None), SYSNAME


@_function("TYPE_ID")
def _type_id(session: Session, name: object) -> Typed:
    found = SYSTEM_TYPES.get(str(name).lower())
    return (None if found is None else found.user_type_id), INT


@_function("DATABASEPROPERTYEX")
def _databasepropertyex(session: Session, database: object, name: object) -> Typed:
    text = SqlType("nvarchar", 128)
    if str(database).lower() not in session.instance.catalog.snapshot(session).databases:
        return None, text
    values: dict[str, Typed] = {
        "collation": (COLLATION, text),
        "status": ("ONLINE", text),
        "updateability": ("READ_WRITE", text),
        "useraccess": ("MULTI_USER", text),
        "recovery": ("SIMPLE", text),
        "version": (957, INT),
        "isautoclose": (0, INT),
    }
    return values.get(str(name).lower(), (None, text))


@_function("IDENT_CURRENT")
def _ident_current(session: Session, table: object) -> Typed:
    """The last identity value of a table, read from its rows."""
    kind = SqlType("decimal", None, 38, 0)
    catalog = session.instance.catalog
    number = catalog.object_id(session, str(table), "U")
    found = None if number is None else catalog.object_by_id(session, number)
    column = next((c for c in found.columns if c.identity), None) if found else None
    if found is None or column is None or column.identity is None:
        return None, kind
    name = column.name.replace('"', '""')
    rows = session.connection.execute(f'SELECT max("{name}") FROM {found.storage}').fetchall()
    return convert(column.identity[0] if rows[0][0] is None else rows[0][0], None, kind), kind


@_function("OBJECTPROPERTY", "OBJECTPROPERTYEX")
def _objectproperty(session: Session, number: object, name: object) -> Typed:
    found = _object(session, number, ...)
    kinds = {"isprocedure": "P", "isusertable": "U", "istable": "U", "isview": "V"}
    wanted = kinds.get(str(name).lower())
    if found is None or wanted is None:
        return None, INT
    return int(found.type == wanted), INT


@_function("CURRENT_TRANSACTION_ID")
def _current_transaction_id(session: Session) -> Typed:
    return session.transaction_descriptor, BIGINT


@_function("CURRENT_REQUEST_ID")
def _current_request_id(session: Session) -> Typed:
    return 0, SMALLINT
