"""The patch: each mutation by table, and what holds of every patch on every pod."""

import copy
import re
import time
from collections.abc import Iterable
from typing import Any

import jsonpatch
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.core.builders import (
    CONTROLLER,
    CUDA_IMAGE,
    DIGEST,
    HOME,
    IMAGE,
    NOTEBOOK,
    NOW,
    OTHER_DIGEST,
    PLATFORM_DIGEST,
    PREFIX,
    USER,
    Json,
    container,
    ephemeral_containers,
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
from tests.core.generated import GPU_RESOURCES, PATCHES, PODS
from webhook.core.decision import UNTOUCHED, Decision, Snapshot, mutate, validate
from webhook.core.patch import PatchError, apply_patch, escape
from webhook.core.reading import Malformed
from webhook.core.review import ReviewError

KNOWN = snapshot(scan_document(IMAGE), scan_document(CUDA_IMAGE, name="cuda", cuda=True))


def decide(source: Json, known: Snapshot = KNOWN, user: str = CONTROLLER) -> Decision:
    return mutate(request(source, user=user), known)


def patched(source: Json, known: Snapshot = KNOWN, user: str = CONTROLLER) -> Json:
    """Apply the patch by the library, as the API server does."""
    result: Json = jsonpatch.apply_patch(source, list(decide(source, known, user).patch))
    return result


def first(source: Json) -> Json:
    found: Json = source["spec"]["containers"][0]
    return found


def only(**patches: Any) -> Snapshot:
    """Know what KNOWN does, under a policy that asks for these patches and for no other."""
    nothing = {
        "pinDigest": False,
        "nbPrefix": False,
        "runAsUser": None,
        "fsGroup": None,
        "home": None,
        "gpu": {"action": "Off"},
    }
    return Snapshot(scans=KNOWN.scans, policy=snapshot(pod={**nothing, **patches}).policy)


# NB_PREFIX

PREFIXED = [{"name": "NB_PREFIX", "value": PREFIX}]
FROM_FIELD = {"name": "NB_PREFIX", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
FOO = {"name": "FOO", "value": "$(NB_PREFIX)"}


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        (None, PREFIXED),
        ([], PREFIXED),
        ([FOO], [*PREFIXED, FOO]),
        (PREFIXED, PREFIXED),
        ([FOO, *PREFIXED], [FOO, *PREFIXED]),
        ([{"name": "NB_PREFIX", "value": "/"}], PREFIXED),
        ([{"name": "NB_PREFIX", "value": f"{PREFIX}/"}], PREFIXED),
        ([{"name": "NB_PREFIX"}], PREFIXED),
        ([{"name": "NB_PREFIX", "value": ""}], PREFIXED),
        ([FROM_FIELD], PREFIXED),
        ([{**FROM_FIELD, "value": PREFIX}], PREFIXED),
        ([*PREFIXED, *PREFIXED], PREFIXED),
        ([*PREFIXED, FOO, {"name": "NB_PREFIX", "value": "/"}], [*PREFIXED, FOO]),
        ([FROM_FIELD, FOO, *PREFIXED, *PREFIXED], [*PREFIXED, FOO]),
        ([{"name": "nb_prefix", "value": "/"}], [*PREFIXED, {"name": "nb_prefix", "value": "/"}]),
    ],
)
def test_there_is_one_nb_prefix_with_the_right_value(
    env: list[Json] | None, expected: list[Json]
) -> None:
    source = pod(container() if env is None else container(env=env))
    assert first(patched(source, only(nbPrefix=True)))["env"] == expected


def test_the_prefix_is_of_the_requests_namespace_not_of_the_objects() -> None:
    source = pod(metadata={"namespace": "elsewhere"})
    patch = mutate(request(source, namespace="team-b"), only(nbPrefix=True)).patch
    assert patch[0]["value"] == [{"name": "NB_PREFIX", "value": "/notebook/team-b/my-nb"}]


@pytest.mark.parametrize("count", [2, 16, 17, 50_000])
def test_any_number_of_duplicates_leaves_one_in_few_operations(count: int) -> None:
    """One by one, those that fit a request would hold a worker for more than a second."""
    source = pod(container(env=[FOO, *[{"name": "NB_PREFIX"}] * count, FOO]))
    seen = request(source)
    start = time.perf_counter()
    patch = mutate(seen, only(nbPrefix=True)).patch
    assert time.perf_counter() - start < 0.5
    assert len(patch) <= 17
    result = first(jsonpatch.apply_patch(source, list(patch)))["env"]
    assert [entry for entry in result if entry["name"] == "NB_PREFIX"] == PREFIXED
    assert [entry for entry in result if entry["name"] != "NB_PREFIX"] == [FOO, FOO]
    assert mutate(request(pod(container(env=result))), only(nbPrefix=True)).patch == ()


