"""GRANT, DENY, REVOKE and ALTER AUTHORIZATION."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlexec.embedded.catalog import DatabaseImage, tables
from sqlexec.embedded.tsql.definitions.principals import find_principal
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.syntax import clauses
from sqlexec.embedded.tsql.syntax.clauses import Cutter
from sqlexec.embedded.tsql.syntax.names import last_part, three_parts

if TYPE_CHECKING:
    from sqlexec.embedded.engine import Connection
    from sqlexec.embedded.tsql.state import Session

# permissions of the server (class 100); all others belong to a database or what is in it
_SERVER_PERMISSIONS = {
    "CONTROL SERVER", "VIEW SERVER STATE", "ALTER ANY LOGIN", "CREATE ANY DATABASE", "CONNECT SQL",
    "ALTER SERVER STATE", "VIEW ANY DATABASE", "ALTER SETTINGS", "VIEW ANY DEFINITION",
    "ALTER TRACE", "ALTER ANY CONNECTION", "CONNECT ANY DATABASE", "VIEW SERVER PERFORMANCE STATE",
    "ALTER RESOURCES", "SHUTDOWN", "IMPERSONATE ANY LOGIN",
}  # fmt: skip


_OBJECT_DEFAULT = ("SELECT", "INSERT", "UPDATE", "DELETE", "REFERENCES", "EXECUTE")


def permission(verb: str) -> Callable[[Session, Cutter, str], None]:
    """GRANT, DENY or REVOKE [GRANT OPTION FOR] permissions [ON securable] TO principals."""

    def statement(session: Session, cutter: Cutter, text: str) -> None:
        cutter.position = 1
        if verb == "REVOKE" and cutter.take("GRANT"):
            cutter.take("OPTION")
            cutter.take("FOR")
        listed = cutter.until("ON", "TO", "FROM")
        permissions = [" ".join(part.upper().split()) for part in clauses.split(listed)]
        if any("(" in name for name in permissions):
            raise unsupported("permissions on columns")
        kind, name = "DATABASE", ""
        if cutter.take("ON"):
            kind, name = _securable(cutter)
        if not cutter.take("TO", "FROM"):
            raise SqlError.of(102, cutter.token.text or verb)
        grantees = [
            last_part(part) for part in clauses.split(cutter.until("WITH", "AS", "CASCADE"))
        ]
        state = {"GRANT": "G", "DENY": "D", "REVOKE": ""}[verb]
        if cutter.take("WITH"):
            state = "W"
        if permissions in (["ALL"], ["ALL PRIVILEGES"]):
            permissions = list(_OBJECT_DEFAULT)
        permissions = ["EXECUTE" if p == "EXEC" else p for p in permissions]
        if all(p in _SERVER_PERMISSIONS for p in permissions):
            _change_server(session, permissions, grantees, state)
        else:
            _change(session, permissions, kind, name, grantees, state)

    return statement


def _securable(cutter: Cutter) -> tuple[str, str]:
    tokens = cutter.tokens
    at = cutter.position
    double = next((i for i in range(at, min(at + 4, len(tokens))) if tokens[i].text == "::"), None)
    kind = "OBJECT"
    if double is not None:
        kind = " ".join(token.upper for token in tokens[at:double])
        cutter.position = double + 1
    return kind, cutter.name()


def _change_server(
    session: Session, permissions: list[str], grantees: list[str], state: str
) -> None:
    catalog = session.instance.catalog
    if not session.principal.sysadmin:
        raise SqlError.of(15247)
    logins = catalog.snapshot(session).logins
    with catalog.changing(session) as connection:
        for name in grantees:
            found = logins.get(name.lower())
            if found is None:
                raise SqlError.of(15151, "login", name)
            _write(connection, 0, 100, 0, found.id, permissions, state)


def _change(
    session: Session, permissions: list[str], kind: str, name: str, grantees: list[str], state: str
) -> None:
    catalog = session.instance.catalog
    image = catalog.image(session)
    code, major, schema, object_id = _resolve(session, image, kind, name)
    may = (
        session.principal.sysadmin
        or catalog.has_permission(session, "CONTROL", object_id, schema)
        or catalog.has_permission(session, "CONTROL PERMISSIONS")
    )
    if not may:
        if kind == "DATABASE":
            raise SqlError(4613, "Grantor does not have GRANT permission.")
        word = "object" if code == 1 else kind.lower()
        raise SqlError.of(15151, word, last_part(name))
    with catalog.changing(session) as connection:
        for grantee in grantees:
            _, number = find_principal(session, grantee, "user")
            if number in (1, 3, 4):
                raise SqlError(4617 if number != 1 else 15149, "Cannot grant, deny, or revoke "
                               "permissions to sa, dbo, entity owner, information_schema, sys, or "
                               "yourself.")  # fmt: skip
            _write(connection, image.id, code, major, number, permissions, state)


def _resolve(
    session: Session, image: DatabaseImage, kind: str, name: str
) -> tuple[int, int, str | None, int | None]:
    """(class, major id, schema, object id) of a securable."""
    if kind == "DATABASE":
        if name and last_part(name).lower() != image.name.lower():
            raise SqlError.of(15151, "database", last_part(name))
        return 0, 0, None, None
    if kind == "SCHEMA":
        schema = image.schemas.get(last_part(name).lower())
        if schema is None:
            raise SqlError.of(15151, "schema", last_part(name))
        return 3, schema[0], schema[1], None
    if kind in ("ROLE", "USER"):
        return 4, find_principal(session, last_part(name), kind.lower())[1], None, None
    if kind != "OBJECT":
        raise unsupported(f"permissions on {kind}")
    database, schema_name, last = three_parts(name)
    found = session.instance.catalog.find_object(session, database, schema_name, last)
    if found is None:
        if last.lower().startswith(("sp_", "xp_")):
            raise unsupported("permissions on system procedures")
        raise SqlError.of(15151, "object", last)
    return 1, found.object_id, None, found.object_id


def _write(
    connection: Connection, database_id: int, code: int, major: int, grantee: int,
    permissions: list[str], state: str,
) -> None:  # fmt: skip
    place = {"database_id": database_id, "class": code, "major_id": major}
    tables.delete(
        connection, "permissions", **place, grantee_principal_id=grantee,
        permission_name=permissions,
    )  # fmt: skip
    if state:
        tables.add_permissions(connection, database_id, code, major, grantee, permissions, state)


def alter_authorization(session: Session, cutter: Cutter, text: str) -> None:
    """ALTER AUTHORIZATION ON SCHEMA::s | DATABASE::d TO principal."""
    if not cutter.take("ON"):
        raise SqlError.of(102, cutter.token.text)
    kind, name = _securable(cutter)
    if not cutter.take("TO"):
        raise SqlError.of(102, cutter.token.text)
    owner = last_part(cutter.name())
    catalog = session.instance.catalog
    if kind == "SCHEMA":
        image, number = find_principal(session, owner, "user")
        _, schema_id, schema, _ = _resolve(session, image, kind, name)
        if not catalog.has_permission(session, "CONTROL", schema=schema):
            raise SqlError.of(15151, "schema", last_part(name))
        with catalog.changing(session) as connection:
            tables.update(
                connection, "schemas", {"principal_id": number},
                database_id=image.id, schema_id=schema_id,
            )  # fmt: skip
    elif kind == "DATABASE":
        found = catalog.snapshot(session).logins.get(owner.lower())
        image = catalog.image(session, last_part(name))
        if found is None or not session.principal.sysadmin:
            raise SqlError.of(15151, "principal", owner)
        with catalog.changing(session) as connection:
            tables.update(connection, "databases", {"owner_sid": found.sid}, database_id=image.id)
    else:
        raise unsupported(f"ALTER AUTHORIZATION ON {kind}")


STATEMENTS = {
    "ALTER AUTHORIZATION": alter_authorization,
    "GRANT": permission("GRANT"),
    "DENY": permission("DENY"),
    "REVOKE": permission("REVOKE"),
}
