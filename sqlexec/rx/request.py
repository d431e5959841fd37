"""What rx_exec is given -> a context and a plan for it, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlexec.contexts.active import resolve
from sqlexec.contexts.base import ConsoleOutput, RxComputeContext, check_console_output
from sqlexec.errors import ConfigurationError
from sqlexec.plan import Plan, make_plan


@dataclass(frozen=True)
class Request:
    """A plan, the context that carries it out, and what is done with its outcomes here."""

    plan: Plan
    context: RxComputeContext
    callback: Callable[[Any], object] | None
    console_output: ConsoleOutput
    progress: bool


def make_request(
    function: Callable[..., Any],
    args: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
    times_to_run: int,
    task_chunk_size: int | None,
    compute_context: RxComputeContext | str | None,
    local_state: Mapping[str, object] | None,
    callback: Callable[[Any], object] | None,
    continue_on_failure: bool,
    *,
    console_output: ConsoleOutput,
    progress: bool,
    packages_to_load: Sequence[str] | str | None,
    seed: int | None,
    task_timeout_seconds: float | None,
    kwargs: Mapping[str, Any],
) -> Request:
    """Check the arguments of `sqlexec.rx_exec`, which tells what they mean.

    Raises
    ------
    ConfigurationError
        An argument that cannot be used as given; the message names it.
    """
    if isinstance(times_to_run, Mapping):  # the positions of RC1
        local_state, compute_context, callback = _by_rc1_positions(
            times_to_run, task_chunk_size, compute_context, local_state, callback
        )
        times_to_run, task_chunk_size = -1, None
    context = resolve(compute_context)
    if callback is not None and not callable(callback):
        raise ConfigurationError(f"callback must be callable, not {type(callback).__name__}")
    if console_output is None:
        console_output = getattr(context, "console_output", None)
    check_console_output(console_output)
    if packages_to_load is None:
        packages_to_load = getattr(context, "packages_to_load", None)
    if task_timeout_seconds is None:
        task_timeout_seconds = getattr(context, "task_timeout_seconds", None)
    plan = make_plan(
        function,
        args,
        times_to_run,
        task_chunk_size,
        local_state=local_state,
        kwargs=kwargs,
        packages=packages_to_load,
        seed=seed,
        stop_on_error=not continue_on_failure,
        task_timeout=task_timeout_seconds,
        keep_console=bool(console_output) and (progress or console_output is not True),
    )
    return Request(plan, context, callback, console_output, bool(progress))


def _by_rc1_positions(
    third: Any, fourth: Any, fifth: Any, local_state: object, callback: Any
) -> tuple[Any, Any, Any]:
    """local_state, compute_context and callback of an RC1 call, where they were 3rd to 5th."""
    if local_state is not None:
        raise ConfigurationError("times_to_run must be a whole number, not a dict")
    if isinstance(fifth, (RxComputeContext, str)):  # given by name, in its GA place
        fourth, fifth = fifth, None
    return third, fourth, fifth if callback is None else callback
