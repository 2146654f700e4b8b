"""GPUs: CUDA images get a limit or see none, and whatever a user says of GPUs, of any vendor, is the user's word."""

from typing import Any

import pytest

from tests.core.builders import (
    CUDA_IMAGE,
    PREFIX,
    Json,
    container,
    pod,
    scan_document,
    snapshot,
)
from tests.core.deciding import decide, first, only, patched
from tests.core.generated import GPU_RESOURCES
from webhook.core.decision import Snapshot

PREFIXED = [{"name": "NB_PREFIX", "value": PREFIX}]

FOO = {"name": "FOO", "value": "$(NB_PREFIX)"}

LIMIT = {"limits": {"nvidia.com/gpu": "1"}}
GPU = only(gpu={"action": "Add"})


def cuda(**fields: Any) -> Json:
    return container(image=CUDA_IMAGE, **fields)


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (None, LIMIT),
        ({}, LIMIT),
        ({"limits": None}, LIMIT),
        ({"limits": {}}, LIMIT),
        ({"requests": {"cpu": "1"}}, {"requests": {"cpu": "1"}, **LIMIT}),
        ({"limits": {"cpu": "1"}}, {"limits": {"cpu": "1", "nvidia.com/gpu": "1"}}),
    ],
)
def test_a_cuda_image_gets_a_limit(resources: Json | None, expected: Json) -> None:
    assert first(patched(pod(cuda(resources=resources)), GPU))["resources"] == expected


@pytest.mark.parametrize("quantity", ["1", "0", 1, 0, "500m"])
@pytest.mark.parametrize("kind", ["limits", "requests"])
@pytest.mark.parametrize("resource", [*GPU_RESOURCES, "nvidia.com/mig-3g.20gb"])
def test_a_gpu_of_any_vendor_and_quantity_is_the_users_word(
    resource: str, kind: str, quantity: object
) -> None:
    asked = {kind: {resource: quantity}}
    assert decide(pod(cuda(resources=asked)), GPU).patch == ()
    assert decide(pod(cuda(), container("side", resources=asked)), GPU).patch == ()
    init = container("init", resources=asked)
    assert decide(pod(cuda(), initContainers=[init]), GPU).patch == ()
    unasked = container("first", resources=None)
    assert decide(pod(unasked, container("side", resources=asked), cuda()), GPU).patch == ()
    both = {"limits": {"cpu": "1"}, "requests": {"memory": "1Gi"}}
    both[kind][resource] = quantity  # type: ignore[assignment]  # a quantity may be a number
    assert decide(pod(cuda(resources=both)), GPU).patch == ()
    native = {**init, "restartPolicy": "Always"}
    assert decide(pod(cuda(), initContainers=[native]), GPU).patch == ()


def test_a_claim_of_dynamic_allocation_asks_for_a_gpu() -> None:
    assert decide(pod(cuda(), resourceClaims=[{"name": "gpu"}]), GPU).patch == ()
    assert decide(pod(cuda(resources={"claims": [{"name": "gpu"}]})), GPU).patch == ()
    assert decide(pod(cuda(resources={"claims": []}), resourceClaims=[]), GPU).patch != ()


@pytest.mark.parametrize("resource", ["cpu", "nvidia.com/gpus", "example.com/gpu", "nvidia.com"])
def test_another_resource_is_no_gpu(resource: str) -> None:
    assert decide(pod(cuda(resources={"limits": {resource: "1"}})), GPU).patch != ()


def test_the_policys_own_resource_is_a_gpu() -> None:
    own = only(gpu={"action": "Add", "resource": "example.com/gpu", "count": 2})
    limits = first(patched(pod(cuda()), own))["resources"]["limits"]
    assert limits == {"example.com/gpu": "2"}
    assert decide(pod(cuda(resources={"limits": {"example.com/gpu": 1}})), own).patch == ()


@pytest.mark.parametrize("resource", GPU_RESOURCES)
def test_the_others_are_gpus_beside_the_policys_own(resource: str) -> None:
    own = only(gpu={"action": "Add", "resource": "example.com/gpu", "count": 2})
    assert decide(pod(cuda(resources={"limits": {resource: 1}})), own).patch == ()


@pytest.mark.parametrize(("word", "left_alone"), [("none", True), ("None", False), ("", False)])
def test_the_label_none_is_the_users_word(word: str, *, left_alone: bool) -> None:
    assert (decide(pod(cuda(), labels={"nbgate.dev/gpu": word}), GPU).patch == ()) is left_alone


