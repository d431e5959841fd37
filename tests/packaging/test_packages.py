"""The wheel and the sdist: what they hold, and that the wheel works without the repository."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from sqlexec import __version__
from sqlexec.bundle import render_install
from tests.environments import with_packages

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(600)  # a fresh environment comes from PyPI

LOCAL_RUNS = """
import sqlexec
from sqlexec import *

try:
    sqlexec.RxExecByResults
except ImportError as error:
    assert "pip install 'sqlexec[pandas]'" in str(error), error
assert "site-packages" in sqlexec.__file__, sqlexec.__file__
assert rx_exec(lambda x, y: x * y, x=RxElemArg([1, 2, 3]), y=10) == [10, 20, 30]
"""
RUNS_IN_THE_STAND_IN = """
import os
from sqlexec import RxInSqlServer, RxSqlServerData, rx_data_step, rx_exec
from sqlexec.bundle import install
from sqlexec.embedded import EmbeddedServer
from sqlexec.server.connection import Connection
from sqlexec.server.session import Session

def count(dataset):
    import os
    return len(rx_data_step(dataset)), os.getpid()

if __name__ == "__main__":
    with EmbeddedServer() as server:
        session = Session(Connection.of(server.connection_string))
        session.execute("CREATE DATABASE Fresh")
        session.close()
        where = server.odbc(Database="Fresh")
        install(where)
        data = RxSqlServerData(sql_query="SELECT 1 AS n UNION SELECT 2", connection_string=where)
        context = RxInSqlServer(connection_string=where)
        ((rows, process),) = rx_exec(count, args={"dataset": data}, compute_context=context)
        assert rows == 2
        assert process != os.getpid()
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel built out of nothing but that."""
    folder = tmp_path_factory.mktemp("packages")
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run([*build, "-t", "sdist"], cwd=ROOT, check=True, capture_output=True)
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    unpacked = folder / sdist.name.removesuffix(".tar.gz")
    subprocess.run([*build, "-t", "wheel"], cwd=unpacked, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return sdist, wheel


def requirements(wheel: Path, extra: str) -> list[str]:
    """What the wheel's metadata asks for: always, and with an extra."""
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"sqlexec-{__version__}.dist-info/METADATA").decode()
    lines = re.findall(r"^Requires-Dist: (.*)$", metadata, re.MULTILINE)
    condition = f"; extra == '{extra}'"
    return [
        line.removesuffix(condition)
        for line in lines
        if "extra ==" not in line or condition in line
    ]


class Environment:
    """A fresh virtual environment with a wheel, and what its metadata asks for from PyPI.

    What it asks for is kept between runs, in an environment that holds nothing else and that
    the fresh one looks into.
    """

    def __init__(self, folder: Path, wheel: Path, extra: str = "") -> None:
        self.folder = folder
        minor = f"{sys.version_info.major}.{sys.version_info.minor}"
        kept = with_packages(minor, requirements(wheel, extra))
        venv.create(folder / "venv")
        self.bin = folder / "venv" / "bin"
        (kept_packages,) = kept.parents[1].glob("lib/python*/site-packages")
        (own_packages,) = (folder / "venv").glob("lib/python*/site-packages")
        (own_packages / "kept.pth").write_text(str(kept_packages))
        wanted = f"sqlexec[{extra}] @ {wheel.as_uri()}" if extra else str(wheel)
        pip = [str(kept), "-m", "pip", "--python", str(self.bin / "python"), "install", "-q"]
        subprocess.run([*pip, "--no-index", wanted], check=True)

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        ours = ("PYTHON", "SQLEXEC_")
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(ours)
        }
        return subprocess.run(
            [self.bin / program, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def succeeds(self, program: str, *arguments: str) -> str:
        done = self.run(program, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def test_wheel_works_alone(packages: tuple[Path, Path], tmp_path: Path) -> None:
    fresh = Environment(tmp_path, packages[1])
    assert fresh.succeeds("sqlexec", "--version") == f"sqlexec {__version__}\n"
    assert fresh.succeeds("sqlexec", "install", "--print") == render_install()
    fresh.succeeds("python", "-c", LOCAL_RUNS)
    refused = fresh.run("sqlexec", "serve")
    assert refused.returncode == 1
    assert "pip install 'sqlexec[embedded]'" in refused.stderr


def test_wheel_brings_the_stand_in(packages: tuple[Path, Path], tmp_path: Path) -> None:
    fresh = Environment(tmp_path, packages[1], "embedded")
    script = tmp_path / "in_the_stand_in.py"
    script.write_text(RUNS_IN_THE_STAND_IN)
    fresh.succeeds("python", str(script))


def test_wheel_holds_package_bundle_and_nothing_else(packages: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(packages[1]) as wheel:
        names = set(wheel.namelist())
        metadata = wheel.read(f"sqlexec-{__version__}.dist-info/METADATA").decode()
        install = wheel.read("sqlexec/bundle/sql/install.sql").decode()
        sums = wheel.read("sqlexec/bundle/sql/SHA256SUMS").decode()
        for line in sums.splitlines():
            expected, name = line.split()
            content = wheel.read(f"sqlexec/bundle/sql/{name}")
            assert hashlib.sha256(content).hexdigest() == expected
    assert {name.split("/")[0] for name in names} == {"sqlexec", f"sqlexec-{__version__}.dist-info"}
    assert "sqlexec/py.typed" in names
    assert {line.split()[1] for line in sums.splitlines()} == {
        "install.sql",
        "uninstall.sql",
        "prepare_server.sql",
    }
    assert install == render_install()
    extras = {"embedded", "joblib", "dev"}
    assert extras <= {line.split()[1] for line in metadata.splitlines() if "Provides-Extra" in line}


def test_sdist_holds_the_repository(packages: tuple[Path, Path]) -> None:
    """All that `make test` needs: what the repository holds, no more."""
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if tracked.returncode:
        pytest.skip("not in a git repository")
    with tarfile.open(packages[0]) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    assert names - {"PKG-INFO"} == {name for name in tracked.stdout.split("\n") if name}
