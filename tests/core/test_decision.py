"""Decisions on an image: its requirements, what it serves, its scan, and the namespace's mode."""

import pytest

from tests.core.builders import (
    DIGEST,
    HELP,
    IMAGE,
    NOW,
    OTHER_DIGEST,
    PLATFORM_DIGEST,
    Json,
    container,
    finished_container,
    finished_pod,
    notebook,
    pending_document,
    request,
    scan_document,
    snapshot,
    stateful_set_pod,
)
from tests.core.deciding import KNOWN, decide, found, judge, of_scan
from webhook.core.actions import Action, mode_of
from webhook.core.decision import _parse_again, mutate
from webhook.core.requirements import REQUIREMENTS
from webhook.core.scan import REWRITABLE

PINNED = f"{IMAGE}@{DIGEST}"


def test_a_finished_pod_with_a_conforming_image_is_allowed_without_a_word() -> None:
    decision = judge(finished_pod())
    assert decision.word == "allowed"
    assert (decision.message, decision.violations, decision.warnings) == ("", (), ())
    assert decision.use is not None
    assert decision.use.container.image == PINNED
    assert decision.mode == "deny"


@pytest.mark.parametrize("mode", ["deny", "warn", "audit"])
def test_a_decision_tells_the_namespaces_mode_also_where_nothing_is_found(mode: str) -> None:
    known = snapshot(scan_document(IMAGE), modes={"team-a": mode})
    for source in (finished_pod(), stateful_set_pod()):
        assert {judge(source, known).mode, decide(source, known).mode} == {mode}
    assert judge(finished_pod(), known).violations == ()


def test_both_endpoints_see_the_same_of_the_notebooks_image() -> None:
    source = stateful_set_pod(container("istio-proxy", "sidecar:1"), container())
    use = decide(source).use
    assert use is not None
    assert (use.serves, use.container.image) == (True, IMAGE)
    assert judge(source, KNOWN).use == use


# Requirements


@pytest.mark.parametrize("requirement", REQUIREMENTS)
@pytest.mark.parametrize("action", Action)
def test_a_failed_requirement_has_the_policys_action(requirement: str, action: Action) -> None:
    decision = of_scan(
        fails={requirement: "it fails"}, spec={"requirements": {requirement: action.label}}
    )
    assert found(decision) == ({requirement: action.label} if action else {})
    assert decision.word == {3: "denied", 2: "warned"}.get(action, "allowed")


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_a_failed_requirement_is_denied_by_default_in_its_own_words(requirement: str) -> None:
    decision = of_scan(fails={requirement: "user root has UID 0"})
    assert decision.word == "denied"
    assert decision.message == (
        f"image {PINNED} does not work as a notebook: [{requirement}] user root has UID 0. Fix: {HELP}"
    )
    assert [violation.field for violation in decision.denied] == ["spec.containers[0].image"]


@pytest.mark.parametrize("requirement", REQUIREMENTS)
@pytest.mark.parametrize(
    ("own", "unknown", "expected"),
    [
        ("Deny", "Deny", "Deny"),
        ("Deny", "Warn", "Warn"),
        ("Deny", "Audit", "Audit"),
        ("Deny", "Off", None),
        # never more than failing it would mean
        ("Warn", "Deny", "Warn"),
        ("Off", "Deny", None),
    ],
)
def test_a_requirement_that_could_not_be_decided_has_the_action_for_that(
    requirement: str, own: str, unknown: str, expected: str | None
) -> None:
    decision = of_scan(
        unknown={requirement: "no probe ran"},
        spec={"requirements": {requirement: own}, "unknown": unknown},
    )
    assert found(decision) == ({requirement: expected} if expected else {})


def test_an_unknown_requirement_only_warns_by_default() -> None:
    decision = of_scan(unknown={"empty-home": "no probe ran"})
    assert decision.word == "warned"
    assert len(decision.warnings) == 1
    assert decision.warnings[0].startswith("[empty-home] image ghcr.io/kubeflow/")
    assert decision.warnings[0].endswith("/jupyter-scipy:v1.10.0: no probe ran")


