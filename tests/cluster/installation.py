"""An installation as far as certificates go, on the tests' control plane: Secrets, configurations, an account."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import yaml

from certs.bundle import decode_bundle
from certs.certificate import Certificate, describe
from tests.cluster import webhooks
from tests.cluster.accounts import kubeconfig_of
from tests.cluster.controlplane import ControlPlane
from tests.cluster.manifests import Document
from webhook.controller.certificateobjects import secret_data
from webhook.kube import MUTATING_CONFIGURATIONS, SECRETS, VALIDATING_CONFIGURATIONS, Kube, connect
from webhook.kubeerrors import Resource

MANIFEST = Path(__file__).parents[2] / "deploy" / "overlays" / "self-managed" / "rights.yaml"
KINDS = (MUTATING_CONFIGURATIONS, VALIDATING_CONFIGURATIONS)
RBAC = "/apis/rbac.authorization.k8s.io/v1"
FOREIGN = "foreign.nbgate.test"
"""An entry that calls a URL, and so is not the installation's own."""


def deployed_rules() -> list[Document]:
    """Read the rules for certificates that the controller is deployed with."""
    documents = yaml.safe_load_all(MANIFEST.read_text())
    return [rule for one in documents if one["kind"].endswith("Role") for rule in one["rules"]]


@dataclass
class Installation:
    """Empty Secrets, and webhook configurations that call Service `nbgate` of the namespace.

    `admin` may do everything, `kube` what the controller's account was granted last.
    """

    plane: ControlPlane
    namespace: str
    account: str
    admin: Kube
    kube: Kube

    def grant(self, rules: Sequence[Document]) -> None:
        """Let the account do this from now on, and nothing else."""
        for path, kind, of in (
            (f"{RBAC}/clusterroles", "ClusterRole", True),
            (f"{RBAC}/namespaces/{self.namespace}/roles", "Role", False),
        ):
            role = {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": kind,
                "metadata": {"name": self.account},
                "rules": [one for one in rules if (one["apiGroups"] != [""]) is of],
            }
            answer = self.plane.request("PUT", f"{path}/{self.account}", role)
            assert answer.status in {HTTPStatus.OK, HTTPStatus.CREATED}, answer.text

    def reset(self) -> None:
        """Empty the Secrets and every caBundle."""
        for name in ("nbgate-ca", "nbgate-tls"):
            secret = self.admin.get(SECRETS, name, self.namespace)
            secret["metadata"].pop("annotations", None)
            self.admin.replace(SECRETS, {**secret, "data": {}}, self.namespace)
        for kind in KINDS:
            self.overwrite(kind, "")

    def overwrite(self, kind: Resource, bundle: str) -> None:
        """Write something into every caBundle of a configuration."""
        document = self.admin.get(kind, webhooks.NAME)
        for entry in document["webhooks"]:
            entry["clientConfig"]["caBundle"] = bundle
        self.admin.replace(kind, document)

    def entries(self) -> dict[str, tuple[Certificate, ...]]:
        """Give what each entry trusts, by its name."""
        return {
            entry["name"]: decode_bundle(entry["clientConfig"].get("caBundle"))
            for kind in KINDS
            for entry in self.admin.get(kind, webhooks.NAME)["webhooks"]
        }

    def bundles(self) -> set[tuple[Certificate, ...]]:
        """Give the bundles of our own entries: one, where all trust the same."""
        return {bundle for name, bundle in self.entries().items() if name != FOREIGN}

    def data(self, name: str) -> dict[str, bytes]:
        """Give a Secret's data."""
        return secret_data(self.admin.get(SECRETS, name, self.namespace))

    def leaf(self) -> Certificate:
        """Give the leaf in nbgate-tls."""
        return describe(self.data("nbgate-tls")["tls.crt"])[0]


@contextmanager
def installed(plane: ControlPlane, directory: Path) -> Iterator[Installation]:
    """Install as the manifests do, as far as certificates go; the configurations go in the end."""
    name = f"nbgate-{secrets.token_hex(4)}"
    kubeconfig = kubeconfig_of(plane, directory, name)
    plane.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
        *(_secret(one, name) for one in ("nbgate-ca", "nbgate-tls")),
        *_roles(name),
        *_configurations(name),
    )
    try:
        with (
            connect(kubeconfig=str(plane.kubeconfig)) as admin,
            connect(kubeconfig=str(kubeconfig)) as kube,
        ):
            yield Installation(plane, name, name, admin, kube)
    finally:
        for kind in KINDS:
            plane.kubectl("delete", kind.name, webhooks.NAME)
        plane.kubectl("delete", "namespace", name, "--wait=false")


def _secret(name: str, namespace: str) -> Document:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"}


def _roles(name: str) -> Iterator[Document]:
    subject = {"kind": "ServiceAccount", "name": name, "namespace": "default"}
    for kind, place in (("ClusterRole", {}), ("Role", {"namespace": name})):
        common = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "metadata": {"name": name, **place},
        }
        yield {**common, "kind": kind, "rules": []}
        yield {
            **common,
            "kind": f"{kind}Binding",
            "subjects": [subject],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
        }


def _configurations(namespace: str) -> Iterator[Document]:
    """As they are deployed: entries that call the Service, without a caBundle; and one that is not ours."""
    for path, document in (
        ("/mutate", webhooks.mutating(1, b"")),
        ("/validate", webhooks.validating(1, b"")),
    ):
        service = {"name": "nbgate", "namespace": namespace, "path": path}
        entries = [{**one, "clientConfig": {"service": service}} for one in document["webhooks"]]
        last = document["webhooks"][-1]
        foreign = {**last, "name": FOREIGN, "failurePolicy": "Ignore"}
        yield {**document, "webhooks": [*entries, *([foreign] if path == "/validate" else [])]}
