"""Which columns a query can see: its sources, and those of the queries around it."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlexec.embedded.results import Column
from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.errors import SqlError


@dataclass(slots=True)
class Output:
    """A column that a query gives: name ('' for none), type (None: ask DuckDB), nullability."""

    name: str
    type: SqlType | None
    nullable: bool = True
    is_null: bool = False  # the word NULL: int, but in a UNION of the other branch's type


@dataclass(slots=True)
class Source:
    """Something in FROM: the name its columns go by, and the columns (None when not known)."""

    alias: str
    columns: list[Output] | None
    schema: str = ""  # as far as a column may be written schema.table.column

    def find(self, name: str) -> Output | None:
        lowered = name.lower()
        return next((c for c in self.columns or () if c.name.lower() == lowered), None)


@dataclass(slots=True)
class Scope:
    """The sources of one SELECT, inside those of `parent`."""

    parent: Scope | None = None
    sources: list[Source] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)  # for ORDER BY

    def resolve(self, name: str, table: str, schema: str = "") -> tuple[Source | None, Output]:
        """The source and the column that a name means.

        Raises
        ------
        SqlError
            207 for an unknown column, 209 for an ambiguous one, 4104 for an unknown table.
        """
        scope: Scope | None = self
        while scope is not None:
            found = scope._here(name, table, schema)
            if found is not None:
                return found
            scope = scope.parent
        if table:
            raise SqlError(4104, f'The multi-part identifier "{table}.{name}" could not be bound.')
        raise SqlError.of(207, name)

    def _here(self, name: str, table: str, schema: str) -> tuple[Source | None, Output] | None:
        if table:
            for source in self.sources:
                if source.alias.lower() == table.lower() and (
                    not schema or not source.schema or source.schema.lower() == schema.lower()
                ):
                    column = source.find(name)
                    if column is None and source.columns is not None:
                        raise SqlError.of(207, name)
                    return source, column or Output(name, None)
            return None
        hits = [(s, c) for s in self.sources if (c := s.find(name)) is not None]
        if len(hits) > 1:
            raise SqlError(209, f"Ambiguous column name '{name}'.")
        if hits:
            return hits[0]
        if any(source.columns is None for source in self.sources):
            return None, Output(name, None)
        return None


class LooseColumn(Column):
    """A column whose type came from DuckDB, so that the length of its text is open."""


def result_columns(outputs: list[Output] | None, actual: list[tuple[str, SqlType]]) -> list[Column]:
    """What the client is told: declared types where they are known, else DuckDB's."""
    if outputs is None or len(outputs) != len(actual):
        return [LooseColumn(name, type) for name, type in actual]
    return [
        Column(output.name, output.type, output.nullable)
        if output.type is not None
        else LooseColumn(output.name, type, output.nullable)
        for output, (_, type) in zip(outputs, actual, strict=True)
    ]
