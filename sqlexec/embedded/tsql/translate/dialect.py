"""sqlglot's T-SQL grammar without its function knowledge, and text out for DuckDB.

sqlglot's own T-SQL reader turns GETDATE() and SYSDATETIME() into one node and forgets which it
was.  Here a call stays a call with its T-SQL name; `functions.py` says what it means.
"""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

from sqlglot import exp, parse_one
from sqlglot.dialects.tsql import TSQL
from sqlglot.errors import ParseError, TokenError

from sqlexec.embedded.engine import duckdb_type
from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.errors import SqlError

_CASTS = ("CAST", "TRY_CAST", "CONVERT", "TRY_CONVERT")


class Dialect(TSQL):
    """T-SQL, calls unchanged."""

    class Parser(TSQL.Parser):  # type: ignore[misc,valid-type]
        FUNCTIONS: ClassVar[dict[str, object]] = {}
        FUNCTION_PARSERS = {
            name: parser for name, parser in TSQL.Parser.FUNCTION_PARSERS.items() if name in _CASTS
        }
        NO_PAREN_FUNCTIONS: ClassVar[dict[object, object]] = {}


_DIALECT = Dialect()


@lru_cache(maxsize=1024)
def _parse(text: str) -> exp.Expression:
    found = _DIALECT.parse(text)
    if len(found) != 1 or found[0] is None:
        raise SqlError.of(102, ";")
    for query in found[0].find_all(exp.Query):
        _refuse_inside(query)
    return found[0]  # type: ignore[return-value]


def _refuse_inside(query: exp.Query) -> None:
    """What T-SQL takes at the outside of a statement alone: WITH, and ORDER BY without TOP."""
    if not isinstance(query.parent, exp.Subquery | exp.CTE | exp.Exists | exp.In):
        return
    if query.args.get("with_"):
        raise SqlError.of(156, "WITH")
    if query.args.get("order") and not any(map(query.args.get, ("limit", "offset", "for_"))):
        raise SqlError.of(1033)


def parse(text: str, line: int = 1) -> exp.Expression:
    """One statement as a tree of its own, which the caller may change.

    Raises
    ------
    SqlError
        102 with the line, counted from `line` of the statement's first.
    """
    try:
        return _parse(text).copy()
    except ParseError as error:
        where = error.errors[0] if error.errors else {}
        found = SqlError.of(102, where.get("highlight") or "end of statement")
        found.line = line + int(where.get("line") or 1) - 1
        raise found from None
    except TokenError as error:
        raise SqlError.of(102, str(error).split("\n", maxsplit=1)[0][:100]) from None


def duckdb_text(tree: exp.Expression) -> str:
    """The tree as DuckDB's SQL."""
    return tree.sql("duckdb", normalize_functions=False, comments=False)


@lru_cache(maxsize=1024)
def _template(text: str) -> exp.Expression:
    return parse_one(text, read="duckdb")  # type: ignore[return-value]


def template(text: str, *values: exp.Expression) -> exp.Expression:
    """A DuckDB expression with trees put in for $1, $2, ...

    Example
    -------
    >>> duckdb_text(template("length(rtrim($1))", exp.column("a")))
    'LENGTH(RTRIM(a))'
    """
    tree = _template(text).copy()
    for place in list(tree.find_all(exp.Placeholder)):
        value = values[int(place.name) - 1].copy()
        if isinstance(value, exp.Binary | exp.Unary | exp.Not | exp.Between | exp.In | exp.Case):
            value = exp.paren(value, copy=False)
        if place is tree:
            return value
        place.replace(value)
    return tree


def duckdb_cast(value: exp.Expression, type: SqlType | str, *, safe: bool = False) -> exp.Cast:
    """CAST (or TRY_CAST) to the DuckDB type of a T-SQL type."""
    name = type if isinstance(type, str) else duckdb_type(type)
    kind = exp.DataType(this=exp.DType.USERDEFINED, kind=name)
    return (exp.TryCast if safe else exp.Cast)(this=value, to=kind)


def declared_type(tree: exp.DataType, *, cast: bool = True) -> SqlType:
    """The T-SQL type a parsed type stands for; in CAST a bare varchar has length 30.

    Raises
    ------
    SqlError
        243 for a type that is not known.
    """
    text = tree.sql("tsql")
    try:
        found = SqlType.parse(text)
    except ValueError:
        raise SqlError(243, f"Type {text} is not a defined system type.") from None
    if cast and found.length == 1 and "(" not in text:
        return SqlType(found.name, 30)
    return found
