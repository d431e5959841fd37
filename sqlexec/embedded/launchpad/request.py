"""What goes into an external script and what comes out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from sqlexec.embedded.sqltypes import SqlType

if TYPE_CHECKING:
    import pyarrow as pa

    from sqlexec.embedded.results import Column


class Cancellable(Protocol):
    """A session that can end what runs for it: see `tsql.state.Session`."""

    @property
    def cancelled(self) -> threading.Event: ...

    @property
    def on_cancel(self) -> list[Callable[[], None]]: ...


@dataclass(frozen=True, slots=True)
class ScriptParameter:
    """A parameter of the script; `name` without its @."""

    name: str
    type: SqlType
    value: object = None
    output: bool = False


@dataclass(slots=True)
class ScriptRequest:
    """One external script.

    input : the rows of @input_data_1 as an Arrow stream, with their T-SQL columns; None for none.
    """

    script: str
    language: str = "Python"
    input: pa.RecordBatchReader | None = None
    input_columns: Sequence[Column] = ()
    input_name: str = "InputDataSet"
    output_name: str = "OutputDataSet"
    parameters: Sequence[ScriptParameter] = ()


@dataclass(slots=True)
class ScriptResult:
    """What a script left behind.

    outputs : value of each OUTPUT parameter by name without @ (large bytes as a memoryview
        over shared memory).
    columns, batch : OutputDataSet; columns carry the T-SQL type that belongs to each dtype, and
        the Arrow batch lies over shared memory.  None if the script made no data set.
    error : the script's traceback, None if it did not raise.
    died : how the process ended if it did not end by itself ("exit status 3", "signal 11").
    process_id : of the satellite, for tests and messages.
    """

    outputs: dict[str, object] = field(default_factory=dict)
    columns: list[Column] | None = None
    batch: pa.RecordBatch | None = None
    stdout: str = ""
    stderr: str = ""
    error: str | None = None
    died: str | None = None
    process_id: int = 0

    @property
    def rows(self) -> list[tuple[object, ...]]:
        """OutputDataSet as Python tuples."""
        if self.batch is None:
            return []
        return list(zip(*(column.to_pylist() for column in self.batch.columns), strict=True))


@dataclass(frozen=True, slots=True)
class Quirks:
    """Ways of real runtimes that can be switched on, so that clients are tested against them.

    cut_output : varbinary OUTPUT values are cut at this many bytes without an error (65,535 in
        the open extension 1.0 and 1.1); 0 for never.
    memory_console : sys.stdout and sys.stderr are StringIO objects, as in the open extension: what
        is printed is lost if the script raises, and text that has no UTF-8 fails it.
    launch_delay : seconds that the start of each process takes on top.
    launch_failures : so many launches fail with 39025 first, then they work.
    """

    cut_output: int = 0
    memory_console: bool = False
    launch_delay: float = 0.0
    launch_failures: int = 0
