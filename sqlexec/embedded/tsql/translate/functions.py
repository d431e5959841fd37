"""T-SQL's functions in DuckDB's words: a table by name.

A translation takes the arguments (already translated) with their types, and gives the
DuckDB expression and its T-SQL type.  $1, $2 in a text are the arguments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from sqlglot import exp

from sqlexec.embedded.engine import duckdb_type
from sqlexec.embedded.sqltypes import BIGINT, DATETIME, FLOAT, INT, MAX, SqlType
from sqlexec.embedded.tsql.errors import SqlError, unsupported
from sqlexec.embedded.tsql.scalar import typing_rules
from sqlexec.embedded.tsql.scalar.patterns import like_regex
from sqlexec.embedded.tsql.translate.casts import cast
from sqlexec.embedded.tsql.translate.dialect import duckdb_cast, template

Typed = tuple[exp.Expression, "SqlType | None"]
Types = Sequence["SqlType | None"]
Translation = Callable[[list[exp.Expression], Types], Typed]

_TEXT = SqlType("nvarchar", MAX)  # of open length: results are measured, see queries/queries.py
_NAME = SqlType("nvarchar", 30)
_VARCHAR = SqlType("varchar", 8000)
_LONG_VARCHAR = SqlType("varchar", MAX)
_DATETIME2 = SqlType("datetime2", None, None, 7)
_OFFSET = SqlType("datetimeoffset", None, None, 7)
_DATE = SqlType("date")

DATE_PARTS = {
    "year": "year", "yy": "year", "yyyy": "year", "quarter": "quarter", "qq": "quarter",
    "q": "quarter", "month": "month", "mm": "month", "m": "month", "dayofyear": "doy", "dy": "doy",
    "y": "doy", "day": "day", "dd": "day", "d": "day", "week": "week", "wk": "week", "ww": "week",
    "weekday": "dow", "dw": "dow", "w": "dow", "hour": "hour", "hh": "hour", "minute": "minute",
    "mi": "minute", "n": "minute", "second": "second", "ss": "second", "s": "second",
    "millisecond": "millisecond", "ms": "millisecond", "microsecond": "microsecond",
    "mcs": "microsecond", "nanosecond": "nanosecond", "ns": "nanosecond", "isowk": "isoweek",
    "isoww": "isoweek", "iso_week": "isoweek",
}  # fmt: skip


def text(sql: str, type: SqlType | int | None = None, *, optional: int = 0) -> Translation:
    """A translation from a text; `type` is fixed, or the number of the argument it is taken from.

    `optional` is how many arguments may be left out at the end (their $n must not be in `sql`).
    """
    count = max([int(number) for number in re.findall(r"\$(\d)", sql)] or [0])

    def translate(values: list[exp.Expression], types: Types) -> Typed:
        if not count - optional <= len(values) <= max(count, count + optional):
            raise SqlError(174, f"The function requires {count} argument(s).", 15)
        return template(sql, *values), types[type] if isinstance(type, int) else type

    return translate


def _varying(sql: str) -> Translation:
    """As `text`, for functions of text: of the first argument's type, char(n) as varchar(n)."""
    translate = text(sql, 0)

    def translate_varying(values: list[exp.Expression], types: Types) -> Typed:
        expression, type = translate(values, types)
        return expression, typing_rules.varying(type)

    return translate_varying


def _isnull(values: list[exp.Expression], types: Types) -> Typed:
    second = cast(values[1], types[1], types[0]) if types[0] is not None else values[1]
    return template("coalesce($1, $2)", values[0], second), types[0] or types[1]


def _coalesce(values: list[exp.Expression], types: Types) -> Typed:
    common = types[0]
    for type in types[1:]:
        common = typing_rules.common_type(common, type)
    call = exp.Anonymous(this="coalesce", expressions=[value.copy() for value in values])
    return call, common


def _date_part(values: list[exp.Expression]) -> str:
    part = DATE_PARTS.get(values[0].name.lower())
    if part is None:
        raise SqlError(155, f"'{values[0].name}' is not a recognized date part option.", 15)
    return part


def _as_timestamp(value: exp.Expression, type: SqlType | None) -> exp.Expression:
    if type is None or type.name in ("datetime2", "datetime", "smalldatetime", "date"):
        return duckdb_cast(value.copy(), "TIMESTAMP")
    return duckdb_cast(cast(value, type, _DATETIME2), "TIMESTAMP")


