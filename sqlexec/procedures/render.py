"""A stored procedure's T-SQL out of a typed Python function.

parameters  <- the function's, with their defaults; OUTPUT ones <- what it returns
checks      <- parameters that take no NULL
script      <- script.py
result set  <- the DataFrame that it returns
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlexec.data.literals import literal, quote_column, text_literal
from sqlexec.data.sources import split_name
from sqlexec.errors import ConfigurationError
from sqlexec.procedures.kinds import KINDS
from sqlexec.procedures.script import INPUT, RESULT, Target, kind, procedure_script
from sqlexec.procedures.signature import REQUIRED, Parameter, Signature, signature_of
from sqlexec.version import __version__

MADE_BY = "Made by: sqlexec.create_procedure"  # tells a procedure of ours from others
INPUT_QUERY = "input_query"
_RESERVED = {  # parameters of sp_execute_external_script, and variables of the procedure
    *("language", "script", "input_data_1", "input_data_1_name", "output_data_1_name"),
    *("input_data_1_order_by_columns", "input_data_1_partition_by_columns"),
    *("parallel", "params", "r_rowsperread", "missing", INPUT_QUERY, RESULT),
}
_TEXT_OF = "sqlexec_"  # before the name of a variable that holds a parameter as text


def render_procedure(
    name: str,
    function: Callable[..., object],
    *,
    input_query: str | None = None,
    columns: Mapping[str, type] | None = None,
    decimal_scale: int = 10,
    version: str = "1",
    target: Target = None,
) -> str:
    """The CREATE OR ALTER PROCEDURE statement; parameters and errors as of `create_procedure`.

    Parameters
    ----------
    target : tuple of two ints, optional
        The server's Python, whose syntax the function must have.

    Example
    -------
    >>> print(render_procedure("dbo.double", double))    # doctest: +SKIP
    """
    signature = signature_of(function)
    columns = dict(columns or {})
    _check(function, signature, columns, input_query, decimal_scale)
    script = procedure_script(function, signature, columns, target)
    declared = ",\n    ".join(_parameters(signature, input_query, decimal_scale))
    quoted = quote_procedure(name)
    return (
        f"CREATE OR ALTER PROCEDURE {quoted}\n"
        + (f"    {declared}\n" if declared else "")
        + f"AS\n{_header(function, signature, version)}BEGIN\n"
        "    SET NOCOUNT ON;\n    SET XACT_ABORT ON;\n\n"
        + "\n".join(_body(quoted, signature, script, input_query, columns, decimal_scale))
        + "\nEND;\n"
    )


def quote_procedure(name: str) -> str:
    """A procedure's name with each part in brackets; the schema is dbo where none is named.

    Example
    -------
    >>> quote_procedure("mean delay")
    '[dbo].[mean delay]'
    """
    parts = split_name(name)
    if len(parts) > 2:
        raise ConfigurationError(
            f"{name!r}: name a procedure as schema.name; its database is that of the connection"
        )
    return ".".join(map(quote_column, parts if len(parts) == 2 else ["dbo", *parts]))


def _check(
    function: Callable[..., object],
    signature: Signature,
    columns: Mapping[str, type],
    input_query: str | None,
    decimal_scale: int,
) -> None:
    wrong = []
    names = [each.name for each in signature.values]
    names += [out.name for out in signature.output_values]
    for name in names:
        if name.lower() in _RESERVED or name.lower().startswith(_TEXT_OF):
            wrong.append(f"the name {name} is needed otherwise; choose another")
    for column, type in columns.items():
        if type not in KINDS or type is bytes:
            wrong.append(f"column {column} of its result cannot be of type {type!r}")
    if signature.output_frame is not None and not columns:
        wrong.append("columns={name: type, ...} must tell the columns of its DataFrame")
    if signature.output_frame is None and columns:
        wrong.append("it gives no DataFrame, so takes no columns")
    if signature.frame is None and input_query is not None:
        wrong.append("no parameter of it is a DataFrame, so it takes no input_query")
    if not 0 <= decimal_scale <= 38:
        wrong.append(f"decimal_scale must be from 0 to 38, not {decimal_scale}")
    if wrong:
        raise ConfigurationError(
            f"The function {function.__qualname__} makes no procedure: {'; '.join(wrong)}."
        )


def _parameters(signature: Signature, input_query: str | None, scale: int) -> Iterator[str]:
    given_back = {out.name for out in signature.output_values}
    for each in signature.values:
        default = "" if each.default is REQUIRED else f" = {_default(each)}"
        if each.default is REQUIRED and each.optional:
            default = " = NULL"
        both = " OUTPUT" if each.name in given_back else ""
        yield f"@{each.name} {_sql(each.type, scale)}{default}{both}"
    if signature.frame is not None and input_query is None:
        yield f"@{INPUT_QUERY} nvarchar(max)"
    taken = {each.name for each in signature.values}
    for out in (each for each in signature.output_values if each.name not in taken):
        yield f"@{out.name} {_sql(out.type, scale)} = NULL OUTPUT"


def _sql(type: Any, scale: int) -> str:
    return kind(type).sql.format(scale=scale)


def _default(parameter: Parameter) -> str:
    value = parameter.default
    if parameter.type is datetime.datetime and isinstance(value, datetime.datetime):
        text = "" if value.tzinfo is not None else f"'{value.isoformat(timespec='microseconds')}'"
    else:
        text = literal(value)
    if not text or text.startswith("CAST("):
        raise ConfigurationError(
            f"parameter {parameter.name}: T-SQL has no constant for the default {value!r}"
        )
    return text


def purpose_of(function: Callable[..., object]) -> str:
    """The first paragraph of a function's docstring, in one line."""
    documented = (function.__doc__ or "").strip().split("\n\n")[0]
    return " ".join(documented.split()) or f"run the Python function {function.__name__}."


