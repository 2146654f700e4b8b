"""The patch of variables, users and images, the pods that get one, and how it is applied."""

from typing import Any

import jsonpatch
import pytest

from tests.core.builders import (
    CUDA_IMAGE,
    DIGEST,
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
)
from tests.core.deciding import KNOWN, decide, first, only, patched
from webhook.core.decision import UNTOUCHED, Snapshot, mutate, validate
from webhook.core.patch import PatchError, apply_patch
from webhook.core.reading import Malformed
from webhook.core.review import ReviewError
from webhook.core.target import escape

VOID = {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}

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
    patch = decide(source, only(nbPrefix=True)).patch
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
