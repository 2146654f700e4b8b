"""The parts of `nbgate controller`, put together: watches, workers, the leader's duties, and what is seen of them."""

import time
from collections.abc import Sequence
from dataclasses import replace

import structlog

from webhook.cli.controllerduties import duties, upkeep
from webhook.cli.controllersettings import LEASE, ControllerSettings
from webhook.controller.backlog import Backlog
from webhook.controller.claim import Claiming
from webhook.controller.complaints import Complaints
from webhook.controller.endpoints import Endpoints
from webhook.controller.fan import Fan
from webhook.controller.job import Job
from webhook.controller.keeper import Keeper
from webhook.controller.lastchange import LastChange
from webhook.controller.layermemory import LayerMemory
from webhook.controller.leading import Leader
from webhook.controller.mandate import Mandate
from webhook.controller.metrics import Metrics, State
from webhook.controller.schedule import Terms
from webhook.controller.turn import Work
from webhook.controller.verdicts import Results
from webhook.controller.workers import Workers
from webhook.core.policy import PolicySpec
from webhook.kube import IMAGE_SCANS, Kube
from webhook.scanner.probes.cluster import ClusterProbe
from webhook.scanner.scanning import ScanSettings
from webhook.server.health import STALE_SECONDS, Condition
from webhook.stores.clusterpolicy import ClusterPolicy
from webhook.stores.listwatch import ListWatch

_log = structlog.get_logger("nbgate.controller")

# Seconds for each of two things: that the API server takes claims back, and that scans unwind. They do at their next
# word, and then their pods are deleted; only who waits for a silent registry says none, and leaves nothing behind.
_GRACE = 5.0


class Replica:
    """One controller, from `start` to `stop`."""

    def __init__(self, settings: ControllerSettings, kube: Kube) -> None:
        """Put it together, and listen. Raises OSError."""
        complain = Complaints(_log.warning)
        self._metrics = Metrics()
        self._policy = ClusterPolicy(kube, report=complain)
        self._policy_change: LastChange[PolicySpec] = LastChange()
        # Whoever starts a notebook chooses the image, and its registry: half of the workers are for all others.
        self._backlog = Backlog(Terms(claim=settings.claim), share=max(1, settings.at_once // 2))
        results = Results()
        self._watch = ListWatch(kube, IMAGE_SCANS, Fan(self._backlog, results), report=complain)
        self._keeper = Keeper(settings.claim, complain)
        self._workers = Workers(self._work(settings, kube, complain), settings.at_once)
        self._certificates = upkeep(settings, kube)
        self._leader = self._candidate(settings, kube, results)
        self._endpoints = Endpoints(
            settings.host,
            settings.port,
            alive=self.alive,
            ready=self.ready,
            metrics=lambda: self._metrics.render(self.state()),
        )

    def _work(self, settings: ControllerSettings, kube: Kube, complain: Complaints) -> Work:
        return Work(
            backlog=self._backlog,
            claiming=Claiming(
                kube=kube, identity=settings.identity, length=settings.claim, now=time.time
            ),
            keeper=self._keeper,
            job=Job(settings=_scan_settings(settings, kube)),
            recorder=self._metrics,
            report=complain,
        )

    def _candidate(self, settings: ControllerSettings, kube: Kube, results: Results) -> Leader:
        mandate = Mandate()
        others = duties(settings, kube, results, mandate, lambda: self._policy_change.at)
        return Leader(
            kube,
            LEASE,
            settings.namespace,
            settings.identity,
            (self._certificates, *others) if self._certificates else others,
            mandate=mandate,
            report=_log.info,
        )

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._endpoints.port

    def start(self) -> None:
        """Begin to work."""
        self._endpoints.start()
        self._policy.start()
        self._watch.start()
        self._keeper.start()
        self._workers.start()
        self._leader.start()

    def look(self) -> None:
        """Take what has changed besides the scans; to be called every second or so."""
        refreshed, spec = self._policy.refresh(), self._policy.current.spec
        if self._policy.heard_at is not None:
            self._policy_change.note(spec, time.time())
        if refreshed:
            stale_after = float(spec.stale.seconds)
            self._backlog.settle(replace(self._backlog.terms, stale_after=stale_after))

    def stop(self) -> None:
        """Give back what others can go on with, and end what runs, within seconds."""
        self._watch.stop()
        self._policy.stop()
        self._workers.stop(_GRACE)
        self._leader.stop()
        self._workers.join(_GRACE)
        self._endpoints.stop()

    def alive(self) -> Sequence[Condition]:
        """Tell whether all threads run that nothing would start anew."""
        return (
            Condition("Workers", self._workers.alive, "the threads that scan"),
            Condition("Claims", self._keeper.alive, "the thread that renews claims"),
        )

    def ready(self) -> Sequence[Condition]:
        """Tell whether it knows what there is to do, and does it."""
        age = self._age()
        fresh = age <= STALE_SECONDS
        what = f"{self._backlog.known} ImageScans are known"
        old = self._watch.problem or "the API server has not been heard of for long"
        ends = self._keeper.stopping.is_set()
        leads = "leads" if self._leader.leading else "does not lead"
        return (
            Condition("Scans", fresh, what if fresh else old),
            Condition("Serving", not ends, "ending" if ends else "takes images"),
            Condition("Leader", not self._leader.problem, self._leader.problem or leads, False),
            *self._certified(),
            *self.alive(),
        )

    def _certified(self) -> Sequence[Condition]:
        """Tell of the certificates, where we look after them and lead; scans do not rest on that."""
        if self._certificates is None or not self._leader.leading:
            return ()
        problem, waiting = self._certificates.problem, self._certificates.waiting
        message = problem or waiting or "issued and in their places"
        return (Condition("Certificates", not problem, message, False),)

    def state(self) -> State:
        """Give what the gauges show."""
        return State(
            pending=self._backlog.pending,
            running=self._keeper.held,
            paused=self._backlog.paused,
            unreadable=self._backlog.unreadable,
            leader=self._leader.leading,
            age=self._age(),
        )

    def _age(self) -> float:
        at = self._watch.heard_at
        return float("inf") if at is None else time.monotonic() - at


def _scan_settings(settings: ControllerSettings, kube: Kube) -> ScanSettings:
    found = ScanSettings(
        platforms=settings.platforms,
        registry=settings.registry,
        cache=LayerMemory(),
        longest=settings.longest,
    )
    if settings.probes is None:
        return found
    probe = ClusterProbe(
        kube=kube,
        namespace=settings.probes.namespace,
        starts=settings.platforms[0],
        pull_secrets=settings.probes.pull_secrets,
    )
    return replace(found, probe=probe, start_timeout=settings.probes.timeout)
