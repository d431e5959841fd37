"""The system types as sys.types lists them, and how sys.columns describes a declared type."""

from __future__ import annotations

from dataclasses import dataclass

from sqlexec.embedded.sqltypes import MAX, SqlType


@dataclass(frozen=True, slots=True)
class SystemType:
    """A row of sys.types; `max_length` in bytes."""

    name: str
    system_type_id: int
    user_type_id: int
    max_length: int
    precision: int
    scale: int
    collated: bool = False


SYSTEM_TYPES = {
    row.name: row
    for row in (
        SystemType("image", 34, 34, 16, 0, 0),
        SystemType("text", 35, 35, 16, 0, 0, True),
        SystemType("uniqueidentifier", 36, 36, 16, 0, 0),
        SystemType("date", 40, 40, 3, 10, 0),
        SystemType("time", 41, 41, 5, 16, 7),
        SystemType("datetime2", 42, 42, 8, 27, 7),
        SystemType("datetimeoffset", 43, 43, 10, 34, 7),
        SystemType("tinyint", 48, 48, 1, 3, 0),
        SystemType("smallint", 52, 52, 2, 5, 0),
        SystemType("int", 56, 56, 4, 10, 0),
        SystemType("smalldatetime", 58, 58, 4, 16, 0),
        SystemType("real", 59, 59, 4, 24, 0),
        SystemType("money", 60, 60, 8, 19, 4),
        SystemType("datetime", 61, 61, 8, 23, 3),
        SystemType("float", 62, 62, 8, 53, 0),
        SystemType("sql_variant", 98, 98, 8016, 0, 0),
        SystemType("ntext", 99, 99, 16, 0, 0, True),
        SystemType("bit", 104, 104, 1, 1, 0),
        SystemType("decimal", 106, 106, 17, 38, 38),
        SystemType("numeric", 108, 108, 17, 38, 38),
        SystemType("smallmoney", 122, 122, 4, 10, 4),
        SystemType("bigint", 127, 127, 8, 19, 0),
        SystemType("varbinary", 165, 165, 8000, 0, 0),
        SystemType("varchar", 167, 167, 8000, 0, 0, True),
        SystemType("binary", 173, 173, 8000, 0, 0),
        SystemType("char", 175, 175, 8000, 0, 0, True),
        SystemType("timestamp", 189, 189, 8, 0, 0),
        SystemType("nvarchar", 231, 231, 8000, 0, 0, True),
        SystemType("nchar", 239, 239, 8000, 0, 0, True),
        SystemType("xml", 241, 241, -1, 0, 0),
        SystemType("sysname", 231, 256, 256, 0, 0, True),
    )
}
COLLATION = "Latin1_General_100_BIN2"  # the stand-in compares text byte by byte


def describe(type: SqlType) -> dict[str, object]:
    """type_name, system_type_id, max_length, precision and scale, as sys.columns has them.

    Example
    -------
    >>> describe(SqlType.parse("nvarchar(50)"))["max_length"]
    100
    """
    row = SYSTEM_TYPES[type.name]
    length, precision, scale = row.max_length, row.precision, row.scale
    if type.length is not None:
        wide = 2 if type.name in ("nchar", "nvarchar") else 1
        length = -1 if type.length == MAX else type.length * wide
    if type.name == "decimal":
        precision, scale = type.precision or 18, type.scale or 0
        length = 5 if precision <= 9 else 9 if precision <= 19 else 13 if precision <= 28 else 17
    elif type.scale is not None:
        scale = type.scale
        length = row.max_length - (2 if scale <= 2 else 1 if scale <= 4 else 0)
        precision = row.precision - 8 + (scale + 1 if scale else 0)
    return {
        "type_name": row.name,
        "system_type_id": row.system_type_id,
        "max_length": length,
        "precision": precision,
        "scale": scale,
    }
