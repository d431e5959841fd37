"""Connection strings: what users write, brought to one ODBC string.

    "Driver=...;Server=...;..."   ODBC, or the words of ADO.NET      \\
    "mssql+pyodbc://user:pw@..."  SQLAlchemy URL                       >  Connection.odbc
    "flights"                     name of a data source (DSN)         /

The result always names a driver that is there, carries `APP=sqlexec`, and never shows its
password in a repr, a log or an error.
"""

from __future__ import annotations

import re
import sys
import warnings
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from sqlexec.callers import users_stacklevel
from sqlexec.drivers import find_driver
from sqlexec.errors import ConfigurationError

APPLICATION = "sqlexec"

# Other spellings of a key, in lower case, and the one that Microsoft's ODBC drivers take.
# https://learn.microsoft.com/sql/connect/odbc/dsn-connection-string-attribute
_SYNONYMS = {
    "address": "Server",
    "addr": "Server",
    "application name": "APP",
    "app": "APP",
    "data source": "Server",
    "database": "Database",
    "driver": "Driver",
    "dsn": "DSN",
    "encrypt": "Encrypt",
    "initial catalog": "Database",
    "integrated security": "Trusted_Connection",
    "network address": "Server",
    "password": "PWD",
    "pwd": "PWD",
    "server": "Server",
    "trust server certificate": "TrustServerCertificate",
    "trusted_connection": "Trusted_Connection",
    "trustservercertificate": "TrustServerCertificate",
    "uid": "UID",
    "user": "UID",
    "user id": "UID",
}
_YES_OR_NO = {"Encrypt", "Trusted_Connection", "TrustServerCertificate"}
_SPOKEN = {"true": "yes", "false": "no", "sspi": "yes"}
_LOOPBACK = (".", "(local)", "127.0.0.1", "localhost")
_SECRET = "***"  # noqa: S105 - what stands in a password's place
_SECRET_KEY = r"(?:pwd|password|\w*secret|\w*token)"  # noqa: S105

_PAIR = re.compile(
    r"""\s*(?P<key>[^=;{}]+?)\s*=\s*
        (?:\{(?P<braced>(?:[^}]|\}\})*)\}|(?P<plain>(?!\{)[^;]*?))\s*(?:;|$)""",
    re.VERBOSE,
)
_OF_SQL_SERVER = re.compile(r"SQL Server|SQL Native Client|ODBC Driver \d+ for SQL Server", re.I)


class _Url(Protocol):
    """What SQLAlchemy's URL objects offer; plain text works too."""

    def render_as_string(self, *, hide_password: bool) -> str: ...


@dataclass(frozen=True)
class Connection:
    """Where to connect, ready for `pyodbc.connect`.

    Parameters
    ----------
    odbc : str
        The whole ODBC string, with its password; not in the repr.
    masked : str
        The same to show, with `***` as the password.
    server, database : str
        As given, '' where a DSN or the login's default decides.
    dsn : str
        Name of the data source, or ''.

    Example
    -------
    >>> Connection.of("Server=db1;Database=flights;UID=ann;PWD=secret").database
    'flights'
    """

    odbc: str = field(repr=False)
    masked: str
    server: str = ""
    database: str = ""
    dsn: str = ""

    @classmethod
    def of(cls, text: str | _Url | Connection) -> Connection:
        """Read an ODBC string, a SQLAlchemy URL (text or object) or a DSN's name.

        Raises
        ------
        ConfigurationError
            The text is none of them, or names a driver that is not SQL Server's.
        DependencyMissing
            No ODBC driver for SQL Server is on this machine.
        """
        if isinstance(text, Connection):
            return text
        if not isinstance(text, str):
            if not hasattr(text, "render_as_string"):
                raise ConfigurationError(
                    "connection_string must be an ODBC connection string, a SQLAlchemy URL or "
                    f"the name of a DSN, not {type(text).__name__}"
                )
            text = text.render_as_string(hide_password=False)
        return _normalise(text)

    def same_place(self, other: Connection) -> bool:
        """Whether both name the same server and database (as far as text can tell)."""
        return _place(self) == _place(other)

    @property
    def driver(self) -> str:
        """Name or path of the driver, '' where a DSN decides."""
        return parse_odbc(self.odbc).get("Driver", "")

    def __str__(self) -> str:
        """Where and who, in a few words: db1,1433 (database flights, user ann)."""
        user = parse_odbc(self.odbc).get("UID", "")
        told = [
            f"{word} {value}"
            for word, value in (("database", self.database), ("user", user))
            if value
        ]
        return (self.server or f"DSN {self.dsn}") + (f" ({', '.join(told)})" if told else "")


