"""What a worker of `nbgate serve` looks at again and again while it runs, and what it says of it."""

import gc
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import structlog

from certs.errors import CertificateError
from certs.lifetime import renewal_due
from certs.selfsigned import Kept, ensure
from webhook.cli.settings import Settings
from webhook.server.tls import ServerTLS
from webhook.stores.snapshot import Store

_log = structlog.get_logger("nbgate.serve")
# A file of YAML must rest for half a second before it is read, and a list of the cluster takes a moment; a worker waits
# for its first look that long, and a bit.
_FIRST_LOOK_SECONDS = 3.0
_UNREADABLE = "cannot be read; what was good before stays in force"
# Everything is read by then, or there is a cluster that does not answer.
_WITHOUT_COLLECTOR_SECONDS = 30.0
# Between two words on changed scans, and between two of what the collector is spared: in a cluster they change all day.
_QUIET_SECONDS = 60.0


class EdgeWatch:
    """Looks at everything that may change while the server runs, and tells of each change once.

    Args:
        problems: what else is wrong now: what it means, and why.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        tls: ServerTLS,
        problems: Callable[[], Iterable[tuple[str, str]]],
    ) -> None:
        self._settings = settings
        self._store = store
        self._tls = tls
        self._problems = problems
        self._told: frozenset[tuple[str, str]] = frozenset()
        self._renewal_problem = ""
        self._collects_from = 0.0
        self._loaded_at = float("-inf")
        self._loaded: tuple[str, int] | None = None

    def first_look(self) -> None:
        """Read everything, and wait a moment for what comes late.

        Without the garbage collector until all is there: it would look through what was read so far again and again.
        """
        started = time.monotonic()
        self._collects_from = started + _WITHOUT_COLLECTOR_SECONDS
        gc.disable()
        self.look()
        while self._store.synced_at is None and time.monotonic() - started < _FIRST_LOOK_SECONDS:
            time.sleep(0.05)
            self.look()

    def look(self) -> None:
        """Take what has changed; keep what was good where the new is not."""
        self._renew()
        if self._tls.refresh():
            _log.info("serving a new certificate", until=self._tls.pair.leaf.not_after.isoformat())
        changed = self._store.refresh()
        if self._store.synced_at is not None and (changed or self._loaded is None):
            self._loaded_anew(time.monotonic())
        if not gc.isenabled() and self._may_collect():
            gc.enable()
        self._tell()

    def _may_collect(self) -> bool:
        return self._store.synced_at is not None or time.monotonic() > self._collects_from

    def _loaded_anew(self, now: float) -> None:
        """Say what counts from now on, unless only scans have changed and that was said a moment ago."""
        snapshot = self._store.current
        policy = (snapshot.policy.metadata.name, snapshot.policy_generation)
        if policy == self._loaded and now - self._loaded_at < _QUIET_SECONDS:
            return
        self._loaded, self._loaded_at = policy, now
        _spare_the_collector()
        _log.info(
            "loaded",
            scans=sum(snapshot.scans.counts.values()),
            policy=snapshot.policy.metadata.name,
            generation=snapshot.generation,
        )

    def _renew(self) -> None:
        """Renew our own certificate at two thirds of its life, or when it or its files are no good any more.

        One of the future was issued while the clock was fast: since it is right, every client refuses it.
        """
        now, leaf = datetime.now(UTC), self._tls.pair.leaf
        due = renewal_due(leaf, now) or now < leaf.not_before or bool(self._tls.problem)
        if self._settings.tls != "self" or not due:
            return
        try:
            outcome = ensure(self._settings.certificates, self._settings.hosts, now=now)
        except CertificateError as error:
            self._renewal_problem = f"the certificate cannot be renewed: {error}"
            return
        self._renewal_problem = ""
        if not isinstance(outcome, Kept):
            _log.info("renewed the certificate", reason=outcome.reason)

    def _tell(self) -> None:
        found = {str(problem) for problem in self._store.problems}
        found |= {self._tls.problem, self._renewal_problem} - {""}
        problems = {(_UNREADABLE, problem) for problem in found} | set(self._problems())
        for meaning, problem in sorted(problems - self._told):
            _log.warning(meaning, problem=problem)
        self._told = frozenset(problems)


def _spare_the_collector() -> None:
    """Take the snapshot out of the garbage collector's sight.

    A full collection with 100,000 scans would stop every decision for 0.1 s. Nothing of a snapshot is in a cycle: the
    last one goes by its reference count all the same. What is young and in a cycle goes first, lest it stay for ever.
    """
    gc.collect(1)
    gc.freeze()
