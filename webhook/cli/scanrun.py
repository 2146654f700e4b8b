"""Scans of many images from the first to what is printed at the end, and the exit code that sums them up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from webhook.cli.exits import COULD_NOT, DENIED, OK, CommandError
from webhook.cli.output import Format, emit
from webhook.cli.saying import say
from webhook.cli.scanjobs import Crew, Ended, Watcher
from webhook.cli.scanprogress import watching
from webhook.cli.scanstore import Store
from webhook.cli.scantable import Row, print_scans
from webhook.cli.scanwanted import Wanted
from webhook.scanner.progress import Progress
from webhook.scanner.scanning import Scanned

Scan = Callable[[Wanted, Progress], Scanned]

# As shells have it for a program that a signal ends; main() gives 130 for Ctrl-C too.
_SIGNALLED = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for.

    Attributes:
        store: where results are kept; None to print them only.
        listed: results are printed as a List, however many there are.
        probed: images are started, so that all can be decided.
    """

    images: tuple[Wanted, ...]
    jobs: int
    store: Store | None
    output: Format
    listed: bool
    probed: bool


@dataclass(slots=True)
class _Tally:
    """What has come of it so far; `scans` by the image's place on the command line."""

    scans: dict[int, Scanned] = field(default_factory=dict)
    failed: int = 0
    unsaved: int = 0

    def verdicts(self, verdict: str) -> int:
        return sum(scan.document.status.verdict == verdict for scan in self.scans.values())


def run(request: Request, scan: Scan) -> int:
    """Scan, keep each result as soon as it is there, print them in the order asked for; give the exit code."""
    tally = _Tally()
    with watching(len(request.images)) as watcher:
        crew = Crew(scan, watcher)
        for ended in crew.run(request.images, request.jobs):
            _take(ended, request, tally, watcher)
    scans = [tally.scans[place] for place in sorted(tally.scans)]
    rows = [_row(request.images[place], tally.scans[place]) for place in sorted(tally.scans)]
    if scans or request.listed:
        emit(
            _data(scans, listed=request.listed), request.output, lambda out: print_scans(out, rows)
        )
    for line in _summary(request, tally, stopped=crew.stopped_by is not None):
        say(line)
    return _exit_code(tally, crew.stopped_by)


def _take(ended: Ended[Scanned], request: Request, tally: _Tally, watcher: Watcher) -> None:
    if ended.result is None:
        tally.failed += 1
        watcher.say(f"{ended.wanted.shown}: {_without_place(ended)}")
        return
    tally.scans[request.images.index(ended.wanted)] = ended.result
    if request.store is not None:
        problem = _save(request.store, ended.result)
        if problem:
            tally.unsaved += 1
            watcher.say(f"{ended.wanted.shown} was not saved: {problem}")


def _row(wanted: Wanted, scan: Scanned) -> Row:
    """Call an image as the result does, but one of this machine by its place there."""
    return Row(wanted.shown if wanted.is_local else scan.document.spec.image, scan)


def _without_place(ended: Ended[Scanned]) -> str:
    """Leave out of a problem the place that it begins with: the image is named in front of it, with its tag."""
    for place in (ended.wanted.repository, ended.wanted.shown):
        if ended.problem.startswith(f"{place}: "):
            return ended.problem[len(place) + 2 :]
    return ended.problem


def _save(store: Store, scan: Scanned) -> str:
    """Keep a result; give why it could not be."""
    if scan.savable is not None:
        return scan.savable
    try:
        store.save(scan.document)
    except CommandError as error:
        return str(error)
    return ""


def _data(scans: Sequence[Scanned], *, listed: bool) -> dict[str, Any]:
    """Write results as documents that `nbgate scans import` takes: one, or a List as Kubernetes has it."""
    documents = [
        scan.document.model_dump(mode="json", by_alias=True, exclude_none=True) for scan in scans
    ]
    return {"apiVersion": "v1", "kind": "List", "items": documents} if listed else documents[0]


def _summary(request: Request, tally: _Tally, *, stopped: bool) -> list[str]:
    """Say what nobody should overlook among many results."""
    total, done = len(request.images), len(tally.scans)
    lines = []
    if request.store is not None and done > tally.unsaved:
        lines.append(f"saved {_results(done - tally.unsaved)} in {request.store.place}")
    unknown = tally.verdicts("Unknown")
    if unknown:
        which = f"{unknown} of {total} are" if total > 1 else "it is"
        cure = (
            "" if request.probed else "; --probe podman or --probe cluster starts images and looks"
        )
        lines.append(f"{which} not decided, for a check is unknown{cure}")
    if tally.failed and total > 1:
        lines.append(f"{tally.failed} of {total} could not be scanned, for the reasons above")
    if stopped:
        lines.append(f"stopped: {total - done - tally.failed} of {total} not scanned")
    return lines


def _results(count: int) -> str:
    return f"{count} result{'' if count == 1 else 's'}"


def _exit_code(tally: _Tally, stopped_by: int | None) -> int:
    if stopped_by is not None:
        return _SIGNALLED + stopped_by
    if tally.failed or tally.unsaved:
        return COULD_NOT
    return DENIED if tally.verdicts("Violates") else OK
