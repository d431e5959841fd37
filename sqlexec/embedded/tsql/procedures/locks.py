"""sp_getapplock, sp_releaseapplock: locks of an application's own, by name.

learn.microsoft.com/sql/relational-databases/system-stored-procedures/sp-getapplock-transact-sql
"""

from __future__ import annotations

from dataclasses import replace

from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.procedures.registry import Call, system_procedure
from sqlexec.embedded.tsql.scalar.session_functions import application_lock

_EXCLUSIVE = {
    "shared": False,
    "intentshared": False,
    "update": True,
    "intentexclusive": True,
    "exclusive": True,
}


@system_procedure(
    "sp_getapplock",
    "@Resource nvarchar(255), @LockMode varchar(32), @LockOwner varchar(32) = 'Transaction',"
    " @LockTimeout int = NULL, @DbPrincipal sysname = N'public'",
)
def sp_getapplock(call: Call) -> int:
    """Take a lock to the end of the transaction or session; -1 timeout, -3 deadlock, -999 wrong."""
    session = call.session
    mode = str(call.values["lockmode"]).lower()
    if mode not in _EXCLUSIVE:
        return -999
    owner = _owner(call, "acquire")
    before = session.options
    timeout = call.values["locktimeout"]
    if isinstance(timeout, int):
        session.options = replace(before, lock_timeout=-1.0 if timeout < 0 else timeout / 1000)
    try:
        name = application_lock(session, call.values["dbprincipal"], call.values["resource"])
        session.connection.lock(name, session, exclusive=_EXCLUSIVE[mode], owner=owner)
    except SqlError as error:
        if error.number in (1205, 1222):
            return -3 if error.number == 1205 else -1
        raise
    finally:
        session.options = before
    return 0


@system_procedure(
    "sp_releaseapplock",
    "@Resource nvarchar(255), @LockOwner varchar(32) = 'Transaction',"
    " @DbPrincipal sysname = N'public'",
)
def sp_releaseapplock(call: Call) -> int:
    """Give a lock back; 1223 where there is none."""
    session = call.session
    owner = _owner(call, "release") or session.connection
    name = application_lock(session, call.values["dbprincipal"], call.values["resource"])
    if not session.instance.engine.locks.release(owner, name):
        raise SqlError(
            1223,
            f"Cannot release the application lock (Database Principal: "
            f"'{call.values['dbprincipal']}', Resource: '{call.values['resource']}') because it "
            "is not currently held.",
        )
    return 0


def _owner(call: Call, verb: str) -> object:
    """Who holds the lock: None for the transaction."""
    kind = str(call.values["lockowner"]).lower()
    if kind == "session":
        return call.session.connection.session_locks
    if not call.session.transaction_count:
        raise SqlError(
            15247,
            f"You attempted to {verb} a transactional application lock without an active "
            "transaction.",
        )
    return None
