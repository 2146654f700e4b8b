"""Decisions on pods: what each rule finds, what is left alone, what an answer and its annotations say."""

from typing import Any

import jsonpatch
import pytest

from tests.core.builders import (
    DIGEST,
    HELP,
    HOME,
    IMAGE,
    NOTEBOOK,
    NOW,
    OTHER_DIGEST,
    PLATFORM_DIGEST,
    PREFIX,
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
    stateful_set_pod,
    workspace,
)
from webhook.core.actions import Action, mode_of
from webhook.core.decision import UNTOUCHED, Decision, Snapshot, answer, mutate, validate
from webhook.core.requirements import REQUIREMENTS
from webhook.core.scan import REWRITABLE

KNOWN = snapshot(scan_document(IMAGE))
PINNED = f"{IMAGE}@{DIGEST}"


def judge(source: Json, known: Snapshot = KNOWN, now: float = NOW, **fields: Any) -> Decision:
    return validate(request(source, **fields), known, now)


def found(decision: Decision) -> dict[str, str]:
    """Give what was found, as action by rule."""
    return {violation.rule: violation.action.label for violation in decision.violations}


def of_scan(*, spec: dict[str, Any] | None = None, **status: Any) -> Decision:
    """Judge a finished pod whose image has this scan, under this policy."""
    return judge(finished_pod(), snapshot(scan_document(IMAGE, **status), **(spec or {})))


def test_a_finished_pod_with_a_conforming_image_is_allowed_without_a_word() -> None:
    decision = judge(finished_pod())
    assert decision.word == "allowed"
    assert (decision.message, decision.violations, decision.warnings) == ("", (), ())
    assert decision.use is not None
    assert decision.use.container.image == PINNED
    assert decision.mode == "deny"


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


def test_without_accept_rewrite_an_image_that_serves_at_root_fails() -> None:
    decision = of_scan(serving="Root", fails=AT_ROOT, spec={"acceptRewrite": False})
    assert found(decision) == dict.fromkeys(REWRITABLE, "Deny")
    unproven = of_scan(serving="Root", unknown=AT_ROOT, spec={"acceptRewrite": False})
    assert found(unproven) == {"nb-prefix": "Deny", "allow-origin": "Warn"}
    assert "[nb-prefix] it answers at / only, not under NB_PREFIX" in unproven.message
    unchecked = of_scan(serving="Root", checks=[], spec={"acceptRewrite": False})
    assert found(unchecked) == {"nb-prefix": "Deny"}


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


# The final pod


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


# References and registries, of every container


LISTS = ("containers", "initContainers", "ephemeralContainers")
ALLOWED: dict[str, Any] = {"registries": {"allow": ["ghcr.io/kubeflow/**"]}}


def with_extra(which: str, extra: Json) -> Json:
    source = finished_pod()
    source["spec"].setdefault(which, []).append(extra)
    return source


@pytest.mark.parametrize("which", LISTS)
@pytest.mark.parametrize("image", ["", " x", "B", "x:", "x@sha256:1", "x\n", "a" * 10_000])
def test_every_containers_image_must_be_a_reference(which: str, image: str) -> None:
    decision = judge(with_extra(which, container("extra", image)))
    index = 1 if which == "containers" else 0
    assert found(decision) == {"reference": "Deny"}
    assert decision.denied[0].field == f"spec.{which}[{index}].image"


@pytest.mark.parametrize("which", LISTS)
@pytest.mark.parametrize("native", [True, False])
def test_every_containers_image_must_be_from_an_allowed_registry(
    which: str, *, native: bool
) -> None:
    known = snapshot(scan_document(), **ALLOWED)
    more = {"restartPolicy": "Always"} if native else {}
    extra = container("extra", "ghcr.io.evil.com/kubeflow/x:1", **more)
    decision = judge(with_extra(which, extra), known)
    assert found(decision) == {"registry": "Deny"}
    assert found(judge(with_extra(which, container("extra", "ghcr.io/kubeflow/a/b")), known)) == {}
    kind = {"containers": "", "initContainers": "init ", "ephemeralContainers": "ephemeral "}[which]
    assert decision.message == (
        f"{kind}container extra: image ghcr.io.evil.com/kubeflow/x:1 is not admitted: "
        "[registry] ghcr.io.evil.com/kubeflow/x is not in an allowed registry: "
        f"use ghcr.io/kubeflow/**. Fix: {HELP}"
    )


