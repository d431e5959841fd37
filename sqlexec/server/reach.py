"""Why a server is not reached: the driver says "Login timeout expired" whatever the cause."""

from __future__ import annotations

import socket

DEFAULT_PORT = 1433
_PATIENCE = 2.0  # seconds


def why_unreachable(server: str) -> str:
    """What a plain TCP connection to a server meets, and what to do about it.

    Parameters
    ----------
    server : str
        As after `Server=`: `host`, `host,port`, `host\\instance`, with or without `tcp:`.

    Returns
    -------
    str
        One or two sentences.

    Example
    -------
    >>> why_unreachable("127.0.0.1,1")
    'Nothing listens at 127.0.0.1, port 1: check the port and that the server runs.'
    """
    host, _, port_text = server.strip().removeprefix("tcp:").partition(",")
    host, _, instance = host.strip().partition("\\")
    port_text = port_text.strip()
    if instance and not port_text:
        return (
            f"The port of the instance {instance} is asked from SQL Server Browser (UDP 1434), "
            "which must run and be reached; or name the port: Server=host,port."
        )
    if port_text and not (port_text.isdecimal() and 0 < int(port_text) < 1 << 16):
        return f"{port_text!r} is no port; write Server=host,port."
    port = int(port_text or DEFAULT_PORT)
    try:
        socket.create_connection((host, port), _PATIENCE).close()
    except socket.gaierror:
        return f"The name {host!r} is not known here: check Server= and the network (VPN?)."
    except ConnectionRefusedError:
        return f"Nothing listens at {host}, port {port}: check the port and that the server runs."
    except OSError:
        return f"No answer from {host}, port {port}: check the network and firewalls (VPN?)."
    return f"Something listens at {host}, port {port}, but did not complete a login in time."
