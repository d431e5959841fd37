"""Who may do what: passwords, and the rules by which permissions are found.

Rules: "Permissions (Database Engine)" and "Database-level roles" of Microsoft's documentation.
A DENY anywhere on the way beats every GRANT; owners and CONTROL imply all else.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass

from sqlexec.embedded.catalog.snapshot import DatabaseImage, Snapshot

_ITERATIONS = 20_000  # PBKDF2; a login costs some 10 ms

_ALL_DDL = frozenset({
    "ALTER", "CREATE TABLE", "CREATE VIEW", "CREATE PROCEDURE", "CREATE FUNCTION", "CREATE SCHEMA",
    "ALTER ANY SCHEMA", "REFERENCES", "VIEW DEFINITION", "CREATE TYPE", "CREATE SYNONYM",
    "CREATE EXTERNAL LIBRARY", "CREATE EXTERNAL LANGUAGE",
})  # fmt: skip
ROLE_PERMISSIONS: dict[str, frozenset[str]] = {
    "db_datareader": frozenset({"SELECT"}),
    "db_datawriter": frozenset({"INSERT", "UPDATE", "DELETE"}),
    "db_ddladmin": _ALL_DDL,
    "db_accessadmin": frozenset({"ALTER ANY USER", "CONNECT"}),
    "db_securityadmin": frozenset({"ALTER ANY ROLE", "VIEW DEFINITION", "CONTROL PERMISSIONS"}),
    "db_backupoperator": frozenset({"BACKUP DATABASE", "BACKUP LOG", "CHECKPOINT"}),
}
ROLE_DENIALS: dict[str, frozenset[str]] = {
    "db_denydatareader": frozenset({"SELECT"}),
    "db_denydatawriter": frozenset({"INSERT", "UPDATE", "DELETE"}),
}
# permission -> those of the same securable that imply it (CONTROL always does)
IMPLIED_BY: dict[str, tuple[str, ...]] = {
    "VIEW DEFINITION": ("ALTER",),
    "VIEW DATABASE STATE": (),
    "CREATE SCHEMA": ("ALTER", "ALTER ANY SCHEMA"),
    "CREATE ROLE": ("ALTER", "ALTER ANY ROLE"),
    "CREATE USER": ("ALTER", "ALTER ANY USER"),
    "ALTER ANY USER": ("ALTER",),
    "ALTER ANY ROLE": ("ALTER",),
    "ALTER ANY SCHEMA": ("ALTER",),
    "CREATE TABLE": ("ALTER",),
    "CREATE VIEW": ("ALTER",),
    "CREATE PROCEDURE": ("ALTER",),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """The login of a session, and its user in the current database.

    Example
    -------
    >>> Principal("sa", "dbo", True, b"\\x01", "master").user
    'dbo'
    """

    login: str
    user: str
    sysadmin: bool
    sid: bytes = b""
    database: str = "master"
    default_schema: str = "dbo"
    user_id: int = 1
    default_database: str = "master"


def hash_password(password: str) -> str:
    """Salted PBKDF2-HMAC-SHA256 of a password, as text."""
    salt = os.urandom(16)
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    return f"pbkdf2_sha256${_ITERATIONS}${salt.hex()}${digest.hex()}"


def verify_password(password: str, stored: str | None) -> bool:
    """Compare in constant time; a missing hash never matches, and takes as long."""
    name, iterations, salt, digest = (stored or f"none${_ITERATIONS}$00$00").split("$")
    found = hashlib.pbkdf2_hmac("sha256", password.encode(), bytes.fromhex(salt), int(iterations))
    return hmac.compare_digest(found, bytes.fromhex(digest)) and name == "pbkdf2_sha256"


def server_permission(snapshot: Snapshot, principal: Principal, permission: str) -> bool:
    """Whether the login has a permission of the server (class 100)."""
    login = snapshot.logins.get(principal.login.lower())
    if principal.sysadmin:
        return True
    if login is None or login.sid != principal.sid:  # the latter under EXECUTE AS USER
        return False
    holders = {login.id, 2} | snapshot.server_members.get(login.id, set())
    states = {
        state
        for name in (permission, "CONTROL SERVER")
        for grantee, state in snapshot.server_permissions.get(name, ())
        if grantee in holders
    }
    return "D" not in states and bool(states)


def allowed(
    image: DatabaseImage,
    principal: Principal,
    permission: str,
    object_id: int | None = None,
    schema: str | None = None,
) -> bool:
    """Whether a user has a permission on an object, a schema or the database itself.

    Parameters
    ----------
    permission : str
        Upper case, as in GRANT.
    object_id : int or None
        The object; its schema is found from it.
    schema : str or None
        The schema, when there is no object.
    """
    if principal.sysadmin or principal.user == "dbo":
        return True
    holders = image.roles_of(principal.user_id)
    names = {image.names.get(holder, "") for holder in holders}
    if "db_owner" in names:
        return True
    securables, owners = _securables(image, object_id, schema)
    states = {
        state
        for kind, major in securables
        for name in (permission, "CONTROL", *IMPLIED_BY.get(permission, ()))
        for grantee, state in image.permissions.get((kind, major, name), ())
        if grantee in holders
    }
    if "D" in states or any(permission in ROLE_DENIALS.get(name, ()) for name in names):
        return False
    return (
        bool(states)
        or bool(owners & names)
        or any(permission in ROLE_PERMISSIONS.get(name, ()) for name in names)
    )


def _securables(
    image: DatabaseImage, object_id: int | None, schema: str | None
) -> tuple[list[tuple[int, int]], set[str]]:
    """(class, id) from the inside out, and the owners whose members need no grant."""
    securables, owners = [(0, 0)], set()
    if object_id is not None:
        found = image.by_id.get(object_id)
        securables.append((1, object_id))
        if found is not None:
            schema = found.schema
    if schema is not None and schema.lower() in image.schemas:
        schema_id, _, owner = image.schemas[schema.lower()]
        securables.append((3, schema_id))
        owners.add(owner)
    return securables, owners