def test_the_notebooks_own_image_must_be_from_an_allowed_registry_too() -> None:
    known = snapshot(scan_document("quay.io/x/y:1"), **ALLOWED)
    decision = judge(finished_pod(finished_container(image=f"quay.io/x/y:1@{DIGEST}")), known)
    assert found(decision) == {"registry": "Deny"}
    assert decision.message.startswith(f"image quay.io/x/y:1@{DIGEST} is not admitted: [registry]")


@pytest.mark.parametrize("action", Action)
def test_the_policy_says_what_another_registry_means(action: Action) -> None:
    rules = {"allow": ["ghcr.io/other/**"], "action": action.label}
    decision = judge(finished_pod(), snapshot(scan_document(), registries=rules))
    assert found(decision) == ({"registry": action.label} if action else {})


def test_an_empty_list_allows_any_registry() -> None:
    assert found(judge(finished_pod(), snapshot(scan_document(), registries={"allow": []}))) == {}


def test_a_refusal_names_three_registries_and_the_number_of_the_others() -> None:
    allow = [f"r{number}.example.com/**" for number in range(5)]
    decision = judge(finished_pod(), snapshot(scan_document(), registries={"allow": allow}))
    assert (
        "use r0.example.com/**, r1.example.com/**, r2.example.com/** or 2 more" in decision.message
    )
    three = judge(finished_pod(), snapshot(scan_document(), registries={"allow": allow[:3]}))
    assert "use r0.example.com/**, r1.example.com/**, r2.example.com/**." in three.message


@pytest.mark.parametrize(
    ("image", "allowed"),
    [
        (IMAGE, True),
        (PINNED, True),
        (f"{IMAGE}@{PLATFORM_DIGEST}", True),
        # whoever writes the image can put any tag beside a digest
        (f"{IMAGE}@{OTHER_DIGEST}", False),
        (f"{IMAGE.partition(':')[0]}@{DIGEST}", False),
        (f"{IMAGE}-rc", False),
    ],
)
def test_a_pattern_with_a_tag_holds_for_the_digest_that_the_tag_was_resolved_to(
    image: str, *, allowed: bool
) -> None:
    """Else the pod that nbgate pinned itself would be refused by the very list that names its image."""
    source = finished_pod({**finished_container(), "image": image})
    registries = snapshot(scan_document(), registries={"allow": [IMAGE]}, pod={"pinDigest": False})
    assert ("registry" not in found(judge(source, registries))) is allowed
    waived = snapshot(
        scan_document(),
        registries={"allow": ["quay.io/**"]},
        exemptions=[exemption(images=[IMAGE], requirements=["registry"])],
    )
    assert ("registry" not in found(judge(source, waived))) is allowed


def test_what_is_patched_is_allowed_by_a_pattern_with_a_tag() -> None:
    known = snapshot(scan_document(), registries={"allow": [IMAGE]})
    source = stateful_set_pod()
    patched = jsonpatch.apply_patch(source, list(mutate(request(source), known).patch))
    assert found(judge(patched, known)) == {}


# What is left alone


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        (pod(notebook=None), {}),
        (pod(labels={"Notebook-Name": "x"}, notebook=None), {}),
        (pod(annotations={"kubernetes.io/config.mirror": "abc"}), {}),
        (pod(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), {"old": pod()}),
        (notebook(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), {"old": notebook()}),
        (pod(), {"operation": "DELETE"}),
        (pod(), {"operation": "CONNECT"}),
        (notebook(), {"operation": "DELETE"}),
        (pod(), {"subresource": "status", "old": pod()}),
        (pod(), {"subresource": "resize", "old": pod()}),
        (pod(), {"subresource": "exec", "operation": "CONNECT"}),
        (notebook(), {"subresource": "status", "old": notebook()}),
        (
            {"kind": "StatefulSet", "metadata": {"labels": {"notebook-name": "x"}}},
            {},
        ),
    ],
)
def test_what_is_not_ours_is_allowed_untouched(source: Json, fields: dict[str, Any]) -> None:
    seen = request(source, **fields)
    assert validate(seen, snapshot(), NOW) == UNTOUCHED
    assert mutate(seen, snapshot()) == UNTOUCHED
    assert answer(UNTOUCHED, snapshot()).allowed
    assert answer(UNTOUCHED, snapshot()).annotations == {}


def test_a_deletion_without_an_object_is_allowed() -> None:
    assert judge({}, old=pod(), operation="DELETE") == UNTOUCHED


