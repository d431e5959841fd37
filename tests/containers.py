"""SQL Server in a container, for `pytest tests/integration --server=container[:2019|2022]`.

    docker/Dockerfile.2022 -> image -> container -> healthy: a Python script ran inside the server

The image is built anew each time; Docker's cache makes that quick where nothing changed.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from testcontainers.community.mssql import SqlServerContainer
from testcontainers.core.image import DockerImage
from testcontainers.core.wait_strategies import HealthcheckWaitStrategy

ROOT = Path(__file__).parents[1]
RELEASES = ("2019", "2022")
SECONDS_TO_START = 900


class MachineLearningContainer(SqlServerContainer):
    """SQL Server with Machine Learning Services, out of docker/Dockerfile.RELEASE.

    Parameters
    ----------
    release : {"2019", "2022"}
        Of SQL Server.

    Example
    -------
    >>> with MachineLearningContainer("2022") as container:  # doctest: +SKIP
    ...     install(container.connection_string, database="flights")
    """

    def __init__(self, release: str) -> None:
        tag = f"sqlexec-mssql:{release}"
        dockerfile = f"docker/Dockerfile.{release}"
        DockerImage(ROOT, tag=tag, dockerfile_path=dockerfile, clean_up=False).build()
        super().__init__(tag, password=f"Aa1-{secrets.token_urlsafe(16)}")

    def _configure(self) -> None:
        self.with_envs(ACCEPT_EULA="Y", ACCEPT_EULA_ML="Y", MSSQL_SA_PASSWORD=self.password)

    def _connect(self) -> None:
        try:
            HealthcheckWaitStrategy().with_startup_timeout(SECONDS_TO_START).wait_until_ready(self)
        except (RuntimeError, TimeoutError) as error:
            log = self.get_wrapped_container().logs(tail=100).decode("utf-8", "replace")
            raise RuntimeError(f"{error}\nIts last lines:\n{log}") from None

    @property
    def connection_string(self) -> str:
        """Of sa, to no database in particular."""
        address = f"{self.get_container_host_ip()},{self.get_exposed_port(self.port)}"
        return f"Server={address};UID=sa;PWD={self.password};TrustServerCertificate=yes"


def why_not() -> str | None:
    """Why no container can be started here; None where one can."""
    import docker.errors

    try:
        docker.from_env().ping()
    except docker.errors.DockerException as error:
        return f"Docker does not answer: {error}"
    return None
