"""A NotebookPolicy that is applied: refused with every fault, warned of what may surprise, else left alone."""

import json
from typing import Any

import orjson
import pytest

from tests.core.builders import NOW, Json, exemption, policy
from webhook.core.audit import build_record, recorded
from webhook.core.decision import UNTOUCHED, Decision, Snapshot, answer, mutate, validate
from webhook.core.document import Fault
from webhook.core.manifest import request_for
from webhook.core.message import MESSAGE_LIMIT, WARNING_LIMIT, policy_denial
from webhook.core.policy import read_policy
from webhook.core.policyreview import PolicyReview, advise
from webhook.core.review import Request, ReviewError, parse_review, render_answer

KNOWN = Snapshot()
WRONG = {"unknown": "Nope", "a": 1, "stale": {"after": 3}}


def writing(
    document: Json | None, *, old: Json | None = None, operation: str | None = None, sub: str = ""
) -> Request:
    """The request that writes a NotebookPolicy, read from its bytes as the server does."""
    resource = {"group": "nbgate.dev", "version": "v1alpha1", "resource": "notebookpolicies"}
    asked = {
        "uid": "8adbba00-55da-4fb5-8494-14cec71aa613",
        "kind": {"group": "nbgate.dev", "version": "v1alpha1", "kind": "NotebookPolicy"},
        "resource": resource,
        "subResource": sub,
        "name": "default",
        "operation": operation or ("UPDATE" if old else "CREATE"),
        "userInfo": {"username": "platform@example.com", "groups": []},
        "object": document,
        "oldObject": old,
        "dryRun": False,
    }
    review = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": asked}
    return parse_review(json.dumps(review).encode())


def judge(document: Json, **fields: Any) -> Decision:
    return validate(writing(document, **fields), KNOWN, NOW)


def named(name: str, **spec: Any) -> Json:
    return {**policy(**spec), "metadata": {"name": name}}


def test_a_good_policy_is_allowed_without_a_word() -> None:
    decision = judge(policy(unknown="Deny", exemptions=[exemption(expires="2027-03-31")]))
    assert (decision.word, decision.message, decision.warnings) == ("allowed", "", ())
    assert decision.judged


def test_a_wrong_one_is_refused_with_every_fault_and_its_path_in_one_line() -> None:
    decision = judge(policy(**WRONG))
    assert decision.word == "denied"
    assert decision.message == (
        "NotebookPolicy default is not valid: "
        "spec.unknown: must be one of Deny, Warn, Audit, Off; "
        "spec.stale.after: must be text; "
        "spec.a: is not a field here; check its spelling and where it stands. "
        "See https://github.com/nbgate/nbgate/blob/main/docs/policy.md"
    )


def test_what_kubectl_makes_of_a_bare_off_is_explained() -> None:
    assert 'quote "Off", YAML reads it as false' in judge(policy(unscanned=False)).message


def test_the_answer_carries_a_cause_with_its_field_for_each_fault() -> None:
    response = orjson.loads(render_answer("1", answer(judge(policy(**WRONG)), KNOWN)))["response"]
    assert response["allowed"] is False
    assert response["status"]["code"] == 403
    causes = response["status"]["details"]["causes"]
    assert [cause["field"] for cause in causes] == ["spec.unknown", "spec.stale.after", "spec.a"]
    assert {cause["reason"] for cause in causes} == {"FieldValueInvalid"}
    assert [cause["message"] for cause in causes] == [
        "must be one of Deny, Warn, Audit, Off",
        "must be text",
        "is not a field here; check its spelling and where it stands",
    ]
    assert response["auditAnnotations"]["decision"] == "denied"
    assert "patch" not in response


def test_a_cause_is_bounded() -> None:
    wrong = PolicyReview(name="default", faults=(Fault("spec", "p" * 300),))
    (cause,) = answer(Decision(word="denied", policy=wrong), KNOWN).causes
    assert cause.message == "p" * 197 + "..."


def many(count: int) -> Json:
    return policy(**{f"x{number}": 1 for number in range(count)})


@pytest.mark.parametrize("count", [1, 5, 20, 100, 5_000, 50_000])
def test_however_much_is_wrong_the_message_is_one_line_of_a_kibibyte(count: int) -> None:
    decision = judge(many(count))
    assert decision.word == "denied"
    assert len(decision.message.encode()) <= MESSAGE_LIMIT
    assert decision.message.isprintable()
    assert len(answer(decision, KNOWN).causes) <= 100


