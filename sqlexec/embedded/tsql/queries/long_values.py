"""Values of many megabytes on their way into a table.

DuckDB copies a parameter four times before it is in a table, a cell of an Arrow table twice.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa

from sqlexec.embedded.tsql.queries.plans import Step
from sqlexec.embedded.tsql.scalar.facts import Bytes
from sqlexec.embedded.tsql.translate.running import values

if TYPE_CHECKING:
    from sqlexec.embedded.tsql.state import Session

LONG = 1 << 20  # bytes

_PARAMETERS = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\d+)""")  # none within quotes


@contextmanager
def placed(session: Session, step: Step) -> Iterator[tuple[str, Sequence[object]]]:
    """The text and the parameters to run a step with: long ones lie in a table meanwhile."""
    given = values(session, step.parameters, LONG if step.row else math.inf)
    long = {
        number: value
        for number, value in enumerate(given, 1)
        if step.row and isinstance(value, Bytes) and len(value) > LONG
    }
    if not long:
        yield step.sql, given
        return
    short = [number for number in range(1, len(given) + 1) if number not in long]

    def place(found: re.Match[str]) -> str:
        number = int(found[1] or 0)
        if number in long:
            return f'"$long"."{number}"'
        return f"${1 + short.index(number)}" if number else found[0]

    text = f'{_PARAMETERS.sub(place, step.row)} FROM "$long"'
    table = pa.table({str(number): _cell(value) for number, value in long.items()})
    with session.connection.registered("$long", table):
        yield text, [given[number - 1] for number in short]


def _cell(value: bytes | bytearray | memoryview) -> pa.Array:
    """An array of one value, which is not copied."""
    offsets = pa.array([0, len(value)], pa.int64()).buffers()[1]
    return pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, pa.py_buffer(value)])
