"""A running server under attack: what one client does, on purpose or by a bad day, delays and harms no other."""

import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.documents import policy, put
from tests.server.running import RunningServer, recorded
from webhook.server.connection import LINGER_SECONDS
from webhook.server.requestbuffer import MAX_BODY
from webhook.server.serving import _MAX_CONNECTIONS

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
# Long enough that a busy machine of two cores passes, and far below what a webhook may take.
AT_ONCE = 1.0


def head(length: int | str, path: str = "/validate") -> bytes:
    """The head of a review's request."""
    fields = f"Host: x\r\nContent-Type: application/json\r\nContent-Length: {length}"
    return f"POST {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode()


def review(body: bytes, path: str = "/validate") -> bytes:
    """A whole request."""
    return head(len(body), path) + body


@contextlib.contextmanager
def shaken(
    server: RunningServer, count: int = 1, *, window: int = 0
) -> Iterator[list[ssl.SSLSocket]]:
    """Connections after their handshake; `window` is their receive buffer's size."""
    context = ssl.create_default_context(cafile=str(server.authority))
    with contextlib.ExitStack() as stack:
        wires = []
        for _ in range(count):
            raw = socket.socket()
            if window:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
            raw.settimeout(10)
            raw.connect(("127.0.0.1", server.port))
            wires.append(context.wrap_socket(raw, server_hostname="localhost"))
            stack.callback(wires[-1].close)
        yield wires


@contextlib.contextmanager
def prepared(
    server: RunningServer,
) -> Iterator[tuple[socket.socket, ssl.SSLObject, ssl.MemoryBIO]]:
    """A connection after its handshake, to encrypt much for beforehand, and then send faster than it is read."""
    context = ssl.create_default_context(cafile=str(server.authority))
    inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(inward, outward, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", server.port), 10) as raw:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.sendall(outward.read())
                inward.write(raw.recv(65536))
        yield raw, tls, outward


def all_answers(wire: ssl.SSLSocket, seconds: float) -> tuple[list[bytes], bool]:
    """The status lines that come within that time, and whether the server ended the connection."""
    got, deadline = b"", time.monotonic() + seconds
    ended = False
    while not ended and time.monotonic() < deadline:
        wire.settimeout(max(deadline - time.monotonic(), 0.01))
        try:
            data = wire.recv(65536)
        except TimeoutError:
            break
        except OSError:
            data = b""
        got += data
        ended = not data
    return [part.partition(b"\r\n")[0] for part in got.split(b"HTTP/1.")[1:]], ended


def seconds_to_answer(server: RunningServer, path: str = "/livez", patience: float = 12) -> float:
    """How long a new client waits for an answer; `patience` where it gets none."""
    started = time.monotonic()
    with contextlib.suppress(httpx.TransportError), server.new_client() as client:
        client.get(path, timeout=patience)
    return time.monotonic() - started


def worker_of(server: RunningServer) -> int:
    return children(server.pid)[0]


def children(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_megabytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def counted(server: RunningServer, metric: str) -> float:
    """The sum of a metric's samples."""
    lines = server.fresh_get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(metric))


def log_is_json(server: RunningServer) -> bool:
    return all(line.startswith("{") and json.loads(line) for line in server.log)


# -- where one request ends ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(b"Content-Length: %019d", id="zeros before the length"),
        pytest.param(b"Content-Length: %05000d", id="thousands of zeros before the length"),
        pytest.param(b"Content-Length: %d\r\nContent-Length: %d", id="two lengths"),
        pytest.param(b"Content-Length: 0\r\nContent-Length: %d", id="two lengths that differ"),
        pytest.param(b"Content-Length : %d", id="a blank before the colon"),
        pytest.param(b"Content-Length: +%d", id="a sign"),
        pytest.param(b"Content-Length: %d, %d", id="a list"),
        pytest.param(b"Content-Length: \xb2%d", id="a digit that is none"),
        pytest.param(b"Content-Length: %d\0", id="NUL"),
        pytest.param(b"X: a\rContent-Length: %d", id="a bare CR"),
        pytest.param(b"X: a\nContent-Length: %d", id="a bare LF"),
        pytest.param(b"X: a\r\n Content-Length: %d", id="folded"),
        pytest.param(b"Content-Length:\r\n %d", id="a folded length"),
        pytest.param(b"Content-Length: %d\r\nTransfer-Encoding: chunked", id="chunked too"),
        pytest.param(b"Content-Length: %d\r\nTransfer-Encoding: xchunked", id="another coding"),
        pytest.param(b"Content-Length: %d\r\nTransfer-Encoding : chunked", id="blank and coding"),
        pytest.param(b"Content-Length: %d\r\nTransfer-Encoding: identity", id="identity"),
        pytest.param(b"Transfer-Encoding: chunked", id="chunked"),
        pytest.param(
            b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 9000000", id="an upgrade"
        ),
    ],
)
def test_one_request_never_becomes_two(server: RunningServer, fields: bytes) -> None:
    """Else whoever writes a body writes requests: smuggling."""
    inner = LIVEZ
    said = fields.replace(b"%d", str(len(inner)).encode())
    said = said % len(inner) if b"%" in said else said
    request = b"POST /validate HTTP/1.1\r\nHost: x\r\n" + said + b"\r\n\r\n" + inner
    with shaken(server) as (wire,):
        wire.sendall(request)
        answers, _ = all_answers(wire, 0.4)
        assert len(answers) == 1, answers
        assert answers[0].split()[1].startswith(b"4")


