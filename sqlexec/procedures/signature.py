"""What a function takes and gives, out of its annotations."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlexec.errors import ConfigurationError
from sqlexec.procedures.kinds import KINDS

FRAME = "DataFrame"
Type = type | str | None  # a key of KINDS, FRAME, or None where anything goes
REQUIRED = inspect.Parameter.empty


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: its type, whether None may stand in its place, its default or REQUIRED."""

    name: str
    type: Type
    optional: bool
    default: object


@dataclasses.dataclass(frozen=True, slots=True)
class Output:
    """A part of what a function returns, and the expression that takes it out of `result`."""

    name: str
    type: Type
    expression: str


@dataclasses.dataclass(frozen=True, slots=True)
class Signature:
    """Parameters and outputs of a function."""

    parameters: Sequence[Parameter]
    outputs: Sequence[Output]

    @property
    def frame(self) -> Parameter | None:
        """The parameter that takes the rows of the input query."""
        return next((each for each in self.parameters if each.type == FRAME), None)

    @property
    def values(self) -> list[Parameter]:
        """The other parameters."""
        return [each for each in self.parameters if each.type != FRAME]

    @property
    def output_frame(self) -> Output | None:
        """The output that becomes the result set."""
        return next((each for each in self.outputs if each.type == FRAME), None)

    @property
    def output_values(self) -> list[Output]:
        """The outputs that become OUTPUT parameters."""
        return [each for each in self.outputs if each.type != FRAME]


def signature_of(function: Callable[..., object], *, typed: bool = True) -> Signature:
    """Read a function's annotations.

    Parameters
    ----------
    function : function
    typed : bool, default True
        Whether each parameter and the result must have a type of T-SQL; else those without one
        take and give what JSON can say.

    Raises
    ------
    ConfigurationError
        What cannot be a parameter or a result, all of it in one message.

    Example
    -------
    >>> def double(x: int) -> int: ...
    >>> [each.name for each in signature_of(double).parameters]
    ['x']
    """
    if not inspect.isfunction(function) or inspect.iscoroutinefunction(function):
        raise ConfigurationError(f"{function!r} is no plain Python function (def ...)")
    name = function.__qualname__
    try:
        hints = typing.get_type_hints(function)
    except Exception as error:
        raise ConfigurationError(f"{name}: its annotations mean nothing here: {error}") from error
    wrong: list[str] = []
    parameters = list(_parameters(function, hints, typed, wrong))
    outputs = list(_outputs(hints.get("return", REQUIRED), typed, wrong))
    if sum(each.type == FRAME for each in parameters) > 1:
        wrong.append("more than one parameter is a DataFrame")
    if sum(out.type == FRAME for out in outputs) > 1:
        wrong.append("more than one output is a DataFrame")
    named: list[Parameter | Output] = [*parameters]
    named += [each for each in outputs if each.type != FRAME]
    seen: dict[str, Parameter | Output] = {}
    for each in named:
        if not (each.name.isascii() and each.name.isidentifier()):
            wrong.append(f"{each.name!r} is no name of a T-SQL variable")
        other = seen.setdefault(each.name.lower(), each)
        if typed and (other.name, other.type) != (each.name, each.type):
            wrong.append(
                f"@{other.name} and @{each.name} would be one, but T-SQL knows no case"
                if other.name != each.name
                else f"the parameter and the output {each.name} are of different types"
            )
    if wrong:
        raise ConfigurationError(f"The function {name} cannot be used so: {'; '.join(wrong)}.")
    return Signature(parameters, outputs)


def _parameters(
    function: Callable[..., object], hints: dict[str, Any], typed: bool, wrong: list[str]
) -> Iterator[Parameter]:
    for name, each in inspect.signature(function).parameters.items():
        if each.kind not in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY):
            wrong.append(f"{each} cannot be given by its name")
            continue
        kind, optional = _type(hints.get(name, REQUIRED))
        if kind is None and typed:
            wrong.append(f"parameter {name} needs a type: {_KNOWN}")
        if kind == FRAME and (optional or each.default is not REQUIRED):
            wrong.append(f"parameter {name}: a DataFrame takes neither None nor a default")
        if typed and kind in KINDS and not _is_default(each.default, kind, optional):
            wrong.append(f"parameter {name}: its default {each.default!r} is not of its type")
        yield Parameter(name, kind, optional, each.default)


def _is_default(default: object, kind: Type, optional: bool) -> bool:
    if default is REQUIRED or (default is None and optional):
        return True
    return type(default) is kind or (kind is float and type(default) is int)


def _outputs(hint: Any, typed: bool, wrong: list[str]) -> Iterator[Output]:
    if hint is type(None):
        return
    if hint is REQUIRED and typed:
        wrong.append("its result needs a type: -> None, or one of " + _KNOWN)
    for name, each, expression in _parts(hint):
        kind, _ = _type(each)
        if kind is None and typed and hint is not REQUIRED:
            wrong.append(f"output {name} cannot be of type {each!r}: {_KNOWN}")
        yield Output(name, kind, expression)


def _parts(hint: Any) -> Iterator[tuple[str, Any, str]]:
    """Name, type and expression of each part of a result."""
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        names: Sequence[str] = hint._fields
    elif isinstance(hint, type) and dataclasses.is_dataclass(hint):
        names = [each.name for each in dataclasses.fields(hint)]
    elif typing.get_origin(hint) is tuple and ... not in typing.get_args(hint):
        for number, each in enumerate(typing.get_args(hint)):
            yield f"result_{number + 1}", each, f"result[{number}]"
        return
    else:
        yield "result", hint, "result"
        return
    hints = typing.get_type_hints(hint)
    for name in names:
        yield name, hints.get(name), f"result.{name}"


_KNOWN = ", ".join(each.__name__ for each in KINDS) + " or DataFrame"


def _type(hint: Any) -> tuple[Type, bool]:
    """The key of an annotation, and whether it is Optional."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        inner = [each for each in typing.get_args(hint) if each is not type(None)]
        optional = len(inner) < len(typing.get_args(hint))
        return (_type(inner[0])[0] if len(inner) == 1 else None), optional
    if isinstance(hint, type):
        if hint in KINDS:
            return hint, False
        if hint.__name__ == FRAME and hint.__module__.partition(".")[0] == "pandas":
            return FRAME, False
    return None, False
