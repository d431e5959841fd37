"""Dates and times of T-SQL: reading them from text, rounding, writing them by CONVERT's styles.

Styles: learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql ("Date and time
styles"), us_english, DATEFORMAT mdy.
"""

from __future__ import annotations

import datetime as dt
import re

from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.errors import SqlError

_MONTHS = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
]  # fmt: skip
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?!\d)")
_US = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}|\d{2})(?!\d)")
_YEAR_FIRST = re.compile(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})")
_MONTH_FIRST = re.compile(r"([a-z]{3,9})\.?\s+(\d{1,2}),?\s+(\d{4})", re.I)
_DAY_FIRST = re.compile(r"(\d{1,2})[\s-]+([a-z]{3,9})[\s,-]+(\d{4})", re.I)
_TIME = re.compile(
    r"(\d{1,2})(?::(\d{2})(?::(\d{2})(?:[.:](\d{1,9}))?)?)?\s*([ap]m)?", re.I
)  # fmt: skip
_ZONE = re.compile(r"\s*(?:(Z)|([+-])(\d{2}):(\d{2}))", re.I)

Moment = dt.datetime | dt.date | dt.time


def to_date_type(value: str | Moment, source: SqlType, target: SqlType, style: int) -> Moment:
    """Convert text or another date type to a date type.

    Raises
    ------
    SqlError
        241 for text that is no date, 242 for one out of range, 206 for time <-> date.
    """
    moment = parse(value, style, target, source) if isinstance(value, str) else value
    name = target.name
    if isinstance(moment, dt.time) and name == "date":
        raise SqlError(206, "Operand type clash: time is incompatible with date", state=2)
    if isinstance(moment, dt.time) and name != "time":
        moment = dt.datetime.combine(dt.date(1900, 1, 1), moment)
    if name == "time":
        if isinstance(moment, dt.datetime):
            moment = moment.time()
        elif isinstance(moment, dt.date):
            if not isinstance(value, str):
                raise SqlError(206, "Operand type clash: date is incompatible with time", state=2)
            moment = dt.time()
        return _round_time(moment, target.scale)
    if name == "date":
        return moment.date() if isinstance(moment, dt.datetime) else moment
    if not isinstance(moment, dt.datetime):
        moment = dt.datetime.combine(moment, dt.time())  # type: ignore[arg-type]
    if name == "datetimeoffset":
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=dt.timezone.utc)
        return _round(moment, target.scale)
    moment = moment.replace(tzinfo=None)
    if name == "datetime2":
        return _round(moment, target.scale)
    try:
        rounded = round_datetime(moment) if name == "datetime" else _round_minute(moment)
    except OverflowError:
        rounded = dt.datetime.min
    low, high = (1753, 9999) if name == "datetime" else (1900, 2079)
    if not low <= rounded.year <= high:
        raise SqlError(
            242,
            f"The conversion of a {source.name} data type to a {name} data type resulted in an "
            "out-of-range value.",
            state=3,
        )
    return rounded


