"""deploy/ on a real API server of the oldest version: all is taken, and what controllers write stays theirs."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.manifests import Document
from tests.cluster.webhookside import API, kinds_served
from tests.deploy.rendering import CHART, NAMESPACE, composed
from tests.deploy.tools import run

pytestmark = pytest.mark.cluster

Helm: TypeAlias = Callable[..., str]

SYSTEM = f"/api/v1/namespaces/{NAMESPACE}"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/nbgate-controller"
SECRETS = [f"{SYSTEM}/secrets/{name}" for name in ("nbgate-tls", "nbgate-ca")]
CONFIGURATIONS = [
    f"/apis/admissionregistration.k8s.io/v1/{kind}webhookconfigurations/nbgate"
    for kind in ("mutating", "validating")
]
BUNDLE = base64.b64encode(b"-----BEGIN CERTIFICATE-----").decode()


@pytest.fixture(scope="module")
def helm(control_plane: ControlPlane) -> Helm:
    kubeconfig = control_plane.kubeconfig
    return partial(run, "helm", kubeconfig=Path(kubeconfig))


@pytest.fixture(scope="module", autouse=True)
def release(control_plane: ControlPlane, helm: Helm) -> Iterator[None]:
    """The chart is installed; pods wait for ever, for there is no node."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    with kinds_served(control_plane):
        control_plane.create(namespace)
        upgrade(helm, "install")
        yield
        helm("uninstall", "nbgate", "--namespace", NAMESPACE, "--wait")
        control_plane.kubectl("delete", "namespace", NAMESPACE)


def upgrade(helm: Helm, verb: str = "upgrade", **values: object) -> None:
    # The kinds are served already, and a release would keep them when it goes.
    given = json.dumps({"crds": {"install": False}, **values})
    helm(verb, "nbgate", CHART, "--namespace", NAMESPACE, "--values", "-", stdin=given)


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> str:
    made = composed(tmp_path_factory.mktemp("overlay"), "self-managed", "kubernetes-1.20")
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [*made.values()]})


def test_the_api_server_takes_every_object(control_plane: ControlPlane, manifests: str) -> None:
    taken = control_plane.kubectl("apply", "--dry-run=server", "--filename=-", stdin=manifests)
    assert taken.stdout.count("(server dry run)") == len(json.loads(manifests)["items"])


def put(plane: ControlPlane, path: str, document: Document) -> None:
    answer = plane.request("PUT", path, document)
    assert answer.status == HTTPStatus.OK, answer.text


@pytest.fixture
def written(control_plane: ControlPlane) -> list[object]:
    """Controllers have written all that the manifests leave to them."""
    for path in CONFIGURATIONS:
        found = control_plane.get(path)
        for hook in found["webhooks"]:
            hook["clientConfig"]["caBundle"] = BUNDLE
        put(control_plane, path, found)
    for path in SECRETS:
        put(control_plane, path, {**control_plane.get(path), "data": {"k": "dg=="}})
    put(control_plane, LEASE, {**control_plane.get(LEASE), "spec": {"holderIdentity": "me"}})
    return seen(control_plane)


def seen(plane: ControlPlane) -> list[object]:
    hooks = [hook for path in CONFIGURATIONS for hook in plane.get(path)["webhooks"]]
    return [
        {hook["clientConfig"].get("caBundle") for hook in hooks},
        *(plane.get(path).get("data") for path in SECRETS),
        plane.get(LEASE).get("spec"),
    ]


def patience(plane: ControlPlane) -> set[int]:
    """What the validating webhooks wait for: something that an update changes."""
    return {hook["timeoutSeconds"] for hook in plane.get(CONFIGURATIONS[1])["webhooks"]}


@pytest.mark.parametrize("flags", [[], ["--server-side", "--force-conflicts"]])
def test_applying_again_takes_nothing_from_controllers(
    control_plane: ControlPlane, manifests: str, written: list[object], flags: list[str]
) -> None:
    assert written == [{BUNDLE}, {"k": "dg=="}, {"k": "dg=="}, {"holderIdentity": "me"}]
    kinds = {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "Secret", "Lease"}
    items = [item for item in json.loads(manifests)["items"] if item["kind"] in kinds]
    for seconds in (4, 5):
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        text = text.replace('"timeoutSeconds": 5', f'"timeoutSeconds": {seconds}')
        control_plane.kubectl("apply", *flags, "--filename=-", stdin=text)
        assert patience(control_plane) == {seconds}
        assert seen(control_plane) == written


def test_upgrading_the_chart_takes_nothing_from_controllers_and_makes_the_policy(
    control_plane: ControlPlane, helm: Helm, written: list[object]
) -> None:
    upgrade(
        helm,
        admission={"failurePolicy": {"validate": "Ignore"}},
        policy="unknown: Deny\npod:\n  runAsUser: null\n",
    )
    hooks = control_plane.get(CONFIGURATIONS[1])["webhooks"]
    assert {hook["failurePolicy"] for hook in hooks} == {"Ignore"}
    assert seen(control_plane) == written
    policy = control_plane.get(f"{API}/notebookpolicies/default")
    assert policy["spec"] == {"unknown": "Deny", "pod": {"runAsUser": None}}
