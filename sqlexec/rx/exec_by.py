"""rx_exec_by: a function for each group of the rows, inside the server where the data is there.

groups of the keys (from the server) --filter_function--> groups to run
  -> a run each, with its own query: WHERE key = value --rx_exec_iter--> result and status
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlexec.contexts.active import located, resolve
from sqlexec.contexts.base import RxComputeContext
from sqlexec.data.partitions import Partition, partitions_of
from sqlexec.data.reading import import_pandas
from sqlexec.data.sources import RxSqlServerData
from sqlexec.errors import ConfigurationError
from sqlexec.plan import RxElemArg
from sqlexec.public import public
from sqlexec.rx.iterate import rx_exec_iter

if TYPE_CHECKING:
    from sqlexec.rx.exec_by_results import RxExecByResults

OK = "OK"


@public
def rx_exec_by(
    input_data: Any,
    keys: str | Sequence[str],
    function: Callable[..., Any],
    function_parameters: Mapping[str, Any] | None = None,
    filter_function: Callable[[Any], Any] | None = None,
    compute_context: RxComputeContext | str | None = None,
    **options: Any,
) -> RxExecByResults:
    """Run a function once for each group of the rows, in parallel where the context can.

    Parameters
    ----------
    input_data : RxSqlServerData or DataFrame
    keys : str or list of str
        Columns whose values make the groups; NULL is a value like others.
    function : callable
        Called with `keys`, a dict of column -> value, and `data`, the rows of the group: read
        them with `rx_data_step(data)`.
    function_parameters : dict, optional
        More named arguments, the same in each run.
    filter_function : callable, optional
        Gets a DataFrame of the keys, a row a group, and returns the rows to run.
    compute_context : RxComputeContext or str, optional
        By default the active one.
    **options
        Of rx_exec: console_output, progress, packages_to_load, local_state, seed, callback,
        task_timeout_seconds.

    Returns
    -------
    RxExecByResults
        A DataFrame indexed by the keys, in their order, with the columns `result` (None where the
        function raised) and `status` ("OK", or the exception).

    Raises
    ------
    ConfigurationError
        An argument cannot be used as given; nothing was run.
    ServerError
        The query of the data fails, or lacks a key.

    Example
    -------
    >>> rx_exec_by(flights, "Carrier", lambda keys, data: len(rx_data_step(data)))
    ...     # doctest: +SKIP
             result status
    Carrier
    AA        32729     OK
    """
    names = _names(keys)
    if not isinstance(function_parameters or {}, Mapping):
        raise ConfigurationError(
            f"function_parameters must be a dict of arguments, not {function_parameters!r}"
        )
    if filter_function is not None and not callable(filter_function):
        raise ConfigurationError(f"filter_function must be a function, not {filter_function!r}")
    parameters = dict(function_parameters or {})
    if taken := {"keys", "data"} & parameters.keys():
        raise ConfigurationError(
            f"function_parameters: the function gets {', '.join(sorted(taken))} from rx_exec_by"
        )
    context = resolve(compute_context)
    groups = _groups(input_data, names, context)
    if filter_function is not None:
        groups = _kept(groups, names, filter_function)
    results: list[Any] = [None] * len(groups)
    status: list[Any] = [OK] * len(groups)
    arguments = {
        **parameters,
        "keys": RxElemArg([dict(zip(names, group.values, strict=True)) for group in groups]),
        "data": RxElemArg([group.data for group in groups]),
    }
    for place, result in rx_exec_iter(function, arguments, compute_context=context, **options):
        if isinstance(result, BaseException):
            status[place] = result
        else:
            results[place] = result
    from sqlexec.rx.exec_by_results import RxExecByResults  # a class that needs pandas

    found: RxExecByResults = RxExecByResults(
        _frame({"result": results, "status": status}, groups, names)
    )
    return found


@public
def rx_get_partitions(
    input_data: Any,
    keys: str | Sequence[str],
    compute_context: RxComputeContext | str | None = None,
) -> Any:
    """The groups of the rows that rx_exec_by makes.

    Parameters
    ----------
    input_data, keys, compute_context
        As of rx_exec_by.

    Returns
    -------
    DataFrame
        Indexed by the keys, with the column `data_source`: the rows of each group, as an
        RxSqlServerData or a DataFrame.

    Example
    -------
    >>> rx_get_partitions(flights, "Carrier").loc["AA", "data_source"].head()   # doctest: +SKIP
    """
    names = _names(keys)
    groups = _groups(input_data, names, resolve(compute_context))
    return _frame({"data_source": [group.data for group in groups]}, groups, names)


def _names(keys: str | Sequence[str]) -> list[str]:
    names = [keys] if isinstance(keys, str) else list(keys) if isinstance(keys, Iterable) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise ConfigurationError(f"keys must be a column's name, or a list of names, not {keys!r}")
    return names


def _groups(data: Any, names: list[str], context: RxComputeContext) -> list[Partition]:
    if isinstance(data, RxSqlServerData):
        data = located(data, context)
    return partitions_of(data, names)


def _kept(
    groups: list[Partition], names: list[str], filter_function: Callable[[Any], Any]
) -> list[Partition]:
    """The groups whose rows the filter returns; it may put them in another order."""
    pandas = import_pandas()
    frame = pandas.DataFrame([group.values for group in groups], columns=names)
    kept = filter_function(frame)
    if not isinstance(kept, pandas.DataFrame) or not kept.index.isin(frame.index).all():
        raise ConfigurationError(
            "filter_function must return rows of the DataFrame that it is given, with their index"
        )
    return [groups[place] for place in kept.index]


def _frame(columns: Mapping[str, list[Any]], groups: list[Partition], names: list[str]) -> Any:
    """Columns of any objects, indexed by the groups' keys."""
    pandas = import_pandas()
    values = [group.values for group in groups]
    if len(names) == 1:
        index = pandas.Index([value for (value,) in values], name=names[0])
    else:
        index = pandas.MultiIndex.from_tuples(values, names=names)
    series = {name: pandas.Series(each, index, dtype=object) for name, each in columns.items()}
    return pandas.DataFrame(series, index)
