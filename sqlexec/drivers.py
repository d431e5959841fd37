"""Which ODBC driver for SQL Server this machine has; both wings use it."""

from __future__ import annotations

import platform
import re
import sys
from functools import lru_cache
from pathlib import Path

from sqlexec.errors import DependencyMissing

_OURS = re.compile(r"ODBC Driver (\d+) for SQL Server", re.IGNORECASE)


@lru_cache(maxsize=1)
def find_driver() -> str:
    """Name of the newest registered Microsoft driver, else the path of the packaged library.

    The package is mssql-python-odbc, which brings Microsoft's ODBC Driver 18.

    Returns
    -------
    str
        A value for `Driver=` in an ODBC connection string.

    Raises
    ------
    DependencyMissing
        There is none, or unixODBC itself is missing; the message says what to install.

    Example
    -------
    >>> find_driver()                                  # doctest: +SKIP
    'ODBC Driver 18 for SQL Server'
    """
    try:
        import pyodbc
    except ImportError as error:
        raise DependencyMissing(
            f"pyodbc does not load on this machine ({error}). On Debian and Ubuntu: "
            "apt-get install unixodbc libltdl7"
        ) from error
    registered: list[str] = [name for name in pyodbc.drivers() if _OURS.fullmatch(name)]
    if registered:
        return max(registered, key=_version)
    packaged = _packaged()
    if packaged is None:
        raise DependencyMissing(
            "No ODBC driver for SQL Server is on this machine. "
            "Install Microsoft's ODBC Driver 18, or: pip install mssql-python-odbc"
        )
    return str(packaged)


def _version(name: str) -> int:
    match = _OURS.fullmatch(name)
    return int(match[1]) if match else 0


def _packaged() -> Path | None:
    """The library in the package mssql-python-odbc that fits this system, if there is one."""
    try:
        import mssql_python_odbc
    except ImportError:
        return None
    libraries = Path(mssql_python_odbc.get_libs_dir())
    machine = {"amd64": "x86_64", "aarch64": "arm64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    if sys.platform == "win32":
        found = libraries.glob("windows/*/msodbcsql18.dll")
        folder = "x64" if machine == "x86_64" else machine
        return next((path for path in found if path.parent.name == folder), None)
    if sys.platform == "darwin":
        return next(libraries.glob(f"macos/{machine}/lib/libmsodbcsql*.dylib"), None)
    return next(libraries.glob(f"linux/{_family()}/{machine}/lib/libmsodbcsql-*.so*"), None)


def _family() -> str:
    """The folder of the package for this Linux, from os-release."""
    release = Path("/etc/os-release")
    text = release.read_text(encoding="utf-8").lower() if release.exists() else ""
    names = " ".join(re.findall(r"^id(?:_like)?=(.*)$", text, re.MULTILINE))
    for word, folder in (
        ("alpine", "alpine"),
        ("suse", "suse"),
        ("rhel", "rhel"),
        ("fedora", "rhel"),
    ):
        if word in names:
            return folder
    return "debian_ubuntu"
