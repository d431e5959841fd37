"""The catalog procedures that drivers call: sp_tables, sp_columns, sp_datatype_info and their kin.

Result columns: as ODBC documents SQLTables, SQLColumns, SQLGetTypeInfo, ... and as SQL Server
orders them (learn.microsoft.com, "Catalog stored procedures").  The _100 forms (what Microsoft's
driver calls) know the types since 2008; the plain ones show them as text, as for old drivers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlexec.embedded.catalog import DatabaseObject, TableColumn
from sqlexec.embedded.catalog.modules import read_parameters
from sqlexec.embedded.catalog.tables import SCHEMA
from sqlexec.embedded.catalog.types import COLLATION, describe
from sqlexec.embedded.results import Column, ResultSet
from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tsql.definitions.targets import find_target
from sqlexec.embedded.tsql.procedures.catalog_types import (
    TYPE_INFO,
    column_size,
    decimal_digits,
    odbc_type,
    radix,
    ss_data_type,
    transfer_length,
)
from sqlexec.embedded.tsql.procedures.registry import Call, system_procedure
from sqlexec.embedded.tsql.scalar.patterns import like_regex

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session

_NAME = SqlType("nvarchar", 128)
_SMALL = SqlType("smallint")
_INT = SqlType("int")
_TINY = SqlType("tinyint")
_TEXT = SqlType("varchar", 254)
_LONG = SqlType("nvarchar", 4000)
_KINDS = {
    "n": _NAME, "s": _SMALL, "i": _INT, "v": _TEXT, "t": _TINY, "l": _LONG, "b": SqlType("bit"),
}  # fmt: skip


def _columns(text: str) -> list[Column]:
    """'TABLE_CAT:n DATA_TYPE:s' -> columns."""
    pairs = (word.split(":") for word in text.split())
    return [Column(name, _KINDS[kind]) for name, kind in pairs]


def _send(call: Call, columns: str, rows: Iterable[tuple[object, ...]]) -> int:
    session = call.session
    result = ResultSet(_columns(columns), rows=list(rows))
    call.sink.result_set(result, count=not session.options.nocount)
    return 0


def _matches(pattern: object, name: str, *, patterns: bool = True) -> bool:
    """ODBC's patterns: % and _, [_] for a plain one; None or '' is everything."""
    if pattern is None:
        return True
    text = str(pattern)
    if not patterns:
        return text.lower() == name.lower()
    return re.fullmatch(f"(?si){like_regex(text, chr(92))}", name) is not None


def _objects(
    session: Session, name: object, owner: object, qualifier: object, kinds: str, *,
    patterns: bool = True,
) -> list[tuple[str, DatabaseObject]]:  # fmt: skip
    """The objects that fit, with their database's name, in order."""
    catalog = session.instance.catalog
    image = catalog.image(session, str(qualifier) if qualifier else None)
    found = [
        (image.name, item)
        for item in image.objects.values()
        if item.type in kinds
        and _matches(name, item.name, patterns=patterns)
        and _matches(owner or None, item.schema, patterns=patterns)
        and _visible(session, item)
    ]
    return sorted(found, key=lambda pair: (pair[1].type, pair[1].schema, pair[1].name))


def _visible(session: Session, item: DatabaseObject) -> bool:
    catalog = session.instance.catalog
    names = ("EXECUTE",) if item.type == "P" else ("SELECT", "INSERT", "UPDATE", "DELETE")
    return any(
        catalog.has_permission(session, name, item.object_id, database=item.database)
        for name in (*names, "VIEW DEFINITION")
    )


# --- tables and columns ------------------------------------------------------------------

_TABLES = "TABLE_QUALIFIER:n TABLE_OWNER:n TABLE_NAME:n TABLE_TYPE:v REMARKS:v"


