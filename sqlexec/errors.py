"""The one tree of errors that sqlexec raises.

Every message says what happened, on which side, and what to do.  A function's own
exception is not in the tree: it arrives as the type that the function raised, with the
traceback that it had in the server and, as its attribute `remote`, where that was.
"""

from __future__ import annotations

import builtins
import contextlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType, SimpleNamespace
from typing import Any


class SqlExecError(Exception):
    """Base of every error that sqlexec itself raises.

    Attributes
    ----------
    partial_results : mapping of int to object
        Where the error ended a job of several runs: what the runs had given by then, by index.
        Other exceptions that end a job (KeyboardInterrupt, the function's own) get it as well.
    remote : SimpleNamespace or None
        Where an error of a run comes from; exceptions that the function raised get it as well:
        `index` of the run, `server` and `database`, `process_id` (0 where nobody knows),
        `runtime` (a dict: "python", "platform", "packages", ...; empty where nobody knows),
        `console` (the last lines that the run wrote), `traceback` (text, as it was there),
        `chunk` (number of its call) and `attempt`.
    """

    remote: SimpleNamespace | None = None
    partial_results: Mapping[int, object] = MappingProxyType({})


# --- before anything is sent -------------------------------------------------------------


class ConfigurationError(SqlExecError, ValueError):
    """An argument, a connection string or a setting cannot be used as given."""


class DependencyMissing(SqlExecError, ImportError):
    """A package or a driver that this call needs is not installed on this side."""


class PackError(SqlExecError):
    """A function or value cannot be sent; the message names the object at fault.

    `run` is the index of the run whose own argument it is, None where no run could be sent.
    """

    run: int | None = None


class PayloadTooLarge(PackError):
    """A function and its arguments have more bytes than one call can take."""


class NotReproduced(SqlExecError):
    """With debug=True: a run that failed elsewhere did not fail here; its cause is that error."""


# --- the connection ----------------------------------------------------------------------


class ConnectionFailed(SqlExecError, ConnectionError):
    """No session with the server: unreachable, TLS refused, login or database refused.

    `number` is the server's own (18456, 4060, ...), 0 where it never answered.  `stage` is how far
    it went: "driver", "network", "tls", "login" or "database" did not succeed.
    """

    number: int = 0
    stage: str = ""


class ConnectionLost(SqlExecError, ConnectionError):
    """The server or the network went away while a call was under way."""


# --- calls that were stopped -------------------------------------------------------------


class OperationCancelled(SqlExecError):
    """The call was cancelled from this side before it ended."""


class ExecutionTimeout(SqlExecError, TimeoutError):
    """The job took longer than its `execution_timeout_seconds` and was cancelled."""


class TaskTimeout(SqlExecError, TimeoutError):
    """A run took longer than its `task_timeout_seconds` and was stopped; the others went on.

    Its traceback shows where the run was stuck; of one that only the end of its process could
    stop, a `RemoteTraceback` does, its cause.
    """


class TaskCrashed(SqlExecError):
    """A run ends the process that runs it: a crash in C code, os._exit, not enough memory.

    Attributes
    ----------
    attempts : int
        How many calls with this run died.
    exit_status : str
        "exit status 3", "signal 11", or "unknown" where the server does not tell.
    console : str
        The last lines that the run wrote, and where it crashed if Python could still say so.
    """

    attempts: int = 0
    exit_status: str = "unknown"
    console: str = ""


# --- answers of the server ---------------------------------------------------------------


