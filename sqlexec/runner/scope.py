"""Where local_state goes: the globals that a function sees."""

from typing import Any, Dict


def globals_of(function: Any) -> Dict[str, Any]:
    """Globals of the function behind partials, bound methods, decorators, callable objects.

    What is written in C has none that anyone could see: a dict of its own.
    """
    for name in ("func", "__func__", "__wrapped__"):
        if not hasattr(function, "__globals__") and hasattr(function, name):
            return globals_of(getattr(function, name))
    if isinstance(function, type):
        function = getattr(function, "__init__", None)
    elif not hasattr(function, "__globals__"):
        function = type(function).__call__
    found = getattr(function, "__globals__", {})  # type: Dict[str, Any]
    return found
