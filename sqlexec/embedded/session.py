"""One client's connection: PRELOGIN, TLS, LOGIN7, then requests until it ends (MS-TDS 3.3.5).

    reader thread                          worker thread
    socket -> request --------- queue ---> Interpreter -> TdsSink -> socket
       ATTENTION, end of the stream -> session.cancel()

The reader parses each request while it arrives and then waits for the next bytes, so that it
notices a cancel or a disconnect while the worker runs T-SQL.  Only the worker writes.
"""

from __future__ import annotations

import queue
import ssl
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sqlexec.embedded.results import Argument
from sqlexec.embedded.tds import packets, requests, tokens
from sqlexec.embedded.tds.packets import MessageReader, MessageWriter, ProtocolError
from sqlexec.embedded.tds.requests import Login
from sqlexec.embedded.tds.sink import TdsSink
from sqlexec.embedded.tsql.errors import Message, SqlError, unsupported

if TYPE_CHECKING:
    from sqlexec.embedded.results import Sink
    from sqlexec.embedded.tds.stream import Stream
    from sqlexec.embedded.tsql.state import Session

LOGIN_TIMEOUT = 30.0  # seconds from the connection to the end of LOGIN7
MAX_LOGIN = 1 << 17  # bytes of a message before the login (LOGIN7 has 128 KB at most)
MAX_REQUEST = 1 << 32  # bytes of a message after it: two values of 2 GB
MAX_PREPARED = 1 << 16  # prepared statements of a session
CLEAR_PACKET = 32767
TLS_PACKET = 16000  # a TLS record holds 16384; Microsoft's driver fails from about 16360 on


