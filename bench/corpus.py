"""What is measured on: ImageScan documents that are made up, and the review that a real API server sent.

The documents have what a scanner writes: seven checks, two platforms, 1.5 KB of JSON. Each has digests of its own, and
one in three fails a check. The first is of the recorded review's image, which conforms.
"""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from webhook.core.decision import Snapshot, mutate
from webhook.core.document import format_time
from webhook.core.patch import apply_patch
from webhook.core.requirements import REQUIREMENTS
from webhook.core.review import parse_review
from webhook.core.scan import compact, read_scan_document, scan_name
from webhook.core.verdict import build_index

RECORDED = Path(__file__).parents[1] / "tests" / "data" / "reviews" / "create-pods.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviews:
    """One pod's way through admission.

    Attributes:
        created: as the API server sends it to /mutate.
        patched: as it sends it to /validate, with everything that nbgate patched; allowed.
        refused: the same with a wrong UID; denied.

    """

    created: bytes
    patched: bytes
    refused: bytes


def make_reviews() -> Reviews:
    """Make the three reviews from the recorded one, by the patch that nbgate itself plans."""
    document: dict[str, Any] = orjson.loads(RECORDED.read_bytes())
    created = orjson.dumps(document)
    scan = compact(read_scan_document(make_scan(0, _now())))
    decision = mutate(parse_review(created), Snapshot(scans=build_index([scan])))
    document["request"]["object"] = apply_patch(document["request"]["object"], decision.patch)
    patched = orjson.dumps(document)
    document["request"]["object"]["spec"]["containers"][0]["securityContext"]["runAsUser"] = 0
    return Reviews(created=created, patched=patched, refused=orjson.dumps(document))


def _now() -> str:
    return format_time(time.time())


def _image(number: int) -> str:
    if number == 0:
        recorded = orjson.loads(RECORDED.read_bytes())
        image: str = recorded["request"]["object"]["spec"]["containers"][0]["image"]
        return image
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
    fails, image = number % 3 == 2, _image(number)
    platforms = ("linux/amd64", "linux/arm64")
    return {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "ImageScan",
        "metadata": {"name": scan_name(image)},
        "spec": {"image": image, "interval": "24h"},
        "status": {
            "phase": "Complete",
            "digest": _digest(image),
            "manifests": [{"platform": p, "digest": _digest(f"{image} {p}")} for p in platforms],
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
    scanned = _now()
    for first in range(0, count, in_a_file):
        numbers = range(first, min(first + in_a_file, count))
        documents = [make_scan(number, scanned) for number in numbers]
        content = documents[0] if in_a_file == 1 else documents
        (folder / f"scans-{first:06}.json").write_bytes(orjson.dumps(content))
    return folder
