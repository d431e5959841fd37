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
    SET @source_sha256 = '4edbab397d135ba763116431557d7600cbaf70e5a607adb679db725d8ff2f367';
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


    import io
    import pickle

    OUT_OF_BAND = pickle.HIGHEST_PROTOCOL >= 5
    BIG = 65536  # bytes from which on a plain bytes value is passed beside the pickle

    def dump(value, dumps = pickle.dumps):
        """Pickle a value; `dumps` is pickle.dumps or cloudpickle.dumps. Its errors pass through."""
        if type(value) is bytes and len(value) >= BIG:
            return [b"", value]
        if not OUT_OF_BAND:
            return [dumps(value, protocol=4)]
        pieces = [b""]  # type: List[Buffer]
        pieces[0] = dumps(value, protocol=5, buffer_callback=lambda part: pieces.append(part.raw()))
        return pieces

    def load(pieces, aliases = None):
        """Rebuild a dumped value. Arrays get memory of their own, so that they can be written to.

        `aliases` maps names of the package sqlexec to what is taken for them.
        """
        if not len(pieces[0]):
            return bytes(pieces[1])
        buffers = [bytearray(piece) for piece in pieces[1:]]
        if aliases:
            return _Unpickler(io.BytesIO(pieces[0]), buffers, aliases).load()
        if buffers:
            return pickle.loads(pieces[0], buffers=buffers)
        return pickle.loads(pieces[0])

    class _Unpickler(pickle.Unpickler):
        """An unpickler that takes other objects for names of the package sqlexec."""

        def __init__(self, stream, buffers, aliases):
            if OUT_OF_BAND:
                super().__init__(stream, buffers=buffers)
            else:
                super().__init__(stream)
            self._aliases = aliases

        def find_class(self, module, name):
            """Find a global by module and name, the aliases first."""
            if module.split(".", maxsplit=1)[0] == "sqlexec" and name in self._aliases:
                return self._aliases[name]
            return super().find_class(module, name)


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


    import sys
    import traceback

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
                raise NeedsCloudpickle(version)

            if cloudpickle.__version__ != version:
                raise NeedsCloudpickle("%s, not %s" % (version, cloudpickle.__version__))
            return
        for name in [each for each in sys.modules if each.split(".", 1)[0] == "cloudpickle"]:
            del sys.modules[name]
        sources = _Sources(json.loads(zlib.decompress(bytes(pieces[0])).decode("ascii")))
        sys.meta_path.insert(0, sources)
        try:
            __import__("cloudpickle")
        finally:
            sys.meta_path.remove(sources)

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
        for name in ("cloudpickle", "numpy", "pandas", "pyarrow", "scipy", "sklearn", "revoscalepy"):
            version = getattr(sys.modules.get(name), "__version__", None)
            if isinstance(version, str):
                packages[name] = version
        return {
            "python": list(sys.version_info[:3]),
            "implementation": platform.python_implementation(),
            "platform": sys.platform,
            "process_id": os.getpid(),
            "packages": packages,
        }

    class Mismatch(Exception):
        """The payload was made for another Python than this one."""

    class _Chunk:
        """The tasks of one payload, and what they share."""

        def __init__(self, header, body, input_data):
            self._header = header
            self._body = body
            self._seed = header.get("seed")  # type: Optional[int]
            self._input = header.get("input") or None  # type: Optional[Dict[str, Any]]
            self._input_data = input_data
            self._offset = 0
            self._aliases = client_names()

        def run(self):
            """Run all tasks."""
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
                remove_stand_in()
            return report

        def _load_call(self):
            """The function, with its local state as globals, and the arguments that all runs share."""
            install_cloudpickle(self._header["cloudpickle_version"], self._take("cloudpickle"))
            for name in self._header["packages"]:
                _import_package(name)
            function, shared, local_state = load(self._take("call"), self._aliases)
            if local_state:
                _globals_of(function).update(local_state)
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
                    own = load(pieces, self._aliases)
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
            self.values.add_apart(_dump_error(error))

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
        except Exception:  # noqa: BLE001 - cloudpickle''s error is the one that tells
            import cloudpickle

            try:
                return dump(value, cloudpickle.dumps)
            except Exception as error:  # noqa: BLE001 - whatever a user''s __reduce__ raises
                raise TypeError(
                    "the function''s result of type %s cannot be sent back: %s"
                    % (type(value).__name__, error)
                )

    def _dump_error(error):
        """Pickle an exception; no pieces where it cannot be (its description travels anyway)."""
        try:
            return _dump_anyhow(error)
        except Exception:  # noqa: BLE001 - told to the client by the missing pieces
            return []

    def _result(header, pieces, key):
        header["protocol"] = PROTOCOL
        header["runtime"] = runtime()
        return join_frame(RESULT, header, pieces, key)

    def _check_python(header):
        if list(sys.version_info[:2]) != header["python"][:2]:
            raise Mismatch(
                "the function was packed by Python %d.%d, this server runs Python %d.%d: they must "
                "have the same minor version"
                % (tuple(header["python"][:2]) + tuple(sys.version_info[:2]))
            )

    def _import_package(name):
        try:
            __import__(name)
        except ImportError as error:
            raise ImportError(
                "packages_to_load names %r, which the server''s Python cannot import: %s" % (name, error)
            )

    def _globals_of(function):
        """The globals of the function behind partials, bound methods and decorators."""
        for name in ("func", "__func__", "__wrapped__"):
            if not hasattr(function, "__globals__") and hasattr(function, name):
                return _globals_of(getattr(function, name))
        if not hasattr(function, "__globals__") and not isinstance(function, type):
            return _globals_of(type(function).__call__)
        found = function.__globals__  # type: Dict[str, Any]
        return found
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
