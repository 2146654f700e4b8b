"""Documents and a clock for the tests of stores."""

import hashlib
import time
from pathlib import Path
from typing import Any

import orjson
import yaml

from webhook.core.scan import scan_name

Json = dict[str, Any]
IMAGE = "registry.example.com/team/notebook:v1"


def digest_of(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def scan_document(image: str = IMAGE, **status: Any) -> Json:
    """Build an ImageScan of an image that conforms; `status` replaces fields."""
    return {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "ImageScan",
        "metadata": {"name": scan_name(image)},
        "spec": {"image": image, "interval": "24h"},
        "status": {
            "phase": "Complete",
            "digest": digest_of(image),
            "manifests": [{"platform": "linux/amd64", "digest": digest_of(f"{image} amd64")}],
            "verdict": "Conforms",
            "serving": "Prefix",
            "checks": [{"requirement": "uid-1000", "result": "Pass", "evidence": "Layers"}],
            "facts": {"user": "1000", "exposedPorts": [8888], "cuda": False},
            "resolvedAt": "2026-01-01T00:00:00Z",
            "scannedAt": "2026-01-01T00:00:00Z",
            "scanner": "nbgate/0.1.0",
            **status,
        },
    }


def policy_document(name: str = "default", **spec: Any) -> Json:
    return {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "NotebookPolicy",
        "metadata": {"name": name},
        "spec": spec,
    }


def put(path: Path, *documents: Json) -> Path:
    """Write documents as a careless writer does, over what is there: JSON for .json, else YAML."""
    path.write_bytes(as_json(*documents) if path.suffix == ".json" else as_yaml(*documents))
    return path


def as_json(*documents: Json) -> bytes:
    return orjson.dumps(documents[0] if len(documents) == 1 else list(documents))


def as_yaml(*documents: Json) -> bytes:
    return yaml.safe_dump_all(documents, sort_keys=False).encode()


class Clock:
    """The system's clock, which a test can put forward instead of waiting."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead
