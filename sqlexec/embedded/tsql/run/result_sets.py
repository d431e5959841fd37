"""EXECUTE ... WITH RESULT SETS: what is sent is checked and converted by what was declared."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlexec.embedded.results import Column, ResultSet, Sink
from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.errors import Message, SqlError
from sqlexec.embedded.tsql.scalar.conversions import convert
from sqlexec.embedded.tsql.scalar.facts import DATE_TYPES, type_name
from sqlexec.embedded.tsql.syntax import nodes

_NUMBERS = frozenset({
    "bit", "tinyint", "smallint", "int", "bigint", "decimal", "money", "smallmoney", "float",
    "real",
})  # fmt: skip


@dataclass(slots=True)
class DeclaredResults:
    """A Sink in front of another one; `finish` is called when the procedure has ended.

    Raises 11535 to 11538 and 11553 from the procedure's own statement, as SQL Server does.
    """

    sink: Sink
    declared: nodes.ResultSets
    sent: int = 0

    def result_set(self, result: ResultSet, *, count: bool = True) -> int:
        if self.sent >= len(self.declared):
            raise SqlError.of(11535, len(self.declared))
        number = self.sent + 1
        columns = self.declared[self.sent]
        self.sent = number
        if len(columns) != len(result.columns):
            raise SqlError.of(11537, len(columns), number, len(result.columns))
        for place, (wanted, found) in enumerate(zip(columns, result.columns, strict=True), 1):
            if not convertible(found.type, wanted.type):
                raise SqlError.of(
                    11538, type_name(wanted.type), place, number, type_name(found.type)
                )
        return self.sink.result_set(_converted(result, columns, number), count=count)

    def finish(self) -> None:
        """Check that every declared result set was sent (11536)."""
        if self.sent < len(self.declared):
            raise SqlError.of(11536, len(self.declared), self.sent)

    def done(self, rows: int | None) -> None:
        self.sink.done(rows)

    def message(self, message: Message, *, flush: bool = False) -> None:
        self.sink.message(message, flush=flush)

    def error(self, error: SqlError) -> None:
        self.sink.error(error)

    def database_changed(self, old: str, new: str) -> None:
        self.sink.database_changed(old, new)

    def transaction_began(self, descriptor: int) -> None:
        self.sink.transaction_began(descriptor)

    def transaction_ended(self, descriptor: int, *, committed: bool) -> None:
        self.sink.transaction_ended(descriptor, committed=committed)


def convertible(source: SqlType, target: SqlType) -> bool:
    """Whether T-SQL converts implicitly from one type to the other."""
    if source.name == target.name or target.is_text or target.name == "sql_variant":
        return not (source.is_binary and target.name == "xml")
    if source.is_text:
        return not target.is_binary
    if source.is_binary:
        return target.is_binary or target.name in _NUMBERS - {"float", "real"}
    if source.name in _NUMBERS:
        return target.name in _NUMBERS or target.name in ("datetime", "smalldatetime")
    if source.name in DATE_TYPES:
        return target.name in DATE_TYPES and {source.name, target.name} != {"date", "time"}
    return False


def _converted(result: ResultSet, columns: Sequence[Column], number: int) -> ResultSet:
    same = all(
        wanted.type == found.type and (wanted.nullable or not found.nullable)
        for wanted, found in zip(columns, result.columns, strict=True)
    )
    if same:
        return ResultSet(list(columns), rows=result.rows, batches=result.batches)
    sources = [column.type for column in result.columns]
    return ResultSet(list(columns), rows=_rows(result, sources, columns, number))


def _rows(
    result: ResultSet, sources: list[SqlType], columns: Sequence[Column], number: int
) -> Iterator[tuple[object, ...]]:
    steps = list(zip(range(1, len(columns) + 1), sources, columns, strict=True))
    for row in _values(result):
        yield tuple(
            _cell(value, source, column, place, number)
            for value, (place, source, column) in zip(row, steps, strict=True)
        )


def _values(result: ResultSet) -> Iterator[Sequence[object]]:
    if result.batches is None:
        yield from result.rows or ()
        return
    for batch in result.batches:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _cell(value: object, source: SqlType, column: Column, place: int, number: int) -> object:
    if value is None:
        if not column.nullable:
            raise SqlError.of(11553, place, number)
        return None
    if source == column.type:
        return value
    if source.name == "uniqueidentifier" and isinstance(value, str):
        value = uuid.UUID(value)
    return convert(value, source, column.type, implicit=True)
