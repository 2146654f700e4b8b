"""Where `nbgate serve` gets scans, policy and modes from: files, the cluster, or some of each."""

from collections.abc import Callable
from pathlib import Path

import structlog

from webhook.cli.settings import Settings
from webhook.kube import Kube
from webhook.stores.clusterpolicy import ClusterPolicy
from webhook.stores.clusterscans import ClusterScans
from webhook.stores.filesources import FilePolicy, FolderScans
from webhook.stores.namespacemodes import NamespaceModes
from webhook.stores.policyfile import PolicyFile
from webhook.stores.scandir import ScanFolder
from webhook.stores.snapshot import Store
from webhook.stores.snapshotcache import SnapshotCache

_log = structlog.get_logger("nbgate.serve")

Cluster = Callable[[], Kube]


def build_store(settings: Settings, cluster: Cluster, scans: ClusterScans | FolderScans) -> Store:
    """Compose the snapshot of the sources that the settings name; none is started yet."""
    policy = _policy(settings.policy, cluster, required=settings.policy_required)
    if not settings.follows_cluster:
        return Store(scans, policy)
    modes = NamespaceModes(cluster(), report=_report)
    cache = SnapshotCache(
        settings.kept,
        scans=scans if isinstance(scans, ClusterScans) else None,
        policy=policy if isinstance(policy, ClusterPolicy) else None,
        modes=modes,
        report=_report,
    )
    return Store(scans, policy, modes, requests=settings.asks_for_scans, cache=cache)


def build_scans(settings: Settings, cluster: Cluster) -> ClusterScans | FolderScans:
    """Make the source of scans that the settings name."""
    if settings.scans is None:
        return ClusterScans(cluster(), report=_report)
    return FolderScans(ScanFolder(settings.scans, required=True))


def _policy(file: Path | None, cluster: Cluster, *, required: bool) -> ClusterPolicy | FilePolicy:
    if file is None:
        return ClusterPolicy(cluster(), report=_report)
    return FilePolicy(PolicyFile(file, required=required))


def _report(said: str) -> None:
    _log.warning("following the cluster", said=said)
