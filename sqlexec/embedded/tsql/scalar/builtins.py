"""Functions of text, bytes, identifiers and JSON: LEN, SUBSTRING, QUOTENAME, HASHBYTES ..."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import uuid
from collections.abc import Callable

from sqlexec.embedded.sqltypes import BIGINT, FLOAT, INT, MAX, NVARCHAR_MAX, SYSNAME, SqlType
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.scalar.conversions import convert
from sqlexec.embedded.tsql.scalar.facts import Bytes
from sqlexec.embedded.tsql.scalar.registry import Typed, builtin
from sqlexec.embedded.tsql.scalar.text_conversions import text_of
from sqlexec.embedded.tsql.syntax.lexer import quote_name
from sqlexec.embedded.tsql.syntax.reader import Reader


def text_type(type: SqlType, length: int | None = None) -> SqlType:
    """The variable-length text type that a function of this argument gives."""
    national = type.name in ("nchar", "nvarchar", "xml")
    limit = 4000 if national else 8000
    size = type.length if length is None else length
    if type.length == MAX or type.name == "xml":
        size = MAX
    elif not type.is_text:
        size = length or 8000
    return SqlType("nvarchar" if national else "varchar", size if size == MAX else
                   max(1, min(size or limit, limit)))  # fmt: skip


def text(typed: Typed) -> str | None:
    value, type = typed
    return None if value is None else text_of(value, type)


def integer(typed: Typed) -> int | None:
    value = convert(typed[0], typed[1], BIGINT)
    return value if isinstance(value, int) else None


# --- text --------------------------------------------------------------------------------


@builtin("LEN")
def _len(argument: Typed) -> Typed:
    kind = BIGINT if argument[1].length == MAX else INT
    if isinstance(argument[0], Bytes):
        return len(argument[0]), kind
    found = text(argument)
    return (None if found is None else len(found.rstrip(" "))), kind


@builtin("DATALENGTH")
def _datalength(argument: Typed) -> Typed:
    value, type = argument
    kind = BIGINT if type.length == MAX else INT
    if value is None:
        return None, kind
    if isinstance(value, Bytes):
        return len(value), kind
    if isinstance(value, str):
        if type.name in ("nchar", "nvarchar", "xml"):
            return len(value.encode("utf-16-le", "surrogatepass")), kind
        return len(value.encode("cp1252", "replace")), kind
    return _STORED_SIZE.get(type.name, 8), kind


_STORED_SIZE = {
    "bit": 1, "tinyint": 1, "smallint": 2, "int": 4, "bigint": 8, "real": 4, "float": 8, "date": 3,
    "time": 5, "smalldatetime": 4, "datetime": 8, "datetime2": 8, "datetimeoffset": 10, "money": 8,
    "smallmoney": 4, "uniqueidentifier": 16, "decimal": 9,
}  # fmt: skip


@builtin("SUBSTRING")
def _substring(source: Typed, start: Typed, length: Typed = (MAX, INT)) -> Typed:
    value, type = source
    first, count = integer(start), integer(length)
    binary = isinstance(value, Bytes)
    kind = SqlType("varbinary", type.length or 8000) if type.is_binary else text_type(type)
    if value is None or first is None or count is None:
        return None, kind
    if count < 0:
        raise SqlError(537, "Invalid length parameter passed to the LEFT or SUBSTRING function.")
    end = max(first + count - 1, 0)
    begin = max(first - 1, 0)
    whole = value if binary else text(source)
    return whole[begin:end], kind  # type: ignore[index]


@builtin("LEFT")
def _left(source: Typed, length: Typed) -> Typed:
    return _substring(source, (1, INT), length)


@builtin("RIGHT")
def _right(source: Typed, length: Typed) -> Typed:
    found, count = text(source), integer(length)
    kind = text_type(source[1])
    if found is None or count is None:
        return None, kind
    if count < 0:
        raise SqlError(536, "Invalid length parameter passed to the RIGHT function.")
    return (found[-count:] if count else ""), kind


def _simple(name: str, change: Callable[[str], str]) -> None:
    def function(source: Typed) -> Typed:
        found = text(source)
        return (None if found is None else change(found)), text_type(source[1])

    builtin(name)(function)


_simple("LOWER", str.lower)
_simple("UPPER", str.upper)
_simple("LTRIM", lambda value: value.lstrip(" "))
_simple("RTRIM", lambda value: value.rstrip(" "))
_simple("TRIM", lambda value: value.strip(" "))
_simple("REVERSE", lambda value: value[::-1])


@builtin("REPLACE")
def _replace(source: Typed, old: Typed, new: Typed) -> Typed:
    kind = text_type(source[1], 4000 if source[1].name[0] == "n" else 8000)
    whole, before, after = text(source), text(old), text(new)
    if whole is None or before is None or after is None:
        return None, kind
    return (whole.replace(before, after) if before else whole), kind


@builtin("CHARINDEX")
def _charindex(pattern: Typed, source: Typed, start: Typed = (1, INT)) -> Typed:
    kind = BIGINT if source[1].length == MAX else INT
    needle, hay, first = text(pattern), text(source), integer(start)
    if needle is None or hay is None:
        return None, kind
    return (hay.find(needle, max((first or 1) - 1, 0)) + 1 if needle else 0), kind


@builtin("CONCAT")
def _concat(*parts: Typed) -> Typed:
    return _joined("", parts)


@builtin("CONCAT_WS")
def _concat_ws(separator: Typed, *parts: Typed) -> Typed:
    return _joined(text(separator) or "", [part for part in parts if part[0] is not None])


def _joined(separator: str, parts: tuple[Typed, ...] | list[Typed]) -> Typed:
    national = any(type.name in ("nchar", "nvarchar") for _, type in parts)
    longest = any(type.length == MAX for _, type in parts)
    limit = 4000 if national else 8000
    joined = separator.join(text(part) or "" for part in parts)
    kind = SqlType("nvarchar" if national else "varchar", MAX if longest else limit)
    return (joined if longest else joined[:limit]), kind


@builtin("STUFF")
def _stuff(source: Typed, start: Typed, length: Typed, new: Typed) -> Typed:
    kind = text_type(source[1], 4000 if source[1].name[0] == "n" else 8000)
    whole, first, count = text(source), integer(start), integer(length)
    if whole is None or first is None or count is None or not 1 <= first <= len(whole) or count < 0:
        return None, kind
    return whole[: first - 1] + (text(new) or "") + whole[first - 1 + count :], kind


@builtin("REPLICATE")
def _replicate(source: Typed, times: Typed) -> Typed:
    found, count = text(source), integer(times)
    kind = text_type(source[1], 4000 if source[1].name[0] == "n" else 8000)
    if found is None or count is None or count < 0:
        return None, kind
    limit = 2**31 - 1 if kind.length == MAX else 8000 // (2 if kind.name[0] == "n" else 1)
    if len(found) * count > 2**30:
        raise SqlError(701, "There is insufficient system memory to run this query.", 17)
    return (found * count)[:limit], kind


@builtin("SPACE")
def _space(times: Typed) -> Typed:
    return _replicate((" ", SqlType("varchar", 1)), times)


@builtin("QUOTENAME")
def _quotename(name: Typed, quote: Typed = ("[", SYSNAME)) -> Typed:
    kind = SqlType("nvarchar", 258)
    value, mark = text(name), text(quote)
    if value is None or mark is None or len(value) > 128:
        return None, kind
    if mark in ("", "[", "]"):
        return quote_name(value), kind
    pairs = {"'": "'", '"': '"', "(": ")", ")": ")", "<": ">", ">": ">", "{": "}", "}": "}"}
    if mark not in pairs:
        return None, kind
    opening = {")": "(", ">": "<", "}": "{"}.get(mark, mark)
    closing = pairs[mark]
    return opening + value.replace(closing, closing * 2) + closing, kind


@builtin("ASCII", "UNICODE")
def _unicode(source: Typed) -> Typed:
    found = text(source)
    return (ord(found[0]) if found else None), INT


@builtin("CHAR", "NCHAR")
def _char(code: Typed) -> Typed:
    value = integer(code)
    kind = SqlType("nchar", 1)
    return (chr(value) if value is not None and 0 <= value < 0x10000 else None), kind


@builtin("STR")
def _str(number: Typed, length: Typed = (10, INT), decimals: Typed = (0, INT)) -> Typed:
    value = convert(number[0], number[1], FLOAT)
    width, places = integer(length), integer(decimals)
    kind = SqlType("varchar", max(width or 10, 1))
    if not isinstance(value, float) or width is None or places is None:
        return None, kind
    written = f"{value:.{min(max(places, 0), 16)}f}"
    return (
        "*" * width
        if len(written.split(".", maxsplit=1)[0]) > width
        else written[:width].rjust(width)
    ), kind


@builtin("FORMATMESSAGE")
def _formatmessage(template: Typed, *values: Typed) -> Typed:
    kind = SqlType("nvarchar", 2048)
    found = text(template)
    return (None if found is None else format_message(found, [v[0] for v in values])), kind


def format_message(template: str, values: list[object]) -> str:
    """Fill %s, %d, %i, %u, %o, %x as RAISERROR does; a missing value is '(null)'."""
    remaining = iter(values)

    def fill(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        flags, width, precision, kind = match[1], match[2], match[3], match[4]
        if width == "*":
            width = str(next(remaining, ""))
        value = next(remaining, None)
        if value is None:
            return "(null)"
        if kind == "s":
            cut = str(value)[: int(precision)] if precision else str(value)
            return cut.ljust(int(width)) if "-" in flags and width else cut.rjust(int(width or 0))
        if not isinstance(value, int):
            raise SqlError(
                2786,
                "The data type of substitution parameter does not match the expected type of the "
                "format specification.",
            )
        return f"%{flags}{width or ''}{'d' if kind in 'diu' else kind}" % value

    pattern = r"%([-+0#]*)(\d+|\*)?(?:\.(\d+))?(?:h|l|I64)?([sdiuoxX])|%%"
    return re.sub(pattern, lambda m: fill(m) if m[0] == "%%" or m[4] else m[0],
                  template.replace("%l", "%"))  # fmt: skip


# --- bytes, identifiers, JSON ------------------------------------------------------------

_HASHES = {
    "MD5": hashlib.md5, "SHA": hashlib.sha1, "SHA1": hashlib.sha1, "SHA2_256": hashlib.sha256,
    "SHA2_512": hashlib.sha512,
}  # fmt: skip


@builtin("HASHBYTES")
def _hashbytes(algorithm: Typed, argument: Typed) -> Typed:
    kind = SqlType("varbinary", 8000)
    name = (text(algorithm) or "").upper()
    value, type = argument
    if name not in _HASHES or value is None:
        return None, kind
    data = value if isinstance(value, Bytes) else convert(value, type, SqlType("varbinary", MAX))
    return _HASHES[name](data, usedforsecurity=False).digest(), kind  # type: ignore[arg-type]


@builtin("NEWID", "NEWSEQUENTIALID")
def _newid() -> Typed:
    return uuid.uuid4(), SqlType("uniqueidentifier")


@builtin("CRYPT_GEN_RANDOM")
def _crypt_gen_random(length: Typed) -> Typed:
    count = integer(length)
    if count is None or not 1 <= count <= 8000:
        return None, SqlType("varbinary", 8000)
    return secrets.token_bytes(count), SqlType("varbinary", 8000)


@builtin("ISJSON")
def _isjson(argument: Typed) -> Typed:
    found = text(argument)
    if found is None:
        return None, INT
    try:
        return int(isinstance(json.loads(found), (dict, list))), INT
    except ValueError:
        return 0, INT


@builtin("PARSENAME")
def _parsename(name: Typed, piece: Typed) -> Typed:
    found, number = text(name), integer(piece)
    if found is None or number is None:
        return None, SYSNAME
    try:
        parts = Reader(found).dotted_name()
    except SqlError:
        return None, SYSNAME
    return (parts[-number] or None if 1 <= number <= len(parts) else None), SYSNAME


@builtin("STRING_ESCAPE")
def _string_escape(source: Typed, kind: Typed) -> Typed:
    found = text(source)
    if found is None or (text(kind) or "").lower() != "json":
        return None, NVARCHAR_MAX
    return json.dumps(found, ensure_ascii=False)[1:-1].replace("/", "\\/"), NVARCHAR_MAX
