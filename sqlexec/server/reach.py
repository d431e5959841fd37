"""Why a server is not reached: the driver says "Login timeout expired" whatever the cause."""

from __future__ import annotations

import socket
from time import perf_counter

from sqlexec.errors import ConnectionFailed

DEFAULT_PORT = 1433
_PATIENCE = 2.0  # seconds


def address(server: str) -> tuple[str, int] | None:
    """Host and port of what stands after `Server=`; None where the driver has to ask for the port.

    Raises
    ------
    ConnectionFailed
        What stands after the comma is no port.

    Example
    -------
    >>> address("tcp:db1,14330"), address("db1"), address("db1\\\\sql2019")
    (('db1', 14330), ('db1', 1433), None)
    """
    host, _, port = server.strip().removeprefix("tcp:").partition(",")
    host, _, instance = host.strip().partition("\\")
    port = port.strip()
    if instance and not port:
        return None
    if port and not (port.isdecimal() and 0 < int(port) < 1 << 16):
        raise _failed(f"{port!r} is no port; write Server=host,port.")
    return host, int(port or DEFAULT_PORT)


def knock(server: str) -> float:
    """Open and close a plain TCP connection to a server.

    Parameters
    ----------
    server : str
        As after `Server=`: `host`, `host,port`, `host\\\\instance`, with or without `tcp:`.

    Returns
    -------
    float
        Seconds that it took.

    Raises
    ------
    ConnectionFailed
        Nobody answers there; the message says what to do about it.
    """
    place = address(server)
    if place is None:
        raise _failed(
            f"The port of {server} is asked from SQL Server Browser (UDP 1434), which must run "
            "and be reached; or name the port: Server=host,port."
        )
    host, port = place
    began = perf_counter()
    try:
        socket.create_connection(place, _PATIENCE).close()
    except socket.gaierror:
        raise _failed(
            f"The name {host!r} is not known here: check Server= and the network (VPN?)."
        ) from None
    except ConnectionRefusedError:
        raise _failed(
            f"Nothing listens at {host}, port {port}: check the port and that the server runs."
        ) from None
    except OSError:
        raise _failed(
            f"No answer from {host}, port {port}: check the network and firewalls (VPN?)."
        ) from None
    return perf_counter() - began


def why_unreachable(server: str) -> str:
    """Why the driver did not get a session: what a plain TCP connection meets, and what to do.

    Example
    -------
    >>> why_unreachable("127.0.0.1,1")
    'Nothing listens at 127.0.0.1, port 1: check the port and that the server runs.'
    """
    try:
        knock(server)
    except ConnectionFailed as error:
        return str(error)
    return f"Something listens at {server}, but did not complete a login in time."


def _failed(message: str) -> ConnectionFailed:
    error = ConnectionFailed(message)
    error.stage = "network"
    return error
