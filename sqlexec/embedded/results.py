"""What the T-SQL side hands to the TDS side: result sets, counts, messages, errors.

interpreter ---> Sink ---> TDS tokens of one session (or a capture, for INSERT EXECUTE)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.errors import Message, SqlError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a result: its name ('' if it has none), type and nullability."""

    name: str
    type: SqlType
    nullable: bool = True


@dataclass(slots=True)
class ResultSet:
    """Rows with their columns: Python tuples in `rows`, or Arrow batches in `batches`.

    Exactly one of the two is set.  `batches` may be a stream that runs the query while it is
    read; it is read once.  Arrow columns have the types of `engine.ARROW_TYPES`.
    """

    columns: list[Column]
    rows: Iterable[Sequence[object]] | None = None
    batches: Iterable[pa.RecordBatch] | None = None


@dataclass(slots=True)
class Argument:
    """A value given to a procedure, by position (name '') or by name (with its @).

    For an OUTPUT argument the callee writes `value` back, converted to `type`.
    """

    name: str
    type: SqlType
    value: object
    output: bool = False
    default: bool = False  # the caller wrote DEFAULT: take the parameter's default


class Sink(Protocol):
    """Where one request's answers go, in order."""

    def result_set(self, result: ResultSet, *, count: bool = True) -> int:
        """Send a whole result set; returns the number of its rows.

        `count` is False under SET NOCOUNT ON: the row count is not told to the client.
        """

    def done(self, rows: int | None) -> None:
        """A statement without a result set ended: rows affected, or None for 'not told'."""

    def message(self, message: Message, *, flush: bool = False) -> None:
        """Send an informational message; `flush` (RAISERROR WITH NOWAIT) sends it at once."""

    def error(self, error: SqlError) -> None:
        """Send an error; the batch may go on after it."""

    def database_changed(self, old: str, new: str) -> None: ...

    def transaction_began(self, descriptor: int) -> None: ...

    def transaction_ended(self, descriptor: int, *, committed: bool) -> None: ...


@dataclass(slots=True)
class Capture:
    """A Sink that keeps what it is given: INSERT ... EXECUTE, and tests."""

    parent: Sink | None = None  # messages and errors pass on to it
    results: list[ResultSet] = field(default_factory=list)
    counts: list[int | None] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    errors: list[SqlError] = field(default_factory=list)

    def result_set(self, result: ResultSet, *, count: bool = True) -> int:
        if result.batches is not None:
            rows = [row for batch in result.batches for row in _tuples(batch)]
        else:
            rows = [tuple(row) for row in result.rows or ()]
        self.results.append(ResultSet(result.columns, rows=rows))
        return len(rows)

    def done(self, rows: int | None) -> None:
        self.counts.append(rows)

    def message(self, message: Message, *, flush: bool = False) -> None:
        self.messages.append(message)
        if self.parent:
            self.parent.message(message, flush=flush)

    def error(self, error: SqlError) -> None:
        self.errors.extend(error.all())
        self.messages.extend(error.after)
        if self.parent:
            self.parent.error(error)

    def database_changed(self, old: str, new: str) -> None:
        if self.parent:
            self.parent.database_changed(old, new)

    def transaction_began(self, descriptor: int) -> None:
        if self.parent:
            self.parent.transaction_began(descriptor)

    def transaction_ended(self, descriptor: int, *, committed: bool) -> None:
        if self.parent:
            self.parent.transaction_ended(descriptor, committed=committed)


def _tuples(batch: pa.RecordBatch) -> Iterable[tuple[object, ...]]:
    return zip(*(column.to_pylist() for column in batch.columns), strict=True)
