"""T-SQL tables as DuckDB tables: columns, keys, checks, lengths, identity.

Lengths are CHECKs (DuckDB's VARCHAR has none); a CHECK carries its name as a mark, since DuckDB
does not keep names; identity is a sequence; defaults are filled in by INSERT (queries/inserts.py),
since they may ask the session (SUSER_SNAME()).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlexec.embedded.catalog import TableColumn
from sqlexec.embedded.engine import duckdb_type, quote
from sqlexec.embedded.sqltypes import MAX
from sqlexec.embedded.tsql.errors import unsupported
from sqlexec.embedded.tsql.translate.binder import Binder
from sqlexec.embedded.tsql.translate.dialect import duckdb_text, parse
from sqlexec.embedded.tsql.translate.scopes import Output, Scope, Source

if TYPE_CHECKING:
    from sqlexec.embedded.engine import Connection
    from sqlexec.embedded.tsql.state import Session


@dataclass(slots=True)
class Key:
    """PRIMARY KEY or UNIQUE."""

    name: str
    columns: list[str]
    primary: bool
    system_named: bool = True


@dataclass(slots=True)
class Check:
    name: str
    text: str  # T-SQL condition
    system_named: bool = True


@dataclass(slots=True)
class ForeignKey:
    name: str
    columns: list[str]
    references: str  # T-SQL name of the table
    referenced: list[str]
    on_delete: int = 0  # 0 NO ACTION, as sys.foreign_keys has it
    on_update: int = 0
    system_named: bool = True


@dataclass(slots=True)
class TableDefinition:
    """What CREATE TABLE says."""

    columns: list[TableColumn]
    keys: list[Key] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    default_names: dict[str, str] = field(default_factory=dict)  # column -> given name

    def settled(self) -> TableDefinition:
        """The same, with the columns of the primary key NOT NULL."""
        keyed = {name.lower() for key in self.keys if key.primary for name in key.columns}
        columns = [
            replace(column, nullable=False) if column.name.lower() in keyed else column
            for column in self.columns
        ]
        return replace(self, columns=columns)


def create_storage(
    session: Session,
    storage: str,
    table: TableDefinition,
    references: Sequence[str] = (),
    *,
    temporary: bool = False,
) -> None:
    """Make the DuckDB table.

    Parameters
    ----------
    storage : str
        Its quoted name.
    references : sequence of str
        The quoted DuckDB names of the tables that the foreign keys refer to, in their order.
    """
    connection = session.connection
    kind = "TEMP " if temporary else ""
    parts = []
    for column in table.columns:
        if column.identity is not None:
            seed, increment = column.identity
            create_sequence(connection, sequence_name(storage, column.name), seed, increment, kind)
        parts.append(_column(storage, column))
    for key in table.keys:
        word = "PRIMARY KEY" if key.primary else "UNIQUE"
        parts.append(f"{word} ({', '.join(map(quote, key.columns))})")
    for check in table.checks:
        mark = "check:" + check.name.replace("'", "''")
        parts.append(f"CHECK ({condition(session, check.text, table.columns)} OR '{mark}' = '')")
    for foreign, referenced in zip(table.foreign_keys, references, strict=False):
        if foreign.on_delete or foreign.on_update:
            raise unsupported("foreign keys with CASCADE or SET NULL")
        parts.append(
            f"FOREIGN KEY ({', '.join(map(quote, foreign.columns))}) REFERENCES {referenced}"
            f" ({', '.join(map(quote, foreign.referenced))})"
        )
    connection.execute(f"CREATE {kind}TABLE {storage} ({', '.join(parts)})")


def _column(storage: str, column: TableColumn) -> str:
    name = quote(column.name)
    text = f"{name} {duckdb_type(column.type)}"
    if column.identity is not None:
        sequence = sequence_name(storage, column.name).replace("'", "''")
        text += f" DEFAULT nextval('{sequence}')"
    if not column.nullable:
        text += " NOT NULL"
    if column.type.length not in (None, MAX):
        function = "octet_length" if column.type.is_binary else "length"
        text += f" CHECK ({function}({name}) <= {column.type.length})"
    return text


def condition(session: Session, text: str, columns: Sequence[TableColumn]) -> str:
    """A CHECK's condition in DuckDB's words."""
    tree = parse(f"SELECT 1 WHERE {text}")
    binder = Binder(session)
    scope = Scope(None, [Source("", [Output(c.name, c.type) for c in columns])])
    where = tree.args["where"]
    binder.expression(where.this, scope, {})
    if binder.parameters:
        raise unsupported("CHECK constraints that ask the session")
    return duckdb_text(exp.paren(where.this))


def sequence_name(storage: str, column: str) -> str:
    """The quoted name of an identity column's sequence, beside its table."""
    return storage.removeprefix("temp.")[:-1] + "$" + column.replace('"', '""') + '"'


def create_sequence(
    connection: Connection, name: str, seed: int, increment: int, kind: str = ""
) -> None:
    """Make an identity's sequence."""
    limits = "" if increment > 0 else "MINVALUE -9223372036854775807 MAXVALUE 9223372036854775806"
    if increment > 0 and seed < 1:
        limits = f"MINVALUE {seed}"
    connection.execute(
        f"CREATE {kind}SEQUENCE {name} INCREMENT BY {increment} {limits} START WITH {seed}"
    )


def restart_sequence(storage: str, column: TableColumn) -> str:
    """The statement that makes numbering begin anew."""
    seed = (column.identity or (1, 1))[0]
    name = sequence_name(storage, column.name).replace("'", "''")
    return f"SELECT setval('{name}', {seed}, false)"


def raise_sequence(storage: str, column: TableColumn) -> str:
    """The statement that moves numbering behind explicit values (IDENTITY_INSERT)."""
    name = sequence_name(storage, column.name).replace("'", "''")
    return f"SELECT setval('{name}', (SELECT max({quote(column.name)}) FROM {storage}))"


def drop_storage(connection: Connection, storage: str, columns: Sequence[TableColumn]) -> None:
    """Drop the DuckDB table and its sequences."""
    connection.execute(f"DROP TABLE {storage}")
    for column in columns:
        if column.identity is not None:
            connection.execute(f"DROP SEQUENCE {sequence_name(storage, column.name)}")
