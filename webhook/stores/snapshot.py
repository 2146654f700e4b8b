"""A folder of scans and a policy file, as the one immutable snapshot that decisions are made from."""

from collections.abc import Callable, Mapping

from webhook.core.decision import Snapshot
from webhook.core.verdict import build_index
from webhook.stores.policyfile import PolicyFile
from webhook.stores.problem import Problem
from webhook.stores.scandir import ScanFolder


class FileStore:
    """Keeps a Snapshot as the files are. One thread calls `refresh`; any may read the rest at any time.

    Args:
        scans: the folder of scans; nobody else refreshes it.
        policy: the policy file; nobody else refreshes it.
        clock: what `synced_at` is measured by.

    Attributes:
        current: the snapshot; a change swaps it whole, by one assignment.
        synced_at: by the clock, when everything was last seen and there was a policy to hold; None: not yet. A folder
            that cannot be listed keeps it back; a document that cannot be read is told in `problems` instead.
    """

    def __init__(
        self, scans: ScanFolder, policy: PolicyFile, *, clock: Callable[[], float]
    ) -> None:
        self.current = Snapshot()
        self.synced_at: float | None = None
        self._scans = scans
        self._policy = policy
        self._clock = clock

    def refresh(self) -> bool:
        """Look at all files and read the changed ones; tell whether the snapshot or the problems are others now."""
        started = self._clock()
        policy_changed = self._policy.refresh()
        before = self._scans.current.scans
        scans_changed = self._scans.refresh()
        same_scans = self._scans.current.scans == before
        if policy_changed or not same_scans:
            self.current = self._build(same_scans=same_scans)
        if self._scans.complete and self._policy.loaded:
            self.synced_at = started
        return policy_changed or scans_changed

    def _build(self, *, same_scans: bool) -> Snapshot:
        held = self.current
        return Snapshot(
            scans=held.scans if same_scans else build_index(self._scans.current.scans),
            policy=self._policy.current,
            policy_generation=self._policy.generation,
            modes=held.modes,
            generation=held.generation + (not same_scans),
        )

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What cannot be read now, of the policy first."""
        return (*self._policy.problems, *self._scans.current.problems)

    @property
    def unreadable(self) -> Mapping[str, int]:
        """How many documents cannot be read, by the kind that they should be."""
        return {
            "NotebookPolicy": 1 if self._policy.problems else 0,
            "ImageScan": self._scans.current.unreadable,
        }
