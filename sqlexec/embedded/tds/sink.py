"""The answers of one request as tokens: the Sink that the interpreter writes to.

A DONE says whether more results follow, so the last one is always held back until it is known.

    result_set, done, message, error --> TdsSink --> MessageWriter --> packets
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlexec.embedded.results import Argument, ResultSet
from sqlexec.embedded.tds import tokens
from sqlexec.embedded.tds.packets import MessageWriter
from sqlexec.embedded.tds.rows import write_batches, write_cell, write_rows
from sqlexec.embedded.tsql.errors import Message, SqlError


class TdsSink:
    """One request's answer.

    Parameters
    ----------
    writer : MessageWriter
        Of the session.
    server : str
        The server's name, part of each message.
    stopped : callable
        Whether the client has cancelled: no more rows are sent then.
    procedure : bool
        The request is an RPC: its statements end with DONEINPROC, its calls with DONEPROC.
    """

    def __init__(
        self,
        writer: MessageWriter,
        server: str,
        stopped: Callable[[], bool],
        *,
        procedure: bool = False,
    ) -> None:
        self._writer = writer
        self._server = server
        self._stopped = stopped
        self._procedure = procedure
        self._token = tokens.DONE_IN_PROC if procedure else tokens.DONE
        self._held: tuple[int, int, int] | None = None  # status, rows, command
        self._failed = False
        self.fatal = False  # an error that ends the connection was sent

    # --- results.Sink ---------------------------------------------------------------------

    def result_set(self, result: ResultSet, *, count: bool = True) -> int:
        self._release()
        self._writer.write(tokens.column_metadata(result.columns))
        if result.batches is not None:
            rows = write_batches(self._writer, result.columns, result.batches, self._stopped)
        else:
            rows = write_rows(self._writer, result.columns, result.rows or (), self._stopped)
        self._hold(tokens.COUNT if count else 0, rows if count else 0, tokens.SELECT_COMMAND)
        return rows

    def done(self, rows: int | None) -> None:
        # A DONE for a statement that tells no count is left out: python-tds takes it for a
        # result, and no client misses it.
        if rows is not None:
            self._release()
            self._hold(tokens.COUNT, rows)

    def message(self, message: Message, *, flush: bool = False) -> None:
        self._release()
        self._writer.write(tokens.info(message, self._server))
        if flush:
            self._writer.flush()

    def error(self, error: SqlError) -> None:
        self._release()
        for each in error.all():
            self._writer.write(tokens.error(each, self._server))
        for message in error.after:
            self._writer.write(tokens.info(message, self._server))
        self._hold(tokens.DONE_ERROR, 0)
        self.fatal = self.fatal or error.severity >= 20

    def database_changed(self, old: str, new: str) -> None:
        self._release()
        self._writer.write(tokens.env_change_text(tokens.DATABASE, new, old))
        self.message(Message(f"Changed database context to '{new}'.", 5701, 0, 2))

    def transaction_began(self, descriptor: int) -> None:
        self._release()
        self._writer.write(tokens.transaction_began(descriptor))

    def transaction_ended(self, descriptor: int, *, committed: bool) -> None:
        self._release()
        self._writer.write(tokens.transaction_ended(descriptor, committed=committed))

    # --- the end --------------------------------------------------------------------------

    def reset_acknowledged(self) -> None:
        self._release()
        self._writer.write(tokens.reset_ack())

    def end_call(self, status: int, arguments: Sequence[Argument], *, more: bool) -> None:
        """End a procedure call: return status, OUTPUT values, DONEPROC."""
        self._release()
        self._writer.write(tokens.return_status(status))
        for ordinal, argument in enumerate(arguments):
            if argument.output:
                head, cell = tokens.return_value(
                    ordinal, argument.name, argument.type, argument.value
                )
                self._writer.write(head)
                write_cell(self._writer, cell)
        flags = (tokens.MORE if more else 0) | (tokens.DONE_ERROR if self._failed else 0)
        self._writer.write(tokens.done(flags, token=tokens.DONE_PROC))
        self._failed = False

    def end(self, *, attention: bool) -> None:
        """End the message; an `attention` is answered in one of its own.

        In the same message Microsoft's driver takes the cancelled statement for a success.
        """
        if not self._procedure:
            status, rows, command = self._held or (0, 0, 0)
            self._writer.write(tokens.done(status, rows, command=command))
        self._held = None
        self._writer.end()
        if attention:
            self._writer.write(tokens.done(tokens.ATTENTION))
            self._writer.end()

    def _hold(self, status: int, rows: int, command: int = 0) -> None:
        self._held = status, rows, command
        self._failed = bool(status & tokens.DONE_ERROR)

    def _release(self) -> None:
        """More follows, so the held DONE can go."""
        if self._held is not None:
            status, rows, command = self._held
            self._held = None
            done = tokens.done(status | tokens.MORE, rows, command=command, token=self._token)
            self._writer.write(done)
