"""Values as a table's columns take them: conversion on assignment, defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from sqlexec.embedded.catalog import TableColumn
from sqlexec.embedded.sqltypes import MAX, SqlType
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.translate.binder import Binder
from sqlexec.embedded.tsql.translate.casts import cast
from sqlexec.embedded.tsql.translate.dialect import parse
from sqlexec.embedded.tsql.translate.scopes import Scope

if TYPE_CHECKING:
    pass


def default_value(binder: Binder, column: TableColumn) -> exp.Expression:
    """The value of a column that gets none: its DEFAULT, else NULL."""
    if column.default is None:
        return exp.Null()
    holder = exp.Paren(this=parse(f"SELECT {column.default}").expressions[0].copy())
    source = binder.expression(holder.this, Scope(), {})
    return assign(holder.this, source, column)


def assign(value: exp.Expression, source: SqlType | None, column: TableColumn) -> exp.Expression:
    """The value as the column takes it; lengths are checked by the table itself (2628)."""
    type = column.type
    if isinstance(value, exp.Null) or source is None or source == type:
        return value
    if type.is_binary and (source.is_text):
        raise SqlError(
            257, f"Implicit conversion from data type {source.name} to {type.name} is not allowed. "
            "Use the CONVERT function to run this query.",
        )  # fmt: skip
    if type.length is not None:  # do not cut
        if source.is_text == type.is_text and source.is_binary == type.is_binary:
            return value
        return cast(value, source, SqlType(type.name, MAX))
    if source.name == type.name and type.name != "decimal":
        return value
    return cast(value, source, type)
