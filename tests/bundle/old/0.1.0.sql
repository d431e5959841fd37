/*
sqlexec 0.1.0: runs Python functions inside SQL Server, next to the data.

What it does: creates or renews, in the current database, the schema sqlexec, its tables,
procedures and roles.  It changes nothing outside that database.  It may be run again: tables
keep their rows, roles their members, procedures their grants.

How to run it, as a member of db_owner:
    sqlcmd -S server -d database -b -i install.sql
or open it in SSMS, choose the database, Execute; or: sqlexec install CONNECTION.
Then: ALTER ROLE sqlexec_user ADD MEMBER [user].

Generated from the files of sql/ by 'make install-sql'; change those, not this one.
SQL Server 2017 or newer with Machine Learning Services.  Licence: MIT.
*/
SET NOCOUNT ON;
SET XACT_ABORT ON;
SET ANSI_NULLS ON;
SET QUOTED_IDENTIFIER ON;
GO

-- sqlexec.sqlexec.schema.sql
/*
Purpose: the schema that holds all of sqlexec's objects, owned by dbo, so that one chain of
         ownership covers them and nobody needs rights on the tables.
Version: 0.1.0
*/
IF SCHEMA_ID(N'sqlexec') IS NULL
    EXECUTE (N'CREATE SCHEMA sqlexec AUTHORIZATION dbo;');
GO

-- sqlexec.chunk_log.table.sql
/*
Purpose: a row for every chunk that was run: who, when, how much, how it ended. No user data:
         neither payloads nor results nor console text.
Version: 0.1.0
*/
IF OBJECT_ID(N'sqlexec.chunk_log', N'U') IS NULL
    CREATE TABLE sqlexec.chunk_log
    (
        log_id bigint IDENTITY(1, 1) NOT NULL CONSTRAINT pk_chunk_log PRIMARY KEY,
        job_id uniqueidentifier NOT NULL,
        chunk_number int NOT NULL,
        login_name nvarchar(128) NOT NULL,
        user_name nvarchar(128) NOT NULL,
        application_name nvarchar(128) NULL,
        host_name nvarchar(128) NULL,
        session_id int NOT NULL,
        task_count int NOT NULL,
        failed_count int NULL,
        payload_bytes bigint NOT NULL,
        result_bytes bigint NULL,
        started_at datetime2(3) NOT NULL,
        ended_at datetime2(3) NULL,
        duration_ms int NULL,
        status varchar(16) NOT NULL,
        error_number int NULL
    );
GO

-- sqlexec.runner.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.runner
    @source nvarchar(max) = NULL OUTPUT,
    @source_sha256 char(64) = NULL OUTPUT,
    @protocol int = NULL OUTPUT,
    @version nvarchar(32) = NULL OUTPUT
