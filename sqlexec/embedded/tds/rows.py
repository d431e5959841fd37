"""Rows to the wire (MS-TDS 2.2.7.19 ROW): Python tuples one by one, Arrow batches by column.

Arrow batch, all columns of fixed width --> one numpy record array (NULLs masked out) --> bytes
Arrow batch with text or bytes ----------> a list of cells a column --> zip --> bytes
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sqlexec.embedded.results import Column
from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tds.encode import (
    LARGE,
    Cell,
    LargeCell,
    encode_cp1252,
    encode_utf16,
    encoder,
    is_plp,
)
from sqlexec.embedded.tds.packets import MessageWriter
from sqlexec.embedded.tsql.errors import SqlError

_ROW = b"\xd1"
_SLICE = 1 << 16  # rows of a batch that are encoded at once, and
_SLICE_BYTES = 1 << 25  # about how many bytes
_DAYS_1900 = 25567  # from 1900-01-01 to 1970-01-01
_DAYS_0001 = dt.date(1970, 1, 1).toordinal() - 1
_DAY_MICROS = 86400 * 1_000_000

Array = npt.NDArray[Any]
Parts = list[tuple[str, Array]]  # (numpy dtype, values) of the fields that make up a value


def write_rows(
    writer: MessageWriter,
    columns: Sequence[Column],
    rows: Iterable[Sequence[object]],
    stopped: Callable[[], bool],
) -> int:
    """Write Python rows; returns how many.  It ends early once `stopped()`."""
    encoders = [encoder(column.type) for column in columns]
    large = any(is_plp(column.type) for column in columns)
    count = 0
    for row in rows:
        if len(row) != len(encoders):
            raise SqlError(40517, f"Internal error: a row of {len(row)} values does not fit.")
        cells = [encode(value) for encode, value in zip(encoders, row, strict=True)]
        if large:
            writer.write(_ROW)
            for cell in cells:
                write_cell(writer, cell)
        else:
            writer.write(_ROW + b"".join(cells))  # type: ignore[arg-type]
        count += 1
        if count % 256 == 0 and stopped():
            break
    return count


def write_batches(
    writer: MessageWriter,
    columns: Sequence[Column],
    batches: Iterable[pa.RecordBatch],
    stopped: Callable[[], bool],
) -> int:
    """Write Arrow batches; returns the number of rows.  It ends early once `stopped()`."""
    types = [column.type for column in columns]
    count = 0
    for batch in batches:
        rows = min(_SLICE, max(1, _SLICE_BYTES * batch.num_rows // max(1, batch.nbytes)))
        for start in range(0, batch.num_rows, rows):
            if stopped():
                return count
            part = batch.slice(start, rows)
            _write_batch(writer, types, part)
            count += part.num_rows
    return count


def _write_batch(writer: MessageWriter, types: list[SqlType], batch: pa.RecordBatch) -> None:
    if all(kind.name in _FIXED for kind in types):
        writer.write_large(_fixed_rows(types, batch).data)
        return
    cells = [_cells(kind, array) for kind, array in zip(types, batch.columns, strict=True)]
    rows = zip(repeat(_ROW, batch.num_rows), *cells, strict=True)
    if any(_has_large(column) for kind, column in zip(types, cells, strict=True) if is_plp(kind)):
        for cell in chain.from_iterable(rows):
            write_cell(writer, cell)
    else:
        writer.write(b"".join(chain.from_iterable(rows)))


def _has_large(cells: Sequence[Cell]) -> bool:
    return any(type(cell) is LargeCell for cell in cells)


def write_cell(writer: MessageWriter, cell: Cell) -> None:
    """Write one encoded value."""
    if isinstance(cell, LargeCell):
        writer.write(cell.head)
        writer.write_large(cell.data)
        writer.write(cell.tail)
    else:
        writer.write(cell)


# --- columns of fixed width ----------------------------------------------------------------


def _fixed_rows(types: Sequence[SqlType], batch: pa.RecordBatch) -> Array:
    """All rows as one array of bytes."""
    size = batch.num_rows
    layout: list[tuple[str, str]] = [("row", "u1")]
    fields: list[Array] = [np.broadcast_to(np.uint8(0xD1), size)]
    gaps: list[tuple[int, int, Array]] = []  # bytes from, to that the rows of a mask lack
    offset = 1
    for kind, array in zip(types, batch.columns, strict=True):
        parts = _FIXED[kind.name](kind, array)
        width = sum(np.dtype(each).itemsize for each, _ in parts)
        length: Array = np.broadcast_to(np.uint8(width), size)
        if array.null_count:
            null = array.is_null().to_numpy(zero_copy_only=False)
            length = np.where(null, np.uint8(0), np.uint8(width))
            gaps.append((offset + 1, offset + 1 + width, null))
        for each, values in [("u1", length), *parts]:
            layout.append((f"f{len(layout)}", each))
            fields.append(values)
        offset += 1 + width
    rows = np.empty(size, np.dtype(layout))
    for (name, _), values in zip(layout, fields, strict=True):
        rows[name] = values
    flat = rows.view(np.uint8)
    if not gaps:
        return flat
    keep = np.ones((size, offset), bool)
    for start, end, null in gaps:
        keep[null, start:end] = False
    return flat[keep.ravel()]


def _as(array: pa.Array, kind: pa.DataType) -> pa.Array:
    return array if array.type == kind else array.cast(kind)


def _numbers(array: pa.Array, kind: pa.DataType) -> Array:
    """The values as numpy numbers, 0 where NULL."""
    array = _as(array, kind)
    if array.null_count:
        array = array.fill_null(0)
    return array.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _plain(dtype: str, arrow: pa.DataType) -> Callable[[SqlType, pa.Array], Parts]:
    return lambda kind, array: [(dtype, _numbers(array, arrow))]


def _bit(kind: SqlType, array: pa.Array) -> Parts:
    array = _as(array, pa.bool_())
    values = (array.fill_null(False) if array.null_count else array).to_numpy(zero_copy_only=False)
    return [("u1", values.astype(np.uint8))]


def _three_bytes(days: Array) -> Parts:
    return [("<u2", days & 0xFFFF), ("u1", days >> 16)]


def _date(kind: SqlType, array: pa.Array) -> Parts:
    days = _numbers(_as(array, pa.date32()).view(pa.int32()), pa.int32())
    return _three_bytes(days + _DAYS_0001)


def _micros(array: pa.Array) -> Array:
    """Timestamps of any unit as microseconds since 1970 (UTC)."""
    if not pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp("us"))
    factor = {"s": 1_000_000, "ms": 1000, "us": 1, "ns": 1}[array.type.unit]
    numbers = _numbers(array.view(pa.int64()), pa.int64())
    return numbers // 1000 if array.type.unit == "ns" else numbers * factor


def _datetime(kind: SqlType, array: pa.Array) -> Parts:
    micros = _micros(array)
    days = micros // _DAY_MICROS
    ticks = ((micros - days * _DAY_MICROS) * 3 + 5000) // 10000  # of 1/300 s
    late = ticks == 300 * 86400
    return [("<i4", days + _DAYS_1900 + late), ("<u4", np.where(late, 0, ticks))]


def _smalldatetime(kind: SqlType, array: pa.Array) -> Parts:
    minutes = (_micros(array) + 30_001_000) // 60_000_000
    days = minutes // 1440
    return [("<u2", days + _DAYS_1900), ("<u2", minutes - days * 1440)]


def _ticks(micros: Array, scale: int) -> Parts:
    ticks = micros * 10 // 10 ** (7 - scale)
    if scale < 3:
        return _three_bytes(ticks)
    return [("<u4", ticks & 0xFFFFFFFF)] + ([] if scale < 5 else [("u1", ticks >> 32)])


def _scale(kind: SqlType) -> int:
    return 7 if kind.scale is None else kind.scale


def _time(kind: SqlType, array: pa.Array) -> Parts:
    micros = _numbers(_as(array, pa.time64("us")).view(pa.int64()), pa.int64())
    return _ticks(micros, _scale(kind))


def _datetime2(kind: SqlType, array: pa.Array) -> Parts:
    micros = _micros(array)
    days = micros // _DAY_MICROS
    return _ticks(micros - days * _DAY_MICROS, _scale(kind)) + _three_bytes(days + _DAYS_0001)


def _datetimeoffset(kind: SqlType, array: pa.Array) -> Parts:
    return [*_datetime2(kind, array), ("<i2", np.zeros(len(array), np.int16))]


def _words(array: pa.Array) -> tuple[Array, Array, Array]:
    """A decimal128 column: its sign (1 for positive) and the words of its magnitude."""
    words = np.frombuffer(array.buffers()[1], np.uint64)
    words = words[2 * array.offset : 2 * (array.offset + len(array))].reshape(-1, 2)
    low, high = words[:, 0], words[:, 1]
    negative = (
        high.view(np.int64) < 0 if high.flags.c_contiguous else high.copy().view(np.int64) < 0
    )
    flipped = ~low + np.uint64(1)
    carry = (flipped == 0).astype(np.uint64)
    low = np.where(negative, flipped, low)
    high = np.where(negative, ~high + carry, high)
    return (~negative).astype(np.uint8), low, high


def _decimal(kind: SqlType, array: pa.Array) -> Parts:
    array = _as(array, pa.decimal128(kind.precision or 18, kind.scale or 0))
    sign, low, high = _words(array)
    precision = kind.precision or 18
    if precision <= 9:
        return [("u1", sign), ("<u4", low & np.uint64(0xFFFFFFFF))]
    if precision <= 19:
        return [("u1", sign), ("<u8", low)]
    if precision <= 28:
        return [("u1", sign), ("<u8", low), ("<u4", high & np.uint64(0xFFFFFFFF))]
    return [("u1", sign), ("<u8", low), ("<u8", high)]


def _money(kind: SqlType, array: pa.Array) -> Parts:
    sign, low, _ = _words(_as(array, pa.decimal128(19, 4)))
    value = np.where(sign == 1, low, ~low + np.uint64(1))
    if kind.name == "smallmoney":
        return [("<u4", value & np.uint64(0xFFFFFFFF))]
    return [("<u4", value >> np.uint64(32)), ("<u4", value & np.uint64(0xFFFFFFFF))]


_FIXED: dict[str, Callable[[SqlType, pa.Array], Parts]] = {
    "bit": _bit,
    "tinyint": _plain("u1", pa.uint8()),
    "smallint": _plain("<i2", pa.int16()),
    "int": _plain("<i4", pa.int32()),
    "bigint": _plain("<i8", pa.int64()),
    "real": _plain("<f4", pa.float32()),
    "float": _plain("<f8", pa.float64()),
    "decimal": _decimal,
    "money": _money,
    "smallmoney": _money,
    "date": _date,
    "time": _time,
    "datetime": _datetime,
    "smalldatetime": _smalldatetime,
    "datetime2": _datetime2,
    "datetimeoffset": _datetimeoffset,
}


# --- columns of varying width --------------------------------------------------------------


def _cells(kind: SqlType, array: pa.Array) -> Sequence[Cell]:
    """The cells of a column, each with its length."""
    if kind.name in _FIXED:
        return _fixed_cells(kind, array)
    if kind.is_text and not is_plp(kind):
        return _text_cells(kind, array)
    encode = encoder(kind)
    if kind.is_binary and array.nbytes > LARGE * len(array):  # long ones stay where they are
        return [encode(None if (data := each.as_buffer()) is None else memoryview(data))
                for each in array]  # fmt: skip
    return [encode(value) for value in array.to_pylist()]


def _fixed_cells(kind: SqlType, array: pa.Array) -> list[bytes]:
    parts = _FIXED[kind.name](kind, array)
    width = sum(np.dtype(each).itemsize for each, _ in parts)
    layout = [("length", "u1")] + [(f"f{i}", each) for i, (each, _) in enumerate(parts)]
    cells = np.empty(len(array), np.dtype(layout))
    cells["length"] = width
    for i, (_, values) in enumerate(parts):
        cells[f"f{i}"] = values
    raw, step = cells.tobytes(), width + 1
    result = [raw[at : at + step] for at in range(0, len(raw), step)]
    if array.null_count:
        for at in np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False)).tolist():
            result[at] = b"\x00"
    return result


def _text_cells(kind: SqlType, array: pa.Array) -> list[bytes]:
    wide = kind.name in ("nvarchar", "nchar")
    encode = encode_utf16 if wide else encode_cp1252
    limit = (kind.length or 1) * (2 if wide else 1)
    encoded = [None if value is None else encode(value) for value in _strings(array)]
    if any(data is not None and len(data) > limit for data in encoded):
        raise SqlError.of(8152)
    return [
        b"\xff\xff" if data is None else len(data).to_bytes(2, "little") + data for data in encoded
    ]


def _strings(array: pa.Array) -> Iterator[str | None]:
    values = _as(array, pa.string()).to_numpy(zero_copy_only=False)
    return iter(values.tolist())
