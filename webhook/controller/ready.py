"""Which of the images that are due is next: by reason, by who asked for it, and then by how long it has waited.

What is urgent goes first, and of equals what was asked for by whom we have done nothing for the longest: a namespace
that names a thousand images waits for itself, and no other for it. Every fourth pick is for whoever has waited longest
for his turn, whatever is due of his: a stream of new images must not let others grow stale. So with n who ask, each is
served at least once in 4 n picks.

Of the first few of one asker, and of askers that are equal, one is picked by chance, for other replicas look at the
same list, and each claim that two of them try costs one of them a request for nothing.
"""

import heapq
import random
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from webhook.controller.schedule import Reason

_FIRST_FEW = 8
_OLDEST_EVERY = 4
# Askers of which it is remembered when they were last served; one takes some 200 bytes.
_MOST_ASKERS = 10_000
# An entry counts only while its image has that place: to remove one from within a heap takes long. An image that is put
# aside and in again leaves one each time; of such there are at most so many more than of those that count.
_SLACK = 1000
_Entry = tuple[float, str]
_Queues = dict[str, list[_Entry]]


class _Place(NamedTuple):
    """Where an image is: the entry that counts for it."""

    reason: Reason
    since: float
    asker: str


class _Head(NamedTuple):
    """What has waited longest of an asker's: since when, and for which reason."""

    since: float
    reason: Reason


def _anybody(_: str) -> bool:
    return True


class Ready:
    """Names, each at most once. Not for threads to share without a lock."""

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}
        self._entries = 0
        self._queues: dict[Reason, _Queues] = {reason: {} for reason in Reason}
        self._served: OrderedDict[str, int] = OrderedDict()
        self._picks = 0

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def put(self, name: str, reason: Reason, since: float, asker: str = "") -> None:
        """Put an image in, or in another place; all that nobody is known to have asked for has one asker, "" ."""
        self._places[name] = _Place(reason, since, asker)
        heapq.heappush(self._queues[reason].setdefault(asker, []), (since, name))
        self._entries += 1
        if self._entries > 2 * len(self._places) + _SLACK:
            self._sweep()

    def discard(self, name: str) -> None:
        """Take an image out, if it is there."""
        self._places.pop(name, None)

    def clear(self) -> None:
        """Take everything out; whose turn it is stays known."""
        self._places, self._entries = {}, 0
        self._queues = {reason: {} for reason in Reason}

    def _sweep(self) -> None:
        """Make the queues anew, of what counts."""
        places = self._places
        self.clear()
        for name, place in places.items():
            self.put(name, *place)

    def take(self, may: Callable[[str], bool] = _anybody) -> str | None:
        """Take out what is next of an asker who `may` have more just now; None where nothing of such is there."""
        heads = self._heads(may, everything=self._picks % _OLDEST_EVERY == _OLDEST_EVERY - 1)
        if not heads:
            return None
        self._picks += 1
        asker = self._turn(heads)
        self._serve(asker)
        return self._pick(heads[asker].reason, asker)

    def _heads(self, may: Callable[[str], bool], *, everything: bool) -> dict[str, _Head]:
        """Find what has waited longest of each asker, of the most urgent reason that there is, or of all reasons."""
        heads: dict[str, _Head] = {}
        for reason, queues in self._queues.items():
            for asker in [asker for asker in queues if not self._tidy(reason, asker)]:
                del queues[asker]
            for asker in filter(may, queues):
                head = _Head(queues[asker][0][0], reason)
                heads[asker] = min(head, heads.get(asker, head))
            if heads and not everything:
                break
        return heads

    def _turn(self, heads: Mapping[str, _Head]) -> str:
        """Choose who was not served for longest; among those who never were, of the first few one by chance."""

        def turn(asker: str) -> tuple[int, float]:
            return self._served.get(asker, 0), heads[asker].since

        few = heapq.nsmallest(_FIRST_FEW, heads, key=turn)
        return random.choice([asker for asker in few if turn(asker)[0] == turn(few[0])[0]])  # noqa: S311 - no secret

    def _tidy(self, reason: Reason, asker: str) -> bool:
        """Drop from a queue's front what does not count any more; tell whether something is left."""
        queue = self._queues[reason][asker]
        while queue and self._places.get(queue[0][1]) != (reason, queue[0][0], asker):
            heapq.heappop(queue)
            self._entries -= 1
        return bool(queue)

    def _pick(self, reason: Reason, asker: str) -> str:
        queue = self._queues[reason][asker]
        few: list[_Entry] = []
        while len(few) < _FIRST_FEW and self._tidy(reason, asker):
            few.append(heapq.heappop(queue))
        _, chosen = few.pop(random.randrange(len(few)))  # noqa: S311 - no secret
        for entry in few:
            heapq.heappush(queue, entry)
        self._entries -= 1
        del self._places[chosen]
        return chosen

    def _serve(self, asker: str) -> None:
        self._served[asker] = self._picks
        self._served.move_to_end(asker)
        if len(self._served) > _MOST_ASKERS:
            self._served.popitem(last=False)
