"""The active compute context: the one that rx_exec takes when it is given none."""

from __future__ import annotations

import dataclasses

from sqlexec.contexts.base import ACTIVE, RxComputeContext
from sqlexec.contexts.dopar import RxForeachDoPar
from sqlexec.contexts.local import RxLocalSeq
from sqlexec.contexts.local_parallel import RxLocalParallel
from sqlexec.contexts.sql_server import RxInSqlServer
from sqlexec.data.sources import RxSqlServerData
from sqlexec.errors import ConfigurationError
from sqlexec.public import public

_ALIASES: dict[str, type[RxComputeContext]] = {
    kind.description: kind for kind in (RxLocalSeq, RxLocalParallel, RxForeachDoPar, RxInSqlServer)
}


@public
def rx_get_compute_context() -> RxComputeContext:
    """The active compute context, RxLocalSeq() if none was set."""
    return ACTIVE.get() or RxLocalSeq()


@public
def rx_set_compute_context(compute_context: RxComputeContext | str) -> RxComputeContext:
    """Make a compute context the active one: of the process, or of the `with` block around.

    Parameters
    ----------
    compute_context : RxComputeContext or str
        A context, or an alias: "local", "localpar", "dopar", or "sqlserver" (its connection
        string then comes from the environment variable SQLEXEC_CONNECTION); names of the classes
        do as well.

    Returns
    -------
    RxComputeContext
        The one that was active before.

    Example
    -------
    >>> before = rx_set_compute_context("local")
    >>> rx_set_compute_context(before)
    RxLocalSeq(...)
    """
    previous = rx_get_compute_context()
    ACTIVE.set(resolve(compute_context))
    return previous


def resolve(compute_context: RxComputeContext | str | None) -> RxComputeContext:
    """A context for a context, an alias, or None (the active one)."""
    if compute_context is None:
        return rx_get_compute_context()
    if isinstance(compute_context, RxComputeContext):
        return compute_context
    if isinstance(compute_context, str):
        for alias, kind in _ALIASES.items():
            if compute_context in (alias, kind.__name__):
                return kind()
        if compute_context in ("spark", "RxSpark"):
            raise ConfigurationError(
                "RxSpark is not in this version of sqlexec; for other clusters see RxForeachDoPar, "
                "which takes any backend of joblib's, dask's for one"
            )
        raise ConfigurationError(
            f"Unknown compute context {compute_context!r}; there are "
            f"{', '.join(map(repr, _ALIASES))}"
        )
    raise ConfigurationError(
        f"compute_context must be an RxComputeContext or an alias, not {compute_context!r}"
    )


def resolve_sql_server(compute_context: RxComputeContext | str | None) -> RxInSqlServer:
    """As `resolve`, for what only a server has."""
    found = resolve(compute_context)
    if not isinstance(found, RxInSqlServer):
        raise ConfigurationError(
            f"Jobs that outlive their call live in a SQL Server; the compute context is "
            f"{type(found).__name__}. Pass an RxInSqlServer, or make one the active context."
        )
    return found


def located(source: RxSqlServerData, context: RxComputeContext) -> RxSqlServerData:
    """The data source with a connection string: its own, else the context's or the active one's.

    Raises ConfigurationError where none of them has one.
    """
    for each in (source, context, rx_get_compute_context()):
        if text := getattr(each, "connection_string", None):
            return dataclasses.replace(source, connection_string=text)
    return dataclasses.replace(source, connection_string=source.location)  # which raises
