"""Processes are killed, signals come during requests: what was answered is on disk, and the next is answered."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.load import Load, namespaces_in, under_load
from tests.server.running import RunningServer
from webhook.server.signals import IGNORED_SIGNALS

# From a worker's death to another's first answer; half a second is usual.
REPLACED = 10.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("home")) as running:
        yield running


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def has_ended(pid: int) -> bool:
    """An orphan stays a zombie where nobody waits for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except OSError:
        return True


def assert_on_disk(load: Load, server: RunningServer) -> None:
    """Whoever was told of a refusal finds its record; a request without an answer may have one too."""
    recorded = namespaces_in([server.home / "audit.jsonl"])
    assert load.refused
    assert set(load.refused) <= set(recorded)
    assert load.admitted == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_worker_that_dies_loses_only_what_it_had_in_hand(
    server: RunningServer, number: signal.Signals
) -> None:
    """Its clients see their connections end; new ones wait at the socket, which the arbiter holds, and are answered."""
    [victim] = children(server.pid)
    with under_load(server, clients=4, name=number.name) as load:
        killed = time.monotonic()
        os.kill(victim, number)
        load.await_more(100)
    assert_on_disk(load, server)
    assert children(server.pid) != [victim]
    # each of four clients had one request under way
    assert len(load.failures) <= 4
    assert all(failure.sent - killed < 1 for failure in load.failures)
    assert max(load.seconds) < REPLACED
    assert any(f"(pid:{victim})" in line for line in server.log)


def test_signals_in_the_middle_of_requests_change_nothing(server: RunningServer) -> None:
    [worker] = children(server.pid)
    with under_load(server, name="signals") as load:
        for number in IGNORED_SIGNALS:
            for pid in (server.pid, worker):
                os.kill(pid, number)
            load.await_more(10)
    assert load.failures == []
    assert_on_disk(load, server)
    assert children(server.pid) == [worker]


def test_a_worker_whose_arbiter_was_killed_ends_and_frees_the_port(tmp_path: Path) -> None:
    """Else the container's next process could not listen."""
    with RunningServer(tmp_path) as server:
        [worker] = children(server.pid)
        with under_load(server, name="orphan") as load:
            server.signal(signal.SIGKILL)
            deadline = time.monotonic() + REPLACED
            while not has_ended(worker) and time.monotonic() < deadline:
                time.sleep(0.05)
        assert has_ended(worker)
        assert_on_disk(load, server)
        with socket.create_server(("127.0.0.1", server.port)):
            pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_answered_before_the_end_is_on_disk(
    tmp_path: Path, number: signal.Signals
) -> None:
    """With two workers, which write to one file."""
    with RunningServer(tmp_path, "--workers", "2") as server:
        with under_load(server, clients=4, name="end") as load:
            server.signal(number)
            assert server.wait() == 0
        assert_on_disk(load, server)
        assert not any("Traceback" in line for line in server.log)
