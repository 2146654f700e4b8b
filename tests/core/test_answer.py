"""Answers keep the protocol, and their annotations name what the decision rests on."""

import base64
import json
from collections.abc import Callable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.builders import (
    CUDA_IMAGE,
    DIGEST,
    IMAGE,
    NOW,
    OTHER_DIGEST,
    PREFIX,
    Json,
    container,
    ephemeral_containers,
    finished_container,
    finished_pod,
    notebook,
    policy,
    request,
    review,
    scan_document,
    snapshot,
    stateful_set_pod,
)
from tests.core.deciding import KNOWN, STAGES, judge
from tests.core.places import replaced
from webhook.core.decision import Decision, Snapshot, answer, mutate, validate
from webhook.core.policy import read_policy
from webhook.core.review import (
    Answer,
    Cause,
    Request,
    parse_review,
    render_answer,
)


def response(sent: bytes) -> Json:
    envelope = json.loads(sent)
    assert envelope.keys() == {"apiVersion", "kind", "response"}
    assert envelope["apiVersion"] == "admission.k8s.io/v1"
    assert envelope["kind"] == "AdmissionReview"
    found: Json = envelope["response"]
    return found


def test_an_allowing_answer_says_no_more_than_that() -> None:
    assert response(render_answer("u-1", Answer(allowed=True, annotations={}))) == {
        "uid": "u-1",
        "allowed": True,
    }


def test_a_denial_carries_code_403_its_reason_and_one_cause_per_violation() -> None:
    cause = Cause(reason="uid-1000", message="user root has UID 0", field="spec.containers[0]")
    denial = Answer(allowed=False, message="no", causes=[cause], annotations={})
    assert response(render_answer("u-1", denial)) == {
        "uid": "u-1",
        "allowed": False,
        "status": {
            "status": "Failure",
            "code": 403,
            "reason": "Forbidden",
            "message": "no",
            "details": {
                "causes": [
                    {
                        "reason": "uid-1000",
                        "message": "user root has UID 0",
                        "field": "spec.containers[0]",
                    }
                ]
            },
        },
    }


def test_a_patch_is_sent_in_base64_with_its_type() -> None:
    operations = [{"op": "add", "path": "/spec/x", "value": "ü"}]
    sent = response(render_answer("u", Answer(allowed=True, annotations={}, patch=operations)))
    assert sent["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(sent["patch"], validate=True)) == operations


def test_warnings_and_annotations_are_sent_as_they_are() -> None:
    given_answer = Answer(allowed=True, warnings=["w"], annotations={"policy": "default@1"})
    assert response(render_answer("u", given_answer)) == {
        "uid": "u",
        "allowed": True,
        "warnings": ["w"],
        "auditAnnotations": {"policy": "default@1"},
    }


IMAGES = st.sampled_from(["", "B", CUDA_IMAGE, "busybox", "x" * 10_000, "ü\n\x1b[31m"])


@given(
    uid=st.text(st.characters(codec="utf-8"), min_size=1, max_size=128),
    images=st.lists(IMAGES, min_size=1, max_size=40),
    mode=st.sampled_from(["deny", "warn", "audit"]),
)
def test_every_answer_keeps_the_protocol(uid: str, images: list[str], mode: str) -> None:
    containers = [container(f"c{i}", image) for i, image in enumerate(images)]
    known = snapshot(scan_document(CUDA_IMAGE), modes={"team-a": mode})
    seen = parse_review(
        orjson.dumps(replaced(review(stateful_set_pod(*containers)), ("request", "uid"), uid))
    )
    for decision in (mutate(seen, known), validate(seen, known, NOW)):
        sent = response(render_answer(seen.uid, answer(decision, known)))
        assert sent["uid"] == uid
        assert ("patch" in sent) == ("patchType" in sent) == bool(decision.patch)
        assert sent["allowed"] is not bool(decision.denied)
        assert ("status" in sent) is bool(decision.denied)
        assert all(len(text) <= 120 and text.isprintable() for text in sent.get("warnings", []))
        assert sum(map(len, sent.get("warnings", []))) <= 4096
        if decision.denied:
            assert sent["status"]["code"] == 403
            causes = sent["status"]["details"]["causes"]
            assert len(causes) == min(len(decision.denied), 50)


# From decisions


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


@pytest.mark.parametrize(
    ("source", "place"),
    [(finished_pod, "spec.containers[0]"), (notebook, "spec.template.spec.containers[0]")],
)
def test_every_violation_of_an_image_names_the_place_of_the_image(
    source: Callable[..., Json], place: str
) -> None:
    fails = {"uid-1000": "root"}
    of_each = {
        "reference": (finished_container(image="B@"), snapshot()),
        "registry": (finished_container(), snapshot(registries={"allow": ["quay.io/**"]})),
        "unscanned": (finished_container(), snapshot()),
        "stale": (finished_container(), snapshot(scan_document(), stale={"after": "1h"})),
        "uid-1000": (finished_container(), snapshot(scan_document(fails=fails))),
    }
    for rule, (held, known) in of_each.items():
        violations = judge(source(held), known).violations
        assert {v.field for v in violations if v.rule == rule} == {f"{place}.image"}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("source", [stateful_set_pod(), finished_pod(), notebook()])
def test_an_answer_carries_all_that_the_decision_tells_the_client(
    source: Json, stage: Callable[[Request], Decision]
) -> None:
    decision = stage(request(source))
    sent = answer(decision, KNOWN)
    assert (sent.allowed, sent.message) == (decision.allowed, decision.message)
    assert (sent.warnings, sent.patch) == (decision.warnings, decision.patch)


def test_what_is_not_known_to_be_wrong_is_told_apart_from_what_is() -> None:
    known = snapshot(
        scan_document(fails={"uid-1000": "root"}, unknown={"empty-home": "?"}),
        stale={"after": "1h"},
    )
    found = {v.rule: v.known for v in judge(finished_pod(), known).violations}
    assert found == {"stale": False, "uid-1000": True, "empty-home": False}
    assert [v.known for v in judge(finished_pod(), snapshot()).violations] == [False]


def test_what_users_wrote_is_bounded_in_an_answer() -> None:
    known = snapshot(scan_document(fails={"uid-1000": "x" * 1000}))
    sent = answer(judge(finished_pod(), known), known)
    assert [cause.message for cause in sent.causes] == ["x" * 197 + "..."]
    far = finished_pod(container(image="B" * 1000))
    assert answer(judge(far, known), known).annotations["image"] == "B" * 197 + "..."
    named = replaced(policy(), ("metadata", "name"), "p" * 300)
    long = Snapshot(policy=read_policy(named), scans=snapshot(scan_document(name="s" * 300)).scans)
    annotations = answer(judge(finished_pod(), long), long).annotations
    assert annotations["policy"] == "p" * 250 + "...@0"
    assert annotations["scan"] == "s" * 250 + "..."


def test_annotations_name_what_the_decision_rests_on() -> None:
    warning = snapshot(requirements={"empty-home": "Warn"}).policy
    known = Snapshot(
        scans=snapshot(
            scan_document(name="jupyter-1", fails={"uid-1000": "no", "empty-home": "no"})
        ).scans,
        policy=warning,
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
    unscanned = judge(finished_pod(container()), known)
    assert answer(unscanned, known).annotations.keys() == {
        "decision",
        "policy",
        "image",
        "violations",
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