def _dateadd(values: list[exp.Expression], types: Types) -> Typed:
    part = _date_part(values)
    part = {"doy": "day", "dow": "day"}.get(part, part)
    type = types[2]
    if type is None or type.is_text or type.is_integer:
        type = DATETIME
    amount = template("CAST(trunc($1) AS BIGINT)", values[1])
    stamp = _as_timestamp(values[2], types[2])
    if part == "nanosecond":
        raise unsupported("nanosecond in DATEADD")
    unit = {"quarter": "3 MONTH", "week": "7 DAY"}.get(part, f"1 {part.upper()}")
    return cast(template(f"$1 + $2 * INTERVAL {unit}", stamp, amount), _DATETIME2, type), type


def _datediff(big: bool) -> Translation:
    def translate(values: list[exp.Expression], types: Types) -> Typed:
        part = _date_part(values)
        first, second = (_as_timestamp(values[i], types[i]) for i in (1, 2))
        type = BIGINT if big else INT
        if part == "nanosecond":
            return duckdb_cast(
                template("date_diff('microsecond', $1, $2) * 1000", first, second), type
            ), type
        if part == "week":  # weeks begin on Sunday, whatever DATEFIRST is
            sql = (
                "date_diff('day', date_trunc('week', $1 + INTERVAL 1 DAY),"
                " date_trunc('week', $2 + INTERVAL 1 DAY)) // 7"
            )
        else:
            part = {"doy": "day", "dow": "day", "isoweek": "week"}.get(part, part)
            sql = f"date_diff('{part}', $1, $2)"
        return duckdb_cast(template(sql, first, second), type), type

    return translate


def _datepart(values: list[exp.Expression], types: Types) -> Typed:
    part, stamp = _date_part(values), _as_timestamp(values[1], types[1])
    sql = {
        "dow": "dayofweek($1) + 1",
        "week": "CAST(strftime($1, '%U') AS INTEGER) + 1 - CAST(dayofweek(date_trunc('year', $1))"
        " = 0 AS INTEGER)",
        "isoweek": "week($1)",
        "second": "CAST(floor(date_part('second', $1)) AS INTEGER)",
        "millisecond": "millisecond($1) % 1000",
        "microsecond": "microsecond($1) % 1000000",
        "nanosecond": "(microsecond($1) % 1000000) * 1000",
    }.get(part, f"date_part('{part}', $1)")
    return duckdb_cast(template(sql, stamp), INT), INT


def _datename(values: list[exp.Expression], types: Types) -> Typed:
    part, stamp = _date_part(values), _as_timestamp(values[1], types[1])
    if part in ("month", "dow"):
        return template(f"strftime($1, '{'%B' if part == 'month' else '%A'}')", stamp), _NAME
    return duckdb_cast(_datepart(values, types)[0], "VARCHAR"), _NAME


def _datetrunc(values: list[exp.Expression], types: Types) -> Typed:
    part, type = _date_part(values), types[1] or _DATETIME2
    stamp = _as_timestamp(values[1], types[1])
    return duckdb_cast(template(f"date_trunc('{part}', $1)", stamp), type), type


def _iif(values: list[exp.Expression], types: Types) -> Typed:
    type = typing_rules.common_type(types[1], types[2])
    return template("CASE WHEN $1 THEN $2 ELSE $3 END", *values), type


def _choose(values: list[exp.Expression], types: Types) -> Typed:
    branches = " ".join(f"WHEN {i} THEN ${i + 1}" for i in range(1, len(values)))
    common = types[1]
    for type in types[2:]:
        common = typing_rules.common_type(common, type)
    return template(f"CASE $1 {branches} END", *values), common


def _concat(values: list[exp.Expression], types: Types) -> Typed:
    wanted = [_TEXT if t is None or not t.is_text else t for t in types]
    parts = [cast(v, t, w) for v, t, w in zip(values, types, wanted, strict=True)]
    total = wanted[0]
    for type in wanted[1:]:
        total = typing_rules.concatenation(total, type)
    return exp.Anonymous(this="concat", expressions=[part.copy() for part in parts]), total


def _concat_ws(values: list[exp.Expression], types: Types) -> Typed:
    parts = [cast(v, t, _TEXT) for v, t in zip(values, types, strict=True)]
    return exp.Anonymous(this="concat_ws", expressions=[part.copy() for part in parts]), _TEXT


def _hashbytes(values: list[exp.Expression], types: Types) -> Typed:
    algorithm = values[0].name.upper()
    function = {"MD5": "md5", "SHA": "sha1", "SHA1": "sha1", "SHA2_256": "sha256"}.get(algorithm)
    if function is None:
        raise unsupported(f"HASHBYTES with {algorithm} inside a query")
    binary = cast(values[1], types[1], SqlType("varbinary", MAX))
    return template(f"unhex({function}($1))", binary), SqlType("varbinary", 8000)


