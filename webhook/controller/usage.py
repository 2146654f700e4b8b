"""When an image was last used, and the end of results that nobody needs.

Every ten minutes the images in use are gathered, from notebooks' pods, from StatefulSets and from Notebooks: one that
is stopped needs its result too, to start again, and one that is refused, to be refused. `status.lastUsedAt` says when
an image was seen in use, to a day: a write a day for each result, not one each time.

Only what admission asked for (label `nbgate.dev/requested-by: admission`) is ever deleted; what a person created stays.
Nothing is lost by a deletion: a notebook with the image asks for a new scan. So what was tried for an hour goes after a
day, and what was in use for more than a day stays for weeks: whoever names one image after the other fills nothing.

What it takes, as the verbs of a ClusterRole:

    pods                            list
    statefulsets.apps               list
    notebooks.kubeflow.org          list
    imagescans.nbgate.dev           list, delete
    imagescans.nbgate.dev/status    update
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from math import inf
from typing import Any, Literal

from webhook.controller.inuse import Images, images_of_pod, images_of_template, together, uses
from webhook.controller.listing import listed
from webhook.controller.mandate import Mandate, unlimited
from webhook.controller.pace import Pace
from webhook.core.document import InvalidDocument, format_time, parse_time
from webhook.core.identity import NOTEBOOK_LABEL
from webhook.core.scan import ScanDocument, read_scan_document
from webhook.kube import IMAGE_SCANS, NOTEBOOKS, PODS, STATEFUL_SETS, Document, Kube
from webhook.kubeerrors import Conflict, NotFound

REQUESTED_BY = "nbgate.dev/requested-by"
ADMISSION = "admission"
DAY = 86_400.0
Fate = Literal["keep", "mark", "delete"]
_MOST = 500  # writes of one run: 25 seconds at the usual pace; the next run goes on


def fate(
    scan: ScanDocument, created: float, images: Images, now: float, prune_after: float
) -> Fate:
    """Decide what becomes of an ImageScan; times in seconds since the epoch, `prune_after` in seconds, maybe infinite.

    `mark` writes that it is in use. One that is being scanned is let be: its worker writes it. What nobody uses goes
    after `prune_after`; but after a day where there is no result of it, as when there is no such image, or nobody ever
    used it, and after a day or two where that was only on the day of its creation. With an infinite `prune_after` only
    what has no result goes.
    """
    status = scan.status
    if status.claim is not None and parse_time(status.claim.until) > now:
        return "keep"
    used = parse_time(status.last_used_at) if status.last_used_at else -inf
    if uses(images, scan):
        return "mark" if status.digest is not None and now - used >= DAY else "keep"
    if (scan.metadata.labels or {}).get(REQUESTED_BY) != ADMISSION:
        return "keep"
    patience = _patience(scan, used - created, prune_after)
    return "delete" if now - max(used, created) >= patience else "keep"


def _patience(scan: ScanDocument, service: float, prune_after: float) -> float:
    """Say for how long one is kept that was last seen in use `service` seconds after its creation; -inf for never."""
    if scan.status.digest is None:
        return min(DAY, prune_after)
    if service >= DAY or prune_after == inf:
        return prune_after
    # To a day is how exactly the last use is known.
    return min(2 * DAY if service > -inf else DAY, prune_after)


class Usage:
    """The duty that does both.

    Args:
        kube: the cluster.
        prune_after: seconds without use after which a result goes; None: never.
        mandate: asked before each write.
        pace: of writes.
    """

    name = "usage"
    every = 600.0

    def __init__(
        self,
        kube: Kube,
        *,
        prune_after: float | None,
        mandate: Mandate | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._kube = kube
        self._prune_after = inf if prune_after is None else prune_after
        self._mandate = mandate or unlimited()
        self._pace = pace or Pace()

    def run(self, now: float) -> None:
        """Write what is in use, and delete what was not for long. Raises KubeError."""
        # First, and whole: whatever cannot be listed might be in use.
        images = self._images()
        left = _MOST
        for document, decided in self._decided(images, now):
            self._pace.wait()
            self._mandate.insist()
            try:
                self._write(document, decided, now)
            except (Conflict, NotFound):
                continue  # somebody was faster: it is looked at again next time
            left -= 1
            if not left:
                return

    def _images(self) -> Images:
        gathered = [
            *listed(self._kube, PODS, images_of_pod, labels=NOTEBOOK_LABEL),
            *listed(self._kube, STATEFUL_SETS, images_of_template),
        ]
        # Kubeflow may not be installed, or not yet.
        with suppress(NotFound):
            gathered += listed(self._kube, NOTEBOOKS, images_of_template)
        return together(gathered)

    def _decided(self, images: Images, now: float) -> Iterator[tuple[Document, Fate]]:
        for page in self._kube.pages(IMAGE_SCANS):
            for document in page.items:
                decided = _fate_of(document, images, now, self._prune_after)
                if decided != "keep":
                    yield document, decided

    def _write(self, document: Document, decided: Fate, now: float) -> None:
        name = document["metadata"]["name"]
        if decided == "delete":
            self._kube.delete(IMAGE_SCANS, name, None, grace=0, seen=document)
        else:
            status = {**document.get("status", {}), "lastUsedAt": format_time(now)}
            self._kube.replace(IMAGE_SCANS, {**document, "status": status}, part="status")


def _fate_of(document: Mapping[str, Any], images: Images, now: float, prune_after: float) -> Fate:
    """Decide on a document; one that cannot be read is a person's to look at."""
    try:
        scan = read_scan_document(document)
        created = parse_time(document["metadata"]["creationTimestamp"])
    except (InvalidDocument, ValueError):
        return "keep"
    return fate(scan, created, images, now, prune_after)
