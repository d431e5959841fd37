"""SELECT, INSERT, UPDATE, DELETE and TRUNCATE, over DuckDB.

    text --plans.cached--> Plan --check permissions, lock, run--> Outcome(rows or count)

Reads are made and run here; writes are made in inserts.py and changes.py, run in writing.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from sqlexec.embedded.engine import sql_type
from sqlexec.embedded.results import Column, ResultSet
from sqlexec.embedded.sqltypes import MAX, SqlType
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.queries import accumulation, dml, writing
from sqlexec.embedded.tsql.queries.plans import Plan, Step, bind_steps, cached, check
from sqlexec.embedded.tsql.scalar.conversions import convert
from sqlexec.embedded.tsql.state import Frame, Variable
from sqlexec.embedded.tsql.syntax import lexer
from sqlexec.embedded.tsql.translate.binder import Binder
from sqlexec.embedded.tsql.translate.dialect import duckdb_text, parse
from sqlexec.embedded.tsql.translate.engine_errors import translate
from sqlexec.embedded.tsql.translate.running import running, values
from sqlexec.embedded.tsql.translate.scopes import LooseColumn, Output, result_columns

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session

_NVARCHAR = SqlType("nvarchar", 4000)


@dataclass(slots=True)
class Outcome:
    """What a statement gave: rows for the client, or a number of rows affected (None: no count)."""

    result: ResultSet | None = None
    rows: int | None = None


def run(session: Session, text: str, line: int = 1) -> Outcome:
    """Run one SELECT, INSERT, UPDATE, DELETE or TRUNCATE TABLE.

    Parameters
    ----------
    session : Session
        With a frame, whose variables the text may use.
    text : str
        One statement, as the parser cut it out.
    line : int
        Line of its first word, for the line of errors.

    Raises
    ------
    SqlError
        102 for what cannot be parsed, 207 and 208 for unknown names, 229, constraints, ...

    Example
    -------
    >>> run(session, "SELECT 1 AS a").result.columns  # doctest: +SKIP
    [Column(name='a', type=SqlType(name='int', ...), nullable=False)]
    """
    try:
        plan = cached(session, text, lambda: make_plan(session, text, line))
        check(session, plan)
        if plan.locked and session.transaction_count:
            for found in plan.locked:
                session.connection.lock(found.full_name, session)
        if plan.kind == "rows":
            return _rows(session, plan)
        if plan.kind == "accumulate":
            return Outcome(rows=accumulation.run(session, plan))
        if plan.kind == "assign":
            return _assign(session, plan)
        return dml_outcome(session, plan)
    except SqlError as error:
        error.line = error.line or line
        raise


def make_plan(session: Session, text: str, line: int = 1) -> Plan:
    """Parse and bind a statement."""
    keyword = main_keyword(text)
    if keyword == "SELECT":
        return _select_plan(session, text, line)
    if keyword in ("INSERT", "UPDATE", "DELETE", "TRUNCATE"):
        return dml.plan(session, keyword, text, line)
    if keyword == "MERGE":
        raise unsupported("MERGE")
    raise SqlError.of(102, keyword)


def main_keyword(text: str) -> str:
    """The word that says what a statement does, behind WITH's common tables."""
    depth = 0
    first = ""
    for token in lexer.tokenize(text):
        if token.kind == lexer.OPERATOR and token.text in "()":
            depth += 1 if token.text == "(" else -1
        elif token.upper and depth == 0:
            first = first or token.upper
            if first != "WITH":
                return first
            if token.upper in ("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"):
                return token.upper
    return first or ("SELECT" if text.lstrip().startswith("(") else "")


# --- SELECT ------------------------------------------------------------------------------


def _select_plan(session: Session, text: str, line: int) -> Plan:
    tree = parse(text, line)
    if not isinstance(tree, exp.Query):
        raise SqlError.of(102, text.split(maxsplit=1)[0])
    if tree.args.get("into") is not None:
        return dml.select_into(session, tree)
    binder = Binder(session)
    names = _assigned(tree)
    if names and _accumulates(tree, names):
        return accumulation.plan(session, tree, names)
    outputs = binder.query(tree)
    step = Step(duckdb_text(tree), bind_steps(binder))
    return Plan(
        "assign" if names else "rows",
        [step],
        outputs,
        binder.reads,
        locked=binder.locked,
        variables=names,
        volatile=binder.volatile,
    )


