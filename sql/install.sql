/*
sqlexec 0.2.0: runs Python functions inside SQL Server, next to the data.

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
Version: 0.2.0
*/
IF SCHEMA_ID(N'sqlexec') IS NULL
    EXECUTE (N'CREATE SCHEMA sqlexec AUTHORIZATION dbo;');
GO

-- sqlexec.chunk_log.table.sql
/*
Purpose: a row for every chunk that was run: who, when, how much, how it ended. No user data:
         neither payloads nor results nor console text, and no texts of errors.
         login_name is whose rights counted, original_login who had logged in: for a job of
         SQL Server Agent its service. A column that a later version brings is an ALTER TABLE
         below, so that new tables and old ones become the same.
Version: 0.2.0
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
IF COL_LENGTH(N'sqlexec.chunk_log', N'original_login') IS NULL
    ALTER TABLE sqlexec.chunk_log ADD original_login nvarchar(128) NULL;
IF COL_LENGTH(N'sqlexec.chunk_log', N'input_rows') IS NULL
    ALTER TABLE sqlexec.chunk_log ADD input_rows bigint NULL;
GO

-- sqlexec.blob.table.sql
/*
Purpose: payloads and results of durable jobs, each content once a job, by its SHA-256. Nobody has
         rights on it: a job's owner gets them through sqlexec.fetch_results.
Version: 0.2.0
*/
IF OBJECT_ID(N'sqlexec.blob', N'U') IS NULL
    CREATE TABLE sqlexec.blob
    (
        job_id uniqueidentifier NOT NULL,
        blob_sha256 binary(32) NOT NULL,
        content varbinary(max) NOT NULL,
        CONSTRAINT pk_blob PRIMARY KEY (job_id, blob_sha256)
    );
GO

-- sqlexec.job.table.sql
/*
Purpose: durable jobs: whose, what of it is done, how it ended. No user data.
         state: QUEUED, RUNNING, FINISHED, FAILED, CANCELED.
Version: 0.2.0
*/
IF OBJECT_ID(N'sqlexec.job', N'U') IS NULL
BEGIN
    CREATE TABLE sqlexec.job
    (
        job_id uniqueidentifier NOT NULL CONSTRAINT pk_job PRIMARY KEY,
        owner_sid varbinary(85) NOT NULL,
        login_name nvarchar(128) NOT NULL,
        application_name nvarchar(128) NULL,
        host_name nvarchar(128) NULL,
        description nvarchar(400) NOT NULL,
        state varchar(10) NOT NULL,
        detached bit NOT NULL,
        worker_count int NOT NULL,
        task_count int NOT NULL,
        chunk_count int NOT NULL,
        chunks_done int NOT NULL CONSTRAINT df_job_chunks_done DEFAULT 0,
        chunks_failed int NOT NULL CONSTRAINT df_job_chunks_failed DEFAULT 0,
        tasks_done int NOT NULL CONSTRAINT df_job_tasks_done DEFAULT 0,
        tasks_failed int NOT NULL CONSTRAINT df_job_tasks_failed DEFAULT 0,
        most_attempts int NOT NULL,
        stop_on_error bit NOT NULL,
        timeout_seconds int NULL,
        grace_seconds int NOT NULL,
        auto_cleanup bit NOT NULL,
        console_output bit NOT NULL,
        protocol int NOT NULL,
        result_key varbinary(32) NOT NULL,
        client nvarchar(max) NOT NULL,
        payloads_sha256 binary(32) NOT NULL,
        shared_sha256 binary(32) NOT NULL,
        submitted_at datetime2(3) NOT NULL,
        started_at datetime2(3) NULL,
        active_at datetime2(3) NOT NULL,
        ended_at datetime2(3) NULL,
        error_number int NULL,
        error_message nvarchar(2048) NULL
    );
    CREATE NONCLUSTERED INDEX ix_job_owner ON sqlexec.job (owner_sid, submitted_at);
    CREATE NONCLUSTERED INDEX ix_job_state ON sqlexec.job (state);
END;
GO

-- sqlexec.chunk.table.sql
/*
Purpose: the chunks of durable jobs: which worker has which, what came of it.
         state: waiting, running, done, failed. A chunk that is done has a result, or the error that
         its tasks end with. first_place: of its first task among those of its payload.
Version: 0.2.0
*/
IF OBJECT_ID(N'sqlexec.chunk', N'U') IS NULL
    CREATE TABLE sqlexec.chunk
    (
        job_id uniqueidentifier NOT NULL,
        chunk_number int NOT NULL,
        state varchar(8) NOT NULL,
        first_task int NOT NULL,
        task_count int NOT NULL,
        payload_start bigint NOT NULL,
        payload_bytes bigint NOT NULL,
        input_query nvarchar(max) NOT NULL,
        attempt_count int NOT NULL CONSTRAINT df_chunk_attempt_count DEFAULT 0,
        worker_id uniqueidentifier NULL,
        completed_number int NULL,
        result_sha256 binary(32) NULL,
        result_encoding varchar(6) NULL,
        result_length int NULL,
        header_length int NULL,
        failed_count int NULL,
        started_at datetime2(3) NULL,
        ended_at datetime2(3) NULL,
        error_number int NULL,
        error_message nvarchar(2048) NULL,
        CONSTRAINT pk_chunk PRIMARY KEY (job_id, chunk_number)
    );
IF COL_LENGTH(N'sqlexec.chunk', N'first_place') IS NULL
    ALTER TABLE sqlexec.chunk ADD first_place int NOT NULL CONSTRAINT df_chunk_first_place DEFAULT 0;
GO

-- sqlexec.worker.table.sql
/*
Purpose: the sessions that work for durable jobs, while they do. One lives as long as it holds
         the application lock of its name; no clock is asked.
Version: 0.2.0
*/
IF OBJECT_ID(N'sqlexec.worker', N'U') IS NULL
BEGIN
    CREATE TABLE sqlexec.worker
    (
        worker_id uniqueidentifier NOT NULL CONSTRAINT pk_worker PRIMARY KEY,
        job_id uniqueidentifier NOT NULL,
        kind varchar(6) NOT NULL,
        session_id int NOT NULL,
        started_at datetime2(3) NOT NULL
    );
    CREATE NONCLUSTERED INDEX ix_worker_job ON sqlexec.worker (job_id);
END;
GO

-- sqlexec.setting.table.sql
/*
Purpose: the limits that members of sqlexec_admin set by sqlexec.configure; 0 for none. A limit that
         a later version brings is a row that its installation adds.
Version: 0.2.0
*/
IF OBJECT_ID(N'sqlexec.setting', N'U') IS NULL
    CREATE TABLE sqlexec.setting
    (
        setting_name varchar(32) NOT NULL CONSTRAINT pk_setting PRIMARY KEY,
        setting_value bigint NOT NULL,
        description nvarchar(200) NOT NULL,
        changed_at datetime2(3) NULL,
        changed_by nvarchar(128) NULL
    );
INSERT INTO sqlexec.setting (setting_name, setting_value, description)
SELECT d.setting_name, 0, d.description
FROM (
    VALUES
        ('kept_days', N'how long ended jobs and the rows of the log are kept'),
        ('largest_payload_bytes', N'of a call, or of all calls of a durable job'),
        ('longest_run_seconds', N'of one run of a function'),
        ('most_workers_per_login', N'external processes of a login at the same time')
) AS d (setting_name, description)
WHERE NOT EXISTS (SELECT 1 FROM sqlexec.setting AS s WHERE s.setting_name = d.setting_name);
GO

-- sqlexec.activity.view.sql
CREATE OR ALTER VIEW sqlexec.activity
AS
/*
Purpose: the calls of external scripts that run now: one's own; those of all for members of
         sqlexec_admin and db_owner. Whoever may see all sessions (VIEW SERVER STATE) is not shown
         calls whose sessions are gone.
Version: 0.2.0
Licence: MIT.
*/
SELECT
    l.log_id,
    l.login_name,
    l.original_login,
    l.host_name,
    l.application_name,
    l.session_id,
    l.job_id,
    j.description,
    l.chunk_number,
    l.task_count,
    l.payload_bytes,
    l.started_at,
    DATEDIFF(SECOND, l.started_at, SYSUTCDATETIME()) AS running_seconds
