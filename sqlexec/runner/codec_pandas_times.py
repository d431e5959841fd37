"""The codec for pandas' points and spans of time, with their frequencies and time zones.

    Timestamp, DatetimeIndex, DatetimeArray   numpy datetime64 in their own unit (UTC) | zone
    Period, PeriodIndex, PeriodArray          ordinals | frequency
    frequency                                 the offset's class and arguments: no alias, since
                                              aliases change ("M" became "ME")

pandas before 2.0 knows nanoseconds only: other units become those where nothing is lost, else
objects.
"""

import datetime
from typing import Any, Dict

from sqlexec.runner.codec_plain import describe_zone, find_zone, lacks_form


def pandas_major() -> int:
    """The first number of pandas' version."""
    import pandas

    return int(pandas.__version__.partition(".")[0])


def reduce_offset(writer: Any, offset: Any) -> Any:
    """A DateOffset as its class and arguments."""
    options = {name: each for name, each in offset.kwds.items() if name != "calendar"}
    if type(offset).__name__.startswith("Custom"):
        options.pop("offset", None)
        options["holidays"] = list(options.get("holidays", ()))
    for name in ("start", "end"):  # of business hours: lists since 1.1
        if isinstance(options.get(name), tuple) and len(options[name]) == 1:
            options[name] = options[name][0]
    kind = type(offset).__name__
    if kind == "Easter" and options.get("method") == 3:  # the default; an option since 3.0
        del options["method"]
    return writer.call("pd.offset", kind, offset.n, bool(offset.normalize), options)


def rebuild_offset(reader: Any, kind: str, n: int, normalize: bool, options: Any) -> Any:
    """The offset again; ticks (hours, seconds) have no `normalize`."""
    import pandas

    make = getattr(pandas.offsets, kind)
    if normalize:
        options = dict(options, normalize=True)
    return make(n, **options)


# --- time zones --------------------------------------------------------------------------


def describe_pandas_zone(zone: Any) -> Any:
    """A zone by its name alone where it is what this pandas makes of the name, as it mostly is.

    So each side has its own: pytz before pandas 3, zoneinfo from then on.
    """
    if zone is None:
        return None
    described = describe_zone(zone)
    if zone is datetime.timezone.utc:
        described = None, "UTC"
    if isinstance(described, tuple):
        name = described[1]
        if type(zone) is type(default_zone(name)):
            return "default", name
        if described[0] is None:
            return zone
    return described


def find_pandas_zone(reader: Any, described: Any) -> Any:
    """The zone that `describe_pandas_zone` described."""
    if isinstance(described, tuple) and described[0] == "default":
        zone = default_zone(described[1])
        if zone is not None:
            return zone
        described = "zoneinfo", described[1]
    if isinstance(described, tuple) and described[0] == "zoneinfo" and _lacks_zoneinfo():
        lacks_form(reader, "time zone of zoneinfo", "pytz", "pandas")
        described = "pytz", described[1]
    return find_zone(reader, described, True)


def _zone_of_datetimes(reader: Any, described: Any) -> Any:
    """The same for tzinfo of datetimes, which pytz's zones are wrong for."""
    if isinstance(described, tuple) and described[0] == "default":
        described = "zoneinfo", described[1]
    return find_zone(reader, described)


def _lacks_zoneinfo() -> bool:
    """Does this pandas fail on zones of zoneinfo, as all do before 1.5?"""
    import pandas

    return tuple(map(int, pandas.__version__.split(".")[:2])) < (1, 5)


_default_zones = {}  # type: Dict[str, Any]


def default_zone(name: str) -> Any:
    """What this pandas makes of a zone's name, None if it does not know it."""
    import pandas

    if name not in _default_zones:
        try:
            _default_zones[name] = pandas.Timestamp(0).tz_localize(name).tz
        except Exception:  # noqa: BLE001 - its type depends on pandas and its package for zones
            return None
    return _default_zones[name]


# --- scalars -----------------------------------------------------------------------------


def reduce_timestamp(writer: Any, value: Any) -> Any:
    """A Timestamp as a datetime64 (UTC) and its zone."""
    zone = describe_pandas_zone(value.tzinfo)
    return writer.call("pd.timestamp", _moment(value), zone, getattr(value, "fold", 0))


def _moment(value: Any) -> Any:
    """(number, unit) of a Timestamp or Timedelta; pandas before 2.0 has nanoseconds only."""
    unit = getattr(value, "unit", None)
    if unit is None or pandas_major() < 2:
        return value.value, "ns"
    return int(value._value), unit


def rebuild_timestamp(reader: Any, moment: Any, zone: Any, fold: int) -> Any:
    """A Timestamp; a datetime, or datetime64, where this pandas cannot hold it."""
    import numpy
    import pandas

    number, unit = moment
    found = numpy.datetime64(number, unit)
    if unit != "ns" and pandas_major() < 2:
        exact = found.astype("M8[ns]")
        if exact.astype(found.dtype) != found:
            lacks_form(reader, "Timestamp in %s" % unit, "datetime", "pandas")
            other = found.astype("M8[us]").item()
            if not isinstance(other, datetime.datetime) or unit == "ns":
                return found
            if zone is None:
                return other
            utc = other.replace(tzinfo=datetime.timezone.utc)
            return utc.astimezone(_zone_of_datetimes(reader, zone))
        lacks_form(reader, "Timestamp in %s" % unit, "one in ns", "pandas")
        found = exact
    stamp = pandas.Timestamp(found)
    if zone is not None:
        stamp = stamp.tz_localize("UTC").tz_convert(find_pandas_zone(reader, zone))
    if fold and getattr(stamp, "fold", 1) != fold:
        stamp = stamp.replace(fold=fold)
    return stamp


