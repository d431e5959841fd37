"""Where a query or a DDL statement ends, in T-SQL that was written without semicolons.

A statement ends at a semicolon, at the end of the text, or before a reserved word that can only
begin another statement.  Several of those words also occur inside statements (SELECT in
INSERT ... SELECT, SET in UPDATE, ELSE and END in CASE, every verb in GRANT); the rules for
them stand here, and only here.
"""

from __future__ import annotations

from sqlexec.embedded.tsql.syntax import lexer
from sqlexec.embedded.tsql.syntax.reader import Reader

STARTERS = frozenset({
    "ALTER", "BACKUP", "BEGIN", "BREAK", "BULK", "CHECKPOINT", "CLOSE", "COMMIT", "CONTINUE",
    "CREATE", "DBCC", "DEALLOCATE", "DECLARE", "DELETE", "DENY", "DROP", "ELSE", "END",
    "EXEC", "EXECUTE", "GOTO", "GRANT", "IF", "INSERT", "KILL", "MERGE", "OPEN", "PRINT",
    "RAISERROR", "READTEXT", "RECONFIGURE", "RESTORE", "RETURN", "REVERT", "REVOKE",
    "ROLLBACK", "SAVE", "SELECT", "SET", "SHUTDOWN", "TRUNCATE", "UPDATE", "USE", "WAITFOR",
    "WHILE", "WRITETEXT",
})  # fmt: skip
_COMBINING = frozenset({"UNION", "ALL", "EXCEPT", "INTERSECT"})
_ALTERED = frozenset({"COLUMN", "CONSTRAINT", "MEMBER"})
_WITH_QUERY = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"})


def skip_statement(reader: Reader) -> None:
    """Step over the statement that begins here, up to its end (the semicolon is left)."""
    verb = reader.token.upper
    if verb == "MERGE":
        _skip_to_semicolon(reader)
        return
    if verb in ("GRANT", "DENY", "REVOKE"):
        _skip_permission(reader)
    start = reader.position
    reader.next()
    main = verb != "WITH"  # whether the main verb after WITH cte AS (...) was seen
    source = False  # INSERT: whether VALUES, DEFAULT VALUES, SELECT or EXECUTE was seen
    assigned = False  # UPDATE: whether its SET was seen
    cases = 0
    while not _at_end(reader):
        token = reader.token
        word = token.upper
        if token.kind == lexer.OPERATOR and token.text == "(":
            reader.skip_parentheses()
            continue
        if word == "CASE":
            cases += 1
        elif cases and word in ("ELSE", "END"):
            cases -= word == "END"
        elif word == "VALUES":
            source = True
        elif word in STARTERS:
            before = reader.tokens[reader.position - 1].upper
            if not main and word in _WITH_QUERY:
                main, verb = True, word
            elif verb == "INSERT" and word == "SELECT" and not source:
                source = True
            elif verb == "UPDATE" and word == "SET" and not assigned:
                assigned = True
            elif not _belongs(verb, before, word, reader.peek().upper, reader.position - start):
                return
        reader.next()


def _at_end(reader: Reader) -> bool:
    token = reader.token
    return token.kind == lexer.END or (token.kind == lexer.OPERATOR and token.text == ";")


def _belongs(verb: str, before: str, word: str, after: str, distance: int) -> bool:
    """Whether a word that can begin a statement is a part of the one that runs."""
    if word == "SELECT":
        return before in _COMBINING
    if word in ("DELETE", "UPDATE"):
        return before == "ON"  # a foreign key's ON DELETE CASCADE
    if word == "SET":
        return before in ("DELETE", "UPDATE") or (verb == "ALTER" and distance <= 4)
    if word == "IF":
        return verb == "DROP" and distance == 2  # DROP TABLE IF EXISTS
    if word in ("ALTER", "DROP"):  # ALTER TABLE t ALTER COLUMN, ALTER ROLE r DROP MEMBER
        return (verb == "ALTER" and after in _ALTERED) or before == "OR"
    return word == "GRANT" and before == "WITH"  # WITH GRANT OPTION


def _skip_permission(reader: Reader) -> None:
    """Step to the TO or FROM behind the list of permissions, which are named like verbs."""
    reader.next()
    while not _at_end(reader) and reader.token.upper not in ("TO", "FROM"):
        reader.next()


def _skip_to_semicolon(reader: Reader) -> None:
    while not _at_end(reader):
        reader.next()
