"""The modes of namespaces in the cluster: their label `nbgate.dev/mode`, which caps what a violation leads to."""

import time
from collections.abc import Callable, Mapping

from webhook.core.actions import MODE_LABEL, MODES, mode_of
from webhook.core.document import Fault
from webhook.kube import NAMESPACES, Document
from webhook.stores.clustersource import ClusterSource
from webhook.stores.listwatch import Lister
from webhook.stores.mirror import Change, bounded
from webhook.stores.problem import Problem, problem_of
from webhook.stores.tree import shown

_FIELD = f'metadata.labels["{MODE_LABEL}"]'


class NamespaceModes(ClusterSource[str]):
    """The labels of all namespaces that have one; see ClusterSource.

    A word that is none of ours caps nothing, and is told as a problem.

    Attributes:
        current: `warn` or `audit` by namespace; what is not here denies.
    """

    def __init__(
        self,
        kube: Lister,
        *,
        clock: Callable[[], float] = time.monotonic,
        report: Callable[[str], object],
    ) -> None:
        super().__init__(kube, NAMESPACES, _label_of, labels=MODE_LABEL, clock=clock, report=report)
        self.current: Mapping[str, str] = {}
        self._unknown: Mapping[str, str] = {}

    def restore(self, modes: Mapping[str, str], heard_at: float) -> None:
        """Begin with what was known at a time by the clock; not to be called after `start`."""
        self.current, self.heard_at = dict(modes), heard_at
        self._mirror.restore(modes)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Which labels mean nothing."""
        unknown = self._unknown
        every = (_problem(name, unknown[name]) for name in sorted(unknown))
        return bounded(every, "namespaces", len(unknown))

    def _apply(self, changes: Mapping[str, Change[str]]) -> None:
        labels = {**self.current, **self._unknown}
        for name, change in changes.items():
            labels.pop(name, None)
            if change.after is not None:
                labels[name] = change.after
        self.current = {n: label for n, label in labels.items() if mode_of(label) != "deny"}
        self._unknown = {name: label for name, label in labels.items() if label not in MODES}


def _label_of(namespace: Document) -> str:
    return str((namespace["metadata"].get("labels") or {}).get(MODE_LABEL, ""))


def _problem(name: str, label: str) -> Problem:
    reason = f"is {shown(label)}, which softens nothing; write warn, audit or deny"
    return problem_of(f"namespaces/{name}", 0, Fault(_FIELD, reason))
