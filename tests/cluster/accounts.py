"""Service accounts with few rights, and kubeconfigs to be them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from tests.cluster.controlplane import ControlPlane
from tests.cluster.manifests import Document

# What a Role grants: verbs by resource, `pods/log`, `imagescans.nbgate.dev/status`.
Rights: TypeAlias = Mapping[str, Sequence[str]]


def kubeconfig_of(plane: ControlPlane, directory: Path, name: str) -> Path:
    """Create a service account in `default`; write a kubeconfig with a token of its."""
    metadata = {"name": name, "namespace": "default"}
    plane.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    path = f"/api/v1/namespaces/default/serviceaccounts/{name}/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = plane.request("POST", path, asked).document["status"]["token"]
    config = json.loads(Path(plane.kubeconfig).read_text())
    config["users"][0]["user"] = {"token": token}
    written = directory / f"{name}.kubeconfig"
    written.write_text(json.dumps(config))
    return written


def grant(
    plane: ControlPlane,
    name: str,
    rights: Rights,
    *,
    namespace: str | None = None,
    account: str | None = None,
) -> None:
    """Let a service account do this, in one namespace, else in all and outside of them.

    `name` is the Role's, and the account's where no other is named.
    """
    kind = "Role" if namespace else "ClusterRole"
    place = {"namespace": namespace} if namespace else {}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name, **place}}
    subject = {"kind": "ServiceAccount", "name": account or name, "namespace": "default"}
    rules = [_rule(what, verbs) for what, verbs in rights.items() if verbs]
    plane.create(
        {**role, "kind": kind, "rules": rules},
        {
            **role,
            "kind": f"{kind}Binding",
            "subjects": [subject],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
        },
    )


def _rule(kind: str, verbs: Sequence[str]) -> Document:
    full_name, slash, subresource = kind.partition("/")
    resource, _, group = full_name.partition(".")
    return {
        "apiGroups": [group],
        "resources": [f"{resource}{slash}{subresource}"],
        "verbs": list(verbs),
    }


def documented_rights(text: str | None) -> dict[str, list[str]]:
    """Read the rights from a docstring: indented lines, each a resource and its verbs."""
    lines = (text or "").splitlines()
    rows = (line.split(maxsplit=1) for line in lines if line.startswith("    "))
    return {kind: verbs.split(", ") for kind, verbs in rows}


def without(rights: Rights, kind: str, verb: str) -> dict[str, list[str]]:
    """Return the rights without that one."""
    return {one: [v for v in verbs if (one, v) != (kind, verb)] for one, verbs in rights.items()}
