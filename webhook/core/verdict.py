"""The index of scans, immutable, and what it knows about a reference.

Verdicts are keyed by digest; a tag is only an alias, `(canonical reference) -> digest @ resolvedAt`. A reference with a
digest is judged by its digest alone. Index and manifest digests both find the result.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from webhook.core.reference import Reference
from webhook.core.scan import Scan, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
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
class ScanIndex:
    """All scans, by digest and by tag. Build it with `build_index`; nothing in it ever changes."""

    _by_digest: Mapping[bytes, Scan] = field(default_factory=dict)
    _by_tag: Mapping[str, Scan] = field(default_factory=dict)
    _pending: Mapping[str, Scan] = field(default_factory=dict)
    # documents by verdict; one without a result counts as Unknown
    counts: Mapping[Verdict, int] = field(default_factory=dict)

    def find(self, reference: Reference) -> Finding:
        """Look up what is known about a reference; two dictionary look-ups at most."""
        if reference.digest is not None:
            scan = self._by_digest.get(digest_key(reference.digest))
            if scan is None:
                return self._waiting(reference)
            alias = self._vouching(reference)
            return Finding(
                scan=scan,
                digest=reference.digest,
                resolved_at=alias.resolved_at if alias else None,
                tag_vouched=alias is not None,
            )
        alias = self._by_tag.get(reference.canonical)
        if alias is None or alias.digest is None:
            return self._waiting(reference)
        scan = self._by_digest[digest_key(alias.digest)]
        return Finding(scan=scan, digest=alias.digest, resolved_at=alias.resolved_at)

    def _vouching(self, reference: Reference) -> Scan | None:
        """Find the scan that resolved the reference's tag to its digest, as for every pod that nbgate pinned."""
        alias = self._by_tag.get(reference.tagged or "")
        if alias is None or reference.digest not in (alias.digest, *alias.manifests):
            return None
        return alias

    def _waiting(self, reference: Reference) -> Finding:
        return Finding(pending=self._pending.get(reference.canonical), digest=reference.digest)


def digest_key(digest: str) -> bytes:
    """Pack a digest into its raw bytes: half the memory of its text, and lengths keep the algorithms apart."""
    return bytes.fromhex(digest.partition(":")[2])


def build_index(scans: Iterable[Scan]) -> ScanIndex:
    """Index scans: for a digest the newest `scannedAt` wins, for a tag the newest `resolvedAt`.

    The order of the documents never matters: a tie goes to the one that violates, else to the greater one in an order
    of everything that they say.
    """
    by_digest: dict[bytes, Scan] = {}
    by_tag: dict[str, Scan] = {}
    pending: dict[str, Scan] = {}
    counts: dict[Verdict, int] = {"Conforms": 0, "Violates": 0, "Unknown": 0}
    for scan in scans:
        counts[scan.verdict] += 1
        if scan.digest is None:
            held = pending.get(scan.reference)
            if held is None or _wins(scan, held, 0.0):
                pending[scan.reference] = scan
            continue
        for digest in (scan.digest, *scan.manifests):
            key = digest_key(digest)
            held = by_digest.get(key)
            if held is None or _wins(scan, held, scan.scanned_at - held.scanned_at):
                by_digest[key] = scan
        if scan.is_tag:
            held = by_tag.get(scan.reference)
            if held is None or _wins(scan, held, scan.resolved_at - held.resolved_at):
                by_tag[scan.reference] = scan
    return ScanIndex(by_digest, by_tag, pending, counts)


def _wins(scan: Scan, held: Scan, newer_by: float) -> bool:
    if newer_by:
        return newer_by > 0
    return _rank(scan) > _rank(held)


def _rank(scan: Scan) -> tuple[bool, str, str]:
    return scan.verdict == "Violates", scan.name, repr(scan)
