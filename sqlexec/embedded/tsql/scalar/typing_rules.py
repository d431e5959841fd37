"""What type a T-SQL expression has: precedence of types, arithmetic, lengths of text.

Rules: learn.microsoft.com, "Data type precedence" and "Precision, scale, and length".  None
stands for a type that is not known; DuckDB then decides.
"""

from __future__ import annotations

from typing import overload

from sqlexec.embedded.sqltypes import MAX, SqlType

_PRECEDENCE = [
    "binary", "varbinary", "char", "varchar", "nchar", "nvarchar", "uniqueidentifier", "timestamp",
    "bit", "tinyint", "smallint", "int", "bigint", "smallmoney", "money", "decimal", "real",
    "float", "time", "date", "smalldatetime", "datetime", "datetime2", "datetimeoffset", "xml",
    "sql_variant",
]  # fmt: skip
_RANK = {name: rank for rank, name in enumerate(_PRECEDENCE)}
_VARYING = {"char": "varchar", "nchar": "nvarchar", "binary": "varbinary"}
_INTEGER_DIGITS = {"bit": 1, "tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}


def is_numeric(type: SqlType | None) -> bool:
    """Whether arithmetic is defined for the type as it stands."""
    return type is not None and type.name >= "bit" and type.name in (
        "bit", "tinyint", "smallint", "int", "bigint", "smallmoney", "money", "decimal", "real",
        "float",
    )  # fmt: skip


def as_decimal(type: SqlType) -> tuple[int, int]:
    """(precision, scale) of an exact number seen as decimal."""
    if type.name == "decimal":
        return type.precision or 18, type.scale or 0
    if type.name == "money":
        return 19, 4
    if type.name == "smallmoney":
        return 10, 4
    return _INTEGER_DIGITS.get(type.name, 10), 0


@overload
def common_type(left: SqlType, right: SqlType) -> SqlType: ...
@overload
def common_type(left: SqlType | None, right: SqlType | None) -> SqlType | None: ...
def common_type(left: SqlType | None, right: SqlType | None) -> SqlType | None:
    """The type of CASE, COALESCE or UNION of two types.

    Example
    -------
    >>> str(common_type(SqlType.parse("varchar(3)"), SqlType.parse("nvarchar(5)")))
    'nvarchar(5)'
    """
    if left is None or right is None or left == right:
        return left if left == right else None
    high, low = sorted((left, right), key=lambda type: -_RANK[type.name])
    if high.name == "decimal" and is_numeric(low) and low.name not in ("real", "float"):
        (p1, s1), (p2, s2) = as_decimal(high), as_decimal(low)
        scale = max(s1, s2)
        return SqlType("decimal", None, min(38, max(p1 - s1, p2 - s2) + scale), min(scale, 38))
    if high.length is not None and low.length is not None:
        length = MAX if MAX in (high.length, low.length) else max(high.length, low.length)
        return SqlType(high.name, length)
    if high.scale is not None and low.name == high.name:
        return SqlType(high.name, None, None, max(high.scale, low.scale or 0))
    return high


def arithmetic(operator: str, left: SqlType | None, right: SqlType | None) -> SqlType | None:
    """The type of left `operator` right for + - * / %."""
    if left is None or right is None:
        return None
    if operator == "+" and (left.is_text or left.is_binary) and (right.is_text or right.is_binary):
        return concatenation(left, right)
    high = common_type(left, right)
    if high is None or high.name != "decimal":
        return SqlType("int") if high is not None and high.name == "bit" else high
    return decimal_result(operator, left, right)


def decimal_result(sign: str, left: SqlType, right: SqlType) -> SqlType:
    """Precision and scale of a result, cut to 38 digits as the documentation says."""
    (p1, s1), (p2, s2) = as_decimal(left), as_decimal(right)
    if sign == "*":
        precision, scale = p1 + p2 + 1, s1 + s2
    elif sign == "/":
        scale = max(6, s1 + p2 + 1)
        precision = p1 - s1 + s2 + scale
    elif sign == "%":
        scale = max(s1, s2)
        precision = min(p1 - s1, p2 - s2) + scale
    else:
        scale = max(s1, s2)
        precision = max(p1 - s1, p2 - s2) + scale + 1
    if precision > 38:
        whole = precision - scale
        if sign in "*/":
            scale = min(scale, 38 - whole) if whole < 32 else min(scale, 6)
        else:
            scale = max(min(scale, 38 - (whole - 1)), 0)
        precision = 38
    return SqlType("decimal", None, precision, scale)


def varying(type: SqlType | None) -> SqlType | None:
    """The type of what a function makes of a text: none is padded any more."""
    if type is None or type.name not in _VARYING:
        return type
    return SqlType(_VARYING[type.name], type.length)


def concatenation(left: SqlType, right: SqlType) -> SqlType:
    """The type of text + text."""
    high = left if _RANK[left.name] >= _RANK[right.name] else right
    name = _VARYING.get(high.name, high.name)
    if MAX in (left.length, right.length) or left.length is None or right.length is None:
        return SqlType(name, MAX)
    limit = 4000 if name == "nvarchar" else 8000
    return SqlType(name, min(left.length + right.length, limit))


def sum_type(type: SqlType | None) -> SqlType | None:
    """The type of SUM: int for the small integers, decimal(38, s) for decimals."""
    if type is None:
        return None
    if type.name in ("tinyint", "smallint", "int"):
        return SqlType("int")
    if type.name == "decimal":
        return SqlType("decimal", None, 38, type.scale)
    if type.name == "smallmoney":
        return SqlType("money")
    return SqlType("float") if type.name == "real" else type


def average_type(type: SqlType | None) -> SqlType | None:
    """The type of AVG: integers stay integers, decimals get six places at least."""
    if type is not None and type.name == "decimal":
        return SqlType("decimal", None, 38, max(type.scale or 0, 6))
    return sum_type(type)
