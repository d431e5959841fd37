"""Logins, users and roles: CREATE, ALTER, DROP, and who is a member of what."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlexec.embedded.catalog import DatabaseImage, tables
from sqlexec.embedded.catalog.security import hash_password
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.syntax import lexer
from sqlexec.embedded.tsql.syntax.clauses import Cutter
from sqlexec.embedded.tsql.syntax.names import last_part

if TYPE_CHECKING:
    from sqlexec.embedded.catalog import Login
    from sqlexec.embedded.tsql.state import Session


# --- logins ------------------------------------------------------------------------------


_LOGIN_OPTIONS = {
    "PASSWORD", "NAME", "DEFAULT_DATABASE", "DEFAULT_LANGUAGE", "CHECK_POLICY", "CHECK_EXPIRATION",
}  # fmt: skip


def _options(cutter: Cutter) -> dict[str, str]:
    """WITH a = b, c = d: by upper-case name; words such as HASHED or MUST_CHANGE are refused."""
    found: dict[str, str] = {}
    if not cutter.take("WITH"):
        return found
    while True:
        key = cutter.token.upper
        cutter.position += 1
        if cutter.token.text != "=":
            raise SqlError.of(102, cutter.token.text or key)
        cutter.position += 1
        found[key] = cutter.token.text
        if cutter.token.kind == lexer.BINARY:
            raise unsupported(f"{key} as a binary value")
        cutter.position += 1
        if cutter.take("OLD_PASSWORD"):
            cutter.position += 2
        if cutter.take("MUST_CHANGE", "HASHED"):
            raise unsupported("MUST_CHANGE and HASHED")
        if cutter.token.text != ",":
            return found
        cutter.position += 1


def _need_login_admin(session: Session, changed: Login | None = None) -> None:
    """15247 unless the session may manage logins; administrators are for their like alone."""
    catalog = session.instance.catalog
    above = changed is not None and catalog.is_server_member(session, "sysadmin", changed.name)
    if above and not session.principal.sysadmin:
        raise SqlError.of(15247)
    if not (catalog.has_server_permission(session, "ALTER ANY LOGIN")
            or catalog.is_server_member(session, "securityadmin")):  # fmt: skip
        raise SqlError.of(15247)


def _login_options(cutter: Cutter) -> dict[str, str]:
    """The options of CREATE and ALTER LOGIN, to the end of the statement."""
    found = _options(cutter)
    if not cutter.at_end():
        raise SqlError.of(102, cutter.token.text)
    for name in found.keys() - _LOGIN_OPTIONS:
        raise unsupported(f"{name} of a login")
    return found


def create_login(session: Session, cutter: Cutter, text: str) -> None:
    """CREATE LOGIN name WITH PASSWORD = '...' [, DEFAULT_DATABASE = x, CHECK_POLICY = OFF]."""
    name = last_part(cutter.name())
    if cutter.take("FROM"):
        raise unsupported("CREATE LOGIN FROM WINDOWS or a certificate")
    options = _login_options(cutter)
    if "PASSWORD" not in options:
        raise SqlError.of(102, "PASSWORD")
    _need_login_admin(session)
    catalog = session.instance.catalog
    logins = catalog.snapshot(session).logins
    if name.lower() in logins:
        raise SqlError.of(15025, name)
    with catalog.changing(session) as connection:
        number = max(256, *(login.id for login in logins.values())) + 1
        tables.add_server_principal(
            connection, number, name, "S", None, hash_password(options["PASSWORD"]),
            options.get("DEFAULT_DATABASE", "master"),
        )  # fmt: skip


def alter_login(session: Session, cutter: Cutter, text: str) -> None:
    """ALTER LOGIN name ENABLE | DISABLE | WITH PASSWORD = ..., DEFAULT_DATABASE = ..."""
    name = last_part(cutter.name())
    catalog = session.instance.catalog
    found = catalog.snapshot(session).logins.get(name.lower())
    if found is None or found.type != "S":
        raise SqlError.of(15151, "login", name)
    changes: dict[str, object] = {}
    if cutter.take("ENABLE"):
        changes["is_disabled"] = False
    elif cutter.take("DISABLE"):
        changes["is_disabled"] = True
    options = _login_options(cutter)
    own = found.sid == session.principal.sid and "OLD_PASSWORD" in text.upper()
    if own and options.keys() == {"PASSWORD"} and not changes:
        old = next((t.text for t, before in _pairs(cutter) if before == "OLD_PASSWORD"), "")
        catalog.authenticate(name, old)
    else:
        _need_login_admin(session, found)
    if "PASSWORD" in options:
        changes["password_hash"] = hash_password(options["PASSWORD"])
    if "DEFAULT_DATABASE" in options:
        changes["default_database"] = options["DEFAULT_DATABASE"]
    if "NAME" in options:
        changes["name"] = options["NAME"]
    with catalog.changing(session) as connection:
        if changes:
            tables.update(connection, "server_principals", changes, principal_id=found.id)


def _pairs(cutter: Cutter) -> list[tuple[lexer.Token, str]]:
    tokens = cutter.tokens
    return [(tokens[i], tokens[i - 2].upper) for i in range(2, len(tokens))]


def drop_login(session: Session, cutter: Cutter, text: str) -> None:
    """DROP LOGIN name."""
    name = last_part(cutter.name())
    catalog = session.instance.catalog
    found = catalog.snapshot(session).logins.get(name.lower())
    if found is None or found.id == 1 or found.type != "S":
        raise SqlError.of(15151, "login", name)
    _need_login_admin(session, found)
    if any(s.principal.login == found.name for s in session.instance.sessions.values()):
        raise SqlError(15434, f"Could not drop login '{name}' as the user is currently logged in.")
    with catalog.changing(session) as connection:
        tables.delete(connection, "server_principals", principal_id=found.id)
        tables.delete(connection, "server_role_members", member_principal_id=found.id)


# --- users and roles ---------------------------------------------------------------------


def _new_principal(
    session: Session, name: str, kind: str, sid: bytes | None, schema: str | None, permission: str
) -> None:
    catalog = session.instance.catalog
    image = catalog.image(session)
    catalog.check_permission(session, permission)
    if name.lower() in image.principals:
        raise SqlError.of(15023, name)
    with catalog.changing(session) as connection:
        numbers = [n for n, _, _ in image.principals.values() if n < 16384]
        number = max([4, *numbers]) + 1
        tables.add_principal(connection, image.id, number, name, kind, sid, default_schema=schema)
        if kind == "S":
            tables.add_permissions(connection, image.id, 0, 0, number, ["CONNECT"], "G")


def create_user(session: Session, cutter: Cutter, text: str) -> None:
    """CREATE USER name [FOR LOGIN login | WITHOUT LOGIN] [WITH DEFAULT_SCHEMA = s]."""
    name = last_part(cutter.name())
    login: str | None = name
    if cutter.take("FOR", "FROM"):
        cutter.take("LOGIN")
        login = last_part(cutter.name())
    elif cutter.take("WITHOUT"):
        cutter.take("LOGIN")
        login = None
    schema = _options(cutter).get("DEFAULT_SCHEMA")
    catalog = session.instance.catalog
    sid: bytes | None = None
    if login is not None:
        found = catalog.snapshot(session).logins.get(login.lower())
        if found is None or found.type != "S":
            raise SqlError.of(15007, login)
        sid = found.sid
        if sid in catalog.image(session).users:
            raise SqlError(15063, "The login already has an account under a different user name.")
    _new_principal(session, name, "S", sid, schema, "ALTER ANY USER")


def alter_user(session: Session, cutter: Cutter, text: str) -> None:
    """ALTER USER name WITH DEFAULT_SCHEMA = s [, LOGIN = l, NAME = n]."""
    name = last_part(cutter.name())
    options = _options(cutter)
    catalog = session.instance.catalog
    image, number = find_principal(session, name, "user")
    catalog.check_permission(session, "ALTER ANY USER")
    changes: dict[str, object] = {}
    if "DEFAULT_SCHEMA" in options:
        changes["default_schema"] = options["DEFAULT_SCHEMA"]
    if "NAME" in options:
        changes["name"] = options["NAME"]
    if "LOGIN" in options:
        found = catalog.snapshot(session).logins.get(options["LOGIN"].lower())
        if found is None:
            raise SqlError.of(15007, options["LOGIN"])
        changes["sid"] = found.sid
    with catalog.changing(session) as connection:
        if changes:
            place = {"database_id": image.id, "principal_id": number}
            tables.update(connection, "principals", changes, **place)


def create_role(session: Session, cutter: Cutter, text: str) -> None:
    """CREATE ROLE name [AUTHORIZATION owner]."""
    name = last_part(cutter.name())
    if cutter.take("AUTHORIZATION"):
        find_principal(session, last_part(cutter.name()), "user")
    _new_principal(session, name, "R", None, None, "CREATE ROLE")


def _drop_principal(kind: str, word: str) -> Callable[[Session, Cutter, str], None]:
    def statement(session: Session, cutter: Cutter, text: str) -> None:
        quiet = cutter.take("IF") and cutter.take("EXISTS")
        name = last_part(cutter.name())
        catalog = session.instance.catalog
        image = catalog.image(session)
        found = image.principals.get(name.lower())
        if found is None or found[2] != kind:
            if quiet:
                return
            raise SqlError.of(15151, word, name)
        if found[0] <= 4 or found[0] >= 16384:
            raise SqlError(15150, f"Cannot drop the {word} '{name}'.")
        catalog.check_permission(session, f"ALTER ANY {word.upper()}")
        if kind == "R" and any(found[0] in roles for roles in image.members.values()):
            raise SqlError(
                15144, "The role has members. It must be empty before it can be dropped."
            )
        if any(owner.lower() == name.lower() for _, _, owner in image.schemas.values()):
            raise SqlError(15138, "The database principal owns a schema in the database, and "
                           "cannot be dropped.")  # fmt: skip
        with catalog.changing(session) as connection:
            for table, column in (("principals", "principal_id"),
                                  ("role_members", "member_principal_id"),
                                  ("permissions", "grantee_principal_id")):  # fmt: skip
                tables.delete(connection, table, **{"database_id": image.id, column: found[0]})

    return statement


def alter_role(session: Session, cutter: Cutter, text: str) -> None:
    """ALTER ROLE role ADD MEMBER user | DROP MEMBER user."""
    role = last_part(cutter.name())
    add = cutter.take("ADD")
    if not add and not cutter.take("DROP"):
        raise unsupported("ALTER ROLE ... WITH NAME")
    if not cutter.take("MEMBER"):
        raise SqlError.of(102, cutter.token.text)
    change_member(session, role, last_part(cutter.name()), add=add)


def change_member(session: Session, role: str, member: str, *, add: bool) -> None:
    """Put a user or role into a role of the database, or take it out (also sp_addrolemember)."""
    catalog = session.instance.catalog
    image, role_number = find_principal(session, role, "role")
    _, number = find_principal(session, member, "user")
    if not catalog.has_permission(session, "ALTER ANY ROLE") or (
        role_number >= 16384 and not catalog.is_member(session, "db_owner")
        and not session.principal.sysadmin and session.principal.user != "dbo"
    ):  # fmt: skip
        raise SqlError.of(15151, "role", role)
    if add and number in image.roles_of(role_number) - {0} and number != role_number:
        raise SqlError(15413, "Cannot make a role a member of itself.")
    if number == role_number:
        raise SqlError(15413, "Cannot make a role a member of itself.")
    with catalog.changing(session) as connection:
        row = {
            "database_id": image.id, "role_principal_id": role_number,
            "member_principal_id": number,
        }  # fmt: skip
        tables.delete(connection, "role_members", **row)
        if add:
            tables.insert(connection, "role_members", **row)


def alter_server_role(session: Session, cutter: Cutter, text: str) -> None:
    """ALTER SERVER ROLE role ADD MEMBER login | DROP MEMBER login."""
    cutter.take("ROLE")
    role = last_part(cutter.name())
    add = cutter.take("ADD")
    if not add and not cutter.take("DROP"):
        raise SqlError.of(102, cutter.token.text)
    cutter.take("MEMBER")
    name = last_part(cutter.name())
    catalog = session.instance.catalog
    logins = catalog.snapshot(session).logins
    found, member = logins.get(role.lower()), logins.get(name.lower())
    if found is None or found.type != "R" or not session.principal.sysadmin:
        raise SqlError.of(15151, "server role", role)
    if member is None:
        raise SqlError.of(15151, "login", name)
    with catalog.changing(session) as connection:
        row = {"role_principal_id": found.id, "member_principal_id": member.id}
        tables.delete(connection, "server_role_members", **row)
        if add:
            tables.insert(connection, "server_role_members", **row)


def find_principal(session: Session, name: str, word: str) -> tuple[DatabaseImage, int]:
    image = session.instance.catalog.image(session)
    found = image.principals.get(name.lower())
    if found is None or (word == "role" and found[2] != "R"):
        raise SqlError.of(15151, word, name)
    return image, found[0]


STATEMENTS = {
    "CREATE LOGIN": create_login,
    "ALTER LOGIN": alter_login,
    "DROP LOGIN": drop_login,
    "CREATE USER": create_user,
    "ALTER USER": alter_user,
    "DROP USER": _drop_principal("S", "user"),
    "CREATE ROLE": create_role,
    "ALTER ROLE": alter_role,
    "DROP ROLE": _drop_principal("R", "role"),
    "ALTER SERVER": alter_server_role,
}