class ServerError(SqlExecError):
    """SQL Server refused or failed a statement.

    Parameters
    ----------
    message : str
        The server's text, followed by what to do where that is known.
    number, severity, state : int
        As in `sys.messages`; 0 where the driver did not tell.
    procedure : str
        Name of the procedure that raised it, '' for a batch.
    line : int
        Line in the procedure or batch, 0 where unknown.

    Attributes
    ----------
    console : sequence of (stream, text)
        What an external script had written before the statement failed.
    query : str
        Of the data source that it may come from, '' where there is none.

    Example
    -------
    >>> error = ServerError("Invalid object name 'dbo.t'.", number=208, severity=16)
    >>> error.number
    208
    """

    def __init__(
        self,
        message: str,
        *,
        number: int = 0,
        severity: int = 0,
        state: int = 0,
        procedure: str = "",
        line: int = 0,
    ) -> None:
        super().__init__(message)
        self.number = number
        self.severity = severity
        self.state = state
        self.procedure = procedure
        self.line = line
        self.console: Sequence[tuple[str, str]] = ()
        self.query = ""

    def __reduce__(self) -> tuple[object, ...]:
        return (_server_error, (type(self), self.args[0], dict(self.__dict__)))


def _server_error(kind: type[ServerError], message: str, fields: dict[str, object]) -> ServerError:
    error = kind(message)
    error.__dict__.update(fields)
    return error


class BundleNotInstalled(ServerError):
    """The database has no sqlexec bundle: a DBA runs `sqlexec install` or sql/install.sql."""


class BundleVersionMismatch(ServerError):
    """The bundle in the database speaks another protocol version than this client."""


class ExternalScriptsDisabled(ServerError):
    """'external scripts enabled' is off, or Machine Learning Services is not there."""


class PermissionDenied(ServerError):
    """The login lacks a permission (229 and its kin); the message names it."""


class TransientServerError(ServerError):
    """The server could not run the script this time (launchpad, limits): worth a retry."""


class LimitReached(TransientServerError):
    """As many external scripts run as the server allows: worth a retry, with fewer at once."""


class ProcessDied(ServerError):
    """The process of an external script ended before it answered.

    `exit_status` is "exit status 3", "signal 11", or "unknown" where the server does not tell;
    `shared` whether another call under way may have ended it.
    """

    exit_status: str = "unknown"
    shared: bool = False


# --- jobs that outlive their call ------------------------------------------------------------


class JobNotFound(ServerError):
    """The server has no such job of this login: never submitted, or removed since."""


class AgentUnavailable(ServerError):
    """SQL Server Agent cannot work for a detached job; the message names the ways out."""


class JobNotFinished(SqlExecError):
    """The job has no results yet, or not within the time that the caller would wait."""


class JobFailed(SqlExecError):
    """The job ended without results of all runs; `partial_results` has those that there are.

    `number` is the server's own: 51730 interrupted, 51731 stopped at the first exception, ...
    """

    number: int = 0


# --- what came back ----------------------------------------------------------------------


class IntegrityError(SqlExecError):
    """Bytes from the other side are cut, changed or signed with another key; not unpickled."""


class ResultCut(IntegrityError):
    """The server's runtime cut a result short on its way out; the tasks ran."""


class UnpackError(SqlExecError):
    """Verified bytes cannot be rebuilt here, for example since a package is missing."""


class RemoteError(SqlExecError):
    """The function raised an exception that cannot be rebuilt on this side.

    `type_name` is the remote type's full name, `remote_traceback` its text.  Where that type is
    derived from ValueError, say, this is a ValueError, too.
    """

    def __init__(self, message: str, *, type_name: str = "", remote_traceback: str = "") -> None:
        super().__init__(message)
        self.type_name = type_name
        self.remote_traceback = remote_traceback

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[object, ...]:
        base = type(self).__bases__[-1].__name__
        return (remote_error, (base, self.args[0]), dict(self.__dict__))


def remote_error(base: str, message: str) -> RemoteError:
    """A RemoteError that is of a builtin class of exceptions, too, if that takes a message."""
    kind = getattr(builtins, base, None)
    if isinstance(kind, type) and issubclass(kind, Exception) and kind is not Exception:
        both: Any = type("RemoteError", (RemoteError, kind), {"__module__": __name__})
        with contextlib.suppress(TypeError):  # it wants other arguments
            found: RemoteError = both(message)
            return found
    return RemoteError(message)


class RemoteTraceback(SqlExecError):
    """The traceback of the other side as text, where there is no more: the cause of an error."""

    def __str__(self) -> str:
        return "\n" + str(self.args[0]) if self.args else ""
