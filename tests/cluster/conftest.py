"""What the cluster tests run on; `discovery.py` tells in which order it is looked for."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from functools import partial

import pytest

from tests.cluster import webhooks
from tests.cluster.cluster import Cluster, KubectlFailed
from tests.cluster.controlplane import ControlPlane, RequestRefused
from tests.cluster.deployed import Deployed, installed
from tests.cluster.discovery import Absent, ExistingCluster, Programs, find_kubernetes
from tests.cluster.enforcement import in_force
from tests.cluster.gate import Gate
from tests.cluster.manifests import profile
from tests.cluster.node import Node, running_node
from tests.cluster.nodeprograms import find_node_programs
from tests.cluster.notebook_crd import notebook_crd
from tests.cluster.story import IMAGES, Story, play
from tests.cluster.upkeep import Handover, Policies, change_policy, hand_over
from tests.cluster.waiting import wait_for
from tests.deploy.tools import tool
from tests.images.buildah import CannotBuild
from tests.images.machine import require_images, require_tools, say, unavailable
from tests.images.ownimage import own_image
from tests.server.documents import policy, put
from tests.server.running import RunningServer

NOT_YET = (KubectlFailed, RequestRefused)


@pytest.fixture(scope="session")
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A Kubernetes that serves Notebooks: the developer's own, else one of the tests' own."""
    found = find_kubernetes(os.environ, partial(say, request.config))
    match found:
        case Absent():
            unavailable(f"no Kubernetes to test on: {found.reason}")
        case ExistingCluster():
            yield from _serving_notebooks(Cluster(found.kubectl, found.kubeconfig))
        case Programs():
            with ControlPlane(found, tmp_path_factory.mktemp("control-plane")) as control_plane:
                yield from _serving_notebooks(control_plane)


@pytest.fixture(scope="session")
def control_plane(cluster: Cluster) -> ControlPlane:
    """A control plane on this machine: it calls webhooks of the tests', and its audit log is at hand."""
    if not isinstance(cluster, ControlPlane):
        unavailable("KUBECONFIG is set, and this test needs a control plane of its own")
    return cluster


@pytest.fixture(scope="session")
def controllers(cluster: Cluster) -> None:
    """Some program makes the pods of StatefulSets."""
    if not cluster.runs_controllers:
        unavailable("StatefulSets need a kube-controller-manager, and there is none beside etcd")


@pytest.fixture(scope="session")
def node_cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    """A control plane of its own with a node that really runs pods."""
    # A developer's own cluster has nodes too, but its registry is nobody's to fill and its pods nobody's to delete.
    environment = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
    found = find_kubernetes(environment, partial(say, request.config))
    if not isinstance(found, Programs):
        unavailable(f"no Kubernetes to test on: {getattr(found, 'reason', found)}")
    require_tools(request.config)
    programs = find_node_programs(found)
    if isinstance(programs, Absent):
        unavailable(programs.reason)
    with running_node(found, programs, tmp_path_factory.mktemp("node")) as node:
        yield node


@pytest.fixture(scope="session")
def deployed(
    request: pytest.FixtureRequest, node_cluster: Node, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    """nbgate, installed on the node by the one command that a user types."""
    try:
        layout = own_image(partial(say, request.config))
    except CannotBuild as error:
        unavailable(str(error))
    overlay = tmp_path_factory.mktemp("overlay")
    for _ in _serving_notebooks(node_cluster.plane):
        yield installed(node_cluster, layout, tool("kustomize"), overlay)


@pytest.fixture(scope="session")
def story(request: pytest.FixtureRequest, deployed: Deployed) -> Story:
    """Two notebooks with images that nobody has seen before, from their creation to their end."""
    return play(deployed, require_images(request.config, *IMAGES.values()))


@pytest.fixture(scope="session")
def policies(deployed: Deployed) -> Policies:
    """What became of a policy that was applied, and taken away again."""
    return change_policy(deployed)


@pytest.fixture(scope="session")
def handover(deployed: Deployed) -> Handover:
    """The leading controller was ended."""
    return hand_over(deployed)


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A new profile namespace in which pods can be created."""
    name = f"profile-{secrets.token_hex(4)}"
    cluster.create(*profile(name))
    if cluster.runs_controllers:
        wait_for(
            lambda: (
                cluster.admits_pods_of("default", name)
                and cluster.admits_pods_of("default-editor", name)
            ),
            20,
            f"the service accounts of namespace {name}",
            ignoring=NOT_YET,
        )
    yield name
    # Its StatefulSets would go on creating pods, in front of the webhooks of later tests.
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def gate(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """nbgate in front of the control plane, for the tests of one module."""
    home = tmp_path_factory.mktemp("nbgate")
    put(home / "policy.json", policy())
    with RunningServer(home, "--policy", str(home / "policy.json")) as server:
        authority = server.authority.read_bytes()
        configurations = (
            webhooks.mutating(server.port, authority),
            webhooks.validating(server.port, authority),
        )
        with in_force(control_plane, *configurations):
            yield Gate(control_plane, server)


def _serving_notebooks(cluster: Cluster) -> Iterator[Cluster]:
    """Define the kind Notebook for as long as the tests run, where Kubeflow has not done so."""
    definition = notebook_crd()
    name = definition["metadata"]["name"]
    if not cluster.kubectl("get", "crd", name, check=False).returncode:
        yield cluster
        return
    cluster.create(definition)
    wait_for(
        lambda: cluster.get("/apis/kubeflow.org/v1/notebooks"),
        20,
        "the kind Notebook to be served",
        ignoring=NOT_YET,
    )
    yield cluster
    cluster.kubectl("delete", "crd", name, "--wait=false")
