"""ImageScans by the ten thousand, written straight into etcd: the API server would take minutes to create them."""

from __future__ import annotations

import base64
import hashlib
import http.client
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import orjson

from tests.cluster.controlplane import ControlPlane
from tests.cluster.manifests import Document
from webhook.core.requirements import REQUIREMENTS
from webhook.core.scan import scan_name

AT_ONCE = 100  # puts in a transaction; etcd takes at most 128 (--max-txn-ops)
WRITERS = 2
TIME = "2099-01-01T00:00:00Z"
_STATUS = (
    *("checks", "conditions", "digest", "facts", "manifests", "phase", "resolvedAt", "scannedAt"),
    *("scanner", "serving", "verdict"),
)
# What the API server notes of who wrote what, a quarter of an object's size.
_MANAGED = [
    {
        "manager": "nbgate",
        "operation": "Update",
        "apiVersion": "nbgate.dev/v1alpha1",
        "time": TIME,
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:image": {}}, "f:status": {f"f:{name}": {} for name in _STATUS}},
    }
]


def image_of(number: int) -> str:
    """Name an image."""
    return f"registry.example.com/team-{number % 97}/notebook-{number:06}:v1.{number % 10}"


def write_scans(plane: ControlPlane, count: int) -> None:
    """Write that many results into the control plane's etcd; one in three violates."""
    host = plane.etcd_url.removeprefix("http://")
    numbers = iter(range(count))
    batches = iter(lambda: list(islice(numbers, AT_ONCE)), [])
    with ThreadPoolExecutor(WRITERS) as pool:
        for _ in pool.map(lambda batch: _put(host, map(_entry, batch)), list(batches)):
            pass


def _put(host: str, entries: Iterable[tuple[bytes, bytes]]) -> None:
    puts = [
        {"requestPut": {"key": base64.b64encode(k).decode(), "value": base64.b64encode(v).decode()}}
        for k, v in entries
    ]
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request("POST", "/v3/kv/txn", orjson.dumps({"success": puts}))
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
    finally:
        connection.close()


def _entry(number: int) -> tuple[bytes, bytes]:
    document = document_of(number)
    name = document["metadata"]["name"]
    return f"/registry/nbgate.dev/imagescans/{name}".encode(), orjson.dumps(document)


def document_of(number: int) -> Document:
    """Make a scan with all that a scanner and an API server write into one: 2 KB of JSON."""
    image, fails = image_of(number), number % 3 == 2
    platforms = ("linux/amd64", "linux/arm64")
    return {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "ImageScan",
        "metadata": {
            "name": scan_name(image),
            "uid": f"00000000-0000-4000-8000-{number:012}",
            "creationTimestamp": TIME,
            "generation": 1,
            "managedFields": _MANAGED,
        },
        "spec": {"image": image, "interval": "24h"},
        "status": {
            "phase": "Complete",
            "digest": _digest(image),
            "manifests": [{"platform": p, "digest": _digest(f"{image} {p}")} for p in platforms],
            "verdict": "Violates" if fails else "Conforms",
            "serving": "Prefix",
            "checks": [_check(name, fails=fails and name == "uid-1000") for name in REQUIREMENTS],
            "facts": {"user": "1000", "exposedPorts": [8888], "cuda": False},
            "resolvedAt": TIME,
            "scannedAt": TIME,
            "scanner": "nbgate/0.1.0",
            "conditions": [],
        },
    }


def _check(requirement: str, *, fails: bool) -> Document:
    return {
        "requirement": requirement,
        "result": "Fail" if fails else "Pass",
        "evidence": "Layers",
        "message": "user root has UID 0" if fails else "user 1000 is jovyan in /etc/passwd",
    }


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