def _assigned(tree: exp.Expression) -> list[str]:
    """SELECT @a = x, @b = y: the variables, and the select list cut down to the values."""
    if not isinstance(tree, exp.Select):
        return []
    names = []
    for item in list(tree.expressions):
        if isinstance(item, exp.EQ) and isinstance(item.this, exp.Parameter):
            names.append(f"@{item.this.this.name}")
            item.replace(item.expression)
    if names and len(names) != len(tree.expressions):
        raise SqlError(
            141, "A SELECT statement that assigns a value to a variable must not be combined "
            "with data-retrieval operations.", 15,
        )  # fmt: skip
    return names


def _accumulates(tree: exp.Expression, names: list[str]) -> bool:
    """SELECT @v = @v + x FROM t: a value that is built up over the rows."""
    if tree.args.get("from_") is None:
        return False
    used = {f"@{p.name}".lower() for item in tree.expressions for p in item.find_all(exp.Parameter)}
    return any(name.lower() in used for name in names)


def _rows(session: Session, plan: Plan) -> Outcome:
    step = plan.steps[0]
    with running(session):
        reader = session.connection.reader(step.sql, values(session, step.parameters))
        actual = _described(reader)
        columns = result_columns(plan.outputs, actual)
        batches = _guarded(session, reader)
        columns, batches = _settle_lengths(columns, batches)
    return Outcome(ResultSet(columns, batches=batches))


