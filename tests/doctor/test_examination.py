"""Of a healthy installation everything is well; each fault makes its own check fail, and says what to type."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.doctor.changes import adding, scan
from tests.doctor.fault import Fault
from tests.doctor.faultsadmission import ADMISSION
from tests.doctor.faultsinstalled import INSTALLED
from tests.doctor.faultsinuse import IN_USE
from tests.doctor.installation import NOW
from tests.doctor.papercluster import PaperCluster, namespace
from webhook.core.document import format_time
from webhook.doctor.examination import CHECKS, Examined, examine
from webhook.doctor.place import Place
from webhook.doctor.site import Site

FAULTS = [*INSTALLED, *ADMISSION, *IN_USE]


def examined(cluster: PaperCluster, place: Place = Place()) -> Mapping[str, Examined]:  # noqa: B008 - frozen
    site = Site(kube=cluster, place=place, now=NOW)
    return {one.check.id: one for one in examine(site)}


def test_all_is_well(healthy: PaperCluster) -> None:
    found = examined(healthy)
    assert {name: one.result for name, one in found.items()} == {c.id: "ok" for c in CHECKS}


def test_nothing_of_a_healthy_installation_is_to_be_typed(healthy: PaperCluster) -> None:
    findings = [finding for one in examined(healthy).values() for finding in one.findings]
    assert [finding.cure for finding in findings if finding.cure] == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_makes_its_own_check_fail(healthy: PaperCluster, fault: Fault) -> None:
    found = examined(healthy.changed(fault.change))
    others = {name: one.result for name, one in found.items() if one.result != "ok"}
    assert others == {**fault.also, fault.check: fault.result}
    told = [f for f in found[fault.check].findings if f.result == fault.result]
    assert [f for f in told if fault.says in f"{f.where}: {f.what}" and fault.cure in f.cure]


def test_every_check_has_a_fault() -> None:
    assert {fault.check for fault in FAULTS} == {check.id for check in CHECKS}


def test_a_check_says_why_in_one_sentence() -> None:
    for check in CHECKS:
        assert check.why.endswith("."), check.id


KINDS = ["deployments", "pods", "services", "endpoints", "namespaces", "leases", "imagescans", "notebookpolicies",
         "poddisruptionbudgets", "mutatingwebhookconfigurations", "customresourcedefinitions"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_we_may_not_look_at_is_told_of_and_stops_nothing(
    healthy: PaperCluster, kind: str
) -> None:
    found = examined(healthy.changed(lambda cluster: cluster.refused.add(kind)))
    unknown = [one for one in found.values() if one.result == "unknown"]
    assert {one.result for one in found.values()} == {"ok", "unknown"}
    assert unknown
    assert all("alice may not" in "".join(f.what for f in one.findings) for one in unknown)
    whole = [f for one in unknown for f in one.findings if f.what.startswith("cannot look")]
    assert all("ask somebody who may" in finding.cure for finding in whole)


def test_the_context_and_the_namespace_stand_in_what_is_typed(healthy: PaperCluster) -> None:
    found = examined(healthy, Place(context="a b", namespace="elsewhere"))
    cures = [f.cure for f in found["workloads"].findings + found["service"].findings]
    assert found["workloads"].result == "wrong"
    assert all(cure.startswith("kubectl --context 'a b' ") for cure in cures)


def test_on_an_old_cluster_budgets_are_asked_for_in_its_words(healthy: PaperCluster) -> None:
    def old(cluster: PaperCluster) -> None:
        cluster.kubernetes = (1, 20)
        for budget in cluster.of_kind("PodDisruptionBudget"):
            budget["apiVersion"] = "policy/v1beta1"

    assert examined(healthy.changed(old))["disruption-budget"].result == "ok"


def test_a_profile_can_be_named(healthy: PaperCluster) -> None:
    other = healthy.changed(adding(namespace("team-z")))
    findings = examined(other, Place(profile="team-z"))["dry-run"].findings
    assert [f.where for f in findings[:2]] == ["namespace/team-z"] * 2


SOON = format_time(NOW + 30)


@pytest.mark.parametrize(
    "status",
    [
        {"phase": "Scanning", "claim": {"holder": "x", "until": SOON}},
        {"phase": "Pending", "retryAt": SOON},
        {"phase": "Scanning", "scannedAt": format_time(NOW - 60)},
    ],
)
def test_a_scan_that_is_worked_on_does_not_wait(
    healthy: PaperCluster, status: dict[str, object]
) -> None:
    other = healthy.changed(adding(scan("busy", **status)))
    assert examined(other)["scans"].result == "ok"
