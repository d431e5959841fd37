"""Scalar expressions and conditions of T-SQL: tokens -> nodes.

A grammar of its own rather than sqlglot's, for two reasons: the end of an expression is the end
of its statement where nobody writes semicolons (`SET @a = @b + 1 SELECT 2`), and functions keep
their T-SQL names and meanings.  What needs the engine (subqueries, aggregates, user functions)
is kept as text.

Precedence: learn.microsoft.com/sql/t-sql/language-elements/operator-precedence-transact-sql
"""

from __future__ import annotations

from decimal import Decimal

from sqlexec.embedded.sqltypes import MAX, SqlType
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.syntax import lexer, nodes
from sqlexec.embedded.tsql.syntax.reader import RESERVED, Reader

_COMPARISONS = {
    "=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "!<": ">=",
    "!>": "<=",
}  # fmt: skip
_ADDITIVE = frozenset("+-&|^")
_MULTIPLICATIVE = frozenset("*/%")
# Functions whose first argument is the name of a part of a date
_DATE_PART_FIRST = {
    "DATEADD", "DATEDIFF", "DATEDIFF_BIG", "DATEPART", "DATENAME", "DATETRUNC", "DATE_BUCKET",
}  # fmt: skip
_NO_PARENTHESES = {"CURRENT_TIMESTAMP", "CURRENT_USER", "SESSION_USER", "SYSTEM_USER", "USER"}


