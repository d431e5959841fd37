"""RxLocalSeq: runs one after the other in this very process, the default context."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import importlib
import importlib.util
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from sqlexec.contexts.base import RxComputeContext
from sqlexec.data.sources import RxSqlServerData
from sqlexec.errors import DependencyMissing, PackError, TaskTimeout
from sqlexec.options import task_timeout
from sqlexec.plan import Plan
from sqlexec.public import public
from sqlexec.runner.console import Recorder
from sqlexec.runner.limits import TimeLimit
from sqlexec.runner.randomness import seed_run
from sqlexec.runner.scope import globals_of
from sqlexec.tasks import Outcome, Outcomes

_ABSENT = object()


@public
@dataclasses.dataclass(frozen=True)
class RxLocalSeq(RxComputeContext):
    """Runs tasks here, in order.  Their prints and warnings appear as they are issued.

    The function itself is called, so that a debugger can step into it, with copies of its
    arguments, as everywhere.

    Parameters
    ----------
    task_timeout_seconds : float, optional
        For a single run, which then ends with a `TaskTimeout`; None or 0 for no limit.  Code in C
        that nothing interrupts is waited for.

    Example
    -------
    >>> from sqlexec import RxLocalSeq, rx_exec
    >>> rx_exec(pow, base=[2, 3], exp=2, compute_context=RxLocalSeq())
    [4, 9]
    """

    description: ClassVar[str] = "local"

    task_timeout_seconds: float | None = None

    def __post_init__(self) -> None:
        task_timeout(self.task_timeout_seconds)

    def carry_out(self, plan: Plan) -> Iterator[Outcomes]:
        """Run the tasks of a plan; an exception ends up in its outcome."""
        for name in plan.packages:
            try:
                importlib.import_module(name)
            except ImportError as error:
                raise DependencyMissing(
                    f"packages_to_load names {name!r}, which cannot be imported here: {error}"
                ) from error
        stand_in = not _has_revoscalepy()
        shared = _copies(plan.shared)
        for task in plan.tasks:
            outcome = Outcome(task.index, started=time.time(), process_id=os.getpid())
            with _surroundings(plan, task.index, stand_in), _console(plan, outcome):
                try:
                    own = _copies(task.arguments, f" of run {task.index}")
                    with _limited(plan.task_timeout):
                        outcome.value = plan.function(**shared, **own)
                except (Exception, SystemExit) as error:  # noqa: BLE001 - the outcome tells it
                    outcome.error = error
            outcome.ended = time.time()
            yield Outcomes.of([outcome])


@contextlib.contextmanager
def _console(plan: Plan, outcome: Outcome) -> Iterator[None]:
    """Keep what a run writes where the plan wants it; else it is printed at once."""
    if not plan.keep_console:
        yield
        return
    with Recorder() as recorder:
        yield
        outcome.console = recorder.take()


@contextlib.contextmanager
def _limited(seconds: float | None) -> Iterator[None]:
    """Let what runs in it end with a TaskTimeout after so many seconds."""
    if seconds is None:
        yield
        return
    with TimeLimit(seconds, TaskTimeout, fatal=False) as limit:
        limit.start()
        try:
            yield
        except TaskTimeout as error:
            error.args = ("The run took longer than its task_timeout_seconds and was stopped.",)
            raise
        finally:
            limit.stop()


def _copies(arguments: Mapping[str, object], where: str = "") -> dict[str, object]:
    """Arguments that a run may change without changing the caller's."""
    copies: dict[str, object] = {}
    memo: dict[int, object] = {}  # for objects that are in two arguments
    for name, value in arguments.items():
        try:
            kept = isinstance(value, RxSqlServerData)  # it cannot be changed
            copies[name] = value if kept else copy.deepcopy(value, memo)
        except Exception as error:
            raise PackError(
                f"Cannot copy argument {name!r}{where}: {type(error).__name__}: {error}. Make it "
                "inside the function instead, or pass something that can be pickled."
            ) from error
    return copies


@contextlib.contextmanager
def _surroundings(plan: Plan, index: int, stand_in: bool) -> Iterator[None]:
    """What a run finds around it here as in the server, and nothing of it afterwards."""
    with contextlib.ExitStack() as stack:
        if stand_in:
            stack.enter_context(_revoscalepy())
        if plan.local_state:
            stack.enter_context(_globals_with(plan.function, plan.local_state))
        if plan.seed is not None:
            stack.enter_context(_random_streams_kept())
            seed_run(plan.seed, index)
        yield


def _has_revoscalepy() -> bool:
    return "revoscalepy" in sys.modules or importlib.util.find_spec("revoscalepy") is not None


@contextlib.contextmanager
def _revoscalepy() -> Iterator[None]:
    """Let `import revoscalepy` in a function find our names."""
    sys.modules["revoscalepy"] = sys.modules["sqlexec"]
    try:
        yield
    finally:
        sys.modules.pop("revoscalepy", None)


@contextlib.contextmanager
def _globals_with(function: Callable[..., Any], state: Mapping[str, object]) -> Iterator[None]:
    """Variables as globals of the function's module, helper functions there see them too."""
    scope = globals_of(function)
    before = {name: scope.get(name, _ABSENT) for name in state}
    scope.update(state)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is _ABSENT:
                scope.pop(name, None)
            else:
                scope[name] = value


@contextlib.contextmanager
def _random_streams_kept() -> Iterator[None]:
    """Give the caller's own random streams back as they were."""
    numpy = importlib.import_module("numpy") if importlib.util.find_spec("numpy") else None
    state = random.getstate()
    numpy_state = numpy.random.get_state() if numpy else None
    try:
        yield
    finally:
        random.setstate(state)
        if numpy:
            numpy.random.set_state(numpy_state)
