"""Parallel external memory algorithms: an answer from all rows of a table, few at a time.

    slices of the table's key --rx_exec_iter--> a worker each, inside the server
      (or chunks of a frame)                      copy of the object . process_data(rows)
    object . update_results(worker) . ...  <----- the copy's fields
    object . process_results() -> answer;  has_converged()? else another pass

A slice costs a call of the external script, since a script gets all the rows of its query as
one frame: the larger `rows_per_read`, the fewer calls, and the more memory each takes.  The
slices do not depend on `num_tasks`, and workers' objects are folded in the slices' order, so
that the answer is the same for any number of workers, to the last bit where a key orders the
rows.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import time
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlexec.contexts.active import resolve
from sqlexec.contexts.base import RxComputeContext
from sqlexec.contexts.local import RxLocalSeq
from sqlexec.data.sources import RxSqlServerData
from sqlexec.errors import ConfigurationError
from sqlexec.options import whole_number
from sqlexec.plan import RxElemArg
from sqlexec.public import public
from sqlexec.runner.pema import PemaBase, process_rows
from sqlexec.rx.chunks import Chunks, Output
from sqlexec.rx.distribute import rx_is_distributed_context
from sqlexec.rx.iterate import rx_exec_iter

if TYPE_CHECKING:
    import pandas

_OWN = {"max_iters", "report_progress", "trace_level"}  # fields of PemaBase itself


@public
class NotConvergedWarning(UserWarning):
    """An iterative algorithm made its `max_iters` passes and has not converged."""


@public
def pema_compute(
    pema_obj: PemaBase,
    data: RxSqlServerData | pandas.DataFrame | None = None,
    out_data: RxSqlServerData | None = None,
    overwrite: bool = False,
    append: str = "none",
    compute_context: RxComputeContext | str | None = None,
    init_pema: bool = True,
    *,
    key: str | None = None,
    **fields: Any,
) -> Any:
    """Run an algorithm over all rows of the data, chunk by chunk, and give its answer.

    In RxInSqlServer, with data that is there (`rx_is_distributed_context`), each chunk is a
    task inside the server, up to `num_tasks` at a time; the rows never come here.  In contexts
    that have processes on this machine each process reads its chunks; else they are taken one
    after the other here.

    Parameters
    ----------
    pema_obj : PemaBase
        The algorithm.  It is changed: afterwards it has the sums and the answer.
    data : RxSqlServerData or DataFrame
        At most its `rows_per_read` rows (of a DataFrame 50,000) are in a chunk.
    out_data : RxSqlServerData, optional
        A table for the DataFrames that process_data returns, of an algorithm of a single pass;
        not the one that is read.  They come here and are written from here, a chunk at a time,
        in the chunks' order.
    overwrite : bool, default False
        Make an `out_data` that exists anew.
    append : "none" or "rows", default "none"
        Add rows to an `out_data` that exists.
    compute_context : RxComputeContext or str, optional
        By default the active one.
    init_pema : bool, default True
        False: go on from the object as it is.  One of a single pass adds the data to what it
        has seen already; an iterative one begins with the parameters that it has found.
    key : str, optional
        The column by whose ranges the rows are cut into chunks for workers.  By default
        the primary key of a table, where it is one column, else a checksum of all columns;
        chunks then scan the whole table each.
    **fields
        Fields of the object: `max_iters`, `report_progress`, `trace_level`; the others go to
        its `initialize`.

    Returns
    -------
    object
        What `process_results` gave after the last pass.

    Raises
    ------
    ConfigurationError
        The object, the data or a field cannot be used so; nothing was computed.
    SqlExecError
        A chunk came with more or fewer rows than were counted: the table was changed meanwhile.
    Exception
        What the object's methods raised, as of `rx_exec`.

    Example
    -------
    >>> flights = RxSqlServerData(table="dbo.flights", rows_per_read=100_000)
    >>> pema_compute(Mean(column="ArrDelay"), flights, compute_context=cc)   # doctest: +SKIP
    6.89
    """
    __tracebackhide__ = True
    _check(pema_obj)
    if out_data is not None and _is_iterative(pema_obj):
        raise ConfigurationError("out_data is for algorithms of a single pass, not iterative ones")
    context = resolve(compute_context)
    output = Output(out_data, context, overwrite, append, data)
    if not rx_is_distributed_context(context, data):
        context = RxLocalSeq()
    with _unchanged_by_errors(pema_obj):
        _set_fields(pema_obj, fields, init_pema)
        chunks = Chunks(data, context, key)
        for _ in range(pema_obj.max_iters):
            started = time.perf_counter()
            pema_obj.iter += 1
            rows = _one_pass(pema_obj, chunks, output, context)
            answer = pema_obj.process_results()
            if pema_obj.report_progress:
                seconds = time.perf_counter() - started
                print(f"{_name(pema_obj)}: pass {pema_obj.iter}, {rows:,} rows in {seconds:.2f} s")
            if pema_obj.has_converged():
                return answer
    warnings.warn(
        f"{_name(pema_obj)} has not converged in {pema_obj.max_iters} passes (max_iters)",
        NotConvergedWarning,
        stacklevel=2,
    )
    return answer


def _one_pass(pema_obj: PemaBase, chunks: Chunks, output: Output, context: RxComputeContext) -> int:
    """Show the workers all rows and fold what they found; gives how many rows."""
    __tracebackhide__ = True
    pema_obj.init_iteration()
    start = _worker(pema_obj)
    found = rx_exec_iter(
        process_rows,
        {"pema_obj": start, "data": RxElemArg(chunks()), "rows_wanted": output.wanted},
        task_chunk_size=1,  # so that a process has no more rows than these
        compute_context=context,
        continue_on_failure=False,
        ordered=True,
    )
    total = 0
    worker = copy.copy(start)
    with contextlib.closing(found):
        for place, (rows, state, frame) in found:
            chunks.check(place, rows)
            output.write(frame)
            vars(worker).clear()
            vars(worker).update(state)
            pema_obj.update_results(worker)
            total += rows
    return total


@contextlib.contextmanager
def _unchanged_by_errors(pema_obj: PemaBase) -> Iterator[None]:
    """An exception leaves the object as it was."""
    before = copy.deepcopy(vars(pema_obj))
    try:
        yield
    except BaseException:
        vars(pema_obj).clear()
        vars(pema_obj).update(before)
        raise


def _worker(pema_obj: PemaBase) -> PemaBase:
    """What each worker starts from: the object with nothing in its sums."""
    start = copy.deepcopy(pema_obj)
    if not _is_iterative(start):
        start.initialize(**start._fields)
        start.init_iteration()
    return start


def _set_fields(pema_obj: PemaBase, fields: dict[str, Any], init_pema: bool) -> None:
    """Give the object its fields: those of PemaBase as they are, the others to initialize."""
    fields = {**pema_obj._fields, **fields}
    own = {name: fields.pop(name) for name in _OWN & fields.keys()}
    own["max_iters"] = whole_number("max_iters", own.get("max_iters", pema_obj.max_iters), least=1)
    try:
        inspect.signature(pema_obj.initialize).bind(**fields)
    except TypeError as error:
        raise ConfigurationError(
            f"{_name(pema_obj)}.initialize cannot be called with the fields "
            f"({', '.join(fields) or 'none'}): {error}"
        ) from None
    pema_obj._fields = fields
    vars(pema_obj).update(own)
    if init_pema:
        pema_obj.iter = 0
        pema_obj.initialize(**copy.deepcopy(fields))  # it may add to them


def _check(pema_obj: PemaBase) -> None:
    if not isinstance(pema_obj, PemaBase):
        raise ConfigurationError(
            f"pema_obj must be an object of a class derived from PemaBase, "
            f"not {type(pema_obj).__name__}"
        )
    kind = type(pema_obj)
    for name in ("process_data", "update_results"):
        if getattr(kind, name) is getattr(PemaBase, name):
            raise ConfigurationError(f"{_name(pema_obj)} needs a method {name}")
    if any(getattr(each, "__slots__", ()) for each in kind.__mro__):
        raise ConfigurationError(
            f"{_name(pema_obj)} has __slots__, whose values do not travel: do without"
        )
    if _is_iterative(pema_obj):
        if kind.init_iteration is PemaBase.init_iteration:
            raise ConfigurationError(
                f"{_name(pema_obj)} has a method has_converged, so it needs init_iteration, too, "
                "which sets its sums to nothing before each pass"
            )
    elif kind.__init__ is not PemaBase.__init__ and kind.initialize is PemaBase.initialize:
        raise ConfigurationError(
            f"{_name(pema_obj)} has an __init__, so it needs initialize, too, which sets its sums "
            "to nothing, for each worker as well"
        )


def _is_iterative(pema_obj: PemaBase) -> bool:
    """Whether it may need several passes: it has a has_converged of its own."""
    return type(pema_obj).has_converged is not PemaBase.has_converged


def _name(pema_obj: PemaBase) -> str:
    return type(pema_obj).__name__