@pytest.mark.parametrize("verdict", ["Conforms", "Unknown"])
def test_a_requirement_without_a_check_is_as_the_verdict_says(verdict: str) -> None:
    decision = of_scan(verdict=verdict, checks=[])
    assert found(decision) == ({} if verdict == "Conforms" else dict.fromkeys(REQUIREMENTS, "Warn"))


def test_a_check_without_words_gets_some() -> None:
    checks = [
        {"requirement": "uid-1000", "result": "Fail"},
        {"requirement": "empty-home", "result": "Unknown"},
    ]
    decision = of_scan(verdict="Violates", checks=checks, spec={"unknown": "Deny"})
    assert "[uid-1000] its scan found that this does not hold" in decision.message
    assert "[empty-home] could not be decided" in decision.message
    assert "[port-8888] was not checked" in decision.message


# Serving

AT_ROOT = dict.fromkeys(REWRITABLE, "404 under NB_PREFIX")


def test_an_image_that_serves_at_root_is_accepted_by_default() -> None:
    assert found(of_scan(serving="Root", fails=AT_ROOT)) == {}
    assert found(of_scan(serving="Root", unknown=AT_ROOT, spec={"unknown": "Deny"})) == {}


def test_the_rewrite_waives_those_two_requirements_alone() -> None:
    everything = dict.fromkeys(REQUIREMENTS, "no")
    decision = of_scan(serving="Root", fails=everything)
    assert set(found(decision)) == set(REQUIREMENTS) - REWRITABLE


def test_a_server_that_breaks_behind_a_rewrite_is_not_accepted_for_answering_at_root() -> None:
    decision = of_scan(serving="Root", fails=AT_ROOT, facts={"rewritable": False})
    assert set(found(decision)) == set(AT_ROOT)
    assert found(of_scan(serving="Root", fails=AT_ROOT, facts={"rewritable": True})) == {}


def test_without_accept_rewrite_an_image_that_serves_at_root_fails() -> None:
    decision = of_scan(serving="Root", fails=AT_ROOT, spec={"acceptRewrite": False})
    assert found(decision) == dict.fromkeys(REWRITABLE, "Deny")
    assert "[nb-prefix] 404 under NB_PREFIX" in decision.message
    unproven = of_scan(serving="Root", unknown=AT_ROOT, spec={"acceptRewrite": False})
    assert found(unproven) == {"nb-prefix": "Deny", "allow-origin": "Warn"}
    assert "[nb-prefix] it answers at / only, not under NB_PREFIX" in unproven.message
    unchecked = of_scan(serving="Root", checks=[], spec={"acceptRewrite": False})
    assert found(unchecked) == {"nb-prefix": "Deny"}
    passing = of_scan(serving="Root", spec={"acceptRewrite": False})
    assert found(passing) == {"nb-prefix": "Deny"}


def test_without_accept_rewrite_what_serves_at_root_is_known_to_be_wrong_on_a_notebook_too() -> (
    None
):
    unknown = {"nb-prefix": "no probe", "allow-origin": "no probe"}
    known = snapshot(scan_document(serving="Root", unknown=unknown), acceptRewrite=False)
    assert found(judge(notebook(), known)) == {"nb-prefix": "Deny", "allow-origin": "Warn"}


@pytest.mark.parametrize("serving", ["Prefix", "None", "Unknown"])
def test_only_an_image_that_serves_at_root_is_rewritten(serving: str) -> None:
    assert found(of_scan(serving=serving, fails=AT_ROOT)) == dict.fromkeys(REWRITABLE, "Deny")


# Scans

WAITING = {
    "none": (snapshot(), "it has no scan result: ask your platform team to scan it"),
    "pending": (
        snapshot(pending_document()),
        "its scan is under way: the notebook starts when the scan is done",
    ),
    "scanning": (
        snapshot(pending_document(phase="Scanning")),
        "its scan is under way: the notebook starts when the scan is done",
    ),
    "failed": (snapshot(pending_document(phase="Failed")), "its last scan failed"),
    "failed because": (
        snapshot(pending_document(phase="Failed", why="401 from ghcr.io")),
        "its last scan failed: 401 from ghcr.io",
    ),
}