def _checksum(values: list[exp.Expression], types: Types) -> Typed:
    """Equal rows give equal numbers, as SQL Server's do; the numbers themselves are others."""
    call = exp.Anonymous(this="hash", expressions=[value.copy() for value in values])
    return template("CAST($1 % 2147483647 AS INTEGER)", call), INT


def _datalength(values: list[exp.Expression], types: Types) -> Typed:
    type = types[0]
    if type is not None and type.is_binary:
        return template("CAST(octet_length($1) AS INTEGER)", values[0]), INT
    if type is not None and not type.is_text:
        widths = {"bit": 1, "tinyint": 1, "smallint": 2, "int": 4, "real": 4, "date": 3}
        width = widths.get(type.name, 16 if type.name == "uniqueidentifier" else 8)
        return template(f"CASE WHEN $1 IS NULL THEN NULL ELSE {width} END", values[0]), INT
    wide = 1 if type is not None and type.name in ("char", "varchar") else 2
    return template(f"CAST(length($1) * {wide} AS INTEGER)", values[0]), INT


def _substring(values: list[exp.Expression], types: Types) -> Typed:
    # a start before 1 takes away from the length
    if types[0] is not None and types[0].is_binary:
        sql = "array_slice($1, greatest($2, 1), greatest($2 + $3 - 1, 0))"
        return template(sql, *values), types[0]
    sql = "substr($1, greatest($2, 1), greatest($3 + least($2, 1) - 1, 0))"
    return template(sql, *values), typing_rules.varying(types[0]) or _TEXT


def _round(values: list[exp.Expression], types: Types) -> Typed:
    if len(values) == 3:
        cut = template("trunc($1 * power(10, $2)) / power(10, $2)", *values)
        value = template("CASE WHEN $3 = 0 THEN round($1, $2) ELSE $4 END", *values, cut)
        return (duckdb_cast(value, types[0]) if types[0] else value), types[0]
    value = template("round($1, $2)", *values)
    return (duckdb_cast(value, types[0]) if types[0] else value), types[0]


def _charindex(values: list[exp.Expression], types: Types) -> Typed:
    if len(values) == 2:
        return template("CAST(strpos($2, $1) AS INTEGER)", *values), INT
    if len(values) != 3:
        raise SqlError(174, "The charindex function requires 2 to 3 arguments.", 15)
    sql = (
        "CAST(CASE WHEN strpos(substr($2, greatest($3, 1)), $1) = 0 THEN 0"
        " ELSE strpos(substr($2, greatest($3, 1)), $1) + greatest($3, 1) - 1 END AS INTEGER)"
    )
    return template(sql, *values), INT


def _str(values: list[exp.Expression], types: Types) -> Typed:
    """STR(number [, length [, decimals]]): right-aligned, asterisks where it does not fit."""
    length = values[1] if len(values) > 1 else exp.Literal.number(10)
    decimals = values[2] if len(values) > 2 else exp.Literal.number(0)
    written = template("printf('%.*f', CAST($2 AS INTEGER), CAST($1 AS DOUBLE))",
                       values[0], decimals)  # fmt: skip
    sql = (
        "CASE WHEN length(split_part($1, '.', 1)) > $2 THEN repeat('*', $2)"
        " ELSE lpad(left($1, $2), $2, ' ') END"
    )
    return template(sql, written, length), _VARCHAR


def _whole(function: str) -> Translation:
    """CEILING and FLOOR: a decimal without places."""

    def translate(values: list[exp.Expression], types: Types) -> Typed:
        if types[0] is not None and types[0].name == "decimal":
            type = SqlType("decimal", None, types[0].precision, 0)
            return duckdb_cast(template(f"{function}($1)", *values), type), type
        return _numeric(f"{function}($1)")(values, types)

    return translate


def _numeric(sql: str) -> Translation:
    """A function whose result has its argument's type (CEILING, ABS, ...)."""

    def translate(values: list[exp.Expression], types: Types) -> Typed:
        value = template(sql, *values)
        type = types[0]
        if type is None or not typing_rules.is_numeric(type):
            return value, FLOAT if type is not None and type.is_text else None
        return duckdb_cast(value, type), type

    return translate


