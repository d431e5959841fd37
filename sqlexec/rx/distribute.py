"""rx_distribute_job: a function written for distributed contexts sends its own work there.

def summed(data, compute_context=None):
    call = rx_match_call(summed, data, compute_context=compute_context)
    if rx_is_distributed_context(compute_context, data):
        return rx_distribute_job({"function": add_up, "rows": data}, call)
    return add_up(data)
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from sqlexec.contexts.active import resolve
from sqlexec.contexts.base import RxComputeContext
from sqlexec.contexts.local import RxLocalSeq
from sqlexec.contexts.sql_server import RxInSqlServer
from sqlexec.data.sources import RxSqlServerData
from sqlexec.errors import ConfigurationError
from sqlexec.plan import RxElemArg
from sqlexec.public import public
from sqlexec.rx.execute import rx_exec
from sqlexec.server.connection import Connection


@public
@dataclasses.dataclass(frozen=True)
class RxMatchCall:
    """A call whose arguments all have their names, as rx_match_call makes it (R's match.call).

    Parameters
    ----------
    function : callable
    arguments : dict
        Those that the call gave; what it left out is not here.
    """

    function: Callable[..., Any]
    arguments: Mapping[str, Any]

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", repr(self.function))
        return f"{name}({', '.join(f'{key}={value!r}' for key, value in self.arguments.items())})"


@public
def rx_match_call(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> RxMatchCall:
    """Name the arguments of a call, without calling.

    Parameters
    ----------
    function : callable
    *args, **kwargs
        As the function would get them.

    Raises
    ------
    ConfigurationError
        The function does not take them, or takes some that have no name (`*args`).

    Example
    -------
    >>> rx_match_call(pow, 2, exp=10)
    pow(base=2, exp=10)
    """
    try:
        signature = inspect.signature(function)
        given = signature.bind(*args, **kwargs).arguments
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"This call of {function!r} cannot be matched: {error}") from None
    arguments: dict[str, Any] = {}
    for name, value in given.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            raise ConfigurationError(
                f"{function!r} takes *{name}, whose values have no names: pass them by keyword"
            )
        arguments.update(value if kind is inspect.Parameter.VAR_KEYWORD else {name: value})
    return RxMatchCall(function, arguments)


@public
def rx_is_distributed_context(
    compute_context: RxComputeContext | str | None = None, data: object = None
) -> bool:
    """Whether a compute context runs things elsewhere or side by side, and the data suits it.

    Parameters
    ----------
    compute_context : RxComputeContext or str, optional
        By default the active one.
    data : RxSqlServerData, DataFrame or other, optional
        Inside SQL Server only data suits that is there: an RxSqlServerData of the same server
        and database, or of no connection of its own.  Contexts on this machine take all.

    Example
    -------
    >>> rx_is_distributed_context(RxLocalSeq())
    False
    """
    context = resolve(compute_context)
    if isinstance(context, RxInSqlServer):
        return data is None or (isinstance(data, RxSqlServerData) and _is_there(data, context))
    return not isinstance(context, RxLocalSeq)


def _is_there(source: RxSqlServerData, context: RxInSqlServer) -> bool:
    if source.connection_string is None:
        return True
    here = Connection.of(context.connection_string)
    return Connection.of(source.connection_string).same_place(here)


@public
def rx_distribute_job(
    match_call_list: Mapping[str, Any],
    match_call: RxMatchCall,
    *,
    task_chunk_size: int | None = None,
) -> Any:
    """Run a function in the compute context that a call names.

    Parameters
    ----------
    match_call_list : dict
        `{"function": callable, **named arguments}`: what to run.  Values in an `RxElemArg` make
        a run each.
    match_call : RxMatchCall
        The call of the caller itself; of its arguments `compute_context` says where to run, by
        default the active context.
    task_chunk_size : int, optional
        Runs that one process gets at a time; see rx_exec.

    Returns
    -------
    object
        What the function returned; a list, in order, where an argument is an RxElemArg; an
        RxRemoteJob where the context does not wait.

    Raises
    ------
    ConfigurationError
        Either argument is not of that form, or the function does not take these arguments.
    Exception
        The first that the function raised; the other runs are cancelled.

    Example
    -------
    >>> call = RxMatchCall(print, {"compute_context": RxLocalSeq()})
    >>> rx_distribute_job({"function": pow, "base": RxElemArg([2, 3]), "exp": 2}, call)
    [4, 9]
    """
    __tracebackhide__ = True
    if not isinstance(match_call, RxMatchCall):
        raise ConfigurationError(
            f"match_call must be an RxMatchCall (rx_match_call(function, ...)), "
            f"not {type(match_call).__name__}"
        )
    if not isinstance(match_call_list, Mapping) or "function" not in match_call_list:
        raise ConfigurationError(
            'match_call_list must be a dict {"function": callable, **named arguments}'
        )
    arguments = dict(match_call_list)
    results = rx_exec(
        arguments.pop("function"),
        arguments,
        task_chunk_size=task_chunk_size,
        compute_context=match_call.arguments.get("compute_context"),
        continue_on_failure=False,
    )
    several = any(isinstance(value, RxElemArg) for value in arguments.values())
    return results if several or not isinstance(results, list) else results[0]
