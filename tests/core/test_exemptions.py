"""Exemptions: what they waive, where, until when; using one is seen, and nothing that a user writes is one."""

import time
from typing import Any

import pytest

from tests.core.builders import (
    DAY,
    DIGEST,
    IMAGE,
    NOW,
    Json,
    container,
    exemption,
    finished_container,
    finished_pod,
    notebook,
    policy,
    request,
    scan_document,
    snapshot,
)
from webhook.core.decision import Decision, validate
from webhook.core.policy import read_policy
from webhook.core.requirements import REQUIREMENTS, RULES

# 2026-03-31, the builders' exemption's last day: its first and its last second, and the first after it
MIDNIGHT = 1774915200.0
LAST = MIDNIGHT + DAY - 1
GONE = MIDNIGHT + DAY


def judge(
    exempt: Json | None,
    source: Json | None = None,
    *,
    now: float = NOW,
    namespace: str = "team-a",
    **spec: Any,
) -> Decision:
    """Judge a pod whose image fails uid-1000, under a policy with this exemption."""
    known = snapshot(
        scan_document(fails={"uid-1000": "root"}),
        stale={"after": "99999h"},
        exemptions=[exempt] if exempt else [],
        **spec,
    )
    return validate(request(source or finished_pod(), namespace=namespace), known, now)


def rules(decision: Decision) -> set[str]:
    return {violation.rule for violation in decision.violations}


def test_an_exemption_waives_its_rule_and_is_seen_to() -> None:
    assert judge(None).word == "denied"
    decision = judge(exemption())
    assert decision.word == "warned"
    assert decision.violations == ()
    assert decision.exemptions == ("legacy",)
    assert decision.warnings == ("exemption legacy applies until 2026-03-31: migrating, TICKET-1",)


def test_an_exemption_that_waives_nothing_is_not_used() -> None:
    known = snapshot(scan_document(), exemptions=[exemption()])
    decision = validate(request(finished_pod()), known, NOW)
    assert (decision.word, decision.exemptions, decision.warnings) == ("allowed", (), ())


def test_an_exemption_from_what_is_off_is_not_used() -> None:
    decision = judge(exemption(), requirements={"uid-1000": "Off"})
    assert (decision.word, decision.exemptions) == ("allowed", ())


