"""What the controller writes into an ImageScan's status: documents in, statuses out, pure.

Whatever is written but a result, admission goes on to see the result that it saw before, or none where it saw none:
that a scan has begun or failed is no reason to forget the last one. Fields that a newer nbgate may have written are
kept, and those that others write: when an image was last used, their conditions.
"""

from collections.abc import Mapping
from typing import Any

from webhook.controller.fault import Fault
from webhook.core.document import InvalidDocument, format_time, parse_time
from webhook.core.reference import InvalidReference, parse
from webhook.core.scan import ScanStatus, compact, read_scan_document

Status = dict[str, Any]
Document = Mapping[str, Any]

SCANNED = "Scanned"  # the condition that the controller writes
_OURS = {field.alias or name for name, field in ScanStatus.model_fields.items()}
_OTHERS = {"lastUsedAt", "conditions"}
# What a try leaves; gone when there is a result.
_TRY = ("claim", "attempts", "retryAt")


def image_of(document: Document) -> str | None:
    """Give what the spec names, canonical; None where it names no image."""
    try:
        return parse(str(_mapping(document.get("spec")).get("image"))).canonical
    except InvalidReference:
        return None


def holder_of(document: Document) -> str | None:
    """Tell who holds the claim."""
    holder = _mapping(_mapping(document.get("status")).get("claim")).get("holder")
    return holder if isinstance(holder, str) else None


def claimed(
    document: Document, holder: str, until: float, *, retry_at: float, scans: bool
) -> Status:
    """Let somebody hold the image until then; `scans` unless its tag alone is looked at.

    The try counts as one without a result until it has one: an image that kills whoever scans it must not be taken at
    once by the next, and then by all others. `retry_at` is for that. What was found of another image than the spec
    names now, or cannot be read, goes.
    """
    status = renewed(document, holder, until, scans=scans)
    status["attempts"] = attempts_of(document) + 1
    status["retryAt"] = format_time(retry_at)
    return status


def renewed(document: Document, holder: str, until: float, *, scans: bool) -> Status:
    """Let him hold it longer; `scans` unless its tag alone is looked at."""
    status = _base(document)
    if scans and not _bare(document):
        status["phase"] = "Scanning"
    status["claim"] = {"holder": holder, "until": format_time(until)}
    return status


def released(document: Document) -> Status:
    """Let go of the image, as if nothing had been begun: it was due, and is."""
    status = _base(document)
    attempts = attempts_of(document) - 1
    _end(status)
    if attempts > 0:
        status["attempts"] = attempts
    status["phase"] = _resting(document, status)
    return status


def resolved(document: Document, at: float) -> Status:
    """Write that the tag still means what it meant."""
    status = _base(document)
    _end(status)
    status["resolvedAt"] = format_time(at)
    status["phase"] = _resting(document, status)
    _say(status, "True", "Resolved", "the tag means what was scanned", at)
    return status


def scanned(document: Document, found: ScanStatus, at: float) -> Status:
    """Write a result."""
    others = {
        name: value
        for name, value in _base(document).items()
        if name not in _OURS or name in _OTHERS
    }
    result = found.model_dump(mode="json", by_alias=True, exclude_none=True)
    status = {**result, **others, "image": image_of(document)}
    _end(status)
    _say(status, "True", SCANNED, f"scanned by {found.scanner}", at)
    return status


def failed(document: Document, fault: Fault, retry_at: float, at: float) -> Status:
    """Write that the try has failed, which `claimed` has counted; `retry_at` is when the next may be."""
    status = _base(document)
    status.pop("claim", None)
    status["retryAt"] = format_time(retry_at)
    status["phase"] = _resting(document, status)
    _say(status, "False", fault.reason, fault.message, at)
    return status


def unreadable(document: Document, fault: str, at: float) -> Status:
    """Write that the spec cannot be read."""
    status = {**_mapping(document.get("status")), "phase": "Failed"}
    status.pop("claim", None)
    _say(status, "False", "Unreadable", fault, at)
    return status


def attempts_of(document: Document) -> int:
    """Count the tries in a row without a result, one under way among them."""
    found = _base(document).get("attempts")
    return found if isinstance(found, int) and found > 0 else 0


def _end(status: Status) -> None:
    for field in _TRY:
        status.pop(field, None)


def _base(document: Document) -> Status:
    """Give what stays of the status whatever is written."""
    status, image = _mapping(document.get("status")), image_of(document)
    # Readable first: what it says may be of any type.
    if not _readable(document) or status.get("image") not in {None, image}:
        status = {"lastUsedAt": status["lastUsedAt"]} if _is_time(status.get("lastUsedAt")) else {}
    return {**status, "image": image} if image else dict(status)


def _resting(document: Document, status: Status) -> str:
    """Give the phase of an image that nobody scans."""
    if _result_in_force({**document, "status": {**status, "phase": "Scanning"}}) or _bare(document):
        return "Complete"
    return "Failed" if status.get("attempts") else "Pending"


def _bare(document: Document) -> bool:
    """Tell whether admission takes what is there for a result only because the phase says so: it lists no checks."""
    scanning = {**_mapping(document.get("status")), "phase": "Scanning"}
    return _result_in_force(document) and not _result_in_force({**document, "status": scanning})


def _result_in_force(document: Document) -> bool:
    try:
        return compact(read_scan_document(document)).digest is not None
    except InvalidDocument:
        return False


def _readable(document: Document) -> bool:
    try:
        read_scan_document(document)
    except InvalidDocument:
        return False
    return True


def _is_time(value: Any) -> bool:
    try:
        parse_time(value if isinstance(value, str) else "")
    except ValueError:
        return False
    return True


def _say(status: Status, holds: str, reason: str, message: str, at: float) -> None:
    """Put our condition first, where admission finds the words for people."""
    found = status.get("conditions")
    conditions = [_mapping(one) for one in found] if isinstance(found, list) else []
    before = next((one for one in conditions if one.get("type") == SCANNED), {})
    same = before.get("status") == holds and before.get("lastTransitionTime")
    status["conditions"] = [
        {
            "type": SCANNED,
            "status": holds,
            "reason": reason,
            "message": message,
            "lastTransitionTime": before["lastTransitionTime"] if same else format_time(at),
        },
        *(one for one in conditions if one.get("type") != SCANNED),
    ]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
