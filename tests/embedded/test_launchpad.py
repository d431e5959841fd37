"""The launchpad with real interpreters: values in and out, crashes, cancel, leaks."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import psutil
import pytest

from sqlexec.embedded.launchpad import (
    Launchpad,
    Quirks,
    ScriptParameter,
    ScriptRequest,
    ScriptResult,
)
from sqlexec.embedded.launchpad.shared import SharedFile
from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.errors import ConfigurationError

PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
OTHER_PYTHONS = ["3.6.15", "3.7.16", "3.10.13", "3.13.0"]


@pytest.fixture(scope="module")
def launchpad() -> Iterator[Launchpad]:
    launchpad = Launchpad()
    yield launchpad
    launchpad.close()


@pytest.fixture(scope="module", params=[*OTHER_PYTHONS, "this"])
def any_launchpad(request: pytest.FixtureRequest) -> Iterator[Launchpad]:
    python = Path(sys.executable)
    if request.param != "this":
        python = PYENV / request.param / "bin" / "python"
        if not python.exists():
            pytest.skip(f"no Python {request.param} under {PYENV}")
    launchpad = Launchpad(python)
    yield launchpad
    launchpad.close()


def parameter(
    name: str, type: str, value: object = None, *, output: bool = False
) -> ScriptParameter:
    return ScriptParameter(name, SqlType.parse(type), value, output)


def run(launchpad: Launchpad, script: str, *parameters: ScriptParameter) -> ScriptResult:
    return launchpad.run(ScriptRequest(script, parameters=parameters))


def session() -> Any:
    """As much of a session as the launchpad looks at."""
    session = SimpleNamespace(cancelled=threading.Event(), on_cancel=[])

    def cancel() -> None:
        session.cancelled.set()
        for stop in list(session.on_cancel):
            stop()

    session.cancel = cancel
    return session


# --- values ------------------------------------------------------------------------------

VALUES = [
    ("bit", True),
    ("tinyint", 255),
    ("int", -(2**31)),
    ("bigint", 2**63 - 1),
    ("float", 0.1),
    ("real", 0.5),
    ("nvarchar(50)", 'Zürich \U0001f600 "quoted" \\ \n\x00'),
    ("nvarchar(max)", "ä" * 200_000),
    ("varbinary(max)", b""),
    ("varbinary(10)", bytes(range(256))),
    ("varbinary(max)", bytes(range(256)) * 4000),
    ("date", dt.date(9999, 12, 31)),
    ("datetime", dt.datetime(1753, 1, 1, 23, 59, 59, 997000)),
    ("int", None),
    ("varbinary(max)", None),
]


@pytest.mark.parametrize(
    ("type", "value"), VALUES, ids=[f"{t}-{i}" for i, (t, _) in enumerate(VALUES)]
)
def test_values_go_in_and_come_out_unchanged(
    any_launchpad: Launchpad, type: str, value: object
) -> None:
    result = run(
        any_launchpad,
        "b = a; kind = a.__class__.__name__",
        parameter("a", type, value),
        parameter("b", type, output=True),
        parameter("kind", "nvarchar(50)", output=True),
    )
    assert result.error is None
    assert result.outputs["b"] == value
    assert result.outputs["kind"] == value.__class__.__name__


def test_decimal_goes_through_float_and_uuid_is_upper_case_text(launchpad: Launchpad) -> None:
    from decimal import Decimal

    result = run(
        launchpad,
        "d2, u2 = d / 2, u",
        parameter("d", "decimal(10,2)", Decimal("2.50")),
        parameter("u", "uniqueidentifier", UUID("0a" * 16)),
        parameter("d2", "float", output=True),
        parameter("u2", "nvarchar(36)", output=True),
    )
    assert result.outputs == {"d2": 1.25, "u2": "0A0A0A0A-0A0A-0A0A-0A0A-0A0A0A0A0A0A"}


def test_buffers_and_numpy_scalars_are_taken(launchpad: Launchpad) -> None:
    result = run(
        launchpad,
        "a = bytearray(b'x' * 100000); b = memoryview(bytes(range(10)))[::2]; c = np.float32(0.5)\n"
        "d = np.int64(7); e = np.bool_(True); f = float('nan'); g = np.str_('s')",
        parameter("a", "varbinary(max)", output=True),
        parameter("b", "varbinary(max)", output=True),
        parameter("c", "float", output=True),
        parameter("d", "int", output=True),
        parameter("e", "bit", output=True),
        parameter("f", "float", output=True),
        parameter("g", "nvarchar(5)", output=True),
    )
    assert result.error is None
    expected = {
        "a": b"x" * 100000,
        "b": bytes([0, 2, 4, 6, 8]),
        "c": 0.5,
        "d": 7,
        "e": True,
        "f": None,
    }
    assert result.outputs == {**expected, "g": "s"}


@pytest.mark.parametrize(
    ("type", "expression"),
    [
        ("varbinary(max)", "'text'"),
        ("varbinary(max)", "7"),
        ("nvarchar(max)", "b'bytes'"),
        ("nvarchar(max)", "7"),
        ("nvarchar(max)", r"'\ud800'"),
        ("int", "10 ** 5000"),
        ("int", "float('nan')"),
        ("int", "'7'"),
        ("float", "[1.0]"),
        ("date", "'2020-01-01'"),
    ],
)
def test_an_output_value_of_another_type_is_an_error(
    launchpad: Launchpad, type: str, expression: str
) -> None:
    result = run(launchpad, f"a = {expression}", parameter("a", type, output=True))
    assert result.error is not None
    assert result.outputs == {}


def test_a_large_output_is_a_view_that_outlives_the_process(launchpad: Launchpad) -> None:
    result = run(
        launchpad,
        "a = b'0123456789abcdef' * (1 << 22)",
        parameter("a", "varbinary(max)", output=True),
    )
    value = result.outputs["a"]
    assert isinstance(value, memoryview)
    assert value.readonly
    assert len(value) == 1 << 26
    assert value[-16:] == b"0123456789abcdef"


def test_a_deleted_output_variable_is_null(launchpad: Launchpad) -> None:
    result = run(launchpad, "del a", parameter("a", "int", 5, output=True))
    assert result.outputs == {"a": None}


# --- the script's surroundings -------------------------------------------------------------


def test_the_script_is_main_and_finds_the_names_of_the_real_runtime(
    any_launchpad: Launchpad,
) -> None:
    result = run(
        any_launchpad,
        "import pickle\n"
        "class P: pass\n"
        "assert pickle.loads(pickle.dumps(P())).__class__ is P\n"
        "assert __name__ == '__main__' and __import__('__main__').P is P\n"
        "print(sorted(n for n in globals() if not n.startswith('__')))\n"
        "print(OutputDataSet.shape if 'np' in globals() else (0, 0))\n",
    )
    assert result.error is None
    names = {"StringIO", "os", "platform", "sys", "P", "pickle"}
    pandas_names = {"DataFrame", "InputDataSet", "OutputDataSet"}
    assert set(result.stdout.split("'")[1::2]) - {"np"} in (names, names | pandas_names)
    assert result.stdout.endswith("(0, 0)\n")


def test_nothing_leaks_into_the_next_script(any_launchpad: Launchpad) -> None:
    first = run(any_launchpad, "import os; leaked = 1; os.chdir('/'); os.environ['LEAKED'] = '1'")
    second = run(any_launchpad, "print('leaked' in globals(), 'LEAKED' in os.environ, os.getcwd())")
    assert first.process_id != second.process_id
    assert second.stdout.startswith("False False /")
    assert second.stdout.strip() != "False False /"


@pytest.mark.parametrize("draw", ["__import__('random').random()", "np.random.rand()"])
def test_each_process_has_random_numbers_of_its_own(launchpad: Launchpad, draw: str) -> None:
    drawn = {run(launchpad, f"print({draw})").stdout for _ in range(4)}
    assert len(drawn) == 4


def test_crlf_and_unicode_in_a_script(any_launchpad: Launchpad) -> None:
    assert run(any_launchpad, "x = 'ü\u20ac'\r\nif x:\r\n    print(len(x))\r\n").stdout == "2\n"


def test_a_script_that_ran_often_still_runs_afresh(launchpad: Launchpad) -> None:
    filler = "\n".join(f"def f{i}(a, b=({i}, 'x')): return [a, b, {i}]" for i in range(2000))
    script = filler + "\ntry:\n    n += 1\nexcept NameError:\n    n = 1\nprint(n, f1999(0)[2])"
    for _ in range(6):  # from the second on its code is already compiled
        assert run(launchpad, script).stdout == "1 1999\n"


# --- console -------------------------------------------------------------------------------


def test_console_of_python_of_c_and_of_children(any_launchpad: Launchpad) -> None:
    result = run(
        any_launchpad,
        "import subprocess, os, sys\n"
        "print('python', flush=True); os.write(1, b'descriptor\\n')\n"
        "subprocess.call(['echo', 'child'])\n"
        "sys.stderr.write('no newline')",
    )
    assert result.error is None
    assert result.stdout == "python\ndescriptor\nchild\n"
    assert result.stderr == "no newline"


def test_what_the_c_library_still_holds_is_written(launchpad: Launchpad) -> None:
    assert run(launchpad, "import ctypes; ctypes.CDLL(None).printf(b'held')").stdout == "held"


def test_fifty_megabytes_of_console(launchpad: Launchpad) -> None:
    result = run(launchpad, "line = 'x' * 999\nfor i in range(50000): print(line)")
    assert len(result.stdout) == 50_000_000


def test_bytes_that_are_no_text_do_not_break_the_console(launchpad: Launchpad) -> None:
    assert run(launchpad, r"os.write(1, b'a\xff\xfe')").stdout == "a\ufffd\ufffd"


def test_a_script_may_replace_or_close_its_streams(launchpad: Launchpad) -> None:
    assert run(launchpad, "print('a'); sys.stdout.close(); sys.stderr = 7").error is None


# --- errors, exits, deaths -----------------------------------------------------------------


def test_an_exception_comes_back_as_its_traceback(any_launchpad: Launchpad) -> None:
    result = run(any_launchpad, "print('before')\ndef f():\n    1 / 0\nf()\n")
    assert result.error is not None
    assert result.error.startswith('Traceback (most recent call last):\n  File "<string>", line 4')
    assert result.error.endswith("ZeroDivisionError: division by zero\n")
    assert "satellite.py" not in result.error
    assert result.stdout == "before\n"
    assert result.died is None


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("  x = 1", "IndentationError"),
        ("x = ", "SyntaxError"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", "KeyboardInterrupt"),
        ("class E(Exception):\n  def __str__(self): raise SystemExit\nraise E", "E"),
        ("raise Exception('x' * 10_000_000)", "..."),
        ("def f(): f()\nf()", "RecursionError"),
        ("a\x00b", "null byte"),
        ("print('\\ud800')", "UnicodeEncodeError"),
        ("raise Exception('\\ud800')", r"Exception: \ud800"),
    ],
)
def test_whatever_is_raised_is_an_error_of_the_script(
    launchpad: Launchpad, script: str, expected: str
) -> None:
    result = run(launchpad, script)
    assert result.died is None
    assert expected in (result.error or "")
    assert len(result.error or "") < 2_000_000


@pytest.mark.parametrize(
    ("script", "how"),
    [
        ("import os; os._exit(3)", "exit status 3"),
        ("import os; os._exit(0)", "exit status 0"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "signal 15"),
        ("import ctypes; ctypes.string_at(0)", "signal 11"),
        ("import os; os.abort()", "signal 6"),
    ],
)
def test_a_process_that_dies_harms_only_itself(
    any_launchpad: Launchpad, script: str, how: str
) -> None:
    result = run(any_launchpad, "print('before', flush=True)\n" + script)
    assert result.died == how
    assert result.stdout == "before\n"
    assert run(any_launchpad, "print(1)").stdout == "1\n"


def test_cancel_ends_an_endless_loop_and_its_children(
    any_launchpad: Launchpad, tmp_path: Path
) -> None:
    who = session()
    pids = tmp_path / "pids"
    script = (
        "import os, subprocess, signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '1000'])\n"
        f"open({str(pids) + '.new'!r}, 'w').write('%d %d' % (os.getpid(), child.pid))\n"
        f"os.rename({str(pids) + '.new'!r}, {str(pids)!r})\n"
        "while True: pass"
    )

    def cancel() -> None:
        _wait_until(pids.exists)
        who.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    result = any_launchpad.run(ScriptRequest(script), who)
    canceller.join()
    assert result.died == "signal 9"
    assert who.on_cancel == []
    for pid in map(int, pids.read_text().split()):
        _wait_until(lambda pid=pid: _is_gone(pid))


def test_cancel_before_the_start(launchpad: Launchpad) -> None:
    who = session()
    who.cancel()
    assert launchpad.run(ScriptRequest("while True: pass"), who).died == "signal 9"


def test_children_do_not_outlive_a_script(launchpad: Launchpad) -> None:
    result = run(
        launchpad,
        "import subprocess; c = subprocess.Popen(['sleep', '1000']).pid",
        parameter("c", "int", output=True),
    )
    child = result.outputs["c"]
    assert isinstance(child, int)
    _wait_until(lambda: _is_gone(child))


def test_a_shared_file_is_closed_once() -> None:
    file = SharedFile()
    file.close()
    other = os.open(os.devnull, os.O_RDONLY)  # gets its number
    try:
        file.close()
        os.fstat(other)
    finally:
        os.close(other)


DAEMON = """
import os, time
reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(writer, str(os.getpid()).encode())
        time.sleep(1000)
    os._exit(0)
