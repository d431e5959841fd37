"""Python's types as types of T-SQL, and how each travels into a script and back.

 in: @p type --into--> script's parameter --read--> argument
out: result --give--> JSON --out_of--> @p type OUTPUT, or a column
"""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlexec.runner import script_values as glue


@dataclass(frozen=True, slots=True)
class Kind:
    """How values of one Python type cross.

    Parameters
    ----------
    sql : str
        Type of the procedure's parameter or result column; {scale} is of decimal.
    script : str
        Type of the script's parameter, one that every runtime takes exactly (error 39018 and the
        rounding of bigint are what it keeps clear of).
    into : str
        T-SQL that makes it of `{name}`; '' where it is the very same.
    out_of : str
        T-SQL that makes a value of `sql` of the text `{text}`.
    read, give : function
        What reads an argument and gives a result within the script.
    """

    sql: str
    script: str
    into: str
    out_of: str
    read: Callable[[Any], Any]
    give: Callable[[Any], Any]


KINDS: dict[type, Kind] = {
    bool: Kind("bit", "bit", "", "CONVERT(bit, {text})", glue.from_sql_bool, glue.to_sql_bool),
    int: Kind(
        "bigint",
        "nvarchar(max)",
        "CONVERT(nvarchar(20), {name})",
        "CONVERT(bigint, {text})",
        glue.from_sql_int,
        glue.to_sql_int,
    ),
    float: Kind(
        "float", "float", "", "CONVERT(float, {text})", glue.from_sql_float, glue.to_sql_float
    ),
    decimal.Decimal: Kind(
        "decimal(38, {scale})",
        "nvarchar(max)",
        "CONVERT(nvarchar(41), {name})",
        "CONVERT(decimal(38, {scale}), {text})",
        glue.from_sql_decimal,
        glue.to_sql_decimal,
    ),
    str: Kind("nvarchar(max)", "nvarchar(max)", "", "{text}", glue.from_sql_text, glue.to_sql_text),
    bytes: Kind(
        "varbinary(max)",
        "varbinary(max)",
        "",
        "CONVERT(varbinary(max), {text}, 2)",
        glue.from_sql_bytes,
        glue.to_sql_bytes,
    ),
    datetime.date: Kind(
        "date",
        "nvarchar(max)",
        "CONVERT(nvarchar(10), {name}, 23)",
        "CONVERT(date, {text}, 23)",
        glue.from_sql_date,
        glue.to_sql_date,
    ),
    datetime.datetime: Kind(
        "datetime2(6)",
        "nvarchar(max)",
        "CONVERT(nvarchar(26), {name}, 121)",
        "CONVERT(datetime2(6), {text}, 126)",
        glue.from_sql_datetime,
        glue.to_sql_datetime,
    ),
}
