"""sp_describe_undeclared_parameters: the types that a statement wants for its parameters.

Drivers ask it for the type of a parameter whose value is None.  A parameter's type is that of the
column it is inserted into, assigned to or compared with, of the CAST around it, or of the
procedure's parameter it is given to; where that is not so, error 11502 is the answer, as a real
server gives it, and drivers take varchar(1).

learn.microsoft.com/sql/relational-databases/system-stored-procedures/sp-describe-undeclared-parameters-transact-sql
"""

from __future__ import annotations

from sqlglot import exp

from sqlexec.embedded.catalog import TableColumn
from sqlexec.embedded.catalog.types import describe
from sqlexec.embedded.results import Column, ResultSet
from sqlexec.embedded.sqltypes import BIT, INT, MAX, SYSNAME, SqlType
from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.procedures.registry import Call, system_procedure
from sqlexec.embedded.tsql.state import Session
from sqlexec.embedded.tsql.syntax import lexer, nodes
from sqlexec.embedded.tsql.syntax.statements import (
    parse_batch,
    parse_parameters,
    parse_procedure,
    variable_type,
)
from sqlexec.embedded.tsql.translate.dialect import parse

_TINYINT, _SMALLINT = SqlType("tinyint"), SqlType("smallint")
_COLUMNS = [
    Column("parameter_ordinal", INT, nullable=False), Column("name", SYSNAME, nullable=False),
    Column("suggested_system_type_id", INT, nullable=False),
    Column("suggested_system_type_name", SqlType("nvarchar", 256)),
    Column("suggested_max_length", _SMALLINT, nullable=False),
    Column("suggested_precision", _TINYINT, nullable=False),
    Column("suggested_scale", _TINYINT, nullable=False),
    Column("suggested_user_type_id", INT), Column("suggested_user_type_database", SYSNAME),
    Column("suggested_user_type_schema", SYSNAME), Column("suggested_user_type_name", SYSNAME),
    Column("suggested_assembly_qualified_type_name", SqlType("nvarchar", 4000)),
    Column("suggested_xml_collection_id", INT),
    Column("suggested_xml_collection_database", SYSNAME),
    Column("suggested_xml_collection_schema", SYSNAME),
    Column("suggested_xml_collection_name", SYSNAME),
    Column("suggested_is_xml_document", BIT, nullable=False),
    Column("suggested_is_case_sensitive", BIT, nullable=False),
    Column("suggested_is_fixed_length_clr_type", BIT, nullable=False),
    Column("suggested_is_input", BIT, nullable=False),
    Column("suggested_is_output", BIT, nullable=False), Column("formal_parameter_name", SYSNAME),
    Column("suggested_tds_type_id", INT, nullable=False),
    Column("suggested_tds_length", INT, nullable=False),
]  # fmt: skip
# MS-TDS 2.2.5.4: type token, and the length of fixed-length types
_TDS = {
    "bit": (0x68, 1), "tinyint": (0x26, 1), "smallint": (0x26, 2), "int": (0x26, 4),
    "bigint": (0x26, 8), "real": (0x6D, 4), "float": (0x6D, 8), "money": (0x6E, 8),
    "smallmoney": (0x6E, 4), "decimal": (0x6C, 17), "date": (0x28, 3), "time": (0x29, 5),
    "datetime": (0x6F, 8), "smalldatetime": (0x6F, 4), "datetime2": (0x2A, 8),
    "datetimeoffset": (0x2B, 10), "uniqueidentifier": (0x24, 16), "char": (0xAF, 0),
    "varchar": (0xA7, 0), "nchar": (0xEF, 0), "nvarchar": (0xE7, 0), "binary": (0xAD, 0),
    "varbinary": (0xA5, 0), "xml": (0xF1, 0), "timestamp": (0xAD, 8), "sql_variant": (0x62, 8009),
}  # fmt: skip


