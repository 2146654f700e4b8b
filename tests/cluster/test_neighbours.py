"""Other people's mutating webhooks before and after ours: the pod ends the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.enforcement import in_force
from tests.cluster.gate import Gate, container, created, env, message_of
from tests.cluster.jsonwebhook import Patch, somebody_elses
from tests.cluster.manifests import Document, pod_of, stateful_set

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("controllers")]

IMAGE = "registry.example.com/notebooks/pytorch-cuda:1"


@pytest.fixture(scope="module")
def digest(gate: Gate) -> str:
    return gate.knows(IMAGE, cuda=True)


def admitted(gate: Gate, namespace: str) -> Document:
    """A notebook's pod after all webhooks; each call takes a new name, for names stand in the pod."""
    made = pod_of(stateful_set("nb", namespace, IMAGE, env=[{"name": "NB_PREFIX", "value": "/x"}]))
    return created(gate.post(made, dry_run=True))


def ours(pod: Document) -> Document:
    """All that nbgate has a say in."""
    held = container(pod, "nb")
    return {
        "prefix": env(held)["NB_PREFIX"],
        "image": held["image"],
        "security": held["securityContext"],
        "gpu": held["resources"]["limits"]["nvidia.com/gpu"],
        "mounts": [m for m in held["volumeMounts"] if m["mountPath"] == "/home/jovyan"],
        "fsGroup": pod["spec"]["securityContext"]["fsGroup"],
    }


def add_sidecar(pod: Document) -> list[Document]:
    """What Istio does: a container at index 0, once."""
    if any(c["name"] == "istio-proxy" for c in pod["spec"]["containers"]):
        return []
    proxy = {"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.20"}
    return [{"op": "add", "path": "/spec/containers/0", "value": proxy}]


def undo(pod: Document) -> list[Document]:
    """What a careless neighbour does: its own idea of the notebook's environment, once."""
    index = next(i for i, c in enumerate(pod["spec"]["containers"]) if c["name"] == "nb")
    if any(e["name"] == "TOUCHED" for e in pod["spec"]["containers"][index]["env"]):
        return []
    entries = [{"name": "NB_PREFIX", "value": "/undone"}, {"name": "TOUCHED", "value": "yes"}]
    return [{"op": "replace", "path": f"/spec/containers/{index}/env", "value": entries}]


@pytest.mark.parametrize("neighbour", [add_sidecar, undo])
@pytest.mark.parametrize("name", ["aa-before", "zz-after"])
def test_the_pod_ends_the_same_whoever_patches_it_too(
    gate: Gate, digest: str, namespace: str, tmp_path: Path, name: str, neighbour: Patch
) -> None:
    alone = ours(admitted(gate, namespace))
    assert alone["image"] == f"{IMAGE}@{digest}"
    with (
        somebody_elses(name, neighbour, tmp_path) as configuration,
        in_force(gate.control_plane, configuration),
    ):
        together = admitted(gate, namespace)
    assert ours(together) == alone
    if neighbour is add_sidecar:
        assert "securityContext" not in container(together, "istio-proxy")


def always_undo(pod: Document) -> list[Document]:
    """What no reinvocation mends: a neighbour that insists."""
    index = next(i for i, c in enumerate(pod["spec"]["containers"]) if c["name"] == "nb")
    entries = [{"name": "NB_PREFIX", "value": "/undone"}]
    return [{"op": "replace", "path": f"/spec/containers/{index}/env", "value": entries}]


def test_what_a_neighbour_insists_on_undoing_is_refused(
    gate: Gate, namespace: str, tmp_path: Path
) -> None:
    with (
        somebody_elses("zz-insists", always_undo, tmp_path) as configuration,
        in_force(gate.control_plane, {**configuration, "webhooks": _never_again(configuration)}),
    ):
        made = pod_of(stateful_set("nb", namespace, IMAGE))
        message = message_of(gate.post(made, dry_run=True))
    # the order of reinvocation is the API server's: what counts is that the final state is judged
    assert "[pod-prefix] NB_PREFIX must be set once" in message


def _never_again(configuration: Document) -> list[Document]:
    return [{**webhook, "reinvocationPolicy": "IfNeeded"} for webhook in configuration["webhooks"]]
