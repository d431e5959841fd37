"""SqlServerExecutor: functions in the server behind Python's own interface for futures.

submit --> inbox --(as workers become free)--> scheduler --> outcomes --> futures

While all workers are busy what is submitted queues up in the inbox; the next free worker takes a
share of it in one call: half of its own where calls are quick, so that a short function waits for
few long ones.
"""

from __future__ import annotations

import itertools
import math
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import Any, TypeVar

from sqlexec.contexts.active import resolve
from sqlexec.contexts.base import RxComputeContext
from sqlexec.contexts.local_parallel import RxLocalParallel
from sqlexec.contexts.sql_server import RxInSqlServer
from sqlexec.crew import POLL_SECONDS, Handle
from sqlexec.errors import ConfigurationError, SqlExecError
from sqlexec.options import package_names
from sqlexec.plan import Plan
from sqlexec.public import public
from sqlexec.runner.calls import call_each, call_with
from sqlexec.rx.console import show_console
from sqlexec.rx.delivery import Callbacks, warn_again
from sqlexec.rx.remote import attach_remote
from sqlexec.tasks import Outcome, Task

T = TypeVar("T")
QUICK_SECONDS = 0.2  # of a call whose launch, imports among it, costs little


@public
class ExecutorBroken(SqlExecError, BrokenExecutor):
    """The executor's server is not reached or refuses; its cause tells.

    All futures that are not done have it as their exception, and `submit` raises it.
    """


@public
class SqlServerExecutor(Executor):
    """Runs what is submitted in the processes of a compute context.

    Everything that takes a `concurrent.futures.Executor` takes it: `as_completed`, `wait`,
    `asyncio`'s `run_in_executor` and `wrap_future`.  Up to `num_tasks` calls are under way at a
    time; many short functions share a call.

    Parameters
    ----------
    compute_context : RxInSqlServer or RxLocalParallel, or an alias, optional
        Where to run; by default the active context.  Its `packages_to_load`, `console_output`,
        `task_timeout_seconds` and `max_attempts` apply; `execution_timeout_seconds` does not.

    Raises
    ------
    ConfigurationError
        The compute context has no processes that could be cancelled.

    Notes
    -----
    `Future.cancel()` of a function that runs ends its process in the server; others that shared
    its call are run again.  (Where `max_attempts` is 1 nothing may run twice: then a function
    that shares its call runs on, and only its result is dropped.)

    Functions and arguments travel as with rx_exec, except that a data source cannot be one: its
    rows are those of a whole call.  Use the executor in a `with` block, or call `shutdown`: what
    is not done when the interpreter ends is lost.

    Example
    -------
    >>> with SqlServerExecutor(cc) as executor:              # doctest: +SKIP
    ...     future = executor.submit(pow, 2, 10)
    ...     print(future.result(), list(executor.map(abs, [-1, -2])))
    1024 [1, 2]
    """

    def __init__(self, compute_context: RxComputeContext | str | None = None) -> None:
        context = executor_context(compute_context)
        self._work = _Work(context.replace(execution_timeout_seconds=None))
        weakref.finalize(self, self._work.close)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Let a function run with these arguments; see `concurrent.futures.Executor.submit`.

        Raises
        ------
        ExecutorBroken
            The server failed for good.
        RuntimeError
            After `shutdown`.
        """
        if not callable(fn):
            raise ConfigurationError(f"submit needs a callable, not {type(fn).__name__}")
        return self._work.add(fn, args, kwargs)

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[T]:
        """What the function gives for each of the arguments; see `concurrent.futures.Executor.map`.

        Parameters
        ----------
        chunksize : int, default 1
            So many calls are submitted as one: quicker for thousands of short ones, but an
            exception then ends those after it in its chunk.
        """
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if chunksize == 1:
            return super().map(fn, *iterables, timeout=timeout)
        calls = zip(*iterables, strict=False)
        chunks = iter(lambda: list(itertools.islice(calls, chunksize)), [])
        return _chained(super().map(call_each, itertools.repeat(fn), chunks, timeout=timeout))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more functions; see `concurrent.futures.Executor.shutdown`.

        Parameters
        ----------
        wait : bool, default True
            Wait until all that was submitted is done.
        cancel_futures : bool, default False
            Cancel what is not done yet, also what runs.
        """
        self._work.close()
        if cancel_futures:
            self._work.cancel()
        if wait:
            self._work.join()


def executor_context(
    compute_context: RxComputeContext | str | None,
) -> RxInSqlServer | RxLocalParallel:
    """The context that was meant, if an executor can use it; else ConfigurationError."""
    context = resolve(compute_context)
    if not isinstance(context, (RxInSqlServer, RxLocalParallel)):
        raise ConfigurationError(
            f"An executor needs an RxInSqlServer or an RxLocalParallel, "
            f"not {type(context).__name__}"
        )
    return context


