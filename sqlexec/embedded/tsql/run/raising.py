"""RAISERROR, THROW and PRINT: from their arguments to a message or an error."""

from __future__ import annotations

from sqlexec.embedded.sqltypes import INT
from sqlexec.embedded.tsql.errors import MESSAGES, Message, SqlError, unsupported
from sqlexec.embedded.tsql.run.evaluation import evaluate
from sqlexec.embedded.tsql.scalar.builtins import format_message
from sqlexec.embedded.tsql.scalar.conversions import convert
from sqlexec.embedded.tsql.scalar.text_conversions import text_of
from sqlexec.embedded.tsql.state import Session
from sqlexec.embedded.tsql.syntax import nodes


class RaisedError(SqlError):
    """Of RAISERROR: outside of TRY the next statement follows, whatever XACT_ABORT says."""


class ThrownError(SqlError):
    """Of THROW: outside of TRY it ends the batch."""


def printed(session: Session, node: nodes.Print) -> Message:
    """PRINT's message; SQL Server cuts it at 8,000 characters, NULL prints a blank."""
    value, kind = evaluate(session, node.value)
    text = " " if value is None else text_of(value, kind)
    return Message(text[:8000], procedure=session.frame.procedure, line=node.line)


def raised(session: Session, node: nodes.RaiseError) -> Message | RaisedError:
    """What RAISERROR makes: a message up to severity 10, an error above.

    learn.microsoft.com/sql/t-sql/language-elements/raiserror-transact-sql
    """
    template, kind = evaluate(session, node.message)
    severity, state = _integer(session, node.severity), _integer(session, node.state)
    number = 50000
    if kind.is_integer:
        number = template if isinstance(template, int) else 0
        if number not in MESSAGES:
            raise unsupported(f"RAISERROR with number {number} of sys.messages")
        own_severity, template = MESSAGES[number]
        severity = own_severity if severity < 0 else severity
    values = [_substitution(session, argument) for argument in node.arguments]
    text = format_message("" if template is None else str(template), values)[:2047]
    if severity > 18 and not session.principal.sysadmin:
        raise SqlError(
            2754,
            "Error severity levels greater than 18 can only be specified by members of the sysadmin"
            " role, using the WITH LOG option.",
        )
    state = state if 0 <= state <= 255 else 1
    if severity <= 10:
        return Message(
            text, number, 0 if severity == 10 else max(severity, 0), state,
            session.frame.procedure, node.line,
        )  # fmt: skip
    return RaisedError(number, text, min(severity, 25), state)


def _substitution(session: Session, node: nodes.Expression) -> object:
    value, kind = evaluate(session, node)
    return value if value is None or isinstance(value, int) else text_of(value, kind)


def _integer(session: Session, node: nodes.Expression) -> int:
    value = convert(*evaluate(session, node), INT)
    return value if isinstance(value, int) else 0


def thrown(session: Session, node: nodes.Throw) -> SqlError:
    """THROW's error: a new one, or the one that is being handled, unchanged."""
    if node.number is None or node.message is None or node.state is None:
        return _rethrown(session)
    number, state = _integer(session, node.number), _integer(session, node.state)
    if number < 50000:
        return SqlError(
            35100,
            f"Error number {number} in the THROW statement is outside the valid range. Specify an "
            "error number in the valid range of 50000 to 2147483647.",
        )
    value, kind = evaluate(session, node.message)
    text = "" if value is None else text_of(value, kind)
    return ThrownError(number, text[:2048], 16, state)


def _rethrown(session: Session) -> SqlError:
    if not session.frame.caught:
        return SqlError(
            10704,
            "To rethrow an error, a THROW statement must be used inside a CATCH block. Insert the "
            "THROW statement inside a CATCH block, or add error parameters to the THROW statement.",
            15,
        )
    error = session.frame.caught[-1]
    thrown = ThrownError(
        error.number, error.message, error.severity, error.state, error.procedure, error.line
    )
    thrown.before, thrown.after = error.before, error.after
    thrown.located = True
    return thrown
