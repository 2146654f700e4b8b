"""The scans that are measured on, made up: as documents in a folder, and as the values that these are read to.

The documents have what a scanner writes: seven checks, two platforms, 1.5 KB of JSON. Each has digests of its own, and
one in three fails a check. The first is of the recorded review's image, which conforms.
"""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from webhook.core.document import format_time, parse_time
from webhook.core.requirements import REQUIREMENTS
from webhook.core.scan import Scan, compact, read_scan_document, scan_name

# The recorded review's.
FIRST = "ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-pytorch-cuda-full:v1.10.0"
# Of images like the first: they conform, and are made for GPUs.
ALIKE = 12
_PLATFORMS = ("linux/amd64", "linux/arm64")


def image(number: int) -> str:
    """Name the image of a scan."""
    if number == 0:
        return FIRST
    return f"registry.example.com/team-{number % 97}/notebook-{number:06}:v1.{number % 10}"


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _check(requirement: str, *, fails: bool) -> dict[str, str]:
    return {
        "requirement": requirement,
        "result": "Fail" if fails else "Pass",
        "evidence": "Layers",
        "message": "user root has UID 0" if fails else "user 1000 is jovyan in /etc/passwd",
    }


def make_scan(number: int, scanned: str) -> dict[str, Any]:
    """Make one document, scanned at an RFC 3339 time; the same number gives the same image and digests."""
    fails, named = number % 3 == 2, image(number)
    return {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "ImageScan",
        "metadata": {"name": scan_name(named)},
        "spec": {"image": named, "interval": "24h"},
        "status": {
            "phase": "Complete",
            "digest": _digest(named),
            "manifests": [{"platform": p, "digest": _digest(f"{named} {p}")} for p in _PLATFORMS],
            "verdict": "Violates" if fails else "Conforms",
            "serving": "Prefix",
            "checks": [_check(r, fails=fails and r == "uid-1000") for r in REQUIREMENTS],
            "facts": {
                "user": "1000",
                "exposedPorts": [8888],
                "cuda": number % 4 == 0,
                "compressedSize": 1_234_567_890,
            },
            "resolvedAt": scanned,
            "scannedAt": scanned,
            "scanner": "nbgate/0.1.0",
            "conditions": [],
        },
    }


def write_folder(folder: Path, count: int, *, in_a_file: int) -> Path:
    """Write `count` documents to a new folder, as JSON files of `in_a_file` each."""
    folder.mkdir(parents=True)
    scanned = format_time(time.time())
    for first in range(0, count, in_a_file):
        numbers = range(first, min(first + in_a_file, count))
        documents = [make_scan(number, scanned) for number in numbers]
        content = documents[0] if in_a_file == 1 else documents
        (folder / f"scans-{first:06}.json").write_bytes(orjson.dumps(content))
    return folder


def make_scans(count: int, scanned: str) -> Iterator[Scan]:
    """Make what the first `count` documents are read to, a hundred times as fast as by reading them."""
    models = [compact(read_scan_document(make_scan(number, scanned))) for number in range(ALIKE)]
    yield from models[:count]
    for number in range(ALIKE, count):
        named = image(number)
        yield replace(
            models[number % ALIKE],
            name=_scan_name(number, named),
            reference=named,
            digest=_digest(named),
            manifests=tuple([_digest(f"{named} {p}") for p in _PLATFORMS]),
            # values of its own, as a reader would make: only checks' texts are shared
            outcomes=(*models[number % ALIKE].outcomes,),
            resolved_at=parse_time(scanned),
            scanned_at=parse_time(scanned),
        )


def _scan_name(number: int, named: str) -> str:
    """Write what `scan_name` gives for an image of this number, without taking the reference apart."""
    return (
        f"notebook-{number:06}-v1-{number % 10}-{hashlib.sha256(named.encode()).hexdigest()[:10]}"
    )