def test_a_list_that_is_written_anew_keeps_what_the_user_wrote() -> None:
    secret = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}, "x-unknown": 1}
    many = [{"name": name} for name in ("NB_PREFIX", "NVIDIA_VISIBLE_DEVICES")] * 10
    both = only(nbPrefix=True, gpu={"action": "Hide"})
    source = pod(container(image=CUDA_IMAGE, env=[secret, *many, FOO]))
    assert first(patched(source, both))["env"] == [*PREFIXED, VOID, secret, FOO]


def test_a_generated_name_gives_the_same_prefix_before_and_after_it_is_generated() -> None:
    """Under an empty label; /mutate may see no name yet, /validate does."""
    source = pod(notebook="", metadata={"name": "", "generateName": "gen-"})
    patch = mutate(request(source, user=USER, name=""), KNOWN).patch
    final = jsonpatch.apply_patch(source, list(patch))
    final["metadata"]["name"] = "gen-x7k2p"
    assert validate(request(final, user=USER), KNOWN, NOW).violations == ()


# User and group


@pytest.mark.parametrize(
    ("of_pod", "of_container", "expected"),
    [
        ({}, None, {"runAsUser": 1000, "runAsNonRoot": True}),
        (None, None, {"runAsUser": 1000, "runAsNonRoot": True}),
        ({}, {}, {"runAsUser": 1000, "runAsNonRoot": True}),
        (
            {},
            {"runAsGroup": 0},
            {"runAsGroup": 0, "runAsUser": 1000, "runAsNonRoot": True},
        ),
        ({}, {"runAsUser": 1000}, {"runAsUser": 1000, "runAsNonRoot": True}),
        ({}, {"runAsNonRoot": False}, {"runAsNonRoot": False, "runAsUser": 1000}),
        ({"runAsUser": 1000}, None, {"runAsUser": 1000, "runAsNonRoot": True}),
        ({"runAsUser": 0}, {"runAsUser": 1000}, {"runAsUser": 1000, "runAsNonRoot": True}),
        # what the user set differently stays, and is not called non-root
        ({}, {"runAsUser": 0}, {"runAsUser": 0}),
        ({}, {"runAsUser": 1001}, {"runAsUser": 1001}),
        ({"runAsUser": 0}, None, None),
        ({"runAsUser": 1001}, {}, {}),
        ({"runAsUser": 1000}, {"runAsUser": 0}, {"runAsUser": 0}),
        # nor is the pod's own word on non-root overridden
        ({"runAsNonRoot": False}, None, {"runAsUser": 1000}),
        ({"runAsNonRoot": False}, {}, {"runAsUser": 1000}),
        ({"runAsNonRoot": True}, None, {"runAsUser": 1000}),
        ({"runAsNonRoot": False}, {"runAsUser": 1000}, {"runAsUser": 1000}),
    ],
)
def test_the_notebook_runs_as_1000_unless_its_user_set_something_else(
    of_pod: Json | None, of_container: Json | None, expected: Json | None
) -> None:
    source = pod(container(), securityContext=of_pod)
    if of_container is not None:
        first(source)["securityContext"] = of_container
    result = patched(source, only(runAsUser=1000))
    assert first(result).get("securityContext") == expected
    assert result["spec"]["securityContext"] == of_pod


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, {"fsGroup": 100}),
        ({}, {"fsGroup": 100}),
        ({"fsGroup": 0}, {"fsGroup": 0}),
        ({"fsGroup": 2000}, {"fsGroup": 2000}),
        ({"runAsUser": 5}, {"runAsUser": 5, "fsGroup": 100}),
    ],
)
def test_the_pod_gets_a_group_only_where_it_has_none(before: Json | None, after: Json) -> None:
    assert (
        patched(pod(securityContext=before), only(fsGroup=100))["spec"]["securityContext"] == after
    )


def test_a_pod_without_the_field_gets_the_group_too() -> None:
    source = pod()
    del source["spec"]["securityContext"]
    assert patched(source, only(fsGroup=100))["spec"]["securityContext"] == {"fsGroup": 100}


# Home

LOST = "no workspace volume: files in /home/jovyan are lost when the notebook stops"
HOMED = {"name": f"{NOTEBOOK}-workspace", "mountPath": HOME}
EMPTY = {"name": "nbgate-home", "emptyDir": {"sizeLimit": "10Gi"}}


def mounts(source: Json) -> list[Json]:
    return [m for m in first(source)["volumeMounts"] if "serviceaccount" not in m["mountPath"]]


