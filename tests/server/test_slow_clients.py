"""Clients that stall hold nothing: while they do, others are answered at once, and the stalled are closed in time."""

import contextlib
import json
import socket
import ssl
import time
from collections.abc import Iterator

import pytest

from tests.server.running import RunningServer, recorded
from webhook.server.connection import HANDSHAKE_SECONDS, REQUEST_SECONDS

# Many times the server's four threads.
CROWD = 60


@contextlib.contextmanager
def crowd(
    server: RunningServer, *, shaken: bool, first: bytes = b""
) -> Iterator[list[socket.socket]]:
    """Connections that have sent a little, and then nothing."""
    context = ssl.create_default_context(cafile=str(server.authority))
    with contextlib.ExitStack() as stack:
        held: list[socket.socket] = []
        for _ in range(CROWD):
            raw = socket.create_connection(("127.0.0.1", server.port), 10)
            wire = context.wrap_socket(raw, server_hostname="localhost") if shaken else raw
            stack.callback(wire.close)
            if first:
                wire.sendall(first)
            held.append(wire)
        yield held


def seconds_to_answer(server: RunningServer) -> float:
    started = time.monotonic()
    with server.new_client() as client:
        answered = client.post("/validate?timeout=5s", json=recorded("create-pods"))
    assert answered.status_code == 200
    return time.monotonic() - started


def is_closed(wire: socket.socket) -> bool:
    wire.settimeout(0)
    try:
        return wire.recv(1) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True


def head(length: int) -> bytes:
    """The head of a review's request."""
    fields = f"Host: x\r\nContent-Type: application/json\r\nContent-Length: {length}"
    return f"POST /validate HTTP/1.1\r\n{fields}\r\n\r\n".encode()


HEAD = head(5000)


@pytest.mark.parametrize(
    ("shaken", "first", "bound"),
    [
        pytest.param(False, b"", HANDSHAKE_SECONDS, id="no handshake"),
        pytest.param(
            False, b"\x16\x03\x01\x02\x00\x01", HANDSHAKE_SECONDS, id="half a ClientHello"
        ),
        pytest.param(True, b"", REQUEST_SECONDS, id="no request"),
        pytest.param(True, b"POST /valid", REQUEST_SECONDS, id="half a head"),
        pytest.param(True, HEAD + b"{", REQUEST_SECONDS, id="half a body"),
    ],
)
def test_a_crowd_that_stalls_delays_nobody_and_is_closed(
    server: RunningServer, *, shaken: bool, first: bytes, bound: float
) -> None:
    started = time.monotonic()
    with crowd(server, shaken=shaken, first=first) as held:
        assert max(seconds_to_answer(server) for _ in range(5)) < 1
        while not all(is_closed(wire) for wire in held):
            assert time.monotonic() - started < bound + 3, "stalled connections are still open"
            time.sleep(0.1)


def test_a_body_that_trickles_is_cut_off(server: RunningServer) -> None:
    started = time.monotonic()
    context = ssl.create_default_context(cafile=str(server.authority))
    raw = socket.create_connection(("127.0.0.1", server.port), 10)
    with context.wrap_socket(raw, server_hostname="localhost") as wire:
        wire.sendall(HEAD)
        while not is_closed(wire):
            assert time.monotonic() - started < REQUEST_SECONDS + 2, "it is still open"
            wire.settimeout(10)
            with contextlib.suppress(OSError):
                wire.sendall(b" ")
            time.sleep(0.1)


def test_a_client_that_reads_no_answers_delays_nobody(server: RunningServer) -> None:
    body = json.dumps(recorded("create-pods")).encode()
    request = head(len(body)) + body
    context = ssl.create_default_context(cafile=str(server.authority))
    raw = socket.create_connection(("127.0.0.1", server.port), 10)
    with context.wrap_socket(raw, server_hostname="localhost") as wire:
        wire.settimeout(0.5)
        with contextlib.suppress(OSError):
            for _ in range(3000):
                wire.sendall(request)
        assert max(seconds_to_answer(server) for _ in range(5)) < 1


def test_large_bodies_at_once_are_turned_away_rather_than_held(server: RunningServer) -> None:
    """Forty of 3 MiB, of each all but the end: nearly twice what a worker holds."""
    first = head(7 * 1024 * 1024) + b" " * (3 * 1024 * 1024)
    with crowd(server, shaken=True) as held:
        sent = [send_what_is_taken(wire, first) for wire in held[:40]]
        assert sum(sent) > 0
        time.sleep(0.5)
        answers = [peek(wire) for wire in held[:40]]
        refused = [answer for answer in answers if answer]
        assert len(refused) >= 10
        assert all(answer.startswith(b"HTTP/1.1 503 ") for answer in refused)
        assert seconds_to_answer(server) < 1


def send_what_is_taken(wire: socket.socket, data: bytes) -> int:
    """Send until the server has closed the way."""
    wire.settimeout(5)
    with contextlib.suppress(OSError):
        wire.sendall(data)
        return len(data)
    return 0


_seen: dict[int, bytes] = {}


def peek(wire: socket.socket) -> bytes:
    """What a connection has been answered so far."""
    wire.settimeout(0)
    with contextlib.suppress(OSError):
        _seen[id(wire)] = _seen.get(id(wire), b"") + wire.recv(65536)
    return _seen.get(id(wire), b"")