@system_procedure(
    "sp_tables",
    "@table_name nvarchar(384) = NULL, @table_owner nvarchar(384) = NULL,"
    " @table_qualifier sysname = NULL, @table_type varchar(100) = NULL, @fUsePattern bit = 1",
)
def sp_tables(call: Call) -> int:
    v, session = call.values, call.session
    names = (v["table_name"], v["table_owner"], v["table_qualifier"])
    if names == ("", "", "%"):
        databases = sorted(
            i.name for i in session.instance.catalog.snapshot(session).databases.values()
        )
        return _send(call, _TABLES, [(name, None, None, None, None) for name in databases])
    if names == ("", "%", ""):
        schemas = sorted(s[1] for s in session.instance.catalog.image(session).schemas.values())
        return _send(call, _TABLES, [(None, name, None, None, None) for name in schemas])
    if names == ("", "", "") and v["table_type"] == "%":
        kinds = ("SYSTEM TABLE", "TABLE", "VIEW")
        return _send(call, _TABLES, [(None, None, None, kind, None) for kind in kinds])
    wanted = {part.strip(" '").upper() for part in str(v["table_type"] or "").split(",")} - {""}
    qualifier = None if v["table_qualifier"] == "%" else v["table_qualifier"]
    rows = [
        (database, item.schema, item.name, kind, None)
        for database, item in _objects(
            session, v["table_name"], v["table_owner"], qualifier, "UV",
            patterns=bool(v["fusepattern"]),
        )
        for kind in ["TABLE" if item.type == "U" else "VIEW"]
        if not wanted or kind in wanted
    ]  # fmt: skip
    return _send(call, _TABLES, sorted(rows, key=lambda row: (row[3], row[1], row[2])))


_COLUMN_RESULT = (
    "TABLE_QUALIFIER:n TABLE_OWNER:n TABLE_NAME:n COLUMN_NAME:n DATA_TYPE:s TYPE_NAME:n"
    " PRECISION:i LENGTH:i SCALE:s RADIX:s NULLABLE:s REMARKS:v COLUMN_DEF:l SQL_DATA_TYPE:s"
    " SQL_DATETIME_SUB:s CHAR_OCTET_LENGTH:i ORDINAL_POSITION:i IS_NULLABLE:v SS_DATA_TYPE:t"
)
_COLUMN_RESULT_100 = _COLUMN_RESULT.replace(
    " SS_DATA_TYPE:t",
    " SS_IS_SPARSE:s SS_IS_COLUMN_SET:s SS_IS_COMPUTED:s SS_IS_IDENTITY:s"
    " SS_UDT_CATALOG_NAME:n SS_UDT_SCHEMA_NAME:n SS_UDT_ASSEMBLY_TYPE_NAME:l"
    " SS_XML_SCHEMACOLLECTION_CATALOG_NAME:n SS_XML_SCHEMACOLLECTION_SCHEMA_NAME:n"
    " SS_XML_SCHEMACOLLECTION_NAME:n SS_DATA_TYPE:t",
)
_COLUMN_DECLARATION = (
    "@table_name nvarchar(384), @table_owner nvarchar(384) = NULL,"
    " @table_qualifier sysname = NULL, @column_name nvarchar(384) = NULL, @ODBCVer int = 2"
)


def _column_rows(call: Call, *, new: bool, patterns: bool) -> Iterable[tuple[object, ...]]:
    v = call.values
    found = _objects(
        call.session, v["table_name"], v["table_owner"], v["table_qualifier"], "UV",
        patterns=patterns,
    )  # fmt: skip
    version = int(str(v["odbcver"] or 2))
    for database, item in found:
        for column in item.columns:
            if _matches(v["column_name"], column.name, patterns=patterns):
                yield _column_row(database, item, column, version, new=new)


def _column_row(
    database: str, item: DatabaseObject, column: TableColumn, version: int, *, new: bool
) -> tuple[object, ...]:
    type = column.type
    number, sql_number, sub = odbc_type(type, version, new=new)
    name = type.name + (" identity" if column.identity else "")
    octets = describe(type)["max_length"] if type.is_text or type.is_binary else None
    row: tuple[object, ...] = (
        database, item.schema, item.name, column.name, number, name, column_size(type),
        transfer_length(type), decimal_digits(type), radix(type), int(column.nullable), None,
        None if column.default is None else f"({column.default})", sql_number, sub,
        0 if octets == -1 else octets, column.id, "YES" if column.nullable else "NO",
    )  # fmt: skip
    if new:
        row += (0, 0, 0, int(column.identity is not None), *(None,) * 6)
    return (*row, ss_data_type(type, nullable=column.nullable))


@system_procedure("sp_columns", _COLUMN_DECLARATION)
def sp_columns(call: Call) -> int:
    return _send(call, _COLUMN_RESULT, _column_rows(call, new=False, patterns=True))