class Interpreter(Protocol):
    """What runs T-SQL for one session; it gives errors to the sink and does not raise them."""

    session: Session

    def batch(self, text: str, sink: Sink) -> None: ...
    def sql(
        self, statement: str, declaration: str, arguments: list[Argument], sink: Sink
    ) -> int: ...
    def call(self, name: str, arguments: list[Argument], sink: Sink) -> int: ...
    def begin(self, isolation: int) -> None: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def reset(self) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Host:
    """What a connection needs to know of its server.

    open_session : makes the interpreter of a login and a session id; raises SqlError (18456,
        4060) when it is refused.
    tls, strict_tls : for TDS 7.4 and TDS 8.0.
    """

    name: str
    open_session: Callable[[Login, int], Interpreter]
    tls: ssl.SSLContext
    strict_tls: ssl.SSLContext
    login_timeout: float = LOGIN_TIMEOUT


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared statement, or with `procedure` a prepared procedure call."""

    statement: str
    declaration: str = ""
    procedure: bool = False


class ClientConnection:
    """Serves one client; `run` returns when it has gone.

    Parameters
    ----------
    stream : Stream
        The accepted socket.
    host : Host
        The server.
    session_id : int
        The spid.
    """

    def __init__(self, stream: Stream, host: Host, session_id: int) -> None:
        self._stream = stream
        self._host = host
        self._session_id = session_id
        self._reader = MessageReader(stream.receive, MAX_LOGIN)
        self._writer = MessageWriter(stream.send, 4096, session_id)
        self._prepared: dict[int, Prepared] = {}
        self._last_handle = 0
        self._requests: queue.SimpleQueue[requests.Request | ProtocolError | None] = (
            queue.SimpleQueue()
        )
        self._multiplexed = False  # the client asks for MARS
        self._state = threading.Condition()  # guards the next three
        self._busy = False  # the worker has a request
        self._attention = False  # the client has cancelled it
        self._gone = False
        self._interpreter: Interpreter

    # --- the life of a connection ---------------------------------------------------------

    def run(self) -> None:
        """Serve the client to the end; closes the stream."""
        try:
            self._stream.set_deadline(self._host.login_timeout)
            if not self._log_in():
                return
            self._stream.set_deadline(None)
            worker = threading.Thread(target=self._work, name=f"worker {self._session_id}")
            worker.start()
            try:
                self._read_requests()
            finally:
                self._leave()
                worker.join()
        except ProtocolError as problem:
            self._refuse(_incorrect(problem))
        except OSError:  # the client went away, or took too long to log in
            pass
        finally:
            self._stream.close()

    def close(self) -> None:
        """End the connection from outside; `run` returns soon after."""
        self._stream.close()

    def _leave(self) -> None:
        """The client has gone: end what runs for it, then the worker."""
        with self._state:
            self._gone = True
        self._interpreter.session.cancel()
        self._requests.put(None)

    def _refuse(self, *errors: SqlError) -> None:
        """Tell the client why its connection ends, as far as it still listens."""
        try:
            self._stream.set_deadline(2.0)
            for error in errors:
                self._writer.write(tokens.error(error, self._host.name))
            self._writer.write(tokens.done(tokens.DONE_ERROR))
            self._writer.end()
        except OSError:
            pass

    # --- login ----------------------------------------------------------------------------

    def _log_in(self) -> bool:
        """PRELOGIN, TLS, LOGIN7; False when the client left or was refused."""
        strict = self._stream.starts_with_tls()
        if strict:
            self._stream.start_tls(self._host.strict_tls)
        options = self._expect(packets.PRELOGIN)
        if options is None:
            return False
        encryption = self._answer_prelogin(requests.parse_prelogin(options), strict=strict)
        secured = encryption != requests.ENCRYPT_NOT_SUPPORTED
        login_only = encryption == requests.ENCRYPT_OFF
        if secured:
            self._stream.start_tls(self._host.tls, self._handshake, login_only=login_only)
            self._stream.feed(self._reader.unread())
        message = self._expect(packets.LOGIN7)
        if message is None:
            return False
        login = requests.parse_login(message)
        if login_only:
            self._stream.stop_tls()
        try:
            if self._multiplexed:  # said here, where every driver shows the text
                raise unsupported("MARS: connect without MARS_Connection=yes")
            if login.integrated:
                raise SqlError(
                    18452,
                    "Login failed. The login is from an untrusted domain and cannot be used "
                    "with Integrated authentication.",
                    14,
                )
            self._interpreter = self._host.open_session(login, self._session_id)
        except SqlError as error:
            more = [SqlError.of(18456, login.user)] if error.number == 4060 else []
            self._refuse(error, *more)
            return False
        self._interpreter.session.disconnect = self.close
        try:
            self._greet(login, in_tls=strict or (secured and not login_only))
        except BaseException:
            self._interpreter.close()
            raise
        self._reader.limit = MAX_REQUEST
        return True

    def _expect(self, kind: int) -> bytes | None:
        found = self._reader.next_message()
        if found is None:
            return None
        if found != kind:
            raise ProtocolError(f"A message of type {found} is not expected here.")
        return self._reader.rest()

    def _answer_prelogin(self, options: dict[int, bytes], *, strict: bool) -> int:
        asked = options.get(requests.ENCRYPTION) or bytes([requests.ENCRYPT_NOT_SUPPORTED])
        answer = requests.answered_encryption(asked[0])
        if strict:  # TLS is there already
            answer = requests.ENCRYPT_NOT_SUPPORTED
        self._multiplexed = options.get(requests.MARS) == b"\x01"
        major, minor, build = tokens.VERSION
        answered = {
            requests.VERSION: bytes([major, minor]) + build.to_bytes(2, "big") + bytes(2),
            requests.ENCRYPTION: bytes([answer]),
            requests.INSTANCE: b"\x00",
            requests.THREAD_ID: b"",
            requests.MARS: bytes([self._multiplexed]),
            requests.TRACE_ID: b"",
        }
        self._writer.write(requests.build_prelogin(answered))
        self._writer.end()
        return answer

    def _handshake(self, data: bytes) -> bytes:
        """Carry TLS records in packets of type 12."""
        if data:
            self._writer.write(data)
            self._writer.end(packets.PRELOGIN)
            return b""
        return self._expect(packets.PRELOGIN) or b""

    def _greet(self, login: Login, *, in_tls: bool) -> None:
        """The answer to LOGIN7; all of it is needed by one client or another."""
        database = self._interpreter.session.database
        size = login.packet_size or (TLS_PACKET if in_tls else CLEAR_PACKET)
        size = min(max(size, packets.MIN_PACKET), TLS_PACKET if in_tls else CLEAR_PACKET)
        name = self._host.name
        write = self._writer.write
        write(tokens.env_change_text(tokens.DATABASE, database, "master"))
        changed = Message(f"Changed database context to '{database}'.", 5701, 0, 2)
        write(tokens.info(changed, name))
        write(tokens.env_change_text(tokens.LANGUAGE, "us_english"))
        write(tokens.info(Message("Changed language setting to us_english.", 5703, 0), name))
        write(tokens.env_change_collation())
        write(tokens.login_ack())
        write(tokens.env_change_text(tokens.PACKET_SIZE, str(size), "4096"))
        write(tokens.done())
        self._writer.end()
        self._writer.packet_size = size

    # --- reader thread --------------------------------------------------------------------

    def _read_requests(self) -> None:
        while (request := self._next_request()) is not None:
            with self._state:
                if isinstance(request, requests.Attention) and self._busy:
                    self._attention = True
                    cancel = True
                else:
                    cancel = False
                    # A client waits for its answer before it asks again; one that does not is
                    # made to wait, or its requests would pile up here.
                    self._state.wait_for(lambda: not self._busy)
                    self._busy = True
                    self._requests.put(request)
            if cancel:
                self._interpreter.session.cancel()
            if isinstance(request, ProtocolError):
                return
            del request  # it may hold gigabytes, and the next one is long in coming

    def _next_request(self) -> requests.Request | ProtocolError | None:
        try:
            kind = self._reader.next_message()
            return None if kind is None else requests.read_request(self._reader, kind)
        except ProtocolError as problem:
            return problem  # for the worker, which alone writes

    # --- worker thread --------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while (request := self._requests.get()) is not None:
                self._serve(request)
                del request  # see above
        except OSError:  # the client went away while it was answered
            pass
        finally:
            self._stream.close()
            with self._state:
                self._busy = False
                self._state.notify_all()
            self._interpreter.close()

    def _serve(self, request: requests.Request | ProtocolError) -> None:
        """Carry out one request and answer it."""
        if isinstance(request, ProtocolError):
            self._refuse(_incorrect(request))
            return
        if isinstance(request, (requests.Attention, requests.Ignored)):
            self._finished()
            cancelled = isinstance(request, requests.Attention)
            self._writer.write(tokens.done(tokens.ATTENTION if cancelled else tokens.DONE_ERROR))
            self._writer.end()
            return
        session = self._interpreter.session
        sink = TdsSink(
            self._writer,
            self._host.name,
            session.cancelled.is_set,
            procedure=isinstance(request, requests.Rpc),
        )
        session.sink = sink
        try:
            if request.reset:
                self._reset(sink)
            self._run(request, sink)
        except SqlError as error:
            sink.error(error)
            if isinstance(request, requests.Rpc):
                sink.end_call(0, (), more=False)
        sink.end(attention=self._finished())
        if sink.fatal:
            self._stream.close()

    def _finished(self) -> bool:
        """The request is carried out; True if it was cancelled meanwhile.

        From here on the reader hands an ATTENTION over as a request of its own.
        """
        with self._state:
            attention, self._attention = self._attention, False
            self._busy = False
            if not self._gone:
                self._interpreter.session.cancelled.clear()
            self._state.notify_all()
        return attention

    def _run(self, request: requests.Request, sink: TdsSink) -> None:
        try:
            if isinstance(request, requests.Batch):
                self._interpreter.batch(request.text, sink)
            elif isinstance(request, requests.Rpc):
                for number, call in enumerate(request.calls, 1):
                    status = self._call(call, sink)
                    more = number < len(request.calls)
                    sink.end_call(status, call.arguments, more=more)
            elif isinstance(request, requests.Transaction):
                self._transaction(request)
            elif isinstance(request, requests.Refused):
                raise unsupported(request.what)
        except (SqlError, OSError):
            raise
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            raise SqlError(
                40517, f"Internal error of the embedded stand-in: {type(error).__name__}: {error}"
            ) from error

    def _reset(self, sink: TdsSink) -> None:
        """A pooled connection is handed to its next user (status bit RESETCONNECTION)."""
        self._interpreter.reset()
        self._prepared.clear()
        sink.reset_acknowledged()

    def _transaction(self, request: requests.Transaction) -> None:
        if request.kind == requests.TM_COMMIT:
            self._interpreter.commit()
        elif request.kind == requests.TM_ROLLBACK:
            self._interpreter.rollback()
        elif request.kind == requests.TM_SAVE:
            raise unsupported("savepoints")
        if request.begins:
            self._interpreter.begin(request.isolation)

    # --- procedure calls ------------------------------------------------------------------

    def _call(self, call: requests.Call, sink: TdsSink) -> int:
        """One call; those of sp_executesql and the prepared statements are handled here."""
        arguments = call.arguments
        match call.procedure:
            case "sp_executesql":
                return self._execute_sql(arguments, sink)
            case "sp_prepare":
                self._need(arguments, 3)
                prepared = Prepared(_text(arguments[2]), _text(arguments[1]))
                arguments[0].value = self._prepare(prepared)
                return 0
            case "sp_prepexec":
                self._need(arguments, 3)
                prepared = Prepared(_text(arguments[2]), _text(arguments[1]))
                return self._prepare_and_execute(prepared, arguments, 3, sink)
            case "sp_prepexecrpc":
                self._need(arguments, 2)
                prepared = Prepared(_text(arguments[1]), procedure=True)
                return self._prepare_and_execute(prepared, arguments, 2, sink)
            case "sp_execute":
                self._need(arguments, 1)
                prepared = self._find(arguments[0].value)
                return self._execute(prepared, arguments[1:], sink)
            case "sp_unprepare":
                self._need(arguments, 1)
                self._find(arguments[0].value)
                del self._prepared[arguments[0].value]  # type: ignore[arg-type]
                return 0
            case name if name in requests.PROCEDURES:
                raise unsupported(f"server cursors ({name})")
            case name:
                return self._interpreter.call(name, arguments, sink)

    def _execute_sql(self, arguments: list[Argument], sink: TdsSink) -> int:
        self._need(arguments, 1)
        declaration = _text(arguments[1]) if len(arguments) > 1 else ""
        return self._interpreter.sql(_text(arguments[0]), declaration, arguments[2:], sink)

    def _prepare_and_execute(
        self, prepared: Prepared, arguments: list[Argument], first: int, sink: TdsSink
    ) -> int:
        """The client passes its old handle, which goes, and gets a new one."""
        old = arguments[0].value
        if isinstance(old, int):
            self._prepared.pop(old, None)
        arguments[0].value = self._prepare(prepared)
        return self._execute(prepared, arguments[first:], sink)

    def _execute(self, prepared: Prepared, arguments: list[Argument], sink: TdsSink) -> int:
        if prepared.procedure:
            return self._interpreter.call(prepared.statement, arguments, sink)
        return self._interpreter.sql(prepared.statement, prepared.declaration, arguments, sink)

    def _prepare(self, prepared: Prepared) -> int:
        if len(self._prepared) >= MAX_PREPARED:
            raise SqlError(701, "There is insufficient system memory to prepare a statement.", 17)
        self._last_handle += 1
        self._prepared[self._last_handle] = prepared
        return self._last_handle

    def _find(self, handle: object) -> Prepared:
        if isinstance(handle, int) and handle in self._prepared:
            return self._prepared[handle]
        raise SqlError.of(8179, handle)

    @staticmethod
    def _need(arguments: list[Argument], count: int) -> None:
        if len(arguments) < count:
            raise SqlError(8009, "The TDS remote procedure call has too few parameters.", 16)


def _incorrect(problem: ProtocolError) -> SqlError:
    return SqlError(4002, f"The incoming TDS protocol stream is incorrect. {problem}", 20)


def _text(argument: Argument) -> str:
    return "" if argument.value is None else str(argument.value)
