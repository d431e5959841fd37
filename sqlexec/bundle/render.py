"""The T-SQL bundle as text: the files of sql/, in build order, filled in and put together.

    sql/build_order.txt -> sql/schema.object.kind.sql, each -> {{placeholders}} filled in
                        -> header, files parted by GO -> sql/install.sql

`python -m sqlexec.bundle` writes sql/install.sql and sql/SHA256SUMS anew, `--check` says when
they are stale.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlexec.version import __version__

BUILD_ORDER = "build_order.txt"
INSTALL = "install.sql"
SUMS = "SHA256SUMS"
BY_HAND = ("uninstall.sql", "prepare_server.sql")  # and not parts of install.sql

_REMOVABLE = ("procedure", "view", "table", "role")
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
_GO_LINE = re.compile(r"^[ \t]*GO[ \t]*$", re.IGNORECASE | re.MULTILINE)

_HEADER = """\
/*
sqlexec {version}: runs Python functions inside SQL Server, next to the data.

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
"""


@dataclass(frozen=True, slots=True)
class BundleFile:
    """One file of sql/: its name and its T-SQL, placeholders filled in, line ends LF."""

    name: str
    text: str


def sql_folder() -> Path:
    """The folder of the bundle's files: beside this module in a wheel, else the repository's."""
    packaged = Path(__file__).with_name("sql")
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "sql"


def string_literal(text: str) -> str:
    r"""The text as an N'...' literal of T-SQL.

    Raises
    ------
    ValueError
        For what would not arrive as it is: a backslash before a line end (T-SQL joins the
        lines), a line that holds only GO, `$(` (both are sqlcmd's), a carriage return or NUL.

    Example
    -------
    >>> string_literal("it's")
    "N'it''s'"
    """
    for what, found in (
        ("a backslash at a line's end", re.search(r"\\\n", text)),
        ("a line with GO alone", _GO_LINE.search(text)),
        ("'$('", re.search(r"\$\(", text)),
        ("a carriage return or NUL", re.search(r"[\r\0]", text)),
    ):
        if found:
            line = text.count("\n", 0, found.start()) + 1
            raise ValueError(f"text with {what} (line {line}) cannot stand in a T-SQL literal")
    return "N'" + text.replace("'", "''") + "'"


def placeholders() -> dict[str, str]:
    """What stands for {{name}} in the files.

    `version` ("0.1.0"), `protocol` ("1") and `runner_hash` (SHA-256 of the runner's UTF-8
    text, 64 lower-case hex digits) are plain text; `runner_source` and `stored_source` are whole
    N'...' literals, `objects` the bundle's own objects as rows (N'name', 'KIND').
    """
    from sqlexec.bundle import runner_source
    from sqlexec.payload import PROTOCOL

    source = runner_source.render()
    own = (name.split(".") for name in _order(sql_folder()))
    objects = ((parts[-3], parts[-2].upper()) for parts in own if parts[-2] in _REMOVABLE)
    return {
        "objects": ",\n".join(f"        (N'{name}', '{kind}')" for name, kind in objects),
        "version": __version__,
        "protocol": str(PROTOCOL),
        "runner_source": string_literal(source),
        "stored_source": string_literal(runner_source.render_stored()),
        "runner_hash": hashlib.sha256(source.encode("utf-8")).hexdigest(),
    }


def bundle_files(
    folder: Path | None = None, values: Mapping[str, str] | None = None
) -> list[BundleFile]:
    """The files that build_order.txt names, in its order, filled in.

    Parameters
    ----------
    folder : Path, default the bundle's
        Where build_order.txt and the files lie.  Empty lines and `#` comments are passed over.
    values : mapping, default `placeholders()`
        Text for each {{placeholder}}.

    Raises
    ------
    ValueError
        Where the build order and the folder differ, or a placeholder is unknown.
    """
    folder = folder or sql_folder()
    values = placeholders() if values is None else values
    names = _order(folder)
    # schema.object.kind.sql belongs to the bundle; install.sql and its kin are made from it.
    forgotten = {path.name for path in folder.glob("*.*.sql")} - set(names)
    if forgotten:
        raise ValueError(f"not in {BUILD_ORDER}: {', '.join(sorted(forgotten))}")
    return [BundleFile(name, _fill(name, _text(folder, name), values)) for name in names]


def render_install(folder: Path | None = None, values: Mapping[str, str] | None = None) -> str:
    """install.sql: header and files, parted by GO; the same text for the same sources.

    Example
    -------
    >>> render_install().startswith("/*")
    True
    """
    parts = [_HEADER.format(version=__version__)]
    for file in bundle_files(folder, values):
        parts.append(f"-- {file.name}\n{file.text.rstrip()}\n")
    script = "GO\n\n".join(parts) + "GO\n"
    if "$(" in script:
        raise ValueError("the bundle has '$(', which sqlcmd takes for a variable")
    return script


def prepare_server() -> str:
    """prepare_server.sql, which readies an instance: for a sysadmin to review and run.

    Example
    -------
    >>> "external scripts enabled" in prepare_server()
    True
    """
    return _text(sql_folder(), "prepare_server.sql")


def sums(folder: Path, install: bytes) -> str:
    """SHA-256 sums of what a DBA runs, for `sha256sum -c`; `install` is the text of install.sql."""
    scripts = {INSTALL: install, **{name: (folder / name).read_bytes() for name in BY_HAND}}
    return "".join(
        f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in scripts.items()
    )


def main(arguments: list[str] | None = None) -> int:
    """Write install.sql and SHA256SUMS into the bundle's folder; --check: say which are stale."""
    parser = argparse.ArgumentParser(prog="python -m sqlexec.bundle", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when stale")
    options = parser.parse_args(arguments)
    folder = sql_folder()
    script = render_install().encode("utf-8")
    contents = {INSTALL: script, SUMS: sums(folder, script).encode("ascii")}
    # The sums are made with the packages: a checkout has none before.
    optional = {SUMS} if options.check and not (folder / SUMS).is_file() else set()
    stale = [
        name
        for name in contents
        if name not in optional and not _holds(folder / name, contents[name])
    ]
    for name in stale:
        if options.check:
            print(f"{folder / name} is stale: run 'make install-sql'", file=sys.stderr)
        else:
            (folder / name).write_bytes(contents[name])
            print(f"{folder / name}: {len(contents[name]):,} bytes")
    return 1 if options.check and stale else 0


def _holds(file: Path, content: bytes) -> bool:
    return file.is_file() and file.read_bytes() == content


def _order(folder: Path) -> list[str]:
    lines = _text(folder, BUILD_ORDER).splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _text(folder: Path, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8").replace("\r\n", "\n")


def _fill(name: str, text: str, values: Mapping[str, str]) -> str:
    unknown = set(_PLACEHOLDER.findall(text)) - values.keys()
    if unknown:
        raise ValueError(f"{name}: unknown placeholder {', '.join(sorted(unknown))}")
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)
