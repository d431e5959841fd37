"""T-SQL object names: [server.][database].[schema].name, read out of text."""

from __future__ import annotations

from functools import lru_cache

from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.syntax import lexer


@lru_cache(maxsize=512)
def split_name(text: str) -> tuple[str, ...]:
    """The parts of a name, at most four; an empty part ('tempdb..#t') stays ''.

    Raises
    ------
    SqlError
        102 when the text is no name.

    Example
    -------
    >>> split_name("RevoTestDB.[dbo].t"), split_name("tempdb..#x")
    (('RevoTestDB', 'dbo', 't'), ('tempdb', '', '#x'))
    """
    parts, expected = [""], True
    for token in lexer.tokenize(text):
        if token.kind == lexer.END:
            break
        if token.kind in (lexer.WORD, lexer.NAME) and expected:
            parts[-1], expected = token.text, False
        elif token.text == "." and len(parts) < 4:
            parts.append("")
            expected = True
        else:
            raise SqlError.of(102, token.text)
    return tuple(parts)


def three_parts(text: str) -> tuple[str | None, str | None, str]:
    """(database, schema, name) of a name with one to three parts; None for a part left out."""
    parts = split_name(text)
    padded = ["", "", "", *parts][-3:]
    return padded[0] or None, padded[1] or None, padded[2]


def last_part(name: str) -> str:
    """The last part of a name, without quotes."""
    return split_name(name)[-1]
