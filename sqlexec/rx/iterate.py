"""rx_exec_iter: the results of rx_exec as they complete."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from sqlexec.contexts.base import ConsoleOutput, RxComputeContext
from sqlexec.public import public
from sqlexec.rx.delivery import Delivered, deliver
from sqlexec.rx.remote import shortened
from sqlexec.rx.request import make_request


@public
def rx_exec_iter(
    function: Callable[..., Any],
    args: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    times_to_run: int = -1,
    task_chunk_size: int | None = None,
    compute_context: RxComputeContext | str | None = None,
    local_state: Mapping[str, object] | None = None,
    callback: Callable[[Any], object] | None = None,
    continue_on_failure: bool = True,
    *,
    ordered: bool = False,
    console_output: ConsoleOutput = None,
    progress: bool = False,
    packages_to_load: Sequence[str] | str | None = None,
    seed: int | None = None,
    task_timeout_seconds: float | None = None,
    **kwargs: Any,
) -> Generator[tuple[int, Any], None, None]:
    """Run a function once for each set of arguments and yield what each run gives, as it does.

    Parameters
    ----------
    ordered : bool, default False
        False: as runs complete.  True: in the order of the arguments; results that come too
        early wait in memory.
    continue_on_failure : bool, default True
        True: the exception of a run is yielded in its place.  False: the first cancels the rest
        and is raised.
    function, args, ..., **kwargs
        As of `rx_exec`; arguments are checked at once, the first run starts with the first
        `next`.

    Yields
    ------
    (int, object)
        Index of the run in the order of the arguments, and what it returned.

    Raises
    ------
    As rx_exec.

    Notes
    -----
    Closing the generator, or leaving the block of a `contextlib.closing`, cancels what still
    runs.  Of an iterator among the arguments (`RxElemArg`) no more is read than runs need.

    Example
    -------
    >>> from sqlexec import rx_exec_iter
    >>> for index, value in rx_exec_iter(lambda x: x * x, x=[2, 3], ordered=True):
    ...     print(index, value)
    0 4
    1 9
    """
    request = make_request(
        function,
        args,
        times_to_run,
        task_chunk_size,
        compute_context,
        local_state,
        callback,
        continue_on_failure,
        console_output=console_output,
        progress=progress,
        packages_to_load=packages_to_load,
        seed=seed,
        task_timeout_seconds=task_timeout_seconds,
        kwargs=kwargs,
    )
    return _pairs(deliver(request), ordered, request.plan.stop_on_error)


def _pairs(
    delivered: Delivered, ordered: bool, raises: bool
) -> Generator[tuple[int, Any], None, None]:
    __tracebackhide__ = True
    try:
        waiting: dict[int, Any] = {}
        index = 0  # of the next
        with contextlib.closing(delivered):
            for outcome in itertools.chain.from_iterable(delivered):
                if raises and outcome.error is not None:
                    raise outcome.error
                waiting[outcome.index] = outcome.given
                if not ordered:
                    index = outcome.index
                while index in waiting:
                    yield index, waiting.pop(index)
                    index += 1
    except BaseException as error:  # noqa: BLE001
        raise shortened(error)  # noqa: B904
