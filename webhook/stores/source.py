"""One surface for whatever a snapshot is made of, from files or from the cluster."""

from collections.abc import Mapping
from typing import Protocol

from webhook.core.policy import PolicyDocument
from webhook.core.verdict import ScanIndex
from webhook.stores.problem import Problem


class Source(Protocol):
    """A part of a snapshot and where it comes from. One thread starts, refreshes and stops it; any may read."""

    @property
    def heard_at(self) -> float | None:
        """By the store's clock, when `current` was last known to be what the source holds; None: never yet."""

    @property
    def patience(self) -> float:
        """Seconds without such knowledge for which decisions may rest on `current`."""

    @property
    def trouble(self) -> str:
        """Why the source cannot be followed now; empty when all is well."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What cannot be read now."""

    @property
    def unreadable(self) -> int:
        """How many documents cannot be read now."""

    def start(self) -> None:
        """Begin to follow it."""

    def stop(self) -> None:
        """End that, without waiting."""

    def refresh(self) -> bool:
        """Take what has arrived; tell whether `current` or what is wrong with it are others now."""


class ScanSource(Source, Protocol):
    """Where scans come from."""

    @property
    def current(self) -> ScanIndex:
        """All scans; another object when they change, never changed itself."""


class PolicySource(Source, Protocol):
    """Where the policy comes from."""

    @property
    def current(self) -> PolicyDocument:
        """The policy that holds: the last good one."""

    @property
    def generation(self) -> int:
        """Tells it from the one before."""


class ModeSource(Source, Protocol):
    """Where the modes of namespaces come from."""

    @property
    def current(self) -> Mapping[str, str]:
        """`warn` or `audit` by namespace; another object when they change."""
