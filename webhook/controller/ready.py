"""Which of the images that are due is next: by reason, and for each reason by how long it has waited.

What is urgent goes first, but every fourth pick is what has waited longest, whatever for: a stream of new images must
not let others grow stale. Of the first few one is picked by chance, for other replicas look at the same list, and each
claim that two of them try costs one of them a request for nothing.
"""

import heapq
import random

from webhook.controller.schedule import Reason

_FIRST_FEW = 8
_OLDEST_EVERY = 4


class Ready:
    """Names, each at most once. Not for threads to share without a lock."""

    def __init__(self) -> None:
        self._reasons: dict[str, Reason] = {}
        # An entry counts only while its name has that reason: to remove one from within a heap takes long.
        self._heaps: dict[Reason, list[tuple[float, str]]] = {reason: [] for reason in Reason}
        self._picks = 0

    def __len__(self) -> int:
        return len(self._reasons)

    def __contains__(self, name: str) -> bool:
        return name in self._reasons

    def put(self, name: str, reason: Reason, since: float) -> None:
        """Put an image in, or in another place."""
        self._reasons[name] = reason
        heapq.heappush(self._heaps[reason], (since, name))

    def discard(self, name: str) -> None:
        """Take an image out, if it is there."""
        self._reasons.pop(name, None)

    def take(self) -> str | None:
        """Take out what is next; None where nothing is there."""
        present = [reason for reason in Reason if self._tidy(reason)]
        if not present:
            return None
        self._picks += 1
        if self._picks % _OLDEST_EVERY == 0:
            return self._pick(min(present, key=lambda reason: self._heaps[reason][0]))
        return self._pick(present[0])

    def _tidy(self, reason: Reason) -> bool:
        """Drop from a heap's front what does not count any more; tell whether something is left."""
        heap = self._heaps[reason]
        while heap and self._reasons.get(heap[0][1]) is not reason:
            heapq.heappop(heap)
        return bool(heap)

    def _pick(self, reason: Reason) -> str:
        heap = self._heaps[reason]
        few: list[tuple[float, str]] = []
        while len(few) < _FIRST_FEW and self._tidy(reason):
            few.append(heapq.heappop(heap))
        _, chosen = few.pop(random.randrange(len(few)))  # noqa: S311 - no secret
        for entry in few:
            heapq.heappush(heap, entry)
        del self._reasons[chosen]
        return chosen
