"""What a task is whose function comes with its arguments."""

from typing import Any, Callable, Dict, Tuple


def call_with(function: Callable[..., Any], args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
    """Call a function."""
    return function(*args, **kwargs)
