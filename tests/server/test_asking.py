"""Scans are asked for beside the answer: for what a decision wants, and never on a dry run."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.server.documents import IMAGE
from tests.server.posting import post
from tests.server.running import recorded
from webhook.core.decision import Snapshot
from webhook.server.admission import Services
from webhook.server.metrics import Metrics
from webhook.server.recorder import Recorder


class Asked:
    """Notes what is asked for."""

    def __init__(self) -> None:
        self.wishes: list[tuple[str, str]] = []

    def ask(self, image: str, namespace: str) -> None:
        self.wishes.append((image, namespace))


def ask(endpoint: str, review: dict[str, Any], *, requests: bool = True) -> list[tuple[str, str]]:
    """Post a review to an endpoint; give what it asked for."""
    asked = Asked()
    snapshot = replace(Snapshot(), requests=requests)
    services = Services(
        snapshot=lambda: snapshot,
        recorder=Recorder([], level="all", report=lambda _: None),
        metrics=Metrics(),
        conditions=tuple,
        show_state=lambda: None,
        authenticated=lambda: False,
        scans=asked,
    )
    assert post(services, endpoint, json.dumps(review).encode()).code == 200
    return asked.wishes


def test_a_refused_pod_s_image_is_asked_for_with_its_namespace() -> None:
    review = recorded("create-pods")
    assert ask("validate", review) == [(IMAGE, review["request"]["namespace"])]


@pytest.mark.parametrize("name", ["create-pods-dryrun", "create-notebooks-dryrun"])
def test_a_dry_run_asks_for_nothing(name: str) -> None:
    review = recorded(name)
    assert review["request"]["dryRun"] is True
    assert ask("validate", review) == []
    review["request"]["dryRun"] = False
    assert ask("validate", review) != []


def test_mutating_asks_for_nothing() -> None:
    assert ask("mutate", recorded("create-pods")) == []


def test_where_nobody_asks_nothing_is_asked_for() -> None:
    assert ask("validate", recorded("create-pods"), requests=False) == []