# -- time, and threads -----------------------------------------------------------------------------


def test_a_body_in_one_byte_records_delays_nobody(server: RunningServer) -> None:
    """Encrypted beforehand, so that they come faster than they are read."""
    with prepared(server) as (raw, tls, outward):
        tls.write(head(MAX_BODY))
        for _ in range(700_000):
            tls.write(b" ")
        records = outward.read()

        def send() -> None:
            with contextlib.suppress(OSError):
                raw.sendall(records)

        sender = threading.Thread(target=send)
        sender.start()
        time.sleep(0.2)
        worst = max(seconds_to_answer(server) for _ in range(3))
        with contextlib.suppress(OSError):
            raw.shutdown(socket.SHUT_RDWR)
        sender.join()
    assert worst < AT_ONCE


def test_clients_that_do_not_read_their_answers_delay_nobody(home: Path) -> None:
    """Each asks for a patch of megabytes: many times the server's threads."""
    document = recorded("create-pods")
    many = [{"name": "NB_PREFIX", "value": "x"}] * 20
    many += [{"name": f"V{n}", "value": "v" * 1000} for n in range(3500)]
    document["request"]["object"]["spec"]["containers"][0]["env"] = many
    request = review(json.dumps(document).encode(), "/mutate")
    with RunningServer(home) as server, shaken(server, 8, window=4096) as wires:
        for wire in wires:
            wire.sendall(request)
        time.sleep(2)
        assert max(seconds_to_answer(server) for _ in range(3)) < AT_ONCE


