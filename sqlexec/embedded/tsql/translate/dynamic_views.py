"""System views whose rows only Python knows: sessions, requests, settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlglot import exp

from sqlexec.embedded.sqltypes import INT, SYSNAME, SqlType
from sqlexec.embedded.tsql.translate.dialect import duckdb_cast
from sqlexec.embedded.tsql.translate.scopes import Output

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session

_SMALL = SqlType("smallint")
_STATUS = SqlType("nvarchar", 30)
Rows = list[tuple[object, ...]]
_SESSION_COLUMNS = [
    Output("session_id", _SMALL, False), Output("login_name", SYSNAME, False),
    Output("original_login_name", SYSNAME, False), Output("host_name", SYSNAME),
    Output("program_name", SYSNAME), Output("status", _STATUS, False),
    Output("database_id", _SMALL, False), Output("transaction_isolation_level", _SMALL, False),
    Output("open_transaction_count", INT, False), Output("is_user_process", SqlType("bit"), False),
    Output("host_process_id", INT), Output("row_count", SqlType("bigint"), False),
]  # fmt: skip


def _visible(session: Session) -> list[Session]:
    """All sessions with VIEW SERVER STATE, else one's own."""
    if session.instance.catalog.has_server_permission(session, "VIEW SERVER STATE"):
        return list(session.instance.sessions.values()) or [session]
    return [session]


def _sessions(session: Session) -> Rows:
    databases = session.instance.catalog.snapshot(session).databases
    return [
        (
            other.session_id, other.principal.login, other.principal.login, other.host_name,
            other.application_name, "running" if other.frames else "sleeping",
            databases[other.database.lower()].id if other.database.lower() in databases else 0,
            other.options.isolation_level, other.transaction_count, True, os.getpid(),
            other.row_count,
        )
        for other in _visible(session)
    ]  # fmt: skip


def _requests(session: Session) -> Rows:
    return [
        (other.session_id, 0, "running", "SELECT", 0) for other in _visible(session) if other.frames
    ]


def _connections(session: Session) -> Rows:
    return [
        (other.session_id, "TCP", "TSQL", "TRUE", "SQL", "127.0.0.1") for other in _visible(session)
    ]


def _configurations(session: Session) -> Rows:
    return [
        (number, name, value, 0, 2147483647, value, name, True, False)
        for number, (name, value) in enumerate(session.instance.configuration.items(), 1)
    ]


def _user_token(session: Session) -> Rows:
    """The user and all roles that it is in, through any number of levels."""
    image = session.instance.catalog.image(session)
    kinds = {number: kind for number, _, kind in image.principals.values()}
    return [
        (
            number,
            image.names[number],
            "ROLE" if kinds[number] == "R" else "SQL USER",
            "GRANT OR DENY",
        )
        for number in sorted(image.roles_of(session.principal.user_id))
    ]


VIEWS: dict[str, tuple[list[Output], Callable[[Session], Rows]]] = {
    "dm_exec_sessions": (_SESSION_COLUMNS, _sessions),
    "dm_exec_requests": (
        [
            Output("session_id", _SMALL, False), Output("request_id", INT, False),
            Output("status", _STATUS, False), Output("command", SqlType("nvarchar", 32), False),
            Output("blocking_session_id", _SMALL),
        ],
        _requests,
    ),
    "dm_exec_connections": (
        [
            Output("session_id", INT), Output("net_transport", SqlType("nvarchar", 40), False),
            Output("protocol_type", SqlType("nvarchar", 40)),
            Output("encrypt_option", SqlType("nvarchar", 40), False),
            Output("auth_scheme", SqlType("nvarchar", 40), False),
            Output("client_net_address", SqlType("varchar", 48)),
        ],
        _connections,
    ),
    "configurations": (
        [
            Output("configuration_id", INT, False), Output("name", SqlType("nvarchar", 35), False),
            Output("value", INT), Output("minimum", INT), Output("maximum", INT),
            Output("value_in_use", INT), Output("description", SqlType("nvarchar", 255), False),
            Output("is_dynamic", SqlType("bit"), False),
            Output("is_advanced", SqlType("bit"), False),
        ],
        _configurations,
    ),
    "user_token": (
        [
            Output("principal_id", INT), Output("name", SYSNAME),
            Output("type", SYSNAME), Output("usage", SYSNAME),
        ],
        _user_token,
    ),
}  # fmt: skip


def _literal(value: object) -> exp.Expression:
    return exp.convert(value)  # type: ignore[return-value]


def build(session: Session, name: str, alias: str) -> tuple[exp.Expression, list[Output]]:
    """The view as a subquery over literals, with its columns."""
    columns, rows = VIEWS[name]
    found = rows(session) or [(None,) * len(columns)]
    cells = [
        exp.Tuple(
            expressions=[
                duckdb_cast(_literal(value), column.type or INT)
                for value, column in zip(row, columns, strict=True)
            ]
        )
        for row in found
    ]
    names = [exp.to_identifier(column.name, quoted=True) for column in columns]
    table = exp.TableAlias(this=exp.to_identifier("v"), columns=names)
    query = exp.select("*").from_(exp.Values(expressions=cells, alias=table))
    if not rows(session):
        query = query.where("1 = 0")
    return exp.Subquery(
        this=query, alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True))
    ), columns
