"""Whether this replica may do now what must be done once: given by the Leader, asked by duties before they write."""

import time
from collections.abc import Callable
from math import inf

from webhook.kubeerrors import KubeError


class Lost(KubeError):
    """This replica does not lead any more; what was begun is left as it stands, for the next leader."""


class Mandate:
    """A right that ends by itself: it holds until a time of this process's own clock. Threads may share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = -inf
        self._ended = False

    @property
    def holds(self) -> bool:
        """Whether it holds now."""
        return not self._ended and self._clock() < self._until

    def now(self) -> float:
        """Give the time by its clock."""
        return self._clock()

    def insist(self) -> None:
        """Raise Lost unless it holds; to be called before a write that must not come from two."""
        if not self.holds:
            raise Lost("this replica does not lead any more: the next leader goes on")

    def extend(self, until: float) -> None:
        """Let it hold until this time and no longer."""
        self._until = until

    def end(self) -> None:
        """Let it hold never again."""
        self._ended = True


def unlimited() -> Mandate:
    """Make one that always holds, for who works alone."""
    mandate = Mandate()
    mandate.extend(inf)
    return mandate
