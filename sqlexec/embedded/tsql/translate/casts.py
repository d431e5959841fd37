"""CAST, CONVERT and assignment: T-SQL's conversions as DuckDB expressions.

DuckDB's own casts differ: decimals round on their way to int, bytes become '\\xAB' as text,
varchar(3) does not cut.
"""

from __future__ import annotations

from sqlglot import exp

from sqlexec.embedded.engine import duckdb_type
from sqlexec.embedded.sqltypes import MAX, SqlType
from sqlexec.embedded.tsql.errors import unsupported
from sqlexec.embedded.tsql.translate.dialect import duckdb_cast, template

_FRACTIONS = ("time", "datetime2")  # types whose scale is that of their seconds
_WHOLE = ("date", "smalldatetime", "datetime")  # whose values a datetime holds as they are
_DATES = ("date", "datetime", "smalldatetime", "datetime2", "datetimeoffset")
# CONVERT(varchar, date, style): learn.microsoft.com, "CAST and CONVERT", date styles
DATE_STYLES = {
    0: "%b %-d %Y %-I:%M%p", 100: "%b %-d %Y %-I:%M%p", 1: "%m/%d/%y", 101: "%m/%d/%Y",
    2: "%y.%m.%d", 102: "%Y.%m.%d", 3: "%d/%m/%y", 103: "%d/%m/%Y", 4: "%d.%m.%y",
    104: "%d.%m.%Y", 5: "%d-%m-%y", 105: "%d-%m-%Y", 6: "%d %b %y", 106: "%d %b %Y",
    7: "%b %d, %y", 107: "%b %d, %Y", 8: "%H:%M:%S", 108: "%H:%M:%S", 10: "%m-%d-%y",
    110: "%m-%d-%Y", 11: "%y/%m/%d", 111: "%Y/%m/%d", 12: "%y%m%d", 112: "%Y%m%d",
    20: "%Y-%m-%d %H:%M:%S", 120: "%Y-%m-%d %H:%M:%S", 21: "%Y-%m-%d %H:%M:%S.%g",
    121: "%Y-%m-%d %H:%M:%S.%g", 23: "%Y-%m-%d", 126: "%Y-%m-%dT%H:%M:%S.%g",
    127: "%Y-%m-%dT%H:%M:%S.%gZ",
}  # fmt: skip


def cast(
    value: exp.Expression,
    source: SqlType | None,
    target: SqlType,
    *,
    safe: bool = False,
    style: int | None = None,
) -> exp.Expression:
    """CAST(value AS target), or TRY_CAST when `safe`, or CONVERT with a style."""
    if target.scale is not None and target.scale < 6 and target.name in _FRACTIONS:
        fine = SqlType(target.name, None, None, 7)
        exact = source is not None and source.name in ("date", "smalldatetime")
        if source != target and not exact:
            value = cast(value, source, fine, safe=safe, style=style)
            stamp = template("DATE '1900-01-01' + $1", value) if target.name == "time" else value
            unit = 10 ** (6 - target.scale)
            return duckdb_cast(template(f'"$tsql".round_time($1, {unit})', stamp), target)
    if target.name == "datetime" and not (source and (source.is_integer or source.name in _WHOLE)):
        stamp = cast(value, source, SqlType("datetime2", None, None, 7), safe=safe, style=style)
        return duckdb_cast(template('"$tsql".round_datetime($1)', stamp), target, safe=safe)
    if target.is_text:
        return _to_text(value, source, target, style)
    if target.is_binary:
        return _to_binary(value, source, target, style)
    if source is not None and source.is_binary and (target.is_integer or target.name == "bit"):
        text = "CAST(concat('0x', right(lpad(hex($1), 16, '0'), 16)) AS BIGINT)"
        return duckdb_cast(template(text, value), target, safe=safe)
    if source is not None and source.is_text and target.name in _DATES:
        function = '"$tsql".try_timestamp($1)' if safe else '"$tsql".to_timestamp($1)'
        return duckdb_cast(template(function, value), target, safe=safe)
    if source is not None and source.name == "time" and target.name in _DATES:
        return duckdb_cast(template("DATE '1900-01-01' + $1", value), target, safe=safe)
    if source is not None and source.is_integer and target.name in ("datetime", "smalldatetime"):
        shifted = template("TIMESTAMP '1900-01-01' + to_days(CAST($1 AS INTEGER))", value)
        return duckdb_cast(shifted, target, safe=safe)
    if target.is_integer and (
        source is None or source.name in ("decimal", "money", "smallmoney", "float", "real")
    ):
        if source is not None:
            value = template("trunc($1)", value)
        return duckdb_cast(value, target, safe=safe)
    if source == target and duckdb_type(target) != "DOUBLE":
        return value
    return duckdb_cast(value, target, safe=safe)


