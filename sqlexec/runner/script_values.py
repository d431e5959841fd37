"""The few lines that stand around a function in a script: values out of T-SQL and back.

Their text goes into the script, each function by itself, so each imports what it needs.
Numbers that a runtime would round, and dates, which some refuse, travel as text.
Syntax and library of Python 3.5.
"""

from collections.abc import Callable
from typing import Any


def from_sql_bool(value: Any) -> Any:
    return None if value is None else bool(value)


def from_sql_int(value: Any) -> Any:
    return None if value is None else int(value)


def from_sql_float(value: Any) -> Any:
    return None if value is None or value - value != 0 else float(value)


def from_sql_decimal(value: Any) -> Any:
    import decimal

    return None if value is None else decimal.Decimal(str(value))


def from_sql_text(value: Any) -> Any:
    return None if value is None else str(value)


def from_sql_bytes(value: Any) -> Any:
    import base64

    if value is None:
        return None
    return base64.b64decode(value) if isinstance(value, str) else bytes(value)


def from_sql_date(value: Any) -> Any:
    import datetime

    return None if value is None else datetime.datetime.strptime(value, "%Y-%m-%d").date()


def from_sql_datetime(value: Any) -> Any:
    import datetime

    if value is None:
        return None
    whole, _, fraction = value.replace("T", " ").partition(".")
    moment = datetime.datetime.strptime((whole + " 00:00:00")[:19], "%Y-%m-%d %H:%M:%S")
    return moment.replace(microsecond=int(fraction[:6].ljust(6, "0")))


def to_sql_bool(value: Any) -> Any:
    return None if value is None else bool(value)


def to_sql_int(value: Any) -> Any:
    import operator

    if isinstance(value, float) and value.is_integer():  # a column with NULL is of floats
        value = int(value)
    return None if value is None else operator.index(value)


def to_sql_float(value: Any) -> Any:
    return None if value is None or value - value != 0 else float(value)  # NULL for nan and inf


def to_sql_decimal(value: Any) -> Any:
    import decimal

    return None if value is None else format(decimal.Decimal(value), "f")


def to_sql_text(value: Any) -> Any:
    if value is not None and not isinstance(value, str):
        raise TypeError("the function gave %r where it declares str" % (value,))
    return value


def to_sql_bytes(value: Any) -> Any:
    import binascii

    return None if value is None else binascii.hexlify(value).decode("ascii")


def to_sql_date(value: Any) -> Any:
    return None if value is None else "%04d-%02d-%02d" % (value.year, value.month, value.day)


def to_sql_datetime(value: Any) -> Any:
    if value is None or str(value) == "NaT":
        return None
    if value.tzinfo is not None:
        raise TypeError("the function gave %r, and SQL Server's datetime2 has no zone" % (value,))
    return value.isoformat()[:26]


def to_sql_json(value: Any) -> Any:
    import json

    return json.dumps(value, allow_nan=False)


def to_sql_frame(frame: Any, columns: list[tuple[str, Callable[[Any], Any]]]) -> Any:
    """The declared columns of a DataFrame, as types that every runtime can send."""
    import pandas

    absent = [name for name, _ in columns if name not in frame.columns]
    if absent:
        raise KeyError("the function's DataFrame has no column %s" % ", ".join(absent))
    result = pandas.DataFrame(index=range(len(frame)))
    for number, (name, convert) in enumerate(columns):
        values = frame[name].reset_index(drop=True)
        if convert.__name__ == "to_sql_float":
            result[number] = values.astype("float64")
        elif convert.__name__ in ("to_sql_int", "to_sql_bool") and values.dtype.kind in "biu":
            result[number] = values.astype("bool" if values.dtype.kind == "b" else "int64")
        else:
            missing = values.isnull()
            texts = [None if gone else convert(each) for each, gone in zip(values, missing)]
            texts = [each if each is None else str(each) for each in texts]
            result[number] = pandas.Series(texts, dtype=object)
    result.columns = ["c%d" % number for number in range(len(columns))]
    return result


def script_arguments(text: str, readers: list[tuple[str, Callable[[Any], Any]]]) -> dict[str, Any]:
    """The arguments of a stored script out of a JSON object; those with a type are read as such."""
    import json

    arguments = json.loads(text)
    if not isinstance(arguments, dict):
        raise TypeError("@args_json must be a JSON object, {name: value, ...}")
    for name, read in readers:
        if name in arguments:
            arguments[name] = read(arguments[name])
    return arguments


def as_json(value: Any) -> Any:
    """Any result as JSON can say it: a DataFrame is a list of rows, NaN is null, bytes base64."""
    import base64

    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {str(key): as_json(each) for key, each in value.items()}
    if hasattr(value, "_asdict"):
        return as_json(dict(value._asdict()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_json(each) for each in value]
    if hasattr(value, "columns") and hasattr(value, "to_dict"):
        missing = value.isnull()
        rows = zip(value.to_dict("records"), missing.to_dict("records"))
        return [{str(k): None if gone[k] else as_json(row[k]) for k in row} for row, gone in rows]
    if hasattr(value, "isoformat"):
        return None if str(value) == "NaT" else value.isoformat()
    if hasattr(value, "tolist"):
        return as_json(value.tolist())
    if hasattr(value, "__dataclass_fields__"):
        return {name: as_json(getattr(value, name)) for name in value.__dataclass_fields__}
    if hasattr(value, "as_tuple"):
        return str(value)
    raise TypeError("JSON cannot say the %s that the function gave" % type(value).__name__)
