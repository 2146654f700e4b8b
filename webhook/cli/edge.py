"""What one worker of `nbgate serve` is made of. Built after the fork, for it starts a thread."""

import gc
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from certs.directory import ServingPair
from certs.errors import CertificateError
from certs.lifetime import renewal_due
from certs.selfsigned import Kept, ensure
from webhook.cli.exits import CouldNot
from webhook.cli.settings import Settings
from webhook.core.decision import Snapshot
from webhook.server.admission import NotReady, Services
from webhook.server.app import create_app
from webhook.server.auditlog import AuditFile
from webhook.server.auditoutput import StandardOutput
from webhook.server.auditsink import AuditError, Sink
from webhook.server.health import STALE_SECONDS, Condition
from webhook.server.metrics import Metrics
from webhook.server.recorder import Recorder
from webhook.server.serving import Edge
from webhook.server.tls import ServerTLS
from webhook.stores.policyfile import PolicyFile
from webhook.stores.scandir import ScanFolder
from webhook.stores.snapshot import FileStore
from webhook.stores.watch import Watcher

_log = structlog.get_logger("nbgate.serve")
# A file of YAML must rest for half a second before it is read; a worker waits for its first look that long, and a bit.
_FIRST_LOOK_SECONDS = 3.0


def open_audit_log(settings: Settings) -> None:
    """Open the audit log once, so that a wrong path ends the command. Raises CouldNot."""
    if settings.audit_log is None:
        return
    try:
        AuditFile(settings.audit_log).open()
    except AuditError as error:
        raise CouldNot(f"--audit-log: {error}") from error


def build_edge(settings: Settings, first: ServingPair) -> Edge:
    """Make the parts, read everything for the first time, and start the watch."""
    metrics = Metrics(multiprocess=settings.workers > 1)
    tls = ServerTLS(settings.certificates, first)
    scans = ScanFolder(settings.scans, required=True)
    policy = PolicyFile(settings.policy, required=settings.policy_required)
    store = FileStore(scans, policy, clock=time.monotonic)
    recorder = _recorder(settings, metrics)
    watch = _Watch(settings=settings, store=store, tls=tls)
    state = _State(
        scans=scans, policy=policy, store=store, tls=tls, recorder=recorder, metrics=metrics
    )
    services = Services(
        snapshot=state.snapshot,
        recorder=recorder,
        metrics=metrics,
        conditions=lambda: (*state.conditions(), _serving(draining=edge.draining.is_set())),
        show_state=state.show,
        authenticated=lambda: tls.authenticates,
    )
    edge = Edge(
        app=create_app(services), tls=tls, grace=settings.grace, overloaded=metrics.overloaded
    )
    watch.first_look()
    Watcher(watch.look, _log_error).start()
    return edge


def _recorder(settings: Settings, metrics: Metrics) -> Recorder:
    def lost(problem: str) -> None:
        metrics.audit_failed()
        _log.error("audit record lost", problem=problem)

    sinks: list[Sink] = [StandardOutput(sys.stdout, _log.warning)]
    if settings.audit_log is not None:
        sinks.insert(0, AuditFile(settings.audit_log))
    return Recorder(sinks, level=settings.audit_level, report=lost)


def _spare_the_collector() -> None:
    """Take the snapshot out of the garbage collector's sight.

    A full collection with 100,000 scans would stop every decision for 0.1 s. Nothing of a snapshot is in a cycle: the
    last one goes by its reference count all the same. What is young and in a cycle goes first, lest it stay for ever.
    """
    gc.collect(1)
    gc.freeze()


def _log_error(error: Exception) -> None:
    _log.error("the watch failed, and goes on", error=f"{type(error).__name__}: {error}")


def _serving(*, draining: bool) -> Condition:
    message = "ending: send requests elsewhere" if draining else "accepts connections"
    return Condition("Serving", not draining, message)


