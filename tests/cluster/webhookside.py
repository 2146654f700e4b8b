"""`nbgate serve` as it is deployed: all of it from the cluster, as an account with just the webhook's rights."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import yaml

from certs.authority import issue_authority, issue_leaf
from certs.keypair import KeyPair
from tests.cluster.accounts import Rights, grant, kubeconfig_of
from tests.cluster.controlplane import ControlPlane, RequestRefused
from tests.cluster.manifests import Document
from tests.cluster.waiting import wait_for

API = "/apis/nbgate.dev/v1alpha1"
KINDS = ("imagescans", "notebookpolicies")
DEFINITIONS = Path(__file__).parents[2] / "deploy" / "crds"
# Outside of namespaces; in its own it may get one Secret.
RIGHTS: Rights = {
    "imagescans.nbgate.dev": ["list", "watch", "create"],
    "notebookpolicies.nbgate.dev": ["list", "watch"],
    "namespaces": ["list", "watch"],
}
CLUSTER = ("--tls", "cluster", "--policy", "cluster", "--scans", "cluster", "--audit-log", "none")
DAY = timedelta(days=1)


def define_kinds(plane: ControlPlane) -> list[str]:
    """Define ImageScans and NotebookPolicies, as deploy/ does, and wait until they are served; give the names."""
    definitions = [yaml.safe_load((DEFINITIONS / f"{kind}.yaml").read_text()) for kind in KINDS]
    plane.create(*definitions)
    for kind in KINDS:
        found = partial(plane.get, f"{API}/{kind}?limit=1")
        wait_for(found, 20, f"the kind {kind} to be served", ignoring=(RequestRefused,))
    return [definition["metadata"]["name"] for definition in definitions]


@contextmanager
def kinds_served(plane: ControlPlane) -> Iterator[None]:
    """Serve both kinds while the context is open."""
    names = define_kinds(plane)
    yield
    plane.kubectl("delete", "crd", *names, "--wait=true")


class Installation:
    """A namespace with an empty Secret, as the manifests make it, and accounts that may read it."""

    def __init__(self, plane: ControlPlane, directory: Path) -> None:
        self.plane = plane
        self.directory = directory
        self.namespace = f"nbgate-{secrets.token_hex(4)}"
        self.authority = issue_authority("nbgate", now=datetime.now(UTC), lifetime=10 * DAY)
        self._path = f"/api/v1/namespaces/{self.namespace}/secrets/nbgate-tls"
        plane.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}},
            self._secret({}),
        )

    def _secret(self, files: dict[str, bytes]) -> Document:
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "nbgate-tls", "namespace": self.namespace},
            "type": "Opaque",
            "data": {name: base64.b64encode(held).decode() for name, held in files.items()},
        }

    def account(self, rights: Rights = RIGHTS, *, secret: bool = True) -> Path:
        """Make an account with these rights, and that of the Secret; give its kubeconfig."""
        name = f"webhook-{secrets.token_hex(4)}"
        path = kubeconfig_of(self.plane, self.directory, name)
        config = json.loads(path.read_text())
        config["contexts"][0]["context"]["namespace"] = self.namespace
        path.write_text(json.dumps(config))
        grant(self.plane, name, rights)
        if secret:
            self._let_read(name)
        return path

    def _let_read(self, account: str) -> None:
        group, metadata = (
            "rbac.authorization.k8s.io",
            {"name": account, "namespace": self.namespace},
        )
        rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
        common = {"apiVersion": f"{group}/v1", "metadata": metadata}
        subject = {"kind": "ServiceAccount", "name": account, "namespace": "default"}
        self.plane.create(
            {**common, "kind": "Role", "rules": [{**rule, "resourceNames": ["nbgate-tls"]}]},
            {
                **common,
                "kind": "RoleBinding",
                "subjects": [subject],
                "roleRef": {"apiGroup": group, "kind": "Role", "name": account},
            },
        )

    def issue(self) -> KeyPair:
        """Put a new certificate into the Secret, as the controller does."""
        now = datetime.now(UTC)
        leaf = issue_leaf(self.authority, hosts=["127.0.0.1"], now=now, lifetime=DAY)
        self.hold(
            {
                "tls.crt": leaf.certificate_pem,
                "tls.key": leaf.key_pem,
                "ca.crt": self.authority.certificate_pem,
            }
        )
        return leaf

    def hold(self, files: dict[str, bytes]) -> None:
        """Let the Secret hold these files and no others."""
        answer = self.plane.request("PUT", self._path, self._secret(files))
        assert answer.status == 200, answer.text

    def remove(self) -> None:
        """Delete the Secret."""
        self.plane.request("DELETE", self._path)

    def put_back(self) -> None:
        """Make the Secret anew, empty."""
        self.plane.create(self._secret({}))
