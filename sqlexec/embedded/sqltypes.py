"""T-SQL data types: one immutable value a type, spelled as T-SQL spells it.

Values of these types are held as Python objects everywhere in the stand-in:

    bit bool | tinyint..bigint int | real, float float | decimal, money Decimal
    char..nvarchar(max) str | binary..varbinary(max) bytes or memoryview
    date, time, datetime, smalldatetime, datetime2 datetime.* | datetimeoffset aware datetime
    uniqueidentifier uuid.UUID | NULL None
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

MAX = -1  # length of varchar(max), nvarchar(max), varbinary(max)

_SYNONYMS = {
    "integer": "int",
    "dec": "decimal",
    "numeric": "decimal",
    "double precision": "float",
    "character": "char",
    "char varying": "varchar",
    "character varying": "varchar",
    "national character": "nchar",
    "national char": "nchar",
    "national character varying": "nvarchar",
    "national char varying": "nvarchar",
    "binary varying": "varbinary",
    "rowversion": "timestamp",
    "sysname": "nvarchar",
    "text": "varchar",
    "ntext": "nvarchar",
    "image": "varbinary",
}
_LENGTH = {"char", "varchar", "nchar", "nvarchar", "binary", "varbinary"}
_SCALE = {"time", "datetime2", "datetimeoffset"}
_PLAIN = {
    "bit", "tinyint", "smallint", "int", "bigint", "real", "float", "money", "smallmoney",
    "date", "datetime", "smalldatetime", "uniqueidentifier", "xml", "sql_variant", "timestamp",
}  # fmt: skip
_SPELLING = re.compile(r"\s*([a-z ]+?[a-z0-9_]*)\s*(?:\(\s*(\w+)\s*(?:,\s*(\d+)\s*)?\))?\s*", re.I)


@dataclass(frozen=True, slots=True)
class SqlType:
    """A T-SQL data type.

    Parameters
    ----------
    name : str
        Lower-case T-SQL name without synonyms ('decimal', never 'numeric').
    length : int or None
        Characters of n/char and n/varchar, bytes of binary and varbinary; MAX for (max).
    precision, scale : int or None
        Of decimal; scale alone for time, datetime2 and datetimeoffset (0 to 7).

    Example
    -------
    >>> SqlType.parse("NVARCHAR(50)")
    SqlType(name='nvarchar', length=50, precision=None, scale=None)
    >>> str(SqlType.parse("numeric(10, 2)"))
    'decimal(10,2)'
    """

    name: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None

    @classmethod
    @lru_cache(maxsize=1024)
    def parse(cls, text: str) -> SqlType:
        """Read a type as T-SQL spells it; ValueError for an unknown one (no user types)."""
        match = _SPELLING.fullmatch(text.replace("[", "").replace("]", ""))
        if not match:
            raise ValueError(f"Cannot find data type {text.strip()}.")
        spelled = " ".join(match[1].lower().split())
        name = _SYNONYMS.get(spelled, spelled)
        first, second = match[2], match[3]
        if spelled in ("text", "ntext", "image"):
            return cls(name, MAX)
        if spelled == "sysname":
            return cls(name, 128)
        if name in _LENGTH:
            if first is None:
                return cls(name, 1)
            return cls(name, MAX if first.lower() == "max" else int(first))
        if name == "decimal":
            return cls(name, None, int(first or 18), int(second or 0))
        if name in _SCALE:
            return cls(name, None, None, 7 if first is None else int(first))
        if name == "float" and first is not None:
            return cls("real" if int(first) <= 24 else "float")
        if name in _PLAIN and first is None:
            return cls(name)
        raise ValueError(f"Cannot find data type {text.strip()}.")

    def __str__(self) -> str:
        if self.name == "decimal":
            return f"decimal({self.precision},{self.scale})"
        if self.name in _SCALE:
            return f"{self.name}({self.scale})"
        if self.length is not None:
            return f"{self.name}({'max' if self.length == MAX else self.length})"
        return self.name

    @property
    def is_text(self) -> bool:
        return self.name in ("char", "varchar", "nchar", "nvarchar", "xml")

    @property
    def is_binary(self) -> bool:
        return self.name in ("binary", "varbinary", "timestamp")

    @property
    def is_integer(self) -> bool:
        return self.name in ("tinyint", "smallint", "int", "bigint")


BIT = SqlType("bit")
INT = SqlType("int")
BIGINT = SqlType("bigint")
FLOAT = SqlType("float")
DATETIME = SqlType("datetime")
SYSNAME = SqlType("nvarchar", 128)
NVARCHAR_MAX = SqlType("nvarchar", MAX)
VARBINARY_MAX = SqlType("varbinary", MAX)
UNIQUEIDENTIFIER = SqlType("uniqueidentifier")
