"""The launchpad: runs an external script in a process of its own and brings back what it left.

    Launchpad.run(request)
      encode_request      parameters and input columns -> JSON + shared file
      Zygote.take         an idle satellite of the pool
        satellite         runs the script, answers, is gone         <- kill, on cancel
      decode_reply        OUTPUT values, OutputDataSet; console from the satellite's files

Each script has a fresh process; a crash or an endless loop harms that process alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlexec.embedded.launchpad.messages import ProtocolError, decode_reply, encode_request
from sqlexec.embedded.launchpad.processes import Satellite, Zygote
from sqlexec.embedded.launchpad.request import Cancellable, Quirks, ScriptRequest, ScriptResult
from sqlexec.embedded.launchpad.shared import SharedFile
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.errors import ConfigurationError

_MAX_CONSOLE = 1 << 28  # bytes of stdout or stderr that are kept
_WORTH_COMPILING = 0.002  # seconds of compile time from which on the code is kept


class Launchpad:
    """Runs external scripts in processes of one Python interpreter.

    Parameters
    ----------
    python : Path or None
        The interpreter, any from 3.6 on; None for the one that runs the server.  numpy and
        pandas are needed there only for @input_data_1 and OutputDataSet.
    quirks : Quirks or None
        Ways of real runtimes to imitate.
    pool : int or None
        Processes to keep ready; None for one a core, at least two.

    Raises ConfigurationError if there is no such interpreter, or no fork on this system.

    Example
    -------
    >>> launchpad = Launchpad()
    >>> launchpad.run(ScriptRequest("print(6 * 7)")).stdout
    '42\\n'
    >>> launchpad.close()
    """

    def __init__(
        self, python: Path | None = None, quirks: Quirks | None = None, pool: int | None = None
    ) -> None:
        if not hasattr(os, "fork"):
            raise ConfigurationError(
                "The embedded server starts external scripts by fork, which this system lacks: "
                "run it on Linux or macOS."
            )
        self.python = Path(python or sys.executable)
        if not shutil.which(self.python):
            raise ConfigurationError(f"There is no Python interpreter {self.python}.")
        self._quirks = quirks or Quirks()
        self._pool = max(2, os.cpu_count() or 1) if pool is None else pool
        self._attempts = self._pool + 2  # all idle ones may be dead, and so the zygote
        self._mutex = threading.Lock()
        self._failures = self._quirks.launch_failures
        self._closed = False
        self._zygote = Zygote(self.python, self._pool)

    def run(self, request: ScriptRequest, session: Cancellable | None = None) -> ScriptResult:
        """Run a script to its end; `session.cancel()` kills it.

        Returns what it left; an exception of the script, its death and its being cancelled are
        results too (`error`, `died`).

        Raises
        ------
        SqlError
            39011: the launchpad is closed; 39021: no process could be started; 39025: a failure
            that `quirks` ask for.
        Exception
            Of the input's stream, before the script runs.
        """
        self._imitate_launch(session)
        with contextlib.ExitStack() as files:
            stdout, stderr, outbox, inbox = (files.enter_context(SharedFile()) for _ in range(4))
            message = encode_request(request, inbox)
            message["memory_console"] = self._quirks.memory_console
            descriptors = [file.descriptor for file in (stdout, stderr, outbox, inbox)]
            for attempt in range(self._attempts):
                try:
                    result = self._run_once(request, session, message, descriptors, outbox)
                    break
                except ConnectionResetError:  # it died before it had read its script
                    if attempt == self._attempts - 1:
                        raise self._cannot_launch("its processes die while they are idle") from None
            result.stdout = _console(stdout)
            result.stderr = _console(stderr)
        return result

    @property
    def process_id(self) -> int:
        """Of the zygote, the parent of all satellites."""
        return self._zygote.process_id

    def close(self) -> None:
        """End all processes and wait until they are gone; scripts that still run are killed."""
        with self._mutex:
            closed, self._closed = self._closed, True
        if not closed:
            self._zygote.close()

    def _imitate_launch(self, session: Cancellable | None) -> None:
        cancelled = session.cancelled if session else threading.Event()
        if self._quirks.launch_delay:
            cancelled.wait(self._quirks.launch_delay)
        with self._mutex:
            fails = self._failures > 0
            self._failures -= fails
        if fails:
            raise SqlError.of(39025)

    def _run_once(
        self,
        request: ScriptRequest,
        session: Cancellable | None,
        message: dict[str, object],
        descriptors: list[int],
        outbox: SharedFile,
    ) -> ScriptResult:
        satellite, zygote = self._launch(message, descriptors)
        try:
            with _cancelling(session, satellite.kill):
                result = self._await(request, session, satellite, zygote, outbox)
        finally:
            satellite.kill()
            satellite.close()
            zygote.refill_soon()
        result.process_id = satellite.process_id
        return result

    def _launch(
        self, message: dict[str, object], descriptors: list[int]
    ) -> tuple[Satellite, Zygote]:
        """Give the script to a satellite; to another one if that has died while it was idle."""
        for _attempt in range(self._attempts):
            zygote = self._running_zygote()
            satellite = zygote.take()
            try:
                satellite.send(message, descriptors)
            except OSError:
                satellite.close()
            else:
                return satellite, zygote
        raise self._cannot_launch(zygote.log())

    def _running_zygote(self) -> Zygote:
        """The zygote, a new one if it has died."""
        with self._mutex:
            if self._closed:
                raise SqlError.of(39011, str(uuid.uuid4()).upper())
            if not self._zygote.alive:
                self._zygote.close()
                self._zygote = Zygote(self.python, self._pool)
            return self._zygote

    def _await(
        self,
        request: ScriptRequest,
        session: Cancellable | None,
        satellite: Satellite,
        zygote: Zygote,
        outbox: SharedFile,
    ) -> ScriptResult:
        """The satellite's result; ConnectionResetError if it has certainly not begun."""
        try:
            reply = satellite.receive()
            result = decode_reply(request, reply, outbox, cut=self._quirks.cut_output)
        except (EOFError, OSError) as error:
            satellite.kill()  # it may have closed its socket and run on
            satellite.ended.wait()
            cancelled = session is not None and session.cancelled.is_set()
            if isinstance(error, ConnectionResetError) and zygote.version and not cancelled:
                raise  # it left the request unread (Linux tells)
            if zygote.version is None or satellite.failure:
                raise self._cannot_launch(satellite.failure or zygote.log()) from None
            return ScriptResult(died=satellite.how_it_ended())
        except (ValueError, ProtocolError) as error:
            return ScriptResult(died=f"unintelligible reply: {error}")
        compile_time = reply.get("compile_time")
        if isinstance(compile_time, float) and compile_time > _WORTH_COMPILING:
            zygote.compile(request.script)
        return result

    def _cannot_launch(self, reason: str) -> SqlError:
        reason = reason or "the process was killed"
        print(f"sqlexec: {self.python} cannot run external scripts: {reason}", file=sys.stderr)
        return SqlError.of(39021, "Python", str(uuid.uuid4()).upper(), "Python")


@contextlib.contextmanager
def _cancelling(session: Cancellable | None, stop: Callable[[], None]) -> Iterator[None]:
    """Have `session.cancel()` call `stop`, also if it was called just before."""
    if session is None:
        yield
        return
    session.on_cancel.append(stop)
    try:
        if session.cancelled.is_set():
            stop()
        yield
    finally:
        session.on_cancel.remove(stop)


def _console(file: SharedFile) -> str:
    return file.read(_MAX_CONSOLE).decode("utf-8", "replace")
