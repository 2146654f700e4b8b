"""What the controller keeps in memory of one ImageScan: all that says when it is due, and nothing of the result.

Less than 1 KiB with its place in the backlog, so that a hundred thousand fit a small pod.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webhook.core.document import InvalidDocument, parse_duration, parse_time, validate
from webhook.core.reference import parse
from webhook.core.scan import ScanSpec, ScanStatus, compact, read_scan_document
from webhook.core.words import cut
from webhook.stores.outstanding import requested_for
from webhook.stores.scanrequests import REQUESTED_BY

_ADMISSION = "admission"  # what made an ImageScan for which a person waits
_FAULT_LIMIT = 500  # characters of what is wrong with a spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One ImageScan; times are seconds since the epoch, 0 where there is none.

    Attributes:
        image: the reference, canonical; empty where it cannot be read.
        moves: the image is named by a tag, which may come to mean another one.
        interval: seconds after which a tag is resolved again.
        requested: admission asked for it.
        asker: the namespace that it was asked for; empty where that is not known, as for what a person created.
        known: admission has a result of it, of whatever verdict.
        attempts: how many tries in a row have brought no result, one under way among them.
        retry_at: not before.
        claim: who holds it, and until when by the holder's clock; empty for nobody.
        claim_seen: by our clock, since when the claim is as it is.
        fault: why its spec cannot be read; empty where it can.
        told: the object says so itself.
    """

    name: str
    image: str = ""
    moves: bool = False
    interval: float = 0.0
    requested: bool = False
    asker: str = ""
    known: bool = False
    attempts: int = 0
    retry_at: float = 0.0
    created_at: float = 0.0
    resolved_at: float = 0.0
    scanned_at: float = 0.0
    claim: str = ""
    claim_seen: float = 0.0
    fault: str = ""
    told: bool = False

    @property
    def registry(self) -> str:
        """The host that has the image."""
        return self.image.partition("/")[0]


def read_record(document: Mapping[str, Any], now: float) -> Record:
    """Read an ImageScan as the API server gives it; one that cannot be read has a `fault`."""
    try:
        scan = read_scan_document(document)
    except InvalidDocument:
        return _without_status(document)
    found, status = compact(scan), scan.status
    if status.image not in {None, found.reference}:
        # The spec has come to name another image: what was tried and found is not about that one.
        status = ScanStatus(claim=status.claim)
    return Record(
        name=scan.metadata.name,
        image=found.reference,
        moves=found.is_tag,
        interval=parse_duration(scan.spec.interval),
        requested=_requested(document),
        asker=_asker(document),
        known=found.digest is not None,
        attempts=status.attempts,
        retry_at=parse_time(status.retry_at) if status.retry_at else 0.0,
        created_at=_created(document),
        resolved_at=found.resolved_at if found.digest else 0.0,
        scanned_at=found.scanned_at,
        claim=f"{status.claim.holder} {status.claim.until}" if status.claim else "",
        claim_seen=now if status.claim else 0.0,
    )


def _without_status(document: Mapping[str, Any]) -> Record:
    """Read the spec alone: a status that cannot be read is as good as none, and is written anew."""
    name = str(document["metadata"]["name"])
    try:
        spec = validate(ScanSpec, _mapping(document.get("spec")))
    except InvalidDocument as error:
        fault = cut(f"spec.{'; spec.'.join(map(str, error.faults))}", _FAULT_LIMIT)
        return Record(name=name, fault=fault, told=_tells(document, fault))
    reference = parse(spec.image)
    return Record(
        name=name,
        image=reference.canonical,
        moves=reference.digest is None,
        interval=parse_duration(spec.interval),
        requested=_requested(document),
        asker=_asker(document),
        created_at=_created(document),
    )


def _asker(document: Mapping[str, Any]) -> str:
    # Of a hundred thousand images, namespaces of a few hundred.
    return sys.intern(requested_for(document))


def _requested(document: Mapping[str, Any]) -> bool:
    labels = _mapping(_mapping(document.get("metadata")).get("labels"))
    return labels.get(REQUESTED_BY) == _ADMISSION


def _created(document: Mapping[str, Any]) -> float:
    try:
        return parse_time(str(_mapping(document.get("metadata")).get("creationTimestamp")))
    except ValueError:
        return 0.0


def _tells(document: Mapping[str, Any], fault: str) -> bool:
    conditions = _mapping(document.get("status")).get("conditions")
    found = conditions if isinstance(conditions, list) else []
    return any(_mapping(condition).get("message") == fault for condition in found)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
