"""What an installation would do to a database, found out by reading alone.

files of the bundle  --compared with-->  sys.objects, sys.sql_modules, sys.columns
                                         -> a Change for each object: create, change, keep, remove
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from sqlexec.bundle.installer import place
from sqlexec.bundle.render import BundleFile, bundle_files
from sqlexec.server.session import Session

_ADDED = re.compile(r"COL_LENGTH\(N'sqlexec\.\w+', N'(\w+)'\) IS NULL")
_DROPPED = re.compile(r"DROP (\w+) IF EXISTS sqlexec\.(\w+)")
_BEFORE_CREATE = re.compile(r"^.*?\bCREATE\s+(OR\s+ALTER\s+)?(?=PROCEDURE|VIEW)", re.S)

_EXISTING = """\
SELECT N'schema', s.name, NULL FROM sys.schemas AS s WHERE s.name = N'sqlexec'
UNION ALL
SELECT N'role', p.name, NULL FROM sys.database_principals AS p WHERE p.type = 'R'
UNION ALL
SELECT CASE o.type WHEN 'P' THEN N'procedure' WHEN 'V' THEN N'view' ELSE N'table' END,
    o.name, OBJECT_DEFINITION(o.object_id)
FROM sys.objects AS o
WHERE o.schema_id = SCHEMA_ID(N'sqlexec') AND o.type IN ('P', 'V', 'U')"""
_COLUMNS = """\
SELECT o.name, c.name
FROM sys.columns AS c
INNER JOIN sys.objects AS o ON o.object_id = c.object_id
WHERE o.schema_id = SCHEMA_ID(N'sqlexec') AND o.type = 'U'"""


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one object.

    Parameters
    ----------
    action : str
        "create", "change", "keep" or "remove".
    kind, name : str
        "procedure", "view", "table", "role" or "schema", and its name.
    detail : str
        The columns that a table gets; else "".
    """

    action: str
    kind: str
    name: str
    detail: str = ""

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.action:<7} {self.kind} {self.name}{detail}"


def preview(connection_string: str, *, database: str | None = None) -> list[Change]:
    """Tell what `install` would do; nothing is sent that changes anything.

    Parameters and errors as for `install`.  Rows, members of roles and grants always stay; the
    roles' own grants are given again.

    Example
    -------
    >>> print(preview("Server=db1;UID=sa;PWD=...")[0])  # doctest: +SKIP
    create  schema sqlexec
    """
    session = Session(place(connection_string, database))
    try:
        existing = {(kind, name): text for kind, name, text in session.execute(_EXISTING)}
        columns: dict[object, set[object]] = defaultdict(set)
        for table, column in session.execute(_COLUMNS):
            columns[table].add(column)
    finally:
        session.close()
    return [change for file in bundle_files() for change in _changes(file, existing, columns)]


def _changes(
    file: BundleFile,
    existing: dict[tuple[object, object], object],
    columns: dict[object, set[object]],
) -> Iterator[Change]:
    _, name, kind, _ = file.name.split(".")
    if kind == "objects":  # those of earlier versions
        for old_kind, old_name in _DROPPED.findall(file.text):
            if (old_kind.lower(), old_name) in existing:
                yield Change("remove", old_kind.lower(), old_name)
    elif (kind, name) not in existing:
        yield Change("create", kind, name)
    elif kind == "table":
        missing = [each for each in _ADDED.findall(file.text) if each not in columns[name]]
        yield Change("change" if missing else "keep", kind, name, ", ".join(missing))
    elif kind in ("procedure", "view"):
        same = _comparable(file.text) == _comparable(str(existing[kind, name]))
        yield Change("keep" if same else "change", kind, name)
    else:
        yield Change("keep", kind, name)


def _comparable(text: str) -> str:
    """A module's text from its kind on: the server keeps what stands before in ways of its own."""
    return _BEFORE_CREATE.sub("", text.replace("\r\n", "\n")).strip()
