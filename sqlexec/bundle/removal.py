"""Removes the bundle from a database, by its own procedure sqlexec.uninstall."""

from __future__ import annotations

from sqlexec.bundle.installer import place
from sqlexec.server.session import Session


def uninstall(
    connection_string: str,
    *,
    database: str | None = None,
    print_only: bool = True,
    even_if_jobs_run: bool = False,
) -> list[str]:
    """Remove the bundle with all jobs and logs, or only tell the statements that would do it.

    Parameters
    ----------
    connection_string : str
        ODBC string, SQLAlchemy URL or DSN of a login that is db_owner there.
    database : str, default the connection string's
    print_only : bool, default True
        Change nothing.
    even_if_jobs_run : bool, default False
        Do not refuse while durable jobs wait or run.

    Returns
    -------
    list of str
        The statements, in their order; all of them run, or none.

    Raises
    ------
    BundleNotInstalled
        There is none, or one of a version without sqlexec.uninstall: install this one first.
    ConnectionFailed, ServerError
        What the server said.

    Example
    -------
    >>> uninstall("Server=db1;UID=sa;PWD=...", database="flights")[-1]  # doctest: +SKIP
    'DROP SCHEMA sqlexec;'
    """
    session = Session(place(connection_string, database))
    try:
        rows = session.execute(
            "EXECUTE sqlexec.uninstall @print_only = ?, @even_if_jobs_run = ?",
            int(print_only),
            int(even_if_jobs_run),
        )
    finally:
        session.close()
    return [str(statement) for (statement,) in rows]