def test_idle_connections_make_room_for_a_new_client(home: Path) -> None:
    """Whoever may connect could else keep the API server out with one small request in two minutes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    try:
        with RunningServer(home) as server, contextlib.ExitStack() as stack:
            for _ in range(_MAX_CONNECTIONS - 1):  # and the one that the server's own client keeps
                (wire,) = stack.enter_context(shaken(server))
                wire.sendall(LIVEZ)
                wire.recv(1000)
            assert seconds_to_answer(server, patience=4) < AT_ONCE
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_silent_connections_make_room_for_a_new_client(home: Path) -> None:
    """Bare TCP costs its sender nothing: 200 a second would else keep everybody out for ever."""
    with RunningServer(home) as server, contextlib.ExitStack() as stack:
        for _ in range(_MAX_CONNECTIONS + 200):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 5))
        assert seconds_to_answer(server, patience=4) < 2 * AT_ONCE


def test_a_new_client_is_not_the_one_that_makes_room(home: Path) -> None:
    """Its deadline is the nearest, for it has sent no request yet; those that idle for longer go first."""
    with RunningServer(home) as server, contextlib.ExitStack() as stack:
        for _ in range(_MAX_CONNECTIONS):
            (wire,) = stack.enter_context(shaken(server))
            wire.sendall(LIVEZ)
            wire.recv(1000)
        (early,) = stack.enter_context(shaken(server))
        (late,) = stack.enter_context(shaken(server))
        for wire in (early, late):
            wire.sendall(LIVEZ)
            assert wire.recv(12) == b"HTTP/1.1 200"


# -- memory ----------------------------------------------------------------------------------------


def test_bodies_that_were_only_announced_turn_nobody_away(home: Path) -> None:
    lengths = [MAX_BODY] * 9 + [1024 * 1024 - 500]
    with RunningServer(home) as server, shaken(server, len(lengths)) as wires:
        for wire, length in zip(wires, lengths, strict=True):
            wire.sendall(head(length) + b"{")
        time.sleep(0.5)
        assert server.client.post("/validate", json=recorded("create-pods")).status_code == 200


def test_a_refused_client_that_goes_on_sending_is_closed_in_time_and_counted_once(
    home: Path,
) -> None:
    body = b" " * (MAX_BODY - 1)
    with RunningServer(home) as server, shaken(server, 10) as wires:
        for wire in wires[:9]:
            wire.sendall(head(MAX_BODY) + body)
        last = wires[9]
        with contextlib.suppress(OSError):
            last.sendall(head(MAX_BODY) + body)
        answers, _ = all_answers(last, 1)
        assert answers == [b"1 503 Service Unavailable"]
        started = time.monotonic()
        with socket.socket(fileno=os.dup(last.fileno())) as raw, contextlib.suppress(OSError):
            raw.setblocking(True)
            while time.monotonic() - started < LINGER_SECONDS + 2:
                raw.sendall(b"x")
                time.sleep(0.1)
        assert time.monotonic() - started < LINGER_SECONDS + 1.5
        assert counted(server, "nbgate_overload_total") == 1


def test_what_was_refused_is_not_held_on(home: Path) -> None:
    """Each holds a MiB, when it is refused: with hundreds of them that was more than the pod's limit."""
    with RunningServer(home) as server, shaken(server, 9 + 100) as wires:
        pid = worker_of(server)
        for wire in wires[:9]:
            wire.sendall(head(MAX_BODY) + b" " * (MAX_BODY - 1))
        time.sleep(0.3)
        before = peak_megabytes(pid)
        os.kill(pid, signal.SIGSTOP)  # so that all of them come in one turn each
        for wire in wires[9:]:
            wire.sendall(head(MAX_BODY) + b" " * 1024 * 1024)
        os.kill(pid, signal.SIGCONT)
        refused = [wire.recv(12) for wire in wires[9:]]
        assert refused.count(b"HTTP/1.1 503") > 90
        assert peak_megabytes(pid) < before + 30


@pytest.mark.parametrize(
    ("place", "unit"),
    [
        pytest.param(("spec", "containers", 0, "env"), b"{}", id="variables"),
        pytest.param(("spec", "containers", 0, "volumeMounts"), b"{}", id="mounts"),
        pytest.param(("spec", "volumes"), b"{}", id="volumes"),
        pytest.param(("status",), b"[" * 240 + b"]" * 240, id="lists in lists"),
    ],
)
def test_a_body_of_very_many_values_costs_little(
    home: Path, place: tuple[str | int, ...], unit: bytes
) -> None:
    """One of 7 MiB took 3 s of processor time and 600 MB: more than the pod's limit."""
    document = recorded("create-pods")
    spot: Any = document["request"]["object"]
    for step in place[:-1]:
        spot = spot[step]
    spot[place[-1]] = "HERE"
    start, _, end = json.dumps(document).encode().partition(b'"HERE"')
    count = (MAX_BODY - len(start) - len(end) - 10) // (len(unit) + 1)
    body = start + b"[" + b",".join([unit] * count) + b"]" + end
    with RunningServer(home) as server:
        pid = worker_of(server)
        before = processor_seconds(pid)
        headers = {"Content-Type": "application/json"}
        answered = server.client.post("/mutate", content=body, headers=headers)
        assert answered.status_code in (200, 400, 413)
        assert processor_seconds(pid) - before < 1
        assert peak_megabytes(pid) < 256


