"""What could not be decided is an HTTP error, and never an answer: the cluster's failurePolicy decides then."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from tests.server.posting import post
from tests.server.running import recorded
from webhook.core.decision import Snapshot
from webhook.core.scan import Scan
from webhook.core.verdict import Finding, ScanIndex
from webhook.server.admission import NotReady, Services
from webhook.server.httpanswer import Answer
from webhook.server.metrics import Metrics
from webhook.server.recorder import Recorder

ENDPOINTS = ("mutate", "validate")


class BrokenIndex(ScanIndex):
    """An index whose look-ups fail: a fault of ours, in the middle of a decision."""

    def find(self, reference: object) -> Finding:
        raise KeyError(f"a fault of ours at {reference}")


class BrokenCounts(Metrics):
    """Metrics that fail after the decision was made."""

    def decided(self, *_: object, **__: object) -> None:
        raise OSError("no space left on device")


def not_ready() -> Snapshot:
    raise NotReady("no scans yet")


def broken() -> Snapshot:
    raise RuntimeError("a fault of ours")


def nonsense() -> Any:
    return Scan


FAULTS: dict[str, tuple[Callable[[], Snapshot], Metrics, int]] = {
    "a look-up fails": (lambda: Snapshot(scans=BrokenIndex()), Metrics(), 500),
    "there is no snapshot": (broken, Metrics(), 500),
    "the snapshot is none": (nonsense, Metrics(), 500),
    "nothing was read yet": (not_ready, Metrics(), 503),
    "counting fails": (Snapshot, BrokenCounts(), 500),
}


def asked(
    snapshot: Callable[[], Snapshot], metrics: Metrics, endpoint: str, review: dict[str, Any]
) -> Answer:
    """Post a review to an endpoint that has this snapshot."""
    services = Services(
        snapshot=snapshot,
        recorder=Recorder([], level="all", report=lambda _: None),
        metrics=metrics,
        conditions=tuple,
        show_state=lambda: None,
        authenticated=lambda: False,
    )
    return post(services, endpoint, json.dumps(review).encode())


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_no_answer(fault: str, endpoint: str) -> None:
    snapshot, metrics, code = FAULTS[fault]
    with structlog.testing.capture_logs() as logs:
        answered = asked(snapshot, metrics, endpoint, recorded("create-pods"))
    assert answered.code == code
    body = json.loads(answered.body)
    assert (body["kind"], body["code"]) == ("Status", code)
    assert "response" not in body
    assert "a fault of ours" not in answered.body.decode()
    assert [line["event"] for line in logs] == ["could not decide"] * (code == 500)
    errors = f'decision="error",endpoint="{endpoint}",operation="CREATE"}} 1.0'
    assert errors in metrics.render().decode()


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_without_a_fault_it_is_one(endpoint: str) -> None:
    answered = asked(Snapshot, Metrics(), endpoint, recorded("create-pods"))
    assert answered.code == 200
    assert json.loads(answered.body)["response"]["allowed"] is (endpoint == "mutate")
