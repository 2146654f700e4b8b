"""What dry runs send: objects that a working nbgate refuses, whatever its policy says.

An image that is no reference is refused by the rule `reference`, which no policy switches off. The Pod keeps to the
restricted Pod Security Standard and names resources, so that nothing else refuses it first.
"""

from collections.abc import Mapping
from typing import Any

from webhook.doctor.expected import Entry

NAME = "nbgate-doctor"
# Two slashes: never a reference, and text enough for the API server (`image` must not be empty or begin with a blank).
IMAGE = "nbgate.invalid//doctor"


def _spec() -> Entry:
    container = {
        "name": NAME,
        "image": IMAGE,
        "resources": {
            "requests": {"cpu": "10m", "memory": "16Mi"},
            "limits": {"cpu": "10m", "memory": "16Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    return {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }


def pod(namespace: str) -> Entry:
    """Return a notebook's pod."""
    labels = {"notebook-name": NAME}
    metadata = {"name": f"{NAME}-0", "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": _spec()}


def notebook(namespace: str) -> Entry:
    """Return a Notebook."""
    metadata = {"name": NAME, "namespace": namespace}
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "Notebook",
        "metadata": metadata,
        "spec": {"template": {"spec": _spec()}},
    }


def policy() -> Entry:
    """Return a NotebookPolicy with a field that there is not."""
    return {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "NotebookPolicy",
        "metadata": {"name": NAME},
        "spec": {"doctor": "a field that there is not"},
    }


def patched(answer: Mapping[str, Any]) -> bool:
    """Tell whether an admitted pod came back with nbgate's patch."""
    for container in answer.get("spec", {}).get("containers", []):
        names = {entry.get("name") for entry in container.get("env") or []}
        if container.get("name") == NAME and "NB_PREFIX" in names:
            return True
    return False
