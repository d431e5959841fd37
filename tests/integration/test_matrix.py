"""Clients of every Python against servers of every Python, each pair over the whole way.

By default each client and each server takes part, and pairs of the same version; --matrix (make
matrix) takes all pairs.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from sqlexec.embedded import EmbeddedServer
from sqlexec.server.pool import POOL
from tests.environments import ENVIRONMENTS, environment
from tests.integration.conftest import prepared

pytestmark = pytest.mark.embedded_only

CLIENTS = [name for name in ENVIRONMENTS if name.startswith("client ")]
SERVERS = [name for name in ENVIRONMENTS if name[0] == "3" and name not in ("3.8 bare", "3.6 bare")]
FEW = {  # clients of a server where not all are asked for, besides the one of its own version
    "3.6 pandas 1.1": ["client 3.12"],
    "3.7 pandas 0.23": ["client 3.13"],
    "3.8 pandas 1.0": ["client 3.10"],
    "3.9 pandas 1.5": ["client 3.11"],
    "3.10 pandas 1.4": ["client 3.13"],
    "3.13 pandas 3": ["client 3.10"],
    "3.13 bare": ["client 3.12"],
}


@pytest.mark.parametrize("name", SERVERS)
def test_clients_of_every_python(name: str, request: pytest.FixtureRequest) -> None:
    wrong = {}
    skipped = []
    with EmbeddedServer(python=environment(name)) as server:
        connection_string = prepared(server)
        POOL.close()
        for client in CLIENTS if request.config.getoption("--matrix") else few(name):
            try:
                python = environment(client)
            except pytest.skip.Exception as reason:
                skipped.append(f"{client}: {reason}")
                continue
            wrong.update(wrong_of(python, client, connection_string, name))
    assert not wrong, "\n".join(f"{name}: {text}" for name, text in wrong.items())
    if skipped:
        pytest.skip("; ".join(skipped))


def few(server: str) -> list[str]:
    """A few clients for a server: that of its version, and another one."""
    minor = server.split(maxsplit=1)[0]
    return [each for each in CLIENTS if each == f"client {minor}" or each in FEW.get(server, ())]


def wrong_of(python: Path, client: str, connection_string: str, server: str) -> dict[str, str]:
    """What was wrong between that client and the server, by job."""
    done = subprocess.run(
        [python, Path(__file__).with_name("matrix_client.py"), server],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        input=connection_string,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    report = json.loads(done.stdout)
    assert report["server"].startswith(server.split(maxsplit=1)[0] + ".")
    assert report["client"].startswith(client.split()[1] + ".")
    return {f"{client}: {job}": text for job, text in report["wrong"].items()}
