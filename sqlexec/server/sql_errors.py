"""From what the driver and SQL Server say to the tree in `sqlexec.errors`.

Two ways lead here: the fields of an error that T-SQL caught (`server_error`), and the text of
an exception of pyodbc (`from_driver`), whose form is
"[SQLSTATE] [Vendor][Driver][SQL Server]text (number) (function)", several joined by "; ".
"""

from __future__ import annotations

import re
import textwrap

from sqlexec.errors import (
    AgentUnavailable,
    BundleNotInstalled,
    BundleVersionMismatch,
    ConnectionFailed,
    ConnectionLost,
    ExternalScriptsDisabled,
    JobNotFound,
    LimitReached,
    OperationCancelled,
    PermissionDenied,
    ProcessDied,
    ServerError,
    SqlExecError,
    TransientServerError,
)
from sqlexec.server.connection import Connection
from sqlexec.server.reach import why_unreachable

INSTALL = (
    "A DBA installs it with `sqlexec install CONNECTION`, or runs sql/install.sql "
    "(`sqlexec install --print` writes it) in the database."
)

# Facts: Microsoft's error catalogue (sys.messages), abridged to what an operator can mend.
_DIED = 39012
_NO_DATABASE = 4060
_LIMITS = {39108, 39110, 51751}
_TRANSIENT = {1205, 39011, 39025, 39151, 39152}
_DISABLED = {39020, 39023, 39111}
_OF_SCRIPTS = {39004, 39019}  # raised in a script, or by its runtime
_OF_DERIVED = {156, 319, 1033, 8155, 8156}  # of a query in a FROM clause
_NOT_DERIVED = (
    " The query is put into a FROM clause here, where it takes no WITH and no ORDER BY without "
    "TOP, and each column needs a name of its own. A view may have a WITH."
)
_SHOWN = 300  # characters of a query
_DENIED = {229, 230, 262, 297, 300, 916, 15247, 39007}
_ADVICE = {
    916: "Ask its owner for a user in this database.",
    39012: "Its process died: a crash in C code, os._exit, or not enough memory.",
    39017: "CAST the column in the query to a type that Python takes: float, nvarchar, datetime.",
    39020: "A DBA installs Machine Learning Services with Python on this instance.",
    39021: "The server's Python cannot start; a DBA finds why in its ExtensibilityLog folder.",
    39023: (
        "A DBA runs: EXECUTE sp_configure 'external scripts enabled', 1; RECONFIGURE WITH OVERRIDE;"
    ),
}
_LOGIN_ADVICE = {  # the most telling first: a server sends 18456 beside 4060
    4060: "Check Database= in the connection string, and that the login has a user there.",
    18456: "Check the user and the password (UID=, PWD=), and that the server allows SQL logins.",
    18452: "Windows authentication is not possible from here; use UID= and PWD=.",
}
_OF_JOBS: dict[int, type[ServerError]] = {51710: JobNotFound, 51720: AgentUnavailable}
_OURS = re.compile(r"execute_chunk|submit_job")
_ENDED = re.compile(r"The process ended: (.+?)\.$")  # the embedded server tells
_NUMBERED = re.compile(r"\[SQL Server\]\s*(.*?)\s*\((\d+)\)(?=\s*\(SQL|;\s*\[|$)", re.DOTALL)
_PREFIX = re.compile(r"^(\[[^\]]*\]\s*)+")
_SUFFIX = re.compile(r"\s*(\(-?\d+\)\s*)?\(SQL\w+\)$")
_BROKEN = ("08S01", "08003", "08007", "01000")  # the link fails while a statement runs
_CUT = re.compile(r"communication link|connection is (broken|busy|closed)|TCP Provider", re.I)