def test_every_fault_is_named_as_long_as_there_is_room_for_its_path() -> None:
    message = judge(many(40)).message
    assert all(f"spec.x{number}" in message for number in range(40))
    assert "more places" not in message
    assert "more places" in judge(many(400)).message


@pytest.mark.parametrize("path", ["spec." + "é" * 2_000, "", "spec.\x1b[2J\n"])
def test_a_fault_at_any_path_fits(path: str) -> None:
    message = policy_denial("default", [Fault(path, "p" * 5_000)] * 3)
    assert len(message.encode()) <= MESSAGE_LIMIT
    assert message.isprintable()


def test_more_values_than_a_policy_can_have_are_refused_without_being_read() -> None:
    decision = judge(policy(exemptions=[{}] * 30_000))
    assert decision.message.startswith(
        "NotebookPolicy default is not valid: spec: must not hold more than 20000 values. "
    )


@pytest.mark.parametrize(("count", "unread"), [(20_000, False), (20_001, True)])
def test_the_values_of_a_policy_are_counted_to_the_last(count: int, *, unread: bool) -> None:
    # the spec itself and the list are values too
    message = judge(policy(x=[0] * (count - 2))).message
    assert ("must not hold more than" in message) is unread
    assert message.startswith("NotebookPolicy default is not valid: ")


def test_a_policy_by_another_name_is_allowed_and_has_no_effect() -> None:
    decision = judge(named("strict"))
    assert decision.word == "warned"
    assert decision.warnings == ("only the NotebookPolicy default has an effect; this is strict",)
    wrong = judge(named("strict", **WRONG))
    assert wrong.word == "denied"
    assert wrong.message.startswith("NotebookPolicy strict is not valid: ")


@pytest.mark.parametrize(
    ("spec", "warning"),
    [
        (
            {"exemptions": [exemption(expires="2025-12-31")]},
            "exemption legacy expired on 2025-12-31 and does nothing; remove or renew it",
        ),
        (
            {"exemptions": [exemption(expires="2026-01-02")]},
            "exemption legacy expires tomorrow, at the end of 2026-01-02 UTC",
        ),
        (
            {"exemptions": [exemption(expires="2026-01-12")]},
            "exemption legacy expires in 11 days, at the end of 2026-01-12 UTC",
        ),
        (
            {"exemptions": [exemption(namespaces=[], images=["*/**"], expires="2027-03-31")]},
            "exemption legacy is for every image: it waives its rules everywhere",
        ),
        (
            {"stale": {"after": "12h"}},
            "stale.after is under 24h, in which scans are renewed: good results will count as stale",
        ),
        (
            {"registries": {"allow": ["ghcr.io/**"], "action": "Off"}},
            "registries.allow has no effect: registries.action is Off",
        ),
    ],
    ids=["expired", "tomorrow", "soon", "everywhere", "stale", "registries"],
)
def test_what_has_no_effect_or_may_surprise_is_warned_of(spec: Json, warning: str) -> None:
    decision = judge(policy(**spec))
    assert (decision.word, decision.warnings) == ("warned", (warning,))
    assert len(warning) <= WARNING_LIMIT


@pytest.mark.parametrize(
    "spec",
    [
        {"registries": {"action": "Off"}},
        {"registries": {"allow": ["ghcr.io/**"]}},
        {"stale": {"after": "24h"}},
        {"stale": {"after": "12h", "action": "Off"}},
        {"exemptions": [exemption(images=["*/**"], expires="2027-03-31")]},
        {"exemptions": [exemption(namespaces=[], images=["ghcr.io/**"], expires="2027-03-31")]},
    ],
)
def test_what_is_as_it_seems_is_not_warned_of(spec: Json) -> None:
    assert judge(policy(**spec)).warnings == ()


