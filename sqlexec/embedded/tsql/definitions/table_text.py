"""CREATE TABLE's parentheses: columns and constraints, read by tokens."""

from __future__ import annotations

import uuid

from sqlexec.embedded.catalog import TableColumn
from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.definitions.storage import Check, ForeignKey, Key, TableDefinition
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.syntax import clauses, lexer
from sqlexec.embedded.tsql.syntax.clauses import Cutter
from sqlexec.embedded.tsql.syntax.names import last_part

_CONSTRAINT_WORDS = ("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "INDEX", "PERIOD")
_COLUMN_WORDS = (
    "NULL", "NOT", "DEFAULT", "IDENTITY", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "CONSTRAINT",
    "COLLATE", "ROWGUIDCOL", "SPARSE", "FOREIGN", "WITH",
)  # fmt: skip
_ACTIONS = {"NO ACTION": 0, "CASCADE": 1, "SET NULL": 2, "SET DEFAULT": 3}


def read_table(text: str, table: str) -> TableDefinition:
    """What stands inside the parentheses of CREATE TABLE.

    Parameters
    ----------
    table : str
        The table's own name, for the names of constraints that got none (PK__t__1A2B...).
    """
    definition = TableDefinition([])
    for part in clauses.split(text):
        if part:
            read_element(part, table, definition)
    if not definition.columns:
        raise SqlError.of(102, ")")
    return definition.settled()


def read_element(text: str, table: str, definition: TableDefinition) -> None:
    """One column or constraint, added to the definition."""
    cutter = Cutter(text)
    if cutter.token.kind == lexer.WORD and cutter.token.upper in _CONSTRAINT_WORDS:
        name = _constraint_name(cutter)
        _constraint(cutter, name, table, definition, [])
        return
    _column(cutter, table, definition)


def new_name(prefix: str, table: str) -> str:
    """A system-made constraint name, as SQL Server forms them."""
    return f"{prefix}__{table[:9].strip('#@')}__{uuid.uuid4().hex[:16].upper()}"


def _constraint_name(cutter: Cutter) -> str:
    return last_part(cutter.name()) if cutter.take("CONSTRAINT") else ""


def _column(cutter: Cutter, table: str, definition: TableDefinition) -> None:
    name = last_part(cutter.name())
    if cutter.token.upper == "AS":
        raise unsupported("computed columns")
    if cutter.token.kind == lexer.END and name.lower() == "timestamp":
        type = SqlType("timestamp")
    else:
        type = read_type(cutter)
    nullable, identity, default = True, None, None
    while cutter.token.kind != lexer.END:
        constraint = _constraint_name(cutter)
        if cutter.take("NOT"):
            if not cutter.take("NULL"):
                raise SqlError.of(102, cutter.token.text)
            nullable = False
        elif cutter.take("NULL"):
            nullable = True
        elif cutter.take("IDENTITY"):
            identity, nullable = _identity(cutter), False
        elif cutter.take("DEFAULT"):
            default = cutter.until(*_COLUMN_WORDS) or "NULL"
            definition.default_names[name.lower()] = constraint
        elif cutter.take("COLLATE"):
            cutter.name()  # text is compared byte by byte whatever is asked for
        elif cutter.take("ROWGUIDCOL", "SPARSE"):
            pass
        else:
            _constraint(cutter, constraint, table, definition, [name])
    definition.columns.append(TableColumn(name, type, nullable, identity, default))


def read_type(cutter: Cutter) -> SqlType:
    """A declared type: name, and lengths in parentheses."""
    text = cutter.name()
    if cutter.token.upper in ("PRECISION", "VARYING"):
        text += " " + cutter.token.text
        cutter.position += 1
    if cutter.token.text == "(":
        text += f"({cutter.parenthesized()})"
    text = text.split(".")[-1] if text.lower().startswith(("sys.", "[sys].")) else text
    try:
        return SqlType.parse(text)
    except ValueError:
        raise SqlError(
            2715, f"Column, parameter, or variable: Cannot find data type {text}."
        ) from None


def _identity(cutter: Cutter) -> tuple[int, int]:
    if cutter.token.text != "(":
        return 1, 1
    seed, increment = (int(part) for part in clauses.split(cutter.parenthesized()))
    return seed, increment


def _constraint(
    cutter: Cutter, name: str, table: str, definition: TableDefinition, columns: list[str]
) -> None:
    named = bool(name)
    if cutter.token.upper in ("PRIMARY", "UNIQUE"):
        primary = cutter.take("PRIMARY")
        if primary and not cutter.take("KEY"):
            raise SqlError.of(102, cutter.token.text)
        cutter.take("UNIQUE")
        cutter.take("CLUSTERED", "NONCLUSTERED")
        if cutter.token.text == "(":
            columns = [key_column(part)[0] for part in clauses.split(cutter.parenthesized())]
        _skip_options(cutter)
        name = name or new_name("PK" if primary else "UQ", table)
        definition.keys.append(Key(name, columns, primary, not named))
    elif cutter.take("CHECK"):
        cutter.take("NOT")  # NOT FOR REPLICATION
        text = cutter.parenthesized()
        definition.checks.append(Check(name or new_name("CK", table), text, not named))
    elif cutter.token.upper in ("FOREIGN", "REFERENCES"):
        if cutter.take("FOREIGN"):
            cutter.take("KEY")
            if cutter.token.text == "(":
                columns = clauses.names(cutter.parenthesized())
        if not cutter.take("REFERENCES"):
            raise SqlError.of(102, cutter.token.text or "FOREIGN")
        target = cutter.name()
        referenced = clauses.names(cutter.parenthesized()) if cutter.token.text == "(" else []
        key = ForeignKey(name or new_name("FK", table), columns, target, referenced)
        key.system_named = not named
        _actions(cutter, key)
        definition.foreign_keys.append(key)
    elif cutter.token.upper in ("INDEX", "PERIOD"):
        raise unsupported(f"{cutter.token.upper} inside CREATE TABLE")
    else:
        raise SqlError.of(102, cutter.token.text or "CONSTRAINT")


def _actions(cutter: Cutter, key: ForeignKey) -> None:
    while cutter.take("ON"):
        update = cutter.take("UPDATE")
        cutter.take("DELETE")
        words = cutter.token.upper
        cutter.position += 1
        if words in ("NO", "SET"):
            words += " " + cutter.token.upper
            cutter.position += 1
        if words not in _ACTIONS:
            raise SqlError.of(102, words)
        if update:
            key.on_update = _ACTIONS[words]
        else:
            key.on_delete = _ACTIONS[words]


def _skip_options(cutter: Cutter) -> None:
    """WITH (...) and ON filegroup have no meaning here."""
    if cutter.take("WITH"):
        cutter.parenthesized()
    if cutter.take("ON"):
        cutter.name()


def key_column(text: str) -> tuple[str, bool]:
    """(name, descending) of a column in a key: 'a DESC'."""
    tokens = lexer.tokenize(text)
    return tokens[0].text, any(token.upper == "DESC" for token in tokens)
