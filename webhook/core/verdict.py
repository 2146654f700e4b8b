"""The index of scans, immutable, and what it knows about a reference.

Verdicts are keyed by digest; a tag is only an alias, `(canonical reference) -> digest @ resolvedAt`. A reference with a
digest is judged by its digest alone. Index and manifest digests both find the result.

Several scans may claim one digest or tag. An index knows which wins, and beside it remembers the others, so that a few
changes make a new index without a look at all scans: what did not change is shared, and nothing ever changes in place.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import NamedTuple

from webhook.core.reference import Reference
from webhook.core.scan import Scan, Verdict


class Finding(NamedTuple):
    """What is known about one reference.

    Attributes:
        scan: the newest result for its digest; None where there is none.
        digest: what the reference names, or what its tag was resolved to; None where that is not known.
        resolved_at: when the tag was last seen to mean this digest, in seconds since the epoch; None where only a
            digest is named, or a tag beside it that is not vouched for.
        tag_vouched: the reference names a tag beside its digest, and that tag was resolved to that digest.
        pending: a document without a result, which says how far the scan has come; None where there is none.
    """

    scan: Scan | None = None
    digest: str | None = None
    resolved_at: float | None = None
    tag_vouched: bool = False
    pending: Scan | None = None

    def stale(self, now: float, after: float) -> bool:
        """Tell whether the result, or the tag's resolution, is older than `after` seconds."""
        if self.scan is None:
            return False
        oldest = self.scan.scanned_at
        if self.resolved_at is not None:
            oldest = min(oldest, self.resolved_at)
        return now - oldest > after


@dataclass(frozen=True, slots=True)
class _Claims:
    """What scans claim: by key the scan that wins, and all that claim the key where they are several."""

    winners: Mapping[str, Scan] = field(default_factory=dict)
    rivals: Mapping[str, frozenset[Scan]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScanIndex:
    """All scans, by digest and by tag. Build it with `build_index`; nothing in it ever changes."""

    _digests: _Claims = _Claims()
    _tags: _Claims = _Claims()
    _pending: _Claims = _Claims()
    # documents by verdict; one without a result counts as Unknown
    counts: Mapping[Verdict, int] = field(default_factory=dict)

    def find(self, reference: Reference) -> Finding:
        """Look up what is known about a reference; two dictionary look-ups at most."""
        if reference.digest is not None:
            scan = self._digests.winners.get(reference.digest)
            if scan is None:
                return self._waiting(reference)
            alias = self._vouching(reference)
            return Finding(
                scan=scan,
                digest=reference.digest,
                resolved_at=alias.resolved_at if alias else None,
                tag_vouched=alias is not None,
            )
        alias = self._tags.winners.get(reference.canonical)
        if alias is None or alias.digest is None:
            return self._waiting(reference)
        scan = self._digests.winners[alias.digest]
        return Finding(scan=scan, digest=alias.digest, resolved_at=alias.resolved_at)

    def _vouching(self, reference: Reference) -> Scan | None:
        """Find the scan that resolved the reference's tag to its digest, as for every pod that nbgate pinned."""
        alias = self._tags.winners.get(reference.tagged or "")
        if alias is None or reference.digest not in (alias.digest, *alias.manifests):
            return None
        return alias

    def _waiting(self, reference: Reference) -> Finding:
        found = self._pending.winners.get(reference.canonical)
        return Finding(pending=found, digest=reference.digest)

    @property
    def waiting(self) -> int:
        """How many images have a document without a result."""
        return len(self._pending.winners)

    def scans(self) -> Iterator[Scan]:
        """Give every scan once, in no particular order."""
        for key, winner in self._digests.winners.items():
            rivals = self._digests.rivals.get(key, (winner,))
            yield from (scan for scan in rivals if scan.digest == key)
        for key, winner in self._pending.winners.items():
            yield from self._pending.rivals.get(key, (winner,))

    def updated(self, gone: Iterable[Scan], come: Iterable[Scan]) -> "ScanIndex":
        """Make the index without the scans that are gone and with those that have come.

        What is gone must be in it, once: so an index that is to be updated has no two equal scans. The work is to copy
        three mappings, and a little for each change.
        """
        gone, come = tuple(gone), tuple(come)
        counts: dict[Verdict, int] = {"Conforms": 0, "Violates": 0, "Unknown": 0, **self.counts}
        for scan in gone:
            counts[scan.verdict] -= 1
        for scan in come:
            counts[scan.verdict] += 1
        return ScanIndex(
            _update(self._digests, gone, come, _digests_of, _scanned_at),
            _update(self._tags, gone, come, _tags_of, _resolved_at),
            _update(self._pending, gone, come, _waiting_of, _no_time),
            counts,
        )


def build_index(scans: Iterable[Scan]) -> ScanIndex:
    """Index scans: for a digest the newest `scannedAt` wins, for a tag the newest `resolvedAt`.

    The order of the documents never matters: a tie goes to the one that violates, else to the greater one in an order
    of everything that they say.
    """
    return ScanIndex().updated((), scans)


def _digests_of(scan: Scan) -> Iterable[str]:
    if scan.digest is None:
        return ()
    return {scan.digest, *scan.manifests} if scan.manifests else (scan.digest,)


def _tags_of(scan: Scan) -> Iterable[str]:
    return (scan.reference,) if scan.is_tag and scan.digest is not None else ()


def _waiting_of(scan: Scan) -> Iterable[str]:
    return (scan.reference,) if scan.digest is None else ()


def _scanned_at(scan: Scan) -> float:
    return scan.scanned_at


def _resolved_at(scan: Scan) -> float:
    return scan.resolved_at


def _no_time(_: Scan) -> float:
    return 0.0


def _update(
    claims: _Claims,
    gone: Iterable[Scan],
    come: Iterable[Scan],
    keys_of: Callable[[Scan], Iterable[str]],
    time_of: Callable[[Scan], float],
) -> _Claims:
    winners, contested = dict(claims.winners), dict[str, set[Scan]]()
    for scan in gone:
        for key in keys_of(scan):
            contested.setdefault(key, set(claims.rivals.get(key, ()))).discard(scan)
    for scan in come:
        for key in keys_of(scan):
            held = winners.setdefault(key, scan)
            if held is not scan or key in contested:
                several = contested.get(key)
                if several is None:
                    several = contested[key] = set(claims.rivals.get(key, (held,)))
                several.add(scan)
    rivals = dict(claims.rivals)
    for key, several in contested.items():
        _settle(winners, rivals, key, several, time_of)
    return _Claims(winners, rivals)


def _settle(
    winners: dict[str, Scan],
    rivals: dict[str, frozenset[Scan]],
    key: str,
    several: set[Scan],
    time_of: Callable[[Scan], float],
) -> None:
    """Say who wins a key that several scans claim, or claimed before."""
    rivals.pop(key, None)
    if not several:
        del winners[key]
        return
    winners[key] = reduce(lambda held, scan: _better(held, scan, time_of), several)
    if len(several) > 1:
        rivals[key] = frozenset(several)


def _better(held: Scan, scan: Scan, time_of: Callable[[Scan], float]) -> Scan:
    newer_by = time_of(scan) - time_of(held)
    if newer_by:
        return scan if newer_by > 0 else held
    return scan if _rank(scan) > _rank(held) else held


def _rank(scan: Scan) -> tuple[bool, str, str]:
    return scan.verdict == "Violates", scan.name, repr(scan)
