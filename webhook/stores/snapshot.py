"""The one immutable snapshot that decisions are made from, of whatever sources: files, the cluster, or both."""

import time
from collections.abc import Callable, Iterator, Mapping
from itertools import chain

from webhook.core.decision import Snapshot
from webhook.stores.filesources import FilePolicy, FolderScans
from webhook.stores.policyfile import PolicyFile
from webhook.stores.problem import Problem
from webhook.stores.scandir import ScanFolder
from webhook.stores.snapshotcache import SnapshotCache
from webhook.stores.source import ModeSource, PolicySource, ScanSource, Source
from webhook.stores.standing import Standing, standing, told


class Store:
    """Keeps a Snapshot as its sources are. One thread calls `start`, `refresh` and `stop`; any may read the rest.

    Args:
        scans: where scans come from; nobody else refreshes it.
        policy: where the policy comes from; nobody else refreshes it.
        modes: where the modes of namespaces come from; None where all namespaces deny.
        requests: whether somebody asks for scans of images that have none.
        cache: keeps on disk what is known of the cluster; None where nothing is followed there.
        clock: what `heard_at` of the sources, `synced_at` and ages are measured by.

    Attributes:
        current: the snapshot; a change swaps it whole, by one assignment.
    """

    def __init__(
        self,
        scans: ScanSource,
        policy: PolicySource,
        modes: ModeSource | None = None,
        *,
        requests: bool = False,
        cache: SnapshotCache | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.current = Snapshot(scans=scans.current, requests=requests)
        self._scans = scans
        self._policy = policy
        self._modes = modes
        self._cache = cache
        self._clock = clock

    def start(self) -> None:
        """Begin with what is on disk, where there is something, and let the sources begin."""
        if self._cache:
            self._cache.load()
            self.current = self._compose()
        for source in self._sources():
            source.start()
        if self._cache:
            self._cache.start()

    def stop(self) -> None:
        """Let the sources end, without waiting for them, and write what is not on disk yet."""
        for source in self._sources():
            source.stop()
        if self._cache:
            self._cache.stop()

    def refresh(self) -> bool:
        """Take what the sources have; tell whether the snapshot or the problems are others now."""
        changed = [source.refresh() for source in self._sources()]
        if any(changed):
            self.current = self._compose()
        return any(changed)

    def _compose(self) -> Snapshot:
        held, scans = self.current, self._scans.current
        return Snapshot(
            scans=scans,
            policy=self._policy.current,
            policy_generation=self._policy.generation,
            modes=self._modes.current if self._modes else held.modes,
            generation=held.generation + (scans is not held.scans),
            requests=held.requests,
        )

    def _sources(self) -> Iterator[Source]:
        yield self._policy
        yield self._scans
        if self._modes:
            yield self._modes

    @property
    def synced_at(self) -> float | None:
        """By the clock, since when everything is known to be as its source is; None: not yet.

        A document that cannot be read does not keep it back, but is told in `problems`.
        """
        heard = [source.heard_at for source in self._sources()]
        known = [at for at in heard if at is not None]
        return min(known) if len(known) == len(heard) else None

    def age(self) -> float:
        """Say for how many seconds the snapshot may have been out of date; infinite before it was whole."""
        at = self.synced_at
        return max(self._clock() - at, 0.0) if at is not None else float("inf")

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What cannot be read now, of the policy first."""
        return tuple(chain.from_iterable(source.problems for source in self._sources()))

    @property
    def unreadable(self) -> Mapping[str, int]:
        """How many documents cannot be read, by the kind that they should be."""
        return {"NotebookPolicy": self._policy.unreadable, "ImageScan": self._scans.unreadable}

    @property
    def usable(self) -> bool:
        """Whether decisions may rest on the snapshot: every part was read once, and none is older than it may be."""
        # Asked with every request: the words of `standings` would cost more than the decision.
        now = self._clock()
        heard = ((source.heard_at, source.patience) for source in self._sources())
        return all(at is not None and now - at <= patience for at, patience in heard)

    def standings(self) -> tuple[Standing, ...]:
        """Say of each part how far it can be relied on: Policy, Scans, and Namespaces where modes are followed."""
        count = sum(self.current.scans.counts.values())
        policy = f"{self.current.policy.metadata.name}@{self.current.policy_generation} holds"
        found = [
            self._standing("Policy", policy, self._policy, beside="a newer one was refused: "),
            self._standing("Scans", f"{count} results are loaded", self._scans),
        ]
        if self._modes:
            softened = f"{len(self.current.modes)} namespaces only warn or audit"
            found.append(self._standing("Namespaces", softened, self._modes))
        return tuple(found)

    def _standing(self, name: str, what: str, source: Source, *, beside: str = "") -> Standing:
        heard = source.heard_at
        return standing(
            name,
            what,
            age=max(self._clock() - heard, 0.0) if heard is not None else None,
            patience=source.patience,
            trouble=source.trouble,
            faults=told(source.problems),
            beside=beside,
        )


class FileStore(Store):
    """A store of a folder of scans and a policy file."""

    def __init__(
        self, scans: ScanFolder, policy: PolicyFile, *, clock: Callable[[], float]
    ) -> None:
        super().__init__(
            FolderScans(scans, clock=clock), FilePolicy(policy, clock=clock), clock=clock
        )
