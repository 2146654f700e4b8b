"""How often something may be done: a bucket that fills with time, overall and for each of many askers."""

from collections import OrderedDict
from dataclasses import dataclass

# Seconds for which an asker is told of that was at its bound: one that comes and goes there is told of once.
CROWDED_SECONDS = 600.0
_TOLD = 3  # askers by name; who looks after them needs one to begin with
# Namespaces of which it is remembered how much they asked; one takes some 200 bytes.
_MOST_ASKERS = 10_000


@dataclass(slots=True)
class Bucket:
    """Holds up to `burst` permissions, and gets `rate` a second; full at first, which was at `filled_at`."""

    rate: float
    burst: float
    filled_at: float
    held: float

    def fill(self, now: float) -> bool:
        """Fill it up to now; tell whether it holds a permission."""
        self.held = min(self.burst, self.held + (now - self.filled_at) * self.rate)
        self.filled_at = now
        return self.held >= 1

    def take(self) -> None:
        """Take one permission."""
        self.held -= 1


class Allowance:
    """Permissions for all askers together, of which none gets more than a share. One thread at a time.

    Args:
        overall: how many a minute, and at once.
        share: how many of them one asker gets a minute, and at once.
    """

    def __init__(self, *, overall: int, share: int) -> None:
        self._overall = Bucket(overall / 60, overall, 0.0, overall)
        self._share = share
        self._askers: OrderedDict[str, Bucket] = OrderedDict()

    def admit(self, asker: str, now: float) -> bool:
        """Take a permission for an asker at `now`, in seconds of a clock that never goes back; False: there is none."""
        own = self._askers.setdefault(
            asker, Bucket(self._share / 60, self._share, now, self._share)
        )
        self._askers.move_to_end(asker)
        if len(self._askers) > _MOST_ASKERS:
            self._askers.popitem(last=False)
        if not (own.fill(now) and self._overall.fill(now)):
            return False
        own.take()
        self._overall.take()
        return True


class Crowded:
    """Askers that have as much as they may have, or had a while ago. One thread at a time."""

    def __init__(self) -> None:
        self._askers: dict[str, float] = {}

    def note(self, asker: str, now: float) -> None:
        """Take note that an asker is at its bound now."""
        self._askers[asker] = now

    def told(self, now: float) -> str:
        """Name them, the first few; empty where there are none."""
        self._askers = {
            asker: at for asker, at in self._askers.items() if now - at < CROWDED_SECONDS
        }
        first = ", ".join(sorted(self._askers)[:_TOLD])
        return f"{first} and others" if len(self._askers) > _TOLD else first
