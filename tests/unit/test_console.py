"""Showing what runs wrote, and how far a job is."""

from __future__ import annotations

import io
import logging
import os
import struct
import subprocess
import sys
import textwrap

import pytest

from sqlexec import CallbackFailedWarning, RunFailedWarning, rx_exec, rx_exec_iter
from sqlexec.errors import ConfigurationError
from sqlexec.rx import progress
from sqlexec.rx.console import show_console
from sqlexec.tasks import Outcome, Outcomes

TALK = Outcome(3, console=[("stdout", "one\ntwo"), ("stderr", "careful\n"), ("stdout", "three\n")])


def test_print(capsys):
    show_console(TALK, True)
    assert capsys.readouterr() == ("one\ntwothree\n", "careful\n")


@pytest.mark.parametrize("how", [None, False])
def test_not_at_all(how, capsys, caplog):
    show_console(TALK, how)
    assert capsys.readouterr() == ("", "")


def test_prefix(capsys):
    show_console(TALK, "prefix")
    assert capsys.readouterr() == ("[3] one\n[3] two\n[3] three\n", "[3] careful\n")


def test_what_the_terminal_has_no_letters_for(monkeypatch):
    bytes_ = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(bytes_, encoding="cp1252"))
    show_console(Outcome(0, console=[("stdout", "10 \u20ac \u2192 \ud83d\n")]), True)
    assert bytes_.getvalue() == b"10 \x80 \\u2192 \\ud83d\n"
    monkeypatch.setattr(sys, "stdout", None)  # as of pythonw
    show_console(TALK, "prefix")


def test_a_bar_that_a_run_drew(capsys):
    drawn = [("stderr", "\r 0%|   |\r 50%|#  |\r100%|###|\n"), ("stdout", "dos\r\n")]
    show_console(Outcome(3, console=drawn), "prefix")
    assert capsys.readouterr() == ("[3] dos\n", "[3] 100%|###|\n")


def test_log(capsys, caplog):
    with caplog.at_level(logging.INFO, logger="sqlexec.console"):
        show_console(TALK, "log")
    found = [(each.levelname, each.getMessage(), each.task) for each in caplog.records]
    assert found == [
        ("INFO", "one", 3),
        ("INFO", "two", 3),
        ("WARNING", "careful", 3),
        ("INFO", "three", 3),
    ]
    assert capsys.readouterr() == ("", "")


def test_a_function():
    told = []
    show_console(TALK, lambda *arguments: told.append(arguments))
    assert told == [(3, stream, text) for stream, text in TALK.console]


def test_nothing_is_logged_unless_asked(capfd):
    script = (
        "from sqlexec.log import logger\nlogger.warning(1)\nlogger.getChild('console').warning(2)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    assert capfd.readouterr() == ("", "")


def test_a_configuration_of_logging_after_the_import(capfd):
    script = """
import logging.config
from sqlexec import rx_exec
logging.config.dictConfig({
    "version": 1,  # and disable_existing_loggers=True
    "handlers": {"main": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["main"], "level": "INFO"},
})
rx_exec(lambda: print("heard"), console_output="log")
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    assert capfd.readouterr() == ("", "heard\n")


@pytest.mark.parametrize("wrong", ["print", 1, ["log"]])
def test_other_ways_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="console_output"):
        rx_exec(abs, {"x": 1}, console_output=wrong)


def talk(x):
    print(x)


def test_a_console_function_that_raises():
    def refuse(*_):
        raise LookupError("no room")

    with pytest.warns(CallbackFailedWarning, match="no room"):
        assert rx_exec(talk, x=[1, 2], console_output=refuse) == [None, None]


def test_the_callback_gets_the_exception_that_ends_the_job():
    told = []

    def note(result):
        told.append(result)
        raise LookupError("no room")

    with (
        pytest.warns(CallbackFailedWarning, match="no room"),
        pytest.raises(ZeroDivisionError) as caught,
    ):
        rx_exec(half, x=0, callback=note)
    assert told == [caught.value]


# --- progress ----------------------------------------------------------------------------


def half(x):
    print("at", x)
    return 1 / x


def test_progress_in_a_log_file(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with pytest.warns(RunFailedWarning):
        rx_exec(half, x=[1, 0, 2], progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("sqlexec: 1 of 3 runs in 0:00:00, about 0:00:0")
    assert lines[-1].startswith("sqlexec: 3 of 3 runs in 0:00:0")
    assert lines[-1].endswith(", 1 failed")


def test_progress_of_unknown_length(capsys):
    list(rx_exec_iter(lambda x: x, {"x": 1}, times_to_run=2, progress=True))
    assert "sqlexec: 2 of 2 runs" in capsys.readouterr().err
    list(progress.with_progress((Outcomes.of([Outcome(n)]) for n in range(3)), None))
    assert "sqlexec: 3 runs in" in capsys.readouterr().err


def test_no_progress_unless_asked(capsys):
    rx_exec(lambda x: x, x=[1, 2])
    assert capsys.readouterr() == ("", "")


def screen(written: str) -> list[str]:
    """The lines that a terminal shows after this was written to it."""
    lines, column = [""], 0
    for character in written:
        if character == "\r":
            column = 0
        elif character == "\n":
            lines.append("")
            column = 0
        else:
            line = lines[-1].ljust(column)
            lines[-1] = line[:column] + character + line[column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]


def test_a_bar_in_a_terminal_and_lines_beside_it(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    termios = pytest.importorskip("termios")
    script = tmp_path / "job.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys
            import tqdm
            import warnings
            tqdm.tqdm.monitor_interval = 0
            from sqlexec import rx_exec

            def talk(x):
                print("line", x)
                print("error", x, file=sys.stderr)
                sys.stdout.write("no end of line")

            def warn(x):
                warnings.warn("heed")

            rx_exec(talk, x=list(range(20)), console_output="prefix", progress=True)
            rx_exec(talk, x=list(range(20)), console_output=True, progress=True)
            rx_exec(warn, x=[1], compute_context="localpar", progress=True)
            """
        )
    )
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    child = subprocess.Popen([sys.executable, str(script)], stdout=theirs, stderr=theirs)
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux: the other side is closed
            break
        if not part:
            break
        written += part
    os.close(ours)
    assert child.wait() == 0
    shown = screen(written.decode())
    for number in range(20):
        for line in (f"line {number}", f"error {number}", "no end of line"):
            assert f"[{number}] {line}" in shown
            assert line in shown
    bars = [line for line in shown if line.startswith("sqlexec:")]
    assert [bar.split("[")[0][-6:] for bar in bars] == ["20/20 ", "20/20 ", "| 1/1 "]
    assert any(line.startswith(str(script)) and "UserWarning: heed" in line for line in shown)