@pytest.mark.parametrize("case", WAITING)
def test_an_unscanned_image_is_denied_and_told_how_far_its_scan_is(case: str) -> None:
    known, message = WAITING[case]
    decision = judge(finished_pod(finished_container(image=f"{IMAGE}@{OTHER_DIGEST}")), known)
    assert found(decision) == {"unscanned": "Deny"}
    by_tag = judge(finished_pod(container(image=IMAGE)), known)
    assert f"[unscanned] {message}; " in by_tag.message


@pytest.mark.parametrize("action", Action)
def test_the_policy_says_what_unscanned_means(action: Action) -> None:
    decision = judge(finished_pod(), snapshot(unscanned=action.label))
    assert found(decision) == ({"unscanned": action.label} if action else {})


@pytest.mark.parametrize(("age", "old"), [("167h", False), ("168h", False), ("168h1s", True)])
def test_a_result_is_stale_when_it_is_older_than_the_policy_says(age: str, *, old: bool) -> None:
    hours, _, seconds = age.partition("h")
    now = NOW - 86400 + int(hours) * 3600 + int(seconds.strip("s") or 0)
    assert found(judge(finished_pod(), now=now)) == ({"stale": "Warn"} if old else {})


def test_the_policy_says_what_stale_means_and_when() -> None:
    denied = snapshot(scan_document(), stale={"after": "1h", "action": "Deny"})
    decision = judge(finished_pod(), denied)
    assert decision.message == (
        f"image {PINNED} is not admitted: "
        f"[stale] its scan is older than 1h: it must be scanned again. Fix: {HELP}"
    )
    assert found(judge(finished_pod(), denied, now=NOW - 86400 + 3600)) == {}


def test_a_stale_result_still_counts() -> None:
    known = snapshot(scan_document(fails={"uid-1000": "no"}))
    decision = judge(finished_pod(), known, now=NOW + 1e9)
    assert found(decision) == {"stale": "Warn", "uid-1000": "Deny"}


@pytest.mark.parametrize("digest", [DIGEST, PLATFORM_DIGEST])
def test_a_pod_may_name_the_index_or_a_platforms_manifest(digest: str) -> None:
    source = finished_pod(finished_container(image=f"registry.example.com/copy@{digest}"))
    assert found(judge(source)) == {}


def test_images_that_were_read_are_remembered_in_bounds() -> None:
    """Whoever may create notebooks chooses how many names there are."""
    most = _parse_again.cache_info().maxsize
    assert most is not None
    assert 100 <= most <= 10_000


# Modes


@pytest.mark.parametrize(
    ("label", "mode"),
    [(None, "deny"), ("deny", "deny"), ("warn", "warn"), ("audit", "audit"), ("", "deny")],
)
def test_the_namespaces_label_is_a_mode(label: str | None, mode: str) -> None:
    assert mode_of(label) == mode


@pytest.mark.parametrize("label", ["Warn", "off", "WARN", "warn ", "none"])
def test_an_unknown_mode_softens_nothing(label: str) -> None:
    assert mode_of(label) == "deny"


@pytest.mark.parametrize(
    ("mode", "word", "labels"),
    [
        ("deny", "denied", {"uid-1000": "Deny", "empty-home": "Warn", "allow-origin": "Audit"}),
        ("warn", "warned", {"uid-1000": "Warn", "empty-home": "Warn", "allow-origin": "Audit"}),
        ("audit", "allowed", {"uid-1000": "Audit", "empty-home": "Audit", "allow-origin": "Audit"}),
    ],
)
def test_a_mode_caps_the_policys_actions(mode: str, word: str, labels: Json) -> None:
    known = snapshot(
        scan_document(
            fails=dict.fromkeys(("uid-1000", "empty-home", "allow-origin", "port-8888"), "no")
        ),
        modes={"team-a": mode},
        requirements={"empty-home": "Warn", "allow-origin": "Audit", "port-8888": "Off"},
    )
    decision = judge(finished_pod(), known)
    assert found(decision) == labels
    assert decision.word == word
    assert decision.mode == mode
    assert mutate(request(finished_pod()), known).mode == mode


def test_a_mode_is_of_the_requests_namespace() -> None:
    known = snapshot(modes={"team-b": "warn"})
    assert judge(finished_pod(), known).word == "denied"
    source = stateful_set_pod()
    source["metadata"]["namespace"] = "team-b"
    assert judge(source, known).word == "denied"
    assert judge(source, known, namespace="team-b").word == "warned"
