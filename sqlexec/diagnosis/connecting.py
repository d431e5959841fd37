"""From this machine to a session: driver, network, TLS, login, database."""

from __future__ import annotations

import re
from pathlib import Path

from sqlexec.bundle.installer import SYSTEM_DATABASES
from sqlexec.diagnosis.examination import Examination, bracketed
from sqlexec.diagnosis.findings import Finding, check, failed, passed, skipped, warned
from sqlexec.errors import ConnectionFailed, DependencyMissing
from sqlexec.server.connection import parse_odbc
from sqlexec.server.reach import address, knock

_STAGES = ("driver", "network", "tls", "login", "database")
IDENTITY = """\
SELECT
  CAST(CONNECTIONPROPERTY(N'auth_scheme') AS nvarchar(40)) AS scheme,
  SUSER_SNAME() AS [login], USER_NAME() AS [user], DB_NAME() AS [database],
  @@VERSION AS version, CAST(SERVERPROPERTY(N'InstanceName') AS nvarchar(128)) AS instance;"""
_OPENJSON = 130  # the lowest compatibility level at which OPENJSON is there
_DRIVER = re.compile(r"(?:ODBC Driver |msodbcsql-?)(\d+)", re.I)
_ENCRYPTING = 18  # the first version of the driver whose default is Encrypt=yes
_FIXES = {
    "driver": "Repair the driver or the DSN, or name another: Driver=...",
    "network": "See that it is SQL Server that listens there, and that it has started up.",
    "tls": "For a server that you trust, add to the connection string: TrustServerCertificate=yes",
}
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


@check("driver")
def driver(examination: Examination) -> Finding:
    """An ODBC driver for SQL Server is on this machine."""
    try:
        name = examination.connection.driver
    except DependencyMissing as error:
        return failed(str(error), "pip install mssql-python-odbc")
    if ("/" in name or "\\" in name) and not Path(name).is_file():
        return failed(
            f"There is no driver at {name} on this machine.",
            "Leave Driver= out of the connection string to let sqlexec choose.",
        )
    return passed(Path(name).name if name else f"chosen by the DSN {examination.connection.dsn}")


@check("network", needs=["driver"])
def network(examination: Examination) -> Finding:
    """Something listens where the connection string points."""
    server = examination.connection.server
    if not server:
        return skipped(f"The DSN {examination.connection.dsn} knows the address.")
    if address(server) is None:
        return skipped(f"The driver asks SQL Server Browser for the port of {server}.")
    try:
        seconds = knock(server)
    except ConnectionFailed as error:
        return failed(str(error), "On the server: see that SQL Server runs and TCP/IP is enabled.")
    return passed(f"{server} answers in {seconds * 1000:.1f} ms")


@check("TLS", needs=["network"])
def tls(examination: Examination) -> Finding:
    """The connection is encrypted, and with the right server."""
    refusal = _refusal_at(examination, "tls")
    if refusal:
        return failed(str(refusal), _FIXES[refusal.stage])
    if examination.refusal:
        return passed("The server was trusted.")
    encrypted = _encrypted(examination)
    if encrypted is None:
        return skipped(f"The DSN {examination.connection.dsn} decides.")
    found = address(examination.connection.server)
    trust = parse_odbc(examination.connection.odbc).get("TrustServerCertificate", "no")
    return judge_tls(
        here=found is not None and found[0] in _THIS_MACHINE,
        encrypted=encrypted,
        trusting=trust.lower() == "yes",
    )


def judge_tls(*, here: bool, encrypted: bool, trusting: bool) -> Finding:
    """Whether nobody between here and the server can read along or take its place."""
    if here:
        return passed("The server is on this machine.")
    if not encrypted:
        return warned(
            "The connection is not encrypted: whoever reads along sees the data.",
            "Add to the connection string: Encrypt=yes",
        )
    if trusting:
        return warned(
            "The connection is encrypted, but whatever server answers is believed: "
            "TrustServerCertificate=yes takes any certificate.",
            "Install the certificate of its authority on this machine and leave "
            "TrustServerCertificate= out.",
        )
    return passed("encrypted, and the server's certificate is trusted")


@check("login", needs=["TLS"])
def login(examination: Examination) -> Finding:
    """The server knows the user."""
    refusal = _refusal_at(examination, "login")
    if refusal:
        return failed(str(refusal), _login_fix(examination))
    if examination.refusal:
        return passed("accepted")
    facts = examination.row(IDENTITY)
    examination.login, examination.user = facts["login"], facts["user"]
    examination.database = facts["database"]
    examination.server_version, examination.instance = facts["version"], facts["instance"]
    return passed(f"{examination.login} ({facts['scheme']} authentication)")


@check("database", needs=["login"])
def database(examination: Examination) -> Finding:
    """The database is there, open to this user, and can hold the bundle."""
    if examination.refusal:
        return failed(str(examination.refusal), _database_fix(examination))
    ((updateability, level),) = examination.execute(
        "SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), N'Updateability') AS nvarchar(128)), "
        "d.compatibility_level FROM sys.databases AS d WHERE d.database_id = DB_ID()"
    )
    return judge_database(examination.database, examination.user, updateability, level)


def judge_database(name: str, user: str, updateability: str, level: int) -> Finding:
    """Whether a database of such properties can hold the bundle."""
    if name.lower() in SYSTEM_DATABASES:
        return failed(
            f"The session is in {name}, where no bundle belongs.",
            "Add the users' database to the connection string: Database=...",
        )
    if updateability == "READ_ONLY":
        return failed(
            f"The database {name} is read-only, and runs are logged in it.",
            f"ALTER DATABASE {bracketed(name)} SET READ_WRITE;",
        )
    if level < _OPENJSON:
        return failed(
            f"The database {name} has compatibility level {level}; durable jobs need 130.",
            f"ALTER DATABASE {bracketed(name)} SET COMPATIBILITY_LEVEL = 140;",
        )
    return passed(f"{name}, as user {user}")


def _refusal_at(examination: Examination, stage: str) -> ConnectionFailed | None:
    """Why the login got no further than this stage; None where it did."""
    refusal = examination.refusal
    if refusal and _STAGES.index(refusal.stage) <= _STAGES.index(stage):
        return refusal
    return None


def _login_fix(examination: Examination) -> str:
    name = parse_odbc(examination.connection.odbc).get("UID", "")
    if not name:
        return "Give UID= and PWD= in the connection string."
    return (
        f"Check UID= and PWD=; a DBA sees the cause in the server's error log and runs, for a new "
        f"login: CREATE LOGIN {bracketed(name)} WITH PASSWORD = '...'; "
        f"for a locked one: ALTER LOGIN {bracketed(name)} WITH PASSWORD = '...' UNLOCK;"
    )


def _database_fix(examination: Examination) -> str:
    name = bracketed(examination.connection.database)
    user = bracketed(parse_odbc(examination.connection.odbc).get("UID", "domain\\user"))
    return (
        f"Correct Database= in the connection string; or a DBA makes it: CREATE DATABASE {name}; "
        f"or lets you in: USE {name}; CREATE USER {user} FOR LOGIN {user};"
    )


def _encrypted(examination: Examination) -> bool | None:
    """Whether the session is encrypted: as the string says, else by the driver's default."""
    wanted = parse_odbc(examination.connection.odbc).get("Encrypt", "").lower()
    if wanted:
        return wanted not in ("no", "optional")
    if examination.connection.dsn:
        return None
    version = _DRIVER.search(examination.connection.driver)
    return version is not None and int(version[1]) >= _ENCRYPTING