def _header(function: Callable[..., object], signature: Signature, version: str) -> str:
    rows = "\nand the rights on what the input query reads" if signature.frame else ""
    return (
        "/*\n"
        f"Purpose: {_comment(purpose_of(function))}\n"
        f"Version: {_comment(version)}\n"
        f"{MADE_BY} {__version__} of {_comment(function.__module__)}."
        f"{_comment(function.__qualname__)}.\n\n"
        "The caller needs EXECUTE on this procedure, EXECUTE ANY EXTERNAL SCRIPT in the database"
        f"{rows}.\n*/\n"
    )


def _comment(text: str) -> str:
    """A text that neither ends nor nests the comment that it stands in."""
    return " ".join(text.replace("*/", "* /").replace("/*", "/ *").split())


def _body(
    quoted: str,
    signature: Signature,
    script: str,
    input_query: str | None,
    columns: Mapping[str, type],
    scale: int,
) -> Iterator[str]:
    needed = [each for each in signature.values if not each.optional]
    fixed = signature.frame is not None and input_query is not None
    if needed:
        yield "    DECLARE @missing nvarchar(2048);"
    if signature.output_values:
        yield f"    DECLARE @{RESULT} nvarchar(max);"
    for each in signature.values:
        if into := kind(each.type).into:
            text = into.format(name=f"@{each.name}")
            yield f"    DECLARE @{_TEXT_OF}{each.name} nvarchar(max) = {text};"
    if fixed:
        yield f"    DECLARE @{INPUT_QUERY} nvarchar(max) = {text_literal(str(input_query))};"
    yield f"    DECLARE @script nvarchar(max) = {text_literal(chr(10) + script)};"
    yield ""
    if needed:
        yield from _refuse_null(quoted, needed)
    yield from _execute(signature, columns, scale)
    for out in signature.output_values:
        value = kind(out.type).out_of.format(text="o.value", scale=scale)
        yield (
            f"    SET @{out.name} = (SELECT {value} FROM OPENJSON(@{RESULT}) AS o "
            f"WHERE o.[key] = N'{out.name}');"
        )


def _refuse_null(quoted: str, needed: list[Parameter]) -> Iterator[str]:
    cases = ",\n        ".join(
        f"CASE WHEN @{each.name} IS NULL THEN N' @{each.name}' END" for each in needed
    )
    yield f"    SET @missing = CONCAT(\n        N'',\n        {cases});"
    yield "    IF @missing <> N''"
    yield "    BEGIN"
    said = literal(f"{quoted}: NULL is no value for")
    yield f"        SET @missing = CONCAT({said}, @missing, N'.');"
    yield "        THROW 51740, @missing, 1;"
    yield "    END;"
    yield ""


def _execute(signature: Signature, columns: Mapping[str, type], scale: int) -> Iterator[str]:
    declared = [f"@{each.name} {kind(each.type).script}" for each in signature.values]
    arguments = [
        f"@{each.name} = @{_TEXT_OF if kind(each.type).into else ''}{each.name}"
        for each in signature.values
    ]
    if signature.output_values:
        declared.append(f"@{RESULT} nvarchar(max) OUTPUT")
        arguments.append(f"@{RESULT} = @{RESULT} OUTPUT")
    head = ["@language = N'Python'", "@script = @script"]
    if signature.frame is not None:
        head += [f"@input_data_1 = @{INPUT_QUERY}", f"@input_data_1_name = N'{INPUT}'"]
    if declared:
        head.append(f"@params = N'{', '.join(declared)}'")
    yield "    EXECUTE sys.sp_execute_external_script"
    end = "" if columns else ";"
    yield "        " + ",\n        ".join([*head, *arguments]) + end
    if columns:
        listed = ",\n        ".join(
            f"{quote_column(name)} {KINDS[each].sql.format(scale=scale)} NULL"
            for name, each in columns.items()
        )
        yield f"    WITH RESULT SETS ((\n        {listed}\n    ));"
