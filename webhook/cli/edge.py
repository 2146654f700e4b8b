"""What one worker of `nbgate serve` is made of. Built after the fork, for it starts threads and holds connections."""

import sys
from functools import cache

import structlog

from certs.directory import ServingPair
from webhook.cli.edgestate import EdgeState
from webhook.cli.edgewatch import EdgeWatch
from webhook.cli.exits import CouldNot
from webhook.cli.settings import Settings
from webhook.cli.sources import Cluster, build_scans, build_store
from webhook.kube import connect
from webhook.server.admission import AdmissionEndpoints, NobodyAsks, Services
from webhook.server.app import create_app
from webhook.server.auditlog import AuditFile
from webhook.server.auditoutput import StandardOutput
from webhook.server.auditsink import AuditError, Sink
from webhook.server.metrics import Metrics
from webhook.server.recorder import Recorder
from webhook.server.serving import Edge
from webhook.server.tls import ServerTLS
from webhook.stores.clusterscans import ClusterScans
from webhook.stores.filesources import FolderScans
from webhook.stores.scanrequests import ScanRequests
from webhook.stores.secretmirror import INTERVAL, SecretMirror
from webhook.stores.watch import Watcher

_log = structlog.get_logger("nbgate.serve")


def open_audit_log(settings: Settings) -> None:
    """Open the audit log once, so that a wrong path ends the command. Raises CouldNot."""
    if settings.audit_log is None:
        return
    try:
        AuditFile(settings.audit_log).open()
    except AuditError as error:
        raise CouldNot(f"--audit-log: {error}") from error


def build_edge(settings: Settings, first: ServingPair) -> Edge:
    """Make the parts, read everything for the first time, and start what keeps them fresh."""
    metrics = Metrics(multiprocess=settings.workers > 1)
    recorder = _recorder(settings, metrics)
    tls = ServerTLS(settings.certificates, first)
    cluster = cache(connect)
    mirror = _mirror(settings, cluster)
    scans = build_scans(settings, cluster)
    store = build_store(settings, cluster, scans)
    requests = _requests(cluster, scans, metrics)
    state = EdgeState(
        store=store, tls=tls, mirror=mirror, requests=requests, recorder=recorder, metrics=metrics
    )
    services = Services(
        snapshot=state.snapshot,
        recorder=recorder,
        metrics=metrics,
        conditions=lambda: state.conditions(draining=edge.draining.is_set()),
        show_state=state.show,
        authenticated=lambda: tls.authenticates,
        scans=requests or NobodyAsks(),
    )
    edge = Edge(
        admission=AdmissionEndpoints(services),
        app=create_app(services),
        tls=tls,
        grace=settings.grace,
        overloaded=metrics.overloaded,
        ended=store.stop,
    )
    store.start()
    watch = EdgeWatch(settings=settings, store=store, tls=tls, problems=state.problems)
    watch.first_look()
    Watcher(watch.look, _log_error).start()
    # Apart from that one: where a look hangs, everything grows old, and that is to show.
    Watcher(lambda: state.note_readiness(edge.turns_away), _log_error).start()
    return edge


def _mirror(settings: Settings, cluster: Cluster) -> SecretMirror | None:
    if settings.tls != "cluster":
        return None
    mirror = SecretMirror(cluster(), namespace=settings.namespace, directory=settings.certificates)
    Watcher(mirror.refresh, _log_error, interval=INTERVAL).start()
    return mirror


def _requests(
    cluster: Cluster, scans: ClusterScans | FolderScans, metrics: Metrics
) -> ScanRequests | None:
    if isinstance(scans, FolderScans):
        return None
    requests = ScanRequests(
        cluster(),
        scans,
        count=metrics.scan_requested,
        report=lambda said: _log.warning("a name is taken; the image gets a longer one", said=said),
    )
    requests.start()
    return requests


def _recorder(settings: Settings, metrics: Metrics) -> Recorder:
    def lost(problem: str) -> None:
        metrics.audit_failed()
        _log.error("audit record lost", problem=problem)

    sinks: list[Sink] = [StandardOutput(sys.stdout, _log.warning)]
    if settings.audit_log is not None:
        sinks.insert(0, AuditFile(settings.audit_log))
    return Recorder(sinks, level=settings.audit_level, report=lost)


def _log_error(error: Exception) -> None:
    _log.error("the watch failed, and goes on", error=f"{type(error).__name__}: {error}")
