"""Payloads and results that are cut, changed, exchanged or lie: refused, and never unpickled."""

import json
import pickle
import random
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqlexec.errors import IntegrityError, RemoteError, SqlExecError, UnpackError
from sqlexec.payload import Packer, unpack
from sqlexec.runner import wire
from sqlexec.runner.main import PROTOCOL, run_chunk
from sqlexec.runner.wire import REQUEST, RESULT, join_frame, split_frame
from sqlexec.tasks import Task

EXPLODED: list[int] = []


def explode() -> str:
    EXPLODED.append(1)
    return "boom"


class Bomb:
    def __reduce__(self) -> Any:
        return explode, ()


@pytest.fixture(autouse=True)
def nothing_explodes() -> Any:
    EXPLODED.clear()
    yield
    assert not EXPLODED


@pytest.fixture
def modules_kept() -> Any:
    """Undo what a payload does that brings a cloudpickle."""
    before = dict(sys.modules)
    yield
    sys.modules.update(before)


def double(x: Any) -> Any:
    return [x, x]


PACKER = Packer(double)
PAYLOAD = PACKER.chunk([Task(0, {"x": 1}), Task(1, {"x": [2]})])
ANSWER = run_chunk(PAYLOAD)[0]


def resealed(
    frame: bytes, kind: int, change: Callable[[dict[str, Any], list[bytes]], object], key: bytes
) -> bytes:
    """The same frame with another header or body, well sealed."""
    header, body = split_frame(frame, kind, key)
    header, pieces = json.loads(json.dumps(header)), [bytes(body)]
    change(header, pieces)
    return join_frame(kind, header, pieces, key)


def bombed(header: dict[str, Any], pieces: list[bytes]) -> None:
    """Put bombs where the pickles of the tasks are: whoever unpickles too early is found out."""
    count = 24 * header["count"]
    bomb = pickle.dumps([Bomb(), Bomb()])
    header["together"] = [len(bomb)]
    header["apart"] = [[1, [len(bomb)]]]
    pieces[:] = [pieces[0][:count], bomb, bomb]


def answered(payload: bytes) -> Exception:
    """What the client learns where a runner got this."""
    result, failed = run_chunk(payload)
    assert failed == 1
    with pytest.raises(SqlExecError) as caught:
        unpack(result, PACKER.key)
    return caught.value


# --- bytes that were cut or changed ------------------------------------------------------------


def test_a_result_cut_anywhere_is_refused() -> None:
    for length in range(len(ANSWER)):
        with pytest.raises(IntegrityError, match="Nothing of it was used"):
            unpack(ANSWER[:length], PACKER.key)


def test_a_payload_cut_anywhere_is_answered() -> None:
    start = len(PAYLOAD) - len(split_frame(PAYLOAD, REQUEST)[1])
    for length in (*range(start + 1), *range(start, len(PAYLOAD), 997)):
        error = answered(PAYLOAD[:length])
        assert isinstance(error, IntegrityError)
        assert "the payload arrived broken" in str(error)


@given(st.integers(0, 8 * len(ANSWER) - 1))
def test_a_result_with_a_flipped_bit_is_refused(bit: int) -> None:
    changed = bytearray(ANSWER)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(IntegrityError):
        unpack(bytes(changed), PACKER.key)


