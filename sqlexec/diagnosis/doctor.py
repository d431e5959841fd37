"""Carries the checks out, one after the other, and gives the Diagnosis."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from sqlexec.diagnosis import agent, bundle, connecting, instance, launches, rendering
from sqlexec.diagnosis.examination import Examination
from sqlexec.diagnosis.findings import Check, Finding, failed, skipped
from sqlexec.errors import ConfigurationError, SqlExecError
from sqlexec.public import public
from sqlexec.server.connection import mask, parse_odbc
from sqlexec.version import __version__

if TYPE_CHECKING:
    from sqlexec.contexts.sql_server import RxInSqlServer

CHECKS: Sequence[Check] = (  # each after those that it needs
    connecting.driver,
    connecting.network,
    connecting.tls,
    connecting.login,
    connecting.database,
    instance.version,
    instance.clock,
    instance.round_trip,
    instance.external_scripts,
    instance.resource_pool,
    bundle.bundle,
    bundle.objects,
    bundle.permissions,
    bundle.limits,
    launches.launchpad,
    launches.python,
    launches.function,
    launches.parallel,
    agent.agent,
)


@public
@dataclass(frozen=True)
class Diagnosis:
    """What the checks found, in their order; prints as text, shows as a table in notebooks.

    Parameters
    ----------
    server : str
        Where, and as whom; without the password.
    findings : sequence of Finding
        Each with `name`, `status` ("pass", "warn", "fail", "skipped"), `message`, `fix`, `seconds`.

    Example
    -------
    >>> diagnosis = doctor(cc)                                     # doctest: +SKIP
    >>> [finding.fix for finding in diagnosis.findings if finding.status == "fail"]
    ['ALTER ROLE sqlexec_user ADD MEMBER [ann];']
    """

    server: str
    findings: Sequence[Finding]

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return all(finding.status != "fail" for finding in self.findings)

    def __getitem__(self, name: str) -> Finding:
        """The finding of a check, by its name; KeyError if there is none."""
        return {finding.name: finding for finding in self.findings}[name]

    def to_json(self) -> str:
        """An object: `server`, `client` (versions), `ok`, `findings` (objects of their fields)."""
        told = {
            "server": self.server,
            "client": {"sqlexec": __version__, "python": platform.python_version()},
            "ok": self.ok,
            "findings": [asdict(finding) for finding in self.findings],
        }
        return json.dumps(told, indent=2)

    def __str__(self) -> str:
        return rendering.text(self.server, self.findings)

    def _repr_html_(self) -> str:
        """The table for notebooks."""
        return rendering.html_table(self.server, self.findings)


@public
def doctor(compute_context: RxInSqlServer) -> Diagnosis:
    """Find out what works and what does not, from this machine's driver to parallel functions.

    It changes nothing on the server; it runs a few short scripts there, num_tasks at once.

    Parameters
    ----------
    compute_context : RxInSqlServer
        Whose server is examined, as its user, with its num_tasks.

    Returns
    -------
    Diagnosis
        A finding for each check; no problem of the server raises.

    Raises
    ------
    ConfigurationError
        The connection string is none.

    Example
    -------
    >>> print(doctor(RxInSqlServer("Server=db1;Database=flights;...")))   # doctest: +SKIP
    """
    examination = Examination(compute_context)
    findings: list[Finding] = []
    blocked: dict[str, str] = {}  # a check: the one that failed and so blocks what needs it
    try:
        for check in CHECKS:
            began = time.perf_counter()
            culprit = next((blocked[name] for name in check.needs if name in blocked), None)
            if culprit is not None:
                finding = skipped(f"Needs '{culprit}', which failed.")
                blocked[check.name] = culprit
            else:
                finding = _look(check, examination)
                if finding.status == "fail":
                    blocked[check.name] = check.name
            seconds = round(time.perf_counter() - began, 3)
            findings.append(replace(finding, name=check.name, seconds=seconds))
    finally:
        examination.close()
    return Diagnosis(mask(compute_context.connection_string), tuple(findings))


def _look(check: Check, examination: Examination) -> Finding:
    try:
        return check.look(examination)
    except ConfigurationError:
        raise
    except SqlExecError as error:
        return failed(str(error), "")
    except Exception as error:  # noqa: BLE001 a check that crashes must not stop the others
        text = f"The check itself failed: {type(error).__name__}: {error}"
        return failed(_without_password(text, examination), "")


def _without_password(text: str, examination: Examination) -> str:
    password = parse_odbc(examination.connection.odbc).get("PWD", "")
    return text.replace(password, "***") if password else text
