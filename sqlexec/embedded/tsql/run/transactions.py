"""Transactions of a session: counting, dooming, and what an error does to them.

    @@TRANCOUNT 0 --begin--> 1 --begin--> 2 --commit--> 1 --commit--> 0 (DuckDB commits)
                               \\--error--> doomed (rolled back in DuckDB) --rollback--> 0

DuckDB ends a transaction at the first error inside it.  Within TRY ... CATCH the session then is
in a doomed transaction, as SQL Server has it under XACT_ABORT ON: XACT_STATE() is -1, nothing can
be written until ROLLBACK.  Outside of TRY it is over at once, and the client is told.
"""

from __future__ import annotations

import itertools

import duckdb

from sqlexec.embedded.tsql.errors import SqlError
from sqlexec.embedded.tsql.state import Session

_descriptors = itertools.count(1)  # MS-TDS 2.2.7.9: any 8 bytes that tell transactions apart

# Errors that roll a transaction back whatever XACT_ABORT says (conversion errors, deadlocks)
_ALWAYS_DOOM = frozenset({241, 242, 244, 245, 248, 1205, 3960, 8169})


def begin(session: Session) -> None:
    """BEGIN TRANSACTION."""
    if session.transaction_count == 0:
        session.connection.begin()
        session.transaction_descriptor = next(_descriptors)
        if session.sink:
            session.sink.transaction_began(session.transaction_descriptor)
    session.transaction_count += 1


def commit(session: Session) -> None:
    """COMMIT; 3902 outside of a transaction, 3930 in a doomed one."""
    if session.transaction_count == 0:
        raise SqlError.of(3902)
    if session.transaction_doomed:
        raise SqlError.of(3930)
    if session.transaction_count > 1:
        session.transaction_count -= 1
        return
    try:
        session.connection.commit()
    except duckdb.Error as error:
        _over(session, committed=False)
        raise SqlError.of(3960, "(unknown)", session.database) from error
    _over(session, committed=True)


def rollback(session: Session) -> None:
    """ROLLBACK of all levels; 3903 outside of a transaction."""
    if session.transaction_count == 0:
        raise SqlError.of(3903)
    if not session.transaction_doomed:
        session.connection.rollback()
    _over(session, committed=False)


def _over(session: Session, *, committed: bool) -> None:
    descriptor, session.transaction_descriptor = session.transaction_descriptor, 0
    session.transaction_count = 0
    session.transaction_doomed = False
    if session.sink:
        session.sink.transaction_ended(descriptor, committed=committed)


def check_writable(session: Session) -> None:
    """3930 for a statement that writes in a doomed transaction."""
    if session.transaction_doomed:
        raise SqlError.of(3930)


def after_error(session: Session, *, dooms: bool, caught: bool) -> None:
    """Bring the transaction into the state that an error leaves behind.

    Parameters
    ----------
    dooms : bool
        Whether this error ends a transaction by T-SQL's rules (`dooms_by_rule`); one that DuckDB
        has given up is over in any case.
    caught : bool
        Whether a TRY block stands around: then the transaction waits, doomed, for its ROLLBACK.
    """
    if session.transaction_count == 0 or session.transaction_doomed:
        return
    if not dooms and not _given_up(session):
        return
    if caught:
        session.connection.rollback()
        session.transaction_doomed = True
    else:
        rollback(session)


def dooms_by_rule(session: Session, error: SqlError) -> bool:
    """Whether SQL Server's own rules end the transaction on this error."""
    return session.options.xact_abort or error.number in _ALWAYS_DOOM


def _given_up(session: Session) -> bool:
    """Whether DuckDB has aborted the open transaction; it tells only when asked."""
    if not session.connection.in_transaction:
        return True
    try:
        session.connection.execute("SELECT 1").fetchall()
    except duckdb.Error:
        return True
    return False
