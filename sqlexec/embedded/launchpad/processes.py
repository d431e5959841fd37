"""The server's side of a zygote and its satellites.

    Zygote (handle) == control socket ==> zygote.py
      pool of idle Satellites == one socket each ==> forked processes that wait for a script

Satellites are asked for before they are needed, so that no script waits for a fork; even those
asked for while the zygote still loads pandas can be written to.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlexec.embedded.launchpad import wire
from sqlexec.embedded.launchpad.shared import SharedFile
from sqlexec.embedded.launchpad.zygote import MAX_CODES

_MAX_CONTROL = 1 << 20
_MAX_REPLY = 1 << 28  # bytes of a satellite's reply; large values are not in it
_MAX_LOG = 1 << 16
_REST = 0.005  # seconds that an answer has before the pool is refilled


class Satellite:
    """One process, for one script.

    `ended` is set once the process is gone (or its zygote is, and it with that); `status` is
    then as os.waitpid tells it, None if unknown.
    """

    def __init__(self, zygote: Zygote, number: int, connection: socket.socket) -> None:
        self.number = number
        self.process_id = 0
        self.status: int | None = None
        self.failure = ""  # why it could not be forked
        self.ended = threading.Event()
        self._scripts = zygote.compiled
        self._zygote = zygote
        self._connection = connection

    def send(self, message: dict[str, Any], descriptors: Sequence[int]) -> None:
        """Give it its script; OSError if the process is gone, and the script has not run.

        One that the process has compiled already goes by its number.
        """
        script = message["script"]
        message = {**message, "script": self._scripts.get(script, script)}
        wire.send(self._connection, message, descriptors)

    def receive(self) -> dict[str, Any]:
        """Wait for the reply; EOFError if it ends without one, ValueError for nonsense."""
        return wire.receive(self._connection, _MAX_REPLY)

    def kill(self) -> None:
        """Kill it and its process group; nothing happens if it has ended."""
        self._zygote.kill(self)

    def close(self) -> None:
        """Let go of it: an idle one ends by itself."""
        self._connection.close()

    def how_it_ended(self) -> str:
        """'exit status 3', 'signal 11', or why it never began."""
        if self.failure:
            return self.failure
        if self.status is None:
            return "unknown"
        if os.WIFSIGNALED(self.status):
            return f"signal {os.WTERMSIG(self.status)}"
        return f"exit status {os.WEXITSTATUS(self.status)}"

    def set_ended(self, status: int | None) -> None:
        self.status = status
        # Wakes `receive`, should a process that the script left behind hold the other end open;
        # what the satellite has sent can still be read.
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self.ended.set()


class Zygote:
    """A running zygote process and the pool of its idle satellites.

    Parameters
    ----------
    python : Path
        Interpreter that runs the scripts.
    pool : int
        Idle satellites to keep.
    """

    def __init__(self, python: Path, pool: int) -> None:
        self.version: str | None = None  # of its Python, once it is ready
        self.packages: dict[str, str | None] = {}
        self._pool = pool
        self._mutex = threading.Lock()
        self._sending = threading.Lock()
        self._satellites: dict[int, Satellite] = {}  # those not known to have ended
        self._idle: deque[Satellite] = deque()
        self._last_number = 0
        self._dead = False
        self._log = SharedFile()
        self._last_words = ""
        self.compiled: dict[str, int] = {}  # scripts that new satellites know; never changed
        self._compilations = 0
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [
                    str(python),
                    "-I",
                    str(Path(__file__).with_name("zygote.py")),
                    str(theirs.fileno()),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._log.descriptor,
                start_new_session=True,
            )
        self._wanted = threading.Event()
        self._reader = threading.Thread(target=self._read, name="zygote", daemon=True)
        self._refiller = threading.Thread(target=self._keep_filled, name="pool", daemon=True)
        self._reader.start()
        self._refiller.start()
        self.refill()

    @property
    def alive(self) -> bool:
        return not self._dead

    @property
    def process_id(self) -> int:
        return self._process.pid

    def take(self) -> Satellite:
        """A satellite that has not run a script: an idle one, else a new one."""
        with self._mutex:
            if self._idle:
                return self._idle.popleft()
        return self._fork()

    def refill(self) -> None:
        """Ask for as many satellites as the pool lacks; returns before they are there."""
        while True:
            with self._mutex:
                if self._dead or len(self._idle) >= self._pool:
                    return
            satellite = self._fork()
            with self._mutex:
                self._idle.append(satellite)

    def refill_soon(self) -> None:
        """Have the pool refilled when the call that emptied it has been answered."""
        self._wanted.set()

    def _keep_filled(self) -> None:
        """In a thread of its own: forks cost the processors that the answer needs first."""
        while self._wanted.wait() and not self._dead:
            self._wanted.clear()
            time.sleep(_REST)
            self.refill()

    def compile(self, script: str) -> None:
        """Have the code of a script ready in all satellites from now on."""
        with self._mutex:
            if script in self.compiled:
                return
            stale = list(self._idle)
            self._idle.clear()
            self._compilations += 1
            number = self._compilations
            self.compiled = dict(list(self.compiled.items())[1 - MAX_CODES :])
        self._tell({"do": "compile", "script": script, "number": number})
        with self._mutex:
            self.compiled = {**self.compiled, script: number}
        for satellite in stale:
            satellite.close()
        self.refill()

    def kill(self, satellite: Satellite) -> None:
        self._tell({"do": "kill", "id": satellite.number})

    def log(self) -> str:
        """What the zygote wrote to stderr: why it could not start, say."""
        with self._mutex:
            return self._last_words or self._read_log()

    def _read_log(self) -> str:
        return self._log.read(_MAX_LOG).decode("utf-8", "replace").strip()

    def close(self) -> None:
        """End the zygote and all its satellites, and wait until they are gone."""
        with self._mutex:
            self._dead = True
            idle = list(self._idle)
            self._idle.clear()
        for satellite in idle:
            satellite.close()
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)  # it clears away, then its own end closes
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._wanted.set()
        self._refiller.join()
        self._control.close()
        with self._mutex:
            self._last_words = self._last_words or self._read_log() or "it was ended"
            self._log.close()

    def _fork(self) -> Satellite:
        ours, theirs = socket.socketpair()
        with self._mutex:
            self._last_number += 1
            satellite = Satellite(self, self._last_number, ours)
            self._satellites[satellite.number] = satellite
            dead = self._dead
        with theirs:
            self._tell({"do": "fork", "id": satellite.number}, [theirs.fileno()])
        if dead:
            self._forget(satellite.number, None)
        return satellite

    def _tell(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        with self._sending, contextlib.suppress(OSError):  # if it is gone, `_read` finds out
            wire.send(self._control, message, descriptors)

    def _read(self) -> None:
        """In a thread of its own: what the zygote tells, until it is gone."""
        try:
            while True:
                self._told(wire.receive(self._control, _MAX_CONTROL))
        except (EOFError, OSError):
            pass
        except (ValueError, KeyError, TypeError) as error:
            print(f"sqlexec: the zygote said nonsense: {error!r}", file=sys.stderr)
        finally:
            with self._mutex:
                self._dead = True
                numbers = list(self._satellites)
            self._wanted.set()  # the refiller ends too
            self._process.kill()
            for number in numbers:
                self._forget(number, None)

    def _told(self, message: dict[str, Any]) -> None:
        if "ended" in message:
            self._forget(int(message["ended"]), int(message["status"]))
        elif "forked" in message:
            with self._mutex:
                satellite = self._satellites[int(message["forked"])]
            satellite.process_id = int(message["pid"])
        elif "failed" in message:
            with self._mutex:
                satellite = self._satellites[int(message["failed"])]
            satellite.failure = f"no process could be started: {message['reason']}"
            self._forget(satellite.number, None)
        elif "ready" in message:
            self.packages = dict(message["versions"])
            self.version = str(message["ready"])

    def _forget(self, number: int, status: int | None) -> None:
        with self._mutex:
            satellite = self._satellites.pop(number, None)
            if satellite is not None and satellite in self._idle:
                self._idle.remove(satellite)
        if satellite is not None:
            satellite.set_ended(status)