def reduce_timedelta(writer: Any, value: Any) -> Any:
    """A Timedelta as a number and its unit."""
    return writer.call("pd.timedelta", _moment(value))


def rebuild_timedelta(reader: Any, moment: Any) -> Any:
    """A Timedelta; a timedelta64 where this pandas cannot hold it."""
    import numpy
    import pandas

    number, unit = moment
    found = numpy.timedelta64(number, unit)
    if unit != "ns" and pandas_major() < 2:
        exact = found.astype("m8[ns]")
        got = "one in ns" if exact.astype(found.dtype) == found else "timedelta64"
        lacks_form(reader, "Timedelta in %s" % unit, got, "pandas")
        if got == "timedelta64":
            return found
        found = exact
    return pandas.Timedelta(found)


def reduce_period(writer: Any, value: Any) -> Any:
    """A Period as its number and frequency."""
    return writer.call("pd.period", value.ordinal, value.freq)


def rebuild_period(reader: Any, ordinal: int, frequency: Any) -> Any:
    """The Period again."""
    import pandas

    return pandas.Period(ordinal=ordinal, freq=frequency)


# --- arrays ------------------------------------------------------------------------------


def native_times(reader: Any, values: Any) -> Any:
    """datetime64 or timedelta64 in a unit that this pandas has, or objects where none is exact."""
    kind = values.dtype.kind
    if kind not in "mM" or pandas_major() >= 2 or values.dtype.str.endswith("[ns]"):
        return values
    exact = values.astype("%s8[ns]" % kind)
    had = "dtype %s" % values.dtype
    same = exact.astype(values.dtype).view("i8") == values.view("i8")
    if same.all():
        lacks_form(reader, had, str(exact.dtype), "pandas")
        return exact
    lacks_form(reader, had, "object", "pandas")
    return values.astype("%s8[us]" % kind).astype(object)


def times_of(value: Any) -> Any:
    """datetime64 or timedelta64 behind a DatetimeIndex, TimedeltaIndex, or array of pandas."""
    found = getattr(value, "_data", value)  # an index's array
    for name in ("_ndarray", "_data"):  # the first is int64 in pandas 1.1
        memory = getattr(found, name, None)
        if getattr(getattr(memory, "dtype", None), "kind", "") in tuple("mM"):
            return memory
    return value.asi8.view("M8[ns]" if hasattr(value, "tz") else "m8[ns]")


def reduce_times(writer: Any, value: Any) -> Any:
    """An index or array of datetimes or timedeltas: memory, zone, frequency, name."""
    is_index = type(value).__name__.endswith("Index")
    return writer.call(
        "pd.times",
        times_of(value),
        describe_pandas_zone(getattr(value, "tz", None)),
        getattr(value, "freq", None),
        is_index,
        getattr(value, "name", None),
    )


def rebuild_times(
    reader: Any, values: Any, zone: Any, frequency: Any, is_index: bool, name: Any
) -> Any:
    """The index, or its array (which before 0.24 is the index)."""
    import pandas

    kind = values.dtype.kind
    values = native_times(reader, values)
    if values.dtype == object:
        if zone is not None:
            target = _zone_of_datetimes(reader, zone)
            utc = datetime.timezone.utc
            for place, each in enumerate(values):
                if isinstance(each, datetime.datetime):
                    values[place] = each.replace(tzinfo=utc).astimezone(target)
        return pandas.Index(values, dtype=object, name=name) if is_index else values
    if kind == "M":
        found = pandas.DatetimeIndex(values, name=name)
        if zone is not None:
            found = found.tz_localize("UTC").tz_convert(find_pandas_zone(reader, zone))
    else:
        found = pandas.TimedeltaIndex(values, name=name)
    if frequency is not None:
        found.freq = frequency
    return found if is_index else array_of_index(found)


def array_of_index(index: Any) -> Any:
    """The extension array of an index; before 0.24 the index itself, which served as one."""
    return getattr(index, "array", index)


def reduce_periods(writer: Any, value: Any) -> Any:
    """An index or array of periods: numbers, frequency, name."""
    is_index = type(value).__name__.endswith("Index")
    name = getattr(value, "name", None)
    return writer.call("pd.periods", value.asi8, value.freq, is_index, name)


def rebuild_periods(reader: Any, ordinals: Any, frequency: Any, is_index: bool, name: Any) -> Any:
    """The index, or its array; objects before 0.24, where only the index existed."""
    import pandas

    make = pandas.PeriodIndex  # type: Any
    if hasattr(make, "from_ordinals"):
        found = make.from_ordinals(ordinals, freq=frequency, name=name)
    else:
        found = make(ordinal=ordinals, freq=frequency, name=name)
    if is_index:
        return found
    if hasattr(found, "array"):
        return found.array
    lacks_form(reader, "dtype period", "object", "pandas")
    return found.astype(object).values
