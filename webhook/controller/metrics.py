"""The controller's metrics, with fixed label sets only: no label holds what somebody wrote.

Names and labels are a contract: dashboards and alerts rest on them.
"""

import platform
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from webhook import __version__
from webhook.core.scan import Verdict

# No `_created` series beside each counter: nothing here reads them, and they double what is scraped.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no type for it
# From an image whose layers are known and that is not started, to the longest that a scan may take.
_BUCKETS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 90.0, 180.0, 600.0, 1800.0, 7200.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the gauges show.

    Attributes:
        pending: images that are due and in no hands of this replica.
        running: images that it has in its hands.
        paused: registries that it leaves alone.
        unreadable: ImageScans whose spec cannot be read.
        leader: it has the duties of the leader.
        age: seconds since what it knows was last compared with the cluster; infinite for never.
    """

    pending: int
    running: int
    paused: int
    unreadable: int
    leader: bool
    age: float


class Metrics:
    """Counts what this replica does. Threads may share it; implements `webhook.controller.turn.Recorder`."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._duration = Histogram(
            "nbgate_scan_duration_seconds",
            "Scans by what came of them: Conforms, Violates, Unknown, or Failed for no result.",
            ["result"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._resolutions = Counter(
            "nbgate_tag_resolutions",
            "Tags that were resolved again and still mean what was scanned.",
            registry=self._registry,
        )
        self._pending = self._gauge(
            "nbgate_scans_pending", "Images that are due, but for those that this replica scans."
        )
        self._running = self._gauge("nbgate_scans_running", "Images that this replica scans now.")
        self._paused = self._gauge(
            "nbgate_registries_paused", "Registries that this replica leaves alone for a while."
        )
        self._unreadable = Gauge(
            "nbgate_unreadable_documents",
            "Documents that could not be read.",
            ["kind"],
            registry=self._registry,
        )
        self._leader = self._gauge(
            "nbgate_leader", "1 for the replica that has the leader's duties."
        )
        self._age = self._gauge(
            "nbgate_snapshot_age_seconds", "Since the scans were last compared with their source."
        )
        build = Gauge(
            "nbgate_build_info",
            "The version that runs.",
            ["version", "python"],
            registry=self._registry,
        )
        build.labels(__version__, platform.python_version()).set(1)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self._registry)

    def scanned(self, verdict: Verdict | None, seconds: float) -> None:
        """Count a scan; None for one that failed."""
        self._duration.labels(verdict or "Failed").observe(seconds)

    def resolved(self) -> None:
        """Count a tag that still means what was scanned."""
        self._resolutions.inc()

    def render(self, state: State) -> bytes:
        """Write all metrics in Prometheus' text format."""
        self._pending.set(state.pending)
        self._running.set(state.running)
        self._paused.set(state.paused)
        self._unreadable.labels("ImageScan").set(state.unreadable)
        self._leader.set(state.leader)
        self._age.set(state.age)
        return generate_latest(self._registry)