def volumes(source: Json) -> list[Json]:
    return [v for v in source["spec"]["volumes"] if not v["name"].startswith("default-token")]


def homeless(*held: Json, mounted: Iterable[Json] = ()) -> Json:
    source = pod(container())
    source["spec"]["volumes"] += held
    first(source)["volumeMounts"] += mounted
    return source


@pytest.mark.parametrize("path", [HOME, f"{HOME}/"])
def test_an_existing_mount_at_the_home_is_kept(path: str) -> None:
    source = homeless(workspace(), mounted=[{"name": "any", "mountPath": path}])
    decision = decide(source, only(home={}))
    assert decision.patch == ()
    assert decision.warnings == ()


@pytest.mark.parametrize(
    ("held", "mounted", "expected"),
    [
        ([workspace()], [], HOMED),
        ([workspace("w", f"workspace-{NOTEBOOK}")], [], {"name": "w", "mountPath": HOME}),
        ([workspace("w", f"workspace-{NOTEBOOK}"), workspace()], [], HOMED),
        (
            [workspace("w"), workspace()],
            [{"name": "w", "mountPath": "/data"}],
            HOMED,
        ),
        ([workspace()], [{"name": "x", "mountPath": f"{HOME}/work"}], HOMED),
        ([workspace()], [{"name": "x", "mountPath": "/home"}], HOMED),
    ],
)
def test_an_unmounted_workspace_is_mounted(
    held: list[Json], mounted: list[Json], expected: Json
) -> None:
    source = homeless(*held, mounted=mounted)
    decision = decide(source, only(home={}))
    assert decision.warnings == ()
    result = jsonpatch.apply_patch(source, list(decision.patch))
    assert mounts(result) == [*mounted, expected]
    assert volumes(result) == held


@pytest.mark.parametrize(
    ("held", "mounted"),
    [
        ([], []),
        ([workspace("w", "other-workspace")], []),
        ([workspace("w", "workspace")], []),
        ([{"name": f"{NOTEBOOK}-workspace", "emptyDir": {}}], []),
        ([workspace()], [{"name": f"{NOTEBOOK}-workspace", "mountPath": "/data"}]),
    ],
)
def test_without_a_workspace_the_home_is_an_empty_volume_and_said_to_be_lost(
    held: list[Json], mounted: list[Json]
) -> None:
    source = homeless(*held, mounted=mounted)
    decision = decide(source, only(home={}))
    assert decision.warnings == (LOST,)
    assert decision.word == "warned"
    result = jsonpatch.apply_patch(source, list(decision.patch))
    assert volumes(result) == [*held, EMPTY]
    assert mounts(result) == [*mounted, {"name": "nbgate-home", "mountPath": HOME}]


def test_the_empty_volume_takes_a_name_that_is_free() -> None:
    taken: list[Json] = [
        {"name": name, "emptyDir": {}} for name in ("nbgate-home", "nbgate-home-1")
    ]
    result = patched(homeless(*taken), only(home={}))
    assert volumes(result)[-1]["name"] == "nbgate-home-2"
    assert mounts(result) == [{"name": "nbgate-home-2", "mountPath": HOME}]


def test_the_policy_names_path_claim_and_limit() -> None:
    wanted = only(home={"path": "/home/nb", "claim": "{notebook}-data", "sizeLimit": None})
    result = patched(homeless(), wanted)
    assert volumes(result) == [{"name": "nbgate-home", "emptyDir": {}}]
    assert mounts(result) == [{"name": "nbgate-home", "mountPath": "/home/nb"}]
    claimed = patched(homeless(workspace("d", f"{NOTEBOOK}-data")), wanted)
    assert mounts(claimed) == [{"name": "d", "mountPath": "/home/nb"}]


def test_without_a_fallback_nothing_is_mounted_and_nothing_said() -> None:
    decision = decide(homeless(), only(home={"fallback": "None"}))
    assert decision.patch == ()
    assert decision.warnings == ()
    claimed = decide(homeless(workspace()), only(home={"fallback": "None"}))
    assert [operation["value"] for operation in claimed.patch] == [HOMED]


def test_a_pod_without_volumes_and_mounts_gets_both_lists() -> None:
    bare = {"name": NOTEBOOK, "image": IMAGE}
    source = pod(bare, volumes=None)
    result = patched(source, only(home={}))
    assert result["spec"]["volumes"] == [EMPTY]
    assert first(result)["volumeMounts"] == [{"name": "nbgate-home", "mountPath": HOME}]