def _to_text(
    value: exp.Expression, source: SqlType | None, target: SqlType, style: int | None
) -> exp.Expression:
    text: exp.Expression
    if source is None or source.is_text:
        text = duckdb_cast(value, "VARCHAR")
    elif source.is_binary:
        form = {None: "decode($1)", 0: "decode($1)", 1: "concat('0x', hex($1))", 2: "hex($1)"}
        if style not in form:
            raise unsupported(f"style {style} of CONVERT for binary values")
        text = template(form[style], value)
    elif source.name in _DATES:
        text = _date_text(value, source, style)
    elif source.name == "uniqueidentifier":
        text = template("upper(CAST($1 AS VARCHAR))", value)
    elif source.name == "bit":
        text = template("CAST(CAST($1 AS INTEGER) AS VARCHAR)", value)
    elif source.name in ("money", "smallmoney"):
        text = template("CAST(CAST($1 AS DECIMAL(19,2)) AS VARCHAR)", value)
    elif source.name in ("float", "real") and style is None:
        text = template("printf('%.6g', CAST($1 AS DOUBLE))", value)
    else:
        text = duckdb_cast(value, "VARCHAR")
    same = source is not None and source.is_text and source.length is not None
    fits = same and source is not None and 0 <= (source.length or 0) <= (target.length or 0)
    if target.length in (None, MAX) or fits:
        return text
    return template(f"left($1, {target.length})", text)


def _date_text(value: exp.Expression, source: SqlType, style: int | None) -> exp.Expression:
    if style is None and source.name == "date":
        style = 23
    elif style is None and source.name in ("datetime2", "datetimeoffset"):
        return template("strftime(CAST($1 AS TIMESTAMP), '%Y-%m-%d %H:%M:%S.%f0')", value)
    if (style or 0) not in DATE_STYLES:
        raise unsupported(f"style {style} of CONVERT for dates")
    form = DATE_STYLES[style or 0]
    return template(f"strftime(CAST($1 AS TIMESTAMP), '{form}')", value)


def _to_binary(
    value: exp.Expression, source: SqlType | None, target: SqlType, style: int | None
) -> exp.Expression:
    if source is not None and source.is_text:
        if style == 1:
            value = template("unhex(substr($1, 3))", value)
        elif style == 2:
            value = template("unhex($1)", value)
        elif source.name in ("nchar", "nvarchar"):
            raise unsupported("nvarchar to varbinary inside a query (UTF-16 bytes)")
        else:
            value = template("encode($1)", value)
    elif source is not None and source.is_integer:
        width = {"tinyint": 2, "smallint": 4, "int": 8, "bigint": 16}[source.name]
        value = template(f"unhex(right(lpad(hex(CAST($1 AS BIGINT)), 16, '0'), {width}))", value)
    elif source is None or not source.is_binary:
        value = duckdb_cast(value, "BLOB")
    fits = source is not None and source.is_binary and source.length not in (None, MAX)
    fits = fits and (source.length or 0) <= (target.length or 0)  # type: ignore[union-attr]
    if target.length in (None, MAX) or fits:
        return value
    return template(f"unhex(left(hex($1), {2 * (target.length or 0)}))", value)
