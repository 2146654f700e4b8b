"""Which image is next."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from webhook.controller.ready import Ready
from webhook.controller.schedule import Reason

NAMES = st.text("abcdef", min_size=1, max_size=3)
PUTS = st.lists(st.tuples(NAMES, st.sampled_from(list(Reason)), st.floats(0, 100)), max_size=60)


def filled(puts: list[tuple[str, Reason, float]]) -> Ready:
    ready = Ready()
    for name, reason, since in puts:
        ready.put(name, reason, since)
    return ready


def drained(ready: Ready) -> list[str]:
    found = []
    while (name := ready.take()) is not None:
        found.append(name)
    return found


@given(PUTS, st.sets(NAMES))
def test_each_image_is_given_out_once_unless_it_was_taken_out(
    puts: list[tuple[str, Reason, float]], discarded: set[str]
) -> None:
    ready = filled(puts)
    for name in discarded:
        ready.discard(name)
    expected = {name for name, _, _ in puts} - discarded
    assert len(ready) == len(expected)
    assert Counter(drained(ready)) == Counter(expected)


def test_what_is_urgent_goes_first_and_every_fourth_is_what_has_waited_longest() -> None:
    old = [(f"old-{number}", Reason.RESCAN, float(number)) for number in range(10)]
    new = [(f"new-{number}", Reason.REQUESTED, 100.0 + number) for number in range(30)]
    order = [name.partition("-")[0] for name in drained(filled(old + new))]
    assert order == (["new"] * 3 + ["old"]) * 10


def test_within_a_reason_nobody_is_passed_by_more_than_a_few() -> None:
    names = [f"{number:03}" for number in range(200)]
    order = drained(filled([(name, Reason.NEW, float(name)) for name in names]))
    assert order != names
    assert all(int(name) < place + 8 for place, name in enumerate(order))


def test_replicas_that_begin_with_the_same_list_seldom_begin_with_the_same_image() -> None:
    puts = [(f"{number}", Reason.NEW, float(number)) for number in range(20)]
    first = Counter(filled(puts).take() for _ in range(400))
    assert len(first) == 8
    assert max(first.values()) < 100
