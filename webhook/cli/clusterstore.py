"""`nbgate scan --save cluster`: ImageScans as custom resources."""

from collections.abc import Iterator
from contextlib import contextmanager

from webhook.cli.exits import CouldNot
from webhook.core.scan import ScanDocument
from webhook.kube import Kube, connect
from webhook.kubeerrors import KubeError
from webhook.scanner.saving import save_to_cluster


@contextmanager
def cluster_store(context: str | None) -> Iterator["ClusterStore"]:
    """Connect to the cluster that a context of the kubeconfig names. Raises CouldNot."""
    try:
        kube = connect(context=context)
    except KubeError as error:
        raise CouldNot(f"--save cluster: {error}") from error
    with kube:
        yield ClusterStore(kube)


class ClusterStore:
    """Implements `Store` of `scanstore.py`; a result there that was resolved later stays."""

    place = "the cluster"

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def save(self, document: ScanDocument) -> None:
        """Create or update the object."""
        try:
            save_to_cluster(self._kube, document)
        except KubeError as error:
            raise CouldNot(str(error)) from error
