"""One decision: microseconds from a review's bytes to its answer's, beside orjson's for reading the same bytes."""

import time
from collections.abc import Callable, Mapping, Sequence

import orjson

from bench.corpus import make_reviews
from bench.row import Aim, Row
from webhook.core.decision import Snapshot, answer, mutate, validate
from webhook.core.review import parse_review, render_answer

_ROUNDS = 31
_CALLS = (
    100  # in a round: long beside the clock's own time, short beside what else the machine may do
)
_AIM = Aim(of="value", side="under", limit=200.0)
_NAMES = {
    "validate": "validate, allowed",
    "mutate": "mutate, three changes",
    "refuse": "validate, denied",
}

Timings = Mapping[str, Sequence[float]]


def time_decisions(snapshot: Snapshot) -> Timings:
    """Time each kind of decision in turn, round for round; microseconds a call, with the collector on."""
    reviews = make_reviews()
    now = time.time()

    def judged(body: bytes) -> bytes:
        review = parse_review(body)
        return render_answer(review.uid, answer(validate(review, snapshot, now), snapshot))

    def patched() -> bytes:
        review = parse_review(reviews.created)
        return render_answer(review.uid, answer(mutate(review, snapshot), snapshot))

    calls: dict[str, Callable[[], object]] = {
        "read": lambda: orjson.loads(reviews.created),
        "validate": lambda: judged(reviews.patched),
        "mutate": patched,
        "refuse": lambda: judged(reviews.refused),
    }
    timings: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(_ROUNDS):
        for name, call in calls.items():
            timings[name].append(_time(call))
    return timings


def _time(call: Callable[[], object]) -> float:
    started = time.perf_counter_ns()
    for _ in range(_CALLS):
        call()
    return (time.perf_counter_ns() - started) / _CALLS / 1000


def rows(count: int, timings: Timings) -> list[Row]:
    """Give the rows for an index of `count` scans."""
    return [
        Row(
            group="One decision: read, decide, write the answer",
            figure=f"{title}, {count:,} scans",
            unit="µs",
            samples=timings[name],
            floor="orjson.loads",
            floor_samples=timings["read"],
            aim=_AIM,
        )
        for name, title in _NAMES.items()
    ]