def server_error(
    message: str,
    number: int = 0,
    severity: int = 0,
    state: int = 0,
    procedure: str = "",
    line: int = 0,
) -> ServerError:
    """The error of the tree for what the server raised, with what to do about it.

    Example
    -------
    >>> type(server_error("Could not find stored procedure 'sqlexec.execute_chunk'.", 2812))
    <class 'sqlexec.errors.BundleNotInstalled'>
    """
    kind: type[ServerError] = ServerError
    advice = _ADVICE.get(number, "")
    if number == 2812 and "sqlexec" in message:
        kind = BundleNotInstalled
        advice = "The database has no sqlexec bundle, or an older one. " + INSTALL
    elif number == 51701:
        kind, advice = BundleVersionMismatch, INSTALL
    elif number in _OF_JOBS:
        kind = _OF_JOBS[number]
    elif number in (201, 8144, 8145, 8146) and _OURS.search(message + procedure):
        kind = BundleVersionMismatch
        advice = "The bundle in the database is of another version than this client. " + INSTALL
    elif number in _DISABLED:
        kind = ExternalScriptsDisabled
    elif number in _DENIED:
        kind = PermissionDenied
        if number == 229 and "EXECUTE permission" in message and "sqlexec" in message:
            advice = "A DBA runs: ALTER ROLE sqlexec_user ADD MEMBER [your user];"
        elif number == 229 and "EXTERNAL SCRIPT" in message:
            advice = "A DBA runs: GRANT EXECUTE ANY EXTERNAL SCRIPT TO [your user];"
    elif number in _LIMITS:
        kind = LimitReached
    elif number in _TRANSIENT:
        kind = TransientServerError
    elif number == _DIED:
        kind = ProcessDied
    error = kind(
        f"{message} {advice}".strip(),
        number=number,
        severity=severity,
        state=state,
        procedure=procedure,
        line=line,
    )
    if isinstance(error, ProcessDied) and (ended := _ENDED.search(message)):
        error.exit_status = ended[1]
    return error


def blame_query(error: ServerError, query: str, *, derived: bool = False) -> None:
    """Tell an error, and in its text, the data source's query that may have caused it.

    `derived`: it stood in a FROM clause, where not every query can.
    """
    if type(error) in (ServerError, PermissionDenied) and error.number not in _OF_SCRIPTS:
        shown = textwrap.shorten(query, _SHOWN, placeholder=" ...")
        advice = _NOT_DERIVED if derived and error.number in _OF_DERIVED else ""
        error.query = query
        error.args = (f"{error.args[0]}{advice} The data source's query: {shown}", *error.args[1:])


def from_driver(error: Exception) -> SqlExecError:
    """The error of the tree for an exception that pyodbc raised in the middle of a session."""
    sqlstate, text = _parts(error)
    if sqlstate == "HY008":
        return OperationCancelled("The call was cancelled from this side.")
    numbered = _NUMBERED.findall(text)
    if numbered:
        message, number = numbered[0]
        others = "".join(f"\n{more}" for more, _ in numbered[1:])
        return server_error(message + others, int(number))
    if sqlstate in _BROKEN or _CUT.search(text):
        return ConnectionLost(
            f"The server or the network went away while a call was under way ({_plain(text)}). "
            "Whether the call had an effect is not known: see that the server runs, and call again "
            "if the function may run twice."
        )
    return ServerError(f"{_plain(text)} (SQLSTATE {sqlstate})")


def connection_failed(error: Exception, connection: Connection) -> ConnectionFailed:
    """Why there is no session, and what to do, for what `pyodbc.connect` raised."""
    sqlstate, text = _parts(error)
    reasons = [message for message, _ in _NUMBERED.findall(text)] or [_plain(text)]
    numbers = [int(number) for _, number in _NUMBERED.findall(text)]
    number = next((number for number in _LOGIN_ADVICE if number in numbers), 0)
    stage, advice = "network", ""
    if numbers:
        stage = "database" if number == _NO_DATABASE else "login"
        advice = _LOGIN_ADVICE.get(number, "")
    elif re.search(r"certificate|SSL Provider", text, re.I):
        stage = "tls"
        advice = (
            "The server's certificate is not trusted here. Install its authority's certificate "
            "on this machine or, for a server that you trust on a network that you trust, add "
            "TrustServerCertificate=yes to the connection string."
        )
    elif re.search(r"can't open lib|file not found", text, re.I):
        stage = "driver"
        advice = (
            "The ODBC driver's library, or one that it needs (libltdl7, libkrb5, OpenSSL), is "
            f"missing on this machine: {connection.driver}."
        )
    elif sqlstate == "IM002":
        stage = "driver"
        advice = "There is no such DSN or driver here; `odbcinst -q -s` lists the DSNs."
    elif sqlstate in ("08001", "HYT00", "HYT01") and connection.server:
        advice = why_unreachable(connection.server)
    reason = " ".join(map(_sentence, reasons))
    failed = ConnectionFailed(f"No connection to {connection}: {reason} {advice}".strip())
    failed.number = number or (numbers[0] if numbers else 0)
    failed.stage = stage
    return failed


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."


def _parts(error: Exception) -> tuple[str, str]:
    sqlstate = str(error.args[0]) if error.args else ""
    return sqlstate, str(error.args[1]) if len(error.args) > 1 else str(error)


def _plain(text: str) -> str:
    return _SUFFIX.sub("", _PREFIX.sub("", text.split("; [", 1)[0])).strip()