@system_procedure("sp_columns_100", _COLUMN_DECLARATION + ", @fUsePattern bit = 1")
def sp_columns_100(call: Call) -> int:
    patterns = bool(call.values["fusepattern"])
    return _send(call, _COLUMN_RESULT_100, _column_rows(call, new=True, patterns=patterns))


@system_procedure("sp_databases")
def sp_databases(call: Call) -> int:
    images = call.session.instance.catalog.snapshot(call.session).databases.values()
    rows = sorted((image.name, 0, None) for image in images)
    return _send(call, "DATABASE_NAME:n DATABASE_SIZE:i REMARKS:v", rows)


# --- keys and indexes --------------------------------------------------------------------


@system_procedure(
    "sp_pkeys",
    "@table_name sysname, @table_owner sysname = NULL, @table_qualifier sysname = NULL",
)
def sp_pkeys(call: Call) -> int:
    v = call.values
    rows = [
        (database, item.schema, item.name, column, place, index.name)
        for database, item in _objects(
            call.session, v["table_name"], v["table_owner"], v["table_qualifier"], "U",
            patterns=False,
        )
        for index in item.indexes
        if index.primary
        for place, column in enumerate(index.columns, 1)
    ]  # fmt: skip
    return _send(
        call,
        "TABLE_QUALIFIER:n TABLE_OWNER:n TABLE_NAME:n COLUMN_NAME:n KEY_SEQ:s PK_NAME:n",
        rows,
    )


_FKEYS = (
    "PKTABLE_QUALIFIER:n PKTABLE_OWNER:n PKTABLE_NAME:n PKCOLUMN_NAME:n FKTABLE_QUALIFIER:n"
    " FKTABLE_OWNER:n FKTABLE_NAME:n FKCOLUMN_NAME:n KEY_SEQ:s UPDATE_RULE:s DELETE_RULE:s"
    " FK_NAME:n PK_NAME:n DEFERRABILITY:s"
)


@system_procedure(
    "sp_fkeys",
    "@pktable_name sysname = NULL, @pktable_owner sysname = NULL, @pktable_qualifier sysname ="
    " NULL, @fktable_name sysname = NULL, @fktable_owner sysname = NULL, @fktable_qualifier"
    " sysname = NULL",
)
def sp_fkeys(call: Call) -> int:
    v, session = call.values, call.session
    qualifier = v["pktable_qualifier"] or v["fktable_qualifier"]
    image = session.instance.catalog.image(session, str(qualifier) if qualifier else None)
    links = session.connection.execute(
        "SELECT constraint_object_id, constraint_column_id, parent_object_id, parent_column_id,"
        f" referenced_object_id, referenced_column_id FROM {SCHEMA}.foreign_key_columns"
        " WHERE database_id = $1 ORDER BY 1, 2",
        [image.id],
    ).fetchall()
    rows = []
    for constraint, place, parent_id, parent_column, target_id, target_column in links:
        parent, target = image.by_id[parent_id], image.by_id[target_id]
        if not all(
            _matches(wanted or None, name, patterns=False)
            for wanted, name in (
                (v["pktable_name"], target.name), (v["pktable_owner"], target.schema),
                (v["fktable_name"], parent.name), (v["fktable_owner"], parent.schema),
            )
        ):  # fmt: skip
            continue
        primary = next((i.name for i in target.indexes if i.primary), None)
        rows.append((
            image.name, target.schema, target.name, _column_name(target, target_column),
            image.name, parent.schema, parent.name, _column_name(parent, parent_column), place,
            1, 1, image.by_id[constraint].name, primary, 7,
        ))  # fmt: skip
    return _send(call, _FKEYS, rows)


def _column_name(item: DatabaseObject, number: int) -> str:
    return next(column.name for column in item.columns if column.id == number)


_STATISTICS = (
    "TABLE_QUALIFIER:n TABLE_OWNER:n TABLE_NAME:n NON_UNIQUE:s INDEX_QUALIFIER:n INDEX_NAME:n"
    " TYPE:s SEQ_IN_INDEX:s COLUMN_NAME:n COLLATION:v CARDINALITY:i PAGES:i FILTER_CONDITION:v"
)
_STATISTICS_DECLARATION = (
    "@table_name sysname, @table_owner sysname = NULL, @table_qualifier sysname = NULL,"
    " @index_name sysname = '%', @is_unique char(1) = 'N', @accuracy char(1) = 'Q'"
)


