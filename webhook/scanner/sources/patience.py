"""How long one exchange with a server may wait for it, so that none can be kept waiting by drips."""

import time
from abc import ABC, abstractmethod
from typing import Self

import httpcore


class OutOfPatience(httpcore.TimeoutException):
    """The server used up what it was given; the message says what that was, as a clause."""


class Patience(ABC):
    """What a connection asks before it waits, and tells after it did."""

    @abstractmethod
    def left(self) -> float:
        """Give the seconds that it may wait now. Raises OutOfPatience when there are none."""

    @abstractmethod
    def arrived(self, size: int, waited: float) -> None:
        """Take note of bytes that came after so many seconds of waiting."""


class Deadline(Patience):
    """Everything until a moment of the monotonic clock, whatever comes meanwhile."""

    def __init__(
        self, seconds: float, *, past: str = "it did not answer whole within {} s"
    ) -> None:
        self._until = time.monotonic() + seconds
        self._past = past.format(f"{seconds:g}")

    def left(self) -> float:
        """Give the seconds to its end."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise OutOfPatience(self._past)
        return left

    def sooner(self, other: Self) -> Self:
        """Give the one of two that ends first."""
        return self if self._until <= other._until else other

    def arrived(self, size: int, waited: float) -> None:
        """Change nothing: a deadline cannot be moved."""


class Allowance(Patience):
    """An account of seconds: it begins full, waiting spends it, bytes that arrive fill it, never above full.

    So no pause is longer than `seconds`, and N bytes take at most `seconds + N / rate` of waiting, however they are
    dripped. Only waiting counts: whoever reads the bytes may take his time between them.
    """

    def __init__(self, seconds: float, rate: float) -> None:
        self._full, self._rate = seconds, rate
        self._left = seconds

    def left(self) -> float:
        """Give the seconds that are in the account."""
        if self._left <= 0:
            raise OutOfPatience(
                f"it sends too slowly: {self._rate:g} bytes a second are the least, "
                f"with pauses of {self._full:g} s in all"
            )
        return self._left

    def arrived(self, size: int, waited: float) -> None:
        """Spend the seconds, and earn some for the bytes."""
        self._left = min(self._left - waited + size / self._rate, self._full)
