"""Cutting a script at GO, and rendering install.sql out of a folder."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from sqlexec.bundle import render
from sqlexec.bundle.installer import batches
from sqlexec.bundle.render import (
    BY_HAND,
    INSTALL,
    SUMS,
    bundle_files,
    render_install,
    string_literal,
    sums,
)

VALUES = {"version": "1.2.3", "runner_source": "N'print(''x'')'"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "build_order.txt").write_text("# first\ns.schema.sql\n\ns.runner.table.sql\n")
    (tmp_path / "s.schema.sql").write_bytes(b"CREATE SCHEMA s;\r\n")
    (tmp_path / "s.runner.table.sql").write_text(
        "CREATE TABLE s.runner (v nvarchar(20));\nGO\n"
        "INSERT INTO s.runner VALUES (N'{{version}}'), ({{runner_source}});\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", []),
        ("GO\n\nGO\n", []),
        ("SELECT 1\ngo \n\nSELECT 2", [(1, "SELECT 1"), (4, "SELECT 2")]),
        ("SELECT 1\nGO -- the next\nSELECT 2\nGO", [(1, "SELECT 1"), (3, "SELECT 2")]),
        ("SELECT 'it''s\nGO\n'", [(1, "SELECT 'it''s\nGO\n'")]),
        ("SELECT [a\nGO\n]]\nGO\n]", [(1, "SELECT [a\nGO\n]]\nGO\n]")]),
        ("/* a /* b */\nGO\n*/ SELECT 1", [(1, "/* a /* b */\nGO\n*/ SELECT 1")]),
        ("-- it's\nGO\nSELECT 1", [(1, "-- it's"), (3, "SELECT 1")]),
        ("SELECT 1 AS go\nGOTO x", [(1, "SELECT 1 AS go\nGOTO x")]),
        ("/* open\nGO\n", [(1, "/* open\nGO")]),
    ],
)
def test_batches_are_cut_at_go(script: str, expected: list[tuple[int, str]]) -> None:
    assert list(batches(script)) == expected


def test_files_are_filled_in(folder: Path) -> None:
    schema, runner = bundle_files(folder, VALUES)
    assert (schema.name, schema.text) == ("s.schema.sql", "CREATE SCHEMA s;\n")
    assert "VALUES (N'1.2.3'), (N'print(''x'')')" in runner.text


def test_install_holds_every_batch_in_order(folder: Path) -> None:
    header, *rest = batches(render_install(folder, VALUES))
    assert "SET XACT_ABORT ON;" in header[1]
    assert [text.splitlines()[-1][:8] for _, text in rest] == ["CREATE S", "CREATE T", "INSERT I"]


def test_same_sources_give_the_same_text(folder: Path) -> None:
    assert render_install(folder, VALUES) == render_install(folder, VALUES)


def test_forgotten_file_is_an_error(folder: Path) -> None:
    (folder / "s.new.view.sql").write_text("")
    with pytest.raises(ValueError, match=r"not in build_order\.txt: s\.new\.view\.sql"):
        bundle_files(folder, VALUES)


def test_unknown_placeholder_is_an_error(folder: Path) -> None:
    with pytest.raises(ValueError, match="unknown placeholder runner_source"):
        bundle_files(folder, {"version": "1"})


def test_variables_of_sqlcmd_are_refused(folder: Path) -> None:
    (folder / "s.schema.sql").write_text("PRINT '$(x)';")
    with pytest.raises(ValueError, match="sqlcmd"):
        render_install(folder, VALUES)


@pytest.mark.parametrize("text", ["a \\\nb", "a\n go \nb", "echo $(x)", "a\r\nb", "a\0b"])
def test_text_that_a_literal_would_change_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="literal"):
        string_literal(text)


def test_literal_doubles_quotes_alone() -> None:
    assert string_literal('it\'s [a] \\ "b"\n') == "N'it''s [a] \\ \"b\"\n'"


def test_sums_are_those_of_the_files(tmp_path: Path) -> None:
    for name in BY_HAND:
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / INSTALL).write_bytes(b"SELECT 1;\n")
    (tmp_path / SUMS).write_text(sums(tmp_path, b"SELECT 1;\n"))
    for line in (tmp_path / SUMS).read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
    assert len((tmp_path / SUMS).read_text().splitlines()) == 3


def test_stale_files_are_told_and_renewed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(render.sql_folder(), tmp_path / "sql")
    monkeypatch.setattr(render, "sql_folder", lambda: tmp_path / "sql")
    assert render.main([]) == 0
    assert render.main(["--check"]) == 0
    (tmp_path / "sql" / "uninstall.sql").write_text("-- changed")
    capsys.readouterr()
    assert render.main(["--check"]) == 1
    assert "SHA256SUMS is stale" in capsys.readouterr().err
    (tmp_path / "sql" / SUMS).unlink()
    assert render.main(["--check"]) == 0
