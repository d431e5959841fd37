"""Python's own prompt at a terminal, to type at."""

from __future__ import annotations

import os
import select
import subprocess
import time
from pathlib import Path

import pytest

PATIENCE = 60  # seconds until an answer must be there


class Prompt:
    """An interactive Python at a terminal of its own."""

    def __init__(self, python: Path, connection_string: str, home: Path, *, plain: bool) -> None:
        pty = pytest.importorskip("pty", reason="no terminals on this system")
        try:
            self._terminal, other = pty.openpty()
        except OSError as error:
            pytest.skip(f"no terminal to be had: {error}")
        settings = {
            "HOME": str(home),  # the history goes there
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PYTHON_BASIC_REPL": "1" if plain else "",
            "SQLEXEC_CONNECTION": connection_string,
            "TERM": "xterm",
        }
        self._plain = plain
        self._process = subprocess.Popen(
            [python, "-q", "-i"],
            stdin=other,
            stdout=other,
            stderr=other,
            env={**os.environ, **settings},
            start_new_session=True,
        )
        os.close(other)

    def type(self, text: str) -> str:
        """Type lines; gives what was shown until they have run."""
        if not self._plain:  # pasted, or the prompt would indent lines itself
            text = f"\x1b[200~{text}\x1b[201~\n"
        os.write(self._terminal, f"{text}print('en' + 'd')\n".encode())
        return self.wait_for("end\r\n")

    def wait_for(self, text: str) -> str:
        """What is shown until a text is."""
        shown = ""
        end = time.monotonic() + PATIENCE
        while text not in shown:
            ready, _, _ = select.select([self._terminal], [], [], max(0, end - time.monotonic()))
            assert ready, f"{text!r} was not shown: {shown[-2000:]}"
            shown += os.read(self._terminal, 1 << 16).decode(errors="replace")
        return shown

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)
