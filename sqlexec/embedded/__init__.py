"""A stand-in for SQL Server on machines without one: demo, development, tests.

    from sqlexec.embedded import EmbeddedServer

    with EmbeddedServer() as server:
        pyodbc.connect(server.connection_string)

It speaks TDS to real drivers and runs external scripts in real Python processes; what it is
not, it says in its errors.
"""

from sqlexec.embedded.server import EmbeddedServer, serve

__all__ = ["EmbeddedServer", "serve"]
