"""The value of scalar expressions and conditions, in Python.

    evaluate(session, node) -> (value, type)         test(session, node) -> True | False | None

What only the engine knows (subqueries, aggregates, unknown functions) goes to
`queries.evaluate` as text; everything around it stays here, so that a varbinary(max) value of
any size never passes through DuckDB just to be moved.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from sqlexec.embedded.sqltypes import INT, SqlType
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.queries import queries
from sqlexec.embedded.tsql.scalar.builtins import text
from sqlexec.embedded.tsql.scalar.conversions import convert
from sqlexec.embedded.tsql.scalar.functions import BUILTINS, FUNCTIONS, SYSTEM_VARIABLES
from sqlexec.embedded.tsql.scalar.operators import binary, compare
from sqlexec.embedded.tsql.scalar.patterns import like_pattern
from sqlexec.embedded.tsql.scalar.registry import Typed
from sqlexec.embedded.tsql.scalar.typing_rules import common_type
from sqlexec.embedded.tsql.state import Session
from sqlexec.embedded.tsql.syntax import nodes

_NULL = nodes.Literal(None, INT)


def evaluate(session: Session, node: nodes.Expression) -> Typed:
    """The value of an expression, with its T-SQL type.

    Raises
    ------
    SqlError
        What the expression raises; 137 for an unknown variable, 207 for a bare name.

    Example
    -------
    >>> from sqlexec.embedded.tsql.syntax.expressions import ExpressionReader
    >>> evaluate(None, ExpressionReader("1 + 2 * 3").scalar())  # doctest: +SKIP
    (7, SqlType(name='int', length=None, precision=None, scale=None))
    """
    rule = _EVALUATORS.get(type(node))
    if rule is None:
        raise SqlError(
            4145, "An expression of boolean type is specified in a context where a value is "
            "expected.", 15,
        )  # fmt: skip
    return rule(session, node)


def test(session: Session, node: nodes.Expression) -> bool | None:
    """The truth of a condition; None is unknown."""
    if isinstance(node, nodes.Comparison):
        return compare(node.operator, evaluate(session, node.left), evaluate(session, node.right))
    if isinstance(node, nodes.Logic):
        return _logic(session, node)
    if isinstance(node, nodes.Not):
        inner = test(session, node.operand)
        return None if inner is None else not inner
    if isinstance(node, nodes.IsNull):
        return evaluate(session, node.operand)[0] is None
    if isinstance(node, nodes.InList):
        return _in_list(session, node)
    if isinstance(node, nodes.Like):
        return _like(session, node)
    if isinstance(node, nodes.EngineCondition):
        value, _ = _engine(session, f"CASE WHEN {node.text} THEN 1 ELSE 0 END")
        return bool(value)
    raise SqlError(
        4145,
        "An expression of non-boolean type specified in a context where a condition is expected.",
        15,
    )


def _logic(session: Session, node: nodes.Logic) -> bool | None:
    decisive = node.operator == "OR"
    left = test(session, node.left)
    if left is decisive:
        return decisive
    right = test(session, node.right)
    if right is decisive:
        return decisive
    return None if left is None or right is None else not decisive


def _in_list(session: Session, node: nodes.InList) -> bool | None:
    operand = evaluate(session, node.operand)
    unknown = False
    for item in node.items:
        equal = compare("=", operand, evaluate(session, item))
        if equal:
            return True
        unknown = unknown or equal is None
    return None if unknown else False


def _like(session: Session, node: nodes.Like) -> bool | None:
    value = text(evaluate(session, node.operand))
    pattern = text(evaluate(session, node.pattern))
    escape = text(evaluate(session, node.escape)) if node.escape else ""
    if value is None or pattern is None or escape is None:
        return None
    return bool(like_pattern(pattern, escape).fullmatch(value))


# --- one rule a node ---------------------------------------------------------------------


def _literal(session: Session, node: nodes.Literal) -> Typed:
    return node.value, node.type


def _variable(session: Session, node: nodes.VariableReference) -> Typed:
    variable = session.frames[-1].variables.get(node.name)
    if variable is None:
        raise SqlError.of(137, node.spelling, state=2)
    return variable.value, variable.type


def _system_variable(session: Session, node: nodes.SystemVariable) -> Typed:
    function = SYSTEM_VARIABLES.get(node.name)
    if function is None:
        raise SqlError.of(137, node.name.lower(), state=2)
    return function(session)


def _unary(session: Session, node: nodes.Unary) -> Typed:
    value, type = evaluate(session, node.operand)
    if node.operator == "+":
        return value, type
    if node.operator == "-":
        if value is None:
            return None, type
        return binary("-", (0, SqlType("tinyint")), (value, type))[0], type
    whole = convert(value, type, type if type.is_integer else INT)
    return (None if not isinstance(whole, int) else ~whole), type


def _binary(session: Session, node: nodes.Binary) -> Typed:
    left, right = evaluate(session, node.left), evaluate(session, node.right)
    for operand, other in ((node.left, right), (node.right, left)):
        if operand == _NULL:  # a bare NULL has the other operand's type
            return None, other[1]
    return binary(node.operator, left, right)


def _cast(session: Session, node: nodes.Cast) -> Typed:
    value, source = evaluate(session, node.operand)
    style = 0
    if node.style is not None:
        given = evaluate(session, node.style)[0]
        style = given if isinstance(given, int) else 0
    try:
        return convert(value, source, node.type, style), node.type
    except SqlError as error:
        if node.attempt and error.number not in (529, 206, 257):
            return None, node.type
        raise


def _case(session: Session, node: nodes.Case) -> Typed:
    operand = evaluate(session, node.operand) if node.operand else None
    chosen = node.otherwise
    for condition, result in node.branches:
        if operand is None:
            matched = test(session, condition)
        else:
            matched = compare("=", operand, evaluate(session, condition))
        if matched:
            chosen = result
            break
    results = [result for _, result in node.branches]
    return _chosen(session, chosen, [*results, *([node.otherwise] if node.otherwise else [])])


def _chosen(
    session: Session, chosen: nodes.Expression | None, candidates: list[nodes.Expression]
) -> Typed:
    """The value of one of several expressions, in the type that is common to all of them."""
    value, kind = (None, None) if chosen is None else evaluate(session, chosen)
    common = kind if value is not None else None
    for candidate in candidates:
        known = _known_type(session, candidate)
        if known is not None:
            common = known if common is None else common_type(common, known)
    if common is None:
        return value, kind or INT
    return convert(value, kind, common, implicit=True), common


def _known_type(session: Session, node: nodes.Expression) -> SqlType | None:
    """An expression's type, where it can be told without evaluating it; None for NULL too."""
    if isinstance(node, nodes.Literal):
        return None if node.value is None else node.type
    if isinstance(node, nodes.VariableReference):
        return _variable(session, node)[1]
    if isinstance(node, nodes.Cast):
        return node.type
    return None