@pytest.mark.parametrize(
    ("now", "holds"), [(MIDNIGHT, True), (LAST, True), (GONE - 0.001, True), (GONE, False)]
)
def test_an_exemption_holds_to_the_end_of_its_last_day_in_utc(now: float, *, holds: bool) -> None:
    decision = judge(exemption(), now=now)
    assert (decision.exemptions == ("legacy",)) is holds
    assert (decision.word == "denied") is not holds


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_the_last_day_is_that_of_utc_wherever_the_process_thinks_it_is(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (held,) = read_policy(policy(exemptions=[exemption()])).spec.exemptions
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert held.ends == GONE
    finally:
        monkeypatch.undo()
        time.tzset()


def test_an_expired_exemption_does_nothing() -> None:
    expired = judge(exemption(expires="2026-01-01"))
    assert expired == judge(None)


@pytest.mark.parametrize(
    ("fields", "namespace", "holds"),
    [
        ({}, "team-a", True),
        ({}, "team-b", False),
        ({}, "team-a2", False),
        ({"namespaces": ["team-b", "team-a"]}, "team-a", True),
        ({"images": ["ghcr.io/kubeflow/**"]}, "team-a", True),
        ({"images": ["ghcr.io/kubeflow/**"]}, "team-b", False),
        ({"images": ["quay.io/**"]}, "team-a", False),
        ({"images": ["quay.io/**", "ghcr.io/kubeflow/**"]}, "team-a", True),
        ({"namespaces": [], "images": ["ghcr.io/kubeflow/**"]}, "anything", True),
        (
            {"images": [f"ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-scipy@{DIGEST}"]},
            "team-a",
            True,
        ),
    ],
)
def test_an_exemption_is_for_its_namespaces_and_images(
    fields: Json, namespace: str, *, holds: bool
) -> None:
    source = finished_pod(
        finished_container(env=[{"name": "NB_PREFIX", "value": f"/notebook/{namespace}/my-nb"}])
    )
    decision = judge(exemption(**fields), source, namespace=namespace)
    assert (decision.exemptions == ("legacy",)) is holds


@pytest.mark.parametrize("rule", RULES)
def test_an_exemption_takes_any_rule_and_waives_that_alone(rule: str) -> None:
    decision = judge(exemption(requirements=[rule]))
    assert (decision.word == "denied") is (rule != "uid-1000")
    assert decision.exemptions == (("legacy",) if rule == "uid-1000" else ())


def everything_wrong() -> Json:
    """Break every rule that one pod can break at once."""
    raw = container(image=IMAGE)
    return finished_pod(raw, container("side", "B"), container("far", "quay.io/x/y:1"), volumes=[])


@pytest.mark.parametrize("serving", ["scanned", "unscanned"])
def test_without_a_list_all_is_waived_but_where_an_image_comes_from(serving: str) -> None:
    scans = [scan_document(fails=dict.fromkeys(REQUIREMENTS, "no"))] if serving == "scanned" else []
    spec: dict[str, Any] = {
        "registries": {"allow": ["ghcr.io/**"]},
        "stale": {"after": "1h", "action": "Deny"},
    }
    bare = validate(request(everything_wrong()), snapshot(*scans, **spec), NOW)
    pod_rules = {"pod-prefix", "pod-uid", "pod-home"}
    of_scan = {*REQUIREMENTS, "stale", "pod-digest"} if scans else {"unscanned"}
    assert rules(bare) == {"reference", "registry"} | pod_rules | of_scan
    waived = snapshot(*scans, exemptions=[exemption()], **spec)
    assert rules(validate(request(everything_wrong()), waived, NOW)) == {"reference", "registry"}


def test_reference_and_registry_are_waived_by_name() -> None:
    spec: dict[str, Any] = {"registries": {"allow": ["ghcr.io/**"]}}
    exempt = exemption(requirements=["reference", "registry"])
    source = finished_pod(finished_container(), container("a", "B"), container("b", "busybox"))
    known = snapshot(scan_document(), exemptions=[exempt], **spec)
    decision = validate(request(source), known, NOW)
    assert rules(decision) == set()
    assert decision.exemptions == ("legacy",)


def test_what_is_no_reference_matches_no_image() -> None:
    source = finished_pod(finished_container(), container("a", "B"))
    exempt = exemption(requirements=["reference"], images=["*/**"])
    known = snapshot(scan_document(), exemptions=[exempt])
    assert rules(validate(request(source), known, NOW)) == {"reference"}


def test_the_first_of_several_that_hold_is_used_and_each_is_said_once() -> None:
    known = snapshot(
        scan_document(fails={"uid-1000": "root", "home-jovyan": "home", "nb-prefix": "404"}),
        exemptions=[
            exemption(name="past", expires="2026-01-01"),
            exemption(name="other", requirements=["home-jovyan"]),
            exemption(name="all"),
            exemption(name="late"),
        ],
    )
    decision = validate(request(finished_pod()), known, NOW)
    assert decision.violations == ()
    assert sorted(decision.exemptions) == ["all", "other"]
    assert len(decision.warnings) == 2


def test_an_exemption_holds_for_notebooks_too() -> None:
    assert judge(exemption(), notebook()).exemptions == ("legacy",)


@pytest.mark.parametrize("mode", ["warn", "audit"])
def test_a_use_is_seen_in_a_softer_mode_too(mode: str) -> None:
    known = snapshot(
        scan_document(fails={"uid-1000": "root"}),
        modes={"team-a": mode},
        exemptions=[exemption()],
    )
    assert validate(request(finished_pod()), known, NOW).exemptions == ("legacy",)


@pytest.mark.parametrize("key", ["nbgate.dev/mode", "nbgate.dev/exempt", "nbgate.dev/gpu"])
@pytest.mark.parametrize("value", ["audit", "legacy", "none", "true"])
def test_nothing_that_a_user_writes_on_an_object_exempts_it(key: str, value: str) -> None:
    own = {key: value}
    plain = judge(None)
    assert judge(None, finished_pod(labels=own, annotations=own)).violations == plain.violations
    assert judge(None, notebook(annotations=own, metadata={"labels": own})).word == "denied"


def test_an_exemption_may_last_to_the_last_year_but_not_for_ever() -> None:
    lasting = exemption(expires="9998-12-31")
    assert judge(lasting).exemptions == ("legacy",)
    document = {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "NotebookPolicy",
        "metadata": {"name": "x"},
        "spec": {"exemptions": [lasting]},
    }
    assert read_policy(document).spec.exemptions[0].ends == 253370764800.0