@given(st.integers(0, 8 * len(PAYLOAD) - 1))
def test_a_payload_with_a_flipped_bit_is_answered(bit: int) -> None:
    changed = bytearray(PAYLOAD)
    changed[bit // 8] ^= 1 << bit % 8
    assert isinstance(answered(bytes(changed)), IntegrityError)


def test_bytes_after_the_end_are_refused() -> None:
    with pytest.raises(IntegrityError):
        unpack(ANSWER + b"\0", PACKER.key)
    assert isinstance(answered(PAYLOAD + b"\0"), IntegrityError)


@pytest.mark.parametrize(
    ("place", "byte", "message"),
    [(0, 0, "does not begin"), (4, 9, "format version 9, this side reads 1"), (6, 1, "of kind 1")],
)
def test_frames_of_another_sort_are_named(place: int, byte: int, message: str) -> None:
    changed = bytearray(ANSWER)
    changed[place] = byte
    with pytest.raises(IntegrityError, match=message):
        unpack(bytes(changed), PACKER.key)


# --- what was sealed by somebody else, or for something else -----------------------------------


@pytest.mark.parametrize("key", [b"", b"x" * 32, PACKER.key[:-1]], ids=["none", "other", "cut"])
def test_bombs_under_another_key_do_not_explode(key: bytes) -> None:
    forged = resealed(ANSWER, RESULT, lambda *_: None, PACKER.key)
    header, body = split_frame(forged, RESULT, PACKER.key)
    pieces = [bytes(body)]
    bombed(header, pieces)
    with pytest.raises(IntegrityError, match="not to be trusted"):
        unpack(join_frame(RESULT, header, pieces, key), PACKER.key)


def test_the_result_of_another_job_is_refused() -> None:
    other = Packer(double)
    result, _ = run_chunk(other.chunk([Task(0, {"x": 1}), Task(1, {"x": [2]})]))
    with pytest.raises(IntegrityError, match="made with another key"):
        unpack(result, PACKER.key)


def test_the_result_of_another_chunk_is_refused() -> None:
    hidden = resealed(ANSWER, RESULT, bombed, PACKER.key)
    with pytest.raises(UnpackError, match="other tasks than those of the chunk"):
        unpack(hidden, PACKER.key, None, [0, 2])


def test_bodies_that_changed_places_are_refused() -> None:
    packer = Packer(double)
    payload = packer.chunk([Task(0, {"x": [1]}), Task(1, {"x": [2]})])
    for frame, key in ((payload, b""), (run_chunk(payload)[0], packer.key)):
        kind = REQUEST if frame is payload else RESULT
        header, _ = split_frame(frame, kind, key)
        (_, (first,)), (_, (second,)) = header["apart"]
        assert first == second
        swapped = frame[: -first - second] + frame[-second:] + frame[-first - second : -second]
        assert swapped != frame
        with pytest.raises(wire.FrameError, match="body was cut or changed"):
            split_frame(swapped, kind, key)


# --- headers that lie, under a seal that fits ---------------------------------------------------

NO_LENGTHS = ([-1], [1.5], ["1"], [None], [2**70], [True], 5, None, "1", {"0": 1}, [[1]])
LIES: list[Callable[[dict[str, Any]], object]] = [
    *(lambda h, lie=lie: h.update(together=lie) for lie in (*NO_LENGTHS, [], [1, 1])),
    *(lambda h, lie=lie: h.update(apart=[[1, lie]]) for lie in NO_LENGTHS),
    *(lambda h, lie=lie: h.update(apart=lie) for lie in (5, None, "ab", [5], [[1]], {"a": 1})),
    *(lambda h, lie=lie: h["apart"][0].__setitem__(0, lie) for lie in (-1, 2, 0.0, "0", None)),
    lambda h: h["apart"].append([1, []]),
    lambda h: h.update(apart=[]),
    *(lambda h, lie=lie: h.update(count=lie) for lie in (-1, 0, 1, 3, 2**70, 1.0, "2", None, True)),
    *(lambda h, name=name: h.pop(name) for name in ("count", "together", "apart", "protocol")),
    lambda h: h.update(protocol=99),
]
LIES_OF_RESULTS: list[Callable[[dict[str, Any]], object]] = [
    *(lambda h, name=name: h.pop(name) for name in ("errors", "console", "warnings", "runtime")),
    *(
        lambda h, name=name, lie=lie: h.update({name: lie})
        for name in ("errors", "console", "warnings")
        for lie in ({"-1": []}, {"2": []}, {"x": []}, [], None, 5)
    ),
    lambda h: h.update(console={"0": [["stdout"]]}),
    lambda h: h.update(warnings={"0": [5]}),
    lambda h: h.update(runtime=5),
    lambda h: h.update(runtime={}),
    lambda h: h.update(failure=5),
    lambda h: h.update(failure={}),
]
LIES_OF_PAYLOADS: list[Callable[[dict[str, Any]], object]] = [
    *(
        lambda h, name=name: h.pop(name)
        for name in ("cloudpickle", "modules", "call", "transport", "key")
    ),
    *(lambda h, lie=lie: h.update(call=lie) for lie in NO_LENGTHS),
    *(lambda h, lie=lie: h.update(key=lie) for lie in (5, None, "xy", [])),
]


@pytest.mark.parametrize("lie", [*LIES, *LIES_OF_RESULTS])
def test_a_result_that_lies_is_refused(lie: Callable[[dict[str, Any]], object]) -> None:
    def change(header: dict[str, Any], pieces: list[bytes]) -> None:
        bombed(header, pieces)
        lie(header)

    with pytest.raises(UnpackError, match=r"not what this client expects|speaks protocol 99"):
        unpack(resealed(ANSWER, RESULT, change, PACKER.key), PACKER.key)


@pytest.mark.parametrize(
    ("frames", "lines"),
    [
        (5, {}),
        ([5], {}),
        ([[["f.py", 1]]], {}),
        ([[["f.py", -1, "f", -1, "m"]]], {}),
        ([[["f.py", 1, None, 1, "m"]]], {}),
        ([[["f.py", 1, "f", 1, "m"]]], 5),
        ([[["f.py", 1, "f", 1, "m"]]], {"f.py": 5}),
        ([[["f.py", 1, "f", 1, "m"]]], {"f.py": {"1": "x", "y": "z"}}),
    ],
)
def test_a_traceback_that_is_none_is_refused(frames: object, lines: object) -> None:
    packer = Packer(lambda: 1 / 0)
    answer, _ = run_chunk(packer.chunk([Task(0)]))

    def change(header: dict[str, Any], pieces: list[bytes]) -> None:
        header["errors"]["0"]["frames"], header["lines"] = frames, lines

    with pytest.raises(UnpackError, match="not what this client expects"):
        unpack(resealed(answer, RESULT, change, packer.key), packer.key)


@pytest.mark.parametrize("lie", [*LIES, *LIES_OF_PAYLOADS])
def test_a_payload_that_lies_is_answered(lie: Callable[[dict[str, Any]], object]) -> None:
    def change(header: dict[str, Any], pieces: list[bytes]) -> None:
        bomb = pickle.dumps(Bomb())
        header.update(cloudpickle=[], modules=[], call=[len(bomb)])
        pieces[:] = [bomb, b"\0" * 16, bomb, bomb]
        header.update(together=[len(bomb)], apart=[[1, [len(bomb)]]])
        lie(header)

    error = answered(resealed(PAYLOAD, REQUEST, change, b""))
    assert isinstance(error, (IntegrityError, RemoteError))
    assert "the payload arrived broken" in str(error)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"5", b"null", b"\xff", b'{"a": NaN}', b'{"a": -Infinity}', b"[" * 100_000],
)
def test_headers_that_are_no_objects_of_json_are_refused(text: bytes, monkeypatch: Any) -> None:
    class Text(str):
        def encode(self, *_: Any) -> bytes:  # type: ignore[override]
            return text

    monkeypatch.setattr(wire.json, "dumps", lambda *_, **__: Text())
    request, result = join_frame(REQUEST, {}, []), join_frame(RESULT, {}, [], PACKER.key)
    monkeypatch.undo()
    assert "its header is no JSON" in str(answered(request))
    with pytest.raises(IntegrityError, match="its header is no JSON"):
        unpack(result, PACKER.key)


