"""EXECUTE and the parameters of procedures: tokens -> nodes."""

from __future__ import annotations

from sqlexec.embedded.results import Column
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.syntax import lexer, nodes
from sqlexec.embedded.tsql.syntax.boundaries import STARTERS
from sqlexec.embedded.tsql.syntax.expressions import ExpressionReader, string_literal
from sqlexec.embedded.tsql.syntax.reader import RESERVED


class CallReader(ExpressionReader):
    """The grammar of calls: names, arguments, WITH RESULT SETS, declared parameters."""

    def _execute(self, line: int, *, bare: bool = False) -> nodes.Execute | nodes.ExecuteString:
        if self.at("(") and not bare:
            self.next()
            value = self.scalar()
            self.expect(")")
            if self.accept("AT"):
                raise unsupported("EXECUTE ... AT a linked server")
            if self.at("AS") and self.peek().upper in ("USER", "LOGIN"):
                raise unsupported("EXECUTE (string) AS USER or LOGIN")
            return nodes.ExecuteString(line, value, self._result_sets())
        status = variable = ""
        name: tuple[str, ...] = ()
        if self.token.kind == lexer.VARIABLE and self.peek().text == "=":
            status = self.next().text.lower()
            self.next()
        if self.token.kind == lexer.VARIABLE:
            variable = self.next().text.lower()
        else:
            name = self.dotted_name()
            if self.accept(";"):
                # `p;1`, the number of a numbered procedure
                if self.token.kind == lexer.NUMBER:
                    raise unsupported("numbered procedures")
                self.position -= 1
        arguments = self._arguments()
        return nodes.Execute(line, status, name, variable, arguments, self._result_sets())

    def _arguments(self) -> tuple[nodes.ExecuteArgument, ...]:
        found: list[nodes.ExecuteArgument] = []
        token = self.token
        constant = token.kind in (
            lexer.VARIABLE, lexer.SYSTEM, lexer.STRING, lexer.BINARY, lexer.NUMBER, lexer.NAME
        )  # fmt: skip
        word = token.kind == lexer.WORD and (
            token.upper == "DEFAULT"
            or (token.upper not in RESERVED and token.upper not in (*STARTERS, "THROW"))
        )
        if not constant and not word and not self.at("-") and not self.at("+"):
            return ()
        found.append(self._argument_of_call())
        while self.accept(","):
            found.append(self._argument_of_call())
        return tuple(found)

    def _argument_of_call(self) -> nodes.ExecuteArgument:
        name = ""
        if self.token.kind == lexer.VARIABLE and self.peek().text == "=":
            name = self.next().text
            self.next()
        token = self.token
        if self.accept("DEFAULT"):
            return nodes.ExecuteArgument(name, None, "")
        if token.kind == lexer.VARIABLE:
            self.next()
            value = nodes.VariableReference(token.text.lower(), token.text)
            output = self.accept("OUTPUT") or self.accept("OUT")
            return nodes.ExecuteArgument(name, value, token.text.lower() if output else "")
        if token.kind == lexer.SYSTEM:
            self.next()
            return nodes.ExecuteArgument(name, nodes.SystemVariable(token.upper), "")
        if token.kind == lexer.NAME or (token.kind == lexer.WORD and token.upper != "NULL"):
            text = ".".join(self.dotted_name())  # a bare word is a string here
            return nodes.ExecuteArgument(name, string_literal(text, national=True), "")
        return nodes.ExecuteArgument(name, self.literal(), "")

    def _result_sets(self) -> nodes.ResultSets | None:
        if not self.accept("WITH"):
            return None
        if self.accept("RECOMPILE"):
            self.accept(",")
        if not self.accept("RESULT"):
            return None
        self.expect("SETS")
        if self.accept("UNDEFINED"):
            return None
        if self.accept("NONE"):
            return ()
        self.expect("(")
        found = [self._result_set()]
        while self.accept(","):
            found.append(self._result_set())
        self.expect(")")
        return tuple(found)

    def _result_set(self) -> tuple[Column, ...]:
        if self.at("AS"):
            raise unsupported("WITH RESULT SETS (AS OBJECT, AS TYPE, AS FOR XML)")
        self.expect("(")
        columns = []
        while True:
            name = self.identifier()
            kind = self.type()
            if self.accept("COLLATE"):
                self.identifier()
            nullable = not self.accept("NOT")
            self.accept("NULL")
            columns.append(Column(name, kind, nullable))
            if not self.accept(","):
                break
        self.expect(")")
        return tuple(columns)

    def parameters(self) -> tuple[nodes.Parameter, ...]:
        found: list[nodes.Parameter] = []
        while self.token.kind == lexer.VARIABLE:
            name = self.next().text
            if any(p.name.lower() == name.lower() for p in found):
                raise SqlError.of(134, name)
            self.accept("AS")
            kind = self.type()
            if self.accept("VARYING") or self.at("READONLY"):
                raise unsupported("table-valued and cursor parameters")
            self.accept("NULL")
            default = self._default() if self.accept("=") else None
            output = self.accept("OUTPUT") or self.accept("OUT")
            self.accept("READONLY")
            found.append(nodes.Parameter(name, kind, default, output))
            if not self.accept(","):
                break
        return tuple(found)

    def _default(self) -> nodes.Expression:
        if self.token.kind == lexer.WORD and self.token.upper != "NULL":
            return string_literal(self.next().text, national=True)
        return self.literal()
