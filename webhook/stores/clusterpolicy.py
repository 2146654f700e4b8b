"""The policy in the cluster: the NotebookPolicy with the name `default`, and no other."""

import time
from collections.abc import Callable, Mapping

from webhook.core.policy import DEFAULT_POLICY, PolicyDocument, read_policy
from webhook.kube import NOTEBOOK_POLICIES, Document
from webhook.stores.clustersource import ClusterSource
from webhook.stores.listwatch import Lister
from webhook.stores.mirror import Change

NAME = "default"


class ClusterPolicy(ClusterSource[PolicyDocument]):
    """The policy that holds; see ClusterSource.

    Without an object of that name the default policy holds, with generation 0. While the object cannot be read, the
    last good one holds; where there was none since the start, and none on disk, nobody knows what the platform team
    wants, and `heard_at` stays None.

    Attributes:
        current: the policy that holds.
        generation: the object's own, metadata.generation.
    """

    def __init__(
        self,
        kube: Lister,
        *,
        clock: Callable[[], float] = time.monotonic,
        report: Callable[[str], object],
    ) -> None:
        super().__init__(
            kube,
            NOTEBOOK_POLICIES,
            _read,
            fields=f"metadata.name={NAME}",
            clock=clock,
            report=report,
        )
        self.current: PolicyDocument = DEFAULT_POLICY
        self._held = False

    @property
    def generation(self) -> int:
        """Tell the policy from the one before."""
        return self.current.metadata.generation or 0

    def restore(self, policy: PolicyDocument, heard_at: float) -> None:
        """Begin with what held at a time by the clock; not to be called after `start`."""
        self.current, self.heard_at, self._held = policy, heard_at, True
        if policy is not DEFAULT_POLICY:
            self._mirror.restore({NAME: policy})

    def _apply(self, changes: Mapping[str, Change[PolicyDocument]]) -> None:
        if NAME in changes:
            self.current = changes[NAME].after or DEFAULT_POLICY

    def _whole(self) -> bool:
        self._held = self._held or (self._mirror.listed and not self._mirror.broken(NAME))
        return self._mirror.listed and self._held


def _read(document: Document) -> PolicyDocument:
    """Read a policy without its status: what the controller says of it makes it no other."""
    return read_policy(document).model_copy(update={"status": None})