LAST_DAY = 1774915200.0  # 2026-03-31, the builders' exemption's
DAY = 86400.0


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (LAST_DAY - 30 * DAY, None),
        (LAST_DAY - 30 * DAY + 1, "expires in 30 days, at the end of 2026-03-31 UTC"),
        (LAST_DAY - 2 * DAY + 1, "expires in 2 days, at the end of 2026-03-31 UTC"),
        (LAST_DAY - 1 * DAY + 1, "expires tomorrow, at the end of 2026-03-31 UTC"),
        (LAST_DAY + 1, "expires today, at the end of 2026-03-31 UTC"),
        (LAST_DAY + DAY - 1, "expires today, at the end of 2026-03-31 UTC"),
        (LAST_DAY + DAY, "expired on 2026-03-31 and does nothing; remove or renew it"),
    ],
)
def test_an_exemption_is_warned_of_from_thirty_days_before_its_last(
    now: float, said: str | None
) -> None:
    warnings = list(advise(read_policy(policy(exemptions=[exemption()])).spec, now))
    assert warnings == ([] if said is None else [f"exemption legacy {said}"])


def test_a_policy_that_asks_for_nothing_is_warned_of() -> None:
    names = ("port-8888", "nb-prefix", "allow-origin", "user-jovyan", "uid-1000", "home-jovyan")
    some = dict.fromkeys(names, "Off")
    assert judge(policy(requirements=some)).warnings == ()
    (warning,) = judge(policy(requirements={**some, "empty-home": "Off"})).warnings
    assert warning.startswith("every requirement is Off")


# What is left alone


def test_the_status_and_what_is_being_deleted_are_left_alone() -> None:
    wrong = policy(**WRONG)
    assert validate(writing(wrong, old=wrong, sub="status"), KNOWN, NOW) == UNTOUCHED
    deleted = {
        **wrong,
        "metadata": {"name": "default", "deletionTimestamp": "2026-01-01T00:00:00Z"},
    }
    assert judge(deleted, old=wrong) == UNTOUCHED


@pytest.mark.parametrize("operation", ["DELETE", "CONNECT"])
def test_other_operations_are_left_alone(operation: str) -> None:
    held = policy(**WRONG)
    assert validate(writing(None, old=held, operation=operation), KNOWN, NOW) == UNTOUCHED


def test_no_patch_is_ever_made_of_a_policy() -> None:
    assert mutate(writing(policy()), KNOWN) == UNTOUCHED


def test_a_label_need_not_wait_until_a_wrong_policy_is_mended() -> None:
    held = policy(**WRONG)
    labelled = {**held, "metadata": {"name": "default", "labels": {"a": "b"}}}
    decision = judge(labelled, old=held)
    assert decision.word == "warned"
    assert decision.warnings[0].startswith(
        "it is not valid, and no replica follows it: spec.unknown: must be one of"
    )
    assert list(answer(decision, KNOWN).causes) == []
    seen = writing(labelled, old=held)
    record = build_record(seen, decision, KNOWN, endpoint="validate", now=NOW, seconds=0.0)
    assert record["violations"] == []
    worse = {**held, "spec": {**WRONG, "b": 1}}
    assert judge(worse, old=held).word == "denied"
    assert judge(policy(), old=held).word == "allowed"


# What cannot be read, and what is recorded


def test_a_review_without_an_object_is_no_review() -> None:
    with pytest.raises(ReviewError, match=r"request\.object is missing"):
        validate(writing(None), KNOWN, NOW)
    with pytest.raises(ReviewError, match=r"request\.object\.metadata must be an object"):
        judge({**policy(), "metadata": []})


def test_a_refusal_is_recorded_with_its_faults() -> None:
    request = writing(policy(**WRONG))
    decision = validate(request, KNOWN, NOW)
    assert recorded(decision, "denied")
    record = build_record(request, decision, KNOWN, endpoint="validate", now=NOW, seconds=0.0)
    assert (record["kind"], record["decision"]) == ("NotebookPolicy", "denied")
    assert (record["notebook"], record["pod"], record["image"]) == ("", "", "")
    assert record["violations"][1] == {
        "requirement": "policy",
        "action": "Deny",
        "message": "spec.stale.after: must be text",
    }
    assert not recorded(judge(policy()), "warned")


def test_a_manifest_is_judged_as_when_it_is_applied() -> None:
    made = request_for(policy(**WRONG), "team-a")
    assert (made.group, made.resource, made.namespace) == ("nbgate.dev", "notebookpolicies", "")
    assert validate(made, KNOWN, NOW).message == judge(policy(**WRONG)).message
    assert (
        "metadata: is missing"
        in validate(request_for({"kind": "NotebookPolicy"}, ""), KNOWN, NOW).message
    )
