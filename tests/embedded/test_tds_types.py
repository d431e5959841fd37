"""Types: what encode.py writes, types.py reads; Arrow batches give the bytes of Python rows."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlexec.embedded.results import Column
from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tds.encode import LargeCell, encoder, type_info
from sqlexec.embedded.tds.packets import MessageWriter, ProtocolError
from sqlexec.embedded.tds.rows import write_batches, write_rows
from sqlexec.embedded.tds.types import UnsupportedType, read_type
from sqlexec.embedded.tsql.errors import SqlError
from tests.embedded.rawclient import packet
from tests.embedded.test_tds_packets import reader_of


def sent(cell: Any) -> bytes:
    if isinstance(cell, LargeCell):
        return cell.head + bytes(cell.data) + cell.tail
    return bytes(cell)


def round_trip(spelled: str, value: object) -> object:
    kind = SqlType.parse(spelled)
    data = type_info(kind) + sent(encoder(kind)(value))
    reader = reader_of(
        b"".join(packet(1, data[at : at + 500], 0) for at in range(0, len(data), 500))
        + packet(1, b"")
    )
    reader.next_message()
    found, read = read_type(reader)
    assert found == kind
    result = read(reader)
    assert reader.at_end()
    return bytes(result) if isinstance(result, memoryview) else result


TEXT = st.text(st.characters(codec="utf-16-le"), max_size=40)
CP1252 = st.text(st.characters(codec="cp1252"), max_size=40)
DATETIMES = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "bit": st.booleans(),
    "tinyint": st.integers(0, 255),
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "int": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "real": st.floats(width=32, allow_nan=False),
    "float": st.floats(allow_nan=False),
    "decimal(5,3)": st.decimals(-99, 99, places=3),
    "decimal(18,0)": st.integers(-(10**18) + 1, 10**18 - 1).map(Decimal),
    "decimal(38,10)": st.decimals(-(10**27), 10**27, places=10),
    "money": st.decimals(-922337203685477, 922337203685477, places=4),
    "smallmoney": st.decimals(-214748, 214748, places=4),
    "date": st.dates(),
    "time(6)": st.times(),
    "time(7)": st.times(),
    "datetime2(7)": DATETIMES,
    "datetime2(6)": DATETIMES,
    "uniqueidentifier": st.uuids(),
    "nvarchar(80)": TEXT,
    "nvarchar(max)": TEXT,
    "varchar(80)": CP1252,
    "varchar(max)": CP1252,
    "varbinary(80)": st.binary(max_size=80),
    "varbinary(max)": st.binary(max_size=80),
    "xml": TEXT,
}


@pytest.mark.parametrize("spelled", VALUES)
def test_null_makes_the_round_trip(spelled: str) -> None:
    assert round_trip(spelled, None) is None


@settings(max_examples=50)
@given(st.data())
@pytest.mark.parametrize("spelled", VALUES)
def test_values_make_the_round_trip(spelled: str, data: st.DataObject) -> None:
    value = data.draw(VALUES[spelled])
    assert round_trip(spelled, value) == value


@settings(max_examples=50)
@given(st.datetimes(dt.datetime(1753, 1, 1), dt.datetime(9999, 12, 31)))
def test_datetime_is_rounded_to_a_three_hundredth_of_a_second(value: dt.datetime) -> None:
    result = round_trip("datetime", value)
    assert isinstance(result, dt.datetime)
    assert abs(result - value) <= dt.timedelta(microseconds=2334)
    assert result.microsecond % 10000 in (0, 3000, 7000)
    assert round_trip("datetime", result) == result


def test_the_last_instant_of_a_day_rounds_into_the_next() -> None:
    value = dt.datetime(2024, 2, 29, 23, 59, 59, 999000)
    assert round_trip("datetime", value) == dt.datetime(2024, 3, 1)
    assert round_trip("smalldatetime", value) == dt.datetime(2024, 3, 1)


@pytest.mark.parametrize(("second", "minute"), [(29.998, 0), (29.999, 1)])
def test_smalldatetime_rounds_from_29_999_seconds_up(second: float, minute: int) -> None:
    value = dt.datetime(2024, 1, 1) + dt.timedelta(seconds=second)
    assert round_trip("smalldatetime", value) == dt.datetime(2024, 1, 1, 0, minute)


@settings(max_examples=50)
@given(st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1)), st.integers(-840, 840))
def test_datetimeoffset_keeps_instant_and_offset(value: dt.datetime, minutes: int) -> None:
    value = value.replace(tzinfo=dt.timezone(dt.timedelta(minutes=minutes)))
    result = round_trip("datetimeoffset", value)
    assert isinstance(result, dt.datetime)
    assert result == value
    assert result.utcoffset() == value.utcoffset()


@pytest.mark.parametrize("size", [32767, 32768, 65535, 65536, 300_000])
def test_long_binary_values_cross_packets(size: int) -> None:
    value = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert round_trip("varbinary(max)", value) == value


def test_what_code_page_1252_lacks_becomes_a_question_mark() -> None:
    assert round_trip("varchar(10)", "\u6f22\u20ac\x81") == "?\u20ac\x81"


def test_freetds_sends_decimals_as_short_as_they_are() -> None:
    reader = reader_of(packet(1, bytes([0x6C, 4, 5, 3, 4, 1]) + (12345).to_bytes(3, "little")))
    reader.next_message()
    kind, read = read_type(reader)
    assert kind == SqlType.parse("decimal(5,3)")
    assert read(reader) == Decimal("12.345")


def test_a_statement_may_come_as_ntext() -> None:
    body = (
        bytes([0x63]) + bytes(4) + bytes(5) + (4).to_bytes(4, "little") + "hi".encode("utf-16-le")
    )
    reader = reader_of(packet(1, body))
    reader.next_message()
    _, read = read_type(reader)
    assert read(reader) == "hi"


@pytest.mark.parametrize(
    ("spelled", "value", "number"),
    [
        ("tinyint", 256, 8115),
        ("int", 2**31, 8115),
        ("decimal(5,0)", Decimal(10) ** 20, 8115),
        ("nvarchar(2)", "abc", 8152),
        ("varbinary(2)", b"abc", 8152),
    ],
)
def test_a_value_that_does_not_fit_its_type_is_an_error(
    spelled: str, value: object, number: int
) -> None:
    with pytest.raises(SqlError) as caught:
        encoder(SqlType.parse(spelled))(value)
    assert caught.value.number == number


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",  # no such type
        b"\x26\x03",  # an INTN of 3 bytes
        b"\x26\x04\x03abc",  # a value of 3 bytes for it
        b"\x29\x08",  # a time of scale 8
        b"\x6c\x11\x27\x00",  # 39 digits
        b"\xe7\x28\x23" + bytes(5),  # nvarchar of 9000 bytes
        b"\xe7\x04\x00" + bytes(5) + b"\x06\x00aabbcc",  # longer than declared
        b"\xe7\x04\x00" + bytes(5) + b"\x03\x00aab",  # half a character
        b"\xa5\xff\xff" + (2**33).to_bytes(8, "little"),  # 8 GB
        b"\xa5\xff\xff" + (3).to_bytes(8, "little") + b"\x01\0\0\0x\0\0\0\0",  # 3 announced
        b"\x28\x03\xff\xff\xff",  # a day after 9999
        b"\x2a\x07\x08" + bytes([255] * 8),  # no time of day
        b"\x6f\x08\x08" + bytes([255] * 8),
    ],
)
def test_malformed_types_and_values_are_refused(data: bytes) -> None:
    reader = reader_of(packet(1, data))
    reader.next_message()

    def read_both() -> None:
        _, read = read_type(reader)
        read(reader)

    with pytest.raises(ProtocolError):
        read_both()


@pytest.mark.parametrize("token", [0x62, 0xF0, 0xF3])
def test_types_the_stand_in_lacks_are_named(token: int) -> None:
    reader = reader_of(packet(1, bytes([token])))
    reader.next_message()
    with pytest.raises(UnsupportedType):
        read_type(reader)


# --- Arrow ---------------------------------------------------------------------------------

ARROW: dict[str, pa.DataType] = {
    "bit": pa.bool_(),
    "tinyint": pa.uint8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "float": pa.float64(),
    "decimal(5,3)": pa.decimal128(5, 3),
    "decimal(18,0)": pa.decimal128(18, 0),
    "decimal(25,2)": pa.decimal128(25, 2),
    "decimal(38,10)": pa.decimal128(38, 10),
    "money": pa.decimal128(19, 4),
    "smallmoney": pa.decimal128(10, 4),
    "date": pa.date32(),
    "time(2)": pa.time64("us"),
    "time(4)": pa.time64("us"),
    "time(7)": pa.time64("us"),
    "datetime": pa.timestamp("ms"),
    "smalldatetime": pa.timestamp("s"),
    "datetime2(3)": pa.timestamp("us"),
    "datetime2(7)": pa.timestamp("us"),
    "datetimeoffset": pa.timestamp("us", "UTC"),
    "uniqueidentifier": pa.string(),
    "nvarchar(80)": pa.string(),
    "nvarchar(max)": pa.string(),
    "varchar(80)": pa.string(),
    "varbinary(80)": pa.binary(),
    "varbinary(max)": pa.binary(),
}
MORE_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "decimal(25,2)": st.decimals(-(10**22), 10**22, places=2),
    "time(2)": st.times(),
    "time(4)": st.times(),
    "datetime2(3)": DATETIMES,
    "datetime": st.datetimes(dt.datetime(1753, 1, 1), dt.datetime(9999, 12, 30)).map(
        lambda value: value.replace(microsecond=value.microsecond // 1000 * 1000)
    ),
    "smalldatetime": st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2079, 6, 5)).map(
        lambda value: value.replace(microsecond=0)
    ),
    "datetimeoffset": DATETIMES.map(lambda value: value.replace(tzinfo=dt.timezone.utc)),
    "uniqueidentifier": st.uuids().map(str),
}


def message_of(columns: list[Column], **result: Any) -> bytes:
    data = bytearray()
    writer = MessageWriter(lambda buffers: [data.extend(b) for b in buffers] and None, 32767)
    if "rows" in result:
        count = write_rows(writer, columns, result["rows"], lambda: False)
    else:
        count = write_batches(writer, columns, result["batches"], lambda: False)
    writer.end()
    reader = reader_of(bytes(data))
    reader.next_message()
    assert count == result["count"]
    return reader.rest()


@settings(max_examples=50)
@given(st.data())
@pytest.mark.parametrize("with_text", [False, True])
def test_arrow_batches_give_the_same_bytes_as_rows(with_text: bool, data: st.DataObject) -> None:
    names = [name for name in ARROW if with_text or ARROW[name] not in (pa.string(), pa.binary())]
    spelled = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=5))
    strategies = [st.none() | MORE_VALUES.get(name, VALUES.get(name)) for name in spelled]  # type: ignore[operator]
    rows = data.draw(st.lists(st.tuples(*strategies), max_size=8))
    columns = [Column(name, SqlType.parse(name)) for name in spelled]
    arrays = [pa.array([row[i] for row in rows], ARROW[name]) for i, name in enumerate(spelled)]
    batch = pa.RecordBatch.from_arrays(arrays, names=[str(i) for i in range(len(spelled))])
    expected = message_of(columns, rows=rows, count=len(rows))
    assert message_of(columns, batches=[batch], count=len(rows)) == expected
    half = len(rows) // 2  # slices have offsets
    parts = [batch.slice(0, half), batch.slice(half)]
    assert message_of(columns, batches=parts, count=len(rows)) == expected


def test_long_values_of_arrow_columns_are_sent_in_place() -> None:
    values = [b"x" * 100_000, None, b"", uuid.uuid4().bytes]
    columns = [Column("n", SqlType("int")), Column("b", SqlType.parse("varbinary(max)"))]
    batch = pa.RecordBatch.from_arrays(
        [pa.array([1, 2, 3, 4], pa.int32()), pa.array(values, pa.binary())], names=["n", "b"]
    )
    rows = list(zip([1, 2, 3, 4], values, strict=True))
    expected = message_of(columns, rows=rows, count=4)
    assert message_of(columns, batches=[batch], count=4) == expected
