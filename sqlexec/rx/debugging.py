"""rx_exec(..., debug=True): a failed run once more, in this process, where a debugger can look."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Any

from sqlexec.contexts.active import located
from sqlexec.contexts.local import RxLocalSeq
from sqlexec.data.sources import RxSqlServerData
from sqlexec.errors import NotReproduced, RemoteError, SqlExecError, TaskTimeout
from sqlexec.runner.main import runtime
from sqlexec.runner.wire import text_of
from sqlexec.rx.delivery import Delivered
from sqlexec.rx.request import Request
from sqlexec.tasks import Outcome, Task


class Replay:
    """Keeps the arguments of the runs of a request until it is known that they do not fail.

    Parameters
    ----------
    request : Request

    Attributes
    ----------
    request : Request
        The one to carry out.
    """

    def __init__(self, request: Request) -> None:
        self._tasks: dict[int, Task] = {}
        tasks = self._kept(request)
        self.request = dataclasses.replace(
            request, plan=dataclasses.replace(request.plan, tasks=tasks)
        )

    def _kept(self, request: Request) -> Iterator[Task]:
        for task in request.plan.tasks:
            self._tasks[task.index] = task
            yield task

    def watch(self, delivered: Delivered) -> Delivered:
        """Pass outcomes on, and forget the arguments of runs that did not fail."""
        with contextlib.closing(delivered):
            for outcomes in delivered:
                for outcome in outcomes:
                    if outcome.error is None:
                        del self._tasks[outcome.index]
                yield outcomes

    def error_of(self, outcome: Outcome) -> BaseException:
        """Run a failed run here and give its exception, with a traceback whose frames are live.

        Or the one that it has: where it ran here in the first place, or was no exception of the
        function's (a run that ends its process would end this one, too).
        """
        error = outcome.error
        assert error is not None
        own = isinstance(error, SqlExecError) and not isinstance(error, (RemoteError, TaskTimeout))
        if own or outcome.process_id == os.getpid():
            return error
        plan, task = self.request.plan, self._tasks[outcome.index]
        plan = dataclasses.replace(
            plan,
            shared=self._located(plan.shared),
            tasks=[Task(task.index, self._located(task.arguments))],
            count=1,
            keep_console=False,
        )
        ((again,),) = RxLocalSeq().carry_out(plan)
        if again.error is None:
            return _not_reproduced(error, outcome)
        again.error.remote = error.remote  # type: ignore[attr-defined]
        return again.error

    def _located(self, arguments: Mapping[str, object]) -> dict[str, object]:
        """Data sources with the connection string by which this process reads their rows."""
        return {
            name: located(value, self.request.context)
            if isinstance(value, RxSqlServerData)
            else value
            for name, value in arguments.items()
        }


def _not_reproduced(error: BaseException, outcome: Outcome) -> NotReproduced:
    found = NotReproduced(
        f"Run {outcome.index} raised {type(error).__name__}: {text_of(error)}; with the same "
        f"arguments it ran here without an error. {_differences(outcome.runtime or {})}"
    )
    found.__cause__ = error
    return found


def _differences(there: Mapping[str, Any]) -> str:
    """What a run finds otherwise here than there, as far as is known."""
    here = runtime()
    packages = {**there.get("packages", {})}
    pairs = [
        ("Python", _version(there.get("python", ())), _version(here["python"])),
        ("platform", there.get("platform"), here["platform"]),
        *((name, packages[name], here["packages"].get(name, "none")) for name in sorted(packages)),
    ]
    told = [f"{name} {theirs} there, {ours} here" for name, theirs, ours in pairs if theirs != ours]
    if told:
        return f"They differ in: {'; '.join(told)}."
    return "Versions are the same: look for files, variables or network that only one side has."


def _version(numbers: Any) -> str:
    return ".".join(map(str, numbers))
