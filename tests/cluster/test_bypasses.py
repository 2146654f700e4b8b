"""What nbgate leaves alone is no way past it: who forges it is judged all the same, or gets a pod that never runs."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.cluster.controlplane import ControlPlane, RequestRefused
from tests.cluster.gate import Gate, created, message_of
from tests.cluster.manifests import Document, pod_of, stateful_set
from tests.cluster.node import Node
from tests.cluster.waiting import wait_for
from tests.images.scratchimage import push_scratch_image

pytestmark = pytest.mark.cluster

UNKNOWN = "registry.example.com/notebooks/unknown:1"
MIRROR = {"kubernetes.io/config.mirror": "0" * 32}


def forged(namespace: str, annotations: Mapping[str, str] = MIRROR, **metadata: str) -> Document:
    """Return a notebook's pod with these in its metadata."""
    made = pod_of(stateful_set("nb", namespace, UNKNOWN))
    made["metadata"].update(metadata, annotations=annotations)
    return made


def test_a_new_pod_cannot_say_that_it_is_being_deleted(gate: Gate, namespace: str) -> None:
    """The API server takes the time away before it asks the validating side."""
    made = forged(namespace, {}, deletionTimestamp="2026-01-01T00:00:00Z")
    assert "[unscanned]" in message_of(gate.post(made))


def test_a_stored_pod_cannot_say_so_either(gate: Gate, namespace: str) -> None:
    held = unjudged(gate, namespace)
    held["metadata"]["labels"]["notebook-name"] = "nb"
    held["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert "metadata.deletionTimestamp: Invalid value" in changed(gate, held)


def unjudged(gate: Gate, namespace: str) -> Document:
    """Create a pod that is no notebook's."""
    made = forged(namespace, {})
    del made["metadata"]["labels"]["notebook-name"]
    return created(gate.post(made))


def changed(gate: Gate, held: Document) -> str:
    """Say why the API server refuses what a stored pod is to become."""
    path = f"/api/v1/namespaces/{held['metadata']['namespace']}/pods/nb-0"
    answer = gate.control_plane.request("PUT", path, held)
    assert answer.status == HTTPStatus.UNPROCESSABLE_ENTITY, answer.text
    return str(answer.document["message"])


def mirrored(namespace: str) -> Document:
    """Return a notebook's pod that says of itself that it mirrors a static one, as the API server takes it."""
    made = forged(namespace)
    spec = made["spec"]
    # It takes none with an account, and none that no node is named for.
    del spec["serviceAccountName"]
    spec["nodeName"] = "node-1"
    spec["volumes"], spec["containers"][0]["volumeMounts"] = [], []
    return made


def test_what_calls_itself_a_mirror_pod_must_stay_one(gate: Gate, namespace: str) -> None:
    """Unjudged, as those of static pods must be; and the word cannot be taken away again."""
    held = created(gate.post(mirrored(namespace)))
    del held["metadata"]["annotations"]
    assert "kubernetes.io/config.mirror" in changed(gate, held)


def test_what_is_none_cannot_become_one(gate: Gate, namespace: str) -> None:
    held = unjudged(gate, namespace)
    held["metadata"]["labels"]["notebook-name"] = "nb"
    held["metadata"]["annotations"] = MIRROR
    assert "kubernetes.io/config.mirror" in changed(gate, held)


def test_no_kubelet_runs_what_only_calls_itself_a_mirror_pod(
    node_cluster: Node, tmp_path: Path
) -> None:
    """The kubelet removes it: it starts the static pod that is mirrored, and there is none."""
    plane, registry = node_cluster.plane, node_cluster.registry
    (tmp_path / "program").touch()
    digest = push_scratch_image(registry, "forged-mirror", tmp_path / "program")
    made = mirrored("default")
    made["spec"]["nodeName"] = node_name(plane)
    made["spec"]["containers"][0]["image"] = f"{registry.host}/forged-mirror@{digest}"
    asked = len(requests_for(node_cluster))
    plane.create(made)
    wait_for(lambda: is_gone(plane), 30, "the kubelet to remove it")
    assert len(requests_for(node_cluster)) == asked


def node_name(plane: ControlPlane) -> str:
    (node,) = plane.get("/api/v1/nodes")["items"]
    name: str = node["metadata"]["name"]
    return name


def is_gone(plane: ControlPlane) -> bool:
    try:
        found = plane.get("/api/v1/namespaces/default/pods/nb-0")
    except RequestRefused:
        return True
    assert not found["status"].get("containerStatuses"), found["status"]
    return False


def requests_for(node: Node) -> list[object]:
    """Give all requests at the registry that were for the forged pod's image."""
    return [one for one in node.registry.requests() if "forged-mirror" in str(one)]
