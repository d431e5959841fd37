"""How ODBC numbers and measures T-SQL's types (SQLGetTypeInfo, SQLColumns)."""

from __future__ import annotations

from sqlexec.embedded.sqltypes import MAX, SqlType

# T-SQL name: (ODBC 3 type, SQL_DATA_TYPE, SQL_DATETIME_SUB, column size, scale, bytes moved)
_ODBC: dict[str, tuple[int, int, int | None, int, int | None, int]] = {
    "bit": (-7, -7, None, 1, None, 1),
    "tinyint": (-6, -6, None, 3, 0, 1),
    "smallint": (5, 5, None, 5, 0, 2),
    "int": (4, 4, None, 10, 0, 4),
    "bigint": (-5, -5, None, 19, 0, 8),
    "real": (7, 7, None, 24, None, 4),
    "float": (6, 6, None, 53, None, 8),
    "money": (3, 3, None, 19, 4, 21),
    "smallmoney": (3, 3, None, 10, 4, 12),
    "date": (91, 9, 1, 10, None, 6),
    "time": (-154, -154, None, 16, 7, 12),
    "datetime": (93, 9, 3, 23, 3, 16),
    "smalldatetime": (93, 9, 3, 16, 0, 16),
    "datetime2": (93, 9, 3, 27, 7, 16),
    "datetimeoffset": (-155, -155, None, 34, 7, 20),
    "uniqueidentifier": (-11, -11, None, 36, None, 16),
    "timestamp": (-2, -2, None, 8, None, 8),
    "xml": (-152, -152, None, 0, None, 0),
    "sql_variant": (-150, -150, None, 8000, None, 8000),
}
_TEXTS = {"char": (1, 1), "varchar": (12, 1), "nchar": (-8, 2), "nvarchar": (-9, 2),
          "binary": (-2, 1), "varbinary": (-3, 1)}  # fmt: skip
# as the plain procedures show the types of 2008 to drivers that do not know them
_OLD = {"date": (-9, 10), "time": (-9, 16), "datetime2": (-9, 27), "datetimeoffset": (-9, 34)}
_SS = {"bit": 50, "tinyint": 38, "smallint": 38, "int": 38, "bigint": 38, "real": 109, "float": 109,
       "money": 110, "smallmoney": 110, "decimal": 106, "datetime": 111, "smalldatetime": 111,
       "date": 0, "time": 0, "datetime2": 0, "datetimeoffset": 0, "uniqueidentifier": 37,
       "char": 39, "varchar": 39, "nchar": 39, "nvarchar": 39, "binary": 37, "varbinary": 37,
       "timestamp": 37, "xml": 0, "sql_variant": 39}  # fmt: skip
_SS_NOT_NULL = {"tinyint": 48, "smallint": 52, "int": 56, "bigint": 63, "real": 59, "float": 62,
                "money": 60, "smallmoney": 122, "datetime": 61, "smalldatetime": 58}  # fmt: skip


def odbc_type(type: SqlType, version: int, *, new: bool) -> tuple[int, int, int | None]:
    """(DATA_TYPE, SQL_DATA_TYPE, SQL_DATETIME_SUB); ODBC 2 numbers date and time 9 to 11."""
    if type.name in _TEXTS:
        number = _TEXTS[type.name][0]
        return number, number, None
    if type.name == "decimal":
        return 3, 3, None
    if not new and type.name in _OLD:
        return -9, -9, None
    number, sql_number, sub, *_ = _ODBC[type.name]
    if version < 3 and number == 93:
        number = 11
    return number, sql_number, sub


def column_size(type: SqlType) -> int:
    """Characters, bytes or digits; 0 stands for (max)."""
    if type.name in _TEXTS:
        return 0 if type.length == MAX else int(type.length or 1)
    if type.name == "decimal":
        return int(type.precision or 18)
    size = _ODBC[type.name][3]
    if type.scale is not None:
        size = size - 8 + (type.scale + 1 if type.scale else 0)
    return size


def transfer_length(type: SqlType) -> int:
    """Bytes that a value takes in ODBC's default C type."""
    if type.name in _TEXTS:
        return 0 if type.length == MAX else int(type.length or 1) * _TEXTS[type.name][1]
    if type.name == "decimal":
        return int(type.precision or 18) + 2
    return _ODBC[type.name][5]


def decimal_digits(type: SqlType) -> int | None:
    """Digits behind the point."""
    if type.name in _TEXTS:
        return None
    if type.scale is not None:
        return type.scale
    return _ODBC[type.name][4] if type.name in _ODBC else None


