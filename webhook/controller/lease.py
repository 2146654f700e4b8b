"""Who leads, by a Lease: pure decisions; what asks the API server is in `leading`.

The rules are those of client-go (tools/leaderelection), and the Lease says what its users expect there. Clocks of
different machines are never compared: each candidate measures with its own monotonic clock how long the record has not
changed before its eyes.

Why no two lead. The holder leads for `deadline` seconds from before it sent its last write that succeeded. Another
takes the Lease only `duration` seconds after it has received a record that has not changed since, so that write had
reached the API server before it began to count, and of two who take it at once one meets a conflict. Thus, as long as
no clock runs more than duration/deadline (1.5) times as fast as another, the holder's time is over first. A machine
that stands still with its clock is beyond this, as it is for client-go: therefore every duty's writes are such that
doing one twice does no harm.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil, inf
from typing import Any

# What others may promise: anything else was written by nobody who knows the rules, and is read as our own duration.
_LONGEST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things take, in seconds; client-go's own numbers.

    Attributes:
        duration: from when on a record that does not change is nobody's.
        deadline: how long the holder leads after a write; well below the duration.
        retry: between two looks at the Lease.
    """

    duration: float = 15.0
    deadline: float = 10.0
    retry: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a Lease says; two that are equal are the same write.

    Attributes:
        holder: empty for nobody.
        duration: what the holder promises, in seconds; None where that is nothing to go by.
        acquired, transitions: as they stand there, to be handed on.
    """

    version: str
    holder: str = ""
    duration: float | None = None
    acquired: str = ""
    transitions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What one who wants to lead knows; times are its own clock's.

    Attributes:
        identity: no other process's, not even that of an earlier one in the same pod.
        record: what was last seen; None before the first look.
        since: when it was first seen so.
        until: before that time it leads.
    """

    identity: str
    timing: Timing = Timing()
    record: Record | None = None
    since: float = -inf
    until: float = -inf


def read_record(document: Mapping[str, Any]) -> Record:
    """Read a Lease (coordination.k8s.io/v1); what has a wrong type counts as absent."""
    found, meta = _mapping(document.get("spec")), _mapping(document.get("metadata"))
    holder, duration = found.get("holderIdentity"), found.get("leaseDurationSeconds")
    acquired, transitions = found.get("acquireTime"), found.get("leaseTransitions")
    return Record(
        version=str(meta.get("resourceVersion", "")),
        holder=holder if isinstance(holder, str) else "",
        duration=duration if isinstance(duration, int) and 0 < duration <= _LONGEST else None,
        acquired=acquired if isinstance(acquired, str) else "",
        transitions=transitions if isinstance(transitions, int) and transitions >= 0 else 0,
    )


def saw(candidate: Candidate, record: Record, now: float) -> Candidate:
    """Take note of a record that was received at `now`."""
    lost = record.holder != candidate.identity
    until = -inf if lost else candidate.until
    since = candidate.since if record == candidate.record else now
    return replace(candidate, record=record, since=since, until=until)


def may_write(candidate: Candidate, now: float) -> bool:
    """Tell whether to write the Lease: to renew our own, or to take what is nobody's.

    One that names us is ours although our time is over: nobody else took it, and nobody else has our identity.
    """
    record = candidate.record
    if record is None:
        return False
    if record.holder in ("", candidate.identity):
        return True
    return now - candidate.since >= (record.duration or candidate.timing.duration)


def wrote(candidate: Candidate, record: Record, *, sent: float, now: float) -> Candidate:
    """Take note that our write succeeded, which was sent at `sent` and acknowledged at `now` with this record."""
    return replace(candidate, record=record, since=now, until=sent + candidate.timing.deadline)


def spec_of_ours(candidate: Candidate, wall: float) -> dict[str, Any]:
    """Make the spec by which the candidate holds the Lease; `wall` is for people, in seconds since the epoch."""
    record = candidate.record or Record(version="")
    renewing = record.holder == candidate.identity
    return {
        "holderIdentity": candidate.identity,
        # The API server takes whole seconds; more than ours is the safe side.
        "leaseDurationSeconds": ceil(candidate.timing.duration),
        "acquireTime": record.acquired if renewing and record.acquired else _micro_time(wall),
        "renewTime": _micro_time(wall),
        "leaseTransitions": record.transitions + (0 if renewing else 1),
    }


def spec_of_nobodys(candidate: Candidate, wall: float) -> dict[str, Any]:
    """Make the spec by which the candidate gives the Lease up, so that the next need not wait."""
    return {**spec_of_ours(candidate, wall), "holderIdentity": "", "leaseDurationSeconds": 1}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _micro_time(seconds: float) -> str:
    """Write a time as metav1.MicroTime, which takes six digits of a second and no other number of them."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