# -- what the machine runs out of ------------------------------------------------------------------


def test_a_full_pipe_at_standard_output_holds_up_nobody(home: Path) -> None:
    """Records beyond PIPE_BUF, as users of many groups get, once blocked in the middle, and all threads behind them."""
    document = recorded("create-pods")
    document["request"]["userInfo"]["groups"] = ["g" * 500] * 32
    os.mkfifo(home / "stdout")
    reader = os.open(home / "stdout", os.O_RDONLY | os.O_NONBLOCK)
    waits = []
    try:
        with RunningServer(home) as server:
            with shaken(server, 12) as wires:
                for number, wire in enumerate(wires):
                    document["request"]["namespace"] = f"team-{number}"
                    wire.sendall(review(json.dumps(document).encode()))
                time.sleep(1.5)
                waits = [seconds_to_answer(server, patience=3) for _ in range(3)]
            os.close(reader)
            reader = -1
    finally:
        if reader >= 0:
            os.close(reader)
    assert max(waits) < AT_ONCE


def test_a_server_without_descriptors_says_so_now_and_then(home: Path) -> None:
    """And it serves whoever is connected; later it takes in who waited."""
    with RunningServer(home) as server, contextlib.ExitStack() as stack:
        pid = worker_of(server)
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (32, limits[1]))
        lines = len(server.log)
        for _ in range(40):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 5))
        time.sleep(1)
        assert server.client.get("/livez").status_code == 200
        said = [line for line in server.log[lines:] if "cannot accept" in line]
        stack.close()
        assert seconds_to_answer(server) < AT_ONCE
        assert worker_of(server) == pid
        assert 1 <= len(said) <= 5


