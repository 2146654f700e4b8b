"""The reviews that are measured with: one that a real API server sent for a notebook's pod, 4.4 KB; of any image."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.corpus import image, make_scan
from webhook.core.decision import Snapshot, mutate
from webhook.core.document import format_time
from webhook.core.patch import apply_patch
from webhook.core.review import parse_review
from webhook.core.scan import compact, read_scan_document
from webhook.core.verdict import build_index

_RECORDED = Path(__file__).parents[1] / "tests" / "data" / "reviews" / "create-pods.json"


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


def make_reviews(number: int = 0) -> Reviews:
    """Make the three reviews for the image of a scan, which conforms, by the patch that nbgate itself plans."""
    document: dict[str, Any] = orjson.loads(_RECORDED.read_bytes())
    document["request"]["object"]["spec"]["containers"][0]["image"] = image(number)
    created = orjson.dumps(document)
    scan = compact(read_scan_document(make_scan(number, format_time(time.time()))))
    decision = mutate(parse_review(created), Snapshot(scans=build_index([scan])))
    document["request"]["object"] = apply_patch(document["request"]["object"], decision.patch)
    patched = orjson.dumps(document)
    document["request"]["object"]["spec"]["containers"][0]["securityContext"]["runAsUser"] = 0
    return Reviews(created=created, patched=patched, refused=orjson.dumps(document))