@pytest.mark.parametrize(
    ("image", "fact", "wanted"),
    [
        # the scan's facts decide where there are any
        (CUDA_IMAGE, True, True),
        (CUDA_IMAGE, False, False),
        ("registry.example.com/plain:1", True, True),
        ("registry.example.com/plain:1", False, False),
        # else the name and the tag
        (CUDA_IMAGE, None, True),
        ("registry.example.com/plain:1", None, False),
        ("B", None, False),
    ],
)
def test_facts_beat_names(image: str, *, fact: bool | None, wanted: bool) -> None:
    scans = [] if image == "B" else [scan_document(image, cuda=fact)]
    known = Snapshot(scans=snapshot(*scans).scans, policy=GPU.policy)
    assert bool(decide(pod(container(image=image)), known).patch) is wanted


def test_a_toleration_is_written_as_kubernetes_spells_it() -> None:
    gpu = {"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}
    held = only(gpu={"tolerations": [gpu]})
    result = patched(pod(cuda()), held)
    assert result["spec"]["tolerations"][-1] == gpu
    assert patched(result, held) == result
    tolerant = patched(pod(cuda(), tolerations=[gpu]), held)
    assert tolerant["spec"]["tolerations"] == [gpu]


def test_what_a_toleration_leaves_out_is_not_written() -> None:
    result = patched(pod(cuda()), only(gpu={"tolerations": [{"operator": "Exists"}]}))
    assert result["spec"]["tolerations"][-1] == {"operator": "Exists"}


def test_a_name_decides_without_a_scan_and_a_pattern_of_the_policys_too() -> None:
    plain = pod(container(image="registry.example.com/team/plain:1"))
    assert decide(pod(cuda()), Snapshot(policy=GPU.policy)).patch != ()
    assert decide(plain, Snapshot(policy=GPU.policy)).patch == ()
    by_pattern = only(gpu={"patterns": ["registry.example.com/team/**"]}).policy
    assert decide(plain, Snapshot(policy=by_pattern)).patch != ()


def test_tolerations_and_runtime_class_come_with_the_limit_alone() -> None:
    gpu = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    wanted = only(gpu={"tolerations": [gpu, {"key": "a"}], "runtimeClassName": "nvidia"})
    spec = patched(pod(cuda()), wanted)["spec"]
    assert spec["tolerations"][-2:] == [gpu, {"key": "a"}]
    assert len(spec["tolerations"]) == 4
    assert spec["runtimeClassName"] == "nvidia"
    assert patched(pod(cuda(), tolerations=None), wanted)["spec"]["tolerations"] == [
        gpu,
        {"key": "a"},
    ]
    held = patched(pod(cuda(), tolerations=[gpu], runtimeClassName="kata"), wanted)["spec"]
    assert held["tolerations"] == [gpu, {"key": "a"}]
    assert held["runtimeClassName"] == "kata"
    assert decide(pod(container()), wanted).patch == ()


VOID = {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}
HIDE = only(gpu={"action": "Hide"})


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        (None, [VOID]),
        ([FOO], [VOID, FOO]),
        ([{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}], [VOID]),
        ([VOID, VOID], [VOID]),
    ],
)
def test_hide_hides_every_gpu_from_a_cuda_image(env: list[Json] | None, expected: Json) -> None:
    assert first(patched(pod(cuda(env=env)), HIDE))["env"] == expected


@pytest.mark.parametrize(
    ("source", "hidden"),
    [
        (pod(container()), False),
        (pod(cuda(resources={"limits": {"nvidia.com/gpu": "1"}})), False),
        (pod(cuda(resources={"requests": {"nvidia.com/mig-1g.5gb": 1}})), False),
        (pod(cuda(), resourceClaims=[{"name": "gpu"}]), False),
        # given none, by number or by label, it must not see any either
        (pod(cuda(resources={"limits": {"nvidia.com/gpu": "0"}})), True),
        (pod(cuda(resources={"limits": {"nvidia.com/gpu": 0}})), True),
        (pod(cuda(), labels={"nbgate.dev/gpu": "none"}), True),
    ],
)
def test_hide_hides_from_images_that_are_given_no_gpu(source: Json, *, hidden: bool) -> None:
    assert bool(decide(source, HIDE).patch) is hidden


def test_hide_and_prefix_keep_their_order_in_front_of_the_users_variables() -> None:
    both = only(nbPrefix=True, gpu={"action": "Hide"})
    assert first(patched(pod(cuda(env=[FOO])), both))["env"] == [*PREFIXED, VOID, FOO]