def radix(type: SqlType) -> int | None:
    """2 for float and real, 10 for exact numbers."""
    if type.name in ("float", "real"):
        return 2
    exact = ("tinyint", "smallint", "int", "bigint", "decimal", "money", "smallmoney")
    return 10 if type.name in exact else None


def ss_data_type(type: SqlType, *, nullable: bool) -> int:
    """SQL Server's own old type number (open data services)."""
    if not nullable and type.name in _SS_NOT_NULL:
        return _SS_NOT_NULL[type.name]
    return _SS.get(type.name, 39)


def _row(
    name: str, number: int, size: int, prefix: str | None, suffix: str | None,
    params: str | None = None, *, case: int = 0, searchable: int = 2, unsigned: int | None = None,
    money: int = 0, scales: tuple[int, int] | None = None, sql: int | None = None,
    sub: int | None = None, radix: int | None = None, user: int = 0, identity: bool = False,
) -> tuple[object, ...]:  # fmt: skip
    low, high = scales or (None, None)
    increment = None if unsigned is None else int(identity)
    return (
        name, number, size, prefix, suffix, params, int(not identity), case, searchable, unsigned,
        money, increment, name, low, high, number if sql is None else sql, sub, radix, None, user,
    )  # fmt: skip


_INTEGERS = (("bigint", -5, 19, 0), ("int", 4, 10, 7), ("smallint", 5, 5, 6), ("tinyint", -6, 3, 5))
TYPE_INFO: list[tuple[object, ...]] = [
    *(
        _row(name + (" identity" if identity else ""), number, size, None, None,
             unsigned=int(name == "tinyint"), scales=(0, 0), radix=10, user=user, identity=identity)
        for name, number, size, user in _INTEGERS
        for identity in (False, True)
    ),
    _row("bit", -7, 1, None, None, scales=(0, 0), user=16),
    _row("decimal", 3, 38, None, None, "precision,scale", unsigned=0, scales=(0, 38), radix=10,
         user=24),
    _row("numeric", 2, 38, None, None, "precision,scale", unsigned=0, scales=(0, 38), radix=10,
         user=10),
    _row("money", 3, 19, "$", None, unsigned=0, money=1, scales=(4, 4), radix=10, user=11),
    _row("smallmoney", 3, 10, "$", None, unsigned=0, money=1, scales=(4, 4), radix=10, user=21),
    _row("float", 6, 53, None, None, unsigned=0, radix=2, user=8),
    _row("real", 7, 24, None, None, unsigned=0, radix=2, user=23),
    _row("char", 1, 8000, "'", "'", "length", case=1, searchable=3, user=1),
    _row("varchar", 12, 8000, "'", "'", "max length", case=1, searchable=3, user=2),
    _row("text", -1, 2147483647, "'", "'", case=1, searchable=1, user=19),
    _row("nchar", -8, 4000, "N'", "'", "length", case=1, searchable=3),
    _row("nvarchar", -9, 4000, "N'", "'", "max length", case=1, searchable=3),
    _row("sysname", -9, 128, "N'", "'", case=1, searchable=3, user=18),
    _row("ntext", -10, 1073741823, "N'", "'", case=1, searchable=1),
    _row("binary", -2, 8000, "0x", None, "length", user=3),
    _row("timestamp", -2, 8, "0x", None, user=80),
    _row("varbinary", -3, 8000, "0x", None, "max length", user=4),
    _row("image", -4, 2147483647, "0x", None, searchable=0, user=20),
    _row("date", 91, 10, "'", "'", searchable=3, sql=9, sub=1),
    _row("time", -154, 16, "'", "'", "scale", searchable=3, scales=(0, 7)),
    _row("datetime2", 93, 27, "'", "'", "scale", searchable=3, scales=(0, 7), sql=9, sub=3),
    _row("datetime", 93, 23, "'", "'", searchable=3, scales=(3, 3), sql=9, sub=3, user=12),
    _row("smalldatetime", 93, 16, "'", "'", searchable=3, scales=(0, 0), sql=9, sub=3, user=22),
    _row("datetimeoffset", -155, 34, "'", "'", "scale", searchable=3, scales=(0, 7)),
    _row("uniqueidentifier", -11, 36, "'", "'", user=0),
    _row("xml", -152, 0, "N'", "'", case=1, searchable=0),
    _row("sql_variant", -150, 8000, None, None),
]  # fmt: skip
