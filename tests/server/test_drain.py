"""The end: not ready first, serving on for the grace, then finishing what runs."""

import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.server.running import RunningServer, recorded


def post_forever(
    server: RunningServer, answers: list[int], failures: list[str], done: threading.Event
) -> None:
    """Ask as the API server does: over kept connections, opened anew when they were closed."""
    body = json.dumps(recorded("create-pods"))
    headers = {"Content-Type": "application/json"}
    with server.new_client() as client:
        while not done.is_set():
            try:
                answers.append(client.post("/validate", content=body, headers=headers).status_code)
            except httpx.ConnectError:
                return  # it listens no more: the grace has passed
            except httpx.TransportError as error:
                failures.append(repr(error))


def test_sigterm_loses_no_request_of_the_grace(home: Path) -> None:
    answers: list[int] = []
    failures: list[str] = []
    done = threading.Event()
    with RunningServer(home, "--grace", "3") as server:
        args = (server, answers, failures, done)
        asking = [threading.Thread(target=post_forever, args=args) for _ in range(4)]
        for thread in asking:
            thread.start()
        time.sleep(0.5)
        told = time.monotonic()
        server.signal(signal.SIGTERM)
        time.sleep(0.3)
        ready = server.fresh_get("/readyz")
        assert ready.status_code == 503
        serving = [c for c in ready.json()["conditions"] if c["type"] == "Serving"]
        assert serving[0]["status"] == "False"
        before = len(answers)
        time.sleep(1)
        assert len(answers) > before, "it serves no one in its grace"
        assert server.wait() == 0
        assert time.monotonic() - told >= 3
        done.set()
        for thread in asking:
            thread.join()
    assert failures == []
    assert set(answers) == {200}


def test_answers_of_the_grace_end_their_connections(home: Path) -> None:
    with RunningServer(home, "--grace", "2") as server:
        assert "connection" not in server.client.get("/livez").headers
        server.signal(signal.SIGTERM)
        time.sleep(0.3)
        assert server.client.get("/livez").headers["connection"] == "close"
        server.wait()


def test_a_request_that_was_begun_is_finished(home: Path) -> None:
    body = json.dumps(recorded("create-pods")).encode()
    with RunningServer(home) as server:
        context = ssl.create_default_context(cafile=str(server.authority))
        raw = socket.create_connection(("127.0.0.1", server.port), 10)
        with context.wrap_socket(raw, server_hostname="localhost") as wire:
            fields = f"Host: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
            wire.sendall(f"POST /validate HTTP/1.1\r\n{fields}\r\n\r\n".encode() + body[:100])
            time.sleep(0.3)
            server.signal(signal.SIGTERM)
            time.sleep(0.7)
            wire.sendall(body[100:])
            assert wire.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert server.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_time_without_a_traceback(home: Path, number: signal.Signals) -> None:
    with RunningServer(home) as server:
        server.client.get("/livez")  # a kept connection does not hold it up
        started = time.monotonic()
        server.signal(number)
        assert server.wait(10) == 0
        assert time.monotonic() - started < 5
    assert not any("Traceback" in line for line in server.log)


def workers_of(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )  # exits with 1 while there is none
    return [int(line) for line in listed.stdout.split()]


def test_a_killed_worker_is_replaced_and_knows_what_the_last_one_knew(home: Path) -> None:
    with RunningServer(home) as server:
        before = workers_of(server.pid)
        os.kill(before[0], signal.SIGKILL)

        def serves() -> bool:
            try:
                return server.fresh_get("/readyz").status_code == 200
            except httpx.TransportError:
                return False

        server.eventually(lambda: workers_of(server.pid) != before, 10, "another worker")
        server.eventually(serves, 10, "it to serve")
        assert server.review("validate", recorded("create-pods"))["allowed"] is False
