"""The cluster's policy, scans and modes, listed once, for a command that decides and ends."""

from collections.abc import Iterator
from contextlib import contextmanager

from webhook.cli.exits import BadInput, CouldNot
from webhook.core.actions import MODE_LABEL, mode_of
from webhook.core.document import InvalidDocument
from webhook.core.policy import DEFAULT_POLICY, PolicyDocument, read_policy
from webhook.core.policyreview import IN_FORCE
from webhook.core.scan import Scan
from webhook.core.scanreading import read_scan
from webhook.kube import IMAGE_SCANS, NAMESPACES, NOTEBOOK_POLICIES, Document, Kube, connect
from webhook.kubeerrors import KubeError, Resource
from webhook.stores.mirror import Mirror
from webhook.stores.problem import problem_of
from webhook.stores.scandir import ScanSet


@contextmanager
def cluster(what: str) -> Iterator[Kube]:
    """Connect to the cluster, to read `what` there. Raises CouldNot, also for what fails inside."""
    try:
        with connect() as kube:
            yield kube
    except KubeError as error:
        raise CouldNot(f"{what}: {error}") from error


def list_policy(kube: Kube) -> PolicyDocument:
    """Read the policy that is in force there, or the default one. Raises BadInput with every fault, or KubeError."""
    found = next(_listed(kube, NOTEBOOK_POLICIES, fields=f"metadata.name={IN_FORCE}"), None)
    if found is None:
        return DEFAULT_POLICY
    try:
        return read_policy(found)
    except InvalidDocument as error:
        place = f"notebookpolicies/{IN_FORCE}"
        faults = (str(problem_of(place, 0, fault)) for fault in error.faults)
        raise BadInput("\n".join(faults)) from None


def list_scans(kube: Kube) -> ScanSet:
    """Read all ImageScans there; what cannot be read is told in the result. Raises KubeError."""
    mirror: Mirror[Scan] = Mirror(IMAGE_SCANS.name, read_scan)
    mirror.replaced(_listed(kube, IMAGE_SCANS))
    scans = (change.after for change in mirror.take().values())
    return ScanSet(
        scans=tuple(scan for scan in scans if scan is not None),
        problems=mirror.problems,
        unreadable=mirror.unreadable,
    )


def list_modes(kube: Kube) -> dict[str, str]:
    """Read the modes of the namespaces that have one. Raises KubeError."""
    namespaces = _listed(kube, NAMESPACES, labels=MODE_LABEL)
    return {
        namespace["metadata"]["name"]: mode_of(namespace["metadata"]["labels"][MODE_LABEL])
        for namespace in namespaces
    }


def _listed(
    kube: Kube, resource: Resource, *, labels: str = "", fields: str = ""
) -> Iterator[Document]:
    for page in kube.pages(resource, labels=labels, fields=fields):
        yield from page.items