def _statistics(call: Call) -> int:
    v = call.values
    rows: list[tuple[object, ...]] = []
    for database, item in _objects(
        call.session, v["table_name"], v["table_owner"], v["table_qualifier"], "U", patterns=False
    ):
        rows.append((database, item.schema, item.name, *(None,) * 3, 0, *(None,) * 6))
        for index in item.indexes:
            if (str(v["is_unique"]).upper() == "Y" and not index.unique) or not _matches(
                v["index_name"], index.name
            ):
                continue
            rows += [
                (
                    database, item.schema, item.name, int(not index.unique), item.name, index.name,
                    1 if index.primary else 3, place, column, "A", None, None, None,
                )
                for place, column in enumerate(index.columns, 1)
            ]  # fmt: skip
    return _send(call, _STATISTICS, rows)


system_procedure("sp_statistics", _STATISTICS_DECLARATION)(_statistics)
system_procedure("sp_statistics_100", _STATISTICS_DECLARATION)(_statistics)

_SPECIAL = (
    "SCOPE:s COLUMN_NAME:n DATA_TYPE:s TYPE_NAME:n PRECISION:i LENGTH:i SCALE:s PSEUDO_COLUMN:s"
)
_SPECIAL_DECLARATION = (
    "@table_name sysname, @table_owner sysname = NULL, @table_qualifier sysname = NULL,"
    " @col_type char(1) = 'R', @scope char(1) = 'T', @nullable char(1) = 'U', @ODBCVer int = 2"
)


def _special(call: Call) -> int:
    """The columns that tell a row: the primary key, else a unique one; 'V' asks for rowversion."""
    v = call.values
    rows = []
    for _, item in _objects(
        call.session, v["table_name"], v["table_owner"], v["table_qualifier"], "U", patterns=False
    ):
        if str(v["col_type"]).upper() == "V":
            names = {column.name for column in item.columns if column.type.name == "timestamp"}
        else:
            unique = sorted((i for i in item.indexes if i.unique), key=lambda i: not i.primary)
            names = set(unique[0].columns) if unique else set()
        for column in item.columns:
            if column.name in names:
                type = column.type
                number, _, _ = odbc_type(type, int(str(v["odbcver"] or 2)), new=True)
                rows.append((
                    0 if str(v["scope"]).upper() == "C" else 1, column.name, number, type.name,
                    column_size(type), transfer_length(type), decimal_digits(type), 1,
                ))  # fmt: skip
    return _send(call, _SPECIAL, rows)


system_procedure("sp_special_columns", _SPECIAL_DECLARATION)(_special)
system_procedure("sp_special_columns_100", _SPECIAL_DECLARATION)(_special)


# --- procedures --------------------------------------------------------------------------

_PROCEDURES = (
    "PROCEDURE_QUALIFIER:n PROCEDURE_OWNER:n PROCEDURE_NAME:n NUM_INPUT_PARAMS:i"
    " NUM_OUTPUT_PARAMS:i NUM_RESULT_SETS:i REMARKS:v PROCEDURE_TYPE:s"
)


@system_procedure(
    "sp_stored_procedures",
    "@sp_name nvarchar(390) = NULL, @sp_owner nvarchar(384) = NULL, @sp_qualifier sysname = NULL,"
    " @fUsePattern bit = 1",
)
def sp_stored_procedures(call: Call) -> int:
    v = call.values
    rows = [
        (database, item.schema, f"{item.name};1", -1, -1, -1, None, 2)
        for database, item in _objects(
            call.session, v["sp_name"], v["sp_owner"], v["sp_qualifier"], "P",
            patterns=bool(v["fusepattern"]),
        )
    ]  # fmt: skip
    return _send(call, _PROCEDURES, rows)


