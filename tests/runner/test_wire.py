"""The frame of payloads: what was sealed comes back, anything else is refused."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlexec.runner.wire import (
    REQUEST,
    RESULT,
    FrameError,
    join_frame,
    read_header,
    split_frame,
    take,
)

KEY = b"k" * 32


@given(st.lists(st.binary(max_size=200), max_size=5), st.text())
def test_round_trip(pieces: list[bytes], text: str) -> None:
    frame = join_frame(RESULT, {"text": text, "lengths": [len(p) for p in pieces]}, pieces, KEY)
    header, body = split_frame(frame, RESULT, KEY)
    cut, end = take(body, header["lengths"], 0)
    assert header["text"] == text
    assert [bytes(piece) for piece in cut] == pieces
    assert end == len(body)


@given(st.data())
def test_no_changed_byte_passes(data: st.DataObject) -> None:
    frame = bytearray(join_frame(RESULT, {"a": 1}, [b"body"], KEY))
    place = data.draw(st.integers(0, len(frame) - 1))
    frame[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(FrameError):
        split_frame(bytes(frame), RESULT, KEY)


@given(st.integers(0, 100))
def test_no_cut_frame_passes(length: int) -> None:
    frame = join_frame(RESULT, {"a": 1}, [b"body"], KEY)
    with pytest.raises(FrameError):
        split_frame(frame[: min(length, len(frame) - 1)], RESULT, KEY)


def test_the_header_is_read_without_the_body() -> None:
    frame = join_frame(RESULT, {"a": 1}, [b"body" * 100], KEY)
    assert read_header(frame[:-400], RESULT, KEY) == {"a": 1}
    with pytest.raises(FrameError, match="cut"):
        read_header(frame[:-401], RESULT, KEY)
    with pytest.raises(FrameError, match="body was cut"):
        split_frame(frame[:-1], RESULT, KEY)


@given(st.data())
def test_no_changed_byte_of_a_header_passes(data: st.DataObject) -> None:
    frame = bytearray(join_frame(RESULT, {"a": 1}, [], KEY))
    place = data.draw(st.integers(0, len(frame) - 1))
    frame[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(FrameError):
        read_header(bytes(frame), RESULT, KEY)


@given(st.binary(max_size=300))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(FrameError):
        split_frame(noise, REQUEST)


@pytest.mark.parametrize("key", [b"", b"x" * 32])
def test_another_key_is_refused(key: bytes) -> None:
    with pytest.raises(FrameError, match="another key"):
        split_frame(join_frame(RESULT, {}, [], KEY), RESULT, key)


def test_a_request_is_no_result() -> None:
    with pytest.raises(FrameError, match="kind"):
        split_frame(join_frame(REQUEST, {}, [], KEY), RESULT, KEY)


@pytest.mark.parametrize("lengths", [[5], [2, 3], [-1], [0, 0, 5]])
def test_lengths_beyond_the_body_are_refused(lengths: list[int]) -> None:
    with pytest.raises(FrameError, match="more bytes"):
        take(memoryview(b"body"), lengths, 0)


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_how_the_body_is_cut_into_pieces_does_not_matter(pieces: list[bytes]) -> None:
    whole = join_frame(REQUEST, {"a": 1}, [b"".join(pieces)])
    assert join_frame(REQUEST, {"a": 1}, pieces) == whole


@pytest.mark.parametrize("size", [2**23 - 1, 2**23, 2**23 + 1, 3 * 2**23 + 5])
def test_large_bodies_are_hashed_in_parts_of_8_mib(size: int) -> None:
    body = b"sqlx" * (size // 4) + b"." * (size % 4)
    pieces = [body[:5_000_000], memoryview(body)[5_000_000:7_000_000], body[7_000_000:]]
    frame = join_frame(RESULT, {}, pieces, KEY)
    parts = [body[start : start + 2**23] for start in range(0, size, 2**23)]
    digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
    assert frame[40:72] == digest
    assert split_frame(frame, RESULT, KEY)[1] == body
    for place in (100, size // 2, len(frame) - 1):
        changed = bytearray(frame)
        changed[place] ^= 1
        with pytest.raises(FrameError, match="body was cut or changed"):
            split_frame(bytes(changed), RESULT, KEY)
