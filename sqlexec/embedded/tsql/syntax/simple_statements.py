"""Statements without statements inside: DECLARE, SET, RETURN, RAISERROR, transactions ..."""

from __future__ import annotations

from sqlexec.embedded.tsql.errors import unsupported
from sqlexec.embedded.tsql.syntax import lexer, nodes
from sqlexec.embedded.tsql.syntax.boundaries import STARTERS
from sqlexec.embedded.tsql.syntax.calls import CallReader
from sqlexec.embedded.tsql.syntax.expressions import string_literal
from sqlexec.embedded.tsql.syntax.reader import COMPOUND, RESERVED

_ISOLATION = {
    "READ UNCOMMITTED": 1, "READ COMMITTED": 2, "REPEATABLE READ": 3, "SERIALIZABLE": 4,
    "SNAPSHOT": 5,
}  # fmt: skip
_VALUE_OPTIONS = {
    "LOCK_TIMEOUT", "TEXTSIZE", "ROWCOUNT", "DATEFIRST", "DATEFORMAT", "LANGUAGE", "CONTEXT_INFO",
    "DEADLOCK_PRIORITY", "QUERY_GOVERNOR_COST_LIMIT",
}  # fmt: skip


class SimpleReader(CallReader):
    """The grammar of simple statements; one method each, which steps behind it."""

    def _declare(self, line: int) -> nodes.Statement:
        self.next()
        items: list[nodes.Declaration] = []
        while True:
            if self.token.kind != lexer.VARIABLE:
                if self.peek().upper in ("CURSOR", "INSENSITIVE", "SCROLL"):
                    raise unsupported("cursors")
                raise self.error()
            name = self.next().text.lower()
            self.accept("AS")
            if self.at("TABLE", "("):
                if items:
                    raise unsupported("scalar and table variables in one DECLARE")
                self.next()
                start = self.position
                self.skip_parentheses()
                return nodes.DeclareTable(line, name, self.span(start))
            if self.at("CURSOR"):
                raise unsupported("cursors")
            kind = self.type()
            value = self.scalar() if self.accept("=") else None
            items.append(nodes.Declaration(name, kind, value))
            if not self.accept(","):
                return nodes.Declare(line, tuple(items))

    def _set(self, line: int) -> nodes.Statement:
        self.next()
        token = self.token
        if token.kind == lexer.VARIABLE:
            return self._assign(line)
        if self.accept("TRANSACTION", "ISOLATION", "LEVEL"):
            words = self.identifier().upper()
            if words in ("READ", "REPEATABLE"):
                words += " " + self.next().upper
            if words not in _ISOLATION:
                raise self.error()
            return nodes.SetIsolation(line, _ISOLATION[words])
        if self.accept("IDENTITY_INSERT"):
            table = self.dotted_name()
            return nodes.SetIdentityInsert(line, table, self._on_off())
        if token.upper in _VALUE_OPTIONS:
            self.next()
            return nodes.SetValue(line, token.upper, self._option_value())
        names = [self.identifier().upper()]
        if names[0] == "STATISTICS":
            names[0] += " " + self.identifier().upper()
        while self.accept(","):
            names.append(self.identifier().upper())
        return nodes.SetOptions(line, tuple(names), self._on_off())

    def _assign(self, line: int) -> nodes.Statement:
        token = self.next()
        operator = self.next().text
        value = self.scalar() if operator in ("=", *COMPOUND) else None
        if value is None:
            self.position -= 1
            raise self.error()
        if operator != "=":
            variable = nodes.VariableReference(token.text.lower(), token.text)
            value = nodes.Binary(COMPOUND[operator], variable, value)
        return nodes.Assign(line, token.text.lower(), token.text, value)

    def _on_off(self) -> bool:
        if self.accept("ON"):
            return True
        self.expect("OFF")
        return False

    def _option_value(self) -> nodes.Expression:
        if self.token.kind == lexer.WORD:
            return string_literal(self.next().text, national=True)
        return self.scalar()

    def _transaction_name(self) -> str:
        token = self.token
        if token.kind == lexer.VARIABLE or (
            token.kind in (lexer.WORD, lexer.NAME)
            and token.upper not in RESERVED
            and token.upper not in STARTERS
            and token.upper != "THROW"
        ):
            return self.next().text
        return ""

    def _commit(self, line: int) -> nodes.Statement:
        self._transaction_word()
        return nodes.Commit(line)

    def _rollback(self, line: int) -> nodes.Statement:
        return nodes.Rollback(line, self._transaction_word())

    def _transaction_word(self) -> str:
        self.next()
        if self.accept("TRAN") or self.accept("TRANSACTION"):
            return self._transaction_name()
        self.accept("WORK")
        return ""

    def _save(self, line: int) -> nodes.Statement:
        raise unsupported("SAVE TRANSACTION: its engine has no savepoints")

    def _return(self, line: int) -> nodes.Statement:
        self.next()
        token = self.token
        ends = token.kind == lexer.END or self.at(";")
        starts = token.upper in STARTERS or token.upper in ("WITH", "THROW", "END", "ELSE")
        return nodes.Return(line, None if ends or starts else self.scalar())

    def _print(self, line: int) -> nodes.Statement:
        self.next()
        return nodes.Print(line, self.scalar())

    def _raiserror(self, line: int) -> nodes.Statement:
        self.next()
        self.expect("(")
        values = [self.scalar()]
        while self.accept(","):
            values.append(self.scalar())
        self.expect(")")
        options: set[str] = set()
        if self.accept("WITH"):
            options.add(self.identifier().upper())
            while self.accept(","):
                options.add(self.identifier().upper())
        if len(values) < 3 or not options <= {"NOWAIT", "LOG", "SETERROR"}:
            raise self.error()
        message, severity, state, *arguments = values
        return nodes.RaiseError(
            line, message, severity, state, tuple(arguments), frozenset(options)
        )

    def _throw(self, line: int) -> nodes.Statement:
        self.next()
        if self.token.kind not in (lexer.NUMBER, lexer.VARIABLE):
            return nodes.Throw(line, None, None, None)
        number = self.scalar()
        self.expect(",")
        message = self.scalar()
        self.expect(",")
        return nodes.Throw(line, number, message, self.scalar())

    def _waitfor(self, line: int) -> nodes.Statement:
        self.next()
        kind = self.token.upper
        if kind not in ("DELAY", "TIME"):
            raise unsupported("WAITFOR other than DELAY and TIME")
        self.next()
        return nodes.WaitFor(line, kind, self.scalar())

    def _execute_statement(self, line: int) -> nodes.Statement:
        self.next()
        if self.at("AS") and self.peek().upper in ("USER", "LOGIN", "CALLER", "OWNER", "SELF"):
            self.next()
            kind = self.next().upper
            return nodes.ExecuteAs(line, kind, self.scalar() if self.accept("=") else None)
        return self._execute(line)

    def _use(self, line: int) -> nodes.Statement:
        self.next()
        return nodes.Use(line, self.identifier())

    def _kill(self, line: int) -> nodes.Statement:
        self.next()
        return nodes.Kill(line, self.scalar())

    def _revert(self, line: int) -> nodes.Statement:
        self.next()
        return nodes.Revert(line)

    def _reconfigure(self, line: int) -> nodes.Statement:
        self.next()
        if self.accept("WITH"):
            self.expect("OVERRIDE")
        return nodes.Reconfigure(line)

    def _break(self, line: int) -> nodes.Statement:
        self.next()
        return nodes.Break(line)

    def _continue(self, line: int) -> nodes.Statement:
        self.next()
        return nodes.Continue(line)

    def _goto(self, line: int) -> nodes.Statement:
        raise unsupported("labels and GOTO")
