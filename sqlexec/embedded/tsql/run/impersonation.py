"""EXECUTE AS USER or LOGIN, and REVERT: the session's principal changes, its login is remembered.

learn.microsoft.com/sql/t-sql/statements/execute-as-transact-sql
"""

from __future__ import annotations

from dataclasses import replace

from sqlexec.embedded.catalog import Principal
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.run.evaluation import evaluate
from sqlexec.embedded.tsql.state import Session
from sqlexec.embedded.tsql.syntax import nodes


def execute_as(session: Session, node: nodes.ExecuteAs) -> None:
    """Become another principal until REVERT, or to the end of the procedure or dynamic batch.

    Raises
    ------
    SqlError
        15517 (no such user), 15406 (no such login), the same when the caller may not: only
        sysadmin becomes a login, only sysadmin, dbo and db_owner become a user.
    """
    if node.kind == "CALLER":
        return
    if node.kind not in ("USER", "LOGIN") or node.principal is None:
        raise unsupported(f"EXECUTE AS {node.kind}")
    name = str(evaluate(session, node.principal)[0])
    found = _user(session, name) if node.kind == "USER" else _login(session, name)
    session.impersonated.append(session.principal)
    session.principal = found


def _user(session: Session, name: str) -> Principal:
    catalog = session.instance.catalog
    image = catalog.image(session)
    number, user, kind = image.principals.get(name.lower(), (0, "", ""))
    if kind != "S" or not (session.principal.sysadmin or catalog.is_member(session, "db_owner")):
        raise _refused(15517, "database", name)
    logins = catalog.snapshot(session).logins.values()
    login = next((row for row in logins if image.users.get(row.sid) == number), None)
    return replace(
        session.principal,
        login=login.name if login else user,
        sid=b"",  # counts in this database alone: elsewhere, and for the server, a nobody
        user=user,
        user_id=number,
        sysadmin=False,
        default_schema=image.default_schemas.get(number, "dbo"),
    )


def _login(session: Session, name: str) -> Principal:
    catalog = session.instance.catalog
    snapshot = catalog.snapshot(session)
    found = snapshot.logins.get(name.lower())
    if found is None or found.type != "S" or not session.principal.sysadmin:
        raise _refused(15406, "server", name)
    sysadmin = 3 in snapshot.server_members.get(found.id, set())
    other = replace(session.principal, login=found.name, sid=found.sid, sysadmin=sysadmin)
    return catalog.principal_in(other, session.database, session)


def _refused(number: int, level: str, name: str) -> SqlError:
    return SqlError(
        number,
        f'Cannot execute as the {level} principal because the principal "{name}" does not exist, '
        "this type of principal cannot be impersonated, or you do not have permission.",
    )


def revert(session: Session, *, depth: int | None = None) -> None:
    """REVERT one EXECUTE AS, or all beyond `depth`; without any there is nothing to do."""
    wanted = len(session.impersonated) - 1 if depth is None else depth
    while len(session.impersonated) > max(wanted, 0):
        before = session.impersonated.pop()
        if before.database.lower() != session.database.lower():
            before = session.instance.catalog.principal_in(before, session.database, session)
        session.principal = before
