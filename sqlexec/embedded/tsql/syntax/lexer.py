"""T-SQL text -> tokens.  Positions are kept, since statements are cut out of the text by them.

Words are not sorted into keywords and names here: T-SQL reserves few words and the parser
knows from the place.  A bracketed or double-quoted name is its own kind, never a keyword.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from sqlexec.embedded.tsql.errors import SqlError

# Kinds of token
WORD = "word"  # keyword or regular identifier, #temp names included
NAME = "name"  # [quoted] or "quoted" identifier
VARIABLE = "variable"  # @x
SYSTEM = "system"  # @@rowcount
STRING = "string"  # 'text' or N'text'
BINARY = "binary"  # 0x0102
NUMBER = "number"
OPERATOR = "operator"
END = "end"

_TOKENS = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*)
    | (?P<comment>/\*)
    | (?P<string>[Nn]?')
    | (?P<name>\[|")
    | (?P<system>@@[\w$]+)
    | (?P<variable>@[\w@$\#]*)
    | (?P<binary>0[xX][0-9a-fA-F]*)
    | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<word>[^\W\d][\w@$\#]*|\#{1,2}[\w@$\#]+)
    | (?P<operator><>|<=|>=|!=|!<|!>|\+=|-=|\*=|/=|%=|&=|\|=|\^=|::|[-+*/%=<>(),.;:&|^~{}?\\$])
    """,
    re.VERBOSE,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


class Token(NamedTuple):
    """One token: its kind, the text without quotes, and where it stands.

    `text` is the unescaped content of strings and quoted names, else the source text;
    `upper` is the text in upper case for words, '' for all else, so that
    `token.upper == "SELECT"` asks for an unquoted keyword.
    """

    kind: str
    text: str
    upper: str
    start: int
    end: int
    line: int


def tokenize(text: str) -> list[Token]:
    """Cut T-SQL into tokens, the last of kind END; errors as `tokens` raises them.

    Example
    -------
    >>> [token.text for token in tokenize("SELECT N'it''s' AS [a b]")]
    ['SELECT', "it's", 'AS', 'a b', '']
    """
    return list(tokens(text))


def tokens(text: str) -> Iterator[Token]:
    """Tokens one by one, for those who read the beginning of a text alone.

    Raises
    ------
    SqlError
        102 for a character that T-SQL has no use for, 105 for an open string or name, 113 for
        an open comment.
    """
    position, line = 0, 1
    while position < len(text):
        match = _TOKENS.match(text, position)
        if not match:
            raise _at(SqlError.of(102, text[position]), line)
        kind = str(match.lastgroup)
        start, position = position, match.end()
        if kind == "comment":
            position = _comment_end(text, position, line)
        elif kind == "string":
            content, position = _quoted(text, position, "'", line)
            yield Token(STRING, content, "", start, position, line)
        elif kind == "name":
            closing = "]" if match[0] == "[" else '"'
            content, position = _quoted(text, position, closing, line)
            yield Token(NAME, content, "", start, position, line)
        elif kind != "space":
            word = match[0]
            upper = word.upper() if kind in (WORD, SYSTEM) else ""
            yield Token(kind, word, upper, start, position, line)
        line += text.count("\n", start, position)
    yield Token(END, "", "", len(text), len(text), line)


def quote_name(name: str) -> str:
    """The name in brackets, as QUOTENAME does it."""
    return "[" + name.replace("]", "]]") + "]"


def _quoted(text: str, position: int, closing: str, line: int) -> tuple[str, int]:
    parts = []
    while True:
        found = text.find(closing, position)
        if found < 0:
            raise _at(SqlError.of(105, text[position : position + 100]), line)
        parts.append(text[position:found])
        position = found + 1
        if not text.startswith(closing, position):
            return closing.join(parts), position
        position += 1


def _comment_end(text: str, position: int, line: int) -> int:
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(text, position)
        if not edge:
            raise _at(SqlError.of(113), line)
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return position


def _at(error: SqlError, line: int) -> SqlError:
    error.line = line
    return error
