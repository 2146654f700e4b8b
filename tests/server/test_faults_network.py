"""Clients that half close, stall while they are answered, pipeline or flood: each gets its own, and delays no other."""

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.server.load import under_load
from tests.server.running import RunningServer, recorded
from webhook.server.connection import LINGER_SECONDS, WRITE_SECONDS
from webhook.server.worker import MAX_IN_FLIGHT

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
# A machine's load allowed for: a webhook may take 5 s, as it is deployed.
IN_TIME = 2.5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One without an audit file, for what is asked here by the thousand."""
    with RunningServer(tmp_path_factory.mktemp("home"), "--audit-log", "none") as running:
        yield running


@pytest.fixture(scope="module")
def trusted(server: RunningServer) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(server.authority))


@contextlib.contextmanager
def shaken(
    server: RunningServer, trusted: ssl.SSLContext, *, window: int = 0
) -> Iterator[ssl.SSLSocket]:
    raw = socket.socket()
    if window:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    raw.settimeout(20)
    raw.connect(("127.0.0.1", server.port))
    with trusted.wrap_socket(raw, server_hostname="localhost") as wire:
        yield wire


def request(path: str = "/validate", document: object = None, **fields: str) -> bytes:
    body = json.dumps(document or recorded("create-pods")).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(body)}", *(f"{name}: {text}" for name, text in fields.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def everything(wire: ssl.SSLSocket) -> bytes:
    """All that comes until the server ends the connection."""
    got = b""
    with contextlib.suppress(ConnectionResetError, ssl.SSLError):
        while data := wire.recv(65536):
            got += data
    return got


def patch_of_megabytes() -> bytes:
    """A review whose answer has nearly 5 MB: more than sockets hold."""
    document = recorded("create-pods")
    many = [{"name": "NB_PREFIX", "value": "x"}] * 20
    many += [{"name": f"V{number}", "value": "v" * 1000} for number in range(3500)]
    document["request"]["object"]["spec"]["containers"][0]["env"] = many
    return request("/mutate", document)


def connections(server: RunningServer) -> int:
    """How many sockets the worker has open."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    found = 0
    for link in Path(f"/proc/{children[0]}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed since it was listed
            found += str(link.readlink()).startswith("socket:")
    return found


# -- half-closed -----------------------------------------------------------------------------------


def test_who_has_sent_all_and_closes_that_half_still_gets_the_answer(
    server: RunningServer, trusted: ssl.SSLContext
) -> None:
    """TCP's end alone, without TLS's own: `shutdown(SHUT_WR)` after the last byte."""
    with shaken(server, trusted) as wire:
        wire.sendall(request())
        with socket.socket(fileno=socket.dup(wire.fileno())) as raw:
            raw.shutdown(socket.SHUT_WR)
        assert wire.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_who_closes_that_half_in_the_middle_of_a_request_is_let_go(
    server: RunningServer, trusted: ssl.SSLContext
) -> None:
    with shaken(server, trusted) as wire:
        wire.sendall(request()[:-1])
        with socket.socket(fileno=socket.dup(wire.fileno())) as raw:
            raw.shutdown(socket.SHUT_WR)
        started = time.monotonic()
        assert everything(wire) == b""
        assert time.monotonic() - started < IN_TIME


# -- slow in reading -------------------------------------------------------------------------------


def test_who_reads_slowly_or_never_is_cut_off_and_delays_nobody(
    server: RunningServer, trusted: ssl.SSLContext
) -> None:
    """Each holds an answer of megabytes: some read a bit now and then, some nothing, and one asks on and on."""
    asked = patch_of_megabytes()
    with under_load(server, clients=1, pause=0.05, name="others") as load:
        before = connections(server)
        with contextlib.ExitStack() as stack:
            slow = [stack.enter_context(shaken(server, trusted, window=4096)) for _ in range(8)]
            for wire in slow:
                wire.sendall(asked)
            asking = threading.Thread(target=send_on, args=(slow[0], asked))
            asking.start()
            deadline = time.monotonic() + WRITE_SECONDS + LINGER_SECONDS + 10
            while connections(server) > before:
                assert time.monotonic() < deadline, "slow readers are still served"
                for wire in slow[1:4]:
                    read_a_bit(wire)
                time.sleep(0.1)
            asking.join()
    assert load.failures == []
    assert max(load.seconds) < IN_TIME


def send_on(wire: ssl.SSLSocket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        for _ in range(100):
            wire.sendall(data)


def read_a_bit(wire: ssl.SSLSocket) -> None:
    wire.settimeout(0.01)
    with contextlib.suppress(OSError):
        wire.recv(256)


# -- many on one connection ------------------------------------------------------------------------


def test_thousands_of_pipelined_requests_are_answered_in_order_and_delay_nobody(
    server: RunningServer, trusted: ssl.SSLContext
) -> None:
    """In one go, and each second one of another path."""
    count = 2500
    paths = ["livez", "nothing-here"]
    asked = b"".join(
        f"GET /{paths[number % 2]} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for number in range(count)
    )
    asked += b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with shaken(server, trusted) as wire, under_load(server, clients=1, name="pipe") as load:
        sender = threading.Thread(target=wire.sendall, args=(asked,))
        sender.start()
        answers = everything(wire)
        sender.join()
    codes = [part[:3] for part in answers.split(b"HTTP/1.1 ")[1:]]
    assert codes == [(b"200", b"404")[number % 2] for number in range(count)] + [b"200"]
    assert load.failures == []
    assert max(load.seconds) < IN_TIME


# -- many connections ------------------------------------------------------------------------------


def test_a_flood_of_connections_costs_others_some_time_and_no_answer(
    server: RunningServer, trusted: ssl.SSLContext
) -> None:
    """Of every kind at once, as fast as one machine can: shaken, half shaken, reset, plain text and silent."""
    kinds = [b"", b"\x16\x03\x01\x02\x00\x01", LIVEZ, b"\x80" * 300]
    done = threading.Event()

    def flood() -> None:
        number = 0
        while not done.is_set():
            number += 1
            with contextlib.suppress(OSError):
                raw = socket.create_connection(("127.0.0.1", server.port), 5)
                if number % 5 == 0:
                    raw = trusted.wrap_socket(raw, server_hostname="localhost")
                else:
                    raw.sendall(kinds[number % 4])
                    reset = struct.pack("ii", 1, 0)
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
                raw.close()

    flooding = threading.Thread(target=flood)
    with under_load(server, clients=2, name="flood") as load:
        flooding.start()
        load.await_more(200)
        done.set()
        flooding.join()
    assert load.failures == []
    assert load.percentile(0.99) < IN_TIME


def test_more_requests_at_once_than_are_taken_get_an_answer_each(
    server: RunningServer, trusted: ssl.SSLContext
) -> None:
    """A decision, or 503, by which the failurePolicy decides: nobody is left without one."""
    count, whole = MAX_IN_FLIGHT + 80, request(Connection="close")
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(shaken(server, trusted)) for _ in range(count)]
        for wire in wires:
            wire.sendall(whole[:-1])
        for wire in wires:
            wire.sendall(whole[-1:])
        codes = [everything(wire)[9:12] for wire in wires]
    assert set(codes) <= {b"200", b"503"}
    assert codes.count(b"200") >= MAX_IN_FLIGHT / 2
    assert server.client.post("/validate", json=recorded("create-pods")).status_code == 200


def test_after_all_that_it_is_the_same_process_and_has_said_nothing_bad(
    server: RunningServer,
) -> None:
    """Runs last in this file: the clients of before left no connection and no error behind."""
    assert not [line for line in server.log if json.loads(line)["level"] == "error"]
    assert sum("Booting worker" in line for line in server.log) == 1
    with pytest.raises(httpx.HTTPStatusError):
        server.client.get("/nothing-here").raise_for_status()
