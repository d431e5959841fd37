"""INSERT, UPDATE and DELETE cut into their clauses by tokens.

sqlglot cannot read DELETE ... OUTPUT, UPDATE TOP (n), SET x += 1 or OUTPUT ... INTO; cut apart,
each piece is a list of expressions or the rest of a SELECT, which it reads well.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.syntax import lexer
from sqlexec.embedded.tsql.syntax.lexer import Token
from sqlexec.embedded.tsql.syntax.reader import COMPOUND


@dataclass(slots=True)
class Assignment:
    """One of UPDATE ... SET: column = value, @variable = value, @variable = column = value."""

    column: str
    value: str
    variable: str = ""


@dataclass(slots=True)
class Clauses:
    """The pieces of one statement, as text."""

    with_: str = ""
    top: str = ""
    target: str = ""
    columns: list[str] | None = None
    output: str = ""
    output_into: str = ""
    output_columns: list[str] | None = None
    source: str = ""  # of INSERT: VALUES ..., a query, or DEFAULT VALUES
    assignments: list[Assignment] = field(default_factory=list)
    from_: str = ""
    where: str = ""


class Cutter:
    """A place in the tokens of a statement."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = lexer.tokenize(text)
        self.position = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.position]

    def take(self, *words: str) -> bool:
        """Step over one of these words, if it is here."""
        if self.token.upper in words:
            self.position += 1
            return True
        return False

    def at_end(self) -> bool:
        """Whether the statement is over."""
        return self.token.kind == lexer.END or self.token.text == ";"

    def until(self, *words: str) -> str:
        """The text up to one of these words outside of parentheses (or to the end)."""
        start, depth, end = self.token.start, 0, self.token.start
        cases = 0
        while self.token.kind != lexer.END:
            token = self.token
            if depth == 0 and cases == 0 and token.upper in words:
                break
            if token.kind == lexer.OPERATOR:
                depth += {"(": 1, ")": -1}.get(token.text, 0)
                if token.text == ";" and depth == 0:
                    break
            cases += {"CASE": 1, "END": -1}.get(token.upper, 0)
            end = token.end
            self.position += 1
        return self.text[start:end].strip()

    def parenthesized(self) -> str:
        """The text inside the parentheses that open here."""
        if self.token.text != "(":
            raise SqlError.of(102, self.token.text or "end of statement")
        start, depth = self.token.end, 0
        while True:
            token = self.token
            if token.kind == lexer.END:
                raise SqlError.of(102, "(")
            if token.kind == lexer.OPERATOR:
                depth += {"(": 1, ")": -1}.get(token.text, 0)
            self.position += 1
            if depth == 0:
                return self.text[start : token.start].strip()

    def name(self) -> str:
        """A name of one to four parts, or a @table."""
        start = self.token.start
        if self.token.kind == lexer.VARIABLE:
            self.position += 1
            return self.text[start : self.tokens[self.position - 1].end]
        expected = True
        while (expected and self.token.kind in (lexer.WORD, lexer.NAME)) or self.token.text == ".":
            expected = self.token.text == "." and self.token.kind == lexer.OPERATOR
            self.position += 1
        end = self.tokens[self.position - 1].end
        if end <= start:
            raise SqlError.of(102, self.token.text or "end of statement")
        return self.text[start:end]


def cut(text: str, keyword: str) -> Clauses:
    """Cut a statement whose main word is known."""
    cutter = Cutter(text)
    found = Clauses(with_=cutter.until(keyword))
    cutter.take(keyword)
    if cutter.take("TOP"):
        found.top = f"({cutter.parenthesized()})" if cutter.token.text == "(" else _number(cutter)
        if cutter.take("PERCENT"):
            found.top += " PERCENT"
    if keyword == "INSERT":
        _insert(cutter, found)
    elif keyword == "UPDATE":
        _update(cutter, found)
    else:
        cutter.take("FROM")
        found.target = cutter.name()
        _hints(cutter)
        _output(cutter, found)
    if keyword != "INSERT":
        _tail(cutter, found)
    return found


def _number(cutter: Cutter) -> str:
    cutter.position += 1
    return cutter.tokens[cutter.position - 1].text