def _aggregate(name: str) -> Translation:
    rule = {"SUM": typing_rules.sum_type, "AVG": typing_rules.average_type}.get(name)

    def translate(values: list[exp.Expression], types: Types) -> Typed:
        call = exp.Anonymous(this=name.lower(), expressions=[value.copy() for value in values])
        return call, rule(types[0]) if rule else types[0]

    return translate


def _patindex(values: list[exp.Expression], types: Types) -> Typed:
    if not isinstance(values[0], exp.Literal):
        raise unsupported("PATINDEX with a pattern that is no literal")
    pattern = values[0].name
    start = "" if pattern.startswith("%") else "^"
    end = "" if pattern.endswith("%") else "$"
    regex = exp.Literal.string(f"(?s){start}{like_regex(pattern.strip('%'))}{end}")
    sql = (
        "CASE WHEN regexp_matches($1, $2) THEN CAST(length(regexp_extract($1, $3, 1)) + 1"
        " AS INTEGER) WHEN $1 IS NOT NULL THEN 0 END"
    )
    before = exp.Literal.string(f"(?s)^({'' if start else '.*?'}){regex.name[4:].lstrip('^')}")
    return template(sql, values[1], regex, before), INT


def _count(type: SqlType) -> Translation:
    def translate(values: list[exp.Expression], types: Types) -> Typed:
        call = exp.Anonymous(this="count", expressions=[value.copy() for value in values])
        return call, type

    return translate


def _percentile(name: str, type: SqlType | None) -> Translation:
    """The share alone; WITHIN GROUP puts what is ordered before it (see transforms.py)."""

    def translate(values: list[exp.Expression], types: Types) -> Typed:
        return exp.Anonymous(this=name, expressions=[value.copy() for value in values]), type

    return translate


def _string_agg(values: list[exp.Expression], types: Types) -> Typed:
    is_varchar = types[0] is not None and types[0].name in ("char", "varchar")
    type = _LONG_VARCHAR if is_varchar else _TEXT
    call = exp.Anonymous(
        this="string_agg", expressions=[cast(values[0], types[0], type), values[1].copy()]
    )
    return call, type


def _now(sql: str, type: SqlType) -> Translation:
    return text(f"CAST({sql} AS {duckdb_type(type)})", type)


