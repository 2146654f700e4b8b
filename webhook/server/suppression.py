"""Counting what repeats instead of repeating it: a StatefulSet retries a refused pod for ever.

Each process counts for itself: with several workers, a refusal is recorded at most once by each in a window.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from webhook.core.audit import SUPPRESSION_SECONDS

# A key with its count takes some 250 bytes, so all of them some 2.5 MB.
MAX_KEYS = 10_000


@dataclass(slots=True)
class _Seen:
    """What is known of one key: when it was last recorded (None: that record was lost), and how often not since."""

    recorded: float | None
    count: int = 0


class Suppression:
    """Decides which of many equal things are recorded: the first, then one in each window that follows a record.

    No thing is counted twice and none is forgotten: for every key, the sum of `1 + suppressed` over its records, and
    what is outstanding, is how often it came. Only eviction, of the key not seen for the longest time, loses a count,
    and `lost` says how much. What repeats no more after its last record stays outstanding.
    """

    def __init__(self, window: float = SUPPRESSION_SECONDS, max_keys: int = MAX_KEYS) -> None:
        self._window = window
        self._max_keys = max_keys
        self._seen: OrderedDict[Hashable, _Seen] = OrderedDict()
        self._outstanding = 0
        self._lost = 0
        self._lock = threading.Lock()

    def admit(self, key: Hashable, now: float) -> int | None:
        """Count one more of `key` at `now`, in seconds of a clock that never goes back.

        Returns how many were suppressed since its last record where it is to be recorded, else None.
        """
        with self._lock:
            seen = self._seen.get(key)
            if seen is None:
                self._remember(key, _Seen(recorded=now))
                return 0
            self._seen.move_to_end(key)
            if seen.recorded is not None and now - seen.recorded < self._window:
                seen.count += 1
                self._outstanding += 1
                return None
            suppressed, seen.count, seen.recorded = seen.count, 0, now
            self._outstanding -= suppressed
            return suppressed

    def restore(self, key: Hashable, suppressed: int) -> None:
        """Take back an admission whose record could not be written: the next of `key` is recorded, and counts it."""
        with self._lock:
            seen = self._seen.get(key)
            if seen is None:
                seen = _Seen(recorded=None)
                self._remember(key, seen)
            seen.recorded = None
            seen.count += suppressed + 1
            self._outstanding += suppressed + 1

    def outstanding(self) -> int:
        """Count what was suppressed and stands in no record yet."""
        return self._outstanding

    def lost(self) -> int:
        """Count what was suppressed and will stand in no record: its key was evicted."""
        return self._lost

    def _remember(self, key: Hashable, seen: _Seen) -> None:
        self._seen[key] = seen
        if len(self._seen) > self._max_keys:
            _, evicted = self._seen.popitem(last=False)
            self._outstanding -= evicted.count
            self._lost += evicted.count