# Digest


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (IMAGE, f"{IMAGE}@{DIGEST}"),
        ("nginx", f"nginx:latest@{DIGEST}"),
        ("docker.io/library/nginx:latest", f"docker.io/library/nginx:latest@{DIGEST}"),
        # a digest counts by itself, whatever the tag beside it was resolved to
        (f"{IMAGE}@{OTHER_DIGEST}", f"{IMAGE}@{OTHER_DIGEST}"),
        (f"{IMAGE}@{PLATFORM_DIGEST}", f"{IMAGE}@{PLATFORM_DIGEST}"),
        ("unknown:1", "unknown:1"),
        ("pending:1", "pending:1"),
        ("B", "B"),
        ("", ""),
    ],
)
def test_the_image_is_pinned_to_the_digest_that_was_scanned(image: str, expected: str) -> None:
    scans = snapshot(
        scan_document(IMAGE),
        scan_document("nginx", name="nginx"),
        pending_document("pending:1", name="pending"),
    ).scans
    known = Snapshot(scans=scans, policy=only(pinDigest=True).policy)
    assert first(patched(pod(container(image=image)), known))["image"] == expected


# GPU

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


# Which pods, and which container


@pytest.mark.parametrize(
    "source",
    [
        pod(notebook=None),
        pod(annotations={"kubernetes.io/config.mirror": "x"}),
        pod(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
        notebook(),
        ephemeral_containers(container("dbg", "busybox")),
    ],
    ids=["no notebook", "mirror pod", "being deleted", "Notebook", "ephemeral"],
)
def test_only_pods_of_notebooks_are_patched(source: Json) -> None:
    assert decide(source) == UNTOUCHED


@pytest.mark.parametrize(
    "fields",
    [
        {"operation": "UPDATE"},
        {"operation": "DELETE"},
        {"operation": "CONNECT"},
        {"subresource": "status"},
        {"subresource": "ephemeralcontainers"},
    ],
)
def test_only_creation_is_patched(fields: dict[str, Any]) -> None:
    assert mutate(request(pod(), **fields), KNOWN) == UNTOUCHED


def test_a_pod_without_containers_is_left_alone() -> None:
    assert decide(pod() | {"spec": {"containers": []}}) == UNTOUCHED
    assert decide(pod() | {"spec": None}) == UNTOUCHED


def test_a_finished_pod_needs_no_patch() -> None:
    assert decide(finished_pod()).patch == ()


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ([NOTEBOOK], 0),
        (["istio-proxy", NOTEBOOK], 1),
        ([NOTEBOOK, "istio-proxy"], 0),
        (["istio-proxy", "main"], 1),
        (["side", NOTEBOOK], 1),
        (["main", "side"], 0),
        (["istio-proxy"], 0),
    ],
)
def test_only_the_notebooks_container_is_patched(names: list[str], chosen: int) -> None:
    source = stateful_set_pod(
        *(container(name, CUDA_IMAGE) for name in names),
        initContainers=[{**container(NOTEBOOK), "restartPolicy": "Always"}],
    )
    result = patched(source)
    for index, before in enumerate(source["spec"]["containers"]):
        assert (result["spec"]["containers"][index] == before) is (index != chosen)
    assert result["spec"]["initContainers"] == source["spec"]["initContainers"]


# Whatever the pod


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


# Applying


def test_a_pointer_escapes_its_keys() -> None:
    assert escape("nvidia.com/gpu") == "nvidia.com~1gpu"
    assert escape("a~/b") == "a~0~1b"


def test_applying_changes_a_copy() -> None:
    source = {"spec": {"a": [1]}}
    assert apply_patch(source, [{"op": "add", "path": "/spec/a/-", "value": 2}]) == {
        "spec": {"a": [1, 2]}
    }
    assert source == {"spec": {"a": [1]}}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/spec/env/-", "value": 1},
        {"op": "replace", "path": "/spec/x", "value": 1},
        {"op": "remove", "path": "/spec/a/7"},
        {"op": "add", "path": "no pointer", "value": 1},
        {"op": "unheard of", "path": "/spec/a"},
    ],
)
def test_a_patch_that_does_not_apply_is_an_error_not_an_answer(operation: Json) -> None:
    with pytest.raises(PatchError, match="the patch does not apply"):
        apply_patch({"spec": {"a": [1]}}, [operation])


def test_an_object_that_cannot_be_written_back_is_malformed() -> None:
    nested: Json = {}
    for _ in range(300):
        nested = {"a": nested}
    with pytest.raises(Malformed, match="nests deeper than 254 levels"):
        apply_patch(nested, [])
    with pytest.raises(ReviewError, match=r"request\.object nests deeper than 254 levels"):
        decide(pod(unknown=nested))


def test_a_user_gets_the_same_patch_as_the_controller_for_the_same_pod() -> None:
    source = stateful_set_pod(finished_container(env=[]))
    assert decide(source, user=USER).patch == decide(source).patch
