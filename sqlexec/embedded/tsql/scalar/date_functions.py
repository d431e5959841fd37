"""Functions of dates and times: GETDATE, DATEADD, DATEDIFF, DATEPART, YEAR ...

Typed values in, typed values out, as in `builtins`.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Callable

from sqlexec.embedded.sqltypes import BIGINT, DATETIME, INT, SqlType
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.scalar.builtins import integer, text
from sqlexec.embedded.tsql.scalar.conversions import convert
from sqlexec.embedded.tsql.scalar.dates import round_datetime
from sqlexec.embedded.tsql.scalar.facts import DATE_TYPES
from sqlexec.embedded.tsql.scalar.registry import BUILTINS, Typed

DATETIME2 = SqlType("datetime2", None, None, 7)
DATETIMEOFFSET = SqlType("datetimeoffset", None, None, 7)
_PARTS = {
    "YEAR": "YEAR", "YY": "YEAR", "YYYY": "YEAR", "QUARTER": "QUARTER", "QQ": "QUARTER",
    "Q": "QUARTER", "MONTH": "MONTH", "MM": "MONTH", "M": "MONTH", "DAYOFYEAR": "DAYOFYEAR",
    "DY": "DAYOFYEAR", "Y": "DAYOFYEAR", "DAY": "DAY", "DD": "DAY", "D": "DAY", "WEEK": "WEEK",
    "WK": "WEEK", "WW": "WEEK", "WEEKDAY": "WEEKDAY", "DW": "WEEKDAY", "W": "WEEKDAY",
    "HOUR": "HOUR", "HH": "HOUR", "MINUTE": "MINUTE", "MI": "MINUTE", "N": "MINUTE",
    "SECOND": "SECOND", "SS": "SECOND", "S": "SECOND", "MILLISECOND": "MILLISECOND",
    "MS": "MILLISECOND", "MICROSECOND": "MICROSECOND", "MCS": "MICROSECOND",
    "NANOSECOND": "NANOSECOND", "NS": "NANOSECOND", "ISO_WEEK": "ISO_WEEK", "ISOWK": "ISO_WEEK",
    "ISOWW": "ISO_WEEK",
}  # fmt: skip
_MICROSECONDS = {
    "WEEK": 604_800_000_000, "DAY": 86_400_000_000, "HOUR": 3_600_000_000, "MINUTE": 60_000_000,
    "SECOND": 1_000_000, "MILLISECOND": 1000, "MICROSECOND": 1,
}  # fmt: skip
_ZERO = dt.datetime(1900, 1, 1)


def _now() -> dt.datetime:
    return dt.datetime.now()


def _utc() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc).replace(tzinfo=None)


def _part(argument: Typed) -> str:
    name = str(argument[0]).upper()
    if name not in _PARTS:
        raise SqlError(155, f"'{argument[0]}' is not a recognized datepart option.", 15)
    return _PARTS[name]


def _moment(argument: Typed) -> tuple[dt.datetime | None, SqlType]:
    """A date argument; text is read as datetime2, numbers as datetime."""
    value, type = argument
    if type.name not in DATE_TYPES:
        type = DATETIME2 if type.is_text else DATETIME
        value = convert(value, argument[1], type)
    if isinstance(value, dt.time):
        value = dt.datetime.combine(_ZERO, value)
    elif isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime.combine(value, dt.time())
    return (value if isinstance(value, dt.datetime) else None), type


def _dateadd(part: Typed, number: Typed, date: Typed) -> Typed:
    name, count = _part(part), integer(number)
    moment, type = _moment(date)
    if moment is None or count is None:
        return None, type
    try:
        if name in ("YEAR", "QUARTER", "MONTH"):
            months = count * {"YEAR": 12, "QUARTER": 3, "MONTH": 1}[name]
            result = _add_months(moment, months)
        elif name == "NANOSECOND":
            result = moment + dt.timedelta(microseconds=count // 1000)
        else:
            unit = _MICROSECONDS.get(name, _MICROSECONDS["DAY"])
            result = moment + dt.timedelta(microseconds=count * unit)
    except (OverflowError, ValueError):
        raise SqlError(
            517, f"Adding a value to a '{type.name}' column caused an overflow."
        ) from None
    return convert(result, DATETIMEOFFSET if result.tzinfo else DATETIME2, type), type


def _add_months(moment: dt.datetime, months: int) -> dt.datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1]) if 1 <= year <= 9999 else 1
    return moment.replace(year=year, month=month + 1, day=day)


def _difference(kind: SqlType) -> Callable[[Typed, Typed, Typed], Typed]:
    def datediff(part: Typed, start: Typed, end: Typed) -> Typed:
        name = _part(part)
        first, last = _moment(start)[0], _moment(end)[0]
        if first is None or last is None:
            return None, kind
        count = _boundaries(name, _naive(first), _naive(last))
        if kind is INT and not -(2**31) <= count < 2**31:
            raise SqlError(
                535,
                "The datediff function resulted in an overflow. The number of dateparts separating "
                "two date/time instances is too large. Try to use datediff with a less precise "
                "datepart.",
            )
        return count, kind

    return datediff


def _naive(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.timezone.utc).replace(tzinfo=None) if moment.tzinfo else moment


def _boundaries(part: str, first: dt.datetime, last: dt.datetime) -> int:
    """How many boundaries of the part lie between two moments, which is what DATEDIFF counts."""
    if part == "YEAR":
        return last.year - first.year
    if part in ("QUARTER", "MONTH"):
        months = [moment.year * 12 + moment.month - 1 for moment in (first, last)]
        size = 3 if part == "QUARTER" else 1
        return months[1] // size - months[0] // size
    if part == "NANOSECOND":
        return _boundaries("MICROSECOND", first, last) * 1000
    unit = _MICROSECONDS.get(part, _MICROSECONDS["DAY"])
    # weeks begin on Sunday: 1900-01-01, day zero, was a Monday
    shift = _MICROSECONDS["DAY"] if part == "WEEK" else 0
    counts = [
        ((moment - _ZERO) // dt.timedelta(microseconds=1) + shift) // unit
        for moment in (first, last)
    ]
    return counts[1] - counts[0]


def _datepart(part: Typed, date: Typed) -> Typed:
    name = _part(part)
    moment, _ = _moment(date)
    return (None if moment is None else _part_of(name, moment)), INT


def _part_of(name: str, moment: dt.datetime) -> int:
    sunday_first = moment.isoweekday() % 7 + 1  # DATEFIRST 7
    if name == "WEEK":
        january = moment.replace(month=1, day=1).isoweekday() % 7
        return (moment.timetuple().tm_yday + january - 1) // 7 + 1
    return {
        "YEAR": moment.year, "QUARTER": (moment.month + 2) // 3, "MONTH": moment.month,
        "DAYOFYEAR": moment.timetuple().tm_yday, "DAY": moment.day, "WEEKDAY": sunday_first,
        "HOUR": moment.hour, "MINUTE": moment.minute, "SECOND": moment.second,
        "MILLISECOND": moment.microsecond // 1000, "MICROSECOND": moment.microsecond,
        "NANOSECOND": moment.microsecond * 1000, "ISO_WEEK": moment.isocalendar()[1],
    }[name]  # fmt: skip


def _datename(part: Typed, date: Typed) -> Typed:
    kind = SqlType("nvarchar", 30)
    name = _part(part)
    moment, _ = _moment(date)
    if moment is None:
        return None, kind
    if name == "MONTH":
        return calendar.month_name[moment.month], kind
    if name == "WEEKDAY":
        return calendar.day_name[moment.weekday()], kind
    return str(_part_of(name, moment)), kind


def _single(name: str) -> Callable[[Typed], Typed]:
    def function(date: Typed) -> Typed:
        return _datepart((name, INT), date)

    return function


def _eomonth(date: Typed, months: Typed = (0, INT)) -> Typed:
    moment, _ = _moment(date)
    kind = SqlType("date")
    if moment is None:
        return None, kind
    moved = _add_months(moment, integer(months) or 0)
    return moved.date().replace(day=calendar.monthrange(moved.year, moved.month)[1]), kind


def _datefromparts(year: Typed, month: Typed, day: Typed) -> Typed:
    kind = SqlType("date")
    parts = [integer(part) for part in (year, month, day)]
    if None in parts:
        return None, kind
    try:
        return dt.date(*parts), kind  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        raise SqlError(
            289, "Cannot construct data type date, some of the arguments have values which are not "
            "valid.",
        ) from None  # fmt: skip


def _isdate(argument: Typed) -> Typed:
    try:
        return int(text(argument) is not None and bool(convert(*argument, DATETIME))), INT
    except SqlError:
        return 0, INT


_FUNCTIONS: dict[str, Callable[..., Typed]] = {
    "GETDATE": lambda: (round_datetime(_now()), DATETIME),
    "CURRENT_TIMESTAMP": lambda: (round_datetime(_now()), DATETIME),
    "GETUTCDATE": lambda: (round_datetime(_utc()), DATETIME),
    "SYSDATETIME": lambda: (_now(), DATETIME2),
    "SYSUTCDATETIME": lambda: (_utc(), DATETIME2),
    "SYSDATETIMEOFFSET": lambda: (_now().astimezone(), DATETIMEOFFSET),
    "DATEADD": _dateadd,
    "DATEDIFF": _difference(INT),
    "DATEDIFF_BIG": _difference(BIGINT),
    "DATEPART": _datepart,
    "DATENAME": _datename,
    "YEAR": _single("YEAR"),
    "MONTH": _single("MONTH"),
    "DAY": _single("DAY"),
    "EOMONTH": _eomonth,
    "DATEFROMPARTS": _datefromparts,
    "ISDATE": _isdate,
}  # in upper case
BUILTINS.update(_FUNCTIONS)
