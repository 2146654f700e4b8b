"""Audit records and entries for tests of the reader."""

from pathlib import Path
from typing import Any

import orjson

from webhook.stores.auditlog import Entry, Unreadable, read_line, read_log

DIGEST = "sha256:" + "0123456789abcdef" * 4
OTHER_DIGEST = "sha256:" + "fedcba9876543210" * 4


def a_record(**changes: Any) -> dict[str, Any]:
    """A record with the fields of the contract, some of them changed."""
    return {
        "time": "2026-11-18T11:06:40Z",
        "uid": "u-1",
        "operation": "CREATE",
        "dryRun": False,
        "endpoint": "validate",
        "user": "ada@example.com",
        "groups": ["system:authenticated"],
        "namespace": "team-a",
        "notebook": "my-nb",
        "pod": "my-nb-0",
        "kind": "Pod",
        "image": "quay.io/x/y:1",
        "canonicalImage": "quay.io/x/y:1",
        "digest": None,
        "decision": "denied",
        "violations": [
            {"requirement": "uid-1000", "action": "Deny", "message": "user root has UID 0"}
        ],
        "warnings": [],
        "exemptions": [],
        "patch": [],
        "mode": "deny",
        "policy": {"name": "default", "generation": 1},
        "scan": None,
        "snapshot": {"generation": 7},
        "durationMs": 0.2,
        "suppressed": 0,
        **changes,
    }


def violating(*requirements: str, action: str = "Deny") -> list[dict[str, str]]:
    return [{"requirement": r, "action": action, "message": "no"} for r in requirements]


def an_entry(**changes: Any) -> Entry:
    read = read_line(orjson.dumps(a_record(**changes)), "log:1")
    assert isinstance(read, Entry), read
    return read


def write_log(path: Path, *records: Any) -> Path:
    """Write a log of records, and of bytes as they are."""
    lines = [r if isinstance(r, bytes) else orjson.dumps(r) + b"\n" for r in records]
    path.write_bytes(b"".join(lines))
    return path


def read(path: Path) -> tuple[list[str], list[str]]:
    """Give the uids of a log's entries, and what is said of the rest."""
    items = list(read_log(path))
    entries = [str(item.record.get("uid")) for item in items if isinstance(item, Entry)]
    return entries, [str(item) for item in items if isinstance(item, Unreadable)]