def round_datetime(moment: dt.datetime) -> dt.datetime:
    """Round to 1/300 second, as datetime keeps it and shows it (.000, .003, .007)."""
    ticks = (moment.microsecond * 3 + 5000) // 10000
    whole = moment.replace(microsecond=0) + dt.timedelta(seconds=ticks // 300)
    milliseconds = (ticks % 300 * 10 + 1) // 3
    return whole.replace(microsecond=milliseconds * 1000)


def _round_minute(moment: dt.datetime) -> dt.datetime:
    up = moment.second * 1_000_000 + moment.microsecond >= 29_999_000
    whole = moment.replace(second=0, microsecond=0)
    return whole + dt.timedelta(minutes=1) if up else whole


def _round(moment: dt.datetime, scale: int | None) -> dt.datetime:
    step = 10 ** (6 - min(7 if scale is None else scale, 6))
    micro = (moment.microsecond + step // 2) // step * step
    try:
        return moment.replace(microsecond=0) + dt.timedelta(microseconds=micro)
    except OverflowError:
        return moment.replace(microsecond=moment.microsecond // step * step)


def _round_time(moment: dt.time | dt.date, scale: int | None) -> dt.time:
    assert isinstance(moment, dt.time)
    day = dt.datetime.combine(dt.date(2000, 1, 1), moment.replace(tzinfo=None))
    return _round(day, scale).time()


def parse(text: str, style: int, target: SqlType, source: SqlType) -> dt.datetime | dt.time:
    """Read a date, a time or both; a time alone comes back as a time."""
    stripped = text.strip()
    if not stripped:
        return dt.datetime(1900, 1, 1)
    try:
        day, rest = _day(stripped, style)
        rest = rest.lstrip()
        if rest[:1] in ("T", "t") and day:
            rest = rest[1:]
        clock, rest = _clock(rest) if rest else (dt.time(), "")
        zone, rest = _zone(rest)
    except ValueError:
        if _looks_like_date(stripped):
            raise SqlError(
                242,
                f"The conversion of a {source.name} data type to a {target.name} data type "
                "resulted in an out-of-range value.",
                state=3,
            ) from None
        raise _no_date() from None
    if rest.strip() or (zone and target.name in ("datetime", "smalldatetime")):
        raise _no_date()
    if day is None:
        return clock
    return dt.datetime.combine(day, clock, zone)


def _no_date() -> SqlError:
    return SqlError(
        241, "Conversion failed when converting date and/or time from character string."
    )


def _looks_like_date(text: str) -> bool:
    return any(p.match(text) for p in (_ISO, _COMPACT, _US, _YEAR_FIRST))


def _day(text: str, style: int) -> tuple[dt.date | None, str]:
    for pattern in (_ISO, _YEAR_FIRST, _COMPACT):
        if match := pattern.match(text):
            return dt.date(int(match[1]), int(match[2]), int(match[3])), text[match.end() :]
    if match := _US.match(text):
        first, second, year = int(match[1]), int(match[2]), int(match[3])
        if len(match[3]) == 2:  # two digit year cutoff 2049
            year += 2000 if year < 50 else 1900
        day_first = style in (3, 4, 5, 103, 104, 105)
        month, day = (second, first) if day_first else (first, second)
        return dt.date(year, month, day), text[match.end() :]
    for pattern, month_at, day_at in ((_MONTH_FIRST, 1, 2), (_DAY_FIRST, 2, 1)):
        if match := pattern.match(text):
            month = _MONTHS.index(match[month_at][:3].lower()) + 1
            return dt.date(int(match[3]), month, int(match[day_at])), text[match.end() :]
    return None, text


def _clock(text: str) -> tuple[dt.time, str]:
    match = _TIME.match(text)
    if not match or not (match[2] or match[5]):
        raise _no_date()
    hour = int(match[1])
    if match[5]:
        if not 1 <= hour <= 12:
            raise _no_date()
        hour = hour % 12 + (12 if match[5].lower() == "pm" else 0)
    fraction = (match[4] or "0").ljust(6, "0")[:6]
    return (
        dt.time(hour, int(match[2] or 0), int(match[3] or 0), int(fraction)),
        text[match.end() :],
    )


def _zone(text: str) -> tuple[dt.timezone | None, str]:
    match = _ZONE.match(text)
    if not match:
        return None, text
    if match[1]:
        return dt.timezone.utc, text[match.end() :]
    offset = dt.timedelta(hours=int(match[3]), minutes=int(match[4]))
    return dt.timezone(-offset if match[2] == "-" else offset), text[match.end() :]


# --- writing -----------------------------------------------------------------------------


def format_date(value: Moment, source: SqlType, style: int) -> str:
    """A date's text by CONVERT's style; 0 is CAST's own form for the type."""
    if isinstance(value, dt.time):
        return _clock_text(value, source)
    if not isinstance(value, dt.datetime):
        if style in (0, 20, 21, 23, 25, 120, 121, 126, 127):
            return value.isoformat()
        return _styled(dt.datetime.combine(value, dt.time()), style, source, day_only=True)
    if style == 0 and source.name in ("datetime2", "datetimeoffset"):
        style = 121
    return _styled(value, style, source, day_only=False)


def _clock_text(value: dt.time | dt.datetime, source: SqlType) -> str:
    """hh:mm:ss and as many digits as the type keeps."""
    digits = {"datetime": 3, "smalldatetime": 0}.get(
        source.name, 7 if source.scale is None else source.scale
    )
    text = f"{value.hour:02}:{value.minute:02}:{value.second:02}"
    return f"{text}.{value.microsecond:06}0"[: len(text) + 1 + digits] if digits else text


def _styled(value: dt.datetime, style: int, source: SqlType, *, day_only: bool) -> str:
    day = f"{value.year:04}-{value.month:02}-{value.day:02}"
    clock = f"{value.hour:02}:{value.minute:02}:{value.second:02}"
    exact = _clock_text(value, source)
    zone = _zone_text(value)
    month = _MONTHS[value.month - 1].title()
    twelve = f"{value.hour % 12 or 12:2}:{value.minute:02}{'PM' if value.hour >= 12 else 'AM'}"
    iso_exact = clock if value.microsecond == 0 else exact
    texts = {
        0: f"{month} {value.day:2} {value.year}" + ("" if day_only else f" {twelve}"),
        1: f"{value:%m/%d/%y}",
        2: f"{value:%y.%m.%d}",
        3: f"{value:%d/%m/%y}",
        4: f"{value:%d.%m.%y}",
        5: f"{value:%d-%m-%y}",
        8: clock,
        10: f"{value:%m-%d-%y}",
        11: f"{value:%y/%m/%d}",
        12: f"{value:%y%m%d}",
        14: f"{clock}:{value.microsecond // 1000:03}",
        20: f"{day} {clock}",
        21: f"{day} {exact}{zone}",
        23: day,
        100: f"{month} {value.day:2} {value.year} {twelve}",
        101: f"{value:%m/%d/}{value.year:04}",
        102: f"{value.year:04}{value:.%m.%d}",
        103: f"{value:%d/%m/}{value.year:04}",
        104: f"{value:%d.%m.}{value.year:04}",
        105: f"{value:%d-%m-}{value.year:04}",
        106: f"{value:%d} {month} {value.year:04}",
        107: f"{month} {value:%d}, {value.year:04}",
        108: clock,
        110: f"{value:%m-%d-}{value.year:04}",
        111: f"{value.year:04}{value:/%m/%d}",
        112: f"{value.year:04}{value:%m%d}",
        114: f"{clock}:{value.microsecond // 1000:03}",
        120: f"{day} {clock}",
        121: f"{day} {exact}{zone}",
        126: f"{day}T{iso_exact}{zone.strip()}",
        127: f"{day}T{iso_exact}{'Z' if value.tzinfo else ''}",
    }
    if style not in texts:
        raise SqlError(
            281, f"{style} is not a valid style number when converting from {source.name} to a "
            "character string.",
        )  # fmt: skip
    return texts[style]


def _zone_text(value: dt.datetime) -> str:
    offset = value.utcoffset()
    if offset is None:
        return ""
    minutes = int(offset.total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    return f" {sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
