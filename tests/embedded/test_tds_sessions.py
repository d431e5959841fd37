"""Sessions over sockets: bad peers end their own connection and nothing else."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from sqlexec.embedded.tds import packets, requests, tokens
from tests.embedded.echo import PASSWORD, echo_server
from tests.embedded.rawclient import ALL_HEADERS, RawClient, login_message, packet
from tests.embedded.test_tds_requests import call_of, int_parameter


@pytest.fixture(scope="module")
def server() -> Iterator[SimpleNamespace]:
    with echo_server(login_timeout=2.0) as running:
        yield running


@pytest.fixture
def client(server: SimpleNamespace) -> Iterator[RawClient]:
    with RawClient(server.port) as connected:
        connected.login(PASSWORD)
        yield connected


@pytest.fixture(autouse=True)
def _server_lives(server: SimpleNamespace) -> Iterator[None]:
    yield
    with RawClient(server.port) as another:
        another.login(PASSWORD)
        assert "alive".encode("utf-16-le") in another.batch("alive")


def test_login_answers_all_that_clients_need(server: SimpleNamespace) -> None:
    with RawClient(server.port) as client:
        answer = client.login(PASSWORD)
    assert answer[0] == tokens.ENV_CHANGE
    assert tokens.login_ack() in answer
    assert tokens.env_change_collation() in answer
    assert tokens.env_change_text(tokens.PACKET_SIZE, "32767", "4096") in answer
    assert answer.endswith(tokens.done())


@pytest.mark.parametrize(("asked", "given"), [(1, "512"), (8000, "8000"), (2**31, "32767")])
def test_packet_size_is_kept_within_bounds(server: SimpleNamespace, asked: int, given: str) -> None:
    with RawClient(server.port) as client:
        answer = client.login(PASSWORD, packet_size=asked)
        assert tokens.env_change_text(tokens.PACKET_SIZE, given, "4096") in answer
        text = "x" * 5000
        assert text.encode("utf-16-le") in client.batch(text)


def test_wrong_password_is_told_and_ends_the_connection(server: SimpleNamespace) -> None:
    with RawClient(server.port) as client:
        answer = client.login("wrong")
        assert answer[0] == tokens.ERROR
        assert "Login failed for user 'sa'.".encode("utf-16-le") in answer
        assert client.closed()


def test_windows_authentication_is_refused(server: SimpleNamespace) -> None:
    with RawClient(server.port) as client:
        assert "Integrated".encode("utf-16-le") in client.login(PASSWORD, flags2=0x83)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        packet(packets.SQL_BATCH, b"before login"),
        packet(packets.PRELOGIN, b"\x01"),
        packet(packets.PRELOGIN, bytes(30000), status=0) * 6,
        packets.HEADER.pack(packets.PRELOGIN, 1, 3, 0, 0, 0),
        b"\x16\x03\x01\x00\x05hello",
        packet(packets.PRELOGIN, requests.build_prelogin({1: b"\x01"}))
        + packet(packets.PRELOGIN, b"no TLS record"),
        packet(packets.PRELOGIN, requests.build_prelogin({1: b"\x02"}))
        + packet(packets.LOGIN7, login_message("sa", "x")[:-30]),
        packet(packets.PRELOGIN, requests.build_prelogin({1: b"\x02"}))
        + packet(packets.PRELOGIN, b""),
    ],
)
def test_nonsense_before_the_login_ends_the_connection(
    server: SimpleNamespace, data: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        connection.sendall(data)
        while connection.recv(1 << 16):
            pass


def test_a_client_that_says_nothing_is_dropped(server: SimpleNamespace) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        assert connection.recv(1) == b""


def test_a_client_that_logs_in_byte_by_byte_is_dropped(server: SimpleNamespace) -> None:
    message = packet(packets.PRELOGIN, bytes(3000))
    with socket.create_connection(("127.0.0.1", server.port), 0.25) as connection:
        for position in range(100):  # a byte in a quarter of a second: never silent for long
            try:
                connection.sendall(message[position : position + 1])
                assert connection.recv(1) == b""
                break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        else:
            pytest.fail("the login has no deadline")


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (packets.RPC, ALL_HEADERS + call_of("p", b"\x00\x00\x99")),
        (packets.RPC, b""),
        (packets.SQL_BATCH, ALL_HEADERS + b"x"),
        (packets.LOGIN7, login_message("sa", PASSWORD)),
        (0x77, b""),
    ],
)
def test_malformed_requests_are_answered_and_end_the_connection(
    client: RawClient, kind: int, payload: bytes
) -> None:
    client.send(kind, payload)
    answer = client.receive()
    assert answer[0] == tokens.ERROR
    assert "TDS protocol stream is incorrect".encode("utf-16-le") in answer
    assert client.closed()


def test_requests_for_what_is_missing_are_answered_and_the_connection_lives(
    client: RawClient,
) -> None:
    client.send(packets.RPC, ALL_HEADERS + call_of("p", b"\x00\x00\xf3" + bytes(50)))
    assert "table-valued".encode("utf-16-le") in client.receive()
    client.send(packets.RPC, ALL_HEADERS + call_of(2, int_parameter(1)))
    assert "server cursors".encode("utf-16-le") in client.receive()
    client.send(packets.RPC, ALL_HEADERS + call_of(12, int_parameter(99)))
    assert "handle 99".encode("utf-16-le") in client.receive()
    client.send(packets.RPC, ALL_HEADERS + call_of(13, int_parameter(99)))
    assert "too few".encode("utf-16-le") in client.receive()
    assert "still".encode("utf-16-le") in client.batch("still")


def test_a_bug_in_the_interpreter_is_told_and_the_connection_lives(
    client: RawClient, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "ZeroDivisionError".encode("utf-16-le") in client.batch("fail")
    assert "still".encode("utf-16-le") in client.batch("still")
    assert "a bug in the stand-in" in capfd.readouterr().err


def test_a_final_done_has_no_more_bit_and_others_have(client: RawClient) -> None:
    answer = client.batch("one")
    assert answer.endswith(tokens.done(tokens.COUNT, 1, command=tokens.SELECT_COMMAND))
    client.send(packets.RPC, ALL_HEADERS + call_of("p", int_parameter(5, "@b", 1)))
    answer = client.receive()
    in_proc = tokens.done(
        tokens.COUNT | tokens.MORE, 1, command=tokens.SELECT_COMMAND, token=tokens.DONE_IN_PROC
    )
    assert in_proc + tokens.return_status(7) in answer
    assert answer.endswith(tokens.done(token=tokens.DONE_PROC))


def test_each_call_of_a_message_is_answered(client: RawClient) -> None:
    calls = b"\xff".join(call_of("p", int_parameter(i)) for i in range(3))
    client.send(packets.RPC, ALL_HEADERS + calls)
    answer = client.receive()
    assert answer.count(tokens.done(tokens.MORE, token=tokens.DONE_PROC)) == 2
    assert answer.endswith(tokens.done(token=tokens.DONE_PROC))


def test_attention_is_answered_when_nothing_runs(client: RawClient) -> None:
    for _ in range(3):
        client.send(packets.ATTENTION, b"")
        assert client.receive() == tokens.done(tokens.ATTENTION)
    assert "still".encode("utf-16-le") in client.batch("still")


def test_attention_cancels_what_runs(client: RawClient) -> None:
    for text in ("wait", "rows 50000000"):
        client.send(packets.SQL_BATCH, ALL_HEADERS + text.encode("utf-16-le"))
        client.send(packets.ATTENTION, b"")
        assert len(client.receive()) < 1 << 30
        assert client.receive() == tokens.done(tokens.ATTENTION)
        assert "still".encode("utf-16-le") in client.batch("still")


def test_a_disconnect_ends_what_runs(server: SimpleNamespace) -> None:
    before = server.log.count(("close",))
    with RawClient(server.port) as client:
        client.login(PASSWORD)
        client.send(packets.SQL_BATCH, ALL_HEADERS + "wait".encode("utf-16-le"))
    deadline = threading.Event()
    for _ in range(1000):
        if server.log.count(("close",)) > before:
            break
        deadline.wait(0.01)
    assert server.log.count(("close",)) > before


def test_a_client_that_asks_on_without_reading_is_made_to_wait(client: RawClient) -> None:
    for number in range(50):
        client.send(packets.SQL_BATCH, ALL_HEADERS + f"n{number}".encode("utf-16-le"))
    for number in range(50):
        assert f"n{number}".encode("utf-16-le") in client.receive()


def test_reset_is_acknowledged_before_the_answer(
    server: SimpleNamespace, client: RawClient
) -> None:
    answer = client.batch("again", status=9)
    assert answer.startswith(tokens.reset_ack())
    assert ("reset",) in server.log


def test_transaction_requests(server: SimpleNamespace, client: RawClient) -> None:
    client.send(packets.TRANSACTION, ALL_HEADERS + b"\x05\x00\x00\x00")
    assert client.receive() == tokens.transaction_began(1) + tokens.done()
    client.send(packets.TRANSACTION, ALL_HEADERS + b"\x07\x00\x00\x01\x00\x00")
    ended = tokens.transaction_ended(1, committed=True)
    assert client.receive() == ended + tokens.transaction_began(2) + tokens.done()


def test_tds_8_begins_with_tls(server: SimpleNamespace) -> None:
    context = ssl.create_default_context(cadata=server.certificate.decode())
    context.set_alpn_protocols(["tds/8.0"])
    plain = socket.create_connection(("127.0.0.1", server.port), 20)
    client = RawClient.__new__(RawClient)
    client._rest = b""
    client.socket = context.wrap_socket(plain, server_hostname="localhost")
    with client:
        assert client.socket.version() == "TLSv1.3"
        assert client.socket.selected_alpn_protocol() == "tds/8.0"
        assert tokens.login_ack() in client.login(PASSWORD)
        assert "strict".encode("utf-16-le") in client.batch("strict")
