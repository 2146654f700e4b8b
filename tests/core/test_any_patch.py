"""What holds of every patch on every pod, under every policy."""

import copy
import re

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.core.builders import (
    IMAGE,
    NOTEBOOK,
    NOW,
    Json,
    request,
    scan_document,
    snapshot,
)
from tests.core.deciding import decide, patched
from tests.core.generated import PATCHES, PODS
from webhook.core.decision import Snapshot, validate


def serving_index(source: Json) -> int:
    names = [item["name"] for item in source["spec"]["containers"]]
    if NOTEBOOK in names:
        return names.index(NOTEBOOK)
    return next((i for i, name in enumerate(names) if name != "istio-proxy"), 0)


def known_for(patches: Json, *, cuda_fact: bool | None) -> Snapshot:
    scans = snapshot(scan_document(IMAGE, cuda=cuda_fact)).scans
    return Snapshot(scans=scans, policy=snapshot(pod=patches).policy)


FACTS = st.sampled_from([None, True, False])


@given(source=PODS, patches=PATCHES, fact=FACTS)
def test_every_patch_applies_and_a_second_pass_is_empty(
    source: Json, patches: Json, *, fact: bool | None
) -> None:
    known = known_for(patches, cuda_fact=fact)
    before = copy.deepcopy(source)
    result = patched(source, known)
    assert source == before
    assert decide(result, known).patch == ()


ALLOWED = (
    r"/spec/containers/{}/env(/\d+)?",
    r"/spec/containers/{}/securityContext(/runAsUser|/runAsNonRoot)?",
    r"/spec/containers/{}/volumeMounts(/-)?",
    r"/spec/containers/{}/image",
    r"/spec/containers/{}/resources(/limits(/[a-z.]+~1gpu)?)?",
    r"/spec/securityContext(/fsGroup)?",
    r"/spec/volumes(/-)?",
    r"/spec/tolerations(/-)?",
    r"/spec/runtimeClassName",
)


@given(source=PODS, patches=PATCHES, fact=FACTS)
def test_only_the_fields_named_in_the_contract_change(
    source: Json, patches: Json, *, fact: bool | None
) -> None:
    known = known_for(patches, cuda_fact=fact)
    index = serving_index(source)
    allowed = re.compile("|".join(path.format(index) for path in ALLOWED))
    for operation in decide(source, known).patch:
        assert allowed.fullmatch(operation["path"]), operation
    result = patched(source, known)
    for place, item in enumerate(source["spec"]["containers"]):
        if place != index:
            assert result["spec"]["containers"][place] == item
    for key in source["spec"].keys() | result["spec"].keys():
        if key not in {"containers", "volumes", "securityContext", "tolerations"}:
            held = source["spec"].get(key)
            assert held is None or result["spec"][key] == held
    assert result["metadata"] == source["metadata"]


def subset(part: Json | None, whole: Json | None) -> bool:
    return all((whole or {}).get(key) == value for key, value in (part or {}).items())


OURS = {"NB_PREFIX", "NVIDIA_VISIBLE_DEVICES"}


@given(source=PODS, patches=PATCHES, fact=FACTS)
def test_what_the_user_set_is_kept(source: Json, patches: Json, *, fact: bool | None) -> None:
    result = patched(source, known_for(patches, cuda_fact=fact))
    index = serving_index(source)
    before, after = (each["spec"]["containers"][index] for each in (source, result))
    assert subset(before.get("securityContext"), after.get("securityContext"))
    assert "runAsGroup" not in (after.get("securityContext") or {}).keys() - (
        before.get("securityContext") or {}
    )
    held = before.get("resources") or {}
    assert subset(held.get("limits"), (after.get("resources") or {}).get("limits"))
    assert held.get("requests") == (after.get("resources") or {}).get("requests")
    for key in ("volumeMounts", "env"):
        kept = [e for e in before.get(key) or [] if e["name"] not in OURS]
        assert [e for e in after.get(key) or [] if e["name"] not in OURS][: len(kept)] == kept
    spec, patched_spec = source["spec"], result["spec"]
    assert subset(spec.get("securityContext"), patched_spec.get("securityContext"))
    for key in ("volumes", "tolerations"):
        kept = spec.get(key) or []
        assert (patched_spec.get(key) or [])[: len(kept)] == kept


@given(source=PODS, patches=PATCHES, fact=FACTS)
def test_what_mutation_patches_validation_accepts(
    source: Json, patches: Json, *, fact: bool | None
) -> None:
    known = known_for(patches, cuda_fact=fact)
    decision = decide(source, known)
    assume(decision.use is not None)
    found = validate(request(patched(source, known)), known, NOW).violations
    rules = {violation.rule for violation in found if violation.rule.startswith("pod-")}
    # a user of another number is the one thing that mutation leaves for validation to judge
    assert rules <= {"pod-uid"}
    wanted = patches.get("runAsUser", 1000)
    container_user, pod_user = (
        (context.get("securityContext") or {}).get("runAsUser")
        for context in (source["spec"]["containers"][serving_index(source)], source["spec"])
    )
    set_by_user = container_user if container_user is not None else pod_user
    assert ("pod-uid" in rules) is (
        wanted is not None and set_by_user is not None and set_by_user != wanted
    )
