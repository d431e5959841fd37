"""From the arguments of rx_exec to a plan: what all runs share, and one task a run.

    args={"x": 1}                  one run            shared x=1
    args=[{"x": 1}, {"x": 2}]      a run per dict     tasks x=1, x=2
    args={"x": RxElemArg([1, 2])}  a run per element  tasks x=1, x=2
    x=[1, 2], y=6                  a run per element  shared y=6, tasks x=1, x=2

Everything that can be wrong with the arguments is found here, before anything is sent.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlexec.errors import ConfigurationError
from sqlexec.options import package_names, whole_number
from sqlexec.options import task_timeout as checked_task_timeout
from sqlexec.public import public
from sqlexec.tasks import Task, TaskColumns

T = TypeVar("T")
_TIMES = "a whole number, 0 or more (-1: as many as args say)"


@public
class RxElemArg(Generic[T]):
    """Values of an argument, one a run, for an `args` dict (R's rxElemArg).

    Parameters
    ----------
    values : iterable
        One value a run. Those with a length are checked against each other before anything
        is sent; an iterator is read as the job goes on, and only as far as the others go, by one
        thread at a time, which need not be the caller's (sqlite3: `check_same_thread=False`).

    Example
    -------
    >>> rx_exec(f, args={"x": RxElemArg([1, 2, 3]), "y": [1, 2]})   # doctest: +SKIP
    """

    def __init__(self, values: Iterable[T]) -> None:
        frame = hasattr(values, "to_dict") and getattr(values, "ndim", 1) > 1
        if frame or isinstance(values, (str, bytes, Mapping)) or not _is_iterable(values):
            raise ConfigurationError(
                f"RxElemArg takes a list (or another iterable) of values, one a run, "
                f"not {type(values).__name__}"
                + ("; for a run of each row give args=frame.to_dict('records')" if frame else "")
            )
        self.values = values

    def __iter__(self) -> Iterator[T]:
        return iter(self.values)

    def __repr__(self) -> str:
        return f"RxElemArg({self.values!r})"


@dataclass(frozen=True)
class Plan:
    """What is to be run, whatever carries it out.

    Parameters
    ----------
    function : callable
    shared : dict
        Arguments that every run gets.
    tasks : sequence or iterable of Task
        An iterable is read once, as workers become free.
    count : int or None
        Number of tasks, None where only the end of an iterator tells.
    local_state : dict
        Variables that the function sees as globals.
    chunk_size : int or None
        Tasks per external-script call; None lets the scheduler choose.
    packages : tuple of str
        Modules to import before the first task.
    seed : int or None
        Of the runs' random streams, one a run whatever the chunks; None leaves them alone.
    stop_on_error : bool
        Whether the first exception cancels the rest.
    task_timeout : float or None
        Seconds that a single run may take.
    keep_console : bool
        Whether outcomes must have what runs wrote, even where that could be printed at once.
    """

    function: Callable[..., Any]
    shared: Mapping[str, object]
    tasks: Iterable[Task]
    count: int | None
    local_state: Mapping[str, object] = field(default_factory=dict)
    chunk_size: int | None = None
    packages: tuple[str, ...] = ()
    seed: int | None = None
    stop_on_error: bool = False
    task_timeout: float | None = None
    keep_console: bool = False


def make_plan(
    function: Callable[..., Any],
    args: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    times_to_run: int = -1,
    task_chunk_size: int | None = None,
    *,
    local_state: Mapping[str, object] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    packages: Sequence[str] | str | None = None,
    seed: int | None = None,
    stop_on_error: bool = False,
    task_timeout: float | None = None,
    keep_console: bool = False,
) -> Plan:
    """Turn the arguments of rx_exec into a plan; see `sqlexec.rx_exec` for what they mean.

    Raises
    ------
    ConfigurationError
        An argument that cannot be used as given; the message names it.

    Example
    -------
    >>> plan = make_plan(pow, kwargs={"base": [2, 3], "exp": 2})
    >>> dict(plan.shared), [task.arguments for task in plan.tasks]
    ({'exp': 2}, [{'base': 2}, {'base': 3}])
    """
    if not callable(function):
        raise ConfigurationError(
            f"function must be callable, not {type(function).__name__}: {function!r}"
        )
    if kwargs and args is not None:
        raise ConfigurationError(
            "Give the function's arguments either in args= or as keywords, not both; "
            f"here are args and {_names(kwargs)}"
        )
    if task_chunk_size is not None:
        task_chunk_size = whole_number("task_chunk_size", task_chunk_size, least=1)
    times_to_run = whole_number("times_to_run", times_to_run, least=-1, meaning=_TIMES)
    if seed is not None:
        seed = whole_number("seed", seed)
    if kwargs:
        args = {
            name: RxElemArg(value) if isinstance(value, list) else value
            for name, value in kwargs.items()
        }
    check = _Signature(function)
    if args is None or isinstance(args, Mapping):
        shared, count, tasks = _from_dict(dict(args or {}), times_to_run, check)
    elif isinstance(args, Sequence) and not isinstance(args, (str, bytes)):
        shared = {}
        count, tasks = _from_list(args, times_to_run, check)
    else:
        raise ConfigurationError(
            "args must be a dict of named arguments (one run) or a list of dicts (a run each), "
            f"not {type(args).__name__}"
        )
    return Plan(
        function=function,
        shared=shared,
        tasks=tasks,
        count=count,
        local_state=_state(local_state),
        chunk_size=task_chunk_size,
        packages=package_names(packages) or (),
        seed=seed,
        stop_on_error=stop_on_error,
        task_timeout=checked_task_timeout(task_timeout),
        keep_console=keep_console,
    )


def _from_dict(
    args: dict[str, Any], times: int, check: _Signature
) -> tuple[dict[str, Any], int | None, Iterable[Task]]:
    check(args)
    split = {name: value for name, value in args.items() if isinstance(value, RxElemArg)}
    shared = {name: value for name, value in args.items() if name not in split}
    if not split:
        return shared, _count(times, 1), TaskColumns({}, range(_count(times, 1)))
    lengths = {
        name: len(each.values) for name, each in split.items() if isinstance(each.values, Sized)
    }
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ConfigurationError(
            f"Arguments with a value for each run must be of one length: {told}. "
            "A list that is one value for all runs is wrapped once more, [[...]], or goes "
            "into args={...} as it is."
        )
    number = next(iter(lengths.values()), None)
    count = None if number is None else _count(times, number)
    columns: dict[str, Sequence[Any]] = {
        name: each.values[:]  # as it is now
        for name, each in split.items()
        if isinstance(each.values, (list, tuple, range))
    }
    if count is not None and len(columns) == len(split):
        columns = {name: _repeated(values, count) for name, values in columns.items()}
        return shared, count, TaskColumns(columns, range(count))
    named = [zip(itertools.repeat(name), each, strict=False) for name, each in split.items()]
    rows: Iterable[tuple[tuple[str, Any], ...]] = zip(*named, strict=False)
    if count is None and times >= 0:
        count, rows = times, itertools.islice(rows, times)
    elif count is not None and count != number:
        rows = _repeated(tuple(rows), count)
    tasks = map(Task, itertools.count(), map(dict, rows))
    if len(lengths) == len(split):
        return shared, count, tasks
    return shared, count, _checked(tasks, count, split)


def _checked(tasks: Iterable[Task], number: int | None, names: Iterable[str]) -> Iterator[Task]:
    """The tasks, one by one; ConfigurationError where they are fewer than the number says."""
    count = 0
    for task in tasks:
        yield task
        count = task.index + 1
    if number is not None and count < number:
        raise ConfigurationError(
            f"An iterator among {', '.join(names)} ended after {count} of {number} runs"
        )


def _from_list(runs: Sequence[Any], times: int, check: _Signature) -> tuple[int, Sequence[Task]]:
    seen: set[tuple[str, ...]] = set()
    for place, run in enumerate(runs):
        if not isinstance(run, Mapping):
            raise ConfigurationError(
                f"args is a list, so each element must be a dict of named arguments; "
                f"element {place} is {type(run).__name__}"
            )
        names = tuple(run)
        if names not in seen:
            check(run, f" in element {place} of args")
            seen.add(names)
        for name, value in run.items():
            if isinstance(value, RxElemArg):
                raise ConfigurationError(
                    f"{name} in element {place} of args is an RxElemArg: a list of dicts has a run "
                    "for each dict already; RxElemArg is for args={...}"
                )
    count = _count(times, len(runs))
    if len(seen) != 1:
        return count, [Task(index, dict(run)) for index, run in enumerate(runs)]
    columns = {name: _repeated([run[name] for run in runs], count) for name in seen.pop()}
    return count, TaskColumns(columns, range(count))


def _count(times: int, sets: int) -> int:
    """How many runs: a single set of arguments repeats; several must be as many as times says."""
    if times in (-1, sets):
        return sets
    if sets != 1:
        raise ConfigurationError(
            f"times_to_run is {times}, but there are arguments for {sets} runs; leave it out"
        )
    return times


def _repeated(values: Sequence[T], count: int) -> Sequence[T]:
    """So many values: these, or a single one again and again."""
    return values if len(values) == count else list(values) * count


class _Signature:
    """Checks names of arguments against what the function takes."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name = getattr(function, "__qualname__", None) or repr(function)
        try:
            self.signature: inspect.Signature | None = inspect.signature(function)
        except (TypeError, ValueError):
            self.signature = None  # some built-in functions do not tell theirs

    def __call__(self, arguments: Mapping[str, Any], where: str = "") -> None:
        for name in arguments:
            if not isinstance(name, str):
                raise ConfigurationError(f"Names of arguments must be text, not {name!r}{where}")
        if self.signature is None:
            return
        try:
            self.signature.bind(**arguments)
        except TypeError as error:
            raise ConfigurationError(
                f"{self.name}{self.signature} cannot be called with the arguments "
                f"({_names(arguments)}){where}: {error}"
            ) from None


def _state(local_state: Mapping[str, object] | None) -> dict[str, object]:
    if local_state is None:
        return {}
    if not isinstance(local_state, Mapping):
        raise ConfigurationError(
            f"local_state must be a dict of variables, not {type(local_state).__name__}"
        )
    for name in local_state:
        if not isinstance(name, str) or not name.isidentifier():
            raise ConfigurationError(f"local_state: {name!r} is no name of a variable")
    return dict(local_state)


def _is_iterable(values: object) -> bool:
    try:
        iter(values)  # type: ignore[call-overload]
    except TypeError:  # also of an array without dimensions
        return False
    return True


def _names(arguments: Mapping[str, Any]) -> str:
    return ", ".join(map(str, arguments)) or "none"
