"""DuckDB's errors as SQL Server's: number, severity and text by what went wrong."""

from __future__ import annotations

import re
from collections.abc import Callable

import duckdb

from sqlexec.embedded.tsql.errors import SqlError, unsupported

_NO_MESSAGE = {
    241: "Conversion failed when converting date and/or time from character string.",
}


def _marked(match: re.Match[str]) -> SqlError:
    number = int(match[1])
    if number in _NO_MESSAGE:
        return SqlError(number, _NO_MESSAGE[number])
    return SqlError.of(number)


def _conversion(match: re.Match[str]) -> SqlError:
    value, target = match[1], match[2].upper()
    names = {"INT32": "int", "INT64": "bigint", "INT16": "smallint", "UINT8": "tinyint",
             "BOOL": "bit", "INT128": "decimal"}  # fmt: skip
    if target in names:
        return SqlError.of(245, "varchar", value, names[target])
    if target == "UUID":
        return SqlError.of(8169)
    return SqlError.of(8114, "varchar", _target(target))


def _target(name: str) -> str:
    word = name.split("(", maxsplit=1)[0].lower()
    return {"decimal": "numeric", "double": "float", "blob": "varbinary"}.get(word, word)


def _overflow(match: re.Match[str]) -> SqlError:
    return SqlError.of(8115, "expression", _integer(match[1]))


def _integer(name: str) -> str:
    return {"INT32": "int", "INT64": "bigint", "INT16": "smallint", "UINT8": "tinyint"}.get(
        name.upper(), _target(name)
    )


_RULES: list[tuple[re.Pattern[str], Callable[[re.Match[str]], SqlError]]] = [
    (re.compile(r"\{(\d+)\}"), _marked),
    (re.compile(r"Division by zero"), lambda match: SqlError.of(8134)),
    (re.compile(r"Could not convert string ['\"](.*?)['\"] to (\w+(?:\([\d, ]+\))?)", re.S),
     _conversion),
    (re.compile(r"date field value out of range|timestamp field value out of range"
                r"|invalid (?:date|timestamp) field format"),
     lambda match: SqlError(241, _NO_MESSAGE[241])),
    (re.compile(r"Overflow in \w+ of (\w+)"), _overflow),
    (re.compile(r"can't be cast because the value is out of range for the destination type (\w+)"),
     _overflow),
    (re.compile(r"to type (DECIMAL)\S* failed: value is out of range"), _overflow),
    (re.compile(r"Could not cast value .* to (DECIMAL)"), _overflow),
    (re.compile(r"Overflow|value is out of range|Out of Range"),
     lambda match: SqlError.of(8115, "expression", "numeric")),
    (re.compile(r"More than one row returned by a subquery"), lambda match: SqlError.of(512)),
    (re.compile(r"Referenced column \"(.*?)\" not found|does not have a column named \"(.*?)\""
                r"|Table \".*?\" does not have a column with name \"(.*?)\""),
     lambda match: SqlError.of(207, match[1] or match[2] or match[3])),
    (re.compile(r"Ambiguous reference to column name \"(.*?)\""),
     lambda match: SqlError(209, f"Ambiguous column name '{match[1]}'.")),
    (re.compile(r"Table with name (\S+) does not exist"),
     lambda match: SqlError.of(208, match[1])),
    (re.compile(r"Scalar Function with name (\S+) does not exist"),
     lambda match: SqlError(195, f"'{match[1]}' is not a recognized built-in function name.", 15)),
    (re.compile(r"column \"?(.*?)\"? must appear in the GROUP BY clause", re.S),
     lambda match: SqlError(8120, f"Column '{match[1]}' is invalid in the select list because it "
                            "is not contained in either an aggregate function or the GROUP BY "
                            "clause.")),
    (re.compile(r"table \S+ has \d+ columns but \d+ values were supplied|"
                r"Set operations can only apply to expressions with the same number"),
     lambda match: SqlError.of(213)),
]  # fmt: skip


def translate(error: duckdb.Error, number: int = 0) -> SqlError:
    """The SQL Server error for a DuckDB error; `number` is the session's, for 1205."""
    text = str(error)
    if isinstance(error, duckdb.InterruptException):
        return SqlError(3621, "The statement has been terminated.")
    if "onflict" in text and isinstance(error, duckdb.TransactionException):
        # DuckDB does not wait for the other writer of a row: one must run again
        return SqlError.of(1205, number)
    if "transaction is aborted" in text:
        return SqlError.of(3930)
    for pattern, make in _RULES:
        match = pattern.search(text)
        if match:
            return make(match)
    first = text.split("\n\n", maxsplit=1)[0].replace("\n", " ")
    return unsupported(f"this statement ({first[:400]})")
