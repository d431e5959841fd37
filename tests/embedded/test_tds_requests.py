"""PRELOGIN, LOGIN7 and requests: what clients send is understood, what nobody sends is refused."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sqlexec.embedded.sqltypes import SqlType
from sqlexec.embedded.tds import packets, requests
from sqlexec.embedded.tds.packets import ProtocolError
from sqlexec.embedded.tds.requests import Batch, Call, Ignored, Refused, Request, Rpc, Transaction
from tests.embedded.rawclient import ALL_HEADERS, login_message, packet
from tests.embedded.test_tds_packets import reader_of


def parsed(kind: int, payload: bytes, status: int = 1) -> Request:
    reader = reader_of(packet(kind, payload, status))
    return requests.read_request(reader, reader.next_message() or 0)


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


def int_parameter(value: int, name: str = "", flags: int = 0) -> bytes:
    head = bytes([len(name)]) + utf16(name) + bytes([flags])
    return head + b"\x26\x04\x04" + struct.pack("<i", value)


def call_of(name: str | int, *parameters: bytes) -> bytes:
    if isinstance(name, int):
        head = struct.pack("<HH", 0xFFFF, name)
    else:
        head = struct.pack("<H", len(name)) + utf16(name)
    return head + bytes(2) + b"".join(parameters)


# --- PRELOGIN and LOGIN7 -------------------------------------------------------------------


@given(st.dictionaries(st.integers(0, 254), st.binary(max_size=40), max_size=8))
@settings(max_examples=50)
def test_prelogin_makes_the_round_trip(options: dict[int, bytes]) -> None:
    assert requests.parse_prelogin(requests.build_prelogin(options)) == options


@pytest.mark.parametrize("data", [b"", b"\x00\x00", b"\x00\x00\x06\x00\x02\xff", bytes(100)])
def test_malformed_prelogin_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        requests.parse_prelogin(data)


@pytest.mark.parametrize(("asked", "answer"), [(0, 0), (1, 1), (2, 2), (3, 1)])
def test_encryption_is_answered_so_that_each_client_goes_on(asked: int, answer: int) -> None:
    assert requests.answered_encryption(asked) == answer


def test_login_is_read_and_its_password_not_shown() -> None:
    login = requests.parse_login(login_message("sa", "p\u00e4ss", "RevoTestDB", packet_size=8000))
    assert (login.user, login.password, login.database) == ("sa", "p\u00e4ss", "RevoTestDB")
    assert (login.host_name, login.application_name) == ("host", "app")
    assert login.packet_size == 8000
    assert not login.integrated
    assert "p\u00e4ss" not in repr(login)


def test_features_of_a_login_are_found() -> None:
    message = bytearray(login_message("sa", "x"))
    message[27] |= 0x10
    pointer = len(message)
    struct.pack_into("<HH", message, 56, pointer, 4)
    message += struct.pack("<I", pointer + 4) + b"\x0a\x01\0\0\0\x01\xff"
    struct.pack_into("<I", message, 0, len(message))
    assert requests.parse_login(bytes(message)).features == {10: b"\x01"}


@given(st.integers(0, 200), st.binary(min_size=1, max_size=4))
def test_a_changed_login_is_read_or_refused(position: int, change: bytes) -> None:
    message = bytearray(login_message("sa", "secret"))
    message[position : position + len(change)] = change
    with contextlib.suppress(ProtocolError):
        requests.parse_login(bytes(message))


# --- requests ------------------------------------------------------------------------------


def test_a_batch() -> None:
    assert parsed(1, ALL_HEADERS + utf16("SELECT 1")) == Batch("SELECT 1")
    assert parsed(1, ALL_HEADERS + utf16("SELECT 1"), 9) == Batch("SELECT 1", reset=True)


def test_a_procedure_call_with_named_unnamed_and_output_parameters() -> None:
    request = parsed(3, ALL_HEADERS + call_of("dbo.p", int_parameter(1), int_parameter(2, "@b", 1)))
    assert isinstance(request, Rpc)
    (call,) = request.calls
    assert call.procedure == "dbo.p"
    first, second = call.arguments
    assert (first.name, first.value, first.output) == ("", 1, False)
    assert (second.name, second.value, second.output) == ("@b", 2, True)
    assert second.type == SqlType("int")


@pytest.mark.parametrize("name", [13, "sp_prepexec", "[sys].[sp_prepexec]", "SP_PrepExec"])
def test_well_known_procedures_have_one_name(name: str | int) -> None:
    assert parsed(3, ALL_HEADERS + call_of(name)) == Rpc([Call("sp_prepexec", [])])


def test_a_users_procedure_of_such_a_name_is_not_taken_for_it() -> None:
    assert parsed(3, ALL_HEADERS + call_of("app.sp_execute")) == Rpc([Call("app.sp_execute", [])])


@pytest.mark.parametrize("flag", [b"\xff", b"\x80"])
def test_several_calls_in_one_message(flag: bytes) -> None:
    calls = [call_of(12, int_parameter(9), int_parameter(i)) for i in range(3)]
    request = parsed(3, ALL_HEADERS + flag.join(calls))
    assert isinstance(request, Rpc)
    assert [[a.value for a in call.arguments] for call in request.calls] == [[9, 0], [9, 1], [9, 2]]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"\x05\x00\x00\x00", Transaction(5, True, 0)),
        (b"\x05\x00\x04\x04t\x00n\x00", Transaction(5, True, 4, "tn")),
        (b"\x07\x00\x00\x01\x00\x00", Transaction(7, True, 0)),
        (b"\x07\x00\x00\x00", Transaction(7, False, 0)),
        (b"\x08\x00\x00\x01\x02\x00", Transaction(8, True, 2)),
        (b"\x09\x00\x02s\x00", Transaction(9, False, 0, "s")),
    ],
)
def test_transaction_manager_requests(payload: bytes, expected: Transaction) -> None:
    assert parsed(0x0E, ALL_HEADERS + payload) == expected


def test_what_the_stand_in_lacks_is_named_and_the_message_is_read_to_its_end() -> None:
    table = b"\x00\x00\xf3" + bytes(600)
    request = parsed(3, ALL_HEADERS + call_of("p", table))
    assert request == Refused("table-valued parameters")
    assert parsed(7, bytes(100)) == Refused("bulk load (INSERT BULK)")


def test_a_request_that_the_client_takes_back_is_ignored() -> None:
    cut = ALL_HEADERS + call_of("p", int_parameter(1))[:-2]
    assert parsed(3, cut, packets.END_OF_MESSAGE | packets.IGNORE) == Ignored()


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (1, b""),
        (1, b"\xff\xff\xff\xff"),
        (1, struct.pack("<IIH", 10, 99, 2)),
        (1, ALL_HEADERS + b"\x41"),  # half a character
        (3, ALL_HEADERS),
        (3, ALL_HEADERS + b"\xff\xff\x0a"),
        (3, ALL_HEADERS + call_of("p", b"\x05ab")),
        (3, ALL_HEADERS + call_of("p", int_parameter(1)[:-1])),
        (3, ALL_HEADERS + call_of("p", *[int_parameter(1)] * 2101)),
        (0x0E, ALL_HEADERS + b"\x05\x00\x09\x00"),
        (0x0E, ALL_HEADERS + b"\x05"),
        (0x10, b"login again"),
        (0x55, b""),
    ],
)
def test_malformed_requests_are_refused(kind: int, payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        parsed(kind, payload)


@given(st.sampled_from([1, 3, 0x0E]), st.binary(max_size=200), st.booleans())
@example(3, call_of(10, b"\x00\x00\xe7\xff\xff" + bytes(5) + b"\xff" * 8), True)
@settings(max_examples=300)
def test_any_bytes_are_a_request_or_refused(kind: int, payload: bytes, headers: bool) -> None:
    with contextlib.suppress(ProtocolError):
        parsed(kind, (ALL_HEADERS if headers else b"") + payload)


@given(st.integers(0, 120), st.binary(min_size=1, max_size=3))
@settings(max_examples=300)
def test_a_changed_call_is_a_request_or_refused(position: int, change: bytes) -> None:
    text = b"\x00\x00\xe7\x40\x1f\x09\x04\xd0\x00\x34\x04\x00h\x00i\x00"
    data = b"\x00\x01\xa5\xff\xff\xfe" + b"\xff" * 7 + b"\x02\0\0\0ab\0\0\0\0"
    stamp = b"\x00\x00\x2a\x07\x08" + bytes(8)
    payload = bytearray(ALL_HEADERS + call_of(10, text, data, stamp, int_parameter(3, "@n")))
    payload[position : position + len(change)] = change
    with contextlib.suppress(ProtocolError):
        parsed(3, bytes(payload))