def _chained(lists: Iterator[list[T]]) -> Iterator[T]:
    """Their elements; a generator, so that letting go of it lets go of the lists."""
    for each in lists:
        yield from each


class _Future(Future[T]):
    """A future that can be cancelled until it is done.

    To `concurrent.futures` it stays pending until its outcome is there.
    """

    def __init__(self, cancel: Callable[[], None]) -> None:
        super().__init__()
        self._cancel = cancel
        self._settling = threading.RLock()  # outcomes and cancels come from different threads
        self.dealt = False
        self.seconds: float | None = None  # that the function ran, once it is done

    def cancel(self) -> bool:
        """Drop the function, or end it if it runs; False if it is done already."""
        with self._settling:
            if self.done():
                return self.cancelled()
            super().cancel()
            self.set_running_or_notify_cancel()
        self._cancel()
        return True

    def running(self) -> bool:
        """Whether a worker has taken it and it is not done."""
        return self.dealt and not self.done()

    def settle(self, value: Any, error: BaseException | None) -> None:
        """Set the result or the exception, unless it was cancelled."""
        with self._settling:
            if self.done():
                return
            self.set_running_or_notify_cancel()
            if error is not None:
                self.set_exception(error)
            else:
                self.set_result(value)


class _Work:
    """The inbox, the futures that are not done, and the thread that carries them out."""

    def __init__(self, context: RxInSqlServer | RxLocalParallel) -> None:
        self._context = context
        self._callbacks = Callbacks()
        self._console = self._callbacks.kept(context.console_output)
        self._handle = Handle()
        self._indexes = itertools.count()
        self._changed = threading.Condition()
        self._inbox: deque[Task] = deque()
        self._launch = math.inf  # seconds that a call takes besides the function, at the least
        self._futures: dict[int, _Future[Any]] = {}
        self._closed = False
        self._broken: ExecutorBroken | None = None
        self._thread: threading.Thread | None = None

    def add(self, function: Callable[..., T], args: Any, kwargs: Any) -> Future[T]:
        with self._changed:
            if self._broken is not None:
                raise self._broken
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            index = next(self._indexes)
            future: _Future[T] = _Future(lambda: self._handle.cancel(index))
            self._futures[index] = future
            arguments = {"function": function, "args": args, "kwargs": kwargs}
            self._inbox.append(Task(index, arguments))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="sqlexec executor", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()
        return future

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def cancel(self) -> None:
        for future in list(self._futures.values()):
            future.cancel()

    def join(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        context = self._context
        plan = Plan(
            function=call_with,
            shared={},
            tasks=self._deal(),  # type: ignore[arg-type]
            count=None,
            packages=package_names(context.packages_to_load) or (),
            task_timeout=context.task_timeout_seconds,
        )
        try:
            for outcome in itertools.chain.from_iterable(context.carry_out(plan, self._handle)):
                self._settle(outcome)
        except BaseException as error:  # noqa: BLE001 - the futures tell it
            self._break(error)
        self._callbacks.warn()

    def _deal(self) -> Iterator[Task | None]:
        """What is in the inbox, in shares: None where a worker should take no more for now."""
        while True:
            with self._changed:
                if not self._inbox and not self._closed:
                    self._changed.wait(POLL_SECONDS)  # the scheduler may want to stop meanwhile
                share = self._share()
                tasks = [self._inbox.popleft() for _ in range(min(share, len(self._inbox)))]
                if not tasks and self._closed:
                    return
            for task in tasks:
                self._futures[task.index].dealt = True
                yield task
            yield None

    def _share(self) -> int:
        """Of all that is not done, also what runs: how much a worker should take."""
        parts = self._context.workers * (2 if self._launch < QUICK_SECONDS else 1)
        return math.ceil(len(self._futures) / parts)

    def _settle(self, outcome: Outcome) -> None:
        future = self._futures.pop(outcome.index)
        if outcome.call is not None and outcome.ended:
            call_seconds = outcome.call.received - outcome.call.sent
            self._launch = min(self._launch, call_seconds - (outcome.ended - outcome.started))
        attach_remote(outcome, self._context)
        show_console(outcome, self._console)
        future.seconds = outcome.ended - outcome.started
        error = outcome.error
        try:
            for warning in outcome.warnings:
                warn_again(*warning)
        except Warning as raised:  # a filter makes errors of them
            error = error or raised
        future.settle(outcome.value, error)

    def _break(self, error: BaseException) -> None:
        broken = ExecutorBroken(f"The executor is of no more use: {error}")
        broken.__cause__ = error
        with self._changed:
            self._broken = broken
            futures, self._futures = self._futures, {}
            self._inbox.clear()
        for future in futures.values():
            future.settle(None, broken)
