"""What the parser makes of T-SQL: statements and scalar expressions, immutable.

A parsed batch is shared by all sessions that send the same text, so nothing here ever changes.
Queries, DML and DDL stay text (`Query`, `Definition`): `queries` and `definitions` read them.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlexec.embedded.results import Column
from sqlexec.embedded.sqltypes import SqlType

# --- scalar expressions and conditions ---------------------------------------------------


class Expression:
    """Base of the nodes that have a value, and of the conditions (true, false, unknown)."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Literal(Expression):
    value: object
    type: SqlType


@dataclass(frozen=True, slots=True)
class VariableReference(Expression):
    name: str  # lower case, with its @
    spelling: str


@dataclass(frozen=True, slots=True)
class SystemVariable(Expression):
    name: str  # upper case, with its @@


@dataclass(frozen=True, slots=True)
class Unary(Expression):
    operator: str  # + - ~
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Expression):
    operator: str  # + - * / % & | ^
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Case(Expression):
    """`operand` is None for a searched CASE; then each WHEN is a condition."""

    operand: Expression | None
    branches: tuple[tuple[Expression, Expression], ...]
    otherwise: Expression | None


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """A function call; `text` is its source, for functions that only the engine knows."""

    name: str  # upper case
    arguments: tuple[Expression, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Cast(Expression):
    """CAST, CONVERT and their TRY_ forms; `style` is CONVERT's third argument."""

    operand: Expression
    type: SqlType
    style: Expression | None = None
    attempt: bool = False


@dataclass(frozen=True, slots=True)
class ColumnName(Expression):
    """A bare name: no scalar expression without a FROM has a use for it (error 207)."""

    name: str


@dataclass(frozen=True, slots=True)
class EngineExpression(Expression):
    """A piece that only the engine can evaluate: a subquery, an aggregate, a user function."""

    text: str


@dataclass(frozen=True, slots=True)
class EngineCondition(Expression):
    """A condition that only the engine can evaluate: EXISTS (...), x IN (SELECT ...)."""

    text: str


@dataclass(frozen=True, slots=True)
class Comparison(Expression):
    operator: str  # = <> < <= > >=
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Logic(Expression):
    operator: str  # AND OR
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Not(Expression):
    operand: Expression


@dataclass(frozen=True, slots=True)
class IsNull(Expression):
    operand: Expression


@dataclass(frozen=True, slots=True)
class InList(Expression):
    operand: Expression
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Like(Expression):
    operand: Expression
    pattern: Expression
    escape: Expression | None


CONDITIONS = (EngineCondition, Comparison, Logic, Not, IsNull, InList, Like)

# --- statements --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Statement:
    """Base of all statements; `line` counts from 1 in the batch or the procedure's text."""

    line: int


@dataclass(frozen=True, slots=True)
class Declaration:
    name: str  # lower case, with its @
    type: SqlType
    value: Expression | None


@dataclass(frozen=True, slots=True)
class Declare(Statement):
    items: tuple[Declaration, ...]


@dataclass(frozen=True, slots=True)
class DeclareTable(Statement):
    name: str
    columns: str  # the text with its parentheses


@dataclass(frozen=True, slots=True)
class Assign(Statement):
    """SET @name = value (the compound operators are expanded by the parser)."""

    name: str
    spelling: str
    value: Expression


@dataclass(frozen=True, slots=True)
class SetOptions(Statement):
    names: tuple[str, ...]  # upper case
    on: bool


@dataclass(frozen=True, slots=True)
class SetValue(Statement):
    """SET LOCK_TIMEOUT 100, SET DATEFORMAT mdy and the like."""

    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class SetIsolation(Statement):
    level: int  # as sys.dm_exec_sessions numbers them, 1 to 5


@dataclass(frozen=True, slots=True)
class SetIdentityInsert(Statement):
    table: tuple[str, ...]
    on: bool


@dataclass(frozen=True, slots=True)
class If(Statement):
    condition: Expression
    then: Statement
    otherwise: Statement | None


@dataclass(frozen=True, slots=True)
class While(Statement):
    condition: Expression
    body: Statement


@dataclass(frozen=True, slots=True)
class Block(Statement):
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Try(Statement):
    body: tuple[Statement, ...]
    handler: tuple[Statement, ...]


class Break(Statement):
    __slots__ = ()


class Continue(Statement):
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Return(Statement):
    value: Expression | None


@dataclass(frozen=True, slots=True)
class Print(Statement):
    value: Expression


@dataclass(frozen=True, slots=True)
class RaiseError(Statement):
    message: Expression
    severity: Expression
    state: Expression
    arguments: tuple[Expression, ...]
    options: frozenset[str]  # NOWAIT, LOG, SETERROR


@dataclass(frozen=True, slots=True)
class Throw(Statement):
    """All three are None for THROW without parameters."""

    number: Expression | None
    message: Expression | None
    state: Expression | None


@dataclass(frozen=True, slots=True)
class WaitFor(Statement):
    kind: str  # DELAY TIME
    value: Expression


@dataclass(frozen=True, slots=True)
class ExecuteArgument:
    name: str  # with its @; '' by position
    value: Expression | None  # None for DEFAULT
    output: str  # the variable that takes the OUTPUT value, lower case; '' for none


ResultSets = tuple[tuple[Column, ...], ...]


@dataclass(frozen=True, slots=True)
class Execute(Statement):
    """EXECUTE of a procedure: `name` has its 1 to 4 parts, or `variable` holds the name.

    `result_sets` is None without the clause (or UNDEFINED), () for WITH RESULT SETS NONE.
    """

    status: str  # variable that takes the return status, '' for none
    name: tuple[str, ...]
    variable: str
    arguments: tuple[ExecuteArgument, ...]
    result_sets: ResultSets | None = None


@dataclass(frozen=True, slots=True)
class ExecuteString(Statement):
    value: Expression
    result_sets: ResultSets | None = None


@dataclass(frozen=True, slots=True)
class InsertExecute(Statement):
    target: str  # "dbo.t (a, b)", as written
    call: Execute | ExecuteString


@dataclass(frozen=True, slots=True)
class BeginTransaction(Statement):
    name: str


class Commit(Statement):
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Rollback(Statement):
    name: str


@dataclass(frozen=True, slots=True)
class Use(Statement):
    database: str


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str  # as written, with its @
    type: SqlType
    default: Expression | None
    output: bool


@dataclass(frozen=True, slots=True)
class Procedure:
    """The parsed text of a procedure."""

    parameters: tuple[Parameter, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class CreateProcedure(Statement):
    mode: str  # CREATE | ALTER | CREATE OR ALTER
    name: tuple[str, ...]
    definition: str


@dataclass(frozen=True, slots=True)
class SelectItem:
    """One column of a SELECT without FROM; `variable` is that of `SELECT @v = expression`."""

    name: str
    value: Expression
    variable: str = ""


@dataclass(frozen=True, slots=True)
class SelectScalars(Statement):
    """SELECT without FROM of expressions that need no engine, if it needs none for their calls.

    `calls` are the names of the functions in it, `text` is the whole as a query.
    """

    items: tuple[SelectItem, ...]
    calls: frozenset[str]
    text: str


@dataclass(frozen=True, slots=True)
class Query(Statement):
    """SELECT, INSERT, UPDATE, DELETE, TRUNCATE, WITH ...: run by `queries`."""

    text: str
    writes: bool


@dataclass(frozen=True, slots=True)
class Definition(Statement):
    """DDL and security statements: run by `definitions`."""

    text: str


@dataclass(frozen=True, slots=True)
class ExecuteAs(Statement):
    kind: str  # USER LOGIN CALLER
    principal: Expression | None


class Revert(Statement):
    __slots__ = ()


class Reconfigure(Statement):
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Kill(Statement):
    session_id: Expression


def calls(node: object) -> frozenset[str] | None:
    """The functions an expression calls, by upper-case name; None where it needs the engine."""
    if isinstance(node, EngineExpression | EngineCondition | ColumnName):
        return None
    parts: tuple[object, ...] = ()
    found: frozenset[str] = frozenset()
    if isinstance(node, Expression):
        slots: tuple[str, ...] = node.__slots__
        parts = tuple(getattr(node, slot) for slot in slots)
        found = frozenset({node.name}) if isinstance(node, Call) else found
    elif isinstance(node, tuple):
        parts = node
    for part in parts:
        inner = calls(part)
        if inner is None:
            return None
        found |= inner
    return found