_SPROC_COLUMNS = (
    "PROCEDURE_QUALIFIER:n PROCEDURE_OWNER:n PROCEDURE_NAME:n COLUMN_NAME:n COLUMN_TYPE:s"
    " DATA_TYPE:s TYPE_NAME:n PRECISION:i LENGTH:i SCALE:s RADIX:s NULLABLE:s REMARKS:v"
    " COLUMN_DEF:l SQL_DATA_TYPE:s SQL_DATETIME_SUB:s CHAR_OCTET_LENGTH:i ORDINAL_POSITION:i"
    " IS_NULLABLE:v SS_DATA_TYPE:t"
)
_SPROC_DECLARATION = (
    "@procedure_name nvarchar(390) = '%', @procedure_owner nvarchar(384) = NULL,"
    " @procedure_qualifier sysname = NULL, @column_name nvarchar(384) = NULL, @ODBCVer int = 2,"
    " @fUsePattern bit = 1"
)


def _sproc_columns(call: Call) -> int:
    v = call.values
    name = str(v["procedure_name"] or "%").split(";")[0]
    version = int(str(v["odbcver"] or 2))
    rows = []
    for database, item in _objects(
        call.session, name, v["procedure_owner"], v["procedure_qualifier"], "P",
        patterns=bool(v["fusepattern"]),
    ):  # fmt: skip
        own = read_parameters(item.definition or "")
        returned = ("@RETURN_VALUE", SqlType("int"), 5, 0, 0)
        listed = [
            (p.name, p.type, 2 if p.output else 1, 1, place) for place, p in enumerate(own, 1)
        ]
        for parameter, type, direction, nullable, place in [returned, *listed]:
            if not _matches(v["column_name"], parameter):
                continue
            number, sql_number, sub = odbc_type(type, version, new=True)
            octets = describe(type)["max_length"] if type.is_text or type.is_binary else None
            rows.append((
                database, item.schema, f"{item.name};1", parameter, direction, number, type.name,
                column_size(type), transfer_length(type), decimal_digits(type), radix(type),
                nullable, None, None, sql_number, sub, 0 if octets == -1 else octets, place,
                "YES" if nullable else "NO", ss_data_type(type, nullable=bool(nullable)),
            ))  # fmt: skip
    return _send(call, _SPROC_COLUMNS, rows)


system_procedure("sp_sproc_columns", _SPROC_DECLARATION)(_sproc_columns)
system_procedure("sp_sproc_columns_100", _SPROC_DECLARATION)(_sproc_columns)


# --- types and collations ----------------------------------------------------------------

_TYPES = (
    "TYPE_NAME:n DATA_TYPE:s PRECISION:i LITERAL_PREFIX:v LITERAL_SUFFIX:v CREATE_PARAMS:v"
    " NULLABLE:s CASE_SENSITIVE:s SEARCHABLE:s UNSIGNED_ATTRIBUTE:s MONEY:s AUTO_INCREMENT:s"
    " LOCAL_TYPE_NAME:n MINIMUM_SCALE:s MAXIMUM_SCALE:s SQL_DATA_TYPE:s SQL_DATETIME_SUB:s"
    " NUM_PREC_RADIX:i INTERVAL_PRECISION:s USERTYPE:s"
)


def _type_info(call: Call) -> int:
    wanted = int(str(call.values["data_type"] or 0))
    # pyodbc asks for 93 and takes the precision of datetime and time parameters from the answer
    rows = [row for row in TYPE_INFO if wanted in (0, row[1])]
    return _send(call, _TYPES, rows)


_TYPE_DECLARATION = "@data_type int = 0, @ODBCVer tinyint = 2"
system_procedure("sp_datatype_info", _TYPE_DECLARATION)(_type_info)
system_procedure("sp_datatype_info_100", _TYPE_DECLARATION)(_type_info)


@system_procedure("sp_tablecollations_100", "@object nvarchar(4000)")
def sp_tablecollations_100(call: Call) -> int:
    """colid, name, tds_collation, collation: what bulk copy asks before it writes."""
    target = find_target(call.session, str(call.values["object"]))
    collation = bytes.fromhex("0904d00034")  # as the login answer tells it (MS-TDS 2.2.5.1.2)
    columns = [
        Column("colid", _INT, False), Column("name", _NAME, False),
        Column("tds_collation", SqlType("binary", 5)), Column("collation", _NAME),
    ]  # fmt: skip
    rows = [
        (
            number, column.name, collation if column.type.is_text else None,
            COLLATION if column.type.is_text else None,
        )
        for number, column in enumerate(target.columns, 1)
    ]  # fmt: skip
    call.sink.result_set(ResultSet(columns, rows=rows))
    return 0