AS
/*
Purpose: the Python script that runs chunks, for execute_chunk to hand to
         sp_execute_external_script. Its source in the repository is sqlexec/runner; the text
         below is generated from it.
Version: 0.1.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    SET @version = N'0.1.0';
    SET @protocol = 1;
    SET @source_sha256 = '7d32008658b7c8e5fe2ca07a0ec4574fc9274d5f3a30e8fe17b46415307abfe2';
    SET @source = N'# sqlexec runner 0.1.0: runs the tasks of one chunk; see sqlexec/runner in the source.
# bytes in: payload; rows in: InputDataSet; out: result, result_length, failed_count
result, result_length, failed_count = b"", 0, 0
def sqlexec_runner():


    import hashlib
    import hmac
    import json
    import struct

    WIRE_VERSION = 1
    REQUEST = 1
    RESULT = 2

    _MAGIC = b"sqlx"
    _START = struct.Struct("<4sHH")
    _SEALED = _START.size + 32  # where what follows the seal begins
    _BODY = _SEALED + 4  # where the header begins

    class FrameError(Exception):
        """Bytes that are no frame of this version, or are cut, changed, or sealed with another key."""

    def join_frame(
        kind, header, body, key = b""
    ):
        """Put a frame together; `key` b"" seals with a plain SHA-256. The body is copied once."""
        text = json.dumps(header, ensure_ascii=True, separators=(",", ":")).encode("ascii")
        length = struct.pack("<I", len(text))
        start = _START.pack(_MAGIC, WIRE_VERSION, kind)
        seal = _seal([start, length, text] + list(body), key)
        return b"".join([start, seal, length, text] + list(body))

    def split_frame(data, kind, key = b""):
        """Check a frame''s seal and give its header and a view of its body; FrameError if it fails."""
        view = memoryview(data)
        if len(view) < _BODY:
            raise FrameError("it has %d bytes, fewer than a frame''s first part" % len(view))
        magic, version, found = _START.unpack_from(view)
        (header_length,) = struct.unpack_from("<I", view, _SEALED)
        if magic != _MAGIC:
            raise FrameError("it does not begin as a frame does")
        if version != WIRE_VERSION:
            raise FrameError("it has format version %d, this side reads %d" % (version, WIRE_VERSION))
        if found != kind:
            raise FrameError("it is of kind %d, not %d" % (found, kind))
        seal = _seal([view[: _START.size], view[_SEALED:]], key)
        if not hmac.compare_digest(bytes(view[_START.size : _SEALED]), seal):
            raise FrameError("its seal does not fit: it was cut, changed, or made with another key")
        body = _BODY + header_length
        if body > len(view):
            raise FrameError("its header is longer than it is itself")
        header = json.loads(bytes(view[_BODY:body]).decode("ascii"))
        return header, view[body:]

    def take(body, lengths, offset):
        """Cut pieces of these lengths off the body from `offset` on; also gives the new offset."""
        pieces = []
        for length in lengths:
            if length < 0 or offset + length > len(body):
                raise FrameError("its header lists more bytes than there are")
            pieces.append(body[offset : offset + length])
            offset += length
        return pieces, offset

    def _seal(parts, key):
        digest = hmac.new(key, digestmod=hashlib.sha256) if key else hashlib.sha256()  # type: Any
        for part in parts:
            digest.update(part)
        seal = digest.digest()  # type: bytes
        return seal

    def text_of(value):
        """str() that cannot fail: some objects'' own __str__ raises."""
        try:
            return str(value)
        except BaseException as error:  # noqa: BLE001 - whatever a user''s __str__ raises
            return "<%s without a text: its __str__ raised %s>" % (
                type(value).__name__,
                type(error).__name__,
            )


    import array
    import datetime
    import sys
    import uuid
    import warnings

    def plain_reducer(kind):
        """The reducer for objects of exactly this type, None for those that pickle knows best."""
        if kind is bytearray:
            return _reduce_bytearray
        if kind is memoryview:
            return _reduce_memoryview
        if kind is array.array:
            return _reduce_std_array
        if kind is uuid.UUID:
            return _reduce_uuid
        module = getattr(kind, "__module__", "")
        if module in ("pathlib", "pathlib._local"):
            return _reduce_path if hasattr(kind, "parts") else None
        if module in _ZONES:
            return _reduce_zone if describe_zone_kind(kind) else None
        return None

    def plain_rebuilders():
        """The rebuilders by name."""
        return {
            "py.bytearray": _rebuild_bytearray,
            "py.memoryview": _rebuild_memoryview,
            "py.array": _rebuild_std_array,
            "py.uuid": _rebuild_uuid,
            "py.path": _rebuild_path,
            "py.zone": _rebuild_zone,
            "py.pytz": _rebuild_pytz_global,
        }

    def _reduce_bytearray(writer, value):
        # A copy: the buffer of a bytearray cannot be lent without locking its size.
        return writer.call("py.bytearray", writer.put(bytes(value)))

    def _rebuild_bytearray(reader, data):
        return bytearray(reader.get(data))

    def _reduce_memoryview(writer, value):
        data = writer.put(value.tobytes())
        return writer.call("py.memoryview", data, value.format, value.shape, value.readonly)

    def _rebuild_memoryview(reader, data, form, shape, readonly):
        held = bytes(reader.get(data)) if readonly else bytearray(reader.get(data))
        flat = memoryview(held)
        if form == "B" and len(shape) == 1:
            return flat
        return flat.cast(form, shape) if len(held) else flat.cast(form)  # type: ignore[call-overload]

    def _reduce_std_array(writer, value):
        if value.typecode == "u":  # its width differs by platform: as the text that it is
            return writer.call("py.array", "u", 0, "", value.tounicode())
        data = writer.put(value.tobytes())
        return writer.call("py.array", value.typecode, value.itemsize, sys.byteorder, data)

    def _rebuild_std_array(reader, typecode, itemsize, order, data):
        if not itemsize:
            return array.array(typecode, data)
        if array.array(typecode).itemsize != itemsize:  # long has 4 bytes on Windows, 8 elsewhere
            typecode = {("l", 4): "i", ("L", 4): "I", ("l", 8): "q", ("L", 8): "Q"}[typecode, itemsize]
        found = array.array(typecode)
        found.frombytes(reader.get(data))
        if order != sys.byteorder:
            found.byteswap()
        return found

    def _reduce_uuid(writer, value):
        return writer.call(
            "py.uuid", value.int, getattr(value, "is_safe", None) and value.is_safe.value
        )

    def _rebuild_uuid(reader, number, safe):
        if safe is not None and not hasattr(uuid, "SafeUUID"):
            lacks_form(reader, "is_safe of a UUID", "unknown", "uuid of this Python")
            safe = None
        if safe is None:
            return uuid.UUID(int=number)
        return uuid.UUID(int=number, is_safe=uuid.SafeUUID(safe))

    def _reduce_path(writer, value):
        return writer.call("py.path", type(value).__name__, value.parts)

    def _rebuild_path(reader, name, parts):
        import pathlib

        try:
            return getattr(pathlib, name)(*parts)
        except NotImplementedError:  # a path of Windows elsewhere, or the other way round
            lacks_form(reader, name, "Pure" + name, "pathlib of this system")
            return getattr(pathlib, "Pure" + name)(*parts)

    # --- time zones --------------------------------------------------------------------------

    _ZONES = ("zoneinfo", "backports.zoneinfo", "dateutil.tz.tz", "pytz.tzfile", "pytz", "pytz.utc")

    def describe_zone_kind(kind):
        """The package of a class of time zones that `describe_zone` knows, "" for others."""
        root = kind.__module__.partition(".")[0]
        if kind.__name__ == "ZoneInfo":
            return "zoneinfo"
        if root == "dateutil" and kind.__name__ in ("tzfile", "tzutc"):
            return "dateutil"
        return ""

    def describe_zone(zone):
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

    def find_zone(reader, described, for_pandas = False):
        """The time zone that `describe_zone` described, from its package or the nearest here.

        pytz''s zones are right in pandas'' objects, but not as tzinfo of a datetime.
        """
        if not isinstance(described, tuple):
            return described
        package, name = described
        choices = [package, "zoneinfo", "dateutil"]
        if for_pandas:
            choices[2:2] = ["pytz"]
        for choice in choices:
            try:
                zone = _ZONE_FINDERS[choice](name)
            except ImportError:
                continue
            if zone is not None:
                if choice != package:
                    lacks_form(reader, "time zone of %s" % package, choice, package)
                return zone
        raise LookupError("no package here (%s) has the time zone %r" % (", ".join(choices), name))

    def _zone_of_zoneinfo(name):
        try:
            import zoneinfo
        except ImportError:
            from backports import zoneinfo  # type: ignore[import-not-found,no-redef,unused-ignore]
        try:
            return zoneinfo.ZoneInfo(name)
        except KeyError:  # no tzdata on this machine
            return None

    def _zone_of_dateutil(name):
        import dateutil.tz

        if name == "UTC":
            return dateutil.tz.tzutc()
        found = dateutil.tz.gettz(name)
        if found is None:
            import dateutil.zoneinfo

            found = dateutil.zoneinfo.get_zonefile_instance().get(name)
        return found

    def _zone_of_pytz(name):
        import pytz

        return pytz.timezone(name)

    _ZONE_FINDERS = {
        "zoneinfo": _zone_of_zoneinfo,
        "dateutil": _zone_of_dateutil,
        "pytz": _zone_of_pytz,
    }

    def _zone_of_file(zone):
        """The name of a zone of dateutil, from the file that it was read from."""
        file = str(getattr(zone, "_filename", None) or "").replace("\\", "/")
        for folder in ("/zoneinfo/posix/", "/zoneinfo/"):
            if folder in file:
                return file.rpartition(folder)[2]
        return None if file.startswith("/") or not file or file == "None" else file

    def _reduce_zone(writer, zone):
        described = describe_zone(zone)
        if not isinstance(described, tuple):
            return zone.__reduce_ex__(4)
        return writer.call("py.zone", described[0], described[1])

    def _rebuild_zone(reader, package, name):
        return find_zone(reader, (package, name))

    def _rebuild_pytz_global(reader, name):
        """What stands for a global of pytz where there is none."""
        if name == "_UTC":
            return lambda: find_zone(reader, ("pytz", "UTC"))
        if name == "_p":
            return lambda zone, *_: find_zone(reader, ("pytz", zone))
        if name == "FixedOffset":
            return lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes))
        raise ImportError("the value needs pytz, which this Python lacks")

    def lacks_form(reader, had, got, what):
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
    def _codec_numpy(entry, scope={"lacks_form": lacks_form}):
        def call(*arguments):
            if entry not in scope:
                exec(compile(_codec_numpy_text, call.__code__.co_filename, "exec"), scope)
            return scope[entry](*arguments)
        return call
    _codec_numpy_text = (
        ''\n''
        ''\n''
        ''import sys\n''
        ''\n''
        ''\n''
        ''\n''
        ''\n''
        ''\n''
        ''\n''
        ''def numpy_reducer(kind):\n''
        ''    """The reducer for objects of exactly this type, None for those that pickle knows best."""\n''
        ''    numpy = sys.modules["numpy"]  # type: Any\n''
        ''    if kind is numpy.ndarray or kind.__name__ == "memmap":\n''
        ''        return reduce_array\n''
        ''    if issubclass(kind, numpy.dtype):\n''
        ''        return _reduce_dtype\n''
        ''    if issubclass(kind, numpy.generic):\n''
        ''        return _reduce_np_scalar\n''
        ''    if kind is numpy.ma.MaskedArray:\n''
        ''        return _reduce_masked\n''
        ''    if kind is numpy.matrix or kind is numpy.recarray:\n''
        ''        return _reduce_np_view\n''
        ''    return None\n''
        ''\n''
        ''\n''
        ''def numpy_rebuilders():\n''
        ''    """The rebuilders by name."""\n''
        ''    return {\n''
        ''        "np.array": rebuild_array,\n''
        ''        "np.objects": _rebuild_objects,\n''
        ''        "np.strings": _rebuild_np_strings,\n''
        ''        "np.dtype": _rebuild_dtype,\n''
        ''        "np.fields": _rebuild_fields,\n''
        ''        "np.subarray": _rebuild_subarray,\n''
        ''        "np.scalar": _rebuild_np_scalar,\n''
        ''        "np.text": _rebuild_np_text,\n''
        ''        "np.masked": _rebuild_masked,\n''
        ''        "np.view": _rebuild_np_view,\n''
        ''    }\n''
        ''\n''
        ''\n''
        ''# --- dtypes ------------------------------------------------------------------------------\n''
        ''\n''
        ''\n''
        ''def _simple(dtype):\n''
        ''    """A dtype\''s own short name where that says all of it, else the dtype."""\n''
        ''    import numpy\n''
        ''\n''
        ''    if dtype.names is None and dtype.subdtype is None and dtype.kind in "?biufcmMSUVO":\n''
        ''        name = dtype.str\n''
        ''        found = numpy.dtype(name)\n''
        ''        if found == dtype and found.type is dtype.type:\n''
        ''            return name\n''
        ''    return dtype\n''
        ''\n''
        ''\n''
        ''def _reduce_dtype(writer, dtype):\n''
        ''    import numpy\n''
        ''\n''
        ''    name = _simple(dtype)\n''
        ''    if isinstance(name, str):\n''
        ''        return writer.call("np.dtype", name)\n''
        ''    if dtype.subdtype is not None:\n''
        ''        return writer.call("np.subarray", *dtype.subdtype)\n''
        ''    if dtype.names is None or dtype.type not in (numpy.void, numpy.record):\n''
        ''        return dtype.__reduce_ex__(4)  # one of another package: bfloat16, StringDType\n''
        ''    fields = [dtype.fields[name] for name in dtype.names]\n''
        ''    description = {\n''
        ''        "names": list(dtype.names),\n''
        ''        "formats": [each[0] for each in fields],\n''
        ''        "offsets": [each[1] for each in fields],\n''
        ''        "itemsize": dtype.itemsize,\n''
        ''    }\n''
        ''    if any(len(each) > 2 for each in fields):\n''
        ''        description["titles"] = [each[2] if len(each) > 2 else None for each in fields]\n''
        ''    is_record = dtype.type is numpy.record\n''
        ''    return writer.call("np.fields", description, bool(dtype.isalignedstruct), is_record)\n''
        ''\n''
        ''\n''
        ''def _rebuild_dtype(reader, name):\n''
        ''    import numpy\n''
        ''\n''
        ''    return numpy.dtype(name)\n''
        ''\n''
        ''\n''
        ''def _rebuild_subarray(reader, base, shape):\n''
        ''    import numpy\n''
        ''\n''
        ''    return numpy.dtype((base, shape))\n''
        ''\n''
        ''\n''
        ''def _rebuild_fields(reader, description, aligned, is_record):\n''
        ''    import numpy\n''
        ''\n''
        ''    dtype = numpy.dtype(description, align=aligned)\n''
        ''    return numpy.dtype((numpy.record, dtype)) if is_record else dtype\n''
        ''\n''
        ''\n''
        ''# --- arrays ------------------------------------------------------------------------------\n''
        ''\n''
        ''\n''
        ''def reduce_array(writer, array):\n''
        ''    """An array\''s dtype, shape, order and memory."""\n''
        ''    dtype = array.dtype\n''
        ''    if dtype.hasobject:\n''
        ''        if type(dtype).__name__ == "StringDType":\n''
        ''            options = {"coerce": dtype.coerce}\n''
        ''            if hasattr(dtype, "na_object"):\n''
        ''                options["na_object"] = dtype.na_object\n''
        ''            return writer.call("np.strings", array.astype(object), options)\n''
        ''        return writer.call("np.objects") + (array.__reduce__()[2],)\n''
        ''    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"\n''
        ''    data = writer.put(_memory_of(array, order))\n''
        ''    return writer.call("np.array", _simple(dtype), array.shape, order, array.flags.writeable, data)\n''
        ''\n''
        ''\n''
        ''def _memory_of(array, order):\n''
        ''    if not array.nbytes:\n''
        ''        return b""\n''
        ''    if not (array.flags.c_contiguous or array.flags.f_contiguous):\n''
        ''        return array.tobytes()\n''
        ''    flat = (array.T if order == "F" else array).reshape(-1)\n''
        ''    return memoryview(flat.view("u1"))\n''
        ''\n''
        ''\n''
        ''def rebuild_array(\n''
        ''    reader, dtype, shape, order, writeable, data\n''
        ''):\n''
        ''    """An array in memory of its own."""\n''
        ''    import numpy\n''
        ''\n''
        ''    dtype = numpy.dtype(dtype)\n''
        ''    found = numpy.empty(shape, dtype, order)\n''
        ''    if found.nbytes:\n''
        ''        flat = (found.T if order == "F" else found).reshape(-1)\n''
        ''        flat.view("u1")[:] = numpy.frombuffer(reader.get(data), "u1")\n''
        ''    if not writeable:\n''
        ''        found.flags.writeable = False\n''
        ''    return found\n''
        ''\n''
        ''\n''
        ''def _rebuild_objects(reader):\n''
        ''    """An empty array, whose state comes next: so it may contain itself."""\n''
        ''    import numpy\n''
        ''\n''
        ''    return numpy.empty((0,), object)\n''
        ''\n''
        ''\n''
        ''def _rebuild_np_strings(reader, array, options):\n''
        ''    import numpy\n''
        ''\n''
        ''    dtypes = getattr(numpy, "dtypes", None)\n''
        ''    if hasattr(dtypes, "StringDType"):\n''
        ''        return array.astype(dtypes.StringDType(**options))  # type: ignore[union-attr]\n''
        ''    lacks_form(reader, "dtype StringDType", "object", "numpy")\n''
        ''    return array\n''
        ''\n''
        ''\n''
        ''def _reduce_masked(writer, array):\n''
        ''    import numpy\n''
        ''\n''
        ''    mask = None if array.mask is numpy.ma.nomask else array.mask\n''
        ''    arguments = (array.data, mask, array._fill_value, array.hardmask)\n''
        ''    return writer.call("np.masked", *arguments)\n''
        ''\n''
        ''\n''
        ''def _rebuild_masked(reader, data, mask, fill_value, hard):\n''
        ''    import numpy\n''
        ''\n''
        ''    found = numpy.ma.MaskedArray(data, numpy.ma.nomask if mask is None else mask, hard_mask=hard)\n''
        ''    if fill_value is not None:\n''
        ''        found.fill_value = fill_value\n''
        ''    return found\n''
        ''\n''
        ''\n''
        ''def _reduce_np_view(writer, array):\n''
        ''    import numpy\n''
        ''\n''
        ''    return writer.call("np.view", type(array).__name__, array.view(numpy.ndarray))\n''
        ''\n''
        ''\n''
        ''def _rebuild_np_view(reader, name, array):\n''
        ''    import numpy\n''
        ''\n''
        ''    return array.view(getattr(numpy, name))\n''
        ''\n''
        ''\n''
        ''# --- scalars -----------------------------------------------------------------------------\n''
        ''\n''
        ''\n''
        ''def _reduce_np_scalar(writer, value):\n''
        ''    if isinstance(value, str):\n''
        ''        return writer.call("np.text", str(value))\n''
        ''    if isinstance(value, bytes):\n''
        ''        return writer.call("np.text", bytes(value))\n''
        ''    dtype = value.dtype\n''
        ''    if dtype.hasobject:\n''
        ''        return writer.call("np.scalar", dtype, value.item())\n''
        ''    return writer.call("np.scalar", _simple(dtype), value.tobytes())\n''
        ''\n''
        ''\n''
        ''def _rebuild_np_scalar(reader, dtype, data):\n''
        ''    import numpy\n''
        ''\n''
        ''    dtype = numpy.dtype(dtype)\n''
        ''    if dtype.hasobject or not dtype.itemsize:\n''
        ''        found = numpy.empty(1, dtype)\n''
        ''        if dtype.hasobject:\n''
        ''            found[0] = data\n''
        ''        return found[0]\n''
        ''    return numpy.frombuffer(bytearray(data), dtype)[0]\n''
        ''\n''
        ''\n''
        ''def _rebuild_np_text(reader, value):\n''
        ''    import numpy\n''
        ''\n''
        ''    return numpy.str_(value) if isinstance(value, str) else numpy.bytes_(value)\n''
    )
    numpy_rebuilders = _codec_numpy("numpy_rebuilders")
    numpy_reducer = _codec_numpy("numpy_reducer")
    def _codec_pandas(entry, scope={"describe_zone": describe_zone, "find_zone": find_zone, "lacks_form": lacks_form}):
        def call(*arguments):
            if entry not in scope:
                exec(compile(_codec_pandas_text, call.__code__.co_filename, "exec"), scope)
            return scope[entry](*arguments)
        return call
    _codec_pandas_text = (
        ''\n''
        ''\n''
        ''import datetime\n''
        ''\n''
        ''\n''
        ''\n''
        ''\n''
        ''\n''
        ''def pandas_major():\n''
        ''    """The first number of pandas\'' version."""\n''
        ''    import pandas\n''
        ''\n''
        ''    return int(pandas.__version__.partition(".")[0])\n''
        ''\n''
        ''\n''
        ''def reduce_offset(writer, offset):\n''
        ''    """A DateOffset as its class and arguments."""\n''
        ''    options = {name: each for name, each in offset.kwds.items() if name != "calendar"}\n''
        ''    if type(offset).__name__.startswith("Custom"):\n''
        ''        options.pop("offset", None)\n''
        ''        options["holidays"] = list(options.get("holidays", ()))\n''
        ''    kind = type(offset).__name__\n''
        ''    return writer.call("pd.offset", kind, offset.n, bool(offset.normalize), options)\n''
        ''\n''
        ''\n''
        ''def rebuild_offset(reader, kind, n, normalize, options):\n''
        ''    """The offset again; ticks (hours, seconds) have no `normalize`."""\n''
        ''    import pandas\n''
        ''\n''
        ''    make = getattr(pandas.offsets, kind)\n''
        ''    if normalize:\n''
        ''        options = dict(options, normalize=True)\n''
        ''    return make(n, **options)\n''
        ''\n''
        ''\n''
        ''# --- time zones --------------------------------------------------------------------------\n''
        ''\n''
        ''\n''
        ''def describe_pandas_zone(zone):\n''
        ''    """A zone by its name alone where it is what this pandas makes of the name, as it mostly is.\n''
        ''\n''
        ''    So each side has its own: pytz before pandas 3, zoneinfo from then on.\n''
        ''    """\n''
        ''    if zone is None:\n''
        ''        return None\n''
        ''    described = describe_zone(zone)\n''
        ''    if zone is datetime.timezone.utc:\n''
        ''        described = None, "UTC"\n''
        ''    if isinstance(described, tuple):\n''
        ''        name = described[1]\n''
        ''        if type(zone) is type(default_zone(name)):\n''
        ''            return "default", name\n''
        ''        if described[0] is None:\n''
        ''            return zone\n''
        ''    return described\n''
        ''\n''
        ''\n''
        ''def find_pandas_zone(reader, described):\n''
        ''    """The zone that `describe_pandas_zone` described."""\n''
        ''    if isinstance(described, tuple) and described[0] == "default":\n''
        ''        zone = default_zone(described[1])\n''
        ''        if zone is not None:\n''
        ''            return zone\n''
        ''        described = "zoneinfo", described[1]\n''
        ''    return find_zone(reader, described, True)\n''
        ''\n''
        ''\n''
        ''def _zone_of_datetimes(reader, described):\n''
        ''    """The same for tzinfo of datetimes, which pytz\''s zones are wrong for."""\n''
        ''    if isinstance(described, tuple) and described[0] == "default":\n''
        ''        described = "zoneinfo", described[1]\n''
        ''    return find_zone(reader, described)\n''
        ''\n''
        ''\n''
        ''_default_zones = {}  # type: Dict[str, Any]\n''
        ''\n''
        ''\n''
        ''def default_zone(name):\n''
        ''    """What this pandas makes of a zone\''s name, None if it does not know it."""\n''
        ''    import pandas\n''
        ''\n''
        ''    if name not in _default_zones:\n''
        ''        try:\n''
        ''            _default_zones[name] = pandas.Timestamp(0).tz_localize(name).tz\n''
        ''        except Exception:  # noqa: BLE001 - its type depends on pandas and its package for zones\n''
        ''            return None\n''
        ''    return _default_zones[name]\n''
        ''\n''
        ''\n''
        ''# --- scalars -----------------------------------------------------------------------------\n''
        ''\n''
        ''\n''
        ''def reduce_timestamp(writer, value):\n''
        ''    """A Timestamp as a datetime64 (UTC) and its zone."""\n''
        ''    zone = describe_pandas_zone(value.tzinfo)\n''
        ''    return writer.call("pd.timestamp", _moment(value), zone, getattr(value, "fold", 0))\n''
        ''\n''
        ''\n''
        ''def _moment(value):\n''
        ''    """(number, unit) of a Timestamp or Timedelta; pandas before 2.0 has nanoseconds only."""\n''
        ''    unit = getattr(value, "unit", None)\n''
        ''    if unit is None or pandas_major() < 2:\n''
        ''        return value.value, "ns"\n''
        ''    return int(value._value), unit\n''
        ''\n''
        ''\n''
        ''def rebuild_timestamp(reader, moment, zone, fold):\n''
        ''    """A Timestamp; a datetime, or datetime64, where this pandas cannot hold it."""\n''
        ''    import numpy\n''
        ''    import pandas\n''
        ''\n''
        ''    number, unit = moment\n''
        ''    found = numpy.datetime64(number, unit)\n''
        ''    if unit != "ns" and pandas_major() < 2:\n''
        ''        exact = found.astype("M8[ns]")\n''
        ''        if exact.astype(found.dtype) != found:\n''
        ''            lacks_form(reader, "Timestamp in %s" % unit, "datetime", "pandas")\n''
        ''            other = found.astype("M8[us]").item()\n''
        ''            if not isinstance(other, datetime.datetime) or unit == "ns":\n''
        ''                return found\n''
        ''            if zone is None:\n''
        ''                return other\n''
        ''            utc = other.replace(tzinfo=datetime.timezone.utc)\n''
        ''            return utc.astimezone(_zone_of_datetimes(reader, zone))\n''
        ''        lacks_form(reader, "Timestamp in %s" % unit, "one in ns", "pandas")\n''
        ''        found = exact\n''
        ''    stamp = pandas.Timestamp(found)\n''
        ''    if zone is not None:\n''
        ''        stamp = stamp.tz_localize("UTC").tz_convert(find_pandas_zone(reader, zone))\n''
        ''    if fold and getattr(stamp, "fold", 1) != fold:\n''
        ''        stamp = stamp.replace(fold=fold)\n''
        ''    return stamp\n''
        ''\n''
        ''\n''
        ''def reduce_timedelta(writer, value):\n''
        ''    """A Timedelta as a number and its unit."""\n''
        ''    return writer.call("pd.timedelta", _moment(value))\n''
        ''\n''
        ''\n''
        ''def rebuild_timedelta(reader, moment):\n''
        ''    """A Timedelta; a timedelta64 where this pandas cannot hold it."""\n''
        ''    import numpy\n''
        ''    import pandas\n''
        ''\n''
        ''    number, unit = moment\n''
        ''    found = numpy.timedelta64(number, unit)\n''
        ''    if unit != "ns" and pandas_major() < 2:\n''
        ''        exact = found.astype("m8[ns]")\n''
        ''        got = "one in ns" if exact.astype(found.dtype) == found else "timedelta64"\n''
        ''        lacks_form(reader, "Timedelta in %s" % unit, got, "pandas")\n''
        ''        if got == "timedelta64":\n''
        ''            return found\n''
        ''        found = exact\n''
        ''    return pandas.Timedelta(found)\n''
        ''\n''
        ''\n''
        ''def reduce_period(writer, value):\n''
        ''    """A Period as its number and frequency."""\n''
        ''    return writer.call("pd.period", value.ordinal, value.freq)\n''
        ''\n''
        ''\n''
        ''def rebuild_period(reader, ordinal, frequency):\n''
        ''    """The Period again."""\n''
        ''    import pandas\n''
        ''\n''
        ''    return pandas.Period(ordinal=ordinal, freq=frequency)\n''
        ''\n''
        ''\n''
        ''# --- arrays ------------------------------------------------------------------------------\n''
        ''\n''
        ''\n''
        ''def native_times(reader, values):\n''
        ''    """datetime64 or timedelta64 in a unit that this pandas has, or objects where none is exact."""\n''
        ''    kind = values.dtype.kind\n''
        ''    if kind not in "mM" or pandas_major() >= 2 or values.dtype.str.endswith("[ns]"):\n''
        ''        return values\n''
        ''    exact = values.astype("%s8[ns]" % kind)\n''
        ''    had = "dtype %s" % values.dtype\n''
        ''    same = exact.astype(values.dtype).view("i8") == values.view("i8")\n''
        ''    if same.all():\n''
        ''        lacks_form(reader, had, str(exact.dtype), "pandas")\n''
        ''        return exact\n''
        ''    lacks_form(reader, had, "object", "pandas")\n''
        ''    return values.astype("%s8[us]" % kind).astype(object)\n''
        ''\n''
        ''\n''
        ''def times_of(value):\n''
        ''    """datetime64 or timedelta64 behind a DatetimeIndex, TimedeltaIndex, or array of pandas."""\n''
        ''    found = getattr(value, "_data", value)  # an index\''s array\n''
        ''    for name in ("_ndarray", "_data"):  # the first is int64 in pandas 1.1\n''
        ''        memory = getattr(found, name, None)\n''
        ''        if getattr(getattr(memory, "dtype", None), "kind", "") in tuple("mM"):\n''
        ''            return memory\n''
        ''    return value.asi8.view("M8[ns]" if hasattr(value, "tz") else "m8[ns]")\n''
        ''\n''
        ''\n''
        ''def reduce_times(writer, value):\n''
        ''    """An index or array of datetimes or timedeltas: memory, zone, frequency, name."""\n''
        ''    is_index = type(value).__name__.endswith("Index")\n''
        ''    return writer.call(\n''
        ''        "pd.times",\n''
        ''        times_of(value),\n''
        ''        describe_pandas_zone(getattr(value, "tz", None)),\n''
        ''        getattr(value, "freq", None),\n''
        ''        is_index,\n''
        ''        getattr(value, "name", None),\n''
        ''    )\n''
        ''\n''
        ''\n''
        ''def rebuild_times(\n''
        ''    reader, values, zone, frequency, is_index, name\n''
        ''):\n''
        ''    """The index, or its array (which before 0.24 is the index)."""\n''
        ''    import pandas\n''
        ''\n''
        ''    kind = values.dtype.kind\n''
        ''    values = native_times(reader, values)\n''
        ''    if values.dtype == object:\n''
        ''        if zone is not None:\n''
        ''            target = _zone_of_datetimes(reader, zone)\n''
        ''            utc = datetime.timezone.utc\n''
        ''            for place, each in enumerate(values):\n''
        ''                if isinstance(each, datetime.datetime):\n''
        ''                    values[place] = each.replace(tzinfo=utc).astimezone(target)\n''
        ''        return pandas.Index(values, dtype=object, name=name) if is_index else values\n''
        ''    if kind == "M":\n''
        ''        found = pandas.DatetimeIndex(values, name=name)\n''
        ''        if zone is not None:\n''
        ''            found = found.tz_localize("UTC").tz_convert(find_pandas_zone(reader, zone))\n''
        ''    else:\n''
        ''        found = pandas.TimedeltaIndex(values, name=name)\n''
        ''    if frequency is not None:\n''
        ''        found.freq = frequency\n''
        ''    return found if is_index else array_of_index(found)\n''
        ''\n''
        ''\n''
        ''def array_of_index(index):\n''
        ''    """The extension array of an index; before 0.24 the index itself, which served as one."""\n''
        ''    return getattr(index, "array", index)\n''
        ''\n''
        ''\n''
        ''def reduce_periods(writer, value):\n''
        ''    """An index or array of periods: numbers, frequency, name."""\n''
        ''    is_index = type(value).__name__.endswith("Index")\n''
        ''    name = getattr(value, "name", None)\n''
        ''    return writer.call("pd.periods", value.asi8, value.freq, is_index, name)\n''
        ''\n''
        ''\n''
        ''def rebuild_periods(reader, ordinals, frequency, is_index, name):\n''
        ''    """The index, or its array; objects before 0.24, where only the index existed."""\n''
        ''    import pandas\n''
        ''\n''
        ''    make = pandas.PeriodIndex  # type: Any\n''
        ''    if hasattr(make, "from_ordinals"):\n''
        ''        found = make.from_ordinals(ordinals, freq=frequency, name=name)\n''
        ''    else:\n''
        ''        found = make(ordinal=ordinals, freq=frequency, name=name)\n''
        ''    if is_index:\n''
        ''        return found\n''
        ''    if hasattr(found, "array"):\n''
        ''        return found.array\n''
        ''    lacks_form(reader, "dtype period", "object", "pandas")\n''
        ''    return found.astype(object).values\n''
        ''\n''
        ''\n''
        ''\n''
        ''import sys\n''
        ''\n''
        ''\n''
        ''\n''
        ''\n''
        ''\n''
        ''# --- categorical, interval, sparse -------------------------------------------------------\n''
        ''\n''
        ''\n''
        ''def reduce_categorical(writer, value):\n''
        ''    """Codes and categories, of a Categorical or its index."""\n''
        ''    is_index = type(value).__name__.endswith("Index")\n''
        ''    arguments = (value.codes, value.categories, bool(value.ordered))\n''
        ''    return writer.call("pd.categorical", *(arguments + (is_index, getattr(value, "name", None))))\n''
        ''\n''
        ''\n''
        ''def rebuild_categorical(\n''
        ''    reader, codes, categories, ordered, is_index, name\n''
        ''):\n''
        ''    """The Categorical or its index again."""\n''
        ''    import pandas\n''
        ''\n''
        ''    found = pandas.Categorical.from_codes(codes, categories, ordered=ordered)\n''
        ''    return pandas.CategoricalIndex(found, name=name) if is_index else found\n''
        ''\n''
        ''\n''
        ''def reduce_intervals(writer, value):\n''
        ''    """Left and right ends, of an IntervalArray or its index."""\n''
        ''    is_index = type(value).__name__.endswith("Index")\n''
        ''    name = getattr(value, "name", None)\n''
        ''    return writer.call("pd.intervals", value.left, value.right, value.closed, is_index, name)\n''
        ''\n''
        ''\n''
        ''def rebuild_intervals(\n''
        ''    reader, left, right, closed, is_index, name\n''
        ''):\n''
        ''    """The index, or its array; objects before 0.24, where only the index existed."""\n''
        ''    import pandas\n''
        ''\n''
        ''    found = pandas.IntervalIndex.from_arrays(left, right, closed=closed, name=name)\n''
        ''    if is_index:\n''
        ''        return found\n''
        ''    if hasattr(found, "array"):\n''
        ''        return found.array\n''
        ''    lacks_form(reader, "dtype interval", "object", "pandas")\n''
        ''    return found.astype(object).values\n''
        ''\n''
        ''\n''
        ''def reduce_interval(writer, value):\n''
        ''    """One interval."""\n''
        ''    return writer.call("pd.interval", value.left, value.right, value.closed)\n''
        ''\n''
        ''\n''
        ''def rebuild_interval(reader, left, right, closed):\n''
        ''    """The interval again."""\n''
        ''    import pandas\n''
        ''\n''
        ''    return pandas.Interval(left, right, closed=closed)\n''
        ''\n''
        ''\n''
        ''def reduce_sparse_array(writer, value):\n''
        ''    """The values that are there, their places, and the one that fills the rest."""\n''
        ''    places = value.sp_index.to_int_index().indices\n''
        ''    kind = "integer" if type(value.sp_index).__name__ == "IntIndex" else "block"\n''
        ''    return writer.call("pd.sparse", len(value), value.sp_values, places, kind, value.fill_value)\n''
        ''\n''
        ''\n''
        ''def rebuild_sparse_array(\n''
        ''    reader, length, values, places, kind, fill\n''
        ''):\n''
        ''    """The sparse array; a dense one before 0.25, where it was another thing."""\n''
        ''    import numpy\n''
        ''    import pandas\n''
        ''\n''
        ''    make = getattr(getattr(pandas, "arrays", None), "SparseArray", None)\n''
        ''    if make is None:\n''
        ''        lacks_form(reader, "dtype Sparse", "dense", "pandas")\n''
        ''        dense = numpy.full(length, fill, values.dtype)\n''
        ''        dense[places] = values\n''
        ''        return dense\n''
        ''    from pandas._libs import sparse\n''
        ''\n''
        ''    library = sparse  # type: Any\n''
        ''    index = library.IntIndex(length, places)\n''
        ''    if kind == "block":\n''
        ''        index = index.to_block_index()\n''
        ''    # The public constructor of this kind has changed its name; this one is in all versions.\n''
        ''    return make._simple_new(values, index, pandas.SparseDtype(values.dtype, fill))\n''
        ''\n''
        ''\n''
        ''# --- nullable numbers --------------------------------------------------------------------\n''
        ''\n''
        ''\n''
        ''def reduce_nullable(writer, value):\n''
        ''    """Values and mask of a nullable integer, float or boolean array."""\n''
        ''    return writer.call("pd.nullable", str(value.dtype), value._data, value._mask)\n''
        ''\n''
        ''\n''
        ''def rebuild_nullable(reader, dtype, values, mask):\n''
        ''    """The array; numpy\''s dtype, or float, or objects where this pandas lacks the nullable one."""\n''
        ''    make = _nullable_class(values)\n''
        ''    if make is not None:\n''
        ''        return make(values, mask)\n''
        ''    return _without_nullable(reader, "dtype %s" % dtype, values, mask)\n''
        ''\n''
        ''\n''
        ''def _nullable_class(values):\n''
        ''    """The class of nullable arrays for such values, None where this pandas has none."""\n''
        ''    import pandas\n''
        ''\n''
        ''    kinds = {"b": "BooleanArray", "f": "FloatingArray"}\n''
        ''    arrays = getattr(pandas, "arrays", None)\n''
        ''    return getattr(arrays, kinds.get(values.dtype.kind, "IntegerArray"), None)\n''
        ''\n''
        ''\n''
        ''def _without_nullable(reader, had, values, mask):\n''
        ''    import numpy\n''
        ''\n''
        ''    if not mask.any():\n''
        ''        lacks_form(reader, had, str(values.dtype), "pandas")\n''
        ''        return values\n''
        ''    kind = values.dtype.kind\n''
        ''    exact = kind in "iu" and bool(\n''
        ''        (values[~mask].astype("f8").astype(values.dtype) == values[~mask]).all()\n''
        ''    )\n''
        ''    if exact and kind in "iu":  # 2**63 as a float comes back as another number\n''
        ''        exact = bool((numpy.abs(values[~mask].astype("f8")) <= 2.0**53).all())\n''
        ''    if kind == "f" and not numpy.isnan(values[~mask]).any():\n''
        ''        found, missing = values.copy(), numpy.nan  # type: Any, Any\n''
        ''    elif exact:\n''
        ''        found, missing = values.astype("f8"), numpy.nan\n''
        ''    else:\n''
        ''        found, missing = values.astype(object), None\n''
        ''    found[mask] = missing\n''
        ''    lacks_form(reader, had, str(found.dtype), "pandas")\n''
        ''    return found\n''
        ''\n''
        ''\n''
        ''# --- strings -----------------------------------------------------------------------------\n''
        ''\n''
        ''\n''
        ''def reduce_strings(writer, value):\n''
        ''    """Strings as one text of UTF-8 with offsets where Arrow has them, else as a list."""\n''
        ''    import numpy\n''
        ''\n''
        ''    dtype = value.dtype\n''
        ''    missing = "nan" if isinstance(getattr(dtype, "na_value", None), float) else "NA"\n''
        ''    storage = getattr(dtype, "storage", "python")\n''
        ''    chunks = getattr(value, "_pa_array", None)\n''
        ''    if chunks is None and storage == "pyarrow":\n''
        ''        chunks = value._data\n''
        ''    if chunks is not None:\n''
        ''        return writer.call("pd.strings", storage, missing, *_parts_of_arrow(chunks))\n''
        ''    texts = numpy.asarray(value, dtype=object).copy()\n''
        ''    texts[numpy.asarray(value.isna())] = None\n''
        ''    return writer.call("pd.texts", storage, missing, texts.tolist())\n''
        ''\n''
        ''\n''
        ''def _parts_of_arrow(chunks):\n''
        ''    """Offsets, UTF-8 and mask (or None) of Arrow\''s strings."""\n''
        ''    import numpy\n''
        ''    import pyarrow\n''
        ''\n''
        ''    whole = chunks.cast(pyarrow.large_string()).combine_chunks()\n''
        ''    if isinstance(whole, pyarrow.ChunkedArray):  # older pyarrow, or no chunk at all\n''
        ''        whole = (\n''
        ''            pyarrow.concat_arrays(whole.chunks)\n''
        ''            if whole.num_chunks\n''
        ''            else pyarrow.array([], whole.type)\n''
        ''        )\n''
        ''    _, offsets, data = whole.buffers()\n''
        ''    count = len(whole)\n''
        ''    if not count:\n''
        ''        return numpy.zeros(1, "i8"), numpy.zeros(0, "u1"), None\n''
        ''    ends = numpy.frombuffer(offsets, "i8", count + 1, whole.offset * 8)\n''
        ''    text = numpy.frombuffer(data, "u1") if data is not None else numpy.zeros(0, "u1")\n''
        ''    mask = numpy.asarray(whole.is_null()) if whole.null_count else None\n''
        ''    return ends - ends[0], text[ends[0] : ends[-1]], mask\n''
        ''\n''
        ''\n''
        ''def rebuild_strings(\n''
        ''    reader, storage, missing, ends, data, mask\n''
        ''):\n''
        ''    """The strings, by Arrow where both sides keep them there."""\n''
        ''    if storage == "pyarrow" and string_dtype(storage, missing) is not None:\n''
        ''        return _strings_by_arrow(string_dtype(storage, missing), ends, data, mask)\n''
        ''    text = data.tobytes().decode("utf-8")\n''
        ''    places = ends.tolist()\n''
        ''    if len(text) == len(data):\n''
        ''        texts = [text[start:end] for start, end in zip(places[:-1], places[1:])]\n''
        ''    else:\n''
        ''        raw = data.tobytes()\n''
        ''        texts = [raw[start:end].decode("utf-8") for start, end in zip(places[:-1], places[1:])]\n''
        ''    return rebuild_texts(reader, storage, missing, texts, mask)\n''
        ''\n''
        ''\n''
        ''def _strings_by_arrow(dtype, ends, data, mask):\n''
        ''    import numpy\n''
        ''    import pyarrow\n''
        ''\n''
        ''    valid = None\n''
        ''    if mask is not None:\n''
        ''        valid = pyarrow.py_buffer(numpy.packbits(~mask, bitorder="little"))\n''
        ''    buffers = [valid, pyarrow.py_buffer(ends), pyarrow.py_buffer(data)]\n''
        ''    count = len(ends) - 1\n''
        ''    found = pyarrow.Array.from_buffers(pyarrow.large_string(), count, buffers)\n''
        ''    return dtype.__from_arrow__(pyarrow.chunked_array([found]))\n''
        ''\n''
        ''\n''
        ''def rebuild_texts(reader, storage, missing, texts, mask = None):\n''
        ''    """The strings from a list; objects where this pandas has no such dtype."""\n''
        ''    import numpy\n''
        ''    import pandas\n''
        ''\n''
        ''    dtype = string_dtype(storage, missing)\n''
        ''    if dtype is None and storage == "pyarrow":\n''
        ''        dtype = string_dtype("python", missing)\n''
        ''        if dtype is not None:\n''
        ''            lacks_form(reader, "strings kept by pyarrow", "strings", "pandas")\n''
        ''    found = numpy.empty(len(texts), object)\n''
        ''    found[:] = texts\n''
        ''    absent = numpy.array([each is None for each in texts], bool) if mask is None else mask\n''
        ''    if dtype is not None:\n''
        ''        found[absent] = getattr(pandas, "NA", None) if missing == "NA" else numpy.nan\n''
        ''        return dtype.construct_array_type()._from_sequence(found, dtype=dtype)\n''
        ''    found[absent] = None if missing == "NA" else numpy.nan\n''
        ''    lacks_form(reader, "dtype %s" % ("string" if missing == "NA" else "str"), "object", "pandas")\n''
        ''    return found\n''
        ''\n''
        ''\n''
        ''def string_dtype(storage, missing):\n''
        ''    """pandas\'' dtype for strings of that kind, None where it lacks it."""\n''
        ''    import numpy\n''
        ''    import pandas\n''
        ''\n''
        ''    if not hasattr(pandas, "StringDtype"):\n''
        ''        return None\n''
        ''    try:\n''
        ''        if missing == "nan":\n''
        ''            return pandas.StringDtype(storage, na_value=numpy.nan)\n''
        ''        if storage == "python" and not hasattr(pandas.StringDtype, "__from_arrow__"):\n''
        ''            return pandas.StringDtype()\n''
        ''        return pandas.StringDtype(storage)\n''
        ''    except (TypeError, ImportError):\n''
        ''        if missing == "NA" and storage == "python":\n''
        ''            return pandas.StringDtype()\n''
        ''        return None\n''
        ''\n''
        ''\n''
        ''def reduce_arrow(writer, value):\n''
        ''    """An array that Arrow keeps: numbers as values and mask, the rest as a stream of Arrow\''s."""\n''
        ''    import numpy\n''
        ''    import pyarrow\n''
        ''\n''
        ''    chunks = getattr(value, "_pa_array", None)\n''
        ''    if chunks is None:\n''
        ''        chunks = value._data\n''
        ''    kind = chunks.type\n''
        ''    if pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind):\n''
        ''        mask = numpy.asarray(chunks.is_null().to_numpy())\n''
        ''        values = numpy.asarray((chunks.fill_null(0) if chunks.null_count else chunks).to_numpy())\n''
        ''        return writer.call("pd.arrow_numbers", str(kind), values, mask)\n''
        ''    table = pyarrow.table({"": chunks})\n''
        ''    sink = pyarrow.BufferOutputStream()\n''
        ''    with pyarrow.ipc.new_stream(sink, table.schema) as stream:\n''
        ''        stream.write_table(table)\n''
        ''    return writer.call("pd.arrow", str(kind), writer.put(memoryview(sink.getvalue())))\n''
        ''\n''
        ''\n''
        ''def _arrow_dtype():\n''
        ''    """pandas.ArrowDtype, None where it or pyarrow is missing."""\n''
        ''    import pandas\n''
        ''\n''
        ''    try:\n''
        ''        import pyarrow\n''
        ''    except ImportError:\n''
        ''        return None\n''
        ''    return getattr(pandas, "ArrowDtype", None)\n''
        ''\n''
        ''\n''
        ''def rebuild_arrow_numbers(reader, kind, values, mask):\n''
        ''    """The array again; nullable or numpy\''s numbers where Arrow is missing here."""\n''
        ''    make = _arrow_dtype()\n''
        ''    if make is None:\n''
        ''        had = "dtype %s[pyarrow]" % kind\n''
        ''        nullable = _nullable_class(values)\n''
        ''        if nullable is None:\n''
        ''            return _without_nullable(reader, had, values, mask)\n''
        ''        found = nullable(values, mask)\n''
        ''        lacks_form(reader, had, str(found.dtype), "pandas with pyarrow")\n''
        ''        return found\n''
        ''    import pyarrow\n''
        ''\n''
        ''    dtype = make(pyarrow.type_for_alias(kind))\n''
        ''    column = pyarrow.array(values, type=dtype.pyarrow_dtype, mask=mask if mask.any() else None)\n''
        ''    return dtype.__from_arrow__(pyarrow.chunked_array([column]))\n''
        ''\n''
        ''\n''
        ''def rebuild_arrow(reader, kind, data):\n''
        ''    """The array again."""\n''
        ''    make = _arrow_dtype()\n''
        ''    if make is None:\n''
        ''        raise ImportError(\n''
        ''            "a column of dtype %s[pyarrow] needs pyarrow and pandas 1.5 or newer on this side: "\n''
        ''            "convert it with astype before it is sent" % kind\n''
        ''        )\n''
        ''    import pyarrow\n''
        ''\n''
        ''    column = pyarrow.ipc.open_stream(bytes(reader.get(data))).read_all().column(0)\n''
        ''    return make(column.type).__from_arrow__(column)\n''
        ''\n''
        ''\n''
        ''def reduce_numpy_array_of_pandas(writer, value):\n''
        ''    """pandas\'' wrapper of a numpy array."""\n''
        ''    return writer.call("pd.wrapped", value._ndarray)\n''
        ''\n''
        ''\n''
        ''def rebuild_numpy_array_of_pandas(reader, values):\n''
        ''    """The wrapper again, without one before 0.24."""\n''
        ''    import pandas\n''
        ''\n''
        ''    arrays = getattr(pandas, "arrays", None)\n''
        ''    make = getattr(arrays, "NumpyExtensionArray", None) or getattr(arrays, "PandasArray", None)\n''
        ''    if make is None:\n''
        ''        lacks_form(reader, "pandas\'' wrapper of an array", "the array", "pandas")\n''
        ''        return values\n''
        ''    return make(values)\n''
        ''\n''
        ''\n''
        ''# --- dtypes ------------------------------------------------------------------------------\n''
        ''\n''
        ''\n''
        ''def reduce_pandas_dtype(writer, dtype):\n''
        ''    """A dtype as its parts, or by its name where it has none."""\n''
        ''    kind = type(dtype).__name__\n''
        ''    if kind == "CategoricalDtype":\n''
        ''        return writer.call("pd.dtype", kind, (dtype.categories, dtype.ordered))\n''
        ''    if kind == "DatetimeTZDtype":\n''
        ''        return writer.call("pd.dtype", "by_example", _one_of(dtype))\n''
        ''    if kind == "PeriodDtype":\n''
        ''        return writer.call("pd.dtype", kind, (dtype.freq,))\n''
        ''    if kind == "IntervalDtype":\n''
        ''        return writer.call("pd.dtype", kind, (dtype.subtype, getattr(dtype, "closed", None)))\n''
        ''    if kind == "StringDtype":\n''
        ''        return writer.call("pd.dtype", "by_example", _one_of(dtype))\n''
        ''    if kind == "SparseDtype":\n''
        ''        return writer.call("pd.dtype", kind, (dtype.subtype, dtype.fill_value))\n''
        ''    return writer.call("pd.dtype", "by_name", str(dtype))\n''
        ''\n''
        ''\n''
        ''def _one_of(dtype):\n''
        ''    """An empty array of a dtype."""\n''
        ''    import pandas\n''
        ''\n''
        ''    return array_of_index(pandas.Series([], dtype=dtype))\n''
        ''\n''
        ''\n''
        ''def rebuild_pandas_dtype(reader, kind, parts):\n''
        ''    """The dtype again."""\n''
        ''    import pandas\n''
        ''\n''
        ''    if kind == "by_name":\n''
        ''        found = pandas.api.types.pandas_dtype(parts)\n''
        ''        if str(found) != parts:\n''
        ''            raise TypeError("pandas %s has no dtype %s" % (pandas.__version__, parts))\n''
        ''        return found\n''
        ''    if kind == "by_example":\n''
        ''        return parts.dtype\n''
        ''    where = pandas if hasattr(pandas, kind) else pandas.api.types  # type: Any\n''
        ''    make = getattr(where, kind)\n''
        ''    if kind == "IntervalDtype" and not hasattr(make, "closed"):  # before 1.3\n''
        ''        lacks_form(reader, "closed of an IntervalDtype", "lost", "pandas")\n''
        ''        parts = parts[:1]\n''
        ''    return make(*parts)\n''
        ''\n''
        ''\n''
        ''\n''
        ''import sys\n''
        ''import warnings\n''
        ''\n''
        ''\n''
        ''\n''
        ''\n''
        ''\n''
        ''\n''
        ''\n''
        ''\n''
        ''def pandas_reducer(kind):\n''
        ''    """The reducer for objects of exactly this type, None for those that pickle knows best."""\n''
        ''    reducers = {\n''
        ''        "DataFrame": _reduce_frame,\n''
        ''        "Series": _reduce_series,\n''
        ''        "Index": _reduce_index,\n''
        ''        "Int64Index": _reduce_index,\n''
        ''        "UInt64Index": _reduce_index,\n''
        ''        "Float64Index": _reduce_index,\n''
        ''        "RangeIndex": _reduce_range,\n''
        ''        "MultiIndex": _reduce_multi,\n''
        ''        "DatetimeIndex": reduce_times,\n''
        ''        "TimedeltaIndex": reduce_times,\n''
        ''        "DatetimeArray": reduce_times,\n''
        ''        "TimedeltaArray": reduce_times,\n''
        ''        "PeriodIndex": reduce_periods,\n''
        ''        "PeriodArray": reduce_periods,\n''
        ''        "IntervalIndex": reduce_intervals,\n''
        ''        "IntervalArray": reduce_intervals,\n''
        ''        "CategoricalIndex": reduce_categorical,\n''
        ''        "Categorical": reduce_categorical,\n''
        ''        "IntegerArray": reduce_nullable,\n''
        ''        "FloatingArray": reduce_nullable,\n''
        ''        "BooleanArray": reduce_nullable,\n''
        ''        "StringArray": reduce_strings,\n''
        ''        "StringArrayNumpySemantics": reduce_strings,\n''
        ''        "ArrowStringArray": reduce_strings,\n''
        ''        "ArrowStringArrayNumpySemantics": reduce_strings,\n''
        ''        "ArrowExtensionArray": reduce_arrow,\n''
        ''        "NumpyExtensionArray": reduce_numpy_array_of_pandas,\n''
        ''        "PandasArray": reduce_numpy_array_of_pandas,\n''
        ''        "SparseArray": reduce_sparse_array,\n''
        ''        "Timestamp": reduce_timestamp,\n''
        ''        "Timedelta": reduce_timedelta,\n''
        ''        "Period": reduce_period,\n''
        ''        "Interval": reduce_interval,\n''
        ''        "NaTType": _reduce_missing,\n''
        ''        "NAType": _reduce_missing,\n''
        ''    }\n''
        ''    if hasattr(kind, "kwds") and hasattr(kind, "normalize"):\n''
        ''        return reduce_offset\n''
        ''    if kind.__name__.endswith("Dtype"):\n''
        ''        return reduce_pandas_dtype\n''
        ''    return reducers.get(kind.__name__)\n''
        ''\n''
        ''\n''
        ''def pandas_rebuilders():\n''
        ''    """The rebuilders by name."""\n''
        ''    return {\n''
        ''        "pd.frame": _rebuild_frame,\n''
        ''        "pd.series": _rebuild_series,\n''
        ''        "pd.index": _rebuild_index,\n''
        ''        "pd.labels": _rebuild_labels,\n''
        ''        "pd.range": _rebuild_range,\n''
        ''        "pd.multi": _rebuild_multi,\n''
        ''        "pd.times": rebuild_times,\n''
        ''        "pd.periods": rebuild_periods,\n''
        ''        "pd.intervals": rebuild_intervals,\n''
        ''        "pd.categorical": rebuild_categorical,\n''
        ''        "pd.nullable": rebuild_nullable,\n''
        ''        "pd.strings": rebuild_strings,\n''
        ''        "pd.texts": rebuild_texts,\n''
        ''        "pd.arrow": rebuild_arrow,\n''
        ''        "pd.arrow_numbers": rebuild_arrow_numbers,\n''
        ''        "pd.wrapped": rebuild_numpy_array_of_pandas,\n''
        ''        "pd.sparse": rebuild_sparse_array,\n''
        ''        "pd.timestamp": rebuild_timestamp,\n''
        ''        "pd.timedelta": rebuild_timedelta,\n''
        ''        "pd.period": rebuild_period,\n''
        ''        "pd.interval": rebuild_interval,\n''
        ''        "pd.missing": _rebuild_missing,\n''
        ''        "pd.offset": rebuild_offset,\n''
        ''        "pd.dtype": rebuild_pandas_dtype,\n''
        ''    }\n''
        ''\n''
        ''\n''
        ''# --- frames and series -------------------------------------------------------------------\n''
        ''\n''
        ''\n''
        ''def _blocks_of(value):\n''
        ''    manager = getattr(value, "_mgr", None)\n''
        ''    return (value._data if manager is None else manager).blocks\n''
        ''\n''
        ''\n''
        ''def _memory_of_block(values):\n''
        ''    """A block\''s numpy array, also behind datetimes and wrappers; else its extension array."""\n''
        ''    import numpy\n''
        ''\n''
        ''    kind = type(values).__name__\n''
        ''    if isinstance(values, numpy.ndarray):\n''
        ''        return values\n''
        ''    if kind in ("DatetimeArray", "TimedeltaArray", "DatetimeIndex", "TimedeltaIndex"):\n''
        ''        return values if getattr(values, "tz", None) is not None else times_of(values)\n''
        ''    if kind in ("NumpyExtensionArray", "PandasArray"):\n''
        ''        return values._ndarray\n''
        ''    return values\n''
        ''\n''
        ''\n''
        ''def _reduce_frame(writer, frame):\n''
        ''    import numpy\n''
        ''\n''
        ''    parts = []\n''
        ''    for block in _blocks_of(frame):\n''
        ''        values = _memory_of_block(block.values)\n''
        ''        places = numpy.asarray(block.mgr_locs.as_array)\n''
        ''        if not isinstance(values, numpy.ndarray) and getattr(values, "ndim", 1) == 2:\n''
        ''            for row in range(len(places)):  # datetimes with a zone\n''
        ''                parts.append((places[row : row + 1], values[row]))\n''
        ''        else:\n''
        ''            parts.append((places, values))\n''
        ''    return writer.call("pd.frame", parts, frame.columns, frame.index, _extras(frame))\n''
        ''\n''
        ''\n''
        ''def _rebuild_frame(reader, parts, columns, index, extras):\n''
        ''    import numpy\n''
        ''    import pandas\n''
        ''\n''
        ''    pieces, order = [], []\n''
        ''    for places, values in parts:\n''
        ''        order.append(places)\n''
        ''        values = _usable(reader, values)\n''
        ''        if isinstance(values, numpy.ndarray) and values.ndim == 2:\n''
        ''            piece = _frame_of_block(values, index)\n''
        ''        else:\n''
        ''            piece = pandas.Series(values, index=index, name=0, dtype=_dtype_for(values), copy=False)\n''
        ''        pieces.append(piece)\n''
        ''    if not pieces:\n''
        ''        found = pandas.DataFrame(index=index, columns=columns)\n''
        ''    elif len(pieces) == 1:\n''
        ''        found = pieces[0].to_frame() if pieces[0].ndim == 1 else pieces[0]\n''
        ''    else:\n''
        ''        found = pandas.concat(pieces, axis=1)\n''
        ''    if pieces:\n''
        ''        places = numpy.concatenate(order)\n''
        ''        if (places != numpy.arange(len(places))).any():\n''
        ''            found = found.take(numpy.argsort(places), axis=1)\n''
        ''            # `take` remembers whose part it is and would warn of writes to it.\n''
        ''            if hasattr(found, "_is_copy"):\n''
        ''                found._is_copy = None\n''
        ''        found.columns = columns\n''
        ''        found.index = index\n''
        ''    return _with_extras(reader, found, extras)\n''
        ''\n''
        ''\n''
        ''def _frame_of_block(values, index):\n''
        ''    """A frame around the memory of a block, without a copy and without looking for other types."""\n''
        ''    import pandas\n''
        ''\n''
        ''    return pandas.DataFrame(values.T, index=index, dtype=values.dtype, copy=False)\n''
        ''\n''
        ''\n''
        ''def _usable(reader, values):\n''
        ''    """Values of a block for this pandas: writable, and in a unit of time that it has."""\n''
        ''    import numpy\n''
        ''\n''
        ''    if not isinstance(values, numpy.ndarray):\n''
        ''        return values\n''
        ''    if not values.flags.writeable:\n''
        ''        values.flags.writeable = True  # in memory of its own, see rebuild_array\n''
        ''    return native_times(reader, values)\n''
        ''\n''
        ''\n''
        ''def _dtype_for(values):\n''
        ''    """The dtype to ask for, so that pandas does not look for a better one in objects."""\n''
        ''    return object if values.dtype == object else None\n''
        ''\n''
        ''\n''
        ''def _reduce_series(writer, series):\n''
        ''    values = _memory_of_block(_blocks_of(series)[0].values)\n''
        ''    return writer.call("pd.series", values, series.index, series.name, _extras(series))\n''
        ''\n''
        ''\n''
        ''def _rebuild_series(reader, values, index, name, extras):\n''
        ''    import pandas\n''
        ''\n''
        ''    values = _usable(reader, values)\n''
        ''    found = pandas.Series(values, index=index, name=name, dtype=_dtype_for(values), copy=False)\n''
        ''    return _with_extras(reader, found, extras)\n''
        ''\n''
        ''\n''
        ''def _extras(value):\n''
        ''    """What a frame or series may have beside its data, None for nothing."""\n''
        ''    kind = type(value)  # asked first: a column can have these names, and old pandas other `flags`\n''
        ''    attrs = value.attrs if hasattr(kind, "attrs") else None\n''
        ''    duplicates = value.flags.allows_duplicate_labels if hasattr(kind, "set_flags") else True\n''
        ''    return (dict(attrs or {}), duplicates) if attrs or not duplicates else None\n''
        ''\n''
        ''\n''
        ''def _with_extras(reader, value, extras):\n''
        ''    if extras is None:\n''
        ''        return value\n''
        ''    attrs, duplicates = extras\n''
        ''    if attrs:\n''
        ''        if pandas_major() >= 1:\n''
        ''            value.attrs.update(attrs)\n''
        ''        else:\n''
        ''            lacks_form(reader, "attrs of a %s" % type(value).__name__, "lost", "pandas")\n''
        ''    if not duplicates:\n''
        ''        if hasattr(type(value), "set_flags"):\n''
        ''            value.flags.allows_duplicate_labels = False\n''
        ''        else:\n''
        ''            lacks_form(reader, "flag allows_duplicate_labels", "lost", "pandas")\n''
        ''    return value\n''
        ''\n''
        ''\n''
        ''# --- indexes -----------------------------------------------------------------------------\n''
        ''\n''
        ''\n''
        ''def _reduce_index(writer, index):\n''
        ''    import numpy\n''
        ''\n''
        ''    values = _memory_of_block(index._values)\n''
        ''    if str(values.dtype) == "str" and isinstance(values.dtype.na_value, float):\n''
        ''        texts = numpy.asarray(values, dtype=object)\n''
        ''        return writer.call("pd.labels", texts, index.name, values.dtype.storage)\n''
        ''    return writer.call("pd.index", values, index.name, pandas_major())\n''
        ''\n''
        ''\n''
        ''def _rebuild_index(reader, values, name, major):\n''
        ''    import numpy\n''
        ''    import pandas\n''
        ''\n''
        ''    if isinstance(values, numpy.ndarray) and values.dtype == object:\n''
        ''        if major < 3 <= pandas_major() and pandas.api.types.infer_dtype(values) == "string":\n''
        ''            return pandas.Index(values, name=name, dtype="str")\n''
        ''        return pandas.Index(values, name=name, dtype=object)\n''
        ''    dtype = None if isinstance(values, numpy.ndarray) else values.dtype\n''
        ''    try:\n''
        ''        found = pandas.Index(values, name=name, dtype=dtype)\n''
        ''    except TypeError:  # before 1.4 an index has no extension dtype; 1.0 does not even know some\n''
        ''        found = pandas.Index(numpy.asarray(values, dtype=object), name=name)\n''
        ''    if str(found.dtype) != str(values.dtype):\n''
        ''        lacks_form(reader, "Index of %s" % values.dtype, str(found.dtype), "pandas")\n''
        ''    return found\n''
        ''\n''
        ''\n''
        ''def _rebuild_labels(reader, texts, name, storage):\n''
        ''    """Labels of dtype `str`; they are objects to a pandas whose default that is."""\n''
        ''    import pandas\n''
        ''\n''
        ''    if pandas_major() < 3:\n''
        ''        return pandas.Index(texts, name=name, dtype=object)\n''
        ''    dtype = string_dtype(storage, "nan") or "str"\n''
        ''    return pandas.Index(texts, name=name, dtype=dtype)\n''
        ''\n''
        ''\n''
        ''def _reduce_range(writer, index):\n''
        ''    if hasattr(type(index), "start"):\n''
        ''        parts = (index.start, index.stop, index.step)\n''
        ''    else:\n''
        ''        parts = (index._start, index._stop, index._step)\n''
        ''    return writer.call("pd.range", *(parts + (index.name,)))\n''
        ''\n''
        ''\n''
        ''def _rebuild_range(reader, start, stop, step, name):\n''
        ''    import pandas\n''
        ''\n''
        ''    return pandas.RangeIndex(start, stop, step, name=name)\n''
        ''\n''
        ''\n''
        ''def _reduce_multi(writer, index):\n''
        ''    codes = index.codes if hasattr(index, "codes") else index.labels\n''
        ''    codes = [_plain_array(each) for each in codes]\n''
        ''    return writer.call("pd.multi", list(index.levels), codes, list(index.names))\n''
        ''\n''
        ''\n''
        ''def _plain_array(values):\n''
        ''    """As numpy\''s own class: pandas before 0.24 had one of its own for codes."""\n''
        ''    import numpy\n''
        ''\n''
        ''    return numpy.asarray(values).view(numpy.ndarray)\n''
        ''\n''
        ''\n''
        ''def _rebuild_multi(reader, levels, codes, names):\n''
        ''    import pandas\n''
        ''\n''
        ''    options = {"codes": codes} if hasattr(pandas.MultiIndex, "codes") else {"labels": codes}\n''
        ''    return pandas.MultiIndex(levels=levels, names=names, verify_integrity=False, **options)\n''
        ''\n''
        ''\n''
        ''# --- missing values ----------------------------------------------------------------------\n''
        ''\n''
        ''\n''
        ''def _reduce_missing(writer, value):\n''
        ''    return writer.call("pd.missing", "NaT" if type(value).__name__ == "NaTType" else "NA")\n''
        ''\n''
        ''\n''
        ''def _rebuild_missing(reader, name):\n''
        ''    import pandas\n''
        ''\n''
        ''    if not hasattr(pandas, name):\n''
        ''        lacks_form(reader, "pandas.NA", "None", "pandas")\n''
        ''    return getattr(pandas, name, None)\n''
    )
    pandas_rebuilders = _codec_pandas("pandas_rebuilders")
    pandas_reducer = _codec_pandas("pandas_reducer")
    def _codec_scipy(entry, scope={"lacks_form": lacks_form}):
        def call(*arguments):
            if entry not in scope:
                exec(compile(_codec_scipy_text, call.__code__.co_filename, "exec"), scope)
            return scope[entry](*arguments)
        return call
    _codec_scipy_text = (
        ''\n''
        ''\n''
        ''import sys\n''
        ''\n''
        ''\n''
        ''\n''
        ''\n''
        ''\n''
        ''_PARTS = {\n''
        ''    "csr": ("data", "indices", "indptr"),\n''
        ''    "csc": ("data", "indices", "indptr"),\n''
        ''    "bsr": ("data", "indices", "indptr"),\n''
        ''    "dia": ("data", "offsets"),\n''
        ''    "lil": ("rows", "data"),\n''
        ''}\n''
        ''\n''
        ''\n''
        ''def scipy_reducer(kind):\n''
        ''    """The reducer for objects of exactly this type, None for those that pickle knows best."""\n''
        ''    sparse = sys.modules.get("scipy.sparse")  # type: Any\n''
        ''    if sparse is None or getattr(sparse, kind.__name__, None) is not kind:\n''
        ''        return None\n''
        ''    return (\n''
        ''        _reduce_sparse\n''
        ''        if kind.__name__[:3] in _PARTS or kind.__name__[:3] in ("coo", "dok")\n''
        ''        else None\n''
        ''    )\n''
        ''\n''
        ''\n''
        ''def scipy_rebuilders():\n''
        ''    """The rebuilders by name."""\n''
        ''    return {"sp.sparse": _rebuild_sparse}\n''
        ''\n''
        ''\n''
        ''def _reduce_sparse(writer, matrix):\n''
        ''    kind = type(matrix).__name__\n''
        ''    source = matrix.tocoo() if kind[:3] == "dok" else matrix\n''
        ''    if kind[:3] in _PARTS:\n''
        ''        parts = tuple(getattr(matrix, name) for name in _PARTS[kind[:3]])\n''
        ''    else:\n''
        ''        parts = (source.data,) + tuple(getattr(source, "coords", None) or (source.row, source.col))\n''
        ''    return writer.call("sp.sparse", kind, matrix.shape, matrix.dtype, parts)\n''
        ''\n''
        ''\n''
        ''def _rebuild_sparse(reader, kind, shape, dtype, parts):\n''
        ''    import scipy.sparse\n''
        ''\n''
        ''    if not hasattr(scipy.sparse, kind):\n''
        ''        older = kind.replace("_array", "_matrix")\n''
        ''        lacks_form(reader, "scipy.sparse.%s" % kind, older, "scipy")\n''
        ''        kind = older\n''
        ''    make = getattr(scipy.sparse, kind)\n''
        ''    form = kind[:3]\n''
        ''    if form == "lil":\n''
        ''        found = make(shape, dtype=dtype)\n''
        ''        found.rows, found.data = parts\n''
        ''    elif form == "coo":\n''
        ''        found = make((parts[0], parts[1:]), shape=shape)\n''
        ''    elif form == "dok":\n''
        ''        coo = scipy.sparse.coo_matrix if kind.endswith("matrix") else scipy.sparse.coo_array\n''
        ''        found = coo((parts[0], parts[1:]), shape=shape).todok()\n''
        ''    else:\n''
        ''        found = make(parts, shape=shape)\n''
        ''        for name, part in zip(_PARTS[form], parts):\n''
        ''            setattr(found, name, part)  # with the very dtype of its indices\n''
        ''    return found\n''
    )
    scipy_rebuilders = _codec_scipy("scipy_rebuilders")
    scipy_reducer = _codec_scipy("scipy_reducer")


    import copyreg
    import functools
    import io
    import operator
    import pickle
    import sys
    import types

    VALUE_PROTOCOL = 4  # the highest that Python 3.5 to 3.7 know
    BIG = 65536  # bytes from which on a plain bytes value is passed beside the pickle
    APART = 16384  # bytes from which on a buffer is a piece of its own
    WIRE = "sqlexec_wire"

    _EXACT_VERSION = ("sklearn", "statsmodels")  # load elsewhere at best to something subtly else
    _MOVED = (  # modules that have two names, by version
        ("numpy._core", "numpy.core"),
        ("numpy.core", "numpy._core"),
        ("pathlib._local", "pathlib"),
        ("pandas.core.indexes.numeric", "pandas.core.indexes.base"),
    )
    _BY_ITSELF = operator.methodcaller("__reduce_ex__", VALUE_PROTOCOL)
    _REDUCERS = {
        "numpy": numpy_reducer,
        "pandas": pandas_reducer,
        "scipy": scipy_reducer,
    }  # type: Dict[str, Callable[[type], Any]]
    _rebuilders = {}  # type: Dict[str, Callable[..., Any]]

    class Incompatible(Exception):
        """A value needs a package, or a version of it, that this Python does not have."""

    def dump(value, by_value = False):
        """Pickle a value; `by_value`: with cloudpickle, for functions and classes of the user''s.

        Errors of pickle, or of an object''s own __reduce__, pass through.
        """
        if type(value) is bytes and len(value) >= BIG:
            return [b"", value]
        _register_wire()
        stream = io.BytesIO()
        writer = _Writer()
        if callable(by_value):
            pickler = by_value(stream)
            pickler.dispatch_table = writer
        elif by_value:
            import cloudpickle

            kind = cloudpickle.Pickler
            writer.others = kind.dispatch_table
            pickler = kind.__new__(kind)
            pickler.dispatch_table = writer
            pickler.__init__(stream, VALUE_PROTOCOL)
        else:
            pickler = pickle.Pickler(stream, VALUE_PROTOCOL)
            pickler.dispatch_table = writer
        pickler.dump(value)
        writer.pieces[0] = stream.getvalue()
        return writer.pieces

    def load(
        pieces, aliases = None, sender = None
    ):
        """Rebuild a dumped value. Arrays get memory of their own, so that they can be written to.

        `aliases` maps names of the package sqlexec to what is taken for them; `sender` has the
        "packages" of the other side and their versions, for the messages of errors.
        """
        if not len(pieces[0]):
            return bytes(pieces[1])
        reader = _Reader(io.BytesIO(pieces[0]), pieces, aliases, sender)
        try:
            return reader.load()
        except Incompatible:
            raise
        except Exception as error:
            mismatch = reader.mismatch()
            if mismatch is None:
                raise
            raise Incompatible("%s (%s: %s)" % (mismatch, type(error).__name__, error)) from error

    class _Writer(dict):  # type: ignore[type-arg]
        """The dispatch table of one dump, filled as types occur: type -> reducer; and its buffers."""

        def __init__(self):
            self.pieces = [b""]  # type: List[Buffer]
            self.others = copyreg.dispatch_table  # type: Any

        def __missing__(self, kind):
            reducer = _reducer(kind)
            if reducer is not None:
                found = functools.partial(reducer, self)  # type: Any
            elif kind in self.others:
                found = self.others[kind]
            elif issubclass(kind, type):
                raise KeyError(kind)  # classes go by name
            else:
                found = _BY_ITSELF
            self[kind] = found
            return found

        def put(self, data):
            """What stands for these bytes in the pickle: their number where they are many."""
            if not isinstance(data, memoryview):
                data = memoryview(data)
            if data.nbytes < APART:
                return bytes(data)
            self.pieces.append(data)
            return len(self.pieces) - 1

        def call(self, name, *arguments):
            """What a reducer gives to have the rebuilder of that name called."""
            return sys.modules[WIRE].rebuild, (name,) + arguments

    class _Reader(pickle.Unpickler):
        """An unpickler with the rebuilders, and with other objects for names of the package sqlexec."""

        def __init__(
            self,
            stream,
            pieces,
            aliases,
            sender,
        ):
            super().__init__(stream)
            self._pieces = pieces
            self._aliases = aliases or {}
            self._last = ""
            self.sender = (sender or {}).get("packages", {})
            self.warned = set()  # type: Any

        def find_class(self, module, name):
            """Find a global by module and name: rebuilders, aliases, modules that have moved."""
            if module == WIRE:
                return self._rebuild
            root = module.partition(".")[0]
            if root == "sqlexec" and name in self._aliases:
                return self._aliases[name]
            self._last = root
            try:
                return super().find_class(module, name)
            except (ImportError, AttributeError):
                for old, new in _MOVED:
                    if (module + ".").startswith(old + "."):
                        try:
                            return super().find_class(new + module[len(old) :], name)
                        except (ImportError, AttributeError):
                            pass
                if module == "pytz":
                    return rebuilder("py.pytz")(self, name)
                raise

        def _rebuild(self, name, *arguments):
            if name[:3] == "np.":
                self._last = "numpy"
            elif name[:3] == "pd.":
                self._last = "pandas"
            elif name[:3] == "sp.":
                self._last = "scipy"
            return rebuilder(name)(self, *arguments)

        def get(self, data):
            """The bytes that `put` took."""
            return self._pieces[data] if isinstance(data, int) else data

        def mismatch(self):
            """What differs in the package whose object could not be rebuilt, None if nothing does."""
            return package_mismatch(self._last, self.sender.get(self._last))

    def package_mismatch(package, version):
        """Say that a package is missing here, or is not of the sender''s version; None if it is."""
        if package in ("", "__main__"):
            return None
        try:
            __import__(package)
        except ImportError:
            theirs = " %s" % version if version else ""
            return "the value needs %s%s, which this Python lacks" % (package, theirs)
        here = getattr(sys.modules.get(package), "__version__", None)
        if version is None or here is None or here == version:
            return None
        return "the value was made with %s %s and cannot be rebuilt with this Python''s %s %s" % (
            package,
            version,
            package,
            here,
        )

    def rebuilder(name):
        """The rebuilder of that name; the tables are made when the first of their kind is asked for."""
        if name not in _rebuilders:
            tables = {
                "np": numpy_rebuilders,
                "pd": pandas_rebuilders,
                "sp": scipy_rebuilders,
                "py": plain_rebuilders,
            }
            make = tables.get(name.partition(".")[0])
            found = make() if make else {}
            if name == "py.exact":
                found[name] = _rebuild_exact
            if name not in found:
                raise Incompatible("the value is of a kind that this version does not know: %s" % name)
            _rebuilders.update(found)
        return _rebuilders[name]

    def _register_wire():
        """Let pickle find the global in whose name rebuilders are called."""
        if WIRE not in sys.modules:
            module = types.ModuleType(WIRE)

            def rebuild(*arguments):
                raise Incompatible("only an unpickler of sqlexec can rebuild this value")

            rebuild.__module__ = WIRE
            rebuild.__qualname__ = "rebuild"
            vars(module)["rebuild"] = rebuild
            sys.modules[WIRE] = module

    def _reducer(kind):
        """The reducer for objects of exactly this type, None for those that pickle knows best."""
        module = getattr(kind, "__module__", None)
        root = module.partition(".")[0] if isinstance(module, str) else ""
        if root in _REDUCERS:
            return _REDUCERS[root](kind)
        if root in _EXACT_VERSION and not issubclass(kind, type):
            return functools.partial(_reduce_exact, root)
        return plain_reducer(kind)

    def _reduce_exact(package, writer, value):
        """An object whose pickle is to be trusted only where the package''s version is the same."""
        plain = _BY_ITSELF(value)
        if isinstance(plain, str):
            return plain
        version = getattr(sys.modules.get(package), "__version__", "")
        return writer.call("py.exact", package, version, plain[0], plain[1]) + tuple(plain[2:])

    def _rebuild_exact(reader, package, version, function, arguments):
        mismatch = package_mismatch(package, version)
        if mismatch is not None:
            raise Incompatible(mismatch)
        return function(*arguments)


    import pickle

    PLAIN = frozenset((int, float, bool, type(None)))
    PLAIN_TEXT = frozenset((str, bytes))

    def is_plain(value):
        """Is it a value that can go together with others''?"""
        kind = type(value)
        return kind in PLAIN or (kind in PLAIN_TEXT and len(value) < BIG)

    class Batch:
        """Collects the values of tasks, one after the other."""

        def __init__(self):
            self.together = []  # type: List[Any]
            self.apart = []  # type: List[Tuple[int, List[int]]]
            self.pieces = []  # type: List[Buffer]

        def add(self, value):
            """Append a plain value."""
            self.together.append(value)

        def add_apart(self, pieces):
            """Append a value that was dumped to pieces, or to none where it could not be."""
            self.apart.append((len(self.together), sizes(pieces)))
            self.pieces.extend(pieces)
            self.together.append(None)

        def close(self, header):
            """Write the header''s entries; gives the body."""
            data = pickle.dumps(self.together, protocol=4)
            header["together"] = [len(data)]
            header["apart"] = self.apart
            return [data] + self.pieces

    def read_batch(
        header, body, offset
    ):
        """The plain values by place, and the pieces of each of the others by place."""
        (data,), offset = take(body, header["together"], offset)
        together = pickle.loads(data)
        apart = {}
        for place, lengths in header["apart"]:
            apart[place], offset = take(body, lengths, offset)
        return together, apart

    def sizes(pieces):
        """Bytes of each piece."""
        return [piece.nbytes if isinstance(piece, memoryview) else len(piece) for piece in pieces]


    import codecs
    import io
    import os
    import sys
    import tempfile

    class Recorder:
        """Stands in for both streams and both descriptors while it is entered as a context.

        `take()` gives what was written since the last call as a list of (stream, text), with
        stream "stdout" or "stderr".
        """

        def __init__(self):
            self._lines = []  # type: Lines
            self._descriptors = []  # type: List[_Descriptor]
            self._saved = (sys.stdout, sys.stderr)

        def __enter__(self):
            self._saved = (sys.stdout, sys.stderr)
            for number, name in ((1, "stdout"), (2, "stderr")):
                self._descriptors.append(_Descriptor(number, name))
            sys.stdout = Stream(self, self._descriptors[0])
            sys.stderr = Stream(self, self._descriptors[1])
            return self

        def __exit__(self, *_):
            sys.stdout, sys.stderr = self._saved
            for descriptor in self._descriptors:
                descriptor.restore()

        def add(self, name, text):
            """Append text to a stream''s record."""
            if text:
                self._lines.append((name, text))

        def take(self):
            """What was written since the last call; neighbours of one stream are one piece."""
            _flush_c()
            for descriptor in self._descriptors:
                if descriptor.has_more():
                    self.add(descriptor.name, descriptor.read())
            if not self._lines:
                return []
            lines, self._lines = self._lines, []
            merged = []  # type: Lines
            start = 0
            for end in range(1, len(lines) + 1):
                if end == len(lines) or lines[end][0] != lines[start][0]:
                    merged.append((lines[start][0], "".join(text for _, text in lines[start:end])))
                    start = end
            return merged

    class Stream(io.TextIOBase):
        """sys.stdout or sys.stderr of a task: records text, and has `buffer` and `fileno()` too."""

        encoding = "utf-8"
        errors = "replace"

        def __init__(self, recorder, descriptor):
            super().__init__()
            self._recorder = recorder
            self._descriptor = descriptor
            self.name = "<%s>" % descriptor.name
            self.buffer = _Bytes(self)

        def write(self, text):
            """Record the text, after what came through the descriptor before it."""
            if not isinstance(text, str):
                raise TypeError("write() argument must be str, not %s" % type(text).__name__)
            if self._descriptor.has_more():
                self._recorder.add(self._descriptor.name, self._descriptor.read())
            self._recorder.add(self._descriptor.name, text)
            return len(text)

        def writable(self):
            """True: it can be written to."""
            return True

        def fileno(self):
            """The real descriptor, for subprocesses and C code; what they write is recorded too."""
            return self._descriptor.number

        def isatty(self):
            """False: nobody sits before it."""
            return False

    class _Bytes(io.RawIOBase):
        """sys.stdout.buffer: bytes in UTF-8, cut anywhere."""

        def __init__(self, stream):
            super().__init__()
            self._stream = stream
            self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

        def write(self, data):
            """Record bytes as text."""
            self._stream.write(self._decode(bytes(data)))
            return len(data)

        def writable(self):
            """True: it can be written to."""
            return True

    class _Descriptor:
        """File descriptor 1 or 2, led into a file for a while.

        Where the process has no such descriptor (a Windows service), there is nothing to lead.
        """

        def __init__(self, number, name):
            self.number = number
            self.name = name
            self._position = 0
            self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
            try:
                self._original = os.dup(number)  # type: Optional[int]
            except OSError:
                self._original = None
                return
            self._file = tempfile.TemporaryFile()
            os.dup2(self._file.fileno(), number)

        def has_more(self):
            """Was something written through the descriptor that was not read yet?"""
            if self._original is None:
                return False
            return os.lseek(self.number, 0, os.SEEK_CUR) > self._position

        def read(self):
            """What was written through the descriptor since the last call."""
            end = os.lseek(self.number, 0, os.SEEK_CUR)
            os.lseek(self.number, self._position, os.SEEK_SET)
            parts = []
            while self._position < end:
                part = os.read(self._file.fileno(), min(end - self._position, 1 << 20))
                if not part:
                    break
                self._position += len(part)
                parts.append(part)
            self._position = os.lseek(self.number, 0, os.SEEK_END)
            return self._decode(b"".join(parts))

        def restore(self):
            """Give the descriptor back to what it was."""
            if self._original is not None:
                os.dup2(self._original, self.number)
                os.close(self._original)
                self._original = None
                self._file.close()

    def _c_library():
        """The C library of this process, whose buffers hold what printf wrote; None without ctypes."""
        try:
            import ctypes

            return ctypes.cdll.msvcrt if os.name == "nt" else ctypes.CDLL(None)
        except (ImportError, OSError):
            return None

    _C_LIBRARY = _c_library()

    def _flush_c():
        if _C_LIBRARY is not None:
            _C_LIBRARY._flushall() if os.name == "nt" else _C_LIBRARY.fflush(None)


    import pickle
    import sys
    import traceback

    LONGEST_CHAIN = 100  # exceptions that are sent of one with its causes and contexts

    def describe(error, own_file):
        """Type name, message and traceback text of an exception.

        Frames of `own_file`, the runner''s, are left out at the top: the user''s function comes first.
        """
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == own_file:
            trace = trace.tb_next
        kind = type(error)
        try:
            lines = traceback.format_exception(kind, error, trace)
        except BaseException:  # noqa: BLE001 - the exception''s own __str__ or __repr__ raised
            lines = traceback.format_tb(trace) + ["%s: %s\n" % (kind.__name__, text_of(error))]
        return {
            "type": "%s.%s" % (kind.__module__, kind.__qualname__),
            "message": text_of(error),
            "traceback": "".join(lines),
        }

    def describe_current(own_file):
        """`describe` of the exception that is being handled."""
        error = sys.exc_info()[1]  # type: Any
        return describe(error, own_file)

    def dump_error(error, dump_one):
        """Pickle an exception with its causes and contexts; no pieces where it cannot be.

        One of its causes that cannot be pickled is named, and spoils nothing else.
        """
        chain = _chain(error)
        places = {id(each): place for place, each in enumerate(chain)}
        links = []
        pieces = [b""]  # type: List[Buffer]
        for each in chain:
            try:
                own = dump_one(each)
            except Exception:  # noqa: BLE001 - whatever a user''s __reduce__ raises
                own = []
            if each is error and not own:
                return []
            links.append(
                (
                    "%s.%s" % (type(each).__module__, type(each).__qualname__),
                    text_of(each),
                    places.get(id(each.__cause__)),
                    places.get(id(each.__context__)),
                    each.__suppress_context__,
                    len(own),
                )
            )
            pieces.extend(own)
        pieces[0] = pickle.dumps(links, protocol=4)
        return pieces

    def load_error(
        pieces,
        load_one,
        stand_in,
    ):
        """Rebuild what `dump_error` wrote, None if the exception itself cannot be.

        `stand_in(type''s name, text)` gives what is taken for a cause that cannot.
        """
        links = pickle.loads(pieces[0])
        chain = []  # type: List[BaseException]
        start = 1
        for name, text, _, _, _, count in links:
            found = _loaded(pieces[start : start + count], load_one)
            if found is None and not chain:
                return None
            chain.append(stand_in(name, text) if found is None else found)
            start += count
        for error, (_, _, cause, context, suppressed, _) in zip(chain, links):
            error.__cause__ = None if cause is None else chain[cause]
            error.__context__ = None if context is None else chain[context]
            error.__suppress_context__ = suppressed
        return chain[0]

    def _loaded(pieces, load_one):
        if not pieces:
            return None
        try:
            found = load_one(pieces)
        except Exception:  # noqa: BLE001 - its class may want other arguments, or be missing here
            return None
        return found if isinstance(found, BaseException) else None

    def _chain(error):
        """The exception and all that it has for cause or context, directly or not."""
        found = [error]
        for each in found:
            for other in (each.__cause__, each.__context__):
                if other is None or any(other is known for known in found):
                    continue
                if len(found) < LONGEST_CHAIN:
                    found.append(other)
        return found


    import hashlib
    import random
    import sys

    def seed_run(seed, index):
        """Seed `random`, and numpy''s global generator where numpy is loaded, for run `index`.

        With numpy 1.17 or later the stream is that of `SeedSequence(seed).spawn(...)[index]`.
        Without a seed nothing is touched.
        """
        if seed is None:
            return
        random.seed(int.from_bytes(hashlib.sha256(b"%d/%d" % (seed, index)).digest(), "big"))
        numpy = sys.modules.get("numpy")
        if numpy is None:
            return
        if hasattr(numpy.random, "SeedSequence"):
            sequence = numpy.random.SeedSequence(seed, spawn_key=(index,))
            numpy.random.seed(sequence.generate_state(8))
        else:
            digest = hashlib.sha256(b"numpy/%d/%d" % (seed, index)).digest()
            words = [int.from_bytes(digest[at : at + 4], "big") for at in range(0, 32, 4)]
            numpy.random.seed(words)


    def globals_of(function):
        """Globals of the function behind partials, bound methods, decorators, callable objects.

        What is written in C has none that anyone could see: a dict of its own.
        """
        for name in ("func", "__func__", "__wrapped__"):
            if not hasattr(function, "__globals__") and hasattr(function, name):
                return globals_of(getattr(function, name))
        if isinstance(function, type):
            function = getattr(function, "__init__", None)
        elif not hasattr(function, "__globals__"):
            function = type(function).__call__
        found = getattr(function, "__globals__", {})  # type: Dict[str, Any]
        return found


    import importlib.machinery
    import json
    import sys
    import types
    import zlib

    class NeedsCloudpickle(Exception):
        """The payload came without cloudpickle, and this Python lacks that version: send it again."""

    def install_cloudpickle(version, pieces):
        """Make `import cloudpickle` give that version; `pieces` is [] or the one that travelled."""
        present = sys.modules.get("cloudpickle")
        if getattr(present, "__version__", None) == version:
            return
        if not pieces:
            try:
                import cloudpickle
            except ImportError:
                raise NeedsCloudpickle("cloudpickle %s" % version)

            if cloudpickle.__version__ != version:
                raise NeedsCloudpickle("cloudpickle %s, it has %s" % (version, cloudpickle.__version__))
            return
        for name in [each for each in sys.modules if each.split(".", 1)[0] == "cloudpickle"]:
            del sys.modules[name]
        sources = _Sources(json.loads(zlib.decompress(bytes(pieces[0])).decode("ascii")))
        sys.meta_path.insert(0, sources)
        try:
            __import__("cloudpickle")
        finally:
            sys.meta_path.remove(sources)

    def has_travelled(module):
        """Did a module come in a payload? The server''s next process will not have it."""
        spec = getattr(module, "__spec__", None)
        return isinstance(getattr(spec, "loader", None), _Sources)

    class _Sources:
        """Finder and loader of modules whose sources are in memory, by name."""

        def __init__(self, sources):
            self._sources = sources

        def find_spec(self, name, path = None, target = None):
            """A spec for the modules that are here."""
            if name not in self._sources:
                return None
            is_package = any(each.startswith(name + ".") for each in self._sources)
            loader = self  # type: Any
            return importlib.machinery.ModuleSpec(name, loader, is_package=is_package)

        def create_module(self, spec):
            """None: an ordinary module."""

        def exec_module(self, module):
            """Run the module''s source."""
            name = module.__name__
            exec(compile(self._sources[name], "<sqlexec>/%s" % name, "exec"), module.__dict__)


    import __future__

    import ast
    import collections
    import importlib
    import importlib.machinery
    import json
    import linecache
    import pickle
    import sys
    import types
    import zlib

    _OUTER = "sqlexec_free"
    _MADE = {}  # type: Dict[int, Any]  # objects of this chunk by the number the client gave them
    _MODULES = {}  # type: Dict[int, types.ModuleType]  # likewise, namespaces
    _BEFORE = []  # type: List[Tuple[Dict[str, Any], str, Any]]  # dict, key, what stood there

    class MissingPackage(ImportError):
        """A package that the function imports on the client is not there on the server."""

    def definition_names():
        """What the client''s pickles call for, by name."""
        names = (
            define,
            complete,
            define_cell,
            user_namespace,
            user_module,
            known,
            define_named_tuple,
            define_type,
            import_package,
            import_name,
            user_name,
        )  # type: Any
        return {each.__name__: each for each in names}

    def install_modules(pieces):
        """Make the user''s modules importable that came whole; `pieces` is [] or their sources."""
        if pieces:
            sources = json.loads(zlib.decompress(bytes(pieces[0])).decode("ascii"))
            sys.meta_path.insert(0, _ModuleFinder(sources))
            for name in sources:
                _replace(sys.modules, name, None)

    def remove_definitions():
        """Leave nothing of the chunk''s definitions behind."""
        finders = [each for each in sys.meta_path if type(each).__name__ == "_ModuleFinder"]
        for finder in finders:
            sys.meta_path.remove(finder)
        while _BEFORE:
            place, key, value = _BEFORE.pop()
            if value is None:
                place.pop(key, None)
            else:
                place[key] = value
        _MADE.clear()
        _MODULES.clear()

    def define(
        number,
        segment,
        space,
        path,
        free,
        cells,
        needed,
    ):
        """A function or class, or what its decorated definition gives; still without its values.

        `path` is its qualified name, `free` the variables that it has from functions around it, in
        `cells`; `needed` are the globals that the definition itself uses.
        """
        if number in _MADE:
            return _MADE[number]
        for name, value in needed.items():
            space.setdefault(name, value)
        _remember_lines(segment)
        code = definition_code(segment, path, free)
        by_name = dict(zip(free, cells))
        closure = tuple(
            by_name[name] if name in by_name else define_cell() for name in code.co_freevars
        )
        function = types.FunctionType(code, space, code.co_name, None, closure)  # type: Any
        if segment[0] in ("def", "lambda"):
            function.__qualname__ = path
            function.__module__ = space.get("__name__")
            made = function
        else:
            made = function()
        _MADE[number] = made
        return made

    def complete(made, state):
        """Give a definition its values: cells, globals, attributes, and the name it stands under."""
        contents, space, names, attributes, public = state
        for cell, value in contents:
            _fill(cell, value)
        for name, value in names.items():
            space.setdefault(name, value)
        for name, value in attributes.items():
            setattr(made, name, value)
        if public is not None:
            space.setdefault(public, made)

    def define_cell(*_):
        """An empty cell."""
        cell = None

        def holder():
            return cell  # noqa: F821 - it is to be empty

        del cell
        closure = holder.__closure__  # type: Any
        return closure[0]

    def user_namespace(
        number, name, file, package, kind
    ):
        """The namespace of one of the user''s modules ("module"), or of code without one ("free").

        That of a module that came "whole" is its own.
        """
        if kind == "whole":
            return importlib.import_module(name).__dict__
        if number not in _MODULES:
            module = types.ModuleType(name)
            module.__dict__["__builtins__"] = __builtins__
            if file is not None:
                module.__file__ = file
            module.__dict__["__package__"] = package
            _MODULES[number] = module
            if kind == "module":
                _stand_in_for(name.rpartition(".")[0])
                _replace(sys.modules, name, module)
        return _MODULES[number].__dict__

    def user_module(name):
        """One of the user''s modules that came whole."""
        return importlib.import_module(name)

    def user_name(name, attribute):
        """A name of one of the user''s modules that came whole."""
        value = importlib.import_module(name)  # type: Any
        for each in attribute.split("."):
            value = getattr(value, each)
        return value

    def known(number):
        """What an earlier pickle of this chunk has defined."""
        return _MADE[number]

    def has_definitions():
        """Has this chunk brought definitions by source?"""
        return bool(_MADE)

    def definitions_pickler(stream):
        """A pickler that names the chunk''s definitions by their numbers, for the client to know them.

        What stands in a module is found by name; this slower way is for what stands in none, local
        classes for example.  It is pickle''s own in Python: all versions let that be changed.
        """
        numbers = {id(value): number for number, value in _MADE.items()}

        class Table:
            def __init__(self, writer):
                self._writer = writer

            def get(self, kind, default = None):
                try:
                    return self._writer[kind]
                except KeyError:
                    return default

        base = pickle._Pickler  # type: Any

        class Pickler(base):  # type: ignore[misc]
            def __setattr__(self, name, value):
                object.__setattr__(self, name, Table(value) if name == "dispatch_table" else value)

            def save_global(self, value, name = None):
                if value is known:
                    self.save("sqlexec")
                    self.save("original")
                    self.write(pickle.STACK_GLOBAL)
                elif id(value) in numbers:
                    self.save_reduce(known, (numbers[id(value)],), obj=value)
                else:
                    base.save_global(self, value, name)

            def save_type(self, value):
                if id(value) in numbers:
                    self.save_global(value)
                else:
                    base.dispatch[type](self, value)

            dispatch = dict(base.dispatch)  # type: Any
            dispatch[type] = save_type
            dispatch[types.FunctionType] = save_global

        return Pickler(stream, 4)

    def define_named_tuple(
        number, space, name, fields, defaults
    ):
        """A class that collections.namedtuple made."""
        if number not in _MADE:
            make = collections.namedtuple  # type: Any
            made = make(name, fields)
            made.__new__.__defaults__ = tuple(defaults) or None
            made.__module__ = space.get("__name__")
            _MADE[number] = made
        return _MADE[number]

    def define_type(
        number, space, kind, name, bases, entries
    ):
        """A class that a call made: type(name, bases, entries), or Enum(name, entries)."""
        if number not in _MADE:
            made = kind(name, bases, entries) if bases is not None else kind(name, entries)
            made.__module__ = space.get("__name__")
            _MADE[number] = made
        return _MADE[number]

    def import_package(name, version = None, submodules = ()):
        """An installed module, with those of its submodules that are used; says who lacks it."""
        try:
            module = importlib.import_module(name)
            for each in submodules:
                importlib.import_module(each)
            return module
        except ImportError as error:
            raise MissingPackage(
                "the function needs the package %r (%sof the client), which the server''s Python %d.%d "
                "cannot import: %s. Install it on the server, or do without it in the function"
                % (
                    name.split(".", 1)[0],
                    "version %s " % version if version else "",
                    sys.version_info[0],
                    sys.version_info[1],
                    error,
                )
            )

    def import_name(module, name, version = None):
        """A name of an installed module: what `from module import name` gives."""
        value = import_package(module, version)
        try:
            for each in name.split("."):
                value = getattr(value, each)
        except AttributeError:
            found = getattr(sys.modules.get(module.split(".", 1)[0]), "__version__", None)
            raise MissingPackage(
                "the function needs %r of module %r (%son the client), which the server''s %s lacks"
                % (
                    name,
                    module,
                    "version %s " % version if version else "",
                    "version %s" % found if found else "Python %d.%d" % tuple(sys.version_info[:2]),
                )
            )
        return value

    def definition_code(
        segment,
        path,
        free,
        flags = -1,
        imported = (),
    ):
        """Compile a definition; gives a function''s code, or that of a function which defines it.

        `flags` are those of the `__future__`; by default annotations are kept as text, since what
        they name may not exist here.  `imported` are names that the module imports: to them Python
        3.11 and later compile calls in another way.
        """
        kind, file, line, text = segment
        body = _parse(kind, line, text)
        node = body[0]  # type: Any
        name = "<lambda>" if kind == "lambda" else node.name
        tree, scopes = _wrapper(path, [each for each in free if each != "__class__"], line)
        if kind == "def":
            node.decorator_list = []
        if not scopes and kind != "lambda" and name not in free:
            body = _placed("global %s" % name, line).body + body
        if kind in ("class", "statement"):
            body = body + _placed("def f():\n return %s" % name, line).body[0].body
        innermost = tree.body[0]
        while isinstance(innermost.body[-1], (ast.FunctionDef, ast.ClassDef)):
            innermost = innermost.body[-1]
        innermost.body = body
        if imported:
            tree.body = _placed("import %s" % ", ".join(imported), line).body + tree.body
        if flags < 0:
            flags = getattr(getattr(__future__, "annotations", None), "compiler_flag", 0)
            if not flags:
                _strip_annotations(tree)
        code = compile(tree, file, "exec", flags, True)
        for scope in [_OUTER] + scopes + ([] if kind in ("class", "statement") else [name]):
            code = _inner_code(code, scope)
        return code

    def _parse(kind, line, text):
        """The statements of a segment, at their own lines and columns."""
        if kind == "lambda":
            tree, before = ast.parse("(\n" + text + "\n)"), 1
        elif text[:1] in (" ", "\t"):
            tree, before = ast.parse("if 1:\n" + text), 1
        else:
            tree, before = ast.parse(text), 0
        ast.increment_lineno(tree, line - 1 - before)
        found = tree.body  # type: Any
        return list(found[0].body if before and kind != "lambda" else found)

    def _wrapper(path, free, line):
        """The functions and classes around a definition, and their names from outer to inner."""
        lines = ["def %s(%s):" % (_OUTER, ", ".join(free))]
        scopes = []  # type: List[str]
        steps = path.split(".")
        for place, name in enumerate(steps[:-1]):
            if not name.isidentifier():
                continue  # "<locals>", or a lambda, which gives no scope that counts
            indent = " " * (len(scopes) + 1)
            if not scopes and name not in free:
                lines.append("%sglobal %s" % (indent, name))
            is_function = steps[place + 1] == "<locals>"
            lines.append("%s%s:" % (indent, "def %s()" % name if is_function else "class %s" % name))
            scopes.append(name)
        lines.append(" " * (len(scopes) + 1) + "pass")
        return _placed("\n".join(lines), line), scopes

    def _placed(text, line):
        """Parsed code, all of it at one line."""
        tree = ast.parse(text)
        for node in ast.walk(tree):
            for name in ("lineno", "end_lineno"):
                if hasattr(node, name):
                    setattr(node, name, line)
        return tree

    def _inner_code(code, name):
        """The last code of that name in another one: those of default values come before it."""
        found = [each for each in code.co_consts if isinstance(each, types.CodeType)]
        for each in reversed(found):
            if each.co_name == name:
                return each
        for each in reversed(found):
            if each.co_name.startswith("<generic parameters"):
                return _inner_code(each, name)
        raise LookupError("no code of the name %s" % name)

    def _strip_annotations(tree):
        """For Python 3.5 and 3.6, which evaluate all of them."""
        for node in ast.walk(tree):  # type: Any
            if isinstance(node, ast.arg):
                node.annotation = None
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                node.returns = None
            elif type(node).__name__ == "AnnAssign":
                node.annotation = ast.copy_location(ast.Str("typing.Any"), node.annotation)  # type: ignore[attr-defined,unused-ignore]

    def _fill(cell, value):
        """Set a cell''s contents; Python 3.6 has no attribute for that."""

        inner = None

        def write(value):
            nonlocal inner
            inner = value

        types.FunctionType(write.__code__, {}, "write", None, (cell,))(value)

    def _remember_lines(segment):
        """Let tracebacks show the user''s text."""
        _, file, line, text = segment
        if not any(place is linecache.cache and key == file for place, key, _ in _BEFORE):
            _replace(linecache.cache, file, (0, None, [], file))
        entry = linecache.cache[file]  # type: Any
        lines = entry[2]
        new = text.splitlines(True)
        lines.extend(["\n"] * (line - 1 + len(new) - len(lines)))
        lines[line - 1 : line - 1 + len(new)] = [each.rstrip("\n") + "\n" for each in new]

    def _replace(place, key, value):
        """Set an item, until remove_definitions."""
        _BEFORE.append((place, key, place.get(key)))
        if value is None:
            place.pop(key, None)
        else:
            place[key] = value

    def _stand_in_for(package):
        """Packages around a user''s module: empty ones do, where the real ones did not come."""
        if not package or package in sys.modules:
            return
        _stand_in_for(package.rpartition(".")[0])
        finders = [each for each in sys.meta_path if isinstance(each, _ModuleFinder)]
        if not any(each.find_spec(package) for each in finders):
            module = types.ModuleType(package)  # type: Any
            module.__path__ = []
            _replace(sys.modules, package, module)

    class _ModuleFinder:
        """Finder and loader of the user''s modules that came whole: name -> (file, source, package?)."""

        def __init__(self, sources):
            self._sources = sources

        def find_spec(self, name, path = None, target = None):
            """A spec for the modules that are here."""
            if name not in self._sources:
                return None
            loader = self  # type: Any
            file, _, is_package = self._sources[name]
            return importlib.machinery.ModuleSpec(name, loader, origin=file, is_package=is_package)

        def create_module(self, spec):
            """None: an ordinary module."""

        def exec_module(self, module):
            """Run the module''s source."""
            file, source, _ = self._sources[module.__name__]
            module.__file__ = file
            _remember_lines(("module", file, 1, source))
            tree = ast.parse(source)
            flags = getattr(getattr(__future__, "annotations", None), "compiler_flag", 0)
            if not flags:
                tree.body = [each for each in tree.body if getattr(each, "module", 0) != "__future__"]
                _strip_annotations(tree)
            exec(compile(tree, file, "exec", flags, True), module.__dict__)


    def step_frame(
        frame,
        vars_to_keep = None,
        vars_to_drop = None,
        row_selection = None,
        transforms = None,
        transform_objects = None,
        transform_function = None,
        transform_variables = None,
        remove_missings_on_read = False,
        remove_missings = False,
        start_row = 1,
        number_rows_read = -1,
    ):
        """Select rows and columns of a DataFrame and compute new ones; the frame itself stays.

        Parameters
        ----------
        frame : pandas.DataFrame
        vars_to_keep, vars_to_drop : str or list of str, optional
            Columns of the result; only one of the two.
        row_selection : str or callable, optional
            An expression for `DataFrame.query`, or a function of the frame that gives a boolean mask.
        transforms : dict of column name -> str or callable, optional
            New columns: an expression for `DataFrame.eval`, or a function of the frame.
        transform_objects : dict, optional
            Names that expressions may use as @name.
        transform_function : callable, optional
            Takes the frame (or its `transform_variables`), returns a frame or a dict of columns.
        remove_missings_on_read, remove_missings : bool
            Leave out rows with a missing value: of the data as read, or of the result.
        start_row : int
            First row to take, from 1.
        number_rows_read : int
            How many rows to take; -1 for all.

        Raises
        ------
        KeyError
            A column that is not there.
        ValueError
            Both vars_to_keep and vars_to_drop, or a start_row below 1.
        """
        if vars_to_keep is not None and vars_to_drop is not None:
            raise ValueError("vars_to_keep and vars_to_drop exclude each other: give one of them")
        if start_row < 1:
            raise ValueError("start_row counts from 1, got %r" % (start_row,))
        if start_row > 1 or number_rows_read >= 0:
            end = None if number_rows_read < 0 else start_row - 1 + number_rows_read
            frame = frame.iloc[start_row - 1 : end].reset_index(drop=True)
        if remove_missings_on_read:
            frame = frame.dropna().reset_index(drop=True)
        scope = dict(transform_objects or {})
        if row_selection is not None:
            if callable(row_selection):
                frame = frame[row_selection(frame)]
            else:
                frame = frame.query(row_selection, local_dict=scope)
            frame = frame.reset_index(drop=True)
        if transforms:
            columns = {}
            for name, rule in transforms.items():
                columns[name] = rule(frame) if callable(rule) else frame.eval(rule, local_dict=scope)
            frame = frame.assign(**columns)
        if transform_function is not None:
            frame = _transformed(frame, transform_function, _names(transform_variables))
        frame = _columns(frame, _names(vars_to_keep), _names(vars_to_drop))
        return frame.dropna().reset_index(drop=True) if remove_missings else frame

    def _transformed(frame, function, names):
        _require(frame, names or [])
        result = function(frame.copy() if names is None else frame[names].copy())
        if isinstance(result, dict):
            return frame.assign(**result)
        if type(result) is not type(frame):
            raise TypeError(
                "transform_function must return a DataFrame or a dict of columns, not %s"
                % type(result).__name__
            )
        return result

    def _columns(frame, keep, drop):
        if keep is not None:
            _require(frame, keep)
            return frame[keep]
        if drop is not None:
            _require(frame, drop)
            return frame.drop(columns=drop)
        return frame

    def _names(names):
        if names is None:
            return None
        return [names] if isinstance(names, str) else list(names)

    def _require(frame, names):
        missing = [name for name in names if name not in frame.columns]
        if missing:
            raise KeyError(
                "the data has no column %s; it has %s"
                % (", ".join(map(repr, missing)), ", ".join(map(repr, list(frame.columns))))
            )


    import importlib.machinery
    import sys
    import types

    _NAMES = ("revoscalepy", "sqlexec")

    class RxSqlServerData:
        """A table or query as a data source.

        The one that was passed as an argument holds its rows already: the engine handed them to
        this process.  One that the function makes itself cannot be read here, since the process
        has no connection of its own.
        """

        def __init__(
            self,
            connection_string = None,
            table = None,
            sql_query = None,
            **options,
        ):
            self.table = table
            self.sql_query = sql_query
            self.options = options
            self._frame = None  # type: Any

        @classmethod
        def of_frame(cls, frame, options):
            """The data source of rows that are here already."""
            source = cls(table=options.get("table"), sql_query=options.get("sql_query"))
            source.options = options
            source._frame = _as_declared(frame, options)
            return source

        def read(self):
            """The rows as a DataFrame of the caller''s own."""
            if self._frame is None:
                raise RuntimeError(
                    "Inside SQL Server a function reads only the data source that it was given as an "
                    "argument: its process has no connection of its own. Make the RxSqlServerData on "
                    "the client and pass it in rx_exec(..., args={...})."
                )
            return _own_copy(self._frame)

        def head(self, n = 6):
            """The first n rows."""
            return self.read().head(n)

        def tail(self, n = 6):
            """The last n rows."""
            return self.read().tail(n)

        def __repr__(self):
            return "RxSqlServerData(%s)" % (self.table or self.sql_query)

    def rx_data_step(input_data = None, output_file = None, **options):
        """Rows of a data source or DataFrame, selected and transformed, as a DataFrame.

        Takes vars_to_keep, vars_to_drop, row_selection, transforms, transform_objects,
        transform_function, transform_variables, start_row and number_rows_read
        (see `data_step.step_frame`); options that only tune reading are accepted.
        """
        if output_file is not None:
            raise NotImplementedError(
                "rx_data_step inside SQL Server returns a DataFrame; it cannot write to an "
                "output_file there. Return the rows from the function and write them on the client."
            )
        for name in _TUNING:
            options.pop(name, None)
        return step_frame(_frame_of(input_data), **options)

    def rx_import(input_data = None, output_file = None, **options):
        """As rx_data_step, and with string_as_factors and column_info as RxSqlServerData has them."""
        declared = {}
        for name in ("string_as_factors", "column_info"):
            declared[name] = options.pop(name, None)
        return _as_declared(rx_data_step(input_data, output_file, **options), declared)

    def rx_get_info(data = None, get_var_info = False, **options):
        """Number of rows and columns, and with `get_var_info` the type and range of each column."""
        frame = _frame_of(data)
        info = {
            "num_rows": len(frame),
            "num_vars": len(frame.columns),
            "var_names": [str(name) for name in frame.columns],
        }  # type: Dict[str, Any]
        if get_var_info:
            info["var_info"] = rx_get_var_info(frame)
        return info

    def rx_get_var_info(data = None, **options):
        """Type of each column, with low and high of the numeric ones."""
        result = {}
        frame = _frame_of(data)
        for name in frame.columns:
            column = frame[name]
            entry = {"var_type": str(column.dtype)}  # type: Dict[str, Any]
            if column.dtype.kind in "iuf" and len(column):
                entry["low"], entry["high"] = column.min(), column.max()
            result[str(name)] = entry
        return result

    def rx_get_var_names(data = None, **options):
        """Names of the columns."""
        return [str(name) for name in _frame_of(data).columns]

    def rx_exec(function, args = None, **options):
        """Run a function here, one run after the other: inside the server there is nowhere else.

        `args` is a dict of named arguments, or a list of them for several runs; `times_to_run`
        repeats a single one.
        """
        times = options.pop("times_to_run", -1)
        options.pop("compute_context", None)
        if options:
            raise NotImplementedError(
                "rx_exec inside SQL Server takes function, args and times_to_run, not %s"
                % ", ".join(sorted(options))
            )
        runs = list(args) if isinstance(args, (list, tuple)) else [args or {}]
        if len(runs) == 1 and times > 0:
            runs = runs * times
        return [function(**run) for run in runs]

    _OURS = {
        "rx_data_step": rx_data_step,
        "rx_import": rx_import,
        "rx_get_info": rx_get_info,
        "rx_get_var_info": rx_get_var_info,
        "rx_get_var_names": rx_get_var_names,
    }  # type: Dict[str, Function]
    _ALIASES = dict(_OURS)  # type: Dict[str, Any]
    _ALIASES.update(RxSqlServerData=RxSqlServerData, rx_exec=rx_exec)
    _TUNING = (
        "append", "overwrite", "max_rows_by_cols", "rows_per_read", "blocks_per_read",
        "report_progress", "verbose", "xdf_compression_level", "compute_low_high",
    )  # fmt: skip

    class _Finder:
        """Answers for our names on sys.meta_path, and for nothing else."""

        def find_spec(self, name, path = None, target = None):
            """The real module''s spec with our loader around its own, or the stand-in''s."""
            if name not in _NAMES:
                return None
            real = importlib.machinery.PathFinder.find_spec(name)
            if real is None:
                return importlib.machinery.ModuleSpec(name, _StandIn())  # type: ignore[arg-type]
            if real.loader is not None:
                real.loader = _Wrapping(real.loader)  # type: ignore[assignment]
            return real

    class _StandIn:
        """Loader of the module that stands in."""

        def create_module(self, spec):
            """An empty stand-in module."""
            return _Module(spec.name)

        def exec_module(self, module):
            """Fill it."""
            module.__dict__.update(_ALIASES)
            module.__dict__["__path__"] = []  # from revoscalepy.functions import ... says what lacks

    class _Module(types.ModuleType):
        """A module that says of what it lacks why it lacks it."""

        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            raise AttributeError(
                "%s.%s is not there: this server has no %s, and the small module that sqlexec puts in "
                "its place has only %s" % (self.__name__, name, self.__name__, ", ".join(_ALIASES))
            )

    class _Wrapping:
        """Loader that runs the real one''s loader, then puts our functions before its own."""

        def __init__(self, loader):
            self._loader = loader

        def create_module(self, spec):
            """As the real loader does it."""
            return self._loader.create_module(spec)

        def exec_module(self, module):
            """Load the real module and wrap the functions that take a data source."""
            self._loader.exec_module(module)
            for name, ours in _OURS.items():
                theirs = getattr(module, name, None)
                if theirs is not None:
                    setattr(module, name, _either(ours, theirs))

        def __getattr__(self, name):
            return getattr(self._loader, name)

    def _either(ours, theirs):
        """A function that is ours for our data source and theirs for all else."""

        def function(*args, **options):
            data = args[0] if args else options.get("input_data", options.get("data"))
            return (ours if isinstance(data, RxSqlServerData) else theirs)(*args, **options)

        function.__name__ = getattr(theirs, "__name__", ours.__name__)
        function.__doc__ = theirs.__doc__
        return function

    def install_stand_in():
        """Put the finder in front, once a process."""
        if not any(type(finder).__name__ == "_Finder" for finder in sys.meta_path):
            sys.meta_path.insert(0, _Finder())

    def remove_stand_in():
        """Take the finder away, and the modules that stand in."""
        sys.meta_path[:] = [each for each in sys.meta_path if type(each).__name__ != "_Finder"]
        for name in _NAMES:
            if type(sys.modules.get(name)).__name__ == "_Module":
                del sys.modules[name]

    def client_names():
        """What to take for names of the client''s sqlexec that a pickled function refers to."""
        return _ALIASES

    def _frame_of(data):
        if isinstance(data, RxSqlServerData):
            return data.read()
        if hasattr(data, "iloc") and hasattr(data, "columns"):
            return data
        raise TypeError(
            "expected the data source that was passed to the function, or a DataFrame, got %s"
            % type(data).__name__
        )

    def _own_copy(frame):
        """A frame that can be changed without changing the data source''s; lazy where pandas can."""
        import pandas

        lazy = int(pandas.__version__.split(".")[0]) >= 3  # copy-on-write is pandas 3''s only mode
        return frame.copy(deep=not lazy)

    def _as_declared(frame, options):
        """Apply column_info and string_as_factors, as the data source asks for them."""
        columns = options.get("column_info") or {}
        for name, info in columns.items():
            if name not in frame.columns:
                raise KeyError("column_info names the column %r, which the query does not give" % name)
            kind = info.get("type")
            if kind == "factor" or info.get("levels") is not None:
                frame[name] = _factor(frame[name], info)
            elif kind in _TYPES:
                frame[name] = frame[name].astype(_TYPES[kind])
            elif kind is not None:
                raise ValueError("column_info of %r has the unknown type %r" % (name, kind))
        if options.get("string_as_factors"):
            for name in frame.columns:
                dtype = frame[name].dtype
                if dtype.kind == "O" and not hasattr(dtype, "categories"):
                    frame[name] = frame[name].astype("category")
        names = {name: info["newName"] for name, info in columns.items() if "newName" in info}
        return frame.rename(columns=names) if names else frame

    def _factor(column, info):
        import pandas

        levels = info.get("levels")
        known = column if levels is None else column.where(column.isin(levels))
        factor = pandas.Categorical(known, categories=levels)
        new = info.get("newLevels")
        return factor.rename_categories(new) if new is not None else factor

    _TYPES = {
        "bool": "bool",
        "integer": "int32",
        "int16": "int16",
        "uint16": "uint16",
        "float32": "float32",
        "numeric": "float64",
        "character": "object",
        "Date": "datetime64[ns]",
    }


    import os
    import platform
    import struct
    import sys
    import time
    import warnings

    PROTOCOL = 1
    MOST_WARNINGS = 100  # kept of one task

    _TOLD = (  # packages whose versions the other side is told
        "cloudpickle",
        "numpy",
        "pandas",
        "pyarrow",
        "scipy",
        "sklearn",
        "statsmodels",
        "dateutil",
        "pytz",
        "revoscalepy",
    )

    _OWN_FILE = (lambda: 0).__code__.co_filename

    def run_chunk(payload, input_data = None):
        """Run the tasks of a payload; gives the result''s bytes and how many tasks raised.

        Whatever goes wrong is told in the result, sealed with the payload''s key where that much
        could be read.
        """
        key = b""
        try:
            header, body = split_frame(payload, REQUEST)
            key = bytes.fromhex(header["key"])
            report = _Chunk(header, body, input_data).run()
            answer = {}  # type: Dict[str, Any]
            pieces = report.close(answer)
            return _result(answer, pieces, key), len(report.errors)
        except FrameError as error:
            failure = {"type": "sqlexec.IntegrityError", "message": "the payload arrived broken: %s"}
            failure["message"] %= error
            return _result({"failure": failure}, [], key), 1
        except BaseException:  # noqa: BLE001 - the promise of this function
            return _result({"failure": describe_current(_OWN_FILE)}, [], key), 1

    def runtime():
        """What this process is, for the client to remember: versions and platform."""
        packages = {}
        for name in _TOLD:
            module = sys.modules.get(name)
            version = getattr(module, "__version__", None)
            if isinstance(version, str) and not has_travelled(module):
                packages[name] = version
        return {
            "python": list(sys.version_info[:3]),
            "implementation": platform.python_implementation(),
            "platform": sys.platform,
            "process_id": os.getpid(),
            "packages": packages,
        }

    class NeedsSource(Exception):
        """The payload has bytecode of another Python than this one: send it again, by source."""

    class _Chunk:
        """The tasks of one payload, and what they share."""

        def __init__(self, header, body, input_data):
            self._header = header
            self._body = body
            self._seed = header.get("seed")  # type: Optional[int]
            self._input = header.get("input") or None  # type: Optional[Dict[str, Any]]
            self._input_data = input_data
            self._offset = 0
            self._by_source = header["transport"] == "source"
            self._aliases = client_names()
            if self._by_source:
                self._aliases = dict(self._aliases, **definition_names())
            self._sender = header.get("sender")  # type: Optional[Dict[str, Any]]

        def run(self):
            """Run all tasks."""
            if not self._by_source:
                _check_python(self._header)
            report = _Report()
            install_stand_in()
            try:
                with Recorder() as recorder, _Warnings() as warned:
                    function, shared = self._load_call()
                    (indexes,) = self._take("indexes")
                    plain, apart = read_batch(self._header, self._body, self._offset)
                    for place, index in enumerate(struct.unpack("<%dq" % len(plain), indexes)):
                        self._run_task(report, index, function, shared, plain[place], apart.get(place))
                        report.end_task(index, recorder.take(), warned.take())
            finally:
                remove_definitions()
                remove_stand_in()
            return report

        def _load_call(self):
            """The function, with its local state as globals, and the arguments that all runs share."""
            cloudpickle = self._take("cloudpickle")
            if not self._by_source:
                install_cloudpickle(self._header["cloudpickle_version"], cloudpickle)
            install_modules(self._take("modules"))
            for name in self._header["packages"]:
                _import_package(name)
            function, shared, local_state = load(self._take("call"), self._aliases, self._sender)
            if local_state:
                globals_of(function).update(local_state)
            if self._input is not None:
                shared[self._input["argument"]] = RxSqlServerData.of_frame(
                    self._input_data, self._input["options"]
                )
                self._input_data = None
            return function, shared

        def _take(self, name):
            """The next pieces of the body, whose lengths the header has under that name."""
            pieces, self._offset = take(self._body, self._header[name], self._offset)
            return pieces

        def _run_task(
            self,
            report,
            index,
            function,
            shared,
            own,
            pieces,
        ):
            """Run one task and report its value or error; `own` are its arguments, or `pieces`."""
            report.started.append(time.time())
            try:
                if pieces is not None:
                    own = load(pieces, self._aliases, self._sender)
                seed_run(self._seed, index)
                value = function(**dict(shared, **own)) if shared else function(**own)
                report.ended.append(time.time())
                if is_plain(value):
                    report.values.add(value)
                else:
                    report.values.add_apart(_dump_anyhow(value))
            except BaseException as error:  # noqa: BLE001 - a task may raise what it likes
                report.fail(error)

    class _Report:
        """What became of the tasks, in the order in which they ran."""

        def __init__(self):
            self.started = []  # type: List[float]
            self.ended = []  # type: List[float]
            self.values = Batch()
            self.errors = {}  # type: Dict[int, Dict[str, str]]
            self._indexes = []  # type: List[int]
            self._console = {}  # type: Dict[int, Lines]
            self._warnings = {}  # type: Dict[int, List[WarningKey]]

        def fail(self, error):
            """Take the running task''s exception for its value."""
            if len(self.ended) < len(self.started):
                self.ended.append(time.time())
            self.errors[len(self._indexes)] = describe(error, _OWN_FILE)
            self.values.add_apart(dump_error(error, _dump_anyhow))

        def end_task(self, index, console, warned):
            """Go on to the next task."""
            if console:
                self._console[len(self._indexes)] = console
            if warned:
                self._warnings[len(self._indexes)] = warned
            self._indexes.append(index)

        def close(self, header):
            """Write the header''s entries; gives the body."""
            count = len(self._indexes)
            header["count"] = count
            header["errors"] = self.errors
            header["console"] = self._console
            header["warnings"] = self._warnings
            return [
                struct.pack("<%dq" % count, *self._indexes),
                struct.pack("<%dd" % count, *self.started),
                struct.pack("<%dd" % count, *self.ended),
            ] + self.values.close(header)

    class _Warnings:
        """Keeps the warnings of each task, each once a task, and not too many."""

        def __init__(self):
            self._seen = {}  # type: Dict[WarningKey, None]
            self._catcher = warnings.catch_warnings()

        def __enter__(self):
            self._catcher.__enter__()
            show = self._show  # type: Any
            warnings.showwarning = show
            return self

        def __exit__(self, *error):
            self._catcher.__exit__(*error)

        def take(self):
            """The warnings since the last call."""
            if not self._seen:
                return []
            seen, self._seen = self._seen, {}
            # Entered anew, so that Python forgets at which places it has warned already.
            self._catcher.__exit__(None, None, None)
            self._catcher = warnings.catch_warnings()
            self.__enter__()
            return list(seen)

        def _show(self, message, category, filename, lineno, *_):
            if len(self._seen) < MOST_WARNINGS:
                self._seen[(category.__name__, str(message), filename, lineno)] = None

    def _dump_anyhow(value):
        """Pickle a result: plainly, or by cloudpickle where it has classes of the function''s own."""
        try:
            return dump(value)
        except Exception as plain_error:  # noqa: BLE001 - cloudpickle''s error is the one that tells
            error = plain_error  # type: Exception
            try:
                return dump(value, by_value=definitions_pickler if has_definitions() else True)
            except ImportError:  # no cloudpickle here
                pass
            except Exception as other_error:  # noqa: BLE001 - whatever a user''s __reduce__ raises
                error = other_error
            raise TypeError(
                "the function''s result of type %s cannot be sent back: %s"
                % (type(value).__name__, error)
            )

    def _result(header, pieces, key):
        header["protocol"] = PROTOCOL
        header["runtime"] = runtime()
        return join_frame(RESULT, header, pieces, key)

    def _check_python(header):
        if list(sys.version_info[:2]) != header["python"][:2]:
            raise NeedsSource(
                "bytecode of Python %d.%d, it is Python %d.%d"
                % (tuple(header["python"][:2]) + tuple(sys.version_info[:2]))
            )

    def _import_package(name):
        try:
            __import__(name)
        except ImportError as error:
            raise ImportError(
                "packages_to_load names %r, which the server''s Python cannot import: %s" % (name, error)
            )
    return run_chunk
try:
    sqlexec_input = InputDataSet
except NameError:  # a runtime that sets no name where there is no input query
    sqlexec_input = None
try:
    result, failed_count = sqlexec_runner()(payload, sqlexec_input)
    result_length = len(result)
finally:
    del sqlexec_runner, sqlexec_input
';
END;
GO

-- sqlexec.execute_chunk.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.execute_chunk
    @protocol int,
    @job_id uniqueidentifier,
    @chunk_number int,
    @task_count int,
    @payload varbinary(max),
    @input_query nvarchar(max) = N'',
    @result varbinary(max) = NULL OUTPUT,
    @result_length int = NULL OUTPUT
AS
/*
Purpose: run one chunk of tasks in one external Python process, and log that it ran.
Version: 0.1.0

@protocol       of the client; it must be the runner's.
@job_id, @chunk_number, @task_count   for the log alone.
@payload        made by the client, read by the runner; T-SQL never looks inside.
@input_query    one SELECT, run with the caller's own rights; its rows go to the function.
@result         made by the runner, signed for the client.
@result_length  bytes that the runner gave: where @result has fewer, the runtime cut it.

The caller needs EXECUTE on this procedure and EXECUTE ANY EXTERNAL SCRIPT in the database:
the role sqlexec_user has both. Rights on the tables of the query are the caller's own.
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @log_id bigint;
    DECLARE @script nvarchar(max);
    DECLARE @own_protocol int;
    DECLARE @own_version nvarchar(32);
    DECLARE @message nvarchar(2048);
    DECLARE @failed_count int;
    DECLARE @error_number int;
    DECLARE @started_at datetime2(3) = SYSUTCDATETIME();

    EXECUTE sqlexec.runner
        @source = @script OUTPUT,
        @protocol = @own_protocol OUTPUT,
        @version = @own_version OUTPUT;

    IF @protocol IS NULL OR @protocol <> @own_protocol
    BEGIN
        SET @message = CONCAT(
            N'The sqlexec bundle in database ', DB_NAME(), N' is of version ', @own_version,
            N' and speaks protocol ', @own_protocol, N', the client speaks protocol ', @protocol,
            N': bring both to the same version.');
        THROW 51701, @message, 1;
    END;
    IF @payload IS NULL OR @job_id IS NULL OR @chunk_number IS NULL OR @task_count IS NULL
        THROW 51702, N'sqlexec.execute_chunk: @payload, @job_id, @chunk_number and @task_count must have values.', 1;

    INSERT INTO sqlexec.chunk_log
        (job_id, chunk_number, login_name, user_name, application_name, host_name, session_id,
         task_count, payload_bytes, started_at, status)
    VALUES
        (@job_id, @chunk_number, ORIGINAL_LOGIN(), USER_NAME(), APP_NAME(), HOST_NAME(), @@SPID,
         @task_count, DATALENGTH(@payload), @started_at, 'running');
    SET @log_id = SCOPE_IDENTITY();

    BEGIN TRY
        EXECUTE sys.sp_execute_external_script
            @language = N'Python',
            @script = @script,
            @input_data_1 = @input_query,
            @params = N'@payload varbinary(max), @result varbinary(max) OUTPUT, @result_length int OUTPUT, @failed_count int OUTPUT',
            @payload = @payload,
            @result = @result OUTPUT,
            @result_length = @result_length OUTPUT,
            @failed_count = @failed_count OUTPUT;

        UPDATE sqlexec.chunk_log
        SET status = CASE WHEN @failed_count > 0 THEN 'tasks failed' ELSE 'finished' END,
            failed_count = @failed_count,
            result_bytes = @result_length,
            ended_at = SYSUTCDATETIME(),
            duration_ms = DATEDIFF(MILLISECOND, @started_at, SYSUTCDATETIME())
        WHERE log_id = @log_id;
    END TRY
    BEGIN CATCH
        SET @error_number = ERROR_NUMBER();
        -- A doomed transaction of the caller's takes the log row with it.
        IF XACT_STATE() <> -1
            UPDATE sqlexec.chunk_log
            SET status = 'failed',
                error_number = @error_number,
                ended_at = SYSUTCDATETIME(),
                duration_ms = DATEDIFF(MILLISECOND, @started_at, SYSUTCDATETIME())
            WHERE log_id = @log_id;
        THROW;
    END CATCH;
END;
GO

-- sqlexec.info.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.info
AS
/*
Purpose: what is installed here, and what the caller may do: one row.
Version: 0.1.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @version nvarchar(32);
    DECLARE @protocol int;
    DECLARE @source_sha256 char(64);

    EXECUTE sqlexec.runner
        @source_sha256 = @source_sha256 OUTPUT,
        @protocol = @protocol OUTPUT,
        @version = @version OUTPUT;

    SELECT
        @version AS version,
        @protocol AS protocol,
        @source_sha256 AS runner_sha256,
        (
            SELECT o.modify_date
            FROM sys.objects AS o
            WHERE o.object_id = OBJECT_ID(N'sqlexec.runner')
        ) AS installed_at,
        DB_NAME() AS database_name,
        CAST(SERVERPROPERTY(N'ServerName') AS nvarchar(128)) AS server_name,
        CAST(SERVERPROPERTY(N'ProductVersion') AS nvarchar(128)) AS product_version,
        CAST(SERVERPROPERTY(N'Edition') AS nvarchar(128)) AS edition,
        SUSER_SNAME() AS login_name,
        USER_NAME() AS user_name,
        HAS_PERMS_BY_NAME(N'sqlexec.execute_chunk', N'OBJECT', N'EXECUTE') AS may_execute_chunk,
        HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'EXECUTE ANY EXTERNAL SCRIPT') AS may_run_scripts,
        (
            SELECT CAST(c.value_in_use AS int)
            FROM sys.configurations AS c
            WHERE c.name = N'external scripts enabled'
        ) AS external_scripts_enabled;
END;
GO

-- sqlexec.sqlexec_user.role.sql
/*
Purpose: the role of those who run functions: EXECUTE on the procedures, and the database
         permission that every caller of an external script needs. No rights on tables.
Version: 0.1.0
*/
IF DATABASE_PRINCIPAL_ID(N'sqlexec_user') IS NULL
    CREATE ROLE sqlexec_user AUTHORIZATION dbo;
GRANT EXECUTE ON OBJECT::sqlexec.execute_chunk TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.info TO sqlexec_user;
GRANT EXECUTE ANY EXTERNAL SCRIPT TO sqlexec_user;
GO
