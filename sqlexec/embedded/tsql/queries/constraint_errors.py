"""DuckDB's constraint errors as SQL Server's 515, 547, 2601, 2627 and 2628."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlexec.embedded.catalog import DatabaseObject
from sqlexec.embedded.catalog.tables import SCHEMA
from sqlexec.embedded.tsql.errors import SqlError

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.queries.plans import Plan
    from sqlexec.embedded.tsql.state import Session

_LENGTH = re.compile(r"\((?:length|octet_length)\(\"?(.+?)\"?\) <= \(?(\d+)\)?\)")
_NAMED = re.compile(r"'check:(.*?)'")
_KEY = re.compile(r"[Dd]uplicate key \"(.*?)\"", re.S)
_NOT_NULL = re.compile(r"NOT NULL constraint failed: (?:.*\.)?(.+?)$", re.M)


def constraint_error(session: Session, plan: Plan, error: Exception) -> SqlError:
    """The SQL Server error for a violated constraint.

    DuckDB does not name constraints: lengths are known by their expression, CHECKs by a mark that
    storage.py puts into them, keys by the table's only unique index or the one whose key fits.
    """
    text = str(error)
    found = plan.writes[0][0] if plan.writes else None
    statement = (plan.steps[0].sql.split(None, 1)[0] if plan.steps else "INSERT").upper()
    if statement not in ("INSERT", "DELETE"):
        statement = "UPDATE"
    table = f"{found.schema}.{found.name}" if found else "#"
    full = found.full_name if found else "tempdb.dbo.#"
    match = _NOT_NULL.search(text)
    if match:
        return SqlError.of(515, match[1].strip('"'), full, statement)
    match = _LENGTH.search(text)
    if match:
        return SqlError.of(2628, full, match[1], "")
    match = _NAMED.search(text)
    if match:
        return SqlError(547, f'The {statement} statement conflicted with the CHECK constraint '
                        f'"{match[1]}". The conflict occurred in database "{session.database}", '
                        f'table "{table}".')  # fmt: skip
    match = _KEY.search(text)
    if match or "duplicate" in text.lower():
        return _duplicate(found, table, match[1] if match else "", "primary key" in text)
    if "foreign key" in text.lower():
        kind = "REFERENCE" if "still referenced" in text else "FOREIGN KEY"
        name = _foreign_key(session, found, kind)
        return SqlError(547, f'The {statement} statement conflicted with the {kind} constraint '
                        f'"{name}". The conflict occurred in database "{session.database}", '
                        f'table "{table}".')  # fmt: skip
    return SqlError(547, f"The {statement} statement conflicted with a constraint: {text[:200]}")


def _duplicate(found: DatabaseObject | None, table: str, key: str, primary: bool) -> SqlError:
    indexes = [index for index in (found.indexes if found else ()) if index.unique]
    named = {name.lower() for name in re.findall(r"(?:^|, )(\w+): ", key)}
    fitting = [index for index in indexes if {c.lower() for c in index.columns} == named]
    fitting = fitting or [index for index in indexes if index.primary and primary]
    index = next(iter(fitting or indexes), None)
    if index is not None and not index.constraint and not index.primary:
        made = SqlError.of(2601, table, index.name)
    else:
        kind = "PRIMARY KEY" if index is None or index.primary else "UNIQUE KEY"
        made = SqlError.of(2627, kind, index.name if index else "PK", table)
    values = re.sub(r"(^|, )\w+: ", r"\1", key)
    made.message += f" The duplicate key value is ({values})."
    return made


def _foreign_key(session: Session, found: DatabaseObject | None, kind: str) -> str:
    if found is None:
        return ""
    by_id = session.instance.catalog.image(session, found.database).by_id
    column = "referenced_object_id" if kind == "REFERENCE" else "parent_object_id"
    rows = session.instance.catalog.query(
        f"SELECT object_id FROM {SCHEMA}.foreign_keys WHERE {column} = $1", [found.object_id]
    )
    known = [by_id[row[0]].name for row in rows if isinstance(row[0], int) and row[0] in by_id]
    return known[0] if known else ""