os.wait()
c = int(os.read(reader, 20))
os.kill(c, 0)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux lets it be found")
def test_nor_do_daemons(launchpad: Launchpad) -> None:
    """It has a session of its own, and its parent is gone before the script is."""
    result = run(launchpad, DAEMON, parameter("c", "int", output=True))
    assert result.died is None
    daemon = result.outputs["c"]
    assert isinstance(daemon, int)
    _wait_until(lambda: _is_gone(daemon))


def test_a_script_that_closes_everything_and_runs_on_is_killed(launchpad: Launchpad) -> None:
    result = run(launchpad, "os.closerange(3, 1000)\nwhile True: pass")
    assert result.died == "signal 9"


# --- a satellite that lies -----------------------------------------------------------------

LIES: list[bytes | dict[str, object]] = [
    b"",
    b"\x01",
    struct.pack("<I", 0xFFFFFFFF),
    struct.pack("<I", 5) + b"[1,2]",
    struct.pack("<I", 3) + b"\xff\xfe\xfd",
    struct.pack("<I", 200_000) + b"[" * 200_000,
    struct.pack("<I", 100) + b"{",
    {},
    {"error": 7},
    {"error": None, "outputs": []},
    {"error": None, "outputs": {"a": 7}},
    {"error": None, "outputs": {"a": "no base64!"}},
    {"error": None, "outputs": {"a": {"at": 0, "size": 1 << 20}}},
    {"error": None, "outputs": {"a": {"at": -5, "size": 5}}},
    {"error": None, "outputs": {"a": {"at": 0, "size": 1 << 80}}},
    {"error": None, "outputs": {"a": {"at": "x", "size": None}}},
    {"error": None, "outputs": {"t": "\ud800"}},
    {"error": None, "outputs": {"i": 1.5}},
    {"error": None, "outputs": {"d": [2020, 13, 1]}},
    {"error": None, "outputs": {"d": [10**30, 1, 1]}},
    {"error": None, "outputs": {}, "frame": []},
    {"error": None, "outputs": {}, "frame": {"rows": -1, "columns": []}},
    {"error": None, "outputs": {}, "frame": {"rows": 1, "columns": [{"name": "x"}]}},
    {
        "error": None,
        "outputs": {},
        "frame": {"rows": 1 << 39, "columns": [{"name": "x", "kind": "int64", "at": 0}]},
    },
]


