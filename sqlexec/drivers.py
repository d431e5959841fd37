"""Which ODBC driver speaks to SQL Server on this machine."""

from __future__ import annotations

import importlib.util
import platform
import re
import sys
from pathlib import Path

from sqlexec.errors import DependencyMissing

_REGISTERED = re.compile(r"ODBC Driver (\d+) for SQL Server")


def find_driver() -> str:
    """The driver for an ODBC connection string: what stands after `Driver=`.

    A registered "ODBC Driver N for SQL Server" comes first, the newest of them; else the
    library that the package mssql-python-odbc brings, by its path.

    Returns
    -------
    str
        Name or path; write it as `Driver={...}`.

    Raises
    ------
    DependencyMissing
        When there is neither.

    Example
    -------
    >>> find_driver()                                               # doctest: +SKIP
    'ODBC Driver 18 for SQL Server'
    """
    import pyodbc

    found = [match for name in pyodbc.drivers() if (match := _REGISTERED.fullmatch(name))]
    if found:
        return str(max(found, key=lambda match: int(match[1]))[0])
    shipped = _shipped_driver()
    if shipped is not None:
        return str(shipped)
    raise DependencyMissing(
        "No ODBC driver for SQL Server was found on this machine: install Microsoft's "
        "'ODBC Driver 18 for SQL Server', or `pip install mssql-python-odbc`."
    )


def _shipped_driver() -> Path | None:
    """The library inside mssql-python-odbc (or an older mssql-python) that fits this system."""
    for package in ("mssql_python_odbc", "mssql_python"):
        spec = importlib.util.find_spec(package)
        for root in (spec.submodule_search_locations or ()) if spec else ():
            candidates = sorted(Path(root, "libs", _system()).rglob(_library()))
            fitting = [path for path in candidates if _machine() in path.parts]
            if fitting:
                return fitting[-1]
    return None


def _system() -> str:
    if sys.platform == "linux":
        musl = not platform.libc_ver()[0]
        if musl:
            return "linux/alpine"
        redhat = Path("/etc/redhat-release").exists()
        suse = Path("/etc/SuSE-release").exists()
        return "linux/rhel" if redhat else "linux/suse" if suse else "linux/debian_ubuntu"
    return {"darwin": "macos", "win32": "windows"}.get(sys.platform, sys.platform)


def _machine() -> str:
    machine = platform.machine().lower()
    arm = machine in ("arm64", "aarch64")
    if sys.platform == "win32":
        return "arm64" if arm else "x64"
    return "arm64" if arm else "x86_64"


def _library() -> str:
    return {"darwin": "libmsodbcsql*.dylib", "win32": "msodbcsql*.dll"}.get(
        sys.platform, "libmsodbcsql*.so*"
    )
