"""What a task is whose function comes with its arguments."""

import contextlib
import os
import sys
from typing import Any, Callable, Dict, Iterable, Iterator, List, Tuple


def call_with(function: Callable[..., Any], args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
    """Call a function."""
    return function(*args, **kwargs)


def call_each(function: Callable[..., Any], calls: List[Tuple[Any, ...]]) -> List[Any]:
    """Call a function with each of these arguments."""
    return [function(*args) for args in calls]


def call_beside(calls: Iterable[Tuple[Callable[..., Any], Any, Any]], workers: int) -> List[Any]:
    """Call functions one after the other, beside so many workers that do the same.

    Threads of BLAS and OpenMP that are more than the cores wait for each other, so each worker
    has its part of them.  What the functions themselves do by joblib stays in this process.
    """
    with contextlib.ExitStack() as stack:
        try:
            import threadpoolctl
        except ImportError:
            pass
        else:
            cores = max(1, (os.cpu_count() or 1) // workers)
            stack.enter_context(threadpoolctl.threadpool_limits(cores))
        stack.enter_context(_joblib_in_sequence())
        return [function(*args, **kwargs) for function, args, kwargs in calls]


@contextlib.contextmanager
def _joblib_in_sequence() -> Iterator[None]:
    """Let joblib start no processes; it is not loaded for that, which would take a while."""
    joblib = sys.modules.get("joblib")
    if joblib is not None:
        config = getattr(joblib, "parallel_config", None) or joblib.parallel_backend  # before 1.3
        with config("sequential"):
            yield
        return
    name = "JOBLIB_MULTIPROCESSING"  # which it asks when it is loaded
    before = os.environ.get(name)
    os.environ[name] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
