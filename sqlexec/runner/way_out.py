"""How the result leaves the process: by the OUTPUT parameter, or as text in rows.

    result --short, or OUTPUT is good there--> @result varbinary(max) OUTPUT
           --else, where pandas is-----------> OutputDataSet: number, base64 of a piece

Microsoft's open Python language extension cuts OUTPUT values at 65,535 bytes in its first
releases, without an error, and copies them slowly in the later ones; rows are quick and whole in
all of them.  The payload says which way: "output", "rows", or "probe" where the client does not
know the server yet: rows, and beside them a second OUTPUT value whose length tells what became
of it.
"""

import binascii
import sys
from typing import Any, Dict, Optional, Tuple

from sqlexec.runner.main import failed_chunk, run_chunk
from sqlexec.runner.randomness import forget_seed
from sqlexec.runner.surroundings import Surroundings
from sqlexec.runner.values import WIRE
from sqlexec.runner.wire import REQUEST, header_end, read_header

NEVER_CUT = 65535  # bytes of an OUTPUT value that arrive from every runtime
PROBE = 65600  # bytes of the value that shows whether longer ones do
PIECE = 3 << 20  # bytes of a row; a multiple of 3, so that each row's base64 stands for itself


def run_script(
    payload: bytes,
    shared: Optional[bytes],
    input_data: Any,
    longest_run_seconds: int = 0,
    seconds_left: int = 0,
    first_place: int = 0,
    task_count: int = 0,
) -> Tuple[bytes, int, int, int, bytes, int, Any]:
    """Run a chunk as the script that the server starts.

    Parameters are those of `run_chunk`.  Gives the values of the script's variables: result (b""
    where it leaves in rows), result_length, header_length, failed_count, probe, input_rows, and
    the data frame of rows or None.
    """
    header = _header_of(payload)
    input_rows = 0 if input_data is None else len(input_data)
    before = Surroundings()
    try:
        result, failed = run_chunk(
            payload,
            input_data,
            shared or b"",
            longest_run_seconds,
            seconds_left,
            first_place,
            task_count,
        )
    except BaseException:  # noqa: BLE001 - an interrupt while run_chunk told of another error
        result, failed = failed_chunk(_key_of(header)), 1
    before.restore()
    sys.modules.pop(WIRE, None)
    if header.get("seed") is not None:
        forget_seed()
    way = header.get("way_out", "output")
    rows = None
    if way != "output" and len(result) > NEVER_CUT:
        rows = _rows_of(result)
    probe = bytes(PROBE) if way == "probe" else b""
    given = result if rows is None else b""
    return given, len(result), header_end(result), failed, probe, input_rows, rows


def _header_of(payload: bytes) -> Dict[str, Any]:
    try:
        header = read_header(payload, REQUEST)
    except Exception:  # noqa: BLE001 - run_chunk meets it too, and answers it
        return {}
    return header if isinstance(header, dict) else {}


def _key_of(header: Dict[str, Any]) -> bytes:
    """The job's key; an empty one where the header has none that can be read."""
    try:
        return bytes.fromhex(header.get("key", ""))
    except (TypeError, ValueError):
        return b""


def _rows_of(result: bytes) -> Any:
    """A frame of plain integers and strings; None where there is no pandas."""
    try:
        import pandas
    except ImportError:
        return None

    view = memoryview(result)
    texts = [
        binascii.b2a_base64(view[start : start + PIECE])[:-1].decode("ascii")
        for start in range(0, len(view), PIECE)
    ]
    numbers = pandas.Series(range(len(texts)), dtype="int32")
    return pandas.DataFrame({"c0": numbers, "c1": pandas.Series(texts, dtype=object)})