_NOW = "CAST(now() AS TIMESTAMP)"
TRANSLATIONS: dict[str, Translation] = {
    # aggregates and windows; the casts of SUM and COUNT are put around OVER by the binder
    "COUNT": _count(INT), "COUNT_BIG": _count(BIGINT), "SUM": _aggregate("SUM"),
    "AVG": _aggregate("AVG"), "MIN": _aggregate("MIN"), "MAX": _aggregate("MAX"),
    "STDEV": text("stddev_samp($1)", FLOAT), "STDEVP": text("stddev_pop($1)", FLOAT),
    "VAR": text("var_samp($1)", FLOAT), "VARP": text("var_pop($1)", FLOAT),
    "STRING_AGG": _string_agg, "GROUPING": text("grouping($1)", INT),
    "ROW_NUMBER": text("row_number()", BIGINT), "RANK": text("rank()", BIGINT),
    "DENSE_RANK": text("dense_rank()", BIGINT), "NTILE": text("ntile($1)", BIGINT),
    "PERCENT_RANK": text("percent_rank()", FLOAT), "CUME_DIST": text("cume_dist()", FLOAT),
    "LAG": _aggregate("LAG"), "LEAD": _aggregate("LEAD"),
    "FIRST_VALUE": _aggregate("FIRST_VALUE"), "LAST_VALUE": _aggregate("LAST_VALUE"),
    "PERCENTILE_CONT": _percentile("quantile_cont", FLOAT),
    "PERCENTILE_DISC": _percentile("quantile_disc", None),
    # conditions
    "ISNULL": _isnull, "COALESCE": _coalesce, "NULLIF": text("nullif($1, $2)", 0),
    "IIF": _iif, "CHOOSE": _choose, "GREATEST": _aggregate("greatest"),
    "LEAST": _aggregate("least"),
    # text
    "LEN": text("CAST(length(rtrim(CAST($1 AS VARCHAR), ' ')) AS INTEGER)", INT),
    "DATALENGTH": _datalength, "SUBSTRING": _substring,
    "LEFT": _varying("left(CAST($1 AS VARCHAR), $2)"),
    "RIGHT": _varying("right(CAST($1 AS VARCHAR), $2)"),
    "LOWER": _varying("lower($1)"), "UPPER": _varying("upper($1)"),
    "LTRIM": _varying("ltrim($1, ' ')"), "RTRIM": _varying("rtrim($1, ' ')"),
    "TRIM": _varying("trim($1, ' ')"), "REVERSE": _varying("reverse($1)"),
    "REPLACE": text("replace($1, $2, $3)", _TEXT),
    "REPLICATE": text("repeat($1, $2)", _TEXT), "SPACE": text("repeat(' ', $1)", _VARCHAR),
    "CHARINDEX": _charindex,
    "PATINDEX": _patindex,
    "CONCAT": _concat, "CONCAT_WS": _concat_ws,
    "STUFF": text("concat(substr($1, 1, $2 - 1), $4, substr($1, $2 + $3))", _TEXT),
    "QUOTENAME": text("concat('[', replace($1, ']', ']]'), ']')", SqlType("nvarchar", 258)),
    "ASCII": text("ascii($1)", INT), "UNICODE": text("unicode($1)", INT),
    "CHAR": text("chr($1)", SqlType("char", 1)), "NCHAR": text("chr($1)", SqlType("nchar", 1)),
    "TRANSLATE": text("translate($1, $2, $3)", _TEXT),
    "STR": _str,
    "ISNUMERIC": text("CAST(TRY_CAST($1 AS DOUBLE) IS NOT NULL AS INTEGER)", INT),
    "ISDATE": text("CAST(\"$tsql\".try_timestamp(CAST($1 AS VARCHAR)) IS NOT NULL AS INTEGER)",
                   INT),
    "HASHBYTES": _hashbytes, "NEWID": text("uuid()", SqlType("uniqueidentifier")),
    "CHECKSUM": _checksum,
    # JSON
    "ISJSON": text("CAST(json_valid($1) AS INTEGER)", INT),
    "JSON_VALUE": text("(json_extract_string($1, $2))", _TEXT),
    "JSON_QUERY": text("CAST(json_extract($1, $2) AS VARCHAR)", SqlType("nvarchar", MAX)),
    # numbers
    "ABS": _numeric("abs($1)"), "CEILING": _whole("ceil"), "FLOOR": _whole("floor"),
    "SIGN": _numeric("sign($1)"), "ROUND": _round, "POWER": _numeric("power($1, $2)"),
    "SQRT": text("sqrt($1)", FLOAT), "SQUARE": text("$1 * CAST($1 AS DOUBLE)", FLOAT),
    "EXP": text("exp($1)", FLOAT), "LOG10": text("log10($1)", FLOAT),
    "LOG": text("ln($1)", FLOAT), "PI": text("pi()", FLOAT), "SIN": text("sin($1)", FLOAT),
    "COS": text("cos($1)", FLOAT), "TAN": text("tan($1)", FLOAT), "ASIN": text("asin($1)", FLOAT),
    "ACOS": text("acos($1)", FLOAT), "ATAN": text("atan($1)", FLOAT),
    "ATN2": text("atan2($1, $2)", FLOAT), "DEGREES": text("degrees($1)", FLOAT),
    "RADIANS": text("radians($1)", FLOAT), "RAND": text("random()", FLOAT),
    # dates
    "GETDATE": _now(_NOW, DATETIME), "CURRENT_TIMESTAMP": _now(_NOW, DATETIME),
    "GETUTCDATE": _now(_NOW, DATETIME), "SYSDATETIME": _now(_NOW, _DATETIME2),
    "SYSUTCDATETIME": _now(_NOW, _DATETIME2), "SYSDATETIMEOFFSET": _now("now()", _OFFSET),
    "DATEADD": _dateadd, "DATEDIFF": _datediff(False), "DATEDIFF_BIG": _datediff(True),
    "DATEPART": _datepart, "DATENAME": _datename, "DATETRUNC": _datetrunc,
    "YEAR": lambda values, types: _datepart([exp.var("year"), *values], [None, *types]),
    "MONTH": lambda values, types: _datepart([exp.var("month"), *values], [None, *types]),
    "DAY": lambda values, types: _datepart([exp.var("day"), *values], [None, *types]),
    "EOMONTH": lambda values, types: (
        template("last_day($1)", _as_timestamp(values[0], types[0])), _DATE),
    "DATEFROMPARTS": text("make_date($1, $2, $3)", _DATE),
}  # fmt: skip

AGGREGATE_CASTS = frozenset({"COUNT", "SUM", "AVG"})  # DuckDB's own types are wider
DATE_PART_FIRST = frozenset({
    "DATEADD", "DATEDIFF", "DATEDIFF_BIG", "DATEPART", "DATENAME", "DATETRUNC",
})  # fmt: skip
