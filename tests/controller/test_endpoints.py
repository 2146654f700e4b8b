"""The controller's HTTP side, over real sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from webhook.controller.endpoints import Endpoints
from webhook.controller.metrics import Metrics, State
from webhook.server.health import Condition

STATE = State(pending=3, running=1, paused=2, unreadable=4, leader=True, age=0.5)


class Replica:
    """What the endpoints tell of."""

    def __init__(self) -> None:
        self.well = True
        self.metrics = Metrics()

    def conditions(self) -> tuple[Condition, ...]:
        return (
            Condition("Scans", self.well, "told here"),
            Condition("Leader", False, "not", False),
        )


@pytest.fixture
def replica() -> Replica:
    return Replica()


@pytest.fixture
def client(replica: Replica) -> Iterator[httpx.Client]:
    with listening(replica) as opened:
        yield opened


@contextmanager
def listening(replica: Replica, patience: float = 10) -> Iterator[httpx.Client]:
    endpoints = Endpoints(
        "127.0.0.1",
        0,
        alive=lambda: (),
        ready=replica.conditions,
        metrics=lambda: replica.metrics.render(STATE),
        patience=patience,
    )
    endpoints.start()
    url = f"http://127.0.0.1:{endpoints.port}"
    with httpx.Client(base_url=url, trust_env=False, timeout=5) as opened:
        yield opened
    endpoints.stop()


def test_ready_says_what_it_rests_on_and_what_is_wrong(
    client: httpx.Client, replica: Replica
) -> None:
    assert client.get("/readyz").status_code == 200
    replica.well = False
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert answer.json()["conditions"][0]["message"] == "told here"
    assert client.get("/livez").status_code == 200


def test_metrics_tell_of_scans_and_of_the_state(client: httpx.Client, replica: Replica) -> None:
    replica.metrics.scanned("Violates", 12.0)
    replica.metrics.scanned(None, 1.0)
    replica.metrics.resolved()
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    for line in (
        'nbgate_scan_duration_seconds_bucket{le="20.0",result="Violates"} 1.0',
        'nbgate_scan_duration_seconds_count{result="Failed"} 1.0',
        "nbgate_tag_resolutions_total 1.0",
        "nbgate_scans_pending 3.0",
        "nbgate_scans_running 1.0",
        "nbgate_registries_paused 2.0",
        'nbgate_unreadable_documents{kind="ImageScan"} 4.0',
        "nbgate_leader 1.0",
        "nbgate_snapshot_age_seconds 0.5",
    ):
        assert line in lines
    assert any(line.startswith("nbgate_build_info{") for line in lines)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/metrics/", 404),
        ("POST", "/metrics", 405),
        ("HEAD", "/livez", 200),
    ],
)
def test_nothing_else_is_there(client: httpx.Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path, content=b"x" if method == "POST" else None)
    assert answer.status_code == status
    assert bool(answer.content) is (method != "HEAD")


def test_clients_that_say_nothing_take_no_place_for_long(replica: Replica) -> None:
    with ExitStack() as stack:
        client = stack.enter_context(listening(replica, patience=2))
        address = (client.base_url.host, client.base_url.port or 0)
        silent = [stack.enter_context(socket.create_connection(address)) for _ in range(16)]
        with pytest.raises(httpx.TransportError):
            client.get("/livez")  # turned away
        assert [one.recv(1) for one in silent] == [b""] * 16
        assert client.get("/livez").status_code == 200


def test_ipv6_is_listened_on_where_it_is_named() -> None:
    try:
        endpoints = Endpoints("::1", 0, alive=tuple, ready=tuple, metrics=bytes)
    except OSError:
        assert not socket.has_ipv6 or not _loopback6()
        return
    endpoints.start()
    assert httpx.get(f"http://[::1]:{endpoints.port}/livez", trust_env=False).status_code == 200
    endpoints.stop()


def _loopback6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False
