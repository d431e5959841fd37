"""The command: exit codes, one line per error, no password shown."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import typer

from sqlexec import __version__, cli
from sqlexec.bundle import render_install
from sqlexec.bundle.render import sql_folder
from sqlexec.cli import main


@pytest.fixture(autouse=True)
def _no_connection_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONNECTION", "DATABASE", "FILE", "LAUNCH_DELAY", "PASSWORD", "PORT", "PYTHON"):
        monkeypatch.delenv(f"SQLEXEC_{name}", raising=False)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"sqlexec {__version__}\n"


def test_print_needs_no_connection(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "--print"]) == 0
    assert capsys.readouterr().out == render_install()


def test_what_readies_a_server_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "--print-prepare"]) == 0
    assert capsys.readouterr().out == (sql_folder() / "prepare_server.sql").read_text("utf-8")


@pytest.mark.parametrize("other", ["--dry-run", "--print-prepare", "--json"])
def test_print_goes_alone(other: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "--print", other]) == 2
    assert "without the others" in capsys.readouterr().err


def test_help_tells_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for code in ("0 done, 1 failed, 2 used wrongly", "3 not finished in time", "4 cancelled"):
        assert code in shown


@pytest.mark.parametrize("command", ["install", "uninstall", "info", "doctor"])
def test_connection_is_asked_for(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command]) == 2
    assert "SQLEXEC_CONNECTION" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nonsense"], ["serve", "--port", "x"], ["serve", "--bad"]])
def test_wrong_use_is_2(arguments: list[str]) -> None:
    assert main(arguments) == 2


def test_connection_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SQLEXEC_CONNECTION", "postgresql://ann:secret@host/db")
    assert main(["info"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("sqlexec: ")
    assert error.count("\n") == 1
    assert "secret" not in error


def test_no_sql_server_there_is_1(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_answer_as_a_web_server, args=[listener]).start()
        where = f"Server=tcp:127.0.0.1,{listener.getsockname()[1]};Database=d;UID=ann;PWD=secret"
        assert main(["install", where + ";ConnectRetryCount=0"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("sqlexec: No connection to ")
    assert error.count("\n") == 1
    assert "secret" not in error


def _answer_as_a_web_server(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == "duckdb" else name)
    assert main(["serve"]) == 1
    assert "needs duckdb: pip install 'sqlexec[embedded]'" in capsys.readouterr().err


def test_module_is_the_command(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "sqlexec", "--version"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (ended.returncode, ended.stdout) == (0, f"sqlexec {__version__}\n")


def test_every_option_with_a_value_has_an_environment_variable() -> None:
    commands: Any = typer.main.get_command(cli.app)
    groups = [commands, *(each for each in commands.commands.values() if hasattr(each, "commands"))]
    for name, command in [each for group in groups for each in group.commands.items()]:
        for option in command.params:
            if getattr(option, "is_flag", False):
                continue
            assert str(option.envvar).startswith("SQLEXEC_"), (name, option.name)