class _Watch:
    """Looks at everything that may change while the server runs, and tells of each change once."""

    def __init__(self, *, settings: Settings, store: FileStore, tls: ServerTLS) -> None:
        self._settings = settings
        self._store = store
        self._tls = tls
        self._told: frozenset[str] = frozenset()
        self._renewal_problem = ""

    def first_look(self) -> None:
        """Read everything, and wait a moment for files that were written just now.

        Without the garbage collector: it would look through what was read so far again and again.
        """
        deadline = time.monotonic() + _FIRST_LOOK_SECONDS
        gc.disable()
        try:
            self.look()
            while self._store.synced_at is None and time.monotonic() < deadline:
                time.sleep(0.05)
                self.look()
        finally:
            gc.enable()

    def look(self) -> None:
        """Take what has changed; keep what was good where the new is not."""
        self._renew()
        if self._tls.refresh():
            _log.info("serving a new certificate", until=self._tls.pair.leaf.not_after.isoformat())
        if self._store.refresh():
            _spare_the_collector()
            snapshot = self._store.current
            _log.info(
                "loaded",
                scans=sum(snapshot.scans.counts.values()),
                policy=snapshot.policy.metadata.name,
                generation=snapshot.generation,
            )
        self._tell()

    def _renew(self) -> None:
        """Renew our own certificate at two thirds of its life, or when its files are no good any more."""
        now = datetime.now(UTC)
        due = renewal_due(self._tls.pair.leaf, now) or bool(self._tls.problem)
        if not self._settings.self_signed or not due:
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
        problems = {str(problem) for problem in self._store.problems}
        problems |= {self._tls.problem, self._renewal_problem} - {""}
        for problem in sorted(problems - self._told):
            _log.warning("cannot be read; what was good before stays in force", problem=problem)
        self._told = frozenset(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What health, metrics and decisions see of the parts."""

    scans: ScanFolder
    policy: PolicyFile
    store: FileStore
    tls: ServerTLS
    recorder: Recorder
    metrics: Metrics

    def snapshot(self) -> Snapshot:
        """Give the present snapshot. Raises NotReady before everything was read once."""
        if self.store.synced_at is None:
            raise NotReady("scans and policy have not been read yet: see /readyz")
        return self.store.current

    def age(self) -> float:
        """Say how many seconds ago the files were last looked at."""
        at = self.store.synced_at
        return time.monotonic() - at if at is not None else float("inf")

    def conditions(self) -> Sequence[Condition]:
        """Tell what readiness rests on; the audit log is told of, but does not decide: a denial is one without it."""
        audit = [replace(condition, required=False) for condition in self.recorder.conditions()]
        return (self._certificate_holds(), self._policy_holds(), self._scans_fresh(), *audit)

    def _certificate_holds(self) -> Condition:
        holds = time.time() < self.tls.expiry
        until = f"serves until {self.tls.pair.leaf.not_after:%Y-%m-%d}"
        problem = self.tls.problem and f"; a newer one was refused: {self.tls.problem}"
        return Condition("Certificate", holds, (until if holds else "has expired") + problem)

    def _policy_holds(self) -> Condition:
        policy, generation = self.store.current.policy, self.store.current.policy_generation
        problem = _first(str(p) for p in self.policy.problems)
        if self.store.synced_at is None:
            return Condition("Policy", not problem, problem or "has not been read yet")
        refused = f"; a newer one was refused: {problem}" if problem else ""
        return Condition("Policy", True, f"{policy.metadata.name}@{generation} holds{refused}")

    def _scans_fresh(self) -> Condition:
        age, problems = self.age(), self.scans.current.problems
        if age > STALE_SECONDS:
            why = _first(str(p) for p in problems) or "the folder has not been read"
            return Condition("Scans", False, f"not compared with the folder for long: {why}")
        count = sum(self.store.current.scans.counts.values())
        unreadable = f"; {len(problems)} problems, the first: {problems[0]}" if problems else ""
        return Condition("Scans", True, f"{count} results are loaded{unreadable}")

    def show(self) -> None:
        """Bring the gauges up to date."""
        self.metrics.show_state(
            scans=self.store.current.scans.counts,
            age=self.age(),
            unreadable=self.store.unreadable,
            expiry=self.tls.expiry,
        )


def _first(texts: Iterable[str]) -> str:
    return next(iter(texts), "")
