"""Arguments of a call -> variables of the procedure, and OUTPUT values back.

Rules and texts of errors: learn.microsoft.com/sql/t-sql/language-elements/execute-transact-sql
"""

from __future__ import annotations

from sqlexec.embedded.results import Argument
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.scalar.conversions import assign
from sqlexec.embedded.tsql.state import Variable
from sqlexec.embedded.tsql.syntax import nodes


def bind(
    name: str,
    parameters: tuple[nodes.Parameter, ...],
    arguments: list[Argument],
    *,
    variadic: bool = False,
    statement: str = "",
) -> dict[str, Variable]:
    """The variables with which a procedure starts, by lower-case name.

    Parameters
    ----------
    name : str
        Of the procedure, for error texts.
    parameters : tuple of nodes.Parameter
    arguments : list of Argument
        By position first, then by name.
    variadic : bool, default False
        Whether arguments beyond the declared ones are let through (they are not bound).
    statement : str, default ''
        The text of a parameterized query: a missing value is then 8178 instead of 201.

    Raises
    ------
    SqlError
        119, 201, 8143, 8144, 8145, 8146, 8162, 8178, and what converting a value raises.
    """
    given = _match(name, parameters, arguments, variadic=variadic)
    variables = {}
    for parameter in parameters:
        argument = given.get(parameter.name.lower())
        if argument is not None and not argument.default:
            if argument.output and not parameter.output:
                raise SqlError.of(8162, parameter.name, state=2)
            value = assign(argument.value, argument.type, parameter.type)
        elif isinstance(parameter.default, nodes.Literal):
            value = assign(parameter.default.value, parameter.default.type, parameter.type)
        elif statement:
            raise SqlError.of(8178, f"({name}){statement}"[:2000], parameter.name)
        else:
            raise SqlError.of(201, name, parameter.name, state=4)
        variables[parameter.name.lower()] = Variable(parameter.type, value)
    return variables


def _match(
    name: str,
    parameters: tuple[nodes.Parameter, ...],
    arguments: list[Argument],
    *,
    variadic: bool,
) -> dict[str, Argument]:
    if arguments and not parameters and not variadic:
        raise SqlError.of(8146, name, state=2)
    known = {parameter.name.lower() for parameter in parameters}
    given: dict[str, Argument] = {}
    named = False
    for position, argument in enumerate(arguments):
        if argument.name:
            named = True
            key = argument.name.lower()
            if key not in known and not variadic:
                raise SqlError.of(8145, argument.name, name, state=2)
        elif named:
            raise SqlError(
                119,
                f"Must pass parameter number {position + 1} and subsequent parameters as "
                "'@name = value'. After the form '@name = value' has been used, all subsequent "
                "parameters must be passed in the form '@name = value'.",
                15,
            )
        elif position < len(parameters):
            key = parameters[position].name.lower()
        elif variadic:
            continue
        else:
            raise SqlError.of(8144, name, state=2)
        if key in given:
            raise SqlError(8143, f"Parameter '{argument.name}' was supplied multiple times.")
        given[key] = argument
    return given


def write_back(
    parameters: tuple[nodes.Parameter, ...],
    arguments: list[Argument],
    variables: dict[str, Variable],
) -> None:
    """Give each OUTPUT argument the value that its parameter ended with."""
    for position, argument in enumerate(arguments):
        if argument.output:
            key = argument.name.lower() or parameters[position].name.lower()
            variable = variables.get(key)
            if variable is not None:
                argument.value = assign(variable.value, variable.type, argument.type)