def test_a_pod_without_containers_has_no_image_to_judge() -> None:
    decision = judge(finished_pod() | {"spec": {"containers": []}})
    assert decision.word == "allowed"
    assert decision.use is None


# Ephemeral containers, as both kinds of server send them


def test_ephemeral_containers_of_older_servers_are_judged_without_their_pod() -> None:
    known = snapshot(**ALLOWED)
    debug = container("dbg", "busybox:1.36")
    source = ephemeral_containers(debug, container("bad", "B"))
    decision = judge(
        source, known, old=ephemeral_containers(debug), subresource="ephemeralcontainers"
    )
    assert found(decision) == {"reference": "Deny"}
    assert decision.denied[0].field == "ephemeralContainers[1].image"
    assert decision.subject is not None
    assert decision.subject.kind == "EphemeralContainers"
    assert decision.subject.notebook == "my-nb-0"
    both = judge(
        ephemeral_containers(debug),
        known,
        old=ephemeral_containers(),
        subresource="ephemeralcontainers",
    )
    assert found(both) == {"registry": "Deny"}
    assert found(judge(ephemeral_containers(), known, old=ephemeral_containers())) == {}


def test_ephemeral_containers_of_newer_servers_are_judged_in_their_pod() -> None:
    known = snapshot(scan_document(), **ALLOWED)
    stored = finished_pod()
    debug = [container("dbg", "busybox:1.36")]
    source = finished_pod(ephemeralContainers=debug)
    decision = judge(source, known, old=stored, subresource="ephemeralcontainers")
    assert found(decision) == {"registry": "Deny"}
    assert decision.denied[0].field == "spec.ephemeralContainers[0].image"
    again = judge(source, known, old=source, subresource="ephemeralcontainers")
    assert found(again) == {}


def test_an_ephemeral_container_of_another_pod_is_left_alone() -> None:
    source = pod(notebook=None, ephemeralContainers=[container("dbg", "B")])
    decision = judge(source, old=pod(notebook=None), subresource="ephemeralcontainers")
    assert decision == UNTOUCHED


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


# The answer


def test_a_denial_is_answered_with_a_cause_per_violation() -> None:
    known = snapshot(scan_document(fails={"uid-1000": "root", "home-jovyan": "home is /root"}))
    decision = judge(finished_pod(finished_container(env=[])), known)
    sent = answer(decision, known)
    assert not sent.allowed
    assert sent.message == decision.message
    assert [(cause.reason, cause.message, cause.field) for cause in sent.causes] == [
        ("uid-1000", "root", "spec.containers[0].image"),
        ("home-jovyan", "home is /root", "spec.containers[0].image"),
        ("pod-prefix", f"NB_PREFIX must be set once, to {PREFIX}", "spec.containers[0].env"),
    ]


def test_annotations_name_what_the_decision_rests_on() -> None:
    policy = snapshot(requirements={"empty-home": "Warn"}).policy
    known = Snapshot(
        scans=snapshot(
            scan_document(name="jupyter-1", fails={"uid-1000": "no", "empty-home": "no"})
        ).scans,
        policy=policy,
        policy_generation=7,
    )
    decision = judge(finished_pod(), known)
    assert answer(decision, known).annotations == {
        "decision": "denied",
        "policy": "default@7",
        "image": IMAGE,
        "digest": DIGEST,
        "scan": "jupyter-1",
        "violations": "uid-1000,empty-home",
    }


def test_annotations_leave_out_what_is_not_known() -> None:
    known = snapshot()
    assert answer(judge(finished_pod(container(image="B\n")), known), known).annotations == {
        "decision": "denied",
        "policy": "default@0",
        "image": "B?",
        "violations": "reference,pod-prefix,pod-uid,pod-home",
    }
    by_digest = finished_pod(finished_container(image=f"ghcr.io/x/y@{OTHER_DIGEST}"))
    shown = answer(judge(by_digest, known), known).annotations["image"]
    assert shown == f"ghcr.io/x/y@{OTHER_DIGEST}"
    only_ephemeral = judge(ephemeral_containers(container("dbg", "x")), known, operation="UPDATE")
    assert answer(only_ephemeral, known).annotations == {
        "decision": "allowed",
        "policy": "default@0",
    }


def test_annotations_are_the_same_on_a_second_pass() -> None:
    """The API server refuses a key that changes its value on reinvocation."""
    first = mutate(request(stateful_set_pod()), KNOWN)
    second = mutate(request(finished_pod()), KNOWN)
    assert second.patch == ()
    assert answer(first, KNOWN).annotations == answer(second, KNOWN).annotations
