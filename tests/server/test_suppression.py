"""What repeats is counted, not repeated, and no count is forgotten."""

import threading
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from webhook.server.suppression import MAX_KEYS, Suppression

WINDOW = 600.0
KEYS = st.sampled_from("abcd")


class Bookkeeping(RuleBasedStateMachine):
    """Against a model: what came, what the records say, and when each key was last recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.suppression = Suppression(WINDOW, max_keys=4)
        self.now = 0.0
        self.came: Counter[str] = Counter()
        self.told: Counter[str] = Counter()
        self.recorded: dict[str, float] = {}

    @rule(seconds=st.floats(0, 2 * WINDOW))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(key=KEYS, written=st.booleans())
    def it_comes(self, key: str, written: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        suppressed = self.suppression.admit(key, self.now)
        self.came[key] += 1
        last = self.recorded.get(key)
        due = last is None or self.now - last >= WINDOW
        assert (suppressed is not None) == due
        if suppressed is None:
            return
        assert suppressed == self.came[key] - self.told[key] - 1
        if written:
            self.told[key] += 1 + suppressed
            self.recorded[key] = self.now
        else:
            self.suppression.restore(key, suppressed)
            self.recorded.pop(key, None)

    @invariant()
    def what_came_is_recorded_or_outstanding(self) -> None:
        assert self.told.total() + self.suppression.outstanding() == self.came.total()
        assert self.suppression.lost() == 0


TestBookkeeping = Bookkeeping.TestCase


@given(
    st.lists(st.tuples(st.integers(0, 9), st.floats(0, 100), st.booleans()), max_size=200),
    st.integers(1, 5),
)
def test_with_eviction_what_is_neither_recorded_nor_outstanding_is_counted_as_lost(
    arrivals: list[tuple[int, float, bool]], most: int
) -> None:
    suppression, now, told = Suppression(WINDOW, max_keys=most), 0.0, 0
    for key, seconds, written in arrivals:
        now += seconds
        suppressed = suppression.admit(key, now)
        if suppressed is not None and written:
            told += 1 + suppressed
        elif suppressed is not None:
            suppression.restore(key, suppressed)
        assert len(suppression._seen) <= most
    assert told + suppression.outstanding() + suppression.lost() == len(arrivals)


def test_the_window_counts_from_the_last_record_not_from_the_last_refusal() -> None:
    suppression = Suppression(WINDOW)
    assert suppression.admit("k", 0) == 0
    assert suppression.admit("k", 300) is None
    assert suppression.admit("k", 599.9) is None
    assert suppression.admit("k", 600) == 2
    assert suppression.admit("k", 1199.9) is None
    assert suppression.admit("k", 1200) == 1


def test_the_key_that_was_not_seen_for_the_longest_time_is_evicted_first() -> None:
    suppression = Suppression(WINDOW, max_keys=2)
    suppression.admit("old", 0)
    suppression.admit("new", 1)
    assert suppression.admit("old", 2) is None
    suppression.admit("third", 3)
    assert suppression.admit("old", 4) is None, "it was seen after the other one"
    assert suppression.admit("new", 5) == 0, "it was evicted"


def test_memory_is_bounded_by_ten_thousand_keys() -> None:
    suppression = Suppression()
    for key in range(MAX_KEYS + 100):
        suppression.admit(key, 0)
    assert MAX_KEYS == 10_000
    assert len(suppression._seen) == MAX_KEYS


@settings(deadline=None, max_examples=5)
@given(st.integers(2, 8))
def test_threads_lose_no_count(threads: int) -> None:
    suppression, told = Suppression(WINDOW), []

    def refuse() -> None:
        for step in range(2000):
            suppressed = suppression.admit(step % 3, float(step))
            if suppressed is not None:
                told.append(1 + suppressed)

    workers = [threading.Thread(target=refuse) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(told) + suppression.outstanding() == threads * 2000
