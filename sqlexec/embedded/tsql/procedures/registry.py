"""How a system procedure is written and found.

    @system_procedure("sp_who", "@loginame sysname = NULL")
    def sp_who(call: Call) -> int: ...

The interpreter binds the caller's arguments by position and name, converts them to the
declared types and hands them over in `Call.values`; OUTPUT values are written back with
`call.set_output`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlexec.embedded.results import Argument, Column

if TYPE_CHECKING:
    from sqlexec.embedded.results import Sink
    from sqlexec.embedded.tsql.state import Session


@dataclass(slots=True)
class Call:
    """One call of a system procedure.

    values : the declared parameters by name without @, converted, defaults filled in.
    arguments : what the caller gave, as given (those beyond the declared ones included when
        the procedure is variadic, such as sp_executesql and sp_execute_external_script).
    result_sets : the columns of EXECUTE ... WITH RESULT SETS, None without the clause, [] for
        WITH RESULT SETS NONE.  The interpreter checks and converts by them what is sent.
    """

    session: Session
    sink: Sink
    values: dict[str, object]
    arguments: list[Argument] = field(default_factory=list)
    result_sets: list[list[Column]] | None = None

    def set_output(self, name: str, value: object) -> None:
        """Give the OUTPUT argument `name` (with its @) a value; ignored if none asked for it."""
        for argument in self.arguments:
            if argument.name.lower() == name.lower() and argument.output:
                argument.value = value


Function = Callable[[Call], int]


@dataclass(frozen=True, slots=True)
class SystemProcedure:
    name: str
    declaration: str  # "@a int, @b nvarchar(10) = N'x', @c int OUTPUT", as in CREATE PROCEDURE
    function: Function
    variadic: bool = False


SYSTEM_PROCEDURES: dict[str, SystemProcedure] = {}  # by lower-case name


def system_procedure(
    name: str, declaration: str = "", *, variadic: bool = False
) -> Callable[[Function], Function]:
    """Register a function as the system procedure `name` (in master, callable from anywhere)."""

    def register(function: Function) -> Function:
        procedure = SystemProcedure(name, declaration, function, variadic)
        SYSTEM_PROCEDURES[name.lower()] = procedure
        return function

    return register
