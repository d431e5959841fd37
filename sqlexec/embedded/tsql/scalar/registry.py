"""How functions are written and found: tables by upper-case name.

    @builtin("LEN")                           typed values in, a typed value out
    def _len(text: Typed) -> Typed: ...

    @session_function("DB_NAME", "@@SPID")    the session and bare values in, a typed value out
    def _db_name(session: Session, number: object = ...) -> Typed: ...

`functions` has them all.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlexec.embedded.sqltypes import SqlType

Typed = tuple[object, SqlType]
Function = Callable[..., Typed]

BUILTINS: dict[str, Function] = {}
FUNCTIONS: dict[str, Function] = {}
SYSTEM_VARIABLES: dict[str, Function] = {}  # with their @@


def builtin(*names: str) -> Callable[[Function], Function]:
    """Register a function that depends on its arguments alone."""

    def register(function: Function) -> Function:
        BUILTINS.update(dict.fromkeys(names, function))
        return function

    return register


def session_function(*names: str) -> Callable[[Function], Function]:
    """Register a function or an @@variable that asks the session or the catalog."""

    def register(function: Function) -> Function:
        for name in names:
            (SYSTEM_VARIABLES if name.startswith("@@") else FUNCTIONS)[name] = function
        return function

    return register
