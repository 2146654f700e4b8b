"""What sources in the cluster have in common: a ListWatch tells a mirror, and `refresh` takes from it."""

import time
from collections.abc import Callable, Mapping
from typing import Generic

from webhook.kube import Document
from webhook.kubeerrors import Resource
from webhook.stores.listwatch import Lister, ListWatch, Sink
from webhook.stores.mirror import Change, Mirror, Value
from webhook.stores.problem import Problem

# How long decisions may rest on what the cluster said last. While no API server can be reached, none can ask us either,
# and what was true stays true, for nobody can change it. So this bounds the one bad case: our line alone is broken, or
# leads to an API server that is cut off, while others take changes. Ten minutes are longer than the restart of a
# control plane, which must not take admission with it, and short beside the days for which a verdict holds.
PATIENCE = 600.0


class ClusterSource(Generic[Value]):
    """A kind of object, followed.

    Attributes:
        heard_at: see Source.
        patience: see Source.
    """

    patience = PATIENCE

    def __init__(
        self,
        kube: Lister,
        resource: Resource,
        read: Callable[[Document], Value],
        *,
        labels: str = "",
        fields: str = "",
        clock: Callable[[], float] = time.monotonic,
        report: Callable[[str], object],
    ) -> None:
        self.heard_at: float | None = None
        self._mirror = Mirror(resource.name, read)
        self._following = ListWatch(
            kube,
            resource,
            self._sink(),
            labels=labels,
            fields=fields,
            clock=clock,
            report=report,
        )
        self._told: tuple[Problem, ...] = ()

    def start(self) -> None:
        """Begin to list and watch, in a thread."""
        self._following.start()

    def stop(self) -> None:
        """End that, without waiting."""
        self._following.stop()

    @property
    def trouble(self) -> str:
        """Why the cluster cannot be followed now."""
        return self._following.problem

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What cannot be read now."""
        return self._mirror.problems

    @property
    def unreadable(self) -> int:
        """How many objects cannot be read now."""
        return self._mirror.unreadable

    def refresh(self) -> bool:
        """Take what has arrived; tell whether `current` or the problems are others now."""
        # Before what it vouches for is taken, never after.
        heard_at = self._following.heard_at
        changes = self._mirror.take()
        if changes:
            self._apply(changes)
        if heard_at is not None and self._whole():
            self.heard_at = heard_at
        told, self._told = self._told, self.problems
        return bool(changes) or told != self._told

    def _sink(self) -> Sink:
        """Give what the cluster's word goes to: the mirror, or what passes it on to the mirror."""
        return self._mirror

    def _apply(self, changes: Mapping[str, Change[Value]]) -> None:
        """Make the next `current`."""
        raise NotImplementedError

    def _whole(self) -> bool:
        """Tell whether `current` is all that it has to be."""
        return self._mirror.listed
