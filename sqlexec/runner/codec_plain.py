"""The codec for the standard library: what its own pickles do not carry between versions."""

import array
import datetime
import functools
import sys
import uuid
import warnings
from typing import Any, Callable, Dict, Optional

from sqlexec.runner.types import Reduced


def plain_reducer(kind: type) -> Optional[Callable[[Any, Any], Reduced]]:
    """The reducer for objects of exactly this type, None for those that pickle knows best."""
    if kind is memoryview:
        return _reduce_memoryview
    if kind is array.array:
        return _reduce_std_array
    if kind is uuid.UUID:
        return _reduce_uuid
    if kind is getattr(functools, "cached_property", None):
        return _reduce_cached_property
    module = getattr(kind, "__module__", "")
    if module in ("pathlib", "pathlib._local"):
        return _reduce_path if hasattr(kind, "parts") else None
    return _reduce_zone if describe_zone_kind(kind) else None


def plain_rebuilders() -> Dict[str, Callable[..., Any]]:
    """The rebuilders by name."""
    return {
        "py.memoryview": _rebuild_memoryview,
        "py.array": _rebuild_std_array,
        "py.uuid": _rebuild_uuid,
        "py.path": _rebuild_path,
        "py.zone": _rebuild_zone,
        "py.pytz": _rebuild_pytz_global,
    }


def _reduce_cached_property(_: Any, value: Any) -> Any:
    """Without its lock, which Python before 3.12 has in it."""
    return type(value), (value.func,), {"attrname": value.attrname}


def _reduce_memoryview(writer: Any, value: memoryview) -> Any:
    data = writer.put(value.tobytes())
    return writer.call("py.memoryview", data, value.format, value.shape, value.readonly)


def _rebuild_memoryview(reader: Any, data: Any, form: str, shape: Any, readonly: bool) -> Any:
    held = bytes(reader.get(data)) if readonly else bytearray(reader.get(data))
    flat = memoryview(held)
    if form == "B" and len(shape) == 1:
        return flat
    return flat.cast(form, shape) if len(held) else flat.cast(form)  # type: ignore[call-overload]


def _reduce_std_array(writer: Any, value: Any) -> Any:
    if value.typecode == "u":  # its width differs by platform: as the text that it is
        return writer.call("py.array", "u", 0, "", value.tounicode())
    data = writer.put(value.tobytes())
    return writer.call("py.array", value.typecode, value.itemsize, sys.byteorder, data)


def _rebuild_std_array(reader: Any, typecode: str, itemsize: int, order: str, data: Any) -> Any:
    if not itemsize:
        return array.array(typecode, data)
    if array.array(typecode).itemsize != itemsize:  # long has 4 bytes on Windows, 8 elsewhere
        typecode = {("l", 4): "i", ("L", 4): "I", ("l", 8): "q", ("L", 8): "Q"}[typecode, itemsize]
    found = array.array(typecode)
    found.frombytes(reader.get(data))
    if order != sys.byteorder:
        found.byteswap()
    return found


def _reduce_uuid(writer: Any, value: uuid.UUID) -> Any:
    return writer.call(
        "py.uuid", value.int, getattr(value, "is_safe", None) and value.is_safe.value
    )


def _rebuild_uuid(reader: Any, number: int, safe: Any) -> uuid.UUID:
    if safe is not None and not hasattr(uuid, "SafeUUID"):
        lacks_form(reader, "is_safe of a UUID", "unknown", "uuid of this Python")
        safe = None
    if safe is None:
        return uuid.UUID(int=number)
    return uuid.UUID(int=number, is_safe=uuid.SafeUUID(safe))


def _reduce_path(writer: Any, value: Any) -> Any:
    return writer.call("py.path", type(value).__name__, value.parts)


def _rebuild_path(reader: Any, name: str, parts: Any) -> Any:
    import pathlib

    try:
        return getattr(pathlib, name)(*parts)
    except NotImplementedError:  # a path of Windows elsewhere, or the other way round
        lacks_form(reader, name, "Pure" + name, "pathlib of this system")
        return getattr(pathlib, "Pure" + name)(*parts)


# --- time zones --------------------------------------------------------------------------


def describe_zone_kind(kind: type) -> str:
    """The package of a class of time zones that `describe_zone` knows, "" for others."""
    root = str(kind.__module__).partition(".")[0]
    if root in ("zoneinfo", "backports") and kind.__name__ == "ZoneInfo":
        return "zoneinfo"
    if root == "dateutil" and kind.__name__ in ("tzfile", "tzutc"):
        return "dateutil"
    return ""


