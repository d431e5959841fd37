"""What a compute context is: where and how a plan is carried out."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from types import TracebackType
from typing import Any, ClassVar, TypeVar

from sqlexec.errors import ConfigurationError
from sqlexec.options import whole_number
from sqlexec.plan import Plan
from sqlexec.public import public
from sqlexec.tasks import Outcomes

# See rx_exec: whether and how to show what runs wrote.
ConsoleOutput = bool | str | Callable[[int, str, str], object] | None
Context = TypeVar("Context", bound="RxComputeContext")


class Active:
    """The active context: of the innermost `with` around the caller, else of the process.

    Each thread, and each task of asyncio, has `with` blocks of its own.
    """

    def __init__(self) -> None:
        self._of_process: RxComputeContext | None = None
        self._within: ContextVar[tuple[RxComputeContext, ...]] = ContextVar("within", default=())

    def get(self) -> RxComputeContext | None:
        """The active context, None if none was set."""
        within = self._within.get()
        return within[-1] if within else self._of_process

    def set(self, context: RxComputeContext) -> None:
        """Put another one in its place."""
        if self._within.get():
            self.leave()
            self.enter(context)
        else:
            self._of_process = context

    def enter(self, context: RxComputeContext) -> None:
        """Begin a `with` block."""
        self._within.set((*self._within.get(), context))

    def leave(self) -> None:
        """End the innermost `with` block."""
        self._within.set(self._within.get()[:-1])


ACTIVE = Active()


@public
@dataclasses.dataclass(frozen=True)
class RxComputeContext(ABC):
    """Base of all compute contexts, which are values: compared by content, never changed.

    In a `with` block a context is the active one of its thread, and the one before is active
    again after it.

    Example
    -------
    >>> with RxInSqlServer("Server=db1;...", num_tasks=4):   # doctest: +SKIP
    ...     results = rx_exec(f, x=[1, 2, 3])
    """

    description: ClassVar[str] = ""
    version: ClassVar[str] = "1"

    @property
    def place(self) -> tuple[str, str]:
        """Server and database where runs are; empty on this machine."""
        return "", ""

    @abstractmethod
    def carry_out(self, plan: Plan) -> Iterator[Outcomes]:
        """Run the tasks of a plan and yield their outcomes as they come.

        Closing the iterator cancels what still runs.
        """

    def replace(self: Context, **changes: Any) -> Context:
        """The same context with some fields changed.

        Example
        -------
        >>> RxInSqlServer("Server=db1;...").replace(num_tasks=2).num_tasks   # doctest: +SKIP
        2
        """
        return dataclasses.replace(self, **changes)

    def _set_whole_number(self, name: str, *, least: int = 0, optional: bool = False) -> None:
        """Make a field an int; ConfigurationError where it is no number of at least `least`."""
        value = getattr(self, name)
        if value is not None or not optional:
            object.__setattr__(self, name, whole_number(name, value, least=least))

    def __enter__(self: Context) -> Context:
        ACTIVE.enter(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        ACTIVE.leave()


def check_console_output(value: object) -> None:
    """Raise ConfigurationError unless this is a ConsoleOutput that rx_exec knows."""
    if not (value is None or isinstance(value, bool) or value in ("prefix", "log")):
        if callable(value):
            return
        raise ConfigurationError(
            'console_output must be True, False, "prefix", "log", or a function of (index, '
            f"stream, text), not {value!r}"
        )


def offer_to_joblib() -> None:
    """Let joblib, where it is loaded, find the backend "sqlexec" by its name."""
    parallel = sys.modules.get("joblib.parallel")
    if parallel is not None:
        parallel.EXTERNAL_BACKENDS.setdefault("sqlexec", _register_joblib)


def _register_joblib() -> None:
    importlib.import_module("sqlexec").register_joblib()


@public
class RxRemoteComputeContext(RxComputeContext):
    """Base of the contexts that run elsewhere; `wait` says whether rx_exec waits for the job."""

    wait: bool
