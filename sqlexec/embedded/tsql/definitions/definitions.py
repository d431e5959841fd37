"""CREATE, ALTER and DROP of tables, indexes, views, schemas, databases; drops of procedures.

Logins, users, roles and permissions are in principals.py and permissions.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sqlexec.embedded.catalog import TableColumn
from sqlexec.embedded.engine import quote, sql_type
from sqlexec.embedded.results import Column
from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.definitions import (
    alterations,
    indexes,
    objects,
    permissions,
    principals,
    tables,
)
from sqlexec.embedded.tsql.definitions.storage import TableDefinition, create_storage
from sqlexec.embedded.tsql.definitions.table_text import read_table
from sqlexec.embedded.tsql.definitions.targets import Target, find_target
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.state import TableVariable
from sqlexec.embedded.tsql.syntax.clauses import Cutter
from sqlexec.embedded.tsql.translate.running import running
from sqlexec.embedded.tsql.translate.scopes import Output

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session

Statement = Callable[["Session", Cutter, str], None]

STATEMENTS: dict[str, Statement] = {
    "CREATE TABLE": tables.create_table,
    "ALTER TABLE": alterations.alter_table,
    "DROP TABLE": tables.drop_table,
    "CREATE INDEX": indexes.create_index,
    "DROP INDEX": indexes.drop_index,
    **objects.STATEMENTS,
    **principals.STATEMENTS,
    **permissions.STATEMENTS,
}


def run(session: Session, text: str, line: int = 1) -> None:
    """Run one data definition or security statement.

    Raises
    ------
    SqlError
        As SQL Server does; 40517 for what the stand-in lacks.
    """
    cutter = Cutter(text)
    try:
        verb = cutter.token.upper
        cutter.position += 1
        if verb == "CREATE" and cutter.take("OR"):
            cutter.take("ALTER")
            verb = "CREATE OR ALTER"
        if verb not in ("GRANT", "DENY", "REVOKE"):
            while cutter.token.upper in ("UNIQUE", "CLUSTERED", "NONCLUSTERED", "COLUMNSTORE"):
                cutter.position += 1
            kind = {"PROC": "PROCEDURE"}.get(cutter.token.upper, cutter.token.upper)
            cutter.position += 1
            verb = f"{verb} {kind}"
        statement = STATEMENTS.get(verb)
        if statement is None:
            raise unsupported(verb)
        with running(session):
            statement(session, cutter, text)
    except SqlError as error:
        error.line = error.line or line
        raise


def create_table_variable(session: Session, columns_text: str) -> TableVariable:
    """DECLARE @t TABLE (...): a temporary table of its own for it.

    Parameters
    ----------
    columns_text : str
        The definition with its parentheses.
    """
    inside = columns_text.strip()
    if inside.startswith("("):
        inside = Cutter(inside).parenthesized()
    table = read_table(inside, "t")
    depth = len(session.frames)
    number = len(session.frame.tables) if session.frames else 0
    storage = f"@{depth}.{number}"
    with running(session):
        session.connection.execute(f"DROP TABLE IF EXISTS temp.{quote(storage)}")
        for column in table.columns:
            if column.identity is not None:
                session.connection.execute(
                    f"DROP SEQUENCE IF EXISTS temp.{quote(f'{storage}${column.name}')}"
                )
        create_storage(session, quote(storage), table, temporary=True)
    columns = [Column(c.name, c.type, c.nullable) for c in table.columns]
    return TableVariable(storage, columns, table.columns)


def drop_table_variable(session: Session, table: TableVariable) -> None:
    """Give the storage of a table variable or temporary table back."""
    session.connection.execute(f"DROP TABLE IF EXISTS temp.{quote(table.storage)}")


def columns_of_query(
    outputs: Sequence[Output] | None, described: Sequence[tuple[object, ...]]
) -> list[TableColumn]:
    """The columns of SELECT INTO's table: declared types, else DuckDB's."""
    columns = []
    for number, row in enumerate(described):
        output = outputs[number] if outputs is not None else None
        name = output.name if output is not None else str(row[0])
        if not name:
            raise SqlError(
                1038, "An object or column name is missing or empty. For SELECT INTO statements, "
                "verify each column has a name.", 15,
            )  # fmt: skip
        type = output.type if output is not None and output.type else sql_type(row[1])
        columns.append(TableColumn(name, _stored(type), output.nullable if output else True))
    return columns


def _stored(type: SqlType) -> SqlType:
    return SqlType("varchar", 1) if type.length == 0 else type


def create_table_as(session: Session, name: str, columns: list[TableColumn]) -> Target:
    """Make the table of SELECT INTO; the plan that fills it comes after."""
    tables.create(session, name, TableDefinition(columns))
    return find_target(session, name)
