"""The table that a statement writes: found by name, with its columns and its lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlexec.embedded.catalog import DatabaseObject, TableColumn
from sqlexec.embedded.engine import quote
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.syntax.names import three_parts
from sqlexec.embedded.tsql.translate.scopes import Output

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session


@dataclass(slots=True)
class Target:
    """A table to write.

    storage : the quoted DuckDB name.
    found : the catalog's object; None for #temp tables and @table variables.
    """

    name: str
    storage: str
    columns: list[TableColumn]
    found: DatabaseObject | None = None

    def column(self, name: str) -> TableColumn:
        for column in self.columns:
            if column.name.lower() == name.lower():
                return column
        raise SqlError.of(207, name)

    @property
    def identity(self) -> TableColumn | None:
        return next((column for column in self.columns if column.identity), None)

    @property
    def outputs(self) -> list[Output]:
        return [Output(column.name, column.type, column.nullable) for column in self.columns]


def find_target(session: Session, text: str) -> Target:
    """The table of that name.

    Raises
    ------
    SqlError
        208 or 1087 when there is none; views cannot be written through.
    """
    if text.startswith("@"):
        variable = session.frame.tables.get(text.lower())
        if variable is None:
            raise SqlError(1087, f'Must declare the table variable "{text}".', 15)
        return Target(text, f"temp.{quote(variable.storage)}", table_columns(variable))
    database, schema, name = three_parts(text)
    if name.startswith("#"):
        temporary = session.temporary_tables.get(name.lower())
        if temporary is None:
            raise SqlError.of(208, name)
        return Target(name, f"temp.{quote(temporary.storage)}", table_columns(temporary))
    if database is None and session.frames and session.frame.owner:
        database = session.frame.database or None
    found = session.instance.catalog.find_object(session, database, schema, name)
    if found is None or found.type not in ("U", "V"):
        raise SqlError.of(208, text)
    if found.type == "V":
        raise unsupported("writing through a view")
    return Target(found.name, found.storage, list(found.columns), found)


def table_columns(table: object) -> list[TableColumn]:
    """The columns of a session's own table, with identity and defaults where it has them."""
    details = getattr(table, "details", None)
    if details is not None:
        return list(details)
    return [TableColumn(c.name, c.type, c.nullable) for c in table.columns]  # type: ignore[attr-defined]
