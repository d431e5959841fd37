"""Which rows of the system views a user sees: those of objects that he has some permission on.

    sys.objects  -->  (SELECT * FROM sys.objects WHERE object_id IN (the visible ones))

Rules: "Metadata Visibility Configuration" of Microsoft's documentation.  Texts of modules need
VIEW DEFINITION; without VIEW ANY DEFINITION a login sees itself, `sa` and the server's roles.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlexec.embedded.catalog.security import Principal, allowed, server_permission
from sqlexec.embedded.catalog.snapshot import DatabaseImage, DatabaseObject, Snapshot
from sqlexec.embedded.engine import quote

_SHOWING = (
    "SELECT", "INSERT", "UPDATE", "DELETE", "EXECUTE", "REFERENCES", "VIEW DEFINITION", "ALTER",
)  # fmt: skip
_NUMBERS = ("object_id", "parent_object_id", "id", "major_id")  # columns with an object's id
_NAMES = (
    ("TABLE_SCHEMA", "TABLE_NAME"),
    ("SPECIFIC_SCHEMA", "SPECIFIC_NAME"),
    ("CONSTRAINT_SCHEMA", "CONSTRAINT_NAME"),
)
_DEFINITIONS = ("definition", "VIEW_DEFINITION", "ROUTINE_DEFINITION", "COLUMN_DEFAULT")
_OF_LOGINS = {
    "server_principals": "principal_id",
    "sql_logins": "principal_id",
    "server_role_members": "member_principal_id",
    "server_permissions": "grantee_principal_id",
}
_LAST_SYSTEM_LOGIN = 255  # sa and the fixed roles of the server have ids up to here


def restricted(
    snapshot: Snapshot,
    image: DatabaseImage,
    principal: Principal,
    view: str,
    columns: Sequence[str],
) -> str | None:
    """The rows of a system view that a principal of that database may see, as a DuckDB query.

    None where he sees all of them.  `view` is its name in DuckDB, quoted; `columns` are its own.
    """
    key = _OF_LOGINS.get(view.rpartition(".")[2].strip('"'))
    if key is not None:
        return _logins(snapshot, principal, view, key)
    if _all_visible(image, principal):
        return None
    visible = [each for each in image.by_id.values() if _is_visible(image, principal, each)]
    condition = _condition(visible, columns)
    if condition is None:
        return None
    shown = [each for each in visible if _definition_visible(image, principal, each)]
    covered = [
        f"CASE WHEN {_condition(shown, columns)} THEN {quote(name)} END AS {quote(name)}"
        for name in columns
        if name in _DEFINITIONS
    ]
    replaced = f" REPLACE ({', '.join(covered)})" if covered else ""
    return f"SELECT *{replaced} FROM {view} WHERE {condition}"


def _logins(snapshot: Snapshot, principal: Principal, view: str, key: str) -> str | None:
    if server_permission(snapshot, principal, "VIEW ANY DEFINITION"):
        return None
    own = snapshot.logins[principal.login.lower()].id
    return f"SELECT * FROM {view} WHERE {key} <= {_LAST_SYSTEM_LOGIN} OR {key} = {own}"


def _all_visible(image: DatabaseImage, principal: Principal) -> bool:
    return allowed(image, principal, "VIEW DEFINITION")


def _is_visible(image: DatabaseImage, principal: Principal, found: DatabaseObject) -> bool:
    number = found.parent_id or found.object_id  # a constraint is seen with its table
    return any(allowed(image, principal, permission, number) for permission in _SHOWING)


def _definition_visible(image: DatabaseImage, principal: Principal, found: DatabaseObject) -> bool:
    # The documentation lets whoever may read a table see its columns' defaults' names alone.
    return allowed(image, principal, "VIEW DEFINITION", found.parent_id or found.object_id)


def _condition(objects: Iterable[DatabaseObject], columns: Sequence[str]) -> str | None:
    """Rows that belong to one of the objects; None for a view whose rows belong to none."""
    for column in _NUMBERS:
        if column in columns:
            numbers = ", ".join(str(each.object_id) for each in objects)
            return f"({column} <= 0" + (f" OR {column} IN ({numbers}))" if numbers else ")")
    for schema, name in _NAMES:
        if name in columns:
            pairs = ", ".join(
                f"({_literal(each.schema)}, {_literal(each.name)})" for each in objects
            )
            return f"({quote(schema)}, {quote(name)}) IN ({pairs})" if pairs else "false"
    return None


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
