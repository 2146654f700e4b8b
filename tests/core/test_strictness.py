"""More wrong never means less refused: over generated pods, scans and policies, in every mixture."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.core.builders import IMAGE, NOW, Json, exemption, request, scan_document, snapshot
from tests.core.generated import ACTIONS, IMAGES, MESSAGES, PODS, SERVING, optional
from webhook.core.decision import Snapshot, validate
from webhook.core.requirements import REQUIREMENTS, RULES

WORDS = ("allowed", "warned", "denied")
ACTION = st.sampled_from(ACTIONS)
EXEMPTIONS = st.lists(
    st.builds(
        lambda rules, images: exemption(requirements=rules, images=images),
        st.lists(st.sampled_from(RULES), min_size=1, max_size=3),
        st.sampled_from([[], ["ghcr.io/kubeflow/**"], ["docker.io/**"]]),
    ),
    max_size=1,
)
POLICIES = st.fixed_dictionaries(
    {
        "requirements": st.dictionaries(st.sampled_from(REQUIREMENTS), ACTION, max_size=4),
        "unknown": ACTION,
        "unscanned": ACTION,
        "stale": st.builds(
            lambda after, action: {"after": after, "action": action},
            st.sampled_from(["1h", "168h"]),
            ACTION,
        ),
        "registries": st.builds(
            lambda allow, action: {"allow": allow, "action": action},
            st.sampled_from([[], ["ghcr.io/**"], ["docker.io/**"]]),
            ACTION,
        ),
        "acceptRewrite": st.booleans(),
        "exemptions": EXEMPTIONS,
    }
)
SCANS: st.SearchStrategy[Json] = optional(fails=MESSAGES, unknown=MESSAGES, serving=SERVING)
MODES = ("audit", "warn", "deny")  # in the order of their strength


def word(
    source: Json, scan: Json, policy: Json, mode: str = "deny", old: Json | None = None
) -> int:
    """Decide, and give how much was refused."""
    known = snapshot(scan_document(IMAGE, **scan), modes={"team-a": mode}, **policy)
    decision = validate(request(source, old=old), known, NOW)
    assert (decision.word == "denied") is bool(decision.denied) is bool(decision.message)
    return WORDS.index(decision.word)


def stronger(data: st.DataObject, action: str) -> str:
    return data.draw(st.sampled_from(ACTIONS[ACTIONS.index(action) :]))


@given(
    data=st.data(),
    source=PODS,
    scan=SCANS,
    policy=POLICIES,
    mode=st.sampled_from(MODES),
)
def test_a_stricter_policy_never_allows_more(
    data: st.DataObject, source: Json, scan: Json, policy: Json, mode: str
) -> None:
    strict: dict[str, Any] = copy.deepcopy(policy)
    every = {name: policy["requirements"].get(name, "Deny") for name in REQUIREMENTS}
    strict["requirements"] = {name: stronger(data, held) for name, held in every.items()}
    for key in ("unknown", "unscanned"):
        strict[key] = stronger(data, policy[key])
    for key in ("stale", "registries"):
        strict[key]["action"] = stronger(data, policy[key]["action"])
    assert word(source, scan, strict, mode) >= word(source, scan, policy, mode)


@given(source=PODS, scan=SCANS, policy=POLICIES)
def test_a_stricter_mode_never_allows_more(source: Json, scan: Json, policy: Json) -> None:
    words = [word(source, scan, policy, mode) for mode in MODES]
    assert words == sorted(words)


@given(source=PODS, scan=SCANS, policy=POLICIES)
def test_an_exemption_never_refuses_more(source: Json, scan: Json, policy: Json) -> None:
    denied = WORDS.index("denied")
    if word(source, scan, policy) == denied:
        assert word(source, scan, {**policy, "exemptions": []}) == denied


@given(
    source=PODS,
    scan=SCANS,
    policy=POLICIES,
    image=st.sampled_from(IMAGES),
    which=st.sampled_from(["containers", "initContainers", "ephemeralContainers"]),
)
def test_one_more_container_never_allows_more(
    source: Json, scan: Json, policy: Json, image: str, which: str
) -> None:
    before = word(source, scan, policy)
    more = copy.deepcopy(source)
    more["spec"].setdefault(which, []).append({"name": "one-more", "image": image})
    only_istio = all(c["name"] == "istio-proxy" for c in source["spec"]["containers"])
    if not (only_istio and which == "containers"):
        assert word(more, scan, policy) >= before


@given(
    source=PODS,
    scan=SCANS,
    policy=POLICIES,
    requirement=st.sampled_from(REQUIREMENTS),
)
def test_one_more_failed_check_never_allows_more(
    source: Json, scan: Json, policy: Json, requirement: str
) -> None:
    worse = {**scan, "fails": {**scan.get("fails", {}), requirement: "no"}}
    assert word(source, worse, policy) >= word(source, scan, policy)


@given(source=PODS, stored=PODS, scan=SCANS, policy=POLICIES)
def test_an_update_never_refuses_more_than_a_creation_would(
    source: Json, stored: Json, scan: Json, policy: Json
) -> None:
    assert word(source, scan, policy, old=stored) <= word(source, scan, policy)


@given(source=PODS, scan=SCANS, policy=POLICIES)
def test_a_decision_is_reproducible(source: Json, scan: Json, policy: Json) -> None:
    first, second = (
        validate(request(source), snapshot(scan_document(IMAGE, **scan), **policy), NOW)
        for _ in range(2)
    )
    assert first == second


def test_knowing_nothing_refuses() -> None:
    empty: Json = {"kind": "Pod", "metadata": {"labels": {"notebook-name": "x"}}}
    empty["spec"] = {"containers": [{"name": "x", "image": "nginx"}]}
    assert validate(request(empty, name="x"), Snapshot(), 0.0).word == "denied"
