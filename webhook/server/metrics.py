"""Metrics, with fixed label sets only: no label holds what a user wrote.

Names and labels are a contract: dashboards and alerts rest on them.
"""

import platform
from collections.abc import Mapping
from functools import cache

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from webhook import __version__
from webhook.core.decision import Decision
from webhook.core.scan import Verdict

# No `_created` series beside each counter: nothing here reads them, and they double what is scraped.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no type for it
# From half a decision's usual time to past the longest timeout that a webhook may have (30 s).
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_OPERATIONS = frozenset({"CREATE", "UPDATE", "DELETE", "CONNECT"})


class Metrics:
    """Counts what is decided, and shows the state that decisions rest on.

    With several worker processes each writes its own values to files that any of them can add up (prometheus_client's
    multiprocess mode, by PROMETHEUS_MULTIPROC_DIR, which must be set before this module is imported).
    """

    def __init__(self, *, multiprocess: bool = False) -> None:
        self._registry = CollectorRegistry()
        self._shown = CollectorRegistry() if multiprocess else self._registry
        if multiprocess:
            MultiProcessCollector(self._shown)  # type: ignore[no-untyped-call]
        self._admission_metrics()
        self._state_metrics()

    def _admission_metrics(self) -> None:
        requests = Counter(
            "nbgate_admission_requests",
            "Admission requests by what became of them; error: could not decide, or not a review.",
            ["endpoint", "operation", "decision"],
            registry=self._registry,
        )
        duration = Histogram(
            "nbgate_admission_duration_seconds",
            "From the whole request being received to the answer.",
            ["endpoint"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._violations = Counter(
            "nbgate_violations",
            "Rules that did not hold, by what was done about it.",
            ["requirement", "action"],
            registry=self._registry,
        )
        lookups = Counter(
            "nbgate_scan_lookups",
            "Look-ups of notebook images: hit, stale, or miss.",
            ["result"],
            registry=self._registry,
        )
        # what every request counts is looked up once: the labels of these are few
        self._requests = cache(requests.labels)
        self._duration = cache(duration.labels)
        self._lookups = cache(lookups.labels)
        self._exemptions = Counter(
            "nbgate_exemptions_used",
            "Violations waived, by the policy's exemption.",
            ["exemption"],
            registry=self._registry,
        )
        self._overload = Counter(
            "nbgate_overload",
            "Requests answered 503 because too many, or too large ones, waited.",
            registry=self._registry,
        )
        self._audit_failures = Counter(
            "nbgate_audit_failures",
            "Audit records that could not be written.",
            registry=self._registry,
        )

        self._scan_requests = Counter(
            "nbgate_scan_requests",
            "Scans that decisions asked for: asked (an ImageScan was made), known (there was one), dropped, failed.",
            ["result"],
            registry=self._registry,
        )

    def _state_metrics(self) -> None:
        self._scans = self._gauge("nbgate_scans", "Scan results in memory.", ["verdict"])
        self._age = self._gauge(
            "nbgate_snapshot_age_seconds", "Since the scans were last compared with their source."
        )
        self._unreadable = self._gauge(
            "nbgate_unreadable_documents", "Documents that could not be read.", ["kind"]
        )
        self._expiry = self._gauge(
            "nbgate_certificate_expiry_timestamp_seconds", "When the serving certificate ends."
        )
        build = self._gauge("nbgate_build_info", "The version that runs.", ["version", "python"])
        build.labels(__version__, platform.python_version()).set(1)

    def _gauge(self, name: str, text: str, labels: list[str] | None = None) -> Gauge:
        return Gauge(
            name, text, labels or [], registry=self._registry, multiprocess_mode="mostrecent"
        )

    def decided(
        self, endpoint: str, operation: str, decision: Decision, seconds: float, *, stale: bool
    ) -> None:
        """Count one decision and the violations, exemptions and look-up in it."""
        self._requests(endpoint, operation, decision.word).inc()
        self._duration(endpoint).observe(seconds)
        for violation in decision.violations:
            self._violations.labels(violation.rule, violation.action.label).inc()
        for name in decision.exemptions:
            self._exemptions.labels(name).inc()
        if decision.use is not None and decision.use.finding is not None:
            found = decision.use.finding.scan is not None
            self._lookups("stale" if stale else "hit" if found else "miss").inc()

    def failed(self, endpoint: str, operation: str = "") -> None:
        """Count a request that was not decided."""
        known = operation if operation in _OPERATIONS else "unknown"
        self._requests(endpoint, known, "error").inc()

    def overloaded(self) -> None:
        """Count a request that was turned away."""
        self._overload.inc()

    def audit_failed(self) -> None:
        """Count an audit record that could not be written."""
        self._audit_failures.inc()

    def scan_requested(self, result: str) -> None:
        """Count what became of a wish for a scan: asked, known, dropped or failed."""
        self._scan_requests.labels(result).inc()

    def show_state(
        self,
        *,
        scans: Mapping[Verdict, int],
        age: float,
        unreadable: Mapping[str, int],
        expiry: float,
    ) -> None:
        """Set what the gauges show; called before each scrape."""
        for verdict in ("Conforms", "Violates", "Unknown"):
            self._scans.labels(verdict).set(scans.get(verdict, 0))
        for kind, count in unreadable.items():
            self._unreadable.labels(kind).set(count)
        self._age.set(age)
        self._expiry.set(expiry)

    def render(self) -> bytes:
        """Write all metrics in Prometheus' text format."""
        return generate_latest(self._shown)
