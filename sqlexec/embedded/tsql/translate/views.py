"""Definitions of views: their query, and the names their columns are given."""

from __future__ import annotations

from functools import lru_cache

from sqlglot import exp

from sqlexec.embedded.catalog import DatabaseObject
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.syntax import lexer
from sqlexec.embedded.tsql.translate.dialect import parse


def view_query(found: DatabaseObject) -> tuple[exp.Expression, list[str]]:
    """The SELECT of a view as a tree of its own, and its column names."""
    query, _ = split_view(found.definition or "")
    return parse(query), [column.name for column in found.columns]


@lru_cache(maxsize=256)
def split_view(definition: str) -> tuple[str, tuple[str, ...]]:
    """(query, column names) of CREATE VIEW name [(a, b)] [WITH SCHEMABINDING] AS query.

    Example
    -------
    >>> split_view("CREATE VIEW v (a) AS SELECT 1")
    ('SELECT 1', ('a',))
    """
    names: list[str] = []
    depth = 0
    for token in lexer.tokenize(definition):
        if token.text in "()" and token.kind == lexer.OPERATOR:
            depth += 1 if token.text == "(" else -1
        elif depth == 1 and token.kind in (lexer.WORD, lexer.NAME):
            names.append(token.text)
        elif token.upper == "AS" and depth == 0:
            body = definition[token.end :].strip().rstrip(";").rstrip()
            return body, tuple(names)
    raise SqlError.of(102, "VIEW")
