"""What the server's Python is: sqlexec.runtime(cc)."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field

from sqlexec.contexts.sql_server import RxInSqlServer
from sqlexec.errors import UnpackError
from sqlexec.payload.packing import transport
from sqlexec.public import public
from sqlexec.rx.execute import rx_exec
from sqlexec.server import runtimes
from sqlexec.server.connection import Connection


@public
@dataclass(frozen=True)
class Runtime:
    """The Python that runs the functions of a compute context.

    Attributes
    ----------
    python : str
        Its version, as "3.10.2".
    implementation, platform : str
        As platform.python_implementation() and sys.platform say there.
    packages : dict of str to str
        Versions of the packages that a call has had loaded (numpy, pandas, ...).
    transport : str
        How functions go there: "bytecode" (the same minor version as here) or "source".
    way_out : str
        How long results come back: "output" (in a varbinary(max) OUTPUT parameter), or "rows" (as
        text in a result set) where the server's runtime cuts OUTPUT values or copies them slowly.
    """

    python: str
    implementation: str
    platform: str
    packages: dict[str, str] = field(default_factory=dict)
    transport: str = "bytecode"
    way_out: str = "output"


@public
def runtime(compute_context: RxInSqlServer) -> Runtime:
    """Tell what the server's Python is, from its last answer, else by one empty call.

    Parameters
    ----------
    compute_context : RxInSqlServer
        Where to look.

    Raises
    ------
    ConnectionFailed, ServerError
        As rx_exec raises them, where nobody has asked that server yet.

    Example
    -------
    >>> runtime(cc).python    # doctest: +SKIP
    '3.10.2'
    """
    connection = Connection.of(compute_context.connection_string)
    known = runtimes.known(connection)
    if known is None:
        waiting = compute_context.replace(wait=True, auto_cleanup=True)
        rx_exec(platform.python_version, compute_context=waiting)
        known = runtimes.known(connection)
    if known is None:
        raise UnpackError("The server's answer did not tell its Python.")
    return Runtime(
        ".".join(map(str, known["python"])),
        known["implementation"],
        known["platform"],
        dict(known["packages"]),
        transport(known),
        runtimes.way_out(connection),
    )
