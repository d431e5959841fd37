"""Calls that the session answers (SUSER_SNAME(), OBJECT_ID('t'), @@ROWCOUNT) inside queries.

DuckDB never sees them: a query's text gets a parameter in their place, and the value is asked
for at each run, so that a kept plan stays right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.scalar.functions import FUNCTIONS, SYSTEM_VARIABLES

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session


def known(name: str) -> bool:
    """Whether the session answers a function of this upper-case name."""
    return name in FUNCTIONS


def call(session: Session, name: str, arguments: Sequence[object]) -> tuple[object, SqlType]:
    """Value and type of a function or of an @@variable."""
    function = (SYSTEM_VARIABLES if name.startswith("@@") else FUNCTIONS).get(name)
    if function is None:
        raise SqlError.of(137, name)
    values = [
        session.frame.variable(a.name).value if isinstance(a, VariableValue) else a
        for a in arguments
    ]
    return function(session, *values)


class VariableValue:
    """An argument that is a variable: read at each run."""

    def __init__(self, name: str) -> None:
        self.name = name


def constants(session: Session, arguments: list[exp.Expression]) -> list[object] | None:
    """Arguments as Python values; None when one of them is neither literal nor variable."""
    found: list[object] = []
    for argument in arguments:
        if isinstance(argument, exp.National):
            found.append(argument.name)
        elif isinstance(argument, exp.Literal):
            found.append(argument.name if argument.is_string else argument.to_py())
        elif isinstance(argument, exp.Null):
            found.append(None)
        elif isinstance(argument, exp.Neg) and isinstance(argument.this, exp.Literal):
            found.append(-argument.this.to_py())  # type: ignore[operator]
        elif isinstance(argument, exp.Parameter) and not isinstance(argument.this, exp.Parameter):
            session.frame.variable(f"@{argument.this.name}")
            found.append(VariableValue(f"@{argument.this.name}"))
        elif isinstance(argument, exp.Anonymous):
            inner = constants(session, argument.expressions)
            name = argument.name.upper()
            if inner is None or not known(name):
                return None
            found.append(call(session, name, inner)[0])
        else:
            return None
    return found
