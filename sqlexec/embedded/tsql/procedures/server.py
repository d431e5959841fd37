"""System procedures of the server and the session: sp_configure, sp_who, sp_helptext."""

from __future__ import annotations

from sqlexec.embedded.results import Column, ResultSet
from sqlexec.embedded.sqltypes import INT, SYSNAME, SqlType
from sqlexec.embedded.tsql.errors import Message, SqlError, unsupported
from sqlexec.embedded.tsql.procedures.registry import Call, system_procedure

# name: (minimum, maximum, whether it is an advanced option)
_OPTIONS = {
    "external scripts enabled": (0, 1, False),
    "show advanced options": (0, 1, False),
}


@system_procedure("sp_configure", "@configname varchar(35) = NULL, @configvalue int = NULL")
def sp_configure(call: Call) -> int:
    """Show or change a configuration option; a change is in force at once, RECONFIGURE or not."""
    session = call.session
    configuration = session.instance.configuration
    wanted = call.values["configname"]
    names = sorted(configuration)
    if wanted is not None:
        text = str(wanted).lower()
        names = [name for name in names if name.startswith(text)]
        if len(names) != 1:
            raise SqlError(
                15123,
                f"The configuration option '{wanted}' does not exist, or it may be an advanced "
                "option.",
            )
    value = call.values["configvalue"]
    if value is None:
        columns = [
            Column("name", SqlType("nvarchar", 35)),
            *(Column(name, INT) for name in ("minimum", "maximum", "config_value", "run_value")),
        ]
        rows = [
            (name, *_OPTIONS.get(name, (0, 2147483647, False))[:2],
             configuration[name], configuration[name])
            for name in names
        ]  # fmt: skip
        call.sink.result_set(ResultSet(columns, rows=rows))
        return 0
    if not session.instance.catalog.has_server_permission(session, "ALTER SETTINGS"):
        raise SqlError.of(15247)
    low, high, _ = _OPTIONS.get(names[0], (0, 2147483647, False))
    if not isinstance(value, int) or not low <= value <= high:
        raise SqlError(
            15129, f"'{value}' is not a valid value for configuration option '{names[0]}'."
        )
    old, configuration[names[0]] = configuration[names[0]], value
    text = (
        f"Configuration option '{names[0]}' changed from {old} to {value}. Run the RECONFIGURE "
        "statement to install."
    )
    call.sink.message(Message(text, 15457, 0))
    return 0


@system_procedure("sp_who", "@loginame sysname = NULL")
def sp_who(call: Call) -> int:
    """One row a session, as far as the caller may see them."""
    session = call.session
    everyone = session.instance.catalog.has_server_permission(session, "VIEW SERVER STATE")
    small = SqlType("smallint")
    columns = [
        Column("spid", small), Column("ecid", small), Column("status", SqlType("nchar", 30)),
        Column("loginame", SYSNAME), Column("hostname", SYSNAME), Column("blk", SqlType("char", 5)),
        Column("dbname", SYSNAME), Column("cmd", SqlType("nchar", 16)), Column("request_id", INT),
    ]  # fmt: skip
    rows = []
    for number, other in sorted(session.instance.sessions.items()):
        if everyone or other is session:
            running = bool(other.frames)
            rows.append((
                number, 0, ("runnable" if running else "sleeping").ljust(30),
                other.principal.login, other.host_name, "0    ", other.database,
                ("EXECUTE" if running else "AWAITING COMMAND").ljust(16), 0,
            ))  # fmt: skip
    call.sink.result_set(ResultSet(columns, rows=rows))
    return 0


@system_procedure("sp_helptext", "@objname nvarchar(776), @columnname sysname = NULL")
def sp_helptext(call: Call) -> int:
    """The text of a procedure or view, a row a line."""
    session, name = call.session, str(call.values["objname"])
    catalog = session.instance.catalog
    number = catalog.object_id(session, name)
    found = None if number is None else catalog.object_by_id(session, number)
    if found is None:
        raise SqlError(
            15009, f"The object '{name}' does not exist in database '{session.database}' or is "
            "invalid for this operation.",
        )  # fmt: skip
    visible = catalog.has_permission(session, "VIEW DEFINITION", found.object_id)
    if not found.definition or not visible:
        raise SqlError(15197, f"There is no text for object '{name}'.")
    rows = [(line,) for line in found.definition.splitlines(keepends=True)]
    call.sink.result_set(ResultSet([Column("Text", SqlType("nvarchar", 255))], rows=rows))
    return 0


@system_procedure(
    "sp_set_session_context",
    "@key sysname, @value nvarchar(4000) = NULL, @read_only bit = 0",
)
def sp_set_session_context(call: Call) -> int:
    """Keep a value for SESSION_CONTEXT."""
    if call.values["read_only"]:
        raise unsupported("sp_set_session_context with @read_only = 1")
    given = [a for a in call.arguments if a.name.lower() == "@value"]
    call.session.context[str(call.values["key"]).lower()] = given[0].value if given else None
    return 0