@pytest.mark.parametrize("lie", LIES, ids=range(len(LIES)))
def test_a_lying_satellite_harms_nobody(
    launchpad: Launchpad, lie: bytes | dict[str, object]
) -> None:
    if isinstance(lie, dict):
        text = json.dumps(lie).encode()
        lie = struct.pack("<I", len(text)) + text
    script = (
        "import base64, stat\n"
        f"lie = base64.b64decode({base64.b64encode(lie).decode()!r})\n"
        "for d in range(3, 64):\n"
        "    try:\n"
        "        if stat.S_ISSOCK(os.fstat(d).st_mode): os.write(d, lie)\n"
        "    except OSError: pass\n"
        "os._exit(0)"
    )
    result = run(
        launchpad,
        script,
        parameter("a", "varbinary(max)", output=True),
        parameter("d", "date", output=True),
        parameter("i", "int", output=True),
        parameter("t", "nvarchar(5)", output=True),
    )
    assert result.died is not None
    assert run(launchpad, "print(1)").stdout == "1\n"


def test_a_shared_file_cannot_be_cut_away_under_the_server(launchpad: Launchpad) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("seals are Linux's")
    script = (
        "failed = 0\n"
        "for d in range(3, 64):\n"
        "    try: os.ftruncate(d, 1 << 20)\n"
        "    except OSError: continue\n"
        "    try: os.ftruncate(d, 0)\n"
        "    except PermissionError: failed += 1\n"
    )
    result = run(launchpad, script, parameter("failed", "int", output=True))
    assert result.outputs["failed"] == 2  # inbox and outbox; the console's are not mapped


