"""LIKE's patterns as regular expressions, for Python and for DuckDB."""

from __future__ import annotations

import re
from functools import lru_cache


def like_regex(pattern: str, escape: str = "") -> str:
    """A LIKE pattern as a regular expression for a whole text: % _ [abc] [^a-z].

    Example
    -------
    >>> like_regex("a[_]%")
    'a[_].*'
    """
    found, rest = "", pattern
    while rest:
        char, rest = rest[0], rest[1:]
        closing = rest.find("]", 1)
        if escape and char == escape and rest:
            found, rest = found + re.escape(rest[0]), rest[1:]
        elif char == "[" and closing > 0:
            inside, rest = rest[:closing], rest[closing + 1 :]
            negated = inside.startswith("^")
            inside = inside[1:] if negated else inside
            inside = re.sub(r"([\\\[\]^])", r"\\\1", inside)
            found += f"[{'^' if negated else ''}{inside}]"
        else:
            found += {"%": ".*", "_": "."}.get(char) or re.escape(char)
    return found


@lru_cache(maxsize=256)
def like_pattern(pattern: str, escape: str = "") -> re.Pattern[str]:
    """A LIKE pattern for `fullmatch`; trailing blanks of the value do not count."""
    return re.compile(like_regex(pattern, escape) + " *", re.DOTALL)
