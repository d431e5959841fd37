"""Functions that ask the catalog: OBJECT_ID, DB_NAME, SUSER_SNAME, HAS_PERMS_BY_NAME."""

from __future__ import annotations

from sqlexec.embedded.catalog import DatabaseImage, DatabaseObject
from sqlexec.embedded.catalog.types import COLLATION, SYSTEM_TYPES
from sqlexec.embedded.sqltypes import (
    INT,
    MAX,
    NVARCHAR_MAX,
    SYSNAME,
    SqlType,
)
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.scalar.conversions import convert
from sqlexec.embedded.tsql.scalar.registry import (
    Typed,
    session_function,
)
from sqlexec.embedded.tsql.scalar.session_functions import SMALLINT
from sqlexec.embedded.tsql.state import Session
from sqlexec.embedded.tsql.syntax.names import last_part, three_parts

_SID = SqlType("varbinary", 85)


@session_function("SUSER_SNAME", "SUSER_NAME")
def _suser_name(session: Session, principal: object = ...) -> Typed:
    if principal is ...:
        return session.principal.login, SYSNAME
    for login in session.instance.catalog.snapshot(session).logins.values():
        if principal in (login.sid, login.id):
            return login.name, SYSNAME
    return None, SYSNAME


@session_function("ORIGINAL_LOGIN")
def _original_login(session: Session) -> Typed:
    return (session.impersonated or [session.principal])[0].login, SYSNAME


@session_function("SYSTEM_USER")
def _system_user(session: Session) -> Typed:
    return session.principal.login, SYSNAME


@session_function("SUSER_SID")
def _suser_sid(session: Session, name: object = ...) -> Typed:
    login = session.principal.login if name is ... else str(name)
    found = session.instance.catalog.snapshot(session).logins.get(login.lower())
    return (None if found is None else found.sid), _SID


@session_function("SUSER_ID")
def _suser_id(session: Session, name: object = ...) -> Typed:
    login = session.principal.login if name is ... else str(name)
    found = session.instance.catalog.snapshot(session).logins.get(login.lower())
    return (None if found is None else found.id), INT


@session_function("USER_NAME", "CURRENT_USER", "SESSION_USER", "USER")
def _user_name(session: Session, number: object = ...) -> Typed:
    if number is ...:
        return session.principal.user, SYSNAME
    image = session.instance.catalog.image(session)
    return image.names.get(number if isinstance(number, int) else -1), SYSNAME


@session_function("USER_ID", "DATABASE_PRINCIPAL_ID")
def _user_id(session: Session, name: object = ...) -> Typed:
    if name is ...:
        return session.principal.user_id, INT
    found = session.instance.catalog.image(session).principals.get(str(name).lower())
    return (None if found is None else found[0]), INT


@session_function("IS_MEMBER")
def _is_member(session: Session, role: object) -> Typed:
    return _flag(session.instance.catalog.is_member(session, str(role)))


@session_function("IS_ROLEMEMBER")
def _is_rolemember(session: Session, role: object, user: object = None) -> Typed:
    name = None if user is None else str(user)
    return _flag(session.instance.catalog.is_member(session, str(role), name))


@session_function("IS_SRVROLEMEMBER")
def _is_srvrolemember(session: Session, role: object, login: object = None) -> Typed:
    name = None if login is None else str(login)
    return _flag(session.instance.catalog.is_server_member(session, str(role), name))


def _flag(value: bool | None) -> Typed:
    return (None if value is None else int(value)), INT


@session_function("HAS_DBACCESS")
def _has_dbaccess(session: Session, database: object) -> Typed:
    try:
        session.instance.catalog.principal_in(session.principal, str(database), session)
    except SqlError as error:
        return (None if error.number == 911 else 0), INT
    return 1, INT


@session_function("HAS_PERMS_BY_NAME")
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
        databases = catalog.snapshot(session).databases
        name = session.database if securable is None else str(securable)
        name = name if name.lower() in databases else last_part(name)
        if name.lower() not in databases:
            return None, INT
        return int(catalog.has_permission(session, wanted, database=name)), INT
    if class_name == "SCHEMA":
        schema = last_part(str(securable))
        if schema.lower() not in catalog.image(session).schemas:
            return None, INT
        return int(catalog.has_permission(session, wanted, schema=schema)), INT
    if class_name == "OBJECT":
        number = catalog.object_id(session, str(securable))
        if number is None:
            return None, INT
        database, _, _ = three_parts(str(securable))
        return int(catalog.has_permission(session, wanted, number, database=database)), INT
    return None, INT