FROM sqlexec.chunk_log AS l
LEFT JOIN sqlexec.job AS j ON j.job_id = l.job_id
LEFT JOIN sys.dm_exec_sessions AS s ON s.session_id = l.session_id
WHERE l.status = 'running'
    AND (s.session_id IS NOT NULL OR ISNULL(HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW SERVER STATE'), 0) = 0)
    AND (
        l.login_name = SUSER_SNAME()
        OR IS_ROLEMEMBER(N'sqlexec_admin') = 1
        OR IS_ROLEMEMBER(N'db_owner') = 1);
GO

-- sqlexec.history.view.sql
CREATE OR ALTER VIEW sqlexec.history
AS
/*
Purpose: the calls of external scripts that have ended: one's own; those of all for members of
         sqlexec_admin and db_owner.
Version: 0.2.0
Licence: MIT.
*/
SELECT
    l.log_id,
    l.login_name,
    l.original_login,
    l.host_name,
    l.application_name,
    l.session_id,
    l.job_id,
    l.chunk_number,
    l.task_count,
    l.failed_count,
    l.input_rows,
    l.payload_bytes,
    l.result_bytes,
    l.started_at,
    l.ended_at,
    l.duration_ms,
    l.status,
    l.error_number
FROM sqlexec.chunk_log AS l
WHERE l.status <> 'running'
    AND (
        l.login_name = SUSER_SNAME()
        OR IS_ROLEMEMBER(N'sqlexec_admin') = 1
        OR IS_ROLEMEMBER(N'db_owner') = 1);
GO

-- sqlexec.help.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.help
    @procedure sysname
AS
/*
Purpose: tell what a procedure of this schema is for: its header, a line a row, and a row for each
         of its parameters. Every public procedure calls it for @help = 1.
Version: 0.2.0

@procedure  its name, without the schema.

Example: EXECUTE sqlexec.help @procedure = N'execute_chunk';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @object_id int = OBJECT_ID(N'sqlexec.' + QUOTENAME(@procedure), N'P');
    DECLARE @text nvarchar(max) = REPLACE(OBJECT_DEFINITION(@object_id), NCHAR(13), N'');
    DECLARE @start int = CHARINDEX(N'/*', @text) + 3;
    DECLARE @lines TABLE (line_number int NOT NULL PRIMARY KEY, line nvarchar(400) NOT NULL);
    DECLARE @message nvarchar(2048);

    IF @text IS NULL
    BEGIN
        SET @message = CONCAT(N'There is no procedure sqlexec.', QUOTENAME(@procedure), N' that you may read.');
        THROW 51702, @message, 1;
    END;

    -- A JSON list has an order, which STRING_SPLIT has not.
    SET @text = SUBSTRING(@text, @start, CHARINDEX(N'*/', @text) - @start - 1);
    SET @text = REPLACE(REPLACE(@text, N'\', N'\\'), N'"', N'\"');
    SET @text = N'["' + REPLACE(@text, NCHAR(10), N'","') + N'"]';
    INSERT INTO @lines (line_number, line)
    SELECT CAST(l.[key] AS int) + 1, l.value
    FROM OPENJSON(@text) AS l;

    SELECT l.line AS help
    FROM @lines AS l
    ORDER BY l.line_number;

    SELECT
        p.name AS parameter,
        CONCAT(
            TYPE_NAME(p.user_type_id),
            CASE
                WHEN p.max_length = -1 THEN N'(max)'
                WHEN TYPE_NAME(p.user_type_id) = N'nvarchar' THEN CONCAT(N'(', p.max_length / 2, N')')
                WHEN TYPE_NAME(p.user_type_id) IN (N'varchar', N'char', N'varbinary')
                THEN CONCAT(N'(', p.max_length, N')')
            END) AS type,
        p.is_output,
        (
            SELECT MIN(LTRIM(SUBSTRING(l.line, LEN(p.name) + 1, 400)))
            FROM @lines AS l
            WHERE l.line LIKE p.name + N' %'
        ) AS description
    FROM sys.parameters AS p
    WHERE p.object_id = @object_id
    ORDER BY p.parameter_id;
END;
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
Version: 0.2.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    SET @version = N'0.2.0';
    SET @protocol = 2;
    SET @source_sha256 = 'ed1cb8360ee7cf0026595eb6ce23cecbb4fd7d86590b73f3cb2f95f2c7243b58';
    SET @source = N'# sqlexec runner 0.2.0: runs the tasks of one chunk; see sqlexec/runner in the source.
# in: payload, shared (bytes); longest_run_seconds, seconds_left (0: no limit); first_place,
# task_count (0: all) of those of its tasks that are to run; rows in: InputDataSet
# out: result, result_length, header_length, failed_count, probe, input_rows
# rows out: OutputDataSet, where the result leaves in rows
result, result_length, header_length, failed_count, probe, input_rows = b"", 0, 0, 0, b"", 0
def sqlexec_runner():


    import hashlib
    import hmac
    import io
    import json
    import os
    import struct
    import threading

    WIRE_VERSION = 1
    REQUEST = 1
    RESULT = 2
    LARGEST = 2**31 - 1 - 1024  # bytes of a frame that a varbinary(max) is sure to hold

    _MAGIC = b"sqlx"
    _START = struct.Struct("<4sHH")
    _SEALED = _START.size + 32  # where what the seal covers goes on
    _LENGTH = _SEALED + 32  # where the header''s length is
    _HEADER = _LENGTH + 4
    _PART = 8 * 1024 * 1024  # bytes of the body that are hashed by themselves
    _MOST_THREADS = 4

    class FrameError(Exception):
        """Bytes that are no frame of this version, or are cut, changed, or sealed with another key."""

    class TooLarge(ValueError):
        """More bytes than one frame can have."""

    class Header(dict):  # type: ignore[type-arg]
        """A frame''s header; an entry that it lacks is an error of the frame."""

        def __missing__(self, name):
            raise FrameError("its header lacks %r" % name)

    def join_frame(
        kind, header, body, key = b""
    ):
        """Put a frame together; `key` b"" seals with a plain SHA-256. The body is copied once.

        TooLarge comes before anything of the body is copied.
        """
        text = json.dumps(header, ensure_ascii=True, separators=(",", ":")).encode("ascii")
        size = _HEADER + len(text) + sum(sizes(body))
        check_size(size)
        parts = list(_parts(body))
        hashes = _Hashes(parts)
        frame = io.BytesIO(bytes(size))  # it gives these very bytes in the end, not a copy
        frame.seek(_HEADER)
        frame.write(text)
        for part in parts:
            for view in part:
                frame.write(view)
        start = _START.pack(_MAGIC, WIRE_VERSION, kind)
        rest = hashes.digest() + struct.pack("<I", len(text))
        frame.seek(0)
        frame.write(start + _seal(start, rest + text, key) + rest)
        return frame.getvalue()

    def split_frame(data, kind, key = b""):
        """Check a frame''s seal and give its header and a view of its body; FrameError if it fails."""
        view = memoryview(data)
        header, start = _checked_header(view, kind, key)
        body = view[start:]
        if _Hashes(list(_parts([body]))).digest() != view[_SEALED:_LENGTH]:
            raise FrameError("its body was cut or changed")
        return header, body

    def read_header(data, kind, key = b""):
        """Check the seal and give the header of a frame, or of the first part of one."""
        return _checked_header(memoryview(data), kind, key)[0]

    def header_end(frame):
        """How many bytes of a frame `read_header` needs."""
        return _HEADER + int(struct.unpack_from("<I", frame, _LENGTH)[0])

    def _checked_header(view, kind, key):
        """The header, and where the body begins."""
        if len(view) < _HEADER:
            raise FrameError("it has %d bytes, fewer than a frame''s first part" % len(view))
        magic, version, found = _START.unpack_from(view)
        if magic != _MAGIC:
            raise FrameError("it does not begin as a frame does")
        if version != WIRE_VERSION:
            raise FrameError("it has format version %d, this side reads %d" % (version, WIRE_VERSION))
        if found != kind:
            raise FrameError("it is of kind %d, not %d" % (found, kind))
        end = header_end(view)
        if end > len(view):
            raise FrameError("its header is longer than it is itself: it was cut, or changed")
        seal = _seal(view[: _START.size], view[_SEALED:end], key)
        if not hmac.compare_digest(bytes(view[_START.size : _SEALED]), seal):
            raise FrameError("its seal does not fit: it was cut, changed, or made with another key")
        return _parsed(bytes(view[_HEADER:end])), end

    def _parsed(text):
        try:
            header = json.loads(text.decode("ascii"), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise FrameError("its header is no JSON: %s" % error)
        if not isinstance(header, dict):
            raise FrameError("its header is no JSON object")
        return Header(header)

    def _refuse(name):
        raise ValueError("%s is no number of JSON" % name)

    def take(body, lengths, offset):
        """Cut pieces of these lengths off the body from `offset` on; also gives the new offset."""
        pieces = []
        if not isinstance(lengths, list) or not all(type(each) is int for each in lengths):
            raise FrameError("its header has %.100r where lengths belong" % (lengths,))
        for length in lengths:
            if length < 0 or offset + length > len(body):
                raise FrameError("its header lists more bytes than there are")
            pieces.append(body[offset : offset + length])
            offset += length
        return pieces, offset

    def sizes(pieces):
        """Bytes of each piece."""
        return [piece.nbytes if isinstance(piece, memoryview) else len(piece) for piece in pieces]

    def check_size(size):
        """Raise TooLarge for more bytes than a frame can have."""
        if size > LARGEST:
            raise TooLarge("{:,} bytes, of which {:,} fit in one call".format(size, LARGEST))

    def _parts(body):
        """The parts that are hashed by themselves, each as views of the pieces that it is made of."""
        part = []  # type: List[memoryview]
        room = _PART
        for piece in body:
            left = memoryview(piece)
            while left:
                part.append(left[:room])
                room -= len(part[-1])
                left = left[len(part[-1]) :]
                if not room:
                    yield part
                    part, room = [], _PART
        if part:
            yield part

    class _Hashes:
        """The hash of a body, worked out in threads while the body is copied."""

        def __init__(self, parts):
            self._parts = parts
            self._digests = [b""] * len(parts)
            self._places = iter(range(len(parts)))  # of the parts that no thread has taken yet
            count = 0
            if len(parts) > 1:
                count = min(len(parts) - 1, os.cpu_count() or 1, _MOST_THREADS)
            self._threads = [threading.Thread(target=self._work) for _ in range(count)]
            for thread in self._threads:
                thread.start()

        def digest(self):
            """Do what is left to do, and wait."""
            self._work()
            for thread in self._threads:
                thread.join()
            return hashlib.sha256(b"".join(self._digests)).digest()

        def _work(self):
            for place in self._places:
                digest = hashlib.sha256()
                for view in self._parts[place]:
                    digest.update(view)
                self._digests[place] = digest.digest()

    def _seal(start, rest, key):
        digest = hmac.new(key, digestmod=hashlib.sha256) if key else hashlib.sha256()  # type: Any
        digest.update(start)
        digest.update(rest)
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
    def _codec_exceptions(entry, scope={"__name__": __name__, "__sqlexec__": 1, }):
        def call(*arguments):
            if entry not in scope:
                text = "if True:" + _codec_exceptions_text
                exec(compile(text, call.__code__.co_filename, "exec"), scope)
            return scope[entry](*arguments)
        return call
    _codec_exceptions_text = r''''''

    import copyreg

    _HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class that was made by a class statement

    def exception_reducer(kind):
        """The reducer for exceptions of exactly this type, None where it has one of its own."""
        for base in kind.__mro__:
            if "__reduce__" in vars(base) or "__reduce_ex__" in vars(base):
                return None if base.__flags__ & _HEAP_TYPE else _reduce_exception
        return None

    def exception_rebuilders():
        """The rebuilders by name."""
        return {"py.exception": _rebuild_exception}

    def _reduce_exception(writer, error):
        arguments, attributes = parts_of_exception(error)
        found = writer.call("py.exception", type(error), arguments)
        return found + (attributes,) if attributes else found

    def parts_of_exception(error):
        """Arguments for the constructor of its builtin base, and attributes, also those in slots."""
        reduced = error.__reduce_ex__(4)  # type: Any
        arguments = reduced[1]
        attributes = dict(reduced[2] or {}) if len(reduced) > 2 else {}
        for name in copyreg._slotnames(type(error)):  # type: ignore[attr-defined]
            if hasattr(error, name):
                attributes[name] = getattr(error, name)
        return arguments, attributes

    def _rebuild_exception(reader, kind, arguments):
        return make_exception(kind, arguments)

    def make_exception(kind, arguments):
        """An exception of that class, by the constructor of its builtin base alone."""
        base = kind
        while base.__flags__ & _HEAP_TYPE:
            base = base.__base__
        error = base.__new__(kind, *arguments)
        base.__init__(error, *arguments)
        return error

    ''''''
    exception_rebuilders = _codec_exceptions("exception_rebuilders")
    exception_reducer = _codec_exceptions("exception_reducer")
    make_exception = _codec_exceptions("make_exception")
    parts_of_exception = _codec_exceptions("parts_of_exception")
    def _codec_plain(entry, scope={"__name__": __name__, "__sqlexec__": 1, }):
        def call(*arguments):
            if entry not in scope:
                text = "if True:" + _codec_plain_text
                exec(compile(text, call.__code__.co_filename, "exec"), scope)
            return scope[entry](*arguments)
        return call
    _codec_plain_text = r''''''

    import array
    import datetime
    import functools
    import sys
    import uuid
    import warnings

    def plain_reducer(kind):
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

    def plain_rebuilders():
        """The rebuilders by name."""
        return {
            "py.memoryview": _rebuild_memoryview,
            "py.array": _rebuild_std_array,
            "py.uuid": _rebuild_uuid,
            "py.path": _rebuild_path,
            "py.zone": _rebuild_zone,
            "py.pytz": _rebuild_pytz_global,
        }

    def _reduce_cached_property(_, value):
        """Without its lock, which Python before 3.12 has in it."""
        return type(value), (value.func,), {"attrname": value.attrname}

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

    def describe_zone_kind(kind):
        """The package of a class of time zones that `describe_zone` knows, "" for others."""
        root = str(kind.__module__).partition(".")[0]
        if root in ("zoneinfo", "backports") and kind.__name__ == "ZoneInfo":
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

    class AsReduced:
        """Stands in a pickle for a value of which it is known how it is to be reduced."""

        def __init__(self, reduced):
            self._reduced = reduced

        def __reduce__(self):
            return self._reduced

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

    ''''''
    AsReduced = _codec_plain("AsReduced")
    describe_zone = _codec_plain("describe_zone")
    find_zone = _codec_plain("find_zone")
    lacks_form = _codec_plain("lacks_form")
    plain_rebuilders = _codec_plain("plain_rebuilders")
    plain_reducer = _codec_plain("plain_reducer")
    def _codec_numpy(entry, scope={"__name__": __name__, "__sqlexec__": 1, "lacks_form": lacks_form}):
        def call(*arguments):
            if entry not in scope:
                text = "if True:" + _codec_numpy_text
                exec(compile(text, call.__code__.co_filename, "exec"), scope)
            return scope[entry](*arguments)
        return call
    _codec_numpy_text = r''''''

    def random_reducer(kind):
        """The reducer for objects of exactly this type, None for those that pickle knows best."""
        import numpy

        library = numpy.random  # type: Any
        if kind is library.RandomState:
            return _reduce_random_state
        if not hasattr(library, "Generator"):  # before numpy 1.17
            return None
        if kind is library.Generator:
            return _reduce_generator
        if kind is library.SeedSequence:
            return _reduce_seeds
        return _reduce_bits if issubclass(kind, library.BitGenerator) else None

    def random_rebuilders():
        """The rebuilders by name."""
        return {
            "np.bits": _rebuild_bits,
            "np.generator": _rebuild_generator,
            "np.seeds": _rebuild_seeds,
            "np.random_state": _rebuild_random_state,
            "np.global_random": _rebuild_global_random,
        }

    def _reduce_bits(writer, bits):
        return writer.call("np.bits", type(bits).__name__, bits._seed_seq, bits.state)

    def _rebuild_bits(reader, name, seeds, state):
        import numpy

        found = getattr(numpy.random, name)(seeds)
        found.state = state
        return found

    def _reduce_generator(writer, generator):
        return writer.call("np.generator", generator.bit_generator)

    def _rebuild_generator(reader, bits):
        import numpy

        return numpy.random.Generator(bits)

    def _reduce_seeds(writer, seeds):
        arguments = (seeds.entropy, seeds.spawn_key, seeds.pool_size, seeds.n_children_spawned)
        return writer.call("np.seeds", *arguments)

    def _rebuild_seeds(reader, entropy, spawn_key, pool_size, spawned):
        import numpy

        return numpy.random.SeedSequence(
            entropy, spawn_key=spawn_key, pool_size=pool_size, n_children_spawned=spawned
        )

    def _reduce_random_state(writer, random):
        import numpy

        library = numpy.random  # type: Any
        if random is library.mtrand._rand:
            return writer.call("np.global_random")
        state = random.get_state(legacy=False)
        if state["bit_generator"] != "MT19937":
            return random.__reduce_ex__(4)
        return writer.call("np.random_state", random.get_state())

    def _rebuild_random_state(reader, state):
        import numpy

        found = numpy.random.RandomState(0)
        found.set_state(state)
        return found

    def _rebuild_global_random(reader):
        import numpy

        library = numpy.random  # type: Any
        return library.mtrand._rand

    import sys

    def numpy_reducer(kind):
        """The reducer for objects of exactly this type, None for those that pickle knows best."""
        numpy = sys.modules["numpy"]  # type: Any
        if kind is numpy.ndarray or kind.__name__ == "memmap":
            return reduce_array
        if issubclass(kind, numpy.dtype):
            return _reduce_dtype
        if issubclass(kind, numpy.generic):
            return _reduce_np_scalar
        if kind is numpy.ma.MaskedArray:
            return _reduce_masked
        if kind is numpy.matrix or kind is numpy.recarray:
            return _reduce_np_view
        if kind.__module__.startswith("numpy.random"):
            return random_reducer(kind)
        return None

    def numpy_rebuilders():
        """The rebuilders by name."""
        return dict(
            random_rebuilders(),
            **{
                "np.array": rebuild_array,
                "np.objects": _rebuild_objects,
                "np.read_only": _rebuild_read_only,
                "np.strings": _rebuild_np_strings,
                "np.string_dtype": _rebuild_string_dtype,
                "np.dtype": _rebuild_dtype,
                "np.fields": _rebuild_fields,
                "np.subarray": _rebuild_subarray,
                "np.scalar": _rebuild_np_scalar,
                "np.text": _rebuild_np_text,
                "np.masked": _rebuild_masked,
                "np.view": _rebuild_np_view,
            },
        )

    # --- dtypes ------------------------------------------------------------------------------

    def _simple(dtype):
        """A dtype''s own short name where that says all of it, else the dtype."""
        return dtype if dtype.metadata else _short_name(dtype)

    def _short_name(dtype):
        """The same without a look at its metadata."""
        import numpy

        if dtype.names is None and dtype.subdtype is None and dtype.kind in "?biufcmMSUVO":
            name = dtype.str
            found = numpy.dtype(name)
            if found == dtype and found.type is dtype.type:
                return name
        return dtype

    def _reduce_dtype(writer, dtype):
        import numpy

        name = _short_name(dtype)
        noted = (dict(dtype.metadata),) if dtype.metadata else ()
        if isinstance(name, str):
            return writer.call("np.dtype", name, *noted)
        if dtype.subdtype is not None:
            return writer.call("np.subarray", *dtype.subdtype)
        if dtype.names is None or dtype.type not in (numpy.void, numpy.record):
            if type(dtype).__name__ == "StringDType":
                return writer.call("np.string_dtype", _options_of_strings(dtype))
            return dtype.__reduce_ex__(4)  # one of another package: bfloat16
        fields = [dtype.fields[name] for name in dtype.names]
        description = {
            "names": list(dtype.names),
            "formats": [each[0] for each in fields],
            "offsets": [each[1] for each in fields],
            "itemsize": dtype.itemsize,
        }
        if any(len(each) > 2 for each in fields):
            description["titles"] = [each[2] if len(each) > 2 else None for each in fields]
        is_record = dtype.type is numpy.record
        aligned = bool(dtype.isalignedstruct)
        return writer.call("np.fields", description, aligned, is_record, *noted)

    def _rebuild_dtype(reader, name, metadata = None):
        import numpy

        make = numpy.dtype  # type: Any
        return make(name, metadata=metadata) if metadata else make(name)

    def _rebuild_subarray(reader, base, shape):
        import numpy

        return numpy.dtype((base, shape))

    def _rebuild_fields(
        reader, description, aligned, is_record, metadata = None
    ):
        import numpy

        make = numpy.dtype  # type: Any
        dtype = make(description, align=aligned)
        if is_record:
            dtype = make((numpy.record, dtype))
        return make(dtype, metadata=metadata) if metadata else dtype

    def _options_of_strings(dtype):
        options = {"coerce": dtype.coerce}
        if hasattr(dtype, "na_object"):
            options["na_object"] = dtype.na_object
        return options

    def _rebuild_string_dtype(reader, options):
        """StringDType; objects before numpy 2.0."""
        import numpy

        make = getattr(getattr(numpy, "dtypes", None), "StringDType", None)
        if make is None:
            lacks_form(reader, "dtype StringDType", "object", "numpy")
            return numpy.dtype(object)
        return make(**options)

    # --- arrays ------------------------------------------------------------------------------

    def reduce_array(writer, array):
        """An array''s dtype, shape, order and memory; of a memmap the values, its file stays here."""
        dtype = array.dtype
        if dtype.hasobject:
            if not array.flags.writeable:
                return writer.call("np.read_only", array.copy("K"))
            if type(dtype).__name__ == "StringDType":
                return writer.call("np.strings", array.astype(object), dtype)
            return writer.call("np.objects") + (array.__reduce__()[2],)
        order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        data = writer.put(_memory_of(array, order))
        return writer.call("np.array", _simple(dtype), array.shape, order, array.flags.writeable, data)

    def _memory_of(array, order):
        if not array.nbytes:
            return b""
        if not (array.flags.c_contiguous or array.flags.f_contiguous):
            return array.tobytes()
        flat = (array.T if order == "F" else array).reshape(-1)
        return memoryview(flat.view("u1"))

    def rebuild_array(
        reader, dtype, shape, order, writeable, data
    ):
        """An array in memory of its own."""
        import numpy

        dtype = numpy.dtype(dtype)
        found = numpy.empty(shape, dtype, order)
        if found.nbytes:
            flat = (found.T if order == "F" else found).reshape(-1)
            flat.view("u1")[:] = numpy.frombuffer(reader.get(data), "u1")
        if not writeable:
            found.flags.writeable = False
        return found

    def _rebuild_objects(reader):
        """An empty array, whose state comes next: so it may contain itself."""
        import numpy

        return numpy.empty((0,), object)

    def _rebuild_read_only(reader, array):
        array.flags.writeable = False
        return array

    def _rebuild_np_strings(reader, array, dtype):
        return array.astype(dtype, copy=False)

    def _reduce_masked(writer, array):
        import numpy

        mask = None if array.mask is numpy.ma.nomask else array.mask
        arguments = (array.data, mask, array._fill_value, array.hardmask)
        return writer.call("np.masked", *arguments)

    def _rebuild_masked(reader, data, mask, fill_value, hard):
        import numpy

        found = numpy.ma.MaskedArray(data, numpy.ma.nomask if mask is None else mask, hard_mask=hard)
        if fill_value is not None:
            found.fill_value = fill_value
        return found

    def _reduce_np_view(writer, array):
        import numpy

        return writer.call("np.view", type(array).__name__, array.view(numpy.ndarray))

    def _rebuild_np_view(reader, name, array):
        import numpy

        return array.view(getattr(numpy, name))

    # --- scalars -----------------------------------------------------------------------------

    def _reduce_np_scalar(writer, value):
        if isinstance(value, str):
            return writer.call("np.text", str(value))
        if isinstance(value, bytes):
            return writer.call("np.text", bytes(value))
        dtype = value.dtype
        if dtype.hasobject:
            return writer.call("np.scalar", dtype, value.item())
        return writer.call("np.scalar", _simple(dtype), value.tobytes())

    def _rebuild_np_scalar(reader, dtype, data):
        import numpy

        dtype = numpy.dtype(dtype)
        if dtype.hasobject or not dtype.itemsize:
            found = numpy.empty(1, dtype)
            if dtype.hasobject:
                found[0] = data
            return found[0]
        return numpy.frombuffer(bytearray(data), dtype)[0]

    def _rebuild_np_text(reader, value):
        import numpy

        return numpy.str_(value) if isinstance(value, str) else numpy.bytes_(value)

    ''''''
    numpy_rebuilders = _codec_numpy("numpy_rebuilders")
    numpy_reducer = _codec_numpy("numpy_reducer")
    def _codec_pandas(entry, scope={"__name__": __name__, "__sqlexec__": 1, "AsReduced": AsReduced, "describe_zone": describe_zone, "find_zone": find_zone, "lacks_form": lacks_form}):
        def call(*arguments):
            if entry not in scope:
                text = "if True:" + _codec_pandas_text
                exec(compile(text, call.__code__.co_filename, "exec"), scope)
            return scope[entry](*arguments)
        return call
    _codec_pandas_text = r''''''

    import datetime

    def pandas_major():
        """The first number of pandas'' version."""
        import pandas

        return int(pandas.__version__.partition(".")[0])

    def reduce_offset(writer, offset):
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

    def rebuild_offset(reader, kind, n, normalize, options):
        """The offset again; ticks (hours, seconds) have no `normalize`."""
        import pandas

        make = getattr(pandas.offsets, kind)
        if normalize:
            options = dict(options, normalize=True)
        return make(n, **options)

    # --- time zones --------------------------------------------------------------------------

    def describe_pandas_zone(zone):
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

    def find_pandas_zone(reader, described):
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

    def _zone_of_datetimes(reader, described):
        """The same for tzinfo of datetimes, which pytz''s zones are wrong for."""
        if isinstance(described, tuple) and described[0] == "default":
            described = "zoneinfo", described[1]
        return find_zone(reader, described)

    def _lacks_zoneinfo():
        """Does this pandas fail on zones of zoneinfo, as all do before 1.5?"""
        import pandas

        return tuple(map(int, pandas.__version__.split(".")[:2])) < (1, 5)

    _default_zones = {}  # type: Dict[str, Any]

    def default_zone(name):
        """What this pandas makes of a zone''s name, None if it does not know it."""
        import pandas

        if name not in _default_zones:
            try:
                _default_zones[name] = pandas.Timestamp(0).tz_localize(name).tz
            except Exception:  # noqa: BLE001 - its type depends on pandas and its package for zones
                return None
        return _default_zones[name]

    # --- scalars -----------------------------------------------------------------------------

    def reduce_timestamp(writer, value):
        """A Timestamp as a datetime64 (UTC) and its zone."""
        zone = describe_pandas_zone(value.tzinfo)
        return writer.call("pd.timestamp", _moment(value), zone, getattr(value, "fold", 0))

    def _moment(value):
        """(number, unit) of a Timestamp or Timedelta; pandas before 2.0 has nanoseconds only."""
        unit = getattr(value, "unit", None)
        if unit is None or pandas_major() < 2:
            return value.value, "ns"
        return int(value._value), unit

    def rebuild_timestamp(reader, moment, zone, fold):
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

    def reduce_timedelta(writer, value):
        """A Timedelta as a number and its unit."""
        return writer.call("pd.timedelta", _moment(value))

    def rebuild_timedelta(reader, moment):
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

    def reduce_period(writer, value):
        """A Period as its number and frequency."""
        return writer.call("pd.period", value.ordinal, value.freq)

    def rebuild_period(reader, ordinal, frequency):
        """The Period again."""
        import pandas

        return pandas.Period(ordinal=ordinal, freq=frequency)

    # --- arrays ------------------------------------------------------------------------------

    def native_times(reader, values):
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

    def times_of(value):
        """datetime64 or timedelta64 behind a DatetimeIndex, TimedeltaIndex, or array of pandas."""
        found = getattr(value, "_data", value)  # an index''s array
        for name in ("_ndarray", "_data"):  # the first is int64 in pandas 1.1
            memory = getattr(found, name, None)
            if getattr(getattr(memory, "dtype", None), "kind", "") in tuple("mM"):
                return memory
        return value.asi8.view("M8[ns]" if hasattr(value, "tz") else "m8[ns]")

    def reduce_times(writer, value):
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
        reader, values, zone, frequency, is_index, name
    ):
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

    def array_of_index(index):
        """The extension array of an index; before 0.24 the index itself, which served as one."""
        return getattr(index, "array", index)

    def reduce_periods(writer, value):
        """An index or array of periods: numbers, frequency, name."""
        is_index = type(value).__name__.endswith("Index")
        name = getattr(value, "name", None)
        return writer.call("pd.periods", value.asi8, value.freq, is_index, name)

    def rebuild_periods(reader, ordinals, frequency, is_index, name):
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

    FEW = 32  # strings up to which a list of them is quicker than Arrow''s buffers

    def makes_str():
        """Does this pandas give texts its dtype str by itself? (It has an option against that.)"""
        import pandas

        return pandas_major() >= 3 and pandas.Index([""]).dtype != object

    def are_texts(values):
        """Are these objects texts, or NaN where some are missing?"""
        import pandas

        if values.dtype != object or pandas.api.types.infer_dtype(values, skipna=True) != "string":
            return False
        return all(isinstance(each, float) for each in values[pandas.isnull(values)])

    def reduce_strings(writer, value, missing = ""):
        """Strings as one text of UTF-8 with offsets where Arrow has them, else as a list.

        `missing` is "NA", "nan", or "label" for a str''s NaN in an Index; by default what it is.
        """
        import numpy

        dtype = value.dtype
        if not missing:
            missing = "nan" if isinstance(getattr(dtype, "na_value", None), float) else "NA"
        storage = getattr(dtype, "storage", "python")
        chunks = getattr(value, "_pa_array", None)
        if chunks is None and storage == "pyarrow":
            chunks = value._data
        if chunks is not None and len(value) > FEW:
            return writer.call("pd.strings", storage, missing, *_parts_of_arrow(chunks))
        texts = numpy.asarray(value, dtype=object).copy()
        texts[numpy.asarray(value.isna())] = None
        return writer.call("pd.texts", storage, missing, texts.tolist())

    def _parts_of_arrow(chunks):
        """Offsets, UTF-8 and mask (or None) of Arrow''s strings."""
        import numpy
        import pyarrow

        whole = chunks.cast(pyarrow.large_string()).combine_chunks()
        if isinstance(whole, pyarrow.ChunkedArray):  # older pyarrow, or no chunk at all
            whole = (
                pyarrow.concat_arrays(whole.chunks)
                if whole.num_chunks
                else pyarrow.array([], whole.type)
            )
        _, offsets, data = whole.buffers()
        count = len(whole)
        if not count:
            return numpy.zeros(1, "i8"), numpy.zeros(0, "u1"), None
        ends = numpy.frombuffer(offsets, "i8", count + 1, whole.offset * 8)
        text = numpy.frombuffer(data, "u1") if data is not None else numpy.zeros(0, "u1")
        mask = numpy.asarray(whole.is_null()) if whole.null_count else None
        return ends - ends[0], text[ends[0] : ends[-1]], mask

    def rebuild_strings(
        reader, storage, missing, ends, data, mask
    ):
        """The strings, by Arrow where both sides keep them there."""
        if storage == "pyarrow" and string_dtype(storage, missing) is not None:
            return _strings_by_arrow(string_dtype(storage, missing), ends, data, mask)
        text = data.tobytes().decode("utf-8")
        places = ends.tolist()
        if len(text) == len(data):
            texts = [text[start:end] for start, end in zip(places[:-1], places[1:])]
        else:
            raw = data.tobytes()
            texts = [raw[start:end].decode("utf-8") for start, end in zip(places[:-1], places[1:])]
        return rebuild_texts(reader, storage, missing, texts, mask)

    def _strings_by_arrow(dtype, ends, data, mask):
        import numpy
        import pyarrow

        valid = None
        if mask is not None:
            valid = pyarrow.py_buffer(numpy.packbits(~mask, bitorder="little"))
        buffers = [valid, pyarrow.py_buffer(ends), pyarrow.py_buffer(data)]
        count = len(ends) - 1
        found = pyarrow.Array.from_buffers(pyarrow.large_string(), count, buffers)
        return dtype.__from_arrow__(pyarrow.chunked_array([found]))

    def rebuild_texts(reader, storage, missing, texts, mask = None):
        """The strings from a list; objects where this pandas has no such dtype."""
        import numpy
        import pandas

        dtype = string_dtype(storage, missing)
        if dtype is None and storage == "pyarrow":
            dtype = string_dtype("python", missing)
            if dtype is not None:
                lacks_form(reader, "strings kept by pyarrow", "strings", "pandas")
        found = numpy.empty(len(texts), object)
        found[:] = texts
        absent = numpy.array([each is None for each in texts], bool) if mask is None else mask
        if dtype is not None:
            found[absent] = getattr(pandas, "NA", None) if missing == "NA" else numpy.nan
            return dtype.construct_array_type()._from_sequence(found, dtype=dtype)
        found[absent] = None if missing == "NA" else numpy.nan
        if missing != "label":
            had = "dtype %s" % ("string" if missing == "NA" else "str")
            lacks_form(reader, had, "object", "pandas")
        return found

    def string_dtype(storage, missing):
        """pandas'' dtype for strings of that kind, None where it lacks it."""
        import numpy
        import pandas

        if not hasattr(pandas, "StringDtype"):
            return None
        if missing == "label" and pandas_major() < 3 and str(pandas.Index([""]).dtype) != "str":
            return None  # 2.3 has it, and takes it where its option says so
        try:
            if missing != "NA":
                return pandas.StringDtype(storage, na_value=numpy.nan)
            if storage == "python" and not hasattr(pandas.StringDtype, "__from_arrow__"):
                return pandas.StringDtype()
            return pandas.StringDtype(storage)
        except (TypeError, ImportError):
            if missing == "NA" and storage == "python":
                return pandas.StringDtype()
            return None

    import sys

    # --- categorical, interval, sparse -------------------------------------------------------

    def reduce_categorical(writer, value):
        """Codes and categories, of a Categorical or its index."""
        is_index = type(value).__name__.endswith("Index")
        arguments = (value.codes, value.categories, bool(value.ordered))
        return writer.call("pd.categorical", *(arguments + (is_index, getattr(value, "name", None))))

    def rebuild_categorical(
        reader, codes, categories, ordered, is_index, name
    ):
        """The Categorical or its index again."""
        import pandas

        found = pandas.Categorical.from_codes(codes, categories, ordered=ordered)
        return pandas.CategoricalIndex(found, name=name) if is_index else found

    def reduce_intervals(writer, value):
        """Left and right ends, of an IntervalArray or its index."""
        is_index = type(value).__name__.endswith("Index")
        name = getattr(value, "name", None)
        return writer.call("pd.intervals", value.left, value.right, value.closed, is_index, name)

    def rebuild_intervals(
        reader, left, right, closed, is_index, name
    ):
        """The index, or its array; objects before 0.24, where only the index existed."""
        import pandas

        found = pandas.IntervalIndex.from_arrays(left, right, closed=closed, name=name)
        if is_index:
            return found
        if hasattr(found, "array"):
            return found.array
        lacks_form(reader, "dtype interval", "object", "pandas")
        return found.astype(object).values

    def reduce_interval(writer, value):
        """One interval."""
        return writer.call("pd.interval", value.left, value.right, value.closed)

    def rebuild_interval(reader, left, right, closed):
        """The interval again."""
        import pandas

        return pandas.Interval(left, right, closed=closed)

    def reduce_sparse_array(writer, value):
        """The values that are there, their places, and the one that fills the rest."""
        places = value.sp_index.to_int_index().indices
        kind = "integer" if type(value.sp_index).__name__ == "IntIndex" else "block"
        return writer.call("pd.sparse", len(value), value.sp_values, places, kind, value.fill_value)

    def rebuild_sparse_array(
        reader, length, values, places, kind, fill
    ):
        """The sparse array; a dense one before 0.25, where it was another thing."""
        import numpy
        import pandas

        make = getattr(getattr(pandas, "arrays", None), "SparseArray", None)
        if make is None:
            lacks_form(reader, "dtype Sparse", "dense", "pandas")
            dense = numpy.full(length, fill, values.dtype)
            dense[places] = values
            return dense
        from pandas._libs import sparse

        library = sparse  # type: Any
        index = library.IntIndex(length, places)
        if kind == "block":
            index = index.to_block_index()
        # The public constructor of this kind has changed its name; this one is in all versions.
        return make._simple_new(values, index, pandas.SparseDtype(values.dtype, fill))

    # --- nullable numbers --------------------------------------------------------------------

    def reduce_nullable(writer, value):
        """Values and mask of a nullable integer, float or boolean array."""
        return writer.call("pd.nullable", str(value.dtype), value._data, value._mask)

    def rebuild_nullable(reader, dtype, values, mask):
        """The array; numpy''s dtype, or float, or objects where this pandas lacks the nullable one."""
        make = _nullable_class(values)
        if make is not None:
            return make(values, mask)
        return _without_nullable(reader, "dtype %s" % dtype, values, mask)

    def _nullable_class(values):
        """The class of nullable arrays for such values, None where this pandas has none."""
        import pandas

        kinds = {"b": "BooleanArray", "f": "FloatingArray"}
        arrays = getattr(pandas, "arrays", None)
        return getattr(arrays, kinds.get(values.dtype.kind, "IntegerArray"), None)

    def _without_nullable(reader, had, values, mask):
        import numpy

        if not mask.any():
            lacks_form(reader, had, str(values.dtype), "pandas")
            return values
        kind = values.dtype.kind
        exact = kind in "iu" and bool(
            (values[~mask].astype("f8").astype(values.dtype) == values[~mask]).all()
        )
        if exact and kind in "iu":  # 2**63 as a float comes back as another number
            exact = bool((numpy.abs(values[~mask].astype("f8")) <= 2.0**53).all())
        if kind == "f" and not numpy.isnan(values[~mask]).any():
            found, missing = values.copy(), numpy.nan  # type: Any, Any
        elif exact:
            found, missing = values.astype("f8"), numpy.nan
        else:
            found, missing = values.astype(object), None
        found[mask] = missing
        lacks_form(reader, had, str(found.dtype), "pandas")
        return found

    # --- arrays that Arrow keeps, wrapped ones ----------------------------------------------

    def reduce_arrow(writer, value):
        """An array that Arrow keeps: numbers as values and mask, the rest as a stream of Arrow''s."""
        import numpy
        import pyarrow

        chunks = getattr(value, "_pa_array", None)
        if chunks is None:
            chunks = value._data
        kind = chunks.type
        if pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind):
            mask = numpy.asarray(chunks.is_null().to_numpy())
            values = numpy.asarray((chunks.fill_null(0) if chunks.null_count else chunks).to_numpy())
            return writer.call("pd.arrow_numbers", str(kind), values, mask)
        table = pyarrow.table({"": chunks})
        sink = pyarrow.BufferOutputStream()
        with pyarrow.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        return writer.call("pd.arrow", str(kind), writer.put(memoryview(sink.getvalue())))

    def _arrow_dtype():
        """pandas.ArrowDtype, None where it or pyarrow is missing."""
        import pandas

        try:
            import pyarrow
        except ImportError:
            return None
        return getattr(pandas, "ArrowDtype", None)

    def rebuild_arrow_numbers(reader, kind, values, mask):
        """The array again; nullable or numpy''s numbers where Arrow is missing here."""
        make = _arrow_dtype()
        if make is None:
            had = "dtype %s[pyarrow]" % kind
            nullable = _nullable_class(values) if kind != "halffloat" else None
            if nullable is None:
                return _without_nullable(reader, had, values, mask)
            found = nullable(values, mask)
            lacks_form(reader, had, str(found.dtype), "pandas with pyarrow")
            return found
        import pyarrow

        dtype = make(pyarrow.type_for_alias(kind))
        column = pyarrow.array(values, type=dtype.pyarrow_dtype, mask=mask if mask.any() else None)
        return dtype.__from_arrow__(pyarrow.chunked_array([column]))

    def rebuild_arrow(reader, kind, data):
        """The array again."""
        make = _arrow_dtype()
        if make is None:
            raise ImportError(
                "a column of dtype %s[pyarrow] needs pyarrow and pandas 1.5 or newer on this side: "
                "convert it with astype before it is sent" % kind
            )
        import pyarrow

        column = pyarrow.ipc.open_stream(bytes(reader.get(data))).read_all().column(0)
        return make(column.type).__from_arrow__(column)

    def reduce_numpy_array_of_pandas(writer, value):
        """pandas'' wrapper of a numpy array."""
        return writer.call("pd.wrapped", value._ndarray)

    def rebuild_numpy_array_of_pandas(reader, values):
        """The wrapper again, without one before 0.24."""
        import pandas

        arrays = getattr(pandas, "arrays", None)
        make = getattr(arrays, "NumpyExtensionArray", None) or getattr(arrays, "PandasArray", None)
        if make is None:
            lacks_form(reader, "pandas'' wrapper of an array", "the array", "pandas")
            return values
        return make(values)

    # --- dtypes ------------------------------------------------------------------------------

    def reduce_pandas_dtype(writer, dtype):
        """A dtype as its parts, or by its name where it has none."""
        kind = type(dtype).__name__
        if kind == "CategoricalDtype":
            return writer.call("pd.dtype", kind, (dtype.categories, dtype.ordered))
        if kind == "DatetimeTZDtype":
            return writer.call("pd.dtype", "by_example", _one_of(dtype))
        if kind == "PeriodDtype":
            return writer.call("pd.dtype", kind, (dtype.freq,))
        if kind == "IntervalDtype":
            return writer.call("pd.dtype", kind, (dtype.subtype, getattr(dtype, "closed", None)))
        if kind in ("StringDtype", "ArrowDtype"):
            return writer.call("pd.dtype", "by_example", _one_of(dtype))
        if kind == "SparseDtype":
            return writer.call("pd.dtype", kind, (dtype.subtype, dtype.fill_value))
        return writer.call("pd.dtype", "by_name", str(dtype))

    def _one_of(dtype):
        """An empty array of a dtype."""
        import pandas

        return array_of_index(pandas.Series([], dtype=dtype))

    def rebuild_pandas_dtype(reader, kind, parts):
        """The dtype again."""
        import pandas

        if kind == "by_name":
            found = pandas.api.types.pandas_dtype(parts)
            if str(found) != parts:
                raise TypeError("pandas %s has no dtype %s" % (pandas.__version__, parts))
            return found
        if kind == "by_example":
            return parts.dtype
        where = pandas if hasattr(pandas, kind) else pandas.api.types  # type: Any
        make = getattr(where, kind)
        if kind == "IntervalDtype" and not hasattr(make, "closed"):  # before 1.3
            lacks_form(reader, "closed of an IntervalDtype", "lost", "pandas")
            parts = parts[:1]
        return make(*parts)

    import sys
    import warnings

    def pandas_reducer(kind):
        """The reducer for objects of exactly this type, None for those that pickle knows best."""
        reducers = {
            "DataFrame": _reduce_frame,
            "Series": _reduce_series,
            "Index": _reduce_index,
            "Int64Index": _reduce_index,
            "UInt64Index": _reduce_index,
            "Float64Index": _reduce_index,
            "RangeIndex": _reduce_range,
            "MultiIndex": _reduce_multi,
            "DatetimeIndex": reduce_times,
            "TimedeltaIndex": reduce_times,
            "DatetimeArray": reduce_times,
            "TimedeltaArray": reduce_times,
            "PeriodIndex": reduce_periods,
            "PeriodArray": reduce_periods,
            "IntervalIndex": reduce_intervals,
            "IntervalArray": reduce_intervals,
            "CategoricalIndex": reduce_categorical,
            "Categorical": reduce_categorical,
            "IntegerArray": reduce_nullable,
            "FloatingArray": reduce_nullable,
            "BooleanArray": reduce_nullable,
            "StringArray": reduce_strings,
            "StringArrayNumpySemantics": reduce_strings,
            "ArrowStringArray": reduce_strings,
            "ArrowStringArrayNumpySemantics": reduce_strings,
            "ArrowExtensionArray": reduce_arrow,
            "NumpyExtensionArray": reduce_numpy_array_of_pandas,
            "PandasArray": reduce_numpy_array_of_pandas,
            "SparseArray": reduce_sparse_array,
            "Timestamp": reduce_timestamp,
            "Timedelta": reduce_timedelta,
            "Period": reduce_period,
            "Interval": reduce_interval,
            "NaTType": _reduce_missing,
            "NAType": _reduce_missing,
        }
        if hasattr(kind, "kwds") and hasattr(kind, "normalize"):
            return reduce_offset
        if kind.__name__.endswith("Dtype"):
            return reduce_pandas_dtype
        return reducers.get(kind.__name__)

    def pandas_rebuilders():
        """The rebuilders by name."""
        return {
            "pd.frame": _rebuild_frame,
            "pd.series": _rebuild_series,
            "pd.index": _rebuild_index,
            "pd.range": _rebuild_range,
            "pd.multi": _rebuild_multi,
            "pd.times": rebuild_times,
            "pd.periods": rebuild_periods,
            "pd.intervals": rebuild_intervals,
            "pd.categorical": rebuild_categorical,
            "pd.nullable": rebuild_nullable,
            "pd.strings": rebuild_strings,
            "pd.texts": rebuild_texts,
            "pd.arrow": rebuild_arrow,
            "pd.arrow_numbers": rebuild_arrow_numbers,
            "pd.wrapped": rebuild_numpy_array_of_pandas,
            "pd.sparse": rebuild_sparse_array,
            "pd.timestamp": rebuild_timestamp,
            "pd.timedelta": rebuild_timedelta,
            "pd.period": rebuild_period,
            "pd.interval": rebuild_interval,
            "pd.missing": _rebuild_missing,
            "pd.offset": rebuild_offset,
            "pd.dtype": rebuild_pandas_dtype,
        }

    # --- frames and series -------------------------------------------------------------------

    def _blocks_of(value):
        manager = getattr(value, "_mgr", None)
        return (value._data if manager is None else manager).blocks

    def _memory_of_block(values):
        """A block''s numpy array, also behind datetimes and wrappers; else its extension array."""
        import numpy

        kind = type(values).__name__
        if isinstance(values, numpy.ndarray):
            return values
        if kind in ("DatetimeArray", "TimedeltaArray", "DatetimeIndex", "TimedeltaIndex"):
            return values if getattr(values, "tz", None) is not None else times_of(values)
        if kind in ("NumpyExtensionArray", "PandasArray"):
            return values._ndarray
        return values

    def _reduce_frame(writer, frame):
        import numpy

        parts = []
        for block in _blocks_of(frame):
            values = _memory_of_block(block.values)
            places = numpy.asarray(block.mgr_locs.as_array)
            if not isinstance(values, numpy.ndarray) and getattr(values, "ndim", 1) == 2:
                for row in range(len(places)):  # datetimes with a zone
                    parts.append((places[row : row + 1], values[row]))
            else:
                parts.append((places, values))
        return writer.call("pd.frame", parts, frame.columns, frame.index, _extras(frame))

    def _rebuild_frame(reader, parts, columns, index, extras):
        import numpy
        import pandas

        pieces, order = [], []
        for places, values in parts:
            order.append(places)
            values = _usable(reader, values)
            if isinstance(values, numpy.ndarray) and values.ndim == 2:
                piece = _frame_of_block(values, index)
            else:
                piece = pandas.Series(values, index=index, name=0, dtype=_dtype_for(values), copy=False)
            pieces.append(piece)
        if not pieces:
            found = pandas.DataFrame(index=index, columns=columns)
        elif len(pieces) == 1:
            found = pieces[0].to_frame() if pieces[0].ndim == 1 else pieces[0]
        else:
            found = pandas.concat(pieces, axis=1)
        if pieces:
            places = numpy.concatenate(order)
            if (places != numpy.arange(len(places))).any():
                found = found.take(numpy.argsort(places), axis=1)
                # `take` remembers whose part it is and would warn of writes to it.
                if hasattr(found, "_is_copy"):
                    found._is_copy = None
            found.columns = columns
            found.index = index
        return _with_extras(reader, found, extras)

    def _frame_of_block(values, index):
        """A frame around the memory of a block, without a copy and without looking for other types."""
        import pandas

        return pandas.DataFrame(values.T, index=index, dtype=values.dtype, copy=False)

    def _usable(reader, values):
        """Values of a block for this pandas: writable, and in a unit of time that it has."""
        import numpy

        if not isinstance(values, numpy.ndarray):
            return values
        if not values.flags.writeable:
            values.flags.writeable = True  # in memory of its own, see rebuild_array
        return native_times(reader, values)

    def _dtype_for(values):
        """The dtype to ask for, so that pandas does not look for a better one in objects."""
        return object if values.dtype == object else None

    def _reduce_series(writer, series):
        values = _memory_of_block(_blocks_of(series)[0].values)
        return writer.call("pd.series", values, series.index, series.name, _extras(series))

    def _rebuild_series(reader, values, index, name, extras):
        import pandas

        values = _usable(reader, values)
        found = pandas.Series(values, index=index, name=name, dtype=_dtype_for(values), copy=False)
        return _with_extras(reader, found, extras)

    def _extras(value):
        """What a frame or series may have beside its data, None for nothing."""
        kind = type(value)  # asked first: a column can have these names, and old pandas other `flags`
        attrs = value.attrs if hasattr(kind, "attrs") else None
        duplicates = value.flags.allows_duplicate_labels if hasattr(kind, "set_flags") else True
        return (dict(attrs or {}), duplicates) if attrs or not duplicates else None

    def _with_extras(reader, value, extras):
        if extras is None:
            return value
        attrs, duplicates = extras
        if attrs:
            if pandas_major() >= 1:
                value.attrs.update(attrs)
            else:
                lacks_form(reader, "attrs of a %s" % type(value).__name__, "lost", "pandas")
        if not duplicates:
            if hasattr(type(value), "set_flags"):
                value.flags.allows_duplicate_labels = False
            else:
                lacks_form(reader, "flag allows_duplicate_labels", "lost", "pandas")
        return value

    # --- indexes -----------------------------------------------------------------------------

    def _reduce_index(writer, index):
        values = _memory_of_block(index._values)
        if writer.makes_str is None:
            writer.makes_str = makes_str()
        if writer.makes_str:
            if str(values.dtype) == "str":
                texts = AsReduced(reduce_strings(writer, values, "label"))
                return writer.call("pd.index", texts, index.name, "str")
            if values.dtype == object and are_texts(values):
                return writer.call("pd.index", values, index.name, "object")
        return writer.call("pd.index", values, index.name)

    def _rebuild_index(reader, values, name, texts = ""):
        import numpy
        import pandas

        if isinstance(values, numpy.ndarray) and values.dtype == object:
            if pandas_major() < 3:
                if texts == "object" or (texts and not len(values)):
                    lacks_form(reader, "Index of %s" % texts, "one of texts", "pandas")
            elif not texts and _sender_lacks_str(reader) and makes_str() and are_texts(values):
                return pandas.Index(values, name=name, dtype="str")
            return pandas.Index(values, name=name, dtype=object)
        dtype = None if isinstance(values, numpy.ndarray) else values.dtype
        try:
            found = pandas.Index(values, name=name, dtype=dtype)
        except TypeError:  # before 1.4 an index has no extension dtype; 1.0 does not even know some
            found = pandas.Index(numpy.asarray(values, dtype=object), name=name)
        if str(found.dtype) != str(values.dtype):
            lacks_form(reader, "Index of %s" % values.dtype, str(found.dtype), "pandas")
        return found

    def _sender_lacks_str(reader):
        version = reader.sender.get("pandas")
        return version is not None and int(version.partition(".")[0]) < 3

    def _reduce_range(writer, index):
        if hasattr(type(index), "start"):
            parts = (index.start, index.stop, index.step)
        else:
            parts = (index._start, index._stop, index._step)
        return writer.call("pd.range", *(parts + (index.name,)))

    def _rebuild_range(reader, start, stop, step, name):
        import pandas

        return pandas.RangeIndex(start, stop, step, name=name)

    def _reduce_multi(writer, index):
        codes = index.codes if hasattr(index, "codes") else index.labels
        codes = [_plain_array(each) for each in codes]
        return writer.call("pd.multi", list(index.levels), codes, list(index.names))

    def _plain_array(values):
        """As numpy''s own class: pandas before 0.24 had one of its own for codes."""
        import numpy

        return numpy.asarray(values).view(numpy.ndarray)

    def _rebuild_multi(reader, levels, codes, names):
        import pandas

        options = {"codes": codes} if hasattr(pandas.MultiIndex, "codes") else {"labels": codes}
        return pandas.MultiIndex(levels=levels, names=names, verify_integrity=False, **options)

    # --- missing values ----------------------------------------------------------------------

    def _reduce_missing(writer, value):
        return writer.call("pd.missing", "NaT" if type(value).__name__ == "NaTType" else "NA")

    def _rebuild_missing(reader, name):
        import pandas

        if not hasattr(pandas, name):
            lacks_form(reader, "pandas.NA", "None", "pandas")
        return getattr(pandas, name, None)

    ''''''
    pandas_rebuilders = _codec_pandas("pandas_rebuilders")
    pandas_reducer = _codec_pandas("pandas_reducer")
    def _codec_scipy(entry, scope={"__name__": __name__, "__sqlexec__": 1, "lacks_form": lacks_form}):
        def call(*arguments):
            if entry not in scope:
                text = "if True:" + _codec_scipy_text
                exec(compile(text, call.__code__.co_filename, "exec"), scope)
            return scope[entry](*arguments)
        return call
    _codec_scipy_text = r''''''

    import sys

    _PARTS = {
        "csr": ("data", "indices", "indptr"),
        "csc": ("data", "indices", "indptr"),
        "bsr": ("data", "indices", "indptr"),
        "dia": ("data", "offsets"),
        "lil": ("rows", "data"),
    }

    def scipy_reducer(kind):
        """The reducer for objects of exactly this type, None for those that pickle knows best."""
        sparse = sys.modules.get("scipy.sparse")  # type: Any
        if sparse is None or getattr(sparse, kind.__name__, None) is not kind:
            return None
        return (
            _reduce_sparse
            if kind.__name__[:3] in _PARTS or kind.__name__[:3] in ("coo", "dok")
            else None
        )

    def scipy_rebuilders():
        """The rebuilders by name."""
        return {"sp.sparse": _rebuild_sparse}

    def _reduce_sparse(writer, matrix):
        kind = type(matrix).__name__
        source = matrix.tocoo() if kind[:3] == "dok" else matrix
        if kind[:3] in _PARTS:
            parts = tuple(getattr(matrix, name) for name in _PARTS[kind[:3]])
        else:
            parts = (source.data,) + tuple(getattr(source, "coords", None) or (source.row, source.col))
        return writer.call("sp.sparse", kind, matrix.shape, matrix.dtype, parts)

    def _rebuild_sparse(reader, kind, shape, dtype, parts):
        import scipy.sparse

        if not hasattr(scipy.sparse, kind):
            older = kind.replace("_array", "_matrix")
            lacks_form(reader, "scipy.sparse.%s" % kind, older, "scipy")
            kind = older
        make = getattr(scipy.sparse, kind)
        form = kind[:3]
        if form == "lil":
            found = make(shape, dtype=dtype)
            found.rows, found.data = parts
        elif form == "coo":
            found = make((parts[0], parts[1:]), shape=shape)
        elif form == "dok":
            coo = scipy.sparse.coo_matrix if kind.endswith("matrix") else scipy.sparse.coo_array
            found = coo((parts[0], parts[1:]), shape=shape).todok()
        else:
            found = make(parts, shape=shape)
            for name, part in zip(_PARTS[form], parts):
                setattr(found, name, part)  # with the very dtype of its indices
        return found

    ''''''
    scipy_rebuilders = _codec_scipy("scipy_rebuilders")
    scipy_reducer = _codec_scipy("scipy_reducer")


    import sys

    class Incompatible(Exception):
        """A value needs a package, or a version of it, that this Python does not have."""

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

    def exact_reducer(kind):
        """The reducer for objects of these packages'' classes; the classes themselves go by name."""
        return None if issubclass(kind, type) else _reduce_exact

    def exact_rebuilders():
        """The rebuilder by name."""
        return {"py.exact": _rebuild_exact}

    def _reduce_exact(writer, value):
        plain = value.__reduce_ex__(4)
        if isinstance(plain, str):
            return plain
        package = type(value).__module__.partition(".")[0]
        version = getattr(sys.modules.get(package), "__version__", "")
        return writer.call("py.exact", package, version, plain[0], plain[1]) + tuple(plain[2:])

    def _rebuild_exact(reader, package, version, function, arguments):
        mismatch = package_mismatch(package, version)
        if mismatch is not None:
            raise Incompatible(mismatch)
        return function(*arguments)


    import copyreg
    import functools
    import operator
    import pickle
    import sys
    import types

    VALUE_PROTOCOL = 4  # the highest that Python 3.5 to 3.7 know
    BIG = 65536  # bytes from which on a plain bytes value is passed beside the pickle
    LARGE = 1024 * 1024  # bytes from which on a part of the pickle is a piece of its own
    APART = 16384  # bytes from which on a buffer is a piece of its own
    WIRE = "sqlexec_wire"

    _BY_ITSELF = operator.methodcaller("__reduce_ex__", VALUE_PROTOCOL)
    _REDUCERS = {
        "numpy": numpy_reducer,
        "pandas": pandas_reducer,
        "scipy": scipy_reducer,
        "sklearn": exact_reducer,
        "statsmodels": exact_reducer,
    }  # type: Dict[str, Callable[[type], Any]]

    def dump(value, by_value = False):
        """Pickle a value; `by_value`: with cloudpickle, for functions and classes of the user''s.

        Errors of pickle, or of an object''s own __reduce__, pass through.
        """
        return Dumper(by_value).dump(value)

    class Dumper:
        """Pickles values, one after the other: they share nothing but what was found of their types.

        `by_value`: True for cloudpickle, or what makes a pickler of a stream.  A dumper whose value
        could not be pickled is of no further use.
        """

        def __init__(self, by_value = False):
            _register_wire()
            self._stream = _Stream()
            self._writer = _Writer()
            if callable(by_value):
                self._pickler = by_value(self._stream)
                self._writer.others = getattr(self._pickler, "other_reducers", self._writer.others)
                self._pickler.dispatch_table = self._writer
            elif by_value:
                import cloudpickle

                kind = cloudpickle.Pickler
                self._writer.others = kind.dispatch_table
                self._pickler = kind.__new__(kind)
                self._pickler.dispatch_table = self._writer
                self._pickler.__init__(self._stream, VALUE_PROTOCOL)
            else:
                self._pickler = pickle.Pickler(self._stream, VALUE_PROTOCOL)
                self._pickler.dispatch_table = self._writer

        def dump(self, value):
            """The pieces of a value."""
            if type(value) is bytes and len(value) >= BIG:
                return [b"", value]
            self._pickler.dump(value)
            self._pickler.clear_memo()
            first, others = self._stream.take()
            return [first] + self._writer.take() + others

    class _Stream:
        """What a pickler writes: large bytes and texts stay what they are, all else is joined."""

        def __init__(self):
            self._pieces = [[]]  # type: List[List[Buffer]]

        def write(self, data):
            """Append to the pickle; Python 3.7 and later give large values without copying them."""
            if isinstance(data, memoryview):  # Python 3.6''s pickle module takes it back
                data = bytes(data)
            if len(data) < LARGE:
                self._pieces[-1].append(data)
            else:
                self._pieces += [[data], []]

        def take(self):
            """The first piece of the pickle since the last call, and the others from last to first."""
            pieces = [b"".join(each) for each in self._pieces if each]  # type: List[Buffer]
            self._pieces = [[]]
            return pieces[0], pieces[:0:-1]

    class _Writer(dict):  # type: ignore[type-arg]
        """The dispatch table of one dump, filled as types occur: type -> reducer; and its buffers."""

        def __init__(self):
            self._buffers = []  # type: List[Buffer]
            self.others = copyreg.dispatch_table  # type: Any
            self.makes_str = None  # type: Optional[bool]  # of pandas, once asked for

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
            self._buffers.append(data)
            return len(self._buffers)

        def take(self):
            """The buffers since the last call."""
            buffers, self._buffers = self._buffers, []
            return buffers

        def call(self, name, *arguments):
            """What a reducer gives to have the rebuilder of that name called."""
            return sys.modules[WIRE].rebuild, (name,) + arguments

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
        if issubclass(kind, BaseException) and root != "numpy":  # numpy''s want their __init__
            return exception_reducer(kind)
        if root in _REDUCERS:
            return _REDUCERS[root](kind)
        return plain_reducer(kind)


    import io
    import pickle
    import sys

    _MOVED = (  # modules that have two names, by version
        ("numpy._core", "numpy.core"),
        ("numpy.core", "numpy._core"),
        ("numpy.linalg.linalg", "numpy.linalg"),
        ("numpy.rec", "numpy.core.records"),
        ("numpy.char", "numpy.core.defchararray"),
        ("pathlib._local", "pathlib"),
        ("asyncio.exceptions", "asyncio"),
        ("_queue", "queue"),
        ("pandas.core.indexes.numeric", "pandas.core.indexes.base"),
    )
    RENAMED = {("numpy", "bool"): "bool_"}  # numpy before 1.24 has Python''s own bool under that name
    _EXCEPTIONS = {  # where these packages have theirs, by version
        "numpy": ["numpy.exceptions", "numpy"],
        "pandas": ["pandas.errors", "pandas"],
    }
    _rebuilders = {}  # type: Dict[str, Callable[..., Any]]

    def load(
        pieces, aliases = None, sender = None
    ):
        """Rebuild a dumped value. Arrays get memory of their own, so that they can be written to.

        `aliases` gives what is taken for a name of the package sqlexec, or a full name of another
        package, else None; `sender` has the "packages" of the other side and their versions, for the
        messages of errors.
        """
        if not len(pieces[0]):
            return bytes(pieces[1])
        stream = io.BytesIO(pieces[0]) if len(pieces) == 1 else _Joined(pieces)  # type: Any
        reader = _Reader(stream, pieces, aliases, sender)
        try:
            return reader.load()
        except Incompatible:
            raise
        except Exception as error:
            mismatch = reader.mismatch()
            if mismatch is None:
                raise
            raise Incompatible("%s (%s: %s)" % (mismatch, type(error).__name__, error)) from error
        finally:
            reader.memo = {}  # it leads back to the reader: all would wait for the collector

    class _Joined:
        """The file that an unpickler reads: the first piece, then from the last one backwards."""

        def __init__(self, pieces):
            self._pieces = pieces
            self._place = 0
            self._left = memoryview(pieces[0])

        def _take(self, size):
            while not self._left and -self._place < len(self._pieces) - 1:
                self._place -= 1
                self._left = memoryview(self._pieces[self._place])
            taken, self._left = self._left[:size], self._left[size:]
            return taken

        def read(self, size):
            """So many bytes; the unpickler never asks for more than a piece has."""
            return bytes(self._take(size))

        def readinto(self, target):
            """Python 3.8 and later: fill the value that is to hold them."""
            taken = self._take(len(target))
            target[: len(taken)] = taken
            return len(taken)

        def readline(self):
            """Only pickles of protocol 0 have lines."""
            raise pickle.UnpicklingError("the value is no pickle of protocol 4")

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
            self._aliases = aliases
            self._last = self._missing = ""
            self.sender = (sender or {}).get("packages", {})
            self.warned = set()  # type: Any

        def find_class(self, module, name):
            """Find a global by module and name: rebuilders, aliases, modules that have moved."""
            if module == WIRE:
                return self._rebuild
            root = module.partition(".")[0]
            if self._aliases is not None:
                found = self._aliases(name if root == "sqlexec" else module + "." + name)
                if found is not None:
                    return found
            self._last = root
            name = RENAMED.get((module, name), name)
            if module.startswith("numpy.core."):  # numpy 2 still has it, and warns
                found = self._elsewhere(module, name)
                if found is not None:
                    return found
            try:
                return super().find_class(module, name)
            except (ImportError, AttributeError):
                found = self._elsewhere(module, name)
                if found is not None:
                    return found
                if module == "pytz":
                    return rebuilder("py.pytz")(self, name)
                self._missing = "%s.%s" % (module, name)
                raise

        def _elsewhere(self, module, name):
            """The global where other versions have it, None if none is known to."""
            moved = [new + module[len(old) :] for old, new in _MOVED if _is_in(module, old)]
            homes = _EXCEPTIONS.get(module.partition(".")[0], [])
            for home in moved + homes:
                try:
                    found = super().find_class(home, name)
                except (ImportError, AttributeError):
                    continue
                if home in moved or (isinstance(found, type) and issubclass(found, BaseException)):
                    return found
            return None

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
            found = package_mismatch(self._last, self.sender.get(self._last))
            if found is None and self._missing and self._last != "__main__":
                python = "%d.%d.%d" % sys.version_info[:3]
                found = "the value needs %s, which this Python %s lacks" % (self._missing, python)
            return found

    def _is_in(module, package):
        return (module + ".").startswith(package + ".")

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
                found.update(exact_rebuilders())
            if name == "py.exception":
                found.update(exception_rebuilders())
            if name not in found:
                raise Incompatible("the value is of a kind that this version does not know: %s" % name)
            _rebuilders.update(found)
        return _rebuilders[name]


    import itertools
    import pickle
    import struct

    NUMBERS = frozenset((int, float, bool, type(None)))
    TEXTS = frozenset((str, bytes))

    def is_plain(value):
        """Is it a value that can go together with others''?"""
        kind = type(value)
        return kind in NUMBERS or (kind in TEXTS and len(value) < BIG)

    class Batch:
        """Collects the values of tasks, one after the other, or has the pickle of all of them.

        `size` bytes go with them already.
        """

        def __init__(self, size = 0, complete = None):
            self.together = []  # type: List[Any]
            self._complete = complete
            self.apart = []  # type: List[Tuple[int, List[int]]]
            self._pieces = []  # type: List[Buffer]
            self._small = []  # type: List[Buffer]  # those after them, to become one
            self._size = size
            self._big = 0  # pieces that are big
            self._known = {}  # type: Dict[Any, int]  # where they lie -> number, from 1

        def add(self, value):
            """Append a plain value."""
            self.together.append(value)

        def add_apart(
            self, pieces, place_of = None
        ):
            """Append a value that was dumped to pieces, or to none where it could not be.

            `place_of` tells where a big piece lies in memory: one that is there already is not
            written again.  TooLarge, and nothing is appended, where it is too much with those before.
            """
            lengths = sizes(pieces)
            if place_of is not None and max(lengths, default=0) >= BIG:
                pieces, lengths = self._new_of(pieces, lengths, place_of)
            size = self._size + sum(length for length in lengths if length > 0)
            check_size(size)
            self._size, before = size, self._size
            self.apart.append((len(self.together), lengths))
            self.together.append(None)
            if size - before < BIG:
                self._small.extend(pieces)
            else:
                self._pieces.append(b"".join(self._small))
                self._small = []
                self._pieces.extend(pieces)

        def _new_of(
            self, pieces, lengths, place_of
        ):
            """The pieces that are not there yet; in the lengths the others are numbers below 0."""
            new = []
            for at, piece in enumerate(pieces):
                if lengths[at] >= BIG:
                    place = place_of(piece)
                    if place in self._known:
                        lengths[at] = -self._known[place]
                        continue
                    self._big += 1
                    if place is not None:
                        self._known[place] = self._big
                new.append(piece)
            return new, lengths

        def close(self, header):
            """Write the header''s entries; gives the body."""
            data = self._complete or pickle.dumps(self.together, protocol=4)
            header["together"] = [len(data)]
            header["apart"] = self.apart
            return [data] + self._pieces + [b"".join(self._small)]

    def cut_numbers(
        header, body, offset, forms
    ):
        """Read a number a task for each of the forms ("q" int, "d" float); also the new offset."""
        count = header["count"]
        if type(count) is not int or count < 0:
            raise FrameError("its header has %.100r tasks" % (count,))
        pieces, offset = take(body, [8 * count] * len(forms), offset)
        read = [struct.unpack("<%d%s" % (count, form), each) for form, each in zip(forms, pieces)]
        return read, offset

    def cut_batch(
        header, body, offset, count
    ):
        """Cut `count` values off the body, which ends with them; nothing is unpickled yet.

        Gives the pickle of the plain values, and the pieces of each of the others by place.
        FrameError where header and body do not fit.
        """
        together, offset = take(body, header["together"], offset)
        if len(together) != 1:
            raise FrameError("its header lists %d pickles of plain values" % len(together))
        apart = {}  # type: Dict[int, List[memoryview]]
        big = []  # type: List[memoryview]
        entries = header["apart"]
        if not isinstance(entries, list):
            raise FrameError("its header has no list of values apart")
        for entry in entries:
            place, lengths = entry if isinstance(entry, list) and len(entry) == 2 else (None, None)
            if type(place) is not int or not 0 <= place < count or place in apart:
                raise FrameError("its header has a value apart at the place %.100r" % (entry,))
            apart[place], offset = _take_again(body, lengths, offset, big)
        if offset != len(body):
            raise FrameError("its body is longer than its header says")
        return together[0], apart

    def _take_again(
        body, lengths, offset, big
    ):
        """`take`, where -n stands for the n-th of the big pieces so far, which are kept in `big`."""
        repeated = {}
        if isinstance(lengths, list):
            for at, length in enumerate(lengths):
                if type(length) is int and length < 0:
                    repeated[at] = -length
            lengths = [each for at, each in enumerate(lengths) if at not in repeated]
        new, offset = take(body, lengths, offset)
        big.extend(piece for piece in new if len(piece) >= BIG)
        if repeated and max(repeated.values()) > len(big):
            raise FrameError("its header repeats a piece that is not there")
        for at in sorted(repeated):
            new.insert(at, big[repeated[at] - 1])
        return new, offset

    def plain_values(data, count):
        """The plain values of a batch, None in the places of the others; dicts made one by one."""
        values = pickle.loads(data)
        if type(values) is tuple:
            names, columns = values
            if set(map(len, columns)) == {count}:
                named = [zip(itertools.repeat(name), each) for name, each in zip(names, columns)]
                return map(dict, zip(*named))
        if type(values) is not list or len(values) != count:
            raise FrameError("it has not the %d values that its header says" % count)
        return values
    def _blame(entry, scope={"__name__": __name__, "__sqlexec__": 1, }):
        def call(*arguments):
            if entry not in scope:
                text = "if True:" + _blame_text
                exec(compile(text, call.__code__.co_filename, "exec"), scope)
            return scope[entry](*arguments)
        return call
    _blame_text = r''''''

    import functools
    import types
    from itertools import islice

    _DEEPEST = 12  # steps from an argument or function to what is named
    _WIDEST = 1000  # items of a container that are looked at

    def culprit(name, value, dumps):
        """Name the smallest object in a value that cannot be pickled, by the way to it.

        Parameters
        ----------
        name : str
            What to call the value.
        value : object
            One that `dumps` fails for.
        dumps : callable
            The pickling function; an object is at fault where it raises.

        Example
        -------
        >>> import pickle, threading
        >>> culprit("argument ''x''", {"lock": threading.Lock()}, pickle.dumps)
        "item ''lock'' of argument ''x'' (an object of type _thread.lock)"
        """
        seen = set()  # type: Set[int]
        for _ in range(_DEEPEST):
            seen.add(id(value))
            for step, child in _children(value):
                if id(child) not in seen and not is_picklable(child, dumps):
                    name, value = "%s of %s" % (step, name), child
                    break
            else:
                break
        kind = type(value)
        module = "" if kind.__module__ == "builtins" else kind.__module__ + "."
        return "%s (an object of type %s%s)" % (name, module, kind.__qualname__)

    def is_picklable(value, dumps):
        """Does `dumps` take it?"""
        try:
            dumps(value)
        except Exception:  # noqa: BLE001 - any failure means: this one is at fault
            return False
        return True

    def _children(value):
        """What an object''s pickle is made of, with the words for the step to it."""
        if isinstance(value, types.FunctionType):
            for step in _parts_of_function(value):
                yield step
        elif isinstance(value, types.MethodType):
            yield "the object", value.__self__
            yield "the function", value.__func__
        elif isinstance(value, functools.partial):
            yield "the function", value.func
            for place, child in enumerate(value.args):
                yield "argument %d" % place, child
            for key, child in value.keywords.items():
                yield "argument %r" % key, child
        elif isinstance(value, (staticmethod, classmethod)):
            yield "the function", value.__func__
        elif isinstance(value, type):
            for key, child in list(vars(value).items()):
                if key not in ("__dict__", "__weakref__"):
                    yield "class attribute %r" % key, child
        else:
            for step in _items(value):
                yield step
            for step in _attributes(value):
                yield step

    def _parts_of_function(function):
        cells = function.__closure__ or ()
        for name, cell in zip(function.__code__.co_freevars, cells):
            try:
                yield "closure variable %r" % name, cell.cell_contents
            except ValueError:  # still empty
                continue
        for name in sorted(_names(function.__code__)):
            if name in function.__globals__:
                yield "global %r" % name, function.__globals__[name]
        for child in function.__defaults__ or ():
            yield "a default value", child
        for name, child in (function.__kwdefaults__ or {}).items():
            yield "the default of %r" % name, child
        for name, child in vars(function).items():
            yield "attribute %r" % name, child

    def _names(code):
        """Names in a code and in those of its inner functions."""
        found = set(code.co_names)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                found |= _names(constant)
        return found

    def _items(value):
        if isinstance(value, dict):
            for key, child in islice(list(value.items()), _WIDEST):
                yield "item %.100r" % (key,), child
                yield "a key", key
        elif isinstance(value, (list, tuple, set, frozenset)):
            for place, child in enumerate(islice(value, _WIDEST)):
                yield "item %d" % place, child

    def _attributes(value):
        """Attributes, in __dict__ and in slots; else what the object''s own __reduce_ex__ gives."""
        names = list(getattr(value, "__dict__", ()))
        for kind in type(value).__mro__:
            slots = vars(kind).get("__slots__", ())
            names.extend([slots] if isinstance(slots, str) else slots)
        for name in names[:_WIDEST]:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                yield "attribute %r" % name, getattr(value, name)
        try:
            reduced = value.__reduce_ex__(4)
        except Exception:  # noqa: BLE001 - then it is itself at fault
            return
        if isinstance(reduced, tuple):
            for child in reduced[1]:
                yield "a part", child
            for child in islice(reduced[3] or (), _WIDEST) if len(reduced) > 3 else ():
                yield "an item", child

    ''''''
    culprit = _blame("culprit")


    import codecs
    import functools
    import io
    import os
    import sys
    import tempfile
    import threading
    from collections import deque

    MOST_WRITTEN = 1 << 20  # characters that are kept of one task, half of them from the start
    MOST_WRITTEN_TOGETHER = 1 << 26  # of all tasks of a chunk: what is left of it bounds the later ones
    LEAST_WRITTEN = 1 << 11  # of one task, whatever those before it wrote
    _BYTES_AT_A_TIME = 1 << 20  # that are held or read before they are recorded
    _PIECES_AT_A_TIME = 1000  # that are joined

    class Recorder:
        """Stands in for both streams and both descriptors while it is entered as a context.

        `take()` gives what was written since the last call as a list of (stream, text), with
        stream "stdout" or "stderr".  `entered` tells whether it does.
        """

        def __init__(self):
            self._lock = threading.RLock()  # a task may have threads
            self._left = MOST_WRITTEN_TOGETHER
            self._record = _Record(MOST_WRITTEN)
            self._new = []  # type: Lines
            self._written = False  # anything since the last take()
            self._room = _BYTES_AT_A_TIME  # for more of them
            self._descriptors = []  # type: List[_Descriptor]
            self._saved = (sys.stdout, sys.stderr)
            self.entered = False

        def __enter__(self):
            self._saved = (sys.stdout, sys.stderr)
            for number, name in ((1, "stdout"), (2, "stderr")):
                self._descriptors.append(_Descriptor(number, name))
            sys.stdout = Stream(self, self._descriptors[0])
            sys.stderr = Stream(self, self._descriptors[1])
            self.entered = True
            return self

        def __exit__(self, *_):
            self.entered = False
            sys.stdout, sys.stderr = self._saved
            for descriptor in self._descriptors:
                descriptor.restore()

        def add(self, descriptor, text = ""):
            """Record a text, after what came through the stream''s descriptor before it."""
            with self._lock:
                self._written = True
                if descriptor.end() > descriptor.position:
                    self._record_new()
                    for part in descriptor.read():
                        self._record.add(descriptor.name, part)
                if text:
                    self._new.append((descriptor.name, text))
                    self._room -= len(text)
                    if self._room < 0 or len(self._new) > _PIECES_AT_A_TIME:
                        self._record_new()

        def take(self):
            """What was written since the last call; neighbours of one stream are one piece."""
            _flush_c(None)
            out, err = self._descriptors
            silent = out.end() <= out.position and err.end() <= err.position
            if silent and not self._written:
                return []  # as most tasks
            with self._lock:
                self.add(out)
                self.add(err)
                self._record_new()
                self._written = False
                lines = self._record.lines()
                if lines:
                    self._left -= sum(len(text) for _, text in lines)
                    self._record = _Record(min(MOST_WRITTEN, max(LEAST_WRITTEN, self._left // 8)))
            return lines

        def _record_new(self):
            """Many small texts in few: print makes two of each line."""
            new, self._new, self._room = self._new, [], _BYTES_AT_A_TIME
            for name, text in _joined_pieces(new):
                self._record.add(name, text)

    class _Record:
        """What one task wrote: all of it, or the first and the last `most` / 2 characters."""

        def __init__(self, most):
            self._half = most // 2
            self._room = self._half  # left in the start
            self._start = []  # type: Lines
            self._end = deque()  # type: Deque[Tuple[str, str]]
            self._length = 0  # of the end
            self._cut = 0
            self._cut_lines = 0

        def add(self, name, text):
            """Append text to a stream''s record."""
            if self._room:
                first, text = text[: self._room], text[self._room :]
                self._room -= len(first)
                self._start.append((name, first))
            if text:
                self._end.append((name, text))
                self._length += len(text)
                if self._length > 2 * self._half:
                    self._shorten()

        def lines(self):
            """All that is kept, with a note of what is not."""
            self._shorten()
            pieces = self._start[:]
            if self._cut:
                note = "\n[sqlexec: %s characters (%s lines) that the run wrote here were cut]\n"
                pieces.append(
                    ("stderr", note % tuple(map("{:,}".format, (self._cut, self._cut_lines))))
                )
            pieces += self._end
            return _joined_pieces(pieces)

        def _shorten(self):
            """Cut the front of the end."""
            while self._length > self._half:
                name, text = self._end.popleft()
                excess = min(len(text), self._length - self._half)
                self._length -= excess
                self._cut += excess
                self._cut_lines += text.count("\n", 0, excess)
                if excess < len(text):
                    self._end.appendleft((name, text[excess:]))

    def _joined_pieces(pieces):
        """Neighbours of one stream as one piece."""
        joined = []  # type: Lines
        start = 0
        for end in range(1, len(pieces) + 1):
            if end == len(pieces) or pieces[end][0] != pieces[start][0]:
                joined.append((pieces[start][0], "".join(text for _, text in pieces[start:end])))
                start = end
        return joined

    class Stream(io.TextIOWrapper):
        """sys.stdout or sys.stderr of a task: all that these have, but text is recorded at once."""

        def __init__(self, recorder, descriptor):
            super().__init__(_Bytes(self, descriptor), "utf-8", "replace")
            self._recorder = recorder
            self._descriptor = descriptor
            self._process_id = os.getpid()

        def write(self, text):
            """Record the text, after what came through the descriptor before it."""
            if not isinstance(text, str):
                raise TypeError("write() argument must be str, not %s" % type(text).__name__)
            if os.getpid() != self._process_id:  # a fork: what leaves it by the descriptor is seen
                os.write(self._descriptor.number, text.encode("utf-8", "backslashreplace"))
            elif self._recorder.entered:
                self._recorder.add(self._descriptor, text)
            else:  # a handler of logging, say, has kept it
                now = getattr(sys, self._descriptor.name)
                if now is not None and now is not self:
                    now.write(text)
            return len(text)

        def close(self):
            """Let it be: the next task needs it."""

    class _Bytes(io.RawIOBase):
        """sys.stdout.buffer: bytes in UTF-8, cut anywhere."""

        def __init__(self, stream, descriptor):
            super().__init__()
            self._stream = stream
            self._number = descriptor.number
            self.name = "<%s>" % descriptor.name
            self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

        def write(self, data):
            """Record bytes as text."""
            self._stream.write(self._decode(bytes(data)))
            return len(data)

        def writable(self):
            """True: it can be written to."""
            return True

        def fileno(self):
            """The real descriptor, for subprocesses and C code; what they write is recorded too."""
            return self._number

    class _Descriptor:
        """File descriptor 1 or 2, led into a file for a while.

        `end()` tells how much was written through it, `position` how much of that was read.  Where the
        process has no such descriptor (a Windows service), there is nothing to lead.
        """

        def __init__(self, number, name):
            self.number = number
            self.name = name
            self.position = 0
            self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
            try:
                self._original = os.dup(number)  # type: Optional[int]
            except OSError:
                self._original = None
                self.end = lambda: 0  # type: Callable[[], int]
                return
            self._file = tempfile.TemporaryFile()
            # Where the descriptor stands; asked of its file, as a task may have closed it.
            self.end = functools.partial(os.lseek, self._file.fileno(), 0, os.SEEK_CUR)
            os.dup2(self._file.fileno(), number)

        def read(self):
            """What was written through the descriptor since the last call, in parts."""
            end = self.end()
            while self.position < end:
                count = min(end - self.position, _BYTES_AT_A_TIME)
                part = _read_at(self._file.fileno(), self.position, count)
                if not part:
                    break
                self.position += len(part)
                yield self._decode(part)
            self.position = end

        def restore(self):
            """Give the descriptor back to what it was."""
            if self._original is not None:
                os.dup2(self._original, self.number)
                os.close(self._original)
                self._original = None
                self._file.close()

    def _read_at(number, position, count):
        """Bytes of a file, where it can be without moving the place at which others write to it."""
        if hasattr(os, "pread"):
            return os.pread(number, count, position)
        end = os.lseek(number, 0, os.SEEK_CUR)
        os.lseek(number, position, os.SEEK_SET)
        part = os.read(number, count)
        os.lseek(number, end, os.SEEK_SET)
        return part

    def _c_flush():
        """The C function that, called with None, writes out what printf keeps in buffers."""
        try:
            import ctypes

            if os.name == "nt":
                return lambda _: ctypes.cdll.msvcrt._flushall()
            flush = ctypes.CDLL(None).fflush
            flush.argtypes = [ctypes.c_void_p]
            return flush
        except (ImportError, OSError, AttributeError):
            return lambda _: None

    _flush_c = _c_flush()
    def _failures(entry, scope={"__name__": __name__, "__sqlexec__": 1, "exception_reducer": exception_reducer, "make_exception": make_exception, "parts_of_exception": parts_of_exception, "text_of": text_of}):
        def call(*arguments):
            if entry not in scope:
                text = "if True:" + _failures_text
                exec(compile(text, call.__code__.co_filename, "exec"), scope)
            return scope[entry](*arguments)
        return call
    _failures_text = r''''''

    import linecache

    OWN_MODULE = "sqlexec.runner"  # of the runner''s own frames, wherever it runs
    MARK = "__sqlexec__"  # in the globals of parts of the runner that are compiled apart
    MOST_FRAMES = 100  # of one exception, half of them from its end: recursion may have thousands
    LINES_AROUND = 5
    LONGEST_LINE = 1000

    def frames_of(
        error, own, lines
    ):
        """The frames of an exception, the one that raised it last; what they show goes to `lines`.

        `own` are the globals of the runner''s main module.
        """
        traces = []
        trace = error.__traceback__  # type: Any
        while trace is not None:
            traces.append(trace)
            trace = trace.tb_next
        cut = len(traces) - MOST_FRAMES
        if cut > 0:
            traces[MOST_FRAMES // 2 : -MOST_FRAMES // 2] = []
        frames = [_frame_of(each, own, lines) for each in traces]
        if cut > 0:
            note = ["<%d frames are left out here>" % cut, 1, "...", 1, ""]  # type: Frame
            frames.insert(MOST_FRAMES // 2, note)
        return frames

    def _frame_of(trace, own, lines):
        code, scope = trace.tb_frame.f_code, trace.tb_frame.f_globals
        line = trace.tb_lineno or code.co_firstlineno
        first = max(code.co_firstlineno, line - LINES_AROUND)
        if is_own_frame(trace.tb_frame, own):
            return [code.co_filename, line, code.co_name, first, OWN_MODULE]
        known = lines.setdefault(code.co_filename, {})
        if line not in known:
            texts = _source_lines(code.co_filename, scope)
            known[line] = ""  # so that it is looked for once, where there is none
            for number, text in enumerate(texts[first - 1 : line + LINES_AROUND], first):
                known[number] = text.rstrip("\n")[:LONGEST_LINE]
        return [code.co_filename, line, code.co_name, first, str(scope.get("__name__", ""))]

    def _source_lines(file, scope):
        try:
            return linecache.getlines(file, scope)
        except Exception:  # noqa: BLE001 - a file that is no Python, a loader that fails
            return []

    def is_own_frame(frame, own):
        """Is it one of the runner''s, whose main module has the globals `own`?"""
        scope = frame.f_globals
        return scope is own or MARK in scope or str(scope.get("__name__")).startswith("sqlexec.")

    import builtins
    import pickle
    import sys
    import traceback
    import warnings

    LONGEST_CHAIN = 100  # exceptions after which no more causes and contexts are sent of one
    _GROUP = getattr(builtins, "BaseExceptionGroup", ())  # since Python 3.11

    def describe(error, own):
        """Type name, nearest builtin class, message and traceback text of an exception.

        The runner''s frames, those with the globals `own`, are left out at the top: the user''s
        function comes first.
        """
        trace = error.__traceback__
        while trace is not None and is_own_frame(trace.tb_frame, own):
            trace = trace.tb_next
        kind = type(error)
        try:
            lines = traceback.format_exception(kind, error, trace)
        except BaseException:  # noqa: BLE001 - the exception''s own __str__ or __repr__ raised
            lines = traceback.format_tb(trace) + ["%s: %s\n" % (kind.__name__, text_of(error))]
        return {
            "type": "%s.%s" % (kind.__module__, kind.__qualname__),
            "base": next(base.__name__ for base in kind.__mro__ if base.__module__ == "builtins"),
            "message": text_of(error),
            "traceback": "".join(lines),
        }

    def describe_current(own):
        """`describe` of the exception that is being handled."""
        error = sys.exc_info()[1]  # type: Any
        return describe(error, own)

    def describe_frames(
        error, own, lines
    ):
        """Frames of the exception, and of the others in the order of `dump_error`."""
        return [frames_of(each, own, lines) for each in _chain(error)]

    def dump_error(error, dump_one):
        """Pickle an exception with its causes, contexts and members; no pieces where it cannot be.

        One of them that cannot be pickled is named, and spoils nothing else.
        """
        chain = _chain(error)
        places = {id(each): place for place, each in enumerate(chain)}
        links = []
        pieces = [b""]  # type: List[Buffer]
        for each in chain:
            members = _members(each)
            sent = _with_members(each, [_placeholder(each)]) if members else each
            own = _dumped(sent, dump_one) or _dumped(_without_unpicklable(sent, dump_one), dump_one)
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
                    [places[id(member)] for member in members],
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
        """Rebuild what `dump_error` wrote: the chain; empty if the exception itself cannot be.

        `stand_in(type''s name, text)` gives what is taken for another that cannot.
        """
        links = pickle.loads(pieces[0])
        chain = []  # type: List[BaseException]
        start = 1
        waiting = {}  # type: Dict[int, List[int]]
        for name, text, _, _, _, count, members in links:
            found = _loaded(pieces[start : start + count], load_one)
            if found is None and not chain:
                return []
            if found is not None and members:
                waiting[len(chain)] = members
            chain.append(stand_in(name, text) if found is None else found)
            start += count
        while waiting:  # groups of groups: those within come first
            ready = [place for place in waiting if not waiting.keys() & set(waiting[place])]
            for place in ready:
                members = [chain[member] for member in waiting.pop(place)]
                chain[place] = _with_members(chain[place], members)
            if not ready:
                raise ValueError("groups of exceptions that contain each other")
        for error, (_, _, cause, context, suppressed, _, _) in zip(chain, links):
            for name, value in (
                ("__cause__", None if cause is None else chain[cause]),
                ("__context__", None if context is None else chain[context]),
                ("__suppress_context__", suppressed),
            ):
                object.__setattr__(error, name, value)  # not by its class''s own, which may refuse
        return chain

    def _dumped(value, dump_one):
        try:
            return dump_one(value)
        except BaseException:  # noqa: BLE001 - whatever a user''s __reduce__ raises
            return []

    def _without_unpicklable(error, dump_one):
        """The exception with texts for arguments that cannot be pickled and without such attributes."""
        if exception_reducer(type(error)) is None:
            return error
        arguments, attributes = parts_of_exception(error)
        lost = ["argument %r" % text_of(each) for each in arguments if not _dumped(each, dump_one)]
        twin = make_exception(
            type(error),
            tuple(each if _dumped(each, dump_one) else text_of(each) for each in arguments),
        )
        for name, each in attributes.items():
            if _dumped(each, dump_one):
                setattr(twin, name, each)
            else:
                lost.append("attribute %r" % name)
        if lost:
            with warnings.catch_warnings():
                warnings.simplefilter("always")  # the task may have made errors of them
                warnings.warn(
                    "%s of the exception %s cannot be pickled and did not travel with it"
                    % (", ".join(lost), type(error).__name__),
                    stacklevel=2,
                )
        return twin

    def _loaded(pieces, load_one):
        if not pieces:
            return None
        try:
            found = load_one(pieces)
        except Exception:  # noqa: BLE001 - its class may want other arguments, or be missing here
            return None
        return found if isinstance(found, BaseException) else None

    def _chain(error):
        """The exception and all that it has for cause, context or member, directly or not."""
        found = [error]
        known = {id(error), id(None)}
        for each in found:
            more = _members(each)
            if len(found) < LONGEST_CHAIN:
                more += [each.__cause__, each.__context__]
            for other in more:
                if id(other) not in known:
                    known.add(id(other))
                    found.append(other)
        return found

    def _members(error):
        """Of a group, those that travel for themselves: all, unless it pickles itself its own way."""
        if isinstance(error, _GROUP) and exception_reducer(type(error)) is not None:
            return list(error.exceptions)
        return []

    def _with_members(group, members):
        """A group like this one, of others."""
        twin = make_exception(type(group), (group.message, members))  # type: BaseException
        for name, value in parts_of_exception(group)[1].items():
            setattr(twin, name, value)
        return twin

    def _placeholder(group):
        """What stands in a group that is sent for its members: it takes no others, and not none."""
        return Exception() if isinstance(group, Exception) else BaseException()

    ''''''
    describe = _failures("describe")
    describe_current = _failures("describe_current")
    describe_frames = _failures("describe_frames")
    dump_error = _failures("dump_error")


    import os
    import sys
    import traceback

    def in_this_process(function):
        """The function, which comes back in the process that calls it alone.

        A fork of it would go on with the next tasks and give an answer of its own.
        """
        process_id = os.getpid()

        def run(**arguments):
            try:
                value = function(**arguments)
            except BaseException as error:
                if os.getpid() != process_id:
                    _end(error)
                raise
            if os.getpid() != process_id:
                _end(None)
            return value

        return run

    def _end(error):
        """End this process as Python ends a program."""
        status = 1
        try:
            if error is None:
                status = 0
            elif not isinstance(error, SystemExit):
                traceback.print_exception(type(error), error, error.__traceback__)
            elif error.code is None or isinstance(error.code, int):
                status = error.code or 0
            else:
                sys.stderr.write("%s\n" % (error.code,))
        finally:
            os._exit(status)
    def _limits(entry, scope={"__name__": __name__, "__sqlexec__": 1, }):
        def call(*arguments):
            if entry not in scope:
                text = "if True:" + _limits_text
                exec(compile(text, call.__code__.co_filename, "exec"), scope)
            return scope[entry](*arguments)
        return call
    _limits_text = r''''''

    import ctypes
    import faulthandler
    import os
    import signal
    import sys
    import threading
    import time

    GRACE = 3.0  # seconds
    SHORTEST_INTERVAL = 1.0  # seconds between two exceptions in a task that ignores them

    class TaskTimeout(TimeoutError):
        """The task took longer than it may."""

    class TimeLimit:
        """Limits tasks, one after the other, while it is entered as a context.

        `seconds` are those of a task, None for no limit, and `seconds_left` those of all of them, 0
        for no limit.  `kind` is the class of the exception in the task; `fatal` whether a task that
        cannot be interrupted ends the process.
        """

        def __init__(
            self,
            seconds,
            kind = TaskTimeout,
            fatal = True,
            seconds_left = 0,
        ):
            self._seconds = seconds
            self._end = time.monotonic() + seconds_left if seconds_left else None
            self._kind = kind
            self._running = False
            self._fatal = fatal
            self._stderr = None  # type: Optional[int]
            self._timer = None  # type: Any
            in_main = seconds is not None and threading.current_thread() is threading.main_thread()
            self._by_signal = in_main and hasattr(signal, "setitimer")

        def __enter__(self):
            if self._by_signal:
                self._before = signal.signal(signal.SIGALRM, self._ring)
                self._alarm = signal.getitimer(signal.ITIMER_REAL)  # of somebody else
                self._entered = time.time()
            if self._fatal:
                try:
                    self._stderr = os.dup(2)  # that of the process, whoever takes its place later
                except OSError:
                    pass  # a service without one: nothing can tell where a task was stuck
            self._watch(None)
            return self

        def __exit__(self, *_):
            self.stop()
            if self._by_signal:
                signal.signal(signal.SIGALRM, self._before or signal.SIG_DFL)
                left, interval = self._alarm
                if left:
                    left = max(left - (time.time() - self._entered), 0.001)
                    signal.setitimer(signal.ITIMER_REAL, left, interval)
            if self._stderr is not None:
                faulthandler.cancel_dump_traceback_later()
                os.close(self._stderr)

        def limited(self, function):
            """The function, each call of which is a task."""

            def limited(**arguments):
                self.start()
                try:
                    return function(**arguments)
                finally:
                    self.stop()

            return limited

        def start(self):
            """A task begins."""
            if self._seconds is None:
                return
            self._running = True
            self._watch(2 * self._seconds + GRACE)
            if self._by_signal:
                again = max(self._seconds, SHORTEST_INTERVAL)
                signal.setitimer(signal.ITIMER_REAL, self._seconds, again)
            else:
                self._timer = _Timer(self._seconds, self._kind)

        def stop(self):
            """It has ended, in time or not; may be called twice."""
            if self._seconds is None:
                return
            self._running = False
            if self._by_signal:
                signal.setitimer(signal.ITIMER_REAL, 0)
            elif self._timer is not None:
                self._timer.stop()
                self._timer = None
            self._watch(None)

        def has_raised(self, error):
            """Is it the exception of this limit?"""
            return type(error) is self._kind

        def _watch(self, seconds):
            """End the process after so many seconds, at the end of all tasks'' time at the latest."""
            if self._stderr is None:
                return
            if self._end is not None:
                left = max(self._end - time.monotonic(), 0.001)
                seconds = left if seconds is None else min(left, seconds)
            if seconds is None:
                faulthandler.cancel_dump_traceback_later()
            else:
                faulthandler.dump_traceback_later(seconds, exit=True, file=self._stderr)

        def _ring(self, *_):
            if self._running:
                raise self._kind()

    class _Timer:
        """Raises an exception of a class in the thread that made it, later."""

        def __init__(self, seconds, kind):
            self._lock = threading.Lock()
            self._stopped = False
            self._raised = False
            self._kind = kind
            wide = sys.version_info >= (3, 7)
            self._thread = (ctypes.c_ulong if wide else ctypes.c_long)(threading.get_ident())
            self._timer = threading.Timer(seconds, self._ring)
            self._timer.daemon = True
            self._timer.start()

        def stop(self):
            """Raise nothing any more, not even what was set and has not come up yet.

            It comes up here: to take it back would leave CPython 3.11 with a flag that is never
            cleared, and a profile function would then stop the thread for ever.
            """
            self._timer.cancel()
            try:
                with self._lock:
                    self._stopped = True
                for _ in range(100 if self._raised else 0):
                    pass  # Python looks for exceptions at each turn of a loop
            except self._kind:
                self._stopped = True

        def _ring(self):
            with self._lock:
                if not self._stopped:
                    self._raised = True
                    kind = ctypes.py_object(self._kind)
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(self._thread, kind)

    def time_limit(seconds, seconds_left = 0):
        """A TimeLimit for the tasks of a chunk."""
        return TimeLimit(seconds, seconds_left=seconds_left)

    ''''''
    time_limit = _limits("time_limit")
    def _passthrough(entry, scope={"__name__": __name__, "__sqlexec__": 1, }):
        def call(*arguments):
            if entry not in scope:
                text = "if True:" + _passthrough_text
                exec(compile(text, call.__code__.co_filename, "exec"), scope)
            return scope[entry](*arguments)
        return call
    _passthrough_text = r''''''

    import faulthandler
    import io
    import os
    import sys

    class Passthrough:
        """Takes the place of a Recorder for a task that may end its process.

        What it writes leaves the process at once, by descriptors 1 and 2, and comes back with the
        messages of the call; so does the place of a crash.
        """

        def __enter__(self):
            self._saved = (sys.stdout, sys.stderr)
            self._files = []  # type: List[io.TextIOWrapper]
            sys.stdout = self._file(1)
            sys.stderr = self._file(2)
            self._enabled = faulthandler.is_enabled()
            try:
                faulthandler.enable(sys.stderr)
            except (OSError, RuntimeError):  # no descriptor here
                self._enabled = True
            return self

        def __exit__(self, *_):
            if not self._enabled:
                faulthandler.disable()
            sys.stdout, sys.stderr = self._saved
            for file in self._files:
                file.close()

        def take(self):
            """Nothing: it has left already."""
            return []

        def _file(self, number):
            try:
                raw = io.FileIO(os.dup(number), "w")  # type: Any
            except OSError:
                return io.StringIO()
            file = io.TextIOWrapper(raw, "utf-8", "backslashreplace", "\n", write_through=True)
            self._files.append(file)
            return file

    def passthrough():
        """A Passthrough."""
        return Passthrough()

    ''''''
    passthrough = _passthrough("passthrough")


    import hashlib
    import random

    _MASK = 0xFFFFFFFF  # all is computed in 32 bits
    _POOL = 4  # words

    def seed_run(seed, index):
        """Seed `random`, and numpy''s global generator where there is numpy, for run `index`.

        Without a seed nothing is touched.
        """
        if seed is None:
            return
        random.seed(int.from_bytes(hashlib.sha256(b"%d/%d" % (seed, index)).digest(), "big"))
        try:
            import numpy  # now, since the function may import it later
        except ImportError:
            return
        numpy.random.seed(state_of(seed, index, 8))

    def forget_seed():
        """Make the generators unpredictable again, for who comes next in this process."""
        random.seed()
        try:
            import numpy
        except ImportError:
            return
        numpy.random.seed()

    def state_of(seed, index, count):
        """The words that `SeedSequence(seed, spawn_key=(index,)).generate_state(count)` gives.

        The algorithm: M. E. O''Neill, "Developing a seed_seq Alternative", 2015, as numpy has it.
        """
        entropy = _words(seed)
        entropy += [0] * (_POOL - len(entropy)) + _words(index)
        hashed = _hasher(0x43B0D7E5, 0x931E8875)
        pool = [hashed(word) for word in entropy[:_POOL]]
        for source in range(_POOL):
            for place in range(_POOL):
                if source != place:
                    pool[place] = _mixed(pool[place], hashed(pool[source]))
        for word in entropy[_POOL:]:
            pool = [_mixed(old, hashed(word)) for old in pool]
        hashed = _hasher(0x8B51F9DD, 0x58F38DED)
        return [hashed(pool[place % _POOL]) for place in range(count)]

    def _words(number):
        """The number in words of 32 bits, the lowest first."""
        words = [number & _MASK]
        while number > _MASK:
            number >>= 32
            words.append(number & _MASK)
        return words

    def _hasher(constant, factor):
        """A hash of a word, another each time that it is called."""
        state = [constant]

        def hashed(word):
            word ^= state[0]
            state[0] = state[0] * factor & _MASK
            word = word * state[0] & _MASK
            return word ^ word >> 16

        return hashed

    def _mixed(one, other):
        word = (0xCA01F9DD * one - 0x4973F715 * other) & _MASK
        return word ^ word >> 16


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


    import contextlib
    import os
    import sys

    def call_with(function, args, kwargs):
        """Call a function."""
        return function(*args, **kwargs)

    def call_each(function, calls):
        """Call a function with each of these arguments."""
        return [function(*args) for args in calls]

    def call_beside(calls, workers):
        """Call functions one after the other, beside so many workers that do the same.

        Threads of BLAS and OpenMP that are more than the cores wait for each other, so each worker
        has its part of them.  What the functions themselves do by joblib stays in this process.
        """
        with contextlib.ExitStack() as stack:
            try:
                import threadpoolctl
            except ImportError:
                pass
            else:
                cores = max(1, (os.cpu_count() or 1) // workers)
                stack.enter_context(threadpoolctl.threadpool_limits(cores))
            stack.enter_context(_joblib_in_sequence())
            return [function(*args, **kwargs) for function, args, kwargs in calls]

    @contextlib.contextmanager
    def _joblib_in_sequence():
        """Let joblib start no processes; it is not loaded for that, which would take a while."""
        joblib = sys.modules.get("joblib")
        if joblib is not None:
            config = getattr(joblib, "parallel_config", None) or joblib.parallel_backend  # before 1.3
            with config("sequential"):
                yield
            return
        name = "JOBLIB_MULTIPROCESSING"  # which it asks when it is loaded
        before = os.environ.get(name)
        os.environ[name] = "0"
        try:
            yield
        finally:
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before


    import importlib.machinery
    import json
    import sys
    import types
    import zlib

    _replaced = {}  # type: Dict[str, types.ModuleType]
    _travelled = []  # type: List[Any]  # sources of the one that is there

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
        sources = _Sources(json.loads(zlib.decompress(bytes(pieces[0])).decode("ascii")))
        _travelled.append(sources)
        for name in _cloudpickle_modules():
            _replaced[name] = sys.modules.pop(name)
        sys.meta_path.insert(0, sources)
        try:
            __import__("cloudpickle")
        finally:
            sys.meta_path.remove(sources)

    def remove_cloudpickle():
        """Take out the one that travelled, and put back what it replaced."""
        if not _travelled:
            return
        _travelled.clear()
        for name in _cloudpickle_modules():
            if isinstance(getattr(sys.modules[name].__spec__, "loader", None), _Sources):
                del sys.modules[name]
        sys.modules.update(_replaced)
        _replaced.clear()

    def _cloudpickle_modules():
        return [each for each in sys.modules if each.split(".", 1)[0] == "cloudpickle"]

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
    import types

    _OUTER = "sqlexec_free"

    def definition_code(
        segment,
        path,
        free,
        flags = -1,
        imported = (),
    ):
        """Compile a definition; gives a function''s code, or one to call that defines it and gives it.

        The latter is of a function, or of a module (see `is_module_code`) and gives nothing itself.
        `flags` are those of the `__future__`; by default annotations are kept as text, since what
        they name may not exist here.  `imported` are names that the module imports: to them Python
        3.11 and later compile calls in another way.
        """
        kind, file, line, text = segment
        if flags < 0:
            flags = getattr(getattr(__future__, "annotations", None), "compiler_flag", 0)
            strips = not flags
        else:
            strips = False
        by_itself = path.isidentifier() and not free and not imported and text[:1] not in (" ", "\t")
        if kind != "lambda" and by_itself and not strips:
            code = compile("\n" * (line - 1) + text, file, "exec", flags, True)
            return _inner_code(code, path) if kind == "def" else code
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
        if strips:
            strip_annotations(tree)
        code = compile(tree, file, "exec", flags, True)
        for scope in [_OUTER] + scopes + ([] if kind in ("class", "statement") else [name]):
            code = _inner_code(code, scope)
        return code

    def is_module_code(code):
        """Is it code to run in a module''s namespace, where it leaves what it defines?"""
        return bool(code.co_name == "<module>")

    def _parse(kind, line, text):
        """The statements of a segment, at their own lines and columns."""
        before = "(\n" if kind == "lambda" else "if 1:\n" if text[:1] in (" ", "\t") else ""
        after = "\n)" if kind == "lambda" else ""
        lines = line - 1 - before.count("\n")  # -1 for a lambda in the first line
        tree = ast.parse("\n" * lines + before + text + after)
        if lines < 0:
            ast.increment_lineno(tree, lines)
        found = tree.body  # type: Any
        return list(found[0].body if before == "if 1:\n" else found)

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
        """Parsed code that begins at a line: empty lines are read faster than a tree is changed."""
        return ast.parse("\n" * (line - 1) + text)

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

    def strip_annotations(tree):
        """For Python 3.5 and 3.6, which evaluate all of them."""
        for node in ast.walk(tree):  # type: Any
            if isinstance(node, ast.arg):
                node.annotation = None
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                node.returns = None
            elif type(node).__name__ == "AnnAssign":
                node.annotation = ast.copy_location(ast.Str("typing.Any"), node.annotation)  # type: ignore[attr-defined,unused-ignore]


    import __future__

    import ast
    import importlib
    import importlib.machinery
    import json
    import linecache
    import sys
    import types
    import zlib

    _MODULES = {}  # type: Dict[int, types.ModuleType]  # likewise, namespaces
    _BEFORE = []  # type: List[Tuple[Dict[str, Any], str, Any]]  # dict, key, what stood there

    def install_modules(pieces):
        """Make the user''s modules importable that came whole; `pieces` is [] or their sources."""
        if pieces:
            sources = json.loads(zlib.decompress(bytes(pieces[0])).decode("ascii"))
            sys.meta_path.insert(0, _ModuleFinder(sources))
            for name in sources:
                _replace(sys.modules, name, None)

    def clear_namespaces():
        """Leave nothing of the chunk''s modules behind."""
        finders = [each for each in sys.meta_path if type(each).__name__ == "_ModuleFinder"]
        for finder in finders:
            sys.meta_path.remove(finder)
        while _BEFORE:
            place, key, value = _BEFORE.pop()
            if value is None:
                place.pop(key, None)
            else:
                place[key] = value
        _MODULES.clear()

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

    def user_module(name, submodules = ()):
        """One of the user''s modules that came whole, with those of its submodules that are used."""
        for each in submodules:
            importlib.import_module(each)
        return importlib.import_module(name)

    def user_name(name, attribute):
        """A name of one of the user''s modules that came whole."""
        value = importlib.import_module(name)  # type: Any
        for each in attribute.split("."):
            value = getattr(value, each)
        return value

    def remember_lines(segment):
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
            remember_lines(("module", file, 1, source))
            tree = ast.parse(source)
            flags = getattr(getattr(__future__, "annotations", None), "compiler_flag", 0)
            if not flags:
                tree.body = [each for each in tree.body if getattr(each, "module", 0) != "__future__"]
                strip_annotations(tree)
            exec(compile(tree, file, "exec", flags, True), module.__dict__)


    import importlib
    import sys

    class MissingPackage(ImportError):
        """A package that the function imports on the client is not there on the server."""

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


    import collections
    import pickle
    import types

    _MADE = {}  # type: Dict[int, Any]  # objects of this chunk by the number the client gave them

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
            add_implementations,
            complete_enum,
            placed_member,
            import_name,
            user_name,
        )  # type: Any
        return {each.__name__: each for each in names}

    def remove_definitions():
        """Leave nothing of the chunk''s definitions behind."""
        clear_namespaces()
        _MADE.clear()

    def define(
        number,
        segment,
        space,
        path,
        free,
        cells,
        needed,
        filled = (),
    ):
        """A function or class, or what its decorated definition gives; still without its values.

        `path` is its qualified name, `free` the variables that it has from functions around it, in
        `cells`; `needed` are the globals that the definition itself uses, `filled` those of the cells
        that it does, each with its value.
        """
        if number in _MADE:
            return _MADE[number]
        for name, value in needed.items():
            space.setdefault(name, value)
        for cell, value in filled:
            _fill(cell, value)
        remember_lines(segment)
        code = definition_code(segment, path, free)
        if is_module_code(code):
            exec(code, space)
            _MADE[number] = space[path]
            return _MADE[number]
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
        """Give a definition its values: cells, globals, attributes, and the name it stands under.

        An abstract class may also have classes that were registered with it.
        """
        contents, space, names, attributes, public = state[:5]
        for cell, value in contents:
            _fill(cell, value)
        for name, value in names.items():
            space.setdefault(name, value)
        for name, value in attributes.items():
            setattr(made, name, value)
        if public is not None:
            space.setdefault(public, made)
        for registered in state[5:]:
            for kind in registered:
                made.register(kind)

    def add_implementations(dispatcher, registry):
        """Register with a function of functools.singledispatch what it chooses from."""
        for kind, function in registry.items():
            dispatcher.register(kind, function)

    def complete_enum(kind, state):
        """Give an Enum its attributes, by cloudpickle, and its members what the class gave them."""
        import cloudpickle

        of_class, members = state
        cloudpickle.cloudpickle._class_setstate(kind, of_class)
        for name, (value, first, attributes) in members.items():
            member = kind.__members__[first] if first in kind.__members__ else kind(value)
            member._name_ = first
            kind._member_map_.pop(name, None)
            kind._member_map_[name] = member  # in their order
            vars(member).update(attributes)

    def placed_member(kind, content, value):
        """A member of an Enum of texts, numbers, ... whose own __new__ has made it in the client."""
        member = kind._member_type_.__new__(kind, content)
        member._value_ = value
        return member

    def define_cell(*_):
        """An empty cell."""
        cell = None

        def holder():
            return cell  # noqa: F821 - it is to be empty

        del cell
        closure = holder.__closure__  # type: Any
        return closure[0]

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

    def _fill(cell, value):
        """Set a cell''s contents; Python 3.6 has no attribute for that."""

        inner = None

        def write(value):
            nonlocal inner
            inner = value

        types.FunctionType(write.__code__, {}, "write", None, (cell,))(value)
    def _revoscalepy(entry, scope={"__name__": __name__, "__sqlexec__": 1, "call_beside": call_beside, "call_each": call_each, "call_with": call_with}):
        def call(*arguments):
            if entry not in scope:
                text = "if True:" + _revoscalepy_text
                exec(compile(text, call.__code__.co_filename, "exec"), scope)
            return scope[entry](*arguments)
        return call
    _revoscalepy_text = r''''''

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

    import copy

    class PemaBase:
        """Base of parallel external memory algorithms: classes that see their rows chunk by chunk.

        A class says how it starts, what it takes from a chunk, and how the objects of two workers
        become one; `pema_compute` runs it.  The data may be far larger than memory, and its chunks
        may be seen in several processes at once.

            initialize(**fields)                    parameters; sums at nothing
                init_iteration()                    iterative ones: sums at nothing again
                    process_data(chunk)             in a worker, on an object of its own
                    update_results(other)           here: fold a worker''s object into this one
                process_results()                   the answer, from the sums
                has_converged()                     or once more from init_iteration

        A worker''s object is a copy of this one as init_iteration leaves it; of a class without
        has_converged, which makes a single pass, as initialize and init_iteration leave it.  Whatever
        a method keeps on `self` travels between the processes: values that can be pickled, and better
        small ones.

        Parameters
        ----------
        **fields
            Fields for `initialize`, and the attributes below; those given to pema_compute go before.

        Attributes
        ----------
        iter : int
            Number of the pass over the data, from 1.
        max_iters : int, default 100
            The most passes of one pema_compute.
        report_progress : int, default 0
            1: pema_compute prints a line after each pass.
        trace_level : int, default 0
            For the methods of the class itself: how much they print.

        Example
        -------
        >>> class Mean(PemaBase):
        ...     def initialize(self, column):
        ...         self.column, self.count, self.sum = column, 0, 0.0
        ...
        ...     def process_data(self, chunk):
        ...         values = chunk[self.column].dropna()
        ...         self.count += len(values)
        ...         self.sum += values.sum()
        ...
        ...     def update_results(self, other):
        ...         self.count += other.count
        ...         self.sum += other.sum
        ...
        ...     def process_results(self):
        ...         return self.sum / self.count
        """

        __module__ = "sqlexec"  # its public name, by which pickles find it on either side
        iter = 0
        max_iters = 100
        report_progress = 0
        trace_level = 0
        _fields = {}  # type: Dict[str, Any]

        def __init__(self, **fields):
            self._fields = fields

        def initialize(self, **fields):
            """Set parameters, and what process_data adds up to nothing; by default the fields."""
            vars(self).update(fields)

        def init_iteration(self):
            """Begin a pass over the data: an iterative algorithm sets its sums to nothing again."""

        def process_data(self, chunk):
            """Take what is needed from some rows, a pandas DataFrame of the method''s own.

            Rows that it returns, a DataFrame too, go to the `out_data` of pema_compute.
            """
            raise NotImplementedError("a PemaBase needs a method process_data(self, chunk)")

        def update_results(self, other):
            """Fold in the object of a worker that has seen other rows."""
            raise NotImplementedError("a PemaBase needs a method update_results(self, other)")

        def process_results(self):
            """Give the answer, once a pass is folded; by default the object itself."""
            return self

        def has_converged(self):
            """Say whether this pass was the last; by default one is enough."""
            return True

    def process_rows(
        pema_obj, data, rows_wanted
    ):
        """Show a copy of the object one chunk: number of rows, the copy''s fields, rows returned."""
        worker = copy.deepcopy(pema_obj)
        chunk = data.read() if hasattr(data, "read") else data
        count = len(chunk)
        returned = worker.process_data(chunk)
        return count, vars(worker), returned if rows_wanted else None

    import importlib.machinery
    import types

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

    def rx_exec(
        function, args = None, times_to_run = -1, **arguments
    ):
        """Run a function here, one run after the other: inside the server there is nowhere else.

        `args` is a dict of named arguments, or a list of them for several runs.  Instead of it the
        arguments may be keywords, where a list makes a run of each element.  `times_to_run` repeats a
        single set.
        """
        arguments.pop("compute_context", None)
        lacking = _TUNING_OF_RX_EXEC.intersection(arguments)
        if lacking:
            raise NotImplementedError(
                "rx_exec inside SQL Server takes function, its arguments and times_to_run, not %s"
                % ", ".join(sorted(lacking))
            )
        if args is None:
            runs = _runs_of_keywords(arguments)
        elif arguments:
            raise TypeError("give the function''s arguments either in args or as keywords, not both")
        else:
            runs = list(args) if isinstance(args, (list, tuple)) else [args]
        if len(runs) == 1 and times_to_run >= 0:
            runs = runs * times_to_run
        if times_to_run >= 0 and times_to_run != len(runs):
            raise ValueError("times_to_run is %d, not %d as the arguments" % (times_to_run, len(runs)))
        return [function(**run) for run in runs]

    def _runs_of_keywords(arguments):
        """The arguments of each run, where a list has one for each."""
        lists = {name: value for name, value in arguments.items() if isinstance(value, list)}
        if not lists:
            return [arguments]
        if len(set(map(len, lists.values()))) > 1:
            raise ValueError("arguments with a value for each run must be of one length")
        return [dict(arguments, **dict(zip(lists, row))) for row in zip(*lists.values())]

    _OURS = {
        "rx_data_step": rx_data_step,
        "rx_import": rx_import,
        "rx_get_info": rx_get_info,
        "rx_get_var_info": rx_get_var_info,
        "rx_get_var_names": rx_get_var_names,
    }  # type: Dict[str, Function]
    _ALIASES = dict(_OURS)  # type: Dict[str, Any]
    _ALIASES.update(PemaBase=PemaBase, RxSqlServerData=RxSqlServerData, rx_exec=rx_exec)
    _TUNING = (
        "append", "overwrite", "max_rows_by_cols", "rows_per_read", "blocks_per_read",
        "report_progress", "verbose", "xdf_compression_level", "compute_low_high",
    )  # fmt: skip

    _TUNING_OF_RX_EXEC = frozenset((
        "task_chunk_size", "local_state", "callback", "continue_on_failure", "console_output",
        "auto_cleanup", "packages_to_load", "seed", "task_timeout_seconds", "report", "progress",
        "debug",
    ))  # fmt: skip

    def spec_of(name):
        """The real module''s spec with our loader around its own, or the stand-in''s."""
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

    def source_of_frame(frame, options):
        """The data source of rows that are here already."""
        return RxSqlServerData.of_frame(frame, options)

    def client_names():
        """What to take for names of the client''s sqlexec that a pickled function refers to."""
        functions = (call_beside, call_each, call_with, process_rows)
        return dict(_ALIASES, **{function.__name__: function for function in functions})

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
            import pandas

            for name in frame.columns:  # dates and bytes are objects, too
                kind = pandas.api.types.infer_dtype(frame[name].dropna(), skipna=True)
                if kind in ("string", "empty"):
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

    ''''''
    client_names = _revoscalepy("client_names")
    source_of_frame = _revoscalepy("source_of_frame")
    spec_of = _revoscalepy("spec_of")


    import sys

    _NAMES = ("revoscalepy", "sqlexec")

    class _Finder:
        """Answers for our names on sys.meta_path, and for nothing else."""

        def find_spec(self, name, path = None, target = None):
            """The spec of one of our names."""
            return spec_of(name) if name in _NAMES else None

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


    import os
    import sys
    import warnings

    MOST_WARNINGS = 100  # kept of one task

    class Warned:
        """Keeps the warnings of each task, each once a task, and not too many.

        `seen` has those since the last `take()`.
        """

        def __init__(self):
            self.seen = {}  # type: Dict[WarningKey, None]
            self._catcher = warnings.catch_warnings()
            self._process_id = os.getpid()

        def __enter__(self):
            self._catcher.__enter__()
            show = self._show  # type: Any
            warnings.showwarning = show
            return self

        def __exit__(self, *error):
            self._catcher.__exit__(*error)

        def take(self):
            """The warnings since the last call."""
            seen, self.seen = self.seen, {}
            # Entered anew, so that Python forgets at which places it has warned already.
            self._catcher.__exit__(None, None, None)
            self._catcher = warnings.catch_warnings()
            self.__enter__()
            return list(seen)

        def _show(self, message, category, filename, lineno, *_):
            if os.getpid() != self._process_id:  # a fork: what is kept there does not come back
                sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))
            elif len(self.seen) < MOST_WARNINGS:
                name = "%s.%s" % (category.__module__, category.__qualname__)
                file, module = _place_of(filename, lineno)
                self.seen[(name, str(message), file, lineno, module)] = None

    def _place_of(filename, line):
        """File and module of the code that runs that line: filters of warnings may name the module.

        Before Python 3.8 a warning has the file of the globals, for notebooks that of the program.
        """
        frame = sys._getframe(2)  # type: Any
        while frame is not None:
            file = frame.f_code.co_filename  # type: str
            if frame.f_lineno == line and (file == filename or sys.version_info < (3, 8)):
                return file, str(frame.f_globals.get("__name__"))
            frame = frame.f_back
        return filename, filename


    import struct
    import time

    class Gathered:
        """Values, errors, times, console and warnings of tasks.

        A task adds its start and its end to `started` and `ended`, and one value, be it a plain one
        to `values` itself, by `keep` or by `fail`; to `console` and `warnings`, by its place, only
        what there is.
        """

        def __init__(self):
            self.started = []  # type: List[float]
            self.ended = []  # type: List[float]
            self.values = Batch()
            self.errors = {}  # type: Dict[int, Dict[str, Any]]
            self.console = {}  # type: Dict[int, Lines]
            self.warnings = {}  # type: Dict[int, List[WarningKey]]
            self._dumper = Dumper()
            self._lines = {}  # type: Dict[str, Dict[int, str]]

        def keep(self, index, value):
            """Take what a task returned that is not plain; what cannot be sent back is an error."""
            pieces = self._dump_result(value)
            try:
                self.values.add_apart(pieces)
            except TooLarge as error:
                raise ValueError(
                    "the result of run %d (%s, %s bytes) cannot be sent back: with the results before "
                    "it this call comes to %s. Return less, or do fewer runs a call (task_chunk_size=1)"
                    % (index, type(value).__name__, "{:,}".format(sum(sizes(pieces))), error)
                )

        def fail(
            self, place, error, timed_out, longest
        ):
            """Take a task''s exception for its value; `longest` is the server''s limit."""
            if len(self.started) == place:  # its arguments could not be loaded
                self.started.append(time.time())
            if len(self.ended) == place:
                self.ended.append(time.time())
            told = describe(error, globals())
            told["frames"] = describe_frames(error, globals(), self._lines)
            told["timed_out"] = timed_out
            if timed_out and longest is not None:
                told["longest_run_seconds"] = longest
            self.errors[place] = told
            try:
                self.values.add_apart(dump_error(error, self._dump))
            except TooLarge:
                self.values.add_apart([])  # its text must do

        def close(self, indexes, header):
            """Write the header''s entries; gives the body. `indexes` are those of all tasks."""
            count = len(self.ended)
            header["count"] = count
            header["errors"] = self.errors
            header["lines"] = self._lines
            header["console"] = self.console
            header["warnings"] = self.warnings
            return [
                struct.pack("<%dq" % count, *indexes[:count]),
                struct.pack("<%dd" % count, *self.started),
                struct.pack("<%dd" % count, *self.ended),
            ] + self.values.close(header)

        def _dump_result(self, value):
            """Pickle a result; the error names what in it cannot be."""
            try:
                return self._dump(value)
            except Exception as error:  # noqa: BLE001 - whatever a user''s __reduce__ raises
                raise TypeError(
                    "%s cannot be sent back: %s: %s"
                    % (culprit("the function''s result", value, self._dump), type(error).__name__, error)
                )

        def _dump(self, value):
            """Pickle plainly, or by cloudpickle where a value has classes of the function''s own."""
            try:
                return self._dumper.dump(value)
            except BaseException as plain_error:
                self._dumper = Dumper()
                if not isinstance(plain_error, Exception):
                    raise
                try:
                    return dump(value, by_value=definitions_pickler if has_definitions() else True)
                except ImportError:  # no cloudpickle here
                    raise plain_error


    import contextlib
    import hashlib
    import sys
    import time
    from itertools import islice

    class NeedsSource(Exception):
        """The payload has bytecode of another Python than this one: send it again, by source."""

    class TaskChunk:
        """The tasks of one payload.

        `longest_run_seconds` is the server''s limit of each, 0 for none; the process ends after
        `seconds_left`, 0 for never.  `task_count` of them run from `first_place` on, 0 for all.
        """

        def __init__(
            self,
            header,
            body,
            input_data,
            shared,
            longest_run_seconds = 0,
            seconds_left = 0,
            first_place = 0,
            task_count = 0,
        ):
            self._header = header
            offset = 0
            apart = header.get("shared")  # type: Optional[str]
            if apart is not None and hashlib.sha256(shared).hexdigest() != apart:
                raise FrameError("the part that it shares with others was cut or changed")
            source = body if apart is None else memoryview(shared)
            self._pieces = {}  # type: Dict[str, List[memoryview]]
            for name in ("cloudpickle", "modules", "call"):
                self._pieces[name], offset = take(source, header[name], offset)
            if apart is not None:
                offset = 0
            (indexes,), offset = cut_numbers(header, body, offset, "q")
            self._sent_count = len(indexes)
            self._together, sent_apart = cut_batch(header, body, offset, self._sent_count)
            self._first_place = first_place
            self.indexes = indexes[first_place : first_place + (task_count or self._sent_count)]
            self._apart = {place - first_place: pieces for place, pieces in sent_apart.items()}
            self._seed = header.get("seed")  # type: Optional[int]
            self._input = header.get("input") or None  # type: Optional[Dict[str, Any]]
            self._input_data = input_data
            self._by_source = header["transport"] == "source"
            self._sender = header.get("sender")  # type: Optional[Dict[str, Any]]
            seconds = header.get("task_timeout")  # type: Optional[float]
            self._longest = None  # type: Optional[int]
            if longest_run_seconds and (not seconds or seconds > longest_run_seconds):
                seconds = self._longest = longest_run_seconds
            self._limit = None  # type: Any
            if seconds or seconds_left:
                self._limit = time_limit(seconds, seconds_left)

        def run(self):
            """Run the tasks, or as many as the chunk''s budget of time is good for."""
            if not self._by_source:
                _check_python(self._header)
            install_stand_in()
            try:
                with contextlib.ExitStack() as stack:
                    if self._limit is not None:
                        stack.enter_context(self._limit)  # first: it keeps the process''s stderr
                    suspect = self._header.get("suspect")
                    recorder = stack.enter_context(passthrough() if suspect else Recorder())  # type: Any
                    warned = stack.enter_context(Warned())
                    function, shared = self._load_call()
                    return self._run_tasks(function, shared, recorder, warned)
            finally:
                remove_cloudpickle()
                remove_definitions()
                remove_stand_in()

        def _load_call(self):
            """The function, with its local state as globals, and the arguments that all runs share."""
            if not self._by_source:
                version = self._header["cloudpickle_version"]
                install_cloudpickle(version, self._pieces["cloudpickle"])
            if self._pieces["modules"]:
                install_modules(self._pieces["modules"])
            for name in self._header["packages"]:
                _import_package(name)
            function, shared, local_state = load(self._pieces["call"], self._alias, self._sender)
            if local_state:
                globals_of(function).update(local_state)
            if self._input is not None:
                shared[self._input["argument"]] = source_of_frame(
                    self._input_data, self._input["options"]
                )
                self._input_data = None
            return function, shared

        def _alias(self, name):
            """What to take for a name of the client''s sqlexec; names with dots are of others."""
            if "." in name:
                return None
            found = definition_names().get(name)
            return client_names().get(name) if found is None else found

        def _run_tasks(
            self, function, shared, recorder, warned
        ):
            """Run the function once a task. Most tasks are short: little is done for each here."""
            gathered = Gathered()
            values, started, ended = gathered.values, gathered.started, gathered.ended
            limit, seed = self._limit, self._seed
            function = in_this_process(function)
            if limit is not None:
                function = limit.limited(function)
            budget, overtime = self._header.get("budget"), self._header.get("overtime", 0)
            together = plain_values(self._together, self._sent_count)
            together = islice(together, self._first_place, None)
            for place, (index, arguments) in enumerate(zip(self.indexes, together)):
                if budget and place:
                    spent = ended[-1] - started[0]
                    if spent >= budget and spent / place * (len(self.indexes) - place) > overtime:
                        break
                try:
                    if place in self._apart:
                        arguments = load(self._apart[place], self._alias, self._sender)
                    if shared:
                        arguments = dict(shared, **arguments)
                    started.append(time.time())  # what arguments import is a cost of the launch
                    if seed is not None:
                        seed_run(seed, index)
                    value = function(**arguments)
                    ended.append(time.time())
                    if is_plain(value):
                        values.add(value)
                    else:
                        gathered.keep(index, value)
                except BaseException as error:  # noqa: BLE001 - a task may raise what it likes
                    if limit is not None:
                        limit.stop()  # its exception may have come while it was being stopped
                    timed_out = limit is not None and limit.has_raised(error)
                    gathered.fail(place, error, timed_out, self._longest)
                lines = recorder.take()
                if lines:
                    gathered.console[place] = lines
                if warned.seen:
                    gathered.warnings[place] = warned.take()
            return gathered

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


    import io
    import os
    import platform
    import sys

    PROTOCOL = 2

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

    def run_chunk(
        payload,
        input_data = None,
        shared = b"",
        longest_run_seconds = 0,
        seconds_left = 0,
        first_place = 0,
        task_count = 0,
    ):
        """Run the tasks of a payload; gives the result''s bytes and how many tasks raised.

        `shared` is what came apart from the payload, since several payloads have it in common;
        `longest_run_seconds` is the server''s limit of each task, 0 for none; the process ends after
        `seconds_left`, 0 for never.  Of the payload''s tasks `task_count` run from `first_place` on, 0
        for all.

        Whatever goes wrong is told in the result, sealed with the payload''s key where that much
        could be read.
        """
        key = b""
        try:
            header, body = split_frame(payload, REQUEST)
            key = _key(header)
            if header["protocol"] != PROTOCOL:
                raise FrameError("it is of protocol %s, not %d" % (header["protocol"], PROTOCOL))
            chunk = TaskChunk(
                header,
                body,
                input_data,
                shared,
                longest_run_seconds,
                seconds_left,
                first_place,
                task_count,
            )
            gathered = chunk.run()
            answer = {}  # type: Dict[str, Any]
            pieces = gathered.close(chunk.indexes, answer)
            return _result(answer, pieces, key), len(gathered.errors)
        except FrameError as error:
            failure = {"type": "sqlexec.IntegrityError", "message": "the payload arrived broken: %s"}
            failure["message"] %= error
            return _result({"failure": failure}, [], key), 1
        except TooLarge as error:
            failure = describe_current(globals())
            failure["message"] = "the tasks ran, but all that they gave and wrote comes to %s" % error
            return _result({"failure": failure}, [], key), 1
        except BaseException:  # noqa: BLE001 - the promise of this function
            return failed_chunk(key), 1

    def failed_chunk(key):
        """The result of a chunk that the exception under way has ended."""
        return _result({"failure": describe_current(globals())}, [], key)

    def runtime():
        """What this process is, for the client to remember: versions and platform."""
        packages = {}
        for name in _TOLD:
            version = getattr(sys.modules.get(name), "__version__", None)
            if isinstance(version, str):
                packages[name] = version
        return {
            "python": list(sys.version_info[:3]),
            "implementation": platform.python_implementation(),
            "platform": sys.platform,
            "process_id": os.getpid(),
            "packages": packages,
            # Microsoft''s open language extension copies OUTPUT values at some 50 ns a byte.  It alone
            # gives a script its console in memory.
            "slow_output": type(sys.stdout) is io.StringIO,
        }

    def _result(header, pieces, key):
        header["protocol"] = PROTOCOL
        header["runtime"] = runtime()
        return join_frame(RESULT, header, pieces, key)

    def _key(header):
        try:
            return bytes.fromhex(header["key"])
        except (TypeError, ValueError):
            raise FrameError("its header has no key that is hexadecimal")


    import os
    import signal
    import sys
    import threading
    import warnings

    _SIGNALS = [  # those that a function may have a use for; each system has some of them
        getattr(signal, name)
        for name in (
            *("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP", "SIGALRM", "SIGVTALRM"),
            *("SIGPROF", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGPIPE"),
        )
        if hasattr(signal, name)
    ]

    class Surroundings:
        """The process as it is now, for `restore`.

        Names of `__main__`, directory, environment, import path and finders, filters of warnings,
        signal handlers, timer, trace and profile functions.  Packages that were imported stay, and so
        do finders of theirs.
        """

        def __init__(self):
            self._main = sys.modules["__main__"].__dict__
            self._names = dict(self._main)
            self._directory = _directory()
            self._environment = dict(os.environ)
            self._path = list(sys.path)
            self._finders = list(sys.meta_path)  # type: List[Any]
            self._filters = list(warnings.filters)
            self._hooks = (sys.gettrace(), sys.getprofile())
            self._handlers = {}  # type: Dict[int, Any]
            if threading.current_thread() is threading.main_thread():  # no other may set them
                self._handlers = {each: signal.getsignal(each) for each in _SIGNALS}

        def restore(self):
            """Make it so again. What cannot be (a directory that is gone) stays as it is."""
            sys.settrace(self._hooks[0])
            sys.setprofile(self._hooks[1])
            if self._handlers and hasattr(signal, "setitimer"):
                signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in self._handlers.items():
                if handler is not None and signal.getsignal(number) is not handler:
                    signal.signal(number, handler)
            for name in [each for each in self._main if each not in self._names]:
                del self._main[name]
            self._main.update(self._names)
            if dict(os.environ) != self._environment:
                os.environ.clear()
                os.environ.update(self._environment)
            sys.path[:] = self._path
            sys.meta_path[:] = self._finders + [each for each in sys.meta_path if self._stays(each)]
            if warnings.filters != self._filters:
                warnings.resetwarnings()  # also tells the caches of all modules
                warnings.filters[:] = self._filters  # type: ignore[index]
            if self._directory != _directory():
                try:
                    os.chdir(self._directory)
                except OSError:
                    pass

        def _stays(self, finder):
            """Is it the new finder of an imported package (six has one), which needs it further?"""
            kind = finder if isinstance(finder, type) else type(finder)
            module = sys.modules.get(kind.__module__)
            return (
                finder not in self._finders
                and module is not None
                and module.__dict__ is not self._main
                and getattr(module, kind.__name__, None) is kind
            )

    def _directory():
        try:
            return os.getcwd()
        except OSError:  # it was removed
            return ""


    import binascii
    import sys

    NEVER_CUT = 65535  # bytes of an OUTPUT value that arrive from every runtime
    PROBE = 65600  # bytes of the value that shows whether longer ones do
    PIECE = 3 << 20  # bytes of a row; a multiple of 3, so that each row''s base64 stands for itself

    def run_script(
        payload,
        shared,
        input_data,
        longest_run_seconds = 0,
        seconds_left = 0,
        first_place = 0,
        task_count = 0,
    ):
        """Run a chunk as the script that the server starts.

        Parameters are those of `run_chunk`.  Gives the values of the script''s variables: result (b""
        where it leaves in rows), result_length, header_length, failed_count, probe, input_rows, and
        the data frame of rows or None.
        """
        header = _header_of(payload)
        input_rows = 0 if input_data is None else len(input_data)
        before = Surroundings()
        try:
            result, failed = run_chunk(
                payload,
                input_data,
                shared or b"",
                longest_run_seconds,
                seconds_left,
                first_place,
                task_count,
            )
        except BaseException:  # noqa: BLE001 - an interrupt while run_chunk told of another error
            result, failed = failed_chunk(_key_of(header)), 1
        before.restore()
        sys.modules.pop(WIRE, None)
        if header.get("seed") is not None:
            forget_seed()
        way = header.get("way_out", "output")
        rows = None
        if way != "output" and len(result) > NEVER_CUT:
            rows = _rows_of(result)
        probe = bytes(PROBE) if way == "probe" else b""
        given = result if rows is None else b""
        return given, len(result), header_end(result), failed, probe, input_rows, rows

    def _header_of(payload):
        try:
            header = read_header(payload, REQUEST)
        except Exception:  # noqa: BLE001 - run_chunk meets it too, and answers it
            return {}
        return header if isinstance(header, dict) else {}

    def _key_of(header):
        """The job''s key; an empty one where the header has none that can be read."""
        try:
            return bytes.fromhex(header.get("key", ""))
        except (TypeError, ValueError):
            return b""

    def _rows_of(result):
        """A frame of plain integers and strings; None where there is no pandas."""
        try:
            import pandas
        except ImportError:
            return None

        view = memoryview(result)
        texts = [
            binascii.b2a_base64(view[start : start + PIECE])[:-1].decode("ascii")
            for start in range(0, len(view), PIECE)
        ]
        numbers = pandas.Series(range(len(texts)), dtype="int32")
        return pandas.DataFrame({"c0": numbers, "c1": pandas.Series(texts, dtype=object)})
    return run_script
try:
    sqlexec_input = InputDataSet
except NameError:  # a runtime that sets no name where there is no input query
    sqlexec_input = None
sqlexec_rows = None
try:
    result, result_length, header_length, failed_count, probe, input_rows, sqlexec_rows = (
        sqlexec_runner()(
            payload, shared, sqlexec_input, longest_run_seconds, seconds_left, first_place,
            task_count
        )
    )
    if sqlexec_rows is not None:
        OutputDataSet = sqlexec_rows
finally:
    del sqlexec_runner, sqlexec_input, sqlexec_rows
';
END;
GO

-- sqlexec.read_limits.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.read_limits
    @largest_payload_bytes bigint = NULL OUTPUT,
    @longest_run_seconds int = NULL OUTPUT,
    @most_workers int = NULL OUTPUT,
    @kept_days int = NULL OUTPUT
AS
/*
Purpose: the limits that sqlexec.configure has set, in one read; 0 for none. Of the other procedures.
Version: 0.2.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    SELECT
        @largest_payload_bytes = MAX(CASE WHEN s.setting_name = 'largest_payload_bytes' THEN s.setting_value END),
        @longest_run_seconds = MAX(CASE WHEN s.setting_name = 'longest_run_seconds' THEN s.setting_value END),
        @most_workers = MAX(CASE WHEN s.setting_name = 'most_workers_per_login' THEN s.setting_value END),
        @kept_days = MAX(CASE WHEN s.setting_name = 'kept_days' THEN s.setting_value END)
    FROM sqlexec.setting AS s;
END;
GO

-- sqlexec.refuse_payload.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.refuse_payload
    @payload_bytes bigint,
    @largest_payload_bytes bigint
AS
/*
Purpose: raise 51750: a payload is larger than the limit. Of the other procedures.
Version: 0.2.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @message nvarchar(2048) = CONCAT(
        N'The payload has ', @payload_bytes, N' bytes, but largest_payload_bytes of database ',
        DB_NAME(), N' is ', @largest_payload_bytes, N'. Send less: read large data by the query of a '
        , N'data source. A member of sqlexec_admin may change the limit: EXECUTE sqlexec.configure.');

    THROW 51750, @message, 1;
END;
GO

-- sqlexec.take_slot.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.take_slot
    @most_workers int,
    @slot nvarchar(255) OUTPUT
AS
/*
Purpose: take one of the places that the login has for external processes: an application lock, which
         goes with the session, however that ends. @slot is NULL where all are taken. Of the other
         procedures.
Version: 0.2.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @number int = 1;
    DECLARE @lock int = -1;

    WHILE @lock < 0 AND @number <= @most_workers
    BEGIN
        SET @slot = CONCAT(N'sqlexec slot ', @number, N' ', SUSER_SNAME());
        EXECUTE @lock = sys.sp_getapplock
            @Resource = @slot,
            @LockMode = 'Exclusive',
            @LockOwner = 'Session',
            @LockTimeout = 0;
        SET @number = @number + 1;
    END;
    IF @lock < 0
        SET @slot = NULL;
END;
GO

-- sqlexec.remove_jobs.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.remove_jobs
    @job_id uniqueidentifier = NULL,
    @ended_before datetime2(3) = NULL,
    @owner_sid varbinary(85) = NULL,
    @removed int = NULL OUTPUT
AS
/*
Purpose: remove all rows of a job, or of a thousand jobs that ended before a moment: of an owner, or
         of all where @owner_sid is NULL. Of the other procedures, which ask whose they are.
Version: 0.2.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @old TABLE (job_id uniqueidentifier NOT NULL);

    IF @job_id IS NOT NULL
        INSERT INTO @old (job_id) VALUES (@job_id);
    ELSE
        INSERT INTO @old (job_id)
        SELECT TOP (1000) j.job_id
        FROM sqlexec.job AS j
        WHERE j.ended_at <= @ended_before AND (@owner_sid IS NULL OR j.owner_sid = @owner_sid);
    SET @removed = @@ROWCOUNT;
    IF @removed = 0
        RETURN;

    BEGIN TRANSACTION;
    DELETE c FROM sqlexec.chunk AS c WHERE EXISTS (SELECT 1 FROM @old AS o WHERE o.job_id = c.job_id);
    DELETE w FROM sqlexec.worker AS w WHERE EXISTS (SELECT 1 FROM @old AS o WHERE o.job_id = w.job_id);
    DELETE b FROM sqlexec.blob AS b WHERE EXISTS (SELECT 1 FROM @old AS o WHERE o.job_id = b.job_id);
    DELETE j FROM sqlexec.job AS j WHERE EXISTS (SELECT 1 FROM @old AS o WHERE o.job_id = j.job_id);
    COMMIT TRANSACTION;
END;
GO

-- sqlexec.remove_expired.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.remove_expired
    @kept_days int
AS
/*
Purpose: remove jobs that ended, and rows of the log that began, more than so many days ago, some at
         a time. Of the other procedures.
Version: 0.2.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @before datetime2(3) = DATEADD(DAY, -@kept_days, SYSUTCDATETIME());

    DELETE l FROM sqlexec.chunk_log AS l WHERE l.started_at < @before;
    EXECUTE sqlexec.remove_jobs @ended_before = @before;
END;
GO

-- sqlexec.begin_call.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.begin_call
    @job_id uniqueidentifier,
    @chunk_number int,
    @task_count int,
    @payload_bytes bigint,
    @takes_slot bit = 1,
    @log_id bigint OUTPUT,
    @longest_run_seconds int = NULL OUTPUT,
    @slot nvarchar(255) = NULL OUTPUT
AS
/*
Purpose: see that a call of an external script keeps to the limits, and write that it begins.
         @slot is for end_call. Of the other procedures; nobody else may call it.
Version: 0.2.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @largest_payload_bytes bigint;
    DECLARE @most_workers int;
    DECLARE @kept_days int;
    DECLARE @message nvarchar(2048);

    SET @longest_run_seconds = 0;
    -- Most databases have none, and every call asks.
    IF EXISTS (SELECT 1 FROM sqlexec.setting AS s WHERE s.setting_value > 0)
        EXECUTE sqlexec.read_limits
            @largest_payload_bytes = @largest_payload_bytes OUTPUT,
            @longest_run_seconds = @longest_run_seconds OUTPUT,
            @most_workers = @most_workers OUTPUT,
            @kept_days = @kept_days OUTPUT;
    IF @largest_payload_bytes > 0 AND @payload_bytes > @largest_payload_bytes
        EXECUTE sqlexec.refuse_payload
            @payload_bytes = @payload_bytes,
            @largest_payload_bytes = @largest_payload_bytes;
    IF @most_workers > 0 AND @takes_slot = 1
    BEGIN
        EXECUTE sqlexec.take_slot @most_workers = @most_workers, @slot = @slot OUTPUT;
        IF @slot IS NULL
        BEGIN
            SET @message = CONCAT(
                N'Login ', SUSER_SNAME(), N' runs as many external processes as most_workers_per_login '
                , N'of database ', DB_NAME(), N' allows, ', @most_workers, N'. Ask for fewer at once '
                , N'(num_tasks). A member of sqlexec_admin may change the limit: EXECUTE sqlexec.configure.');
            THROW 51751, @message, 1;
        END;
    END;

    INSERT INTO sqlexec.chunk_log
        (job_id, chunk_number, login_name, original_login, user_name, application_name, host_name,
         session_id, task_count, payload_bytes, started_at, status)
    VALUES
        (@job_id, @chunk_number, SUSER_SNAME(), ORIGINAL_LOGIN(), USER_NAME(), APP_NAME(),
         HOST_NAME(), @@SPID, @task_count, @payload_bytes, SYSUTCDATETIME(), 'running');
    SET @log_id = SCOPE_IDENTITY();
    IF @kept_days > 0 AND @log_id % 100 = 0
        EXECUTE sqlexec.remove_expired @kept_days = @kept_days;
END;
GO

-- sqlexec.end_call.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.end_call
    @log_id bigint,
    @slot nvarchar(255) = NULL,
    @result_bytes bigint = NULL,
    @input_rows bigint = NULL,
    @failed_count int = NULL,
    @error_number int = NULL
AS
/*
Purpose: write how a call of an external script ended, and give its place back. Of the other
         procedures; nobody else may call it.
Version: 0.2.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    UPDATE l
    SET status = CASE
            WHEN @error_number IS NOT NULL THEN 'failed'
            WHEN @failed_count > 0 THEN 'tasks failed'
            ELSE 'finished'
        END,
        failed_count = @failed_count,
        result_bytes = @result_bytes,
        input_rows = @input_rows,
        error_number = @error_number,
        ended_at = SYSUTCDATETIME(),
        duration_ms = DATEDIFF(MILLISECOND, l.started_at, SYSUTCDATETIME())
    FROM sqlexec.chunk_log AS l
    WHERE l.log_id = @log_id;
    IF @slot IS NOT NULL
        EXECUTE sys.sp_releaseapplock @Resource = @slot, @LockOwner = 'Session';
END;
GO

-- sqlexec.execute_chunk.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.execute_chunk
    @protocol int = NULL,
    @job_id uniqueidentifier = NULL,
    @chunk_number int = NULL,
    @task_count int = NULL,
    @payload varbinary(max) = NULL,
    @input_query nvarchar(max) = N'',
    @result varbinary(max) = NULL OUTPUT,
    @result_length int = NULL OUTPUT,
    @probe_length int = NULL OUTPUT,
    @help bit = 0
AS
/*
Purpose: run one chunk of tasks in one external Python process, and log that it ran.
Version: 0.2.0

@protocol       of the client; it must be the runner's.
@job_id         for the log alone.
@chunk_number   for the log alone.
@task_count     for the log alone.
@payload        made by the client, read by the runner; T-SQL never looks inside.
@input_query    one SELECT, run with the caller's own rights; its rows go to the function.
@result         made by the runner, signed for the client.
@result_length  bytes that the runner gave: where @result has fewer, the runtime cut it.
@probe_length   bytes that came of a value of 65,600, where the payload asks how long an OUTPUT
                value may be here; else 0.
@help           1: tell this, and do nothing else.

Where the payload says so, a long result comes in rows instead, as base64 text in a result set of
two columns (number, piece), and @result is empty.

The caller needs EXECUTE on this procedure and EXECUTE ANY EXTERNAL SCRIPT in the database:
the role sqlexec_user has both. Rights on the tables of the query are the caller's own.

Example: the package sqlexec calls it, once for some tasks:
    EXECUTE sqlexec.execute_chunk @protocol = 2, @job_id = ?, @chunk_number = 1,
        @task_count = 4, @payload = ?, @result = @result OUTPUT;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'execute_chunk';
        RETURN;
    END;

    DECLARE @log_id bigint;
    DECLARE @script nvarchar(max);
    DECLARE @own_protocol int;
    DECLARE @own_version nvarchar(32);
    DECLARE @message nvarchar(2048);
    DECLARE @failed_count int;
    DECLARE @header_length int;
    DECLARE @probe varbinary(max);
    DECLARE @error_number int;
    DECLARE @payload_bytes bigint;
    DECLARE @longest_run_seconds int;
    DECLARE @slot nvarchar(255);
    DECLARE @input_rows bigint;

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
    IF @job_id IS NULL OR @chunk_number IS NULL OR @task_count IS NULL OR @payload IS NULL
    BEGIN
        SET @message = CONCAT_WS(
            NCHAR(10),
            CASE WHEN @job_id IS NULL THEN N'sqlexec.execute_chunk: @job_id must have a value.' END,
            CASE WHEN @chunk_number IS NULL THEN N'sqlexec.execute_chunk: @chunk_number must have a value.' END,
            CASE WHEN @task_count IS NULL THEN N'sqlexec.execute_chunk: @task_count must have a value.' END,
            CASE WHEN @payload IS NULL THEN N'sqlexec.execute_chunk: @payload must have a value.' END);
        THROW 51702, @message, 1;
    END;

    SET @payload_bytes = DATALENGTH(@payload);
    EXECUTE sqlexec.begin_call
        @job_id = @job_id,
        @chunk_number = @chunk_number,
        @task_count = @task_count,
        @payload_bytes = @payload_bytes,
        @log_id = @log_id OUTPUT,
        @longest_run_seconds = @longest_run_seconds OUTPUT,
        @slot = @slot OUTPUT;

    BEGIN TRY
        EXECUTE sys.sp_execute_external_script
            @language = N'Python',
            @script = @script,
            @input_data_1 = @input_query,
            @params = N'@payload varbinary(max), @shared varbinary(max), @longest_run_seconds int, @seconds_left int, @first_place int, @task_count int, @result varbinary(max) OUTPUT, @result_length int OUTPUT, @header_length int OUTPUT, @failed_count int OUTPUT, @input_rows bigint OUTPUT, @probe varbinary(max) OUTPUT',
            @payload = @payload,
            @shared = 0x,
            @longest_run_seconds = @longest_run_seconds,
            @seconds_left = 0,
            @first_place = 0,
            @task_count = 0,
            @result = @result OUTPUT,
            @result_length = @result_length OUTPUT,
            @header_length = @header_length OUTPUT,
            @failed_count = @failed_count OUTPUT,
            @input_rows = @input_rows OUTPUT,
            @probe = @probe OUTPUT;
        SET @probe_length = DATALENGTH(@probe);

        EXECUTE sqlexec.end_call
            @log_id = @log_id,
            @slot = @slot,
            @result_bytes = @result_length,
            @input_rows = @input_rows,
            @failed_count = @failed_count;
    END TRY
    BEGIN CATCH
        SET @error_number = ERROR_NUMBER();
        -- A doomed transaction of the caller's takes the log row with it.
        IF XACT_STATE() <> -1
            EXECUTE sqlexec.end_call @log_id = @log_id, @slot = @slot, @error_number = @error_number;
        THROW;
    END CATCH;
END;
GO

-- sqlexec.info.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.info
    @help bit = 0
AS
/*
Purpose: what is installed here, what the caller may do, and the limits (0: none): one row.
Version: 0.2.0

@help  1: tell this, and do nothing else.

Example: EXECUTE sqlexec.info;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'info';
        RETURN;
    END;

    DECLARE @version nvarchar(32);
    DECLARE @protocol int;
    DECLARE @source_sha256 char(64);
    DECLARE @largest_payload_bytes bigint;
    DECLARE @longest_run_seconds int;
    DECLARE @most_workers int;
    DECLARE @kept_days int;
    DECLARE @database nvarchar(258) = QUOTENAME(DB_NAME());

    EXECUTE sqlexec.runner
        @source_sha256 = @source_sha256 OUTPUT,
        @protocol = @protocol OUTPUT,
        @version = @version OUTPUT;
    EXECUTE sqlexec.read_limits
        @largest_payload_bytes = @largest_payload_bytes OUTPUT,
        @longest_run_seconds = @longest_run_seconds OUTPUT,
        @most_workers = @most_workers OUTPUT,
        @kept_days = @kept_days OUTPUT;

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
        HAS_PERMS_BY_NAME(@database, N'DATABASE', N'EXECUTE ANY EXTERNAL SCRIPT') AS may_run_scripts,
        (
            SELECT CAST(c.value_in_use AS int)
            FROM sys.configurations AS c
            WHERE c.name = N'external scripts enabled'
        ) AS external_scripts_enabled,
        @kept_days AS kept_days,
        @largest_payload_bytes AS largest_payload_bytes,
        @longest_run_seconds AS longest_run_seconds,
        @most_workers AS most_workers_per_login;
END;
GO

-- sqlexec.count_chunks.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.count_chunks
    @job_id uniqueidentifier,
    @done int = 0,
    @failed int = 0,
    @tasks int = 0,
    @tasks_failed int = 0,
    @chunks_done int = NULL OUTPUT
AS
/*
Purpose: count chunks that ended, and end the job with the last of them, or with the first
         failure where it asks for that. In the transaction of the other procedures.
Version: 0.2.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @chunks_left int;

    UPDATE j
    SET @chunks_left = j.chunk_count - j.chunks_done - j.chunks_failed - @done - @failed,
        @chunks_done = chunks_done = j.chunks_done + @done,
        chunks_failed = j.chunks_failed + @failed,
        tasks_done = j.tasks_done + @tasks,
        tasks_failed = j.tasks_failed + @tasks_failed,
        active_at = SYSUTCDATETIME()
    FROM sqlexec.job AS j
    WHERE j.job_id = @job_id;

    IF @chunks_left = 0
        UPDATE j
        SET state = CASE WHEN j.chunks_failed > 0 THEN 'FAILED' ELSE 'FINISHED' END,
            ended_at = SYSUTCDATETIME(),
            error_number = CASE WHEN j.chunks_failed > 0 THEN 51734 END,
            error_message = CASE
                WHEN j.chunks_failed > 0
                THEN CONCAT(j.chunks_failed, N' of ', j.chunk_count, N' chunks could not be run')
            END
        FROM sqlexec.job AS j
        WHERE j.job_id = @job_id AND j.state = 'RUNNING';
    ELSE IF @failed > 0 OR @tasks_failed > 0
        UPDATE j
        SET state = 'FAILED',
            ended_at = SYSUTCDATETIME(),
            error_number = 51731,
            error_message = N'A run failed, and the job was to stop at the first one.'
        FROM sqlexec.job AS j
        WHERE j.job_id = @job_id AND j.state = 'RUNNING' AND j.stop_on_error = 1;
END;
GO

-- sqlexec.reap_workers.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.reap_workers
    @job_id uniqueidentifier,
    @own_worker uniqueidentifier = NULL,
    @live_workers int = NULL OUTPUT
AS
/*
Purpose: find the workers of a job whose sessions are gone; their chunks wait again, or have
         failed where they were tried often enough. Of the other procedures; @own_worker is the
         worker that calls, for whom its own lock is free.
Version: 0.2.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @worker_id uniqueidentifier;
    DECLARE @resource nvarchar(255);
    DECLARE @failed int;
    DECLARE @workers TABLE (worker_id uniqueidentifier NOT NULL);

    SET @live_workers = 0;
    INSERT INTO @workers (worker_id)
    SELECT w.worker_id FROM sqlexec.worker AS w WHERE w.job_id = @job_id;

    WHILE EXISTS (SELECT 1 FROM @workers AS w)
    BEGIN
        SELECT TOP (1) @worker_id = w.worker_id FROM @workers AS w ORDER BY w.worker_id;
        DELETE FROM @workers WHERE worker_id = @worker_id;
        SET @resource = CONCAT(N'sqlexec worker ', @worker_id);
        IF @worker_id = @own_worker
            OR APPLOCK_TEST(N'public', @resource, N'Exclusive', N'Session') = 0
            SET @live_workers = @live_workers + 1;
        ELSE
        BEGIN
            BEGIN TRANSACTION;
            UPDATE l
            SET status = 'failed', error_number = 51733, ended_at = SYSUTCDATETIME()
            FROM sqlexec.chunk_log AS l
            INNER JOIN sqlexec.chunk AS c ON c.job_id = l.job_id AND c.chunk_number = l.chunk_number
            INNER JOIN sqlexec.worker AS w ON w.worker_id = c.worker_id AND w.session_id = l.session_id
            WHERE l.job_id = @job_id AND l.status = 'running' AND w.worker_id = @worker_id;
            UPDATE c
            SET state = 'failed',
                ended_at = SYSUTCDATETIME(),
                error_number = 51733,
                error_message = CONCAT(
                    N'Chunk ', c.chunk_number, N' was begun ', c.attempt_count, N' times, and each '
                    , N'time its worker went away: one of its tasks may end the process, or the '
                    , N'server was restarted.')
            FROM sqlexec.chunk AS c
            INNER JOIN sqlexec.job AS j ON j.job_id = c.job_id
            WHERE c.job_id = @job_id AND c.worker_id = @worker_id AND c.state = 'running'
                AND c.attempt_count >= j.most_attempts;
            SET @failed = @@ROWCOUNT;
            UPDATE c
            SET state = 'waiting', worker_id = NULL
            FROM sqlexec.chunk AS c
            WHERE c.job_id = @job_id AND c.worker_id = @worker_id AND c.state = 'running';
            IF @failed > 0
                EXECUTE sqlexec.count_chunks @job_id = @job_id, @failed = @failed;
            DELETE w FROM sqlexec.worker AS w WHERE w.worker_id = @worker_id;
            IF @@ROWCOUNT = 1
                UPDATE j
                SET active_at = SYSUTCDATETIME()
                FROM sqlexec.job AS j
                WHERE j.job_id = @job_id;
            COMMIT TRANSACTION;
        END;
    END;
END;
GO

-- sqlexec.expire_job.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.expire_job
    @job_id uniqueidentifier
AS
/*
Purpose: let a job fail that has taken longer than its timeout_seconds. Of the other procedures.
Version: 0.2.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    -- Most jobs have no limit, and every claim asks.
    IF NOT EXISTS (SELECT 1 FROM sqlexec.job AS j WHERE j.job_id = @job_id AND j.timeout_seconds > 0)
        RETURN;
    UPDATE j
    SET state = 'FAILED',
        ended_at = SYSUTCDATETIME(),
        error_number = 51732,
        error_message = CONCAT(
            N'The job took longer than its execution_timeout_seconds, ', j.timeout_seconds, N'.')
    FROM sqlexec.job AS j
    WHERE j.job_id = @job_id AND j.state = 'RUNNING' AND j.timeout_seconds > 0
        AND j.started_at <= DATEADD(SECOND, -j.timeout_seconds, SYSUTCDATETIME());
END;
GO

-- sqlexec.stop_agents.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.stop_agents
    @job_id uniqueidentifier,
    @worker_count int
AS
/*
Purpose: stop and remove the jobs of SQL Server Agent that work for a job, those that are left.
         Of the other procedures.
Version: 0.2.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @number int = 1;
    DECLARE @name sysname;

    WHILE @number <= @worker_count
    BEGIN
        SET @name = CONCAT(N'sqlexec ', @job_id, N' ', @number);
        BEGIN TRY
            EXECUTE msdb.dbo.sp_stop_job @job_name = @name;
        END TRY
        BEGIN CATCH
            -- 14262: it has removed itself; 22022: it does not run; 229: its owner must do it.
            IF ERROR_NUMBER() NOT IN (14262, 22022, 229)
                THROW;
        END CATCH;
        BEGIN TRY
            EXECUTE msdb.dbo.sp_delete_job @job_name = @name;
        END TRY
        BEGIN CATCH
            IF ERROR_NUMBER() NOT IN (14262, 22022, 229)
                THROW;
        END CATCH;
        SET @number = @number + 1;
    END;
END;
GO

-- sqlexec.settle_job.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.settle_job
    @job_id uniqueidentifier
AS
/*
Purpose: let a job fail that nobody works for any more, or that has taken too long, and see to what
         its lost workers left. Of the other procedures.
Version: 0.2.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @live_workers int;
    DECLARE @worker_count int;

    EXECUTE sqlexec.expire_job @job_id = @job_id;
    SELECT @worker_count = j.worker_count
    FROM sqlexec.job AS j
    WHERE j.job_id = @job_id AND j.detached = 1 AND j.error_number = 51732;
    IF @worker_count > 0
        EXECUTE sqlexec.stop_agents @job_id = @job_id, @worker_count = @worker_count;
    EXECUTE sqlexec.reap_workers @job_id = @job_id, @live_workers = @live_workers OUTPUT;
    IF @live_workers = 0
        UPDATE j
        SET state = 'FAILED',
            ended_at = SYSUTCDATETIME(),
            error_number = 51730,
            error_message = CONCAT(
                N'The job was interrupted: for ', j.grace_seconds, N' s nobody has worked for it '
                , N'(the client ended, the server was restarted, or SQL Server Agent is stopped or '
                , N'late), with ', j.chunks_done, N' of ', j.chunk_count, N' chunks done. It goes on '
                , N'when it is resumed, or a worker comes.')
        FROM sqlexec.job AS j
        WHERE j.job_id = @job_id AND j.state IN ('QUEUED', 'RUNNING')
            AND j.active_at <= DATEADD(SECOND, -j.grace_seconds, SYSUTCDATETIME());
END;
GO

-- sqlexec.find_job.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.find_job
    @job_id uniqueidentifier,
    @or_admin bit = 0,
    @state varchar(10) = NULL OUTPUT,
    @detached bit = NULL OUTPUT,
    @worker_count int = NULL OUTPUT
AS
/*
Purpose: settle a job of the caller's, or, where that is allowed, of anybody's for members of
         sqlexec_admin and db_owner, and tell how it stands; 51710 where there is none. Of the
         other procedures.
Version: 0.2.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @message nvarchar(2048);

    IF @job_id IS NULL
        THROW 51702, N'@job_id must have a value; sqlexec.jobs lists your jobs.', 1;

    SET @state = NULL;
    SELECT @state = j.state, @detached = j.detached, @worker_count = j.worker_count
    FROM sqlexec.job AS j
    WHERE j.job_id = @job_id
        AND (
            j.owner_sid = SUSER_SID()
            OR (@or_admin = 1 AND IS_ROLEMEMBER(N'sqlexec_admin') = 1)
            OR (@or_admin = 1 AND IS_ROLEMEMBER(N'db_owner') = 1));
    IF @state IS NULL
    BEGIN
        SET @message = CONCAT(N'There is no job ', @job_id, N' of yours in database ', DB_NAME(), N'.');
        THROW 51710, @message, 1;
    END;
    IF @state IN ('QUEUED', 'RUNNING')
        OR EXISTS (SELECT 1 FROM sqlexec.worker AS w WHERE w.job_id = @job_id)
    BEGIN
        EXECUTE sqlexec.settle_job @job_id = @job_id;
        SELECT @state = j.state FROM sqlexec.job AS j WHERE j.job_id = @job_id;
    END;
END;
GO

-- sqlexec.claim_chunk.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.claim_chunk
    @job_id uniqueidentifier,
    @worker_id uniqueidentifier,
    @chunk_number int OUTPUT,
    @attempt int OUTPUT,
    @task_count int OUTPUT,
    @first_place int OUTPUT,
    @seconds_left int OUTPUT,
    @payload varbinary(max) OUTPUT,
    @input_query nvarchar(max) OUTPUT,
    @busy_worker nvarchar(255) OUTPUT
AS
/*
Purpose: give a worker the next chunk of a job, and the seconds that are left of the job's time, 0
         for no limit. Where none waits, @chunk_number is NULL, and @busy_worker the application
         lock of a worker that has one, NULL if none has. Of run_worker.
Version: 0.2.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @job_state varchar(10);
    DECLARE @now datetime2(3) = SYSUTCDATETIME();

    SET @chunk_number = NULL;
    SET @busy_worker = NULL;
    IF NOT EXISTS (SELECT 1 FROM sqlexec.chunk AS c WHERE c.job_id = @job_id AND c.state = 'waiting')
        EXECUTE sqlexec.reap_workers @job_id = @job_id, @own_worker = @worker_id;
    EXECUTE sqlexec.expire_job @job_id = @job_id;

    BEGIN TRANSACTION;
    SELECT TOP (1)
        @chunk_number = c.chunk_number,
        @attempt = c.attempt_count + 1,
        @task_count = c.task_count,
        @first_place = c.first_place,
        @seconds_left = CASE
            WHEN j.timeout_seconds > 0
            THEN 1 + DATEDIFF(SECOND, @now, DATEADD(SECOND, j.timeout_seconds, ISNULL(j.started_at, @now)))
            ELSE 0
        END,
        @input_query = c.input_query,
        @job_state = j.state
    FROM sqlexec.chunk AS c WITH (UPDLOCK, READPAST, ROWLOCK)
    INNER JOIN sqlexec.job AS j ON j.job_id = c.job_id
    WHERE c.job_id = @job_id AND c.state = 'waiting' AND j.state IN ('QUEUED', 'RUNNING')
    ORDER BY c.chunk_number;
    IF @chunk_number IS NOT NULL
    BEGIN
        UPDATE c
        SET state = 'running',
            worker_id = @worker_id,
            attempt_count = @attempt,
            started_at = SYSUTCDATETIME()
        FROM sqlexec.chunk AS c
        WHERE c.job_id = @job_id AND c.chunk_number = @chunk_number;
        IF @job_state = 'QUEUED'
            UPDATE j
            SET state = 'RUNNING',
                started_at = SYSUTCDATETIME(),
                active_at = SYSUTCDATETIME()
            FROM sqlexec.job AS j
            WHERE j.job_id = @job_id AND j.state = 'QUEUED';
    END;
    COMMIT TRANSACTION;

    IF @chunk_number IS NOT NULL
        SELECT @payload = SUBSTRING(b.content, c.payload_start, c.payload_bytes)
        FROM sqlexec.chunk AS c
        INNER JOIN sqlexec.job AS j ON j.job_id = c.job_id
        INNER JOIN sqlexec.blob AS b ON b.job_id = j.job_id AND b.blob_sha256 = j.payloads_sha256
        WHERE c.job_id = @job_id AND c.chunk_number = @chunk_number;
    ELSE
        SELECT TOP (1) @busy_worker = CONCAT(N'sqlexec worker ', c.worker_id)
        FROM sqlexec.chunk AS c
        INNER JOIN sqlexec.job AS j ON j.job_id = c.job_id
        WHERE c.job_id = @job_id AND c.state = 'running' AND j.state = 'RUNNING';
END;
GO

-- sqlexec.complete_chunk.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.complete_chunk
    @job_id uniqueidentifier,
    @chunk_number int,
    @worker_id uniqueidentifier,
    @attempt int,
    @task_count int,
    @result varbinary(max),
    @encoding varchar(6),
    @result_length int,
    @header_length int,
    @failed_count int
AS
/*
Purpose: keep the result of a chunk, if it is still this worker's: one that was given to another
         meanwhile has its result from there, and this one is dropped. Of run_worker.
Version: 0.2.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @sha256 binary(32) = HASHBYTES('SHA2_256', @result);
    DECLARE @completed_number int;
    DECLARE @is_kept bit = 0;
    DECLARE @tries int = 0;

    WHILE @is_kept = 0
    BEGIN TRY
        BEGIN TRANSACTION;
        UPDATE c
        SET state = 'done',
            result_sha256 = @sha256,
            result_encoding = @encoding,
            result_length = @result_length,
            header_length = @header_length,
            failed_count = @failed_count,
            ended_at = SYSUTCDATETIME()
        FROM sqlexec.chunk AS c
        WHERE c.job_id = @job_id AND c.chunk_number = @chunk_number AND c.state = 'running'
            AND c.worker_id = @worker_id AND c.attempt_count = @attempt;
        IF @@ROWCOUNT = 1
        BEGIN
            IF NOT EXISTS (
                SELECT 1
                FROM sqlexec.blob AS b WITH (UPDLOCK, HOLDLOCK)
                WHERE b.job_id = @job_id AND b.blob_sha256 = @sha256)
                INSERT INTO sqlexec.blob (job_id, blob_sha256, content)
                VALUES (@job_id, @sha256, @result);
            EXECUTE sqlexec.count_chunks
                @job_id = @job_id,
                @done = 1,
                @tasks = @task_count,
                @tasks_failed = @failed_count,
                @chunks_done = @completed_number OUTPUT;
            -- The job's row is locked now: numbers are seen in their order, without gaps.
            UPDATE c
            SET completed_number = @completed_number
            FROM sqlexec.chunk AS c
            WHERE c.job_id = @job_id AND c.chunk_number = @chunk_number;
        END;
        COMMIT TRANSACTION;
        SET @is_kept = 1;
    END TRY
    BEGIN CATCH
        IF XACT_STATE() <> 0
            ROLLBACK TRANSACTION;
        -- 1205: the victim of a deadlock tries again: its work is done.
        SET @tries = @tries + 1;
        IF ERROR_NUMBER() <> 1205 OR @tries = 5
            THROW;
    END CATCH;
END;
GO

-- sqlexec.fail_chunk.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.fail_chunk
    @job_id uniqueidentifier,
    @chunk_number int,
    @worker_id uniqueidentifier,
    @attempt int,
    @error_number int,
    @error_message nvarchar(2048),
    @transient bit OUTPUT
AS
/*
Purpose: a script call failed. Its chunk waits again where the error passes and attempts are left,
         or the job has ended meanwhile. Where the process died, its tasks go on in halves until
         the one that kills it is alone; that one's result is the error. Any other error is the
         chunk's. Of run_worker.
Version: 0.2.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    -- 1205: deadlock; 39011 to 39021: launchpad or process gone; 39025 to 39152: limits, not ready.
    DECLARE @has_died bit = CASE WHEN @error_number = 39012 THEN 1 ELSE 0 END;
    DECLARE @fate varchar(8);
    DECLARE @task_count int;
    DECLARE @number int;

    SET @transient = CASE
        WHEN @error_number IN (1205, 39011, 39012, 39019, 39021, 39025, 39108, 39110, 39151, 39152) THEN 1
        ELSE 0
    END;
    EXECUTE sqlexec.expire_job @job_id = @job_id;

    BEGIN TRANSACTION;
    SELECT
        @task_count = c.task_count,
        @fate = CASE
            WHEN j.state NOT IN ('QUEUED', 'RUNNING') THEN 'waiting'
            WHEN @has_died = 1 AND j.most_attempts > 1 AND c.task_count > 1 THEN 'halved'
            WHEN @transient = 1 AND @attempt < j.most_attempts THEN 'waiting'
            WHEN @has_died = 1 THEN 'done'
            ELSE 'failed'
        END
    FROM sqlexec.chunk AS c WITH (UPDLOCK, ROWLOCK)
    INNER JOIN sqlexec.job AS j ON j.job_id = c.job_id
    WHERE c.job_id = @job_id AND c.chunk_number = @chunk_number AND c.state = 'running'
        AND c.worker_id = @worker_id AND c.attempt_count = @attempt;

    IF @fate = 'halved'
    BEGIN
        UPDATE j
        SET @number = chunk_count = j.chunk_count + 1
        FROM sqlexec.job AS j
        WHERE j.job_id = @job_id;
        INSERT INTO sqlexec.chunk
            (job_id, chunk_number, state, first_task, task_count, first_place, payload_start,
             payload_bytes, input_query)
        SELECT
            c.job_id,
            @number,
            'waiting',
            c.first_task + @task_count / 2,
            @task_count - @task_count / 2,
            c.first_place + @task_count / 2,
            c.payload_start,
            c.payload_bytes,
            c.input_query
        FROM sqlexec.chunk AS c
        WHERE c.job_id = @job_id AND c.chunk_number = @chunk_number;
        UPDATE c
        SET state = 'waiting', worker_id = NULL, task_count = @task_count / 2, attempt_count = 0
        FROM sqlexec.chunk AS c
        WHERE c.job_id = @job_id AND c.chunk_number = @chunk_number;
    END;
    ELSE IF @fate = 'waiting'
        UPDATE c
        SET state = 'waiting',
            worker_id = NULL,
            error_number = @error_number,
            error_message = @error_message
        FROM sqlexec.chunk AS c
        WHERE c.job_id = @job_id AND c.chunk_number = @chunk_number;
    ELSE IF @fate IS NOT NULL
    BEGIN
        IF @fate = 'done'
            EXECUTE sqlexec.count_chunks
                @job_id = @job_id,
                @done = 1,
                @tasks = @task_count,
                @tasks_failed = @task_count,
                @chunks_done = @number OUTPUT;
        ELSE
            EXECUTE sqlexec.count_chunks @job_id = @job_id, @failed = 1;
        UPDATE c
        SET state = @fate,
            completed_number = @number,
            failed_count = @task_count,
            ended_at = SYSUTCDATETIME(),
            error_number = @error_number,
            error_message = @error_message
        FROM sqlexec.chunk AS c
        WHERE c.job_id = @job_id AND c.chunk_number = @chunk_number;
    END;
    COMMIT TRANSACTION;
END;
GO

-- sqlexec.wait_for_slot.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.wait_for_slot
    @job_id uniqueidentifier,
    @slot nvarchar(255) OUTPUT
AS
/*
Purpose: let a worker wait until its login has a place for one more external process, or the job has
         ended. @slot is NULL where the number of places has no limit. Of run_worker.
Version: 0.2.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @most_workers int;

    SET @slot = NULL;
    EXECUTE sqlexec.read_limits @most_workers = @most_workers OUTPUT;
    WHILE @most_workers > 0 AND @slot IS NULL
        AND EXISTS (
            SELECT 1
            FROM sqlexec.job AS j
            WHERE j.job_id = @job_id AND j.state IN ('QUEUED', 'RUNNING'))
    BEGIN
        EXECUTE sqlexec.take_slot @most_workers = @most_workers, @slot = @slot OUTPUT;
        IF @slot IS NULL
        BEGIN
            WAITFOR DELAY '00:00:00.500';
            EXECUTE sqlexec.read_limits @most_workers = @most_workers OUTPUT;
        END;
    END;
END;
GO

-- sqlexec.run_worker.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.run_worker
    @job_id uniqueidentifier = NULL,
    @kind varchar(6) = 'agent',
    @help bit = 0
AS
/*
Purpose: work for a durable job of the caller's until no chunk of it waits. A step of SQL Server
         Agent runs it, or a thread of the client; as many as the job may have processes.
Version: 0.2.0

@job_id  made by sqlexec.submit_job.
@kind    'agent' or 'client': for the table of workers alone.
@help    1: tell this, and do nothing else.

It holds the application lock 'sqlexec worker ...' while it lives: when its session ends, however
that be, the chunk that it had is given to another worker. So whoever cancels this call ends its
session too. A worker without a chunk stays until the others have ended theirs.

Where the job's owner is a sysadmin, another sysadmin may work for it: SQL Server Agent runs the
steps of sysadmins as its own account.

The caller needs the role sqlexec_user. Rights on the tables of a chunk's query are the caller's.

Example: EXECUTE sqlexec.run_worker @job_id = '6F9619FF-8B86-D011-B42D-00C04FC964FF', @kind = 'client';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    SET IMPLICIT_TRANSACTIONS OFF;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'run_worker';
        RETURN;
    END;

    DECLARE @worker_id uniqueidentifier = NEWID();
    DECLARE @resource nvarchar(255) = CONCAT(N'sqlexec worker ', @worker_id);
    DECLARE @owner_sid varbinary(85);
    DECLARE @is_allowed bit = 0;
    DECLARE @busy_worker nvarchar(255);
    DECLARE @lock int;
    DECLARE @script nvarchar(max);
    DECLARE @protocol int;
    DECLARE @chunk_number int;
    DECLARE @attempt int;
    DECLARE @task_count int;
    DECLARE @first_place int;
    DECLARE @seconds_left int;
    DECLARE @payload varbinary(max);
    DECLARE @payload_bytes bigint;
    DECLARE @shared varbinary(max);
    DECLARE @input_query nvarchar(max);
    DECLARE @result varbinary(max);
    DECLARE @encoding varchar(6);
    DECLARE @result_length int;
    DECLARE @header_length int;
    DECLARE @failed_count int;
    DECLARE @probe varbinary(max);
    DECLARE @log_id bigint;
    DECLARE @longest_run_seconds int;
    DECLARE @slot nvarchar(255);
    DECLARE @input_rows bigint;
    DECLARE @error_number int;
    DECLARE @error_message nvarchar(2048);
    DECLARE @transient bit;
    DECLARE @rows TABLE (piece_number int NOT NULL, piece varchar(max) NOT NULL);

    IF @@TRANCOUNT > 0
        THROW 51704, N'sqlexec.run_worker: a worker has transactions of its own: call it outside of one.', 1;
    EXECUTE sqlexec.runner @source = @script OUTPUT, @protocol = @protocol OUTPUT;
    SELECT @shared = b.content, @owner_sid = j.owner_sid
    FROM sqlexec.job AS j
    INNER JOIN sqlexec.blob AS b ON b.job_id = j.job_id AND b.blob_sha256 = j.shared_sha256
    WHERE j.job_id = @job_id AND j.protocol = @protocol;
    IF @owner_sid = SUSER_SID()
        OR (
            IS_SRVROLEMEMBER(N'sysadmin') = 1
            AND IS_SRVROLEMEMBER(N'sysadmin', SUSER_SNAME(@owner_sid)) = 1)
        SET @is_allowed = 1;
    IF @is_allowed = 0 OR @shared IS NULL
        THROW 51710, N'sqlexec.run_worker: you have no job of that @job_id, or it was submitted under another version of the bundle.', 1;

    EXECUTE @lock = sys.sp_getapplock
        @Resource = @resource,
        @LockMode = 'Exclusive',
        @LockOwner = 'Session',
        @LockTimeout = 0;
    IF @lock < 0
        THROW 51735, N'sqlexec.run_worker: the worker did not get its application lock.', 1;
    INSERT INTO sqlexec.worker (worker_id, job_id, kind, session_id, started_at)
    VALUES (@worker_id, @job_id, @kind, @@SPID, SYSUTCDATETIME());
    -- A job that failed since nobody worked for it goes on: here is somebody.
    UPDATE j
    SET state = CASE WHEN j.started_at IS NULL THEN 'QUEUED' ELSE 'RUNNING' END,
        active_at = SYSUTCDATETIME(),
        ended_at = NULL,
        error_number = NULL,
        error_message = NULL
    FROM sqlexec.job AS j
    WHERE j.job_id = @job_id AND j.state = 'FAILED' AND j.error_number = 51730;
    EXECUTE sqlexec.wait_for_slot @job_id = @job_id, @slot = @slot OUTPUT;

    WHILE 1 = 1
    BEGIN
        EXECUTE sqlexec.claim_chunk
            @job_id = @job_id,
            @worker_id = @worker_id,
            @chunk_number = @chunk_number OUTPUT,
            @attempt = @attempt OUTPUT,
            @task_count = @task_count OUTPUT,
            @first_place = @first_place OUTPUT,
            @seconds_left = @seconds_left OUTPUT,
            @payload = @payload OUTPUT,
            @input_query = @input_query OUTPUT,
            @busy_worker = @busy_worker OUTPUT;
        IF @chunk_number IS NULL AND @busy_worker IS NULL
            BREAK;
        IF @chunk_number IS NULL
        BEGIN
            -- Granted when that worker ends or goes away; others may, hence the timeout.
            EXECUTE @lock = sys.sp_getapplock
                @Resource = @busy_worker,
                @LockMode = 'Shared',
                @LockOwner = 'Session',
                @LockTimeout = 2000;
            IF @lock >= 0
                EXECUTE sys.sp_releaseapplock @Resource = @busy_worker, @LockOwner = 'Session';
            CONTINUE;
        END;

        SET @payload_bytes = DATALENGTH(@payload);
        SET @log_id = NULL;
        BEGIN TRY
            EXECUTE sqlexec.begin_call
                @job_id = @job_id,
                @chunk_number = @chunk_number,
                @task_count = @task_count,
                @payload_bytes = @payload_bytes,
                @takes_slot = 0,
                @log_id = @log_id OUTPUT,
                @longest_run_seconds = @longest_run_seconds OUTPUT;
            DELETE FROM @rows;
            -- A long result comes in rows where OUTPUT values are cut or slow.
            INSERT INTO @rows (piece_number, piece)
            EXECUTE sys.sp_execute_external_script
                @language = N'Python',
                @script = @script,
                @input_data_1 = @input_query,
                @params = N'@payload varbinary(max), @shared varbinary(max), @longest_run_seconds int, @seconds_left int, @first_place int, @task_count int, @result varbinary(max) OUTPUT, @result_length int OUTPUT, @header_length int OUTPUT, @failed_count int OUTPUT, @input_rows bigint OUTPUT, @probe varbinary(max) OUTPUT',
                @payload = @payload,
                @shared = @shared,
                @longest_run_seconds = @longest_run_seconds,
                @seconds_left = @seconds_left,
                @first_place = @first_place,
                @task_count = @task_count,
                @result = @result OUTPUT,
                @result_length = @result_length OUTPUT,
                @header_length = @header_length OUTPUT,
                @failed_count = @failed_count OUTPUT,
                @input_rows = @input_rows OUTPUT,
                @probe = @probe OUTPUT;

            SET @encoding = 'bytes';
            IF EXISTS (SELECT 1 FROM @rows AS r)
                SELECT
                    @encoding = 'base64',
                    @result = CAST(STRING_AGG(r.piece, '') WITHIN GROUP (ORDER BY r.piece_number) AS varbinary(max))
                FROM @rows AS r;
            ELSE IF ISNULL(DATALENGTH(@result), 0) <> @result_length
                THROW 51736, N'sqlexec.run_worker: this runtime cuts long OUTPUT values: submit the job for results in rows.', 1;
            EXECUTE sqlexec.complete_chunk
                @job_id = @job_id,
                @chunk_number = @chunk_number,
                @worker_id = @worker_id,
                @attempt = @attempt,
                @task_count = @task_count,
                @result = @result,
                @encoding = @encoding,
                @result_length = @result_length,
                @header_length = @header_length,
                @failed_count = @failed_count;
            EXECUTE sqlexec.end_call
                @log_id = @log_id,
                @result_bytes = @result_length,
                @input_rows = @input_rows,
                @failed_count = @failed_count;
        END TRY
        BEGIN CATCH
            SELECT @error_number = ERROR_NUMBER(), @error_message = LEFT(ERROR_MESSAGE(), 2048);
            IF XACT_STATE() <> 0
                ROLLBACK TRANSACTION;
            EXECUTE sqlexec.fail_chunk
                @job_id = @job_id,
                @chunk_number = @chunk_number,
                @worker_id = @worker_id,
                @attempt = @attempt,
                @error_number = @error_number,
                @error_message = @error_message,
                @transient = @transient OUTPUT;
            EXECUTE sqlexec.end_call @log_id = @log_id, @error_number = @error_number;
            IF @transient = 1
                WAITFOR DELAY '00:00:00.500';
        END CATCH;
    END;

    DELETE w FROM sqlexec.worker AS w WHERE w.worker_id = @worker_id;
    IF @slot IS NOT NULL
        EXECUTE sys.sp_releaseapplock @Resource = @slot, @LockOwner = 'Session';
    EXECUTE sys.sp_releaseapplock @Resource = @resource, @LockOwner = 'Session';
END;
GO

-- sqlexec.start_agents.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.start_agents
    @job_id uniqueidentifier,
    @worker_count int
AS
/*
Purpose: make and start a job of SQL Server Agent for each worker; each removes itself when it has
         ended. All or none. Of the other procedures.
Version: 0.2.0
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @number int = 1;
    DECLARE @name sysname;
    DECLARE @command nvarchar(max) = CONCAT(
        N'EXECUTE sqlexec.run_worker @job_id = ''', @job_id, N''', @kind = ''agent'';');
    DECLARE @database sysname = DB_NAME();
    DECLARE @refused int;
    DECLARE @message nvarchar(2048);

    BEGIN TRY
        WHILE @number <= @worker_count
        BEGIN
            SET @name = CONCAT(N'sqlexec ', @job_id, N' ', @number);
            EXECUTE msdb.dbo.sp_add_job
                @job_name = @name,
                @description = N'A worker of a durable job of sqlexec; it removes itself.',
                @delete_level = 3;
            EXECUTE msdb.dbo.sp_add_jobstep
                @job_name = @name,
                @step_name = N'run_worker',
                @subsystem = N'TSQL',
                @database_name = @database,
                @command = @command;
            EXECUTE msdb.dbo.sp_add_jobserver @job_name = @name, @server_name = N'(local)';
            EXECUTE @refused = msdb.dbo.sp_start_job @job_name = @name, @output_flag = 0;
            IF @refused <> 0
                THROW 51720, N'sp_start_job was refused.', 1;
            SET @number = @number + 1;
        END;
    END TRY
    BEGIN CATCH
        SET @message = CONCAT(
            N'SQL Server Agent cannot run this job (', ERROR_MESSAGE(), N' Error ', ERROR_NUMBER(),
            N'). Three ways out: let the DBA start SQL Server Agent and make you a member of '
            , N'SQLAgentUserRole in msdb; or use detached=False, where this client works for the '
            , N'job; or wait=True.');
        IF XACT_STATE() <> 0
            ROLLBACK TRANSACTION;
        EXECUTE sqlexec.stop_agents @job_id = @job_id, @worker_count = @number;
        THROW 51720, @message, 1;
    END CATCH;
END;
GO

-- sqlexec.submit_job.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.submit_job
    @protocol int = NULL,
    @job_id uniqueidentifier = NULL,
    @result_key varbinary(32) = NULL,
    @description nvarchar(400) = NULL,
    @client nvarchar(max) = NULL,
    @worker_count int = NULL,
    @chunks nvarchar(max) = NULL,
    @queries nvarchar(max) = NULL,
    @payloads varbinary(max) = NULL,
    @shared varbinary(max) = NULL,
    @detached bit = 1,
    @most_attempts int = 3,
    @stop_on_error bit = 0,
    @timeout_seconds int = NULL,
    @grace_seconds int = 15,
    @auto_cleanup bit = 1,
    @console_output bit = 0,
    @help bit = 0
AS
/*
Purpose: keep a job that outlives its call, all or nothing, and let SQL Server Agent work for it.
Version: 0.2.0

@protocol       of the client; it must be the runner's.
@job_id         a new one, by the client.
@result_key     with which the runner signs the results; only the job's owner gets it again.
@description    for lists of jobs.
@client         what the client keeps about the job; T-SQL never looks inside.
@worker_count   the most processes at a time.
@chunks         JSON: [[first task, tasks, bytes, index of the query], ...].
@queries        JSON: the different input queries, ["SELECT ...", ...]; '' for none.
@payloads       the payloads of all chunks, one after the other.
@shared         what all chunks share: the function, its shared arguments.
@detached       1: SQL Server Agent works, as the caller, and the job goes on without the client;
                0: somebody runs sqlexec.run_worker, once for each process.
@most_attempts  how often a chunk is begun at most where its process or worker goes away.
@stop_on_error  1: the first run that fails ends the job.
@timeout_seconds  the job fails after so long, and what runs for it ends; NULL for no limit.
@grace_seconds  a job has failed when nobody worked for it for so long; a worker that comes
                later lets it go on.
@auto_cleanup   1: the client removes the job once it has fetched all results.
@console_output 1: the client shows what the runs print.
@help           1: tell this, and do nothing else.

The caller needs the role sqlexec_user; with @detached = 1 SQLAgentUserRole in msdb, too.

Example: the package sqlexec calls it, where wait=False:
    EXECUTE sqlexec.submit_job @protocol = 2, @job_id = ?, @chunks = N'[[0, 4, 812, 0]]', ...;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    SET IMPLICIT_TRANSACTIONS OFF;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'submit_job';
        RETURN;
    END;

    DECLARE @own_protocol int;
    DECLARE @own_version nvarchar(32);
    DECLARE @message nvarchar(2048);
    DECLARE @payloads_sha256 binary(32) = HASHBYTES('SHA2_256', @payloads);
    DECLARE @shared_sha256 binary(32) = HASHBYTES('SHA2_256', @shared);
    DECLARE @now datetime2(3) = SYSUTCDATETIME();
    DECLARE @task_count int;
    DECLARE @chunk_count int;
    DECLARE @listed_bytes bigint;
    DECLARE @least_bytes bigint;
    DECLARE @payload_bytes bigint;
    DECLARE @largest_payload_bytes bigint;

    EXECUTE sqlexec.runner @protocol = @own_protocol OUTPUT, @version = @own_version OUTPUT;
    IF @protocol IS NULL OR @protocol <> @own_protocol
    BEGIN
        SET @message = CONCAT(
            N'The sqlexec bundle in database ', DB_NAME(), N' is of version ', @own_version,
            N' and speaks protocol ', @own_protocol, N', the client speaks protocol ', @protocol,
            N': bring both to the same version.');
        THROW 51701, @message, 1;
    END;
    SET @message = CONCAT_WS(
        NCHAR(10),
        CASE WHEN @job_id IS NULL THEN N'sqlexec.submit_job: @job_id must have a value.' END,
        CASE WHEN @result_key IS NULL THEN N'sqlexec.submit_job: @result_key must have a value.' END,
        CASE WHEN @description IS NULL THEN N'sqlexec.submit_job: @description must have a value.' END,
        CASE WHEN @client IS NULL THEN N'sqlexec.submit_job: @client must have a value.' END,
        CASE WHEN @payloads IS NULL THEN N'sqlexec.submit_job: @payloads must have a value.' END,
        CASE WHEN @shared IS NULL THEN N'sqlexec.submit_job: @shared must have a value.' END,
        CASE WHEN ISNULL(ISJSON(@chunks), 0) = 0 THEN N'sqlexec.submit_job: @chunks must be JSON.' END,
        CASE WHEN ISNULL(ISJSON(@queries), 0) = 0 THEN N'sqlexec.submit_job: @queries must be JSON.' END,
        CASE
            WHEN ISNULL(@worker_count, 0) < 1
            THEN N'sqlexec.submit_job: @worker_count must be 1 or more.'
        END,
        CASE
            WHEN ISNULL(@most_attempts, 0) < 1
            THEN N'sqlexec.submit_job: @most_attempts must be 1 or more.'
        END,
        CASE
            WHEN @detached IS NULL OR @stop_on_error IS NULL OR @auto_cleanup IS NULL OR @console_output IS NULL
            THEN N'sqlexec.submit_job: @detached, @stop_on_error, @auto_cleanup and @console_output must be 0 or 1.'
        END,
        CASE
            WHEN @grace_seconds IS NULL THEN N'sqlexec.submit_job: @grace_seconds must have a value.'
        END);
    IF @message <> N''
        THROW 51702, @message, 1;
    EXECUTE sqlexec.read_limits @largest_payload_bytes = @largest_payload_bytes OUTPUT;
    SET @payload_bytes = DATALENGTH(@payloads) + DATALENGTH(@shared);
    IF @largest_payload_bytes > 0 AND @payload_bytes > @largest_payload_bytes
        EXECUTE sqlexec.refuse_payload
            @payload_bytes = @payload_bytes,
            @largest_payload_bytes = @largest_payload_bytes;
    IF @@TRANCOUNT > 0
        THROW 51704, N'sqlexec.submit_job: workers do not see a job before its transaction ends: call it outside of one.', 1;

    SELECT
        @chunk_count = COUNT(*),
        @task_count = SUM(CAST(JSON_VALUE(c.value, N'$[1]') AS int)),
        @listed_bytes = SUM(CAST(JSON_VALUE(c.value, N'$[2]') AS bigint)),
        @least_bytes = MIN(CAST(JSON_VALUE(c.value, N'$[2]') AS bigint))
    FROM OPENJSON(@chunks) AS c;
    IF @chunk_count = 0 OR ISNULL(@least_bytes, 0) < 1 OR @listed_bytes <> DATALENGTH(@payloads)
        THROW 51703, N'sqlexec.submit_job: @chunks must list one chunk or more, and as many bytes as @payloads has.', 1;
    SET @worker_count = CASE WHEN @worker_count < @chunk_count THEN @worker_count ELSE @chunk_count END;

    BEGIN TRANSACTION;
    INSERT INTO sqlexec.chunk
        (job_id, chunk_number, state, first_task, task_count, payload_start, payload_bytes,
         input_query)
    SELECT
        @job_id,
        CAST(c.[key] AS int) + 1,
        'waiting',
        CAST(JSON_VALUE(c.value, N'$[0]') AS int),
        CAST(JSON_VALUE(c.value, N'$[1]') AS int),
        1 + SUM(CAST(JSON_VALUE(c.value, N'$[2]') AS bigint)) OVER (ORDER BY CAST(c.[key] AS int))
            - CAST(JSON_VALUE(c.value, N'$[2]') AS bigint),
        CAST(JSON_VALUE(c.value, N'$[2]') AS bigint),
        q.value
    FROM OPENJSON(@chunks) AS c
    INNER JOIN OPENJSON(@queries) AS q ON CAST(q.[key] AS int) = CAST(JSON_VALUE(c.value, N'$[3]') AS int);
    IF @@ROWCOUNT <> @chunk_count
        THROW 51703, N'sqlexec.submit_job: @chunks names a query that @queries has not.', 1;
    INSERT INTO sqlexec.blob (job_id, blob_sha256, content)
    VALUES (@job_id, @payloads_sha256, @payloads);
    IF @shared_sha256 <> @payloads_sha256
        INSERT INTO sqlexec.blob (job_id, blob_sha256, content) VALUES (@job_id, @shared_sha256, @shared);
    INSERT INTO sqlexec.job
        (job_id, owner_sid, login_name, application_name, host_name, description, state, detached,
         worker_count, task_count, chunk_count, most_attempts, stop_on_error, timeout_seconds,
         grace_seconds, auto_cleanup, console_output, protocol, result_key, client,
         payloads_sha256, shared_sha256, submitted_at, active_at)
    VALUES
        (@job_id, SUSER_SID(), SUSER_SNAME(), APP_NAME(), HOST_NAME(), @description, 'QUEUED',
         @detached, @worker_count, @task_count, @chunk_count, @most_attempts, @stop_on_error,
         @timeout_seconds, @grace_seconds, @auto_cleanup, @console_output, @protocol, @result_key,
         @client, @payloads_sha256, @shared_sha256, @now, SYSUTCDATETIME());
    COMMIT TRANSACTION;

    IF @detached = 1
    BEGIN TRY
        EXECUTE sqlexec.start_agents @job_id = @job_id, @worker_count = @worker_count;
    END TRY
    BEGIN CATCH
        EXECUTE sqlexec.remove_jobs @job_id = @job_id;
        THROW;
    END CATCH;
END;
GO

-- sqlexec.jobs.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.jobs
    @job_id uniqueidentifier = NULL,
    @states nvarchar(100) = NULL,
    @since datetime2(3) = NULL,
    @until datetime2(3) = NULL,
    @everybodys bit = 0,
    @most int = 2147483647,
    @help bit = 0
AS
/*
Purpose: list the caller's durable jobs, the newest first.
Version: 0.2.0

@job_id        that one alone.
@states        only those, as N'RUNNING,FINISHED'.
@since         when they were submitted at the earliest, UTC.
@until         when they were submitted at the latest, UTC.
@everybodys    1: of all logins; for members of sqlexec_admin and db_owner.
@most          so many at most.
@help          1: tell this, and do nothing else.

Example: EXECUTE sqlexec.jobs @states = N'RUNNING,FAILED', @most = 10;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'jobs';
        RETURN;
    END;

    DECLARE @next uniqueidentifier;
    DECLARE @open TABLE (job_id uniqueidentifier NOT NULL);
    DECLARE @unknown_states nvarchar(100) = (
        SELECT STRING_AGG(TRIM(s.value), N', ')
        FROM STRING_SPLIT(@states, N',') AS s
        WHERE TRIM(s.value) NOT IN (N'', N'QUEUED', N'RUNNING', N'FINISHED', N'FAILED', N'CANCELED'));
    DECLARE @is_allowed bit = CASE
        WHEN @everybodys = 1 AND ISNULL(IS_ROLEMEMBER(N'sqlexec_admin'), 0) <> 1
            AND ISNULL(IS_ROLEMEMBER(N'db_owner'), 0) <> 1 THEN 0
        ELSE 1
    END;
    DECLARE @error_number int = CASE WHEN @is_allowed = 0 THEN 51711 ELSE 51702 END;
    DECLARE @message nvarchar(2048) = CONCAT_WS(
        NCHAR(10),
        CASE
            WHEN @is_allowed = 0
            THEN N'sqlexec.jobs: @everybodys = 1 is for members of the roles sqlexec_admin and db_owner.'
        END,
        CASE
            WHEN @unknown_states IS NOT NULL
            THEN CONCAT(N'sqlexec.jobs: @states has ', @unknown_states,
                N'; a state is QUEUED, RUNNING, FINISHED, FAILED or CANCELED.')
        END,
        CASE WHEN @most IS NULL OR @most < 0 THEN N'sqlexec.jobs: @most must be 0 or more.' END);

    IF @message <> N''
        THROW @error_number, @message, 1;

    INSERT INTO @open (job_id)
    SELECT j.job_id
    FROM sqlexec.job AS j
    WHERE (
            j.state IN ('QUEUED', 'RUNNING')
            OR EXISTS (SELECT 1 FROM sqlexec.worker AS w WHERE w.job_id = j.job_id))
        AND (@job_id IS NULL OR j.job_id = @job_id)
        AND (@everybodys = 1 OR j.owner_sid = SUSER_SID());
    WHILE EXISTS (SELECT 1 FROM @open AS o)
    BEGIN
        SELECT TOP (1) @next = o.job_id FROM @open AS o;
        DELETE FROM @open WHERE job_id = @next;
        EXECUTE sqlexec.settle_job @job_id = @next;
    END;

    SELECT TOP (@most)
        j.job_id,
        j.login_name,
        j.application_name,
        j.host_name,
        j.description,
        j.state,
        j.detached,
        j.worker_count,
        j.task_count,
        j.tasks_done,
        j.tasks_failed,
        j.chunk_count,
        j.chunks_done,
        j.chunks_failed,
        j.stop_on_error,
        j.timeout_seconds,
        j.auto_cleanup,
        j.console_output,
        j.submitted_at,
        j.started_at,
        j.ended_at,
        j.error_number,
        j.error_message
    FROM sqlexec.job AS j
    WHERE (@job_id IS NULL OR j.job_id = @job_id)
        AND (@everybodys = 1 OR j.owner_sid = SUSER_SID())
        AND (@states IS NULL OR j.state IN (SELECT TRIM(s.value) FROM STRING_SPLIT(@states, N',') AS s))
        AND (@since IS NULL OR j.submitted_at >= @since)
        AND (@until IS NULL OR j.submitted_at <= @until)
    ORDER BY j.submitted_at DESC
    OPTION (RECOMPILE);
END;
GO

-- sqlexec.job_secret.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.job_secret
    @job_id uniqueidentifier = NULL,
    @help bit = 0
AS
/*
Purpose: what the owner's client needs to verify and read the results of a job: one row.
Version: 0.2.0

@job_id  of a job of the caller's.
@help    1: tell this, and do nothing else.

Example: EXECUTE sqlexec.job_secret @job_id = '6F9619FF-8B86-D011-B42D-00C04FC964FF';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'job_secret';
        RETURN;
    END;

    EXECUTE sqlexec.find_job @job_id = @job_id;
    SELECT j.result_key, j.client, j.protocol
    FROM sqlexec.job AS j
    WHERE j.job_id = @job_id;
END;
GO

-- sqlexec.fetch_results.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.fetch_results
    @job_id uniqueidentifier = NULL,
    @after_task int = -1,
    @most_bytes bigint = 67108864,
    @help bit = 0
AS
/*
Purpose: results of a job's chunks, in the order of the tasks, one or as many as come to some bytes;
         for its owner alone.
Version: 0.2.0

@job_id      of a job of the caller's.
@after_task  only chunks whose first task has a higher number.
@most_bytes  where the results of these chunks have more, the last ones are left for the next call.
@help        1: tell this, and do nothing else.

result_encoding tells whether result holds bytes, or base64 text of them in ASCII. A chunk that
could not be run, or whose task ends its process, has an error and no result.

Example: EXECUTE sqlexec.fetch_results @job_id = '6F9619FF-8B86-D011-B42D-00C04FC964FF';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'fetch_results';
        RETURN;
    END;

    EXECUTE sqlexec.find_job @job_id = @job_id;
    SELECT
        c.chunk_number,
        c.first_task,
        c.task_count,
        c.state,
        c.worker_id,
        c.attempt_count,
        c.started_at,
        c.ended_at,
        c.payload_bytes,
        c.result_encoding,
        c.result_length,
        c.error_number,
        c.error_message,
        b.content AS result
    FROM (
        SELECT
            a.*,
            SUM(CAST(ISNULL(a.result_length, 0) AS bigint)) OVER (
                ORDER BY a.first_task ROWS UNBOUNDED PRECEDING) - ISNULL(a.result_length, 0) AS bytes_before
        FROM sqlexec.chunk AS a
        WHERE a.job_id = @job_id AND a.first_task > ISNULL(@after_task, -1)
    ) AS c
    LEFT JOIN sqlexec.blob AS b ON b.job_id = c.job_id AND b.blob_sha256 = c.result_sha256
    WHERE c.bytes_before < ISNULL(@most_bytes, 67108864)
    ORDER BY c.first_task;
END;
GO

-- sqlexec.fetch_console.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.fetch_console
    @job_id uniqueidentifier = NULL,
    @after int = 0,
    @help bit = 0
AS
/*
Purpose: the headers of the results that chunks left since the last look, in the order in which
         they ended: the client reads the console's lines in them. For the job's owner alone.
Version: 0.2.0

@job_id  of a job of the caller's.
@after   the highest completed_number that the caller has.
@help    1: tell this, and do nothing else.

Example: EXECUTE sqlexec.fetch_console @job_id = '6F9619FF-8B86-D011-B42D-00C04FC964FF', @after = 12;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'fetch_console';
        RETURN;
    END;

    EXECUTE sqlexec.find_job @job_id = @job_id;
    SELECT
        c.completed_number,
        c.chunk_number,
        c.result_encoding,
        SUBSTRING(
            b.content,
            1,
            CASE
                WHEN c.result_encoding = 'base64' THEN (c.header_length + 2) / 3 * 4
                ELSE c.header_length
            END) AS header
    FROM sqlexec.chunk AS c
    INNER JOIN sqlexec.blob AS b ON b.job_id = c.job_id AND b.blob_sha256 = c.result_sha256
    WHERE c.job_id = @job_id AND c.completed_number > ISNULL(@after, 0)
    ORDER BY c.completed_number;
END;
GO

-- sqlexec.cancel_job.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.cancel_job
    @job_id uniqueidentifier = NULL,
    @help bit = 0
AS
/*
Purpose: stop a job: no further chunk begins, and what SQL Server Agent runs for it is stopped.
         A chunk that a client's thread runs goes on to its end unless that client stops it.
         For the job's owner and members of sqlexec_admin. One row: was_open, 1 if it had not
         ended yet.
Version: 0.2.0

@job_id  made by sqlexec.submit_job; sqlexec.jobs lists them.
@help    1: tell this, and do nothing else.

Example: EXECUTE sqlexec.cancel_job @job_id = '6F9619FF-8B86-D011-B42D-00C04FC964FF';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'cancel_job';
        RETURN;
    END;

    DECLARE @detached bit;
    DECLARE @worker_count int;
    DECLARE @was_open bit;

    EXECUTE sqlexec.find_job
        @job_id = @job_id,
        @or_admin = 1,
        @detached = @detached OUTPUT,
        @worker_count = @worker_count OUTPUT;
    UPDATE j
    SET state = 'CANCELED', ended_at = SYSUTCDATETIME()
    FROM sqlexec.job AS j
    WHERE j.job_id = @job_id AND j.state IN ('QUEUED', 'RUNNING');
    SET @was_open = CASE WHEN @@ROWCOUNT = 1 THEN 1 ELSE 0 END;
    IF @detached = 1
        EXECUTE sqlexec.stop_agents @job_id = @job_id, @worker_count = @worker_count;
    SELECT @was_open AS was_open;
END;
GO

-- sqlexec.cleanup_job.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.cleanup_job
    @job_id uniqueidentifier = NULL,
    @help bit = 0
AS
/*
Purpose: stop a job, if it has not ended, and remove its payloads, results and rows; the log of
         runs stays. For the job's owner and members of sqlexec_admin.
Version: 0.2.0

@job_id  made by sqlexec.submit_job; sqlexec.jobs lists them.
@help    1: tell this, and do nothing else.

Example: EXECUTE sqlexec.cleanup_job @job_id = '6F9619FF-8B86-D011-B42D-00C04FC964FF';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'cleanup_job';
        RETURN;
    END;

    DECLARE @state varchar(10);
    DECLARE @detached bit;
    DECLARE @worker_count int;

    EXECUTE sqlexec.find_job
        @job_id = @job_id,
        @or_admin = 1,
        @state = @state OUTPUT,
        @detached = @detached OUTPUT,
        @worker_count = @worker_count OUTPUT;
    IF @detached = 1 AND @state IN ('QUEUED', 'RUNNING')
        EXECUTE sqlexec.stop_agents @job_id = @job_id, @worker_count = @worker_count;
    EXECUTE sqlexec.remove_jobs @job_id = @job_id;
END;
GO

-- sqlexec.purge_jobs.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.purge_jobs
    @older_than_days int = 30,
    @everybodys bit = 0,
    @help bit = 0
AS
/*
Purpose: remove jobs that ended so long ago, with their payloads and results. One row:
         removed_jobs.
Version: 0.2.0

@older_than_days  counted from their end.
@everybodys       1: of all logins; for members of sqlexec_admin and db_owner, and for a
                  schedule of SQL Server Agent that a DBA may make.
@help             1: tell this, and do nothing else.

Example: EXECUTE sqlexec.purge_jobs @older_than_days = 7;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'purge_jobs';
        RETURN;
    END;

    DECLARE @removed int = 0;
    DECLARE @batch int = 1;
    DECLARE @before datetime2(3);
    DECLARE @owner_sid varbinary(85);
    DECLARE @is_allowed bit = CASE
        WHEN @everybodys = 1 AND ISNULL(IS_ROLEMEMBER(N'sqlexec_admin'), 0) <> 1
            AND ISNULL(IS_ROLEMEMBER(N'db_owner'), 0) <> 1 THEN 0
        ELSE 1
    END;
    DECLARE @error_number int = CASE WHEN @is_allowed = 0 THEN 51711 ELSE 51702 END;
    DECLARE @message nvarchar(2048) = CONCAT_WS(
        NCHAR(10),
        CASE
            WHEN @is_allowed = 0
            THEN N'sqlexec.purge_jobs: @everybodys = 1 is for members of the roles sqlexec_admin and db_owner.'
        END,
        CASE
            WHEN @older_than_days IS NULL OR @older_than_days < 0
            THEN N'sqlexec.purge_jobs: @older_than_days must be 0 or more.'
        END);

    IF @message <> N''
        THROW @error_number, @message, 1;

    SET @before = DATEADD(DAY, -@older_than_days, SYSUTCDATETIME());
    IF ISNULL(@everybodys, 0) = 0
        SET @owner_sid = SUSER_SID();
    WHILE @batch > 0
    BEGIN
        EXECUTE sqlexec.remove_jobs
            @ended_before = @before,
            @owner_sid = @owner_sid,
            @removed = @batch OUTPUT;
        SET @removed = @removed + @batch;
    END;
    SELECT @removed AS removed_jobs;
END;
GO

-- sqlexec.resume_job.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.resume_job
    @job_id uniqueidentifier = NULL,
    @detached bit = NULL,
    @help bit = 0
AS
/*
Purpose: let a job that failed or was cancelled go on with the chunks that have no result yet; for
         its owner alone.
Version: 0.2.0

@job_id    of a job of the caller's.
@detached  as in sqlexec.submit_job; NULL leaves it as it was.
@help      1: tell this, and do nothing else.

Example: EXECUTE sqlexec.resume_job @job_id = '6F9619FF-8B86-D011-B42D-00C04FC964FF';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;
    SET IMPLICIT_TRANSACTIONS OFF;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'resume_job';
        RETURN;
    END;

    DECLARE @state varchar(10);
    DECLARE @was_detached bit;
    DECLARE @worker_count int;
    DECLARE @message nvarchar(2048);

    EXECUTE sqlexec.find_job
        @job_id = @job_id,
        @state = @state OUTPUT,
        @detached = @was_detached OUTPUT,
        @worker_count = @worker_count OUTPUT;
    SET @detached = COALESCE(@detached, @was_detached);
    IF @@TRANCOUNT > 0
        THROW 51704, N'sqlexec.resume_job: workers do not see the job before the transaction ends: call it outside of one.', 1;

    BEGIN TRANSACTION;
    UPDATE c
    SET state = 'waiting',
        attempt_count = 0,
        worker_id = NULL,
        ended_at = NULL,
        error_number = NULL,
        error_message = NULL
    FROM sqlexec.chunk AS c
    WHERE c.job_id = @job_id AND c.state <> 'done';
    UPDATE j
    SET state = CASE WHEN j.chunks_done = j.chunk_count THEN 'FINISHED' ELSE 'QUEUED' END,
        detached = @detached,
        chunks_failed = 0,
        started_at = NULL,
        active_at = SYSUTCDATETIME(),
        ended_at = CASE WHEN j.chunks_done = j.chunk_count THEN SYSUTCDATETIME() END,
        error_number = NULL,
        error_message = NULL
    FROM sqlexec.job AS j
    WHERE j.job_id = @job_id AND j.state IN ('FAILED', 'CANCELED');
    IF @@ROWCOUNT = 0
    BEGIN
        SET @message = CONCAT(
            N'sqlexec.resume_job: the job is ', @state, N'; one that is FAILED or CANCELED can be resumed.');
        THROW 51712, @message, 1;
    END;
    COMMIT TRANSACTION;

    IF @detached = 1
    BEGIN
        EXECUTE sqlexec.stop_agents @job_id = @job_id, @worker_count = @worker_count;
        EXECUTE sqlexec.start_agents @job_id = @job_id, @worker_count = @worker_count;
    END;
END;
GO

-- sqlexec.script.table.sql
/*
Purpose: scripts that are run by their name. A version is never changed; the owner of a name is
         who stored it first. Nobody has rights on the table.
Version: 0.2.0
*/
IF OBJECT_ID(N'sqlexec.script', N'U') IS NULL
    CREATE TABLE sqlexec.script
    (
        name nvarchar(128) NOT NULL,
        version int NOT NULL,
        language nvarchar(128) NOT NULL,
        source nvarchar(max) NOT NULL,
        parameters nvarchar(max) NOT NULL,
        description nvarchar(400) NOT NULL,
        owner_sid varbinary(85) NOT NULL,
        owner_name nvarchar(128) NOT NULL,
        created_at datetime2(3) NOT NULL,
        CONSTRAINT pk_script PRIMARY KEY (name, version)
    );
GO

-- sqlexec.script_grant.table.sql
/*
Purpose: the users and roles of this database that may run a script, besides its owner, by name.
Version: 0.2.0
*/
IF OBJECT_ID(N'sqlexec.script_grant', N'U') IS NULL
    CREATE TABLE sqlexec.script_grant
    (
        name nvarchar(128) NOT NULL,
        grantee nvarchar(128) NOT NULL,
        granted_by nvarchar(128) NOT NULL,
        granted_at datetime2(3) NOT NULL,
        CONSTRAINT pk_script_grant PRIMARY KEY (name, grantee)
    );
GO

-- sqlexec.find_script.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.find_script
    @name nvarchar(128),
    @version int = NULL OUTPUT,
    @as_owner bit = 0,
    @source nvarchar(max) = NULL OUTPUT
AS
/*
Purpose: find a version of a script, the newest by default, that the caller may use: its owner, who
         was granted it, members of sqlexec_admin; 51741 where there is none. Of the other
         procedures.
Version: 0.2.0

@as_owner  1: for the owner and members of sqlexec_admin alone.
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    DECLARE @found int;
    DECLARE @message nvarchar(2048);

    IF @name IS NULL
        THROW 51742, N'@name must have a value; sqlexec.scripts lists those that you may run.', 1;

    SELECT TOP (1) @found = s.version, @source = s.source
    FROM sqlexec.script AS s
    WHERE s.name = @name AND (@version IS NULL OR s.version = @version)
        AND (
            s.owner_sid = SUSER_SID()
            OR IS_ROLEMEMBER(N'sqlexec_admin') = 1
            OR (
                @as_owner = 0
                AND EXISTS (
                    SELECT 1
                    FROM sqlexec.script_grant AS g
                    INNER JOIN sys.user_token AS t ON t.name = g.grantee AND t.usage = N'GRANT OR DENY'
                    WHERE g.name = s.name
                )
            )
        )
    ORDER BY s.version DESC;
    IF @found IS NULL
    BEGIN
        SET @message = CONCAT(
            N'There is no script ', @name, N' (version ' + CAST(@version AS nvarchar(11)) + N')',
            CASE WHEN @as_owner = 1 THEN N' of yours' ELSE N' that you may run' END,
            N' in database ', DB_NAME(), N'.');
        THROW 51741, @message, 1;
    END;
    SET @version = @found;
END;
GO

-- sqlexec.store_script.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.store_script
    @name nvarchar(128) = NULL,
    @source nvarchar(max) = NULL,
    @parameters nvarchar(max) = N'[]',
    @description nvarchar(400) = N'',
    @version int = NULL OUTPUT,
    @help bit = 0
AS
/*
Purpose: keep a Python script to be run by its name. One row: version.
Version: 0.2.0

@name         of the script.
@source       takes args_json, a JSON object as text, and InputDataSet; gives result_json, which
              is {"result": ...}.
@parameters   JSON, what the script takes: [{"name": ..., "type": ..., "required": ...}, ...].
@description  a line for lists.
@version      1 or more; by default the next one. One that exists is not changed.
@help         1: tell this, and do nothing else.

The name belongs to the login that stores it first; it and members of sqlexec_admin may add
versions. The caller needs the role sqlexec_user.

Example: EXECUTE sqlexec.store_script @name = N'answer', @source = N'result_json = "{}"';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'store_script';
        RETURN;
    END;

    DECLARE @owner_sid varbinary(85) = SUSER_SID();
    DECLARE @owner_name nvarchar(128) = SUSER_SNAME();
    DECLARE @last int;
    DECLARE @message nvarchar(2048) = CONCAT_WS(
        NCHAR(10),
        CASE
            WHEN @name IS NULL OR LTRIM(@name) = N''
            THEN N'sqlexec.store_script: @name must have a value.'
        END,
        CASE WHEN @source IS NULL THEN N'sqlexec.store_script: @source must have a value.' END,
        CASE
            WHEN ISNULL(ISJSON(@parameters), 0) = 0
            THEN N'sqlexec.store_script: @parameters must be JSON.'
        END,
        CASE WHEN @description IS NULL THEN N'sqlexec.store_script: @description must have a value.' END,
        CASE WHEN @version < 1 THEN N'sqlexec.store_script: @version must be 1 or more.' END);

    IF @message <> N''
        THROW 51742, @message, 1;

    BEGIN TRANSACTION;
    SELECT TOP (1) @last = s.version, @owner_sid = s.owner_sid, @owner_name = s.owner_name
    FROM sqlexec.script AS s WITH (UPDLOCK, HOLDLOCK)
    WHERE s.name = @name
    ORDER BY s.version DESC;
    IF @owner_sid <> SUSER_SID() AND ISNULL(IS_ROLEMEMBER(N'sqlexec_admin'), 0) <> 1
        THROW 51743, N'sqlexec.store_script: another login has a script of that name; choose another.', 1;
    SET @version = ISNULL(@version, ISNULL(@last, 0) + 1);
    IF EXISTS (SELECT 1 FROM sqlexec.script AS s WHERE s.name = @name AND s.version = @version)
        THROW 51744, N'sqlexec.store_script: there is that version already; leave @version out for the next one.', 1;
    INSERT INTO sqlexec.script
        (name, version, language, source, parameters, description, owner_sid, owner_name, created_at)
    VALUES
        (@name, @version, N'Python', @source, @parameters, @description, @owner_sid, @owner_name,
         SYSUTCDATETIME());
    COMMIT TRANSACTION;
    SELECT @version AS version;
END;
GO

-- sqlexec.scripts.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.scripts
    @name nvarchar(128) = NULL,
    @help bit = 0
AS
/*
Purpose: list the versions of the scripts that the caller may run, those of @name alone if given.
Version: 0.2.0

@name  that one alone.
@help  1: tell this, and do nothing else.

Example: EXECUTE sqlexec.scripts;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'scripts';
        RETURN;
    END;

    SELECT
        s.name,
        s.version,
        s.language,
        s.parameters,
        s.description,
        s.owner_name,
        s.created_at
    FROM sqlexec.script AS s
    WHERE (@name IS NULL OR s.name = @name)
        AND (
            s.owner_sid = SUSER_SID()
            OR IS_ROLEMEMBER(N'sqlexec_admin') = 1
            OR EXISTS (
                SELECT 1
                FROM sqlexec.script_grant AS g
                INNER JOIN sys.user_token AS t ON t.name = g.grantee AND t.usage = N'GRANT OR DENY'
                WHERE g.name = s.name
            )
        )
    ORDER BY s.name, s.version;
END;
GO

-- sqlexec.load_script.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.load_script
    @name nvarchar(128) = NULL,
    @version int = NULL,
    @help bit = 0
AS
/*
Purpose: one row: a script with its source, the newest version by default. For those who may run it.
Version: 0.2.0

@name     of the script.
@version  by default the newest.
@help     1: tell this, and do nothing else.

Example: EXECUTE sqlexec.load_script @name = N'answer';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'load_script';
        RETURN;
    END;

    EXECUTE sqlexec.find_script @name = @name, @version = @version OUTPUT;
    SELECT
        s.name,
        s.version,
        s.language,
        s.parameters,
        s.description,
        s.owner_name,
        s.created_at,
        s.source
    FROM sqlexec.script AS s
    WHERE s.name = @name AND s.version = @version;
END;
GO

-- sqlexec.grant_script.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.grant_script
    @name nvarchar(128) = NULL,
    @grantee nvarchar(128) = NULL,
    @revoke bit = 0,
    @help bit = 0
AS
/*
Purpose: let a user or role of this database run all versions of a script, or no more.
         For its owner and members of sqlexec_admin.
Version: 0.2.0

@name     of the script.
@grantee  by name: a user, a role, or public. It also needs the role sqlexec_user.
@revoke   1: take the right back.
@help     1: tell this, and do nothing else.

Example: EXECUTE sqlexec.grant_script @name = N'answer', @grantee = N'ann';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'grant_script';
        RETURN;
    END;

    DECLARE @message nvarchar(2048) = CONCAT_WS(
        NCHAR(10),
        CASE WHEN @name IS NULL THEN N'sqlexec.grant_script: @name must have a value.' END,
        CASE
            WHEN @grantee IS NULL OR LTRIM(@grantee) = N''
            THEN N'sqlexec.grant_script: @grantee must name a user or a role of this database.'
        END);

    IF @message <> N''
        THROW 51742, @message, 1;
    EXECUTE sqlexec.find_script @name = @name, @as_owner = 1;

    BEGIN TRANSACTION;
    DELETE FROM sqlexec.script_grant WHERE name = @name AND grantee = @grantee;
    IF ISNULL(@revoke, 0) = 0
        INSERT INTO sqlexec.script_grant (name, grantee, granted_by, granted_at)
        VALUES (@name, @grantee, SUSER_SNAME(), SYSUTCDATETIME());
    COMMIT TRANSACTION;
END;
GO

-- sqlexec.drop_script.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.drop_script
    @name nvarchar(128) = NULL,
    @version int = NULL,
    @help bit = 0
AS
/*
Purpose: remove a version of a script, by default all of them; with the last one go its grants.
         For its owner and members of sqlexec_admin. One row: removed_versions.
Version: 0.2.0

@name     of the script.
@version  that one alone.
@help     1: tell this, and do nothing else.

Example: EXECUTE sqlexec.drop_script @name = N'answer', @version = 1;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'drop_script';
        RETURN;
    END;

    DECLARE @found int = @version;
    DECLARE @removed int;

    EXECUTE sqlexec.find_script @name = @name, @version = @found OUTPUT, @as_owner = 1;
    BEGIN TRANSACTION;
    DELETE FROM sqlexec.script WHERE name = @name AND (@version IS NULL OR version = @version);
    SET @removed = @@ROWCOUNT;
    IF NOT EXISTS (SELECT 1 FROM sqlexec.script AS s WHERE s.name = @name)
        DELETE FROM sqlexec.script_grant WHERE name = @name;
    COMMIT TRANSACTION;
    SELECT @removed AS removed_versions;
END;
GO

-- sqlexec.run_script.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.run_script
    @name nvarchar(128) = NULL,
    @version int = NULL,
    @args_json nvarchar(max) = N'{}',
    @input_query nvarchar(max) = N'',
    @result_json nvarchar(max) = NULL OUTPUT,
    @help bit = 0
AS
/*
Purpose: run a stored script by its name. One row: result_json.
Version: 0.2.0

@name         of the script.
@version      by default the newest.
@args_json    the function's arguments, as N'{"carrier": "UA", "year": 2013}'.
@input_query  one SELECT, run with the caller's own rights, where the function takes a DataFrame.
@result_json  {"result": ...}: read it by JSON_VALUE(@result_json, N'$.result') or OPENJSON; a
              DataFrame is an array of rows.
@help         1: tell this, and do nothing else.

The caller needs the role sqlexec_user, and the script must be its own or be granted to it.

Example: EXECUTE sqlexec.run_script @name = N'answer', @args_json = N'{"x": 1}';
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'run_script';
        RETURN;
    END;

    DECLARE @source nvarchar(max);
    DECLARE @script_name nvarchar(200);
    DECLARE @longest_run_seconds int;
    DECLARE @log_id bigint;
    DECLARE @slot nvarchar(255);
    DECLARE @run_id uniqueidentifier = NEWID();
    DECLARE @argument_bytes bigint = DATALENGTH(@args_json);
    DECLARE @result_bytes bigint;
    DECLARE @error_number int;
    DECLARE @message nvarchar(2048) = CONCAT_WS(
        NCHAR(10),
        CASE WHEN @name IS NULL THEN N'sqlexec.run_script: @name must have a value.' END,
        CASE
            WHEN ISNULL(ISJSON(@args_json), 0) = 0
            THEN N'sqlexec.run_script: @args_json must be a JSON object, as N''{"name": value}''.'
        END,
        CASE WHEN @input_query IS NULL THEN N'sqlexec.run_script: @input_query must have a value, N'''' for none.' END);
    -- Generated from sqlexec/runner: runs @source, and stops it after @longest_run_seconds.
    DECLARE @script nvarchar(max) = N'# sqlexec 0.2.0: runs a stored script; see sqlexec/runner/stored.py in the source.
# in: source, script_name, args_json, longest_run_seconds (0: no limit); rows in: InputDataSet
# out: result_json
result_json = ""
def sqlexec_runner():


    import ctypes
    import faulthandler
    import os
    import signal
    import sys
    import threading
    import time

    GRACE = 3.0  # seconds
    SHORTEST_INTERVAL = 1.0  # seconds between two exceptions in a task that ignores them

    class TaskTimeout(TimeoutError):
        """The task took longer than it may."""

    class TimeLimit:
        """Limits tasks, one after the other, while it is entered as a context.

        `seconds` are those of a task, None for no limit, and `seconds_left` those of all of them, 0
        for no limit.  `kind` is the class of the exception in the task; `fatal` whether a task that
        cannot be interrupted ends the process.
        """

        def __init__(
            self,
            seconds,
            kind = TaskTimeout,
            fatal = True,
            seconds_left = 0,
        ):
            self._seconds = seconds
            self._end = time.monotonic() + seconds_left if seconds_left else None
            self._kind = kind
            self._running = False
            self._fatal = fatal
            self._stderr = None  # type: Optional[int]
            self._timer = None  # type: Any
            in_main = seconds is not None and threading.current_thread() is threading.main_thread()
            self._by_signal = in_main and hasattr(signal, "setitimer")

        def __enter__(self):
            if self._by_signal:
                self._before = signal.signal(signal.SIGALRM, self._ring)
                self._alarm = signal.getitimer(signal.ITIMER_REAL)  # of somebody else
                self._entered = time.time()
            if self._fatal:
                try:
                    self._stderr = os.dup(2)  # that of the process, whoever takes its place later
                except OSError:
                    pass  # a service without one: nothing can tell where a task was stuck
            self._watch(None)
            return self

        def __exit__(self, *_):
            self.stop()
            if self._by_signal:
                signal.signal(signal.SIGALRM, self._before or signal.SIG_DFL)
                left, interval = self._alarm
                if left:
                    left = max(left - (time.time() - self._entered), 0.001)
                    signal.setitimer(signal.ITIMER_REAL, left, interval)
            if self._stderr is not None:
                faulthandler.cancel_dump_traceback_later()
                os.close(self._stderr)

        def limited(self, function):
            """The function, each call of which is a task."""

            def limited(**arguments):
                self.start()
                try:
                    return function(**arguments)
                finally:
                    self.stop()

            return limited

        def start(self):
            """A task begins."""
            if self._seconds is None:
                return
            self._running = True
            self._watch(2 * self._seconds + GRACE)
            if self._by_signal:
                again = max(self._seconds, SHORTEST_INTERVAL)
                signal.setitimer(signal.ITIMER_REAL, self._seconds, again)
            else:
                self._timer = _Timer(self._seconds, self._kind)

        def stop(self):
            """It has ended, in time or not; may be called twice."""
            if self._seconds is None:
                return
            self._running = False
            if self._by_signal:
                signal.setitimer(signal.ITIMER_REAL, 0)
            elif self._timer is not None:
                self._timer.stop()
                self._timer = None
            self._watch(None)

        def has_raised(self, error):
            """Is it the exception of this limit?"""
            return type(error) is self._kind

        def _watch(self, seconds):
            """End the process after so many seconds, at the end of all tasks'' time at the latest."""
            if self._stderr is None:
                return
            if self._end is not None:
                left = max(self._end - time.monotonic(), 0.001)
                seconds = left if seconds is None else min(left, seconds)
            if seconds is None:
                faulthandler.cancel_dump_traceback_later()
            else:
                faulthandler.dump_traceback_later(seconds, exit=True, file=self._stderr)

        def _ring(self, *_):
            if self._running:
                raise self._kind()

    class _Timer:
        """Raises an exception of a class in the thread that made it, later."""

        def __init__(self, seconds, kind):
            self._lock = threading.Lock()
            self._stopped = False
            self._raised = False
            self._kind = kind
            wide = sys.version_info >= (3, 7)
            self._thread = (ctypes.c_ulong if wide else ctypes.c_long)(threading.get_ident())
            self._timer = threading.Timer(seconds, self._ring)
            self._timer.daemon = True
            self._timer.start()

        def stop(self):
            """Raise nothing any more, not even what was set and has not come up yet.

            It comes up here: to take it back would leave CPython 3.11 with a flag that is never
            cleared, and a profile function would then stop the thread for ever.
            """
            self._timer.cancel()
            try:
                with self._lock:
                    self._stopped = True
                for _ in range(100 if self._raised else 0):
                    pass  # Python looks for exceptions at each turn of a loop
            except self._kind:
                self._stopped = True

        def _ring(self):
            with self._lock:
                if not self._stopped:
                    self._raised = True
                    kind = ctypes.py_object(self._kind)
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(self._thread, kind)

    def time_limit(seconds, seconds_left = 0):
        """A TimeLimit for the tasks of a chunk."""
        return TimeLimit(seconds, seconds_left=seconds_left)


    import linecache

    def run_stored(
        source, name, args_json, rows = None, longest_run_seconds = 0
    ):
        """Run a script''s text; gives what it leaves in `result_json`.

        `name` stands in tracebacks; `rows` are what the script has as InputDataSet;
        `longest_run_seconds` is the server''s limit, 0 for none.
        """
        scope = {
            "__name__": "__main__",
            "args_json": args_json,
            "InputDataSet": rows,
            "result_json": "",
        }  # type: Dict[str, Any]
        lines = source.splitlines(True)
        linecache.cache[name] = (len(source), None, lines, name)  # tracebacks show them
        code = compile(source, name, "exec", dont_inherit=True)
        if longest_run_seconds:
            _run_limited(code, scope, longest_run_seconds)
        else:
            exec(code, scope)
        result = scope.get("result_json")
        if not isinstance(result, str):  # as an OUTPUT value it would end the process of some runtimes
            raise TypeError("the script left %s in result_json, not str" % type(result).__name__)
        return result

    def _run_limited(code, scope, seconds):
        with time_limit(seconds) as limit:
            limit.start()
            try:
                exec(code, scope)
            except BaseException as error:
                limit.stop()  # its exception may have come while another was under way
                if not limit.has_raised(error):
                    raise
                raise TaskTimeout(
                    "the script took longer than this database''s longest_run_seconds, %d. A member of "
                    "sqlexec_admin may change the limit: EXECUTE sqlexec.configure" % seconds
                )
    return run_stored
try:
    sqlexec_input = InputDataSet
except NameError:  # a runtime that sets no name where there is no input query
    sqlexec_input = None
try:
    result_json = sqlexec_runner()(
        source, script_name, args_json, sqlexec_input, longest_run_seconds
    )
finally:
    del sqlexec_runner, sqlexec_input
';

    IF @message <> N''
        THROW 51742, @message, 1;
    EXECUTE sqlexec.find_script
        @name = @name,
        @version = @version OUTPUT,
        @source = @source OUTPUT;
    EXECUTE sqlexec.begin_call
        @job_id = @run_id,
        @chunk_number = 1,
        @task_count = 1,
        @payload_bytes = @argument_bytes,
        @log_id = @log_id OUTPUT,
        @longest_run_seconds = @longest_run_seconds OUTPUT,
        @slot = @slot OUTPUT;
    SET @script_name = CONCAT(@name, N', version ', @version);

    BEGIN TRY
        EXECUTE sys.sp_execute_external_script
            @language = N'Python',
            @script = @script,
            @input_data_1 = @input_query,
            @params = N'@source nvarchar(max), @script_name nvarchar(200), @args_json nvarchar(max), @longest_run_seconds int, @result_json nvarchar(max) OUTPUT',
            @source = @source,
            @script_name = @script_name,
            @args_json = @args_json,
            @longest_run_seconds = @longest_run_seconds,
            @result_json = @result_json OUTPUT;
        IF ISNULL(ISJSON(@result_json), 0) = 0
            THROW 51745, N'sqlexec.run_script: the script left no JSON in result_json, or the server''s runtime cut it short.', 1;
        SET @result_bytes = DATALENGTH(@result_json);
        EXECUTE sqlexec.end_call
            @log_id = @log_id,
            @slot = @slot,
            @result_bytes = @result_bytes,
            @failed_count = 0;
    END TRY
    BEGIN CATCH
        SET @error_number = ERROR_NUMBER();
        IF XACT_STATE() <> -1
            EXECUTE sqlexec.end_call @log_id = @log_id, @slot = @slot, @error_number = @error_number;
        THROW;
    END CATCH;
    SELECT @result_json AS result_json;
END;
GO

-- sqlexec.configure.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.configure
    @name varchar(32) = NULL,
    @value bigint = NULL,
    @help bit = 0
AS
/*
Purpose: list the limits of this database, and set one of them. They hold whatever a client asks
         for, for what runs through the procedures of this schema. Whoever may EXECUTE ANY EXTERNAL
         SCRIPT can run others, as the procedures of create_procedure do: a resource pool limits
         all (prepare_server.sql). For members of sqlexec_admin.
Version: 0.2.0

@name   kept_days, largest_payload_bytes, longest_run_seconds or most_workers_per_login.
@value  0 for no limit; NULL leaves it as it is.
@help   1: tell this, and do nothing else.

Example: EXECUTE sqlexec.configure @name = 'most_workers_per_login', @value = 4;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'configure';
        RETURN;
    END;

    DECLARE @is_known bit = CASE
        WHEN EXISTS (SELECT 1 FROM sqlexec.setting AS s WHERE s.setting_name = @name) THEN 1
        ELSE 0
    END;
    -- Greater ones would overflow dates, and timers of some systems.
    DECLARE @highest bigint = CASE @name
        WHEN 'kept_days' THEN 36500
        WHEN 'longest_run_seconds' THEN 1000000
        WHEN 'most_workers_per_login' THEN 10000
        ELSE 9223372036854775807
    END;
    DECLARE @message nvarchar(2048) = CONCAT_WS(
        NCHAR(10),
        CASE WHEN @name IS NULL AND @value IS NOT NULL THEN N'sqlexec.configure: @name must have a value.' END,
        CASE
            WHEN @name IS NOT NULL AND @is_known = 0
            THEN CONCAT(N'sqlexec.configure: there is no limit ', @name, N'; without @name all are listed.')
        END,
        CASE
            WHEN @value < 0 OR @value > @highest
            THEN CONCAT(N'sqlexec.configure: @value must be 0 or more, and ', @highest, N' at most.')
        END);
    IF @message <> N''
        THROW 51702, @message, 1;

    UPDATE s
    SET setting_value = @value, changed_at = SYSUTCDATETIME(), changed_by = SUSER_SNAME()
    FROM sqlexec.setting AS s
    WHERE s.setting_name = @name AND @value IS NOT NULL AND s.setting_value <> @value;

    SELECT s.setting_name, s.setting_value, s.description, s.changed_at, s.changed_by
    FROM sqlexec.setting AS s
    WHERE @name IS NULL OR s.setting_name = @name
    ORDER BY s.setting_name;
END;
GO

-- sqlexec.uninstall.procedure.sql
CREATE OR ALTER PROCEDURE sqlexec.uninstall
    @print_only bit = 1,
    @even_if_jobs_run bit = 0,
    @help bit = 0
AS
/*
Purpose: remove the bundle from this database, with all jobs, results, logs and limits: its own
         procedures, views, tables and roles by name, and the schema where nothing else is in it.
         One row for each statement. For members of db_owner.
Version: 0.2.0

@print_only        1: run nothing, only tell the statements.
@even_if_jobs_run  1: do not refuse while jobs wait or run.
@help              1: tell this, and do nothing else.

Example: EXECUTE sqlexec.uninstall @print_only = 0;
Licence: MIT.
*/
BEGIN
    SET NOCOUNT ON;
    SET XACT_ABORT ON;

    IF @help = 1
    BEGIN
        EXECUTE sqlexec.help @procedure = N'uninstall';
        RETURN;
    END;

    DECLARE @number int = 1;
    DECLARE @statement nvarchar(max);
    DECLARE @statements TABLE
    (
        statement_number int IDENTITY(1, 1) NOT NULL PRIMARY KEY,
        statement nvarchar(max) NOT NULL
    );
    DECLARE @own TABLE (object_name sysname NOT NULL PRIMARY KEY, kind varchar(9) NOT NULL);

    INSERT INTO @own (object_name, kind)
    VALUES
        (N'chunk_log', 'TABLE'),
        (N'blob', 'TABLE'),
        (N'job', 'TABLE'),
        (N'chunk', 'TABLE'),
        (N'worker', 'TABLE'),
        (N'setting', 'TABLE'),
        (N'activity', 'VIEW'),
        (N'history', 'VIEW'),
        (N'help', 'PROCEDURE'),
        (N'runner', 'PROCEDURE'),
        (N'read_limits', 'PROCEDURE'),
        (N'refuse_payload', 'PROCEDURE'),
        (N'take_slot', 'PROCEDURE'),
        (N'remove_jobs', 'PROCEDURE'),
        (N'remove_expired', 'PROCEDURE'),
        (N'begin_call', 'PROCEDURE'),
        (N'end_call', 'PROCEDURE'),
        (N'execute_chunk', 'PROCEDURE'),
        (N'info', 'PROCEDURE'),
        (N'count_chunks', 'PROCEDURE'),
        (N'reap_workers', 'PROCEDURE'),
        (N'expire_job', 'PROCEDURE'),
        (N'stop_agents', 'PROCEDURE'),
        (N'settle_job', 'PROCEDURE'),
        (N'find_job', 'PROCEDURE'),
        (N'claim_chunk', 'PROCEDURE'),
        (N'complete_chunk', 'PROCEDURE'),
        (N'fail_chunk', 'PROCEDURE'),
        (N'wait_for_slot', 'PROCEDURE'),
        (N'run_worker', 'PROCEDURE'),
        (N'start_agents', 'PROCEDURE'),
        (N'submit_job', 'PROCEDURE'),
        (N'jobs', 'PROCEDURE'),
        (N'job_secret', 'PROCEDURE'),
        (N'fetch_results', 'PROCEDURE'),
        (N'fetch_console', 'PROCEDURE'),
        (N'cancel_job', 'PROCEDURE'),
        (N'cleanup_job', 'PROCEDURE'),
        (N'purge_jobs', 'PROCEDURE'),
        (N'resume_job', 'PROCEDURE'),
        (N'script', 'TABLE'),
        (N'script_grant', 'TABLE'),
        (N'find_script', 'PROCEDURE'),
        (N'store_script', 'PROCEDURE'),
        (N'scripts', 'PROCEDURE'),
        (N'load_script', 'PROCEDURE'),
        (N'grant_script', 'PROCEDURE'),
        (N'drop_script', 'PROCEDURE'),
        (N'run_script', 'PROCEDURE'),
        (N'configure', 'PROCEDURE'),
        (N'uninstall', 'PROCEDURE'),
        (N'sqlexec_user', 'ROLE'),
        (N'sqlexec_admin', 'ROLE');

    IF @print_only = 0 AND ISNULL(@even_if_jobs_run, 0) = 0
        AND EXISTS (SELECT 1 FROM sqlexec.job AS j WHERE j.state IN ('QUEUED', 'RUNNING'))
        THROW 51755, N'sqlexec.uninstall: jobs wait or run. Wait, cancel them (sqlexec.jobs @everybodys = 1 lists them), or use @even_if_jobs_run = 1.', 1;

    INSERT INTO @statements (statement)
    SELECT CONCAT(N'ALTER ROLE ', r.name, N' DROP MEMBER ', QUOTENAME(m.name), N';')
    FROM sys.database_role_members AS x
    INNER JOIN sys.database_principals AS r ON r.principal_id = x.role_principal_id
    INNER JOIN sys.database_principals AS m ON m.principal_id = x.member_principal_id
    INNER JOIN @own AS w ON w.object_name = r.name AND w.kind = 'ROLE'
    ORDER BY r.name, m.name;

    INSERT INTO @statements (statement)
    SELECT CONCAT(N'DROP ROLE ', p.name, N';')
    FROM sys.database_principals AS p
    INNER JOIN @own AS w ON w.object_name = p.name AND w.kind = 'ROLE'
    WHERE p.type = 'R'
    ORDER BY p.name;

    INSERT INTO @statements (statement)
    SELECT CONCAT(N'DROP ', w.kind, N' sqlexec.', o.name, N';')
    FROM sys.objects AS o
    INNER JOIN @own AS w ON w.object_name = o.name
    WHERE o.schema_id = SCHEMA_ID(N'sqlexec')
        AND o.type = CASE w.kind WHEN 'PROCEDURE' THEN 'P' WHEN 'VIEW' THEN 'V' WHEN 'TABLE' THEN 'U' END
    ORDER BY CASE WHEN o.name = N'uninstall' THEN 1 ELSE 0 END, w.kind, o.name;

    IF NOT EXISTS (
        SELECT 1
        FROM sys.objects AS o
        WHERE o.schema_id = SCHEMA_ID(N'sqlexec') AND o.parent_object_id = 0
            AND o.name NOT IN (SELECT w.object_name FROM @own AS w))
        INSERT INTO @statements (statement) VALUES (N'DROP SCHEMA sqlexec;');

    IF @print_only = 0
    BEGIN
        BEGIN TRANSACTION;
        WHILE EXISTS (SELECT 1 FROM @statements AS s WHERE s.statement_number = @number)
        BEGIN
            SELECT @statement = s.statement FROM @statements AS s WHERE s.statement_number = @number;
            EXECUTE sys.sp_executesql @statement;
            SET @number = @number + 1;
        END;
        COMMIT TRANSACTION;
    END;
    SELECT s.statement FROM @statements AS s ORDER BY s.statement_number;
END;
GO

-- sqlexec.retired.objects.sql
/*
Purpose: remove what earlier versions had and this one has not.
Version: 0.2.0
*/
DROP PROCEDURE IF EXISTS sqlexec.start_log;
DROP PROCEDURE IF EXISTS sqlexec.end_log;
DROP PROCEDURE IF EXISTS sqlexec.remove_job;
GO

-- sqlexec.sqlexec_user.role.sql
/*
Purpose: the role of those who run functions: EXECUTE on the procedures, and the database
         permission that every caller of an external script needs. No rights on tables.
Version: 0.2.0
*/
IF DATABASE_PRINCIPAL_ID(N'sqlexec_user') IS NULL
    CREATE ROLE sqlexec_user AUTHORIZATION dbo;
GRANT EXECUTE ON OBJECT::sqlexec.execute_chunk TO sqlexec_user;
GRANT VIEW DEFINITION ON SCHEMA::sqlexec TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.help TO sqlexec_user;
GRANT SELECT ON OBJECT::sqlexec.activity TO sqlexec_user;
GRANT SELECT ON OBJECT::sqlexec.history TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.info TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.submit_job TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.run_worker TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.jobs TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.job_secret TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.fetch_results TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.fetch_console TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.cancel_job TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.cleanup_job TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.purge_jobs TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.resume_job TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.store_script TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.scripts TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.load_script TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.grant_script TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.drop_script TO sqlexec_user;
GRANT EXECUTE ON OBJECT::sqlexec.run_script TO sqlexec_user;
GRANT EXECUTE ANY EXTERNAL SCRIPT TO sqlexec_user;
GO

-- sqlexec.sqlexec_admin.role.sql
/*
Purpose: the role of those who look after the jobs of all: list, cancel, clean up, purge, set limits. It gives
         no payloads and results, and no external scripts.
Version: 0.2.0
*/
IF DATABASE_PRINCIPAL_ID(N'sqlexec_admin') IS NULL
    CREATE ROLE sqlexec_admin AUTHORIZATION dbo;
GRANT VIEW DEFINITION ON SCHEMA::sqlexec TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.help TO sqlexec_admin;
GRANT SELECT ON OBJECT::sqlexec.activity TO sqlexec_admin;
GRANT SELECT ON OBJECT::sqlexec.history TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.configure TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.info TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.jobs TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.cancel_job TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.cleanup_job TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.purge_jobs TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.scripts TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.load_script TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.grant_script TO sqlexec_admin;
GRANT EXECUTE ON OBJECT::sqlexec.drop_script TO sqlexec_admin;
GO