@system_procedure(
    "sp_describe_undeclared_parameters", "@tsql nvarchar(max), @params nvarchar(max) = NULL"
)
def sp_describe_undeclared_parameters(call: Call) -> int:
    """Suggest a type for each parameter of a statement."""
    text = str(call.values["tsql"] or "")
    declared = {p.name.lower() for p in parse_parameters(str(call.values["params"] or ""))}
    names: list[str] = []
    for token in lexer.tokenize(text):
        known = token.text.lower() in {*declared, *(name.lower() for name in names)}
        if token.kind == lexer.VARIABLE and not known:
            names.append(token.text)
    statements = parse_batch(text)
    if len(statements) == 1 and isinstance(statements[0], nodes.Execute):
        found = _from_call(call.session, statements[0])
        names = [name for name in names if name.lower() in _given(statements[0])]
    else:
        found = _from_statement(call.session, text)
    rows = []
    for number, name in enumerate(names, 1):
        kind = found.get(name.lower())
        if kind is None:
            raise SqlError(
                11502,
                f"The type for parameter '{name}' cannot be deduced in this context.",
            )
        rows.append(_row(number, name, kind))
    call.sink.result_set(ResultSet(_COLUMNS, rows=rows))
    return 0


def _row(number: int, name: str, kind: SqlType) -> tuple[object, ...]:
    description = describe(kind)
    token, size = _TDS[kind.name]
    length = description["max_length"]
    if not size:
        size = 65535 if length == MAX else length  # type: ignore[assignment]
    return (
        number, name, description["system_type_id"], str(kind), length, description["precision"],
        description["scale"], *(None,) * 9, False, False, False, True, False, None, token, size,
    )  # fmt: skip


def _given(node: nodes.Execute) -> set[str]:
    """The variables that an EXECUTE passes; the names before = are the procedure's own."""
    values = (argument.value for argument in node.arguments)
    return {value.name for value in values if isinstance(value, nodes.VariableReference)}


def _from_call(session: Session, node: nodes.Execute) -> dict[str, SqlType]:
    """EXECUTE p @a = @P1, @P2: the types of the procedure's parameters."""
    database = node.name[-3] if len(node.name) > 2 else None
    schema = node.name[-2] if len(node.name) > 1 else None
    procedure = session.instance.catalog.find_procedure(session, database, schema, node.name[-1])
    if procedure is None:
        return {}
    parameters = parse_procedure(procedure.definition or "").parameters
    by_name = {parameter.name.lower(): parameter.type for parameter in parameters}
    found = {}
    for position, argument in enumerate(node.arguments):
        if isinstance(argument.value, nodes.VariableReference):
            if argument.name.lower() in by_name:
                found[argument.value.name] = by_name[argument.name.lower()]
            elif not argument.name and position < len(parameters):
                found[argument.value.name] = parameters[position].type
    return found


def _from_statement(session: Session, text: str) -> dict[str, SqlType]:
    tree = parse(text.strip().rstrip(";"))
    tables = [_columns(session, table) for table in tree.find_all(exp.Table)]
    columns = {name: column for table in tables for name, column in table.items()}
    found: dict[str, SqlType] = {}
    if isinstance(tree, exp.Insert):
        _from_insert(session, tree, found)
    for parameter in tree.find_all(exp.Parameter):
        kind = _wanted(parameter, columns)
        if kind is not None:
            found.setdefault(f"@{parameter.name}".lower(), kind)
    return found


def _columns(session: Session, table: exp.Table) -> dict[str, TableColumn]:
    found = session.instance.catalog.find_object(
        session, table.catalog or None, table.db or None, table.name
    )
    return {column.name.lower(): column for column in found.columns} if found else {}


def _from_insert(session: Session, tree: exp.Insert, found: dict[str, SqlType]) -> None:
    target = tree.this
    table = target.this if isinstance(target, exp.Schema) else target
    if not isinstance(table, exp.Table):
        return
    columns = _columns(session, table)
    names = list(columns)
    if isinstance(target, exp.Schema):
        names = [name.name.lower() for name in target.expressions]
    source = tree.expression
    rows = [list(row.expressions) for row in source.find_all(exp.Tuple)] if source else []
    if isinstance(source, exp.Select):
        rows = [list(source.expressions)]
    for row in rows:
        for name, value in zip(names, row, strict=False):
            if isinstance(value, exp.Parameter) and name in columns:
                found[f"@{value.name}".lower()] = columns[name].type


def _wanted(parameter: exp.Expression, columns: dict[str, TableColumn]) -> SqlType | None:
    """The type that the place of a parameter asks for."""
    around = parameter.parent
    if isinstance(around, exp.Cast):
        return variable_type(around.to.sql("tsql"))
    if isinstance(around, (exp.Fetch, exp.Offset, exp.Limit)):
        return SqlType("bigint")
    if isinstance(around, (exp.Binary, exp.In, exp.Between)):
        for other in around.find_all(exp.Column):
            if other.parent is around and other.name.lower() in columns:
                return columns[other.name.lower()].type
    return None