# --- noise ----------------------------------------------------------------------------------------


def test_noise_of_many_kinds_is_answered_and_refused() -> None:
    """A short fuzz with a fixed seed: several changes of a frame at once."""
    chance = random.Random(1)
    for _ in range(150):
        payload, answer = mutated(PAYLOAD, chance), mutated(ANSWER, chance)
        if payload != PAYLOAD:
            assert isinstance(answered(payload), IntegrityError)
        if answer != ANSWER:
            with pytest.raises(IntegrityError):
                unpack(answer, PACKER.key)


@pytest.mark.usefixtures("modules_kept")
def test_noise_in_headers_never_ends_but_in_an_answer_or_an_error_of_ours() -> None:
    """The same with changes of the header alone, sealed anew."""
    chance = random.Random(2)
    for _ in range(150):

        def change(header: dict[str, Any], _: list[bytes]) -> None:
            for name in chance.sample(sorted(header.keys() - {"key"}), chance.randint(1, 3)):
                header[name] = chance.choice(JSON)

        result, _ = run_chunk(resealed(PAYLOAD, REQUEST, change, b""))
        assert split_frame(result, RESULT, PACKER.key)[0]["protocol"] == PROTOCOL
        try:
            unpack(resealed(ANSWER, RESULT, change, PACKER.key), PACKER.key)
        except SqlExecError:
            continue


JSON = [None, True, -1, 0, 1, 2.5, 2**70, "", "1", "x", [], [0], [[0, [1]]], {}, {"0": []}, [{}]]


def mutated(frame: bytes, chance: random.Random) -> bytes:
    data = bytearray(frame)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(data))
        what = chance.randrange(4)
        if what == 0:
            data[place] = chance.randrange(256)
        elif what == 1:
            del data[place : place + chance.choice((1, 8, 1000))]
        elif what == 2:
            data[place:place] = chance.randbytes(chance.choice((1, 8, 1000)))
        else:
            data[place : place + 4] = chance.choice((b"\0" * 4, b"\xff" * 4))
    return bytes(data)