def _call(session: Session, node: nodes.Call) -> Typed:
    name = node.name
    builtin = BUILTINS.get(name)
    if builtin:
        return _apply(builtin, node, [evaluate(session, argument) for argument in node.arguments])
    function = FUNCTIONS.get(name)
    if function:
        values = [session, *(evaluate(session, argument)[0] for argument in node.arguments)]
        return _apply(function, node, values)
    special = _SPECIAL_RULES.get(name)
    if special:
        return special(session, node)
    return _engine(session, node.text)


def _apply(function: Callable[..., Typed], node: nodes.Call, arguments: list[Any]) -> Typed:
    try:
        return function(*arguments)
    except TypeError:
        if not _accepts(function, len(arguments)):
            raise SqlError(
                174, f"The {node.name.lower()} function requires another number of arguments.", 15
            ) from None
        raise


def _accepts(function: Callable[..., Typed], count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    return True


def _coalesce(session: Session, node: nodes.Call) -> Typed:
    for argument in node.arguments:
        value, _ = evaluate(session, argument)
        if value is not None:
            return _chosen(session, argument, list(node.arguments))
    return _chosen(session, None, list(node.arguments))


def _isnull(session: Session, node: nodes.Call) -> Typed:
    """ISNULL has the type of its first argument, of the second where the first is a bare NULL."""
    _arity(node, 2)
    value, kind = evaluate(session, node.arguments[0])
    if value is not None:
        return value, kind
    other, source = evaluate(session, node.arguments[1])
    first = node.arguments[0]
    if isinstance(first, nodes.Literal) and first.value is None:
        return other, source
    return convert(other, source, kind, implicit=True), kind


def _nullif(session: Session, node: nodes.Call) -> Typed:
    _arity(node, 2)
    left, right = (evaluate(session, argument) for argument in node.arguments)
    return (None, left[1]) if compare("=", left, right) else left


def _iif(session: Session, node: nodes.Call) -> Typed:
    _arity(node, 3)
    condition, yes, no = node.arguments
    return _chosen(session, yes if test(session, condition) else no, [yes, no])


def _choose(session: Session, node: nodes.Call) -> Typed:
    index = convert(*evaluate(session, node.arguments[0]), INT)
    choices = list(node.arguments[1:])
    valid = isinstance(index, int) and 1 <= index <= len(choices)
    return _chosen(session, choices[index - 1] if valid else None, choices)  # type: ignore[operator]


def _arity(node: nodes.Call, count: int) -> None:
    if len(node.arguments) != count:
        raise SqlError(174, f"The {node.name.lower()} function requires {count} argument(s).", 15)


_SPECIAL_RULES: dict[str, Callable[[Session, nodes.Call], Typed]] = {
    "COALESCE": _coalesce,
    "ISNULL": _isnull,
    "NULLIF": _nullif,
    "IIF": _iif,
    "CHOOSE": _choose,
}
KNOWN_FUNCTIONS = frozenset({*BUILTINS, *FUNCTIONS, *_SPECIAL_RULES})


def _column_name(session: Session, node: nodes.ColumnName) -> Typed:
    raise SqlError.of(207, node.name)


def _engine_expression(session: Session, node: nodes.EngineExpression) -> Typed:
    return _engine(session, node.text)


def _engine(session: Session, source: str) -> Typed:
    return queries.evaluate(session, source)


_EVALUATORS: dict[type, Callable[[Session, Any], Typed]] = {
    nodes.Literal: _literal,
    nodes.VariableReference: _variable,
    nodes.SystemVariable: _system_variable,
    nodes.Unary: _unary,
    nodes.Binary: _binary,
    nodes.Cast: _cast,
    nodes.Case: _case,
    nodes.Call: _call,
    nodes.ColumnName: _column_name,
    nodes.EngineExpression: _engine_expression,
}
