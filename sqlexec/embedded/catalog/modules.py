"""The parameters of a procedure, read from its definition for sys.parameters."""

from __future__ import annotations

from dataclasses import dataclass

from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.syntax import lexer
from sqlexec.embedded.tsql.syntax.lexer import Token


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    type: SqlType
    output: bool
    has_default: bool


def read_parameters(definition: str) -> list[Parameter]:
    """The parameters between the name and AS of CREATE PROCEDURE.

    Example
    -------
    >>> read_parameters("CREATE PROCEDURE p @a int = 1, @b varchar(5) OUTPUT AS SELECT 1")[1].name
    '@b'
    """
    found: list[Parameter] = []
    words: list[Token] = []
    for token in lexer.tokens(definition):
        at_start = token.kind == lexer.VARIABLE and not words
        ends = token.kind == lexer.END or (token.upper in ("WITH", "FOR") and bool(found or words))
        # AS may also stand between a parameter's name and its type
        ends = ends or (token.upper == "AS" and len(words) != 1)
        if words and (ends or (token.text == "," and _inner(words) == 0)):
            found.append(_parameter(definition, words))
            words = []
        if ends:
            break
        if (
            at_start
            or (words and token.upper != "AS" and token.text != ",")
            or (words and token.text == "," and _inner(words) > 0)
        ):
            words.append(token)
    return found


def _inner(words: list[Token]) -> int:
    """How many parentheses are open."""
    return sum({"(": 1, ")": -1}.get(token.text, 0) for token in words if not token.upper)


def _parameter(definition: str, words: list[Token]) -> Parameter:
    output = any(token.upper in ("OUTPUT", "OUT") for token in words[1:])
    equals = next((i for i, token in enumerate(words) if token.text == "="), None)
    typed = words[1:equals] if equals is not None else words[1:]
    stops = ("OUTPUT", "OUT", "READONLY", "NULL", "NOT", "VARYING")
    kept = [token for token in typed if token.upper not in stops]
    text = definition[kept[0].start : kept[-1].end]
    name = text.split(".")[-1] if text.lower().startswith(("sys.", "[sys].")) else text
    try:
        type = SqlType.parse(name)
    except ValueError:  # a user-defined type: the procedure can be kept all the same
        type = SqlType("sql_variant")
    return Parameter(words[0].text, type, output, equals is not None)
