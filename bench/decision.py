"""One decision: microseconds from a review's bytes to its answer's, beside orjson's for reading the same bytes.

They are the processor's, for a decision waits for nothing: what else the machine does is not in them.

The reviews are of up to a thousand images from all over the index, in turn, as are the scans that they lead to: what
was looked up a moment ago is no measure of a large index.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle

import orjson

from bench.corpus import ALIKE
from bench.reviews import Reviews, make_reviews
from webhook.core.decision import Snapshot, answer, mutate, validate
from webhook.core.review import parse_review, render_answer

_ROUNDS = 31
_CALLS = (
    100  # in a round: long beside the clock's own time, short beside what else the machine may do
)
_IMAGES = 1000

Timings = Mapping[str, Sequence[float]]


def time_decisions(snapshot: Snapshot, count: int) -> Timings:
    """Time each kind of decision in turn, round for round; microseconds a call, with the collector on."""
    reviews = list(_spread(count))
    calls = _calls(reviews, snapshot)
    for call in calls.values():
        for _ in reviews:
            call()
    timings: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(_ROUNDS):
        for name, call in calls.items():
            timings[name].append(_time(call))
    return timings


def _spread(count: int) -> Iterator[Reviews]:
    """Make the reviews of images from the first scan to the last; all of them get the same patch."""
    alike = range(0, count, ALIKE)
    for number in alike[:: max(len(alike) // _IMAGES, 1)][:_IMAGES]:
        yield make_reviews(number)


def _calls(reviews: Sequence[Reviews], snapshot: Snapshot) -> Mapping[str, Callable[[], object]]:
    now = time.time()

    def judged(body: bytes) -> bytes:
        review = parse_review(body)
        return render_answer(review.uid, answer(validate(review, snapshot, now), snapshot))

    def patched(body: bytes) -> bytes:
        review = parse_review(body)
        return render_answer(review.uid, answer(mutate(review, snapshot), snapshot))

    def each(bodies: Sequence[bytes], call: Callable[[bytes], object]) -> Callable[[], object]:
        turn = cycle(bodies)
        return lambda: call(next(turn))

    return {
        "read": each([review.created for review in reviews], orjson.loads),
        "validate": each([review.patched for review in reviews], judged),
        "mutate": each([review.created for review in reviews], patched),
        "refuse": each([review.refused for review in reviews], judged),
    }


def _time(call: Callable[[], object]) -> float:
    started = time.thread_time_ns()
    for _ in range(_CALLS):
        call()
    return (time.thread_time_ns() - started) / _CALLS / 1000
