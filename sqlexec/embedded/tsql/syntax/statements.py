"""T-SQL batches and procedures: text -> statement nodes.

    text --lexer--> tokens --syntax------> expressions                --> nodes,
                           --parser------> procedural statements      --> cached
                           --boundaries--> queries and DDL, as text   --> by text

Everything is checked before anything runs, as SQL Server does it: a syntax error anywhere in a
batch means that none of it is executed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.syntax import lexer, nodes
from sqlexec.embedded.tsql.syntax.boundaries import STARTERS, skip_statement
from sqlexec.embedded.tsql.syntax.lexer import Token
from sqlexec.embedded.tsql.syntax.reader import RESERVED
from sqlexec.embedded.tsql.syntax.simple_statements import SimpleReader

_CACHED_LENGTH = 50_000  # longer texts carry literals that do not come again
_QUERIES = {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "TRUNCATE", "MERGE"}
_DEFINITIONS = {"CREATE", "ALTER", "DROP", "GRANT", "DENY", "REVOKE"}


def parse_batch(text: str) -> tuple[nodes.Statement, ...]:
    """Parse a batch.

    Raises
    ------
    SqlError
        102 or 156 with the line for a syntax error, 40517 for what the stand-in lacks.

    Example
    -------
    >>> [type(s).__name__ for s in parse_batch("DECLARE @a int = 1 SET @a += 1 PRINT @a")]
    ['Declare', 'Assign', 'Print']
    """
    return _parse_cached(text) if len(text) <= _CACHED_LENGTH else StatementReader(text).batch()


@lru_cache(maxsize=512)
def _parse_cached(text: str) -> tuple[nodes.Statement, ...]:
    return StatementReader(text).batch()


@lru_cache(maxsize=512)
def parse_procedure(definition: str) -> nodes.Procedure:
    """Parse the text of a CREATE or ALTER PROCEDURE statement."""
    reader = StatementReader(definition)
    reader.procedure_header()
    return reader.procedure()


@lru_cache(maxsize=512)
def parse_parameters(declaration: str) -> tuple[nodes.Parameter, ...]:
    """Parse "@a int, @b nvarchar(10) = N'x', @c int OUTPUT" (sp_executesql's @params)."""
    reader = StatementReader(declaration)
    parameters = reader.parameters()
    if reader.token.kind != lexer.END:
        raise reader.error()
    return parameters


class StatementReader(SimpleReader):
    """The grammar of batches, blocks, procedures, and of what is cut out as text."""

    def batch(self) -> tuple[nodes.Statement, ...]:
        token = self.token
        if self._at_procedure():
            return (self._create_procedure(),)
        bare = token.kind == lexer.NAME or (
            token.kind == lexer.WORD
            and token.upper not in RESERVED
            and token.upper not in STARTERS
            and token.upper not in ("THROW",)
            and not self.at(token.upper, ":")
        )
        if bare:
            first = [self._execute(token.line, bare=True)]
            self._semicolons()
            return (*first, *self.statements())
        return self.statements()

    def statements(self, *ends: str) -> tuple[nodes.Statement, ...]:
        """Statements up to the end of the text, or up to one of these keywords."""
        found: list[nodes.Statement] = []
        self._semicolons()
        while self.token.kind != lexer.END and self.token.upper not in ends:
            found.append(self.statement())
            self._semicolons()
        if ends and self.token.kind == lexer.END:
            raise self.error()
        return tuple(found)

    def _semicolons(self) -> None:
        while self.accept(";"):
            pass

    def statement(self) -> nodes.Statement:
        token = self.token
        rule = _RULES.get(token.upper)
        if rule:
            return rule(self, token.line)
        if token.upper in _QUERIES:
            return self._query(token)
        if token.upper in _DEFINITIONS:
            return self._definition(token)
        if token.upper in STARTERS - {"ELSE", "END"}:
            error = unsupported(f"the statement {token.upper}")
            error.line = token.line
            raise error
        if self.peek().text == ":" and token.kind == lexer.WORD:
            raise unsupported("labels and GOTO")
        raise self.error()

    # --- control flow ---

    def _if(self, line: int) -> nodes.Statement:
        self.next()
        condition = self.condition()
        self._require_condition(condition)
        then = self.statement()
        if self.at(";") and self.peek().upper == "ELSE":
            self.next()
        otherwise = self.statement() if self.accept("ELSE") else None
        return nodes.If(line, condition, then, otherwise)

    def _while(self, line: int) -> nodes.Statement:
        self.next()
        condition = self.condition()
        self._require_condition(condition)
        return nodes.While(line, condition, self.statement())

    def _require_condition(self, node: nodes.Expression) -> None:
        if not isinstance(node, nodes.CONDITIONS):
            raise SqlError(
                4145,
                "An expression of non-boolean type specified in a context where a condition is "
                f"expected, near '{self.token.text}'.",
                15,
                line=self.token.line,
            )

    def _begin(self, line: int) -> nodes.Statement:
        self.next()
        if self.accept("TRY"):
            body = self.statements("END")
            self.expect("END")
            self.expect("TRY")
            self.accept(";")
            self.expect("BEGIN")
            self.expect("CATCH")
            handler = self.statements("END")
            self.expect("END")
            self.expect("CATCH")
            return nodes.Try(line, body, handler)
        self.accept("DISTRIBUTED")
        if self.accept("TRAN") or self.accept("TRANSACTION"):
            name = self._transaction_name()
            if self.accept("WITH", "MARK") and self.token.kind == lexer.STRING:
                self.next()
            return nodes.BeginTransaction(line, name)
        body = self.statements("END")
        if not body:
            raise self.error()
        self.expect("END")
        return nodes.Block(line, body)

    # --- procedures ---

    def _at_procedure(self) -> bool:
        return any(
            self.at(*words, kind)
            for words in (("CREATE",), ("ALTER",), ("CREATE", "OR", "ALTER"))
            for kind in ("PROC", "PROCEDURE")
        )

    def procedure_header(self) -> tuple[str, tuple[str, ...]]:
        """CREATE [OR ALTER] PROCEDURE name: the mode and the name."""
        mode = self.next().upper
        if self.accept("OR", "ALTER"):
            mode = "CREATE OR ALTER"
        self.next()
        return mode, self.dotted_name()

    def _create_procedure(self) -> nodes.Statement:
        line = self.token.line
        mode, name = self.procedure_header()
        self.procedure()  # a syntax error in the body is one of this batch
        return nodes.CreateProcedure(line, mode, name, self.text)

    def procedure(self) -> nodes.Procedure:
        parenthesis = self.accept("(")
        parameters = self.parameters()
        if parenthesis:
            self.expect(")")
        if self.accept("WITH"):
            self._procedure_option()
            while self.accept(","):
                self._procedure_option()
        self.expect("AS")
        body = self.statements()
        if self.token.kind != lexer.END:
            raise self.error()
        return nodes.Procedure(parameters, body)

    def _procedure_option(self) -> None:
        if self.accept("EXECUTE", "AS") or self.accept("EXEC", "AS"):
            if self.token.upper != "CALLER":
                raise unsupported("WITH EXECUTE AS other than CALLER")
            self.next()
        elif self.token.upper in ("RECOMPILE", "SCHEMABINDING"):
            self.next()
        else:
            raise unsupported(f"the procedure option {self.token.text}")

    # --- the rest ---

    def _definition(self, token: Token) -> nodes.Statement:
        if self._at_procedure():
            raise SqlError(
                111,
                "'CREATE/ALTER PROCEDURE' must be the first statement in a query batch.",
                15,
                line=token.line,
            )
        start = self.position
        kind = self.peek(3 if self.at("CREATE", "OR", "ALTER") else 1).upper
        if kind in ("VIEW", "FUNCTION", "TRIGGER") and token.upper in ("CREATE", "ALTER"):
            if start:
                raise SqlError(
                    111,
                    f"'{token.upper} {kind}' must be the first statement in a query batch.",
                    15,
                    line=token.line,
                )
            self.position = len(self.tokens) - 1
        else:
            skip_statement(self)
        return nodes.Definition(token.line, self.span(start))

    def _query(self, token: Token) -> nodes.Statement:
        start = self.position
        if token.upper == "INSERT":
            call = self._insert_execute(token.line)
            if call:
                return call
        elif token.upper == "SELECT":
            scalars = self._select_scalars(token.line)
            if scalars:
                return scalars
        skip_statement(self)
        return nodes.Query(token.line, self.span(start), token.upper != "SELECT")

    def _insert_execute(self, line: int) -> nodes.Statement | None:
        """INSERT [INTO] t [(columns)] EXECUTE ..., or None (nothing is read then)."""
        start = self.position
        self.next()
        if self.at("BULK"):
            raise unsupported("INSERT BULK")
        self.accept("INTO")
        first = self.position
        if self.token.kind == lexer.VARIABLE:
            self.next()
        else:
            self.dotted_name()
        if self.at("WITH", "("):
            self.next()
            self.skip_parentheses()
        if self.at("(") and self.peek().upper not in ("SELECT", "EXEC", "EXECUTE"):
            self.skip_parentheses()
        if not (self.at("EXEC") or self.at("EXECUTE")):
            self.position = start
            return None
        target = self.span(first)
        self.next()
        return nodes.InsertExecute(line, target, self._execute(line))

    def _select_scalars(self, line: int) -> nodes.Statement | None:
        """SELECT of scalar expressions without FROM, or None (nothing is read then)."""
        start = self.position
        self.next()
        items: list[nodes.SelectItem] = []
        try:
            items.append(self._select_item())
            while self.accept(","):
                items.append(self._select_item())
        except SqlError:  # the query's own parser tells what is wrong with it, if anything is
            items = []
        assigns = {bool(item.variable) for item in items}
        token = self.token
        ends = (
            token.kind == lexer.END
            or self.at(";")
            or token.upper in STARTERS - {"SELECT"}
            or (token.upper == "SELECT" and self.tokens[self.position - 1].upper != "ALL")
        )
        called = nodes.calls(tuple(item.value for item in items))
        if len(assigns) == 1 and ends and called is not None:
            return nodes.SelectScalars(line, tuple(items), called, self.span(start))
        self.position = start
        return None

    def _select_item(self) -> nodes.SelectItem:
        token, after = self.token, self.peek()
        if after.kind == lexer.OPERATOR and after.text == "=":
            if token.kind == lexer.VARIABLE:
                self.position += 2
                return nodes.SelectItem("", self.scalar(), token.text.lower())
            if token.kind in (lexer.WORD, lexer.NAME):
                self.position += 2
                return nodes.SelectItem(token.text, self.scalar())
        value = self.scalar()
        name = ""
        if self.accept("AS"):
            name = self.next().text if self.token.kind == lexer.STRING else self.identifier()
        elif self.token.kind in (lexer.NAME, lexer.STRING) or (
            self.token.kind == lexer.WORD
            and self.token.upper not in RESERVED
            and self.token.upper not in STARTERS
        ):
            name = self.next().text
        return nodes.SelectItem(name, value)


_Rule = Callable[[StatementReader, int], nodes.Statement]
_RULES: dict[str, _Rule] = {
    "DECLARE": StatementReader._declare,
    "SET": StatementReader._set,
    "IF": StatementReader._if,
    "WHILE": StatementReader._while,
    "BEGIN": StatementReader._begin,
    "BREAK": StatementReader._break,
    "CONTINUE": StatementReader._continue,
    "RETURN": StatementReader._return,
    "GOTO": StatementReader._goto,
    "PRINT": StatementReader._print,
    "RAISERROR": StatementReader._raiserror,
    "THROW": StatementReader._throw,
    "WAITFOR": StatementReader._waitfor,
    "EXEC": StatementReader._execute_statement,
    "EXECUTE": StatementReader._execute_statement,
    "COMMIT": StatementReader._commit,
    "ROLLBACK": StatementReader._rollback,
    "SAVE": StatementReader._save,
    "USE": StatementReader._use,
    "KILL": StatementReader._kill,
    "REVERT": StatementReader._revert,
    "RECONFIGURE": StatementReader._reconfigure,
}


def variable_type(text: str) -> SqlType:
    """A data type as a DECLARE would read it, alone in its text."""
    reader = StatementReader(text)
    found = reader.type()
    if reader.token.kind != lexer.END:
        raise reader.error()
    return found