def _image_by_id(session: Session, number: object) -> DatabaseImage | None:
    catalog = session.instance.catalog
    if number is ... or number is None:
        return catalog.image(session)
    images = catalog.snapshot(session).databases.values()
    return next((image for image in images if image.id == number), None)


@session_function("DB_NAME")
def _db_name(session: Session, number: object = ...) -> Typed:
    if number is ...:
        return session.database, SYSNAME
    image = _image_by_id(session, number)
    return (None if image is None else image.name), SYSNAME


@session_function("DB_ID")
def _db_id(session: Session, name: object = ...) -> Typed:
    databases = session.instance.catalog.snapshot(session).databases
    image = databases.get((session.database if name is ... else str(name)).lower())
    return (None if image is None else image.id), INT


@session_function("ORIGINAL_DB_NAME")
def _original_db_name(session: Session) -> Typed:
    return session.principal.default_database, SYSNAME


@session_function("SCHEMA_NAME")
def _schema_name(session: Session, number: object = ...) -> Typed:
    if number is ...:
        return session.principal.default_schema, SYSNAME
    schemas = session.instance.catalog.image(session).schemas.values()
    return next((name for schema_id, name, _ in schemas if schema_id == number), None), SYSNAME


@session_function("SCHEMA_ID")
def _schema_id(session: Session, name: object = ...) -> Typed:
    wanted = session.principal.default_schema if name is ... else str(name)
    found = session.instance.catalog.image(session).schemas.get(wanted.lower())
    return (None if found is None else found[0]), INT


@session_function("OBJECT_ID")
def _object_id(session: Session, name: object, kind: object = None) -> Typed:
    if name is None:
        return None, INT
    wanted = None if kind is None else str(kind)
    return session.instance.catalog.object_id(session, str(name), wanted), INT


def _object(session: Session, number: object, database: object) -> DatabaseObject | None:
    image = _image_by_id(session, database)
    return None if image is None or not isinstance(number, int) else image.by_id.get(number)


@session_function("OBJECT_NAME")
def _object_name(session: Session, number: object, database: object = ...) -> Typed:
    found = _object(session, number, database)
    return (None if found is None else found.name), SYSNAME


@session_function("OBJECT_SCHEMA_NAME")
def _object_schema_name(session: Session, number: object, database: object = ...) -> Typed:
    found = _object(session, number, database)
    return (None if found is None else found.schema), SYSNAME


@session_function("OBJECT_DEFINITION")
def _object_definition(session: Session, number: object) -> Typed:
    found = _object(session, number, ...)
    visible = found is not None and (
        session.instance.catalog.has_permission(session, "VIEW DEFINITION", found.object_id)
    )
    return (found.definition if found is not None and visible else None), NVARCHAR_MAX


@session_function("COL_LENGTH")
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


@session_function("COL_NAME")
def _col_name(session: Session, table: object, number: object) -> Typed:
    found = _object(session, table, ...)
    columns = found.columns if found else ()
    return next((column.name for column in columns if column.id == number), None), SYSNAME


@session_function("TYPE_NAME")
def _type_name(session: Session, number: object) -> Typed:
    names = (row.name for row in SYSTEM_TYPES.values() if row.user_type_id == number)
    return next(names, None), SYSNAME


@session_function("TYPE_ID")
def _type_id(session: Session, name: object) -> Typed:
    found = SYSTEM_TYPES.get(str(name).lower())
    return (None if found is None else found.user_type_id), INT


@session_function("DATABASEPROPERTYEX")
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


@session_function("IDENT_CURRENT")
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


@session_function("OBJECTPROPERTY", "OBJECTPROPERTYEX")
def _objectproperty(session: Session, number: object, name: object) -> Typed:
    found = _object(session, number, ...)
    kinds = {"isprocedure": "P", "isusertable": "U", "istable": "U", "isview": "V"}
    wanted = kinds.get(str(name).lower())
    if found is None or wanted is None:
        return None, INT
    return int(found.type == wanted), INT