class ExpressionReader(Reader):
    """The grammar of expressions; each method reads one rule and steps behind it."""

    def condition(self) -> nodes.Expression:
        left = self._conjunction()
        while self.accept("OR"):
            left = nodes.Logic("OR", left, self._conjunction())
        return left

    def _conjunction(self) -> nodes.Expression:
        left = self._negation()
        while self.accept("AND"):
            left = nodes.Logic("AND", left, self._negation())
        return left

    def _negation(self) -> nodes.Expression:
        if self.accept("NOT"):
            return nodes.Not(self._negation())
        return self._predicate()

    def _predicate(self) -> nodes.Expression:
        start = self.position
        if self.at("EXISTS", "("):
            self.next()
            self.skip_parentheses()
            return nodes.EngineCondition(self.span(start))
        left = self.scalar()
        token = self.token
        if token.kind == lexer.OPERATOR and token.text in _COMPARISONS:
            return self._comparison(start, left, _COMPARISONS[self.next().text])
        if self.accept("IS"):
            negated = self.accept("NOT")
            self.expect("NULL")
            return nodes.Not(nodes.IsNull(left)) if negated else nodes.IsNull(left)
        negated = self.accept("NOT")
        node: nodes.Expression
        if self.accept("BETWEEN"):
            low = self.scalar()
            self.expect("AND")
            high = self.scalar()
            node = nodes.Logic(
                "AND", nodes.Comparison(">=", left, low), nodes.Comparison("<=", left, high)
            )
        elif self.accept("LIKE"):
            pattern = self.scalar()
            node = nodes.Like(left, pattern, self.scalar() if self.accept("ESCAPE") else None)
        elif self.at("IN"):
            node = self._in(start, left)
            if isinstance(node, nodes.EngineCondition):
                return node
        elif negated:
            raise self.error()
        else:
            return left
        return nodes.Not(node) if negated else node

    def _comparison(self, start: int, left: nodes.Expression, operator: str) -> nodes.Expression:
        if self.token.upper in ("ANY", "ALL", "SOME"):
            self.next()
            self.skip_parentheses()
            return nodes.EngineCondition(self.span(start))
        return nodes.Comparison(operator, left, self.scalar())

    def _in(self, start: int, left: nodes.Expression) -> nodes.Expression:
        self.expect("IN")
        if self.peek().upper in ("SELECT", "WITH"):
            self.skip_parentheses()
            return nodes.EngineCondition(self.span(start))
        self.expect("(")
        items = [self.scalar()]
        while self.accept(","):
            items.append(self.scalar())
        self.expect(")")
        return nodes.InList(left, tuple(items))

    def scalar(self) -> nodes.Expression:
        left = self._product()
        while self.token.kind == lexer.OPERATOR and self.token.text in _ADDITIVE:
            operator = self.next().text
            left = nodes.Binary(operator, left, self._product())
        return left

    def _product(self) -> nodes.Expression:
        left = self._unary()
        while self.token.kind == lexer.OPERATOR and self.token.text in _MULTIPLICATIVE:
            operator = self.next().text
            left = nodes.Binary(operator, left, self._unary())
        return left

    def _unary(self) -> nodes.Expression:
        token = self.token
        if token.kind == lexer.OPERATOR and token.text in ("-", "+", "~"):
            operator = self.next().text
            operand = self._unary()
            if operator == "-" and isinstance(operand, nodes.Literal):
                return _negative(operand)
            return nodes.Unary(operator, operand)
        start = self.position
        node = self._primary()
        while True:
            if self.accept("COLLATE"):
                self._collation()
            elif self.accept("AT", "TIME", "ZONE"):
                self._unary()
                node = nodes.EngineExpression(self.span(start))
            else:
                return node

    def _collation(self) -> None:
        # The stand-in compares by code point everywhere (see expressions): what says so is true
        name = self.identifier().upper()
        if "_CI" in name:
            raise unsupported(f"COLLATE {name}: it compares case-sensitively everywhere")

    def _primary(self) -> nodes.Expression:
        token = self.token
        if token.kind == lexer.VARIABLE:
            self.next()
            return nodes.VariableReference(token.text.lower(), token.text)
        if token.kind == lexer.SYSTEM:
            self.next()
            return nodes.SystemVariable(token.upper)
        if token.kind in (lexer.NUMBER, lexer.STRING, lexer.BINARY):
            return self.literal()
        if token.kind == lexer.OPERATOR and token.text == "$":
            self.next()
            number = self.literal()
            if isinstance(number, nodes.Literal):
                return nodes.Literal(Decimal(str(number.value)), SqlType("money"))
        if self.at("("):
            return self._parenthesis()
        if token.kind in (lexer.WORD, lexer.NAME):
            return self._word()
        raise self.error()

    def _parenthesis(self) -> nodes.Expression:
        start = self.position
        if self.peek().upper in ("SELECT", "WITH"):
            self.skip_parentheses()
            return nodes.EngineExpression(self.span(start))
        self.next()
        inner = self.condition()
        self.expect(")")
        return inner

    def _word(self) -> nodes.Expression:
        token = self.token
        upper = token.upper
        if upper == "NULL":
            self.next()
            return nodes.Literal(None, SqlType("int"))
        if upper == "CASE":
            return self._case()
        if self.peek().text == "(" and self.peek().kind == lexer.OPERATOR:
            if upper in ("CAST", "TRY_CAST"):
                return self._cast()
            if upper in ("CONVERT", "TRY_CONVERT"):
                return self._convert()
            return self._call()
        if upper in _NO_PARENTHESES:
            self.next()
            return nodes.Call(upper, (), token.text)
        start = self.position
        name = self.dotted_name()
        if self.at("("):  # a function of the user: dbo.f(...)
            self.skip_parentheses()
            return nodes.EngineExpression(self.span(start))
        return nodes.ColumnName(name[-1])

    def _call(self) -> nodes.Expression:
        start = self.position
        token = self.next()
        name = (token.upper or token.text.upper()).strip()
        if token.upper in RESERVED and token.upper not in ("LEFT", "RIGHT", "UPDATE"):
            self.position = start
            raise self.error()
        arguments: list[nodes.Expression] = []
        try:
            self.expect("(")
            if name in _DATE_PART_FIRST:
                arguments.append(nodes.Literal(self.identifier(), SqlType("varchar", 30)))
                self.expect(",")
            if not self.at(")"):
                arguments.append(self._argument(name))
                while self.accept(","):
                    arguments.append(self._argument(name))
            self.expect(")")
        except SqlError:  # COUNT(*), TRIM(x FROM y), STRING_AGG(DISTINCT ...): the engine's
            self.position = start + 1
            self.skip_parentheses()
            return self._engine_call(start)
        if self.token.upper in ("OVER", "WITHIN"):
            return self._engine_call(start)
        return nodes.Call(name, tuple(arguments), self.span(start))

    def _argument(self, name: str) -> nodes.Expression:
        return self.condition() if name == "IIF" else self.scalar()

    def _engine_call(self, start: int) -> nodes.Expression:
        while self.token.upper in ("OVER", "WITHIN"):
            if self.next().upper == "WITHIN":
                self.expect("GROUP")
            self.skip_parentheses()
        return nodes.EngineExpression(self.span(start))

    def _case(self) -> nodes.Expression:
        self.expect("CASE")
        operand = None if self.at("WHEN") else self.scalar()
        branches = []
        while self.accept("WHEN"):
            test = self.condition() if operand is None else self.scalar()
            self.expect("THEN")
            branches.append((test, self.scalar()))
        if not branches:
            raise self.error()
        otherwise = self.scalar() if self.accept("ELSE") else None
        self.expect("END")
        return nodes.Case(operand, tuple(branches), otherwise)

    def _cast(self) -> nodes.Expression:
        attempt = self.next().upper == "TRY_CAST"
        self.expect("(")
        operand = self.scalar()
        self.expect("AS")
        kind = self.type(cast=True)
        self.expect(")")
        return nodes.Cast(operand, kind, None, attempt)

    def _convert(self) -> nodes.Expression:
        attempt = self.next().upper == "TRY_CONVERT"
        self.expect("(")
        kind = self.type(cast=True)
        self.expect(",")
        operand = self.scalar()
        style = self.scalar() if self.accept(",") else None
        self.expect(")")
        return nodes.Cast(operand, kind, style, attempt)

    def literal(self) -> nodes.Expression:
        """A number, string or binary constant, or NULL, with a sign before a number."""
        if self.accept("-"):
            operand = self.literal()
            if isinstance(operand, nodes.Literal):
                return _negative(operand)
        self.accept("+")
        token = self.next()
        if token.kind == lexer.NUMBER:
            return number_literal(token.text)
        if token.kind == lexer.STRING:
            national = self.text[token.start] in "Nn"
            return string_literal(token.text, national=national)
        if token.kind == lexer.BINARY:
            digits = token.text[2:]
            value = bytes.fromhex("0" * (len(digits) % 2) + digits)
            return nodes.Literal(
                value, SqlType("varbinary", max(len(value), 1) if len(value) <= 8000 else MAX)
            )
        if token.upper == "NULL":
            return nodes.Literal(None, SqlType("int"))
        self.position -= 1
        raise self.error()

    def type(self, *, cast: bool = False) -> SqlType:
        """A data type; `cast`: char and binary types without a length have 30, not 1."""
        start = self.position
        line = self.token.line
        if self.at("SYS", "."):
            self.position += 2
            start = self.position
        spelled = self.identifier()
        if spelled.upper() == "NATIONAL" or (spelled.upper() == "DOUBLE" and self.at("PRECISION")):
            self.next()
        self.accept("VARYING")
        bare = not self.at("(")
        if not bare:
            self.skip_parentheses()
        try:
            found = SqlType.parse(self.span(start))
        except ValueError:
            raise SqlError(
                2715,
                f"Column, parameter, or variable #1: Cannot find data type {spelled}.",
                state=3,
                line=line,
            ) from None
        if cast and bare and found.length == 1:
            return SqlType(found.name, 30)
        return found


