"""The rights that `--probe cluster` and `--save cluster` ask for are enough, and none of them is too much."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cluster.accounts import (
    Rights,
    documented_rights,
    grant,
    kubeconfig_of,
    without,
)
from tests.cluster.node import Node
from tests.images.compiling import compiled
from tests.images.scratchimage import push_scratch_image
from tests.scanner.probes.targets import pulled_by_nodes
from webhook.kube import connect
from webhook.scanner.errors import ProbeError
from webhook.scanner.probes import cluster as documented
from webhook.scanner.probes.cluster import ClusterProbe
from webhook.scanner.probes.probe import Target
from webhook.scanner.progress import Silent

pytestmark = pytest.mark.cluster

SERVER = Path(__file__).parent.parent / "images/server/server.c"


# What is needed in a namespace that is there.
RIGHTS = documented_rights((documented.__doc__ or "").partition("In its namespace")[2])


@pytest.fixture(scope="module")
def target(node_cluster: Node, tmp_path_factory: pytest.TempPathFactory) -> Target:
    program = compiled(SERVER, tmp_path_factory.mktemp("server"))
    digest = push_scratch_image(node_cluster.registry, "rights", program)
    image = f"{node_cluster.registry.host}/rights@{digest}"
    return pulled_by_nodes(image, 20)


def outcome(node: Node, target: Target, directory: Path, rights: Rights) -> str:
    """Probe in a new namespace as an account with these rights there; give the error, empty where all went well."""
    name = f"scanner-{secrets.token_hex(4)}"
    node.plane.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    kubeconfig = kubeconfig_of(node.plane, directory, name)
    grant(node.plane, name, rights, namespace=name)
    with connect(kubeconfig=str(kubeconfig)) as kube:
        try:
            seen = ClusterProbe(kube=kube, namespace=name).observe(target, Silent())
        except ProbeError as error:
            return str(error)
    assert seen.answered
    return ""


@pytest.fixture(scope="module")
def outcomes(
    node_cluster: Node, target: Target, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, str], str]]:
    """What a probe says without each of the rights, by resource and verb, and with all of them, by none."""
    directory = tmp_path_factory.mktemp("accounts")
    every = [("", ""), *((kind, verb) for kind, verbs in RIGHTS.items() for verb in verbs)]
    with ThreadPoolExecutor(4) as threads:
        found = threads.map(
            lambda right: outcome(node_cluster, target, directory, without(RIGHTS, *right)), every
        )
        yield dict(zip(every, found, strict=True))
    flags = ("--all", "--all-namespaces", "--grace-period=1", "--wait=false")
    node_cluster.plane.kubectl("delete", "pods", *flags)


def test_the_documented_rights_are_enough(outcomes: dict[tuple[str, str], str]) -> None:
    assert len(RIGHTS) == 6
    assert outcomes["", ""] == ""


@pytest.mark.parametrize(
    ("kind", "verb"), [(kind, verb) for kind, verbs in RIGHTS.items() for verb in verbs]
)
def test_without_one_of_them_the_probe_fails_and_names_it(
    node_cluster: Node, outcomes: dict[tuple[str, str], str], kind: str, verb: str
) -> None:
    # API servers ask for this one from 1.35 on, and the documented rights must be enough for them too.
    unasked = (kind, verb) == ("pods/portforward", "create") and node_cluster.plane.version < (
        1,
        35,
    )
    said = "" if unasked else f"Role with verb {verb} on {kind}"

    assert said in outcomes[kind, verb]
    assert bool(outcomes[kind, verb]) is not unasked


def test_a_namespace_that_is_not_there_takes_a_right_of_the_cluster(
    node_cluster: Node, target: Target, tmp_path: Path
) -> None:
    absent = f"probes-{secrets.token_hex(4)}"
    kubeconfig = kubeconfig_of(node_cluster.plane, tmp_path, absent)
    grant(node_cluster.plane, absent, RIGHTS)
    with connect(kubeconfig=str(kubeconfig)) as kube:
        probe = ClusterProbe(kube=kube, namespace=absent)
        cure = f"ClusterRole with verb create on namespaces; .*kubectl create namespace {absent}"

        with pytest.raises(ProbeError, match=cure):
            probe.observe(target, Silent())
        grant(
            node_cluster.plane, f"{absent}-namespaces", {"namespaces": ["create"]}, account=absent
        )

        assert probe.observe(target, Silent()).answered
