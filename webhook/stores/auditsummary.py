"""What an audit log comes to: how often each rule did not hold, for how many notebooks and images, and when."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from webhook.core.document import format_time
from webhook.stores.auditlog import Entry, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonSummary:
    """One reason of all entries.

    Attributes:
        count: the requests that it concerned, with those that were counted instead of recorded.
        notebooks: how many different ones.
        images: how many different ones; a digest beside a tag makes no difference, for nbgate adds it.
        first: the time of the first entry, as RFC 3339 in UTC.
        last: the time of the last entry.
    """

    requirement: str
    action: str
    count: int
    notebooks: int
    images: int
    first: str
    last: str


@dataclass(slots=True)
class _Tally:
    count: int = 0
    notebooks: set[tuple[str, str]] = field(default_factory=set)
    images: set[str] = field(default_factory=set)
    first: float = float("inf")
    last: float = float("-inf")

    def add(self, entry: Entry) -> None:
        self.count += entry.count
        self.notebooks.add((entry.namespace, entry.notebook))
        self.images.add(_image(entry))
        self.first = min(self.first, entry.time)
        self.last = max(self.last, entry.time)


def summarise(entries: Iterable[Entry], only: Collection[str] = ()) -> list[ReasonSummary]:
    """Sum up entries by rule and action, the most frequent first; `only` leaves out other rules, empty none.

    A rule that several containers of one object break counts once for it.
    """
    tallies: dict[Reason, _Tally] = {}
    for entry in entries:
        for reason in dict.fromkeys(entry.reasons):
            if not only or reason.requirement in only:
                tallies.setdefault(reason, _Tally()).add(entry)
    summaries = [_summary(reason, tally) for reason, tally in tallies.items()]
    return sorted(summaries, key=lambda s: (-s.count, s.requirement, s.action))


def _summary(reason: Reason, tally: _Tally) -> ReasonSummary:
    return ReasonSummary(
        requirement=reason.requirement,
        action=reason.action,
        count=tally.count,
        notebooks=len(tally.notebooks),
        images=len(tally.images),
        first=format_time(tally.first),
        last=format_time(tally.last),
    )


def _image(entry: Entry) -> str:
    """Name the image without the digest beside a tag; one that is no reference by what was written."""
    name, _, _ = entry.canonical.partition("@")
    tagged = ":" in name.rpartition("/")[2]
    return (name if tagged else entry.canonical) or entry.image
