"""Helper functions inside DuckDB (schema "$tsql") that translated queries call."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlexec.embedded.engine import Connection

# error('{8134}') is the mark by which engine_errors.py knows SQL Server's number
_MACROS = (
    # a text as a date, in the forms that SQL Server reads whatever the language is
    "try_timestamp(x) AS CASE WHEN x IS NULL THEN NULL WHEN trim(x) = '' THEN"
    " TIMESTAMP '1900-01-01' ELSE coalesce(TRY_CAST(x AS TIMESTAMP),"
    " try_strptime(trim(x), ['%Y%m%d', '%Y%m%d %H:%M', '%Y%m%d %H:%M:%S', '%Y%m%d %H:%M:%S.%f',"
    " '%m/%d/%Y', '%m/%d/%Y %H:%M', '%m/%d/%Y %H:%M:%S', '%b %d %Y %I:%M%p', '%d %b %Y',"
    " '%b %d, %Y'])) END",
    'to_timestamp(x) AS CASE WHEN x IS NULL THEN NULL ELSE coalesce("$tsql".try_timestamp(x),'
    " CAST(error('{241}') AS TIMESTAMP)) END",
    # to a multiple of so many microseconds
    "round_time(x, unit) AS make_timestamp(CAST(round(epoch_us(x) / unit) * unit AS BIGINT))",
    # to 1/300 second in whole milliseconds, as datetime keeps it
    "round_datetime(x) AS"
    " epoch_ms(CAST(floor((round(epoch_us(x) * 3 / 10000) * 10 + 1) / 3) AS BIGINT))",
    "divide(a, b) AS a / CASE WHEN b = 0 THEN CAST(error('{8134}') AS DOUBLE) ELSE b END",
    "modulo(a, b) AS a % CASE WHEN b = 0 THEN CAST(error('{8134}') AS BIGINT) ELSE b END",
)


def create_macros(connection: Connection) -> None:
    """Make or renew the helper functions."""
    connection.execute('CREATE SCHEMA IF NOT EXISTS "$tsql"')
    for macro in _MACROS:
        connection.execute(f'CREATE OR REPLACE MACRO "$tsql".{macro}')