def _guarded(session: Session, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """The batches, with DuckDB's errors as SQL Server's and cancel at work while they are read."""
    stop = session.connection.interrupt
    session.on_cancel.append(stop)
    try:
        yield from reader
    except duckdb.Error as error:
        raise translate(error, session.session_id) from error
    except (pa.ArrowException, OSError) as error:
        raise translate(duckdb.Error(str(error)), session.session_id) from error
    finally:
        session.on_cancel.remove(stop)


def _settle_lengths(
    columns: list[Column], batches: Iterator[pa.RecordBatch]
) -> tuple[list[Column], Iterator[pa.RecordBatch]]:
    """Text and bytes of no declared length: nvarchar(4000) or (max), by the values of the result.

    A result of one batch is looked at; a longer one gets (max), since it is not kept.
    """
    unknown = [n for n, c in enumerate(columns) if c.type.length == MAX and _loose(c)]
    if not unknown:
        return columns, batches
    first = next(batches, None)
    second = None if first is None else next(batches, None)
    settled = list(columns)
    for number in unknown:
        binary = columns[number].type.is_binary
        limit = 8000 if binary else 4000
        small = second is None and (first is None or _longest(first.column(number)) <= limit)
        name = "varbinary" if binary else "nvarchar"
        settled[number] = Column(
            columns[number].name, SqlType(name, limit if small else MAX), columns[number].nullable
        )
    return settled, _chain([b for b in (first, second) if b is not None], batches)


def _chain(first: list[pa.RecordBatch], rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield from first
    yield from rest


def _loose(column: Column) -> bool:
    return isinstance(column, LooseColumn)


def _longest(array: pa.Array) -> int:
    lengths = (
        pc.binary_length(array) if not pa.types.is_string(array.type) else pc.utf8_length(array)
    )
    return pc.max(lengths).as_py() or 0


def _described(reader: pa.RecordBatchReader) -> list[tuple[str, SqlType]]:
    types = map(arrow_sql_type, reader.schema.types)
    return list(zip(reader.schema.names, types, strict=True))


def arrow_sql_type(type: pa.DataType) -> SqlType:
    """The T-SQL type of an Arrow column that DuckDB gave."""
    if pa.types.is_decimal(type):
        return SqlType("decimal", None, type.precision, type.scale)
    names = {
        "bool": "BOOLEAN", "int8": "TINYINT", "uint8": "UTINYINT", "int16": "SMALLINT",
        "int32": "INTEGER", "int64": "BIGINT", "uint16": "USMALLINT", "uint32": "UINTEGER",
        "uint64": "UBIGINT", "float": "FLOAT", "double": "DOUBLE", "string": "VARCHAR",
        "binary": "BLOB", "date32[day]": "DATE", "time64[us]": "TIME", "timestamp[us]": "TIMESTAMP",
        "timestamp[ms]": "TIMESTAMP_MS", "timestamp[s]": "TIMESTAMP_S",
        "timestamp[ns]": "TIMESTAMP_NS", "null": "NULL",
    }  # fmt: skip
    text = str(type)
    if text.startswith("timestamp[us, tz"):
        return SqlType("datetimeoffset", None, None, 7)
    return sql_type(names.get(text, "VARCHAR"))


def _assign(session: Session, plan: Plan) -> Outcome:
    step = plan.steps[0]
    with running(session):
        connection = session.connection.execute(step.sql, values(session, step.parameters))
        types = connection.types()
        rows = connection.fetchall()
    if rows:
        for name, value, output, (_, actual) in zip(
            plan.variables,
            rows[-1],
            plan.outputs or [Output("", None)] * len(types),
            types,
            strict=True,
        ):
            variable = session.frame.variable(name)
            source = output.type or actual
            variable.value = convert(value, source, variable.type)
    return Outcome(rows=len(rows))


# --- writes ------------------------------------------------------------------------------


def dml_outcome(session: Session, plan: Plan) -> Outcome:
    """Run a writing plan: locks first, all its steps in one transaction."""
    rows, found, types = writing.execute(session, plan)
    if not plan.returns_rows:
        return Outcome(rows=rows)
    columns = result_columns(plan.outputs, types)
    return Outcome(ResultSet(columns, rows=found), rows)


# --- entries for the other parts ---------------------------------------------------------


def evaluate(session: Session, text: str) -> tuple[object, SqlType]:
    """The value of a scalar expression that needs the engine (a subquery, EXISTS, ...).

    A condition (EXISTS, IN, a comparison) gives a bool of type bit.
    """
    plan = cached(session, f"\0{text}", lambda: _expression_plan(session, text))
    check(session, plan)
    step = plan.steps[0]
    with running(session):
        connection = session.connection.execute(step.sql, values(session, step.parameters))
        types = connection.types()
        rows = connection.fetchall()
    output = plan.outputs[0] if plan.outputs else None
    return rows[0][0], (output.type if output and output.type else _short(types[0][1]))


def _short(type: SqlType) -> SqlType:
    return _NVARCHAR if type.is_text and type.length == MAX else type


def _expression_plan(session: Session, text: str) -> Plan:
    tree = parse(f"SELECT {text}")
    binder = Binder(session)
    outputs = binder.query(tree)
    return Plan("rows", [Step(duckdb_text(tree), bind_steps(binder))], outputs, binder.reads,
                volatile=binder.volatile)  # fmt: skip


def open_reader(
    session: Session, text: str, variables: Mapping[str, Variable] | None = None
) -> tuple[list[Column], pa.RecordBatchReader]:
    """The rows of one SELECT as an Arrow stream with their T-SQL columns, for external scripts.

    Parameters
    ----------
    text : str
        One SELECT; it runs without ownership chaining, as dynamic SQL does.
    variables : mapping of str to Variable, optional
        Parameters the text may use, by lower-case name with its @.

    Raises
    ------
    SqlError
        39001 when the text is no single SELECT; else as `run`.
    """
    if main_keyword(text) != "SELECT":
        raise SqlError.of(39001)
    session.frames.append(Frame(variables=dict(variables or {})))
    try:
        plan = cached(session, text, lambda: make_plan(session, text))
        if plan.kind != "rows":
            raise SqlError.of(39001)
        check(session, plan)
        step = plan.steps[0]
        with running(session):
            reader = session.connection.reader(step.sql, values(session, step.parameters))
    finally:
        session.frames.pop()
    actual = _described(reader)
    columns = result_columns(plan.outputs, actual)
    return columns, pa.RecordBatchReader.from_batches(reader.schema, _guarded(session, reader))
