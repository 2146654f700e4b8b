"""All ImageScans of the cluster, as an index."""

import time
from collections.abc import Callable, Mapping

from webhook.core.scan import Scan
from webhook.core.scanreading import read_scan
from webhook.core.verdict import ScanIndex, build_index
from webhook.kube import IMAGE_SCANS
from webhook.stores.clustersource import ClusterSource
from webhook.stores.listwatch import Lister
from webhook.stores.mirror import Change
from webhook.stores.outstanding import Outstanding


class ClusterScans(ClusterSource[Scan]):
    """Every ImageScan; see ClusterSource. `report` is told why they cannot be followed, and when they can again.

    Attributes:
        current: the index; a change makes another, which shares all that did not change.
    """

    def __init__(
        self,
        kube: Lister,
        *,
        clock: Callable[[], float] = time.monotonic,
        report: Callable[[str], object],
    ) -> None:
        super().__init__(kube, IMAGE_SCANS, read_scan, clock=clock, report=report)
        self.current: ScanIndex = build_index(())

    def restore(self, scans: ScanIndex, heard_at: float) -> None:
        """Begin with what was known at a time by the clock; not to be called after `start`."""
        self.current, self.heard_at = scans, heard_at
        self._mirror.restore({scan.name: scan for scan in scans.scans()})

    @property
    def waiting(self) -> int:
        """How many images have an ImageScan without a result."""
        return self.current.waiting

    def asked_for(self, namespace: str) -> int:
        """Count those of them that admission made for a namespace."""
        return self._outstanding.of(namespace)

    def image_of(self, name: str) -> str | None:
        """Name the image, canonical, that an ImageScan is about; empty where that cannot be read.

        None where no ImageScan of that name is known.
        """
        held = self._mirror.held(name)
        if held is not None:
            return held.reference
        return "" if self._mirror.broken(name) else None

    def _sink(self) -> Outstanding:
        self._outstanding = Outstanding(self._mirror)
        return self._outstanding

    def _apply(self, changes: Mapping[str, Change[Scan]]) -> None:
        self.current = self.current.updated(
            [change.before for change in changes.values() if change.before is not None],
            [change.after for change in changes.values() if change.after is not None],
        )
