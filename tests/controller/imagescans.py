"""ImageScans as the API server gives them: strategies for every mixture of fields, and what admission makes of one."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.core.generated import optional
from webhook.core.document import InvalidDocument, format_time
from webhook.core.requirements import REQUIREMENTS
from webhook.core.scan import compact, read_scan_document

Json = dict[str, Any]

NOW = 1_767_225_600.0  # 2026-01-01
DAY = 86_400.0
DIGEST, OTHER_DIGEST = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
IMAGE = "registry.example.com/team/notebook:v1"
PINNED = f"registry.example.com/team/notebook@{DIGEST}"

IMAGES = st.sampled_from([IMAGE, PINNED, "team/notebook", "jupyter/x:1", "localhost:5000/x:1"])
TIMES = st.floats(NOW - 30 * DAY, NOW).map(format_time)
CHECKS = st.sampled_from(
    [
        [],
        [{"requirement": "uid-1000", "result": "Pass", "evidence": "Layers"}],
        [
            {"requirement": name, "result": "Fail" if name == "uid-1000" else "Unknown"}
            for name in REQUIREMENTS
        ],
    ]
)
CONDITIONS = st.lists(
    st.builds(
        lambda kind, holds: {"type": kind, "status": holds, "reason": "R", "message": kind},
        st.sampled_from(["Scanned", "Resolved", "Theirs"]),
        st.sampled_from(["True", "False"]),
    ),
    max_size=2,
    unique_by=lambda condition: condition["type"],
)
STATUSES: st.SearchStrategy[Json] = optional(
    phase=st.sampled_from(["Pending", "Scanning", "Complete", "Failed"]),
    image=st.sampled_from(
        [IMAGE, "docker.io/team/notebook:latest", "registry.example.com/other:v1"]
    ),
    digest=st.sampled_from([DIGEST, OTHER_DIGEST]),
    manifests=st.just([{"platform": "linux/amd64", "digest": OTHER_DIGEST}]),
    verdict=st.sampled_from(["Conforms", "Violates", "Unknown"]),
    serving=st.sampled_from(["Prefix", "Root", "None", "Unknown"]),
    checks=CHECKS,
    resolvedAt=TIMES,
    scannedAt=TIMES,
    claim=st.builds(lambda until: {"holder": "somebody", "until": until}, TIMES),
    attempts=st.integers(0, 60),
    retryAt=TIMES,
    lastUsedAt=TIMES,
    conditions=CONDITIONS,
    fromTheFuture=st.just({"kept": True}),
)


def document(image: object = IMAGE, status: Json | None = None, **metadata: Any) -> Json:
    """Build an ImageScan; without a status as admission creates it."""
    whole = {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "ImageScan",
        "metadata": {
            "name": "scan",
            "resourceVersion": "1",
            "creationTimestamp": format_time(NOW - DAY),
            **metadata,
        },
        "spec": {"image": image, "interval": "24h"},
    }
    return whole if status is None else {**whole, "status": status}


def result(**status: Any) -> Json:
    """Build the status of an image that was scanned just now; None leaves a field out."""
    whole = {
        "phase": "Complete",
        "digest": DIGEST,
        "verdict": "Conforms",
        "serving": "Prefix",
        "checks": [{"requirement": "uid-1000", "result": "Pass", "evidence": "Layers"}],
        "resolvedAt": format_time(NOW),
        "scannedAt": format_time(NOW),
        **status,
    }
    return {name: value for name, value in whole.items() if value is not None}


# Most of them contradict themselves somewhere, which is a case too; `result` makes sure of those that do not.
DOCUMENTS: st.SearchStrategy[Json] = st.builds(
    document,
    IMAGES,
    st.none() | STATUSES | STATUSES.map(lambda status: {**result(), "image": IMAGE, **status}),
)


def seen(scan: Json) -> tuple[object, ...] | None:
    """Tell what admission judges by; None where there is no result for it."""
    try:
        found = compact(read_scan_document(scan))
    except InvalidDocument:
        return None
    if found.digest is None:
        return None
    return (found.digest, found.manifests, found.verdict, found.serving, found.outcomes)
