"""The script that a procedure runs, or that is stored: definitions, then the call.

result_json = ""                          every OUTPUT parameter has a value early
def f(...)                                the function, and all that it uses
result = f(x=from_sql_int(x), ...)        its arguments
result_json = to_sql_json({...})          its result
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlexec.errors import PackError
from sqlexec.payload.source.script import ScriptText
from sqlexec.procedures.kinds import KINDS, Kind
from sqlexec.procedures.signature import FRAME, Signature, Type
from sqlexec.runner import script_values as glue

INPUT, OUTPUT = "InputDataSet", "OutputDataSet"
RESULT = "result_json"  # the script's only OUTPUT parameter
ARGUMENTS = "args_json"
Target = tuple[int, int] | None


def kind(type: Type) -> Kind:
    """The kind of a parameter's or output's type, which is neither FRAME nor None."""
    return KINDS[type]  # type: ignore[index]


def procedure_script(
    function: Callable[..., object],
    signature: Signature,
    columns: Mapping[str, type],
    target: Target = None,
) -> str:
    """The script of a procedure; its parameters are those of `signature.values` and RESULT."""
    calls = []
    for each in signature.parameters:
        read = INPUT if each.type == FRAME else f"{kind(each.type).read.__name__}({each.name})"
        calls.append(f"    {each.name}={read},\n")
    lines = [_call(function, "".join(calls))]
    if signature.output_values:
        given = "".join(
            f'    "{each.name}": {kind(each.type).give.__name__}({each.expression}),\n'
            for each in signature.output_values
        )
        lines.append(f"{RESULT} = {glue.to_sql_json.__name__}({{\n{given}}})")
    if signature.output_frame is not None:
        listed = "".join(
            f"    ({name!r}, {KINDS[each].give.__name__}),\n" for name, each in columns.items()
        )
        made = f"{glue.to_sql_frame.__name__}({signature.output_frame.expression}, [\n{listed}])"
        lines.append(f"{OUTPUT} = {made}")
    used: list[Callable[..., Any]] = [kind(each.type).read for each in signature.values]
    used += [kind(each.type).give for each in signature.output_values]
    used += [KINDS[each].give for each in columns.values()]
    used += [glue.to_sql_json] * bool(signature.output_values)
    used += [glue.to_sql_frame] * (signature.output_frame is not None)
    names = [each.name for each in signature.values]
    return _script(function, used, names, lines, target)


def stored_script(
    function: Callable[..., object], signature: Signature, target: Target = None
) -> str:
    """The script that takes its arguments as JSON and gives its result as JSON."""
    readers = "".join(
        f'    ("{each.name}", {kind(each.type).read.__name__}),\n'
        for each in signature.values
        if each.type is not None
    )
    arguments = f"**{glue.script_arguments.__name__}({ARGUMENTS}, [\n{readers}])"
    rows = f"    {signature.frame.name}={INPUT},\n" if signature.frame is not None else ""
    lines = [
        _call(function, f"{rows}    {arguments}\n"),
        f"{RESULT} = {glue.to_sql_json.__name__}({{'result': {glue.as_json.__name__}(result)}})",
    ]
    used: list[Callable[..., Any]] = [
        kind(each.type).read for each in signature.values if each.type is not None
    ]
    used += [glue.script_arguments, glue.as_json, glue.to_sql_json]
    return _script(function, used, [ARGUMENTS], lines, target)


def _call(function: Callable[..., object], arguments: str) -> str:
    return (
        f"result = {function.__name__}(\n{arguments})"
        if arguments
        else (f"result = {function.__name__}()")
    )


def _script(
    function: Callable[..., object],
    used: Iterable[Callable[..., Any]],
    parameters: Iterable[str],
    lines: Iterable[str],
    target: Target,
) -> str:
    taken = {*parameters, INPUT, OUTPUT, RESULT, "result"}
    script = ScriptText(taken, target)
    script.add(function.__name__, function)
    for each in dict.fromkeys(used):
        script.add(each.__name__, each)
    text = f'{RESULT} = ""\n\n{script}\n\n' + "\n".join(lines) + "\n"
    try:
        compile(text, f"<script of {function.__qualname__}>", "exec", dont_inherit=True)
    except SyntaxError as error:
        raise PackError(
            f"Cannot write {function.__qualname__!r} as text: line {error.lineno} of its script "
            f"({(error.text or '').strip()}): {error.msg}"
        ) from error
    return text
