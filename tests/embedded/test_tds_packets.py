"""Framing: what a MessageWriter sends, a MessageReader reads, however the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlexec.embedded.tds import packets
from sqlexec.embedded.tds.packets import HEADER, MessageReader, MessageWriter, ProtocolError


def reader_of(data: bytes, cut: int = 1 << 20, limit: int = 1 << 30) -> MessageReader:
    parts = iter([data[at : at + cut] for at in range(0, len(data), cut)])
    return MessageReader(lambda: next(parts, b""), limit)


def written(parts: list[tuple[bool, bytes]], packet_size: int) -> bytes:
    sent = bytearray()
    writer = MessageWriter(lambda buffers: [sent.extend(b) for b in buffers] and None, packet_size)
    for large, data in parts:
        (writer.write_large if large else writer.write)(data)
    writer.end()
    return bytes(sent)


PARTS = st.lists(st.tuples(st.booleans(), st.binary(max_size=3000)), max_size=6)


@settings(max_examples=50)
@given(PARTS, st.integers(512, 2000), st.integers(1, 5000))
def test_a_message_arrives_as_it_was_written(
    parts: list[tuple[bool, bytes]], packet_size: int, cut: int
) -> None:
    data = written(parts, packet_size)
    reader = reader_of(data, cut)
    assert reader.next_message() == packets.RESPONSE
    assert reader.rest() == b"".join(part for _, part in parts)
    assert reader.next_message() is None


def test_long_messages_are_sent_in_full_packets() -> None:
    data = written([(False, bytes(300_000)), (True, bytes(500_000)), (False, b"end")], 4096)
    position, lengths = 0, []
    while position < len(data):
        _, status, length, _, packet_id, _ = HEADER.unpack_from(data, position)
        lengths.append(length)
        assert packet_id == len(lengths) % 256
        position += length
        assert bool(status & packets.END_OF_MESSAGE) == (position == len(data))
    assert set(lengths[:-1]) == {4096}


def test_flush_sends_at_once_and_the_message_goes_on() -> None:
    sent: list[bytes] = []
    writer = MessageWriter(lambda buffers: sent.append(b"".join(buffers)), 4096)
    writer.write(b"first")
    writer.flush()
    assert sent == [HEADER.pack(4, 0, 13, 0, 1, 0) + b"first"]
    writer.write(b"second")
    writer.end()
    reader = reader_of(b"".join(sent))
    reader.next_message()
    assert reader.rest() == b"firstsecond"


def test_chunks_cross_packets_without_being_joined() -> None:
    data = written([(False, b"0123456789" * 100)], 512)
    reader = reader_of(data, 100)
    reader.next_message()
    chunks = []
    while not reader.at_end():
        chunks.append(bytes(reader.chunk(1 << 20)))
    assert b"".join(chunks) == b"0123456789" * 100
    assert len(chunks) > 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (HEADER.pack(1, 1, 7, 0, 1, 0), "7 bytes"),
        (HEADER.pack(1, 1, 40000, 0, 1, 0), "40000 bytes"),
        (HEADER.pack(1, 1, 100, 0, 1, 0) + b"cut", "within a message"),
        (HEADER.pack(1, 1, 100, 0, 1, 0)[:5], "within a packet header"),
        (HEADER.pack(1, 0, 9, 0, 1, 0) + b"x" + HEADER.pack(3, 1, 9, 0, 2, 0) + b"y", "type 3"),
        (HEADER.pack(1, 1, 2000, 0, 1, 0) + bytes(1992), "more than 1000"),
    ],
)
def test_bytes_that_are_no_packets_are_refused(data: bytes, reason: str) -> None:
    reader = reader_of(data, limit=1000)

    def read_all() -> None:
        reader.next_message()
        reader.rest()

    with pytest.raises(ProtocolError, match=reason):
        read_all()


def test_reading_past_the_end_of_a_message_is_refused() -> None:
    reader = reader_of(HEADER.pack(1, 1, 10, 0, 1, 0) + b"xy" + HEADER.pack(1, 1, 8, 0, 1, 0))
    reader.next_message()
    with pytest.raises(ProtocolError, match="ended unexpectedly"):
        reader.read(3)
