"""When something that is looked at again and again last became another."""

from math import inf
from typing import Generic, TypeVar

Value = TypeVar("Value")


class LastChange(Generic[Value]):
    """The time of the last change; the first value that is seen is none.

    Attributes:
        at: by the clock of who notes it; -inf for never.
    """

    def __init__(self) -> None:
        self.at = -inf
        self._seen: Value | None = None

    def note(self, value: Value, now: float) -> None:
        """Take note of what it is now."""
        if self._seen is not None and value != self._seen:
            self.at = now
        self._seen = value
