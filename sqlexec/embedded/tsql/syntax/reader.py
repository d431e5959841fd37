"""A place in the tokens of a text, and the small steps that every rule of a grammar uses."""

from __future__ import annotations

from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.syntax import lexer
from sqlexec.embedded.tsql.syntax.lexer import Token

# Words that can never be the start of an expression (reserved words that begin or join clauses)
RESERVED = frozenset({
    "ADD", "ALL", "ALTER", "AND", "ANY", "AS", "ASC", "AUTHORIZATION", "BEGIN", "BETWEEN",
    "BREAK", "BY", "CHECK", "CLOSE", "COMMIT", "CONSTRAINT", "CONTINUE", "CREATE", "CROSS",
    "DECLARE", "DEFAULT", "DELETE", "DENY", "DESC", "DISTINCT", "DROP", "ELSE", "END",
    "ESCAPE", "EXCEPT", "EXEC", "EXECUTE", "FETCH", "FOR", "FROM", "FULL", "GOTO", "GRANT",
    "GROUP", "HAVING", "IF", "IN", "INNER", "INSERT", "INTERSECT", "INTO", "IS", "JOIN",
    "KILL", "LIKE", "MERGE", "OF", "OFF", "ON", "OPEN", "OPTION", "OR", "ORDER", "OUTER",
    "OVER", "PRINT", "PROC", "PROCEDURE", "RAISERROR", "RECONFIGURE", "RETURN", "REVERT",
    "REVOKE", "ROLLBACK", "SAVE", "SELECT", "SET", "TABLE", "THEN", "TO", "TOP", "TRAN",
    "TRANSACTION", "TRUNCATE", "UNION", "UPDATE", "USE", "VALUES", "WAITFOR", "WHEN", "WHERE",
    "WHILE", "WITH",
})  # fmt: skip
# Assignment operators with the operator that they apply
COMPOUND = {"+=": "+", "-=": "-", "*=": "*", "/=": "/", "%=": "%", "&=": "&", "|=": "|", "^=": "^"}


class Reader:
    """A place in a list of tokens, with the small steps every rule of the grammar uses."""

    def __init__(self, text: str, tokens: list[Token] | None = None) -> None:
        self.text = text
        self.tokens = lexer.tokenize(text) if tokens is None else tokens
        self.position = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.position]

    def peek(self, ahead: int = 1) -> Token:
        return self.tokens[min(self.position + ahead, len(self.tokens) - 1)]

    def next(self) -> Token:
        token = self.tokens[self.position]
        if token.kind != lexer.END:
            self.position += 1
        return token

    def at(self, *words: str) -> bool:
        """Whether the next tokens are these keywords or operators."""
        return all(self._matches(self.peek(i), word) for i, word in enumerate(words))

    def accept(self, *words: str) -> bool:
        """Step over these keywords or operators if they come next."""
        if not self.at(*words):
            return False
        self.position += len(words)
        return True

    def expect(self, word: str) -> Token:
        if not self._matches(self.token, word):
            raise self.error()
        return self.next()

    @staticmethod
    def _matches(token: Token, word: str) -> bool:
        if token.kind == lexer.OPERATOR:
            return token.text == word
        return token.kind == lexer.WORD and token.upper == word

    def error(self) -> SqlError:
        """SQL Server's 102, or 156 at a reserved word."""
        token = self.token
        if token.kind == lexer.END:
            near = self.tokens[self.position - 1] if self.position else token
            error = SqlError.of(102, self.text[near.start : near.end][:100])
        elif token.upper in RESERVED:
            error = SqlError.of(156, token.text)
        else:
            error = SqlError.of(102, token.text[:100])
        error.line = token.line
        return error

    def identifier(self) -> str:
        """A name, quoted or not."""
        token = self.token
        if token.kind == lexer.NAME or (token.kind == lexer.WORD and token.upper not in RESERVED):
            return self.next().text
        raise self.error()

    def dotted_name(self) -> tuple[str, ...]:
        """A name of one to four parts; a part left out (`db..t`) is ''."""
        parts = [self.identifier()] if not self.at(".") else [""]
        while self.accept("."):
            parts.append("" if self.at(".") else self.identifier())
        return tuple(parts)

    def skip_parentheses(self) -> None:
        """Step over a parenthesis and all within."""
        self.expect("(")
        depth = 1
        while depth:
            if self.token.kind == lexer.END:
                raise self.error()
            token = self.next()
            if token.kind == lexer.OPERATOR:
                depth += (token.text == "(") - (token.text == ")")

    def span(self, start: int) -> str:
        """The source text from token number `start` up to here."""
        first, last = self.tokens[start].start, self.tokens[max(start, self.position - 1)].end
        return self.text[first:last]