def describe_zone(zone: Any) -> Any:
    """A time zone as (package, name), or itself where it is none that has a name."""
    kind = type(zone)
    package = describe_zone_kind(kind)
    if package == "zoneinfo" and zone.key:
        return package, zone.key
    if package == "dateutil":
        name = "UTC" if kind.__name__ == "tzutc" else _zone_of_file(zone)
        if name:
            return package, name
    if kind.__module__.partition(".")[0] == "pytz" and getattr(zone, "zone", None):
        return "pytz", zone.zone
    return zone


def find_zone(reader: Any, described: Any, for_pandas: bool = False) -> Any:
    """The time zone that `describe_zone` described, from its package or the nearest here.

    pytz's zones are right in pandas' objects, but not as tzinfo of a datetime.
    """
    if not isinstance(described, tuple):
        return described
    package, name = described
    choices = ["zoneinfo", "pytz", "dateutil"] if for_pandas else ["zoneinfo", "dateutil"]
    choices = [package] + [each for each in choices if each != package]
    for choice in choices:
        try:
            zone = _ZONE_FINDERS[choice](name)
        except ImportError:
            continue
        if zone is not None:
            if choice != package:
                lacks_form(reader, "time zone of %s" % package, choice, package)
            return zone
    if name == "UTC":
        lacks_form(reader, "time zone of %s" % package, "datetime.timezone.utc", package)
        return datetime.timezone.utc
    raise LookupError("no package here (%s) has the time zone %r" % (", ".join(choices), name))


def _zone_of_zoneinfo(name: str) -> Any:
    try:
        import zoneinfo
    except ImportError:
        from backports import zoneinfo  # type: ignore[import-not-found,no-redef,unused-ignore]
    try:
        return zoneinfo.ZoneInfo(name)
    except KeyError:  # no tzdata on this machine
        return None


def _zone_of_dateutil(name: str) -> Any:
    import dateutil.tz

    if name == "UTC":
        return dateutil.tz.tzutc()
    found = dateutil.tz.gettz(name)
    if found is None:
        import dateutil.zoneinfo

        found = dateutil.zoneinfo.get_zonefile_instance().get(name)
    return found


def _zone_of_pytz(name: str) -> Any:
    import pytz

    return pytz.timezone(name)


_ZONE_FINDERS = {
    "zoneinfo": _zone_of_zoneinfo,
    "dateutil": _zone_of_dateutil,
    "pytz": _zone_of_pytz,
}


def _zone_of_file(zone: Any) -> Any:
    """The name of a zone of dateutil, from the file that it was read from."""
    file = str(getattr(zone, "_filename", None) or "").replace("\\", "/")
    for folder in ("/zoneinfo/posix/", "/zoneinfo/"):
        if folder in file:
            return file.rpartition(folder)[2]
    return None if file.startswith("/") or not file or file == "None" else file


def _reduce_zone(writer: Any, zone: Any) -> Any:
    described = describe_zone(zone)
    if not isinstance(described, tuple):
        return zone.__reduce_ex__(4)
    return writer.call("py.zone", described[0], described[1])


def _rebuild_zone(reader: Any, package: str, name: str) -> Any:
    return find_zone(reader, (package, name))


def _rebuild_pytz_global(reader: Any, name: str) -> Any:
    """What stands for a global of pytz where there is none."""
    if name == "_UTC":
        return lambda: find_zone(reader, ("pytz", "UTC"))
    if name == "_p":
        return lambda zone, *_: find_zone(reader, ("pytz", zone))
    if name == "FixedOffset":
        return lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes))
    raise ImportError("the value needs pytz, which this Python lacks")


class AsReduced:
    """Stands in a pickle for a value of which it is known how it is to be reduced."""

    def __init__(self, reduced: Any) -> None:
        self._reduced = reduced

    def __reduce__(self) -> Any:
        return self._reduced


def lacks_form(reader: Any, had: str, got: str, what: str) -> None:
    """Warn, once a value, that something came in another form than it had."""
    if (had, got) not in reader.warned:
        reader.warned.add((had, got))
        there = reader.sender.get(what)
        version = getattr(sys.modules.get(what), "__version__", None)
        warnings.warn(
            "%s became %s: %s%s lacks it%s"
            % (
                had,
                got,
                what,
                " %s" % version if version else " here",
                " (the sender has %s)" % there if there else "",
            ),
            UserWarning,
            stacklevel=4,
        )