def _insert(cutter: Cutter, found: Clauses) -> None:
    cutter.take("INTO")
    found.target = cutter.name()
    _hints(cutter)
    if cutter.token.text == "(" and not _opens_query(cutter):
        found.columns = names(cutter.parenthesized())
    _hints(cutter)
    _output(cutter, found)
    found.source = cutter.text[cutter.token.start :].strip().rstrip(";").strip()


def _opens_query(cutter: Cutter) -> bool:
    return cutter.tokens[cutter.position + 1].upper in ("SELECT", "WITH", "VALUES")


def _update(cutter: Cutter, found: Clauses) -> None:
    found.target = cutter.name()
    _hints(cutter)
    if not cutter.take("SET"):
        raise SqlError.of(102, cutter.token.text or "end of statement")
    text = cutter.until("OUTPUT", "FROM", "WHERE", "OPTION")
    found.assignments = [_assignment(part) for part in split(text)]
    _output(cutter, found)


def _tail(cutter: Cutter, found: Clauses) -> None:
    if cutter.take("FROM"):
        found.from_ = cutter.until("WHERE", "OPTION")
    if cutter.take("WHERE"):
        found.where = cutter.until("OPTION")
        if found.where.upper().startswith("CURRENT OF"):
            raise unsupported("WHERE CURRENT OF (cursors)")
    if cutter.take("OPTION"):
        cutter.parenthesized()
    if cutter.token.kind != lexer.END and cutter.token.text != ";":
        raise SqlError.of(102, cutter.token.text)


def _hints(cutter: Cutter) -> None:
    if cutter.token.upper == "WITH" and cutter.tokens[cutter.position + 1].text == "(":
        cutter.position += 1
        cutter.parenthesized()


def _output(cutter: Cutter, found: Clauses) -> None:
    if not cutter.take("OUTPUT"):
        return
    found.output = cutter.until("INTO", "VALUES", "SELECT", "DEFAULT", "WITH", "FROM", "WHERE",
                                "OPTION", "EXEC", "EXECUTE")  # fmt: skip
    if cutter.take("INTO"):
        found.output_into = cutter.name()
        if cutter.token.text == "(" and not _opens_query(cutter):
            found.output_columns = names(cutter.parenthesized())


def split(text: str) -> list[str]:
    """A list cut at its commas outside of parentheses.

    Example
    -------
    >>> split("a, f(b, c)")
    ['a', 'f(b, c)']
    """
    parts, start, depth = [], 0, 0
    for token in lexer.tokenize(text):
        if token.kind == lexer.OPERATOR:
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            if token.text == "," and depth == 0:
                parts.append(text[start : token.start].strip())
                start = token.end
    parts.append(text[start:].strip())
    return parts


def names(text: str) -> list[str]:
    """The last part of each name in a list."""
    found = []
    for part in split(text):
        tokens = lexer.tokenize(part)
        if len(tokens) < 2 or tokens[-2].kind not in (lexer.WORD, lexer.NAME):
            raise SqlError.of(102, part)
        found.append(tokens[-2].text)
    return found


def _assignment(text: str) -> Assignment:
    tokens = lexer.tokenize(text)
    depth = 0
    for index, token in enumerate(tokens):
        if token.kind != lexer.OPERATOR:
            continue
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and (token.text == "=" or token.text in COMPOUND):
            left, value = text[: token.start].strip(), text[token.end :].strip()
            if token.text in COMPOUND:
                value = f"{left} {COMPOUND[token.text]} ({value})"
            before = tokens[index - 1]
            if before.kind == lexer.VARIABLE:
                return _variable(before.text, value)
            if before.kind not in (lexer.WORD, lexer.NAME):
                break
            return Assignment(before.text, value)
    raise SqlError.of(102, tokens[0].text or "SET")


def _variable(variable: str, value: str) -> Assignment:
    """@v = value; or @v = column = value, where the second = is outside of parentheses."""
    tokens = lexer.tokenize(value)
    if len(tokens) > 2 and tokens[0].kind in (lexer.WORD, lexer.NAME):
        cutter = Cutter(value)
        name = cutter.name()
        if cutter.token.text == "=":
            column = lexer.tokenize(name)[-2].text
            return Assignment(column, value[cutter.token.end :].strip(), variable)
    return Assignment("", value, variable)
