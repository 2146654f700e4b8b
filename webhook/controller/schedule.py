"""When an ImageScan is due, and why: pure.

    no result                       at once; after a failure not before its `retryAt`
    the spec names another image    at once: what was found is about the old one
    a tag, resolved long ago        a tenth of `spec.interval` before that is over, or later in that tenth; once a
                                    minute at most, whatever the interval says
    a result that grows old         after 70 to 85 % of the time from which the policy calls it stale
    claimed                         when the claim has not changed before our eyes for as long as claims last

The tenths are spread by name, the same in every replica: ten thousand tags that were resolved in one second, by an
import or after an outage, are asked for over hours the next time.

Clocks of different machines are compared where it costs little: one that is an hour ahead resolves and rescans an hour
early. For claims they are not, for that would cost double scans; see docs/adr/0017.
"""

from dataclasses import dataclass
from enum import IntEnum
from math import inf
from zlib import crc32

from webhook.controller.record import Record

_RESOLVE_FROM, _RESOLVE_SPREAD = 0.9, 0.1
_RESCAN_FROM, _RESCAN_SPREAD = 0.7, 0.15
# Seconds. An interval of 1s is a legal document, and would have us ask the registry all day.
_SHORTEST_INTERVAL = 60.0
STALE_AFTER = 168 * 3600.0  # seconds; what the default policy says


class Reason(IntEnum):
    """Why; what comes first is more urgent."""

    REQUESTED = 0  # a person waits for the first result
    NEW = 1
    RETRY = 2
    RESOLVE = 3
    RESCAN = 4
    UNREADABLE = 5  # nothing is scanned: the object is told why


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the schedule rests on, in seconds.

    Attributes:
        stale_after: the age from which the policy calls a result stale.
        claim: how long a claim lasts that is not renewed.
    """

    stale_after: float = STALE_AFTER
    claim: float = 60.0


@dataclass(frozen=True, slots=True)
class Due:
    """When and why.

    Attributes:
        at: seconds since the epoch; infinite for never.
        since: how long it has waited is counted from here.
    """

    at: float
    reason: Reason
    since: float


def due(record: Record, terms: Terms) -> Due:
    """Tell when somebody is to do something about an image."""
    wanted = _unclaimed(record, terms)
    if not record.claim:
        return wanted
    free = record.claim_seen + terms.claim
    return Due(max(wanted.at, free), wanted.reason, wanted.since)


def wants_scan(record: Record, terms: Terms, now: float) -> bool:
    """Tell whether the image is to be scanned, whatever its tag means now."""
    return not record.known or now >= _rescan_at(record, terms)


def _unclaimed(record: Record, terms: Terms) -> Due:
    if record.fault:
        return Due(inf if record.told else 0.0, Reason.UNREADABLE, 0.0)
    if not record.known:
        return _without_result(record)
    resolve, rescan = _resolve_at(record), _rescan_at(record, terms)
    at = min(resolve, rescan)
    if record.attempts:
        at = max(at, record.retry_at)
        return Due(at, Reason.RETRY, at)
    return Due(at, Reason.RESCAN if rescan <= resolve else Reason.RESOLVE, at)


def _without_result(record: Record) -> Due:
    if record.attempts:
        return Due(record.retry_at, Reason.RETRY, record.retry_at)
    reason = Reason.REQUESTED if record.requested else Reason.NEW
    # Not from its creation on: that is the API server's clock.
    return Due(0.0, reason, record.created_at)


def _resolve_at(record: Record) -> float:
    if not record.moves:
        return inf
    share = _RESOLVE_FROM + _RESOLVE_SPREAD * spread(record.name)
    return record.resolved_at + max(share * record.interval, _SHORTEST_INTERVAL)


def _rescan_at(record: Record, terms: Terms) -> float:
    # As admission counts the age: of a tag, that of its resolution too (webhook.core.verdict, Finding.stale).
    oldest = min(record.scanned_at, record.resolved_at) if record.moves else record.scanned_at
    share = _RESCAN_FROM + _RESCAN_SPREAD * spread(record.name)
    return oldest + share * terms.stale_after


def spread(name: str) -> float:
    """Give a number from 0 up to 1, always the same for a name, and evenly over names."""
    return crc32(name.encode()) / 2**32
