"""[scans] ImageScans get their results: none waits for long, and those that fail say why."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from webhook.core.words import cut
from webhook.doctor.check import Check
from webhook.doctor.finding import Finding, ok, warning
from webhook.doctor.place import Place
from webhook.doctor.reading import mapping, name_of, objects, text, time
from webhook.doctor.site import Site
from webhook.kube import IMAGE_SCANS, Document

# A scan with a start takes a minute or two, and failures are tried again within minutes.
WAITING_SECONDS = 600.0
_SHOWN = 5
_CONDITION = "Scanned"  # the one that the controller writes (webhook/controller/status.py)


@dataclass(slots=True)
class Tally:
    """What is kept of all ImageScans: counts, and the few that are told of."""

    verdicts: Counter[str] = field(default_factory=Counter)
    waiting: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)

    def add(self, document: Document, now: float) -> None:
        """Count one more; `now` in seconds since the epoch."""
        phase = text(document, "status", "phase") or "Pending"
        name = name_of(document)
        self.verdicts[text(document, "status", "verdict") or "none yet"] += 1
        said = objects(document, "status", "conditions")
        # of several, the controller's own
        told = min(said, key=lambda one: one.get("type") != _CONDITION, default={})
        if phase == "Failed" or (told.get("type"), told.get("status")) == (_CONDITION, "False"):
            kept = "" if phase == "Failed" else ", and the result of before holds"
            self.failed.append((name, (text(told, "message") or "no reason is given") + kept))
        elif phase != "Complete" and now - _since(document) > WAITING_SECONDS:
            self.waiting.append(name)


def _since(document: Document) -> float:
    """Give since when nobody has done anything about it, and nothing kept anybody from it."""
    status = mapping(document, "status")
    return max(
        time(document, "metadata", "creationTimestamp"),
        time(status, "scannedAt"),
        time(status, "claim", "until"),
        time(status, "retryAt"),
    )


def tally(documents: Iterable[Document], now: float) -> Tally:
    """Go through ImageScans."""
    counted = Tally()
    for document in documents:
        counted.add(document, now)
    return counted


def judge(counted: Tally, place: Place) -> Iterator[Finding]:
    """Judge the counts."""
    verdicts = ", ".join(f"{count} {word}" for word, count in sorted(counted.verdicts.items()))
    yield ok(f"ImageScans: {verdicts or 0}")
    if counted.waiting:
        what = f"{len(counted.waiting)} wait for more than 10 minutes: {_some(counted.waiting)}"
        cure = f"{place.here} logs deployment/nbgate-controller --tail=50"
        yield warning(what, "imagescans", cure)
    for name, why in counted.failed[:_SHOWN]:
        what = f"failed: {cut(why, 300)}"
        cure = f"{place.kubectl} get imagescan {name} -o yaml"
        yield warning(what, f"imagescan/{cut(name, 100)}", cure)
    if len(counted.failed) > _SHOWN:
        what = f"{len(counted.failed) - _SHOWN} more have failed"
        yield warning(what, "imagescans", f"{place.kubectl} get imagescans | grep Failed")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return cut(", ".join(names[:_SHOWN]), 300) + more


def _look(site: Site) -> Iterator[Finding]:
    # as they come, and out of the API server's cache: there may be 50,000
    pages = site.kube.cached(IMAGE_SCANS)
    yield from judge(tally((item for page in pages for item in page.items), site.now), site.place)


CHECK = Check(
    id="scans",
    why="A notebook whose image has no result does not start.",
    look=_look,
)
