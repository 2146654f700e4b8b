"""What is made of the API server's answers to dry runs."""

from __future__ import annotations

import pytest

from tests.doctor.papercluster import namespace
from webhook.core.decision import Snapshot, mutate, validate
from webhook.core.document import InvalidDocument
from webhook.core.manifest import request_for
from webhook.core.patch import apply_patch
from webhook.core.policy import read_policy
from webhook.core.review import Request
from webhook.doctor import probes
from webhook.doctor.dryrun import Outcome, Trial, chosen, judge
from webhook.doctor.finding import Finding
from webhook.doctor.place import Place
from webhook.kubeerrors import KubeError

PODS = Trial(what="a notebook's pod", entry="pods.nbgate.dev", where="namespace/team-a")
SOFT = Trial(
    what="a notebook's pod", entry="pods.nbgate.dev", where="namespace/team-a", softened=True
)


def found(trial: Trial, outcome: Outcome) -> list[Finding]:
    return [*judge(trial, outcome, Place())]


def said(text: str, trial: Trial = PODS) -> list[Finding]:
    return found(trial, Outcome(error=KubeError(f"cannot create pods: {text}")))


def test_refused_by_ours_is_well() -> None:
    (one,) = said('admission webhook "pods.nbgate.dev" denied the request: image x: [reference] no')
    assert one.result == "ok"


def test_refused_and_not_patched_is_wrong() -> None:
    denial = (
        'admission webhook "pods.nbgate.dev" denied the request: [reference] no; [pod-prefix] x'
    )
    assert [one.result for one in said(denial)] == ["ok", "wrong"]


def test_a_call_that_failed_points_to_the_way_out() -> None:
    (one,) = said(
        'Internal error occurred: failed calling webhook "pods.nbgate.dev": Post "https://nbgate.nbgate-system.svc'
        '/validate": context deadline exceeded'
    )
    assert one.result == "wrong"
    assert "context deadline exceeded" in one.what
    assert "break-glass.md" in one.cure


@pytest.mark.parametrize(
    "text",
    [
        'admission webhook "x.example.com" denied the request: no',
        'failed calling webhook "x.example.com": no route to host',
        "pods is forbidden: exceeded quota: team-a",
    ],
)
def test_refused_by_others_proves_nothing(text: str) -> None:
    (one,) = said(text)
    assert one.result == "unknown"
    assert text in one.what


def test_admitted_is_wrong() -> None:
    (one,) = found(PODS, Outcome(admitted=probes.pod("team-a")))
    assert one.result == "wrong"
    assert "admission does not guard" in one.what


def test_a_wrong_policy_that_is_admitted_is_a_warning() -> None:
    trial = Trial(what="a NotebookPolicy", entry="policies.nbgate.dev", where="notebookpolicies")
    (one,) = found(trial, Outcome(admitted=probes.policy()))
    assert one.result == "warning"


def test_where_nothing_is_refused_the_patch_shows_that_we_were_asked() -> None:
    patched = apply_patch(
        probes.pod("team-a"), mutate(created(probes.pod("team-a")), Snapshot()).patch
    )
    (asked,) = found(SOFT, Outcome(admitted=patched))
    (unasked,) = found(SOFT, Outcome(admitted=probes.pod("team-a")))
    assert (asked.result, unasked.result) == ("warning", "wrong")


def created(document: dict[str, object]) -> Request:
    return request_for(document, "team-a")


def test_the_pod_is_refused_by_every_policy_for_its_image() -> None:
    patched = apply_patch(
        probes.pod("team-a"), mutate(created(probes.pod("team-a")), Snapshot()).patch
    )
    decided = validate(created(patched), Snapshot(), 0.0)
    assert decided.word == "denied"
    assert [violation.rule for violation in decided.denied] == ["reference"]


def test_the_pod_that_was_not_patched_is_refused_for_that_too() -> None:
    decided = validate(created(probes.pod("team-a")), Snapshot(), 0.0)
    assert {"pod-prefix", "pod-uid"} <= {violation.rule for violation in decided.denied}


def test_the_notebook_is_refused() -> None:
    assert validate(created(probes.notebook("team-a")), Snapshot(), 0.0).word == "denied"


def test_the_policy_is_wrong() -> None:
    with pytest.raises(InvalidDocument, match=r"spec\.doctor"):
        read_policy(probes.policy())


def test_the_namespace_is_one_in_which_things_are_refused() -> None:
    soft, hard = namespace("a", **{"nbgate.dev/mode": "audit"}), namespace("b")
    assert chosen([soft, hard], None) == ("b", False)
    assert chosen([soft], None) == ("a", True)
    assert chosen([], None) is None
    assert chosen([soft, hard], "a") == ("a", True)