# --- quirks, start and end -----------------------------------------------------------------


def test_quirks() -> None:
    launchpad = Launchpad(
        quirks=Quirks(cut_output=65_535, launch_failures=2, launch_delay=0.01), pool=1
    )
    try:
        for _ in range(2):
            with pytest.raises(SqlError) as caught:
                run(launchpad, "pass")
            assert caught.value.number == 39025
        a, b = (
            parameter("a", "varbinary(max)", output=True),
            parameter("b", "nvarchar(max)", output=True),
        )
        result = run(launchpad, "a = bytes(100000); b = 'x' * 100000", a, b)
        assert len(result.outputs["a"]) == 65_535  # type: ignore[arg-type]
        assert len(result.outputs["b"]) == 100_000  # type: ignore[arg-type]
    finally:
        launchpad.close()


def test_a_console_in_memory() -> None:
    launchpad = Launchpad(quirks=Quirks(memory_console=True), pool=1)
    try:
        script = "import sys, os; assert type(sys.stdout) is type(sys.stderr) is StringIO\n"
        written = run(launchpad, script + "print('ä'); sys.stderr.write('e'); os.write(1, b'1')")
        assert (written.stdout, written.stderr) == ("1ä\n", "e")
        failed = run(launchpad, "print('lost'); 1 / 0")
        assert "ZeroDivisionError" in str(failed.error)
        assert failed.stdout == ""
        assert "surrogates not allowed" in str(run(launchpad, "print('\\ud800')").error)
    finally:
        launchpad.close()


