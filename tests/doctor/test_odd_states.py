"""States that are neither well nor one of the usual faults: each is told of as what it is, and none is a traceback."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certs.authority import issue_authority
from certs.certificate import describe
from tests.doctor.changes import scan
from tests.doctor.installation import NOW
from tests.doctor.papercluster import PaperCluster
from webhook.doctor import budget, policy, recognition, replicas, scans, workloads
from webhook.doctor.certificate import bundles
from webhook.doctor.certificate import judge as judge_certificates
from webhook.doctor.definitions import KINDS
from webhook.doctor.definitions import judge as judge_definition
from webhook.doctor.finding import Finding
from webhook.doctor.place import Place
from webhook.doctor.served import Served
from webhook.doctor.site import Site

Json = dict[str, Any]
PLACE = Place()
LATER, DAY = datetime(2026, 5, 4, tzinfo=UTC), timedelta(days=1)


def told(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(one.result, one.what) for one in findings]


# -- what a replica says of itself --------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b'{"conditions": ', b"[" * 100_000])
def test_a_pod_that_speaks_otherwise_than_nbgate_is_unknown(body: bytes) -> None:
    """Another program listens there, or something before it answers in its place."""
    [(result, what)] = told(replicas.judge("nb-0", body, PLACE))
    assert (result, what) == ("unknown", "answers /readyz with something that is not nbgate's")


def test_each_condition_that_does_not_hold_is_a_warning_with_its_reason() -> None:
    conditions = [
        {"type": "Certificate", "status": "True"},
        {"type": "Scans", "status": "False", "message": "no sign of life for 700 s\n\x1b[2J"},
        {"type": "Policy", "status": "False", "message": "x" * 10_000},
    ]
    found = [*replicas.judge("nb-0", json.dumps({"conditions": conditions}).encode(), PLACE)]
    assert [one.result for one in found] == ["warning", "warning"]
    assert found[0].what.startswith("Scans: no sign of life for 700 s")
    assert all(one.what.isprintable() and len(one.what) < 400 for one in found)
    assert {one.cure for one in found} == {"kubectl -n nbgate-system logs nb-0 --tail=20"}


# -- objects that are there, and say little -------------------------------------------------------------


@pytest.mark.parametrize(
    "selector",
    [
        {},
        {"matchLabels": {}},
        {"matchExpressions": [{"key": "app", "operator": "Exists"}]},
        {"matchLabels": {"app.kubernetes.io/name": "nbgate", "app.kubernetes.io/component": "x"}},
    ],
)
def test_a_budget_that_chooses_other_pods_is_none_of_the_webhook(selector: Json) -> None:
    """In policy/v1beta1 an empty selector chooses nothing."""
    other = {"metadata": {"name": "other"}, "spec": {"selector": selector}}
    [(result, what)] = told(budget.judge([other], PLACE))
    assert result == "warning"
    assert what.startswith("no PodDisruptionBudget for the webhook")


def test_without_a_policy_the_default_holds_and_that_is_well() -> None:
    assert told(policy.judge([], PLACE)) == [
        ("ok", "there is no NotebookPolicy default: the built-in default holds")
    ]


def test_a_policy_that_says_of_itself_that_it_is_not_in_force_is_a_warning() -> None:
    held: Json = {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "NotebookPolicy",
        "metadata": {"name": "default", "generation": 2},
        "spec": {},
        "status": {"observedGeneration": 2, "inForce": False},
    }
    assert told(policy.judge([held], PLACE)) == [
        ("warning", "its status says that it is not in force")
    ]


@pytest.mark.parametrize("path", [("spec", "versions", "storage"), ("status", "conditions")])
def test_a_definition_that_is_not_stored_or_not_established_is_wrong(
    healthy: PaperCluster, path: tuple[str, ...]
) -> None:
    def change(cluster: PaperCluster) -> None:
        definition = cluster.find("CustomResourceDefinition", name)
        if path[0] == "spec":
            definition["spec"]["versions"][0]["storage"] = False
        else:
            definition["status"]["conditions"] = []

    name = next(iter(KINDS))
    cluster = healthy.changed(change)
    found = told(judge_definition(name, cluster.find("CustomResourceDefinition", name), PLACE))
    words = "does not store" if path[0] == "spec" else "is not established (no reason is given)"
    assert [(result, what.startswith(words)) for result, what in found] == [("wrong", True)]


def test_a_bundle_that_is_no_base64_is_no_bundle() -> None:
    entry = {"name": "pods.nbgate.dev", "clientConfig": {"caBundle": "not base64!"}}
    assert bundles([("validating", {"webhooks": [entry]})]) == {
        "validating/nbgate pods.nbgate.dev": b""
    }


# -- pods, scans ------------------------------------------------------------------------------------------


def deployment(image: str) -> Json:
    return {
        "metadata": {"name": "nbgate-webhook"},
        "spec": {
            "replicas": 3,
            "template": {"spec": {"containers": [{"name": "webhook", "image": image}]}},
        },
        "status": {"availableReplicas": 3},
    }


@pytest.mark.parametrize("image", ["registry.example.com:5000/nbgate", "nbgate@sha256:1", "x:edge"])
def test_an_image_that_names_no_version_is_said_so_and_is_no_fault(image: str) -> None:
    found = told(workloads.judge("webhook", deployment(image), [], PLACE))
    assert ("ok", f"runs {image}, which tells no version") in found
    assert {result for result, _ in found} == {"ok"}


def pod(**status: object) -> Json:
    return {"metadata": {"name": "one"}, "status": status}


SIDECAR = {"name": "istio-proxy", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
UNSCHEDULED = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (pod(phase="Pending"), "Pending"),
        (pod(phase="Pending", conditions=[UNSCHEDULED]), "0/3 nodes are available"),
        (pod(phase="Running", containerStatuses=[SIDECAR]), "Running"),
        (pod(), "nothing is known of it"),
    ],
)
def test_a_pod_that_is_not_ready_says_why_by_what_there_is(found: Json, why: str) -> None:
    judged = told(workloads.judge("webhook", deployment("nbgate:edge"), [found], PLACE))
    assert [what for result, what in judged if result != "ok"] == [f"is not ready: {why}"]


def test_a_pod_that_is_being_deleted_is_nobodys_worry() -> None:
    going = pod(phase="Running")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    judged = told(workloads.judge("webhook", deployment("nbgate:edge"), [going], PLACE))
    assert {result for result, _ in judged} == {"ok"}


def test_of_many_failed_scans_some_are_told_of_and_the_others_counted() -> None:
    failed = [scan(f"image-{number:03}", phase="Failed") for number in range(104)]
    found = told(scans.judge(scans.tally(failed, NOW), PLACE))
    assert found[-1] == ("warning", "99 more have failed")
    assert len(found) == 7


# -- what we may not look at --------------------------------------------------------------------------------


def test_where_the_controller_may_not_be_looked_at_the_place_is_as_it_was_given(
    healthy: PaperCluster,
) -> None:
    blind = healthy.changed(lambda cluster: cluster.refused.add("deployments"))
    given = Place(namespace="nbgate-system", release="mine", certificates="own")
    assert recognition.recognised(Site(kube=blind, place=given, now=NOW)) == given


def test_a_pod_whose_certificate_is_not_seen_is_unknown_and_hides_no_other() -> None:
    seen = describe(issue_authority("one", now=LATER - DAY, lifetime=40 * DAY).certificate_pem)[0]
    served = [Served(pod="a", problem="no TLS handshake on port 8443"), Served(pod="b", leaf=seen)]
    found = [*judge_certificates(served, {}, LATER, PLACE)]
    assert [(one.result, one.where) for one in found] == [("unknown", "pod/a"), ("ok", "pod/b")]
    assert found[0].cure == "kubectl -n nbgate-system logs a --tail=20"