def number_literal(text: str) -> nodes.Literal:
    """The constant with the type that T-SQL gives it: int, else decimal; float with an E."""
    if "e" in text.lower():
        return nodes.Literal(float(text), SqlType("float"))
    if text.isdigit() and int(text) < 2**31:
        return nodes.Literal(int(text), SqlType("int"))
    value = Decimal(text)
    whole, _, fraction = text.partition(".")
    digits = len(whole.lstrip("0")) + len(fraction)
    if digits > 38:
        raise SqlError(
            1007, f"The number '{text}' is out of the range for numeric representation "
            "(maximum precision 38).", 15,
        )  # fmt: skip
    return nodes.Literal(value, SqlType("decimal", None, max(digits, 1), len(fraction)))


def string_literal(text: str, *, national: bool) -> nodes.Literal:
    limit = 4000 if national else 8000
    length = max(len(text), 1) if len(text) <= limit else MAX
    return nodes.Literal(text, SqlType("nvarchar" if national else "varchar", length))


def _negative(literal: nodes.Literal) -> nodes.Expression:
    value = literal.value
    if isinstance(value, Decimal) and value == 2**31 and literal.type.scale == 0:
        return nodes.Literal(-(2**31), SqlType("int"))
    if isinstance(value, (int, float, Decimal)):
        return nodes.Literal(-value, literal.type)
    return nodes.Unary("-", literal)