def mask(text: str | _Url | None) -> str:
    """A connection string fit to be shown, whatever it is; never raises.

    Example
    -------
    >>> mask("Server=db1;UID=ann;PWD=secret")
    'Server=db1;UID=ann;PWD=***'
    """
    if text is None:
        return "None"
    if not isinstance(text, str):
        return str(text)  # SQLAlchemy's own URL masks its password
    if "://" in text:
        text = re.sub(r"(://[^:/@?]*):(.*)@", rf"\1:{_SECRET}@", text)
        if "odbc_connect" in text.lower():
            return text.split("?", 1)[0] + "?odbc_connect=" + _SECRET
        return re.sub(rf"(?i)([?&]{_SECRET_KEY}=)[^&]*", rf"\1{_SECRET}", text)
    try:
        return _join(_masked(parse_odbc(text)))
    except ConfigurationError:
        return re.sub(rf"(?is)({_SECRET_KEY}\s*=\s*).*", rf"\1{_SECRET}", text)


def parse_odbc(text: str) -> dict[str, str]:
    """Split an ODBC connection string into its pairs, known keys in their usual spelling.

    A value in braces may hold anything, `}` doubled.  The first of two equal keys wins, as
    in ODBC.  Raises ConfigurationError where the text is no such string.
    """
    pairs: dict[str, str] = {}
    position = 0
    while position < len(text):
        if text[position] in "; \t\r\n":
            position += 1
            continue
        match = _PAIR.match(text, position)
        if not match:
            # The rest may hold the password, so it is not shown.
            raise ConfigurationError(
                f"The connection string is not of the form key=value;... after its first "
                f"{position} characters. Put values with ; or {{ in braces: PWD={{a;b}}"
            )
        braced = match["braced"]
        value = match["plain"] if braced is None else braced.replace("}}", "}")
        key = _SYNONYMS.get(match["key"].lower(), match["key"])
        pairs.setdefault(key, value)
        position = match.end()
    return pairs


def build_odbc(pairs: dict[str, str]) -> str:
    """Put pairs together to an ODBC string, values in braces where they need them.

    Example
    -------
    >>> build_odbc({"Server": "db1", "PWD": "a;b}"})
    'Server=db1;PWD={a;b}}}'
    """
    return _join({key: _quoted(value) for key, value in pairs.items()})


@lru_cache(maxsize=256)
def _normalise(text: str) -> Connection:
    if "://" in text:
        pairs = _pairs_of_url(text)
    elif "=" in text:
        pairs = parse_odbc(text)
    elif text.strip():
        pairs = {"DSN": text.strip()}
    else:
        raise ConfigurationError(
            "The connection string is empty. Give an ODBC connection string "
            "(Server=...;Database=...;...), a SQLAlchemy URL or the name of a DSN."
        )
    for key in _YES_OR_NO & pairs.keys():
        pairs[key] = _SPOKEN.get(pairs[key].lower(), pairs[key])
    if "Server" in pairs:
        pairs["Server"] = _server_name(pairs["Server"])
    if "DSN" not in pairs:
        if "Server" not in pairs:
            raise ConfigurationError(f"No Server= (or DSN=) in the connection string {mask(text)}")
        pairs = {"Driver": _driver(pairs.get("Driver")), **_without(pairs, "Driver")}
    pairs.setdefault("APP", APPLICATION)
    return Connection(
        odbc=build_odbc(pairs),
        masked=_join(_masked(pairs)),
        server=pairs.get("Server", ""),
        database=pairs.get("Database", ""),
        dsn=pairs.get("DSN", ""),
    )


