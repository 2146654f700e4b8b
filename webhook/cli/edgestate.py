"""What health, metrics and decisions see of the parts of a worker of `nbgate serve`."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from webhook.core.decision import Snapshot
from webhook.server.admission import NotReady
from webhook.server.health import Condition, is_ready
from webhook.server.metrics import Metrics
from webhook.server.recorder import Recorder
from webhook.server.tls import ServerTLS
from webhook.stores.scanrequests import ScanRequests
from webhook.stores.secretmirror import SecretMirror
from webhook.stores.snapshot import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeState:
    """The parts, and what they come to.

    Attributes:
        mirror: keeps the certificate's folder as the Secret is; None where somebody else keeps it.
        requests: asks for scans; None where there is nobody to ask.
    """

    store: Store
    tls: ServerTLS
    mirror: SecretMirror | None
    requests: ScanRequests | None
    recorder: Recorder
    metrics: Metrics

    def snapshot(self) -> Snapshot:
        """Give the present snapshot. Raises NotReady before everything was read once."""
        if self.store.synced_at is None:
            raise NotReady("scans and policy have not been read yet: see /readyz")
        return self.store.current

    def problems(self) -> Iterator[tuple[str, str]]:
        """Say what is wrong besides what the store tells of: what it means, and why."""
        if self.mirror is not None and self.mirror.problem:
            yield "the certificate of before stays in force", self.mirror.problem
        if self.requests is not None and self.requests.problem:
            yield "images without a scan must wait", self.requests.problem

    def conditions(self, *, draining: bool) -> Sequence[Condition]:
        """Tell what readiness rests on.

        The audit log is told of, but does not decide: a denial is one without it. So is whether scans are asked for.
        """
        audit = [replace(condition, required=False) for condition in self.recorder.conditions()]
        return (
            self._certificate_holds(),
            *(Condition(one.name, one.ok, one.message) for one in self.store.standings()),
            *self._asking(),
            *audit,
            _serving(draining=draining),
        )

    def note_readiness(self, turns_away: threading.Event) -> None:
        """Set an event while this replica is not ready, and clear it when it is."""
        if is_ready(self.conditions(draining=False)):
            turns_away.clear()
        else:
            turns_away.set()

    def _asking(self) -> Iterator[Condition]:
        if self.requests is not None:
            problem = self.requests.problem
            message = problem or "scans are asked for where images have none"
            yield Condition("ScanRequests", not problem, message, required=False)

    def _certificate_holds(self) -> Condition:
        holds = time.time() < self.tls.expiry
        until = f"serves until {self.tls.pair.leaf.not_after:%Y-%m-%d}"
        mirrored = self.mirror.problem if self.mirror is not None else ""
        problem = self.tls.problem or mirrored
        refused = problem and f"; a newer one was refused: {problem}"
        return Condition("Certificate", holds, (until if holds else "has expired") + refused)

    def show(self) -> None:
        """Bring the gauges up to date."""
        self.metrics.show_state(
            scans=self.store.current.scans.counts,
            age=self.store.age(),
            unreadable=self.store.unreadable,
            expiry=self.tls.expiry,
        )


def _serving(*, draining: bool) -> Condition:
    message = "ending: send requests elsewhere" if draining else "accepts connections"
    return Condition("Serving", not draining, message)
