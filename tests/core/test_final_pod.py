"""The final pod: what nbgate patches must be there when the pod is judged, whoever undid it."""

import pytest

from tests.core.builders import (
    DIGEST,
    HELP,
    HOME,
    IMAGE,
    NOTEBOOK,
    OTHER_DIGEST,
    PREFIX,
    Json,
    container,
    finished_container,
    finished_pod,
    scan_document,
    snapshot,
    workspace,
)
from tests.core.deciding import found, judge

PINNED = f"{IMAGE}@{DIGEST}"


@pytest.mark.parametrize(
    ("fields", "rule", "place", "words"),
    [
        ({"env": []}, "pod-prefix", "env", f"NB_PREFIX must be set once, to {PREFIX}"),
        (
            {"env": [{"name": "NB_PREFIX", "value": "/"}]},
            "pod-prefix",
            "env",
            f"NB_PREFIX must be set once, to {PREFIX}",
        ),
        (
            {"env": [{"name": "NB_PREFIX", "value": PREFIX}] * 2},
            "pod-prefix",
            "env",
            f"NB_PREFIX must be set once, to {PREFIX}",
        ),
        (
            {"env": [{"name": "NB_PREFIX", "valueFrom": {}}]},
            "pod-prefix",
            "env",
            f"NB_PREFIX must be set once, to {PREFIX}",
        ),
        (
            {"securityContext": {}},
            "pod-uid",
            "securityContext.runAsUser",
            "runAsUser must be 1000, and is not set",
        ),
        (
            {"securityContext": {"runAsUser": 0}},
            "pod-uid",
            "securityContext.runAsUser",
            "runAsUser must be 1000, not 0: remove it from the securityContext",
        ),
        ({"volumeMounts": []}, "pod-home", "volumeMounts", f"nothing is mounted at {HOME}"),
        (
            {"image": IMAGE},
            "pod-digest",
            "image",
            f"it must name the digest that was scanned: {PINNED}",
        ),
    ],
)
def test_what_is_missing_or_undone_in_the_final_pod_is_denied(
    fields: Json, rule: str, place: str, words: str
) -> None:
    decision = judge(finished_pod({**finished_container(), **fields}))
    assert found(decision) == {rule: "Deny"}
    assert (
        decision.message == f"container {NOTEBOOK} is not admitted: [{rule}] {words}. Fix: {HELP}"
    )
    assert [violation.field for violation in decision.denied] == [f"spec.containers[0].{place}"]


@pytest.mark.parametrize(
    ("patches", "rule"),
    [
        ({"nbPrefix": False}, "pod-prefix"),
        ({"runAsUser": None}, "pod-uid"),
        ({"home": None}, "pod-home"),
        ({"pinDigest": False}, "pod-digest"),
    ],
)
def test_a_pod_rule_holds_only_when_the_policy_asks_for_that_patch(
    patches: Json, rule: str
) -> None:
    raw = finished_pod(container(), volumes=[])
    every = {"pod-prefix", "pod-uid", "pod-home", "pod-digest"}
    assert set(found(judge(raw))) == every
    assert set(found(judge(raw, snapshot(scan_document(), pod=patches)))) == every - {rule}


def test_the_pods_user_counts_where_the_container_has_none() -> None:
    bare = finished_container(securityContext={})
    assert found(judge(finished_pod(bare, securityContext={"runAsUser": 1000}))) == {}
    assert found(judge(finished_pod(bare, securityContext={"runAsUser": 0}))) == {"pod-uid": "Deny"}
    own = finished_container(securityContext={"runAsUser": 1000})
    assert found(judge(finished_pod(own, securityContext={"runAsUser": 0}))) == {}


def test_the_policy_says_which_user() -> None:
    known = snapshot(scan_document(), pod={"runAsUser": 2000})
    assert found(judge(finished_pod(), known)) == {"pod-uid": "Deny"}


def test_without_a_fallback_only_a_claim_that_is_there_must_be_mounted() -> None:
    known = snapshot(scan_document(), pod={"home": {"fallback": "None"}})
    bare = finished_container(volumeMounts=[])
    assert found(judge(finished_pod(bare, volumes=[]), known)) == {}
    assert found(judge(finished_pod(bare, volumes=[workspace()]), known)) == {"pod-home": "Deny"}


def test_an_unscanned_image_need_not_be_pinned() -> None:
    assert found(judge(finished_pod(finished_container(image="x:1@" + OTHER_DIGEST)))) == {
        "unscanned": "Deny"
    }
    assert "pod-digest" not in found(judge(finished_pod(container(image="x:1"))))


def test_pod_rules_look_at_the_notebooks_container_alone() -> None:
    side = container("side", env=[], securityContext={"runAsUser": 0})
    assert found(judge(finished_pod(side, finished_container()))) == {}