def test_a_python_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no Python interpreter"):
        Launchpad(tmp_path / "python")


def test_a_python_that_does_not_start() -> None:
    launchpad = Launchpad(Path("/bin/false"))
    try:
        for _ in range(2):
            with pytest.raises(SqlError) as caught:
                run(launchpad, "pass")
            assert caught.value.number == 39021
    finally:
        launchpad.close()


def test_a_closed_launchpad() -> None:
    launchpad = Launchpad(pool=1)
    results: list[ScriptResult] = []
    who = session()
    script = ScriptRequest("while True: pass")
    running = threading.Thread(target=lambda: results.append(launchpad.run(script, who)))
    running.start()
    _wait_until(lambda: bool(who.on_cancel))
    run(launchpad, "pass")
    launchpad.close()
    launchpad.close()
    running.join()
    assert results[0].died is not None
    with pytest.raises(SqlError) as caught:
        run(launchpad, "pass")
    assert caught.value.number == 39011


def test_no_folder_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    launchpad = Launchpad(pool=1)
    assert run(launchpad, "import os; print(os.getcwd())").stdout.startswith(str(tmp_path))
    launchpad.close()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_zygote_is_replaced(tmp_path: Path) -> None:
    launchpad = Launchpad(pool=2)
    begun = tmp_path / "begun"  # else it would be run again
    try:
        first = run(launchpad, "print(1)")
        assert first.stdout == "1\n"
        script = f"open({str(begun)!r}, 'w').close()\nwhile True: pass"
        running = threading.Thread(target=launchpad.run, args=(ScriptRequest(script), session()))
        running.start()
        _wait_until(begun.exists)
        os.kill(launchpad.process_id, signal.SIGKILL)
        running.join()  # its script died with the zygote
        assert run(launchpad, "print(2)").stdout == "2\n"
    finally:
        launchpad.close()


