"""What a task is whose function comes with its arguments."""

import os
from typing import Any, Callable, Dict, List, Tuple


def call_with(function: Callable[..., Any], args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
    """Call a function."""
    return function(*args, **kwargs)


def call_each(function: Callable[..., Any], calls: List[Tuple[Any, ...]]) -> List[Any]:
    """Call a function with each of these arguments."""
    return [function(*args) for args in calls]


def call_beside(function: Callable[[], Any], workers: int) -> Any:
    """Call a function that leaves as many cores to each of the other workers.

    Threads of BLAS and OpenMP that are more than the cores wait for each other.
    """
    try:
        import threadpoolctl
    except ImportError:
        return function()
    with threadpoolctl.threadpool_limits(max(1, (os.cpu_count() or 1) // workers)):
        return function()
