"""Which images a scan is asked for, and what a refusal says of it."""

from dataclasses import replace
from typing import Any

import pytest

from tests.core.builders import (
    IMAGE,
    NOW,
    OTHER_DIGEST,
    Json,
    container,
    ephemeral_containers,
    exemption,
    finished_container,
    finished_pod,
    notebook,
    pending_document,
    pod,
    request,
    scan_document,
    snapshot,
)
from webhook.core.decision import Decision, Snapshot, mutate, validate

ASKED = "its scan is asked for: the notebook starts when the scan is done"
ELSEWHERE: Json = {"registries": {"allow": ["quay.io/**"]}}


def asking(*scans: Json, modes: dict[str, str] | None = None, **spec: Any) -> Snapshot:
    """Know these scans, where somebody asks for others."""
    return replace(snapshot(*scans, modes=modes, **spec), requests=True)


def judge(source: Json, known: Snapshot, **fields: Any) -> Decision:
    return validate(request(source, **fields), known, NOW)


@pytest.mark.parametrize("source", [finished_pod(container()), notebook()], ids=["pod", "notebook"])
def test_an_image_that_nothing_is_known_of_is_asked_for_and_its_owner_told(source: Json) -> None:
    decision = judge(source, asking())
    assert decision.wanted == (IMAGE,)
    assert ASKED in (decision.message or decision.warnings[0])


def test_a_warning_says_it_whole() -> None:
    (warning,) = judge(notebook(), asking()).warnings
    assert warning.endswith(f"jupyter-scipy:v1.10.0: {ASKED}")


def test_an_image_is_asked_for_under_its_canonical_name() -> None:
    assert judge(pod(container(image="nginx")), asking()).wanted == (
        "docker.io/library/nginx:latest",
    )
    by_digest = judge(pod(container(image=f"nginx:1@{OTHER_DIGEST}")), asking()).wanted
    assert by_digest == (f"docker.io/library/nginx:1@{OTHER_DIGEST}",)


def test_where_nobody_asks_no_scan_is_promised() -> None:
    decision = judge(finished_pod(container()), snapshot())
    assert decision.wanted == ()
    assert "ask your platform team to scan it" in decision.message


@pytest.mark.parametrize(
    "known",
    [
        asking(scan_document()),
        asking(scan_document(fails={"uid-1000": "no"})),
        asking(scan_document(resolvedAt="2020-01-01T00:00:00Z", scannedAt="2020-01-01T00:00:00Z")),
        asking(pending_document()),
        asking(pending_document(phase="Scanning")),
        asking(pending_document(phase="Failed")),
    ],
    ids=["conforms", "violates", "stale", "pending", "scanning", "failed"],
)
def test_what_somebody_knows_or_has_asked_for_is_not_asked_for_again(known: Snapshot) -> None:
    decision = judge(finished_pod(container()), known)
    assert decision.wanted == ()
    assert ASKED not in decision.message


def test_a_policy_may_say_that_no_scans_are_asked_for() -> None:
    decision = judge(finished_pod(container()), asking(requestScans=False))
    assert decision.wanted == ()
    assert "ask your platform team to scan it" in decision.message


@pytest.mark.parametrize("action", ["Deny", "Warn", "Audit"])
@pytest.mark.parametrize("mode", ["deny", "warn", "audit"])
def test_an_image_from_elsewhere_is_never_fetched(action: str, mode: str) -> None:
    spec: Json = {"registries": {"allow": ["quay.io/**"], "action": action}}
    decision = judge(finished_pod(container()), asking(modes={"team-a": mode}, **spec))
    assert decision.wanted == ()
    assert ASKED not in decision.message


def test_one_from_elsewhere_that_an_exemption_lets_in_is_asked_for() -> None:
    waived = exemption(requirements=["registry"])
    decision = judge(finished_pod(container()), asking(exemptions=[waived], **ELSEWHERE))
    assert decision.wanted == (IMAGE,)
    assert ASKED in decision.message
    other = exemption(requirements=["registry"], namespaces=["team-b"])
    assert judge(finished_pod(container()), asking(exemptions=[other], **ELSEWHERE)).wanted == ()


def test_a_rule_for_registries_that_is_off_keeps_nothing_out() -> None:
    spec: Json = {"registries": {"allow": ["quay.io/**"], "action": "Off"}}
    assert judge(finished_pod(container()), asking(**spec)).wanted == (IMAGE,)


@pytest.mark.parametrize("action", ["Deny", "Warn", "Audit", "Off"])
def test_an_image_that_is_let_in_unscanned_is_asked_for_too(action: str) -> None:
    assert judge(finished_pod(container()), asking(unscanned=action)).wanted == (IMAGE,)


@pytest.mark.parametrize("image", ["B", "", "a b", "../x"])
def test_what_is_no_reference_is_not_asked_for(image: str) -> None:
    assert judge(finished_pod(container(image=image)), asking()).wanted == ()


def test_only_the_notebooks_own_image_is_asked_for() -> None:
    source = finished_pod(
        finished_container(),
        container("side", "quay.io/x/side:1"),
        initContainers=[container("init", "quay.io/x/init:1")],
    )
    known = asking(scan_document())
    assert judge(source, known).wanted == ()
    added = ephemeral_containers(container("debug", "busybox"))
    assert judge(added, known, old=added, subresource="ephemeralcontainers").wanted == ()


def test_a_decision_on_a_dry_run_is_the_same_and_its_taker_must_not_ask() -> None:
    decision = judge(finished_pod(container()), asking(), dry_run=True)
    assert decision == judge(finished_pod(container()), asking())


def test_mutating_asks_for_nothing() -> None:
    assert mutate(request(finished_pod(container())), asking()).wanted == ()


def test_a_change_of_something_else_denies_nothing_and_may_still_ask() -> None:
    source = finished_pod(container())
    decision = judge(source, asking(), old=source)
    assert (decision.word, decision.wanted) == ("allowed", (IMAGE,))
