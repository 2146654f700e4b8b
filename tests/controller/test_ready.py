"""Which image is next."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
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


def test_what_is_put_aside_again_and_again_leaves_nothing_behind() -> None:
    """As by a registry that is down for days, behind one image that is always first."""
    ready = filled([("first", Reason.NEW, 0.0)])
    for _ in range(200):
        for number in range(100):
            ready.put(f"{number}", Reason.NEW, 1.0 + number)
        for number in range(100):
            ready.discard(f"{number}")
        ready.put("first", Reason.NEW, 0.0)
    entries = sum(len(queue) for queues in ready._queues.values() for queue in queues.values())
    assert entries == ready._entries < 1_500
    assert drained(ready) == ["first"]
    assert ready._entries == 0


def test_an_image_has_the_place_that_it_was_put_in_last() -> None:
    for _ in range(20):
        ready = filled([("late", Reason.NEW, 0.0), ("late", Reason.NEW, 1e9)])
        for number in range(20):
            ready.put(f"{number}", Reason.NEW, 1.0)
        assert "late" in drained(ready)[-8:]


# -- those who ask ----------------------------------------------------------------------------------

ASKERS = st.lists(
    st.tuples(
        st.sampled_from(["b", "c", "d", ""]), st.sampled_from(list(Reason)), st.floats(0, 100)
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=50)
@given(ASKERS, st.floats(-100, 100), st.sampled_from(list(Reason)))
def test_whoever_floods_waits_for_himself_and_lets_others_wait_for_few_picks(
    others: list[tuple[str, Reason, float]], since: float, flooded: Reason
) -> None:
    """The flood never ends, is older than all, and as urgent as can be."""
    ready, waits = Ready(), Counter[str]()
    for number in range(100):
        ready.put(f"flood-{number}", flooded, since, "flood")
    for number, (asker, reason, at) in enumerate(others):
        ready.put(f"{number}", reason, at, asker)
        waits[asker] += 1
    several = len(waits) + 1
    for pick in range(1, 4 * several * max(waits.values()) + 1):
        name = ready.take()
        assert name is not None
        if name.startswith("flood-"):
            ready.put(f"flood-{100 + pick}", flooded, since, "flood")
        else:
            waits[others[int(name)][0]] -= 1
    assert not +waits


def test_of_two_who_ask_for_the_same_reason_each_has_every_other_pick() -> None:
    ready = Ready()
    for number in range(200):
        ready.put(f"flood-{number}", Reason.REQUESTED, 0.0, "flood")
    for number in range(20):
        ready.put(f"other-{number}", Reason.REQUESTED, 100.0, "other")
    picked = [name.partition("-")[0] for name in drained(ready)[:40]]
    assert Counter(picked) == {"flood": 20, "other": 20}
    assert all(
        set(pair) == {"flood", "other"} for pair in zip(picked[::2], picked[1::2], strict=True)
    )


def test_who_asks_for_one_image_at_a_time_comes_before_nobody_all_the_time() -> None:
    ready, picked = Ready(), Counter[str]()
    for number in range(100):
        ready.put(f"many-{number}", Reason.REQUESTED, 0.0, "many")
    for number in range(40):
        ready.put(f"drip-{number}", Reason.REQUESTED, 0.0, "drip")
        name = ready.take()
        assert name is not None
        picked[name.partition("-")[0]] += 1
        ready.discard(f"drip-{number}")
    assert abs(picked["many"] - picked["drip"]) <= 1


@given(PUTS, st.sets(st.sampled_from(["a", "b"])))
def test_who_may_have_no_more_now_keeps_his_place_and_holds_up_nobody(
    puts: list[tuple[str, Reason, float]], barred: set[str]
) -> None:
    ready = Ready()
    askers = {name: name[0] for name, _, _ in puts}
    for name, reason, since in puts:
        ready.put(name, reason, since, askers[name])
    found = []
    while (picked := ready.take(lambda asker: asker not in barred)) is not None:
        found.append(picked)
    assert Counter(found) == Counter({name: 1 for name, one in askers.items() if one not in barred})
    assert sorted(drained(ready)) == sorted(n for n, one in askers.items() if one in barred)


def test_clearing_forgets_what_is_there_and_not_whose_turn_it_is() -> None:
    for _ in range(20):
        ready = Ready()
        ready.put("a-1", Reason.NEW, 0.0, "a")
        assert ready.take() == "a-1"
        ready.put("a-2", Reason.NEW, 0.0, "a")
        ready.clear()
        assert (len(ready), ready.take()) == (0, None)
        ready.put("a-2", Reason.NEW, 0.0, "a")
        ready.put("b-1", Reason.NEW, 1.0, "b")
        assert drained(ready) == ["b-1", "a-2"]
