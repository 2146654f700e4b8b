"""A stand-in for nbgate's definition of the kind ImageScan: the same names, any content."""

from __future__ import annotations

from tests.cluster.manifests import Document


def imagescan_crd() -> Document:
    """Return the CustomResourceDefinition of imagescans.nbgate.dev."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": anything, "status": anything}}
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "imagescans.nbgate.dev"},
        "spec": {
            "group": "nbgate.dev",
            "names": {
                "kind": "ImageScan",
                "listKind": "ImageScanList",
                "plural": "imagescans",
                "shortNames": ["imgscan"],
                "singular": "imagescan",
            },
            "scope": "Cluster",
            "versions": [version],
        },
    }
