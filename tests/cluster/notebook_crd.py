"""A stand-in for Kubeflow's definition of the kind Notebook: the same names and versions, any content."""

from __future__ import annotations

from tests.cluster.manifests import NOTEBOOK_VERSIONS, Document

STORED = "v1"  # as Kubeflow stores it; its spawner writes v1beta1


def notebook_crd() -> Document:
    """Return the CustomResourceDefinition of notebooks.kubeflow.org.

    Kubeflow's own holds the whole PodSpec in each version (464 KB) and the API server does not need
    it: admission sees the same objects when the fields below spec and status are kept unread.
    """
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "notebooks.kubeflow.org"},
        "spec": {
            "group": "kubeflow.org",
            "names": {
                "kind": "Notebook",
                "listKind": "NotebookList",
                "plural": "notebooks",
                "singular": "notebook",
            },
            "scope": "Namespaced",
            "versions": [_version(name) for name in NOTEBOOK_VERSIONS],
        },
    }


def _version(name: str) -> Document:
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "name": name,
        "served": True,
        "storage": name == STORED,
        "subresources": {"status": {}},
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "properties": {"spec": anything, "status": anything},
            }
        },
    }