def _pairs_of_url(text: str) -> dict[str, str]:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(f"{mask(text)} is not a URL that SQLAlchemy takes") from error
    if url.get_backend_name() != "mssql":
        raise ConfigurationError(
            f"{mask(text)} names {url.get_backend_name()}, not SQL Server; "
            "use mssql+pyodbc://user:password@server/database"
        )
    if "@" in (url.host or ""):
        raise ConfigurationError(
            "The URL has an @ in its user or password: write it as %40 "
            "(urllib.parse.quote_plus does it)"
        )
    query = {
        key: value if isinstance(value, str) else value[-1] for key, value in url.query.items()
    }
    for key in list(query):
        if key.lower() == "odbc_connect":
            return parse_odbc(query[key])
    pairs = {_SYNONYMS.get(key.lower(), key): value for key, value in query.items()}
    if url.host and not url.database and url.host in _data_sources():
        pairs["DSN"] = url.host  # SQLAlchemy's own rule: a host without a database is a DSN
    elif url.host:
        pairs["Server"] = url.host if url.port is None else f"{url.host},{url.port}"
    if url.database:
        pairs["Database"] = url.database
    if url.username:
        pairs["UID"], pairs["PWD"] = url.username, str(url.password or "")
    elif "DSN" not in pairs:
        pairs.setdefault("Trusted_Connection", "yes")
    return pairs


def _driver(wanted: str | None) -> str:
    """The driver to load: the wanted one if it is there, else one that does its work."""
    if not wanted:
        return find_driver()
    if "/" in wanted or "\\" in wanted:
        return wanted  # the path of a library
    registered: dict[str, str] = {name.lower(): name for name in _pyodbc().drivers()}
    if wanted.lower() in registered:
        return registered[wanted.lower()]
    if not _OF_SQL_SERVER.match(wanted):
        raise ConfigurationError(
            f"The ODBC driver {wanted!r} is not registered on this machine; "
            f"there are: {', '.join(registered.values()) or 'none'}. "
            "Leave Driver= out to let sqlexec choose."
        )
    found = find_driver()
    warnings.warn(
        f"The ODBC driver {wanted!r} is not on this machine; {Path(found).name} takes its place.",
        stacklevel=users_stacklevel(),
    )
    return found


def _server_name(server: str) -> str:
    """'.' and '(local)' mean this machine to Windows' drivers alone."""
    host, comma, rest = server.partition(",")
    if host.strip().lower() in (".", "(local)") and sys.platform != "win32":
        return "localhost" + comma + rest
    return server


def _place(connection: Connection) -> tuple[str, str, str]:
    host, comma, port = connection.server.lower().removeprefix("tcp:").partition(",")
    server = ("localhost" if host in _LOOPBACK else host) + comma + port.strip()
    return server, connection.database.lower(), connection.dsn.lower()


def _masked(pairs: dict[str, str]) -> dict[str, str]:
    return {
        key: _SECRET if re.fullmatch(_SECRET_KEY, key, re.I) else _quoted(value)
        for key, value in pairs.items()
    }


def _quoted(value: str) -> str:
    if re.search(r"[;{}=]|^\s|\s$", value):
        return "{" + value.replace("}", "}}") + "}"
    return value


def _join(pairs: dict[str, str]) -> str:
    return ";".join(f"{key}={value}" for key, value in pairs.items())


def _without(pairs: dict[str, str], key: str) -> dict[str, str]:
    return {name: value for name, value in pairs.items() if name != key}


def _data_sources() -> dict[str, str]:
    sources: dict[str, str] = _pyodbc().dataSources()
    return sources


def _pyodbc() -> Any:
    # Any: pyodbc's stubs differ between its versions.
    import pyodbc

    return pyodbc
