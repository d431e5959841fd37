"""Environments of other Pythons with other packages, for tests.

One is made from PyPI on first use, for good, in a cache directory (or in
$SQLEXEC_TEST_ENVIRONMENTS); what cannot be made is skipped with the reason.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

_CORE = ["cloudpickle", "mssql-python-odbc", "pyodbc", "SQLAlchemy", "typer"]
_SERVER_2022 = ["numpy==1.22.4", "pandas==1.4.2", "scipy==1.8.0"]

ENVIRONMENTS = {  # name -> minor version of Python, what to install
    # Servers, as they are in the field:
    "3.6 pandas 1.1": ("3.6", ["numpy==1.19.5", "pandas==1.1.5"]),
    "3.7 pandas 0.23": ("3.7", ["numpy==1.15.4", "pandas==0.23.4", "scipy==1.2.0"]),
    "3.8 pandas 1.0": ("3.8", ["numpy==1.18.5", "pandas==1.0.5"]),
    "3.9 pandas 1.5": ("3.9", ["numpy==1.23.5", "pandas==1.5.3"]),
    "3.10 pandas 1.4": ("3.10", _SERVER_2022),
    "3.11 pandas 2.0": ("3.11", ["numpy==1.24.4", "pandas==2.0.3"]),
    "3.12 pandas 2.2": ("3.12", ["numpy==1.26.4", "pandas==2.2.3"]),
    "3.13 pandas 3": ("3.13", ["numpy>=2", "pandas>=3", "pyarrow", "scipy"]),
    "models on 3.10": (
        "3.10",
        [*_CORE, *_SERVER_2022, "scikit-learn==1.0.2", "statsmodels==0.13.2"],
    ),
    "3.6 bare": ("3.6", []),
    "3.8 bare": ("3.8", []),
    "3.13 bare": ("3.13", []),
    # Clients, as new as their Python takes:
    **{
        f"client {minor}": (minor, [*_CORE, "numpy", "pandas", "pyarrow"])
        for minor in ("3.10", "3.11", "3.12", "3.13")
    },
    "models on 3.12": ("3.12", [*_CORE, "numpy", "pandas", "scikit-learn", "statsmodels"]),
    "notebook 3.13": ("3.13", [*_CORE, "ipykernel"]),
}


def environment(name: str) -> Path:
    """The interpreter of that name, made where needed; skips the test where it cannot be."""
    return with_packages(*ENVIRONMENTS[name])


def with_packages(minor: str, requirements: list[str]) -> Path:
    """An interpreter of that version with these packages; nobody installs more into it."""
    base = interpreter(minor)
    if base is None:
        pytest.skip(f"no Python {minor} on this machine")
    if not requirements:
        return base
    root = os.environ.get("SQLEXEC_TEST_ENVIRONMENTS")
    parent = Path(root) if root else Path.home() / ".cache" / "sqlexec" / "environments"
    parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(repr((str(base), requirements)).encode()).hexdigest()[:12]
    place = parent / f"{minor}-{digest}"
    with open(parent / f"{place.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # pytest's workers come here at once
        if not (place / "complete").exists():
            _create(base, place, requirements)
    return place / "bin" / "python"


def interpreter(minor: str) -> Path | None:
    """A real interpreter of that version (pyenv's shims are there for versions that are not)."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for found in sorted(root.glob(f"{minor}.*/bin/python")):
        return found
    which = shutil.which(f"python{minor}")
    if which and "shims" not in which:
        return Path(which)
    return None


def _create(base: Path, place: Path, requirements: list[str]) -> None:
    shutil.rmtree(place, ignore_errors=True)
    pip = [place / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    pip += ["--only-binary", ":all:"]
    for command in ([base, "-m", "venv", place], [*pip, *requirements]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            pytest.skip(f"{requirements} cannot be installed here: {last}")
    (place / "complete").touch()
