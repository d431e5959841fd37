"""rx_exec: a function, run once for each set of arguments, wherever the compute context says.

arguments -> request -> context.carry_out -> outcomes, as completed
                                             |-> console, warnings, callback
                                             `-> results, in order
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlexec.contexts.base import ConsoleOutput, RxComputeContext
from sqlexec.contexts.sql_server import RxInSqlServer
from sqlexec.errors import ConfigurationError, ConnectionFailed, ConnectionLost, JobNotFound
from sqlexec.public import public
from sqlexec.report import Report
from sqlexec.rx.collect import collect
from sqlexec.rx.debugging import Replay
from sqlexec.rx.delivery import deliver
from sqlexec.rx.job import RxRemoteJob
from sqlexec.rx.remote import shortened
from sqlexec.rx.request import Request, make_request


@public
def rx_exec(
    function: Callable[..., Any],
    args: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    times_to_run: int = -1,
    task_chunk_size: int | None = None,
    compute_context: RxComputeContext | str | None = None,
    local_state: Mapping[str, object] | None = None,
    callback: Callable[[Any], object] | None = None,
    continue_on_failure: bool = True,
    *,
    console_output: ConsoleOutput = None,
    auto_cleanup: bool | None = None,
    packages_to_load: Sequence[str] | str | None = None,
    seed: int | None = None,
    task_timeout_seconds: float | None = None,
    report: bool = False,
    progress: bool = False,
    debug: bool = False,
    **kwargs: Any,
) -> Any:
    """Run a function once for each set of arguments, in parallel where the context can.

    Each call of the server starts with the globals as they are here; of several runs that it
    makes one after the other, later ones see what earlier ones changed there, and in arguments
    that all runs share.

    Parameters
    ----------
    function : callable
        Called with named arguments.
    args : dict or list of dict, optional
        A dict: the arguments of one run, where values in `RxElemArg([...])` make a run each.
        A list of dicts: a run each.  An `RxSqlServerData` becomes the input of the run: in
        RxInSqlServer its rows go straight from the engine into the function's process.
    times_to_run : int, default -1
        Repeat a single set of arguments so many times; several sets must be as many.
    task_chunk_size : int, optional
        Runs per external-script call; by default chosen from what runs and calls take.
    compute_context : RxComputeContext or str, optional
        Where to run; by default the active context.
    local_state : dict, optional
        Variables that the function sees as globals.
    callback : callable, optional
        Called here with what each run gives (its value, or its exception), as it completes.
        One that raises does not stop the job; a `CallbackFailedWarning` at the end tells.
    continue_on_failure : bool, default True
        True: an exception in one of several runs takes that run's place in the list, and a
        `RunFailedWarning` tells.  False: the first exception cancels the rest and is raised.
        The exception of a single run is raised in both cases.
    console_output : bool, "prefix", "log" or callable, optional
        What becomes of what the function wrote, when the call that ran it ends: True prints it,
        each stream to our own; "prefix" prints each line after the run's index, `[3] `; "log"
        gives each line to the logger `sqlexec.console`, stdout's as INFO and stderr's as WARNING,
        with the index as the record's `task`; a function is called with the index, "stdout" or
        "stderr", and a text of one or more lines.  None for the context's setting, False drops
        it.  Of very long output the middle is cut, and a line there says how much.  (RxLocalSeq
        prints at once, unless it is asked for more than True, or for progress.)
    auto_cleanup : bool, optional
        False: the server keeps the job's results and output, for `rx_get_jobs`, until
        `rx_cleanup_jobs`; None for the context's setting.  Callback and console then come when
        the job has ended.
    packages_to_load : list of str, optional
        Modules to import first; None for the context's setting.
    seed : int, optional
        Gives each run a random stream of its own (`random`, `numpy.random`), the same whatever
        the number of processes and chunks.  Generators that the function makes take a seed from
        it: `numpy.random.default_rng(random.getrandbits(128))`; without one they differ each time.
    task_timeout_seconds : float, optional
        Stop a run that takes longer, with a `TaskTimeout`; the others go on.  None for the
        context's setting.
    report : bool, default False
        Give a `Report` beside the results: who ran what when.
    progress : bool, default False
        Show on stderr how many runs are done: as a bar in terminals and notebooks where tqdm is
        installed, else as a line every few seconds.
    debug : bool, default False
        Run the first run that failed once more in this process, with the same arguments, rows,
        local_state and seed, and raise its exception from here, so that a debugger
        (`%debug`, `pdb.pm()`) finds its variables (but globals of local_state, which are gone by
        then).  `NotReproduced` where it does not fail here.
    **kwargs
        The function's arguments, instead of `args`.  A list makes a run of each element, all
        else is the same in each run; a list that is one value is wrapped once more.  Arguments
        that are named like one of the above go into `args`.

    Returns
    -------
    list
        What each run returned, in the order of the arguments.  With `report=True` a tuple of
        that list and the `Report`.
    RxRemoteJob
        Instead, at once, where the context has `wait=False`: its `result()` gives the list.

    Raises
    ------
    ConfigurationError
        An argument cannot be used as given; nothing was sent.
    PackError
        The function or an argument cannot be pickled; the message names the object.
    ConnectionFailed, ConnectionLost, ServerError
        The server is not reached, went away, or refuses.
    Exception
        What the function raised, with the traceback that it had in the server, and `remote`
        (see `sqlexec.errors.SqlExecError`) as an attribute.

    Notes
    -----
    An exception that ends the job, KeyboardInterrupt too, has in its attribute
    `partial_results` what the runs had given by then, by index.

    sqlexec's own frames are left out of tracebacks, unless the environment variable
    SQLEXEC_FULL_TRACEBACK is set.

    The documentation of SQL Server 2017 RC1 has `rx_exec(function, args, local_state,
    compute_context, callback)`; calls with these positions are understood too.

    Example
    -------
    >>> from sqlexec import rx_exec
    >>> rx_exec(lambda x, y: x * y, x=[1, 2, 3], y=10)
    [10, 20, 30]
    """
    __tracebackhide__ = True  # pytest and IPython leave this frame out
    try:
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
        remove = getattr(request.context, "auto_cleanup", True)
        if auto_cleanup is not None:
            remove = auto_cleanup
        context = request.context
        nothing_kept = remove or request.plan.count == 0
        if isinstance(context, RxInSqlServer) and not (context.wait and nothing_kept):
            if debug:
                raise ConfigurationError(
                    "debug=True is for calls that wait: not with wait=False or auto_cleanup=False"
                )
            return _submit(request, context, remove, report)
        return _carry_out(request, report, debug)
    except BaseException as error:  # noqa: BLE001
        raise shortened(error)  # noqa: B904


def _submit(request: Request, context: RxInSqlServer, remove: bool, report: bool) -> Any:
    """Let the server keep the job; gives its results where the context waits for them."""
    job = RxRemoteJob(context)
    try:
        job.submit(request, remove)
        if not context.wait:
            return job
        job.wait(progress=request.progress)
    except KeyboardInterrupt:
        # Kept or not by now, and a server that is away cannot be told.
        with contextlib.suppress(JobNotFound, ConnectionFailed, ConnectionLost):
            job.cancel() if context.wait else job.close()
        raise
    in_order = job.fetch()
    return (in_order, job.report()) if report else in_order


def _carry_out(request: Request, report: bool, debug: bool) -> Any:
    """Run it all from here; gives the results, in order."""
    raises = request.plan.stop_on_error or request.plan.count == 1
    replay = Replay(request) if debug else None
    delivered = replay.watch(deliver(replay.request)) if replay else deliver(request)
    told = Report() if report else None
    if told is not None:
        delivered = told.watch(delivered)
    in_order = collect(delivered, raises=raises, replay=replay.error_of if replay else None)
    return in_order if told is None else (in_order, told)