def test_nothing_is_left_after_two_hundred_runs() -> None:
    launchpad = Launchpad(pool=2)
    try:
        me = psutil.Process()
        for _ in range(5):
            run(launchpad, "pass")
        before = me.num_fds()
        for _ in range(200):
            assert run(launchpad, "print(1)").stdout == "1\n"  # once: a retry would print twice
        zygote = psutil.Process(launchpad.process_id)
        _wait_until(lambda: me.num_fds() <= before + 2)
        _wait_until(lambda: len(zygote.children(recursive=True)) <= 2)
        assert zygote.num_fds() < 20
        processes = [zygote, *zygote.children(recursive=True)]
    finally:
        launchpad.close()
    for process in processes:
        _wait_until(lambda process=process: _is_gone(process.pid))


def test_nothing_is_left_when_the_server_is_killed(tmp_path: Path) -> None:
    """SIGKILL of the process that holds the launchpad, idle and busy satellites alike."""
    program = (
        "import sys, threading\n"
        "from sqlexec.embedded.launchpad import *\n"
        "launchpad = Launchpad()\n"
        "launchpad.run(ScriptRequest('pass'))\n"
        "busy = threading.Thread(target=launchpad.run, args=(ScriptRequest(\n"
        "    'import os; os.write(1, b\".\")\\nwhile True: pass'),), daemon=True)\n"
        "busy.start()\n"
        "print(launchpad.process_id, flush=True)\n"
        "busy.join()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        zygote = psutil.Process(int(server.stdout.readline()))
        _wait_until(lambda: len(zygote.children()) >= 2)
        processes = [zygote, *zygote.children(recursive=True)]
        directory = Path(zygote.cwd())
        server.kill()
    for process in processes:
        _wait_until(lambda process=process: _is_gone(process.pid))
    assert not directory.exists()


def test_many_threads_at_once(launchpad: Launchpad) -> None:
    results: list[object] = []

    def work(number: int) -> None:
        for i in range(10):
            value = number * 100 + i
            result = run(
                launchpad, "b = a", parameter("a", "int", value), parameter("b", "int", output=True)
            )
            results.append(result.outputs["b"] == value)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 60


def _wait_until(condition: Any, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def _is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
