"""ImageScan and NotebookPolicy documents as files, for tests of a running server."""

import json
from pathlib import Path
from typing import Any

from webhook.core.requirements import REQUIREMENTS

IMAGE = "ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-pytorch-cuda-full:v1.10.0"


def scan(
    image: str = IMAGE,
    *,
    name: str = "scan",
    digit: str = "a",
    failing: tuple[str, ...] = (),
    cuda: bool | None = True,
) -> dict[str, Any]:
    """A complete scan; the digest is `digit` 64 times over."""
    checks = [
        {"requirement": r, "result": "Fail" if r in failing else "Pass", "message": f"about {r}"}
        for r in REQUIREMENTS
    ]
    return {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "ImageScan",
        "metadata": {"name": name},
        "spec": {"image": image},
        "status": {
            "phase": "Complete",
            "digest": f"sha256:{digit * 64}",
            "verdict": "Violates" if failing else "Conforms",
            "serving": "Prefix",
            "checks": checks,
            "facts": {"cuda": cuda},
            "resolvedAt": "2099-01-01T00:00:00Z",
            "scannedAt": "2099-01-01T00:00:00Z",
        },
    }


def policy(**spec: object) -> dict[str, Any]:
    """A policy with these fields."""
    return {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "NotebookPolicy",
        "metadata": {"name": "test"},
        "spec": spec,
    }


def put(path: Path, document: object) -> None:
    """Write a document as one step, as every careful writer does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(document if isinstance(document, str) else json.dumps(document))
    new.replace(path)