def reset(wire: socket.socket) -> None:
    """Close with RST rather than FIN."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()


def half_shaken(wire: socket.socket, server: RunningServer, *, answer: bool) -> None:
    context = ssl.create_default_context(cafile=str(server.authority))
    inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(inward, outward, server_hostname="localhost").do_handshake()
    wire.sendall(outward.read())
    if answer:
        wire.recv(65536)


def test_large_bodies_of_clients_that_leave_end_no_worker(home: Path) -> None:
    """They take more than one turn to read: an event of an earlier turn must not touch what a thread has by then."""
    request = head(MAX_BODY) + b"[" * MAX_BODY
    with RunningServer(home) as server:
        pid = worker_of(server)
        for _ in range(10):
            with contextlib.ExitStack() as stack:
                wires = []
                for _ in range(4):
                    raw, tls, outward = stack.enter_context(prepared(server))
                    tls.write(request)
                    wires.append((raw, outward.read()))
                for raw, records in wires:
                    with contextlib.suppress(OSError):
                        raw.sendall(records)
                        raw.shutdown(socket.SHUT_WR)
        assert seconds_to_answer(server) < AT_ONCE
        assert worker_of(server) == pid
        assert not [line for line in server.log if "Traceback" in line]


def test_no_way_to_break_off_leaves_anything_behind(home: Path) -> None:
    whole = review(json.dumps(recorded("create-pods")).encode())
    sent = [
        b"",
        LIVEZ[:9],
        LIVEZ,
        whole[:300],
        whole,
        whole * 3,
        whole + whole[:80],
        b"BAD\r\n\r\n",
    ]
    raw_sent = [b"", b"\x16\x03\x01\x02", b"\x80" * 300, LIVEZ]
    ends: list[Callable[[socket.socket], None]] = [reset, lambda wire: wire.close()]
    with RunningServer(home) as server:
        pid = worker_of(server)
        server.review("validate", recorded("create-pods"))
        before = descriptors(pid)
        for _ in range(6):
            for end in ends:
                for data in raw_sent:
                    raw = socket.create_connection(("127.0.0.1", server.port), 5)
                    raw.sendall(data)
                    end(raw)
                for answer in (False, True):
                    raw = socket.create_connection(("127.0.0.1", server.port), 5)
                    half_shaken(raw, server, answer=answer)
                    end(raw)
                for data in sent:
                    with shaken(server) as (wire,):
                        wire.sendall(data)
                        end(wire)
        server.eventually(lambda: descriptors(pid) <= before, 8, "all descriptors to be closed")
        assert worker_of(server) == pid
        assert seconds_to_answer(server) < AT_ONCE
        assert not [line for line in server.log if "error" in json.loads(line)["level"]]


# -- signals ---------------------------------------------------------------------------------------


def certificates_of_its_own(home: Path) -> Path:
    """A folder as a Secret mounts it, with a pair that some server issued for itself."""
    with RunningServer(home):
        folder = home / "tls"
        shutil.copytree(home / "certs", folder)
    return folder


def test_the_end_waits_for_what_is_being_answered(home: Path) -> None:
    """For longer than idle connections are kept: those had once a deadline that these were closed by too."""
    document = recorded("create-pods")
    document["request"]["object"]["spec"]["containers"][0]["env"] = [{}] * 100_000
    request = review(json.dumps(document).encode())
    with RunningServer(home) as server, shaken(server, 34) as wires:
        for wire in wires:
            wire.settimeout(30)
            wire.sendall(request)
        time.sleep(0.5)
        server.signal(signal.SIGTERM)
        assert [wire.recv(12) for wire in wires] == [b"HTTP/1.1 200"] * len(wires)
        assert server.wait() == 0
        assert not [line for line in server.log if "error" in json.loads(line)["level"]]


def still_serves(server: RunningServer) -> bool:
    """Whether it decides, some seconds from now."""
    deadline = time.monotonic() + 1.2
    while time.monotonic() < deadline and server._process.poll() is None:
        time.sleep(0.1)
    if server._process.poll() is not None:
        return False
    with server.new_client() as client:
        return client.post("/validate", json=recorded("create-pods")).status_code == 200


def test_hang_up_loses_nothing_that_was_good(home: Path) -> None:
    """A worker that starts anew would find only what is broken now."""
    folder = certificates_of_its_own(home)
    put(home / "policy.yaml", policy())
    with RunningServer(home, "--tls", str(folder)) as server:
        put(folder / "tls.crt", "broken")
        put(home / "policy.yaml", "spec: [")
        server.eventually(
            lambda: sum("cannot be read" in line for line in server.log) == 2, 5, "both to be told"
        )
        server.signal(signal.SIGHUP)
        assert still_serves(server)
        assert log_is_json(server)


def test_a_worker_is_replaced_even_while_the_certificate_is_broken(home: Path) -> None:
    folder = certificates_of_its_own(home)
    with RunningServer(home, "--tls", str(folder)) as server:
        (folder / "tls.crt").write_text("broken")
        server.eventually(
            lambda: any("cannot be read" in line for line in server.log), 5, "the fault to be told"
        )
        os.kill(worker_of(server), signal.SIGKILL)
        assert still_serves(server)
        assert log_is_json(server)


def test_no_signal_starts_another_process(home: Path) -> None:
    """Metrics of one process are not shared, and a second arbiter would outlive the first."""
    with RunningServer(home) as server:
        worker = worker_of(server)
        try:
            for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTTIN, signal.SIGWINCH):
                server.signal(number)
            assert still_serves(server)
            found = children(server.pid)
        finally:
            for pid in children(server.pid):
                if pid != worker:
                    os.kill(pid, signal.SIGTERM)
        assert found == [worker]
